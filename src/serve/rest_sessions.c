/* SPDX-License-Identifier: Apache-2.0
 *
 * /v1/sessions: what an assistant keeps while a session is under way. Handlers run on workers.
 */
#include "memory/session.h"

#include "serve/args.h"

#define WAIT_US (2 * US_PER_SEC) /* for a shared tier */

static int64_t deadline_of(const struct request *req)
{
    return clock_mono_us(req->server->options.clock) + WAIT_US;
}

static int no_session(struct err_info *reterr)
{
    return err_set_field(reterr, ERR_NOT_FOUND, "id", "there is no session with this id");
}

static int reply_session(struct request *req, const struct scope *scope, struct err_info *reterr)
{
    struct session session;
    struct json_writer writer;

    int rc = session_get(req->server->options.sessions, scope, req->args[0], deadline_of(req), &req->arena,
                         &session, reterr);
    if (rc != 0)
        return rc < 0 ? rc : no_session(reterr);
    reply_start_json(req, 200, &writer);
    json_open_object(&writer);
    json_put_member_text(&writer, "id", req->args[0]);
    json_put_member_text(&writer, "user_id", scope->user);
    json_put_name(&writer, "fields");
    json_open_object(&writer);
    for (size_t i = 0; i < session.n_fields; i++) {
        json_put_name_str(&writer, session.fields[i].name);
        json_put_raw(&writer, session.fields[i].value);
    }
    json_close_object(&writer);
    json_put_member_int(&writer, "expires_in", (session.left_us + US_PER_SEC - 1) / US_PER_SEC);
    json_close_object(&writer);
    return 0;
}

int session_one_get(struct request *req, struct err_info *reterr)
{
    struct scope scope;
    int rc = query_scope(req, &scope, reterr);
    return rc < 0 ? rc : reply_session(req, &scope, reterr);
}

/* Member `fields`; null becomes "" where it removes. */
static int read_fields(const struct args *args, bool is_merge, struct session_field **ret_fields,
                       size_t *ret_n, struct err_info *reterr)
{
    const struct json *object = json_member(args->object, "fields"), *node;
    struct str name;

    if (json_kind_of(object) != JSON_KIND_OBJECT)
        return err_set_field(reterr, ERR_INVALID, "fields", "fields must be an object");
    size_t n = json_count(object);
    if (n > SESSION_MAX_FIELDS)
        return err_set_field(reterr, ERR_LIMIT, "fields", "a session holds at most %d fields",
                             SESSION_MAX_FIELDS);
    struct session_field *fields = arena_calloc(args->arena, n + 1, sizeof *fields);
    if (!fields)
        return err_set(reterr, arena_error(args->arena), "out of memory");
    n = 0;
    for (size_t pos = 0; json_next_member(object, &pos, &name, &node); n++) {
        struct buf text;
        buf_init(&text, SESSION_MAX_VALUE_BYTES + 1);
        if (!is_merge || json_kind_of(node) != JSON_KIND_NULL)
            json_print(node, &text);
        int rc = buf_error(&text);
        fields[n] = (struct session_field){name, arena_copy(args->arena, buf_str(&text))};
        buf_done(&text);
        if (rc < 0)
            return err_set_field(reterr, rc, "fields", "a field has at most %d KB",
                                 SESSION_MAX_VALUE_BYTES / 1024);
    }
    *ret_fields = fields;
    *ret_n = n;
    return arena_error(args->arena) ? err_set(reterr, arena_error(args->arena), "out of memory") : 0;
}

static int read_ttl(const struct args *args, int64_t *ret_us, struct err_info *reterr)
{
    double seconds;
    int rc = args_real(args, "ttl", (double)(SESSION_DEFAULT_TTL_US / US_PER_SEC), &seconds, reterr);
    if (rc == 0 && !(seconds >= 1 && seconds <= (double)(SESSION_MAX_TTL_US / US_PER_SEC)))
        return err_set_field(reterr, ERR_INVALID, "ttl", "ttl must lie between 1 and %lld seconds",
                             (long long)(SESSION_MAX_TTL_US / US_PER_SEC));
    *ret_us = rc == 0 ? (int64_t)(seconds * 1e6) : 0;
    return rc;
}

static int set_session(struct request *req, bool is_merge, struct err_info *reterr)
{
    struct session_field *fields = NULL;
    struct args args;
    struct scope scope;
    size_t n = 0;
    int64_t ttl_us = 0;

    int rc = args_with_scope(req, &args, &scope, reterr);
    if (rc == 0)
        rc = read_fields(&args, is_merge, &fields, &n, reterr);
    if (rc == 0)
        rc = read_ttl(&args, &ttl_us, reterr);
    if (rc != 0)
        return rc;
    rc = (is_merge ? session_merge : session_put)(req->server->options.sessions, &scope, req->args[0], fields,
                                                  n, ttl_us, deadline_of(req), reterr);
    if (rc != 0)
        return rc < 0 ? rc : no_session(reterr);
    return reply_session(req, &scope, reterr);
}

int session_one_put(struct request *req, struct err_info *reterr)
{
    return set_session(req, false, reterr);
}

int session_one_patch(struct request *req, struct err_info *reterr)
{
    return set_session(req, true, reterr);
}

int session_one_delete(struct request *req, struct err_info *reterr)
{
    struct scope scope;
    int rc = query_scope(req, &scope, reterr);
    if (rc == 0)
        rc = session_delete(req->server->options.sessions, &scope, req->args[0], deadline_of(req), reterr);
    if (rc != 0)
        return rc < 0 ? rc : no_session(reterr);
    reply_deleted(req, "id", req->args[0]);
    return 0;
}
