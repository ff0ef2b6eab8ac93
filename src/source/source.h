/* SPDX-License-Identifier: Apache-2.0
 *
 * Where material comes from. A kind of source is one file and one table of operations; a source is an open
 * connection of that kind; a fetch asks it one thing. A fetch either waits in the build's poll loop (its
 * descriptor) or runs on a worker (its job); whoever gathers does not know which. A kind that has what was
 * asked in memory answers on the spot.
 *
 * To add a kind: write source/NAME.c with one `const struct source_ops`, name it in the table of source.c.
 */
#ifndef PRECIS_SOURCE_SOURCE_H
#define PRECIS_SOURCE_SOURCE_H

#include "core/clock.h"
#include "core/err.h"
#include "core/histogram.h"
#include "core/value.h"
#include "memory/memory.h"
#include "net/breaker.h"
#include "net/loop.h"
#include "net/pool.h"
#include "text/embed.h"

/* What a section of that kind may say beside the keys all sections share. The recipe checker reads this
 * table; a fetch gets the values in its order. */
enum source_setting_type {
    SETTING_TEXT, /* a template over parameters: "{user_id}" */
    SETTING_SQL,  /* a statement with :name placeholders; the fetch gets it with ?1, ?2 ... and the values
                     bound */
    SETTING_INT,
    SETTING_REAL,
    SETTING_BOOL,
    SETTING_LIST,     /* of texts; reaches the fetch as VALUE_JSON, an array of strings */
    SETTING_DURATION, /* reaches the fetch as VALUE_INT, microseconds */
    SETTING_PATH, /* a template of a URL's path: each value percent-encoded, VALUE_NULL when one is empty */
    SETTING_MAP,  /* name to template; reaches the fetch as VALUE_JSON, an object of texts: null where a value
                     of  the template is empty */
};

struct source_setting {
    const char *name; /* NULL ends the table */
    enum source_setting_type type;
    bool is_required;
    const char *fallback; /* as it would stand in YAML; NULL: VALUE_NULL when absent */
    int64_t min, max;     /* of INT and DURATION (microseconds); both 0: any */
    const char *about;    /* one line for docs and `recipe check` */
    /* Looks at a TEXT or PATH as it stands in the recipe; NULL: any is good. */
    int (*check)(struct str text, struct err_info *reterr);
};

#define SOURCE_MAX_MAP 32 /* entries of a SETTING_MAP */

struct sessions;

/* What the server owns and sources may use; outlives them all. */
struct source_env {
    struct memory *memory;
    struct workers *workers; /* for blocking fetches */
    const struct clock *clock;
    struct workers *connectors;      /* for connecting to servers; NULL: there are no servers */
    const struct embedder *embedder; /* for kinds that search by meaning; NULL: none */
    struct sessions *sessions;       /* NULL: none are kept */
};

/* A connection as the configuration has it. */
struct source_header {
    const char *name, *value;
};

struct source_options {
    const char *name;
    struct str url;
    size_t max_conns; /* to its server at once; 0: SOURCE_MAX_CONNS */
    const char *key;  /* sent the way its server wants one; NULL: none. No error ever names it */
    const struct source_header *headers; /* of HTTP kinds */
    size_t n_headers;
};

#define SOURCE_MAX_CONNS          16
#define SOURCE_CONNECT_TIMEOUT_US (2 * US_PER_SEC) /* one lost packet; with a breaker's pause below 5 s */
#define SOURCE_IDLE_TIMEOUT_US    (300 * US_PER_SEC)

/* One row of a result, as long as its columns. */
struct source_row {
    const struct value *values;
    struct str id;            /* stable name of the row; "" if it has none (then its place counts) */
    double score;             /* relevance 0..1; NaN where the kind does not rank */
    int64_t time_us;          /* when it was said or measured; INT64_MIN if unknown */
    const float *score_parts; /* SEARCH_N_PARTS of them (search/search.h); NULL where the kind has none */
};

#define SOURCE_MAX_ROWS         1000
#define SOURCE_ENOUGH_ROWS      SEARCH_ENOUGH_HITS
#define SOURCE_MAX_RESULT_BYTES (8 * 1024 * 1024)

struct source_result {
    struct arena arena; /* owns all of it; cap SOURCE_MAX_RESULT_BYTES */
    const struct str *columns;
    size_t n_columns;
    struct source_row *rows; /* in the source's order: best or newest first where it ranks */
    size_t n_rows;
    size_t n_malformed;  /* entries skipped because they could not be read */
    bool is_truncated;   /* more rows were there than SOURCE_MAX_ROWS or the section's limit lets in */
    bool is_oldest_last; /* rows are newest first; a reader wants them the other way round */
    struct str degraded; /* "" or what the result lacks */
};

struct source_result *source_result_new(void); /* NULL when out of memory */
struct source_result *source_result_free(struct source_result *result);

/* What is asked. Copied by source_fetch where it must outlive the call. */
struct source_request {
    struct scope scope;
    const struct value *settings; /* one a row of the kind's settings table */
    const struct value *binds;    /* for SETTING_SQL: the values of ?1 ... ?n */
    size_t n_binds;
    struct str query;          /* the request's query text, "" if none */
    const float *query_vector; /* of `query`, by env->embedder; NULL: not made yet */
    int64_t now_us;            /* wall clock of the request: one "now" for all sections */
    int64_t deadline_us;       /* monotonic */
    size_t max_rows;           /* at most SOURCE_MAX_ROWS */
    size_t room_bytes; /* of what the rows are printed in; 0: not known. A kind that stops_when_full may bring
                          fewer rows than it has, but no fewer than SOURCE_ENOUGH_ROWS */
    bool is_distinct; /* of rows that say the same one is shown: a kind that knows may leave out the others */
};

struct source;
struct source_fetch;
struct vector_load_ops;

struct source_ops {
    const char *kind;           /* "sql"; for built-in kinds also what `from:` says */
    const char *const *schemes; /* URL schemes served, ended by NULL; NULL: built in, needs no connection */
    const struct source_setting *settings;
    bool wants_query_vector; /* searches by meaning */
    const char *item; /* the template of a row where a recipe gives none; NULL: its columns as they are */
    /* What it brings depends on the request and on the user's own rows of the store alone, and not on the
     * time: it is the same as long as memory_version is. */
    bool follows_store;
    bool stops_when_full; /* it looks at a request's room_bytes */
    /* Asking may do more than read: it is asked once, and for what is known for certain. */
    bool has_effects;
    /* A connection of the configuration; built-in kinds get url "". Does not connect yet where that could
     * wait. *ret_state is the kind's own. NULL if the kind has no state. */
    int (*on_open)(const struct source_env *env, const struct source_options *options, void **ret_state,
                   struct err_info *reterr);
    void (*on_close)(void *state);
    /* Answers on the asking thread from what is in memory: 0 it did, 1 it would have to wait for a query, a
     * file or another thread's work, and is asked by one of the next two; a kind that has neither never
     * waits. NULL: it always does. */
    int (*on_now)(const struct source_env *env, void *state, const struct source_request *request,
                  struct source_result *result, struct err_info *reterr);
    /* A blocking kind: run on a worker; must end by request->deadline_us
     * or when net_job_is_cancelled(job). */
    int (*on_run)(const struct source_env *env, void *state, const struct source_request *request,
                  struct net_job *job, struct source_result *result, struct err_info *reterr);
    /* A polled kind (on_run is NULL): sets fetch's op and starts; 0 waiting, 1 result is there already. What
     * of the request is needed later is copied. A kind whose fetches share a connection has a driver in the
     * loop, and the fetches wait with fd -1. */
    int (*on_start)(const struct source_env *env, void *state, const struct source_request *request,
                    struct net_loop *loop, struct source_fetch *fetch, struct err_info *reterr);
    /* Asks the connection what it is and whether it answers; a line for `doctor` in `ret`. May wait up to
     * deadline_us. */
    int (*on_check)(const struct source_env *env, void *state, int64_t deadline_us, struct buf *ret,
                    struct err_info *reterr);
    /* Prepares a statement without running it (recipe check --connect); NULL if the kind has none. */
    int (*on_prepare)(const struct source_env *env, void *state, const struct value *settings, size_t n_binds,
                      struct err_info *reterr);
    /* The numbers of its connections; NULL if the kind has none. */
    void (*on_stats)(void *state, struct pool_stats *ret_stats);
    const struct vector_load_ops *load; /* how it is filled (source/vector_load.h); NULL: it is not */
};

/* One question under way, embedded in the gatherer's own struct; `op` is what the loop reports. Polled kinds
 * keep their state in `state` and end with result set. */
struct source_fetch {
    struct net_op op;
    struct source *source;
    struct source_result *result; /* owned by the fetch until taken */
    void *state;
    bool has_heard;     /* a polled kind: the server gave a sign of life, so that a late answer is not held
                           against  the connection */
    bool says_nothing;  /* a polled kind: an answer was held back until others are there, so that a late one
                           says  nothing of the server */
    bool is_counted;    /* the breaker waits for how it ends; source.c's own */
    int64_t started_us; /* monotonic; source.c's own */
};

/* Kinds. */
const struct source_ops *source_kind_find(struct str kind);   /* "memory"; NULL if none */
const struct source_ops *source_kind_for_url(struct str url); /* "sqlite:/x"; NULL if none */
const struct source_ops *const *source_kinds(void);           /* ended by NULL */

/* Connections. A source outlives every fetch of it (close waits for abandoned runs). */
int source_open(const struct source_env *env, const struct source_options *options,
                struct source **ret_source, struct err_info *reterr);
int source_open_builtin(const struct source_env *env, const struct source_ops *ops,
                        struct source **ret_source, struct err_info *reterr);
struct source *source_close(struct source *source);
const char *source_name(const struct source *source);
const struct source_ops *source_ops_of(const struct source *source);
int source_check(struct source *source, int64_t deadline_us, struct buf *ret, struct err_info *reterr);
/* Prepares what a fetch with these settings would run, without running it; may wait. 0 too for kinds that
 * prepare nothing. */
int source_prepare(struct source *source, const struct value *settings, size_t n_binds,
                   struct err_info *reterr);

/* How a question ended. */
enum source_outcome {
    SOURCE_ANSWERED,
    SOURCE_ERROR, /* what was asked is wrong, or the answer is an error */
    SOURCE_UNREACHABLE,
    SOURCE_TIMEOUT,
    SOURCE_REFUSED, /* not asked: its breaker is open */
};
#define SOURCE_N_OUTCOMES (SOURCE_REFUSED + 1)
const char *source_outcome_name(enum source_outcome outcome); /* "answered" */

/* How a connection is. */
struct source_stats {
    bool has_pool, has_breaker; /* of kinds that ask a server; otherwise what is of them is all zero */
    struct pool_stats pool;
    struct breaker_stats breaker;
    uint64_t n_by_outcome[SOURCE_N_OUTCOMES];
    struct histogram_counts took; /* of all that were asked */
};
void source_stats(struct source *source, struct source_stats *ret_stats);

/* Answers at once if that takes no waiting: 0 with *ret_result, which is the caller's; 1 it does, ask
 * source_fetch_start. */
int source_fetch_now(struct source *source, const struct source_request *request,
                     struct source_result **ret_result, struct err_info *reterr);
/* Starts asking. 0: op will be reported by the loop exactly once. Negative: it could not start, nothing will
 * be reported. Afterwards source_fetch_take gives the result (NULL after a failure) and ends the fetch: call
 * it once for every op that was reported. */
int source_fetch_start(struct source *source, const struct source_request *request, struct net_loop *loop,
                       struct source_fetch *fetch, struct err_info *reterr);
struct source_result *source_fetch_take(struct source_fetch *fetch);

#endif
