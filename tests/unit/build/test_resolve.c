/* SPDX-License-Identifier: Apache-2.0
 *
 * What a request may say of a recipe, and how it is told that it may not.
 */
#include "fake.h"

static const char *const recipe = "recipe: test\n"
                                  "budget: { tokens: 500, max: 1000 }\n"
                                  "deadline: 20s\n"
                                  "cache: { ttl: 1m }\n"
                                  "params:\n"
                                  "  user_id: { type: text, required: true }\n"
                                  "  count: { type: int, default: 3 }\n"
                                  "  ratio: { type: number }\n"
                                  "  day: { type: time }\n"
                                  "  loud: { type: bool }\n"
                                  "  tags: { type: list }\n"
                                  "  tone: { type: text, choices: [dry, warm] }\n"
                                  "sections:\n"
                                  "  - { name: tasks, from: fake, item: '{t}',\n"
                                  "      rows: 't={user_id}|{count}|{ratio}|{day}|{loud}|{tags}|{tone}' }\n"
                                  "  - { name: calendar, from: fake }\n";

#define MAX_GIVEN 4

struct asked {
    struct field params[MAX_GIVEN];
    struct build_request request;
};

static struct asked *ask(struct asked *asked)
{
    memset(asked, 0, sizeof *asked);
    asked->request = fake_request();
    asked->request.params = asked->params;
    asked->params[0] = (struct field){STR_LIT("user_id"), value_text(STR_LIT("demo"))};
    asked->request.n_params = 1;
    return asked;
}

static void give(struct asked *asked, const char *name, struct value value)
{
    asked->params[asked->request.n_params++] = (struct field){str_of(name), value};
}

static void assert_refused(const struct asked *asked, int code, const char *field, const char *part)
{
    struct fixture fixture;
    struct build_outcome outcome;
    struct err_info err = {0};
    fixture_init(&fixture, recipe);
    assert_int_equal(build_run(fixture.engine, &asked->request, &outcome, &err), code);
    assert_string_equal(err.field, field);
    if (!strstr(err.message, part))
        fail_msg("'%s' is not in: %s", part, err.message);
    /* A front thread that only peeks is told the same. */
    assert_int_equal(build_peek(fixture.engine, &asked->request, &outcome, &err), code);
    assert_int_equal(world.n_runs, 0);
    fixture_done(&fixture);
}

static void assert_says(const struct asked *asked, const char *wanted)
{
    struct fixture fixture;
    fixture_init(&fixture, recipe);
    struct build_answer *answer = fixture_build(&fixture, &asked->request);
    assert_text(answer->context, wanted);
    build_answer_unref(answer);
    fixture_done(&fixture);
}

static void unknown_recipe_names_the_nearest(void **state)
{
    (void)state;
    struct asked asked;
    ask(&asked)->request.recipe = STR_LIT("tets");
    assert_refused(&asked, ERR_NOT_FOUND, "recipe", "there is no recipe 'tets'; did you mean 'test'?");
    ask(&asked)->request.recipe = STR_LIT("gardening");
    assert_refused(&asked, ERR_NOT_FOUND, "recipe", "there is no recipe 'gardening'");
}

static void missing_parameter_is_named(void **state)
{
    (void)state;
    struct asked asked;
    ask(&asked)->request.n_params = 0;
    assert_refused(&asked, ERR_INVALID, "params.user_id", "params.user_id is required");
    ask(&asked)->params[0].value = value_null();
    assert_refused(&asked, ERR_INVALID, "params.user_id", "required");
    ask(&asked)->params[0].value = value_text(STR_LIT(""));
    assert_refused(&asked, ERR_INVALID, "params.user_id", "required");
}

static void unknown_parameter_lists_the_known(void **state)
{
    (void)state;
    struct asked asked;
    give(ask(&asked), "user", value_int(1));
    assert_refused(&asked, ERR_INVALID, "params.user",
                   "known: user_id, count, ratio, day, loud, tags and tone");
}

static void mistyped_parameter_says_what_it_must_be(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct value value;
        const char *part;
    } wrong[] = {
        {"count", {VALUE_TEXT, {.text = {"many", 4}}}, "must be a whole number"},
        {"count", {VALUE_REAL, {.real = 1.5}}, "must be a whole number"},
        {"ratio", {VALUE_BOOL, {.boolean = true}}, "must be a number"},
        {"day", {VALUE_TEXT, {.text = {"soon", 4}}}, "must be a time"},
        {"loud", {VALUE_INT, {.integer = 1}}, "must be true or false"},
        {"tags", {VALUE_TEXT, {.text = {"x", 1}}}, "must be a list"},
        {"tags", {VALUE_JSON, {.text = {"{}", 2}}}, "must be a list"},
        {"tone", {VALUE_TEXT, {.text = {"loud", 4}}}, "must be one of: dry, warm"},
        {"tone", {VALUE_INT, {.integer = 3}}, "must be one of: dry, warm"},
        {"tone", {VALUE_BOOL, {.boolean = true}}, "must be text, not"},
        {"tone", {VALUE_TEXT, {.text = {"\xFF", 1}}}, "must be text, not malformed"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct asked asked;
        char field[64];
        give(ask(&asked), wrong[i].name, wrong[i].value);
        (void)snprintf(field, sizeof field, "params.%s", wrong[i].name);
        assert_refused(&asked, ERR_INVALID, field, wrong[i].part);
    }
}

static void parameters_are_converted_and_fallbacks_filled_in(void **state)
{
    (void)state;
    struct asked asked;
    assert_says(ask(&asked), "demo|3|||||");
    give(ask(&asked), "count", value_text(STR_LIT("0")));
    give(&asked, "ratio", value_int(2));
    give(&asked, "loud", value_text(STR_LIT("false")));
    assert_says(&asked, "demo|0|2||false||");
    give(ask(&asked), "day", value_text(STR_LIT("2026-11-21")));
    give(&asked, "tone", value_text(STR_LIT("dry")));
    give(&asked, "count", value_real(5.0));
    assert_says(&asked, "demo|5||2026-11-21T00:00:00Z|||dry");
    ask(&asked)->params[0].value = value_int(-42);
    assert_says(&asked, "-42|3|||||");
}

static void unknown_section_is_named_by_its_place(void **state)
{
    (void)state;
    struct asked asked;
    static const struct str names[] = {{"tasks", 5}, {"calender", 8}};
    ask(&asked)->request.sections = names;
    asked.request.n_sections = 2;
    asked.request.has_sections = true;
    assert_refused(&asked, ERR_INVALID, "sections[1]", "no section 'calender'; known: tasks and calendar");
}

static void budget_must_be_within_the_recipes(void **state)
{
    (void)state;
    struct asked asked;
    ask(&asked)->request.max_tokens = 15;
    assert_refused(&asked, ERR_INVALID, "max_tokens", "between 16 and 1000, not 15");
    ask(&asked)->request.max_tokens = 1001;
    assert_refused(&asked, ERR_INVALID, "max_tokens", "between 16 and 1000");
    ask(&asked)->request.max_tokens = -1;
    assert_refused(&asked, ERR_INVALID, "max_tokens", "between 16 and 1000");
    ask(&asked)->request.max_tokens = 16;
    assert_says(&asked, "demo|3|||||");
}

static void deadline_and_tokenizer_are_checked(void **state)
{
    (void)state;
    struct asked asked;
    ask(&asked)->request.deadline_ms = 60001;
    assert_refused(&asked, ERR_INVALID, "deadline_ms", "between 1 and 60000");
    ask(&asked)->request.tokenizer = STR_LIT("gpt9");
    assert_refused(&asked, ERR_INVALID, "tokenizer", "there is no tokenizer 'gpt9'; known:");
}

static void what_is_too_long_is_refused(void **state)
{
    (void)state;
    struct asked asked;
    static char letters[BUILD_MAX_QUERY_BYTES + 1];
    memset(letters, 'x', sizeof letters);
    ask(&asked)->params[0].value = value_text(str_make(letters, MEMORY_MAX_USER_BYTES + 1));
    assert_refused(&asked, ERR_INVALID, "params.user_id", "256 bytes");
    ask(&asked)->request.query = str_make(letters, sizeof letters);
    assert_refused(&asked, ERR_LIMIT, "query", "bytes at most");
    give(ask(&asked), "tone", value_text(str_make(letters, sizeof letters)));
    assert_refused(&asked, ERR_LIMIT, "params.tone", "bytes at most");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_recipe_names_the_nearest),
        cmocka_unit_test(missing_parameter_is_named),
        cmocka_unit_test(unknown_parameter_lists_the_known),
        cmocka_unit_test(mistyped_parameter_says_what_it_must_be),
        cmocka_unit_test(parameters_are_converted_and_fallbacks_filled_in),
        cmocka_unit_test(unknown_section_is_named_by_its_place),
        cmocka_unit_test(budget_must_be_within_the_recipes),
        cmocka_unit_test(deadline_and_tokenizer_are_checked),
        cmocka_unit_test(what_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
