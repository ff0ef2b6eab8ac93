/* SPDX-License-Identifier: Apache-2.0
 *
 * /conversations/{session_id}/messages: the turns of a session. Handlers run on workers.
 */
#include "serve/args.h"

#define DEFAULT_LIMIT 50
#define MAX_LIMIT     1000

static int read_turn(const struct args *args, struct turn *ret_turn, struct err_info *reterr)
{
    struct turn turn = {0};
    int rc = args_required_text(args, "role", &turn.role, reterr);

    if (rc == 0)
        rc = args_required_text(args, "content", &turn.content, reterr);
    if (rc == 0)
        rc = args_text(args, "language", &turn.language, reterr);
    if (rc == 0)
        rc = args_text(args, "intent", &turn.intent, reterr);
    if (rc == 0)
        rc = args_object(args, "metadata", &turn.metadata, reterr);
    if (rc == 0)
        rc = args_time(args, "created_at", 0, &turn.created_us, reterr);
    if (rc == 0)
        *ret_turn = turn;
    return rc;
}

int conversation_post(struct request *req, struct err_info *reterr)
{
    struct turn turn;
    struct args args;
    struct scope scope;
    struct str id;
    struct json_writer writer;

    int rc = args_with_scope(req, &args, &scope, reterr);
    if (rc == 0)
        rc = read_turn(&args, &turn, reterr);
    if (rc != 0)
        return rc;
    turn.session = req->args[0];
    rc = conversation_add(req->server->options.memory, &scope, &turn, &req->arena, &id, reterr);
    if (rc < 0)
        return rc;
    reply_start_json(req, 201, &writer);
    json_open_object(&writer);
    json_put_member_text(&writer, "id", id);
    json_close_object(&writer);
    return 0;
}

static void write_turn(struct json_writer *writer, const struct turn *turn)
{
    json_open_object(writer);
    json_put_member_text(writer, "id", turn->id);
    json_put_member_text(writer, "role", turn->role);
    json_put_member_text(writer, "content", turn->content);
    json_put_member_text_or_null(writer, "language", turn->language);
    json_put_member_text_or_null(writer, "intent", turn->intent);
    json_put_member_raw(writer, "metadata", turn->metadata, "{}");
    json_put_member_time(writer, "created_at", turn->created_us);
    json_close_object(writer);
}

int conversation_get(struct request *req, struct err_info *reterr)
{
    struct turn *turns;
    struct scope scope;
    int64_t limit = DEFAULT_LIMIT;
    size_t n;
    struct json_writer writer;

    int rc = query_scope(req, &scope, reterr);
    if (rc == 0)
        rc = query_int(req, "limit", 1, MAX_LIMIT, DEFAULT_LIMIT, &limit, reterr);
    if (rc == 0)
        rc = conversation_list(req->server->options.memory, &scope, req->args[0], (size_t)limit,
                               query_text(req, "before"), &req->arena, &turns, &n, reterr);
    if (rc < 0)
        return rc;
    reply_start_list(req, "messages", &writer);
    for (size_t i = 0; i < n; i++)
        write_turn(&writer, &turns[i]);
    json_close_array(&writer);
    json_close_object(&writer);
    return 0;
}
