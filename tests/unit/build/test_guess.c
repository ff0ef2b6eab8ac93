/* SPDX-License-Identifier: Apache-2.0
 *
 * What a resolve will most likely bring is believed until it comes, and not a moment longer.
 */
#include "fake.h"

static int told(struct fixture *fixture, const char *wanted)
{
    struct build_request request = fake_request();
    int before = world.n_runs;
    struct build_answer *answer = fixture_build(fixture, &request);
    assert_text(answer->context, wanted);
    assert_true(answer->is_complete);
    build_answer_unref(answer);
    return world.n_runs - before;
}

/* So many runs meet from now on. */
static void let_meet(int n)
{
    pthread_mutex_lock(&world.lock);
    world.n_here = 0;
    world.n_meeting = n;
    pthread_mutex_unlock(&world.lock);
}

static void turn(bool is_turned)
{
    pthread_mutex_lock(&world.lock);
    world.is_turned = is_turned;
    pthread_mutex_unlock(&world.lock);
}

/* The two answer only when both were asked, though one needs the other. */
static void needs_of_a_known_resolve_are_asked_with_it(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, "recipe: test\n"
                           "deadline: 20s\n"
                           "resolve:\n"
                           "  device: { from: fake, rows: \"name=till;name=lamp\", how: meet }\n"
                           "sections:\n"
                           "  - { name: a, from: fake, rows: \"x=the {device.name}\", how: meet }\n");
    let_meet(1);
    assert_int_equal(told(&fixture, "- the till"), 2);
    let_meet(2);
    assert_int_equal(told(&fixture, "- the till"), 2);
    fixture_done(&fixture);
}

static const char *const turning =
    "recipe: test\n"
    "deadline: 20s\n"
    "resolve:\n"
    "  device: { from: fake, rows: \"name=till;name=lamp\", how: turning }\n"
    "sections:\n"
    "  - { name: a, from: polled, rows: \"x=the {device.name}\" }\n"
    "  - { name: b, from: polled, rows: \"x=all\" }\n"
    "  - { name: c, when: device.name, from: polled, rows: \"x={device.name}s\" }\n";

static void wrong_guess_leaves_no_trace(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, turning);
    assert_int_equal(told(&fixture, "- the till\n\n- all\n\n- tills"), 4);
    turn(true);
    assert_int_equal(told(&fixture, "- the lamp\n\n- all\n\n- lamps"), 8);
    turn(false);
    /* It has changed: it is believed again once it was the same a few times. */
    assert_int_equal(told(&fixture, "- the till\n\n- all\n\n- tills"), 4);
    assert_int_equal(told(&fixture, "- the till\n\n- all\n\n- tills"), 4);
    fixture_done(&fixture);
}

static void what_changes_all_the_time_is_soon_not_guessed(void **state)
{
    (void)state;
    struct fixture fixture;
    int n_runs = 0;
    fixture_init(&fixture, turning);
    for (int i = 0; i < 40; i++) {
        turn(i % 2);
        n_runs += told(&fixture, i % 2 ? "- the lamp\n\n- all\n\n- lamps" : "- the till\n\n- all\n\n- tills");
    }
    assert_int_equal(n_runs, 40 * 4 + 4); /* one guess */
    fixture_done(&fixture);
}

static void device_that_is_gone_is_not_found(void **state)
{
    (void)state;
    struct fixture fixture;
    struct build_outcome outcome;
    struct err_info err = {0};
    struct build_request request = fake_request();
    fixture_init(&fixture, "recipe: test\n"
                           "deadline: 20s\n"
                           "resolve:\n"
                           "  device: { from: fake, required: true, rows: \"name=till\", how: turning }\n"
                           "sections:\n"
                           "  - { name: a, from: polled, rows: \"x=the {device.name}\" }\n");
    assert_int_equal(told(&fixture, "- the till"), 2);
    turn(true);
    assert_int_equal(build_run(fixture.engine, &request, &outcome, &err), ERR_NOT_FOUND);
    turn(false);
    assert_int_equal(told(&fixture, "- the till"), 2);
    fixture_done(&fixture);
}

/* A resolve that fails after it was guessed: its needs fail with it. */
static void guess_does_not_stand_in_for_an_error(void **state)
{
    (void)state;
    struct fixture fixture;
    struct build_request request = fake_request();
    fixture_init(&fixture, "recipe: test\n"
                           "deadline: 20s\n"
                           "resolve:\n"
                           "  device: { from: fake, rows: \"name=till\", how: down }\n"
                           "sections:\n"
                           "  - { name: a, from: polled, rows: \"x=the {device.name}\" }\n");
    assert_int_equal(told(&fixture, "- the till"), 2);
    pthread_mutex_lock(&world.lock);
    world.is_down = true;
    pthread_mutex_unlock(&world.lock);
    struct build_answer *answer = fixture_build(&fixture, &request);
    assert_status(answer, "a", SECTION_FAILED);
    assert_text(answer->context, "");
    build_answer_unref(answer);
    fixture_done(&fixture);
}

static void one_tenant_s_resolve_tells_another_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    struct build_request request = fake_request();
    fixture_init(&fixture, turning);
    assert_int_equal(told(&fixture, "- the till\n\n- all\n\n- tills"), 4);
    turn(true);
    request.tenant = STR_LIT("other");
    int before = world.n_runs;
    build_answer_unref(fixture_build(&fixture, &request));
    assert_int_equal(world.n_runs - before, 4); /* no guess was wrong: there was none */
    fixture_done(&fixture);
}

static void cleared_tenant_is_guessed_no_more(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, turning);
    assert_int_equal(told(&fixture, "- the till\n\n- all\n\n- tills"), 4);
    (void)build_cache_clear(fixture.engine, STR_LIT("acme"), true);
    turn(true);
    assert_int_equal(told(&fixture, "- the lamp\n\n- all\n\n- lamps"), 4);
    fixture_done(&fixture);
}

/* What is sent to such a source is sent once, and for certain. */
static void nothing_is_guessed_where_asking_has_effects(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, "recipe: test\n"
                           "deadline: 20s\n"
                           "resolve:\n"
                           "  device: { from: fake, rows: \"name=till;name=lamp\", how: turning }\n"
                           "sections:\n"
                           "  - { name: a, from: careful, rows: \"x=the {device.name}\" }\n");
    assert_int_equal(told(&fixture, "- the till"), 2);
    turn(true);
    assert_int_equal(told(&fixture, "- the lamp"), 2);
    fixture_done(&fixture);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(needs_of_a_known_resolve_are_asked_with_it),
        cmocka_unit_test(wrong_guess_leaves_no_trace),
        cmocka_unit_test(what_changes_all_the_time_is_soon_not_guessed),
        cmocka_unit_test(device_that_is_gone_is_not_found),
        cmocka_unit_test(guess_does_not_stand_in_for_an_error),
        cmocka_unit_test(one_tenant_s_resolve_tells_another_nothing),
        cmocka_unit_test(cleared_tenant_is_guessed_no_more),
        cmocka_unit_test(nothing_is_guessed_where_asking_has_effects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
