/* SPDX-License-Identifier: Apache-2.0
 *
 * Sources at the same time, in the order their needs allow, each with its own failure.
 */
#include "fake.h"

static struct build_answer *build_yaml(struct fixture *fixture, const char *yaml)
{
    struct build_request request = fake_request();
    fixture_init(fixture, yaml);
    return fixture_build(fixture, &request);
}

static void finish(struct fixture *fixture, struct build_answer *answer)
{
    build_answer_unref(answer);
    fixture_done(fixture);
}

/* Each of the three answers only when all three were asked. */
static void all_sources_are_asked_at_once(void **state)
{
    (void)state;
    struct fixture fixture;
    world.n_meeting = 3;
    struct build_answer *answer = build_yaml(&fixture, "recipe: test\n"
                                                       "deadline: 20s\n"
                                                       "sections:\n"
                                                       "  - { name: a, from: fake, rows: x=1, how: meet }\n"
                                                       "  - { name: b, from: polled, rows: x=2 }\n"
                                                       "  - { name: c, from: fake, rows: x=3, how: meet }\n"
                                                       "  - { name: d, from: polled, rows: x=4, how: once }\n"
                                                       "  - { name: e, from: fake, rows: x=5, how: meet }\n");
    for (size_t i = 0; i < answer->n_sections; i++)
        assert_int_equal(answer->sections[i].status, SECTION_OK);
    assert_true(answer->is_complete);
    assert_text(answer->context, "- 1\n\n- 2\n\n- 3\n\n- 4\n\n- 5");
    finish(&fixture, answer);
}

/* `slow` answers only once `late` runs, which needs `first`: waiting for everything before going on would
 * never end. */
static void step_starts_the_moment_its_need_arrives(void **state)
{
    (void)state;
    struct fixture fixture;
    world.n_meeting = 2;
    struct build_answer *answer =
        build_yaml(&fixture, "recipe: test\n"
                             "deadline: 20s\n"
                             "resolve:\n"
                             "  first: { from: fake, rows: \"place=Oslo\" }\n"
                             "sections:\n"
                             "  - { name: slow, from: fake, rows: x=1, how: meet }\n"
                             "  - { name: late, from: fake, rows: \"x={first.place}\", how: meet }\n");
    assert_text(answer->context, "- 1\n\n- Oslo");
    finish(&fixture, answer);
}

static void section_may_need_a_section(void **state)
{
    (void)state;
    struct fixture fixture;
    struct build_answer *answer =
        build_yaml(&fixture, "recipe: test\n"
                             "deadline: 20s\n"
                             "sections:\n"
                             "  - { name: weather, from: fake, rows: \"w=rain in {profile.city}\" }\n"
                             "  - { name: profile, from: polled, rows: \"city=Rome\" }\n");
    assert_text(answer->context, "- rain in Rome\n\n- Rome");
    finish(&fixture, answer);
}

static void failing_source_costs_its_section_and_nothing_else(void **state)
{
    (void)state;
    struct fixture fixture;
    struct build_answer *answer =
        build_yaml(&fixture, "recipe: test\n"
                             "deadline: 20s\n"
                             "sections:\n"
                             "  - { name: a, from: fake, rows: x=1, how: fail }\n"
                             "  - { name: b, from: fake, rows: x=2 }\n"
                             "  - { name: c, from: polled, rows: x=3, how: fail }\n");
    assert_status(answer, "a", SECTION_FAILED);
    assert_text(report_of(answer, "a")->error, "fake: no such table");
    assert_status(answer, "b", SECTION_OK);
    assert_status(answer, "c", SECTION_FAILED);
    assert_text(report_of(answer, "c")->error, "polled: nobody listens");
    assert_false(answer->is_complete);
    assert_text(answer->context, "- 2");
    finish(&fixture, answer);
}

static void slow_source_costs_its_section_and_the_answer_comes_in_time(void **state)
{
    (void)state;
    struct fixture fixture;
    struct build_answer *answer =
        build_yaml(&fixture, "recipe: test\n"
                             "deadline: 300ms\n"
                             "sections:\n"
                             "  - { name: a, from: fake, rows: x=1, how: hang }\n"
                             "  - { name: b, from: fake, rows: x=2 }\n"
                             "  - { name: c, from: polled, rows: x=3, how: hang }\n");
    assert_status(answer, "a", SECTION_TIMEOUT);
    assert_status(answer, "b", SECTION_OK);
    assert_status(answer, "c", SECTION_TIMEOUT);
    assert_true(str_starts_with(report_of(answer, "a")->error, STR_LIT("no answer within")));
    assert_false(answer->is_complete);
    finish(&fixture, answer);
}

static void time_spent_in_a_queue_counts_against_the_deadline(void **state)
{
    (void)state;
    struct fixture fixture;
    struct build_request request = fake_request();
    fixture_init_with(&fixture,
                      "recipe: test\n"
                      "deadline: 1s\n"
                      "sections:\n"
                      "  - { name: a, from: polled, rows: x=1, how: once }\n",
                      NULL, true);
    int64_t now_us = clock_mono_us(&fixture.manual.base);
    request.asked_us = now_us - US_PER_SEC / 2;
    struct build_answer *answer = fixture_build(&fixture, &request);
    assert_status(answer, "a", SECTION_OK);
    build_answer_unref(answer);
    request.asked_us = now_us - US_PER_SEC + 1;
    answer = fixture_build(&fixture, &request);
    assert_status(answer, "a", SECTION_TIMEOUT);
    assert_false(answer->is_complete);
    finish(&fixture, answer);
}

/* The request would wait for an hour; the test would not end. */
static void step_with_a_timeout_of_its_own_is_not_waited_for_longer(void **state)
{
    (void)state;
    struct fixture fixture;
    struct build_answer *answer =
        build_yaml(&fixture, "recipe: test\n"
                             "deadline: 60s\n"
                             "sections:\n"
                             "  - { name: a, from: polled, rows: x=1, how: hang, timeout: 20ms }\n"
                             "  - { name: b, from: fake, rows: x=2 }\n");
    assert_status(answer, "a", SECTION_TIMEOUT);
    assert_status(answer, "b", SECTION_OK);
    finish(&fixture, answer);
}

static void with_every_source_down_there_is_still_an_answer(void **state)
{
    (void)state;
    struct fixture fixture;
    struct build_answer *answer = build_yaml(&fixture, "recipe: test\n"
                                                       "deadline: 20s\n"
                                                       "sections:\n"
                                                       "  - { name: a, from: fake, how: fail }\n"
                                                       "  - { name: b, from: polled, how: fail }\n");
    assert_int_equal(answer->context.len, 0);
    assert_false(answer->is_complete);
    finish(&fixture, answer);
}

static void dependent_of_a_failed_step_says_whom_it_needed(void **state)
{
    (void)state;
    struct fixture fixture;
    struct build_answer *answer =
        build_yaml(&fixture, "recipe: test\n"
                             "deadline: 20s\n"
                             "resolve:\n"
                             "  user: { from: fake, how: fail }\n"
                             "sections:\n"
                             "  - { name: a, from: fake, rows: \"x={user.id}\" }\n"
                             "  - { name: b, from: fake, rows: x=2 }\n"
                             "  - { name: c, from: fake, rows: x=3, when: user.id }\n");
    assert_status(answer, "a", SECTION_FAILED);
    assert_text(report_of(answer, "a")->error, "it needs 'user', which failed: fake: no such table");
    assert_status(answer, "b", SECTION_OK);
    assert_status(answer, "c", SECTION_FAILED);
    assert_int_equal(world.n_runs, 2);
    finish(&fixture, answer);
}

static void condition_without_a_value_skips(void **state)
{
    (void)state;
    struct fixture fixture;
    struct build_answer *answer =
        build_yaml(&fixture, "recipe: test\n"
                             "deadline: 20s\n"
                             "resolve:\n"
                             "  user: { from: fake, rows: \"id=7,place=~,zero=#0\" }\n"
                             "sections:\n"
                             "  - { name: a, from: fake, rows: x=1, when: user.place }\n"
                             "  - { name: b, from: fake, rows: x=2, when: user.zero }\n"
                             "  - { name: c, from: fake, rows: x=3, when: not user.place and user.id }\n"
                             "  - { name: d, from: fake, rows: x=4, when: query }\n");
    assert_status(answer, "a", SECTION_SKIPPED);
    assert_status(answer, "b", SECTION_OK);
    assert_status(answer, "c", SECTION_OK);
    assert_status(answer, "d", SECTION_SKIPPED);
    assert_true(answer->is_complete);
    finish(&fixture, answer);
}

static void only_what_is_asked_or_needed_runs(void **state)
{
    (void)state;
    struct fixture fixture;
    static const struct str names[] = {{"weather", 7}};
    struct build_request request = fake_request();
    request.sections = names;
    request.n_sections = 1;
    request.has_sections = true;
    fixture_init(&fixture, "recipe: test\n"
                           "deadline: 20s\n"
                           "resolve:\n"
                           "  idle: { from: fake, rows: x=1 }\n"
                           "sections:\n"
                           "  - { name: profile, from: polled, rows: \"city=Rome\" }\n"
                           "  - { name: tasks, from: fake, rows: x=1 }\n"
                           "  - { name: weather, from: fake, rows: \"w=rain in {profile.city}\" }\n");
    struct build_answer *answer = fixture_build(&fixture, &request);
    assert_text(answer->context, "- rain in Rome");
    assert_status(answer, "profile", SECTION_SKIPPED);
    assert_status(answer, "tasks", SECTION_SKIPPED);
    assert_int_equal(world.n_runs, 2);
    finish(&fixture, answer);
}

static void assert_build_fails(const char *yaml, const struct build_request *request, int code,
                               const char *part)
{
    struct fixture fixture;
    struct build_outcome outcome;
    struct err_info err = {0};
    fixture_init(&fixture, yaml);
    assert_int_equal(build_run(fixture.engine, request, &outcome, &err), code);
    if (!strstr(err.message, part))
        fail_msg("'%s' is not in: %s", part, err.message);
    fixture_done(&fixture);
}

/* The other section would never answer: what is missing is said at once. */
static void required_resolve_without_a_row_is_not_found(void **state)
{
    (void)state;
    struct build_request request = fake_request();
    struct field params[] = {{STR_LIT("device_id"), value_text(STR_LIT("d-17"))}};
    request.params = params;
    request.n_params = 1;
    assert_build_fails("recipe: test\n"
                       "deadline: 60s\n"
                       "params: { device_id: { type: text, required: true } }\n"
                       "resolve:\n"
                       "  device: { from: fake, required: true }\n"
                       "sections:\n"
                       "  - { name: a, from: polled, how: hang }\n",
                       &request, ERR_NOT_FOUND, "there is no device with device_id 'd-17'");
}

static void required_section_that_fails_fails_the_build(void **state)
{
    (void)state;
    struct build_request request = fake_request();
    assert_build_fails("recipe: test\n"
                       "deadline: 20s\n"
                       "sections:\n"
                       "  - { name: a, from: fake, how: fail, require: true }\n",
                       &request, ERR_UNAVAILABLE, "section 'a' is required and failed: fake: no such table");
}

static void note_failed(void *owner, const struct build_request *request, const struct recipe *recipe,
                        const struct section_report *report)
{
    (void)recipe;
    if (report->status != SECTION_FAILED)
        return;
    ++*(int *)owner;
    assert_true(str_is(request->request_id, "r1"));
    assert_true(str_is(report->from, "fake"));
    assert_int_equal(report->error_code, ERR_REMOTE);
}

static void observer_sees_every_section(void **state)
{
    (void)state;
    struct fixture fixture;
    int n_failed = 0;
    struct build_request request = fake_request();
    request.request_id = STR_LIT("r1");
    fixture_init(&fixture, "recipe: test\n"
                           "deadline: 20s\n"
                           "sections:\n"
                           "  - { name: a, from: fake, how: fail }\n"
                           "  - { name: b, from: fake, rows: x=1 }\n");
    build_engine_observe(fixture.engine, note_failed, &n_failed);
    struct build_answer *answer = fixture_build(&fixture, &request);
    assert_int_equal(n_failed, 1);
    finish(&fixture, answer);
}

/* ---- a source that stops when the room seems full ---- */

#define N_MANY 60

/* A recipe whose section has N_MANY rows, the first n_same of which say the same in so many words. */
static void init_brief(struct fixture *fixture, int n_same, int n_words)
{
    struct buf yaml;
    buf_init(&yaml, 1 << 20);
    buf_append_text(&yaml, "recipe: test\ndeadline: 20s\nbudget: { tokens: 600 }\nsections:\n"
                           "  - { name: a, from: fake, rows: x=before }\n"
                           "  - { name: b, from: brief, limit: 100, dedupe: true, rows: \"");
    for (int i = 0; i < N_MANY; i++) {
        buf_printf(&yaml, "x=row %d", i < n_same ? 0 : i);
        for (int word = 0; word < n_words; word++)
            buf_printf(&yaml, " word%d", (i < n_same ? 0 : i) * 7 + word);
        buf_append_byte(&yaml, ';');
    }
    buf_append_text(&yaml, "\" }\n  - { name: c, from: fake, rows: x=behind }\n");
    buf_append_byte(&yaml, 0);
    assert_int_equal(buf_error(&yaml), 0);
    fixture_init(fixture, buf_str(&yaml).ptr);
    buf_done(&yaml);
}

static void source_that_stopped_too_early_is_asked_again_for_all(void **state)
{
    (void)state;
    struct fixture fixture;
    struct build_request request = fake_request();
    init_brief(&fixture, SOURCE_ENOUGH_ROWS - 5, 3);
    struct build_answer *answer = fixture_build(&fixture, &request);
    assert_int_equal(world.n_runs, 4);
    assert_int_equal(report_of(answer, "b")->n_kept, N_MANY - (SOURCE_ENOUGH_ROWS - 5) + 1);
    assert_int_equal(report_of(answer, "a")->n_kept, 1);
    assert_int_equal(report_of(answer, "c")->n_kept, 1);
    assert_true(answer->is_complete);
    finish(&fixture, answer);
}

static void source_that_fills_the_room_is_asked_once(void **state)
{
    (void)state;
    struct fixture fixture;
    struct build_request request = fake_request();
    init_brief(&fixture, 1, 12);
    struct build_answer *answer = fixture_build(&fixture, &request);
    assert_int_equal(world.n_runs, 3);
    assert_true(answer->tokens > 570);
    finish(&fixture, answer);
}

static void what_was_brought_stands_where_asking_again_fails(void **state)
{
    (void)state;
    struct fixture fixture;
    struct build_request request = fake_request();
    init_brief(&fixture, SOURCE_ENOUGH_ROWS - 5, 3);
    world.is_down = true;
    struct build_answer *answer = fixture_build(&fixture, &request);
    assert_int_equal(report_of(answer, "b")->n_kept, 6);
    assert_status(answer, "b", SECTION_OK);
    finish(&fixture, answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sources_are_asked_at_once),
        cmocka_unit_test(step_starts_the_moment_its_need_arrives),
        cmocka_unit_test(section_may_need_a_section),
        cmocka_unit_test(failing_source_costs_its_section_and_nothing_else),
        cmocka_unit_test(slow_source_costs_its_section_and_the_answer_comes_in_time),
        cmocka_unit_test(time_spent_in_a_queue_counts_against_the_deadline),
        cmocka_unit_test(step_with_a_timeout_of_its_own_is_not_waited_for_longer),
        cmocka_unit_test(with_every_source_down_there_is_still_an_answer),
        cmocka_unit_test(dependent_of_a_failed_step_says_whom_it_needed),
        cmocka_unit_test(condition_without_a_value_skips),
        cmocka_unit_test(only_what_is_asked_or_needed_runs),
        cmocka_unit_test(required_resolve_without_a_row_is_not_found),
        cmocka_unit_test(required_section_that_fails_fails_the_build),
        cmocka_unit_test(observer_sees_every_section),
        cmocka_unit_test(source_that_stopped_too_early_is_asked_again_for_all),
        cmocka_unit_test(source_that_fills_the_room_is_asked_once),
        cmocka_unit_test(what_was_brought_stands_where_asking_again_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
