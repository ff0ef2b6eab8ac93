/* SPDX-License-Identifier: Apache-2.0
 *
 * What turns a request away before anybody works on it: its framing, its target, the names it calls us by,
 * its route, and what that route takes. Runs on whichever thread has the request; waits for nothing.
 */
#include "serve/check.h"

#include "serve/args.h"

#include <stdio.h>

/* The message itself: framing and target. False when refused. */
static bool check_message(struct request *req)
{
    struct err_info err = {0};

    if (head_check(&req->head, &err) < 0) {
        req->head.has_body = true; /* where it would end nobody knows: answer now and close */
        req->must_close = true;
        reply_error(req, 400, "bad_request", NULL, "%s", err.message);
        return false;
    }
    if (req->is_target_lost) {
        err.code = ERR_NOMEM;
        reply_failure(req, ERR_NOMEM, &err);
        return false;
    }
    if (req->target.len > SERVE_MAX_TARGET_BYTES) {
        reply_error(req, 414, "uri_too_long", NULL, "the URL is longer than %d bytes",
                    SERVE_MAX_TARGET_BYTES);
        return false;
    }
    int rc = uri_parse(req->target, &req->arena, &req->uri, &err);
    if (rc == ERR_INVALID)
        reply_error(req, 400, "bad_request", NULL, "%s", err.message);
    else if (rc < 0)
        reply_failure(req, rc, &err);
    return rc == 0;
}

static bool check_origin(struct request *req)
{
    const struct host_set *hosts = &req->server->hosts;
    const struct head *head = &req->head;

    bool is_host_good = (head->n_host == 0 || host_is_allowed(hosts, head->host)) &&
                        (req->uri.authority.len == 0 || host_is_allowed(hosts, req->uri.authority));
    if (!is_host_good)
        reply_error(req, 403, err_name(ERR_FORBIDDEN), NULL, "this server does not answer to that Host");
    else if (head->n_origin && !host_origin_is_allowed(hosts, head->origin))
        reply_error(req, 403, err_name(ERR_FORBIDDEN), NULL,
                    "this server does not answer pages of that Origin");
    else
        return true;
    return false;
}

static void add_allow(struct request *req, unsigned allowed)
{
    char names[64] = "";
    size_t len = 0;

    for (int method = 0; method < N_METHODS; method++)
        if (allowed & 1u << method)
            len += (size_t)snprintf(names + len, sizeof names - len, "%s%s%s", len ? ", " : "",
                                    route_method_name((enum http_method)method),
                                    method == METHOD_GET ? ", HEAD" : "");
    reply_add_header(&req->reply, "Allow", "%s", names);
}

static bool find_route(struct request *req)
{
    unsigned allowed;
    int rc = route_find(&req->uri, req->method, &req->route, req->args, &allowed);

    if (rc == ERR_NOT_FOUND)
        reply_error(req, 404, err_name(ERR_NOT_FOUND), NULL,
                    "there is nothing at this path; see /openapi.json");
    else if (rc < 0) {
        reply_error(req, 405, "method_not_allowed", NULL, "this path does not take this method");
        add_allow(req, allowed);
    }
    return rc == 0;
}

bool check_shape(struct request *req)
{
    const struct head *head = &req->head;
    struct err_info err = {0};

    int rc = query_check(req, &err);
    if (rc < 0)
        reply_failure(req, rc, &err);
    else if (head->has_body && !req->route->takes_body)
        reply_error(req, 400, "bad_request", NULL, "this route takes no body");
    else if (head->body_bytes > req->server->options.max_body_bytes)
        reply_error(req, 413, err_name(ERR_LIMIT), NULL, "the body is larger than %zu bytes",
                    req->server->options.max_body_bytes);
    else if (str_eq_nocase(str_slice(head->content_type, 0, 10), STR_LIT("multipart/")))
        reply_error(req, 415, "unsupported_media_type", NULL, "the body must be JSON, not a form with parts");
    else
        return true;
    return false;
}

bool check_head(struct request *req)
{
    return check_message(req) && check_origin(req) && find_route(req);
}
