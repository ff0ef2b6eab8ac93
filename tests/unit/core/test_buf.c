/* SPDX-License-Identifier: Apache-2.0
 *
 * Growing bytes: the maximum, the latch, and who owns what.
 */
#include "core/buf.h"

#include "core/err.h"
#include "core/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void appends_come_out_in_order(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    buf_append_text(&buf, "a");
    buf_append_byte(&buf, 'b');
    buf_append_str(&buf, STR_LIT("cd"));
    buf_append(&buf, NULL, 0);
    buf_append_int(&buf, -12);
    buf_printf(&buf, "%s/%03d", "x", 7);
    assert_string_equal(buf.data, "abcd-12x/007");
    assert_int_equal(buf.len, strlen(buf.data));
    buf_done(&buf);
    buf_done(&buf);
}

static void integers_print_to_their_ends(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    buf_append_int(&buf, INT64_MIN);
    buf_append_byte(&buf, ' ');
    buf_append_int(&buf, INT64_MAX);
    buf_append_byte(&buf, ' ');
    buf_append_int(&buf, 0);
    assert_string_equal(buf.data, "-9223372036854775808 9223372036854775807 0");
    buf_done(&buf);
}

static void maximum_is_reached_but_never_passed(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 4);
    buf_append_text(&buf, "abcd");
    assert_int_equal(buf_error(&buf), 0);
    buf_append_byte(&buf, 'e');
    assert_int_equal(buf_error(&buf), ERR_LIMIT);
    buf_truncate(&buf, 0);
    buf_append_byte(&buf, 'f'); /* latched */
    assert_int_equal(buf.len, 0);
    buf_clear(&buf);
    buf_append_byte(&buf, 'g');
    assert_string_equal(buf.data, "g");
    buf_done(&buf);
}

static void nothing_is_half_appended(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 4);
    buf_append_text(&buf, "ab");
    buf_append_text(&buf, "cde");
    assert_string_equal(buf.data, "ab");
    buf_clear(&buf);
    buf_printf(&buf, "%d", 12345);
    assert_int_equal(buf.len, 0);
    assert_int_equal(buf_error(&buf), ERR_LIMIT);
    buf_done(&buf);
}

static void print_fills_and_outgrows_its_room(void **state)
{
    (void)state;
    for (int n = 0; n < 200; n++) {
        struct buf buf;
        buf_init(&buf, 150);
        buf_append_text(&buf, "ab");
        buf_printf(&buf, "%0*d", n ? n : 1, 7);
        size_t len = (size_t)(n ? n : 1);
        assert_int_equal(buf_error(&buf), len + 2 <= 150 ? 0 : ERR_LIMIT);
        assert_int_equal(buf.len, len + 2 <= 150 ? len + 2 : 2);
        assert_int_equal(strlen(buf.data), buf.len);
        buf_done(&buf);
    }
}

static void fixed_memory_is_filled_and_never_left(void **state)
{
    (void)state;
    char memory[5] = "????";
    struct buf buf;
    buf_init_fixed(&buf, memory, sizeof memory);
    buf_append_text(&buf, "abc");
    buf_append_byte(&buf, 'd');
    assert_ptr_equal(buf.data, memory);
    assert_string_equal(memory, "abcd");
    assert_int_equal(buf_error(&buf), 0);
    buf_append_byte(&buf, 'e');
    assert_int_equal(buf_error(&buf), ERR_LIMIT);
    assert_string_equal(memory, "abcd");
}

static void assert_fixed(double value, int n_decimals, const char *text)
{
    struct buf buf;
    buf_init(&buf, 100);
    buf_append_fixed(&buf, value, n_decimals);
    assert_string_equal(buf.data, text);
    buf_done(&buf);
}

static void fixed_numbers_are_rounded_and_short(void **state)
{
    (void)state;
    assert_fixed(0, 9, "0");
    assert_fixed(-0.0, 9, "0");
    assert_fixed(1, 9, "1");
    assert_fixed(-0.125, 9, "-0.125");
    assert_fixed(0.0312345678, 9, "0.031234568");
    assert_fixed(-0.00000000004, 9, "0");
    assert_fixed(0.999999999999, 9, "1");
    assert_fixed(-120.05, 1, "-120.1");
    assert_fixed(10, 0, "10");
    assert_fixed(1e300, 3, "1.0000000000000001e+300");
    assert_fixed(NAN, 3, "nan");
}

static void reserve_beyond_the_maximum_is_refused(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    assert_int_equal(buf_reserve(&buf, SIZE_MAX), ERR_LIMIT);
    buf_clear(&buf);
    assert_int_equal(buf_reserve(&buf, 100), 0);
    assert_int_equal(buf.len, 0);
    assert_true(buf.cap > 100); /* with its NUL */
    buf_done(&buf);
}

static void stolen_bytes_are_the_callers(void **state)
{
    (void)state;
    struct buf buf;
    size_t len = 99;
    buf_init(&buf, 100);
    assert_null(buf_steal(&buf, &len)); /* nothing written */
    buf_append_text(&buf, "abc");
    char *data = buf_steal(&buf, &len);
    assert_string_equal(data, "abc");
    assert_int_equal(len, 3);
    assert_null(buf.data);
    buf_append_text(&buf, "again");
    assert_string_equal(buf.data, "again");
    buf_done(&buf);
    mem_free(data);
}

static void failed_buf_has_nothing_to_steal(void **state)
{
    (void)state;
    struct buf buf;
    size_t len;
    buf_init(&buf, 3);
    buf_append_text(&buf, "ab");
    buf_append_text(&buf, "cd");
    assert_null(buf_steal(&buf, &len));
    buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_come_out_in_order),
        cmocka_unit_test(integers_print_to_their_ends),
        cmocka_unit_test(maximum_is_reached_but_never_passed),
        cmocka_unit_test(nothing_is_half_appended),
        cmocka_unit_test(print_fills_and_outgrows_its_room),
        cmocka_unit_test(fixed_memory_is_filled_and_never_left),
        cmocka_unit_test(fixed_numbers_are_rounded_and_short),
        cmocka_unit_test(reserve_beyond_the_maximum_is_refused),
        cmocka_unit_test(stolen_bytes_are_the_callers),
        cmocka_unit_test(failed_buf_has_nothing_to_steal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
