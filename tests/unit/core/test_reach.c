/* SPDX-License-Identifier: Apache-2.0
 *
 * Reaching into JSON that values hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/reach.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 64 * 1024);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static struct value reach(struct value whole, const char *path, size_t max_bytes)
{
    struct json *root = value_parse_json(&whole, &arena);
    struct value value = value_of_json(json_reach(root, str_of(path)), max_bytes, &arena);
    json_free(root);
    return value;
}

static void a_path_goes_through_members_and_elements(void **state)
{
    (void)state;
    struct value whole = value_json(STR_LIT("{\"hours\":[{\"open\":\"9:00\"},{\"open\":10}],\"on\":true}"));
    assert_true(str_is(reach(whole, "hours.0.open", 100).text, "9:00"));
    assert_int_equal(reach(whole, "hours.1.open", 100).integer, 10);
    assert_true(reach(whole, "on", 100).boolean);
    struct value element = reach(whole, "hours.1", 100);
    assert_int_equal(element.type, VALUE_JSON);
    assert_true(str_is(element.text, "{\"open\":10}"));
}

static void what_is_not_there_is_null(void **state)
{
    (void)state;
    static const char *const paths[] = {"b", "a.2", "a.-1", "a.x", "a.0.deeper"};
    struct value whole = value_text(STR_LIT(" {\"a\":[1,2]} ")); /* text that is JSON counts as such */
    assert_int_equal(reach(whole, "a.1", 100).integer, 2);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(reach(whole, paths[i], 100).type, VALUE_NULL);
    assert_int_equal(reach(value_text(STR_LIT("no JSON")), "a", 100).type, VALUE_NULL);
    assert_int_equal(reach(value_int(5), "a", 100).type, VALUE_NULL);
    assert_int_equal(arena_error(&arena), 0);
}

static void what_is_too_large_latches(void **state)
{
    (void)state;
    (void)reach(value_json(STR_LIT("{\"a\":[1,2,3,4,5,6,7,8,9]}")), "a", 8);
    assert_int_equal(arena_error(&arena), ERR_LIMIT);
}

static void emptiness_knows_empty_json(void **state)
{
    (void)state;
    struct value empty = value_json(STR_LIT(" [] ")), zero = value_int(0), full = value_json(STR_LIT("[0]"));
    assert_true(value_is_absent(NULL));
    assert_true(value_is_absent(&empty));
    assert_false(value_is_absent(&zero));
    assert_false(value_is_absent(&full));
}

#define REACH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void pointer_names_what_the_standard_says(void **state)
{
    (void)state;
    /* RFC 6901, section 5, and what names nothing */
    static const char text[] =
        "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,"
        "\"k\\\"l\":6,\" \":7,\"m~n\":8}";
    static const struct {
        const char *pointer;
        int64_t number; /* -1: nothing */
    } cases[] = {{"/", 0},        {"/a~1b", 1},    {"/c%d", 2},     {"/e^f", 3},  {"/g|h", 4},
                 {"/i\\j", 5},    {"/k\"l", 6},    {"/ ", 7},       {"/m~0n", 8}, {"/foo/2", -1},
                 {"/foo/00", -1}, {"/foo/-", -1},  {"/foo/-1", -1}, {"/nix", -1}, {"/m~1n", -1},
                 {"foo", -1},     {"/foo/0/x", -1}};
    struct json *root = NULL;
    assert_int_equal(json_parse(str_of(text), 5, &root, NULL), 0);
    assert_ptr_equal(json_pointer(root, STR_LIT("")), root);
    assert_true(str_is(json_text_of(json_pointer(root, STR_LIT("/foo/0"))), "bar"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct json *node = json_pointer(root, str_of(cases[i].pointer));
        assert_int_equal(node ? json_int_of(node) : -1, cases[i].number);
    }
    json_free(root);
    assert_true(json_pointer_is_valid(STR_LIT("/a~0~1")) && json_pointer_is_valid(STR_LIT("")));
    assert_false(json_pointer_is_valid(STR_LIT("/a~")) || json_pointer_is_valid(STR_LIT("/~2")) ||
                 json_pointer_is_valid(STR_LIT("a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pointer_names_what_the_standard_says),
        REACH_TEST(a_path_goes_through_members_and_elements),
        REACH_TEST(what_is_not_there_is_null),
        REACH_TEST(what_is_too_large_latches),
        REACH_TEST(emptiness_knows_empty_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
