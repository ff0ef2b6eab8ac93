/* SPDX-License-Identifier: Apache-2.0
 *
 * Percent-encoding. Servers differ in when they decode, and some do it twice: so a path is looked at decoded
 * until nothing changes any more, and what would climb out of its segment then is refused.
 */
#include "net/http_url.h"

#include "core/mem.h"

#define MAX_DECODINGS 4 /* no server does it so often; what still changes then is meant to deceive */

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void http_url_append(struct buf *buf, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (is_unreserved(text.ptr[i]))
            buf_append_byte(buf, text.ptr[i]);
        else
            buf_printf(buf, "%%%02X", (unsigned char)text.ptr[i]);
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t http_url_decode(char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++, n++) {
        int high = text[i] == '%' && i + 2 < len ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        text[n] = low >= 0 ? (char)(high * 16 + low) : text[i];
        i += low >= 0 ? 2 : 0;
    }
    return n;
}

static bool has_dot_segment(struct str path)
{
    size_t start = 0;
    for (size_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/' && path.ptr[i] != '\\')
            continue;
        struct str segment = str_slice(path, start, i - start);
        if (str_is(segment, ".") || str_is(segment, ".."))
            return true;
        start = i + 1;
    }
    return false;
}

static bool has_control(struct str path)
{
    for (size_t i = 0; i < path.len; i++)
        if ((unsigned char)path.ptr[i] < ' ' || path.ptr[i] == 0x7f)
            return true;
    return false;
}

static int check_decoded(struct str path, struct err_info *reterr)
{
    char *text = mem_dup(path.ptr, path.len);
    size_t len = path.len, before = path.len + 1;
    bool is_bad = false;
    if (!text)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    for (int n = 0; !is_bad && len < before; n++) {
        is_bad =
            n > MAX_DECODINGS || has_control(str_make(text, len)) || has_dot_segment(str_make(text, len));
        before = len;
        len = http_url_decode(text, len);
    }
    mem_free(text);
    return is_bad
               ? err_set(reterr, ERR_INVALID,
                         "a value in the path holds a step to another path (. or ..) or a control character")
               : 0;
}

int http_url_check_path(struct str path, struct err_info *reterr)
{
    if (path.len == 0 || path.ptr[0] != '/')
        return err_set(reterr, ERR_INVALID, "a path begins with a slash");
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];
        if (c <= ' ' || c > '~' || c == '\\' || c == '?' || c == '#')
            return err_set(
                reterr, ERR_INVALID,
                "a path is made of visible ASCII characters, without \\, ? and #; write others as %%XX");
    }
    if (str_find(path, STR_LIT("//")) >= 0)
        return err_set(reterr, ERR_INVALID, "a part of the path is empty");
    return check_decoded(path, reterr);
}
