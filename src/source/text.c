/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `text`: what the recipe itself says. It never waits, so it is answered on the asking thread.
 */
#include "source/source_priv.h"

static const struct source_setting settings[] = {
    {"text", SETTING_TEXT, true, NULL, 0, 0, "the text, with {name} for parameters"},
    {NULL},
};

static const char *const columns[] = {"text"};

static int on_now(const struct source_env *env, void *state, const struct source_request *request,
                  struct source_result *result, struct err_info *reterr)
{
    struct str text = setting_text(&request->settings[0]);
    struct value *values;

    (void)env;
    (void)state;
    int res = result_set_columns(result, columns, 1, reterr);
    if (res < 0 || str_is_empty(text))
        return res;
    res = result_make_rows(result, 1, &values, reterr);
    if (res < 0)
        return res;
    values[0] = value_text(arena_copy(&result->arena, text));
    if (arena_error(&result->arena))
        return result_error(result, reterr);
    result->n_rows = 1;
    return 0;
}

const struct source_ops source_text = {
    .kind = "text",
    .settings = settings,
    .on_now = on_now,
};
