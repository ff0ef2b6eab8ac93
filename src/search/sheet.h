/* SPDX-License-Identifier: Apache-2.0
 *
 * The working sheet of one hybrid search: the candidates, what stands around them, and how often each of them
 * has each term of the question. Rows stand in the order of conversations, so that what stands around an item
 * are the rows around its row. All of it lives in the search's arena.
 */
#ifndef PRECIS_SEARCH_SHEET_H
#define PRECIS_SEARCH_SHEET_H

#include "search/order.h"
#include "search/question.h"

#define SHEET_MAX_CANDIDATES 1024
#define SHEET_MAX_TERMS                                                                                      \
    KEYWORD_MAX_COUNTED /* of the question: its rarest. More find nothing more. Eights                       \
                         */
#define SHEET_NONE UINT32_MAX

/* Neighbours that count on each side. */
#define SHEET_RADIUS 4
#define SHEET_WINDOW (2 * SHEET_RADIUS + 1)

struct sheet {
    size_t n;             /* rows */
    uint32_t *docs;       /* by row */
    uint32_t *lengths;    /* by row: the document's terms; one more, 0 */
    uint32_t *stretches;  /* by row: where the stretch of one conversation begins that it is part of */
    uint32_t *candidates; /* their rows, which rise */
    size_t n_candidates;
    size_t n_terms;
    size_t n_eights; /* of terms: loops over so many times eight become vector code without a rest */
    uint8_t (*counts)[SHEET_MAX_TERMS]; /* by row; 0 behind n_terms; one more row, all 0 */
    float *cosines;                     /* by row, of candidates and the neighbours beside them; else 0 */
    float (*nearest)[SHEET_MAX_TERMS];  /* by row: see sheet_read_words */
};

/* Rows from first to before end. */
struct sheet_window {
    uint32_t first, end;
};

/* Around a candidate's row; radius is SHEET_RADIUS at most. */
static inline struct sheet_window sheet_window(const struct sheet *sheet, uint32_t row, uint32_t radius)
{
    uint32_t stretch = sheet->stretches[row];
    struct sheet_window window = {row - stretch > radius ? row - radius : stretch, row + radius + 1};
    if (window.end > sheet->n)
        window.end = (uint32_t)sheet->n;
    while (sheet->stretches[window.end - 1] != stretch)
        window.end--;
    return window;
}

/* Marks the rows of a candidate and of the neighbours beside it. */
void sheet_mark_around(const struct sheet *sheet, size_t candidate, bool *is_marked);

/* Chooses candidates for the question among those that pass the filter: what the keyword scores and the
 * vector index rank first, and the neighbours of the best of them. No fewer than n_wanted where there are so
 * many. is_distinct: as struct search_query has it. */
int sheet_make(struct sheet *sheet, const struct partition *partition, const struct docs_filter *filter,
               const struct question *question, const struct scores *scores, size_t n_wanted,
               bool is_distinct, struct arena *arena);
/* Fills `nearest` for these, of the candidates, and the neighbours beside them: 1 where the item has the
 * term, else the cosine of the term and the item's nearest word, 0 below a floor. */
int sheet_read_words(struct sheet *sheet, const struct partition *partition, const struct question *question,
                     const uint32_t *candidates, size_t n, struct arena *arena);

#endif
