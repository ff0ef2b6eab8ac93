/* SPDX-License-Identifier: Apache-2.0
 *
 * A heap of the best so far with the worst of them on top.
 */
#include "search/best.h"

/* Sinks from the top of the first n. */
static void best_sink(struct candidate *items, size_t n, struct candidate candidate)
{
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && candidate_is_better(&items[child], &items[child + 1]))
            child++;
        if (candidate_is_better(&items[child], &candidate))
            break;
        items[at] = items[child];
    }
    items[at] = candidate;
}

static void best_rise(struct best *best, struct candidate candidate)
{
    size_t at = best->n++;
    while (at && candidate_is_better(&best->items[(at - 1) / 2], &candidate)) {
        best->items[at] = best->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    best->items[at] = candidate;
}

void best_put(struct best *best, struct candidate candidate)
{
    if (best->n < best->max)
        best_rise(best, candidate);
    else if (best->max && candidate_is_better(&candidate, &best->items[0]))
        best_sink(best->items, best->n, candidate);
}

void best_sort(struct best *best)
{
    for (size_t n = best->n; n > 1;) { /* the worst goes to the end of what is not sorted yet */
        struct candidate worst = best->items[0];
        struct candidate last = best->items[--n];
        best_sink(best->items, n, last);
        best->items[n] = worst;
    }
}

/* Scores by their sign, exponent and first seven bits: positive floats rise with their bits. */
#define FLOOR_BINS 2048
#define LOWEST_BIN 0x3800 /* 2^-15; what is lower counts as that */
#define BIN_SHIFT  16

static uint32_t bin_of(float score)
{
    uint32_t bits;
    memcpy(&bits, &score, sizeof(bits));
    bits >>= BIN_SHIFT;
    return bits < LOWEST_BIN ? 0 : bits - LOWEST_BIN < FLOOR_BINS ? bits - LOWEST_BIN : FLOOR_BINS - 1;
}

/* A score that n documents and a few more reach, so that the rest need not be looked at; n is less than all.
 */
static float floor_of_best(const struct scores *scores, size_t n)
{
    uint32_t counts[FLOOR_BINS] = {0}, bin = FLOOR_BINS;
    for (uint32_t i = 0; i < scores->n_touched; i++)
        counts[bin_of(scores->by_doc[scores->touched[i]])]++;
    for (size_t n_above = 0; n_above < n && bin > 0;)
        n_above += counts[--bin];
    if (bin == 0)
        return 0;
    uint32_t bits = (bin + LOWEST_BIN) << BIN_SHIFT;
    float floor;
    memcpy(&floor, &bits, sizeof(floor));
    return floor;
}

int best_collect(struct best *best, const struct docs *docs, const struct docs_filter *filter,
                 const struct scores *scores, float min_score, struct arena *arena)
{
    best->n = 0;
    if (best->max > scores->n_touched)
        best->max = scores->n_touched;
    best->items = arena_alloc(arena, (best->max + 1) * sizeof(*best->items));
    if (!best->items)
        return arena_error(arena);
    size_t n_for_floor = best->max + docs->n - docs->n_live; /* as if all the dead were better */
    if (best->max && docs_filter_is_open(filter) && n_for_floor < scores->n_touched / 2) {
        float floor = floor_of_best(scores, n_for_floor);
        min_score = floor > min_score ? floor : min_score;
    }
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
