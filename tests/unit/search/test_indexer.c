/* SPDX-License-Identifier: Apache-2.0
 *
 * Loads that are too large for a search: answers meanwhile, the thread that goes on, counts that differ, and
 * feeds that fail on the way.
 */
#include "search_fixture.h"

#include "../fail_mem.h"

#include <sched.h>

#define MANY       5000
#define SLOW_US    100 /* so that a search's moment ends with the rows it takes in any case */
#define FIRST_ROWS (SEARCH_INLINE_ROWS + 1)

struct world {
    struct rows rows;
    struct arena arena;
    struct search *search;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    rows_init(&world->rows);
    arena_init(&world->arena, 1 << 20);
    world->search = make_search(&world->rows, 0);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    search_free(world->search);
    arena_done(&world->arena);
    rows_done(&world->rows);
    free(world);
    return 0;
}

/* The last one alone is a walrus. */
static void put_many(struct world *world, const char *user, int n)
{
    for (int i = 1; i <= n; i++)
        (void)rows_put(&world->rows, 0, user, i == n ? "walrus" : "some other words");
}

static struct answer ask_world(struct world *world, const char *user)
{
    arena_reset(&world->arena);
    return ask(world->search, query_of(user, "walrus"), &world->arena);
}

static struct search_stats stats_of(struct world *world)
{
    struct search_stats stats;
    search_describe(world->search, &stats);
    return stats;
}

/* The test's own limit of time is what ends an endless load. */
static void ask_until_whole(struct world *world, const char *user, size_t n_hits)
{
    struct answer answer;
    while ((answer = ask_world(world, user)).is_degraded)
        (void)sched_yield();
    assert_int_equal(answer.n, n_hits);
}

static void wait_for_thread(struct world *world)
{
    while (stats_of(world).n_loading)
        (void)sched_yield();
}

static void few_rows_are_taken_in_however_slow_they_are(void **state)
{
    struct world *world = *state;
    world->rows.row_takes_us = US_PER_SEC;
    put_many(world, "ann", SEARCH_INLINE_ROWS);
    struct answer answer = ask_world(world, "ann");
    assert_false(answer.is_degraded);
    assert_int_equal(answer.n, 1);
    put_many(world, "ann", SEARCH_INLINE_ROWS);
    answer = ask_world(world, "ann");
    assert_false(answer.is_degraded);
    assert_int_equal(answer.n, 2);
}

static void large_load_is_finished_in_the_background(void **state)
{
    struct world *world = *state;
    world->rows.row_takes_us = SLOW_US;
    put_many(world, "ann", MANY);
    struct answer answer = ask_world(world, "ann");
    assert_true(answer.is_degraded);
    assert_int_equal(answer.n, 0);
    assert_string_equal(answer.err.message, "the index holds 1025 items and is still being loaded");
    ask_until_whole(world, "ann", 1);
    wait_for_thread(world);
    assert_int_equal(stats_of(world).n_docs, MANY);
    assert_int_equal(stats_of(world).n_repairs, 0);
}

static void loading_of_one_user_degrades_no_other(void **state)
{
    struct world *world = *state;
    world->rows.row_takes_us = SLOW_US;
    put_many(world, "large", MANY);
    put_many(world, "small", 10);
    assert_true(ask_world(world, "large").is_degraded);
    struct answer answer = ask_world(world, "small");
    assert_false(answer.is_degraded);
    assert_int_equal(answer.n, 1);
    ask_until_whole(world, "large", 1);
}

static void feed_that_fails_on_the_way_is_told_and_taken_up_again(void **state)
{
    struct world *world = *state;
    world->rows.row_takes_us = SLOW_US;
    world->rows.fails_behind = 3000;
    put_many(world, "ann", MANY);
    assert_true(ask_world(world, "ann").is_degraded);
    wait_for_thread(world); /* it gives up */
    struct answer answer = ask_world(world, "ann");
    assert_true(answer.is_degraded);
    assert_string_equal(answer.err.message, "the index is not up to date: the store is locked");
    assert_int_equal(stats_of(world).n_docs, 3000);
    world->rows.fails_behind = 0;
    answer = ask_world(world, "ann");
    assert_true(answer.is_degraded);
    assert_string_equal(answer.err.message, "the index holds 4025 of 5000 items and is still being loaded");
    ask_until_whole(world, "ann", 1);
}

static void index_without_a_row_that_the_store_has_is_built_anew(void **state)
{
    struct world *world = *state;
    put_many(world, "ann", 500);
    world->rows.lost_row = 500;
    world->rows.n_to_lose = 1;
    struct answer answer = ask_world(world, "ann");
    assert_false(answer.is_degraded);
    assert_int_equal(answer.n, 1);
    assert_int_equal(stats_of(world).n_repairs, 1);
    assert_int_equal(stats_of(world).n_docs, 500);
}

static void large_index_is_built_anew_in_the_background(void **state)
{
    struct world *world = *state;
    world->rows.row_takes_us = SLOW_US;
    put_many(world, "ann", MANY);
    world->rows.lost_row = MANY;
    world->rows.n_to_lose = 1;
    ask_until_whole(world, "ann", 1);
    assert_int_equal(stats_of(world).n_repairs, 1);
}

static void index_that_stays_wrong_says_so_until_a_count_is_right(void **state)
{
    struct world *world = *state;
    put_many(world, "ann", 500);
    world->rows.n_extra = -2; /* as if two rows were indexed that the store does not have */
    for (int i = 0; i < 3; i++) {
        struct answer answer = ask_world(world, "ann");
        assert_true(answer.is_degraded);
        assert_int_equal(answer.n, 1);
        assert_string_equal(answer.err.message,
                            "the index was built anew and holds 500 items where the store has 498");
        assert_int_equal(stats_of(world).n_repairs, 1);
    }
    world->rows.n_extra = 0;
    put_many(world, "ann", 255);
    assert_true(ask_world(world, "ann").is_degraded); /* not yet counted again */
    put_many(world, "ann", 1);
    struct answer answer = ask_world(world, "ann");
    assert_false(answer.is_degraded);
    assert_int_equal(answer.n, 3);
    assert_int_equal(stats_of(world).n_repairs, 1);
}

static void deleted_and_changed_rows_count_once_or_not_at_all(void **state)
{
    struct world *world = *state;
    put_many(world, "ann", 600);
    assert_false(ask_world(world, "ann").is_degraded);
    for (int round = 0; round < 4; round++) {
        for (int64_t row = 1; row <= 300; row++)
            (void)rows_put(&world->rows, row, "ann", "changed words");
        rows_delete(&world->rows, 600 - round);
        assert_false(ask_world(world, "ann").is_degraded);
    }
    assert_int_equal(stats_of(world).n_repairs, 0);
    assert_int_equal(stats_of(world).n_docs, 596);
}

static void version_that_did_not_rise_is_not_believed_for_long(void **state)
{
    struct world *world = *state;
    put_many(world, "ann", 10);
    world->rows.is_frozen = true;
    assert_int_equal(ask_world(world, "ann").n, 1);
    put_many(world, "ann", 1);
    assert_int_equal(ask_world(world, "ann").n, 1);
    atomic_fetch_add(&world->rows.now_us, US_PER_SEC);
    assert_int_equal(ask_world(world, "ann").n, 2);
}

static void import_is_taken_in_before_anybody_searches(void **state)
{
    struct world *world = *state;
    world->rows.row_takes_us = SLOW_US;
    put_many(world, "ann", MANY);
    search_note_writes(world->search, STR_LIT("t"), STR_LIT("ann"), 500);
    assert_int_equal(stats_of(world).n_partitions, 0); /* so few are a search's work */
    search_note_writes(world->search, STR_LIT("t"), STR_LIT("ann"), 500);
    wait_for_thread(world);
    assert_int_equal(stats_of(world).n_docs, MANY);
    struct answer answer = ask_world(world, "ann");
    assert_false(answer.is_degraded);
    assert_int_equal(answer.n, 1);
}

static void import_drives_no_other_out(void **state)
{
    struct world *world = *state;
    search_free(world->search);
    world->search = make_search(&world->rows, 1);
    put_many(world, "ann", 10);
    put_many(world, "bob", MANY);
    assert_int_equal(ask_world(world, "ann").n, 1);
    search_note_writes(world->search, STR_LIT("t"), STR_LIT("bob"), MANY);
    assert_int_equal(stats_of(world).n_loading, 0);
    assert_int_equal(stats_of(world).n_docs, 10);
}

static void partition_that_is_being_loaded_is_not_dropped(void **state)
{
    struct world *world = *state;
    search_free(world->search);
    world->search = make_search(&world->rows, 1); /* but for the one searched last none has room */
    world->rows.row_takes_us = SLOW_US;
    put_many(world, "ann", MANY);
    put_many(world, "bob", MANY);
    for (int i = 0; i < 20; i++) {
        (void)ask_world(world, "ann");
        (void)ask_world(world, "bob");
    }
    ask_until_whole(world, "ann", 1);
    ask_until_whole(world, "bob", 1);
    wait_for_thread(world);
    assert_int_equal(ask_world(world, "bob").n, 1);
    assert_int_equal(stats_of(world).n_partitions, 1);
}

static void stop_does_not_wait_for_a_load(void **state)
{
    struct world *world = *state;
    world->rows.row_takes_us = SLOW_US;
    put_many(world, "ann", MANY);
    put_many(world, "bob", MANY);
    for (int i = 0; i < 20; i++) {
        assert_true(ask_world(world, "ann").is_degraded);
        assert_true(ask_world(world, "bob").is_degraded);
        world->search = search_free(world->search);
        world->search = make_search(&world->rows, 0);
    }
}

struct worker {
    pthread_t thread;
    struct world *world;
    bool was_whole;
};

static void *search_many(void *arg)
{
    struct worker *worker = arg;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    for (bool is_whole = false; !is_whole; arena_reset(&arena)) {
        struct answer answer = ask(worker->world->search, query_of("ann", "walrus"), &arena);
        is_whole = !answer.is_degraded;
        worker->was_whole = answer.n == 1;
    }
    arena_done(&arena);
    return NULL;
}

static void threads_search_while_it_is_loaded(void **state)
{
    struct world *world = *state;
    struct worker workers[4];
    world->rows.row_takes_us = SLOW_US;
    put_many(world, "ann", MANY);
    for (int i = 0; i < 4; i++) {
        workers[i] = (struct worker){.world = world};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, search_many, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_true(workers[i].was_whole);
    }
}

/* One refused allocation somewhere in a load by search and thread; false when there were fewer. */
static bool load_with_failure(struct world *world, long n)
{
    struct search_hit *hits;
    size_t n_hits;
    bool is_degraded = false;
    struct err_info err = {0};
    struct search_query query = query_of("ann", "walrus");
    arena_reset(&world->arena);
    fail_mem_at(n);
    int failed = search_run(world->search, &query, &world->arena, &hits, &n_hits, &is_degraded, &err);
    assert_true(failed || is_degraded);
    assert_true(err.message[0]);
    wait_for_thread(world);
    bool has_failed = !fail_mem_is_pending();
    fail_mem_at(0);
    ask_until_whole(world, "ann", 1);
    wait_for_thread(world);
    assert_int_equal(stats_of(world).n_docs, 3 * SEARCH_INLINE_ROWS);
    return has_failed;
}

static void background_load_survives_a_refused_allocation(void **state)
{
    struct world *world = *state;
    bool has_failed = true;
    world->rows.row_takes_us = SLOW_US;
    put_many(world, "ann", 3 * SEARCH_INLINE_ROWS);
    for (long n = 1; has_failed; n += 7) { /* the unit below it meets each single one */
        has_failed = load_with_failure(world, n);
        world->search = search_free(world->search);
        world->search = make_search(&world->rows, 0);
        assert_true(has_failed || n > 50);
    }
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(few_rows_are_taken_in_however_slow_they_are),
        WORLD_TEST(large_load_is_finished_in_the_background),
        WORLD_TEST(loading_of_one_user_degrades_no_other),
        WORLD_TEST(feed_that_fails_on_the_way_is_told_and_taken_up_again),
        WORLD_TEST(index_without_a_row_that_the_store_has_is_built_anew),
        WORLD_TEST(large_index_is_built_anew_in_the_background),
        WORLD_TEST(index_that_stays_wrong_says_so_until_a_count_is_right),
        WORLD_TEST(deleted_and_changed_rows_count_once_or_not_at_all),
        WORLD_TEST(version_that_did_not_rise_is_not_believed_for_long),
        WORLD_TEST(import_is_taken_in_before_anybody_searches),
        WORLD_TEST(import_drives_no_other_out),
        WORLD_TEST(partition_that_is_being_loaded_is_not_dropped),
        WORLD_TEST(stop_does_not_wait_for_a_load),
        WORLD_TEST(threads_search_while_it_is_loaded),
        WORLD_TEST(background_load_survives_a_refused_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
