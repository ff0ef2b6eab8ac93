/* SPDX-License-Identifier: Apache-2.0
 *
 * How values print for people, as JSON and as keys; what lives in which arena.
 */
#include "core/value.h"

#include "core/json.h"

#include <math.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_prints(struct value value, const char *text, const char *json)
{
    struct buf buf;
    buf_init(&buf, 1000);
    value_print(value, &buf);
    assert_true(str_is(buf_str(&buf), text));
    buf_clear(&buf);
    value_print_json(value, &buf);
    assert_string_equal(buf.data, json);
    buf_done(&buf);
}

static void values_print_for_people_and_as_json(void **state)
{
    (void)state;
    assert_prints(value_null(), "", "null");
    assert_prints(value_bool(true), "true", "true");
    assert_prints(value_int(-5), "-5", "-5");
    assert_prints(value_real(0.1), "0.1", "0.1");
    assert_prints(value_text(STR_LIT("a\"b\n")), "a\"b\n", "\"a\\\"b\\n\"");
    assert_prints(value_time(1763703421250000), "2025-11-21T05:37:01.250000Z",
                  "\"2025-11-21T05:37:01.250000Z\"");
    assert_prints(value_json(STR_LIT("[1, 2]")), "[1, 2]", "[1, 2]");
    assert_prints(value_decimal(STR_LIT("1234567890.1234567890")), "1234567890.1234567890",
                  "1234567890.1234567890");
}

static void what_json_has_no_number_for_is_not_printed_as_one(void **state)
{
    (void)state;
    assert_prints(value_real(NAN), "nan", "null");
    assert_prints(value_real(-INFINITY), "-inf", "null");
    assert_prints(value_decimal(STR_LIT("NaN")), "NaN", "\"NaN\"");
    assert_prints(value_decimal(STR_LIT("Infinity")), "Infinity", "\"Infinity\"");
    assert_prints(value_decimal(STR_LIT("")), "", "\"\"");
    assert_prints(value_decimal(STR_LIT(".5")), ".5", "\".5\"");
    assert_prints(value_decimal(STR_LIT("1.")), "1.", "\"1.\"");
    assert_prints(value_decimal(STR_LIT("007")), "007", "\"007\"");
    assert_prints(value_decimal(STR_LIT("-0.50")), "-0.50", "-0.50");
    assert_prints(value_decimal(STR_LIT("0.5e-7")), "0.5e-7", "0.5e-7");
}

static void real_prints_shortest_and_reads_back(void **state)
{
    (void)state;
    static const double reals[] = {1.0 / 3, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, 1e21,
                                   -0.0,    100,    123456789.125};
    for (size_t i = 0; i < sizeof(reals) / sizeof(reals[0]); i++) {
        struct buf buf;
        buf_init(&buf, 100);
        value_print(value_real(reals[i]), &buf);
        assert_true(strtod(buf.data, NULL) == reals[i]);
        buf_done(&buf);
    }
    assert_prints(value_real(100), "100", "100");
    assert_prints(value_real(0.1 + 0.2), "0.30000000000000004", "0.30000000000000004");
}

static void no_two_values_share_a_key(void **state)
{
    (void)state;
    const struct value values[] = {
        value_null(),
        value_bool(false),
        value_bool(true),
        value_int(0),
        value_int(1),
        value_real(0),
        value_real(1),
        value_time(0),
        value_time(1),
        value_text(STR_LIT("")),
        value_text(STR_LIT("1")),
        value_decimal(STR_LIT("1")),
        value_json(STR_LIT("1")),
        value_text(STR_LIT("a:b")),
        value_text(STR_LIT("a")),
        value_real(-0.0),
    };
    const size_t n = sizeof(values) / sizeof(values[0]);
    struct buf keys[sizeof(values) / sizeof(values[0])];
    for (size_t i = 0; i < n; i++) {
        buf_init(&keys[i], 1000);
        value_print_key(values[i], &keys[i]);
        for (size_t j = 0; j < i; j++)
            assert_false(str_eq(buf_str(&keys[i]), buf_str(&keys[j])));
    }
    for (size_t i = 0; i < n; i++)
        buf_done(&keys[i]);
}

static void joined_keys_of_different_values_differ(void **state)
{
    (void)state;
    struct buf one, two;
    buf_init(&one, 1000);
    buf_init(&two, 1000);
    value_print_key(value_text(STR_LIT("a:b")), &one);
    value_print_key(value_text(STR_LIT("c")), &one);
    value_print_key(value_text(STR_LIT("a")), &two);
    value_print_key(value_text(STR_LIT("b:c")), &two);
    assert_false(str_eq(buf_str(&one), buf_str(&two)));
    buf_done(&one);
    buf_done(&two);
}

static void copy_lives_in_the_arena(void **state)
{
    (void)state;
    struct arena arena;
    char text[] = "abc";
    arena_init(&arena, 10000);
    struct value copy = value_copy(&arena, value_text(str_of(text)));
    text[0] = 'x';
    assert_true(str_is(copy.text, "abc"));
    assert_int_equal(value_copy(&arena, value_int(7)).integer, 7);
    assert_int_equal(value_copy(&arena, value_text((struct str){NULL, 0})).type, VALUE_TEXT);
    assert_null(arena_alloc(&arena, 20000));
    assert_int_equal(value_copy(&arena, value_text(STR_LIT("abc"))).type, VALUE_NULL);
    arena_done(&arena);
}

static void only_null_and_empty_text_are_empty(void **state)
{
    (void)state;
    assert_true(value_is_empty(value_null()));
    assert_true(value_is_empty(value_text(STR_LIT(""))));
    assert_false(value_is_empty(value_int(0)));
    assert_false(value_is_empty(value_real(0)));
    assert_false(value_is_empty(value_bool(false)));
    assert_false(value_is_empty(value_time(0)));
    assert_false(value_is_empty(value_text(STR_LIT(" "))));
}

static void field_is_found_by_its_whole_name(void **state)
{
    (void)state;
    const struct field fields[] = {{STR_LIT("id"), value_int(1)}, {STR_LIT("name"), value_int(2)}};
    assert_int_equal(field_find(fields, 2, STR_LIT("name"))->integer, 2);
    assert_null(field_find(fields, 2, STR_LIT("nam")));
    assert_null(field_find(NULL, 0, STR_LIT("id")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_print_for_people_and_as_json),
        cmocka_unit_test(what_json_has_no_number_for_is_not_printed_as_one),
        cmocka_unit_test(real_prints_shortest_and_reads_back),
        cmocka_unit_test(no_two_values_share_a_key),
        cmocka_unit_test(joined_keys_of_different_values_differ),
        cmocka_unit_test(copy_lives_in_the_arena),
        cmocka_unit_test(only_null_and_empty_text_are_empty),
        cmocka_unit_test(field_is_found_by_its_whole_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
