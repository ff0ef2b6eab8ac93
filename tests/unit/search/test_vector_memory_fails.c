/* SPDX-License-Identifier: Apache-2.0
 *
 * Every allocation of the vector index fails once: the index stays as it was, and the next try succeeds.
 */
#include "vector_fixture.h"

#include "../fail_mem.h"

#define N_DOCS (VECTOR_MAX_FINE + 200) /* so that the index becomes coarse on the way */

static void refused_growth_leaves_the_index_as_it_was(void **state)
{
    (void)state;
    struct many many;
    struct docs_filter filter = filter_all();
    size_t n_failures = 0;
    many_init(&many, 64, N_DOCS);
    for (uint32_t doc = 0; doc < N_DOCS; doc++) {
        float *vector = many.vectors + (size_t)doc * 64;
        assert_int_equal(many_add_doc(&many, doc + 1), doc);
        data_next(&many.data, vector);
        for (long n = 1; n <= 3; n++) {
            size_t size_bytes = vector_size_bytes(&many.index);
            fail_mem_at(n);
            int err = vector_add(&many.index, doc, vector);
            fail_mem_at(0);
            if (!err)
                break;
            assert_int_equal(err, ERR_NOMEM);
            assert_int_equal(many.index.n, doc);
            assert_int_equal(vector_size_bytes(&many.index), size_bytes);
            n_failures++;
        }
        assert_int_equal(many.index.n, doc + 1);
    }
    assert_true(n_failures >= 20);
    struct found found = many_find(&many, &filter, many.vectors, N_DOCS);
    assert_int_equal(found.n, N_DOCS);
    assert_int_equal(found.hits[0].doc, 0);
    many_done(&many);
}

static void refused_memory_fails_the_search_as(bool is_fine)
{
    struct many many;
    struct docs_filter filter = filter_all();
    bool has_failed = true;
    many_init_as(&many, is_fine, 64, 1000);
    many_fill(&many, 1000);
    for (long n = 1; has_failed; n++) {
        struct vector_query query;
        struct found found = {0};
        arena_reset(&many.arena);
        fail_mem_at(n);
        int err = vector_make_query(&many.index, many.vectors, &many.arena, &query);
        if (!err)
            err = vector_search(&many.index, &many.docs, &filter, &query, 10, &many.arena, &found.hits,
                                &found.n);
        has_failed = !fail_mem_is_pending();
        fail_mem_at(0);
        assert_int_equal(err, has_failed ? ERR_NOMEM : 0);
        arena_reset(&many.arena);
        assert_int_equal(many_find(&many, &filter, many.vectors, 10).hits[0].doc, 0);
        assert_true(has_failed || n > 1);
    }
    many_done(&many);
}

static void refused_memory_fails_the_search_and_not_the_next(void **state)
{
    (void)state;
    refused_memory_fails_the_search_as(true);
    refused_memory_fails_the_search_as(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_growth_leaves_the_index_as_it_was),
        cmocka_unit_test(refused_memory_fails_the_search_and_not_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
