/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions over HTTP. The source's fetch waits in the loop with no descriptor of its own; the request's
 * drivers end it. A question is freed when it ends, before the loop reports it, or when the loop cancels it:
 *
 *     asking -> asking    on_answer asked again
 *            -> ended     the result, or an error, is the fetch's; the question is gone
 *            -> cancelled deadline or the loop's end: the request is broken off, the question is gone
 */
#include "source/ask_priv.h"

#include "core/mem.h"
#include "core/reach.h"
#include "core/utf8.h"
#include "net/http_url.h"

#define MAX_URL_BYTES     2048
#define MAX_TARGET_BYTES  (16 * 1024)
#define MAX_BODY_BYTES    (1024 * 1024) /* of a question */
#define MAX_EXCERPT_BYTES 160
#define MAX_COLUMNS       200

/* ---- servers ---- */

static int copy_headers(const struct source_options *options, struct http_header **ret_headers)
{
    struct http_header *headers = mem_calloc(options->n_headers + 1, sizeof *headers);
    if (!headers)
        return ERR_NOMEM;
    for (size_t i = 0; i < options->n_headers; i++)
        headers[i] = (struct http_header){options->headers[i].name, options->headers[i].value};
    *ret_headers = headers;
    return 0;
}

static bool next_param(struct str *params, struct str *ret_name, struct str *ret_value)
{
    struct str param;

    if (params->len == 0 || !str_next_part(params, '&', &param))
        return false;
    ptrdiff_t equals = str_find(param, STR_LIT("="));
    *ret_name = str_slice(param, 0, equals < 0 ? param.len : (size_t)equals);
    *ret_value = equals < 0 ? str_make(NULL, 0) : str_slice(param, (size_t)equals + 1, SIZE_MAX);
    return true;
}

bool ask_next_param(struct str *params, struct str *ret_name, struct str *ret_value)
{
    bool has_one = next_param(params, ret_name, ret_value);

    while (has_one && str_is(*ret_name, "ca"))
        has_one = next_param(params, ret_name, ret_value);
    return has_one;
}

/* The file that `ca` names, decoded; "" if none. */
static int read_ca(struct str params, char *ret_path, size_t size, struct err_info *reterr)
{
    struct str name, value;

    *ret_path = '\0';
    while (next_param(&params, &name, &value)) {
        if (!str_is(name, "ca"))
            continue;
        if (value.len == 0 || value.len >= size)
            return err_set_field(reterr, ERR_INVALID, "url", "?ca= names the file of an authority");
        memcpy(ret_path, value.ptr, value.len);
        ret_path[http_url_decode(ret_path, value.len)] = '\0';
    }
    return 0;
}

int ask_open_server(const struct source_env *env, const struct source_options *options, size_t skip,
                    const char *key_prefix, bool accepts_packed, struct str *ret_params,
                    struct http_server **ret_server, struct err_info *reterr)
{
    struct str url = str_slice(options->url, skip, SIZE_MAX);
    ptrdiff_t end = str_find(url, STR_LIT("?"));
    struct http_header *headers = NULL;
    char text[MAX_URL_BYTES], ca[MAX_URL_BYTES];

    if (!env->connectors)
        return err_set(reterr, ERR_UNSUPPORTED, "there is nobody here to connect to servers");
    *ret_params = end < 0 ? STR_LIT("") : str_slice(url, (size_t)end + 1, SIZE_MAX);
    url = end < 0 ? url : str_slice(url, 0, (size_t)end);
    if (url.len >= sizeof text)
        return err_set_field(reterr, ERR_INVALID, "url", "the URL is too long");
    memcpy(text, url.ptr, url.len);
    text[url.len] = '\0';
    if (read_ca(*ret_params, ca, sizeof ca, reterr) < 0)
        return ERR_INVALID;
    if (copy_headers(options, &headers) < 0)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    const struct http_server_options server = {
        .name = options->name,
        .url = text,
        .key = options->key,
        .key_prefix = key_prefix,
        .headers = headers,
        .n_headers = options->n_headers,
        .ca = *ca ? ca : NULL,
        .accepts_packed = accepts_packed,
        .max_conns = options->max_conns ? options->max_conns : SOURCE_MAX_CONNS,
        .connect_timeout_us = SOURCE_CONNECT_TIMEOUT_US,
        .idle_timeout_us = SOURCE_IDLE_TIMEOUT_US,
        .connectors = env->connectors,
        .clock = env->clock,
    };
    int res = http_server_new(&server, ret_server, reterr);
    mem_free(headers);
    return res;
}

/* ---- the life of a question ---- */

static void ask_free(struct ask *ask)
{
    http_fetch_end(&ask->http);
    source_result_free(ask->result);
    buf_done(&ask->target);
    buf_done(&ask->body);
    arena_done(&ask->arena);
    mem_free(ask);
}

static void on_cancel(struct net_op *op)
{
    struct source_fetch *fetch = (struct source_fetch *)op;
    struct ask *ask = fetch->state;

    fetch->result = source_result_free(fetch->result);
    fetch->state = NULL;
    if (!ask)
        return; /* it had ended */
    fetch->has_heard = ask->http.has_heard;
    ask_free(ask);
}

static const struct net_op_ops ask_ops = {.on_cancel = on_cancel};

int ask_new(struct source_fetch *fetch, struct net_loop *loop, struct http_server *server, size_t size,
            const struct source_request *request, struct ask **ret_ask, struct err_info *reterr)
{
    struct ask *ask = mem_calloc(1, size);
    if (ask)
        ask->result = source_result_new();
    if (!ask || !ask->result) {
        mem_free(ask);
        return err_set(reterr, ERR_NOMEM, "not enough memory to ask");
    }
    ask->server = server;
    ask->fetch = fetch;
    ask->loop = loop;
    ask->max_rows = request->max_rows;
    arena_init(&ask->arena, 4 * MAX_BODY_BYTES);
    buf_init(&ask->target, MAX_TARGET_BYTES);
    buf_init(&ask->body, MAX_BODY_BYTES);
    fetch->state = ask;
    fetch->op.ops = &ask_ops;
    fetch->op.fd = -1;
    *ret_ask = ask;
    return 0;
}

void ask_drop(struct source_fetch *fetch)
{
    ask_free(fetch->state);
    fetch->state = NULL;
}

int ask_finish_now(struct source_fetch *fetch)
{
    struct ask *ask = fetch->state;

    fetch->result = ask->result;
    ask->result = NULL;
    ask_drop(fetch);
    return 1;
}

static void ask_end(struct ask *ask, int result, const struct err_info *err)
{
    struct source_fetch *fetch = ask->fetch;
    struct net_loop *loop = ask->loop;
    struct err_info named = {0};

    fetch->has_heard = ask->http.has_heard;
    if (result < 0) {
        named = *err;
        err_prefix(&named, "%s: ", source_name(fetch->source));
    } else {
        fetch->result = ask->result;
        ask->result = NULL;
    }
    ask_drop(fetch);
    net_loop_end(loop, &fetch->op, result, &named);
}

static void on_done(struct http_fetch *http, int result, const struct err_info *err)
{
    struct ask *ask = http->owner;
    struct err_info own = {0};

    if (result < 0) {
        ask_end(ask, result, err);
        return;
    }
    result = ask->on_answer(ask, &own);
    if (result != 0)
        ask_end(ask, result < 0 ? result : 0, &own);
}

int ask_error(const struct ask *ask, struct err_info *reterr)
{
    int err = buf_error(&ask->target) ? buf_error(&ask->target)
              : buf_error(&ask->body) ? buf_error(&ask->body)
                                      : arena_error(&ask->arena);

    if (err == ERR_LIMIT)
        return err_set(reterr, err, "the values of the question are too long");
    return err ? err_set(reterr, err, "not enough memory to ask") : 0;
}

int ask_next(struct ask *ask, const char *method, ask_answer_fn on_answer, struct err_info *reterr)
{
    const struct http_request request = {
        .method = method,
        .target = buf_str(&ask->target),
        .body = ask->body.len ? buf_str(&ask->body) : str_make(NULL, 0),
        .max_answer_bytes = ASK_MAX_ANSWER_BYTES,
    };
    int res = ask_error(ask, reterr);

    ask->on_answer = on_answer;
    ask->http.on_done = on_done;
    ask->http.owner = ask;
    return res < 0 ? res : http_fetch_start(ask->server, ask->loop, &request, &ask->http, reterr);
}

/* ---- answers ---- */

int ask_parse(const struct http_fetch *http, struct json **ret_root, struct err_info *reterr)
{
    struct str body = buf_str(&http->body);
    struct err_info err = {0};

    if (str_starts_with(body, STR_LIT("\xEF\xBB\xBF")))
        body = str_slice(body, 3, SIZE_MAX);
    if (str_is_empty(str_trim(body)))
        return err_set(reterr, ERR_REMOTE, "the answer is empty, where JSON was expected");
    int res = json_parse(body, ASK_MAX_DEPTH, ret_root, &err);
    if (res == ERR_NOMEM)
        return err_set(reterr, res, "not enough memory for the answer");
    return res < 0 ? err_set(reterr, ERR_REMOTE, "the answer is not JSON as it should be, at %s: %s",
                             err.field, err.message)
                   : 0;
}

/* What the server says went wrong, wherever such servers put it. */
static struct str message_of(const struct json *root)
{
    const struct json *status = json_member(root, "status");
    const struct json *error = json_member(root, "error");
    const struct json *const places[] = {json_member(status, "error"), json_member(root, "message"),
                                         json_member(error, "message"), json_member(root, "detail"), error};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (json_text_of(places[i]).len > 0)
            return json_text_of(places[i]);
    }
    return str_make(NULL, 0);
}

/* One short line of it, which can be printed anywhere. */
static void print_excerpt(const struct http_fetch *http, struct buf *buf)
{
    struct json *root = NULL;
    struct str body = buf_str(&http->body), text;

    (void)json_parse(body, ASK_MAX_DEPTH, &root, NULL); /* none: the text itself is the message */
    text = root ? message_of(root) : body;
    utf8_append_clean(buf, utf8_prefix(text, MAX_EXCERPT_BYTES));
    for (size_t i = 0; i < buf->len; i++)
        if (buf->data[i] == '\n' || buf->data[i] == '\t')
            buf->data[i] = ' ';
    json_free(root);
}

int ask_refuse(const struct http_fetch *http, struct err_info *reterr)
{
    struct buf excerpt;

    buf_init(&excerpt, 4 * MAX_EXCERPT_BYTES);
    print_excerpt(http, &excerpt);
    const char *said = excerpt.len ? excerpt.data : "";
    const char *separator = *said ? ": " : "";
    if (http->status == 401 || http->status == 403)
        (void)err_set(reterr, ERR_REMOTE, "it wants another key than the connection's `key` (status %ld)%s%s",
                      http->status, separator, said);
    else if (http->status >= 300 && http->status <= 399)
        (void)err_set(reterr, ERR_REMOTE, "it sends us elsewhere (status %ld), which is not followed",
                      http->status);
    else
        (void)err_set(reterr, ERR_REMOTE, "it answered with status %ld%s%s", http->status, separator, said);
    buf_done(&excerpt);
    return ERR_REMOTE;
}

int ask_wait(struct http_server *server, const struct http_request *request, int64_t deadline_us,
             long *ret_status, struct json **ret_root, struct err_info *reterr)
{
    struct http_fetch http = {0};
    int res = http_fetch_wait(server, request, deadline_us, &http, reterr);

    if (res == 0)
        *ret_status = http.status;
    if (res == 0 && (http.status < 200 || http.status > 299))
        res = ask_refuse(&http, reterr);
    else if (res == 0)
        res = ask_parse(&http, ret_root, reterr);
    http_fetch_end(&http);
    return res;
}

/* ---- rows ---- */

struct columns {
    struct str *names;
    size_t n;
};

/* The column of that name, looked for from where the last one was on: rows are mostly alike. SIZE_MAX if
 * none. */
static size_t column_find(const struct columns *columns, struct str name, size_t from)
{
    for (size_t i = 0; i < columns->n; i++) {
        size_t idx = (from + i) % columns->n;

        if (str_eq(columns->names[idx], name))
            return idx;
    }
    return SIZE_MAX;
}

static int add_columns(struct columns *columns, const struct json *object, struct arena *arena,
                       struct err_info *reterr)
{
    const struct json *value;
    struct str name;
    size_t pos = 0, idx, from = 0;

    while (json_next_member(object, &pos, &name, &value)) {
        idx = column_find(columns, name, from);
        if (idx == SIZE_MAX && columns->n == MAX_COLUMNS)
            return err_set(reterr, ERR_REMOTE, "the rows have more than %d different fields", MAX_COLUMNS);
        if (idx == SIZE_MAX) {
            idx = columns->n++;
            columns->names[idx] = arena_copy(arena, name);
        }
        from = idx + 1;
    }
    return 0;
}

static void fill_row(const struct columns *columns, const struct json *object, struct arena *arena,
                     struct value *values)
{
    const struct json *member;
    struct str name;
    size_t pos = 0, from = 0;

    while (json_next_member(object, &pos, &name, &member)) {
        size_t idx = column_find(columns, name, from);

        values[idx] = value_of_json(member, ASK_MAX_ANSWER_BYTES, arena);
        from = idx + 1;
    }
}

int rows_of_objects(struct source_result *result, const char *const *fixed, size_t n_fixed,
                    const struct json *const *objects, size_t n, struct value **ret_values,
                    struct err_info *reterr)
{
    struct arena *arena = &result->arena;
    struct columns columns = {arena_calloc(arena, MAX_COLUMNS + n_fixed, sizeof(struct str)), n_fixed};
    int res = 0;

    if (!columns.names)
        return result_error(result, reterr);
    for (size_t i = 0; i < n_fixed; i++)
        columns.names[i] = str_of(fixed[i]);
    for (size_t i = 0; i < n && res == 0; i++)
        res = add_columns(&columns, objects[i], arena, reterr);
    if (res < 0)
        return res;
    result->columns = columns.names;
    result->n_columns = columns.n;
    res = result_make_rows(result, n, ret_values, reterr);
    for (size_t i = 0; i < n && res == 0; i++)
        fill_row(&columns, objects[i], arena, *ret_values + i * columns.n);
    if (res == 0 && arena_error(arena))
        res = result_error(result, reterr);
    if (res == 0)
        result->n_rows = n;
    return res;
}
