/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `session`: what an assistant keeps of a session under way, as one row. Runs on a worker.
 */
#include "memory/session.h"

#include "core/reach.h"
#include "source/source_priv.h"

#define MAX_JSON_DEPTH 32

static const struct source_setting settings[] = {
    {"session", SETTING_TEXT, true, NULL, 0, 0, "the session: \"{session_id}\""},
    {NULL},
};

static int fill_row(const struct session *session, struct source_result *result, struct err_info *reterr)
{
    struct str *columns = arena_calloc(&result->arena, session->n_fields, sizeof *columns);
    struct value *values;

    if (!columns)
        return result_error(result, reterr);
    for (size_t i = 0; i < session->n_fields; i++)
        columns[i] = session->fields[i].name;
    result->columns = columns;
    result->n_columns = session->n_fields;
    int res = result_make_rows(result, 1, &values, reterr);
    for (size_t i = 0; res == 0 && i < session->n_fields; i++) {
        struct json *root = NULL;
        res = json_parse(session->fields[i].value, MAX_JSON_DEPTH, &root, reterr);
        if (res == 0)
            values[i] = value_of_json(root, SESSION_MAX_VALUE_BYTES, &result->arena);
        json_free(root);
    }
    result->n_rows = res == 0;
    return res;
}

static int on_run(const struct source_env *env, void *state, const struct source_request *request,
                  struct net_job *job, struct source_result *result, struct err_info *reterr)
{
    struct session session;
    struct str id = setting_text(&request->settings[0]);

    (void)state;
    (void)job;
    if (!env->sessions)
        return err_set(reterr, ERR_UNSUPPORTED, "there are no sessions here; a server keeps them");
    if (id.len == 0 || request->max_rows == 0)
        return 0;
    int res = session_get(env->sessions, &request->scope, id, request->deadline_us, &result->arena, &session,
                          reterr);
    if (res != 0)
        return res < 0 ? res : 0;
    result->n_malformed = session.n_malformed;
    if (session.n_fields > 0)
        res = fill_row(&session, result, reterr);
    if (res == 0 && arena_error(&result->arena))
        res = result_error(result, reterr);
    return res;
}

const struct source_ops source_session = {
    .kind = "session",
    .settings = settings,
    .on_run = on_run,
};
