/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `redis`, on a real server where the server matters, and on one of the test's own, which misbehaves on
 * demand: every type as rows, what cannot be read is counted, one round trip for all, no reply to the wrong
 * question, and what is wrong in words.
 */
#include "../backend.h"
#include "net/redis.h"
#include "world.h"

#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PREFIX "precis:unit:source:"

/* In the order of the settings' table. */
struct redis_test {
    const char *key, *type, *entries, *fields, *scores, *min, *max;
    int64_t last_us;
    bool is_oldest_first;
    size_t max_rows;
};

static struct value text_or_null(const char *text)
{
    return text ? value_text(str_of(text)) : value_null();
}

static void fill(const struct redis_test *test, struct value settings[9], struct source_request *ret_request)
{
    settings[0] = text_or_null(test->key);
    settings[1] = text_or_null(test->type);
    settings[2] = text_or_null(test->entries ? test->entries : "auto");
    settings[3] = value_bool(!test->is_oldest_first);
    settings[4] = test->fields ? value_json(str_of(test->fields)) : value_null();
    settings[5] = text_or_null(test->scores ? test->scores : "number");
    settings[6] = text_or_null(test->min);
    settings[7] = text_or_null(test->max);
    settings[8] = test->last_us ? value_int(test->last_us) : value_null();
    *ret_request = (struct source_request){.settings = settings,
                                           .now_us = clock_wall_us(&clock_system),
                                           .deadline_us = world_deadline(20000),
                                           .max_rows = test->max_rows ? test->max_rows : 10};
}

static struct source *open_source(struct world *world, const char *url)
{
    struct source *source = NULL;
    struct err_info err = {0};
    const struct source_options options = {.name = "cache", .url = str_of(url)};
    if (!world->env.connectors)
        assert_int_equal(workers_new("connect", 2, 16, &world->env.connectors, NULL), 0);
    if (source_open(&world->env, &options, &source, &err) < 0)
        fail_msg("%s", err.message);
    return source;
}

static int world_close_all(void **state)
{
    struct world *world = *state;
    world->env.connectors = workers_free(world->env.connectors);
    return world_close(state);
}

static struct source_result *fetch(struct world *world, struct source *source, struct redis_test test)
{
    struct value settings[9];
    struct source_request request;
    struct source_result *result = NULL;
    struct err_info err = {0};
    fill(&test, settings, &request);
    if (world_fetch(world, source, &request, &result, &err) < 0)
        fail_msg("%s", err.message);
    return result;
}

static void assert_refused(struct world *world, struct source *source, struct redis_test test, int code,
                           const char *sentence)
{
    struct value settings[9];
    struct source_request request;
    struct source_result *result = NULL;
    struct err_info err = {0};
    fill(&test, settings, &request);
    assert_int_equal(world_fetch(world, source, &request, &result, &err), code);
    if (!strstr(err.message, sentence))
        fail_msg("'%s' does not say '%s'", err.message, sentence);
}

/* ---- the real server ---- */

struct real {
    struct source *source;
    struct redis_server *server;
    void *conn;
    struct arena arena;
};

static void real_open(struct world *world, struct real *real)
{
    const char *url = backend_fact("REDIS", "URL");
    real->source = open_source(world, url);
    assert_int_equal(redis_server_new(str_of(url), &clock_system, &real->server, NULL), 0);
    assert_int_equal(redis_pool_ops.on_connect(real->server, world_deadline(20000), &real->conn, NULL), 0);
    arena_init(&real->arena, 1024 * 1024);
}

static void real_close(struct real *real)
{
    source_close(real->source);
    redis_pool_ops.on_close(real->server, real->conn);
    redis_server_free(real->server);
    arena_done(&real->arena);
}

/* Runs one command, words separated by blanks; %b takes a struct str pointer. */
static struct resp run(struct real *real, const struct str *words, size_t n)
{
    struct resp resp;
    assert_int_equal(redis_conn_ask(real->conn, words, n, NULL), 0);
    assert_int_equal(redis_conn_wait(real->conn, world_deadline(20000), &real->arena, &resp, NULL), 0);
    if (resp.kind == RESP_ERROR)
        fail_msg("%.*s", STR_ARG(resp.text));
    return resp;
}

#define RUN(real, ...)                                                                                       \
    run((real), (struct str[]){__VA_ARGS__}, sizeof((struct str[]){__VA_ARGS__}) / sizeof(struct str))
#define L(literal) STR_LIT(literal)

static void a_list_brings_the_newest_and_says_they_read_the_other_way_round(void **state)
{
    struct world *world = *state;
    struct real real;
    real_open(world, &real);
    (void)RUN(&real, L("DEL"), L(PREFIX "list"));
    (void)RUN(&real, L("LPUSH"), L(PREFIX "list"), L("{\"text\":\"first\",\"n\":1}"),
              L("{\"text\":\"second\",\"n\":2,\"extra\":{\"a\":[1]}}"), L("{\"text\":\"third\"}"));

    struct source_result *result =
        fetch(world, real.source, (struct redis_test){.key = PREFIX "list", .type = "list", .max_rows = 2});
    assert_int_equal(result->n_rows, 2);
    assert_true(result->is_oldest_last && result->is_truncated);
    assert_cell(result, 0, "text", VALUE_TEXT, "third");
    assert_cell(result, 1, "text", VALUE_TEXT, "second");
    assert_cell(result, 1, "n", VALUE_INT, "2");
    assert_cell(result, 1, "extra", VALUE_JSON, "{\"a\":[1]}");
    assert_cell(result, 0, "extra", VALUE_NULL, "");
    source_result_free(result);

    result = fetch(
        world, real.source,
        (struct redis_test){.key = PREFIX "list", .type = "list", .max_rows = 2, .is_oldest_first = true});
    assert_cell(result, 0, "text", VALUE_TEXT, "first"); /* as if it had been pushed on the other side */
    assert_cell(result, 1, "text", VALUE_TEXT, "second");
    assert_true(result->is_truncated);
    source_result_free(result);
    real_close(&real);
}

static void entries_that_cannot_be_read_are_skipped_and_counted(void **state)
{
    struct world *world = *state;
    struct real real;
    real_open(world, &real);
    (void)RUN(&real, L("DEL"), L(PREFIX "bad"));
    (void)RUN(&real, L("RPUSH"), L(PREFIX "bad"), L("{'a': 1}"), L("{\"a\":1}"), L("plain"), L("\xff\xfe"),
              L("{\"a\":"), L("a\0b"), L("[1,2]"));
    struct source_result *result =
        fetch(world, real.source, (struct redis_test){.key = PREFIX "bad", .type = "list"});
    assert_int_equal(result->n_rows, 3);
    assert_int_equal(result->n_malformed, 4);
    assert_cell(result, 0, "a", VALUE_INT, "1");
    assert_cell(result, 1, "value", VALUE_TEXT, "plain");
    assert_cell(result, 2, "value", VALUE_JSON, "[1,2]");
    source_result_free(result);

    result = fetch(world, real.source,
                   (struct redis_test){.key = PREFIX "bad", .type = "list", .entries = "json"});
    assert_int_equal(result->n_rows, 1);
    assert_int_equal(result->n_malformed, 6);
    source_result_free(result);

    result = fetch(world, real.source,
                   (struct redis_test){.key = PREFIX "bad", .type = "list", .entries = "text"});
    assert_int_equal(result->n_rows, 5);
    assert_cell(result, 0, "value", VALUE_TEXT, "{'a': 1}");
    source_result_free(result);
    real_close(&real);
}

static void a_hash_is_one_row(void **state)
{
    struct world *world = *state;
    struct real real;
    real_open(world, &real);
    (void)RUN(&real, L("DEL"), L(PREFIX "hash"));
    (void)RUN(&real, L("HSET"), L(PREFIX "hash"), L("name"), L("Ada"), L("pickle"), L("\x80\x04\x95"),
              L("city"), L("Zürich"));
    struct source_result *result =
        fetch(world, real.source, (struct redis_test){.key = PREFIX "hash", .type = "hash"});
    assert_int_equal(result->n_rows, 1);
    assert_int_equal(result->n_malformed, 1);
    assert_cell(result, 0, "name", VALUE_TEXT, "Ada");
    assert_cell(result, 0, "city", VALUE_TEXT, "Zürich");
    assert_cell(result, 0, "pickle", VALUE_NULL, "");
    source_result_free(result);

    result =
        fetch(world, real.source,
              (struct redis_test){.key = PREFIX "hash", .type = "hash", .fields = "[\"city\",\"nothing\"]"});
    assert_int_equal(result->n_columns, 2);
    assert_cell(result, 0, "city", VALUE_TEXT, "Zürich");
    assert_cell(result, 0, "nothing", VALUE_NULL, "");
    source_result_free(result);

    result = fetch(world, real.source,
                   (struct redis_test){.key = PREFIX "hash", .type = "hash", .fields = "[\"nothing\"]"});
    assert_int_equal(result->n_rows, 0);
    source_result_free(result);
    real_close(&real);
}

static void a_hash_of_a_million_fields_does_not_come_whole(void **state)
{
    struct world *world = *state;
    struct real real;
    real_open(world, &real);
    (void)RUN(&real, L("DEL"), L(PREFIX "big"));
    (void)RUN(&real, L("EVAL"),
              L("for i=1,100000 do redis.call('HSET', KEYS[1], 'field'..i, i) end return 1"), L("1"),
              L(PREFIX "big"));
    struct source_result *result =
        fetch(world, real.source, (struct redis_test){.key = PREFIX "big", .type = "hash"});
    assert_int_equal(result->n_rows, 1);
    assert_true(result->n_columns <= 256 && result->degraded.len > 0);
    source_result_free(result);
    (void)RUN(&real, L("DEL"), L(PREFIX "big"));
    real_close(&real);
}

static void a_sorted_set_comes_best_or_newest_first(void **state)
{
    struct world *world = *state;
    struct real real;
    real_open(world, &real);
    (void)RUN(&real, L("DEL"), L(PREFIX "zset"));
    (void)RUN(&real, L("ZADD"), L(PREFIX "zset"), L("1.5"), L("low"), L("1700000000"), L("{\"x\":\"at\"}"),
              L("1700000100"), L("later"));
    struct source_result *result =
        fetch(world, real.source, (struct redis_test){.key = PREFIX "zset", .type = "sorted_set"});
    assert_int_equal(result->n_rows, 3);
    assert_false(result->is_oldest_last);
    assert_cell(result, 0, "value", VALUE_TEXT, "later");
    assert_cell(result, 2, "score", VALUE_REAL, "1.5");
    source_result_free(result);

    result = fetch(world, real.source,
                   (struct redis_test){.key = PREFIX "zset",
                                       .type = "sorted_set",
                                       .scores = "seconds",
                                       .min = "2023-11-14T22:13:20Z",
                                       .max = "(1700000100"});
    assert_int_equal(result->n_rows, 1);
    assert_true(result->is_oldest_last);
    assert_cell(result, 0, "x", VALUE_TEXT, "at");
    assert_cell(result, 0, "time", VALUE_TIME, "2023-11-14T22:13:20Z");
    assert_true(result->rows[0].time_us == INT64_C(1700000000) * US_PER_SEC);
    source_result_free(result);
    real_close(&real);
}

static void a_stream_has_its_ids_and_times(void **state)
{
    struct world *world = *state;
    struct real real;
    real_open(world, &real);
    (void)RUN(&real, L("DEL"), L(PREFIX "stream"));
    (void)RUN(&real, L("XADD"), L(PREFIX "stream"), L("1000-1"), L("kind"), L("old"));
    (void)RUN(&real, L("XADD"), L(PREFIX "stream"), L("*"), L("kind"), L("new"), L("level"), L("3"));
    struct source_result *result =
        fetch(world, real.source, (struct redis_test){.key = PREFIX "stream", .type = "stream"});
    assert_int_equal(result->n_rows, 2);
    assert_true(result->is_oldest_last);
    assert_cell(result, 0, "level", VALUE_TEXT, "3");
    assert_true(str_is(result->rows[1].id, "1000-1"));
    assert_cell(result, 1, "time", VALUE_TIME, "1970-01-01T00:00:01Z");
    source_result_free(result);
    result =
        fetch(world, real.source,
              (struct redis_test){.key = PREFIX "stream", .type = "stream", .last_us = 3600 * US_PER_SEC});
    assert_int_equal(result->n_rows, 1);
    source_result_free(result);
    real_close(&real);
}

static void strings_and_json(void **state)
{
    struct world *world = *state;
    struct real real;
    real_open(world, &real);
    (void)RUN(&real, L("SET"), L(PREFIX "string"), L("as it stands"));
    (void)RUN(&real, L("SET"), L(PREFIX "json"), L("[{\"a\":1},{\"a\":2},3]"));
    (void)RUN(&real, L("SET"), L(PREFIX "one"), L("{\"a\":{\"b\":1}}"));
    (void)RUN(&real, L("SETRANGE"), L(PREFIX "long"), L("3000000"), L("x"));
    struct source_result *result =
        fetch(world, real.source, (struct redis_test){.key = PREFIX "string", .type = "string"});
    assert_cell(result, 0, "value", VALUE_TEXT, "as it stands");
    source_result_free(result);
    result =
        fetch(world, real.source, (struct redis_test){.key = PREFIX "json", .type = "json", .max_rows = 2});
    assert_int_equal(result->n_rows, 2);
    assert_true(result->is_truncated);
    assert_cell(result, 1, "a", VALUE_INT, "2");
    source_result_free(result);
    result = fetch(world, real.source, (struct redis_test){.key = PREFIX "one", .type = "json"});
    assert_cell(result, 0, "a", VALUE_JSON, "{\"b\":1}");
    source_result_free(result);
    result = fetch(world, real.source, (struct redis_test){.key = PREFIX "string", .type = "json"});
    assert_int_equal(result->n_rows, 0);
    assert_int_equal(result->n_malformed, 1);
    source_result_free(result);
    result = fetch(world, real.source, (struct redis_test){.key = PREFIX "long", .type = "string"});
    assert_int_equal(result->n_malformed, 1); /* three million NULs are no text */
    assert_true(result->is_truncated);
    source_result_free(result);
    static const char *const types[] = {"list", "hash", "string", "sorted_set", "stream", "json"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        result = fetch(world, real.source, (struct redis_test){.key = PREFIX "nowhere", .type = types[i]});
        assert_int_equal(result->n_rows + result->n_malformed, 0);
        source_result_free(result);
    }
    (void)RUN(&real, L("DEL"), L(PREFIX "long"));
    real_close(&real);
}

static void what_the_server_refuses_is_said_in_words(void **state)
{
    struct world *world = *state;
    struct real real;
    real_open(world, &real);
    (void)RUN(&real, L("SET"), L(PREFIX "string"), L("x"));
    assert_refused(world, real.source, (struct redis_test){.key = PREFIX "string", .type = "list"},
                   ERR_REMOTE, "cache: the key holds another type of value (WRONGTYPE)");
    assert_refused(world, real.source, (struct redis_test){.key = PREFIX "string", .type = "lists"},
                   ERR_INVALID, "did you mean 'list'?");
    assert_refused(world, real.source, (struct redis_test){.key = "", .type = "list"}, ERR_INVALID,
                   "key: is empty");
    assert_refused(world, real.source,
                   (struct redis_test){.key = PREFIX "zset", .type = "sorted_set", .min = "abc"}, ERR_REMOTE,
                   "min or max is not a float");
    assert_refused(world, real.source,
                   (struct redis_test){.key = PREFIX "z", .type = "sorted_set", .last_us = 1}, ERR_INVALID,
                   "needs scores that are times");
    /* A command inside a key is a key. */
    struct source_result *result =
        fetch(world, real.source, (struct redis_test){.key = "x\r\nFLUSHALL\r\n", .type = "string"});
    assert_int_equal(result->n_rows, 0);
    source_result_free(result);
    assert_int_equal(RUN(&real, L("EXISTS"), L(PREFIX "string")).integer, 1);
    real_close(&real);
}

static void wrong_passwords_and_certificates_are_told_apart(void **state)
{
    struct world *world = *state;
    const char *url = backend_fact("REDIS", "URL"), *tls = backend_fact("REDIS", "TLS_URL");
    const char *at = strchr(url, '@');
    char other[512];

    snprintf(other, sizeof other, "redis://default:wrong-secret%s", at);
    struct source *source = open_source(world, other);
    struct redis_test test = {.key = PREFIX "string", .type = "string"};
    assert_refused(world, source, test, ERR_REMOTE, "refuses this user or password");
    source_close(source);
    snprintf(other, sizeof other, "redis://%s", at + 1);
    source = open_source(world, other);
    assert_refused(world, source, test, ERR_REMOTE, "wants a password");
    source_close(source);
    /* An empty user is nobody: AUTH with one argument. */
    snprintf(other, sizeof other, "redis://:%s", strchr(url + sizeof "redis://", ':') + 1);
    source = open_source(world, other);
    source_result_free(fetch(world, source, test));
    source_close(source);

    snprintf(other, sizeof other, "%s?ca=%s", tls, backend_authority(true));
    source = open_source(world, other);
    source_result_free(fetch(world, source, test));
    source_result_free(fetch(world, source, test));
    struct source_stats stats;
    source_stats(source, &stats);
    assert_int_equal(stats.pool.n_connects, 1); /* one of TLS is as good the second time */
    source_close(source);
    snprintf(other, sizeof other, "%s?ca=%s", tls, backend_authority(false));
    source = open_source(world, other);
    assert_refused(world, source, test, ERR_UNAVAILABLE, "its authority is not trusted");
    source_close(source);
    source = open_source(world, tls); /* the system's authorities do not know it either */
    assert_refused(world, source, test, ERR_UNAVAILABLE, "certificate is refused");
    source_close(source);
    snprintf(other, sizeof other, "rediss:%s?ca=%s", strchr(url, ':') + 1, backend_authority(true));
    source = open_source(world, other); /* no TLS there */
    assert_refused(world, source, test, ERR_UNAVAILABLE, "no connection to 127.0.0.1:");
    source_close(source);
}

static void doctor_learns_what_answers_and_what_does_not(void **state)
{
    struct world *world = *state;
    struct source *source = open_source(world, backend_fact("REDIS", "URL"));
    struct err_info err = {0};
    struct buf line;
    buf_init(&line, 4096);
    assert_int_equal(source_check(source, world_deadline(20000), &line, &err), 0);
    assert_non_null(strstr(line.data, "Valkey "));
    assert_non_null(strstr(line.data, " keys, answers in "));
    source_close(source);
    source = open_source(world, "redis://:hidden@127.0.0.1:1/0");
    assert_int_equal(source_check(source, world_deadline(20000), &line, &err), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "no connection to 127.0.0.1:1: Connection refused"));
    assert_null(strstr(err.message, "hidden"));
    source_close(source);
    buf_done(&line);
}

/* ---- a server of the test's own ---- */

struct fake {
    char path[600], url[640];
    int fd;
    pthread_t thread;
    size_t n_wait;          /* commands that must have come before anything is answered */
    const char *replies[4]; /* of each connection in turn; sent whole; NULL: the first again. An @ stands for
                               the mark of the next command; without any they follow at the end */
    bool closes[4];         /* after that */
    atomic_int n_accepted;
};

#define MAX_MARKS 16

/* The marks that came and were not sent back yet. */
struct marks {
    char texts[MAX_MARKS][64];
    size_t n, n_sent;
};

/* Every command is followed by its mark, PING with a text. */
static void marks_read(struct marks *marks, char *data)
{
    static const char ping[] = "*2\r\n$4\r\nPING\r\n";
    for (char *at = data; (at = strstr(at, ping)); marks->n++) {
        at = strchr(at + sizeof ping - 1, '\n') + 1;
        assert_true(marks->n < MAX_MARKS);
        snprintf(marks->texts[marks->n], sizeof marks->texts[0], "%.*s", (int)strcspn(at, "\r"), at);
    }
}

static void send_mark(struct marks *marks, int conn)
{
    char reply[96];
    int len = snprintf(reply, sizeof reply, "$%zu\r\n%s\r\n", strlen(marks->texts[marks->n_sent]),
                       marks->texts[marks->n_sent]);
    marks->n_sent++;
    (void)!send(conn, reply, (size_t)len, MSG_NOSIGNAL);
}

static void send_reply(struct marks *marks, int conn, const char *reply)
{
    while (*reply) {
        size_t len = strcspn(reply, "@");
        (void)!send(conn, reply, len, MSG_NOSIGNAL);
        reply += len;
        if (*reply == '@') {
            send_mark(marks, conn);
            reply++;
        }
    }
}

/* The login is the command CLIENT SETNAME alone. */
static void fake_serve(struct fake *fake, int conn, int idx)
{
    char data[4096];
    struct marks marks = {.n = 0};
    bool is_in = false;
    ssize_t n;
    while ((n = recv(conn, data, sizeof data - 1, 0)) > 0) {
        data[n] = '\0';
        marks_read(&marks, data);
        if (!is_in) {
            send_reply(&marks, conn, "+OK\r\n@");
            marks = (struct marks){.n = 0};
            is_in = true;
            continue;
        }
        if (marks.n < fake->n_wait)
            continue;
        const char *reply = fake->replies[idx] ? fake->replies[idx] : fake->replies[0];
        send_reply(&marks, conn, reply);
        while (*reply && marks.n_sent < marks.n)
            send_mark(&marks, conn);
        marks = (struct marks){.n = 0};
        if (fake->closes[idx])
            break;
    }
}

static void *fake_main(void *arg)
{
    struct fake *fake = arg;
    int conn;
    while ((conn = accept(fake->fd, NULL, NULL)) >= 0) {
        int idx = atomic_fetch_add(&fake->n_accepted, 1);
        fake_serve(fake, conn, idx < 4 ? idx : 3);
        close(conn);
    }
    return NULL;
}

static void fake_open(struct world *world, struct fake *fake)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(fake->path, sizeof fake->path, "%s", world_path(world, "s"));
    snprintf(fake->url, sizeof fake->url, "redis+unix://%s", fake->path);
    assert_true(strlen(fake->path) < sizeof address.sun_path);
    strcpy(address.sun_path, fake->path);
    fake->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fake->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fake->fd, 8), 0);
    assert_int_equal(pthread_create(&fake->thread, NULL, fake_main, fake), 0);
}

static void fake_close(struct fake *fake)
{
    shutdown(fake->fd, SHUT_RDWR);
    pthread_join(fake->thread, NULL);
    close(fake->fd);
}

static void all_questions_of_a_build_go_in_one_round_trip(void **state)
{
    struct world *world = *state;
    struct fake fake = {.n_wait = 3, .replies = {"$1\r\na\r\n@$1\r\nb\r\n@$1\r\nc\r\n@"}};
    struct source_fetch fetches[3] = {0};
    struct net_op *op;
    fake_open(world, &fake);
    struct source *source = open_source(world, fake.url);

    for (size_t i = 0; i < 3; i++) {
        struct value settings[9];
        struct source_request request;
        fill(&(struct redis_test){.key = "k", .type = "string"}, settings, &request);
        assert_int_equal(source_fetch_start(source, &request, world->loop, &fetches[i], NULL), 0);
    }
    net_loop_flush(world->loop, true);
    for (size_t i = 0; i < 3; i++) { /* it answers none before it has all */
        assert_int_equal(net_loop_wait(world->loop, INT64_MAX, &op, NULL), 0);
        assert_ptr_equal(op, &fetches[i].op);
        assert_int_equal(op->result, 0);
        struct source_result *result = source_fetch_take(&fetches[i]);
        assert_cell(result, 0, "value", VALUE_TEXT, (const char *[]){"a", "b", "c"}[i]);
        source_result_free(result);
    }
    struct source_stats stats;
    source_stats(source, &stats);
    assert_int_equal(stats.pool.n_takes, 1);
    assert_int_equal(stats.pool.n_idle, 1);
    source_close(source);
    fake_close(&fake);
}

static void a_connection_that_died_is_replaced_once(void **state)
{
    struct world *world = *state;
    struct fake fake = {.replies = {"", "$2\r\nok\r\n", "", ""}, .closes = {true, true, true, true}};
    struct redis_test test = {.key = "k", .type = "string"};
    fake_open(world, &fake);
    struct source *source = open_source(world, fake.url);
    struct source_result *result = fetch(world, source, test);
    assert_cell(result, 0, "value", VALUE_TEXT, "ok");
    source_result_free(result);
    assert_int_equal(atomic_load(&fake.n_accepted), 2);
    assert_refused(world, source, test, ERR_UNAVAILABLE, "the connection broke: the server closed it");
    source_close(source);
    fake_close(&fake);
}

static void a_reply_that_is_none_or_too_large_costs_its_question_alone(void **state)
{
    struct world *world = *state;
    struct redis_test test = {.key = "k", .type = "string"};
    static const char *const wrong[] = {"HTTP/1.1 400 Bad Request\r\n\r\n",
                                        "$99999999999\r\n",
                                        "*2000000000\r\n",
                                        "$-7\r\n",
                                        "$3\r\nabcdef\r\n",
                                        ":x\r\n",
                                        "\r\n",
                                        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
                                        ":1\r\n",
                                        "*0\r\n",
                                        "$-1\r\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct fake fake = {.replies = {wrong[i]}};
        struct source_result *result = NULL;
        struct value settings[9];
        struct source_request request;
        struct err_info err = {0};
        fake_open(world, &fake);
        struct source *source = open_source(world, fake.url);
        fill(&test, settings, &request);
        int res = world_fetch(world, source, &request, &result, &err);
        assert_true(res == ERR_REMOTE || res == ERR_LIMIT);
        assert_true(err.message[0]);
        source_close(source);
        fake_close(&fake);
        unlink(fake.path);
    }
}

static void a_late_reply_never_reaches_another_question(void **state)
{
    struct world *world = *state;
    /* The first connection never answers; should anybody ask on it again, it would be seen. */
    struct fake fake = {.n_wait = 2, .replies = {"$5\r\nfirst\r\n$5\r\nwrong\r\n"}};
    struct source_result *result = NULL;
    struct value settings[9];
    struct source_request request;
    fake_open(world, &fake);
    struct source *source = open_source(world, fake.url);
    fill(&(struct redis_test){.key = "k", .type = "string"}, settings, &request);
    request.deadline_us = world_deadline(100);
    assert_int_equal(world_fetch(world, source, &request, &result, NULL), ERR_TIMEOUT);
    struct source_stats stats;
    source_stats(source, &stats);
    assert_int_equal(stats.pool.n_idle, 0);
    source_close(source);
    fake_close(&fake);
}

static void a_reply_that_nobody_asked_for_ends_its_connection(void **state)
{
    struct world *world = *state;
    struct fake fake = {.replies = {"$2\r\nok\r\n@$5\r\nextra\r\n"}};
    struct redis_test test = {.key = "k", .type = "string"};
    fake_open(world, &fake);
    struct source *source = open_source(world, fake.url);
    for (int i = 0; i < 3; i++) {
        struct source_result *result = fetch(world, source, test);
        assert_cell(result, 0, "value", VALUE_TEXT, "ok");
        source_result_free(result);
    }
    struct source_stats stats;
    source_stats(source, &stats);
    assert_int_equal(stats.pool.n_connects, 3);
    source_close(source);
    fake_close(&fake);
}

static void a_reply_of_another_question_is_never_taken(void **state)
{
    struct world *world = *state;
    /* One too many before the reply, and marks of others. */
    static const char *const wrong[] = {"$5\r\nother\r\n$2\r\nok\r\n@", "$5\r\nother\r\n$7\r\nprecis-\r\n",
                                        "$5\r\nother\r\n:1\r\n", "$5\r\nother\r\n-ERR no\r\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct fake fake = {.replies = {wrong[i], "$2\r\nok\r\n@", wrong[i], wrong[i]},
                            .closes = {false, true}};
        struct redis_test test = {.key = "k", .type = "string"};
        fake_open(world, &fake);
        struct source *source = open_source(world, fake.url);
        struct source_result *result = fetch(world, source, test);
        assert_cell(result, 0, "value", VALUE_TEXT, "ok");
        source_result_free(result);
        assert_refused(world, source, test, ERR_UNAVAILABLE, "out of step");
        source_close(source);
        fake_close(&fake);
        unlink(fake.path);
    }
}

static void a_user_that_may_not_ping_and_a_server_that_refuses_all_are_heard(void **state)
{
    struct world *world = *state;
    struct fake fake = {.replies = {"$2\r\nok\r\n-NOPERM no permissions to run 'ping'\r\n",
                                    "$2\r\nok\r\n+PONG\r\n", "-LOADING it loads\r\n-LOADING it loads\r\n"},
                        .closes = {true, true, true, true}};
    struct redis_test test = {.key = "k", .type = "string"};
    fake_open(world, &fake);
    struct source *source = open_source(world, fake.url);
    for (int i = 0; i < 2; i++) {
        struct source_result *result = fetch(world, source, test);
        assert_cell(result, 0, "value", VALUE_TEXT, "ok");
        source_result_free(result);
    }
    assert_refused(world, source, test, ERR_REMOTE, "still loading");
    source_close(source);
    fake_close(&fake);
}

static void a_loop_that_ends_first_leaves_nothing_behind(void **state)
{
    struct world *world = *state;
    struct fake fake = {.n_wait = 9, .replies = {""}};
    struct source_fetch fetches[2] = {0};
    struct value settings[9];
    struct source_request request;
    struct net_op *op;
    fake_open(world, &fake);
    struct source *source = open_source(world, fake.url);
    fill(&(struct redis_test){.key = "k", .type = "string"}, settings, &request);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(source_fetch_start(source, &request, world->loop, &fetches[i], NULL), 0);
    net_loop_flush(world->loop, true);
    assert_int_equal(net_loop_wait(world->loop, world_deadline(50), &op, NULL), 1);
    world->loop = net_loop_free(world->loop);
    source_close(source);
    fake_close(&fake);
}

static void urls_that_cannot_be_used_are_refused_without_a_word_of_them(void **state)
{
    static const char *const urls[] = {
        "redis:secret",         "redis://u@h",          "redis://:secret@h:99999", "redis://h/x",
        "redis://h/1?secret=1", "rediss://h?socket=/s", "redis://h?ca=/secret",    "redis://%zz@h",
        "redis+unix://",        "redis://[::1:1/0",     "redis://h/0?db",          "redis://:%00@h",
    };
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct redis_server *server = NULL;
        struct err_info err = {0};
        assert_int_equal(redis_server_new(str_of(urls[i]), &clock_system, &server, &err), ERR_INVALID);
        assert_null(strstr(err.message, "secret"));
    }
    static const struct {
        const char *url, *place;
    } good[] = {
        {"redis://h", "h:6379"},
        {"redis://", "127.0.0.1:6379"},
        {"redis://u:p%40%3a@h:1/3", "h:1"},
        {"redis://:p@ss?w@[::1]:7", "[::1]:7"},
        {"REDIS+UNIX://:p@/run/r.sock?db=2", "/run/r.sock"},
        {"redis://?socket=/run/r.sock", "/run/r.sock"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct redis_server *server = NULL;
        struct err_info err = {0};
        if (redis_server_new(str_of(good[i].url), &clock_system, &server, &err) < 0)
            fail_msg("%s: %s", good[i].url, err.message);
        assert_string_equal(redis_server_place(server), good[i].place);
        redis_server_free(server);
    }
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_open, world_close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(a_list_brings_the_newest_and_says_they_read_the_other_way_round),
        WITH_WORLD(entries_that_cannot_be_read_are_skipped_and_counted),
        WITH_WORLD(a_hash_is_one_row),
        WITH_WORLD(a_hash_of_a_million_fields_does_not_come_whole),
        WITH_WORLD(a_sorted_set_comes_best_or_newest_first),
        WITH_WORLD(a_stream_has_its_ids_and_times),
        WITH_WORLD(strings_and_json),
        WITH_WORLD(what_the_server_refuses_is_said_in_words),
        WITH_WORLD(wrong_passwords_and_certificates_are_told_apart),
        WITH_WORLD(doctor_learns_what_answers_and_what_does_not),
        WITH_WORLD(all_questions_of_a_build_go_in_one_round_trip),
        WITH_WORLD(a_connection_that_died_is_replaced_once),
        WITH_WORLD(a_reply_that_is_none_or_too_large_costs_its_question_alone),
        WITH_WORLD(a_late_reply_never_reaches_another_question),
        WITH_WORLD(a_reply_that_nobody_asked_for_ends_its_connection),
        WITH_WORLD(a_reply_of_another_question_is_never_taken),
        WITH_WORLD(a_user_that_may_not_ping_and_a_server_that_refuses_all_are_heard),
        WITH_WORLD(a_loop_that_ends_first_leaves_nothing_behind),
        WITH_WORLD(urls_that_cannot_be_used_are_refused_without_a_word_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
