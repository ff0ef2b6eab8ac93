/* SPDX-License-Identifier: Apache-2.0
 *
 * One partition: its documents, its indexes over them, and how far it has followed the feed. Never leaves the
 * folder.
 */
#ifndef PRECIS_SEARCH_SEARCH_PRIV_H
#define PRECIS_SEARCH_SEARCH_PRIV_H

#include "core/clock.h"
#include "core/map.h"
#include "search/keyword.h"
#include "search/order.h"
#include "search/question.h"
#include "search/texts.h"
#include "search/vector.h"

#include <pthread.h>
#include <stdatomic.h>

/* As struct search_options has them. */
struct models {
    const struct embedder *words;    /* NULL: words are only equal or different */
    const struct embedder *embedder; /* NULL: there are no vectors */
};

struct partition {
    /* Under the table's lock. */
    char *key; /* as the table has it */
    size_t key_len;
    struct partition *newer, *older; /* in order of the last search */
    unsigned n_users; /* searches under way, and its place in the queue: it must not be freed */
    size_t counted_bytes, counted_docs;
    struct partition *next_queued;
    bool is_queued;

    atomic_bool is_loading; /* as is_queued, for those who do not have the table's lock */

    /* The loading thread's alone. */
    bool has_expected;
    int64_t expected_us; /* when it asked for n_expected */

    const struct models *models;
    pthread_rwlock_t lock; /* over all that follows */
    struct docs docs;
    struct keyword keyword;
    struct order order;
    struct vector_index vector;
    struct texts texts;
    struct speakers speakers;
    struct search_place until; /* the last row taken in */
    bool is_whole;             /* nothing was left behind it at the last load */
    uint64_t version;          /* of the feed, as it was before that */
    int64_t loaded_us;         /* when, on the monotonic clock */
    bool is_counted;           /* once at least since it was empty */
    bool is_rebuilt;           /* emptied since the last count, because that was wrong */
    bool is_wrong;             /* so was the count after */
    int64_t n_expected;        /* what the store had when it was counted last; -1: not known */
    uint64_t n_since_count;    /* changes taken in */
};

/* NULL when out of memory. max_text_bytes: for texts_init. */
struct partition *partition_new(const struct models *models, size_t max_text_bytes);
struct partition *partition_free(struct partition *partition);
/* The names are borrowed from the partition's key. */
struct str partition_tenant(const struct partition *partition);
struct str partition_user(const struct partition *partition);
/* Nothing has changed since the last load, as far as the version tells and that was not long ago. */
bool partition_is_current(const struct partition *partition, const struct search_feed *feed, int64_t now_us);
/* So much is known to be left that a search should not begin with it. */
bool partition_is_far_behind(const struct partition *partition);
/* The documents should be counted against the store's rows. */
bool partition_is_count_due(const struct partition *partition);

/* How much to take in at once: at least min_rows, then until max_us have passed or is_ending. */
struct slice {
    struct analyzer *analyzer;
    const struct search_feed *feed;
    const struct clock *clock;
    size_t min_rows;
    int64_t max_us;
    uint32_t max_counted; /* a partition of more documents is not counted */
    const atomic_bool *is_ending;
    /* out */
    size_t n_taken;
    bool did_rebuild; /* a count was wrong and the partition was emptied */
};
/* Takes in a slice of what changed. 0: that was all; 1: there is more. After an error what was taken in
 * stays, and the next call goes on behind it. */
int partition_load(struct partition *partition, struct slice *slice, struct err_info *reterr);
/* False when the partition is whole, else what it lacks in a sentence. */
bool partition_tell_lack(const struct partition *partition, struct err_info *reterr);
size_t partition_size_bytes(const struct partition *partition);

/* What a search needs besides its partition, used by one at a time. */
struct searcher {
    struct analyzer *analyzer;
    struct scores scores;
    struct arena scratch; /* emptied by each search; hits do not live here */
};

/* Changes nothing in the partition; others may ask it at the same time. With wants_items hits have their
 * items. */
int partition_find(struct partition *partition, struct searcher *searcher, const struct search_query *query,
                   bool wants_items, struct arena *arena, struct search_hit **ret_hits, size_t *ret_n);

/* ---- the table of partitions, search.c; and the thread that loads, indexer.c ---- */

/* Each remembers 100 KB of stems, and scores of the largest partition it has met: one a running search, not
 * one a partition. */
#define MAX_IDLE_SEARCHERS 16
#define WRITE_SLOTS        4096

struct search {
    struct search_feed feed;
    struct models models;
    size_t max_bytes;
    int64_t max_inline_us;
    const struct clock *clock;
    char *language;
    atomic_bool is_ending;

    pthread_mutex_t lock; /* over all that follows */
    struct map partitions;
    struct partition *newest, *oldest;
    struct search_stats stats; /* n_partitions is the map's */
    struct searcher *idle[MAX_IDLE_SEARCHERS];
    size_t n_idle;
    uint16_t n_written[WRITE_SLOTS]; /* rows, by a hash of whose they are, since the thread was told last */

    pthread_t indexer;
    bool has_indexer;
    pthread_cond_t has_work;
    struct partition *first_queued, *last_queued;
};

/* Adds to the partition's accounts and drops others over the limit. Under the lock. */
void search_account(struct search *search, struct partition *partition, size_t bytes, size_t n_docs,
                    const struct slice *slice);
int search_borrow_searcher(struct search *search, struct searcher **ret_searcher, struct err_info *reterr);
void search_return_searcher(struct search *search, struct searcher *searcher);

/* Lets the thread load the partition to its end, unless it is about to; starts it if need be. Without a
 * thread searches load, each a little. Under the lock. */
void indexer_queue(struct search *search, struct partition *partition);
void indexer_stop(struct search *search);

#endif
