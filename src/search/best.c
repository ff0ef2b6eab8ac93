/* SPDX-License-Identifier: Apache-2.0
 *
 * A heap of the best so far with the worst of them on top.
 */
#include "search/best.h"

#include <stdlib.h>

int candidate_compare(const void *a, const void *b)
{
    const struct candidate *left = a, *right = b;
    if (left->score != right->score)
        return left->score > right->score ? -1 : 1;
    if (left->created_us != right->created_us)
        return left->created_us > right->created_us ? -1 : 1;
    return (left->row > right->row) - (left->row < right->row);
}

static void best_sink(struct best *best, struct candidate candidate)
{
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < best->n; at = child) {
        if (child + 1 < best->n && candidate_compare(&best->items[child + 1], &best->items[child]) > 0)
            child++;
        if (candidate_compare(&best->items[child], &candidate) < 0)
            break;
        best->items[at] = best->items[child];
    }
    best->items[at] = candidate;
}

static void best_rise(struct best *best, struct candidate candidate)
{
    size_t at = best->n++;
    while (at && candidate_compare(&candidate, &best->items[(at - 1) / 2]) > 0) {
        best->items[at] = best->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    best->items[at] = candidate;
}

void best_put(struct best *best, struct candidate candidate)
{
    if (best->n < best->max)
        best_rise(best, candidate);
    else if (best->max && candidate_compare(&candidate, &best->items[0]) < 0)
        best_sink(best, candidate);
}

void best_sort(struct best *best)
{
    if (best->n > 1)
        qsort(best->items, best->n, sizeof(*best->items), candidate_compare);
}

int best_collect(struct best *best, const struct docs *docs, const struct docs_filter *filter,
                 const struct scores *scores, float min_score, struct arena *arena)
{
    best->n = 0;
    if (best->max > scores->n_touched)
        best->max = scores->n_touched;
    best->items = arena_calloc(arena, best->max + 1, sizeof(*best->items));
    if (!best->items)
        return arena_error(arena);
    for (uint32_t i = 0; i < scores->n_touched && best->max; i++) {
        uint32_t doc = scores->touched[i];
        float score = scores->by_doc[doc];
        if (score < min_score || (best->n == best->max && score < best->items[0].score))
            continue; /* the common case: nothing else is read */
        if (!docs_match(docs, filter, doc))
            continue;
        const struct doc *item = &docs->items[doc];
        best_put(best, (struct candidate){score, doc, item->created_us, item->row});
    }
    best_sort(best);
    return 0;
}
