/* SPDX-License-Identifier: Apache-2.0
 *
 * The working sheet of one hybrid search: the candidates, what stands around them, and how often each of them
 * has each term of the question. Its first rows are the candidates; rows behind them are their neighbours.
 * All of it lives in the search's arena.
 */
#ifndef PRECIS_SEARCH_SHEET_H
#define PRECIS_SEARCH_SHEET_H

#include "search/order.h"
#include "search/question.h"

#define SHEET_MAX_CANDIDATES 1024
#define SHEET_MAX_TERMS      16 /* of the question: its rarest. More find nothing more. Eights */
#define SHEET_NONE           UINT32_MAX

struct sheet {
    uint32_t *docs; /* by row */
    size_t n, cap;
    uint32_t *slots; /* document to row, open addressing: row + 1, 0 is free */
    size_t n_slots;
    size_t n_candidates;
    size_t n_terms;
    size_t n_eights; /* of terms: loops over so many times eight become vector code without a rest */
    uint32_t (*windows)[ORDER_WINDOW];  /* by candidate: the rows of its window, SHEET_NONE where it ends */
    uint8_t (*counts)[SHEET_MAX_TERMS]; /* by row; 0 behind n_terms */
    float *cosines;                     /* by row, of candidates and the neighbours beside them; else 0 */
    float (*nearest)[SHEET_MAX_TERMS];  /* by row: see sheet_read_words */
};

/* Chooses candidates for the question among those that pass the filter: what the keyword scores and the
 * vector index rank first, and the neighbours of the best of them. No fewer than n_wanted where there are so
 * many. */
int sheet_make(struct sheet *sheet, const struct partition *partition, const struct docs_filter *filter,
               const struct question *question, const struct scores *scores, size_t n_wanted,
               struct arena *arena);
/* Fills `nearest` for these candidates and the neighbours beside them: 1 where the item has the term, else
 * the cosine of the term and the item's nearest word, 0 below a floor. */
int sheet_read_words(struct sheet *sheet, const struct partition *partition, const struct question *question,
                     const uint32_t *candidates, size_t n, struct arena *arena);

#endif
