/* SPDX-License-Identifier: Apache-2.0
 *
 * The resident index: one partition per tenant and user, so that a tenant's filter costs nothing and its
 * statistics are its own. Derived data: whoever owns the rows gives a feed, from which a partition is built
 * on first use and brought up to date before every search. Nothing here is ever the only copy.
 *
 * A search never waits for a large load: it takes in what it can in a moment, a thread of the index (which
 * starts when it is first needed) goes on with the rest, slice by slice, and until then answers come from
 * what is there and say so. After a load, and again when much has changed, the documents are counted against
 * the store's rows; where the numbers differ the partition is built anew.
 *
 * Thread-safe; partitions do not wait for each other.
 */
#ifndef PRECIS_SEARCH_SEARCH_H
#define PRECIS_SEARCH_SEARCH_H

#include "core/arena.h"
#include "core/err.h"
#include "core/json.h"

/* A row as the index sees it, borrowed for the call. Text, id, metadata and the times are kept beside what
 * is found by them, so that a hit can say what its row says; without an id nothing is kept. */
struct search_doc {
    int64_t row;     /* the row's number: unique in its partition, never used again */
    bool is_deleted; /* forget it; other fields are not read */
    struct str text;
    struct str source;
    const struct str *tags;
    size_t n_tags;
    int64_t created_us;
    double importance; /* 0..1, 0.5 when nothing is known */
    struct str id;
    struct str metadata; /* a JSON object as text; empty for none */
    int64_t updated_us;
    /* Who says it: "user", "Ann". Empty: taken from a text that begins "Ann: "; a text without a speaker is a
     * note and has no neighbours. */
    struct str speaker;
    struct str thread; /* the conversation it is part of; may be empty */
};

/* How far the changes of a partition have been followed: up to this row of this change. {0, 0} is before all
 * of them. */
struct search_place {
    int64_t change, row;
};

/* 0: the row is taken in; 1: it is, and no more are wanted for now; negative: an error. */
typedef int (*search_put_fn)(void *partition, const struct search_doc *doc);

struct search_load {
    struct str tenant, user;
    struct search_place place; /* in: behind it; out: the last row put, also when the load fails */
    search_put_fn put;
    void *partition;
    bool wants_count;
    int64_t n_living; /* out, where wanted: rows of the partition that are not deleted */
};

/* Where a partition's rows come from. All functions may be called from any thread. */
struct search_feed {
    /* Puts the rows that changed behind a place, in order of change and row. 0: all of them; 1: put wanted no
     * more, and nothing was counted. The rows and their count are of one moment. */
    int (*load)(void *owner, struct search_load *load, struct err_info *reterr);
    /* Rows of the partition that are not deleted. May be slow: it is asked only in the background. */
    int (*count)(void *owner, struct str tenant, struct str user, int64_t *ret_n, struct err_info *reterr);
    /* A number that rises with every change of the partition: equal means nothing to load. Cheap. */
    uint64_t (*version)(void *owner, struct str tenant, struct str user);
    void *owner;
};

struct clock;
struct embedder;

#define SEARCH_INLINE_ROWS 1024

struct search_options {
    /* Over it the least recently searched partitions are dropped; no partition fills more than half of it
     * with its rows' texts. 0 means 512 MiB. */
    size_t max_bytes;
    const char *language;
    struct search_feed feed;
    /* How long a search may take in changes itself; 0 means 50 ms, INT64_MAX as long as it needs. It goes on
     * where at most SEARCH_INLINE_ROWS rows are new, however long that takes, so that what was written is
     * found at once. */
    int64_t max_inline_us;
    const struct clock *clock;       /* NULL: the machine's. Borrowed */
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

/* For any room: who asks for fewer gets as many. */
#define SEARCH_ENOUGH_HITS 40

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
    /* There is room for texts of so many bytes. Hybrid, where items are as short as turns, no more hits are
     * sought than would fill half as much again, were all of mean length, but SEARCH_ENOUGH_HITS or the
     * limit; otherwise, and with 0, the limit alone counts. */
    size_t room_bytes;
    bool is_distinct; /* hybrid: of many notes that say the same, word for word, the newest alone */
    bool is_now; /* without taking in what was written, and without waiting for who does, or not at all */
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
    SEARCH_PART_RERANK,  /* what a re-ranker's order changed; 0 in what a search gives */
    SEARCH_N_PARTS
};
/* SEARCH_N_PARTS numbers as an object, those that are not 0 by their names: {"keyword": 1.25, "time": -0.1}.
 */
void search_write_parts(const float *parts, struct json_writer *writer);
/* NULL of NULL, and when the arena is used up. */
const float *search_copy_parts(const float *parts, struct arena *arena);

/* What a row says, as the feed gave it. */
struct search_item {
    struct str id, text, source, metadata;
    struct str *tags;
    size_t n_tags;
    int64_t created_us, updated_us;
    double importance;
};

struct search_hit {
    int64_t row;
    /* NULL: the index has not kept it (it is very long, or there was no room), or the answer is degraded, so
     * that the row may have changed: whoever wants it reads it from the store. Else as it is in the store at
     * this moment. */
    const struct search_item *item;
    /* 0..1, comparable within a query. Hybrid: an estimate of how likely the item is wanted; keyword: the
     * share of what a perfect match would score; vector: the cosine, 0 where it is negative. */
    double score;
    float parts[SEARCH_N_PARTS]; /* hybrid: what each adds to the score's logit; else only its own is not 0 */
};

/* Best first, ties by newest, then by row. Hits and their items live in the arena. An empty query text finds
 * nothing. *ret_degraded: the answer may lack rows, because the partition is still being loaded, because the
 * feed failed, or because index and store differ also after it was built anew; the sentence is in reterr. */
/* 1, with is_now only: the partition is not there, not up to date, taking something in just now, or so large
 * that a search takes milliseconds. */
int search_run(struct search *search, const struct search_query *query, struct arena *arena,
               struct search_hit **ret_hits, size_t *ret_n, bool *ret_degraded, struct err_info *reterr);

/* Somebody wrote this many rows of the partition. Nothing depends on it; but after many rows the index begins
 * to take them in, so that the first search behind an import finds few left to do. */
void search_note_writes(struct search *search, struct str tenant, struct str user, size_t n_rows);

struct search_stats {
    size_t n_partitions, n_docs, bytes;
    size_t n_loading; /* partitions that wait for the thread or are being loaded by it */
    /* Times that changes were taken in; partitions dropped for room; built anew because the numbers differed.
     */
    uint64_t n_loads, n_evictions, n_repairs;
};
void search_describe(struct search *search, struct search_stats *ret_stats);

#endif
