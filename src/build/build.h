/* SPDX-License-Identifier: Apache-2.0
 *
 * The main job: a request and a recipe become a context within budget.
 *
 *     resolve -> cache -> gather -> rank -> fit -> format -> explain
 *
 * Each step is one function in one file; build.c holds the table. A build runs on one thread from top to
 * bottom; only gather waits. Answers are immutable and reference-counted: the cache and any number of replies
 * share one.
 */
#ifndef PRECIS_BUILD_BUILD_H
#define PRECIS_BUILD_BUILD_H

#include "core/clock.h"
#include "core/json.h"
#include "memory/memory.h"
#include "net/redis_client.h"
#include "recipe/recipe.h"
#include "source/source.h"

enum build_format { FORMAT_MARKDOWN, FORMAT_JSON, FORMAT_MESSAGES };
enum build_cache_use { CACHE_USE, CACHE_REFRESH, CACHE_OFF };

#define BUILD_MAX_QUERY_BYTES (64 * 1024)
#define BUILD_MAX_PARAM_BYTES (64 * 1024)
#define BUILD_MIN_TOKENS      16
#define BUILD_MAX_DEADLINE_MS 60000

/* What is asked; borrowed for the call. */
struct build_request {
    struct str tenant; /* from the credential */
    struct str recipe;
    const struct field *params; /* as given: checked and converted by resolve */
    size_t n_params;
    struct str query;
    const struct str *sections; /* n_sections 0 with has_sections: none wanted, which is not "all" */
    size_t n_sections;
    bool has_sections;
    int64_t max_tokens;   /* 0: the recipe's */
    struct str tokenizer; /* "": the recipe's */
    enum build_format format;
    int64_t deadline_ms; /* 0: the recipe's */
    int64_t asked_us;    /* monotonic: when its time began to run, in a queue or not; 0: now */
    enum build_cache_use cache;
    bool wants_explain;
    struct str request_id; /* for whoever observes; "" if none */
    struct str bytes;      /* the body it was read from, for build_recall; "" if none */
};

/* Reads POST /v1/context's body. Unknown members are errors. Everything lives in the arena or in the tree. */
int build_request_from_json(const struct json *body, struct arena *arena, struct build_request *ret_request,
                            struct err_info *reterr);

enum section_status {
    SECTION_OK,
    SECTION_EMPTY,
    SECTION_SKIPPED,
    SECTION_FAILED,
    SECTION_TIMEOUT,
    SECTION_STALE,
    SECTION_DROPPED,
};
const char *section_status_name(enum section_status status);

struct section_report {
    struct str name, title;
    enum section_status status;
    size_t n_kept, n_dropped;
    int64_t tokens; /* of its text in the context, heading included */
    int64_t took_us;
    struct str error; /* "" or a sentence; never a secret */
    int error_code;   /* of it; ERR_CANCELLED: it was not asked, since what it needs failed */
    struct str from;  /* the source it was asked of */
    struct str degraded;
};

struct item_report {
    struct str section, id;
    int64_t tokens;
    double score;             /* NaN: not ranked */
    const float *score_parts; /* SEARCH_N_PARTS; NULL: it has none */
    bool is_kept;
    const char *step;   /* of what is shortened: "core", "line"; otherwise NULL */
    const char *reason; /* "fits", "shortened", "no_room", "over_section_max", "duplicate", "below_min_score",
                           "over_limit" */
};

struct build_answer {
    struct arena arena; /* owns all of it; cannot grow once published */
    int n_refs;         /* atomic */
    enum build_format format;
    struct str context;           /* Markdown text; or the JSON of the object or the array of messages */
    struct str stable, volatile_; /* its two parts, as text */
    char stable_sha256[65];
    int64_t tokens, max_tokens;
    const char *tokenizer;
    bool is_complete;
    struct section_report *sections;
    size_t n_sections;
    struct item_report *items; /* only if explain was wanted */
    size_t n_items;
    bool has_explain;
    struct str json_head; /* the answer's JSON up to the members that differ from reply to reply */
    int64_t built_us;     /* monotonic */
};

struct build_answer *build_answer_hold(struct build_answer *answer);
struct build_answer *build_answer_unref(struct build_answer *answer);

/* How this reply came about: not part of the shared answer. */
struct build_outcome {
    struct build_answer *answer; /* a reference: unref it */
    enum { OUTCOME_MISS, OUTCOME_HIT, OUTCOME_STALE, OUTCOME_SHARED, OUTCOME_OFF } cache;
    int64_t took_us;
};
const char *
build_cache_name(const struct build_outcome *outcome); /* "miss", "hit", "stale", "shared", "off" */
/* The whole JSON body of POST /v1/context. */
void build_outcome_write_json(const struct build_outcome *outcome, struct str request_id, struct buf *buf);

/* ---- the engine ---- */

struct build_engine;

/* All borrowed; they outlive the engine. */
struct build_options {
    const struct source_env *env;
    struct source *const *connections; /* named ones of the configuration, each open */
    size_t n_connections;
    const struct recipe_book *recipes;
    size_t max_cache_bytes; /* 0: no cache */
    size_t max_cache_entries;
    int64_t cache_ttl_us; /* -1: as each recipe says; otherwise instead of it */
    /* The second level of the cache, which servers over one store share; NULL: there is none. */
    struct redis_client *shared;
    int64_t shared_wait_us; /* for its answer; 0: BUILD_SHARED_WAIT_US */
    struct str fingerprint; /* of all in the configuration that shapes answers; any bytes */
};
#define BUILD_SHARED_WAIT_US (5 * US_PER_MS)
int build_engine_new(const struct build_options *options, struct build_engine **ret_engine,
                     struct err_info *reterr);
/* No build may be running. */
struct build_engine *build_engine_free(struct build_engine *engine);

/* Builds or finds the context. Waits up to the deadline. Errors: ERR_NOT_FOUND (recipe, required resolve),
 * ERR_INVALID with the field
 * ("params.user_id", "sections[1]", "max_tokens"), ERR_UNAVAILABLE (a required section failed), ERR_LIMIT,
 * ERR_NOMEM. */
int build_run(struct build_engine *engine, const struct build_request *request,
              struct build_outcome *ret_outcome, struct err_info *reterr);
/* As build_run where all that is asked for is resident and not very much, so that nothing is waited for and
 * the call is over in a millisecond: 1 when it is not so, and build_run has to. */
int build_run_now(struct build_engine *engine, const struct build_request *request,
                  struct build_outcome *ret_outcome, struct err_info *reterr);
/* Only looks into the cache, never waits: 0 a fresh answer, 1 none, BUILD_MAY_BE_NOW none, but build_run_now
 * most likely can; negative as build_run for a request that is wrong. */
#define BUILD_MAY_BE_NOW 2
int build_peek(struct build_engine *engine, const struct build_request *request,
               struct build_outcome *ret_outcome, struct err_info *reterr);

/* As build_peek for a request in the same bytes as one that build_peek answered for that tenant, without
 * reading it: 0 a fresh answer, 1 none. */
int build_recall(struct build_engine *engine, struct str tenant, struct str bytes,
                 struct build_outcome *ret_outcome);

/* ---- the cache's numbers ---- */

struct build_cache_stats {
    size_t n_entries, bytes, max_bytes, max_entries;
    uint64_t n_hits, n_misses, n_stale, n_shared, n_evicted, n_expired;
    bool has_far; /* a second level; these are its numbers: */
    uint64_t n_far_hits, n_far_misses;
    uint64_t n_far_failed;                 /* no answer in time, or an error */
    uint64_t n_far_refused;                /* what was there is not ours, or is damaged */
    uint64_t n_far_written, n_far_dropped; /* dropped: too much was waiting to be written, or too large */
};
void build_cache_describe(struct build_engine *engine, struct build_cache_stats *ret_stats);
/* Drops expired entries of the tenant, or all of them; returns how many went. */
size_t build_cache_clear(struct build_engine *engine, struct str tenant, bool is_all);
/* Makes all the tenant's entries of the second level useless; may wait. 0 also when there is none. */
int build_cache_clear_far(struct build_engine *engine, struct str tenant, struct err_info *reterr);

/* Called for every section of every uncached build, from the building thread; for metrics and for the one log
 * line a failing section gets. Set once before the first build. */
typedef void (*build_observe_fn)(void *owner, const struct build_request *request,
                                 const struct recipe *recipe, const struct section_report *report);
void build_engine_observe(struct build_engine *engine, build_observe_fn observe, void *owner);

#endif
