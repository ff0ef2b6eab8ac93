/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `conversation`: the newest turns, of one session or of all the user's. Runs on a worker.
 */
#include "source/source_priv.h"

#include <math.h>

static const struct source_setting settings[] = {
    {"session", SETTING_TEXT, false, NULL, 0, 0,
     "the session whose turns are wanted; without it all the user's"},
    {NULL},
};

static const char *const columns[] = {"role", "content", "created_at", "session_id", "id"};
#define N_COLUMNS (sizeof columns / sizeof columns[0])

static int on_run(const struct source_env *env, void *state, const struct source_request *request,
                  struct net_job *job, struct source_result *result, struct err_info *reterr)
{
    struct turn *turns = NULL;
    struct value *values = NULL;
    size_t n = 0;

    (void)state;
    (void)job;
    result->is_oldest_last = true;
    int res = result_set_columns(result, columns, N_COLUMNS, reterr);
    if (res < 0 || request->max_rows == 0)
        return res;
    /* One more than wanted tells whether there are more, where the list allows it. */
    size_t limit = request->max_rows < SOURCE_MAX_ROWS ? request->max_rows + 1 : SOURCE_MAX_ROWS;
    res = conversation_list(env->memory, &request->scope, setting_text(&request->settings[0]), limit,
                            STR_LIT(""), &result->arena, &turns, &n, reterr);
    if (res < 0)
        return res;
    result->is_truncated = n > request->max_rows;
    size_t n_rows = result->is_truncated ? request->max_rows : n;
    res = result_make_rows(result, n_rows, &values, reterr);
    if (res < 0)
        return res;

    for (size_t i = 0; i < n_rows; i++, values += N_COLUMNS) {
        const struct turn *turn = &turns[n - 1 - i]; /* the list is oldest first */
        result->rows[i].id = turn->id;
        result->rows[i].time_us = turn->created_us;
        values[0] = value_text(turn->role);
        values[1] = value_text(turn->content);
        values[2] = value_time(turn->created_us);
        values[3] = value_text(turn->session);
        values[4] = value_text(turn->id);
    }
    result->n_rows = n_rows;
    return 0;
}

const struct source_ops source_conversation = {
    .kind = "conversation",
    .settings = settings,
    .item = "{role|capitalize}: {content}",
    .follows_store = true,
    .on_run = on_run,
};
