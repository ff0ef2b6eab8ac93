/* SPDX-License-Identifier: Apache-2.0
 *
 * What hits say of their rows: all that the feed gave, as it is now, and nothing where that is not sure.
 */
#include "search_fixture.h"

#include "search/texts.h"

/* A row with all that a row can have; `number` tells it from others. */
static int64_t put_full(struct rows *rows, int64_t number, const char *text)
{
    int64_t row = rows_put(rows, number, "ann", text);
    struct search_doc *doc = rows_doc(rows, row);
    rows->items[row - 1].tags[0] = STR_LIT("blue");
    rows->items[row - 1].tags[1] = STR_LIT("sea");
    doc->n_tags = 2;
    doc->source = STR_LIT("chat");
    doc->metadata = STR_LIT("{\"a\":1}");
    doc->created_us = 1000 + row;
    doc->updated_us = 2000 + rows->change;
    doc->importance = 0.3;
    return row;
}

static void expect_said(const struct search_hit *hit, const struct search_doc *doc)
{
    assert_non_null(hit->item);
    assert_true(str_eq(hit->item->id, doc->id));
    assert_true(str_eq(hit->item->text, doc->text));
    assert_true(str_eq(hit->item->source, doc->source));
    assert_true(str_eq(hit->item->metadata, doc->metadata));
    assert_int_equal(hit->item->n_tags, doc->n_tags);
    for (size_t i = 0; i < doc->n_tags; i++)
        assert_true(str_eq(hit->item->tags[i], doc->tags[i]));
    assert_int_equal(hit->item->created_us, doc->created_us);
    assert_int_equal(hit->item->updated_us, doc->updated_us);
    assert_true(hit->item->importance == doc->importance);
}

static void hits_say_what_their_rows_say(void **state)
{
    struct rows rows;
    struct arena arena;
    (void)state;
    rows_init(&rows);
    arena_init(&arena, 1 << 20);
    struct search *search = make_search(&rows, 0);
    for (size_t i = 0; i < 300; i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "walrus number%zu", i);
        if (i % 3)
            put_full(&rows, 0, text);
        else
            rows_put(&rows, 0, "ann", text);
    }
    (void)ask(search, query_of("ann", "walrus"), &arena);
    for (int64_t row = 1; row <= 300; row += 2) { /* many die: compacted */
        if (row % 5)
            rows_delete(&rows, row);
        else
            put_full(&rows, row, "walrus anew");
    }
    struct search_query query = query_of("ann", "walrus");
    query.limit = 1000;
    struct answer answer = ask(search, query, &arena);
    assert_int_equal(answer.n, 180);
    for (size_t i = 0; i < answer.n; i++)
        expect_said(&answer.hits[i], rows_doc(&rows, answer.hits[i].row));
    search_free(search);
    arena_done(&arena);
    rows_done(&rows);
}

static void changed_row_is_said_anew(void **state)
{
    struct rows rows;
    struct arena arena;
    (void)state;
    rows_init(&rows);
    arena_init(&arena, 1 << 20);
    struct search *search = make_search(&rows, 0);
    int64_t row = put_full(&rows, 0, "walrus of old");
    expect_said(ask(search, query_of("ann", "walrus"), &arena).hits, rows_doc(&rows, row));
    put_full(&rows, row, "walrus of late");
    expect_said(ask(search, query_of("ann", "walrus"), &arena).hits, rows_doc(&rows, row));
    search_free(search);
    arena_done(&arena);
    rows_done(&rows);
}

static void degraded_answer_says_nothing_of_rows(void **state)
{
    struct rows rows;
    struct arena arena;
    (void)state;
    rows_init(&rows);
    arena_init(&arena, 1 << 20);
    struct search *search = make_search(&rows, 0);
    put_full(&rows, 0, "walrus");
    (void)ask(search, query_of("ann", "walrus"), &arena);
    put_full(&rows, 0, "another walrus");
    rows.must_fail = true;
    struct answer answer = ask(search, query_of("ann", "walrus"), &arena);
    assert_true(answer.is_degraded && answer.n);
    for (size_t i = 0; i < answer.n; i++)
        assert_null(answer.hits[i].item);
    rows.must_fail = false;
    answer = ask(search, query_of("ann", "walrus"), &arena);
    assert_false(answer.is_degraded);
    assert_non_null(answer.hits[0].item);
    search_free(search);
    arena_done(&arena);
    rows_done(&rows);
}

static void arena_that_is_too_small_is_an_error(void **state)
{
    struct rows rows;
    struct arena arena;
    struct search_hit *hits;
    size_t n;
    bool is_degraded;
    struct err_info err;
    (void)state;
    rows_init(&rows);
    struct search *search = make_search(&rows, 0);
    for (size_t i = 0; i < 10; i++)
        put_full(&rows, 0, "walrus");
    arena_init(&arena, 2500); /* of hits, but not of what they say */
    struct search_query query = query_of("ann", "walrus");
    assert_int_equal(search_run(search, &query, &arena, &hits, &n, &is_degraded, &err), ERR_LIMIT);
    assert_non_null(strstr(err.message, "larger"));
    search_free(search);
    arena_done(&arena);
    rows_done(&rows);
}

/* ---- the records alone ---- */

static bool holds(const struct texts *texts, const char *text)
{
    return str_find(str_make(texts->bytes, texts->n), str_of(text)) >= 0;
}

static int add_text(struct texts *texts, struct docs *docs, struct str text, struct str id)
{
    struct search_doc row = {.row = docs->n + 1, .text = text, .id = id};
    uint32_t number;
    assert_int_equal(docs_add(docs, &row, &number), 0);
    docs_publish(docs, number, 1);
    return texts_add(texts, number, &row);
}

static void what_finds_no_room_is_not_kept(void **state)
{
    static char longest[TEXTS_MAX_ROW_BYTES];
    struct texts texts;
    struct docs docs;
    struct arena arena;
    (void)state;
    memset(longest, 'x', sizeof(longest));
    docs_init(&docs);
    texts_init(&texts, 300);
    arena_init(&arena, 1 << 20);
    assert_int_equal(add_text(&texts, &docs, str_make(longest, sizeof(longest)), STR_LIT("a")), 0);
    assert_int_equal(add_text(&texts, &docs, str_make(longest, 200), STR_LIT("b")), 0);
    assert_int_equal(add_text(&texts, &docs, str_make(longest, 200), STR_LIT("c")), 0);
    assert_int_equal(add_text(&texts, &docs, STR_LIT("short"), STR_LIT("d")), 0);
    assert_int_equal(add_text(&texts, &docs, STR_LIT("without an id"), STR_LIT("")), 0);
    assert_null(texts_get(&texts, &docs, 0, &arena));
    assert_int_equal(texts_get(&texts, &docs, 1, &arena)->text.len, 200);
    assert_null(texts_get(&texts, &docs, 2, &arena));
    assert_true(str_is(texts_get(&texts, &docs, 3, &arena)->text, "short"));
    assert_null(texts_get(&texts, &docs, 4, &arena));
    assert_null(texts_get(&texts, &docs, 4, &arena));
    assert_int_equal(arena_error(&arena), 0);
    arena_done(&arena);
    texts_done(&texts);
    docs_done(&docs);
}

static void wiped_text_leaves_no_byte(void **state)
{
    struct texts texts;
    struct docs docs;
    struct arena arena;
    (void)state;
    docs_init(&docs);
    texts_init(&texts, SIZE_MAX);
    arena_init(&arena, 1 << 20);
    assert_int_equal(add_text(&texts, &docs, STR_LIT("open"), STR_LIT("a")), 0);
    assert_int_equal(add_text(&texts, &docs, STR_LIT("secret"), STR_LIT("b")), 0);
    assert_int_equal(add_text(&texts, &docs, STR_LIT("plain"), STR_LIT("c")), 0);
    assert_true(holds(&texts, "secret"));
    docs_kill(&docs, 1);
    texts_wipe(&texts, 1);
    assert_false(holds(&texts, "secret"));
    assert_true(holds(&texts, "open") && holds(&texts, "plain"));
    uint32_t map[3];
    docs_plan_compaction(&docs, map);
    texts_compact(&texts, map);
    docs_compact(&docs);
    assert_true(str_is(texts_get(&texts, &docs, 0, &arena)->text, "open"));
    assert_true(str_is(texts_get(&texts, &docs, 1, &arena)->text, "plain"));
    arena_done(&arena);
    texts_done(&texts);
    docs_done(&docs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hits_say_what_their_rows_say),
        cmocka_unit_test(changed_row_is_said_anew),
        cmocka_unit_test(degraded_answer_says_nothing_of_rows),
        cmocka_unit_test(arena_that_is_too_small_is_an_error),
        cmocka_unit_test(what_finds_no_room_is_not_kept),
        cmocka_unit_test(wiped_text_leaves_no_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
