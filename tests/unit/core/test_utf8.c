/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 against every code point there is, and the cleaning of text that hides something.
 */
#include "core/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void every_character_survives_a_round_trip(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 16);
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        size_t pos = 0;
        bool is_surrogate = c >= 0xD800 && c <= 0xDFFF;
        buf_clear(&buf);
        utf8_append(&buf, c);
        assert_int_equal(utf8_next(buf_str(&buf), &pos), is_surrogate ? 0xFFFD : c);
        assert_int_equal(pos, buf.len);
        assert_true(utf8_is_valid(buf_str(&buf)));
        for (size_t cut = 1; cut < buf.len; cut++)
            assert_int_equal(utf8_valid_prefix(str_slice(buf_str(&buf), 0, cut)), 0);
    }
    buf_clear(&buf);
    utf8_append(&buf, 0x110000);
    assert_string_equal(buf.data, "\xef\xbf\xbd");
    buf_done(&buf);
}

static void malformed_bytes_are_found_in_place(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "\xfe",
        "\xc3(",
        "\xe2\x82(",
        "\xe2(\xac",
        "\xf0\x9f\x98(",
    };
    struct buf buf;
    buf_init(&buf, 100);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (size_t shift = 0; shift < 20; shift++) { /* wherever the words of eight begin */
            buf_clear(&buf);
            for (size_t j = 0; j < shift; j++)
                buf_append_byte(&buf, 'x');
            buf_append_text(&buf, bad[i]);
            assert_int_equal(utf8_valid_prefix(buf_str(&buf)), shift);
            size_t pos = shift;
            assert_int_equal(utf8_next(buf_str(&buf), &pos), 0xFFFD);
            assert_int_equal(pos, shift + 1);
        }
    }
    assert_int_equal(utf8_valid_prefix((struct str){NULL, 0}), 0);
    buf_done(&buf);
}

static void length_counts_characters(void **state)
{
    (void)state;
    assert_int_equal(utf8_length(STR_LIT("")), 0);
    assert_int_equal(utf8_length(STR_LIT("plain ascii text")), 16);
    assert_int_equal(utf8_length(STR_LIT("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z")), 5);
    assert_int_equal(utf8_length(STR_LIT("\xff\xfe")), 2);
}

static void prefix_never_tears_a_character(void **state)
{
    (void)state;
    struct str s = STR_LIT("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
    static const size_t wanted[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t max = 0; max < sizeof(wanted) / sizeof(wanted[0]); max++)
        assert_int_equal(utf8_prefix(s, max).len, wanted[max]);
    assert_int_equal(utf8_prefix(STR_LIT("\x80\x80\x80\x80\x80"), 3).len, 3); /* each a character */
    assert_int_equal(utf8_prefix(STR_LIT("\xe2\x82 abc"), 1).len, 1);
}

static void assert_cleans(struct str text, const char *wanted)
{
    struct buf buf;
    buf_init(&buf, 1000);
    utf8_append_clean(&buf, text);
    assert_true(str_is(buf_str(&buf), wanted));
    buf_done(&buf);
}

static void hidden_characters_are_taken_out(void **state)
{
    (void)state;
    static const uint32_t hidden[] = {
        0,      0x07,   0x1B,   0x7F,   0x80,    0x9F,    0x061C,  0x200B,  0x200C,  0x200D,
        0x200E, 0x200F, 0x202A, 0x202E, 0x2060,  0x2066,  0x2069,  0xFDD0,  0xFE00,  0xFE0E,
        0xFEFF, 0xFFF9, 0xFFFE, 0xFFFF, 0x1FFFE, 0xE0001, 0xE0041, 0xE007F, 0xE0100, 0x10FFFF,
    };
    struct buf buf;
    buf_init(&buf, 100);
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        buf_clear(&buf);
        buf_append_byte(&buf, 'a');
        utf8_append(&buf, hidden[i]);
        buf_append_byte(&buf, 'b');
        assert_cleans(buf_str(&buf), "ab");
    }
    buf_done(&buf);
}

static void visible_text_stays_as_it_is(void **state)
{
    (void)state;
    const char *text = "tab\tline\n caf\xc3\xa9 \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xe6\x9d\xb1\xe4\xba\xac "
                       "\xf0\x9f\x98\x80 e\xcc\x81 \xe2\x80\x94";
    assert_cleans(str_of(text), text);
}

static void line_ends_become_newlines(void **state)
{
    (void)state;
    assert_cleans(STR_LIT("a\r\nb\rc\r\r\nd\n"), "a\nb\nc\n\nd\n");
    assert_cleans(STR_LIT("a\xe2\x80\xa8# b\xe2\x80\xa9"), "a # b ");
}

static void malformed_bytes_become_replacements(void **state)
{
    (void)state;
    assert_cleans(STR_LIT("a\xff\xc3"), "a\xef\xbf\xbd\xef\xbf\xbd");
}

static void joiner_stays_inside_emoji_only(void **state)
{
    (void)state;
    const char *family = "\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9";
    const char *heart = "\xe2\x9d\xa4\xef\xb8\x8f\xe2\x80\x8d\xf0\x9f\x94\xa5";
    assert_cleans(str_of(family), family);
    assert_cleans(str_of(heart), heart);
    assert_cleans(STR_LIT("\xf0\x9f\x91\xa8\xe2\x80\x8d"), "\xf0\x9f\x91\xa8");
    assert_cleans(STR_LIT("\xe2\x80\x8d\xf0\x9f\x91\xa8"), "\xf0\x9f\x91\xa8");
    assert_cleans(STR_LIT("a\xe2\x80\x8d\xf0\x9f\x91\xa8"), "a\xf0\x9f\x91\xa8");
    assert_cleans(STR_LIT("\xef\xb8\x8f"), ""); /* a selector with nothing to select */
}

static void cleaning_stops_at_the_buffers_maximum(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 3);
    utf8_append_clean(&buf, STR_LIT("abcdef"));
    assert_true(buf_error(&buf) < 0);
    buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_survives_a_round_trip),
        cmocka_unit_test(malformed_bytes_are_found_in_place),
        cmocka_unit_test(length_counts_characters),
        cmocka_unit_test(prefix_never_tears_a_character),
        cmocka_unit_test(hidden_characters_are_taken_out),
        cmocka_unit_test(visible_text_stays_as_it_is),
        cmocka_unit_test(line_ends_become_newlines),
        cmocka_unit_test(malformed_bytes_become_replacements),
        cmocka_unit_test(joiner_stays_inside_emoji_only),
        cmocka_unit_test(cleaning_stops_at_the_buffers_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
