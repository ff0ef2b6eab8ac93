/* SPDX-License-Identifier: Apache-2.0
 *
 * One sorted array, and where in it each document stands. New documents mostly belong at the end of it;
 * others are sorted among themselves and merged in from the back.
 */
#include "search/order.h"

#include "core/clock.h"
#include "core/mem.h"

#include <stdlib.h>

#define MAX_GAP_US ((uint64_t)60 * 60 * US_PER_SEC) /* after an hour another conversation begins */

void order_init(struct order *order)
{
    *order = (struct order){0};
}

void order_done(struct order *order)
{
    order->docs = mem_free(order->docs);
    order->places = mem_free(order->places);
}

int order_reserve(struct order *order)
{
    if (order->n == order->cap) {
        uint32_t cap = order->cap + order->cap / 2 + 16;
        uint32_t *docs = mem_realloc(order->docs, cap * sizeof(*docs));
        if (!docs)
            return ERR_NOMEM;
        order->docs = docs;
        uint32_t *places = mem_realloc(order->places, cap * sizeof(*places));
        if (!places)
            return ERR_NOMEM;
        order->places = places;
        order->cap = cap;
    }
    return 0;
}

void order_add(struct order *order)
{
    order->docs[order->n] = order->n;
    order->places[order->n] = order->n;
    order->n++;
}

static int compare_docs(const void *a, const void *b, void *arg)
{
    const struct docs *docs = arg;
    uint32_t left_doc = *(const uint32_t *)a, right_doc = *(const uint32_t *)b;
    const struct doc *left = &docs->items[left_doc], *right = &docs->items[right_doc];
    if (left->source != right->source)
        return left->source < right->source ? -1 : 1;
    if (left->thread != right->thread)
        return left->thread < right->thread ? -1 : 1;
    if (left->created_us != right->created_us)
        return left->created_us < right->created_us ? -1 : 1;
    if (left->row != right->row)
        return left->row < right->row ? -1 : 1;
    return (left_doc > right_doc) - (left_doc < right_doc);
}

static void note_places(struct order *order, uint32_t from)
{
    for (uint32_t i = from; i < order->n; i++)
        order->places[order->docs[i]] = i;
}

/* How many of these sorted ones come before doc. */
static uint32_t find_place(const uint32_t *sorted, uint32_t n, uint32_t doc, struct docs *docs)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare_docs(&sorted[middle], &doc, docs) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int order_settle(struct order *order, const struct docs *docs)
{
    uint32_t n_new = order->n - order->n_sorted;
    struct docs *arg = (struct docs *)docs; /* qsort_r's is not const */
    while (n_new && (order->n_sorted == 0 || compare_docs(&order->docs[order->n_sorted - 1],
                                                          &order->docs[order->n_sorted], arg) < 0)) {
        order->n_sorted++;
        n_new--;
    }
    if (!n_new)
        return 0;
    uint32_t *added = mem_alloc(n_new * sizeof(*added));
    if (!added)
        return ERR_NOMEM;
    memcpy(added, order->docs + order->n_sorted, n_new * sizeof(*added));
    qsort_r(added, n_new, sizeof(*added), compare_docs, arg);
    uint32_t old = order->n_sorted, at = order->n;
    while (n_new) { /* from the last: what comes behind it moves up at once */
        uint32_t place = find_place(order->docs, old, added[--n_new], arg);
        at -= old - place + 1;
        memmove(order->docs + at + 1, order->docs + place, (old - place) * sizeof(*order->docs));
        order->docs[at] = added[n_new];
        old = place;
    }
    mem_free(added);
    order->n_sorted = order->n;
    note_places(order, at);
    return 0;
}

static bool is_near(const struct doc *left, const struct doc *right)
{
    uint64_t gap_us = left->created_us < right->created_us
                          ? (uint64_t)right->created_us - (uint64_t)left->created_us
                          : (uint64_t)left->created_us - (uint64_t)right->created_us;
    return left->source == right->source && left->thread == right->thread && gap_us <= MAX_GAP_US;
}

/* All the dead on the way are passed over, or answers would change with a compaction; they end where the
 * conversation does. */
uint32_t order_next(const struct order *order, const struct docs *docs, uint32_t place, int direction)
{
    const struct doc *item = &docs->items[order->docs[place]];
    if (item->speaker == INTERN_NONE || place >= order->n_sorted)
        return ORDER_NONE;
    while (direction < 0 ? place > 0 : place + 1 < order->n_sorted) {
        place += (uint32_t)direction;
        const struct doc *other = &docs->items[order->docs[place]];
        if (!is_near(item, other))
            return ORDER_NONE;
        if (other->is_live)
            return other->speaker != INTERN_NONE ? place : ORDER_NONE;
    }
    return ORDER_NONE;
}

void order_compact(struct order *order, const uint32_t *map)
{
    uint32_t n = 0, n_sorted = 0;
    for (uint32_t i = 0; i < order->n; i++) {
        if (map[order->docs[i]] == DOC_NONE)
            continue;
        order->docs[n++] = map[order->docs[i]];
        n_sorted += i < order->n_sorted;
    }
    order->n_sorted = n_sorted;
    order->n = n;
    note_places(order, 0);
}

size_t order_size_bytes(const struct order *order)
{
    return order->cap * (sizeof(*order->docs) + sizeof(*order->places));
}
