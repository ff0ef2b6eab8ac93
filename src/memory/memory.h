/* SPDX-License-Identifier: Apache-2.0
 *
 * What an assistant keeps: knowledge, conversations, preferences. Every function takes the scope first:
 * the tenant comes from the credential and nowhere else, and no row is ever named without it. Ids of another
 * tenant's rows are answered exactly like ids that do not exist.
 *
 * Results live in the caller's arena. Writes return after they are durable. Thread-safe.
 */
#ifndef PRECIS_MEMORY_MEMORY_H
#define PRECIS_MEMORY_MEMORY_H

#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "memory/rerank.h"
#include "net/loop.h"
#include "search/search.h"
#include "store/store.h"

struct scope {
    struct str tenant;
    struct str user; /* up to 256 bytes; empty stands for "default" */
};

#define MEMORY_MAX_USER_BYTES     256
#define MEMORY_MAX_CONTENT_BYTES  (1024 * 1024)
#define MEMORY_MAX_BATCH          1000
#define MEMORY_MAX_TAGS           64
#define MEMORY_MAX_TAG_BYTES      128
#define MEMORY_MAX_METADATA_BYTES (64 * 1024)
#define MEMORY_ID_SIZE            32 /* "mem_" + 22 characters + NUL, room to spare */

struct memory;

struct memory_options {
    size_t max_index_bytes;          /* max_bytes of struct search_options; 0: its default */
    int64_t max_index_wait_us;       /* max_inline_us of the same */
    const struct embedder *embedder; /* of searches; borrowed. NULL: the built-in one */
    struct rerank *rerank;           /* of hybrid searches; borrowed. NULL: none */
};
/* options may be NULL. */
int memory_new(struct store *store, const struct clock *clock, const struct memory_options *options,
               struct memory **ret_memory, struct err_info *reterr);
struct memory *memory_free(struct memory *memory);
/* The index's numbers, for metrics. */
void memory_describe(struct memory *memory, struct search_stats *ret_stats);
/* The re-ranker's; all 0 without one. */
void memory_describe_rerank(struct memory *memory, struct rerank_stats *ret_stats);
/* As store_version: rises with every write of this scope's. */
uint64_t memory_version(const struct memory *memory, const struct scope *scope);
/* As store_identity. */
void memory_identity(const struct memory *memory, unsigned char ret_identity[STORE_IDENTITY_BYTES]);

/* Compares the index with the store, user by user, and the store's change number with its rows': 0, or
 * ERR_CORRUPT with the first finding. Ends early, and well, at deadline_us of the monotonic clock. Only with
 * a max_index_wait_us of INT64_MAX is each index whole before it is compared. */
struct memory_check {
    size_t n_users, n_rows; /* that were looked at */
    bool is_cut_short;
};
int memory_check(struct memory *memory, int64_t deadline_us, struct memory_check *ret_check,
                 struct err_info *reterr);

/* ---- knowledge ---- */

struct knowledge {
    struct str id; /* ours; ignored when adding */
    struct str content;
    struct str source;
    struct str *tags;
    size_t n_tags;
    struct str metadata; /* a JSON object as text; "" for none */
    int64_t created_us;  /* 0 when adding: now */
    int64_t updated_us;
    double importance;                 /* 0..1; NaN when adding: 0.5 */
    double score;                      /* search results only */
    float score_parts[SEARCH_N_PARTS]; /* the same: see struct search_hit */
    struct str user;                   /* whose it is */
};

/* One transaction: all or none. Each item may name its own user (empty: the scope's). ret_ids: n ids, in
 * order, in the arena. ERR_INVALID names the field ("content", "items[3].tags"). Searchable when it returns.
 */
int knowledge_add(struct memory *memory, const struct scope *scope, const struct knowledge *items, size_t n,
                  struct arena *arena, struct str *ret_ids, struct err_info *reterr);

struct knowledge_query {
    struct str query;
    size_t limit;      /* 1..1000 */
    size_t room_bytes; /* as search_query has it */
    bool is_distinct;  /* the same */
    struct str source;
    const struct str *tags;
    size_t n_tags;
    int64_t since_us, until_us; /* created in [since, until); INT64_MIN and INT64_MAX: no bound */
    double min_score;           /* 0..1 */
    enum search_mode mode;
    int64_t deadline_us;       /* monotonic: a re-ranker is asked in the time before it only; 0: in its own */
    const struct net_job *job; /* the same while it is not cancelled; may be NULL */
    bool is_now;               /* without waiting for the store, a model or a re-ranker, or not at all */
};
/* Best first; an empty query finds nothing. 1: with is_now, and it would have to wait. *ret_degraded (NULL
 * when whole): a sentence that says what the answer lacks. */
int knowledge_search(struct memory *memory, const struct scope *scope, const struct knowledge_query *query,
                     struct arena *arena, struct knowledge **ret_items, size_t *ret_n,
                     const char **ret_degraded, struct err_info *reterr);
/* By id within the tenant; the scope's user is not compared (an id names one row). 1 when there is none. */
int knowledge_get(struct memory *memory, const struct scope *scope, struct str id, struct arena *arena,
                  struct knowledge *ret_item, struct err_info *reterr);
/* Newest first. cursor: "" for the first page, then what *ret_cursor gave; it is "" after the last.
 * ERR_INVALID for a cursor that is not ours. */
int knowledge_list(struct memory *memory, const struct scope *scope, size_t limit, struct str cursor,
                   struct arena *arena, struct knowledge **ret_items, size_t *ret_n, struct str *ret_cursor,
                   struct err_info *reterr);

/* What to change; the old row is kept in the history. */
struct knowledge_patch {
    bool has_content, has_source, has_tags, has_metadata, has_importance;
    struct knowledge item;
};
int knowledge_update(struct memory *memory, const struct scope *scope, struct str id,
                     const struct knowledge_patch *patch, struct err_info *reterr); /* 1 when there is none */
int knowledge_delete(struct memory *memory, const struct scope *scope, struct str id,
                     struct err_info *reterr); /* 1 when there is none; content and history are gone */

/* Forget by rule, among the scope's user's own: all conditions given must hold; with none of them
 * ERR_INVALID. */
struct knowledge_rule {
    const struct str *ids;
    size_t n_ids;
    const struct str *tags;
    size_t n_tags;
    struct str source;
    int64_t before_us;   /* INT64_MIN: no bound */
    struct str contains; /* substring of the content, any case */
};
/* ret_ids: those that are forgotten now, or would be by a dry run. One transaction; a row that changes
 * meanwhile stays. */
int knowledge_forget(struct memory *memory, const struct scope *scope, const struct knowledge_rule *rule,
                     bool is_dry_run, struct arena *arena, struct str **ret_ids, size_t *ret_n,
                     struct err_info *reterr);

/* ---- conversations ---- */

struct turn {
    struct str id; /* interaction id */
    struct str session;
    struct str role; /* "user", "assistant", "system", "tool" */
    struct str content;
    struct str language, intent;
    struct str metadata; /* JSON object as text, or "" */
    int64_t created_us;
};
/* ret_id in the arena. */
int conversation_add(struct memory *memory, const struct scope *scope, const struct turn *turn,
                     struct arena *arena, struct str *ret_id, struct err_info *reterr);
/* The newest `limit` turns of a session (empty session: of all the user's), given oldest first. before: an
 * interaction id, only what came earlier ("" for the newest; ERR_INVALID for one that is not there). */
int conversation_list(struct memory *memory, const struct scope *scope, struct str session, size_t limit,
                      struct str before, struct arena *arena, struct turn **ret_turns, size_t *ret_n,
                      struct err_info *reterr);

/* ---- preferences ---- */

struct preference {
    struct str key;   /* unique per tenant and user; up to 255 bytes */
    struct str value; /* JSON text */
    struct str category;
    int64_t created_us, updated_us;
};
/* Replaces the value of a key that exists; its category stays when none is given. */
int preference_set(struct memory *memory, const struct scope *scope, const struct preference *preference,
                   struct err_info *reterr);
int preference_get(struct memory *memory, const struct scope *scope, struct str key, struct arena *arena,
                   struct preference *ret_preference, struct err_info *reterr); /* 1 when there is none */
/* By key; category "" for all. */
int preference_list(struct memory *memory, const struct scope *scope, struct str category,
                    struct arena *arena, struct preference **ret_preferences, size_t *ret_n,
                    struct err_info *reterr);
int preference_delete(struct memory *memory, const struct scope *scope, struct str key,
                      struct err_info *reterr); /* 1 when there is none */

/* ---- keys ---- */

enum { KEY_READ = 1, KEY_WRITE = 2, KEY_ADMIN = 4 };

struct api_key {
    struct str id; /* "key_..." : names it in lists and in logs; no secret */
    struct str name;
    struct str tenant;
    int scopes;
    int64_t created_us, expires_us, revoked_us; /* 0: never */
};
/* The secret is in *ret_secret only here, never again: 256 random bits and a checksum behind
 * a fixed prefix. */
int api_key_create(struct memory *memory, const struct api_key *key, struct arena *arena, struct str *ret_id,
                   struct str *ret_secret, struct err_info *reterr);
/* The key of that secret if it is valid now; ERR_DENIED otherwise, in the same time and words for every
 * reason. */
int api_key_check(struct memory *memory, struct str secret, struct arena *arena, struct api_key *ret_key,
                  struct err_info *reterr);
/* The same without waiting, for a key that was checked before and no key has changed since; 1 when only
 * api_key_check can tell. */
int api_key_peek(struct memory *memory, struct str secret, struct arena *arena, struct api_key *ret_key,
                 struct err_info *reterr);
int api_key_list(struct memory *memory, struct arena *arena, struct api_key **ret_keys, size_t *ret_n,
                 struct err_info *reterr);
int api_key_revoke(struct memory *memory, struct str id, struct err_info *reterr); /* 1 when there is none */
/* Rises with every change of any key. */
uint64_t api_key_version(const struct memory *memory);

#endif
