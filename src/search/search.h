/* SPDX-License-Identifier: Apache-2.0
 *
 * The resident index: one partition per tenant and user, so that a tenant's filter costs nothing and its
 * statistics are its own. Derived data: whoever owns the rows gives a feed, from which a partition is built
 * on first use and brought up to date before every search. Nothing here is ever the only copy.
 *
 * Thread-safe; a partition is locked for the length of a search, partitions do not wait for each other.
 */
#ifndef PRECIS_SEARCH_SEARCH_H
#define PRECIS_SEARCH_SEARCH_H

#include "core/arena.h"
#include "core/err.h"
#include "core/json.h"

/* A row as the index sees it, borrowed for the call. */
struct search_doc {
    int64_t row;     /* the row's number: unique in its partition, never used again */
    bool is_deleted; /* forget it; other fields are not read */
    struct str text;
    struct str source;
    const struct str *tags;
    size_t n_tags;
    int64_t created_us;
    double importance; /* 0..1, 0.5 when nothing is known */
    /* Who says it: "user", "Ann". Empty: taken from a text that begins "Ann: "; a text without a speaker is a
     * note and has no neighbours. */
    struct str speaker;
    struct str thread; /* the conversation it is part of; may be empty */
};

/* Calls put for every row of the partition that changed after change number `since`, in order of change, and
 * returns the last change number seen in *ret_until. The first load asks since 0. */
typedef int (*search_put_fn)(void *partition, const struct search_doc *doc);
struct search_feed {
    int (*load)(void *owner, struct str tenant, struct str user, int64_t since, search_put_fn put,
                void *partition, int64_t *ret_until, struct err_info *reterr);
    /* A number that rises with every change of the partition: equal means nothing to load. Cheap. */
    uint64_t (*version)(void *owner, struct str tenant, struct str user);
    void *owner;
};

struct embedder;

struct search_options {
    size_t max_bytes; /* over it the least recently searched partitions are dropped; 0 means 512 MiB */
    const char *language;
    struct search_feed feed;
    const struct embedder *words;    /* the built-in one: how near words are to each other. Borrowed */
    const struct embedder *embedder; /* what makes vectors of texts and queries. Borrowed */
};

struct search;

int search_new(const struct search_options *options, struct search **ret_search, struct err_info *reterr);
struct search *search_free(struct search *search);

enum search_mode {
    SEARCH_HYBRID,  /* words, meaning and what stands around, weighed together */
    SEARCH_KEYWORD, /* BM25 alone */
    SEARCH_VECTOR   /* cosine alone */
};

struct search_query {
    struct str tenant, user;
    struct str text;
    enum search_mode mode;
    int64_t now_us;         /* what "yesterday" in the text is reckoned from */
    struct str source;      /* only rows of this source; empty: any */
    const struct str *tags; /* only rows with all of these */
    size_t n_tags;
    int64_t since_us, until_us; /* created in [since, until); INT64_MIN and INT64_MAX: no bound */
    double min_score;           /* 0..1; 0: no floor */
    size_t limit;
};

/* What a score is made of. */
enum search_part {
    SEARCH_PART_KEYWORD, /* words of the query in the item, alone and with its neighbours' */
    SEARCH_PART_CONTEXT, /* in the conversation around it */
    SEARCH_PART_VECTOR,  /* nearness of the item's meaning */
    SEARCH_PART_WORDS,   /* of each word of the query, to the nearest of the item */
    SEARCH_PART_SPEAKER, /* said by the one who is asked about */
    SEARCH_PART_TIME,    /* dates: asked for, or asked about */
    SEARCH_PART_FORM,    /* its length, whether it asks or tells, names and numbers */
    SEARCH_PART_PRIOR,   /* importance and age */
    SEARCH_N_PARTS
};
/* SEARCH_N_PARTS numbers as an object, those that are not 0 by their names: {"keyword": 1.25, "time": -0.1}.
 */
void search_write_parts(const float *parts, struct json_writer *writer);
/* NULL of NULL, and when the arena is used up. */
const float *search_copy_parts(const float *parts, struct arena *arena);

struct search_hit {
    int64_t row;
    /* 0..1, comparable within a query. Hybrid: an estimate of how likely the item is wanted; keyword: the
     * share of what a perfect match would score; vector: the cosine, 0 where it is negative. */
    double score;
    float parts[SEARCH_N_PARTS]; /* hybrid: what each adds to the score's logit; else only its own is not 0 */
};

/* Best first, ties by newest, then by row. Hits live in the arena. An empty query text finds nothing.
 * *ret_degraded: the index could not be brought up to date (the feed failed) and the answer may lack rows;
 * the reason is in reterr. */
int search_run(struct search *search, const struct search_query *query, struct arena *arena,
               struct search_hit **ret_hits, size_t *ret_n, bool *ret_degraded, struct err_info *reterr);

struct search_stats {
    size_t n_partitions, n_docs, bytes;
    uint64_t n_loads, n_evictions;
};
void search_describe(struct search *search, struct search_stats *ret_stats);

#endif
