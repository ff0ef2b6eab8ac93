/* SPDX-License-Identifier: Apache-2.0
 *
 * RESP2. Each value is a line "<kind><rest>\r\n", for text followed by its bytes and "\r\n", for an array by
 * its items. Nothing a server sends is believed beyond what stands in the header's maxima.
 */
#include "net/resp.h"

void resp_append_command(struct buf *buf, const struct str *args, size_t n)
{
    buf_printf(buf, "*%zu\r\n", n);
    for (size_t i = 0; i < n; i++) {
        buf_printf(buf, "$%zu\r\n", args[i].len);
        buf_append_str(buf, args[i]);
        buf_append(buf, "\r\n", 2);
    }
}

static int no_resp(struct err_info *reterr)
{
    return err_set(reterr, ERR_REMOTE, "what it sends is no reply of a Redis server");
}

static int too_large(struct err_info *reterr)
{
    return err_set(reterr, ERR_LIMIT, "its reply is larger than %d MB or has more than %d items",
                   RESP_MAX_BYTES / 1024 / 1024, RESP_MAX_ITEMS);
}

/* One line at *pos: its kind and what follows, *pos moved behind it. 1 when it is not whole. */
static int read_line(struct str bytes, size_t *pos, char *ret_kind, struct str *ret_rest,
                     struct err_info *reterr)
{
    struct str ahead = str_slice(bytes, *pos, RESP_MAX_LINE);
    const char *end = ahead.len > 0 ? memchr(ahead.ptr, '\r', ahead.len) : NULL;

    if (!end && ahead.len == RESP_MAX_LINE)
        return no_resp(reterr);
    if (!end || end + 1 == bytes.ptr + bytes.len)
        return 1;
    if (end[1] != '\n' || end == ahead.ptr)
        return no_resp(reterr);
    *ret_kind = *ahead.ptr;
    *ret_rest = str_make(ahead.ptr + 1, (size_t)(end - ahead.ptr) - 1);
    *pos += (size_t)(end - ahead.ptr) + 2;
    return 0;
}

/* The number of bytes or items, -1 for nil. */
static int read_count(struct str digits, int64_t max, int64_t *ret_count, struct err_info *reterr)
{
    int res = str_to_int(digits, ret_count);
    if (res == ERR_LIMIT || (res == 0 && *ret_count > max))
        return too_large(reterr);
    return res < 0 || *ret_count < -1 ? no_resp(reterr) : 0;
}

/* One value, items of an array not included. *ret_n: bytes or items, -1 for nil. */
struct head {
    char kind;
    struct str text;
    int64_t n;
};

static int read_value(struct str bytes, size_t *pos, struct head *ret_head, struct err_info *reterr)
{
    size_t at = *pos;
    struct head head = {.n = 0};
    int res = read_line(bytes, &at, &head.kind, &head.text, reterr);

    if (res != 0)
        return res;
    switch (head.kind) {
    case '+':
    case '-':
        break;
    case ':':
        if (str_to_int(head.text, &head.n) < 0)
            return no_resp(reterr);
        break;
    case '*':
        res = read_count(head.text, RESP_MAX_ITEMS, &head.n, reterr);
        break;
    case '$':
        res = read_count(head.text, RESP_MAX_BYTES, &head.n, reterr);
        if (res < 0 || head.n < 0)
            break;
        if (bytes.len - at < (size_t)head.n + 2)
            return 1;
        head.text = str_make(bytes.ptr + at, (size_t)head.n);
        at += (size_t)head.n + 2;
        if (bytes.ptr[at - 2] != '\r' || bytes.ptr[at - 1] != '\n')
            return no_resp(reterr);
        break;
    default:
        return no_resp(reterr);
    }
    if (res < 0)
        return res;
    *pos = at;
    *ret_head = head;
    return 0;
}

int resp_scan(struct resp_scan *scan, struct str bytes, size_t *ret_len, struct err_info *reterr)
{
    while (!scan->has_begun || scan->n_due > 0) {
        struct head head = {.n = 0};
        int res = read_value(bytes, &scan->pos, &head, reterr);
        if (res == 1 && bytes.len > RESP_MAX_BYTES)
            return too_large(reterr);
        if (res != 0)
            return res;
        if (scan->has_begun)
            scan->n_due--;
        scan->has_begun = true;
        if (head.kind == '*' && head.n > 0)
            scan->n_due += (size_t)head.n;
        if (++scan->n_items + scan->n_due > RESP_MAX_ITEMS)
            return too_large(reterr);
    }
    *ret_len = scan->pos;
    return 0;
}

static int parse_value(struct str reply, size_t *pos, int depth, struct arena *arena, struct resp *ret_resp,
                       struct err_info *reterr)
{
    struct head head = {.n = 0};
    struct resp *items;

    if (depth > RESP_MAX_DEPTH)
        return err_set(reterr, ERR_REMOTE, "its reply has more than %d levels", RESP_MAX_DEPTH);
    int res = read_value(reply, pos, &head, reterr);
    if (res != 0)
        return res < 0 ? res : no_resp(reterr);
    *ret_resp = (struct resp){.text = head.text, .integer = head.n};
    switch (head.kind) {
    case '+':
        ret_resp->kind = RESP_STATUS;
        return 0;
    case '-':
        ret_resp->kind = RESP_ERROR;
        return 0;
    case ':':
        ret_resp->kind = RESP_INT;
        return 0;
    default:
        break;
    }
    if (head.n < 0) {
        *ret_resp = (struct resp){.kind = RESP_NIL};
        return 0;
    }
    ret_resp->kind = head.kind == '$' ? RESP_TEXT : RESP_ARRAY;
    if (head.kind == '$')
        return 0;
    items = arena_calloc(arena, (size_t)head.n, sizeof *items);
    if (!items)
        return err_set(reterr, arena_error(arena), "not enough memory for a reply");
    for (int64_t i = 0; res == 0 && i < head.n; i++)
        res = parse_value(reply, pos, depth + 1, arena, &items[i], reterr);
    ret_resp->items = items;
    ret_resp->n = (size_t)head.n;
    return res;
}

int resp_parse(struct str reply, struct arena *arena, struct resp *ret_resp, struct err_info *reterr)
{
    struct resp resp;
    size_t pos = 0;
    int res = parse_value(reply, &pos, 0, arena, &resp, reterr);
    if (res == 0)
        *ret_resp = resp;
    return res;
}
