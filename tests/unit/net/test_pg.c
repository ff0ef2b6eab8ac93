/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections to a real PostgreSQL server: what is answered and in which order, what bounds an answer and the
 * statements that are kept, stopping what runs, and servers that do not keep to the protocol.
 */
#include "net/pg.h"

#include "core/clock.h"

#include "../backend.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 20000 /* for what comes at once, on a machine that is busy */

static struct pg_conn *open_url(const char *url)
{
    struct pg_conn *conn = NULL;
    struct err_info err = {0};
    if (pg_conn_open(str_of(url), &clock_system, clock_mono_us(&clock_system) + WAIT_MS * US_PER_MS, &conn,
                     &err) < 0)
        fail_msg("%s", err.message);
    return conn;
}

static struct pg_conn *open_pg(void)
{
    return open_url(backend_fact("POSTGRES", "URL"));
}

static int ask(struct pg_conn *conn, const char *sql, void *tag)
{
    return pg_conn_ask(conn, str_of(sql), NULL, 0, tag, NULL);
}

/* The next event; negative when the connection is broken. */
static int hear(struct pg_conn *conn, struct pg_event *ret_event, struct err_info *reterr)
{
    for (;;) {
        int res = pg_conn_next(conn, ret_event, reterr);
        if (res != 1)
            return res;
        struct pollfd fd = {.fd = pg_conn_fd(conn), .events = pg_conn_events(conn)};
        assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
        res = pg_conn_push(conn, reterr);
        if (res == 0)
            res = pg_conn_read(conn, reterr);
        if (res < 0)
            return res;
    }
}

/* The first value of the only row; up to the sync. */
static int64_t ask_number(struct pg_conn *conn, const char *sql)
{
    struct pg_event event = {0};
    struct str text;
    int64_t number = -1;

    assert_int_equal(ask(conn, sql, NULL), 0);
    assert_int_equal(pg_conn_ask_sync(conn, NULL), 0);
    while (event.kind != PG_SYNCED) {
        assert_int_equal(hear(conn, &event, NULL), 0);
        assert_int_not_equal(event.kind, PG_ERROR);
        if (event.kind == PG_ROW && pg_conn_value(conn, 0, &text))
            assert_int_equal(str_to_int(text, &number), 0);
    }
    return number;
}

/* ---- what is answered ---- */

static void expect_rows(struct pg_conn *conn, const void *tag)
{
    struct pg_event event;
    struct pg_column column;
    struct str text;

    for (int i = 1; i <= 3; i++) {
        int64_t number = 0;
        assert_int_equal(hear(conn, &event, NULL), 0);
        assert_int_equal(event.kind, PG_ROW);
        assert_ptr_equal(event.tag, tag);
        assert_true(pg_conn_value(conn, 0, &text));
        assert_int_equal(str_to_int(text, &number), 0);
        assert_int_equal(number, i);
        assert_int_equal(pg_conn_value(conn, 1, &text), i != 2); /* NULL */
    }
    assert_int_equal(hear(conn, &event, NULL), 0);
    assert_int_equal(event.kind, PG_END);
    assert_ptr_equal(event.tag, tag);
    assert_int_equal(pg_conn_n_columns(conn), 2);
    pg_conn_column(conn, 1, &column);
    assert_string_equal(column.name, "b");
}

static void answers_come_in_order_with_each_row_whole_or_one_by_one(void **state)
{
    static const char sql[] = "SELECT i AS a, nullif(i, 2) AS b FROM generate_series(1, 3) i";
    struct pg_conn *conn = open_pg();
    struct pg_event event;
    int tags[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(
            (i % 2 ? pg_conn_ask_whole : pg_conn_ask)(conn, str_of(sql), NULL, 0, &tags[i], NULL), 0);
    assert_int_equal(pg_conn_ask_sync(conn, NULL), 0);
    for (int i = 0; i < 4; i++)
        expect_rows(conn, &tags[i]);
    assert_int_equal(hear(conn, &event, NULL), 0);
    assert_int_equal(event.kind, PG_SYNCED);
    assert_true(pg_conn_is_idle(conn));
    pg_conn_close(conn);
}

static void error_among_whole_answers_is_told_once_and_skips_the_rest(void **state)
{
    struct pg_conn *conn = open_pg();
    struct pg_event event;
    static const enum pg_event_kind kinds[] = {PG_ROW, PG_END, PG_ERROR, PG_SKIPPED, PG_SYNCED};
    static const char *const sqls[] = {"SELECT 1", "SELECT 1/(1-1)", "SELECT 2"};

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pg_conn_ask_whole(conn, str_of(sqls[i]), NULL, 0, NULL, NULL), 0);
    assert_int_equal(pg_conn_ask_sync(conn, NULL), 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(hear(conn, &event, NULL), 0);
        assert_int_equal(event.kind, kinds[i]);
    }
    assert_int_equal(ask_number(conn, "SELECT 3"), 3);
    pg_conn_close(conn);
}

static void whole_answer_beyond_its_limit_is_given_up(void **state)
{
    struct pg_conn *conn = open_pg();
    struct pg_event event;
    struct err_info err = {0};

    (void)state;
    assert_int_equal(
        pg_conn_ask_whole(conn, STR_LIT("SELECT i FROM generate_series(1, 10000000) i"), NULL, 0, NULL, NULL),
        0);
    assert_int_equal(pg_conn_ask_sync(conn, NULL), 0);
    assert_int_equal(hear(conn, &event, &err), ERR_LIMIT);
    assert_non_null(strstr(err.message, "1 MB"));
    pg_conn_close(conn);
}

static void server_keeps_no_more_statements_than_the_limit(void **state)
{
    struct pg_conn *conn = open_pg();
    char sql[64];

    (void)state;
    for (int i = 0; i < 250; i++) {
        (void)snprintf(sql, sizeof sql, "SELECT %d", i);
        assert_int_equal(ask_number(conn, sql), i);
    }
    int64_t n = ask_number(conn, "SELECT count(*) FROM pg_prepared_statements");
    assert_in_range(n, 90, 96);
    assert_int_equal(ask_number(conn, "SELECT 7"), 7); /* was let go of: it is prepared anew */
    pg_conn_close(conn);
}

static void cancel_ends_the_statement_that_runs_and_leaves_the_connection(void **state)
{
    struct pg_canceller *canceller = pg_canceller_new();
    struct pg_conn *conn = open_pg();
    struct pg_event event;

    (void)state;
    assert_int_equal(ask(conn, "SELECT 1", NULL), 0);
    assert_int_equal(pg_conn_ask_flush(conn, NULL), 0);
    assert_int_equal(ask(conn, "SELECT pg_sleep(60)::text", NULL), 0);
    assert_int_equal(pg_conn_ask_sync(conn, NULL), 0);
    assert_int_equal(hear(conn, &event, NULL), 0);
    assert_int_equal(event.kind, PG_ROW); /* so the next has begun, or does at once */
    assert_int_equal(hear(conn, &event, NULL), 0);
    assert_int_equal(event.kind, PG_END);
    struct pollfd fd = {.fd = pg_conn_fd(conn), .events = POLLIN};
    do { /* one that arrives before the statement stops nothing */
        assert_int_equal(pg_conn_push(conn, NULL), 0);
        (void)pg_conn_cancel(conn, canceller);
    } while (poll(&fd, 1, 200) == 0);
    assert_int_equal(hear(conn, &event, NULL), 0);
    assert_int_equal(event.kind, PG_ERROR);
    assert_string_equal(event.error.sqlstate, "57014");
    assert_int_equal(hear(conn, &event, NULL), 0);
    assert_int_equal(event.kind, PG_SYNCED);
    pg_conn_close(conn);
    pg_canceller_unref(canceller);
}

/* ---- behind a proxy that misbehaves ---- */

struct proxy {
    pid_t pid;
    int control;
    char url[512];
};

static void proxy_set(const struct proxy *proxy, const char *line)
{
    char reply[256];
    assert_int_equal(send(proxy->control, line, strlen(line), 0), strlen(line));
    assert_true(recv(proxy->control, reply, sizeof reply, 0) > 0);
}

/* The server's URL with the proxy's address. */
static void make_url(struct proxy *proxy, const char *url, const char *host, int port)
{
    const char *end = host + strcspn(host, "/?");
    (void)snprintf(proxy->url, sizeof proxy->url, "%.*s127.0.0.1:%d%s", (int)(host - url), url, port, end);
}

static void proxy_start(struct proxy *proxy)
{
    const char *url = backend_fact("POSTGRES", "URL"), *host = strchr(url, '@') + 1;
    char address[128], line[256];
    int out[2], port = 0, control = 0;

    (void)snprintf(address, sizeof address, "%.*s", (int)strcspn(host, "/?"), host);
    assert_int_equal(pipe(out), 0);
    proxy->pid = fork();
    if (proxy->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a case that fails leaves it behind */
        (void)dup2(out[1], STDOUT_FILENO);
        (void)execlp("python3", "python3", TEST_FOLDER "/../../backends/fault_proxy.py", address, "--control",
                     "0", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    FILE *file = fdopen(out[0], "r");
    assert_non_null(fgets(line, sizeof line, file));
    (void)fclose(file);
    assert_int_equal(sscanf(line, "listening on 127.0.0.1:%d, control on 127.0.0.1:%d", &port, &control), 2);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)control),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    proxy->control = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(proxy->control, (struct sockaddr *)&to, sizeof to), 0);
    make_url(proxy, url, host, port);
}

static void proxy_stop(const struct proxy *proxy)
{
    close(proxy->control);
    kill(proxy->pid, SIGKILL);
    (void)waitpid(proxy->pid, NULL, 0);
}

/* Whatever comes: no answer that the server did not give, and an end. */
static void expect_broken(const char *fault, const char *sql)
{
    struct proxy proxy;
    proxy_start(&proxy);
    struct pg_conn *conn = open_url(proxy.url);
    struct pg_event event = {0};
    struct err_info err = {0};
    int res = 0;

    assert_int_equal(ask_number(conn, "SELECT 5"), 5);
    proxy_set(&proxy, fault);
    assert_int_equal(ask(conn, sql, NULL), 0);
    assert_int_equal(pg_conn_ask_sync(conn, NULL), 0);
    while (res == 0) {
        res = hear(conn, &event, &err);
        assert_false(res == 0 && (event.kind == PG_END || event.kind == PG_ROW || event.kind == PG_SYNCED));
    }
    assert_int_equal(res, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "lost"));
    pg_conn_close(conn);
    proxy_stop(&proxy);
}

static void bytes_that_mean_nothing_break_the_connection(void **state)
{
    (void)state;
    expect_broken("wrong\n", "SELECT 6");
}

static void row_that_is_cut_in_the_middle_is_not_told(void **state)
{
    (void)state;
    expect_broken("cut 50000\n", "SELECT repeat('x', 100000)");
}

static void answer_that_comes_twice_makes_an_idle_connection_unfit(void **state)
{
    struct proxy proxy;
    proxy_start(&proxy);
    struct pg_conn *conn = open_url(proxy.url);

    (void)state;
    assert_true(pg_conn_is_quiet(conn));
    proxy_set(&proxy, "extra 1\n");
    assert_int_equal(ask_number(conn, "SELECT 5"), 5);
    struct pollfd fd = {.fd = pg_conn_fd(conn), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
    assert_false(pg_conn_is_quiet(conn));
    pg_conn_close(conn);
    proxy_stop(&proxy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_in_order_with_each_row_whole_or_one_by_one),
        cmocka_unit_test(error_among_whole_answers_is_told_once_and_skips_the_rest),
        cmocka_unit_test(whole_answer_beyond_its_limit_is_given_up),
        cmocka_unit_test(server_keeps_no_more_statements_than_the_limit),
        cmocka_unit_test(cancel_ends_the_statement_that_runs_and_leaves_the_connection),
        cmocka_unit_test(bytes_that_mean_nothing_break_the_connection),
        cmocka_unit_test(row_that_is_cut_in_the_middle_is_not_told),
        cmocka_unit_test(answer_that_comes_twice_makes_an_idle_connection_unfit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
