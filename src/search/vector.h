/* SPDX-License-Identifier: Apache-2.0
 *
 * The vector index of a partition. While documents are few, their unit vectors stand in sixteen bits a
 * dimension and a search is exact. Where they are many it is every document's unit vector in ten bits, and a
 * code of two from which its nearness to a query is guessed fast enough to guess it for all of them; the
 * codes only choose which vectors are compared. It finds and scores; fusion is the partition's.
 *
 * Takes no locks. Searches change nothing and may run beside each other; add and compact must be alone.
 */
#ifndef PRECIS_SEARCH_VECTOR_H
#define PRECIS_SEARCH_VECTOR_H

#include "search/docs.h"

#define VECTOR_MAX_DIM 4096
/* Documents up to which searches are exact: comparing so many takes no longer than guessing and comparing
 * among somewhat more. */
#define VECTOR_MAX_FINE 4096

struct vector_kernel;
struct vector_scan;

struct vector_index {
    uint32_t dim;
    uint32_t width;  /* dim rounded up to whole words of 64 bits: the rest is zero */
    uint32_t n, cap; /* document numbers below n; where there are blocks cap is in whole ones */
    bool is_fine;    /* never more than VECTOR_MAX_FINE documents yet */
    uint8_t *rows;   /* what is compared: a row a document */
    int8_t *lows;    /* fine: the lower half of what is compared */
    uint8_t
        *blocks; /* else: what is scanned: codes, 64 documents a block, on a cache line; in blocks_memory */
    void *blocks_memory;
    const struct vector_kernel *kernel;
};

/* ERR_INVALID: no such dimension. */
int vector_init(struct vector_index *index, uint32_t dim);
void vector_done(struct vector_index *index);
/* Copies dim numbers in as the document's vector; only their direction counts, and a zero vector has none:
 * its document is never found. The number is higher than any before; those left out have no vector.
 * ERR_INVALID when a component is not finite. On an error nothing has changed. */
int vector_add(struct vector_index *index, uint32_t doc, const float *vector);
/* Renumbers by map (see docs_plan_compaction) and drops the dead. Cannot fail. */
void vector_compact(struct vector_index *index, const uint32_t *map);
size_t vector_size_bytes(const struct vector_index *index);

/* A query as its searches need it, until the index changes. */
struct vector_query {
    const int16_t *row;             /* NULL: a zero vector, near to nothing */
    const int16_t *rest;            /* what row's rounding left, in 32,768ths of a step */
    const struct vector_scan *scan; /* NULL where there are no codes */
    bool is_rough; /* among many, one in a hundred true neighbours may be missed, for half the work */
};
/* The query's memory is the arena's. ERR_INVALID when a component is not finite. */
int vector_make_query(const struct vector_index *index, const float *vector, struct arena *arena,
                      struct vector_query *ret_query);

struct vector_hit {
    uint32_t doc;
    float cosine; /* to within 0.00001 up to VECTOR_MAX_FINE documents; else to within 0.001, mostly 0.0001 */
};

/* The k documents nearest to the query among those that the filter passes, best first, ties by newest, then
 * by row. Up to VECTOR_MAX_FINE documents all are compared; above, one in a few hundred true neighbours may
 * be missed, but never a place left empty: a filter is asked while the candidates are chosen. Hits live in
 * the arena. */
int vector_search(const struct vector_index *index, const struct docs *docs, const struct docs_filter *filter,
                  const struct vector_query *query, size_t k, struct arena *arena,
                  struct vector_hit **ret_hits, size_t *ret_n);
/* The cosines of these documents, as vector_search would give them; 0 for one without a vector. */
void vector_score(const struct vector_index *index, const struct vector_query *query, const uint32_t *docs,
                  size_t n_docs, float *ret_cosines);

#endif
