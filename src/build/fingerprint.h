/* SPDX-License-Identifier: Apache-2.0
 *
 * What dedup compares of two texts: their words, their numbers, and their runs of three words.
 */
#ifndef PRECIS_BUILD_FINGERPRINT_H
#define PRECIS_BUILD_FINGERPRINT_H

#include "core/arena.h"

#define FINGERPRINT_MIN_WORDS 8 /* below that one changed word is a changed meaning */

struct fingerprint {
    uint64_t whole;   /* of all words in order */
    uint64_t numbers; /* of the words with digits, in any order */
    size_t n_words;
    uint64_t *runs; /* hashes of three-word runs; once sorted, each once */
    size_t n_runs;
    bool is_sorted;
};

/* Of the text, by hashes with that seed; NULL when the arena has no room. */
struct fingerprint *fingerprint_new(struct arena *arena, uint64_t seed, struct str text);
/* Puts its runs in order, each once. */
void fingerprint_sort(struct fingerprint *print);
/* Whether both are long enough to judge, every number in them agrees, and so do nine tenths of their runs. */
bool fingerprint_is_alike(struct fingerprint *a, struct fingerprint *b);

#endif
