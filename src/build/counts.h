/* SPDX-License-Identifier: Apache-2.0
 *
 * Remembers how texts were measured, so that an item that builds ask for again and again is counted once. A
 * slot a hash, the newest wins; nothing waits and nothing grows.
 */
#ifndef PRECIS_BUILD_COUNTS_H
#define PRECIS_BUILD_COUNTS_H

#include "core/str.h"

#define COUNTS_SLOTS 65536 /* of 16 bytes; memory that no item has come to is never touched */

/* Of a text: up to where its first break is, what stands from its last break on, and what lies between. */
struct count_entry {
    size_t first, last;
    int64_t inner_units;
};

struct counts;

/* seed: so that nobody outside can tell which texts share a slot. Errors: ERR_NOMEM. */
int counts_new(uint64_t seed, struct counts **ret_counts);
struct counts *counts_free(struct counts *counts);
/* Thread-safe without locks. owner: the tokenizer. Two texts that are taken for one need the same 64 bits of
 * a hash whose seed is secret. */
uint64_t counts_key(const struct counts *counts, const void *owner, struct str text);
bool counts_find(const struct counts *counts, uint64_t key, struct str text, struct count_entry *ret_entry);
/* Leaves alone what has no room in a slot: a text that is very long or has no break for long. */
void counts_keep(struct counts *counts, uint64_t key, struct str text, const struct count_entry *entry);

#endif
