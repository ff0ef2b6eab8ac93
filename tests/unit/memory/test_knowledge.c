/* SPDX-License-Identifier: Apache-2.0
 *
 * Adding, reading, changing and deleting knowledge, over a real store.
 */
#include "memory_fixture.h"

#include <ctype.h>

static const char *const TENANT = "acme";

static void add_gives_an_id_and_get_gives_all_back(void **state)
{
    struct fixture *f = *state;
    struct str tags[] = {STR_LIT("dairy"), STR_LIT("with \"quotes\" and ü")};
    struct knowledge item = {.content = STR_LIT("Oat milk is preferred"),
                             .source = STR_LIT("chat"),
                             .tags = tags,
                             .n_tags = 2,
                             .metadata = STR_LIT("{\"a\": [1, 2]}"),
                             .created_us = START_US - 5,
                             .importance = 0.9};
    struct scope scope = scope_of(TENANT, "ann");
    struct str id = add_item(f, scope, item);
    struct knowledge got;
    assert_int_equal(id.len, 26);
    assert_true(str_starts_with(id, STR_LIT("mem_")));
    for (size_t i = 4; i < id.len; i++)
        assert_true(isalnum((unsigned char)id.ptr[i]));
    assert_int_equal(knowledge_get(f->memory, &scope, id, &f->arena, &got, &f->err), 0);
    assert_str(got.content, "Oat milk is preferred");
    assert_str(got.source, "chat");
    assert_str(got.metadata, "{\"a\": [1, 2]}");
    assert_str(got.user, "ann");
    assert_int_equal(got.n_tags, 2);
    assert_str(got.tags[1], "with \"quotes\" and ü");
    assert_true(got.created_us == START_US - 5 && got.updated_us == START_US);
    assert_true(got.importance == 0.9);
}

static void missing_fields_get_their_defaults(void **state)
{
    struct fixture *f = *state;
    struct scope nobody = {str_of(TENANT), {NULL, 0}};
    struct str id = add(f, nobody, "something");
    struct knowledge got;
    assert_int_equal(knowledge_get(f->memory, &nobody, id, &f->arena, &got, &f->err), 0);
    assert_str(got.user, "default");
    assert_str(got.source, "");
    assert_str(got.metadata, "");
    assert_int_equal(got.n_tags, 0);
    assert_true(got.created_us == START_US && got.importance == 0.5);
    assert_true(has_id(find(f, scope_of(TENANT, "default"), "something"), id));
}

static void ids_do_not_repeat(void **state)
{
    struct fixture *f = *state;
    struct str ids[100];
    for (size_t i = 0; i < 100; i++) {
        ids[i] = add(f, scope_of(TENANT, "ann"), "the same");
        for (size_t k = 0; k < i; k++)
            assert_false(str_eq(ids[i], ids[k]));
    }
}

/* ---- what is refused ---- */

static void expect_refusal(struct fixture *f, struct knowledge item, const char *field)
{
    struct scope scope = scope_of(TENANT, "ann");
    struct knowledge batch[4] = {item_of("a"), item_of("b"), item_of("c"), item};
    struct str ids[4];
    char batch_field[ERR_FIELD_SIZE];
    assert_int_equal(knowledge_add(f->memory, &scope, &item, 1, &f->arena, ids, &f->err), ERR_INVALID);
    assert_string_equal(f->err.field, field);
    assert_true(f->err.message[0]);
    assert_int_equal(knowledge_add(f->memory, &scope, batch, 4, &f->arena, ids, &f->err), ERR_INVALID);
    (void)snprintf(batch_field, sizeof(batch_field), "items[3].%s", field);
    assert_string_equal(f->err.field, batch_field);
    assert_int_equal(knowledge_add(f->memory, &scope, batch, 4, &f->arena, ids, NULL), ERR_INVALID);
    assert_int_equal(find(f, scope, "a b c").n, 0);
}

static void bad_content_is_refused_by_name(void **state)
{
    struct fixture *f = *state;
    expect_refusal(f, item_of(""), "content");
    expect_refusal(f, item_of("\xff\xfe"), "content");
    expect_refusal(f, (struct knowledge){.content = {"a\0b", 3}, .importance = NAN}, "content");
    char *large = malloc(MEMORY_MAX_CONTENT_BYTES + 1);
    memset(large, 'x', MEMORY_MAX_CONTENT_BYTES + 1);
    expect_refusal(f, (struct knowledge){.content = {large, MEMORY_MAX_CONTENT_BYTES + 1}, .importance = NAN},
                   "content");
    free(large);
}

static void bad_tags_are_refused_by_place(void **state)
{
    struct fixture *f = *state;
    struct str tags[MEMORY_MAX_TAGS + 1];
    for (size_t i = 0; i <= MEMORY_MAX_TAGS; i++)
        tags[i] = STR_LIT("tag");
    struct knowledge item = item_of("good");
    item.tags = tags;
    item.n_tags = MEMORY_MAX_TAGS + 1;
    expect_refusal(f, item, "tags");
    item.n_tags = 2;
    tags[1] = STR_LIT("");
    expect_refusal(f, item, "tags[1]");
    char large[MEMORY_MAX_TAG_BYTES + 1];
    memset(large, 'x', sizeof(large));
    tags[1] = str_make(large, sizeof(large));
    expect_refusal(f, item, "tags[1]");
}

static void bad_metadata_importance_time_and_user_are_refused(void **state)
{
    struct fixture *f = *state;
    struct knowledge item = item_of("good");
    item.metadata = STR_LIT("[1]");
    expect_refusal(f, item, "metadata");
    item.metadata = STR_LIT("{\"a\":}");
    expect_refusal(f, item, "metadata");
    item = item_of("good");
    item.importance = 1.01;
    expect_refusal(f, item, "importance");
    item.importance = -INFINITY;
    expect_refusal(f, item, "importance");
    item = item_of("good");
    item.created_us = INT64_MAX;
    expect_refusal(f, item, "created_at");
    char user[MEMORY_MAX_USER_BYTES + 1];
    memset(user, 'u', sizeof(user));
    item = item_of("good");
    item.user = str_make(user, sizeof(user));
    expect_refusal(f, item, "user_id");
}

static void bad_scope_is_refused(void **state)
{
    struct fixture *f = *state;
    char user[MEMORY_MAX_USER_BYTES + 1];
    memset(user, 'u', sizeof(user));
    struct scope no_tenant = {{NULL, 0}, STR_LIT("ann")};
    struct scope long_user = {str_of(TENANT), {user, sizeof(user)}};
    struct knowledge item = item_of("good");
    struct str id;
    assert_int_equal(knowledge_add(f->memory, &no_tenant, &item, 1, &f->arena, &id, &f->err), ERR_INVALID);
    assert_string_equal(f->err.field, "tenant");
    assert_int_equal(knowledge_add(f->memory, &long_user, &item, 1, &f->arena, &id, &f->err), ERR_INVALID);
    assert_string_equal(f->err.field, "user_id");
}

/* ---- batches ---- */

static void batch_of_a_thousand_is_all_or_none(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of(TENANT, "ann");
    struct knowledge *items = calloc(MEMORY_MAX_BATCH + 1, sizeof(*items));
    struct str *ids = calloc(MEMORY_MAX_BATCH + 1, sizeof(*ids));
    for (size_t i = 0; i <= MEMORY_MAX_BATCH; i++)
        items[i] = item_of("walrus");
    assert_int_equal(knowledge_add(f->memory, &scope, items, MEMORY_MAX_BATCH + 1, &f->arena, ids, &f->err),
                     ERR_INVALID);
    assert_string_equal(f->err.field, "items");
    assert_int_equal(knowledge_add(f->memory, &scope, items, 0, &f->arena, ids, &f->err), ERR_INVALID);
    items[999].content = STR_LIT("");
    assert_int_equal(knowledge_add(f->memory, &scope, items, MEMORY_MAX_BATCH, &f->arena, ids, &f->err),
                     ERR_INVALID);
    assert_string_equal(f->err.field, "items[999].content");
    assert_int_equal(find(f, scope, "walrus").n, 0);
    items[999].content = STR_LIT("one narwhal");
    assert_int_equal(knowledge_add(f->memory, &scope, items, MEMORY_MAX_BATCH, &f->arena, ids, &f->err), 0);
    struct knowledge_query query = query_of("walrus");
    query.limit = 1000;
    assert_int_equal(find_with(f, f->memory, scope, query).n, 999);
    struct found found = find(f, scope, "narwhal");
    assert_int_equal(found.n, 1);
    assert_true(str_eq(found.items[0].id, ids[999]));
    free(items);
    free(ids);
}

static void items_own_user_goes_before_the_scopes(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of(TENANT, "ann");
    struct knowledge items[] = {item_of("badger one"), item_of("badger two"), item_of("badger three")};
    struct str ids[3];
    items[1].user = STR_LIT("bob");
    uint64_t before = memory_version(f->memory, &(struct scope){str_of(TENANT), STR_LIT("bob")});
    assert_int_equal(knowledge_add(f->memory, &scope, items, 3, &f->arena, ids, &f->err), 0);
    assert_true(memory_version(f->memory, &(struct scope){str_of(TENANT), STR_LIT("bob")}) > before);
    assert_int_equal(find(f, scope, "badger").n, 2);
    struct found found = find(f, scope_of(TENANT, "bob"), "badger");
    assert_int_equal(found.n, 1);
    assert_true(str_eq(found.items[0].id, ids[1]));
}

/* ---- changing ---- */

struct counting {
    const char *sql;
    struct str id;
    int64_t n;
};

static int on_count(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    (void)n_columns;
    (void)reterr;
    *(int64_t *)arg = columns[0].integer;
    return 0;
}

static int count_rows(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    struct counting *counting = arg;
    struct value params[] = {value_text(str_of(TENANT)), value_text(counting->id)};
    return store_query(txn, counting->sql, params, 2, on_count, &counting->n, reterr);
}

static int64_t count(struct fixture *f, const char *sql, struct str id)
{
    struct counting counting = {sql, id, -1};
    assert_int_equal(store_read(f->store, count_rows, &counting, &f->err), 0);
    return counting.n;
}

#define COUNT_HISTORY "SELECT count(*) FROM knowledge_history WHERE tenant = ?1 AND id = ?2"
#define COUNT_OLD     COUNT_HISTORY " AND content = 'the cat sleeps' AND importance = 0.5 AND tags = '[]'"
#define COUNT_STUB                                                                                           \
    "SELECT count(*) FROM knowledge WHERE tenant = ?1 AND id = ?2 AND is_deleted = 1 AND content = '' "      \
    "AND source = '' AND tags = '[]' AND metadata = ''"

static void update_changes_what_it_names_and_keeps_the_old_row(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of(TENANT, "ann");
    struct str id = add(f, scope, "the cat sleeps");
    struct str tags[] = {STR_LIT("pets")};
    struct knowledge_patch patch = {.has_content = true, .has_tags = true};
    patch.item = (struct knowledge){.content = STR_LIT("the dog barks"), .tags = tags, .n_tags = 1};
    struct knowledge got;
    clock_manual_advance(&f->clock, US_PER_SEC);
    assert_true(has_id(find(f, scope, "cat"), id));
    assert_int_equal(knowledge_update(f->memory, &scope, id, &patch, &f->err), 0);
    assert_int_equal(find(f, scope, "cat").n, 0);
    assert_true(has_id(find(f, scope, "dog"), id));
    assert_int_equal(knowledge_get(f->memory, &scope, id, &f->arena, &got, &f->err), 0);
    assert_str(got.content, "the dog barks");
    assert_str(got.tags[0], "pets");
    assert_true(got.importance == 0.5 && got.created_us == START_US &&
                got.updated_us == START_US + US_PER_SEC);
    assert_int_equal(count(f, COUNT_OLD, id), 1);
}

static void bad_update_is_refused_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of(TENANT, "ann");
    struct str id = add(f, scope, "the cat sleeps");
    struct knowledge_patch nothing = {0};
    struct knowledge_patch empty = {.has_content = true};
    assert_int_equal(knowledge_update(f->memory, &scope, id, &nothing, &f->err), ERR_INVALID);
    assert_int_equal(knowledge_update(f->memory, &scope, id, &empty, &f->err), ERR_INVALID);
    assert_string_equal(f->err.field, "content");
    empty.item.content = STR_LIT("x");
    assert_int_equal(knowledge_update(f->memory, &scope, STR_LIT("mem_none"), &empty, &f->err), 1);
    assert_true(has_id(find(f, scope, "cat"), id));
    assert_int_equal(count(f, COUNT_HISTORY, id), 0);
}

static void delete_leaves_nothing_of_what_was_said(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of(TENANT, "ann");
    struct str id = add(f, scope, "the cat sleeps");
    struct knowledge_patch patch = {.has_content = true, .item = {.content = STR_LIT("the cat wakes")}};
    struct knowledge got;
    assert_int_equal(knowledge_update(f->memory, &scope, id, &patch, &f->err), 0);
    assert_true(has_id(find(f, scope, "cat"), id));
    assert_int_equal(knowledge_delete(f->memory, &scope, id, &f->err), 0);
    assert_int_equal(find(f, scope, "cat").n, 0);
    assert_int_equal(knowledge_get(f->memory, &scope, id, &f->arena, &got, &f->err), 1);
    assert_int_equal(knowledge_update(f->memory, &scope, id, &patch, &f->err), 1);
    assert_int_equal(knowledge_delete(f->memory, &scope, id, &f->err), 1);
    assert_int_equal(count(f, COUNT_HISTORY, id), 0);
    assert_int_equal(count(f, COUNT_STUB, id), 1);
}

/* ---- pages ---- */

static void list_gives_every_item_once_newest_first(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of(TENANT, "ann");
    struct str ids[7], cursor = STR_LIT("");
    size_t n_seen = 0, n_pages = 0;
    for (size_t i = 0; i < 7; i++) {
        ids[i] = add(f, scope, "item");
        clock_manual_advance(&f->clock, i % 3 ? 0 : 1); /* some share their time */
    }
    add(f, scope_of(TENANT, "bob"), "not hers");
    do {
        struct knowledge *items;
        size_t n;
        assert_int_equal(
            knowledge_list(f->memory, &scope, 3, cursor, &f->arena, &items, &n, &cursor, &f->err), 0);
        for (size_t i = 0; i < n; i++)
            assert_true(str_eq(items[i].id, ids[6 - n_seen++]));
        n_pages++;
    } while (cursor.len);
    assert_int_equal(n_seen, 7);
    assert_int_equal(n_pages, 3);
}

static void last_page_has_no_cursor_when_it_is_full(void **state)
{
    struct fixture *f = *state;
    struct scope scope = scope_of(TENANT, "ann");
    struct knowledge *items;
    struct str cursor;
    size_t n;
    add(f, scope, "one");
    add(f, scope, "two");
    assert_int_equal(
        knowledge_list(f->memory, &scope, 2, STR_LIT(""), &f->arena, &items, &n, &cursor, &f->err), 0);
    assert_int_equal(n, 2);
    assert_int_equal(cursor.len, 0);
}

static void foreign_or_broken_cursor_is_refused(void **state)
{
    struct fixture *f = *state;
    struct scope ann = scope_of(TENANT, "ann"), bob = scope_of(TENANT, "bob");
    struct knowledge *items;
    struct str cursor, next;
    size_t n;
    add(f, ann, "one");
    add(f, ann, "two");
    assert_int_equal(knowledge_list(f->memory, &ann, 1, STR_LIT(""), &f->arena, &items, &n, &cursor, &f->err),
                     0);
    assert_true(cursor.len > 0);
    assert_int_equal(knowledge_list(f->memory, &bob, 1, cursor, &f->arena, &items, &n, &next, &f->err),
                     ERR_INVALID);
    assert_string_equal(f->err.field, "cursor");
    for (size_t i = 0; i < cursor.len; i++) { /* any one digit changed */
        char *broken = arena_strdup(&f->arena, cursor);
        broken[i] = broken[i] == '0' ? '1' : '0';
        assert_int_equal(
            knowledge_list(f->memory, &ann, 1, str_of(broken), &f->arena, &items, &n, &next, &f->err),
            ERR_INVALID);
    }
    struct str cut = str_slice(cursor, 0, cursor.len - 1);
    assert_int_equal(knowledge_list(f->memory, &ann, 1, cut, &f->arena, &items, &n, &next, &f->err),
                     ERR_INVALID);
    assert_int_equal(knowledge_list(f->memory, &ann, 0, STR_LIT(""), &f->arena, &items, &n, &next, &f->err),
                     ERR_INVALID);
    assert_string_equal(f->err.field, "limit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(add_gives_an_id_and_get_gives_all_back),
        FIXTURE_TEST(missing_fields_get_their_defaults),
        FIXTURE_TEST(ids_do_not_repeat),
        FIXTURE_TEST(bad_content_is_refused_by_name),
        FIXTURE_TEST(bad_tags_are_refused_by_place),
        FIXTURE_TEST(bad_metadata_importance_time_and_user_are_refused),
        FIXTURE_TEST(bad_scope_is_refused),
        FIXTURE_TEST(batch_of_a_thousand_is_all_or_none),
        FIXTURE_TEST(items_own_user_goes_before_the_scopes),
        FIXTURE_TEST(update_changes_what_it_names_and_keeps_the_old_row),
        FIXTURE_TEST(bad_update_is_refused_and_changes_nothing),
        FIXTURE_TEST(delete_leaves_nothing_of_what_was_said),
        FIXTURE_TEST(list_gives_every_item_once_newest_first),
        FIXTURE_TEST(last_page_has_no_cursor_when_it_is_full),
        FIXTURE_TEST(foreign_or_broken_cursor_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
