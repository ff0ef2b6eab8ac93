/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrays as PostgreSQL prints them: {1,2,NULL}, {"a b","c\"d"}, {{1,2},{3,4}}, [0:1]={5,6}. The lower bounds
 * mean nothing to a reader.
 */
#include "source/postgres_priv.h"

#define MAX_DIMENSIONS 6 /* PostgreSQL's own */

struct scan {
    struct str text;
    size_t at;
    char delimiter;
    postgres_element_fn put;
    void *owner;
    struct buf *buf;
    struct buf element; /* without its quotes and escapes */
};

static char peek(const struct scan *scan)
{
    return scan->at < scan->text.len ? scan->text.ptr[scan->at] : '\0';
}

/* Past "[1:2][0:4]=", if that stands here. */
static int pass_bounds(struct scan *scan)
{
    if (peek(scan) != '[')
        return 0;
    while (scan->at < scan->text.len && peek(scan) != '=')
        scan->at++;
    if (peek(scan) != '=')
        return ERR_INVALID;
    scan->at++;
    return 0;
}

static int read_quoted(struct scan *scan)
{
    buf_clear(&scan->element);
    for (scan->at++; scan->at < scan->text.len && peek(scan) != '"'; scan->at++) {
        if (peek(scan) == '\\')
            scan->at++;
        if (scan->at < scan->text.len)
            buf_append_byte(&scan->element, peek(scan));
    }
    if (peek(scan) != '"')
        return ERR_INVALID;
    scan->at++;
    scan->put(scan->owner, buf_str(&scan->element), scan->buf);
    return 0;
}

static int read_plain(struct scan *scan)
{
    size_t start = scan->at;
    while (scan->at < scan->text.len && peek(scan) != scan->delimiter && peek(scan) != '}' &&
           peek(scan) != '{' && peek(scan) != '"')
        scan->at++;
    struct str text = str_slice(scan->text, start, scan->at - start);
    if (str_is_empty(text))
        return ERR_INVALID;
    if (str_is(text, "NULL"))
        buf_append_text(scan->buf, "null");
    else
        scan->put(scan->owner, text, scan->buf);
    return 0;
}

static int read_array(struct scan *scan, int depth)
{
    int res = 0;

    if (peek(scan) != '{' || depth == MAX_DIMENSIONS)
        return ERR_INVALID;
    scan->at++;
    buf_append_byte(scan->buf, '[');
    while (res == 0 && peek(scan) != '}') {
        if (peek(scan) == '{')
            res = read_array(scan, depth + 1);
        else
            res = peek(scan) == '"' ? read_quoted(scan) : read_plain(scan);
        if (res < 0 || peek(scan) == '}')
            break;
        if (peek(scan) != scan->delimiter || scan->at + 1 >= scan->text.len ||
            scan->text.ptr[scan->at + 1] == '}')
            return ERR_INVALID;
        buf_append_byte(scan->buf, ',');
        scan->at++;
    }
    if (res < 0)
        return res;
    scan->at++;
    buf_append_byte(scan->buf, ']');
    return buf_error(scan->buf);
}

int postgres_array_print(struct str text, char delimiter, postgres_element_fn put, void *owner,
                         struct buf *buf)
{
    struct scan scan = {.text = text, .delimiter = delimiter, .put = put, .owner = owner, .buf = buf};

    buf_init(&scan.element, text.len + 1);
    int res = pass_bounds(&scan);
    if (res == 0)
        res = read_array(&scan, 0);
    if (res == 0 && scan.at != text.len)
        res = ERR_INVALID;
    if (buf_error(&scan.element))
        res = buf_error(&scan.element);
    buf_done(&scan.element);
    return res;
}
