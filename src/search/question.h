/* SPDX-License-Identifier: Apache-2.0
 *
 * A query as the hybrid search understands it: who is asked about, what kind of answer is wanted, the times
 * it names, and the rest of it as terms and as a vector.
 */
#ifndef PRECIS_SEARCH_QUESTION_H
#define PRECIS_SEARCH_QUESTION_H

#include "search/keyword.h"
#include "search/vector.h"
#include "text/when.h"

#define QUESTION_MAX_RANGES 4

struct question {
    struct keyword_query keywords; /* without the speaker's name, unless nothing else is asked */
    float best;                    /* keyword_best of them */
    uint32_t speaker;              /* in docs->names; INTERN_NONE: nobody in particular */
    struct wants wants;
    struct when_range ranges[QUESTION_MAX_RANGES];
    size_t n_ranges;
    struct vector_query vector; /* its row is NULL when the text has no meaning to the embedder */
};

/* Those who speak in a partition, for finding their names in a query. */
#define SPEAKERS_MAX 64 /* more than that is a crowd: the rest are not looked for */
struct speakers {
    uint32_t ids[SPEAKERS_MAX]; /* in docs->names */
    size_t n;
};
void speakers_put(struct speakers *speakers, uint32_t id);

struct partition;
/* All of it lives in the arena. */
int question_read(struct partition *partition, struct analyzer *analyzer, const struct search_query *query,
                  struct arena *arena, struct question *ret_question);

#endif
