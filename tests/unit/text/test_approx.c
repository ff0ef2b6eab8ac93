/* SPDX-License-Identifier: Apache-2.0
 *
 * The tokenizer approx against its definition, character by character, and its promise about seams.
 */
#include "core/buf.h"
#include "core/utf8.h"
#include "text/tokens.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct tokenizer *approx(void)
{
    return tokenizer_find(STR_LIT("approx"));
}

static void tokenizers_are_found_by_name(void **state)
{
    (void)state;
    assert_non_null(approx());
    assert_string_equal(approx()->name, "approx");
    assert_null(tokenizer_find(STR_LIT("")));
    assert_null(tokenizer_find(STR_LIT("approx2")));
    for (size_t i = 0; tokenizer_all()[i]; i++)
        assert_ptr_equal(tokenizer_find(str_of(tokenizer_all()[i]->name)), tokenizer_all()[i]);
}

static int64_t quarters_by_definition(uint32_t c)
{
    bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ';
    if (c < 0x2000)
        return is_word ? 1 : 2;
    return c <= 0xFFFF || (c >= 0x20000 && c <= 0x3FFFF) ? 4 : 8;
}

static void every_character_costs_what_its_class_costs(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        buf_clear(&buf);
        for (int i = 0; i < 4; i++) /* four quarters of it */
            utf8_append(&buf, c);
        bool is_surrogate = c >= 0xD800 && c <= 0xDFFF; /* written as U+FFFD */
        assert_int_equal(approx()->count(buf_str(&buf)), quarters_by_definition(is_surrogate ? 0xFFFD : c));
    }
    buf_done(&buf);
}

static void count_is_rounded_up_once(void **state)
{
    (void)state;
    assert_int_equal(approx()->count((struct str){NULL, 0}), 0);
    assert_int_equal(approx()->count(STR_LIT("a")), 1);
    assert_int_equal(approx()->count(STR_LIT("abcd")), 1);
    assert_int_equal(approx()->count(STR_LIT("abcde")), 2);
    assert_int_equal(approx()->count(STR_LIT("a, b")), 2); /* 1 + 2 + 1 + 1 quarters */
    assert_int_equal(approx()->count(STR_LIT("\xff\xfe")), 2);
}

static void whole_never_costs_more_than_its_parts(void **state)
{
    (void)state;
    char text[40];
    srandom(3);
    for (int n = 0; n < 20000; n++) {
        struct str whole = {text, (size_t)(random() % 40)};
        for (size_t i = 0; i < whole.len; i++)
            text[i] = (char)(random() % 3 ? "a \xf0\x9f\x98\x80\xe2\x82\xac,"[random() % 10] : random());
        size_t cut = whole.len ? (size_t)random() % (whole.len + 1) : 0;
        int64_t parts =
            approx()->count(str_slice(whole, 0, cut)) + approx()->count(str_slice(whole, cut, whole.len));
        assert_true(approx()->count(whole) <= parts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokenizers_are_found_by_name),
        cmocka_unit_test(every_character_costs_what_its_class_costs),
        cmocka_unit_test(count_is_rounded_up_once),
        cmocka_unit_test(whole_never_costs_more_than_its_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
