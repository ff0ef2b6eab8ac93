/* SPDX-License-Identifier: Apache-2.0
 *
 * Every allocation of a search and of the load before it fails once: the search says so, and the next one is
 * right.
 */
#include "search_fixture.h"

#include "../fail_mem.h"

static void change_rows(struct rows *rows)
{
    char text[64];
    for (size_t i = 0; i < 100; i++) {
        (void)snprintf(text, sizeof(text), "walrus number%zu of many", i);
        rows_doc(rows, rows_put(rows, rows->n >= 100 ? (int64_t)i + 1 : 0, "ann", text))->source =
            STR_LIT("chat");
    }
}

/* One search with the n-th allocation refused, then one without. False when there were fewer. */
static bool search_with_failure(struct search *search, struct rows *rows, long n)
{
    struct arena arena;
    struct search_hit *hits;
    size_t n_hits;
    bool is_degraded = false;
    struct err_info err = {0};
    struct search_query query = query_of("ann", "walrus number7");
    arena_init(&arena, 1 << 20);
    fail_mem_at(n);
    int failed = search_run(search, &query, &arena, &hits, &n_hits, &is_degraded, &err);
    bool has_failed = !fail_mem_is_pending();
    fail_mem_at(0);
    if (failed)
        assert_int_equal(failed, ERR_NOMEM);
    if (failed || is_degraded)
        assert_true(err.message[0]);
    arena_reset(&arena);
    struct answer answer = ask(search, query, &arena);
    assert_false(answer.is_degraded);
    assert_int_equal(answer.n, rows->n < 10 ? rows->n : 10);
    assert_int_equal(answer.hits[0].row, 8);
    arena_done(&arena);
    return has_failed;
}

static void first_load_survives_any_refused_allocation(void **state)
{
    (void)state;
    bool has_failed = true;
    for (long n = 1; has_failed; n++) {
        struct rows rows;
        rows_init(&rows);
        change_rows(&rows);
        struct search *search = make_search(&rows, 0);
        has_failed = search_with_failure(search, &rows, n);
        search_free(search);
        rows_done(&rows);
        assert_true(has_failed || n > 20);
    }
}

static void later_load_and_compaction_survive_any_refused_allocation(void **state)
{
    (void)state;
    bool has_failed = true;
    for (long n = 1; has_failed; n++) {
        struct rows rows;
        struct arena arena;
        rows_init(&rows);
        arena_init(&arena, 1 << 20);
        change_rows(&rows);
        struct search *search = make_search(&rows, 0);
        assert_int_equal(ask(search, query_of("ann", "walrus"), &arena).n, 10);
        change_rows(&rows); /* every document dies: a compaction is due */
        has_failed = search_with_failure(search, &rows, n);
        search_free(search);
        arena_done(&arena);
        rows_done(&rows);
        assert_true(has_failed || n > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_load_survives_any_refused_allocation),
        cmocka_unit_test(later_load_and_compaction_survive_any_refused_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
