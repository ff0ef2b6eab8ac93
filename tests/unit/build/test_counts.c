/* SPDX-License-Identifier: Apache-2.0
 *
 * What was kept is found for the same text and owner alone, whatever else came and went, on any number of
 * threads.
 */
#include "build/counts.h"

#include "core/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <pthread.h>

static const int one_format = 1;

#define N_TEXTS 200000 /* more than there are slots */

static struct counts *counts_make(void)
{
    struct counts *counts = NULL;
    assert_int_equal(counts_new(42, &counts), 0);
    return counts;
}

static struct str text_of(char bytes[32], size_t n)
{
    return str_make(bytes, (size_t)snprintf(bytes, 32, "text number %zu", n));
}

/* Differs from text to text. */
static struct count_entry entry_of(struct str text, size_t n)
{
    return (struct count_entry){.first = n % 7,
                                .last = text.len - n % 5,
                                .inner_units = (int64_t)n,
                                .head_units = (int64_t)(n % 3),
                                .tail_units = (int64_t)(n % 11),
                                .is_apart = n % 2};
}

static void keep(struct counts *counts, size_t n)
{
    char bytes[32];
    struct str text = text_of(bytes, n);
    struct count_entry entry = entry_of(text, n);
    counts_keep(counts, counts_key(counts, counts, &one_format, text), text, &entry);
}

/* True when it was found; what is found is right. */
static bool find(const struct counts *counts, size_t n)
{
    char bytes[32];
    struct str text = text_of(bytes, n);
    struct count_entry wanted = entry_of(text, n), got;
    if (!counts_find(counts, counts_key(counts, counts, &one_format, text), text, &got))
        return false;
    if (got.first != wanted.first || got.last != wanted.last || got.inner_units != wanted.inner_units ||
        got.head_units != wanted.head_units || got.tail_units != wanted.tail_units ||
        got.is_apart != wanted.is_apart)
        fail_msg("the entry of another text for '%.*s'", STR_ARG(text));
    return true;
}

static void what_was_kept_is_found_until_another_takes_its_slot(void **state)
{
    struct counts *counts = counts_make();
    size_t n_found = 0;
    (void)state;
    assert_false(find(counts, 1));
    for (size_t i = 0; i < N_TEXTS; i++) {
        keep(counts, i);
        assert_true(find(counts, i));
    }
    for (size_t i = 0; i < N_TEXTS; i++)
        n_found += find(counts, i);
    assert_true(n_found > COUNTS_SLOTS / 2 && n_found <= COUNTS_SLOTS);
    counts_free(counts);
}

static void another_owner_finds_nothing(void **state)
{
    struct counts *counts = counts_make();
    struct str text = STR_LIT("the same text");
    struct count_entry entry = entry_of(text, 3), got;
    int owners[2];
    (void)state;
    counts_keep(counts, counts_key(counts, &owners[0], &owners[1], text), text, &entry);
    assert_true(counts_find(counts, counts_key(counts, &owners[0], &owners[1], text), text, &got));
    assert_false(counts_find(counts, counts_key(counts, &owners[0], &owners[0], text), text, &got));
    assert_false(counts_find(counts, counts_key(counts, &owners[1], &owners[1], text), text, &got));
    counts_free(counts);
}

static void what_has_no_room_in_a_slot_is_left_alone(void **state)
{
    static char bytes[70000];
    struct counts *counts = counts_make();
    struct str text = str_make(bytes, sizeof bytes);
    const struct count_entry entries[] = {
        {.first = 4096, .last = 69990, .inner_units = 5},
        {.first = 5, .last = 10, .inner_units = 5},
        {.first = 5, .last = 69990, .inner_units = 1 << 24},
        {.first = 5, .last = 69990, .head_units = 128},
        {.first = 5, .last = 69990, .tail_units = 256},
        {4095, sizeof bytes - 4095, (1 << 24) - 1, 127, 255, false},
    };
    const size_t n = sizeof entries / sizeof *entries;
    uint64_t key = counts_key(counts, counts, &one_format, text);
    struct count_entry got;
    (void)state;
    for (size_t i = 0; i + 1 < n; i++) {
        counts_keep(counts, key, text, &entries[i]);
        assert_false(counts_find(counts, key, text, &got));
    }
    counts_keep(counts, key, text, &entries[n - 1]);
    assert_true(counts_find(counts, key, text, &got));
    assert_int_equal(got.first, 4095);
    assert_int_equal(got.last, sizeof bytes - 4095);
    assert_int_equal(got.inner_units, (1 << 24) - 1);
    assert_int_equal(got.head_units, 127);
    assert_int_equal(got.tail_units, 255);
    assert_false(got.is_apart);
    counts_free(counts);
}

static void *work(void *arg)
{
    for (size_t i = 0; i < N_TEXTS; i++) {
        keep(arg, i % 1000 * COUNTS_SLOTS / 16 + i % 16);
        (void)find(arg, i % 1000 * COUNTS_SLOTS / 16 + i % 16);
    }
    return NULL;
}

static void threads_never_find_a_mixture(void **state)
{
    struct counts *counts = counts_make();
    pthread_t threads[4];
    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, counts), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    counts_free(counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_kept_is_found_until_another_takes_its_slot),
        cmocka_unit_test(another_owner_finds_nothing),
        cmocka_unit_test(what_has_no_room_in_a_slot_is_left_alone),
        cmocka_unit_test(threads_never_find_a_mixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
