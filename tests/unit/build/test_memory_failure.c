/* SPDX-License-Identifier: Apache-2.0
 *
 * The n-th allocation of a build fails, for every n: the answer is right, or labelled as partial, or the
 * error is clean; the cache and the engine go on.
 */
#include "../fail_mem.h"
#include "fake.h"

static const char *const recipe =
    "recipe: test\n"
    "deadline: 20s\n"
    "cache: { ttl: 1m, stale: 1h }\n"
    "params:\n"
    "  user_id: { type: text, required: true }\n"
    "resolve:\n"
    "  user: { from: polled, rows: 'place=Oslo,zone=Europe/Oslo' }\n"
    "zone: user.zone\n"
    "sections:\n"
    "  - { name: notes, title: Notes, from: fake, dedupe: true, shorten: true,\n"
    "      rows: 't=one\xC3\xA9;t=two;t=two;t=three', item: '- {t} ({user.place})' }\n"
    "  - { name: plain, from: fake, rows: 'a=1,b=$[1]', empty: none }\n"
    "  - { name: weather, title: Weather, from: polled, rows: 't={user.place}' }\n";

static struct build_request ask(enum build_format format)
{
    static struct field params[] = {{{"user_id", 7}, {VALUE_TEXT, {.text = {"ann", 3}}}}};
    struct build_request request = fake_request();
    request.params = params;
    request.n_params = 1;
    request.cache = CACHE_USE;
    request.format = format;
    request.wants_explain = true;
    request.max_tokens = 40;
    return request;
}

/* True when the build was what it is without failures. */
static bool build_with_failure_at(struct fixture *fixture, enum build_format format, int n, struct str whole)
{
    struct build_request request = ask(format);
    struct build_outcome outcome;
    struct err_info err = {0};
    bool is_whole = false;
    (void)build_cache_clear(fixture->engine, STR_LIT("acme"), true);
    fail_mem_at(n);
    int rc = build_run(fixture->engine, &request, &outcome, &err);
    bool has_failed = !fail_mem_is_pending();
    fail_mem_at(0);
    if (rc == 0) {
        /* Complete is right; anything less says so. */
        if (outcome.answer->is_complete)
            assert_true(str_eq(outcome.answer->context, whole));
        is_whole = !has_failed;
        build_answer_unref(outcome.answer);
    } else {
        assert_true(rc == ERR_NOMEM || rc == ERR_UNAVAILABLE);
        assert_true(err.message[0] != '\0');
    }
    return is_whole;
}

static void every_allocation_of_a_build_may_fail(void **state)
{
    (void)state;
    for (int format = FORMAT_MARKDOWN; format <= FORMAT_MESSAGES; format++) {
        struct fixture fixture;
        struct build_request request = ask((enum build_format)format);
        fixture_init(&fixture, recipe);
        struct build_answer *answer = fixture_build(&fixture, &request);
        int n = 1;
        while (n < 5000 && !build_with_failure_at(&fixture, (enum build_format)format, n, answer->context))
            n++;
        assert_in_range(n, 20, 4999);
        /* Nothing was broken for those who come after. */
        (void)build_cache_clear(fixture.engine, STR_LIT("acme"), true);
        struct build_answer *after = fixture_build(&fixture, &request);
        assert_true(after->is_complete && str_eq(after->context, answer->context));
        build_answer_unref(after);
        build_answer_unref(answer);
        fixture_done(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_of_a_build_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
