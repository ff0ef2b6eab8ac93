/* SPDX-License-Identifier: Apache-2.0
 *
 * Built-in tables that nobody reads for a while are not resident, and say the same afterwards.
 */
#include "text/tables.h"

#include "core/str.h"
#include "text/embed.h"
#include "text/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static long resident_file_kib(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long kib = -1;
    assert_non_null(file);
    while (kib < 0 && fgets(line, sizeof line, file))
        (void)sscanf(line, "RssFile: %ld", &kib);
    (void)fclose(file);
    return kib;
}

static int64_t look_up(const struct embedder *embedder, float *ret_vector)
{
    struct str text =
        STR_LIT("The porter keeps a spare key for the pump room below the stairs, near the boiler.");
    const struct tokenizer *tokenizer = tokenizer_find(STR_LIT("o200k_base"));
    assert_non_null(tokenizer);
    assert_int_equal(embed_text(embedder, text, ret_vector, NULL), 0);
    return tokenizer->count(text);
}

static void tables_that_nobody_reads_are_let_go(void **state)
{
    (void)state;
    struct embedder *embedder;
    assert_int_equal(embedder_builtin(&embedder, NULL), 0);
    float before[256], after[256];
    assert_int_equal(embedder_dims(embedder), 256);
    int64_t n_tokens = look_up(embedder, before);
    assert_false(tables_let_go()); /* just read */
    long held = resident_file_kib();
    assert_true(tables_let_go());
    assert_in_range(held - resident_file_kib(), 512, 100000);
    assert_false(tables_let_go()); /* nothing is held */
    assert_int_equal(look_up(embedder, after), n_tokens);
    assert_memory_equal(before, after, sizeof before);
    assert_false(tables_let_go());
    assert_true(tables_let_go());
    embedder_close(embedder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables_that_nobody_reads_are_let_go)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
