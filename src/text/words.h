/* SPDX-License-Identifier: Apache-2.0
 *
 * How near two words are: the cosine of their vectors in the built-in model. A word is kept as the few pieces
 * it is made of, and its vector is their sum, so that a vocabulary costs little and each product is one over
 * rows that lie in the program.
 */
#ifndef PRECIS_TEXT_WORDS_H
#define PRECIS_TEXT_WORDS_H

#include "text/embed.h"

#define WORD_MAX_PIECES 3
#define WORD_MAX_DIMS   512

/* A word; the pieces in front of it decide, more than WORD_MAX_PIECES are left out. */
struct word_sense {
    uint16_t pieces[WORD_MAX_PIECES]; /* UINT16_MAX: no more */
    float scale; /* 1 / the length of their sum; 0 for a word that the model does not know */
};

/* A model of quantized rows, at most UINT16_MAX pieces and WORD_MAX_DIMS dimensions (the built-in is). */
bool words_can_use(const struct embedder *embedder);
struct word_sense word_sense_of(const struct embedder *embedder, struct str word);

/* One word, ready to be compared with many. All 0 for one that the model does not know. */
struct word_probe {
    int16_t row[WORD_MAX_DIMS];
};
void word_probe_init(struct word_probe *probe, const struct embedder *embedder, struct word_sense sense);
/* Of n probes, at most WORD_MAX_PROBES, with one word: -1..1; 0 when either is unknown. The same on every
 * machine. */
#define WORD_MAX_PROBES 64
void word_cosines(const struct embedder *embedder, const struct word_probe *probes, size_t n,
                  struct word_sense sense, float *ret_cosines);
/* The same, but set only where it reaches a floor above 0, and rarely where it does so narrowly: most words
 * are far from each other, which is seen in a third of the time. Whether any is set. */
bool word_near_cosines(const struct embedder *embedder, const struct word_probe *probes, size_t n,
                       struct word_sense sense, float floor, float *ret_cosines);
/* Asks for what word_near_cosines will read first of the word. */
void word_prefetch(const struct embedder *embedder, struct word_sense sense);

#endif
