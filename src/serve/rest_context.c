/* SPDX-License-Identifier: Apache-2.0
 *
 * POST /v1/context. What the cache has is answered on the front thread: one copy of the finished JSON, no
 * wait. What can be built from memory alone is computed; the rest is built by a worker from the same, already
 * read request.
 */
#include "serve/args.h"

/* Parsing more than this would hold up the other connections of a front thread. */
#define PEEK_MAX_BODY_BYTES (32 * 1024)

static int read_request(struct request *req, struct err_info *reterr)
{
    if (req->has_context)
        return 0;
    int rc = body_parse(req, reterr);
    if (rc != 0)
        return rc;
    rc = build_request_from_json(req->json, &req->arena, &req->context, reterr);
    if (rc < 0)
        return rc;
    req->context.tenant = req->caller.tenant;
    req->context.request_id = str_of(req->id);
    req->context.bytes = buf_str(&req->body);
    req->context.asked_us = req->asked_us; /* what it waits for a worker counts */
    req->has_context = true;
    return 0;
}

static void release_answer(void *answer)
{
    build_answer_unref(answer);
}

/* The text alone; its counts go into headers. Takes the outcome's reference. */
static void reply_text(struct request *req, const struct build_outcome *outcome, const char *content_type)
{
    const struct build_answer *answer = outcome->answer;

    reply_borrow(req, 200, content_type, answer->context, release_answer, outcome->answer);
    reply_add_header(&req->reply, "Precis-Tokens", "%lld", (long long)answer->tokens);
    reply_add_header(&req->reply, "Precis-Complete", "%s", answer->is_complete ? "true" : "false");
    reply_add_header(&req->reply, "Precis-Cache", "%s", build_cache_name(outcome));
}

static void reply_context(struct request *req, struct build_outcome *outcome)
{
    enum head_reply_form form = head_reply_form(&req->head);

    metrics_build(req->server->metrics, outcome);
    if (form != REPLY_JSON) {
        reply_text(req, outcome, form == REPLY_PLAIN ? TYPE_TEXT : TYPE_MARKDOWN);
        return;
    }
    req->reply.status = 200;
    req->reply.content_type = TYPE_JSON;
    build_outcome_write_json(outcome, str_of(req->id), &req->reply.body);
    outcome->answer = build_answer_unref(outcome->answer);
}

int context_peek(struct request *req, struct err_info *reterr)
{
    struct build_outcome outcome;

    if (req->body.len > PEEK_MAX_BODY_BYTES)
        return 1;
    int rc = build_recall(req->server->options.engine, req->caller.tenant, buf_str(&req->body), &outcome);
    if (rc == 0) {
        reply_context(req, &outcome);
        return 0;
    }
    rc = read_request(req, reterr);
    if (rc != 0)
        return rc < 0 ? rc : 0; /* 1: answered already */
    rc = build_peek(req->server->options.engine, &req->context, &outcome, reterr);
    if (rc == 0)
        reply_context(req, &outcome);
    return rc == BUILD_MAY_BE_NOW ? PEEK_COMPUTE : rc;
}

int context_compute(struct request *req, struct err_info *reterr)
{
    struct build_outcome outcome;

    int rc = build_run_now(req->server->options.engine, &req->context, &outcome, reterr);
    if (rc == 0)
        reply_context(req, &outcome);
    return rc;
}

int context_build(struct request *req, struct err_info *reterr)
{
    struct build_outcome outcome;

    int rc = read_request(req, reterr);
    if (rc != 0)
        return rc;
    rc = build_run(req->server->options.engine, &req->context, &outcome, reterr);
    if (rc < 0)
        return rc;
    reply_context(req, &outcome);
    return 0;
}
