/* SPDX-License-Identifier: Apache-2.0
 *
 * Which documents are neighbours. What an item means is often said by the one before it, so conversations
 * keep their order here: all documents sorted by source, thread, time and row. Two beside each other are
 * linked when both have a speaker, source and thread are the same and little time lies between. Not
 * thread-safe.
 */
#ifndef PRECIS_SEARCH_ORDER_H
#define PRECIS_SEARCH_ORDER_H

#include "search/docs.h"

#define ORDER_NONE UINT32_MAX

struct order {
    uint32_t *docs;   /* sorted, dead ones among them until the next compaction */
    uint32_t *places; /* by document: where it stands in docs */
    uint32_t n, n_sorted, cap;
};

void order_init(struct order *order);
void order_done(struct order *order);
/* Room for one more document. */
int order_reserve(struct order *order);
/* Takes in document number order->n, the next one; its room was reserved. It has no neighbours until
 * order_settle. */
void order_add(struct order *order);
/* Sorts in what was added. On an error what was added stays without neighbours. */
int order_settle(struct order *order, const struct docs *docs);
/* The place of the living neighbour of a living document's place, before it (-1) or behind it (1); ORDER_NONE
 * where a conversation has begun or ended. */
uint32_t order_next(const struct order *order, const struct docs *docs, uint32_t place, int direction);
/* Renumbers by map (see docs_plan_compaction) and drops the dead. Cannot fail. */
void order_compact(struct order *order, const uint32_t *map);
size_t order_size_bytes(const struct order *order);

#endif
