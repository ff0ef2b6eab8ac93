/* SPDX-License-Identifier: Apache-2.0
 *
 * Results: rows in an arena of their own, so that a result can be handed from a worker to a build and freed
 * whole.
 */
#include "source/source_priv.h"

#include "core/json.h"
#include "core/mem.h"
#include "core/utf8.h"

#include <math.h>

struct source_result *source_result_new(void)
{
    struct source_result *result = mem_calloc(1, sizeof *result);
    if (result)
        arena_init(&result->arena, SOURCE_MAX_RESULT_BYTES);
    return result;
}

struct source_result *source_result_free(struct source_result *result)
{
    if (result)
        arena_done(&result->arena);
    return mem_free(result);
}

int result_error(const struct source_result *result, struct err_info *reterr)
{
    if (arena_error(&result->arena) == ERR_LIMIT)
        return err_set(reterr, ERR_LIMIT, "the result is larger than %d MB",
                       SOURCE_MAX_RESULT_BYTES / 1024 / 1024);
    return err_set(reterr, ERR_NOMEM, "not enough memory for the result");
}

int result_set_columns(struct source_result *result, const char *const *names, size_t n,
                       struct err_info *reterr)
{
    struct str *columns = arena_calloc(&result->arena, n, sizeof *columns);
    if (!columns)
        return result_error(result, reterr);
    for (size_t i = 0; i < n; i++)
        columns[i] = str_of(names[i]);
    result->columns = columns;
    result->n_columns = n;
    return 0;
}

int result_make_rows(struct source_result *result, size_t n, struct value **ret_values,
                     struct err_info *reterr)
{
    size_t n_columns = result->n_columns;
    struct source_row *rows = arena_calloc(&result->arena, n, sizeof *rows);
    struct value *values = arena_calloc(&result->arena, n, n_columns * sizeof *values);
    if (!rows || !values)
        return result_error(result, reterr);
    for (size_t i = 0; i < n; i++)
        rows[i] = (struct source_row){.values = &values[i * n_columns], .score = NAN, .time_us = INT64_MIN};
    result->rows = rows;
    *ret_values = values;
    return 0;
}

struct str result_copy_text(struct arena *arena, struct str text)
{
    struct buf buf;

    if (utf8_is_valid(text))
        return arena_copy(arena, text);
    buf_init(&buf, 3 * text.len); /* U+FFFD has three bytes */
    utf8_append_clean(&buf, text);
    struct str copy = {NULL, 0};
    if (!buf_error(&buf))
        copy = arena_copy(arena, buf_str(&buf));
    else if (!arena->err)
        arena->err = buf_error(&buf);
    buf_done(&buf);
    return copy;
}

size_t result_id_column(const struct source_result *result)
{
    size_t at = 0;
    while (at < result->n_columns && !str_eq_nocase(result->columns[at], STR_LIT("id")))
        at++;
    return at;
}

struct str result_value_id(struct source_result *result, struct value value)
{
    struct str id = {NULL, 0};
    struct buf buf;

    if (value.type == VALUE_TEXT)
        return value.text;
    buf_init(&buf, 64); /* a number; a JSON document is no id */
    value_print(value, &buf);
    if (!buf_error(&buf))
        id = arena_copy(&result->arena, buf_str(&buf));
    buf_done(&buf);
    return id;
}

struct str result_row_id(struct source_result *result, const struct value *values)
{
    size_t at = result_id_column(result);
    return at < result->n_columns ? result_value_id(result, values[at]) : (struct str){NULL, 0};
}

int setting_list(const struct value *setting, struct arena *arena, struct str **ret_items, size_t *ret_n,
                 struct err_info *reterr)
{
    struct json *root = NULL;
    struct str *items;
    size_t n;
    int res = 0;

    if (setting->type != VALUE_JSON) {
        *ret_items = NULL;
        *ret_n = 0;
        return 0;
    }
    res = json_parse(setting->text, 2, &root, reterr);
    if (res < 0)
        goto done;
    n = json_count(root);
    items = arena_calloc(arena, n, sizeof *items);
    for (size_t i = 0; items && i < n; i++)
        items[i] = arena_copy(arena, json_text_of(json_at(root, i)));
    if (arena_error(arena) < 0) {
        res = err_set(reterr, arena_error(arena), "not enough memory for a list of %zu", n);
        goto done;
    }
    *ret_items = items;
    *ret_n = n;
done:
    json_free(root);
    return res;
}
