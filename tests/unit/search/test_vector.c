/* SPDX-License-Identifier: Apache-2.0
 *
 * The vector index against a search that compares everything: recall, deletions, compaction, filters, order.
 */
#include "vector_fixture.h"

#include <stdio.h>

static void few_vectors_are_compared_exactly(void **state)
{
    (void)state;
    const uint32_t dims[] = {1, 7, 100, 256, 384, 1000};
    for (size_t d = 0; d < sizeof(dims) / sizeof(*dims); d++) {
        struct many many;
        struct docs_filter filter = filter_all();
        float query[VECTOR_MAX_DIM];
        many_init(&many, dims[d], 300);
        many_fill(&many, 300);
        data_next(&many.data, query);
        struct found found = many_find(&many, &filter, query, 20);
        struct found truth = find_slowly(&many, &filter, query, 20);
        assert_int_equal(found.n, 20);
        for (size_t i = 0; i < found.n; i++) {
            assert_float_equal(found.hits[i].cosine, truth.hits[i].cosine, 1e-5F);
            assert_float_equal(found.hits[i].cosine, cosine_slowly(&many, found.hits[i].doc, query), 1e-5F);
        }
        many_done(&many);
    }
}

/* Of the true first ten, in parts of a thousand. */
static size_t measure_recall(bool is_fine, uint32_t dim, size_t n, size_t n_queries)
{
    struct many many;
    struct docs_filter filter = filter_all();
    size_t n_found = 0;
    many_init_as(&many, is_fine, dim, n);
    many_fill(&many, n);
    for (size_t q = 0; q < n_queries; q++) {
        float query[VECTOR_MAX_DIM];
        data_next(&many.data, query);
        struct found found = many_find(&many, &filter, query, 10);
        assert_int_equal(found.n, 10);
        n_found += count_found(&many, query, find_slowly(&many, &filter, query, 10), found);
        arena_reset(&many.arena);
    }
    many_done(&many);
    return n_found * 100 / n_queries;
}

static void first_ten_of_few_are_all_found(void **state)
{
    (void)state;
    const uint32_t dims[] = {100, 256, 384, 1024};
    for (size_t d = 0; d < sizeof(dims) / sizeof(*dims); d++)
        assert_int_equal(measure_recall(true, dims[d], 1000, 40), 1000);
    assert_int_equal(measure_recall(true, 256, VECTOR_MAX_FINE, 20), 1000);
}

static void first_ten_of_1000_are_found_by_guesses(void **state)
{
    (void)state;
    assert_in_range(measure_recall(false, 256, 1000, 100), 995, 1000);
    assert_in_range(measure_recall(false, 384, 1000, 100), 995, 1000);
    assert_in_range(measure_recall(false, 100, 1000, 100), 995, 1000);
}

static void first_ten_of_10000_are_found(void **state)
{
    (void)state;
    assert_in_range(measure_recall(true, 256, 10000, 60), 995, 1000);
}

static void rough_search_misses_one_in_fifty_at_most(void **state)
{
    enum { K = 64, N_QUERIES = 20 };
    struct many many;
    struct docs_filter filter = filter_all();
    size_t n_found = 0;
    (void)state;
    many_init_as(&many, true, 256, 10000);
    many_fill(&many, 10000);
    for (size_t q = 0; q < N_QUERIES; q++) {
        float vector[VECTOR_MAX_DIM];
        struct vector_query query;
        struct found found;
        data_next(&many.data, vector);
        assert_int_equal(vector_make_query(&many.index, vector, &many.arena, &query), 0);
        query.is_rough = true;
        assert_int_equal(
            vector_search(&many.index, &many.docs, &filter, &query, K, &many.arena, &found.hits, &found.n),
            0);
        assert_int_equal(found.n, K);
        n_found += count_found(&many, vector, find_slowly(&many, &filter, vector, K), found);
        arena_reset(&many.arena);
    }
    assert_in_range(n_found, K * N_QUERIES * 98 / 100, K * N_QUERIES);
    many_done(&many);
}

/* The document behind the last that an exact search takes changes how all are kept, and little else. */
static void one_too_many_makes_the_index_coarse(void **state)
{
    (void)state;
    struct many many;
    struct docs_filter filter = filter_all();
    float query[64];
    const float zero[64] = {0};
    many_init(&many, 64, VECTOR_MAX_FINE + 1);
    many_fill(&many, VECTOR_MAX_FINE - 2);
    (void)many_add_doc(&many, VECTOR_MAX_FINE - 1);
    assert_int_equal(vector_add(&many.index, VECTOR_MAX_FINE - 2, zero), 0);
    data_next(&many.data, query);
    (void)many_add(&many, VECTOR_MAX_FINE, query);
    assert_true(many.index.is_fine);
    struct found before = many_find(&many, &filter, query, 10);
    assert_int_equal(before.hits[0].doc, VECTOR_MAX_FINE - 1);
    assert_float_equal(before.hits[0].cosine, 1, 1e-6);
    (void)many_add_doc(&many, VECTOR_MAX_FINE + 1);
    assert_int_equal(vector_add(&many.index, VECTOR_MAX_FINE, zero), 0);
    assert_false(many.index.is_fine);
    assert_int_equal(many.index.n, VECTOR_MAX_FINE + 1);
    struct found after = many_find(&many, &filter, query, 10);
    assert_int_equal(after.n, 10);
    assert_int_equal(after.hits[0].doc, VECTOR_MAX_FINE - 1);
    assert_in_range(count_found(&many, query, before, after), 9, 10);
    for (size_t i = 0; i < after.n; i++)
        assert_float_equal(after.hits[i].cosine, cosine_slowly(&many, after.hits[i].doc, query), 1e-3);
    many_done(&many);
}

/* The worst case of an order: everything near comes last, after a sample that says nothing of it. */
static void near_vectors_that_come_together_are_all_found(void **state)
{
    (void)state;
    struct many many;
    struct docs_filter filter = filter_all();
    float query[256], vector[256];
    many_init(&many, 256, 5000);
    many_fill(&many, 4000);
    data_next(&many.data, query);
    for (int64_t row = 4001; row <= 5000; row++) {
        for (size_t i = 0; i < 256; i++)
            vector[i] = query[i] + 0.01F * data_normal(&many.data);
        (void)many_add(&many, row, vector);
    }
    struct found found = many_find(&many, &filter, query, 50);
    assert_int_equal(found.n, 50);
    assert_in_range(count_found(&many, query, find_slowly(&many, &filter, query, 50), found), 20, 50);
    for (size_t i = 0; i < found.n; i++)
        assert_in_range(found.hits[i].doc, 4000, 4999);
    many_done(&many);
}

static void dead_documents_take_no_place_as(bool is_fine)
{
    struct many many;
    struct docs_filter filter = filter_all();
    float query[256];
    many_init_as(&many, is_fine, 256, 4000);
    many_fill(&many, 2000);
    data_next(&many.data, query);
    struct found before = many_find(&many, &filter, query, 10);
    for (int i = 0; i < 2000; i++) /* one row that is written again and again: all but the last are dead */
        (void)many_add(&many, 9000, query);
    struct found found = many_find(&many, &filter, query, 10);
    assert_int_equal(found.n, 10);
    assert_int_equal(found.hits[0].doc, 3999);
    assert_float_equal(found.hits[0].cosine, 1, 1e-4);
    assert_same_hits((struct found){found.hits + 1, 9}, (struct found){before.hits, 9});
    docs_kill(&many.docs, 3999);
    assert_same_hits(many_find(&many, &filter, query, 10), before);
    many_done(&many);
}

static void dead_documents_take_no_place(void **state)
{
    (void)state;
    dead_documents_take_no_place_as(true);
    dead_documents_take_no_place_as(false);
}

static void compaction_changes_numbers_and_nothing_else_as(bool is_fine)
{
    struct many many;
    struct docs_filter filter = filter_all();
    float query[256], vector[256];
    many_init_as(&many, is_fine, 256, 3000);
    many_fill(&many, 3000);
    data_next(&many.data, query);
    for (uint32_t doc = 0; doc < 3000; doc++)
        if (doc % 3)
            docs_kill(&many.docs, doc);
    struct found before = many_find(&many, &filter, query, 10);
    many_compact(&many);
    assert_int_equal(many.index.n, 1000);
    struct found after = many_find(&many, &filter, query, 10);
    assert_int_equal(after.n, 10);
    for (size_t i = 0; i < after.n; i++) {
        assert_int_equal(after.hits[i].doc * 3, before.hits[i].doc);
        assert_true(after.hits[i].cosine == before.hits[i].cosine);
    }
    for (int64_t row = 5001; row <= 6000; row++) {
        data_next(&many.data, vector);
        (void)many_add(&many, row, vector);
    }
    struct found more = many_find(&many, &filter, query, 10);
    assert_in_range(count_found(&many, query, find_slowly(&many, &filter, query, 10), more), 9, 10);
    for (uint32_t doc = 0; doc < many.docs.n; doc++)
        docs_kill(&many.docs, doc);
    many_compact(&many);
    assert_int_equal(many_find(&many, &filter, query, 10).n, 0);
    many_done(&many);
}

static void compaction_changes_numbers_and_nothing_else(void **state)
{
    (void)state;
    compaction_changes_numbers_and_nothing_else_as(true);
    compaction_changes_numbers_and_nothing_else_as(false);
}

static void filter_of_one_in_a_hundred_finds_all_of_them_as(bool is_fine)
{
    struct many many;
    float query[256];
    many_init_as(&many, is_fine, 256, 4000);
    many_fill(&many, 4000);
    struct docs_filter filter = filter_rare(&many);
    for (size_t q = 0; q < 10; q++) {
        data_next(&many.data, query);
        struct found truth = find_slowly(&many, &filter, query, 40);
        struct found found = many_find(&many, &filter, query, 10);
        assert_int_equal(found.n, 10);
        assert_int_equal(count_found(&many, query, (struct found){truth.hits, 10}, found), 10);
        for (size_t i = 0; i < found.n; i++)
            assert_int_equal(many.docs.items[found.hits[i].doc].row % 100, 0);
        assert_int_equal(many_find(&many, &filter, query, 1000).n, 40);
    }
    filter.since_us = 3901 * 1000;
    struct found last = many_find(&many, &filter, query, 10);
    assert_int_equal(last.n, 1);
    assert_int_equal(last.hits[0].doc, 3999);
    filter.matches_none = true;
    assert_int_equal(many_find(&many, &filter, query, 10).n, 0);
    many_done(&many);
}

static void filter_of_one_in_a_hundred_finds_all_of_them(void **state)
{
    (void)state;
    filter_of_one_in_a_hundred_finds_all_of_them_as(true);
    filter_of_one_in_a_hundred_finds_all_of_them_as(false);
}

static void equal_vectors_come_newest_first_then_by_row_as(bool is_fine)
{
    struct many many;
    struct docs_filter filter = filter_all();
    float query[64] = {1, 2, 3};
    many_init_as(&many, is_fine, 64, 2000);
    for (int64_t row = 1; row <= 2000; row++)
        (void)many_add(&many, row, query);
    struct found found = many_find(&many, &filter, query, 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(found.hits[i].doc, 1999 - i);
    for (uint32_t doc = 0; doc < 2000; doc++)
        many.docs.items[doc].created_us = 0;
    found = many_find(&many, &filter, query, 2000);
    assert_int_equal(found.n, 2000);
    for (size_t i = 0; i < 2000; i++)
        assert_int_equal(found.hits[i].doc, i);
    many_done(&many);
}

static void equal_vectors_come_newest_first_then_by_row(void **state)
{
    (void)state;
    equal_vectors_come_newest_first_then_by_row_as(true);
    equal_vectors_come_newest_first_then_by_row_as(false);
}

static void document_without_vector_is_never_found_as(bool is_fine)
{
    for (int64_t n = 50; n <= 2000; n *= 40) { /* compared, and chosen first */
        struct many many;
        struct docs_filter filter = filter_all();
        const float zero[256] = {0};
        float query[256];
        many_init_as(&many, is_fine, 256, (size_t)n);
        for (int64_t row = 1; row <= n; row++) {
            data_next(&many.data, query);
            if (row % 10 == 0)
                (void)many_add(&many, row, query);
            else if (row % 10 == 1)
                (void)many_add(&many, row, zero);
            else
                (void)many_add_doc(&many, row);
        }
        struct found found = many_find(&many, &filter, query, (size_t)n);
        assert_int_equal(found.n, n / 10);
        for (size_t i = 0; i < found.n; i++)
            assert_int_equal(many.docs.items[found.hits[i].doc].row % 10, 0);
        assert_int_equal(many_find(&many, &filter, zero, 10).n, 0);
        many_done(&many);
    }
}

static void document_without_vector_is_never_found(void **state)
{
    (void)state;
    document_without_vector_is_never_found_as(true);
    document_without_vector_is_never_found_as(false);
}

static void direction_alone_counts_as(bool is_fine)
{
    struct many many;
    struct docs_filter filter = filter_all();
    float query[256], scaled[256];
    many_init_as(&many, is_fine, 256, 1000);
    many_fill(&many, 1000);
    data_next(&many.data, query);
    for (size_t i = 0; i < 256; i++)
        scaled[i] = query[i] * 0x1p60F;
    assert_same_hits(many_find(&many, &filter, query, 10), many_find(&many, &filter, scaled, 10));
    many_done(&many);
}

static void direction_alone_counts(void **state)
{
    (void)state;
    direction_alone_counts_as(true);
    direction_alone_counts_as(false);
}

static void bad_vectors_are_refused_and_change_nothing(void **state)
{
    (void)state;
    struct many many;
    struct vector_query query;
    struct vector_index none;
    float bad[8] = {1, 2, NAN};
    many_init(&many, 8, 10);
    assert_int_equal(vector_add(&many.index, 0, bad), ERR_INVALID);
    assert_int_equal(vector_make_query(&many.index, bad, &many.arena, &query), ERR_INVALID);
    bad[2] = INFINITY;
    assert_int_equal(vector_add(&many.index, 0, bad), ERR_INVALID);
    assert_int_equal(many.index.n, 0);
    assert_int_equal(vector_size_bytes(&many.index), 0);
    assert_int_equal(vector_init(&none, 0), ERR_INVALID);
    assert_int_equal(vector_init(&none, VECTOR_MAX_DIM + 1), ERR_INVALID);
    many_done(&many);
}

static void scores_of_named_documents_are_those_of_a_search_as(bool is_fine)
{
    struct many many;
    struct docs_filter filter = filter_all();
    struct vector_query query;
    float vector[256], cosines[10];
    uint32_t docs[10];
    many_init_as(&many, is_fine, 256, 1000);
    many_fill(&many, 1000);
    data_next(&many.data, vector);
    struct found found = many_find(&many, &filter, vector, 10);
    assert_int_equal(vector_make_query(&many.index, vector, &many.arena, &query), 0);
    for (size_t i = 0; i < 10; i++)
        docs[i] = found.hits[i].doc;
    docs[9] = 1000; /* has none yet */
    vector_score(&many.index, &query, docs, 10, cosines);
    for (size_t i = 0; i < 9; i++)
        assert_true(cosines[i] == found.hits[i].cosine);
    assert_true(cosines[9] == 0);
    many_done(&many);
}

static void scores_of_named_documents_are_those_of_a_search(void **state)
{
    (void)state;
    scores_of_named_documents_are_those_of_a_search_as(true);
    scores_of_named_documents_are_those_of_a_search_as(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_vectors_are_compared_exactly),
        cmocka_unit_test(first_ten_of_few_are_all_found),
        cmocka_unit_test(first_ten_of_1000_are_found_by_guesses),
        cmocka_unit_test(first_ten_of_10000_are_found),
        cmocka_unit_test(rough_search_misses_one_in_fifty_at_most),
        cmocka_unit_test(one_too_many_makes_the_index_coarse),
        cmocka_unit_test(near_vectors_that_come_together_are_all_found),
        cmocka_unit_test(dead_documents_take_no_place),
        cmocka_unit_test(compaction_changes_numbers_and_nothing_else),
        cmocka_unit_test(filter_of_one_in_a_hundred_finds_all_of_them),
        cmocka_unit_test(equal_vectors_come_newest_first_then_by_row),
        cmocka_unit_test(document_without_vector_is_never_found),
        cmocka_unit_test(direction_alone_counts),
        cmocka_unit_test(bad_vectors_are_refused_and_change_nothing),
        cmocka_unit_test(scores_of_named_documents_are_those_of_a_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
