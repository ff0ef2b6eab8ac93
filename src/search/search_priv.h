/* SPDX-License-Identifier: Apache-2.0
 *
 * One partition: its documents, its indexes over them, and how far it has followed the feed. Never leaves the
 * folder.
 */
#ifndef PRECIS_SEARCH_SEARCH_PRIV_H
#define PRECIS_SEARCH_SEARCH_PRIV_H

#include "search/keyword.h"

#include <pthread.h>

struct partition {
    /* Under the table's lock. */
    char *key; /* as the table has it */
    size_t key_len;
    struct partition *newer, *older; /* in order of the last search */
    unsigned n_users;                /* searches under way: it must not be freed */
    size_t counted_bytes, counted_docs;

    pthread_mutex_t lock; /* over all that follows */
    struct docs docs;
    struct keyword keyword;
    struct scores scores;
    bool is_loaded;
    uint64_t version; /* of the feed, as it was before the last load */
    int64_t until;    /* the last change taken in */
};

struct partition *partition_new(void); /* NULL when out of memory */
struct partition *partition_free(struct partition *partition);
/* Takes in what changed since the last time. *ret_did_load: the feed was asked. After an error the old state
 * stands, some changes perhaps taken in, and the next call asks again. */
int partition_refresh(struct partition *partition, struct analyzer *analyzer, const struct search_feed *feed,
                      struct str tenant, struct str user, bool *ret_did_load, struct err_info *reterr);
int partition_find(struct partition *partition, struct analyzer *analyzer, const struct search_query *query,
                   struct arena *arena, struct search_hit **ret_hits, size_t *ret_n);
size_t partition_size_bytes(const struct partition *partition);

#endif
