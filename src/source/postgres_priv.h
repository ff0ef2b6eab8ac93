/* SPDX-License-Identifier: Apache-2.0
 *
 * PostgreSQL as the kind `sql` asks it. Of every build there is one hub for each connection of the
 * configuration, a driver of the build's loop, and below it lanes: a server connection each, with what was
 * asked on it. All that starts together goes in one lane, in one pipeline and one snapshot; what is known to
 * be slow has lanes of its own beside it.
 */
#ifndef PRECIS_SOURCE_POSTGRES_PRIV_H
#define PRECIS_SOURCE_POSTGRES_PRIV_H

#include "net/pg.h"
#include "source/source.h"

#include "core/arena.h"
#include "core/buf.h"

#include <pthread.h>

/* ---- a connection of the configuration (postgres.c); thread-safe ---- */

#define POSTGRES_SLOW_US (10 * US_PER_MS)

#define N_TIMES 1024

/* Of a result in memory: one that is read whole (a growth of it by ten still is); one that gives its reader
 * something to do. */
#define POSTGRES_SMALL_BYTES ((size_t)128 * 1024)
#define POSTGRES_LARGE_BYTES ((size_t)8 * 1024)

/* What is known of a statement; statements share places by their hash. How long it takes is a moving average.
 */
struct postgres_time {
    uint64_t key;
    int64_t mean_us;
    unsigned n;          /* samples; the first holds planning and cold pages and counts for nothing */
    size_t answer_bytes; /* of its last answer, in memory; 0: not known, SIZE_MAX: more than was kept */
    char *text;          /* as it was given, and as PostgreSQL wants it, end to end; NULL: not kept */
    size_t given_len, wanted_len, n_values;
};

struct postgres {
    struct source_env env;
    char *name;
    char *url;
    struct pool *pool;
    struct pg_canceller *canceller;
    int64_t opened_us;        /* monotonic */
    _Atomic uint64_t n_lanes; /* there have been; with the time, names for their marks */
    pthread_mutex_t mutex;    /* guards the rest */
    pthread_cond_t has_drained;
    size_t n_drains;
    struct postgres_time times[N_TIMES];
};

int postgres_new(const struct source_env *env, const struct source_options *options, struct postgres **ret,
                 struct err_info *reterr);
/* Waits for what is being drained. Accepts NULL; returns NULL. */
struct postgres *postgres_free(struct postgres *postgres);
/* How long the statement should take; -1 when nobody knows. */
int64_t postgres_expected(struct postgres *postgres, uint64_t key);
void postgres_note_time(struct postgres *postgres, uint64_t key, int64_t took_us);
/* How large its answer should be, in memory; SIZE_MAX when nobody knows. */
size_t postgres_answer_bytes(struct postgres *postgres, uint64_t key);
void postgres_note_answer(struct postgres *postgres, uint64_t key, size_t bytes);
/* It took longer than anybody thought, among others: watch it. */
void postgres_forget_time(struct postgres *postgres, uint64_t key);
/* The statement as PostgreSQL wants it, see postgres_translate, from the last time that it was asked. */
int postgres_statement(struct postgres *postgres, uint64_t key, struct str given, size_t n_binds,
                       struct arena *arena, struct str *ret_sql, size_t *ret_n, struct err_info *reterr);
/* Takes a connection that only owes the end of its transaction: it goes back to the pool when that is heard
 * within a moment. */
void postgres_drain(struct postgres *postgres, struct pg_conn *conn);
/* A connection for one who may wait: from the pool, back to it with pool_give or pool_drop. */
int postgres_take(struct postgres *postgres, int64_t deadline_us, struct pg_conn **ret_conn,
                  struct err_info *reterr);

/* ---- values ---- */

/* The statement as PostgreSQL wants it: ?1 becomes $1 outside of quotes and comments. ERR_INVALID for a ?n
 * beyond n_binds. *ret_n: how many values it wants. Text in the arena, NUL-terminated. */
int postgres_translate(struct str sql, size_t n_binds, struct arena *arena, struct str *ret_sql,
                       size_t *ret_n, struct err_info *reterr);
/* The values as text, in the arena. ERR_INVALID for a NUL character and what is no UTF-8, ERR_LIMIT beyond
 * POSTGRES_MAX_BIND_BYTES together. */
#define POSTGRES_MAX_BIND_BYTES ((size_t)4 * 1024 * 1024)
int postgres_bind(const struct value *binds, size_t n, struct arena *arena, const char ***ret_values,
                  struct err_info *reterr);

/* One element of an array, without quotes and escapes, as JSON. */
typedef void (*postgres_element_fn)(void *owner, struct str text, struct buf *buf);
/* The text of an array as a JSON array. ERR_INVALID when it is none; what was appended by then is to be
 * ignored. */
int postgres_array_print(struct str text, char delimiter, postgres_element_fn put, void *owner,
                         struct buf *buf);

/* Reads rows into a result. */
struct postgres_reader {
    struct source_result *result;
    size_t rows_cap, max_rows;
    const uint32_t *types; /* of the columns */
    size_t id_column;      /* n_columns: there is none */
    bool has_columns;
};
/* The row or end that the connection told last. 0; 1 when it is full: the row was left out, and says so. */
int postgres_read_columns(struct postgres_reader *reader, const struct pg_conn *conn,
                          struct err_info *reterr);
int postgres_read_row(struct postgres_reader *reader, const struct pg_conn *conn, struct err_info *reterr);

/* The server's error as a sentence, with where it is and what may help. embedding_dims: of the model, 0:
 * none. */
int postgres_error(const struct pg_error *error, struct str sql, size_t embedding_dims,
                   struct err_info *reterr);

/* ---- a build's hub and lanes ---- */

struct postgres_query {
    struct postgres_query *next;
    struct source_fetch *fetch; /* NULL: nobody waits for it any more */
    struct postgres_lane *lane; /* where it is; NULL: nowhere */
    struct str sql;
    const char **values;
    size_t n_values;
    uint64_t key;
    int64_t deadline_us, expected_us, asked_us;
    unsigned n_asks;
    unsigned n_marks; /* of its lane that come before its answer */
    struct postgres_reader reader;
    size_t n_discarded;
    size_t answer_bytes; /* expected; SIZE_MAX: nobody knows */
    bool is_full;        /* its result has all the rows it may have */
    bool is_small;       /* its answer is expected to be small: it is read whole */
};

struct postgres_queries {
    struct postgres_query *first, *last;
};

struct postgres_lane {
    struct net_op op; /* a driver; its owner is the hub */
    struct postgres_hub *hub;
    struct postgres_lane *next, *prev;
    struct pg_conn *conn; /* NULL: it waits for one */
    struct pool_wait wait;
    struct postgres_queries asked; /* in the order of their answers */
    struct postgres_queries again; /* to be asked next */
    int64_t timeout_until_us;      /* what the server's statement_timeout was set for */
    int64_t heard_us;              /* when the last answer came */
    int64_t expected_us; /* of what is asked, together; LANE_UNKNOWN_US for each that nobody knows */
    size_t n_syncs;
    uint64_t number;                 /* among all lanes there have been */
    unsigned n_marks, n_marks_heard; /* asked for with the timeouts; that have come back */
    bool is_waiting;                 /* for a connection */
    bool is_begun;                   /* a transaction is open */
    bool has_failed;                 /* an error was told in it: what is asked now would be skipped */
    bool is_closing;                 /* its end was asked for */
    bool is_watched;   /* every answer is sent at once, so that each can be timed; else all together */
    bool has_heard;    /* the server gave a sign of life */
    bool is_from_idle; /* the connection had stood idle */
};

struct postgres_hub {
    struct net_op op; /* a driver; its owner is the struct postgres */
    struct postgres *postgres;
    struct net_loop *loop;
    struct arena arena; /* queries and lanes, up to the loop's end */
    struct postgres_queries pending;
    struct postgres_lane *lanes;
    struct postgres_lane *main; /* whose transaction later statements of the build join */
    size_t n_lanes;
    bool is_last;
};

/* The loop's hub, made if need be. */
int postgres_hub_get(struct postgres *postgres, struct net_loop *loop, struct postgres_hub **ret_hub,
                     struct err_info *reterr);
/* Puts what is pending into lanes and lets them go on. */
void postgres_hub_place(struct postgres_hub *hub);
/* Asks for it again in another lane, or ends it with the error. */
void postgres_hub_retry(struct postgres_hub *hub, struct postgres_query *query, const struct err_info *err);
/* Reports the query, once; err NULL: with its result. */
void postgres_query_end(struct postgres_hub *hub, struct postgres_query *query, const struct err_info *err);

void postgres_queries_add(struct postgres_queries *queries, struct postgres_query *query);
struct postgres_query *postgres_queries_pop(struct postgres_queries *queries);
void postgres_queries_remove(struct postgres_queries *queries, struct postgres_query *query);

struct postgres_lane *postgres_lane_new(struct postgres_hub *hub);
/* Asks what is in `again`, once there is a connection; the lane may be gone afterwards. */
void postgres_lane_go(struct postgres_lane *lane);
/* Commits an idle one. */
void postgres_lane_close(struct postgres_lane *lane);
/* Nobody waits for the query any more, which is of this lane; the lane may be gone afterwards. */
void postgres_lane_abandon(struct postgres_lane *lane, struct postgres_query *query);
/* At the loop's end. */
void postgres_lane_end(struct postgres_lane *lane);

#endif
