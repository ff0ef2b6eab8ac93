/* SPDX-License-Identifier: Apache-2.0
 *
 * Byte strings to small dense numbers and each kept once: terms, tags and sources of a partition. Nothing is
 * ever removed; whoever wants that builds a new one. Not thread-safe.
 */
#ifndef PRECIS_SEARCH_INTERN_H
#define PRECIS_SEARCH_INTERN_H

#include "core/str.h"

#define INTERN_NONE UINT32_MAX

struct intern {
    char *bytes; /* all strings, one after the other */
    size_t n_bytes, cap_bytes;
    uint32_t *ends; /* where string i ends; it begins where i - 1 ends */
    uint32_t n, cap;
    uint32_t *slots; /* open addressing: number + 1, 0 is free */
    size_t n_slots;  /* 0 or a power of two */
    uint64_t seed;
};

void intern_init(struct intern *intern);
void intern_done(struct intern *intern); /* accepts a zeroed one */
/* The string's number; numbers count from 0. ERR_NOMEM or ERR_LIMIT leave it as it was. */
int intern_put(struct intern *intern, struct str s, uint32_t *ret_number);
/* The number, or INTERN_NONE. */
uint32_t intern_find(const struct intern *intern, struct str s);
/* Borrowed until the next put. */
struct str intern_get(const struct intern *intern, uint32_t number);
size_t intern_size_bytes(const struct intern *intern);

#endif
