/* SPDX-License-Identifier: Apache-2.0
 *
 * Preferences: one value a key, per tenant and user.
 */
#include "memory_fixture.h"

static void set(struct fixture *f, struct scope scope, const char *key, const char *value,
                const char *category)
{
    struct preference preference = {.key = str_of(key), .value = str_of(value), .category = str_of(category)};
    if (preference_set(f->memory, &scope, &preference, &f->err))
        fail_msg("preference_set: %s", f->err.message);
}

static void set_again_replaces_the_value_and_keeps_the_category(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of("acme", "ann");
    struct preference got;
    set(f, scope, "unit", "\"celsius\"", "display");
    clock_manual_advance(&f->clock, 5);
    uint64_t before = memory_version(f->memory, &scope);
    set(f, scope, "unit", "{\"t\":0}", "");
    assert_true(memory_version(f->memory, &scope) > before);
    assert_int_equal(preference_get(f->memory, &scope, STR_LIT("unit"), &f->arena, &got, &f->err), 0);
    assert_str(got.key, "unit");
    assert_str(got.value, "{\"t\":0}");
    assert_str(got.category, "display");
    assert_true(got.created_us == START_US && got.updated_us == START_US + 5);
    set(f, scope, "unit", "0", "other");
    assert_int_equal(preference_get(f->memory, &scope, STR_LIT("unit"), &f->arena, &got, &f->err), 0);
    assert_str(got.value, "0");
    assert_str(got.category, "other");
}

static void key_is_the_users_own(void **state)
{
    struct fixture *f = *state;
    struct scope scopes[] = {scope_of("acme", "ann"), scope_of("acme", "bob"), scope_of("acm", "ann"),
                             scope_of("acme", "")};
    static const char *const values[] = {"1", "2", "3", "4"};
    struct preference got, *all;
    size_t n;
    for (size_t i = 0; i < 4; i++)
        set(f, scopes[i], "unit", values[i], "");
    assert_int_equal(preference_delete(f->memory, &scopes[1], STR_LIT("unit"), &f->err), 0);
    assert_int_equal(preference_delete(f->memory, &scopes[1], STR_LIT("unit"), &f->err), 1);
    assert_int_equal(preference_get(f->memory, &scopes[1], STR_LIT("unit"), &f->arena, &got, &f->err), 1);
    for (size_t i = 0; i < 4; i++) {
        if (i == 1)
            continue;
        assert_int_equal(preference_get(f->memory, &scopes[i], STR_LIT("unit"), &f->arena, &got, &f->err), 0);
        assert_str(got.value, values[i]);
        assert_int_equal(preference_list(f->memory, &scopes[i], STR_LIT(""), &f->arena, &all, &n, &f->err),
                         0);
        assert_int_equal(n, 1);
    }
}

static void list_is_by_key_and_category(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of("acme", "ann");
    struct preference *all;
    size_t n;
    set(f, scope, "b", "1", "x");
    set(f, scope, "c", "2", "y");
    set(f, scope, "a", "3", "x");
    assert_int_equal(preference_list(f->memory, &scope, STR_LIT(""), &f->arena, &all, &n, &f->err), 0);
    assert_int_equal(n, 3);
    assert_str(all[0].key, "a");
    assert_str(all[2].key, "c");
    assert_int_equal(preference_list(f->memory, &scope, STR_LIT("x"), &f->arena, &all, &n, &f->err), 0);
    assert_int_equal(n, 2);
    assert_str(all[1].key, "b");
    assert_int_equal(preference_list(f->memory, &scope, STR_LIT("X"), &f->arena, &all, &n, &f->err), 0);
    assert_int_equal(n, 0);
}

static void bad_preference_is_refused_by_name(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of("acme", "ann");
    char large[256];
    memset(large, 'k', sizeof(large));
    struct preference bad[] = {
        {.key = STR_LIT(""), .value = STR_LIT("1")},
        {.key = {large, sizeof(large)}, .value = STR_LIT("1")},
        {.key = STR_LIT("k"), .value = STR_LIT("")},
        {.key = STR_LIT("k"), .value = STR_LIT("celsius")},
        {.key = STR_LIT("k"), .value = STR_LIT("1"), .category = {large, sizeof(large)}},
    };
    static const char *const fields[] = {"key", "key", "value", "value", "category"};
    struct preference *all;
    size_t n;
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(preference_set(f->memory, &scope, &bad[i], &f->err), ERR_INVALID);
        assert_string_equal(f->err.field, fields[i]);
    }
    assert_int_equal(preference_list(f->memory, &scope, STR_LIT(""), &f->arena, &all, &n, &f->err), 0);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(set_again_replaces_the_value_and_keeps_the_category),
        FIXTURE_TEST(key_is_the_users_own),
        FIXTURE_TEST(list_is_by_key_and_category),
        FIXTURE_TEST(bad_preference_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
