/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the vector index share: an index beside its documents and the vectors as they were given,
 * and a search that compares all of them.
 */
#ifndef PRECIS_TESTS_VECTOR_FIXTURE_H
#define PRECIS_TESTS_VECTOR_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "search/vector_priv.h"
#include "vector_data.h"

#define MAX_HITS 200

struct many {
    struct vector_index index;
    struct docs docs;
    struct vector_data data;
    float *vectors; /* by document, as given */
    size_t cap;
    struct arena arena;
};

static inline void many_init(struct many *many, uint32_t dim, size_t cap)
{
    *many = (struct many){.cap = cap};
    assert_int_equal(vector_init(&many->index, dim), 0);
    docs_init(&many->docs);
    data_init(&many->data, dim, 100, 1);
    many->vectors = calloc(cap * dim, sizeof(*many->vectors));
    arena_init(&many->arena, 64 << 20);
}

/* is_fine false: as if there had been more than VECTOR_MAX_FINE documents before. */
static inline void many_init_as(struct many *many, bool is_fine, uint32_t dim, size_t cap)
{
    many_init(many, dim, cap);
    many->index.is_fine = is_fine;
}

static inline void many_done(struct many *many)
{
    arena_done(&many->arena);
    free(many->vectors);
    data_done(&many->data);
    docs_done(&many->docs);
    vector_done(&many->index);
}

/* A document of this row; every hundredth row has the tag "rare". */
static inline uint32_t many_add_doc(struct many *many, int64_t row)
{
    struct str tag = STR_LIT("rare");
    struct search_doc doc = {.row = row,
                             .created_us = row * 1000,
                             .source = STR_LIT("chat"),
                             .tags = &tag,
                             .n_tags = row % 100 == 0};
    uint32_t number;
    assert_int_equal(docs_add(&many->docs, &doc, &number), 0);
    docs_publish(&many->docs, number, 1);
    assert_true(number < many->cap);
    return number;
}

static inline uint32_t many_add(struct many *many, int64_t row, const float *vector)
{
    uint32_t doc = many_add_doc(many, row);
    memcpy(many->vectors + (size_t)doc * many->index.dim, vector, many->index.dim * sizeof(float));
    assert_int_equal(vector_add(&many->index, doc, vector), 0);
    return doc;
}

static inline void many_fill(struct many *many, size_t n)
{
    float vector[VECTOR_MAX_DIM];
    for (size_t i = 0; i < n; i++) {
        data_next(&many->data, vector);
        (void)many_add(many, (int64_t)i + 1, vector);
    }
}

static inline void many_compact(struct many *many)
{
    uint32_t *map = calloc(many->docs.n + 1, sizeof(*map));
    size_t row_floats = many->index.dim;
    docs_plan_compaction(&many->docs, map);
    for (uint32_t i = 0; i < many->docs.n; i++)
        if (map[i] != DOC_NONE)
            memmove(many->vectors + map[i] * row_floats, many->vectors + i * row_floats,
                    row_floats * sizeof(float));
    vector_compact(&many->index, map);
    docs_compact(&many->docs);
    free(map);
}

static inline struct docs_filter filter_all(void)
{
    return (struct docs_filter){.source = INTERN_NONE, .since_us = INT64_MIN, .until_us = INT64_MAX};
}

static inline struct docs_filter filter_rare(struct many *many)
{
    struct str tag = STR_LIT("rare");
    struct search_query query = {.tags = &tag, .n_tags = 1, .since_us = INT64_MIN, .until_us = INT64_MAX};
    struct docs_filter filter;
    assert_int_equal(docs_make_filter(&many->docs, &query, &many->arena, &filter), 0);
    return filter;
}

struct found {
    struct vector_hit *hits;
    size_t n;
};

static inline struct found many_find(struct many *many, const struct docs_filter *filter, const float *vector,
                                     size_t k)
{
    struct found found = {0};
    struct vector_query query;
    assert_int_equal(vector_make_query(&many->index, vector, &many->arena, &query), 0);
    assert_int_equal(
        vector_search(&many->index, &many->docs, filter, &query, k, &many->arena, &found.hits, &found.n), 0);
    return found;
}

static inline double cosine_slowly(const struct many *many, uint32_t doc, const float *vector)
{
    const float *other = many->vectors + (size_t)doc * many->index.dim;
    double dot = 0, squares = 0, other_squares = 0;
    for (uint32_t i = 0; i < many->index.dim; i++) {
        dot += (double)vector[i] * other[i];
        squares += (double)vector[i] * vector[i];
        other_squares += (double)other[i] * other[i];
    }
    return dot / sqrt(squares * other_squares);
}

/* The best k, by comparing with all that match. */
static inline struct found find_slowly(struct many *many, const struct docs_filter *filter,
                                       const float *vector, size_t k)
{
    struct found found = {.hits = arena_calloc(&many->arena, k, sizeof(*found.hits))};
    for (uint32_t doc = 0; doc < many->docs.n; doc++) {
        if (!docs_match(&many->docs, filter, doc))
            continue;
        float cosine = (float)cosine_slowly(many, doc, vector);
        if (found.n == k && cosine <= found.hits[k - 1].cosine)
            continue;
        size_t at = found.n < k ? found.n++ : k - 1;
        for (; at && found.hits[at - 1].cosine < cosine; at--)
            found.hits[at] = found.hits[at - 1];
        found.hits[at] = (struct vector_hit){doc, cosine};
    }
    return found;
}

/* How many of the true hits were found: those as near as the worst of them count, for ties have no order. */
static inline size_t count_found(const struct many *many, const float *vector, struct found truth,
                                 struct found found)
{
    size_t n = 0;
    for (size_t i = 0; i < found.n; i++)
        n += cosine_slowly(many, found.hits[i].doc, vector) >= truth.hits[truth.n - 1].cosine - 1e-5F;
    return n;
}

static inline bool has_doc(struct found found, uint32_t doc)
{
    for (size_t i = 0; i < found.n; i++)
        if (found.hits[i].doc == doc)
            return true;
    return false;
}

static inline void assert_same_hits(struct found left, struct found right)
{
    assert_int_equal(left.n, right.n);
    for (size_t i = 0; i < left.n; i++) {
        assert_int_equal(left.hits[i].doc, right.hits[i].doc);
        assert_true(left.hits[i].cosine == right.hits[i].cosine);
    }
}

#endif
