/* SPDX-License-Identifier: Apache-2.0
 *
 * See memo.h. Any number of threads read and write a slot's words one by one. The first is the key xor a mix
 * of all others: a reader that meets parts of two entries finds a key that is not its own.
 */
#include "build/memo.h"

#include "core/err.h"
#include "core/mem.h"

#include <assert.h>

struct memo {
    size_t n_slots, n_words; /* of a slot, with its first */
    uint64_t words[];
};

int memo_new(size_t n_slots, size_t n_words, struct memo **ret_memo)
{
    assert(n_slots > 1 && (n_slots & (n_slots - 1)) == 0 && n_words > 0 && n_words <= MEMO_MAX_WORDS);
    struct memo *memo = mem_calloc(1, sizeof *memo + n_slots * (n_words + 1) * sizeof *memo->words);
    if (!memo)
        return ERR_NOMEM;
    memo->n_slots = n_slots;
    memo->n_words = n_words + 1;
    *ret_memo = memo;
    return 0;
}

struct memo *memo_free(struct memo *memo)
{
    return mem_free(memo);
}

/* An empty slot is that of the key 0, which none is. */
static uint64_t key_of(uint64_t key)
{
    return key | 1;
}

static size_t slot_of(const struct memo *memo, uint64_t key)
{
    return (key >> 1) & (memo->n_slots - 1);
}

/* One word more. Each counts by its place, so that differences in two of them do not cancel; zeros are 0. */
static uint64_t mix(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return sum ^ sum >> 32;
}

/* Reads a slot; the key that it seems to be of. */
static uint64_t read_slot(const struct memo *memo, size_t slot, uint64_t *ret_words)
{
    const uint64_t *words = &memo->words[slot * memo->n_words];
    uint64_t key = __atomic_load_n(&words[0], __ATOMIC_RELAXED), sum = 0;
    for (size_t i = 1; i < memo->n_words; i++) {
        ret_words[i - 1] = __atomic_load_n(&words[i], __ATOMIC_RELAXED);
        sum = mix(sum, ret_words[i - 1]);
    }
    return key ^ sum;
}

static void write_slot(struct memo *memo, size_t slot, uint64_t key, const uint64_t *from)
{
    uint64_t *words = &memo->words[slot * memo->n_words], sum = 0;
    for (size_t i = 1; i < memo->n_words; i++) {
        __atomic_store_n(&words[i], from[i - 1], __ATOMIC_RELAXED);
        sum = mix(sum, from[i - 1]);
    }
    __atomic_store_n(&words[0], key ^ sum, __ATOMIC_RELAXED);
}

bool memo_find(const struct memo *memo, uint64_t key, uint64_t *ret_words)
{
    size_t slot = slot_of(memo, key);
    return read_slot(memo, slot, ret_words) == key_of(key) ||
           read_slot(memo, slot ^ 1, ret_words) == key_of(key);
}

void memo_keep(struct memo *memo, uint64_t key, const uint64_t *words)
{
    uint64_t older[MEMO_MAX_WORDS];
    size_t slot = slot_of(memo, key);
    uint64_t older_key = read_slot(memo, slot, older);
    if (older_key != 0 && older_key != key_of(key))
        write_slot(memo, slot ^ 1, older_key, older);
    write_slot(memo, slot, key_of(key), words);
}
