/* SPDX-License-Identifier: Apache-2.0
 *
 * cl100k_base and o200k_base against counts of the reference (token_cases.txt, made by
 * tests/compare/tokens.mjs), against cutting and merging done the plain way, and at seams.
 */
#include "core/buf.h"
#include "core/utf8.h"
#include "text/bpe.h"
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

#define REPEATED_BYTES  60000
#define MAX_RUN_TRIES   16 /* a byte; half of it is the most that was met */
#define MAX_TABLE_TRIES 64 /* there are tokens of up to 80 spaces, and all are tried */

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void expect_few_tries(const struct bpe *bpe, struct str text)
{
    static struct bpe_run run;
    static struct bpe_table table;
    const unsigned char *bytes = (const unsigned char *)text.ptr;
    bpe_run_init(&run, bpe);
    bpe_table_init(&table, bpe);
    bpe_run_add(&run, bytes, text.len);
    bpe_table_add(&table, bytes, text.len);
    int64_t n = bpe_run_end(&run), n_table = bpe_table_end(&table);
    assert_true(n == -1 || n == n_table);
    if (run.n_tries > MAX_RUN_TRIES * text.len || table.n_tries > MAX_TABLE_TRIES * text.len)
        fail_msg("%llu and %llu tries for %zu bytes that repeat '%.30s'", (unsigned long long)run.n_tries,
                 (unsigned long long)table.n_tries, text.len, text.ptr);
}

/* The work is counted, not timed. */
static void repetitions_of_any_kind_cost_a_few_tries_a_byte(void **state)
{
    static const char *const alphabets[] = {"a",  "ab", "abc",          " a",   "=-", "\n\t ", "e\xcc\x81",
                                            "01", "()", "\xe4\xb8\x80", "ABab", "./", "the "};
    static char text[REPEATED_BYTES];
    uint64_t seed = 20261121;
    (void)state;
    for (int round = 0; round < 400; round++) {
        const char *alphabet = alphabets[random_next(&seed) % (sizeof alphabets / sizeof *alphabets)];
        size_t n_letters = strlen(alphabet), period = 1 + random_next(&seed) % (round % 4 ? 12 : 400);
        for (size_t i = 0; i < period; i++)
            text[i] = alphabet[random_next(&seed) % n_letters];
        for (size_t i = period; i < sizeof text; i++)
            text[i] = text[i - period];
        expect_few_tries(&bpe_cl100k, str_make(text, sizeof text));
        expect_few_tries(&bpe_o200k, str_make(text, sizeof text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_those_of_the_reference),
        cmocka_unit_test(malformed_bytes_count_as_replacement_characters),
        cmocka_unit_test(lines_add_up),
        cmocka_unit_test(long_runs_take_linear_time_and_count_right),
        cmocka_unit_test(repetitions_of_any_kind_cost_a_few_tries_a_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
