/* SPDX-License-Identifier: Apache-2.0
 *
 * Every allocation of every call fails once: the call says so, nothing is half done, and the next call is
 * right.
 */
#include "memory_fixture.h"

#include "../fail_mem.h"

/* Runs the call with the n-th allocation refused, for every n until none is; between two calls `check` tells
 * whether the call that returned `err` left things as it said. */
typedef int (*call_fn)(struct fixture *f, struct scope scope);
typedef void (*check_fn)(struct fixture *f, struct scope scope, int err);

static void fail_each(struct fixture *f, call_fn call, check_fn check)
{
    struct scope scope = scope_of("acme", "ann");
    bool has_failed = true;
    for (long n = 1; has_failed; n++) {
        f->err = (struct err_info){0};
        fail_mem_at(n);
        int err = call(f, scope);
        has_failed = !fail_mem_is_pending();
        fail_mem_at(0);
        arena_reset(&f->arena);
        if (err) {
            assert_int_equal(err, ERR_NOMEM);
            assert_true(f->err.message[0]);
        }
        check(f, scope, err);
        arena_reset(&f->arena);
        assert_true(has_failed || n > 1);
    }
}

static size_t n_items(struct fixture *f, struct scope scope)
{
    struct knowledge *items;
    struct str cursor;
    size_t n;
    assert_int_equal(
        knowledge_list(f->memory, &scope, 1000, STR_LIT(""), &f->arena, &items, &n, &cursor, &f->err), 0);
    return n;
}

/* ---- adding ---- */

static size_t n_expected;

static int add_three(struct fixture *f, struct scope scope)
{
    struct str tags[] = {STR_LIT("bird")}, ids[3];
    struct knowledge items[] = {item_of("penguin"), item_of("penguin"), item_of("penguin")};
    items[1].tags = tags;
    items[1].n_tags = 1;
    items[2].metadata = STR_LIT("{\"a\":[1,2]}");
    return knowledge_add(f->memory, &scope, items, 3, &f->arena, ids, &f->err);
}

static void three_or_none_were_added(struct fixture *f, struct scope scope, int err)
{
    n_expected += err ? 0 : 3;
    assert_int_equal(n_items(f, scope), n_expected);
    assert_int_equal(find(f, scope, "penguin").n, n_expected < 50 ? n_expected : 50);
}

static void adding_is_whole_or_nothing(void **state)
{
    n_expected = 0;
    fail_each(*state, add_three, three_or_none_were_added);
    assert_true(n_expected > 0);
}

/* ---- finding ---- */

static size_t n_degraded;

static int find_fresh(struct fixture *f, struct scope scope)
{
    struct str tags[] = {STR_LIT("bird")};
    struct knowledge_query query = query_of("penguin");
    struct memory *fresh = NULL;
    struct knowledge *items;
    const char *degraded = NULL;
    size_t n = 0;
    query.tags = tags;
    query.n_tags = 1;
    int err = memory_new(f->store, &f->clock.base, NULL, &fresh, &f->err);
    if (!err)
        err = knowledge_search(fresh, &scope, &query, &f->arena, &items, &n, &degraded, &f->err);
    if (!err && !degraded)
        assert_int_equal(n, 1);
    if (!err && degraded) {
        assert_true(str_starts_with(str_of(degraded), STR_LIT("the index is not up to date: ")));
        n_degraded++;
    }
    memory_free(fresh);
    return err;
}

static void nothing_to_check(struct fixture *f, struct scope scope, int err)
{
    (void)f;
    (void)scope;
    (void)err;
}

static void search_is_right_degraded_or_an_error(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add_three(f, scope_of("acme", "ann")), 0);
    n_degraded = 0;
    fail_each(f, find_fresh, nothing_to_check);
    assert_true(n_degraded > 0); /* a load that fails is told, and what is known is given */
}

/* ---- changing and forgetting ---- */

static int forget_all(struct fixture *f, struct scope scope)
{
    struct knowledge_rule rule = {.contains = STR_LIT("PENGUIN"), .before_us = INT64_MIN};
    struct str *ids;
    size_t n;
    return knowledge_forget(f->memory, &scope, &rule, false, &f->arena, &ids, &n, &f->err);
}

static void all_or_none_were_forgotten(struct fixture *f, struct scope scope, int err)
{
    assert_int_equal(n_items(f, scope), err ? 3 : 0);
    assert_int_equal(find(f, scope, "penguin").n, err ? 3 : 0);
    if (!err)
        assert_int_equal(add_three(f, scope), 0); /* for the next */
}

static void forgetting_is_whole_or_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add_three(f, scope_of("acme", "ann")), 0);
    fail_each(f, forget_all, all_or_none_were_forgotten);
}

/* ---- turns and preferences ---- */

static int speak_and_listen(struct fixture *f, struct scope scope)
{
    struct turn turn = {.session = STR_LIT("s"), .role = STR_LIT("user"), .content = STR_LIT("hi")};
    struct turn *turns;
    struct str id;
    size_t n;
    int err = conversation_add(f->memory, &scope, &turn, &f->arena, &id, &f->err);
    if (!err)
        err = conversation_list(f->memory, &scope, STR_LIT("s"), 5, id, &f->arena, &turns, &n, &f->err);
    return err;
}

static void turns_survive(void **state)
{
    fail_each(*state, speak_and_listen, nothing_to_check);
}

static int set_and_get(struct fixture *f, struct scope scope)
{
    struct preference preference = {.key = STR_LIT("k"), .value = STR_LIT("{\"a\":1}")}, *all;
    size_t n;
    int err = preference_set(f->memory, &scope, &preference, &f->err);
    if (!err)
        err = preference_get(f->memory, &scope, STR_LIT("k"), &f->arena, &preference, &f->err);
    if (!err)
        err = preference_list(f->memory, &scope, STR_LIT(""), &f->arena, &all, &n, &f->err);
    if (!err)
        err = preference_delete(f->memory, &scope, STR_LIT("k"), &f->err);
    return err;
}

static void preferences_survive(void **state)
{
    fail_each(*state, set_and_get, nothing_to_check);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(adding_is_whole_or_nothing),
        FIXTURE_TEST(search_is_right_degraded_or_an_error),
        FIXTURE_TEST(forgetting_is_whole_or_nothing),
        FIXTURE_TEST(turns_survive),
        FIXTURE_TEST(preferences_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
