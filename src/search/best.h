/* SPDX-License-Identifier: Apache-2.0
 *
 * The best scored documents of a partition, in order. Equal scores: the newest first, then by row.
 */
#ifndef PRECIS_SEARCH_BEST_H
#define PRECIS_SEARCH_BEST_H

#include "search/keyword.h"

struct candidate {
    float score;
    uint32_t doc;
    int64_t created_us, row;
};

int candidate_compare(const void *a, const void *b); /* of two struct candidate: the better one first */

struct best {
    struct candidate *items;
    size_t n, max;
};

/* Puts a candidate among them, where it belongs there. Until best_sort the worst is the first. */
void best_put(struct best *best, struct candidate candidate);
void best_sort(struct best *best);
/* Fills best (max is set) with those that score min_score at least and pass the filter; in the arena. */
int best_collect(struct best *best, const struct docs *docs, const struct docs_filter *filter,
                 const struct scores *scores, float min_score, struct arena *arena);

#endif
