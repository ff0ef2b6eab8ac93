/* SPDX-License-Identifier: Apache-2.0
 *
 * See counts.h. An entry is packed into one word.
 */
#include "build/counts.h"

#include "build/memo.h"
#include "core/err.h"
#include "core/mem.h"

enum { FIRST_BITS = 12, REST_BITS = 12, HEAD_BITS = 7, TAIL_BITS = 8, APART_BITS = 1, INNER_BITS = 24 };

struct counts {
    uint64_t seed;
    struct memo *memo;
};

int counts_new(uint64_t seed, struct counts **ret_counts)
{
    struct counts *counts = mem_calloc(1, sizeof *counts);
    if (!counts)
        return ERR_NOMEM;
    counts->seed = seed;
    int rc = memo_new(COUNTS_SLOTS, 1, &counts->memo);
    if (rc < 0) {
        mem_free(counts);
        return rc;
    }
    *ret_counts = counts;
    return 0;
}

struct counts *counts_free(struct counts *counts)
{
    if (counts)
        memo_free(counts->memo);
    return mem_free(counts);
}

uint64_t counts_key(const struct counts *counts, const void *tokenizer, const void *format, struct str text)
{
    uint64_t owner = (uint64_t)(uintptr_t)tokenizer << 20 ^ (uint64_t)(uintptr_t)format;
    return str_hash(text, counts->seed ^ owner);
}

/* Takes the lowest bits off. */
static int64_t take_bits(uint64_t *packed, int n_bits)
{
    uint64_t value = *packed & ((UINT64_C(1) << n_bits) - 1);
    *packed >>= n_bits;
    return (int64_t)value;
}

/* Puts them below the others; false when they do not hold the value. */
static bool put_bits(uint64_t *packed, int n_bits, uint64_t value)
{
    *packed = *packed << n_bits | value;
    return value >> n_bits == 0;
}

bool counts_find(const struct counts *counts, uint64_t key, struct str text, struct count_entry *ret_entry)
{
    uint64_t packed;
    if (!memo_find(counts->memo, key, &packed))
        return false;
    ret_entry->first = (size_t)take_bits(&packed, FIRST_BITS);
    ret_entry->last = text.len - (size_t)take_bits(&packed, REST_BITS);
    ret_entry->head_units = take_bits(&packed, HEAD_BITS);
    ret_entry->tail_units = take_bits(&packed, TAIL_BITS);
    ret_entry->is_apart = take_bits(&packed, APART_BITS) != 0;
    ret_entry->inner_units = take_bits(&packed, INNER_BITS);
    return true;
}

void counts_keep(struct counts *counts, uint64_t key, struct str text, const struct count_entry *entry)
{
    uint64_t packed = 0;
    bool has_room = put_bits(&packed, INNER_BITS, (uint64_t)entry->inner_units) &&
                    put_bits(&packed, APART_BITS, entry->is_apart) &&
                    put_bits(&packed, TAIL_BITS, (uint64_t)entry->tail_units) &&
                    put_bits(&packed, HEAD_BITS, (uint64_t)entry->head_units) &&
                    put_bits(&packed, REST_BITS, text.len - entry->last) &&
                    put_bits(&packed, FIRST_BITS, entry->first);
    if (has_room)
        memo_keep(counts->memo, key, &packed);
}
