/* SPDX-License-Identifier: Apache-2.0
 *
 * The one table of routes: what exists, who may call it, what it takes, who answers. docs/openapi.json
 * describes the same set, and a test holds the two together.
 */
#include "serve/serve_priv.h"

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *const no_names[] = {NULL};

/* Literal paths stand before patterns that would also take them. */
const struct route serve_routes[] = {
    {METHOD_POST, "/v1/context", KEY_READ, .may_wait = true, .takes_body = true, .params = no_names,
     .on_peek = context_peek, .on_compute = context_compute, .on_request = context_build},
    {METHOD_GET, "/v1/recipes", KEY_READ, .params = no_names, .on_request = recipes_list},
    {METHOD_GET, "/v1/recipes/{name}", KEY_READ, .params = no_names, .on_request = recipes_show},

    {METHOD_POST, "/memory/add", KEY_WRITE, .may_wait = true, .takes_body = true, .params = no_names,
     .members =
         NAMES("content", "tags", "source", "user_id", "metadata", "created_at", "importance", "items"),
     .on_request = memory_add_post},
    {METHOD_GET, "/memory/search", KEY_READ, .may_wait = true,
     .params = NAMES("query", "limit", "user_id", "tags", "source", "mode", "min_score", "since", "until",
                     "explain"),
     .on_compute = memory_search_compute, .on_request = memory_search_get},
    {METHOD_POST, "/memory/forget", KEY_WRITE, .may_wait = true, .takes_body = true, .params = no_names,
     .members = NAMES("ids", "tags", "source", "before", "contains", "user_id", "dry_run"),
     .on_request = memory_forget_post},
    {METHOD_GET, "/memory", KEY_READ, .may_wait = true, .params = NAMES("user_id", "limit", "cursor"),
     .on_request = memory_list_get},
    {METHOD_GET, "/memory/{id}", KEY_READ, .may_wait = true, .params = no_names,
     .on_request = memory_item_get},
    {METHOD_PATCH, "/memory/{id}", KEY_WRITE, .may_wait = true, .takes_body = true, .params = no_names,
     .members = NAMES("content", "tags", "source", "metadata", "importance"),
     .on_request = memory_item_patch},
    {METHOD_DELETE, "/memory/{id}", KEY_WRITE, .may_wait = true, .params = no_names,
     .on_request = memory_item_delete},

    {METHOD_POST, "/conversations/{session_id}/messages", KEY_WRITE, .may_wait = true, .takes_body = true,
     .params = no_names,
     .members = NAMES("role", "content", "language", "intent", "metadata", "created_at", "user_id"),
     .on_request = conversation_post},
    {METHOD_GET, "/conversations/{session_id}/messages", KEY_READ, .may_wait = true,
     .params = NAMES("limit", "before", "user_id"), .on_request = conversation_get},

    {METHOD_POST, "/preferences/set", KEY_WRITE, .may_wait = true, .takes_body = true, .params = no_names,
     .members = NAMES("key", "value", "category", "user_id"), .on_request = preference_post},
    {METHOD_GET, "/preferences/get", KEY_READ, .may_wait = true, .params = NAMES("key", "user_id"),
     .on_request = preference_one_get},
    {METHOD_GET, "/preferences", KEY_READ, .may_wait = true, .params = NAMES("category", "user_id"),
     .on_request = preference_all_get},
    {METHOD_DELETE, "/preferences", KEY_WRITE, .may_wait = true, .params = NAMES("key", "user_id"),
     .on_request = preference_named_delete},
    {METHOD_DELETE, "/preferences/{key}", KEY_WRITE, .may_wait = true, .params = NAMES("user_id"),
     .on_request = preference_path_delete},

    {METHOD_GET, "/v1/sessions/{id}", KEY_READ, .may_wait = true, .params = NAMES("user_id"),
     .on_request = session_one_get},
    {METHOD_PUT, "/v1/sessions/{id}", KEY_WRITE, .may_wait = true, .takes_body = true, .params = no_names,
     .members = NAMES("user_id", "fields", "ttl"), .on_request = session_one_put},
    {METHOD_PATCH, "/v1/sessions/{id}", KEY_WRITE, .may_wait = true, .takes_body = true, .params = no_names,
     .members = NAMES("user_id", "fields", "ttl"), .on_request = session_one_patch},
    {METHOD_DELETE, "/v1/sessions/{id}", KEY_WRITE, .may_wait = true, .params = NAMES("user_id"),
     .on_request = session_one_delete},

    {METHOD_GET, "/cache/stats", KEY_READ, .params = no_names, .on_request = cache_stats_get},
    {METHOD_DELETE, "/cache/clear", KEY_WRITE, .may_wait = true, .params = NAMES("all"),
     .on_request = cache_clear_delete},

    {METHOD_GET, "/healthz", 0, .params = no_names, .on_request = health_live_get},
    {METHOD_GET, "/readyz", 0, .may_wait = true, .params = no_names, .on_request = health_ready_get},
    {METHOD_GET, "/metrics", KEY_READ, .is_open_on_loopback = true, .may_wait = true, .params = no_names,
     .on_request = metrics_get},
    {METHOD_GET, "/openapi.json", 0, .params = no_names, .on_request = openapi_get},
    {METHOD_GET, "/", 0, .params = no_names, .on_request = hello_get},
    {.path = NULL},
};

static const char *const method_names[N_METHODS] = {
    [METHOD_GET] = "GET",     [METHOD_POST] = "POST",     [METHOD_PUT] = "PUT",
    [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE",
};

const char *route_method_name(enum http_method method)
{
    return method < N_METHODS ? method_names[method] : "";
}

enum http_method route_method_of(const char *name, bool *ret_is_head)
{
    *ret_is_head = strcmp(name, "HEAD") == 0;
    if (*ret_is_head)
        return METHOD_GET;
    for (int method = 0; method < N_METHODS; method++)
        if (strcmp(name, method_names[method]) == 0)
            return (enum http_method)method;
    return METHOD_OTHER;
}

bool route_path_matches(const char *pattern, const struct uri *uri, struct str ret_args[ROUTE_MAX_ARGS])
{
    struct str rest = str_slice(str_of(pattern), 1, SIZE_MAX);
    struct str part;
    size_t n = 0, n_args = 0;

    while (str_next_part(&rest, '/', &part)) {
        if (n == uri->n_segments)
            return false;
        struct str segment = uri->segments[n++];
        if (part.len && part.ptr[0] == '{') {
            if (segment.len == 0 || n_args == ROUTE_MAX_ARGS)
                return false;
            ret_args[n_args++] = segment;
        } else if (!str_eq(part, segment)) {
            return false;
        }
    }
    return n == uri->n_segments;
}

int route_find(const struct uri *uri, enum http_method method, const struct route **ret_route,
               struct str ret_args[ROUTE_MAX_ARGS], unsigned *ret_allowed)
{
    unsigned allowed = 0;
    bool is_literal = false; /* "/memory/add" is never a memory named add, whatever the method */

    for (const struct route *route = serve_routes; route->path; route++) {
        bool is_pattern = strchr(route->path, '{') != NULL;
        if ((is_literal && is_pattern) || !route_path_matches(route->path, uri, ret_args))
            continue;
        is_literal = !is_pattern;
        if (route->method == method) {
            *ret_route = route;
            return 0;
        }
        allowed |= 1u << route->method;
    }
    *ret_allowed = allowed;
    return allowed ? ERR_UNSUPPORTED : ERR_NOT_FOUND;
}
