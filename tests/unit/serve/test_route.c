/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of routes: what matches, what a path takes, and that docs/openapi.json says the same, both ways.
 */
#include "core/embed.h"
#include "serve/serve_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

extern const struct embedded_file serve_documents[];

static struct uri uri_of(struct arena *arena, const char *target)
{
    struct uri uri;
    assert_int_equal(uri_parse(str_of(target), arena, &uri, NULL), 0);
    return uri;
}

static int find(enum http_method method, const char *target, const struct route **ret_route,
                struct str args[ROUTE_MAX_ARGS], unsigned *ret_allowed)
{
    struct arena arena;
    arena_init(&arena, 4096);
    struct uri uri = uri_of(&arena, target);
    int rc = route_find(&uri, method, ret_route, args, ret_allowed);
    arena_done(&arena);
    return rc;
}

static void literal_paths_win_over_patterns(void **state)
{
    (void)state;
    const struct route *route;
    struct str args[ROUTE_MAX_ARGS];
    unsigned allowed;
    assert_int_equal(find(METHOD_GET, "/memory/search", &route, args, &allowed), 0);
    assert_string_equal(route->path, "/memory/search");
    assert_int_equal(find(METHOD_GET, "/memory/mem_1", &route, args, &allowed), 0);
    assert_string_equal(route->path, "/memory/{id}");
    assert_true(str_is(args[0], "mem_1"));
    assert_int_equal(find(METHOD_DELETE, "/preferences/tone", &route, args, &allowed), 0);
    assert_true(str_is(args[0], "tone"));
    assert_int_equal(find(METHOD_GET, "/memory/add", &route, args, &allowed), ERR_UNSUPPORTED);
    assert_int_equal(allowed, 1u << METHOD_POST);
    assert_int_equal(find(METHOD_DELETE, "/preferences/set", &route, args, &allowed), ERR_UNSUPPORTED);
}

static void another_method_names_those_allowed(void **state)
{
    (void)state;
    const struct route *route;
    struct str args[ROUTE_MAX_ARGS];
    unsigned allowed = 0;
    assert_int_equal(find(METHOD_PUT, "/memory/mem_1", &route, args, &allowed), ERR_UNSUPPORTED);
    assert_int_equal(allowed, 1u << METHOD_GET | 1u << METHOD_PATCH | 1u << METHOD_DELETE);
    assert_int_equal(find(METHOD_OTHER, "/healthz", &route, args, &allowed), ERR_UNSUPPORTED);
    assert_int_equal(allowed, 1u << METHOD_GET);
}

static void unknown_paths_are_not_found(void **state)
{
    (void)state;
    static const char *const bad[] = {"/memory/",
                                      "/memory/a/b",
                                      "//memory",
                                      "/Memory",
                                      "/v1",
                                      "/v1/context/",
                                      "/conversations//messages",
                                      "/conversations/a/b/messages",
                                      "/healthz/x",
                                      "/a/b/c/d/e/f/g/h/i"};
    const struct route *route;
    struct str args[ROUTE_MAX_ARGS];
    unsigned allowed;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (int method = 0; method <= METHOD_OTHER; method++)
            assert_int_equal(find((enum http_method)method, bad[i], &route, args, &allowed), ERR_NOT_FOUND);
}

static void methods_are_read_exactly(void **state)
{
    (void)state;
    bool is_head;
    assert_int_equal(route_method_of("GET", &is_head), METHOD_GET);
    assert_false(is_head);
    assert_int_equal(route_method_of("HEAD", &is_head), METHOD_GET);
    assert_true(is_head);
    assert_int_equal(route_method_of("get", &is_head), METHOD_OTHER);
    assert_int_equal(route_method_of("TRACE", &is_head), METHOD_OTHER);
    assert_int_equal(route_method_of("", &is_head), METHOD_OTHER);
}

/* Whoever adds a route has to say who may call it; only these are open to everybody. */
static void only_the_named_routes_are_open(void **state)
{
    (void)state;
    static const char *const open[] = {"/healthz", "/readyz", "/openapi.json", "/"};
    for (const struct route *route = serve_routes; route->path; route++) {
        bool is_named = false;
        for (size_t i = 0; i < sizeof open / sizeof *open; i++)
            is_named = is_named || strcmp(route->path, open[i]) == 0;
        assert_int_equal(route->scope == 0, is_named);
        if (route->method != METHOD_GET && strcmp(route->path, "/v1/context") != 0)
            assert_int_equal(route->scope, KEY_WRITE);
        if (route->is_open_on_loopback)
            assert_string_equal(route->path, "/metrics");
    }
}

/* ---- the OpenAPI document ---- */

static struct json *document(void)
{
    struct json *root = NULL;
    struct err_info err = {0};
    if (json_parse(embedded_text(&serve_documents[0]), 32, &root, &err) < 0)
        fail_msg("openapi.json:%s: %s", err.field, err.message);
    return root;
}

static enum http_method method_in_document(struct str name)
{
    for (int method = 0; method < N_METHODS; method++)
        if (str_eq_nocase(name, str_of(route_method_name((enum http_method)method))))
            return (enum http_method)method;
    return METHOD_OTHER;
}

static const struct json *operation_of(const struct json *root, const struct route *route)
{
    struct str name;
    const struct json *value;
    const struct json *path = json_member(json_member(root, "paths"), route->path);
    for (size_t pos = 0; json_next_member(path, &pos, &name, &value);)
        if (method_in_document(name) == route->method)
            return value;
    fail_msg("openapi.json lacks %s %s", route_method_name(route->method), route->path);
    return NULL;
}

static bool is_param_documented(const struct json *operation, const char *where, const char *param)
{
    const struct json *params = json_member(operation, "parameters");
    for (size_t i = 0; i < json_count(params); i++)
        if (str_is(json_text_of(json_member(json_at(params, i), "in")), where) &&
            str_is(json_text_of(json_member(json_at(params, i), "name")), param))
            return true;
    return false;
}

static size_t count_params(const struct json *operation, const char *where)
{
    const struct json *params = json_member(operation, "parameters");
    size_t n = 0;
    for (size_t i = 0; i < json_count(params); i++)
        n += str_is(json_text_of(json_member(json_at(params, i), "in")), where);
    return n;
}

static void every_route_is_documented_with_its_parameters(void **state)
{
    (void)state;
    struct json *root = document();
    for (const struct route *route = serve_routes; route->path; route++) {
        const struct json *operation = operation_of(root, route);
        size_t n = 0;
        for (; route->params[n]; n++)
            if (!is_param_documented(operation, "query", route->params[n]))
                fail_msg("openapi.json lacks %s of %s", route->params[n], route->path);
        assert_int_equal(count_params(operation, "query"), n);
        assert_int_equal(json_member(operation, "requestBody") != NULL, route->takes_body);
        const struct json *security = json_member(operation, "security");
        assert_int_equal(security && json_count(security) == 0, route->scope == 0);
    }
    json_free(root);
}

static bool is_in_table(struct str path, struct str method)
{
    for (const struct route *route = serve_routes; route->path; route++)
        if (str_is(path, route->path) && method_in_document(method) == route->method)
            return true;
    return false;
}

static void every_documented_operation_is_in_the_table(void **state)
{
    (void)state;
    struct json *root = document();
    struct str path, method;
    const struct json *methods, *operation;
    size_t n = 0, n_routes = 0;
    for (size_t i = 0; json_next_member(json_member(root, "paths"), &i, &path, &methods);)
        for (size_t k = 0; json_next_member(methods, &k, &method, &operation); n++)
            if (!is_in_table(path, method))
                fail_msg("no route for %.*s %.*s", STR_ARG(method), STR_ARG(path));
    while (serve_routes[n_routes].path)
        n_routes++;
    assert_int_equal(n, n_routes);
    json_free(root);
}

/* "#/components/schemas/X" of a body, or the first two of a oneOf: where the route's members
 * must be found. */
static bool schema_has(const struct json *root, const struct json *schema, const char *member)
{
    const struct json *alternatives = json_member(schema, "oneOf");
    for (size_t i = 0; i < json_count(alternatives); i++)
        if (schema_has(root, json_at(alternatives, i), member))
            return true;
    struct str ref = json_text_of(json_member(schema, "$ref"));
    const struct json *schemas = json_member(json_member(root, "components"), "schemas");
    char name[64];
    struct str bare = str_slice(ref, strlen("#/components/schemas/"), sizeof name - 1);
    (void)snprintf(name, sizeof name, "%.*s", STR_ARG(bare));
    return json_member(json_member(json_member(schemas, name), "properties"), member) != NULL;
}

static void every_body_member_is_documented(void **state)
{
    (void)state;
    struct json *root = document();
    for (const struct route *route = serve_routes; route->path; route++) {
        if (!route->members)
            continue;
        const struct json *body = json_member(operation_of(root, route), "requestBody");
        const struct json *content = json_member(json_member(body, "content"), "application/json");
        const struct json *schema = json_member(content, "schema");
        for (const char *const *member = route->members; *member; member++)
            if (!schema_has(root, schema, *member))
                fail_msg("openapi.json lacks member %s of %s", *member, route->path);
    }
    json_free(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literal_paths_win_over_patterns),
        cmocka_unit_test(another_method_names_those_allowed),
        cmocka_unit_test(unknown_paths_are_not_found),
        cmocka_unit_test(methods_are_read_exactly),
        cmocka_unit_test(only_the_named_routes_are_open),
        cmocka_unit_test(every_route_is_documented_with_its_parameters),
        cmocka_unit_test(every_documented_operation_is_in_the_table),
        cmocka_unit_test(every_body_member_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
