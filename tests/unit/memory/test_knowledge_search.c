/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding knowledge: at once after every write, by whoever it was written, and by nobody else.
 */
#include "memory_fixture.h"

static void every_write_is_seen_by_the_next_search(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of("acme", "ann");
    assert_int_equal(find(f, scope, "penguin").n, 0);
    struct str one = add(f, scope, "The penguin swims"), two = add(f, scope, "The penguin walks");
    assert_int_equal(find(f, scope, "penguin").n, 2);
    assert_int_equal(knowledge_delete(f->memory, &scope, one, &f->err), 0);
    struct found found = find(f, scope, "penguin");
    assert_int_equal(found.n, 1);
    assert_true(str_eq(found.items[0].id, two));
    assert_null(found.degraded);
    struct knowledge_patch patch = {.has_content = true, .item = {.content = STR_LIT("The seal rests")}};
    assert_int_equal(knowledge_update(f->memory, &scope, two, &patch, &f->err), 0);
    assert_int_equal(find(f, scope, "penguin").n, 0);
    assert_int_equal(find(f, scope, "seal").n, 1);
    struct knowledge_rule rule = {.contains = STR_LIT("seal"), .before_us = INT64_MIN};
    struct str *ids;
    size_t n;
    assert_int_equal(knowledge_forget(f->memory, &scope, &rule, false, &f->arena, &ids, &n, &f->err), 0);
    assert_int_equal(find(f, scope, "seal").n, 0);
}

static void write_through_a_second_handle_is_seen(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of("acme", "ann");
    struct store *other_store = fixture_open_store(f);
    struct memory *other = NULL;
    struct knowledge item = item_of("a penguin from elsewhere");
    struct str id;
    assert_int_equal(memory_new(other_store, &f->clock.base, NULL, &other, &f->err), 0);
    assert_int_equal(find(f, scope, "penguin").n, 0);
    assert_int_equal(knowledge_add(other, &scope, &item, 1, &f->arena, &id, &f->err), 0);
    assert_true(has_id(find(f, scope, "penguin"), id));
    assert_int_equal(knowledge_delete(f->memory, &scope, id, &f->err), 0);
    assert_int_equal(find_with(f, other, scope, query_of("penguin")).n, 0);
    memory_free(other);
    store_close(other_store);
}

static void results_carry_all_fields_and_falling_scores(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of("acme", "ann");
    struct str tags[] = {STR_LIT("zoo")};
    struct knowledge item = item_of("penguin");
    item.tags = tags;
    item.n_tags = 1;
    item.source = STR_LIT("mail");
    item.metadata = STR_LIT("{\"k\":1}");
    add_item(f, scope, item);
    for (size_t i = 0; i < 100; i++) /* more than one statement fetches */
        add(f, scope,
            i % 2 ? "a penguin and other birds" : "two penguins met one penguin by the sea shore today");
    struct knowledge_query query = query_of("penguin birds");
    query.limit = 1000;
    struct found found = find_with(f, f->memory, scope, query);
    assert_int_equal(found.n, 101);
    for (size_t i = 0; i < found.n; i++) {
        assert_true(found.items[i].score > 0 && found.items[i].score <= 1);
        assert_true(!i || found.items[i].score <= found.items[i - 1].score);
    }
    assert_str(found.items[0].content, "a penguin and other birds");
    query.tags = tags;
    query.n_tags = 1;
    found = find_with(f, f->memory, scope, query);
    assert_int_equal(found.n, 1);
    assert_str(found.items[0].tags[0], "zoo");
    assert_str(found.items[0].source, "mail");
    assert_str(found.items[0].metadata, "{\"k\":1}");
    assert_str(found.items[0].user, "ann");
}

/* ---- isolation ---- */

static void expect_out_of_reach(struct fixture *f, struct scope scope, struct str id)
{
    struct knowledge_patch patch = {.has_content = true, .item = {.content = STR_LIT("stolen")}};
    struct knowledge_rule rule = {.ids = &id, .n_ids = 1, .before_us = INT64_MIN};
    struct knowledge got, *items;
    struct str *ids, cursor;
    size_t n;
    assert_int_equal(knowledge_get(f->memory, &scope, id, &f->arena, &got, &f->err), 1);
    assert_int_equal(knowledge_update(f->memory, &scope, id, &patch, &f->err), 1);
    assert_int_equal(knowledge_delete(f->memory, &scope, id, &f->err), 1);
    assert_int_equal(knowledge_forget(f->memory, &scope, &rule, false, &f->arena, &ids, &n, &f->err), 0);
    assert_int_equal(n, 0);
    assert_false(has_id(find(f, scope, "penguin"), id));
    assert_int_equal(
        knowledge_list(f->memory, &scope, 100, STR_LIT(""), &f->arena, &items, &n, &cursor, &f->err), 0);
    for (size_t i = 0; i < n; i++)
        assert_false(str_eq(items[i].id, id));
}

static void other_tenants_cannot_reach_a_row_in_any_way(void **state)
{
    struct fixture *f = *state;
    static const char *const tenants[] = {"acme", "Acme", "acm", "acmee", "acme ", "%", "acme'--"};
    struct str ids[7];
    for (size_t i = 0; i < 7; i++)
        ids[i] = add(f, scope_of(tenants[i], "ann"), "the same penguin");
    for (size_t i = 0; i < 7; i++)
        for (size_t k = 0; k < 7; k++)
            if (i != k)
                expect_out_of_reach(f, scope_of(tenants[i], "ann"), ids[k]);
    for (size_t i = 0; i < 7; i++) {
        struct found found = find(f, scope_of(tenants[i], "ann"), "penguin");
        assert_int_equal(found.n, 1);
        assert_true(str_eq(found.items[0].id, ids[i]));
    }
}

static void users_find_list_and_forget_their_own_rows_only(void **state)
{
    struct fixture *f = *state;
    char longest[MEMORY_MAX_USER_BYTES + 1], nearly[MEMORY_MAX_USER_BYTES + 1];
    memset(longest, 'u', MEMORY_MAX_USER_BYTES);
    longest[MEMORY_MAX_USER_BYTES] = '\0';
    memcpy(nearly, longest, sizeof(longest));
    nearly[MEMORY_MAX_USER_BYTES - 1] = 'v';
    const char *users[] = {"ann", "Ann", "an", "ann ", "", longest, nearly, "an:n", "åñ"};
    struct str ids[9];
    for (size_t i = 0; i < 9; i++)
        ids[i] = add(f, scope_of("acme", users[i]), "the same penguin");
    for (size_t i = 0; i < 9; i++) {
        struct scope scope = scope_of("acme", users[i]);
        struct found found = find(f, scope, "penguin");
        struct knowledge *items;
        struct str cursor;
        size_t n;
        assert_int_equal(found.n, 1);
        assert_true(str_eq(found.items[0].id, ids[i]));
        assert_int_equal(
            knowledge_list(f->memory, &scope, 10, STR_LIT(""), &f->arena, &items, &n, &cursor, &f->err), 0);
        assert_int_equal(n, 1);
        assert_true(str_eq(items[0].id, ids[i]));
    }
    struct knowledge_rule rule = {.ids = ids, .n_ids = 9, .before_us = INT64_MIN};
    struct scope ann = scope_of("acme", "ann");
    struct str *forgotten;
    size_t n;
    assert_int_equal(knowledge_forget(f->memory, &ann, &rule, false, &f->arena, &forgotten, &n, &f->err), 0);
    assert_int_equal(n, 1);
    assert_true(str_eq(forgotten[0], ids[0]));
}

/* ---- words ---- */

static void words_of_many_languages_and_identifiers_are_found(void **state)
{
    struct fixture *f = *state;
    static const char *const pairs[][2] = {
        /* what is kept, what is asked */
        {"The meeting was moved to Thursday", "meetings moved"},
        {"Die Straßenbahn fährt über die Brücke", "STRASSENBAHN"},
        {"Ulubiona książka to Żółw", "żółw"},
        {"彼女は東京都に住んでいます", "東京"},
        {"我喜欢喝绿茶", "绿茶"},
        {"서울에서 회의가 있습니다", "회의"},
        {"call getUserName before login", "getUserName"},
        {"the table order_items is slow", "order_items"},
        {"it fails with E1234 at night", "E1234"},
        {"see src/core/arena.c for that", "arena"},
    };
    struct scope scope = scope_of("acme", "ann");
    struct str ids[10];
    for (size_t i = 0; i < 10; i++)
        ids[i] = add(f, scope, pairs[i][0]);
    for (size_t i = 0; i < 10; i++) {
        struct found found = find(f, scope, pairs[i][1]);
        if (!found.n || !str_eq(found.items[0].id, ids[i]))
            fail_msg("\"%s\" does not find \"%s\"", pairs[i][1], pairs[i][0]);
    }
}

/* ---- questions that are refused ---- */

static void bad_query_is_refused_by_name(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of("acme", "ann");
    struct knowledge_query query = query_of("penguin");
    struct knowledge *items;
    const char *degraded;
    size_t n;
    query.limit = 0;
    assert_int_equal(knowledge_search(f->memory, &scope, &query, &f->arena, &items, &n, &degraded, &f->err),
                     ERR_INVALID);
    assert_string_equal(f->err.field, "limit");
    query.limit = 1001;
    assert_int_equal(knowledge_search(f->memory, &scope, &query, &f->arena, &items, &n, &degraded, &f->err),
                     ERR_INVALID);
    query = query_of("penguin");
    query.min_score = NAN;
    assert_int_equal(knowledge_search(f->memory, &scope, &query, &f->arena, &items, &n, &degraded, &f->err),
                     ERR_INVALID);
    assert_string_equal(f->err.field, "min_score");
    query = query_of("\xff");
    assert_int_equal(knowledge_search(f->memory, &scope, &query, &f->arena, &items, &n, &degraded, &f->err),
                     ERR_INVALID);
    assert_string_equal(f->err.field, "query");
}

static void a_small_index_answers_as_a_large_one(void **state)
{
    struct fixture *f = *state;
    struct memory *small = NULL;
    struct search_stats stats;
    char user[8];
    assert_int_equal(
        memory_new(f->store, &f->clock.base, &(struct memory_options){.max_index_bytes = 1}, &small, &f->err),
        0);
    for (int i = 0; i < 10; i++) {
        (void)snprintf(user, sizeof(user), "u%d", i);
        add(f, scope_of("acme", user), "penguin");
    }
    for (int i = 0; i < 20; i++) {
        (void)snprintf(user, sizeof(user), "u%d", i % 10);
        struct found found = find_with(f, small, scope_of("acme", user), query_of("penguin"));
        assert_int_equal(found.n, 1);
        assert_str(found.items[0].user, user);
    }
    memory_describe(small, &stats);
    assert_int_equal(stats.n_partitions, 1);
    assert_int_equal(stats.n_evictions, 19);
    memory_free(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(every_write_is_seen_by_the_next_search),
        FIXTURE_TEST(write_through_a_second_handle_is_seen),
        FIXTURE_TEST(results_carry_all_fields_and_falling_scores),
        FIXTURE_TEST(other_tenants_cannot_reach_a_row_in_any_way),
        FIXTURE_TEST(users_find_list_and_forget_their_own_rows_only),
        FIXTURE_TEST(words_of_many_languages_and_identifiers_are_found),
        FIXTURE_TEST(bad_query_is_refused_by_name),
        FIXTURE_TEST(a_small_index_answers_as_a_large_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
