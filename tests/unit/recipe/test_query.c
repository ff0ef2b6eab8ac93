/* SPDX-License-Identifier: Apache-2.0
 *
 * Placeholders in statements: which colons are names, which are not, and what may not stand in a recipe.
 */
#include "recipe_fixture.h"

static struct little_recipe little;

/* The compiled statement, or the complaints; refs (if given) get what the binds mean. */
static void expect(const char *sql, const char *expected, const struct recipe_ref *refs, size_t n_refs,
                   uint64_t needs)
{
    struct arena arena;
    struct collected collected;
    uint64_t got_needs = 0;
    struct names names = {.recipe = &little.recipe, .self = 1, .mode = NAMES_REQUEST, .needs = &got_needs};
    struct recipe_ref *binds = NULL;
    struct str out = {NULL, 0};
    size_t n = 0;

    arena_init(&arena, 1 << 20);
    collected_init(&collected);
    if (query_compile(str_of(sql), &names, &arena, &collected.complaints, &out, &binds, &n) < 0)
        out = buf_str(&collected.buf);
    assert_string_equal(out.ptr ? out.ptr : "", expected);
    assert_int_equal(n, n_refs);
    assert_int_equal(got_needs, needs);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(binds[i].kind, refs[i].kind);
        assert_int_equal(binds[i].idx, refs[i].idx);
        assert_int_equal(binds[i].offset_us, refs[i].offset_us);
        assert_int_equal(binds[i].is_list, refs[i].is_list);
        assert_true(str_eq(binds[i].column, refs[i].column));
    }
    buf_done(&collected.buf);
    arena_done(&arena);
}

static void expect_plain(const char *sql)
{
    expect(sql, sql, NULL, 0, 0);
}

static void expect_complaint(const char *sql, const char *complaint)
{
    expect(sql, complaint, NULL, 0, 0);
}

static void names_become_numbers_and_share_them(void **state)
{
    const struct recipe_ref refs[] = {{.kind = REF_PARAM, .idx = 0}, {.kind = REF_PARAM, .idx = 1}};

    (void)state;
    expect("SELECT :user_id, :topic WHERE a=:user_id", "SELECT ?1, ?2 WHERE a=?1", refs, 2, 0);
}

static void columns_of_steps_are_needs(void **state)
{
    const struct recipe_ref refs[] = {{.kind = REF_STEP, .idx = 0, .column = STR_LIT("location")},
                                      {.kind = REF_STEP, .idx = 2, .column = STR_LIT("forecast.0.day")},
                                      {.kind = REF_STEP, .idx = 0, .column = STR_LIT("id"), .is_list = true}};

    (void)state;
    expect("SELECT :user.location, :weather.forecast.0.day, :user[].id.", "SELECT ?1, ?2, ?3.", refs, 3, 5);
}

static void times_take_offsets(void **state)
{
    const int64_t hour = 3600 * US_PER_SEC;
    const struct recipe_ref refs[] = {{.kind = REF_NOW, .offset_us = -hour},
                                      {.kind = REF_NOW},
                                      {.kind = REF_DAY, .offset_us = 7 * 24 * hour},
                                      {.kind = REF_QUERY}};

    (void)state;
    expect("SELECT :now-1h, :now - 1h, :now -x, :today + 7d,:query", "SELECT ?1, ?1, ?2 -x, ?3,?4", refs, 4,
           1);
}

/* What follows a part is SQL again: a number may be taken from a weekday. */
static void parts_of_times_are_values(void **state)
{
    const struct recipe_ref refs[] = {{.kind = REF_NOW, .part = TIME_WEEKDAY},
                                      {.kind = REF_NOW, .part = TIME_CLOCK},
                                      {.kind = REF_NOW, .part = TIME_DATE},
                                      {.kind = REF_DAY, .days = -1, .part = TIME_WEEKDAY},
                                      {.kind = REF_DAY, .days = 1},
                                      {.kind = REF_DAY, .days = -1, .offset_us = 3600 * US_PER_SEC}};

    (void)state;
    expect("SELECT :now.weekday - 1, :now.time, :now.date, :yesterday.weekday, :tomorrow, :yesterday + 1h, "
           ":now.time",
           "SELECT ?1 - 1, ?2, ?3, ?4, ?5, ?6, ?2", refs, 6, 1);
    expect_complaint("SELECT :now.hour", "7: now has no 'hour': it has time, date and weekday\n");
    expect_complaint("SELECT :today.time", "7: today begins at midnight: only now has a time\n");
    expect_complaint("SELECT :tomorow", "7: unknown name 'tomorow'; did you mean 'tomorrow'?\n");
}

static void the_querys_vector_is_a_value(void **state)
{
    const struct recipe_ref refs[] = {{.kind = REF_QUERY_VECTOR}};

    (void)state;
    expect("SELECT a <=> :query.embedding::vector, :query.embedding", "SELECT a <=> ?1::vector, ?1", refs, 1,
           0);
    expect_complaint("SELECT :query.vector", "7: the query has no 'vector': it has embedding\n");
}

static void user_id_is_known_without_a_parameter(void **state)
{
    const struct recipe_ref refs[] = {{.kind = REF_USER}};

    (void)state;
    little.recipe.params++;
    little.recipe.n_params--;
    expect("SELECT :user_id", "SELECT ?1", refs, 1, 0);
    little_recipe_init(&little);
}

static void quotes_comments_and_casts_are_left_alone(void **state)
{
    (void)state;
    expect_plain("SELECT ':user_id', \":user_id\", `:user_id`, 'it''s :x', a::text, b::numeric(20, 8)");
    expect_plain("-- :nobody; DROP\nSELECT 1 -- :x;\n, 2 /* :y ; */");
    expect_plain("SELECT $$ :x; $$, $tag$ $$ :x $tag$, E'it\\'s :x', 'c:\\'");
    expect_plain("SELECT a FROM t WHERE j -> 'a' ->> ':b' = '1' AND a[1] ? 'k' AND b @> '{}'");
    expect_plain("WITH a AS (SELECT 1) SELECT * FROM a");
    expect_plain("(SELECT 1) UNION (SELECT replace(update_time, 'a', 'b') FROM delete_log)");
    expect_plain("VALUES (1), (2)");
    expect_plain("SELECT x := 5");
}

static void a_last_semicolon_is_dropped(void **state)
{
    (void)state;
    expect("  SELECT 1 ; -- end\n", "SELECT 1  -- end", NULL, 0, 0);
}

static void more_than_one_statement_is_refused(void **state)
{
    (void)state;
    expect_complaint("SELECT 1; SELECT 2",
                     "10: only one statement can stand here; nothing may follow the semicolon\n");
    expect("SELECT 1;;", "SELECT 1", NULL, 0, 0);
}

static void writing_is_refused(void **state)
{
    static const char begin[] = "a query must begin with SELECT, WITH or VALUES: sources are read only\n";
    char expected[200];

    (void)state;
    (void)snprintf(expected, sizeof expected, "0: %s", begin);
    expect_complaint("DELETE FROM t", expected);
    expect_complaint("pragma user_version", expected);
    expect_complaint("; SELECT 1",
                     "2: only one statement can stand here; nothing may follow the semicolon\n");
    expect_complaint("'SELECT'", expected);
    (void)snprintf(expected, sizeof expected, "15: %s", begin);
    expect_complaint("/* SELECT 1 */ UPDATE t SET a = 1", expected);
    expect_complaint("WITH a AS (SELECT 1) DELETE FROM t",
                     "21: this query would write: sources are read only\n");
    expect_complaint("WITH a AS (INSERT INTO t VALUES (1)) SELECT 1",
                     "11: this query would write: sources are read only\n");
}

static void each_mistake_is_told_with_its_place(void **state)
{
    (void)state;
    expect_complaint("SELECT :usr.id", "7: unknown name 'usr'; did you mean 'user'?\n");
    expect_complaint("SELECT :nothing_like_it",
                     "7: unknown name 'nothing_like_it': it is no parameter, resolve or section\n");
    expect_complaint("SELECT :user", "7: 'user' is a step: name one of its columns, such as user.id\n");
    expect_complaint("SELECT :now - 5",
                     "7: '5' is no duration: write a number with ms, s, m, h, d or w, such as 1h\n");
    expect_complaint("SELECT 'open", "7: this quote is not closed\n");
    expect_complaint("SELECT /* open", "7: this comment is not closed\n");
    expect_complaint("SELECT $a$ open", "7: this quote is not closed\n");
    expect_complaint("SELECT $1", "7: placeholders are written by name, such as :user_id\n");
    expect_complaint("SELECT ?2", "7: placeholders are written by name, such as :user_id\n");
    expect_complaint("", "0: the query is empty\n");
    expect_complaint(" -- nothing", "0: the query is empty\n");
    expect_complaint("SELECT :a, :b", "7: unknown name 'a': it is no parameter, resolve or section\n"
                                      "11: unknown name 'b': it is no parameter, resolve or section\n");
}

static void placeholders_have_a_limit(void **state)
{
    struct buf sql;
    struct arena arena;
    struct collected collected;
    struct names names = {.recipe = &little.recipe, .self = 1, .mode = NAMES_REQUEST};
    struct recipe_ref *binds;
    struct str out;
    size_t n;

    (void)state;
    buf_init(&sql, 100000);
    arena_init(&arena, 1 << 20);
    collected_init(&collected);
    buf_append_text(&sql, "SELECT 1");
    for (int i = 0; i <= RECIPE_MAX_BINDS; i++)
        buf_printf(&sql, ", :user.c%d", i);
    assert_int_equal(query_compile(buf_str(&sql), &names, &arena, &collected.complaints, &out, &binds, &n),
                     ERR_INVALID);
    assert_non_null(strstr(collected.buf.data, "too many different placeholders"));
    buf_done(&collected.buf);
    buf_done(&sql);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_numbers_and_share_them),
        cmocka_unit_test(columns_of_steps_are_needs),
        cmocka_unit_test(times_take_offsets),
        cmocka_unit_test(parts_of_times_are_values),
        cmocka_unit_test(the_querys_vector_is_a_value),
        cmocka_unit_test(user_id_is_known_without_a_parameter),
        cmocka_unit_test(quotes_comments_and_casts_are_left_alone),
        cmocka_unit_test(a_last_semicolon_is_dropped),
        cmocka_unit_test(more_than_one_statement_is_refused),
        cmocka_unit_test(writing_is_refused),
        cmocka_unit_test(each_mistake_is_told_with_its_place),
        cmocka_unit_test(placeholders_have_a_limit),
    };

    little_recipe_init(&little);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
