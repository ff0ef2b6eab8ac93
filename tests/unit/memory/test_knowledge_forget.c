/* SPDX-License-Identifier: Apache-2.0
 *
 * Forgetting by rule: exactly what the rule says, and a dry run that tells the same and does nothing.
 */
#include "memory_fixture.h"

struct garden {
    struct scope scope;
    struct str ids[5];
};

/* Five items that differ in each thing a rule can name. */
static struct garden plant(struct fixture *f)
{
    static struct str red[] = {STR_LIT("red")}, both[] = {STR_LIT("sweet"), STR_LIT("red")};
    struct garden garden = {.scope = scope_of("acme", "ann")};
    struct knowledge items[] = {item_of("An Apple"), item_of("a cherry"), item_of("a lemon"),
                                item_of("ÄPFEL und Birnen"), item_of("pineapple juice")};
    items[0].tags = red;
    items[0].n_tags = 1;
    items[1].tags = both;
    items[1].n_tags = 2;
    items[2].source = STR_LIT("mail");
    items[3].source = STR_LIT("mail");
    for (size_t i = 0; i < 5; i++) {
        items[i].created_us = START_US + (int64_t)i;
        garden.ids[i] = add_item(f, garden.scope, items[i]);
    }
    add(f, scope_of("acme", "bob"), "An Apple");
    return garden;
}

/* kept: a letter an item, 'x' for those that must go. */
static void expect_forgotten(struct fixture *f, struct knowledge_rule rule, const char *expected)
{
    struct garden garden = plant(f);
    struct knowledge got;
    for (size_t pass = 0; pass < 2; pass++) { /* dry, then in earnest */
        struct str *ids;
        size_t n, n_expected = 0;
        assert_int_equal(
            knowledge_forget(f->memory, &garden.scope, &rule, pass == 0, &f->arena, &ids, &n, &f->err), 0);
        for (size_t i = 0; i < 5; i++) {
            bool is_gone =
                knowledge_get(f->memory, &garden.scope, garden.ids[i], &f->arena, &got, &f->err) == 1;
            assert_int_equal(is_gone, pass == 1 && expected[i] == 'x');
            if (expected[i] == 'x')
                assert_true(str_eq(ids[n_expected++], garden.ids[i]));
        }
        assert_int_equal(n, n_expected);
    }
    assert_int_equal(find(f, scope_of("acme", "bob"), "apple").n, 1);
}

static void forgets_by_tags_all_of_them(void **state)
{
    struct str tags[] = {STR_LIT("red"), STR_LIT("sweet")};
    expect_forgotten(*state, (struct knowledge_rule){.tags = tags, .n_tags = 2, .before_us = INT64_MIN},
                     ".x...");
}

static void forgets_by_one_tag(void **state)
{
    struct str tags[] = {STR_LIT("red")};
    expect_forgotten(*state, (struct knowledge_rule){.tags = tags, .n_tags = 1, .before_us = INT64_MIN},
                     "xx...");
}

static void forgets_by_source(void **state)
{
    expect_forgotten(*state, (struct knowledge_rule){.source = STR_LIT("mail"), .before_us = INT64_MIN},
                     "..xx.");
}

static void forgets_what_is_older(void **state)
{
    expect_forgotten(*state, (struct knowledge_rule){.before_us = START_US + 2}, "xx...");
}

static void forgets_what_contains_a_text_in_any_case(void **state)
{
    expect_forgotten(*state, (struct knowledge_rule){.contains = STR_LIT("APPLE"), .before_us = INT64_MIN},
                     "x...x");
}

static void case_is_folded_beyond_ascii(void **state)
{
    expect_forgotten(*state, (struct knowledge_rule){.contains = STR_LIT("äpf"), .before_us = INT64_MIN},
                     "...x.");
}

static void all_conditions_must_hold(void **state)
{
    expect_forgotten(*state,
                     (struct knowledge_rule){
                         .contains = STR_LIT("a"), .source = STR_LIT("mail"), .before_us = START_US + 3},
                     "..x..");
}

static void ids_are_one_condition_among_others(void **state)
{
    struct fixture *f = *state;
    struct garden garden = plant(f);
    struct str wanted[] = {garden.ids[0], garden.ids[2], garden.ids[0], STR_LIT("mem_none")};
    struct knowledge_rule rule = {.ids = wanted, .n_ids = 4, .before_us = INT64_MIN};
    struct str *ids;
    size_t n;
    rule.source = STR_LIT("mail");
    assert_int_equal(knowledge_forget(f->memory, &garden.scope, &rule, false, &f->arena, &ids, &n, &f->err),
                     0);
    assert_int_equal(n, 1);
    assert_true(str_eq(ids[0], garden.ids[2]));
    rule.source = STR_LIT("");
    assert_int_equal(knowledge_forget(f->memory, &garden.scope, &rule, false, &f->arena, &ids, &n, &f->err),
                     0);
    assert_int_equal(n, 1); /* named twice, told once */
    assert_true(str_eq(ids[0], garden.ids[0]));
}

static void empty_or_bad_rule_is_refused(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of("acme", "ann");
    struct knowledge_rule nothing = {.before_us = INT64_MIN};
    struct str bad_tag = STR_LIT("");
    struct knowledge_rule bad = {.tags = &bad_tag, .n_tags = 1, .before_us = INT64_MIN};
    struct str *ids;
    size_t n;
    add(f, scope, "kept");
    assert_int_equal(knowledge_forget(f->memory, &scope, &nothing, false, &f->arena, &ids, &n, &f->err),
                     ERR_INVALID);
    assert_int_equal(knowledge_forget(f->memory, &scope, &bad, false, &f->arena, &ids, &n, &f->err),
                     ERR_INVALID);
    assert_string_equal(f->err.field, "tags[0]");
    assert_int_equal(find(f, scope, "kept").n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(forgets_by_tags_all_of_them),
        FIXTURE_TEST(forgets_by_one_tag),
        FIXTURE_TEST(forgets_by_source),
        FIXTURE_TEST(forgets_what_is_older),
        FIXTURE_TEST(forgets_what_contains_a_text_in_any_case),
        FIXTURE_TEST(case_is_folded_beyond_ascii),
        FIXTURE_TEST(all_conditions_must_hold),
        FIXTURE_TEST(ids_are_one_condition_among_others),
        FIXTURE_TEST(empty_or_bad_rule_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
