/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of a running server share: a store in a folder of its own, a server over it on a free
 * loopback port, and a client that sends bytes as they are given.
 */
#ifndef PRECIS_TESTS_SERVE_FIXTURE_H
#define PRECIS_TESTS_SERVE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../temp_folder.h"
#include "core/json.h"
#include "memory/session.h"
#include "net/workers.h"
#include "serve/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIXTURE_MAX_BODY (64 * 1024)

static const char fixture_recipe[] = "recipe: greeting\n"
                                     "about: Says hello\n"
                                     "params:\n"
                                     "  user_id: { type: text, required: true }\n"
                                     "budget: { tokens: 400, max: 1000, tokenizer: approx }\n"
                                     "cache: { ttl: 5m }\n"
                                     "sections:\n"
                                     "  - name: hello\n"
                                     "    title: Hello\n"
                                     "    from: text\n"
                                     "    text: \"Good day to you, {user_id}.\"\n";

struct fixture {
    char folder[TEMP_FOLDER_SIZE];
    struct store *store;
    struct memory *memory;
    struct workers *workers;
    struct sessions *sessions;
    struct source_env env;
    struct recipe *recipes[1];
    struct recipe_book book;
    struct build_engine *engine;
    struct serve_options options;
    struct server *server;
    int port;
    struct arena arena; /* of a test's results */
};

static inline void fixture_must(int rc, const struct err_info *err)
{
    if (rc < 0)
        fail_msg("%s: %s", err->field, err->message);
}

static inline void fixture_start(struct fixture *fixture)
{
    struct err_info err = {0};
    fixture_must(server_start(&fixture->options, &fixture->server, &err), &err);
    const char *colon = strrchr(server_address(fixture->server), ':');
    fixture->port = (int)strtol(colon + 1, NULL, 10);
}

static inline struct fixture *fixture_new(void)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct err_info err = {0};
    char url[96];

    assert_non_null(fixture);
    assert_true(temp_folder_make("/tmp", fixture->folder));
    (void)snprintf(url, sizeof url, "sqlite:%s/precis.db", fixture->folder);
    arena_init(&fixture->arena, 64 * 1024 * 1024);
    struct store_options store = {.url = url, .may_create = true, .clock = &clock_system};
    fixture_must(store_open(&store, &fixture->store, &err), &err);
    fixture_must(memory_new(fixture->store, &clock_system, NULL, &fixture->memory, &err), &err);
    fixture_must(workers_new("gather", 2, 64, &fixture->workers, &err), &err);
    fixture_must(sessions_new(NULL, &clock_system, &fixture->sessions, &err), &err);
    fixture->env = (struct source_env){fixture->memory, fixture->workers, &clock_system};
    fixture_must(
        recipe_load(str_of(fixture_recipe), "greeting.yaml", NULL, 0, &fixture->recipes[0], NULL, &err),
        &err);
    fixture->book = (struct recipe_book){.recipes = fixture->recipes, .n = 1};
    struct build_options build = {.env = &fixture->env,
                                  .recipes = &fixture->book,
                                  .max_cache_bytes = 1024 * 1024,
                                  .max_cache_entries = 100,
                                  .cache_ttl_us = -1};
    fixture_must(build_engine_new(&build, &fixture->engine, &err), &err);
    fixture->options = (struct serve_options){.listen = "127.0.0.1:0",
                                              .engine = fixture->engine,
                                              .memory = fixture->memory,
                                              .sessions = fixture->sessions,
                                              .store = fixture->store,
                                              .recipes = &fixture->book,
                                              .clock = &clock_system,
                                              .n_front_threads = 2,
                                              .n_workers = 4,
                                              .max_body_bytes = FIXTURE_MAX_BODY};
    return fixture;
}

static inline int fixture_setup(void **state)
{
    struct fixture *fixture = fixture_new();
    fixture_start(fixture);
    *state = fixture;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;

    server_stop(fixture->server, 5000);
    build_engine_free(fixture->engine);
    recipe_unref(fixture->recipes[0]);
    workers_free(fixture->workers);
    sessions_free(fixture->sessions);
    memory_free(fixture->memory);
    store_close(fixture->store);
    arena_done(&fixture->arena);
    assert_true(temp_folder_remove(fixture->folder));
    free(fixture);
    return 0;
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

/* ---- a client ---- */

struct answer {
    int status; /* 0: the connection ended without one */
    char head[8192];
    char *body; /* NUL-terminated, in the fixture's arena */
    size_t body_len;
};

static inline int client_connect(const struct fixture *fixture)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)fixture->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec =
                                20}; /* a server that says nothing fails the test instead of hanging it */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

/* False when the server closed meanwhile. */
static inline bool client_send(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* The value of a header, copied; "" if it is not there. */
static inline const char *answer_header(const struct answer *answer, const char *name, char ret_value[256])
{
    size_t name_len = strlen(name);
    ret_value[0] = '\0';
    for (const char *line = strstr(answer->head, "\r\n"); line && line[2]; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, name_len) != 0 || line[2 + name_len] != ':')
            continue;
        const char *value = line + 2 + name_len + 1;
        while (*value == ' ')
            value++;
        size_t len = strcspn(value, "\r");
        (void)snprintf(ret_value, 256, "%.*s", (int)len, value);
        break;
    }
    return ret_value;
}

static inline struct answer client_receive(struct fixture *fixture, int fd, bool is_head)
{
    struct answer answer = {0};
    size_t len = 0;
    char value[256];

    while (len < sizeof answer.head - 1 && !strstr(answer.head, "\r\n\r\n")) {
        if (recv(fd, answer.head + len, 1, 0) != 1)
            return answer;
        len++;
    }
    if (sscanf(answer.head, "HTTP/1.%*d %d", &answer.status) != 1)
        return answer;
    if (answer.status == 100) /* the final answer follows */
        return client_receive(fixture, fd, is_head);
    answer.body_len = is_head ? 0 : strtoul(answer_header(&answer, "Content-Length", value), NULL, 10);
    answer.body = arena_calloc(&fixture->arena, answer.body_len + 1, 1);
    assert_non_null(answer.body);
    for (size_t have = 0; have < answer.body_len;) {
        ssize_t n = recv(fd, answer.body + have, answer.body_len - have, 0);
        if (n <= 0)
            fail_msg("the body ended early");
        have += (size_t)n;
    }
    return answer;
}

static inline bool client_is_closed(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, 0);
    return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* One request on a connection of its own, bytes as given. */
static inline struct answer ask_raw(struct fixture *fixture, const char *data, size_t len)
{
    int fd = client_connect(fixture);
    (void)client_send(fd, data, len);
    struct answer answer = client_receive(fixture, fd, strncmp(data, "HEAD", 4) == 0);
    close(fd);
    return answer;
}

static inline struct answer ask_bytes(struct fixture *fixture, const char *data)
{
    return ask_raw(fixture, data, strlen(data));
}

/* headers: further lines, each with its CRLF, or "". body: NULL for none. */
static inline struct answer ask_with(struct fixture *fixture, const char *method, const char *target,
                                     const char *headers, const char *body)
{
    struct buf buf;
    buf_init(&buf, 1024 * 1024);
    buf_printf(&buf, "%s %s HTTP/1.1\r\nHost: localhost:%d\r\n%s", method, target, fixture->port, headers);
    if (body)
        buf_printf(&buf, "Content-Length: %zu\r\n", strlen(body));
    buf_printf(&buf, "\r\n%s", body ? body : "");
    struct answer answer = ask_raw(fixture, buf.data, buf.len);
    buf_done(&buf);
    return answer;
}

static inline struct answer ask(struct fixture *fixture, const char *method, const char *target,
                                const char *body)
{
    return ask_with(fixture, method, target, "", body);
}

/* A member of the JSON body by path, "error.field" or "results.0.id", as compact JSON. "" if it
 * is not there. */
static inline const char *answer_member(struct fixture *fixture, const struct answer *answer,
                                        const char *path)
{
    struct json *root = NULL;
    struct err_info err = {0};
    struct str rest = str_of(path), part;
    struct buf buf;

    if (!answer->body || json_parse(str_make(answer->body, answer->body_len), 32, &root, &err) < 0)
        fail_msg("not JSON (%d): %s", answer->status, answer->body ? answer->body : "");
    const struct json *node = root;
    while (node && str_next_part(&rest, '.', &part)) {
        char name[64];
        int64_t idx;
        (void)snprintf(name, sizeof name, "%.*s", STR_ARG(part));
        if (json_kind_of(node) == JSON_KIND_ARRAY)
            node = str_to_int(part, &idx) == 0 && (size_t)idx < json_count(node) ? json_at(node, (size_t)idx)
                                                                                 : NULL;
        else
            node = json_member(node, name);
    }
    buf_init(&buf, 1024 * 1024);
    if (node)
        json_print(node, &buf);
    char *text = arena_strdup(&fixture->arena, buf_str(&buf));
    buf_done(&buf);
    json_free(root);
    return text ? text : "";
}

static inline void expect_status(const struct answer *answer, int status)
{
    if (answer->status != status)
        fail_msg("status %d instead of %d: %s", answer->status, status, answer->body ? answer->body : "");
}

static inline void expect_member(struct fixture *fixture, const struct answer *answer, const char *path,
                                 const char *json)
{
    const char *is = answer_member(fixture, answer, path);
    if (strcmp(is, json) != 0)
        fail_msg("%s is %s instead of %s in %s", path, is, json, answer->body);
}

/* Status and field of an error, and its shape. */
static inline void expect_error(struct fixture *fixture, struct answer answer, int status, const char *field)
{
    char quoted[128];
    char id[256];
    expect_status(&answer, status);
    (void)snprintf(quoted, sizeof quoted, field ? "\"%s\"" : "null", field);
    expect_member(fixture, &answer, "error.field", quoted);
    assert_true(strlen(answer_member(fixture, &answer, "error.message")) > 4);
    assert_true(strlen(answer_member(fixture, &answer, "error.code")) > 4);
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", answer_header(&answer, "X-Request-Id", id));
    expect_member(fixture, &answer, "error.request_id", quoted);
}

#endif
