/* SPDX-License-Identifier: Apache-2.0 */
#include "build/build_priv.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static void assert_alike(const char *first, const char *second, bool is_alike)
{
    struct arena arena;
    struct dedup *dedup;
    arena_init(&arena, 1 << 20);
    assert_int_equal(dedup_new(&arena, 7, NULL, &dedup), 0);
    assert_false(dedup_is_known(dedup, str_of(first)));
    assert_int_equal(dedup_is_known(dedup, str_of(second)), is_alike);
    assert_int_equal(arena_error(&arena), 0);
    arena_done(&arena);
}

static const char *const sentence =
    "The contract with the landlord ends in spring unless either side asks for another "
    "year in writing before the end of the winter and the rent is paid";

static void case_and_punctuation_do_not_count(void **state)
{
    (void)state;
    assert_alike("- Likes tea.", "likes TEA", true);
    assert_alike("- Likes tea.", "likes coffee", false);
    assert_alike("tea likes", "likes tea", false);
}

static void long_texts_that_differ_in_little_are_one(void **state)
{
    (void)state;
    char changed[256];
    (void)snprintf(changed, sizeof changed, "%s today", sentence);
    assert_alike(sentence, changed, true);
    assert_alike(sentence,
                 "The contract with the landlord ends in autumn and nobody knows what comes after that day",
                 false);
}

static void other_numbers_are_other_facts(void **state)
{
    (void)state;
    char first[256], second[256];
    (void)snprintf(first, sizeof first, "%s at 10:00", sentence);
    (void)snprintf(second, sizeof second, "%s at 11:00", sentence);
    assert_alike(first, second, false);
    assert_alike(first, first, true);
    assert_alike("Meeting at 10:00", "Meeting at 11:00", false);
}

static void characters_of_chinese_are_words(void **state)
{
    (void)state;
    assert_alike("\xE4\xBB\x96\xE5\x96\x9C\xE6\xAC\xA2\xE8\x8C\xB6\xE3\x80\x82",
                 "\xE4\xBB\x96\xE5\x96\x9C\xE6\xAC\xA2\xE8\x8C\xB6\xE3\x80\x82", true);
    assert_alike("\xE4\xBB\x96\xE5\x96\x9C\xE6\xAC\xA2\xE8\x8C\xB6",
                 "\xE4\xBB\x96\xE5\x96\x9C\xE6\xAC\xA2\xE5\x92\x96\xE5\x95\xA1", false);
}

static void nothing_is_like_nothing_else(void **state)
{
    (void)state;
    assert_alike("---", "***", false);
    assert_alike("", "", false);
}

/* ---- against the plain way: each compared with each ---- */

#define N_TEXTS   200
#define MAX_WORDS 120

struct words {
    size_t n;
    unsigned words[MAX_WORDS]; /* below 100; every tenth is a number */
};

static size_t below(uint64_t *seed, size_t limit)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1;
    return (*seed >> 33) % limit;
}

static struct str print_words(const struct words *words, uint64_t *seed, struct arena *arena)
{
    static const char *const forms[] = {"%.*swithaverylongend%c%c ", "%.*sWithAVeryLongEnd%c%c, ",
                                        "%.*s\xC3\xA9t\xC3\xA9%c%c. ", "%.*s(%c%c) "};
    struct str text = STR_LIT("- ");
    for (size_t i = 0; i < words->n; i++) {
        unsigned word = words->words[i];
        /* The first two forms are the same word, so a word has one of the three by its number. */
        size_t form = word % 3 == 0 ? below(seed, 2) : 1 + word % 3;
        if (word % 10 == 0)
            text = arena_printf(arena, "%.*s%u ", STR_ARG(text), word);
        else
            text = arena_printf(arena, forms[form], STR_ARG(text), 'a' + word / 10, 'a' + word % 10);
    }
    return text;
}

static int compare_unsigned(const void *a, const void *b)
{
    unsigned left = *(const unsigned *)a, right = *(const unsigned *)b;
    return left < right ? -1 : left > right;
}

static size_t sorted_runs(const struct words *words, unsigned *ret_runs)
{
    size_t n_runs = 0, n = 0;
    for (size_t i = 2; i < words->n; i++)
        ret_runs[n_runs++] = (words->words[i - 2] * 100 + words->words[i - 1]) * 100 + words->words[i];
    qsort(ret_runs, n_runs, sizeof *ret_runs, compare_unsigned);
    for (size_t i = 0; i < n_runs; i++)
        if (n == 0 || ret_runs[i] != ret_runs[n - 1])
            ret_runs[n++] = ret_runs[i];
    return n;
}

static unsigned sum_of_numbers(const struct words *words)
{
    unsigned sum = 0;
    for (size_t i = 0; i < words->n; i++)
        if (words->words[i] % 10 == 0)
            sum += 1u << (words->words[i] / 10 * 3); /* up to seven of each */
    return sum;
}

static bool are_alike(const struct words *a, const struct words *b)
{
    unsigned left[MAX_WORDS], right[MAX_WORDS];
    if (a->n == b->n && memcmp(a->words, b->words, a->n * sizeof a->words[0]) == 0)
        return true;
    if (a->n < 8 || b->n < 8 || sum_of_numbers(a) != sum_of_numbers(b))
        return false;
    size_t n_left = sorted_runs(a, left), n_right = sorted_runs(b, right), n_both = 0;
    for (size_t i = 0; i < n_left; i++)
        for (size_t j = 0; j < n_right; j++)
            n_both += left[i] == right[j];
    return (double)n_both >= 0.9 * (double)(n_left + n_right - n_both);
}

/* New words, or an earlier text with a few of them changed, gone or more. */
static struct words make_words(const struct words *earlier, size_t n_earlier, uint64_t *seed)
{
    struct words words = {0};
    size_t n_changes = below(seed, 4);
    if (n_earlier > 0 && below(seed, 3) > 0)
        words = earlier[below(seed, n_earlier)];
    for (size_t n = 1 + below(seed, MAX_WORDS - 10); words.n == 0 || words.n < n * (n_earlier == 0);)
        words.words[words.n++] = (unsigned)below(seed, 100);
    while (words.n < 4 || (n_changes == 3 && words.n < MAX_WORDS / 2))
        words.words[words.n++] = (unsigned)below(seed, 100);
    for (size_t i = 0; i < n_changes; i++) {
        size_t at = below(seed, 2) ? words.n - 1 : below(seed, words.n);
        if (below(seed, 3) > 0 && words.n < MAX_WORDS)
            words.words[words.n++] = (unsigned)below(seed, 100);
        else if (below(seed, 2) && words.n > 4)
            words.n--;
        else
            words.words[at] = (unsigned)below(seed, 100);
    }
    return words;
}

static void likeness_is_that_of_the_plain_way_known_before_or_not(void **state)
{
    static struct words words[N_TEXTS];
    uint64_t seed = 20261129;
    size_t n_alike = 0;
    struct memo *outlines;
    (void)state;
    assert_int_equal(memo_new(4096, DEDUP_MEMO_WORDS, &outlines), 0);
    for (int round = 0; round < 40; round++) {
        struct arena arena;
        struct dedup *plain, *first, *again;
        size_t n_known = 0; /* of words */
        arena_init(&arena, 1 << 27);
        assert_int_equal(dedup_new(&arena, 7, NULL, &plain), 0);
        assert_int_equal(dedup_new(&arena, 7, outlines, &first), 0);
        assert_int_equal(dedup_new(&arena, 7, outlines, &again), 0);
        for (size_t i = 0; i < N_TEXTS; i++) {
            bool is_alike = false;
            struct words asked = make_words(words, n_known, &seed);
            struct str text = print_words(&asked, &seed, &arena);
            for (size_t j = 0; !is_alike && j < n_known; j++)
                is_alike = are_alike(&words[j], &asked);
            if (!is_alike)
                words[n_known++] = asked;
            n_alike += is_alike;
            assert_int_equal(dedup_is_known(plain, text), is_alike);
            assert_int_equal(dedup_is_known(first, text), is_alike);
            assert_int_equal(dedup_is_known(again, text), is_alike);
        }
        arena_done(&arena);
    }
    assert_in_range(n_alike, 1000, 40 * N_TEXTS - 1000); /* or it would show little */
    memo_free(outlines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_and_punctuation_do_not_count),
        cmocka_unit_test(long_texts_that_differ_in_little_are_one),
        cmocka_unit_test(other_numbers_are_other_facts),
        cmocka_unit_test(characters_of_chinese_are_words),
        cmocka_unit_test(nothing_is_like_nothing_else),
        cmocka_unit_test(likeness_is_that_of_the_plain_way_known_before_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
