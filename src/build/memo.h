/* SPDX-License-Identifier: Apache-2.0
 *
 * Remembers a few words for a key, so that what was found out about a text that builds ask for again and
 * again is found out once. Of a pair of slots the one that was written last is written over last; nothing
 * waits and nothing grows. Who finds has what some thread kept for that very key, or nothing.
 */
#ifndef PRECIS_BUILD_MEMO_H
#define PRECIS_BUILD_MEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMO_MAX_WORDS 8

struct memo;

/* Room for n_slots keys, a power of two, with n_words each; memory that no key has come to is never touched.
 * Errors: ERR_NOMEM. */
int memo_new(size_t n_slots, size_t n_words, struct memo **ret_memo);
struct memo *memo_free(struct memo *memo);
/* Thread-safe without locks. A key is a hash whose seed is secret: two that are the same stand for the same.
 * Its lowest bit does not count. */
bool memo_find(const struct memo *memo, uint64_t key, uint64_t *ret_words);
void memo_keep(struct memo *memo, uint64_t key, const uint64_t *words);

#endif
