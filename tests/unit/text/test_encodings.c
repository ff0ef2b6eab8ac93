/* SPDX-License-Identifier: Apache-2.0
 *
 * cl100k_base and o200k_base against counts of the reference (token_cases.txt, made by
 * tests/compare/tokens.mjs), against cutting and merging done the plain way, and at seams.
 */
#include "core/buf.h"
#include "core/utf8.h"
#include "text/tokens.h"

#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct tokenizer *encoding(int i)
{
    return tokenizer_find(i == 0 ? STR_LIT("cl100k_base") : STR_LIT("o200k_base"));
}

static int nibble(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* Cuts a line "COUNT COUNT HEX" apart. */
static void read_case(struct str line, int64_t ret_counts[2], struct buf *ret_text)
{
    for (int i = 0; i < 2; i++) {
        struct str count;
        assert_true(str_next_part(&line, ' ', &count));
        assert_int_equal(str_to_int(count, &ret_counts[i]), 0);
    }
    buf_clear(ret_text);
    for (size_t i = 0; i + 1 < line.len; i += 2)
        buf_append_byte(ret_text, (char)(nibble(line.ptr[i]) << 4 | nibble(line.ptr[i + 1])));
}

typedef void case_fn(struct str text, const int64_t counts[2]);

static void for_each_case(case_fn *on_case)
{
    static char line[16384];
    struct buf text;
    int64_t counts[2];
    size_t n = 0;
    FILE *file = fopen(TEST_FOLDER "/token_cases.txt", "r");
    assert_non_null(file);
    buf_init(&text, sizeof(line));
    for (; fgets(line, sizeof(line), file); n++) {
        read_case(str_make(line, strcspn(line, "\n")), counts, &text);
        on_case(buf_str(&text), counts);
    }
    assert_true(n > 200);
    buf_done(&text);
    fclose(file);
}

static void expect_counts(struct str text, const int64_t counts[2])
{
    for (int i = 0; i < 2; i++)
        if (encoding(i)->count(text) != counts[i])
            fail_msg("%s: %lld instead of %lld for '%.*s'", encoding(i)->name,
                     (long long)encoding(i)->count(text), (long long)counts[i], STR_ARG(text));
}

static void counts_are_those_of_the_reference(void **state)
{
    (void)state;
    for_each_case(expect_counts);
}

static void expect_replaced_alike(struct str text, const int64_t counts[2])
{
    struct buf copy;
    size_t pos = 0;
    (void)counts;
    if (!utf8_is_valid(text))
        return;
    /* A text cut inside its last character, and the same with U+FFFD there. */
    while (pos < text.len && (unsigned char)text.ptr[pos] < 0xC2)
        pos++;
    if (pos == text.len)
        return;
    buf_init(&copy, SIZE_MAX / 2);
    buf_append(&copy, text.ptr, pos);
    utf8_append(&copy, 0xFFFD);
    for (int i = 0; i < 2; i++)
        assert_int_equal(encoding(i)->count(str_slice(text, 0, pos + 1)), encoding(i)->count(buf_str(&copy)));
    buf_done(&copy);
}

static void malformed_bytes_count_as_replacement_characters(void **state)
{
    (void)state;
    for_each_case(expect_replaced_alike);
}

/* A line that follows another costs what it costs alone, unless it begins with white space or a slash. */
static void expect_lines_add_up(struct str text, const int64_t counts[2])
{
    struct buf joined;
    buf_init(&joined, SIZE_MAX / 2);
    for (int i = 0; i < 2; i++) {
        buf_clear(&joined);
        buf_append_str(&joined, text);
        buf_append_text(&joined, "\n");
        int64_t first = encoding(i)->count(buf_str(&joined));
        buf_append_text(&joined, "- ");
        buf_append_str(&joined, text);
        struct str second = str_slice(buf_str(&joined), text.len + 1, SIZE_MAX);
        assert_int_equal(encoding(i)->count(buf_str(&joined)), first + encoding(i)->count(second));
    }
    (void)counts;
    buf_done(&joined);
}

static void lines_add_up(void **state)
{
    (void)state;
    for_each_case(expect_lines_add_up);
}

static void long_runs_take_linear_time_and_count_right(void **state)
{
    struct buf text;
    (void)state;
    buf_init(&text, SIZE_MAX / 2);
    for (int i = 0; i < 1 << 20; i++)
        buf_append_byte(&text, 'a');
    /* Eight letters a token in both: the first rows of any longer run. */
    for (int i = 0; i < 2; i++)
        assert_int_equal(encoding(i)->count(buf_str(&text)), (1 << 20) / 8);
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_those_of_the_reference),
        cmocka_unit_test(malformed_bytes_count_as_replacement_characters),
        cmocka_unit_test(lines_add_up),
        cmocka_unit_test(long_runs_take_linear_time_and_count_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
