/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as what a client sends before the body: the first line is a target, the others are header lines.
 * What is taken holds what the server relies on.
 */
#include "serve/serve_priv.h"

#include "core/utf8.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_uri(const struct uri *uri)
{
    struct str args[ROUTE_MAX_ARGS];
    const struct route *route;
    unsigned allowed;

    assert(uri->n_segments <= URI_MAX_SEGMENTS && uri->n_params <= URI_MAX_PARAMS);
    for (size_t i = 0; i < uri->n_segments; i++)
        assert(utf8_is_valid(uri->segments[i]) && str_find(uri->segments[i], str_make("", 1)) < 0);
    for (size_t i = 0; i < uri->n_params; i++)
        assert(utf8_is_valid(uri->params[i].name) && utf8_is_valid(uri->params[i].value));
    for (int method = 0; method <= METHOD_OTHER; method++)
        if (route_find(uri, (enum http_method)method, &route, args, &allowed) == 0)
            assert(route->path && (int)route->method == method);
}

static void check_target(struct str target)
{
    struct arena arena;
    struct uri uri;
    struct err_info err = {0};

    arena_init(&arena, 1 << 16);
    if (uri_parse(target, &arena, &uri, &err) == 0)
        check_uri(&uri);
    else
        assert(err.message[0]);
    arena_done(&arena);
}

/* Whatever passes is exactly one of the names, with or without a port. */
static void check_host(struct str host)
{
    static const struct host_set set = {.listened = {"127.0.0.1", 9}};
    struct str name, port;

    if (!host_is_allowed(&set, host))
        return;
    assert(host_split(host, &name, &port) && port.len <= 5);
    assert(str_is(name, "127.0.0.1") || str_is(name, "[::1]") || str_eq_nocase(name, STR_LIT("localhost")));
}

static void check_headers(struct str lines)
{
    struct head head = {.is_http_1_1 = true};
    struct str line, secret;

    while (str_next_part(&lines, '\n', &line)) {
        ptrdiff_t colon = str_find(line, STR_LIT(":"));
        size_t name_len = colon < 0 ? line.len : (size_t)colon;
        head_add(&head, str_slice(line, 0, name_len), str_trim(str_slice(line, name_len + 1, SIZE_MAX)));
    }
    if (head_check(&head, NULL) == 0) {
        assert(head.n_host == 1 && !(head.n_content_length && head.n_transfer_encoding));
        assert(!head.is_chunked || head.body_bytes == 0);
    }
    (void)head_reply_form(&head);
    if (head_id_is_good(head.request_id))
        assert(head.request_id.len < SERVE_ID_SIZE);
    if (auth_bearer(head.authorization, &secret))
        assert(secret.len > 0);
    check_host(head.host);
    if (host_origin_is_allowed(&(struct host_set){.listened = {"127.0.0.1", 9}}, head.origin))
        assert(head.origin.len > strlen("http://"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str lines = str_make((const char *)data, size);
    struct str target;

    if (size && str_next_part(&lines, '\n', &target)) {
        check_target(target);
        check_headers(lines);
    }
    return 0;
}
