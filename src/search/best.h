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

static inline bool candidate_is_better(const struct candidate *left, const struct candidate *right)
{
    if (left->score != right->score)
        return left->score > right->score;
    if (left->created_us != right->created_us)
        return left->created_us > right->created_us;
    return left->row < right->row;
}

struct best {
    struct candidate *items;
    size_t n, max;
};

/* Puts a candidate among them, where it belongs there. Until best_sort the worst is the first. */
void best_put(struct best *best, struct candidate candidate);
/* Behind it nothing may be put. */
void best_sort(struct best *best);
/* Fills best (max is set) with those that score min_score at least and pass the filter; in the arena. */
int best_collect(struct best *best, const struct docs *docs, const struct docs_filter *filter,
                 const struct scores *scores, float min_score, struct arena *arena);

#endif
