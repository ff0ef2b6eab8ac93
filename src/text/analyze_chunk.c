/* SPDX-License-Identifier: Apache-2.0
 *
 * Identifiers: words joined by connectors, and words of several pieces. What people type of one is the whole,
 * a file's name out of a path, a word of it, or the beginning of a hash or a version.
 */
#include "text/analyze_priv.h"

#include "core/utf8.h"

#define HASH_PREFIX   7 /* what git shows of a hash */
#define MAX_HASH      128
#define MIN_YEAR_SIZE 4 /* digits of a number that says something alone */

static size_t end_of_word(struct str text, size_t pos)
{
    size_t next = pos;
    enum char_class class;
    do {
        pos = next;
        class = analyze_next_class(text, &next);
    } while (analyze_is_word_class(class) || class == CHAR_MARK);
    return pos;
}

/* Does a word go on behind a single character of `class` at pos? *ret_next: where. */
static bool is_joined(struct str text, size_t pos, enum char_class class, size_t *ret_next)
{
    size_t next = pos;
    if (analyze_next_class(text, &next) != class)
        return false;
    size_t behind = next;
    *ret_next = next;
    return analyze_is_word_class(analyze_next_class(text, &behind));
}

/* ---- pieces of a word ---- */

/* Moves past letters of one case, or digits, and the marks on them. */
static size_t end_of_class(struct str word, size_t pos, enum char_class wanted)
{
    size_t next = pos;
    enum char_class class;
    do {
        pos = next;
        class = analyze_next_class(word, &next);
    } while (next > pos && (class == wanted || class == CHAR_MARK));
    return pos;
}

static size_t last_character(struct str word, size_t end)
{
    do
        end--;
    while (end > 0 && ((unsigned char)word.ptr[end] & 0xC0) == 0x80);
    return end;
}

/* End of the piece that starts at pos: digits, "lower", "Capital", "HTTP" before "Server", "PDFs". */
static size_t end_of_piece(struct str word, size_t pos)
{
    size_t next = pos;
    enum char_class class = analyze_next_class(word, &next);
    if (class != CHAR_UPPER)
        return end_of_class(word, next, class == CHAR_DIGIT ? CHAR_DIGIT : CHAR_LOWER);
    size_t end_of_capitals = end_of_class(word, next, CHAR_UPPER);
    size_t end = end_of_class(word, end_of_capitals, CHAR_LOWER);
    bool is_plural = end == end_of_capitals + 1 && word.ptr[end_of_capitals] == 's';
    size_t last_capital = last_character(word, end_of_capitals);
    if (end == end_of_capitals || is_plural || last_capital <= pos)
        return end;
    return last_capital;
}

static int emit_pieces(struct run *run, struct str word)
{
    size_t pos = 0, end;
    if (word.len > FOLD_MAX_BYTES)
        return 0; /* no identifier of a person's */
    while (pos < word.len) {
        end = end_of_piece(word, pos);
        if (end - pos == word.len)
            return 0;        /* all of it is one piece */
        if (end - pos > 1) { /* a single letter says nothing */
            int err = analyze_emit_word(run, str_slice(word, pos, end - pos));
            if (err)
                return err;
        }
        pos = end;
    }
    return 0;
}

/* ---- hashes and numbers ---- */

/* Digits and a..f, both of them: a hash, which has no pieces. */
static bool is_hash(struct str word)
{
    size_t n_digits = 0;
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i], lower = (char)(c | 0x20);
        bool is_digit = c >= '0' && c <= '9';
        if (!is_digit && (lower < 'a' || lower > 'f'))
            return false;
        n_digits += is_digit;
    }
    return word.len >= HASH_PREFIX && word.len <= MAX_HASH && n_digits > 0 && n_digits < word.len;
}

static int emit_plain(struct run *run, struct str text)
{
    char folded[FOLD_MAX_BYTES];
    return analyze_emit(run, str_make(folded, chars_fold_plain(text, folded)));
}

static int emit_hash(struct run *run, struct str word)
{
    int err = emit_plain(run, word);
    return err || word.len == HASH_PREFIX ? err : emit_plain(run, str_slice(word, 0, HASH_PREFIX));
}

/* 8-4-4-4-12 digits in base 16 */
static bool is_uuid(struct str chunk)
{
    if (chunk.len != 36)
        return false;
    for (size_t i = 0; i < chunk.len; i++) {
        char c = chunk.ptr[i], lower = (char)(c | 0x20);
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool is_hex = (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'f');
        if (is_dash ? c != '-' : !is_hex)
            return false;
    }
    return true;
}

/* Numbers joined by dots, perhaps behind a v: a version, an address, a date. */
static bool is_dotted(struct str chunk)
{
    size_t n_dots = 0, i = (chunk.ptr[0] | 0x20) == 'v' && chunk.len > 1 && chunk.ptr[1] != '.';
    for (; i < chunk.len; i++) {
        if (chunk.ptr[i] == '.')
            n_dots++;
        else if (chunk.ptr[i] < '0' || chunk.ptr[i] > '9')
            return false;
    }
    return n_dots > 0;
}

/* 1.2.3 as itself, 1.2, and whatever number in it says something alone (2023). */
static int emit_dotted(struct run *run, struct str chunk)
{
    if ((chunk.ptr[0] | 0x20) == 'v')
        chunk = str_slice(chunk, 1, chunk.len);
    int err = emit_plain(run, chunk);
    size_t n_parts = 0;
    struct str rest = chunk, part;
    while (!err && str_next_part(&rest, '.', &part)) {
        n_parts++;
        size_t end = (size_t)(part.ptr - chunk.ptr) + part.len;
        if (n_parts > 1 && end < chunk.len)
            err = emit_plain(run, str_slice(chunk, 0, end));
        if (!err && part.len >= MIN_YEAR_SIZE)
            err = emit_plain(run, part);
    }
    return err;
}

/* ---- chunks ---- */

/* Behind John's, they're, isn't: moves past the ending. True when the word before it is a negation. */
static bool skip_contraction(struct run *run, struct str word)
{
    static const char *const endings[] = {"s", "re", "ve", "ll", "d", "m", "t"};
    size_t start;
    if (!is_joined(run->text, run->pos, CHAR_APOSTROPHE, &start))
        return false;
    size_t end = end_of_word(run->text, start);
    struct str ending = str_slice(run->text, start, end - start);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        bool is_negation = endings[i][0] == 't';
        if (!str_eq_nocase(ending, str_of(endings[i])) ||
            (is_negation && (word.ptr[word.len - 1] | 0x20) != 'n'))
            continue;
        run->pos = end;
        return is_negation;
    }
    return false;
}

/* C++, C#, F#: moves past the signs. */
static bool skip_language_sign(struct run *run, struct str word)
{
    if (word.len != 1)
        return false;
    struct str rest = str_slice(run->text, run->pos, run->text.len);
    size_t len = str_starts_with(rest, STR_LIT("++"))  ? 2
                 : str_starts_with(rest, STR_LIT("#")) ? 1
                                                       : 0,
           behind = len;
    if (!len || (unsigned char)word.ptr[0] >= 0x80)
        return false;
    enum char_class class = analyze_next_class(rest, &behind);
    if (class == CHAR_LOWER || class == CHAR_UPPER || (class == CHAR_DIGIT && len == 1))
        return false;
    run->pos += len;
    return true;
}

/* Small letters, perhaps behind a capital: neither a hash nor several pieces. */
static bool is_simple(struct str word)
{
    for (size_t i = 1; i < word.len; i++)
        if (word.ptr[i] < 'a' || word.ptr[i] > 'z')
            return false;
    char initial = word.len ? (char)(word.ptr[0] | 0x20) : '\0';
    return initial >= 'a' && initial <= 'z';
}

static int emit_one(struct run *run, struct str word)
{
    if (is_simple(word))
        return analyze_emit_word(run, word);
    if (is_hash(word))
        return emit_hash(run, word);
    int err = analyze_emit_word(run, word);
    return err ? err : emit_pieces(run, word);
}

static bool is_segment_end(char c)
{
    return c == '/' || c == ':' || c == '\\' || c == '@' || c == '-';
}

static bool is_connector(struct str chunk, size_t pos)
{
    return analyze_next_class(chunk, &pos) == CHAR_CONNECTOR;
}

/* json.c out of src/core/json.c:42, example.com out of an address. */
static int emit_segments(struct run *run, struct str chunk)
{
    size_t start = 0;
    bool has_inner = false;
    for (size_t i = 0; i <= chunk.len; i++) {
        bool is_end = i == chunk.len || is_segment_end(chunk.ptr[i]);
        if (!is_end) {
            has_inner |= is_connector(chunk, i);
            continue;
        }
        struct str segment = str_slice(chunk, start, i - start);
        int err = 0;
        if (has_inner && segment.len < chunk.len && segment.len <= FOLD_MAX_BYTES)
            err = is_dotted(segment) ? emit_dotted(run, segment) : emit_plain(run, segment);
        if (err)
            return err;
        start = i + 1;
        has_inner = false;
    }
    return 0;
}

/* Each word of a chunk. */
static int emit_words(struct run *run, struct str chunk)
{
    size_t pos = 0;
    int err = 0;
    while (!err && pos < chunk.len) {
        size_t end = end_of_word(chunk, pos);
        err = emit_one(run, str_slice(chunk, pos, end - pos));
        pos = end + 1; /* connectors are one byte */
    }
    return err;
}

static int emit_joined(struct run *run, struct str chunk)
{
    int err = 0;
    if (is_dotted(chunk))
        return emit_dotted(run, chunk);
    if (chunk.len <= FOLD_MAX_BYTES)
        err = emit_plain(run, chunk);
    if (!err && is_uuid(chunk))
        return emit_hash(run, str_slice(chunk, 0, 8));
    if (!err)
        err = emit_segments(run, chunk);
    return err ? err : emit_words(run, chunk);
}

int analyze_chunk(struct run *run)
{
    size_t start = run->pos, end = end_of_word(run->text, start), next;
    bool is_single = true;
    int err;
    while (is_joined(run->text, end, CHAR_CONNECTOR, &next)) {
        end = end_of_word(run->text, next);
        is_single = false;
    }
    struct str chunk = str_slice(run->text, start, end - start);
    run->pos = end;
    if (is_single && skip_language_sign(run, chunk)) {
        err = emit_plain(run, str_slice(run->text, start, run->pos - start));
    } else if (skip_contraction(run, chunk) && is_single && run->language <= LANGUAGE_ENGLISH) {
        err = 0; /* don't */
    } else {
        err = is_single ? emit_one(run, chunk) : emit_joined(run, chunk);
    }
    run->position++;
    return err;
}
