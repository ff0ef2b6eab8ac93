/* SPDX-License-Identifier: Apache-2.0
 *
 * Words and options of a command line.
 */
#include "cli/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct parsed {
    bool is_json;
    const char *recipe;
    int64_t max_tokens;
    struct args_list params;
    struct args_list words;
    struct err_info err;
};

/* Parses what the string says, split at spaces. */
static int parse(char *line, struct parsed *ret)
{
    char *argv[ARGS_MAX_LIST * 3];
    int argc = 0;
    char *save = NULL;
    *ret = (struct parsed){.max_tokens = -1};
    for (char *word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    const struct option own[] = {
        {"recipe", OPTION_TEXT, &ret->recipe, "NAME", "which recipe"},
        {"param", OPTION_LIST, &ret->params, "NAME=VALUE", "a parameter"},
        {"max-tokens", OPTION_INT, &ret->max_tokens, "N", "the budget"},
        OPTION_END,
    };
    const struct option globals[] = {{"json", OPTION_FLAG, &ret->is_json, NULL, "as JSON"}, OPTION_END};
    const struct option *tables[] = {own, globals};
    return args_parse(argc, argv, tables, 2, &ret->words, &ret->err);
}

static void options_of_both_tables_are_read(void **state)
{
    (void)state;
    char line[] = "one --recipe assistant --json --max-tokens=300 two";
    struct parsed parsed;
    assert_int_equal(parse(line, &parsed), 0);
    assert_string_equal(parsed.recipe, "assistant");
    assert_true(parsed.is_json);
    assert_int_equal(parsed.max_tokens, 300);
    assert_int_equal(parsed.words.n, 2);
    assert_string_equal(parsed.words.items[0], "one");
    assert_string_equal(parsed.words.items[1], "two");
}

static void repeated_option_keeps_order_and_later_equals(void **state)
{
    (void)state;
    char line[] = "--param a=1 --param=b=c=2";
    struct parsed parsed;
    assert_int_equal(parse(line, &parsed), 0);
    assert_int_equal(parsed.params.n, 2);
    assert_string_equal(parsed.params.items[0], "a=1");
    assert_string_equal(parsed.params.items[1], "b=c=2");
}

static void words_after_double_dash_are_no_options(void **state)
{
    (void)state;
    char line[] = "-- --json -";
    struct parsed parsed;
    assert_int_equal(parse(line, &parsed), 0);
    assert_false(parsed.is_json);
    assert_int_equal(parsed.words.n, 2);
    assert_string_equal(parsed.words.items[0], "--json");
    assert_string_equal(parsed.words.items[1], "-");
}

static void unknown_option_names_the_nearest(void **state)
{
    (void)state;
    char near[] = "--recpie x", far[] = "--zzzzzz x";
    struct parsed parsed;
    assert_int_equal(parse(near, &parsed), ERR_INVALID);
    assert_string_equal(parsed.err.message, "unknown option --recpie; did you mean --recipe?");
    assert_int_equal(parse(far, &parsed), ERR_INVALID);
    assert_string_equal(parsed.err.message, "unknown option --zzzzzz");
}

static void missing_and_needless_values_are_told(void **state)
{
    (void)state;
    char missing[] = "--recipe", needless[] = "--json=1";
    struct parsed parsed;
    assert_int_equal(parse(missing, &parsed), ERR_INVALID);
    assert_string_equal(parsed.err.message, "--recipe needs a value: NAME");
    assert_int_equal(parse(needless, &parsed), ERR_INVALID);
    assert_string_equal(parsed.err.message, "--json takes no value");
}

static void number_must_be_one(void **state)
{
    (void)state;
    static const char *const bad[] = {"12x", "-1", "1.5", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char line[64];
        struct parsed parsed;
        (void)snprintf(line, sizeof line, "--max-tokens %s", bad[i]);
        assert_int_equal(parse(line, &parsed), ERR_INVALID);
        assert_non_null(strstr(parsed.err.message, bad[i]));
        assert_int_equal(parsed.max_tokens, -1);
    }
}

static void list_beyond_its_maximum_is_refused(void **state)
{
    (void)state;
    char line[(ARGS_MAX_LIST + 1) * 2 + 1];
    struct parsed parsed;
    for (size_t i = 0; i < ARGS_MAX_LIST + 1; i++)
        memcpy(line + 2 * i, "w ", 2);
    line[sizeof line - 1] = '\0';
    assert_int_equal(parse(line, &parsed), ERR_INVALID);
    line[ARGS_MAX_LIST * 2] = '\0';
    for (size_t i = 0; i < ARGS_MAX_LIST; i++)
        memcpy(line + 2 * i, "w ", 2);
    assert_int_equal(parse(line, &parsed), 0);
    assert_int_equal(parsed.words.n, ARGS_MAX_LIST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_of_both_tables_are_read),
        cmocka_unit_test(repeated_option_keeps_order_and_later_equals),
        cmocka_unit_test(words_after_double_dash_are_no_options),
        cmocka_unit_test(unknown_option_names_the_nearest),
        cmocka_unit_test(missing_and_needless_values_are_told),
        cmocka_unit_test(number_must_be_one),
        cmocka_unit_test(list_beyond_its_maximum_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
