/* SPDX-License-Identifier: Apache-2.0
 *
 * One partition: its documents, its indexes over them, and how far it has followed the feed. Never leaves the
 * folder.
 */
#ifndef PRECIS_SEARCH_SEARCH_PRIV_H
#define PRECIS_SEARCH_SEARCH_PRIV_H

#include "search/keyword.h"
#include "search/order.h"
#include "search/question.h"
#include "search/vector.h"

#include <pthread.h>

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
    unsigned n_users;                /* searches under way: it must not be freed */
    size_t counted_bytes, counted_docs;

    const struct models *models;
    pthread_rwlock_t lock; /* over all that follows */
    struct docs docs;
    struct keyword keyword;
    struct order order;
    struct vector_index vector;
    struct speakers speakers;
    bool is_loaded;
    uint64_t version; /* of the feed, as it was before the last load */
    int64_t until;    /* the last change taken in */
};

struct partition *partition_new(const struct models *models); /* NULL when out of memory */
struct partition *partition_free(struct partition *partition);
/* Nothing has changed since the last refresh. */
bool partition_is_current(const struct partition *partition, const struct search_feed *feed,
                          struct str tenant, struct str user);
/* Takes in what changed since the last time. After an error the old state stands, some changes perhaps taken
 * in, and the next call asks again. */
int partition_refresh(struct partition *partition, struct analyzer *analyzer, const struct search_feed *feed,
                      struct str tenant, struct str user, struct err_info *reterr);
size_t partition_size_bytes(const struct partition *partition);

/* What a search needs besides its partition, used by one at a time. */
struct searcher {
    struct analyzer *analyzer;
    struct scores scores;
    struct arena scratch; /* emptied by each search; hits do not live here */
};

/* Changes nothing in the partition; others may ask it at the same time. */
int partition_find(struct partition *partition, struct searcher *searcher, const struct search_query *query,
                   struct arena *arena, struct search_hit **ret_hits, size_t *ret_n);

#endif
