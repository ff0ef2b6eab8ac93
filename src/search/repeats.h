/* SPDX-License-Identifier: Apache-2.0
 *
 * Notes that say the same, word for word. A turn of a conversation is never one: it counts by where it
 * stands.
 */
#ifndef PRECIS_SEARCH_REPEATS_H
#define PRECIS_SEARCH_REPEATS_H

#include "search/search_priv.h"

struct repeats {
    const struct partition *partition;
    struct arena *arena;
    uint32_t *slots; /* by the hash of a text, open addressing: document + 1, 0 is free */
    size_t n, n_slots;
};

/* Borrows both. */
void repeats_init(struct repeats *repeats, const struct partition *partition, struct arena *arena);
/* Does the document say what another says that was asked about before? Not known, and so false, of one whose
 * text is not kept; false, too, without memory, which the arena remembers. */
bool repeats_is_one(struct repeats *repeats, uint32_t doc);

#endif
