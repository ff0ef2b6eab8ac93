/* SPDX-License-Identifier: Apache-2.0
 *
 * The sentence that goes with an error, also when it has no room.
 */
#include "core/err.h"

#include "core/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void code_sentence_and_field_are_kept(void **state)
{
    (void)state;
    struct err_info info = {0};
    assert_int_equal(err_set_field(&info, ERR_INVALID, "a.yaml:3:1", "no %s", "good"), ERR_INVALID);
    assert_int_equal(info.code, ERR_INVALID);
    assert_string_equal(info.field, "a.yaml:3:1");
    assert_string_equal(info.message, "no good");
    assert_int_equal(err_set(&info, ERR_IO, "other"), ERR_IO);
    assert_string_equal(info.field, "");
    assert_int_equal(err_set(NULL, ERR_IO, "nobody listens"), ERR_IO);
}

static void long_sentence_is_cut_at_a_character(void **state)
{
    (void)state;
    struct err_info info = {0};
    char text[2000];
    for (size_t i = 0; i + 1 < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[sizeof(text) - 2] = '\0';
    for (int shift = 0; shift < 2; shift++) {
        err_set_field(&info, ERR_IO, text, "%s%s", shift ? "x" : "", text);
        assert_true(utf8_is_valid(str_of(info.message)));
        assert_true(utf8_is_valid(str_of(info.field)));
        assert_true(strlen(info.message) > ERR_MESSAGE_SIZE - 4);
        err_prefix(&info, "%s: ", text);
        assert_true(utf8_is_valid(str_of(info.message)));
    }
}

static void prefix_goes_before_and_keeps_the_rest(void **state)
{
    (void)state;
    struct err_info info = {0};
    err_set_field(&info, ERR_TIMEOUT, "f", "too slow");
    err_prefix(&info, "section '%s': ", "tasks");
    assert_string_equal(info.message, "section 'tasks': too slow");
    assert_string_equal(info.field, "f");
    assert_int_equal(info.code, ERR_TIMEOUT);
    err_prefix(NULL, "x");
}

static void sentence_may_quote_itself(void **state)
{
    (void)state;
    struct err_info info = {0};
    err_set(&info, ERR_IO, "inner");
    err_set(&info, ERR_REMOTE, "outer: %s", info.message);
    assert_string_equal(info.message, "outer: inner");
}

static void every_code_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int code = ERR_INTERNAL; code <= ERR_NOMEM; code++)
        for (int other = code + 1; other <= ERR_NOMEM; other++)
            assert_string_not_equal(err_name(code), err_name(other));
    assert_non_null(err_name(0));
    assert_non_null(err_name(-1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_sentence_and_field_are_kept),
        cmocka_unit_test(long_sentence_is_cut_at_a_character),
        cmocka_unit_test(prefix_goes_before_and_keeps_the_rest),
        cmocka_unit_test(sentence_may_quote_itself),
        cmocka_unit_test(every_code_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
