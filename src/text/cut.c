/* SPDX-License-Identifier: Apache-2.0
 *
 * Where text may be cut. Graphemes are utf8proc's (UAX 29); sentences go by marks and a short list of
 * abbreviations, which is right often enough and never splits a word.
 */
#include "text/cut.h"

#include "core/utf8.h"
#include "text/ruler.h"
#include "text/text_priv.h"

#include <utf8proc.h>

static const struct str ellipsis = {"…", 3};
static const struct str spaced_ellipsis = {" …", 4};

/* A word longer than this (an address, a key) may be cut inside. */
#define LONG_WORD_BYTES 40
/* How far a dot looks back: what it may belong to is short, and text without spaces may be long. */
#define MAX_ABBREVIATION_BYTES 32
#define MAX_LIST_NUMBER_BYTES  9

static bool is_space(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xA0 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x3000;
}

static bool is_space_at(struct str text, size_t pos)
{
    return pos >= text.len || is_space(utf8_next(text, &pos));
}

/* Ends a sentence only before white space. */
static bool is_end_mark(uint32_t c)
{
    return c == '.' || c == '!' || c == '?' || c == 0x2026 || c == 0x061F || c == 0x06D4 || c == 0x0964 ||
           c == 0x203C || (c >= 0x2047 && c <= 0x2049);
}

/* Ends a sentence wherever it stands. */
static bool is_wide_end_mark(uint32_t c)
{
    return c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0xFF61 || c == 0xFF0E;
}

static bool is_closing(uint32_t c)
{
    switch (c) {
    case '"':
    case '\'':
    case ')':
    case ']':
    case '}':
    case '*': /* Markdown's emphasis */
    case 0xBB:
    case 0x2019:
    case 0x201D:
    case 0x203A:
    case 0x3009:
    case 0x300B:
    case 0x300D:
    case 0x300F:
    case 0x3011:
    case 0xFF09:
        return true;
    default:
        return false;
    }
}

/* Written with a dot in the middle of sentences. */
static const char *const abbreviations[] = {
    "mr",   "mrs", "ms",  "dr",   "prof", "st",   "sr",     "jr",  "vs",  "etc", "cf",  "fig", "vol",
    "dept", "est", "inc", "ltd",  "co",   "corp", "approx", "ca",  "jan", "feb", "mar", "apr", "jun",
    "jul",  "aug", "sep", "sept", "oct",  "nov",  "dec",    "mon", "tue", "wed", "thu", "fri", "sat",
    "sun",  "usw", "bzw", "al",   "ed",   "pp",   "rev",    "gen", "gov", "lt",  "col",
};

/* The run of letters and inner dots before the dot at `end`: "e.g", "Mr". */
static struct str word_before(struct str text, size_t from, size_t end)
{
    size_t start = end;
    while (start > from && end - start < MAX_ABBREVIATION_BYTES) {
        unsigned char c = (unsigned char)text.ptr[start - 1];
        bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!is_letter && c < 0x80 && c != '.')
            break;
        start--;
    }
    return str_slice(text, start, end - start);
}

static bool is_number(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return s.len > 0;
}

/* Does the dot at `dot` belong to an abbreviation, an initial, or the number of a list item? */
static bool is_inner_dot(struct str text, size_t from, size_t dot)
{
    if (dot - from <= MAX_LIST_NUMBER_BYTES &&
        is_number(str_slice(text, from, dot - from))) /* "1. Wash the cat." */
        return true;
    struct str word = word_before(text, from, dot);
    if (word.len == 0)
        return false;
    /* "J. S. Bach", "e.g. this": the last letter stands alone. */
    bool is_single = word.len == 1 || word.ptr[word.len - 2] == '.';
    if (is_single || utf8_length(word) == 1)
        return word.len == 1 ? word.ptr[0] != 'I' : true; /* "So do I." ends */
    for (size_t i = 0; i < sizeof(abbreviations) / sizeof(abbreviations[0]); i++)
        if (str_eq_nocase(word, str_of(abbreviations[i])))
            return true;
    return false;
}

/* Moves past further marks and what closes behind them. */
static size_t end_of_marks(struct str text, size_t pos)
{
    while (pos < text.len) {
        size_t next = pos;
        uint32_t c = utf8_next(text, &next);
        if (!is_end_mark(c) && !is_wide_end_mark(c) && !is_closing(c))
            break;
        pos = next;
    }
    return pos;
}

/* Is the line break at pos followed by an empty line? */
static bool is_blank_line(struct str text, size_t pos)
{
    for (pos++; pos < text.len; pos++) {
        if (text.ptr[pos] == '\n')
            return true;
        if (text.ptr[pos] != ' ' && text.ptr[pos] != '\t' && text.ptr[pos] != '\r')
            return false;
    }
    return false;
}

size_t text_sentence_end(struct str text, size_t from)
{
    size_t pos = from;
    size_t first_ink = text.len, last_ink = from; /* begin and end of what is no space */
    while (pos < text.len) {
        size_t start = pos;
        uint32_t c = utf8_next(text, &pos);
        if (is_space(c)) {
            if (c == '\n' && last_ink > from && is_blank_line(text, start))
                return last_ink;
            continue;
        }
        last_ink = pos;
        if (first_ink > start)
            first_ink = start;
        if (!is_end_mark(c) && !is_wide_end_mark(c))
            continue;
        size_t end = end_of_marks(text, pos);
        bool is_lone_dot = c == '.' && end == pos;
        if (is_wide_end_mark(c) || (is_space_at(text, end) &&
                                    !(is_lone_dot && end < text.len && is_inner_dot(text, first_ink, start))))
            return end;
        pos = last_ink = end;
    }
    return text.len;
}

/* May a line end between these two characters? Around spaces, and between any two of an unspaced script. */
static bool is_word_end(uint32_t before, uint32_t after)
{
    if (is_space(before))
        return false;
    if (is_space(after))
        return true;
    return before >= 0x80 && after >= 0x80 && char_class_of(before) == CHAR_UNSPACED &&
           char_class_of(after) == CHAR_UNSPACED;
}

static bool is_plain(uint32_t c)
{
    return c >= 0x20 && c <= 0x7E;
}

/* Of two plain characters each is a grapheme, whatever stood before them. */
static bool is_grapheme_break(uint32_t before, uint32_t c, utf8proc_int32_t *state)
{
    if (!is_plain(before) || !is_plain(c))
        return utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)c, state);
    *state = 0; /* it begins anew with the next `before` */
    return true;
}

/* The last grapheme boundary and the last word end at or before max_bytes, and how many graphemes stand
 * before each; at most max_graphemes. */
struct cut_points {
    size_t grapheme, word;
    size_t n_graphemes, n_at_word;
};

static struct cut_points find_cut_points(struct str text, size_t max_bytes, size_t max_graphemes)
{
    struct cut_points points = {0};
    size_t pos = 0;
    uint32_t before = 0;
    utf8proc_int32_t state = 0;
    for (;;) {
        size_t here = pos;
        uint32_t c = pos < text.len ? utf8_next(text, &pos) : '\n';
        if (here > 0 && (here == text.len || is_grapheme_break(before, c, &state))) {
            if (here > max_bytes || points.n_graphemes == max_graphemes)
                break;
            points.grapheme = here;
            points.n_graphemes++;
            if (is_word_end(before, c)) {
                points.word = here;
                points.n_at_word = points.n_graphemes;
            }
        }
        if (here >= text.len)
            break;
        before = c;
    }
    return points;
}

struct str text_cut_graphemes(struct str text, size_t max_graphemes)
{
    if (text.len <= max_graphemes)
        return text; /* each has a byte at least */
    struct cut_points points = find_cut_points(text, text.len, max_graphemes);
    if (points.grapheme == text.len)
        return text;
    bool is_word_near = points.n_at_word > 0 && points.n_at_word >= max_graphemes - max_graphemes / 3;
    return str_slice(text, 0, is_word_near ? points.word : points.grapheme);
}

/* One call of text_append_cut: the text was measured; what is tried stands at the end of buf for a moment. */
struct cutter {
    struct buf *buf;
    size_t start; /* buf->len before */
    struct str text;
    struct token_ruler ruler;
    int64_t max_units;
    /* A break before what find_limit tries, closer than the ruler's marks, and the units up to it. */
    size_t near;
    int64_t near_units;
};

/* Counts from the last break on that is known: the ending may join what stands before it. */
static bool does_prefix_fit(struct cutter *cutter, size_t len, struct str ending)
{
    size_t idx = token_ruler_mark_before(&cutter->ruler, len), from = cutter->ruler.marks[idx];
    int64_t units = cutter->ruler.units[idx];
    if (cutter->near > from && cutter->near < len) {
        from = cutter->near;
        units = cutter->near_units;
    }
    buf_append(cutter->buf, cutter->text.ptr + from, len - from);
    buf_append_str(cutter->buf, ending);
    struct str rest = str_slice(buf_str(cutter->buf), cutter->start, cutter->buf->len);
    units += cutter->ruler.tokenizer->units(rest);
    bool does_fit = !buf_error(cutter->buf) && units <= cutter->max_units;
    buf_truncate(cutter->buf, cutter->start);
    return does_fit;
}

/* `len` bytes fit, and what is tried from here on is longer. */
static void come_near(struct cutter *cutter, size_t len)
{
    const struct tokenizer *tokenizer = cutter->ruler.tokenizer;
    size_t from = cutter->near, near = tokenizer->last_break(cutter->text, len);
    if (near == TOKENS_NO_BREAK || near <= from)
        return;
    cutter->near_units += tokenizer->units(str_slice(cutter->text, from, near - from));
    cutter->near = near;
}

/* The largest number of bytes that fit with the ellipsis, to the character: from the last mark that fits by
 * doubling, then halving. */
static size_t find_limit(struct cutter *cutter)
{
    size_t idx = cutter->ruler.n - 1;
    while (idx > 0 && !does_prefix_fit(cutter, cutter->ruler.marks[idx], ellipsis))
        idx--;
    size_t fits = cutter->ruler.marks[idx], step = cutter->ruler.stride_bytes;
    cutter->near = fits;
    cutter->near_units = cutter->ruler.units[idx];
    size_t fails = fits + step < cutter->text.len ? fits + step : cutter->text.len;
    while (fails < cutter->text.len &&
           does_prefix_fit(cutter, utf8_prefix(cutter->text, fails).len, ellipsis)) {
        fits = fails;
        step *= 2;
        fails = fits + step < cutter->text.len ? fits + step : cutter->text.len;
    }
    while (fails - fits > 1) {
        size_t middle = fits + (fails - fits) / 2;
        if (does_prefix_fit(cutter, utf8_prefix(cutter->text, middle).len, ellipsis)) {
            fits = middle;
            come_near(cutter, fits);
        } else {
            fails = middle;
        }
    }
    return fits;
}

/* The last sentence end at or before `limit`, 0 when there is none. */
static size_t last_sentence_end(struct str text, size_t limit)
{
    size_t last = 0;
    while (last < limit) {
        size_t from = last;
        while (from < text.len && is_space_at(text, from))
            (void)utf8_next(text, &from); /* only the step is wanted */
        size_t end = text_sentence_end(text, from);
        if (end > limit || end <= last)
            break;
        last = end;
    }
    return last;
}

/* The best cut at or before `limit`: a length, and in *ret_ending what follows it; 0 when there is none. */
static size_t find_cut(struct str text, size_t limit, struct str *ret_ending)
{
    size_t sentence = last_sentence_end(text, limit);
    *ret_ending = spaced_ellipsis;
    if (sentence > 0)
        return sentence;
    struct cut_points points = find_cut_points(text, limit, SIZE_MAX);
    *ret_ending = ellipsis;
    if (points.word > 0)
        return points.word;
    return points.grapheme >= LONG_WORD_BYTES ? points.grapheme : 0;
}

bool text_append_cut(struct buf *buf, struct str text, const struct tokenizer *tokenizer, int64_t max_tokens)
{
    struct cutter cutter = {.buf = buf, .start = buf->len, .text = text};
    cutter.max_units = max_tokens > INT32_MAX ? INT64_MAX : max_tokens * tokenizer->units_per_token;
    token_ruler_init(&cutter.ruler, tokenizer, text, cutter.max_units);
    if (token_ruler_is_whole(&cutter.ruler) && cutter.ruler.units[cutter.ruler.n - 1] <= cutter.max_units) {
        buf_append_str(buf, text);
        return false;
    }
    if (max_tokens <= 0 || buf_error(buf))
        return true;
    size_t limit = find_limit(&cutter);
    while (limit > 0) {
        struct str ending;
        size_t len = find_cut(text, limit, &ending);
        if (len == 0)
            break;
        if (does_prefix_fit(&cutter, len, ending)) {
            buf_append(buf, text.ptr, len);
            buf_append_str(buf, ending);
            break;
        }
        limit = len - 1; /* counts need not grow evenly: try the cut before */
    }
    return true;
}
