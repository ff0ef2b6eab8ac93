/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON as rows. Of an array that has objects, what is none is skipped and counted.
 */
#include "source/http_priv.h"

#include "core/mem.h"
#include "core/reach.h"
#include "source/ask_priv.h"

static size_t count_objects(const struct json *array)
{
    size_t n = 0;

    for (size_t i = 0; i < json_count(array); i++)
        n += json_kind_of(json_at(array, i)) == JSON_KIND_OBJECT;
    return n;
}

static struct str id_of(const struct json *object, struct arena *arena)
{
    struct value id = value_of_json(json_member(object, "id"), 0, arena);

    if (id.type == VALUE_TEXT)
        return id.text;
    return id.type == VALUE_INT ? arena_printf(arena, "%lld", (long long)id.integer) : str_make(NULL, 0);
}

static int read_objects(struct source_result *result, const struct json *const *objects, size_t n,
                        struct err_info *reterr)
{
    struct value *values;
    int res = rows_of_objects(result, NULL, 0, objects, n, &values, reterr);

    for (size_t i = 0; i < n && res == 0; i++) {
        const struct json *id = json_member(objects[i], "id");
        bool is_name = json_kind_of(id) == JSON_KIND_TEXT || json_kind_of(id) == JSON_KIND_INT;

        result->rows[i].id = is_name ? id_of(objects[i], &result->arena) : str_make(NULL, 0);
    }
    return res == 0 && arena_error(&result->arena) ? result_error(result, reterr) : res;
}

static int read_array(const struct json *array, size_t max_rows, struct source_result *result,
                      struct err_info *reterr)
{
    size_t n_all = json_count(array), n_objects = count_objects(array), n = 0;
    const struct json **objects = arena_calloc(&result->arena, max_rows + 1, sizeof(*objects));

    if (!objects)
        return result_error(result, reterr);
    for (size_t i = 0; i < n_all && n < max_rows; i++)
        if (json_kind_of(json_at(array, i)) == JSON_KIND_OBJECT)
            objects[n++] = json_at(array, i);
    result->n_malformed = n_all - n_objects;
    result->is_truncated = n_objects > n;
    return read_objects(result, objects, n, reterr);
}

static int read_values(const struct json *array, size_t max_rows, struct source_result *result,
                       struct err_info *reterr)
{
    static const char *const columns[] = {"value"};
    size_t n = json_count(array) < max_rows ? json_count(array) : max_rows;
    struct value *values;
    int res = result_set_columns(result, columns, 1, reterr);

    if (res == 0)
        res = result_make_rows(result, n, &values, reterr);
    for (size_t i = 0; i < n && res == 0; i++)
        values[i] = value_of_json(json_at(array, i), ASK_MAX_ANSWER_BYTES, &result->arena);
    if (res == 0 && arena_error(&result->arena))
        res = result_error(result, reterr);
    if (res == 0) {
        result->n_rows = n;
        result->is_truncated = json_count(array) > n;
    }
    return res;
}

static int read_one(const struct json *node, struct source_result *result, struct err_info *reterr)
{
    static const char *const columns[] = {"value"};
    struct value *values;
    int res;

    if (json_kind_of(node) == JSON_KIND_OBJECT)
        return read_objects(result, &node, 1, reterr);
    res = result_set_columns(result, columns, 1, reterr);
    if (res == 0)
        res = result_make_rows(result, 1, &values, reterr);
    if (res < 0)
        return res;
    values[0] = value_of_json(node, ASK_MAX_ANSWER_BYTES, &result->arena);
    if (arena_error(&result->arena))
        return result_error(result, reterr);
    result->n_rows = 1;
    return 0;
}

int http_read_rows(const struct json *root, struct str pointer, size_t max_rows, struct source_result *result,
                   struct err_info *reterr)
{
    const struct json *node = json_pointer(root, pointer);

    if (!node)
        return 1;
    if (json_kind_of(node) == JSON_KIND_NULL || max_rows == 0)
        return 0;
    if (json_kind_of(node) != JSON_KIND_ARRAY)
        return read_one(node, result, reterr);
    return count_objects(node) > 0 ? read_array(node, max_rows, result, reterr)
                                   : read_values(node, max_rows, result, reterr);
}
