/* SPDX-License-Identifier: Apache-2.0
 *
 * What was kept is found for its key alone, whatever else came and went, on any number of threads.
 */
#include "build/memo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#define N_SLOTS 4096
#define N_WORDS 3
#define N_KEYS  20000 /* more than there are slots */

static struct memo *memo_make(void)
{
    struct memo *memo = NULL;
    assert_int_equal(memo_new(N_SLOTS, N_WORDS, &memo), 0);
    return memo;
}

/* As a hash would be. */
static uint64_t key_of(size_t n)
{
    uint64_t key = (n + 1) * UINT64_C(0x9E3779B97F4A7C15);
    return (key ^ key >> 32) * UINT64_C(0xBF58476D1CE4E5B9);
}

static void keep(struct memo *memo, size_t n)
{
    const uint64_t words[N_WORDS] = {n, n * n, ~(uint64_t)n};
    memo_keep(memo, key_of(n), words);
}

/* True when it was found; what is found is right. */
static bool find(const struct memo *memo, size_t n)
{
    uint64_t words[N_WORDS];
    if (!memo_find(memo, key_of(n), words))
        return false;
    if (words[0] != n || words[1] != (uint64_t)n * n || words[2] != ~(uint64_t)n)
        fail_msg("the entry of another key for %zu", n);
    return true;
}

static void what_was_kept_is_found_until_two_others_take_its_pair(void **state)
{
    struct memo *memo = memo_make();
    size_t n_found = 0;
    (void)state;
    assert_false(find(memo, 1));
    for (size_t i = 0; i < N_KEYS; i++) {
        keep(memo, i);
        assert_true(find(memo, i));
        assert_true(i == 0 || find(memo, i - 1));
    }
    for (size_t i = 0; i < N_KEYS; i++)
        n_found += find(memo, i);
    assert_in_range(n_found, N_SLOTS / 2, N_SLOTS);
    memo_free(memo);
}

static void what_is_kept_again_is_found_as_it_was_kept_last(void **state)
{
    struct memo *memo = memo_make();
    const uint64_t first[N_WORDS] = {1}, second[N_WORDS] = {2};
    uint64_t words[N_WORDS];
    (void)state;
    memo_keep(memo, 42, first);
    memo_keep(memo, 42, second);
    assert_true(memo_find(memo, 42, words));
    assert_int_equal(words[0], 2);
    memo_free(memo);
}

static void an_empty_slot_is_no_entry(void **state)
{
    struct memo *memo = memo_make();
    const uint64_t zeros[N_WORDS] = {0};
    uint64_t words[N_WORDS];
    (void)state;
    for (uint64_t key = 0; key < 4; key++)
        assert_false(memo_find(memo, key, words));
    memo_keep(memo, 0, zeros);
    assert_true(memo_find(memo, 0, words));
    assert_false(memo_find(memo, 2, words));
    memo_free(memo);
}

static void *work(void *arg)
{
    for (size_t i = 0; i < 10 * N_KEYS; i++) {
        keep(arg, i % 1000);
        (void)find(arg, (i * 7) % 1000);
    }
    return NULL;
}

/* A memo of two slots, so that all are after the same. */
static void threads_never_find_a_mixture(void **state)
{
    struct memo *memo = NULL;
    pthread_t threads[4];
    (void)state;
    assert_int_equal(memo_new(2, N_WORDS, &memo), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, memo), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    memo_free(memo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_kept_is_found_until_two_others_take_its_pair),
        cmocka_unit_test(what_is_kept_again_is_found_as_it_was_kept_last),
        cmocka_unit_test(an_empty_slot_is_no_entry),
        cmocka_unit_test(threads_never_find_a_mixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
