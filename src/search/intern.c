/* SPDX-License-Identifier: Apache-2.0
 *
 * Strings lie end to end in one block and the hash table holds four bytes a slot, so that a vocabulary costs
 * little more than its letters. The hash is seeded: terms come from outside.
 */
#include "search/intern.h"

#include "core/err.h"
#include "core/mem.h"

#include <sys/random.h>

#define FIRST_SLOTS 16

void intern_init(struct intern *intern)
{
    *intern = (struct intern){0};
    /* Without entropy the table still works, its order is only easier to guess. */
    if (getrandom(&intern->seed, sizeof(intern->seed), GRND_NONBLOCK) != sizeof(intern->seed))
        intern->seed = (uint64_t)(uintptr_t)intern * UINT64_C(0x9e3779b97f4a7c15);
}

void intern_done(struct intern *intern)
{
    intern->bytes = mem_free(intern->bytes);
    intern->ends = mem_free(intern->ends);
    intern->slots = mem_free(intern->slots);
    intern->n = intern->cap = 0;
    intern->n_bytes = intern->cap_bytes = intern->n_slots = 0;
}

struct str intern_get(const struct intern *intern, uint32_t number)
{
    uint32_t start = number ? intern->ends[number - 1] : 0;
    return str_make(intern->bytes + start, intern->ends[number] - start);
}

/* The slot that holds s, or the free one where it would go. */
static uint32_t *find_slot(const struct intern *intern, struct str s)
{
    size_t idx = str_hash(s, intern->seed) & (intern->n_slots - 1);
    while (intern->slots[idx] && !str_eq(intern_get(intern, intern->slots[idx] - 1), s))
        idx = (idx + 1) & (intern->n_slots - 1);
    return &intern->slots[idx];
}

uint32_t intern_find(const struct intern *intern, struct str s)
{
    if (!intern->n)
        return INTERN_NONE;
    uint32_t slot = *find_slot(intern, s);
    return slot ? slot - 1 : INTERN_NONE;
}

static int grow_slots(struct intern *intern)
{
    size_t n_slots = intern->n_slots ? intern->n_slots * 2 : FIRST_SLOTS;
    uint32_t *slots = mem_calloc(n_slots, sizeof(*slots));
    if (!slots)
        return ERR_NOMEM;
    mem_free(intern->slots);
    intern->slots = slots;
    intern->n_slots = n_slots;
    for (uint32_t i = 0; i < intern->n; i++)
        *find_slot(intern, intern_get(intern, i)) = i + 1;
    return 0;
}

static int reserve(struct intern *intern, size_t more_bytes)
{
    if (more_bytes > UINT32_MAX - intern->n_bytes || intern->n >= INTERN_NONE - 1)
        return ERR_LIMIT; /* ends are 32 bits wide */
    if (intern->n_bytes + more_bytes > intern->cap_bytes) {
        size_t cap = intern->cap_bytes + intern->cap_bytes / 2 + more_bytes + 64;
        char *bytes = mem_realloc(intern->bytes, cap);
        if (!bytes)
            return ERR_NOMEM;
        intern->bytes = bytes;
        intern->cap_bytes = cap;
    }
    if (intern->n == intern->cap) {
        uint32_t cap = intern->cap + intern->cap / 2 + 8;
        uint32_t *ends = mem_realloc(intern->ends, cap * sizeof(*ends));
        if (!ends)
            return ERR_NOMEM;
        intern->ends = ends;
        intern->cap = cap;
    }
    if ((size_t)(intern->n + 1) * 4 > intern->n_slots * 3) /* three quarters full at most */
        return grow_slots(intern);
    return 0;
}

int intern_put(struct intern *intern, struct str s, uint32_t *ret_number)
{
    uint32_t number = intern_find(intern, s);
    if (number == INTERN_NONE) {
        int err = reserve(intern, s.len);
        if (err)
            return err;
        number = intern->n;
        if (s.len)
            memcpy(intern->bytes + intern->n_bytes, s.ptr, s.len);
        *find_slot(intern, s) = number + 1; /* before it counts: the slot found is a free one */
        intern->n_bytes += s.len;
        intern->ends[number] = (uint32_t)intern->n_bytes;
        intern->n++;
    }
    *ret_number = number;
    return 0;
}

size_t intern_size_bytes(const struct intern *intern)
{
    return intern->cap_bytes + intern->cap * sizeof(*intern->ends) + intern->n_slots * sizeof(*intern->slots);
}
