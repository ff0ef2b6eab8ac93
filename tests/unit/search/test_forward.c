/* SPDX-License-Identifier: Apache-2.0
 *
 * A document's terms, each once with how often: against a count by hand, and through renumbering.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "search/forward.h"

#include <stdlib.h>

static void add(struct forward *forward, uint32_t doc, const uint32_t *terms, size_t n)
{
    uint32_t *copy = malloc((n + 1) * sizeof(*copy));
    if (n)
        memcpy(copy, terms, n * sizeof(*copy));
    assert_int_equal(forward_add(forward, doc, copy, n), 0);
    free(copy);
}

static void terms_are_counted_once_each_in_order(void **state)
{
    static const uint32_t terms[] = {7, 3, 7, 0, 7, 3};
    struct forward forward;
    size_t n;
    (void)state;
    forward_init(&forward);
    add(&forward, 0, terms, 6);
    const forward_entry *entries = forward_get(&forward, 0, &n);
    assert_int_equal(n, 3);
    static const uint32_t expected[][2] = {{0, 1}, {3, 2}, {7, 3}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(forward_term(entries[i]), expected[i][0]);
        assert_int_equal(forward_frequency(entries[i]), expected[i][1]);
    }
    forward_done(&forward);
}

static void numbers_left_out_have_no_terms(void **state)
{
    static const uint32_t terms[] = {1, 2};
    struct forward forward;
    size_t n = 9;
    (void)state;
    forward_init(&forward);
    (void)forward_get(&forward, 0, &n);
    assert_int_equal(n, 0);
    add(&forward, 5, terms, 2);
    add(&forward, 6, NULL, 0);
    for (uint32_t doc = 0; doc < 10; doc++) {
        (void)forward_get(&forward, doc, &n);
        assert_int_equal(n, doc == 5 ? 2 : 0);
    }
    forward_done(&forward);
}

static void frequency_ends_at_what_it_can_hold(void **state)
{
    struct forward forward;
    uint32_t *terms = calloc(100000, sizeof(*terms));
    size_t n;
    (void)state;
    forward_init(&forward);
    terms[99999] = 1;
    assert_int_equal(forward_add(&forward, 0, terms, 100000), 0);
    const forward_entry *entries = forward_get(&forward, 0, &n);
    assert_int_equal(n, 2);
    assert_int_equal(forward_frequency(entries[0]), FORWARD_MAX_FREQUENCY);
    assert_int_equal(forward_term(entries[0]), 0);
    assert_int_equal(forward_term(entries[1]), 1);
    assert_int_equal(forward_frequency(entries[1]), 1);
    free(terms);
    forward_done(&forward);
}

static void term_beyond_the_limit_changes_nothing(void **state)
{
    static const uint32_t good[] = {FORWARD_MAX_TERM};
    uint32_t bad[] = {1, FORWARD_MAX_TERM + 1};
    struct forward forward;
    size_t n;
    (void)state;
    forward_init(&forward);
    add(&forward, 0, good, 1);
    assert_int_equal(forward_add(&forward, 1, bad, 2), ERR_LIMIT);
    (void)forward_get(&forward, 1, &n);
    assert_int_equal(n, 0);
    add(&forward, 1, good, 1);
    const forward_entry *entries = forward_get(&forward, 1, &n);
    assert_int_equal(n, 1);
    assert_int_equal(forward_term(entries[0]), FORWARD_MAX_TERM);
    forward_done(&forward);
}

static unsigned next_random(unsigned *seed, unsigned below)
{
    *seed = *seed * 1103515245 + 12345;
    return (*seed >> 8) % below;
}

#define N_DOCS  40
#define N_TERMS 12

static void expect_counts(const struct forward *forward, uint32_t doc, const unsigned *counts)
{
    size_t n, n_expected = 0;
    const forward_entry *entries = forward_get(forward, doc, &n);
    for (uint32_t term = 0; term < N_TERMS; term++) {
        if (!counts[term])
            continue;
        assert_true(n_expected < n);
        assert_int_equal(forward_term(entries[n_expected]), term);
        assert_int_equal(forward_frequency(entries[n_expected]), counts[term]);
        n_expected++;
    }
    assert_int_equal(n, n_expected);
}

/* Documents and terms vanish at random; those that stay keep their counts under new numbers. */
static void compaction_keeps_what_has_a_number(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 50; seed++) {
        unsigned random = seed, counts[N_DOCS][N_TERMS] = {{0}}, kept[N_DOCS][N_TERMS] = {{0}};
        uint32_t doc_map[N_DOCS], term_map[N_TERMS], n_docs = 0, n_terms = 0;
        struct forward forward;
        forward_init(&forward);
        for (uint32_t doc = 0; doc < N_DOCS; doc++) {
            uint32_t terms[30];
            size_t n = next_random(&random, 30);
            for (size_t i = 0; i < n; i++)
                counts[doc][terms[i] = next_random(&random, N_TERMS)]++;
            if (n || next_random(&random, 2) || doc + 1 == N_DOCS)
                add(&forward, doc, terms, n);
            expect_counts(&forward, doc, counts[doc]);
        }
        for (uint32_t term = 0; term < N_TERMS; term++)
            term_map[term] = next_random(&random, 3) ? n_terms++ : UINT32_MAX;
        for (uint32_t doc = 0; doc < N_DOCS; doc++) {
            doc_map[doc] = next_random(&random, 3) ? n_docs++ : UINT32_MAX;
            for (uint32_t term = 0; term < N_TERMS && doc_map[doc] != UINT32_MAX; term++)
                if (term_map[term] != UINT32_MAX)
                    kept[doc_map[doc]][term_map[term]] = counts[doc][term];
        }
        forward_compact(&forward, doc_map, term_map);
        for (uint32_t doc = 0; doc < N_DOCS; doc++)
            expect_counts(&forward, doc, kept[doc]);
        uint32_t more[] = {2, 2};
        add(&forward, n_docs, more, 2);
        kept[n_docs][2] = 2;
        expect_counts(&forward, n_docs, kept[n_docs]);
        forward_done(&forward);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms_are_counted_once_each_in_order),
        cmocka_unit_test(numbers_left_out_have_no_terms),
        cmocka_unit_test(frequency_ends_at_what_it_can_hold),
        cmocka_unit_test(term_beyond_the_limit_changes_nothing),
        cmocka_unit_test(compaction_keeps_what_has_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
