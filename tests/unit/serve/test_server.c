/* SPDX-License-Identifier: Apache-2.0
 *
 * A running server over loopback: framing, limits, hosts, keys, the life of connections, the stop.
 */
#include "serve_fixture.h"

#include <pthread.h>

static void answers_health_and_fixed_pages(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = ask(fixture, "GET", "/healthz", NULL);
    expect_status(&answer, 200);
    expect_member(fixture, &answer, "status", "\"ok\"");
    answer = ask(fixture, "GET", "/readyz", NULL);
    expect_status(&answer, 200);
    expect_member(fixture, &answer, "status", "\"ready\"");
    answer = ask(fixture, "GET", "/", NULL);
    expect_status(&answer, 200);
    assert_non_null(strstr(answer.body, "/v1/context"));
    answer = ask(fixture, "GET", "/openapi.json", NULL);
    expect_member(fixture, &answer, "openapi", "\"3.1.0\"");
}

/* A request is counted when its answer is sent, perhaps a moment after the client has it: asks until it is
 * seen, or until the runner ends a test that hangs. */
static struct answer metrics_with(struct fixture *fixture, const char *line)
{
    struct answer answer;
    do {
        answer = ask(fixture, "GET", "/metrics", NULL);
        expect_status(&answer, 200);
    } while (!strstr(answer.body, line));
    return answer;
}

static void metrics_count_requests_and_name_nobody(void **state)
{
    struct fixture *fixture = *state;
    (void)ask(fixture, "GET", "/memory?user_id=somebody", NULL);
    (void)ask(fixture, "GET", "/nowhere", NULL);
    (void)metrics_with(fixture,
                       "precis_request_seconds_count{method=\"GET\",route=\"/memory\",status=\"2xx\"} 1\n");
    struct answer answer = metrics_with(
        fixture, "precis_request_seconds_count{method=\"other\",route=\"none\",status=\"4xx\"} 1\n");
    assert_non_null(strstr(answer.body, "process_resident_memory_bytes "));
    assert_null(strstr(answer.body, "somebody"));
}

static void head_is_get_without_a_body(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = ask(fixture, "HEAD", "/healthz", NULL);
    expect_status(&answer, 200);
    answer = ask(fixture, "GET", "/healthz", NULL); /* the server is still in step */
    expect_status(&answer, 200);
}

static void unknown_paths_and_methods_are_told_apart(void **state)
{
    struct fixture *fixture = *state;
    char allow[256];
    expect_error(fixture, ask(fixture, "GET", "/nowhere", NULL), 404, NULL);
    struct answer answer = ask(fixture, "PUT", "/memory/mem_1", NULL);
    expect_error(fixture, answer, 405, NULL);
    assert_string_equal(answer_header(&answer, "Allow", allow), "GET, HEAD, PATCH, DELETE");
    answer = ask(fixture, "OPTIONS", "/v1/context", NULL);
    assert_string_equal(answer_header(&answer, "Allow", allow), "POST");
}

static void ambiguous_messages_get_400_and_end_the_connection(void **state)
{
    struct fixture *fixture = *state;
    static const char *const bad[] = {
        ("POST /memory/add HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: "
         "chunked\r\n\r\n0\r\n\r\n"),
        "POST /memory/add HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "POST /memory/add HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "POST /memory/add HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n{}",
        "POST /memory/add HTTP/1.1\r\nHost: localhost\r\nContent-Length: +2\r\n\r\n{}",
        "GET /healthz HTTP/1.1\r\n\r\n",
        "POST /memory/add HTTP/1.1\r\nHost: localhost\r\nContent-Length : 2\r\n\r\n{}",
        "GET /healthz x HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.com\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int fd = client_connect(fixture);
        char byte;
        assert_true(client_send(fd, bad[i], strlen(bad[i])));
        struct answer answer = client_receive(fixture, fd, false);
        expect_status(&answer, 400);
        while (recv(fd, &byte, 1, 0) == 1) /* some versions of the library add to their own refusals */
            assert_int_not_equal(byte, '{');
        close(fd);
    }
}

static void malformed_targets_get_400(void **state)
{
    struct fixture *fixture = *state;
    expect_error(fixture, ask(fixture, "GET", "/memory/%zz", NULL), 400, NULL);
    expect_error(fixture, ask(fixture, "GET", "/memory/%00", NULL), 400, NULL);
    expect_error(fixture, ask(fixture, "GET", "/memory?user_id=%ff", NULL), 400, NULL);
    expect_error(fixture, ask(fixture, "GET", "*", NULL), 400, NULL);
}

static void foreign_hosts_and_origins_get_403(void **state)
{
    struct fixture *fixture = *state;
    static const char *const bad[] = {
        "GET /healthz HTTP/1.1\r\nHost: evil.com\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1.evil.com\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost.\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost:\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.com\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nOrigin: http://127.0.0.1.evil.com\r\n\r\n",
        "GET http://evil.com/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_error(fixture, ask_bytes(fixture, bad[i]), 403, NULL);
    static const char *const good[] = {
        "GET /healthz HTTP/1.1\r\nHost: [::1]:1234\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://localhost:3000\r\n\r\n",
        "GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /healthz HTTP/1.0\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct answer answer = ask_bytes(fixture, good[i]);
        expect_status(&answer, 200);
    }
}

static void request_ids_are_echoed_or_made(void **state)
{
    struct fixture *fixture = *state;
    char first[256], second[256];
    struct answer answer = ask_with(fixture, "GET", "/healthz", "X-Request-Id: my-id.1\r\n", NULL);
    assert_string_equal(answer_header(&answer, "X-Request-Id", first), "my-id.1");
    answer = ask_with(fixture, "GET", "/healthz", "X-Request-Id: not an id\r\n", NULL);
    assert_int_equal(strlen(answer_header(&answer, "X-Request-Id", first)), 16);
    answer = ask(fixture, "GET", "/nowhere", NULL);
    assert_int_equal(strlen(answer_header(&answer, "X-Request-Id", second)), 16);
    assert_string_not_equal(first, second);
}

/* ---- bodies ---- */

static void bodies_are_checked_before_they_are_used(void **state)
{
    struct fixture *fixture = *state;
    expect_error(fixture, ask(fixture, "POST", "/memory/add", ""), 400, NULL);
    expect_error(fixture, ask(fixture, "POST", "/memory/add", NULL), 400, NULL);
    expect_status(&(struct answer){.status = ask(fixture, "POST", "/memory/add", "{\"content\":").status},
                  400);
    expect_status(&(struct answer){.status = ask(fixture, "POST", "/memory/add", "{\"a\":1,\"a\":2}").status},
                  400);
    expect_error(fixture, ask(fixture, "POST", "/memory/add", "[1]"), 422, NULL);
    expect_error(fixture, ask(fixture, "POST", "/memory/add", "{\"contents\":\"x\"}"), 422, "contents");
    expect_error(fixture, ask(fixture, "POST", "/memory/add", "{\"content\":7}"), 422, "content");
    expect_error(fixture, ask(fixture, "POST", "/memory/add", "{}"), 422, "content");
    expect_error(fixture,
                 ask_with(fixture, "POST", "/memory/add", "Content-Type: multipart/form-data\r\n", "{}"), 415,
                 NULL);
    expect_error(fixture, ask(fixture, "GET", "/memory", "{}"), 400, NULL);
    char deep[128] = "{\"metadata\":";
    memset(deep + 12, '[', 60);
    assert_int_equal(ask(fixture, "POST", "/memory/add", deep).status / 100, 4);
}

static void any_content_type_but_parts_is_taken_for_json(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer =
        ask_with(fixture, "POST", "/preferences/set", "Content-Type: application/x-www-form-urlencoded\r\n",
                 "{\"key\":\"a\",\"value\":1}");
    expect_status(&answer, 200);
}

static void a_body_over_the_limit_is_not_even_read(void **state)
{
    struct fixture *fixture = *state;
    int fd = client_connect(fixture);
    static const char head[] =
        "POST /memory/add HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n";
    assert_true(client_send(fd, head, strlen(head)));
    expect_error(fixture, client_receive(fixture, fd, false), 413, NULL);
    assert_true(client_is_closed(fd));
    close(fd);
}

static void chunks_count_against_the_limit(void **state)
{
    struct fixture *fixture = *state;
    int fd = client_connect(fixture);
    static const char head[] =
        "POST /memory/add HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    char chunk[8 + 4096 + 2];
    memcpy(chunk, "1000\r\n", 6);
    memset(chunk + 6, 'x', 4096);
    memcpy(chunk + 6 + 4096, "\r\n", 2);
    assert_true(client_send(fd, head, strlen(head)));
    for (int i = 0; i <= FIXTURE_MAX_BODY / 4096; i++)
        assert_true(client_send(fd, chunk, 6 + 4096 + 2));
    assert_true(client_send(fd, "0\r\n\r\n", 5));
    expect_error(fixture, client_receive(fixture, fd, false), 413, NULL);
    close(fd);
}

static void chunked_bodies_are_put_together(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = ask_bytes(
        fixture, "POST /preferences/set HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "8\r\n{\"key\":\"\r\nd\r\nk\",\"value\":7}\r\n0\r\n\r\n");
    expect_status(&answer, 200);
    expect_member(fixture, &answer, "value", "7");
}

static void long_targets_and_many_parameters_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct buf target;
    buf_init(&target, 20000);
    buf_append_text(&target, "/memory?cursor=");
    while (target.len < 9000)
        buf_append_byte(&target, 'a');
    expect_error(fixture, ask(fixture, "GET", target.data, NULL), 414, NULL);
    buf_clear(&target);
    buf_append_text(&target, "/memory/search?");
    for (int i = 0; i < 40; i++)
        buf_append_text(&target, "tags=a&");
    expect_error(fixture, ask(fixture, "GET", target.data, NULL), 422, NULL);
    buf_done(&target);
}

/* ---- connections ---- */

static void a_connection_serves_many_requests_in_order(void **state)
{
    struct fixture *fixture = *state;
    static const char pipeline[] =
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: 1\r\n\r\n"
        "GET /nowhere HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: 2\r\n\r\n"
        "GET /memory HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: 3\r\n\r\n"
        "POST /preferences/set HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: 4\r\nContent-Length: 21\r\n\r\n"
        "{\"key\":\"a\",\"value\":1}"
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: 5\r\n\r\n";
    static const int statuses[] = {200, 404, 200, 200, 200};
    int fd = client_connect(fixture);
    assert_true(client_send(fd, pipeline, strlen(pipeline)));
    for (int i = 0; i < 5; i++) {
        char id[256], expected[8];
        struct answer answer = client_receive(fixture, fd, false);
        expect_status(&answer, statuses[i]);
        (void)snprintf(expected, sizeof expected, "%d", i + 1);
        assert_string_equal(answer_header(&answer, "X-Request-Id", id), expected);
    }
    close(fd);
}

static void expect_continue_is_honoured(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = ask_with(fixture, "POST", "/preferences/set", "Expect: 100-continue\r\n",
                                    "{\"key\":\"a\",\"value\":true}");
    expect_status(&answer, 200);
}

static void a_client_that_leaves_early_harms_nobody(void **state)
{
    struct fixture *fixture = *state;
    static const char *const beginnings[] = {
        "",
        "GE",
        "GET /healthz HT",
        "GET /healthz HTTP/1.1\r\nHost: loc",
        "POST /memory/add HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"con",
        "GET /memory HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\r\n\r\n\r\n",
        "\x16\x03\x01\x02",
    };
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        int fd = client_connect(fixture);
        (void)client_send(fd, beginnings[i], strlen(beginnings[i]));
        close(fd);
    }
    struct answer answer = ask(fixture, "GET", "/healthz", NULL);
    expect_status(&answer, 200);
}

/* A clock that a test can move while the server's threads read it. */
struct moving_clock {
    struct clock base;
    _Atomic int64_t ahead_us;
};

static int64_t moving_wall(const struct clock *clock)
{
    return clock_wall_us(&clock_system) + atomic_load(&((const struct moving_clock *)clock)->ahead_us);
}

static int64_t moving_mono(const struct clock *clock)
{
    return clock_mono_us(&clock_system) + atomic_load(&((const struct moving_clock *)clock)->ahead_us);
}

/* Moves the clock on until the server has ended the connection: it may not have known it yet
 * the first time. */
static bool ends_as_time_goes_by(struct moving_clock *clock, int fd)
{
    struct timeval limit = {.tv_sec = 2}; /* connections are looked at once a second */

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    for (int i = 0; i < 10; i++) {
        atomic_fetch_add(&clock->ahead_us, 60 * US_PER_SEC);
        if (client_is_closed(fd))
            return true;
    }
    return false;
}

/* The clock stands in for a client that sends a byte every few seconds. */
static void a_client_that_takes_too_long_is_let_go(void **state)
{
    struct fixture *fixture = *state;
    struct moving_clock clock = {.base = {moving_wall, moving_mono}};
    static const char slow[] = "POST /memory/add HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{";

    server_stop(fixture->server, 0);
    fixture->options.clock = &clock.base;
    fixture_start(fixture);
    int dripping = client_connect(fixture);
    int idle = client_connect(fixture);
    assert_true(client_send(dripping, slow, strlen(slow)));
    assert_true(ends_as_time_goes_by(&clock, dripping));
    assert_true(ends_as_time_goes_by(&clock, idle));
    close(dripping);
    close(idle);
    fixture->server = server_stop(fixture->server, 1000); /* before its clock goes */
}

/* A server whose clock is behind the engine's stands in for a request that waited that long for a worker. */
static void waiting_for_a_worker_counts_against_the_deadline(void **state)
{
    struct fixture *fixture = *state;
    struct moving_clock clock = {.base = {moving_wall, moving_mono}};
    static const char body[] =
        "{\"recipe\":\"greeting\",\"params\":{\"user_id\":\"ann\"},\"deadline_ms\":1000}";

    server_stop(fixture->server, 0);
    fixture->options.clock = &clock.base;
    fixture_start(fixture);
    atomic_store(&clock.ahead_us, -60 * US_PER_SEC);
    struct answer answer = ask(fixture, "POST", "/v1/context", body);
    expect_status(&answer, 200);
    assert_string_equal(answer_member(fixture, &answer, "sections.0.status"), "\"timeout\"");
    atomic_store(&clock.ahead_us, 0);
    answer = ask(fixture, "POST", "/v1/context", body);
    assert_string_equal(answer_member(fixture, &answer, "sections.0.status"), "\"ok\"");
    fixture->server = server_stop(fixture->server, 1000); /* before its clock goes */
}

/* ---- keys ---- */

static const char *make_key(struct fixture *fixture, const char *tenant, int scopes, char ret_header[256])
{
    struct api_key key = {.name = STR_LIT("test"), .tenant = str_of(tenant), .scopes = scopes};
    struct str id, secret;
    struct err_info err = {0};
    fixture_must(api_key_create(fixture->memory, &key, &fixture->arena, &id, &secret, &err), &err);
    (void)snprintf(ret_header, 256, "Authorization: Bearer %.*s\r\n", STR_ARG(secret));
    return arena_strdup(&fixture->arena, id);
}

static void the_first_key_closes_the_door(void **state)
{
    struct fixture *fixture = *state;
    char key[256], challenge[256];
    struct answer answer = ask(fixture, "GET", "/memory", NULL);
    expect_status(&answer, 200);
    make_key(fixture, "acme", KEY_READ, key);
    answer = ask(fixture, "GET", "/memory", NULL);
    expect_error(fixture, answer, 401, NULL);
    assert_non_null(strstr(answer_header(&answer, "WWW-Authenticate", challenge), "Bearer"));
    answer = ask_with(fixture, "GET", "/memory", key, NULL);
    expect_status(&answer, 200);
    answer = ask(fixture, "GET", "/healthz", NULL);
    expect_status(&answer, 200);
}

static void every_wrong_key_gets_the_same_words(void **state)
{
    struct fixture *fixture = *state;
    char key[256], revoked[256];
    make_key(fixture, "acme", KEY_READ, key);
    const char *id = make_key(fixture, "acme", KEY_READ, revoked);
    struct answer answer = ask_with(fixture, "GET", "/memory", revoked, NULL);
    expect_status(&answer, 200);
    assert_int_equal(api_key_revoke(fixture->memory, str_of(id), NULL), 0);
    const char *const bad[] = {
        "",
        revoked,
        "Authorization: Bearer x\r\n",
        "Authorization: Basic eDp5\r\n",
        "Authorization:\r\n",
        "Authorization: Bearer ' OR 1=1 --\r\n",
    };
    const char *words = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        answer = ask_with(fixture, "GET", "/memory", bad[i], NULL);
        expect_error(fixture, answer, 401, NULL);
        const char *message = answer_member(fixture, &answer, "error.message");
        if (words)
            assert_string_equal(message, words);
        words = message;
    }
}

static void scopes_are_kept(void **state)
{
    struct fixture *fixture = *state;
    char reader[256], writer[256];
    make_key(fixture, "acme", KEY_READ, reader);
    make_key(fixture, "acme", KEY_READ | KEY_WRITE, writer);
    expect_error(fixture, ask_with(fixture, "POST", "/memory/add", reader, "{\"content\":\"x\"}"), 403, NULL);
    struct answer answer = ask_with(fixture, "POST", "/memory/add", writer, "{\"content\":\"x\"}");
    expect_status(&answer, 201);
    expect_error(fixture, ask_with(fixture, "DELETE", "/cache/clear?all=true", writer, NULL), 403, "all");
    answer = ask_with(fixture, "DELETE", "/cache/clear", writer, NULL);
    expect_status(&answer, 200);
}

static void another_tenants_memory_is_like_none(void **state)
{
    struct fixture *fixture = *state;
    char ours[256], theirs[256], target[128];
    make_key(fixture, "ours", KEY_READ | KEY_WRITE, ours);
    make_key(fixture, "theirs", KEY_READ | KEY_WRITE, theirs);
    struct answer added = ask_with(fixture, "POST", "/memory/add", ours, "{\"content\":\"canary\"}");
    expect_status(&added, 201);
    const char *quoted = answer_member(fixture, &added, "id");
    (void)snprintf(target, sizeof target, "/memory/%.*s", (int)strlen(quoted) - 2, quoted + 1);
    static const char *const methods[] = {"GET", "PATCH", "DELETE"};
    for (size_t i = 0; i < 3; i++) {
        const char *body = i == 1 ? "{\"content\":\"y\"}" : NULL;
        struct answer foreign = ask_with(fixture, methods[i], target, theirs, body);
        struct answer unknown =
            ask_with(fixture, methods[i], "/memory/mem_0000000000000000000000", theirs, body);
        expect_error(fixture, foreign, 404, "id");
        expect_error(fixture, unknown, 404, "id");
        assert_string_equal(answer_member(fixture, &foreign, "error.message"),
                            answer_member(fixture, &unknown, "error.message"));
    }
    struct answer found = ask_with(fixture, "GET", "/memory/search?query=canary", theirs, NULL);
    expect_member(fixture, &found, "results", "[]");
    found = ask_with(fixture, "GET", "/memory/search?query=canary", ours, NULL);
    expect_member(fixture, &found, "results.0.content", "\"canary\"");
}

static void without_a_key_the_body_is_not_read(void **state)
{
    struct fixture *fixture = *state;
    char key[256];
    make_key(fixture, "acme", KEY_WRITE, key);
    int fd = client_connect(fixture);
    static const char head[] = "POST /memory/add HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";
    assert_true(client_send(fd, head, strlen(head)));
    expect_error(fixture, client_receive(fixture, fd, false), 401, NULL);
    assert_true(client_is_closed(fd));
    close(fd);
}

static void a_key_is_asked_of_the_store_once_and_then_known(void **state)
{
    struct fixture *fixture = *state;
    char key[256];
    make_key(fixture, "acme", KEY_READ | KEY_WRITE, key);
    for (int i = 0; i < 3; i++) {
        struct answer answer =
            ask_with(fixture, "POST", "/preferences/set", key, "{\"key\":\"a\",\"value\":1}");
        expect_status(&answer, 200);
    }
}

/* ---- start and stop ---- */

static void beyond_loopback_needs_a_key(void **state)
{
    struct fixture *fixture = *state;
    struct serve_options options = fixture->options;
    struct server *server = NULL;
    struct err_info err = {0};
    char key[256];
    options.listen = "0.0.0.0:0";
    assert_int_equal(server_start(&options, &server, &err), ERR_FORBIDDEN);
    assert_string_equal(err.field, "listen");
    make_key(fixture, "acme", KEY_READ, key);
    fixture_must(server_start(&options, &server, &err), &err);
    server_stop(server, 1000);
}

static void a_taken_port_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct serve_options options = fixture->options;
    struct server *server = NULL;
    struct err_info err = {0};
    options.listen = server_address(fixture->server);
    assert_int_equal(server_start(&options, &server, &err), ERR_UNAVAILABLE);
    options.listen = "nonsense";
    assert_int_equal(server_start(&options, &server, &err), ERR_INVALID);
}

static void *stop_in_background(void *arg)
{
    struct fixture *fixture = arg;
    fixture->server = server_stop(fixture->server, 10000);
    return NULL;
}

static void a_stop_answers_what_is_under_way(void **state)
{
    struct fixture *fixture = *state;
    static const char first[] =
        "POST /preferences/set HTTP/1.1\r\nHost: localhost\r\nContent-Length: 21\r\n\r\n{\"key\":";
    pthread_t stopper;
    char value[256];
    int fd = client_connect(fixture);
    assert_true(client_send(fd, first, strlen(first)));
    struct answer answer = ask(fixture, "GET", "/healthz", NULL); /* the half request has been seen */
    expect_status(&answer, 200);
    assert_int_equal(pthread_create(&stopper, NULL, stop_in_background, fixture), 0);
    do { /* until the stop has begun */
        answer = (struct answer){0};
        int other = client_connect(fixture);
        static const char probe[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        struct timeval limit = {.tv_usec = 200000};
        (void)setsockopt(other, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        (void)client_send(other, probe, strlen(probe));
        answer = client_receive(fixture, other, false);
        close(other);
    } while (answer.status == 200 && strcmp(answer_header(&answer, "Connection", value), "close") != 0);
    assert_true(client_send(fd, "\"a\",\"value\":1}", 14));
    answer = client_receive(fixture, fd, false);
    expect_status(&answer, 200);
    assert_string_equal(answer_header(&answer, "Connection", value), "close");
    close(fd);
    pthread_join(stopper, NULL);
}

static void a_stop_ends_connections_that_wait_for_nothing(void **state)
{
    struct fixture *fixture = *state;
    int fd = client_connect(fixture);
    static const char probe[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_true(client_send(fd, probe, strlen(probe)));
    struct answer answer = client_receive(fixture, fd, false);
    expect_status(&answer, 200);
    fixture->server = server_stop(fixture->server, 10000);
    assert_true(client_is_closed(fd));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(answers_health_and_fixed_pages),
        SERVER_TEST(metrics_count_requests_and_name_nobody),
        SERVER_TEST(head_is_get_without_a_body),
        SERVER_TEST(unknown_paths_and_methods_are_told_apart),
        SERVER_TEST(ambiguous_messages_get_400_and_end_the_connection),
        SERVER_TEST(malformed_targets_get_400),
        SERVER_TEST(foreign_hosts_and_origins_get_403),
        SERVER_TEST(request_ids_are_echoed_or_made),
        SERVER_TEST(bodies_are_checked_before_they_are_used),
        SERVER_TEST(any_content_type_but_parts_is_taken_for_json),
        SERVER_TEST(a_body_over_the_limit_is_not_even_read),
        SERVER_TEST(chunks_count_against_the_limit),
        SERVER_TEST(chunked_bodies_are_put_together),
        SERVER_TEST(long_targets_and_many_parameters_are_refused),
        SERVER_TEST(a_connection_serves_many_requests_in_order),
        SERVER_TEST(expect_continue_is_honoured),
        SERVER_TEST(a_client_that_leaves_early_harms_nobody),
        SERVER_TEST(a_client_that_takes_too_long_is_let_go),
        SERVER_TEST(waiting_for_a_worker_counts_against_the_deadline),
        SERVER_TEST(the_first_key_closes_the_door),
        SERVER_TEST(every_wrong_key_gets_the_same_words),
        SERVER_TEST(scopes_are_kept),
        SERVER_TEST(another_tenants_memory_is_like_none),
        SERVER_TEST(without_a_key_the_body_is_not_read),
        SERVER_TEST(a_key_is_asked_of_the_store_once_and_then_known),
        SERVER_TEST(beyond_loopback_needs_a_key),
        SERVER_TEST(a_taken_port_is_told),
        SERVER_TEST(a_stop_answers_what_is_under_way),
        SERVER_TEST(a_stop_ends_connections_that_wait_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
