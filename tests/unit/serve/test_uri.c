/* SPDX-License-Identifier: Apache-2.0
 *
 * Targets: what is taken apart, and what is refused.
 */
#include "core/str.h"
#include "serve/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static int set_up(void **state)
{
    static struct arena arena;
    arena_init(&arena, 64 * 1024);
    *state = &arena;
    return 0;
}

static int tear_down(void **state)
{
    arena_done(*state);
    return 0;
}

static struct uri parse_good(void **state, const char *target)
{
    struct uri uri;
    assert_int_equal(uri_parse(str_of(target), *state, &uri, NULL), 0);
    return uri;
}

static int parse_bad(void **state, const char *target)
{
    struct uri uri;
    struct err_info err = {0};
    int rc = uri_parse(str_of(target), *state, &uri, &err);
    assert_true(rc < 0);
    assert_true(err.message[0]);
    return rc;
}

static void expect(struct str is, const char *should)
{
    if (!str_is(is, should))
        fail_msg("'%.*s' should be '%s'", STR_ARG(is), should);
}

static void root_has_no_segments(void **state)
{
    assert_int_equal(parse_good(state, "/").n_segments, 0);
    assert_int_equal(parse_good(state, "/?").n_segments, 0);
}

static void trailing_slash_is_another_path(void **state)
{
    assert_int_equal(parse_good(state, "/memory").n_segments, 1);
    struct uri uri = parse_good(state, "/memory/");
    assert_int_equal(uri.n_segments, 2);
    expect(uri.segments[1], "");
}

static void encoded_slash_stays_in_its_segment(void **state)
{
    struct uri uri = parse_good(state, "/preferences/a%2Fb%20c");
    assert_int_equal(uri.n_segments, 2);
    expect(uri.segments[1], "a/b c");
}

static void plus_is_a_space_in_the_query_only(void **state)
{
    struct uri uri = parse_good(state, "/a+b?q=c+d%2B");
    expect(uri.segments[0], "a+b");
    expect(uri.params[0].value, "c d+");
}

static void query_keeps_order_repeats_and_empty_values(void **state)
{
    struct uri uri = parse_good(state, "/s?tags=a&tags=b&&empty=&bare&x=1=2");
    assert_int_equal(uri.n_params, 5);
    expect(uri.params[0].value, "a");
    expect(uri.params[1].value, "b");
    expect(uri.params[2].name, "empty");
    expect(uri.params[2].value, "");
    expect(uri.params[3].name, "bare");
    expect(uri.params[4].value, "1=2");
}

static void decodes_utf8(void **state)
{
    expect(parse_good(state, "/s?q=%E6%97%A5%e6%9c%ac").params[0].value, "日本");
}

static void absolute_form_gives_authority_and_path(void **state)
{
    struct uri uri = parse_good(state, "http://localhost:8080/healthz?a=b");
    expect(uri.authority, "localhost:8080");
    expect(uri.segments[0], "healthz");
    assert_int_equal(uri.n_params, 1);
    uri = parse_good(state, "HTTP://evil.com");
    expect(uri.authority, "evil.com");
    assert_int_equal(uri.n_segments, 0);
}

static void refuses_malformed_targets(void **state)
{
    static const char *const bad[] = {
        "/a b",    "/s?q=a\tb", "/\x7f",          "",
        "*",       "memory",    "https://x/",     "/%",
        "/%4",     "/%zz",      "/%00",           "/s?q=%",
        "/s?q=%0", "/s?q=%g1",  "/s?q=a%00b",     "/%ff",
        "/%c0%af", "/s?%e6=1",  "/s?q=%ED%A0%80", "/s?q=%F4%90%80%80",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse_bad(state, bad[i]), ERR_INVALID);
}

static void refuses_more_parameters_than_there_is_room(void **state)
{
    char target[256] = "/s?";
    size_t len = 3;
    for (int i = 0; i < URI_MAX_PARAMS; i++) {
        memcpy(target + len, "a=1&", 4);
        len += 4;
    }
    target[len] = '\0';
    assert_int_equal(parse_good(state, target).n_params, URI_MAX_PARAMS);
    memcpy(target + len, "a=1", 4);
    assert_int_equal(parse_bad(state, target), ERR_LIMIT);
}

static void a_path_deeper_than_any_route_is_cut(void **state)
{
    assert_int_equal(parse_good(state, "/1/2/3/4/5/6/7/8/9/10").n_segments, URI_MAX_SEGMENTS);
}

static void a_full_arena_is_an_error(void **state)
{
    (void)state;
    struct arena tiny;
    struct uri uri;
    arena_init(&tiny, 8);
    assert_true(uri_parse(STR_LIT("/%41%42%43%44%45%46%47%48%49"), &tiny, &uri, NULL) < 0);
    arena_done(&tiny);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(root_has_no_segments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(trailing_slash_is_another_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(encoded_slash_stays_in_its_segment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(plus_is_a_space_in_the_query_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(query_keeps_order_repeats_and_empty_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(decodes_utf8, set_up, tear_down),
        cmocka_unit_test_setup_teardown(absolute_form_gives_authority_and_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_malformed_targets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_more_parameters_than_there_is_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_path_deeper_than_any_route_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_arena_is_an_error, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
