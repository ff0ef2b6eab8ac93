/* SPDX-License-Identifier: Apache-2.0
 *
 * The patterns of cl100k_base and o200k_base by hand. Each function takes the alternatives of its pattern in
 * their order and does what a backtracking matcher would do, in one pass over the piece and what follows it:
 *
 *     cl100k_base   (?i:'s|'t|'re|'ve|'m|'ll|'d) | [^\r\n\p{L}\p{N}]?\p{L}+ | \p{N}{1,3} |
 *                   ?[^\s\p{L}\p{N}]+[\r\n]* | \s*[\r\n]+ | \s+(?!\S) | \s+
 *     o200k_base    P?U*L+C? | P?U+L*C? | \p{N}{1,3} | ?[^\s\p{L}\p{N}]+[\r\n/]* | \s*[\r\n]+ | \s+(?!\S) |
 * \s+ where P is [^\r\n\p{L}\p{N}], U [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], L [\p{Ll}\p{Lm}\p{Lo}\p{M}] and C the
 * first alternative of cl100k_base
 *
 * (the fourth alternative begins with a space: " ?").
 */
#include "text/pieces.h"

#include "text/bpe.h"

/* In the order of tools/make_vocab.mjs. A set of kinds is the or of their bits, and so is what the tables
 * hold. */
enum token_char { OTHER, SPACE, NEWLINE, NUMBER, UPPER, LOWER, CASELESS, MARK };

#define BIT(kind) (1u << (kind))
#define LETTERS   (BIT(UPPER) | BIT(LOWER) | BIT(CASELESS))
#define UPPERISH  (BIT(UPPER) | BIT(CASELESS) | BIT(MARK))
#define LOWERISH  (BIT(LOWER) | BIT(CASELESS) | BIT(MARK))
#define BOTH      (BIT(CASELESS) | BIT(MARK))
#define SIGNS     (BIT(OTHER) | BIT(MARK))
#define SPACES    (BIT(SPACE) | BIT(NEWLINE))
#define PREFIXES  (BIT(OTHER) | BIT(SPACE) | BIT(MARK))

/* The first block of kinds is ASCII. */
extern const unsigned char chars_blocks[], chars_kinds[];

static inline bool is_between(unsigned char byte, unsigned char first, unsigned char last)
{
    return byte >= first && byte <= last;
}

/* Bytes of the well-formed character at pos, or minus those of the malformed sequence
 * (Unicode, table 3-7). */
static int sequence_len(const unsigned char *p, size_t len)
{
    unsigned char lead = p[0], first = 0x80, last = 0xBF;
    int n = is_between(lead, 0xC2, 0xDF)   ? 2
            : is_between(lead, 0xE0, 0xEF) ? 3
            : is_between(lead, 0xF0, 0xF4) ? 4
                                           : 0;
    if (lead < 0x80)
        return 1;
    if (lead == 0xE0)
        first = 0xA0;
    if (lead == 0xF0)
        first = 0x90;
    if (lead == 0xED)
        last = 0x9F;
    if (lead == 0xF4)
        last = 0x8F;
    for (int i = 1; i < n; i++) {
        if ((size_t)i >= len || !is_between(p[i], first, last))
            return -i;
        first = 0x80;
        last = 0xBF;
    }
    return n ? n : -1;
}

size_t piece_char_end(struct str text, size_t pos, bool *ret_is_malformed)
{
    int len = sequence_len((const unsigned char *)text.ptr + pos, text.len - pos);
    *ret_is_malformed = len < 0;
    return pos + (size_t)(len < 0 ? -len : len);
}

/* kind_at of what is not ASCII. */
static unsigned wide_kind_at(struct str text, size_t pos, size_t *ret_end)
{
    const unsigned char *p = (const unsigned char *)text.ptr + pos;
    int len = sequence_len(p, text.len - pos);
    *ret_end = pos + (size_t)(len < 0 ? -len : len);
    if (len < 0)
        return BIT(OTHER);
    uint32_t c = p[0] & 0xFFu >> (len + 1);
    for (int i = 1; i < len; i++)
        c = c << 6 | (p[i] & 0x3F);
    return chars_kinds[chars_blocks[c / BPE_KIND_BLOCK] * BPE_KIND_BLOCK + c % BPE_KIND_BLOCK];
}

/* The kind of the character at pos as a bit, and where it ends; nothing at the end of the text. */
static inline unsigned kind_at(struct str text, size_t pos, size_t *ret_end)
{
    if (pos >= text.len)
        return 0;
    unsigned char byte = (unsigned char)text.ptr[pos];
    *ret_end = pos + 1;
    return byte < 0x80 ? chars_kinds[byte] : wide_kind_at(text, pos, ret_end);
}

static size_t run_end(struct str text, size_t pos, unsigned set)
{
    size_t end;
    while (kind_at(text, pos, &end) & set)
        pos = end;
    return pos;
}

/* The length of 's 't 're 've 'm 'll 'd at pos in either case, or 0. U+017F is a form of s. */
static size_t contraction_len(struct str text, size_t pos)
{
    const char *p = text.ptr + pos;
    size_t len = text.len - pos;
    if (len < 2 || p[0] != '\'')
        return 0;
    char a = (char)(p[1] | 0x20), b = (char)(len > 2 ? p[2] | 0x20 : 0);
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l'))
        return 3;
    return len > 2 && memcmp(p + 1, "\u017f", 2) == 0 ? 3 : 0;
}

static size_t number_end(struct str text, size_t pos)
{
    size_t end;
    for (int n = 0; n < 3 && kind_at(text, pos, &end) == BIT(NUMBER); n++)
        pos = end;
    return pos;
}

/* White space from pos on: up to the last line end of the run; or the run, without the last of it when it has
 * more than one character and something follows. */
static size_t space_end(struct str text, size_t pos)
{
    size_t end, here = pos, last = pos, after_newline = pos;
    unsigned kind;
    while ((kind = kind_at(text, here, &end)) & SPACES) {
        last = here;
        here = end;
        if (kind == BIT(NEWLINE))
            after_newline = end;
    }
    if (after_newline > pos)
        return after_newline;
    return here == text.len || last == pos ? here : last;
}

/* Signs from pos on with what may trail them, or pos when none stands there. */
static size_t signs_end(struct str text, size_t pos, bool has_slashes)
{
    size_t end = run_end(text, pos, SIGNS);
    if (end == pos)
        return pos;
    while (end < text.len &&
           (text.ptr[end] == '\r' || text.ptr[end] == '\n' || (has_slashes && text.ptr[end] == '/')))
        end++;
    return end;
}

/* The alternatives after those that hold letters. */
static size_t other_end(struct str text, size_t pos, bool has_slashes)
{
    size_t end = 0, after = 0;
    unsigned kind = kind_at(text, pos, &after);
    if (kind == BIT(NUMBER))
        return number_end(text, pos);
    if (kind & SPACES) {
        end = text.ptr[pos] == ' ' ? signs_end(text, after, has_slashes) : after;
        return end > after ? end : space_end(text, pos);
    }
    return signs_end(text, pos, has_slashes);
}

size_t cl100k_piece_end(struct str text, size_t pos)
{
    size_t after = 0, next, contraction = contraction_len(text, pos);
    if (contraction)
        return pos + contraction;
    unsigned kind = kind_at(text, pos, &after);
    if (kind & LETTERS || (kind & PREFIXES && kind_at(text, after, &next) & LETTERS))
        return run_end(text, after, LETTERS);
    return other_end(text, pos, false);
}

/* U*L+ at pos: where it ends, or pos when it does not match. *ret_upper_end is where U* alone would. */
static size_t lower_word_end(struct str text, size_t pos, size_t *ret_upper_end)
{
    size_t end, here = pos, after_both = pos;
    unsigned kind;
    while ((kind = kind_at(text, here, &end)) & UPPERISH) {
        here = end;
        if (kind & BOTH)
            after_both = end;
    }
    *ret_upper_end = here;
    if (kind & LOWERISH)
        return run_end(text, here, LOWERISH);
    return after_both; /* U* gives back what it took, down to a character that L+ takes, too */
}

size_t o200k_piece_end(struct str text, size_t pos)
{
    size_t after = 0, upper_end;
    unsigned kind = kind_at(text, pos, &after);
    size_t start = kind & PREFIXES ? after : pos;
    size_t end = lower_word_end(text, start, &upper_end);
    if (end == start && kind == BIT(MARK))
        end = after; /* P? gives the mark back, and it is L+ by itself */
    else if (end == start)
        end = upper_end;
    if (end > start || kind == BIT(MARK))
        return end + contraction_len(text, end);
    return other_end(text, pos, true);
}

/* ---- breaks ---- */

/* kind_at of the character that ends at pos > 0; 0 when it is malformed. */
static unsigned kind_before(struct str text, size_t pos)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    size_t start = pos - 1, end;
    if (p[start] < 0x80)
        return chars_kinds[p[start]];
    while (start > 0 && pos - start < 4 && (p[start] & 0xC0) == 0x80)
        start--;
    if (sequence_len(p + start, text.len - start) != (int)(pos - start))
        return 0;
    return kind_at(text, start, &end);
}

static bool is_break(struct str text, size_t pos)
{
    size_t end;
    unsigned before = kind_before(text, pos);
    if (!(before & (LETTERS | BIT(NUMBER) | BIT(NEWLINE))))
        return false;
    /* What looks malformed may be the beginning of any character: more text could follow. */
    if (sequence_len((const unsigned char *)text.ptr + pos, text.len - pos) < 0)
        return false;
    unsigned after = kind_at(text, pos, &end);
    if (before & BIT(NEWLINE))
        return !(after & SPACES) && text.ptr[pos] != '/';
    return after & (SPACES | BIT(OTHER)) && text.ptr[pos] != '\'';
}

size_t piece_next_break(struct str text, size_t from)
{
    for (size_t pos = from > 0 ? from : 1; pos < text.len; pos++)
        if (is_break(text, pos))
            return pos;
    return SIZE_MAX;
}

size_t piece_last_break(struct str text, size_t to)
{
    for (size_t pos = to < text.len ? to : text.len - (text.len > 0); pos > 0; pos--)
        if (is_break(text, pos))
            return pos;
    return SIZE_MAX;
}
