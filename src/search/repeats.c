/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of the texts that were asked about, which stay where the partition has them.
 */
#include "search/repeats.h"

#define FIRST_SLOTS 256

void repeats_init(struct repeats *repeats, const struct partition *partition, struct arena *arena)
{
    *repeats = (struct repeats){.partition = partition, .arena = arena};
}

static bool is_same(const struct texts *texts, uint32_t doc, uint32_t other)
{
    return texts_hash(texts, doc) == texts_hash(texts, other) &&
           str_eq(texts_peek(texts, doc), texts_peek(texts, other));
}

/* The slot of a document that says what this one says, or the free one where it would stand. */
static uint32_t *slot_of(const struct repeats *repeats, uint32_t doc)
{
    const struct texts *texts = &repeats->partition->texts;
    size_t at = texts_hash(texts, doc) & (repeats->n_slots - 1);
    while (repeats->slots[at] && !is_same(texts, repeats->slots[at] - 1, doc))
        at = (at + 1) & (repeats->n_slots - 1);
    return &repeats->slots[at];
}

static bool grow(struct repeats *repeats)
{
    struct repeats larger = *repeats;
    larger.n_slots = repeats->n_slots ? 2 * repeats->n_slots : FIRST_SLOTS;
    larger.slots = arena_calloc(repeats->arena, larger.n_slots, sizeof(*larger.slots));
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < repeats->n_slots; i++)
        if (repeats->slots[i])
            *slot_of(&larger, repeats->slots[i] - 1) = repeats->slots[i];
    *repeats = larger;
    return true;
}

bool repeats_is_one(struct repeats *repeats, uint32_t doc)
{
    if (repeats->partition->docs.items[doc].speaker != INTERN_NONE ||
        texts_hash(&repeats->partition->texts, doc) == 0)
        return false;
    if (2 * repeats->n >= repeats->n_slots && !grow(repeats))
        return false;
    uint32_t *slot = slot_of(repeats, doc);
    if (*slot)
        return *slot != doc + 1;
    *slot = doc + 1;
    repeats->n++;
    return false;
}
