/* SPDX-License-Identifier: Apache-2.0
 *
 * Which requests are counted, and as whose: those that need a key, by tenant, user and route. A front thread
 * counts for this process; where all servers count together, a worker asks the shared tier, too.
 */
#include "serve/args.h"

#include <stdio.h>

/* As for peeking: reading more than this is left to a worker. */
#define MAX_FRONT_BODY_BYTES (32 * 1024)

/* user_id of the query or the body, also among a recipe's parameters; "" when none is named. A body that
 * cannot be read is its handler's matter. */
static struct str user_of(struct request *req)
{
    char number[24];
    struct str user = query_text(req, "user_id");

    if (user.ptr || !req->route->takes_body)
        return user;
    if (!req->json && json_parse(buf_str(&req->body), SERVE_MAX_JSON_DEPTH, &req->json, NULL) < 0)
        return (struct str){NULL, 0};
    if (json_kind_of(req->json) != JSON_KIND_OBJECT) { /* the handler has a word for that, too */
        req->json = json_free(req->json);
        return (struct str){NULL, 0};
    }
    const struct json *node = json_member(req->json, "user_id");
    if (!node)
        node = json_member(json_member(req->json, "params"), "user_id");
    if (json_kind_of(node) != JSON_KIND_INT)
        return json_text_of(node);
    (void)snprintf(number, sizeof number, "%lld", (long long)json_int_of(node));
    return arena_copy(&req->arena, str_of(number));
}

static struct limit_subject subject_of(struct request *req)
{
    return (struct limit_subject){
        .tenant = req->caller.tenant, .user = user_of(req), .route = str_of(req->route->path)};
}

static bool is_limited(const struct request *req)
{
    const struct route *route = req->route;
    return req->server->limiter && route->scope != 0 && !route->is_open_on_loopback;
}

/* 0 or ERR_LIMIT with the reply. */
static int settle(struct request *req)
{
    const struct limit_verdict *verdict = &req->verdict;
    struct limit_rate rate = limiter_rate(req->server->limiter);

    req->has_verdict = true;
    if (verdict->is_allowed)
        return 0;
    reply_error(req, 429, "rate_limited", NULL,
                "one user may make %lld requests of this kind in %lld s; the next in %.2f s",
                (long long)rate.n, (long long)(rate.period_us / US_PER_SEC), (double)verdict->wait_us / 1e6);
    return ERR_LIMIT;
}

int request_limit(struct request *req)
{
    if (!is_limited(req))
        return 0;
    if (req->body.len > MAX_FRONT_BODY_BYTES)
        return 1;
    struct limit_subject subject = subject_of(req);
    req->verdict = limiter_count(req->server->limiter, &subject);
    if (!req->verdict.is_allowed || !limiter_is_shared(req->server->limiter))
        return settle(req);
    req->has_verdict = true; /* this process's; a worker asks for that of all */
    return 1;
}

int request_limit_wait(struct request *req)
{
    struct limiter *limiter = req->server->limiter;
    struct limit_subject subject = subject_of(req);

    if (!req->has_verdict)
        req->verdict = limiter_count(limiter, &subject);
    if (req->verdict.is_allowed && limiter_is_shared(limiter))
        req->verdict = limiter_count_shared(limiter, &subject, req->verdict);
    return settle(req);
}
