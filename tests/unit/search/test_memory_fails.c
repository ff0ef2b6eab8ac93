/* SPDX-License-Identifier: Apache-2.0
 *
 * Every allocation of a search and of the load before it fails once, in each mode: the search says so, and
 * the next one answers as if nothing had been.
 */
#include "hybrid_fixture.h"

#include "../fail_mem.h"

#define N_ITEMS 70 /* when all have died, a compaction is due */

static void change_rows(struct rows *rows)
{
    static const char *const speakers[] = {"Ann", "Bob", "user", ""};
    char text[64];
    for (size_t i = 0; i < N_ITEMS; i++) {
        (void)snprintf(text, sizeof(text), "walrus number%zu of many", i);
        struct search_doc *doc =
            rows_doc(rows, rows_put(rows, rows->n >= N_ITEMS ? (int64_t)i + 1 : 0, "ann", text));
        doc->source = STR_LIT("chat");
        doc->thread = i % 3 ? STR_LIT("a") : STR_LIT("b");
        doc->speaker = str_of(speakers[i % 4]);
        doc->created_us = MAY_US + (int64_t)(i * 37 % N_ITEMS) * MINUTE_US; /* not in order */
    }
}

static struct search_query asking(enum search_mode mode)
{
    return question_of("Which walrus is Ann's number8 in May 2023?", mode);
}

/* One search with the n-th allocation refused, then one without. False when there were fewer. */
static bool search_with_failure(struct search *search, enum search_mode mode, struct answer expected, long n)
{
    struct arena arena;
    struct search_hit *hits;
    size_t n_hits;
    bool is_degraded = false;
    struct err_info err = {0};
    struct search_query query = asking(mode);
    arena_init(&arena, 1 << 24);
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
    expect_same_hits(answer, expected);
    arena_done(&arena);
    return has_failed;
}

/* How a search stands when allocations begin to fail. */
enum stage { STAGE_EMPTY, STAGE_LOADED, STAGE_CHANGED };

static void refuse_each_allocation(const struct embedder *embedder, enum search_mode mode, enum stage stage)
{
    struct rows rows;
    struct arena arena;
    bool has_failed = true;
    long n = 0;
    rows_init(&rows);
    arena_init(&arena, 1 << 24);
    change_rows(&rows);
    struct search *whole = make_model_search(&rows, embedder, embedder);
    struct answer expected = ask(whole, asking(mode), &arena);
    assert_int_equal(expected.n, 10);
    assert_true(mode == SEARCH_VECTOR || rank_of(expected, 9) == 1);
    while (has_failed) {
        struct search *search = make_model_search(&rows, embedder, embedder);
        if (stage != STAGE_EMPTY)
            assert_int_equal(ask(search, asking(mode), &arena).n, 10);
        if (stage == STAGE_CHANGED)
            change_rows(&rows); /* every document dies: a compaction is due */
        has_failed = search_with_failure(search, mode, expected, ++n);
        search_free(search);
    }
    assert_true(n > (stage == STAGE_EMPTY ? 20 : 3));
    search_free(whole);
    arena_done(&arena);
    rows_done(&rows);
}

static void survive_at(const struct embedder *embedder, enum stage stage)
{
    static const enum search_mode modes[] = {SEARCH_HYBRID, SEARCH_KEYWORD, SEARCH_VECTOR};
    for (size_t m = 0; m < 3; m++)
        refuse_each_allocation(embedder, modes[m], stage);
    refuse_each_allocation(NULL, SEARCH_HYBRID, stage);
}

static void first_load_survives_any_refused_allocation(void **state)
{
    survive_at(*state, STAGE_EMPTY);
}

static void search_survives_any_refused_allocation(void **state)
{
    survive_at(*state, STAGE_LOADED);
}

static void later_load_and_compaction_survive_any_refused_allocation(void **state)
{
    survive_at(*state, STAGE_CHANGED);
}

static int open_embedder(void **state)
{
    return embedder_builtin((struct embedder **)state, NULL);
}

static int close_embedder(void **state)
{
    *state = embedder_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_load_survives_any_refused_allocation),
        cmocka_unit_test(search_survives_any_refused_allocation),
        cmocka_unit_test(later_load_and_compaction_survive_any_refused_allocation),
    };
    return cmocka_run_group_tests(tests, open_embedder, close_embedder);
}
