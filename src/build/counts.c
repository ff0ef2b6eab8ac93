/* SPDX-License-Identifier: Apache-2.0
 *
 * See counts.h. A slot is two words that any number of threads read and write one by one. The first is the
 * key xor the second: a reader that meets halves of two entries finds a key that is not its own.
 */
#include "build/counts.h"

#include "core/err.h"
#include "core/mem.h"

#define FIRST_BITS 16
#define REST_BITS  16
#define UNITS_BITS 31
#define USED       (UINT64_C(1) << 63)

struct slot {
    uint64_t check, packed;
};

struct counts {
    uint64_t seed;
    struct slot slots[COUNTS_SLOTS];
};

int counts_new(uint64_t seed, struct counts **ret_counts)
{
    struct counts *counts = mem_calloc(1, sizeof *counts);
    if (!counts)
        return ERR_NOMEM;
    counts->seed = seed;
    *ret_counts = counts;
    return 0;
}

struct counts *counts_free(struct counts *counts)
{
    return mem_free(counts);
}

uint64_t counts_key(const struct counts *counts, const void *owner, struct str text)
{
    return str_hash(text, counts->seed ^ (uint64_t)(uintptr_t)owner);
}

bool counts_find(const struct counts *counts, uint64_t key, struct str text, struct count_entry *ret_entry)
{
    const struct slot *slot = &counts->slots[key % COUNTS_SLOTS];
    uint64_t packed = __atomic_load_n(&slot->packed, __ATOMIC_RELAXED);
    uint64_t check = __atomic_load_n(&slot->check, __ATOMIC_RELAXED);
    if (!(packed & USED) || (check ^ packed) != key)
        return false;
    ret_entry->first = packed & ((1u << FIRST_BITS) - 1);
    ret_entry->last = text.len - (packed >> FIRST_BITS & ((1u << REST_BITS) - 1));
    ret_entry->inner_units = (int64_t)((packed & ~USED) >> (FIRST_BITS + REST_BITS));
    return true;
}

void counts_keep(struct counts *counts, uint64_t key, struct str text, const struct count_entry *entry)
{
    struct slot *slot = &counts->slots[key % COUNTS_SLOTS];
    size_t rest = text.len - entry->last;
    if (entry->first >> FIRST_BITS || rest >> REST_BITS || entry->inner_units >> UNITS_BITS)
        return;
    uint64_t packed = USED | (uint64_t)entry->inner_units << (FIRST_BITS + REST_BITS) |
                      (uint64_t)rest << FIRST_BITS | entry->first;
    __atomic_store_n(&slot->packed, packed, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->check, key ^ packed, __ATOMIC_RELAXED);
}
