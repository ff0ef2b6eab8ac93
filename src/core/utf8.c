/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 by hand: most text is ASCII, so every loop runs over eight ASCII bytes at a time and falls to one
 * decoder, utf8_sequence, for the rest. What that decoder refuses is malformed everywhere.
 */
#include "core/utf8.h"

#define REPLACEMENT 0xFFFDu

static inline bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* Length of the ASCII run at p; looks at words, then bytes. */
static size_t ascii_run(const unsigned char *p, size_t len)
{
    size_t n = 0;

    while (len - n >= 8) {
        uint64_t word;
        memcpy(&word, p + n, 8);
        if (word & UINT64_C(0x8080808080808080))
            break;
        n += 8;
    }
    while (n < len && p[n] < 0x80)
        n++;
    return n;
}

/* Decodes one multi-byte character; its length, or 0 when it is malformed (RFC 3629, section 4). */
static size_t utf8_sequence(const unsigned char *p, size_t len, uint32_t *ret_codepoint)
{
    unsigned char lead = p[0];

    if (lead >= 0xC2 && lead <= 0xDF) {
        if (len < 2 || !is_continuation(p[1]))
            return 0;
        *ret_codepoint = (uint32_t)(lead & 0x1F) << 6 | (p[1] & 0x3F);
        return 2;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        if (len < 3 || !is_continuation(p[1]) || !is_continuation(p[2]))
            return 0;
        uint32_t codepoint = (uint32_t)(lead & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
        if (codepoint < 0x800 || (codepoint >= 0xD800 && codepoint <= 0xDFFF))
            return 0;
        *ret_codepoint = codepoint;
        return 3;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        if (len < 4 || !is_continuation(p[1]) || !is_continuation(p[2]) || !is_continuation(p[3]))
            return 0;
        uint32_t codepoint = (uint32_t)(lead & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 |
                             (uint32_t)(p[2] & 0x3F) << 6 | (p[3] & 0x3F);
        if (codepoint < 0x10000 || codepoint > 0x10FFFF)
            return 0;
        *ret_codepoint = codepoint;
        return 4;
    }
    return 0;
}

size_t utf8_valid_prefix(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t pos = 0;

    while (pos < s.len) {
        uint32_t codepoint;
        size_t n;

        if (p[pos] < 0x80) {
            pos += ascii_run(p + pos, s.len - pos);
            continue;
        }
        n = utf8_sequence(p + pos, s.len - pos, &codepoint);
        if (n == 0)
            return pos;
        pos += n;
    }
    return s.len;
}

uint32_t utf8_next(struct str s, size_t *pos)
{
    const unsigned char *p = (const unsigned char *)s.ptr + *pos;
    uint32_t codepoint;
    size_t n;

    if (*p < 0x80) {
        *pos += 1;
        return *p;
    }
    n = utf8_sequence(p, s.len - *pos, &codepoint);
    if (n == 0) {
        *pos += 1;
        return REPLACEMENT;
    }
    *pos += n;
    return codepoint;
}

void utf8_append(struct buf *buf, uint32_t codepoint)
{
    char out[4];

    if (codepoint > 0x10FFFF || (codepoint >= 0xD800 && codepoint <= 0xDFFF))
        codepoint = REPLACEMENT;
    if (codepoint < 0x80) {
        buf_append_byte(buf, (char)codepoint);
    } else if (codepoint < 0x800) {
        out[0] = (char)(0xC0 | codepoint >> 6);
        out[1] = (char)(0x80 | (codepoint & 0x3F));
        buf_append(buf, out, 2);
    } else if (codepoint < 0x10000) {
        out[0] = (char)(0xE0 | codepoint >> 12);
        out[1] = (char)(0x80 | (codepoint >> 6 & 0x3F));
        out[2] = (char)(0x80 | (codepoint & 0x3F));
        buf_append(buf, out, 3);
    } else {
        out[0] = (char)(0xF0 | codepoint >> 18);
        out[1] = (char)(0x80 | (codepoint >> 12 & 0x3F));
        out[2] = (char)(0x80 | (codepoint >> 6 & 0x3F));
        out[3] = (char)(0x80 | (codepoint & 0x3F));
        buf_append(buf, out, 4);
    }
}

size_t utf8_length(struct str s)
{
    size_t pos = 0, n = 0;

    while (pos < s.len) {
        size_t ascii = ascii_run((const unsigned char *)s.ptr + pos, s.len - pos);
        pos += ascii;
        n += ascii;
        if (pos < s.len) {
            (void)utf8_next(s, &pos); /* only the step is wanted */
            n++;
        }
    }
    return n;
}

struct str utf8_prefix(struct str s, size_t max_bytes)
{
    size_t lead;
    uint32_t codepoint;

    if (s.len <= max_bytes)
        return s;
    /* Only a well-formed character that straddles the limit moves the cut. */
    for (size_t back = 1; back <= 3 && back <= max_bytes; back++) {
        lead = max_bytes - back;
        if (is_continuation((unsigned char)s.ptr[lead]))
            continue;
        if (utf8_sequence((const unsigned char *)s.ptr + lead, s.len - lead, &codepoint) > back)
            return str_make(s.ptr, lead);
        break;
    }
    return str_make(s.ptr, max_bytes);
}

/* What never passes, wherever it stands. U+200D and U+FE0F are judged by their neighbours instead. */
static bool is_hidden(uint32_t c)
{
    if (c < 0x200B)
        return c < 0x20 ? c != '\t' && c != '\n' : (c >= 0x7F && c <= 0x9F) || c == 0x061C;
    if (c <= 0x2069)
        return c <= 0x200F || (c >= 0x202A && c <= 0x202E) || c >= 0x2060;
    if (c >= 0xFDD0 && c <= 0xFDEF)
        return true;
    if ((c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB))
        return true;
    return (c & 0xFFFE) == 0xFFFE || (c >= 0xE0000 && c <= 0xE0FFF);
}

/* Does a character that can follow a joiner stand at pos? */
static bool is_joinable_at(struct str s, size_t pos)
{
    uint32_t next;

    if (pos >= s.len)
        return false;
    next = utf8_next(s, &pos);
    return next > 0x2000 && !is_hidden(next);
}

/* Length of the run of bytes that pass as they are: printable ASCII, tab, newline. */
static size_t plain_run(const unsigned char *p, size_t len)
{
    size_t n = 0;

    while (n < len && ((p[n] >= 0x20 && p[n] < 0x7F) || p[n] == '\n' || p[n] == '\t'))
        n++;
    return n;
}

void utf8_append_clean(struct buf *buf, struct str s)
{
    size_t pos = 0;
    uint32_t before = 0; /* the character appended last; 0 at the beginning */

    while (pos < s.len && !buf_error(buf)) {
        size_t run = plain_run((const unsigned char *)s.ptr + pos, s.len - pos);
        uint32_t c;

        if (run > 0) {
            buf_append(buf, s.ptr + pos, run);
            pos += run;
            before = (unsigned char)s.ptr[pos - 1];
            continue;
        }
        c = utf8_next(s, &pos);
        if (c == '\r') {
            if (pos < s.len && s.ptr[pos] == '\n')
                pos++;
            c = '\n';
        } else if (c == 0x2028 || c == 0x2029) {
            c = ' '; /* some break lines there; a newline would not be allowed in cleaned JSON */
        } else if (c == 0x200D) {
            if (before <= 0x2000 || before == 0x200D || !is_joinable_at(s, pos))
                continue;
        } else if (c == 0xFE0F) {
            if (before == 0 || before == 0xFE0F)
                continue;
        } else if (is_hidden(c)) {
            continue;
        }
        utf8_append(buf, c);
        before = c;
    }
}
