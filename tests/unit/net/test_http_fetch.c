/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP in the poll loop: connections are kept and whole, what is slow, too large or broken costs its own
 * question alone, and nothing is left behind.
 */
#include "net/http_fetch.h"

#include "http_peer.h"
#include "net/http_url.h"

#define FAR_US (600 * US_PER_SEC) /* longer than a test may take: whoever waits for it fails */

struct env {
    struct peer peer;
    struct workers *workers;
    struct http_server *server;
};

static struct http_server_options options_of(const struct env *env)
{
    return (struct http_server_options){
        .name = "test",
        .url = env->peer.url,
        .max_conns = 2,
        .connect_timeout_us = 3 * US_PER_SEC,
        .idle_timeout_us = FAR_US,
        .connectors = env->workers,
        .clock = &clock_system,
    };
}

static int setup(void **state)
{
    struct env *env = calloc(1, sizeof *env);
    peer_start(&env->peer);
    assert_int_equal(workers_new("test", 2, 16, &env->workers, NULL), 0);
    struct http_server_options options = options_of(env);
    assert_int_equal(http_server_new(&options, &env->server, NULL), 0);
    *state = env;
    return 0;
}

static int teardown(void **state)
{
    struct env *env = *state;
    http_server_free(env->server);
    workers_free(env->workers);
    peer_stop(&env->peer);
    free(env);
    return 0;
}

static int ask(struct env *env, const char *path, int64_t within_us, struct http_fetch *fetch,
               struct err_info *err)
{
    const struct http_request request = {.target = str_of(path), .max_answer_bytes = 1000};
    *fetch = (struct http_fetch){0};
    return http_fetch_wait(env->server, &request, clock_mono_us(&clock_system) + within_us, fetch, err);
}

static int ask_and_end(struct env *env, const char *path, int64_t within_us, struct err_info *err)
{
    struct http_fetch fetch;
    int res = ask(env, path, within_us, &fetch, err);
    http_fetch_end(&fetch);
    return res;
}

static void connection_is_kept_between_loops(void **state)
{
    struct env *env = *state;
    for (int i = 0; i < 10; i++) {
        struct http_fetch fetch;
        assert_int_equal(ask(env, "/a", FAR_US, &fetch, NULL), 0);
        assert_int_equal(fetch.status, 200);
        assert_true(str_is(buf_str(&fetch.body), "{}"));
        http_fetch_end(&fetch);
    }
    assert_int_equal(atomic_load(&env->peer.n_conns), 1);
    assert_int_equal(atomic_load(&env->peer.n_requests), 10);
    struct pool_stats stats = http_server_stats(env->server);
    assert_int_equal(stats.n_open, 1);
    assert_int_equal(stats.n_idle, 1);
}

static void dead_connection_is_replaced_unnoticed(void **state)
{
    struct env *env = *state;
    struct err_info err = {0};
    for (int i = 0; i < 6; i++)
        assert_int_equal(ask_and_end(env, "/stale", FAR_US, &err), 0);
    assert_true(atomic_load(&env->peer.n_conns) >= 3);
}

static void more_than_was_asked_for_reaches_nobody(void **state)
{
    struct env *env = *state;
    struct err_info err = {0};
    for (int i = 0; i < 20; i++) {
        struct http_fetch fetch;
        assert_int_equal(ask(env, "/extra", FAR_US, &fetch, &err), 0);
        assert_true(str_is(buf_str(&fetch.body), "{}"));
        http_fetch_end(&fetch);
    }
}

static void late_answer_costs_its_deadline_and_its_connection(void **state)
{
    struct env *env = *state;
    static const char *const paths[] = {"/hang", "/drip"};
    for (int i = 0; i < 4; i++) {
        struct err_info err;
        int64_t deadline_us = clock_mono_us(&clock_system) + 20 * US_PER_MS;
        assert_int_equal(ask_and_end(env, paths[i % 2], 20 * US_PER_MS, &err), ERR_TIMEOUT);
        assert_true(clock_mono_us(&clock_system) >= deadline_us);
        assert_int_equal(http_server_stats(env->server).n_open, 0);
    }
    assert_int_equal(ask_and_end(env, "/a", FAR_US, NULL), 0);
}

static void too_large_an_answer_is_refused(void **state)
{
    struct err_info err;
    assert_int_equal(ask_and_end(*state, "/huge", FAR_US, &err), ERR_REMOTE);
    assert_non_null(strstr(err.message, "larger than 1000 bytes"));
}

static void answer_cut_short_is_none(void **state)
{
    struct err_info err;
    assert_int_equal(ask_and_end(*state, "/cut", FAR_US, &err), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "before its answer was whole"));
}

static void refused_connection_is_told_at_once(void **state)
{
    struct env *env = *state;
    struct http_server *server = NULL;
    struct http_fetch fetch = {0};
    struct err_info err;
    struct http_server_options options = options_of(env);
    options.url = "http://127.0.0.1:1";
    assert_int_equal(http_server_new(&options, &server, NULL), 0);
    const struct http_request request = {.target = STR_LIT("/"), .max_answer_bytes = 10};
    assert_int_equal(http_fetch_wait(server, &request, clock_mono_us(&clock_system) + FAR_US, &fetch, &err),
                     ERR_UNAVAILABLE);
    assert_string_equal(err.message, "connection refused by 127.0.0.1:1");
    http_fetch_end(&fetch);
    http_server_free(server);
}

/* ---- several in one loop ---- */

struct asking {
    struct net_op op;
    struct net_loop *loop;
    struct http_fetch fetch;
};

static void on_done(struct http_fetch *fetch, int result, const struct err_info *err)
{
    struct asking *asking = fetch->owner;
    net_loop_end(asking->loop, &asking->op, result, err);
}

static void on_cancel(struct net_op *op)
{
    (void)op;
}

static const struct net_op_ops asking_ops = {.on_cancel = on_cancel};

static void start(struct env *env, struct net_loop *loop, const char *path, struct asking *asking)
{
    const struct http_request request = {.target = str_of(path), .max_answer_bytes = 1000};
    *asking = (struct asking){.op = {.ops = &asking_ops, .fd = -1, .deadline_us = INT64_MAX}, .loop = loop};
    asking->fetch.on_done = on_done;
    asking->fetch.owner = asking;
    assert_int_equal(http_fetch_start(env->server, loop, &request, &asking->fetch, NULL), 0);
    net_loop_add(loop, &asking->op);
}

static void more_questions_than_connections_all_get_answers(void **state)
{
    struct env *env = *state;
    struct asking askings[12];
    struct net_loop *loop = NULL;
    struct net_op *op;
    assert_int_equal(net_loop_new(&clock_system, &loop, NULL), 0);
    for (size_t i = 0; i < 12; i++)
        start(env, loop, "/a", &askings[i]);
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(net_loop_wait(loop, INT64_MAX, &op, NULL), 0);
        assert_int_equal(op->result, 0);
        http_fetch_end(&((struct asking *)op)->fetch);
    }
    net_loop_free(loop);
    assert_true(http_server_stats(env->server).n_open <= 2);
    assert_true(atomic_load(&env->peer.n_conns) <= 2);
}

static void whoever_is_left_at_the_loops_end_leaves_nothing(void **state)
{
    struct env *env = *state;
    struct asking askings[5];
    struct net_loop *loop = NULL;
    struct net_op *op;
    assert_int_equal(net_loop_new(&clock_system, &loop, NULL), 0);
    for (size_t i = 0; i < 5; i++)
        start(env, loop, i == 0 ? "/a" : "/hang", &askings[i]);
    assert_int_equal(net_loop_wait(loop, INT64_MAX, &op, NULL), 0);
    for (size_t i = 0; i < 5; i++)
        http_fetch_end(&askings[i].fetch);
    net_loop_free(loop);
    struct pool_stats stats = http_server_stats(env->server);
    assert_int_equal(stats.n_open, stats.n_idle);
    assert_int_equal(stats.n_waiting, 0);
    assert_int_equal(ask_and_end(env, "/a", FAR_US, NULL), 0);
}

/* ---- what is sent ---- */

static void key_and_headers_and_body_are_sent(void **state)
{
    struct env *env = *state;
    struct http_server *server = NULL;
    struct http_fetch fetch = {0};
    const struct http_header headers[] = {{"X-Team", "search"}, {"X-Empty", ""}};
    struct http_server_options options = options_of(env);
    char url[128];
    (void)snprintf(url, sizeof url, "%s/base/", env->peer.url);
    options.url = url;
    options.key = "s3cret";
    options.key_prefix = "api-key:";
    options.headers = headers;
    options.n_headers = 2;
    assert_int_equal(http_server_new(&options, &server, NULL), 0);
    const struct http_request request = {
        .method = "PUT", .target = STR_LIT("/x?y=1"), .body = STR_LIT("{\"a\":1}"), .max_answer_bytes = 10};
    assert_int_equal(http_fetch_wait(server, &request, clock_mono_us(&clock_system) + FAR_US, &fetch, NULL),
                     0);
    http_fetch_end(&fetch);
    http_server_free(server);
    assert_int_equal(strncmp(env->peer.last, "PUT /base/x?y=1 HTTP/1.1\r\n", 26), 0);
    assert_non_null(strstr(env->peer.last, "api-key: s3cret\r\n"));
    assert_non_null(strstr(env->peer.last, "X-Team: search\r\n"));
    assert_non_null(strstr(env->peer.last, "X-Empty:"));
    assert_non_null(strstr(env->peer.last, "\r\n\r\n{\"a\":1}"));
    assert_null(strstr(env->peer.last, "Expect"));
}

static void unusable_options_are_refused_without_naming_secrets(void **state)
{
    struct env *env = *state;
    struct http_server *server = NULL;
    static const char *const urls[] = {"ftp://h/", "http://me:pw@h/", "http://", "http://h/?q=1", "nonsense"};
    struct http_server_options options = options_of(env);
    struct err_info err;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        options.url = urls[i];
        assert_int_equal(http_server_new(&options, &server, &err), ERR_INVALID);
        assert_string_equal(err.field, "url");
        assert_null(strstr(err.message, "pw"));
    }
    options = options_of(env);
    options.key = "se\r\ncret";
    options.key_prefix = "api-key:";
    assert_int_equal(http_server_new(&options, &server, &err), ERR_INVALID);
    assert_null(strstr(err.message, "cret"));
}

static void values_cannot_leave_their_segment(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    http_url_append(&buf, str_make("a/b?c#d%2e\r\n\"'\0\xc3\xa4", 17));
    assert_string_equal(buf.data, "a%2Fb%3Fc%23d%252e%0D%0A%22%27%00%C3%A4");
    buf_done(&buf);
    static const char *const good[] = {"/", "/a", "/a/", "/a/b.c", "/...", "/a%2Fb", "/a%252e"};
    static const char *const bad[] = {
        "",     "a",       "/..",     "/.",          "/a/../b",   "/%2e%2E/b",
        "//h",  "/a//b",   "/a%2F..", "/%252e%252e", "/a%5C..",   "/a?b",
        "/a#b", "/a\\..",  "/a b",    "/a\r\nb",     "/\xc3\xa4", "/%252525252525252e",
        "/%00", "/a%0d%0a"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(http_url_check_path(str_of(good[i]), NULL), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(http_url_check_path(str_of(bad[i]), NULL), ERR_INVALID);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(connection_is_kept_between_loops),
        CASE(dead_connection_is_replaced_unnoticed),
        CASE(more_than_was_asked_for_reaches_nobody),
        CASE(late_answer_costs_its_deadline_and_its_connection),
        CASE(too_large_an_answer_is_refused),
        CASE(answer_cut_short_is_none),
        CASE(refused_connection_is_told_at_once),
        CASE(more_questions_than_connections_all_get_answers),
        CASE(whoever_is_left_at_the_loops_end_leaves_nothing),
        CASE(key_and_headers_and_body_are_sent),
        CASE(unusable_options_are_refused_without_naming_secrets),
        cmocka_unit_test(values_cannot_leave_their_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
