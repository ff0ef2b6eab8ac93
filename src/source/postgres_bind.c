/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements and values in. Values go as text with no type, so that the server takes each for what the
 * statement makes of it: `id = :user_id` holds for a uuid, a text and a number alike.
 */
#include "source/postgres_priv.h"

#include "core/civil.h"
#include "core/reach.h"
#include "core/utf8.h"

#include <math.h>

/* ---- the statement ---- */

struct scan {
    struct str sql;
    size_t at, copied; /* read so far, and of that appended */
    struct buf *out;
    size_t n_binds, n_wanted;
    bool has_unknown;
};

static char peek(const struct scan *scan, size_t ahead)
{
    return scan->at + ahead < scan->sql.len ? scan->sql.ptr[scan->at + ahead] : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static void pass(struct scan *scan, size_t n)
{
    scan->at = n < scan->sql.len - scan->at ? scan->at + n : scan->sql.len;
}

static void copy_passed(struct scan *scan)
{
    buf_append_str(scan->out, str_slice(scan->sql, scan->copied, scan->at - scan->copied));
    scan->copied = scan->at;
}

static void pass_quoted(struct scan *scan, char quote, bool has_backslash)
{
    size_t n = 1;
    while (scan->at + n < scan->sql.len && peek(scan, n) != quote)
        n += has_backslash && peek(scan, n) == '\\' ? 2 : 1;
    pass(scan, n + 1);
}

static void pass_until(struct scan *scan, size_t from, struct str end)
{
    ptrdiff_t at = str_find(str_slice(scan->sql, scan->at + from, SIZE_MAX), end);
    pass(scan, at < 0 ? scan->sql.len - scan->at : from + (size_t)at + end.len);
}

/* $tag$ ... $tag$ */
static void pass_dollar(struct scan *scan)
{
    size_t n = 1;
    while (is_letter(peek(scan, n)) || (n > 1 && is_digit(peek(scan, n))))
        n++;
    if (peek(scan, n) != '$')
        pass(scan, 1);
    else
        pass_until(scan, n + 1, str_slice(scan->sql, scan->at, n + 1));
}

static void pass_word(struct scan *scan)
{
    size_t n = 1;
    while (is_letter(peek(scan, n)) || is_digit(peek(scan, n)) || peek(scan, n) == '$')
        n++;
    bool is_escape = n == 1 && (peek(scan, 0) == 'e' || peek(scan, 0) == 'E');
    pass(scan, n);
    if (is_escape && peek(scan, 0) == '\'')
        pass_quoted(scan, '\'', true);
}

static void pass_placeholder(struct scan *scan)
{
    size_t number = 0, n = 1;
    copy_passed(scan);
    for (; is_digit(peek(scan, n)); n++)
        number = number < 100000 ? number * 10 + (size_t)(peek(scan, n) - '0') : number;
    if (number == 0 || number > scan->n_binds)
        scan->has_unknown = true;
    if (number > scan->n_wanted)
        scan->n_wanted = number;
    buf_append_byte(scan->out, '$');
    buf_append_int(scan->out, (int64_t)number);
    pass(scan, n);
    scan->copied = scan->at;
}

/* Begins nothing that could hide a placeholder. */
static bool is_plain(char c)
{
    return c == ' ' || c == ',' || c == '(' || c == ')' || c == '=' || c == '.' || c == '\n';
}

static void pass_token(struct scan *scan)
{
    char c = peek(scan, 0);
    if (is_plain(c))
        scan->at++;
    else if (c == '?' && is_digit(peek(scan, 1)))
        pass_placeholder(scan);
    else if (c == '\'' || c == '"')
        pass_quoted(scan, c, false);
    else if (c == '-' && peek(scan, 1) == '-')
        pass_until(scan, 2, STR_LIT("\n"));
    else if (c == '/' && peek(scan, 1) == '*')
        pass_until(scan, 2, STR_LIT("*/"));
    else if (c == '$')
        pass_dollar(scan);
    else if (is_letter(c))
        pass_word(scan);
    else
        pass(scan, 1);
}

int postgres_translate(struct str sql, size_t n_binds, struct arena *arena, struct str *ret_sql,
                       size_t *ret_n, struct err_info *reterr)
{
    struct buf out;
    struct scan scan = {.sql = sql, .out = &out, .n_binds = n_binds};

    if (memchr(sql.len ? sql.ptr : "", '\0', sql.len))
        return err_set(reterr, ERR_INVALID, "the statement has a NUL character in it");
    buf_init(&out, 2 * sql.len + 16);
    while (scan.at < sql.len)
        pass_token(&scan);
    copy_passed(&scan);
    struct str text = buf_into_arena(&out, arena);
    if (arena_error(arena))
        return err_set(reterr, arena_error(arena), "not enough memory for a statement");
    if (scan.has_unknown)
        return err_set(reterr, ERR_INVALID, "the statement wants %zu values and has %zu", scan.n_wanted,
                       n_binds);
    *ret_sql = text;
    *ret_n = scan.n_wanted;
    return 0;
}

/* ---- values ---- */

/* Without a zone, which the session takes for UTC: so it also compares with times that are kept as text. */
static void print_time(int64_t time_us, struct buf *buf)
{
    int64_t us = time_us % US_PER_SEC;
    civil_print_sql(time_us, buf);
    if (us != 0)
        buf_printf(buf, ".%06d", (int)(us < 0 ? us + US_PER_SEC : us));
}

static void print_value(struct value value, struct buf *buf)
{
    if (value.type == VALUE_TIME)
        print_time(value.time_us, buf);
    else
        value_print(value, buf);
}

static int check_text(struct str text, size_t number, struct err_info *reterr)
{
    if (memchr(text.len ? text.ptr : "", '\0', text.len))
        return err_set(reterr, ERR_INVALID,
                       "value %zu of the statement has a NUL character, which PostgreSQL cannot take",
                       number);
    if (!utf8_is_valid(text))
        return err_set(reterr, ERR_INVALID, "value %zu of the statement is not UTF-8", number);
    return 0;
}

int postgres_bind(const struct value *binds, size_t n, struct arena *arena, const char ***ret_values,
                  struct err_info *reterr)
{
    const char **values = arena_calloc(arena, n + 1, sizeof *values);
    struct buf buf;
    size_t n_bytes = 0;
    int res = 0;

    buf_init(&buf, POSTGRES_MAX_BIND_BYTES);
    for (size_t i = 0; values && res == 0 && i < n; i++) {
        if (binds[i].type == VALUE_NULL)
            continue;
        buf_clear(&buf);
        print_value(binds[i], &buf);
        n_bytes += buf.len;
        if (buf_error(&buf) == ERR_LIMIT || n_bytes > POSTGRES_MAX_BIND_BYTES)
            res = err_set(reterr, ERR_LIMIT, "the values of one question may have %zu MB together, not more",
                          POSTGRES_MAX_BIND_BYTES / 1024 / 1024);
        else
            res = check_text(buf_str(&buf), i + 1, reterr);
        if (res == 0)
            values[i] = buf.len ? arena_strdup(arena, buf_str(&buf)) : "";
    }
    if (res == 0 && buf_error(&buf))
        res = err_set(reterr, buf_error(&buf), "not enough memory for the values of a statement");
    if (res == 0 && arena_error(arena))
        res = err_set(reterr, arena_error(arena), "not enough memory for the values of a statement");
    buf_done(&buf);
    if (res == 0)
        *ret_values = values;
    return res;
}
