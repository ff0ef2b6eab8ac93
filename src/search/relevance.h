/* SPDX-License-Identifier: Apache-2.0
 *
 * How likely a candidate is what the question is after: features of the candidate and its surroundings, each
 * scaled so that it means the same for every question, weighed by one linear model and squeezed into 0..1.
 * docs/ranking.md tells how the weights were learned and what each feature is worth.
 */
#ifndef PRECIS_SEARCH_RELEVANCE_H
#define PRECIS_SEARCH_RELEVANCE_H

#include "search/sheet.h"

/* BM25 here is as keyword.h has it, the share of the best there can be, over several items' words as one:
 * each item's weight counts its words so many times. */
enum feature {
    FEATURE_OWN,     /* BM25 of the item alone */
    FEATURE_PAIR,    /* ... of it and the one before */
    FEATURE_NEAR,    /* ... of it (3), the one before (2), the one behind (1) */
    FEATURE_AROUND,  /* ... of the whole window */
    FEATURE_VECTOR,  /* cosine of question and item */
    FEATURE_VECTORS, /* ... and half of those of the neighbours */
    FEATURE_WORDS, /* how near each term of the question is to a word of the item, or its neighbours', by idf
                    */
    FEATURE_SPEAKER,      /* 1: said by the one asked about */
    FEATURE_ASKS,         /* 1: it asks */
    FEATURE_LENGTH,       /* ln(1 + terms) */
    FEATURE_TELLS_TIME,   /* 0..3 words of time, where the question wants one */
    FEATURE_TELLS_NUMBER, /* 1, where the question wants one */
    FEATURE_TELLS_NAME,   /* 0..3 names, where the question wants one */
    FEATURE_DATE,         /* 1 within a time that the question names, falling to 0 a month away */
    N_FEATURES
};

/* What reading a search's candidates needs, made once. Borrows all it is made of. */
struct relevance {
    const struct sheet *sheet;
    const struct docs *docs;
    const struct question *question;
    float b, mean_length;                /* of the partition's BM25 */
    float term_weights[SHEET_MAX_TERMS]; /* 0 behind the last */
};
void relevance_init(struct relevance *relevance, const struct sheet *sheet, const struct partition *partition,
                    const struct question *question);
/* All but FEATURE_WORDS, which needs sheet_read_words and is 0 without. */
void relevance_read(const struct relevance *relevance, size_t candidate,
                    float ret_features[static N_FEATURES]);
float relevance_read_words(const struct relevance *relevance, size_t candidate);

/* The weights for a partition: conversations of short turns and of long messages need different ones. */
void relevance_weigh(const struct partition *partition, float ret_weights[static N_FEATURES],
                     float *ret_bias);
enum search_part relevance_part(enum feature feature);
/* Adds what each feature weighs to its part of the score. */
void relevance_add_parts(const float features[static N_FEATURES], const float weights[static N_FEATURES],
                         float parts[static SEARCH_N_PARTS]);

#endif
