/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening a connection, and the session's settings: one round trip after the login. On a thread that may
 * wait; every wait is a poll up to the deadline, but for the look-up of a host's name, which the system alone
 * ends.
 */
#include "net/pg_priv.h"

#include "core/buf.h"
#include "core/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KEYWORDS 8

/* Values out are read as this session writes them. The statement of a recipe may only read, whatever the role
 * may do. A filter beside a search by an HNSW index is applied to what the index finds: without iterative
 * scans it finds hnsw.ef_search rows, and a filter may leave none of them. The last two are what has no fixed
 * number among types: arrays of any element but rows of tables, and vectors. */
static const char setup_sql[] =
    "SET default_transaction_read_only = on;"
    "SET TimeZone = 'UTC';"
    "SET DateStyle = 'ISO, YMD';"
    "SET IntervalStyle = 'postgres';"
    "SET extra_float_digits = 1;"
    "SET bytea_output = 'hex';"
    "SET standard_conforming_strings = on;"
    "SET client_min_messages = 'error';"
    "SET idle_in_transaction_session_timeout = '90s';"
    "SELECT set_config(name, value, false)"
    "  FROM (VALUES ('hnsw.iterative_scan', 'strict_order'), ('hnsw.max_scan_tuples', '1000000'),"
    "               ('hnsw.scan_mem_multiplier', '16'), ('ivfflat.iterative_scan', 'relaxed_order'))"
    "    AS wanted (name, value)"
    " WHERE EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'vector'"
    "                AND (string_to_array(extversion, '.'))[1:2]::int[] >= '{0,8}'::int[])"
    "   AND coalesce(current_setting(name, true), 'off') IN ('off', '20000', '1');"
    "SELECT a.oid, e.oid FROM pg_catalog.pg_type a JOIN pg_catalog.pg_type e"
    "    ON e.oid = a.typelem AND e.typarray = a.oid AND e.typtype <> 'c'"
    " WHERE a.typcategory = 'A'"
    " UNION ALL SELECT oid, 0 FROM pg_catalog.pg_type WHERE typname IN ('vector', 'halfvec') AND typtype = "
    "'b'"
    " ORDER BY 1 LIMIT 512";

struct connecting {
    struct pg_conn *conn;
    const struct clock *clock;
    int64_t deadline_us;
    PQconninfoOption *options; /* of the URL */
};

static const char *option_of(const struct connecting *connecting, const char *keyword)
{
    for (const PQconninfoOption *option = connecting->options; option && option->keyword; option++)
        if (strcmp(option->keyword, keyword) == 0)
            return option->val;
    return NULL;
}

/* ---- errors ---- */

/* libpq's sentences come with line ends and, for several hosts, in several lines. */
static void append_line(struct buf *buf, const char *text)
{
    struct str rest = str_trim(str_of(text));
    for (size_t i = 0; i < rest.len; i++)
        if (rest.ptr[i] != '\n')
            buf_append_byte(buf, rest.ptr[i]);
        else
            buf_append_text(buf, "; ");
}

/* libpq names host and user, but what stands there is a password where somebody did not encode an '@'. */
static int fail_with(const struct connecting *connecting, int code, const char *text, struct err_info *reterr)
{
    const char *password = option_of(connecting, "password");
    struct buf buf;

    buf_init(&buf, ERR_MESSAGE_SIZE);
    append_line(&buf, text);
    /* A shorter one is part of many a word. */
    if (password && strlen(password) >= 4 && buf.len > 0 && str_find(buf_str(&buf), str_of(password)) >= 0)
        code =
            err_set(reterr, code, "the server cannot be connected to, for a reason that names the password");
    else
        code = err_set(reterr, code, "%s", buf.len > 0 ? buf.data : "the server cannot be connected to");
    buf_done(&buf);
    return code;
}

static int fail(const struct connecting *connecting, struct err_info *reterr)
{
    return fail_with(connecting, ERR_UNAVAILABLE, connecting->conn->lib.errorMessage(connecting->conn->pq),
                     reterr);
}

/* ---- waiting ---- */

static int wait_for(const struct connecting *connecting, short events, struct err_info *reterr)
{
    const struct pg_conn *conn = connecting->conn;
    const char *host = option_of(connecting, "host");

    for (;;) {
        int64_t left_us = connecting->deadline_us - clock_mono_us(connecting->clock);
        if (left_us <= 0)
            return err_set(reterr, ERR_UNAVAILABLE, "no answer from %s in time",
                           host && *host ? host : "the server");
        struct pollfd fd = {.fd = conn->lib.socket(conn->pq), .events = events};
        int n = poll(&fd, 1, (int)((left_us + US_PER_MS - 1) / US_PER_MS));
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return err_set(reterr, ERR_UNAVAILABLE, "poll failed: %s", strerror(errno));
    }
}

static int log_in(const struct connecting *connecting, struct err_info *reterr)
{
    const struct pg_conn *conn = connecting->conn;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    int res = 0;

    if (conn->lib.status(conn->pq) == CONNECTION_BAD)
        return fail(connecting, reterr);
    while (res == 0 && status != PGRES_POLLING_OK) {
        res = wait_for(connecting, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, reterr);
        if (res == 0)
            status = conn->lib.connectPoll(conn->pq);
        if (status == PGRES_POLLING_FAILED)
            return fail(connecting, reterr);
    }
    return res;
}

/* ---- the session ---- */

static int compare_types(const void *a, const void *b)
{
    uint32_t left = ((const struct pg_own_type *)a)->type, right = ((const struct pg_own_type *)b)->type;
    return left < right ? -1 : left > right;
}

static int read_types(struct pg_conn *conn, const PGresult *result, struct err_info *reterr)
{
    size_t n = (size_t)conn->lib.ntuples(result);

    conn->types = mem_calloc(n + 1, sizeof *conn->types);
    if (!conn->types)
        return err_set(reterr, ERR_NOMEM, "not enough memory to connect");
    for (size_t i = 0; i < n; i++)
        conn->types[i] =
            (struct pg_own_type){(uint32_t)strtoul(conn->lib.getvalue(result, (int)i, 0), NULL, 10),
                                 (uint32_t)strtoul(conn->lib.getvalue(result, (int)i, 1), NULL, 10)};
    conn->n_types = n;
    qsort(conn->types, n, sizeof *conn->types, compare_types);
    return 0;
}

static int read_setup(const struct connecting *connecting, struct err_info *reterr)
{
    struct pg_conn *conn = connecting->conn;
    PGresult *result;
    int res = 0;

    for (;;) {
        while (res == 0 && conn->lib.isBusy(conn->pq)) {
            res = wait_for(connecting, POLLIN, reterr);
            if (res == 0 && !conn->lib.consumeInput(conn->pq))
                res = fail(connecting, reterr);
        }
        if (res < 0 || !(result = conn->lib.getResult(conn->pq)))
            return res;
        ExecStatusType status = conn->lib.resultStatus(result);
        if (status == PGRES_TUPLES_OK && conn->lib.nfields(result) == 2 && !conn->types)
            res = read_types(conn, result, reterr);
        else if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
            res = fail_with(connecting, ERR_UNAVAILABLE, conn->lib.resultErrorMessage(result), reterr);
        conn->lib.clear(result);
        if (res < 0)
            return res;
    }
}

static int set_up(const struct connecting *connecting, struct err_info *reterr)
{
    struct pg_conn *conn = connecting->conn;
    int n_left;

    if (conn->lib.setnonblocking(conn->pq, 1) != 0 || !conn->lib.sendQuery(conn->pq, setup_sql))
        return fail(connecting, reterr);
    while ((n_left = conn->lib.flush(conn->pq)) > 0) {
        int res = wait_for(connecting, POLLOUT, reterr);
        if (res < 0)
            return res;
    }
    if (n_left < 0)
        return fail(connecting, reterr);
    int res = read_setup(connecting, reterr);
    if (res == 0 && !conn->lib.enterPipelineMode(conn->pq))
        res = fail(connecting, reterr);
    return res;
}

/* ---- the URL ---- */

/* What libpq says of a URL that it cannot read may repeat a part of the password: it is not passed on. */
static int read_url(struct connecting *connecting, const char *url, struct err_info *reterr)
{
    const struct pg_conn *conn = connecting->conn;
    char *message = NULL;

    connecting->options = conn->lib.conninfoParse(url, &message);
    if (message)
        conn->lib.freemem(message);
    const char *host = option_of(connecting, "host"), *port = option_of(connecting, "port");
    const char *database = option_of(connecting, "dbname");
    bool is_good = connecting->options && !(host && strchr(host, '@')) &&
                   !(database && strchr(database, '@')) && !(port && port[strspn(port, "0123456789,")]);
    if (!is_good)
        return err_set(
            reterr, ERR_INVALID,
            "the URL cannot be read; it is postgres://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETER=VALUE, "
            "where '@', '/', ':', '?', '#' and '%%' in a user or password are written %%40, %%2F, %%3A, "
            "%%3F, %%23 and %%25");
    return 0;
}

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

static int start(struct connecting *connecting, const char *url, struct err_info *reterr)
{
    struct pg_conn *conn = connecting->conn;
    const char *keywords[MAX_KEYWORDS] = {"dbname"}, *values[MAX_KEYWORDS] = {url};
    size_t n = 1;

    keywords[n] = "client_encoding";
    values[n++] = "UTF8";
    keywords[n] = "fallback_application_name";
    values[n++] = "precis";
    conn->pq = conn->lib.connectStartParams(keywords, values, 1);
    if (!conn->pq)
        return err_set(reterr, ERR_NOMEM, "not enough memory to connect");
    (void)conn->lib.setNoticeReceiver(conn->pq, ignore_notice, NULL);
    return 0;
}

static void shorten_deadline(struct connecting *connecting)
{
    const char *text = option_of(connecting, "connect_timeout");
    int64_t seconds;

    if (!text || str_to_int(str_of(text), &seconds) < 0 || seconds <= 0 || seconds > 3600)
        return;
    int64_t until_us = clock_mono_us(connecting->clock) + seconds * US_PER_SEC;
    if (until_us < connecting->deadline_us)
        connecting->deadline_us = until_us;
}

int pg_conn_open(struct str url, const struct clock *clock, int64_t deadline_us, struct pg_conn **ret_conn,
                 struct err_info *reterr)
{
    struct pg_conn *conn = mem_calloc(1, sizeof *conn);
    struct connecting connecting = {.conn = conn, .clock = clock, .deadline_us = deadline_us};
    struct buf text;
    int res = 0;

    buf_init(&text, 64 * 1024);
    buf_append_str(&text, url);
    if (!conn || buf_error(&text) || text.len == 0)
        res = err_set(reterr, ERR_NOMEM, "not enough memory to connect");
    if (res == 0)
        res = pg_lib_load(&conn->lib, reterr);
    if (res < 0) {
        buf_done(&text);
        mem_free(conn);
        return res;
    }
    res = read_url(&connecting, text.data, reterr);
    shorten_deadline(&connecting);
    if (res == 0)
        res = start(&connecting, text.data, reterr);
    if (res == 0)
        res = log_in(&connecting, reterr);
    if (res == 0)
        res = set_up(&connecting, reterr);
    buf_done(&text);
    conn->lib.conninfoFree(connecting.options);
    if (res < 0) {
        pg_conn_close(conn);
        return res;
    }
    *ret_conn = conn;
    return 0;
}
