/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `preferences`: what the user wants things to be like, by key. Runs on a worker.
 */
#include "source/source_priv.h"

#include "core/json.h"

#define MAX_JSON_DEPTH 64

enum { SET_CATEGORY, SET_KEYS };

static const struct source_setting settings[] = {
    [SET_CATEGORY] = {"category", SETTING_TEXT, false, NULL, 0, 0, "only preferences of this category"},
    [SET_KEYS] = {"keys", SETTING_LIST, false, NULL, 0, 0, "only these keys"},
    {NULL},
};

static const char *const columns[] = {"key", "value", "category", "updated_at"};
#define N_COLUMNS (sizeof columns / sizeof columns[0])

/* Scalars become values of their own type, so that a template prints `metric`, not `"metric"`. */
static int read_value(struct str text, struct arena *arena, struct value *ret_value, struct err_info *reterr)
{
    struct json *root = NULL;
    int res = json_parse(text, MAX_JSON_DEPTH, &root, reterr);
    if (res < 0)
        return res;

    switch (json_kind_of(root)) {
    case JSON_KIND_NULL:
        *ret_value = value_null();
        break;
    case JSON_KIND_BOOL:
        *ret_value = value_bool(json_bool_of(root));
        break;
    case JSON_KIND_INT:
        *ret_value = value_int(json_int_of(root));
        break;
    case JSON_KIND_REAL:
        *ret_value = value_real(json_real_of(root));
        break;
    case JSON_KIND_TEXT:
        *ret_value = value_text(arena_copy(arena, json_text_of(root)));
        break;
    case JSON_KIND_ARRAY:
    case JSON_KIND_OBJECT:
        *ret_value = value_json(text);
        break;
    }
    json_free(root);
    return 0;
}

static bool is_wanted(const struct preference *preference, const struct str *keys, size_t n_keys)
{
    for (size_t i = 0; i < n_keys; i++) {
        if (str_eq(keys[i], preference->key))
            return true;
    }
    return n_keys == 0;
}

static int add_preference(struct source_result *result, struct value *values,
                          const struct preference *preference, struct err_info *reterr)
{
    int res = read_value(preference->value, &result->arena, &values[1], reterr);
    if (res == ERR_INVALID || res == ERR_LIMIT) {
        result->n_malformed++;
        return 0;
    }
    if (res < 0)
        return res;
    values[0] = value_text(preference->key);
    values[2] = str_is_empty(preference->category) ? value_null() : value_text(preference->category);
    values[3] = value_time(preference->updated_us);
    result->rows[result->n_rows].id = preference->key;
    result->rows[result->n_rows].time_us = preference->updated_us;
    result->n_rows++;
    return 0;
}

static int on_run(const struct source_env *env, void *state, const struct source_request *request,
                  struct net_job *job, struct source_result *result, struct err_info *reterr)
{
    struct preference *preferences = NULL;
    struct value *values = NULL;
    struct str *keys = NULL;
    size_t n = 0, n_keys = 0;

    (void)state;
    (void)job;
    int res = result_set_columns(result, columns, N_COLUMNS, reterr);
    if (res == 0)
        res = setting_list(&request->settings[SET_KEYS], &result->arena, &keys, &n_keys, reterr);
    if (res == 0)
        res = preference_list(env->memory, &request->scope, setting_text(&request->settings[SET_CATEGORY]),
                              &result->arena, &preferences, &n, reterr);
    if (res == 0)
        res = result_make_rows(result, n < request->max_rows ? n : request->max_rows, &values, reterr);
    for (size_t i = 0; res == 0 && i < n; i++) {
        if (!is_wanted(&preferences[i], keys, n_keys))
            continue;
        if (result->n_rows == request->max_rows) {
            result->is_truncated = true;
            break;
        }
        res = add_preference(result, &values[result->n_rows * N_COLUMNS], &preferences[i], reterr);
    }
    if (res == 0 && arena_error(&result->arena))
        res = result_error(result, reterr);
    return res;
}

const struct source_ops source_preferences = {
    .kind = "preferences",
    .settings = settings,
    .item = "- {key}: {value}",
    .follows_store = true,
    .on_run = on_run,
};
