/* SPDX-License-Identifier: Apache-2.0
 *
 * The other way round: a document's terms, each once with how often it occurs. What is asked about few
 * documents is answered from here. Not thread-safe.
 */
#ifndef PRECIS_SEARCH_FORWARD_H
#define PRECIS_SEARCH_FORWARD_H

#include "core/err.h"
#include "core/str.h"

/* A term's number above, how often it occurs (255 at most) in the lowest eight bits. */
typedef uint32_t forward_entry;
#define FORWARD_MAX_TERM      ((1u << 24) - 1)
#define FORWARD_MAX_FREQUENCY 255

static inline uint32_t forward_term(forward_entry entry)
{
    return entry >> 8;
}

static inline uint32_t forward_frequency(forward_entry entry)
{
    return entry & 0xff;
}

struct forward {
    forward_entry *entries;
    uint64_t *ends; /* by document; it begins where the one before ends */
    size_t n, cap;
    uint32_t n_docs, cap_docs;
};

void forward_init(struct forward *forward);
void forward_done(struct forward *forward);
/* The next document's terms, repeated as they occur; sorts them. A doc number left out has none. ERR_LIMIT
 * for a term above FORWARD_MAX_TERM. On an error nothing has changed. */
int forward_add(struct forward *forward, uint32_t doc, uint32_t *terms, size_t n_terms);
const forward_entry *forward_get(const struct forward *forward, uint32_t doc, size_t *ret_n);
/* Asks for what forward_get will give, as it lies anywhere. */
static inline void forward_prefetch(const struct forward *forward, uint32_t doc)
{
    if (doc < forward->n_docs)
        __builtin_prefetch(forward->entries + (doc ? forward->ends[doc - 1] : 0));
}
/* Renumbers documents and terms, and drops what has no new number. Cannot fail. */
void forward_compact(struct forward *forward, const uint32_t *doc_map, const uint32_t *term_map);
size_t forward_size_bytes(const struct forward *forward);

#endif
