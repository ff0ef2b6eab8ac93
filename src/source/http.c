/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `http`: a GET of JSON below a configured base URL. Host, port and the path's beginning are the
 * configuration's alone; a recipe adds a path and parameters, and values stand in them only percent-encoded.
 */
#include "source/ask_priv.h"
#include "source/http_priv.h"

#include "core/mem.h"
#include "core/reach.h"
#include "net/http_url.h"

enum { SET_PATH, SET_QUERY, SET_POINTER, SET_MISSING };

static int check_path(struct str text, struct err_info *reterr);
static int check_pointer(struct str text, struct err_info *reterr);
static int check_missing(struct str text, struct err_info *reterr);

static const struct source_setting settings[] = {
    [SET_PATH] = {"path", SETTING_PATH, true, NULL, 0, 0,
                  "below the connection's URL: /users/{user_id}/orders", check_path},
    [SET_QUERY] = {"query", SETTING_MAP, false, NULL, 0, 0, "the URL's parameters, by name"},
    [SET_POINTER] = {"pointer", SETTING_TEXT, false, NULL, 0, 0,
                     "JSON Pointer to the array or object wanted: /data/items", check_pointer},
    [SET_MISSING] = {"missing", SETTING_TEXT, false, "error", 0, 0,
                     "what status 404, or nothing at the pointer, means: error or empty", check_missing},
    {NULL},
};

static const char *const schemes[] = {"http", "https", NULL};

/* With a letter in the place of every placeholder. */
static int check_path(struct str text, struct err_info *reterr)
{
    char *path = mem_alloc(text.len + 1);
    size_t n = 0, depth = 0;

    if (!path)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < text.len; i++) {
        bool is_start = text.ptr[i] == '{', is_end = text.ptr[i] == '}';

        if (is_start && depth++ == 0)
            path[n++] = 'x';
        else if (is_end && depth > 0)
            depth--;
        else if (depth == 0)
            path[n++] = text.ptr[i];
    }
    int res = http_url_check_path(str_make(path, n), reterr);
    mem_free(path);
    return res;
}

static int check_pointer(struct str text, struct err_info *reterr)
{
    return json_pointer_is_valid(text)
               ? 0
               : err_set(reterr, ERR_INVALID,
                         "a JSON Pointer is like /data/items, with ~0 for ~ and ~1 for /");
}

static int check_missing(struct str text, struct err_info *reterr)
{
    return str_is(text, "error") || str_is(text, "empty")
               ? 0
               : err_set(reterr, ERR_INVALID, "must be error or empty, not '%.*s'",
                         STR_ARG(str_slice(text, 0, 40)));
}

/* ---- connections ---- */

static int on_open(const struct source_env *env, const struct source_options *options, void **ret_state,
                   struct err_info *reterr)
{
    struct http_server *server = NULL;
    struct str params, name, value;
    int res = ask_open_server(env, options, 0, "Authorization: Bearer", true, &params, &server, reterr);

    if (res == 0 && ask_next_param(&params, &name, &value)) {
        http_server_free(server);
        return err_set_field(reterr, ERR_INVALID, "url", "after the ? of a base URL may stand ca=FILE alone");
    }
    if (res == 0)
        *ret_state = server;
    return res;
}

static void on_close(void *state)
{
    http_server_free(state);
}

static void on_stats(void *state, struct pool_stats *ret_stats)
{
    *ret_stats = http_server_stats(state);
}

/* Whatever the answer is, it shows who is there; a base URL need not have a page of its own. */
static int on_check(const struct source_env *env, void *state, int64_t deadline_us, struct buf *ret,
                    struct err_info *reterr)
{
    struct http_server *server = state;
    const struct http_request request = {.target = STR_LIT("/"), .max_answer_bytes = ASK_MAX_ANSWER_BYTES};
    struct http_fetch http = {0};
    int64_t started_us = clock_mono_us(env->clock);
    int res = http_fetch_wait(server, &request, deadline_us, &http, reterr);

    if (res == 0 && (http.status == 401 || http.status == 403 || http.status >= 500))
        res = ask_refuse(&http, reterr);
    else if (res == 0)
        buf_printf(ret, "%s answers, with status %ld, in %.1f ms", http_server_place(server), http.status,
                   (double)(clock_mono_us(env->clock) - started_us) / 1e3);
    http_fetch_end(&http);
    return res;
}

/* ---- asking ---- */

struct http_ask {
    struct ask ask;
    struct str pointer;
    bool is_missing_empty;
};

static int on_answer(struct ask *ask, struct err_info *reterr)
{
    const struct http_ask *own = (const struct http_ask *)ask;
    struct json *root = NULL;

    if (ask->http.status == 404 && own->is_missing_empty)
        return 1;
    if (ask->http.status == 204)
        return 1;
    if (ask->http.status < 200 || ask->http.status > 299)
        return ask_refuse(&ask->http, reterr);
    int res = ask_parse(&ask->http, &root, reterr);
    if (res == 0)
        res = http_read_rows(root, own->pointer, ask->max_rows, ask->result, reterr);
    json_free(root);
    if (res > 0 && !own->is_missing_empty)
        return err_set(reterr, ERR_REMOTE, "the answer has nothing at pointer '%.*s'",
                       STR_ARG(str_slice(own->pointer, 0, 100)));
    return res < 0 ? res : 1;
}

/* A parameter with a missing value is an error: without it the question would be another. One whose whole
 * template comes to nothing on purpose is left out. */
static int add_params(struct buf *target, const struct json *map, struct err_info *reterr)
{
    const struct json *value;
    struct str name;
    size_t pos = 0;
    char separator = '?';

    while (json_next_member(map, &pos, &name, &value)) {
        if (json_kind_of(value) != JSON_KIND_TEXT)
            return err_set(reterr, ERR_INVALID, "parameter '%.*s' of 'query' has an empty value",
                           STR_ARG(name));
        if (json_text_of(value).len == 0)
            continue;
        buf_append_byte(target, separator);
        http_url_append(target, name);
        buf_append_byte(target, '=');
        http_url_append(target, json_text_of(value));
        separator = '&';
    }
    return 0;
}

static int write_target(struct ask *ask, const struct value *values, struct err_info *reterr)
{
    struct json *map = NULL;

    if (values[SET_PATH].type != VALUE_TEXT)
        return err_set(reterr, ERR_INVALID, "a value in 'path' is empty");
    int res = http_url_check_path(values[SET_PATH].text, reterr);
    buf_append_str(&ask->target, values[SET_PATH].text);
    if (res == 0 && values[SET_QUERY].type == VALUE_JSON)
        res = json_parse(values[SET_QUERY].text, 2, &map, reterr);
    if (res == 0)
        res = add_params(&ask->target, map, reterr);
    json_free(map);
    return res;
}

static int on_start(const struct source_env *env, void *state, const struct source_request *request,
                    struct net_loop *loop, struct source_fetch *fetch, struct err_info *reterr)
{
    const struct value *values = request->settings;
    struct ask *ask = NULL;
    int res = ask_new(fetch, loop, state, sizeof(struct http_ask), request, &ask, reterr);

    (void)env;
    if (res < 0)
        return res;
    struct http_ask *own = (struct http_ask *)ask;
    own->pointer = arena_copy(&ask->arena, setting_text(&values[SET_POINTER]));
    own->is_missing_empty = str_is(setting_text(&values[SET_MISSING]), "empty");
    res = json_pointer_is_valid(own->pointer) ? write_target(ask, values, reterr)
                                              : check_pointer(own->pointer, reterr);
    if (res == 0)
        res = ask_next(ask, "GET", on_answer, reterr);
    if (res < 0)
        ask_drop(fetch);
    return res;
}

const struct source_ops source_http = {
    .kind = "http",
    .has_effects = true,
    .schemes = schemes,
    .settings = settings,
    .on_open = on_open,
    .on_close = on_close,
    .on_start = on_start,
    .on_check = on_check,
    .on_stats = on_stats,
};
