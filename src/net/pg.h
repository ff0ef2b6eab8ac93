/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections to a PostgreSQL server, the seam to libpq. Once open, a connection is always in pipeline mode
 * and never waits: questions are queued, pushed when the socket takes them, and answered in their order.
 * Statements are prepared at their first use and kept, the least recently used of too many is let go. libpq
 * is loaded with the first connection. A connection is used by one thread at a time.
 */
#ifndef PRECIS_NET_PG_H
#define PRECIS_NET_PG_H

#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pg_conn;

#define PG_MAX_QUESTIONS   256                        /* of a connection, unanswered */
#define PG_MAX_WHOLE_BYTES ((size_t)1024 * 1024)      /* of an answer that is told whole */
#define PG_MAX_ROW_BYTES   ((size_t)32 * 1024 * 1024) /* of one row: several values of the largest size */

/* Connects and sets up a session that only reads, with times in UTC and ISO form. Waits up to deadline_us
 * (monotonic), on a thread that may. The url may hold any of libpq's parameters. No sentence of an error
 * holds its password. ERR_UNSUPPORTED: libpq is not there; ERR_INVALID: the URL cannot be read;
 * ERR_UNAVAILABLE: no such host, nobody listens, the login was refused; ERR_TIMEOUT. */
int pg_conn_open(struct str url, const struct clock *clock, int64_t deadline_us, struct pg_conn **ret_conn,
                 struct err_info *reterr);
/* Does not wait. Accepts NULL; returns NULL. */
struct pg_conn *pg_conn_close(struct pg_conn *conn);

int pg_conn_fd(const struct pg_conn *conn);
/* What to poll the descriptor for. */
short pg_conn_events(const struct pg_conn *conn);
/* Of an idle one: it is whole and has said nothing unasked. */
bool pg_conn_is_quiet(const struct pg_conn *conn);
/* Nothing is unanswered, and no transaction is open. */
bool pg_conn_is_idle(const struct pg_conn *conn);
/* It held a large answer, whose memory libpq keeps. */
bool pg_conn_is_bloated(const struct pg_conn *conn);

/* ---- asking; errors are ERR_UNAVAILABLE (it is broken), ERR_LIMIT and ERR_NOMEM ---- */

/* Queues a statement with its values as text, NULL for NULL. tag: comes back with what is answered. */
int pg_conn_ask(struct pg_conn *conn, struct str sql, const char *const *values, size_t n_values, void *tag,
                struct err_info *reterr);
/* The same for a statement whose answer is known to be small: its rows are told when all are there, which
 * costs half. Beyond PG_MAX_WHOLE_BYTES the connection is given up, see pg_conn_read. */
int pg_conn_ask_whole(struct pg_conn *conn, struct str sql, const char *const *values, size_t n_values,
                      void *tag, struct err_info *reterr);
/* Queues a statement that is only looked at; PG_END when it is good. */
int pg_conn_describe(struct pg_conn *conn, struct str sql, void *tag, struct err_info *reterr);
/* The server sends what it has answered up to here without waiting for more. */
int pg_conn_ask_flush(struct pg_conn *conn, struct err_info *reterr);
/* The end of a run of questions: after an error those up to here are skipped. */
int pg_conn_ask_sync(struct pg_conn *conn, struct err_info *reterr);
/* Sends what the socket takes. */
int pg_conn_push(struct pg_conn *conn, struct err_info *reterr);

/* ---- answers ---- */

enum pg_event_kind {
    PG_ROW,
    PG_END,     /* answered; its columns can be asked for, also when there was no row */
    PG_ERROR,   /* refused; what follows up to the sync is skipped */
    PG_SKIPPED, /* not looked at: something before it failed */
    PG_SYNCED,  /* a sync was reached */
};

/* An error as the server tells it; borrowed until the next event. */
struct pg_error {
    char sqlstate[6];
    struct str message, detail, hint;
    int position; /* in characters of the statement, from 1; 0: unknown */
};

struct pg_event {
    enum pg_event_kind kind;
    void *tag;
    struct pg_error error; /* of PG_ERROR */
    bool is_stale; /* PG_ERROR of a statement that was prepared before the schema changed; asking again helps
                    */
};

struct pg_column {
    const char *name;
    uint32_t type; /* oid */
};

/* Reads what the socket has; then events until 1. Negative: it is broken; ERR_LIMIT: the row or whole answer
 * that it is at has grown too large to be kept, and nothing else can be read here any more. */
int pg_conn_read(struct pg_conn *conn, struct err_info *reterr);
/* 0 with an event, 1 nothing yet, negative: it is broken. */
int pg_conn_next(struct pg_conn *conn, struct pg_event *ret_event, struct err_info *reterr);
/* Of the PG_ROW or PG_END told last. */
size_t pg_conn_n_columns(const struct pg_conn *conn);
void pg_conn_column(const struct pg_conn *conn, size_t idx, struct pg_column *ret_column);
/* False for NULL. */
bool pg_conn_value(const struct pg_conn *conn, size_t idx, struct str *ret_value);

/* ---- what the server is ---- */

/* Kinds of types that have no fixed number. */
enum pg_type_kind { PG_TYPE_OTHER, PG_TYPE_ARRAY, PG_TYPE_VECTOR };
/* ret_element: of an array. */
enum pg_type_kind pg_conn_type_kind(const struct pg_conn *conn, uint32_t type, uint32_t *ret_element);
/* 170011; 0 when unknown. */
int pg_conn_server_version(const struct pg_conn *conn);

/* ---- stopping what runs ---- */

/* libpq has no call to cancel that does not wait, so each runs on a thread of its own; a few at a time, and
 * what is beyond is left to the server's statement_timeout. */
struct pg_canceller; /* counted by reference: a thread may outlive its owner */
struct pg_canceller *pg_canceller_new(void);
struct pg_canceller *pg_canceller_unref(struct pg_canceller *canceller); /* accepts NULL; returns NULL */
/* Asks the server to stop what runs on the connection, which may be closed at once. False: it was not asked.
 */
bool pg_conn_cancel(const struct pg_conn *conn, struct pg_canceller *canceller);

#endif
