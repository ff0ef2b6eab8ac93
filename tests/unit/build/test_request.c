/* SPDX-License-Identifier: Apache-2.0 */
#include "build/build.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct given {
    struct arena arena;
    struct json *root;
    struct build_request request;
    struct err_info err;
    int rc;
};

static void read_body(struct given *given, const char *body)
{
    memset(given, 0, sizeof *given);
    arena_init(&given->arena, 1 << 20);
    assert_int_equal(json_parse(str_of(body), 32, &given->root, NULL), 0);
    given->rc = build_request_from_json(given->root, &given->arena, &given->request, &given->err);
}

static void given_done(struct given *given)
{
    json_free(given->root);
    arena_done(&given->arena);
}

static void assert_refused(const char *body, const char *field, const char *part)
{
    struct given given;
    read_body(&given, body);
    assert_true(given.rc < 0);
    assert_string_equal(given.err.field, field);
    if (!strstr(given.err.message, part))
        fail_msg("'%s' is not in: %s", part, given.err.message);
    given_done(&given);
}

static void every_member_is_read(void **state)
{
    (void)state;
    struct given given;
    read_body(&given,
              "{\"recipe\":\"assistant\",\"params\":{\"user_id\":\"demo\",\"n\":0,\"r\":1.5,\"b\":false,"
              "\"l\":[\"x\",1],\"z\":null},\"query\":\"what?\",\"sections\":[\"tasks\",\"calendar\"],"
              "\"max_tokens\":300,\"tokenizer\":\"approx\",\"format\":\"messages\",\"deadline_ms\":150,"
              "\"cache\":\"refresh\",\"explain\":true}");
    assert_int_equal(given.rc, 0);
    const struct build_request *request = &given.request;
    assert_true(str_is(request->recipe, "assistant"));
    assert_int_equal(request->n_params, 6);
    assert_true(str_is(field_find(request->params, 6, STR_LIT("user_id"))->text, "demo"));
    assert_int_equal(field_find(request->params, 6, STR_LIT("n"))->type, VALUE_INT);
    assert_true(field_find(request->params, 6, STR_LIT("r"))->real == 1.5);
    assert_int_equal(field_find(request->params, 6, STR_LIT("b"))->type, VALUE_BOOL);
    assert_true(str_is(field_find(request->params, 6, STR_LIT("l"))->text, "[\"x\",1]"));
    assert_int_equal(field_find(request->params, 6, STR_LIT("z"))->type, VALUE_NULL);
    assert_true(request->has_sections);
    assert_int_equal(request->n_sections, 2);
    assert_true(str_is(request->sections[1], "calendar"));
    assert_int_equal(request->max_tokens, 300);
    assert_int_equal(request->deadline_ms, 150);
    assert_int_equal(request->format, FORMAT_MESSAGES);
    assert_int_equal(request->cache, CACHE_REFRESH);
    assert_true(request->wants_explain);
    given_done(&given);
}

static void only_the_recipe_is_required(void **state)
{
    (void)state;
    struct given given;
    read_body(&given, "{\"recipe\":\"chat\",\"query\":null}");
    assert_int_equal(given.rc, 0);
    assert_false(given.request.has_sections);
    assert_int_equal(given.request.max_tokens, 0);
    given_done(&given);
    assert_refused("{}", "recipe", "required");
}

static void no_sections_is_not_all_sections(void **state)
{
    (void)state;
    struct given given;
    read_body(&given, "{\"recipe\":\"chat\",\"sections\":[]}");
    assert_int_equal(given.rc, 0);
    assert_true(given.request.has_sections);
    assert_int_equal(given.request.n_sections, 0);
    given_done(&given);
}

static void unknown_member_names_the_nearest(void **state)
{
    (void)state;
    assert_refused("{\"recipe\":\"a\",\"max_token\":5}", "max_token", "did you mean 'max_tokens'");
    assert_refused("{\"recipe\":\"a\",\"zzzzzzzz\":5}", "zzzzzzzz", "known are recipe");
}

static void wrong_types_name_the_field(void **state)
{
    (void)state;
    assert_refused("[]", "", "object");
    assert_refused("{\"recipe\":7}", "recipe", "text");
    assert_refused("{\"recipe\":\"a\",\"params\":[]}", "params", "object");
    assert_refused("{\"recipe\":\"a\",\"query\":{}}", "query", "text");
    assert_refused("{\"recipe\":\"a\",\"sections\":\"x\"}", "sections", "list");
    assert_refused("{\"recipe\":\"a\",\"sections\":[\"x\",3]}", "sections[1]", "text");
    assert_refused("{\"recipe\":\"a\",\"max_tokens\":\"many\"}", "max_tokens", "whole number");
    assert_refused("{\"recipe\":\"a\",\"max_tokens\":1.5}", "max_tokens", "whole number");
    assert_refused("{\"recipe\":\"a\",\"max_tokens\":0}", "max_tokens", "positive");
    assert_refused("{\"recipe\":\"a\",\"deadline_ms\":-1}", "deadline_ms", "positive");
    assert_refused("{\"recipe\":\"a\",\"format\":\"xml\"}", "format", "markdown, json or messages");
    assert_refused("{\"recipe\":\"a\",\"cache\":\"no\"}", "cache", "use, refresh or off");
    assert_refused("{\"recipe\":\"a\",\"explain\":1}", "explain", "true or false");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_is_read),
        cmocka_unit_test(only_the_recipe_is_required),
        cmocka_unit_test(no_sections_is_not_all_sections),
        cmocka_unit_test(unknown_member_names_the_nearest),
        cmocka_unit_test(wrong_types_name_the_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
