/* SPDX-License-Identifier: Apache-2.0
 *
 * Remembers how texts were measured, so that an item that builds ask for again and again is counted once.
 * Nothing waits and nothing grows; see memo.h.
 */
#ifndef PRECIS_BUILD_COUNTS_H
#define PRECIS_BUILD_COUNTS_H

#include "core/str.h"

#define COUNTS_SLOTS 65536 /* of 16 bytes */

/* What an item costs. Between its first and its last break (see struct tokenizer) it is counted apart from
 * all else; what lies outside, a word or two, together with what is written beside it. Mostly that is the
 * format's separator, for which the cost is known, too. */
struct count_entry {
    size_t first, last;
    int64_t inner_units;
    int64_t head_units; /* up to first */
    int64_t tail_units; /* from last on, with a separator behind it */
    bool is_apart;      /* a separator before it, with all that it follows, is counted apart from it */
};

struct counts;

/* seed: so that nobody outside can tell which texts share a slot. Errors: ERR_NOMEM. */
int counts_new(uint64_t seed, struct counts **ret_counts);
struct counts *counts_free(struct counts *counts);
/* Thread-safe without locks. The owners are the tokenizer and the format. Two texts that are taken for one
 * need the same 64 bits of a hash whose seed is secret. */
uint64_t counts_key(const struct counts *counts, const void *tokenizer, const void *format, struct str text);
bool counts_find(const struct counts *counts, uint64_t key, struct str text, struct count_entry *ret_entry);
/* Leaves alone what has no room in a slot: a text that is very long or begins or ends with a very long word.
 */
void counts_keep(struct counts *counts, uint64_t key, struct str text, const struct count_entry *entry);

#endif
