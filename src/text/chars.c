/* SPDX-License-Identifier: Apache-2.0
 *
 * Characters as search sees them (the seam to utf8proc, with cut.c): their class, and NFKC case folding into
 * fixed room. Nothing here allocates.
 */
#include "text/text_priv.h"

#include "core/utf8.h"

#include <utf8proc.h>

struct range {
    uint32_t first, last;
};

/* Ascending. Thai, Lao, Myanmar, Khmer, Chinese, Japanese, Korean; their digits and punctuation left out. */
static const struct range unspaced[] = {
    {0x0E01, 0x0E4E},   {0x0E81, 0x0ECE}, {0x1000, 0x103F}, {0x1050, 0x108F}, {0x1100, 0x11FF},
    {0x1780, 0x17D3},   {0x2E80, 0x2FDF}, {0x3005, 0x3007}, {0x3021, 0x302F}, {0x3031, 0x3035},
    {0x3038, 0x303C},   {0x3041, 0x309F}, {0x30A1, 0x30FA}, {0x30FC, 0x30FF}, {0x3105, 0x312F},
    {0x3131, 0x318E},   {0x31A0, 0x31BF}, {0x31F0, 0x31FF}, {0x3400, 0x4DBF}, {0x4E00, 0x9FFF},
    {0xA960, 0xA97F},   {0xAC00, 0xD7FF}, {0xF900, 0xFAFF}, {0xFF66, 0xFFDC}, {0x1B000, 0x1B16F},
    {0x20000, 0x3FFFF},
};

static bool is_unspaced(uint32_t codepoint)
{
    if (codepoint >= 0x4E00 && codepoint <= 0x9FFF) /* most of what is met */
        return true;
    for (size_t i = 0; i < sizeof(unspaced) / sizeof(unspaced[0]) && codepoint >= unspaced[i].first; i++)
        if (codepoint <= unspaced[i].last)
            return true;
    return false;
}

enum char_class char_class_of(uint32_t codepoint)
{
    if (codepoint == 0x2019)
        return CHAR_APOSTROPHE;
    if (is_unspaced(codepoint))
        return CHAR_UNSPACED;
    switch (utf8proc_category((utf8proc_int32_t)codepoint)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
        return CHAR_UPPER;
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return CHAR_LOWER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return CHAR_DIGIT;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF: /* joiners and soft hyphens; folding leaves them out */
        return CHAR_MARK;
    default:
        return CHAR_OTHER;
    }
}

bool char_is_stable(uint32_t codepoint)
{
    return (codepoint >= 0x4E00 && codepoint <= 0x9FFF) || (codepoint >= 0xAC00 && codepoint <= 0xD7A3) ||
           (codepoint >= 0x3041 && codepoint <= 0x3096) || (codepoint >= 0x30A1 && codepoint <= 0x30FA) ||
           codepoint == 0x30FC;
}

static int combining_class(int32_t code)
{
    return utf8proc_get_property(code)->combining_class;
}

/* Canonical order: marks of one letter by their class, equal ones as they came. */
static void order_marks(int32_t *codes, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        int class_here = combining_class(codes[i]);
        for (size_t j = i; class_here > 0 && j > 0 && combining_class(codes[j - 1]) > class_here; j--) {
            int32_t swapped = codes[j];
            codes[j] = codes[j - 1];
            codes[j - 1] = swapped;
        }
    }
}

/* Decomposes one character; the number of codes, or -1 when they have no room. */
static int decompose(uint32_t codepoint, int32_t *codes, size_t room)
{
    const utf8proc_option_t options =
        UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
    int boundclass = UTF8PROC_BOUNDCLASS_START;
    utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)codepoint, codes, (utf8proc_ssize_t)room,
                                                 options, &boundclass);
    return n < 0 || (size_t)n > room ? -1 : (int)n;
}

size_t chars_fold(struct str run, int32_t codes[FOLD_MAX_CODES])
{
    size_t n = 0, pos = 0;
    bool is_composed = true;
    while (pos < run.len && n < FOLD_MAX_CODES) {
        uint32_t codepoint = utf8_next(run, &pos);
        if (codepoint < 0x80) {
            codes[n++] = codepoint >= 'A' && codepoint <= 'Z' ? (int32_t)codepoint + 32 : (int32_t)codepoint;
        } else if (char_is_stable(codepoint)) {
            codes[n++] = (int32_t)codepoint;
        } else if (codepoint != 0xFFFD) {
            int added = decompose(codepoint, codes + n, FOLD_MAX_CODES - n);
            if (added < 0)
                break;
            n += (size_t)added;
            is_composed = false;
        }
    }
    if (is_composed)
        return n;
    order_marks(codes, n);
    utf8proc_ssize_t composed =
        utf8proc_normalize_utf32(codes, (utf8proc_ssize_t)n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    return composed < 0 ? 0 : (size_t)composed;
}

size_t char_encode(int32_t code, char out[4])
{
    return (size_t)utf8proc_encode_char(code, (utf8proc_uint8_t *)out);
}

/* ASCII into out; false, with out half written, at the first other byte. */
static bool fold_ascii(struct str run, char *out)
{
    for (size_t i = 0; i < run.len; i++) {
        char c = run.ptr[i];
        if ((unsigned char)c >= 0x80)
            return false;
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    return true;
}

size_t chars_fold_text(struct str run, char out[FOLD_MAX_BYTES])
{
    int32_t codes[FOLD_MAX_CODES];
    size_t len = 0;
    if (fold_ascii(run, out))
        return run.len;
    size_t n = chars_fold(run, codes);
    for (size_t i = 0; i < n; i++) {
        char bytes[4];
        size_t n_bytes = char_encode(codes[i], bytes);
        if (n_bytes > FOLD_MAX_BYTES - len)
            break;
        memcpy(out + len, bytes, n_bytes);
        len += n_bytes;
    }
    return len;
}

/* Letters whose stroke or ligature is no mark. */
static const struct {
    uint16_t code;
    char plain[3];
} plain_letters[] = {
    {0xDF, "ss"}, {0xE6, "ae"}, {0xF0, "d"},  {0xF8, "o"},  {0xFE, "th"},  {0x111, "d"}, {0x127, "h"},
    {0x131, "i"}, {0x138, "k"}, {0x142, "l"}, {0x14B, "n"}, {0x153, "oe"}, {0x167, "t"},
};

/* The letter under its marks, as UTF-8; its length. */
static size_t strip_letter(int32_t code, char out[4])
{
    for (size_t i = 0; i < sizeof(plain_letters) / sizeof(plain_letters[0]); i++) {
        if (plain_letters[i].code == code) {
            size_t len = strlen(plain_letters[i].plain);
            memcpy(out, plain_letters[i].plain, len);
            return len;
        }
    }
    bool is_latin = (code >= 0xC0 && code < 0x250) || (code >= 0x1E00 && code < 0x1F00);
    bool is_greek = (code >= 0x386 && code < 0x3CF) || (code >= 0x1F00 && code < 0x2000);
    if (is_latin || is_greek || code == 0x451) {
        int32_t parts[8];
        int boundclass = UTF8PROC_BOUNDCLASS_START;
        if (utf8proc_decompose_char(code, parts, 8, UTF8PROC_DECOMPOSE, &boundclass) > 0)
            code = parts[0];
    }
    return char_encode(code, out);
}

static bool is_diacritic(uint32_t codepoint)
{
    return codepoint >= 0x300 && codepoint <= 0x36F;
}

size_t chars_strip(struct str folded, char out[FOLD_MAX_BYTES])
{
    size_t len = 0, pos = 0;
    while (pos < folded.len) {
        char bytes[4];
        uint32_t codepoint = (unsigned char)folded.ptr[pos];
        if (codepoint < 0x80) {
            out[len++] = (char)codepoint;
            pos++;
            continue;
        }
        codepoint = utf8_next(folded, &pos);
        if (is_diacritic(codepoint)) /* one that composes with nothing */
            continue;
        size_t n_bytes = strip_letter((int32_t)codepoint, bytes);
        memcpy(out + len, bytes, n_bytes); /* never longer than what was read */
        len += n_bytes;
    }
    return len;
}

size_t chars_fold_plain(struct str run, char out[FOLD_MAX_BYTES])
{
    size_t len = chars_fold_text(utf8_prefix(run, FOLD_MAX_BYTES), out);
    return chars_strip(str_make(out, len), out);
}
