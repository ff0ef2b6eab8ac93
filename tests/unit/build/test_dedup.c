/* SPDX-License-Identifier: Apache-2.0 */
#include "build/build_priv.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>

static void assert_alike(const char *first, const char *second, bool is_alike)
{
    struct arena arena;
    struct dedup *dedup;
    arena_init(&arena, 1 << 20);
    assert_int_equal(dedup_new(&arena, &dedup), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_and_punctuation_do_not_count),
        cmocka_unit_test(long_texts_that_differ_in_little_are_one),
        cmocka_unit_test(other_numbers_are_other_facts),
        cmocka_unit_test(characters_of_chinese_are_words),
        cmocka_unit_test(nothing_is_like_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
