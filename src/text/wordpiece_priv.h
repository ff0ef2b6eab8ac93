/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the reader and the builder of a vocabulary: the hash, which tools/distill.py computes too.
 */
#ifndef PRECIS_TEXT_WORDPIECE_PRIV_H
#define PRECIS_TEXT_WORDPIECE_PRIV_H

#include "text/wordpiece.h"

#define WORDPIECE_SLOT_TOKEN_BITS 20
#define WORDPIECE_SLOT_TOKEN_MASK ((1u << WORDPIECE_SLOT_TOKEN_BITS) - 1)

/* FNV-1a, so that the hashes of all prefixes of a word cost one pass. */
static inline uint32_t wordpiece_hash_start(bool is_inside)
{
    return 0x811c9dc5u ^ (uint32_t)is_inside;
}

static inline uint32_t wordpiece_hash_byte(uint32_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * 0x01000193u;
}

/* Spreads the last bytes over the upper bits, which choose the slot; the lower 12 are the fingerprint. */
static inline uint32_t wordpiece_hash_end(uint32_t hash)
{
    hash ^= hash >> 15;
    hash *= 0x2c1b3c6du;
    return hash ^ hash >> 12;
}

static inline uint32_t wordpiece_slot_of(uint32_t hash, uint32_t n_slots)
{
    return (uint32_t)((uint64_t)hash * n_slots >> 32);
}

static inline uint32_t wordpiece_fingerprint(uint32_t hash)
{
    return hash << WORDPIECE_SLOT_TOKEN_BITS;
}

#endif
