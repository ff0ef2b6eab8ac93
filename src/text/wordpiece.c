/* SPDX-License-Identifier: Apache-2.0
 *
 * Word pieces: a text's characters go, one by one, through the cleaning of BERT (controls dropped, accents
 * stripped, lower case) into a word on the stack; white space ends a word, punctuation and Chinese characters
 * are words of their own; a finished word is cut from its start into the longest pieces there are.
 */
#include "text/wordpiece_priv.h"

#include "core/utf8.h"

#include <utf8proc.h>

/* Canonical decomposition of one character is at most 4 codes. */
#define MAX_DECOMPOSED 8

struct encoder {
    const struct wordpiece_vocab *vocab;
    uint32_t *tokens;
    size_t n_tokens, max_tokens;
    size_t word_bytes, word_chars;
    char word[WORDPIECE_MAX_TOKEN_BYTES];
};

int wordpiece_check(const struct wordpiece_vocab *vocab, struct err_info *reterr)
{
    size_t max_bytes = vocab->max_token_bytes;
    if (max_bytes == 0 || max_bytes > WORDPIECE_MAX_TOKEN_BYTES)
        return err_set(reterr, ERR_CORRUPT, "the longest token of the vocabulary has %zu bytes", max_bytes);
    if (vocab->n_tokens > WORDPIECE_MAX_TOKENS || vocab->n_slots <= vocab->n_tokens)
        return err_set(reterr, ERR_CORRUPT, "the vocabulary has %u tokens in %u slots", vocab->n_tokens,
                       vocab->n_slots);
    const struct wordpiece_group *groups = vocab->groups;
    for (size_t i = 0; i < 2 * max_bytes; i++) {
        size_t length = i % max_bytes + 1;
        if (groups[i].first_token > groups[i + 1].first_token ||
            groups[i].text_offset + (uint64_t)(groups[i + 1].first_token - groups[i].first_token) * length !=
                groups[i + 1].text_offset)
            return err_set(reterr, ERR_CORRUPT,
                           "group %zu of the vocabulary does not end where the next begins", i);
    }
    if (groups[0].first_token != 0 || groups[0].text_offset != 0 ||
        groups[2 * max_bytes].first_token != vocab->n_tokens ||
        groups[2 * max_bytes].text_offset != vocab->text_bytes)
        return err_set(reterr, ERR_CORRUPT, "the groups of the vocabulary do not cover it");
    return 0;
}

struct str wordpiece_text(const struct wordpiece_vocab *vocab, uint32_t token, bool *ret_is_inside)
{
    size_t group = 0;
    while (token >= vocab->groups[group + 1].first_token)
        group++;
    size_t length = group % vocab->max_token_bytes + 1;
    *ret_is_inside = group >= vocab->max_token_bytes;
    const struct wordpiece_group *found = &vocab->groups[group];
    return str_make(vocab->text + found->text_offset + (token - found->first_token) * length, length);
}

/* The token whose text is piece, of which hash is the hash; false when there is none. */
static bool find_token(const struct wordpiece_vocab *vocab, bool is_inside, struct str piece, uint32_t hash,
                       uint32_t *ret_token)
{
    const struct wordpiece_group *group =
        &vocab->groups[(is_inside ? vocab->max_token_bytes : 0) + piece.len - 1];
    uint32_t n_in_group = group[1].first_token - group->first_token;
    if (n_in_group == 0)
        return false;
    hash = wordpiece_hash_end(hash);
    uint32_t fingerprint = wordpiece_fingerprint(hash);
    uint32_t slot = wordpiece_slot_of(hash, vocab->n_slots);
    for (uint32_t n_seen = 0; n_seen < vocab->n_slots && vocab->slots[slot]; n_seen++) {
        uint32_t value = vocab->slots[slot];
        uint32_t within = (value & WORDPIECE_SLOT_TOKEN_MASK) - 1 - group->first_token;
        if ((value & ~WORDPIECE_SLOT_TOKEN_MASK) == fingerprint && within < n_in_group &&
            memcmp(vocab->text + group->text_offset + (size_t)within * piece.len, piece.ptr, piece.len) ==
                0) {
            *ret_token = group->first_token + within;
            return true;
        }
        slot = slot + 1 < vocab->n_slots ? slot + 1 : 0;
    }
    return false;
}

/* The longest token that the word goes on with at *pos, moving past it. */
static bool next_piece(const struct wordpiece_vocab *vocab, struct str word, size_t *pos, uint32_t *ret_token)
{
    uint32_t hashes[WORDPIECE_MAX_TOKEN_BYTES];
    const char *start = word.ptr + *pos;
    size_t longest = word.len - *pos;
    if (longest > vocab->max_token_bytes)
        longest = vocab->max_token_bytes;
    bool is_inside = *pos > 0;
    uint32_t hash = wordpiece_hash_start(is_inside);
    for (size_t i = 0; i < longest; i++)
        hashes[i] = hash = wordpiece_hash_byte(hash, start[i]);
    for (size_t len = longest; len > 0; len--) {
        if (find_token(vocab, is_inside, str_make(start, len), hashes[len - 1], ret_token)) {
            *pos += len;
            return true;
        }
    }
    return false;
}

/* Cuts the word into its pieces and forgets it; a word with a piece that is unknown is unknown as a whole. */
static void end_word(struct encoder *encoder)
{
    struct str word = {encoder->word, encoder->word_bytes};
    size_t n_before = encoder->n_tokens;
    bool is_known = encoder->word_chars <= WORDPIECE_MAX_WORD_CHARS;
    encoder->word_bytes = encoder->word_chars = 0;
    for (size_t pos = 0; is_known && pos < word.len;) {
        uint32_t token;
        is_known = next_piece(encoder->vocab, word, &pos, &token);
        if (is_known && encoder->n_tokens < encoder->max_tokens)
            encoder->tokens[encoder->n_tokens++] = token;
    }
    if (is_known)
        return;
    encoder->n_tokens = n_before;
    if (encoder->vocab->has_unknown && n_before < encoder->max_tokens)
        encoder->tokens[encoder->n_tokens++] = encoder->vocab->unknown;
}

static void add_to_word(struct encoder *encoder, int32_t code)
{
    if (encoder->word_chars++ >= WORDPIECE_MAX_WORD_CHARS)
        return; /* counted only: it is unknown by now */
    encoder->word_bytes +=
        (size_t)utf8proc_encode_char(code, (utf8proc_uint8_t *)encoder->word + encoder->word_bytes);
}

static void add_as_word(struct encoder *encoder, int32_t code)
{
    end_word(encoder);
    add_to_word(encoder, code);
    end_word(encoder);
}

/* The blocks that BERT sets apart as Chinese; Japanese kana and Korean are not among them. */
static bool is_chinese(uint32_t code)
{
    return (code >= 0x4e00 && code <= 0x9fff) || (code >= 0x3400 && code <= 0x4dbf) ||
           (code >= 0x20000 && code <= 0x2a6df) || (code >= 0x2a700 && code <= 0x2b73f) ||
           (code >= 0x2b740 && code <= 0x2b81f) || (code >= 0x2b820 && code <= 0x2ceaf) ||
           (code >= 0xf900 && code <= 0xfaff) || (code >= 0x2f800 && code <= 0x2fa1f);
}

static bool is_punctuation(utf8proc_category_t category)
{
    return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

static bool is_space(utf8proc_category_t category)
{
    return category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP;
}

/* Format characters younger than the tables of the reference, which keeps them. */
static bool is_young_format(uint32_t code)
{
    return code == 0x890 || code == 0x891 || code == 0x8e2 || code == 0x110cd ||
           (code >= 0x13430 && code <= 0x1343f);
}

static bool is_dropped(uint32_t code, utf8proc_category_t category)
{
    return code == 0xfffd || category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CO ||
           (category == UTF8PROC_CATEGORY_CF && !is_young_format(code));
}

static void add_ascii(struct encoder *encoder, char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
        add_to_word(encoder, c);
    else if (c >= 'A' && c <= 'Z')
        add_to_word(encoder, c + ('a' - 'A'));
    else if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
        end_word(encoder);
    else if (c > ' ' && c < 0x7f)
        add_as_word(encoder, c);
}

/* As many of the text's first characters as are ASCII letters and digits, at once: most of most texts. Not
 * those that have no room in a word, which are counted one by one. */
static size_t add_letters(struct encoder *encoder, struct str text)
{
    size_t n = 0, room = WORDPIECE_MAX_WORD_CHARS;
    room = encoder->word_chars < room ? room - encoder->word_chars : 0;
    room = room < text.len ? room : text.len;
    char *out = encoder->word + encoder->word_bytes;
    for (; n < room; n++) {
        unsigned char c = (unsigned char)text.ptr[n];
        if ((unsigned char)((c | 0x20) - 'a') < 26)
            c |= 0x20;
        else if ((unsigned char)(c - '0') >= 10)
            break;
        out[n] = (char)c;
    }
    encoder->word_bytes += n;
    encoder->word_chars += n;
    return n;
}

/* One code of a decomposed character. */
static void add_code(struct encoder *encoder, int32_t code)
{
    utf8proc_category_t category = utf8proc_category(code);
    if (category == UTF8PROC_CATEGORY_MN)
        return;
    if (code < 0x80)
        add_ascii(encoder, (char)code);
    else if (is_punctuation(category))
        add_as_word(encoder, code);
    else if (is_space(category))
        end_word(encoder);
    else
        add_to_word(encoder, utf8proc_tolower(code));
}

static void add_wide(struct encoder *encoder, uint32_t code)
{
    utf8proc_category_t category = utf8proc_category((int32_t)code);
    if (is_dropped(code, category))
        return;
    if (is_space(category)) {
        end_word(encoder);
        return;
    }
    int32_t codes[MAX_DECOMPOSED];
    int bound_class = 0;
    utf8proc_ssize_t n =
        utf8proc_decompose_char((int32_t)code, codes, MAX_DECOMPOSED, UTF8PROC_DECOMPOSE, &bound_class);
    bool is_apart = is_chinese(code);
    if (is_apart)
        end_word(encoder);
    for (utf8proc_ssize_t i = 0; i < n && i < MAX_DECOMPOSED; i++)
        add_code(encoder, codes[i]);
    if (is_apart)
        end_word(encoder);
}

size_t wordpiece_encode(const struct wordpiece_vocab *vocab, struct str text, size_t max_chars,
                        uint32_t *ret_tokens, size_t max_tokens)
{
    struct encoder encoder;
    encoder.vocab = vocab;
    encoder.tokens = ret_tokens;
    encoder.max_tokens = max_tokens;
    encoder.n_tokens = encoder.word_bytes = encoder.word_chars = 0;
    size_t pos = 0;
    for (size_t n_chars = 0; pos < text.len && n_chars < max_chars && encoder.n_tokens < max_tokens;
         n_chars++) {
        size_t n_most = text.len - pos < max_chars - n_chars ? text.len - pos : max_chars - n_chars;
        size_t n_letters = add_letters(&encoder, str_make(text.ptr + pos, n_most));
        pos += n_letters;
        n_chars += n_letters;
        if (n_letters == n_most)
            break;
        unsigned char first = (unsigned char)text.ptr[pos];
        if (first < 0x80) {
            pos++;
            add_ascii(&encoder, (char)first);
        } else {
            add_wide(&encoder, utf8_next(text, &pos));
        }
    }
    end_word(&encoder);
    return encoder.n_tokens;
}
