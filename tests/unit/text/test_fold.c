/* SPDX-License-Identifier: Apache-2.0
 *
 * Folding: what differs only in case, width or composition becomes the same, what differs in more does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "text/fold.h"

static void expect_folded(struct str text, const char *expected)
{
    struct buf buf;
    buf_init(&buf, 1000);
    buf_append_text(&buf, "+");
    text_append_folded(&buf, text);
    assert_int_equal(buf_error(&buf), 0);
    assert_int_equal(buf.len, 1 + strlen(expected));
    assert_memory_equal(buf.data + 1, expected, strlen(expected));
    buf_done(&buf);
}

static void case_width_and_composition_disappear(void **state)
{
    (void)state;
    expect_folded(STR_LIT("Hello, World_9"), "hello, world_9");
    expect_folded(STR_LIT("STRASSE Straße"), "strasse strasse");
    expect_folded(STR_LIT("ŻÓŁW"), "żółw");
    expect_folded(STR_LIT("Cafe\xcc\x81"), "caf\xc3\xa9");
    expect_folded(STR_LIT("ＡＢＣ"), "abc");
    expect_folded(STR_LIT(""), "");
}

/* Whatever stands before it and wherever a piece ends. */
static void place_in_a_long_text_does_not_matter(void **state)
{
    struct buf text, folded, wanted;
    (void)state;
    buf_init(&text, SIZE_MAX / 2);
    buf_init(&folded, SIZE_MAX / 2);
    buf_init(&wanted, SIZE_MAX / 2);
    for (int i = 0; i < 1000; i++) {
        buf_append_text(&text, i % 7 ? "Cafe\xcc\x81 " : "\xc3\x89T\xc3\x89\xe6\x9d\xb1");
        buf_append_text(&wanted, i % 7 ? "caf\xc3\xa9 " : "\xc3\xa9t\xc3\xa9\xe6\x9d\xb1");
    }
    text_append_folded(&folded, buf_str(&text));
    assert_true(str_eq(buf_str(&folded), buf_str(&wanted)));
    buf_done(&text);
    buf_done(&folded);
    buf_done(&wanted);
}

/* All marks of the one class before all of the other: sorting them at once would be a matter of hours. */
static void million_marks_are_folded_in_pieces(void **state)
{
    struct buf text, folded;
    (void)state;
    buf_init(&text, SIZE_MAX / 2);
    buf_init(&folded, SIZE_MAX / 2);
    for (int i = 0; i < 1000000; i++)
        buf_append_text(&text, i < 500000 ? "\xcc\x81" : "\xcc\xa3");
    text_append_folded(&folded, buf_str(&text));
    assert_int_equal(folded.len, text.len);
    buf_done(&text);
    buf_done(&folded);
}

static void accents_stay(void **state)
{
    (void)state;
    expect_folded(STR_LIT("résumé"), "résumé");
}

static void malformed_bytes_stay_as_they_are(void **state)
{
    (void)state;
    expect_folded(STR_LIT("A\xff"
                          "B"),
                  "A\xff"
                  "B");
}

static void full_buffer_says_so(void **state)
{
    struct buf buf;
    (void)state;
    buf_init(&buf, 3);
    text_append_folded(&buf, STR_LIT("Äpfel"));
    assert_true(buf_error(&buf) != 0);
    buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_width_and_composition_disappear),
        cmocka_unit_test(place_in_a_long_text_does_not_matter),
        cmocka_unit_test(million_marks_are_folded_in_pieces),
        cmocka_unit_test(accents_stay),
        cmocka_unit_test(malformed_bytes_stay_as_they_are),
        cmocka_unit_test(full_buffer_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
