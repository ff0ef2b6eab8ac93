/* SPDX-License-Identifier: Apache-2.0
 *
 * A text as tokens of one language: numbers, words with what they mean, and how far apart they stand.
 */
#include "text/when_priv.h"

#include "core/utf8.h"
#include "text/text_priv.h"

#define MAX_WORD_BYTES  40 /* no word of ours is longer */
#define MAX_GAP_BYTES   6  /* between parts of one date */
#define MAX_NUMBER      9999
#define MAX_MATCH_CODES 5 /* the longest word of an unspaced language */

enum sort { SORT_BETWEEN, SORT_LETTER, SORT_DIGIT, SORT_UNSPACED };

/* 0..9, also of a digit in full width; -1: none. */
static int digit_of(uint32_t codepoint)
{
    if (codepoint >= '0' && codepoint <= '9')
        return (int)(codepoint - '0');
    return codepoint >= 0xFF10 && codepoint <= 0xFF19 ? (int)(codepoint - 0xFF10) : -1;
}

static enum sort sort_of(uint32_t codepoint)
{
    if (digit_of(codepoint) >= 0)
        return SORT_DIGIT;
    if (codepoint < 0x80)
        return (codepoint | 0x20) >= 'a' && (codepoint | 0x20) <= 'z' ? SORT_LETTER : SORT_BETWEEN;
    switch (char_class_of(codepoint)) {
    case CHAR_LOWER:
    case CHAR_UPPER:
    case CHAR_MARK:
        return SORT_LETTER;
    case CHAR_UNSPACED:
        return SORT_UNSPACED;
    default:
        return SORT_BETWEEN;
    }
}

/* Dashes and what stands for them, perhaps behind the dot of "15.". */
static bool is_range_sign(struct str core)
{
    static const char *const signs[] = {"-", "\xe2\x80\x93", "\xe2\x80\x94",
                                        "~", "\xe3\x80\x9c", "\xef\xbd\x9e"};
    if (core.len > 1 && core.ptr[0] == '.')
        core = str_slice(core, 1, core.len);
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
        if (str_is(core, signs[i]))
            return true;
    return false;
}

/* before: the token that it follows, NULL at the start. */
static enum gap gap_of(struct str between, const struct token *before, bool *ret_has_apostrophe)
{
    struct str core = str_trim(between);
    bool has_space = core.len < between.len, is_abbreviation;
    *ret_has_apostrophe = core.len && (str_is(core, "'") || str_is(core, "\xe2\x80\x99"));
    if (!before || between.len > MAX_GAP_BYTES)
        return GAP_HARD;
    if (!core.len)
        return has_space ? GAP_SPACE : GAP_NONE;
    if (*ret_has_apostrophe || str_is(core, ",") || str_is(core, ".,") || str_is(core, "\xe3\x80\x81"))
        return GAP_SOFT;
    if (str_is(core, "/"))
        return GAP_SLASH;
    if (str_is(core, "-") && !has_space)
        return GAP_DASH;
    if (is_range_sign(core))
        return GAP_RANGE;
    is_abbreviation = before->n_digits || before->len <= 4;
    if (str_is(core, ".") && (!has_space || is_abbreviation))
        return has_space ? GAP_SOFT : GAP_DOT;
    return GAP_HARD;
}

static void mean(struct token *token, const struct when_word *word)
{
    if (word) {
        token->kind = word->kind;
        token->flags = word->flags;
        token->value = word->value;
    }
}

static size_t read_number(struct str text, size_t pos, struct token *token)
{
    size_t next = pos;
    int digit;
    while (next < text.len && (digit = digit_of(utf8_next(text, &next))) >= 0) {
        if (token->value <= MAX_NUMBER)
            token->value = token->value * 10 + digit;
        token->n_digits += token->n_digits < UINT8_MAX;
        pos = next;
    }
    token->kind = W_NUMBER;
    return pos;
}

static size_t read_word(struct str text, size_t pos)
{
    size_t next = pos;
    while (next < text.len && sort_of(utf8_next(text, &next)) == SORT_LETTER)
        pos = next;
    return pos;
}

/* The longest word of the language (NULL: none) that begins here, or one character that means nothing. */
static size_t read_unspaced(struct str text, size_t pos, const struct when_language *language,
                            struct token *token)
{
    size_t ends[MAX_MATCH_CODES], n = 0, next = pos;
    while (n < MAX_MATCH_CODES && next < text.len) {
        (void)utf8_next(text, &next);
        ends[n++] = next;
    }
    for (size_t i = n; language && i-- > 0;) {
        const struct when_word *word = when_find_word(language, str_slice(text, pos, ends[i] - pos));
        if (word) {
            mean(token, word);
            return ends[i];
        }
    }
    return ends[0];
}

void reading_fill(struct reading *reading, struct str text, const struct when_language *language,
                  int64_t today)
{
    size_t pos = 0, behind = 0;
    reading->text = text;
    reading->is_unspaced = language != NULL;
    reading->today = today;
    reading->n = reading->start = 0;
    while (pos < text.len && reading->n < MAX_TOKENS) {
        size_t next = pos;
        enum sort sort = sort_of(utf8_next(text, &next));
        struct token *token = &reading->tokens[reading->n];
        if (sort == SORT_BETWEEN) {
            pos = next;
            continue;
        }
        *token = (struct token){.at = (uint32_t)pos, .kind = W_NONE};
        token->gap = gap_of(str_slice(text, behind, pos - behind), reading->n ? token - 1 : NULL,
                            &token->has_apostrophe);
        if (sort == SORT_DIGIT)
            pos = read_number(text, pos, token);
        else if (sort == SORT_LETTER)
            pos = read_word(text, pos);
        else
            pos = read_unspaced(text, pos, language, token);
        token->len = (uint32_t)(pos - token->at);
        reading->n++;
        behind = pos;
    }
}

void reading_translate(struct reading *reading, const struct when_language *language)
{
    reading->start = 0;
    for (size_t i = 0; i < reading->n; i++) {
        struct token *token = &reading->tokens[i];
        char plain[FOLD_MAX_BYTES];
        if (token->n_digits || token->len > MAX_WORD_BYTES)
            continue;
        size_t len = chars_fold_plain(str_slice(reading->text, token->at, token->len), plain);
        const struct when_word *word = when_find_word(language, str_make(plain, len));
        token->kind = word ? word->kind : W_NONE;
        token->flags = word ? word->flags : 0;
        token->value = word ? word->value : 0;
    }
}

enum when_kind reading_kind(const struct reading *reading, size_t i)
{
    if (i >= reading->n || (i > reading->start && reading->tokens[i].gap == GAP_HARD))
        return W_NONE;
    return reading->tokens[i].kind;
}

size_t reading_skip(const struct reading *reading, size_t i, enum when_kind a, enum when_kind b)
{
    while (reading_kind(reading, i) != W_NONE &&
           (reading->tokens[i].kind == a || reading->tokens[i].kind == b))
        i++;
    return i;
}

size_t reading_relation(const struct reading *reading, size_t i, int *ret_move)
{
    switch (reading_kind(reading, i)) {
    case W_LAST:
        *ret_move = -1;
        return i + 1;
    case W_THIS:
        *ret_move = 0;
        return i + 1;
    case W_NEXT:
        *ret_move = 1;
        return i + 1;
    default:
        return 0;
    }
}
