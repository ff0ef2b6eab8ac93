/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns of conversations: kept in order, read newest last, by their own user only.
 */
#include "memory_fixture.h"

static struct str say(struct fixture *f, struct scope scope, const char *session, const char *content)
{
    struct turn turn = {.session = str_of(session), .role = STR_LIT("user"), .content = str_of(content)};
    struct str id = {NULL, 0};
    if (conversation_add(f->memory, &scope, &turn, &f->arena, &id, &f->err))
        fail_msg("conversation_add: %s", f->err.message);
    return id;
}

/* The contents of what is listed, one letter each. */
static void expect_turns(struct fixture *f, struct scope scope, const char *session, size_t limit,
                         struct str before, const char *expected)
{
    struct turn *turns;
    size_t n;
    assert_int_equal(
        conversation_list(f->memory, &scope, str_of(session), limit, before, &f->arena, &turns, &n, &f->err),
        0);
    assert_int_equal(n, strlen(expected));
    for (size_t i = 0; i < n; i++)
        assert_int_equal(turns[i].content.ptr[0], expected[i]);
}

static void turn_comes_back_as_it_was_given(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of("acme", "ann");
    struct turn turn = {.session = STR_LIT("s1"),
                        .role = STR_LIT("assistant"),
                        .content = STR_LIT("Gerne!"),
                        .language = STR_LIT("de"),
                        .intent = STR_LIT("greet"),
                        .metadata = STR_LIT("{\"model\":\"m\"}"),
                        .created_us = 77};
    struct turn *turns;
    struct str id;
    size_t n;
    uint64_t before = memory_version(f->memory, &scope);
    assert_int_equal(conversation_add(f->memory, &scope, &turn, &f->arena, &id, &f->err), 0);
    assert_true(memory_version(f->memory, &scope) > before);
    assert_true(str_starts_with(id, STR_LIT("turn_")) && id.len == 27);
    assert_int_equal(
        conversation_list(f->memory, &scope, STR_LIT("s1"), 1, STR_LIT(""), &f->arena, &turns, &n, &f->err),
        0);
    assert_int_equal(n, 1);
    assert_true(str_eq(turns[0].id, id));
    assert_str(turns[0].session, "s1");
    assert_str(turns[0].role, "assistant");
    assert_str(turns[0].content, "Gerne!");
    assert_str(turns[0].language, "de");
    assert_str(turns[0].intent, "greet");
    assert_str(turns[0].metadata, "{\"model\":\"m\"}");
    assert_true(turns[0].created_us == 77);
}

static void newest_turns_come_oldest_first_page_by_page(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of("acme", "ann");
    struct str ids[5];
    static const char *const contents[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < 5; i++)
        ids[i] = say(f, scope, i == 1 ? "other" : "s", contents[i]);
    expect_turns(f, scope, "s", 3, STR_LIT(""), "cde");
    expect_turns(f, scope, "s", 3, ids[2], "a");
    expect_turns(f, scope, "s", 3, ids[0], "");
    expect_turns(f, scope, "", 10, STR_LIT(""), "abcde");
    expect_turns(f, scope, "", 2, ids[3], "bc");
    expect_turns(f, scope, "none", 10, STR_LIT(""), "");
}

static void other_users_and_tenants_see_nothing(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of("acme", "ann");
    struct turn *turns;
    size_t n;
    struct str id = say(f, scope, "s", "secret");
    struct scope others[] = {scope_of("acme", "bob"), scope_of("acm", "ann"), scope_of("Acme", "ann"),
                             scope_of("acme", "")};
    for (size_t i = 0; i < 4; i++) {
        expect_turns(f, others[i], "s", 10, STR_LIT(""), "");
        expect_turns(f, others[i], "", 10, STR_LIT(""), "");
        assert_int_equal(
            conversation_list(f->memory, &others[i], STR_LIT("s"), 10, id, &f->arena, &turns, &n, &f->err),
            ERR_INVALID);
        assert_string_equal(f->err.message, "there is no such turn");
    }
    assert_int_equal(conversation_list(f->memory, &scope, STR_LIT("s"), 10, STR_LIT("turn_none"), &f->arena,
                                       &turns, &n, &f->err),
                     ERR_INVALID);
    assert_string_equal(f->err.message, "there is no such turn");
}

static void bad_turn_is_refused_by_name(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of("acme", "ann");
    const struct turn good = {.session = STR_LIT("s"), .role = STR_LIT("tool"), .content = STR_LIT("x")};
    struct turn bad[5] = {good, good, good, good, good};
    static const char *const fields[] = {"session_id", "role", "content", "metadata", "language"};
    struct turn *turns;
    struct str id;
    size_t n;
    bad[0].session = STR_LIT("");
    bad[1].role = STR_LIT("User");
    bad[2].content = STR_LIT("");
    bad[3].metadata = STR_LIT("null");
    bad[4].language = STR_LIT("\xc3");
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(conversation_add(f->memory, &scope, &bad[i], &f->arena, &id, &f->err), ERR_INVALID);
        assert_string_equal(f->err.field, fields[i]);
    }
    assert_int_equal(
        conversation_list(f->memory, &scope, STR_LIT("s"), 0, STR_LIT(""), &f->arena, &turns, &n, &f->err),
        ERR_INVALID);
    assert_string_equal(f->err.field, "limit");
    expect_turns(f, scope, "", 10, STR_LIT(""), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(turn_comes_back_as_it_was_given),
        FIXTURE_TEST(newest_turns_come_oldest_first_page_by_page),
        FIXTURE_TEST(other_users_and_tenants_see_nothing),
        FIXTURE_TEST(bad_turn_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
