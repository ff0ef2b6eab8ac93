/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML as data with places: what is read, what is refused, and where the sentence points.
 */
#include "core/yaml.h"

#include "core/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../fail_mem.h"

struct fixture {
    struct arena arena;
    const struct yaml_node *root;
    struct err_info info;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    arena_init(&fixture.arena, 32 * 1024 * 1024);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    arena_done(&fixture->arena);
    return 0;
}

static const struct yaml_node *parse(struct fixture *fixture, const char *text)
{
    if (yaml_parse(str_of(text), "a.yaml", &fixture->arena, &fixture->root, &fixture->info))
        fail_msg("%s: %s", fixture->info.field, fixture->info.message);
    return fixture->root;
}

static void assert_refused(struct fixture *fixture, struct str text, int code, const char *place,
                           const char *word)
{
    fixture->root = NULL;
    assert_int_equal(yaml_parse(text, "a.yaml", &fixture->arena, &fixture->root, &fixture->info), code);
    assert_null(fixture->root);
    assert_string_equal(fixture->info.field, place);
    if (!strstr(fixture->info.message, word))
        fail_msg("'%s' does not say '%s'", fixture->info.message, word);
}

static void assert_place(const struct yaml_node *node, int line, int column)
{
    assert_int_equal(node->line, line);
    assert_int_equal(node->column, column);
}

static void values_keys_and_places_are_read(void **state)
{
    const struct yaml_node *root =
        parse(*state, "name: x\nlist:\n  - 1\n  - {k: \"v\"}\ntext: |\n  SELECT\n  1\n");
    assert_int_equal(root->kind, YAML_MAP);
    assert_int_equal(root->n, 3);
    assert_true(str_is(root->keys[1].name, "list"));
    assert_int_equal(root->keys[1].line, 2);
    assert_int_equal(root->keys[1].column, 1);
    assert_place(yaml_get(root, "name"), 1, 7);
    const struct yaml_node *list = yaml_get(root, "list");
    assert_int_equal(list->kind, YAML_LIST);
    assert_place(list->items[1], 4, 5);
    const struct yaml_node *v = yaml_get(list->items[1], "k");
    assert_true(str_is(v->text, "v"));
    assert_false(v->is_plain);
    assert_place(v, 4, 9);
    assert_true(str_is(yaml_get(root, "text")->text, "SELECT\n1\n"));
    assert_null(yaml_get(root, "nam"));
    assert_null(yaml_get(list, "k"));
}

static void columns_count_characters(void **state)
{
    const struct yaml_node *root = parse(*state, "\xd0\xba: {\xd0\xbb: 1}\n");
    assert_place(root->items[0]->items[0], 1, 8);
}

static void nothing_is_an_empty_map(void **state)
{
    static const char *const texts[] = {"", "\n\n", "# only a comment\n", "---\n", "\xef\xbb\xbf"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const struct yaml_node *root = parse(*state, texts[i]);
        assert_int_equal(root->kind, YAML_MAP);
        assert_int_equal(root->n, 0);
    }
    assert_int_equal(yaml_parse((struct str){NULL, 0}, "a.yaml", &((struct fixture *)*state)->arena,
                                &((struct fixture *)*state)->root, NULL),
                     0);
}

static void readers_take_their_kind_only(void **state)
{
    const struct yaml_node *items =
        parse(*state, "[true, yes, 'true', 5, '5', 5.5, ~, null, 'null', -3, {}]");
    bool boolean = false;
    int64_t integer = 0;
    double real = 0;
    assert_int_equal(yaml_to_bool(items->items[0], &boolean), 0);
    assert_true(boolean);
    assert_int_equal(yaml_to_bool(items->items[1], &boolean), ERR_INVALID);
    assert_int_equal(yaml_to_bool(items->items[2], &boolean), ERR_INVALID);
    assert_int_equal(yaml_to_int(items->items[3], &integer), 0);
    assert_int_equal(integer, 5);
    assert_int_equal(yaml_to_int(items->items[4], &integer), ERR_INVALID);
    assert_int_equal(yaml_to_int(items->items[5], &integer), ERR_INVALID);
    assert_int_equal(yaml_to_real(items->items[5], &real), 0);
    assert_true(real == 5.5);
    assert_int_equal(yaml_to_real(items->items[3], &real), 0);
    assert_true(yaml_is_null(items->items[6]));
    assert_true(yaml_is_null(items->items[7]));
    assert_false(yaml_is_null(items->items[8]));
    assert_int_equal(yaml_to_int(items->items[9], &integer), 0);
    assert_int_equal(integer, -3);
    assert_int_equal(yaml_to_int(items->items[10], &integer), ERR_INVALID);
    assert_false(yaml_is_null(items->items[10]));
    assert_true(yaml_is_null(yaml_get(parse(*state, "a:\nb: 1\n"), "a")));
}

static void tag_makes_nothing_happen(void **state)
{
    const struct yaml_node *node = yaml_get(parse(*state, "a: !!python/object:os.system x\n"), "a");
    assert_true(str_is(node->text, "x"));
}

static void bad_text_is_refused_where_it_is_bad(void **state)
{
    static const struct {
        const char *text, *place, *word;
    } bad[] = {
        {"a: 1\nb: 2\na: 3\n", "a.yaml:3:1", "second time (first in line 1)"},
        {"a: {b: 1, b: 2}\n", "a.yaml:1:11", "'b'"},
        {"a: &x 1\nb: *x\n", "a.yaml:1:4", "anchors"},
        {"a: *x\n", "a.yaml:1:4", "aliases"},
        {"---\na: 1\n---\nb: 2\n", "a.yaml:3:1", "second document"},
        {"? [a]\n: 1\n", "a.yaml:1:3", "key"},
        {"? {a: 1}\n: 1\n", "a.yaml:1:3", "key"},
        {"a: [1, 2\n", "a.yaml:2:1", "','"},
        {"a: \"never closed\nb: 1\n", "a.yaml:1:4", "never closed"},
        {"a:\n\tb: 1\n", "a.yaml:2:1", "tab"},
        {"a: b: c\n", "a.yaml:1:5", "': '"},
        {"a: \xff\n", "a.yaml:1:4", "UTF-8"},
        {"b: 1\nk\xd0\xba: \xed\xa0\x80\n", "a.yaml:2:5", "UTF-8"},
        {"a: \x01\n", "a.yaml:1:4", "control"},
        {"a: \"\\0\"\n", "a.yaml:1:4", "U+0000"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused(*state, str_of(bad[i].text), ERR_INVALID, bad[i].place, bad[i].word);
    assert_refused(*state, STR_LIT("a: 1\nb: \0\n"), ERR_INVALID, "a.yaml:2:4", "NUL");
}

static void depth_bytes_and_values_are_limited(void **state)
{
    struct fixture *fixture = *state;
    struct buf buf;
    buf_init(&buf, 4 * YAML_MAX_BYTES);
    for (int i = 0; i < YAML_MAX_DEPTH; i++)
        buf_append_byte(&buf, '[');
    for (int i = 0; i < YAML_MAX_DEPTH; i++)
        buf_append_byte(&buf, ']');
    parse(fixture, buf.data);
    buf_clear(&buf);
    for (int i = 0; i <= YAML_MAX_DEPTH; i++)
        buf_append_byte(&buf, '[');
    assert_refused(fixture, buf_str(&buf), ERR_LIMIT, "a.yaml:1:33", "deep");
    buf_clear(&buf);
    buf_append_byte(&buf, '[');
    for (int i = 0; i < YAML_MAX_NODES; i++)
        buf_append_text(&buf, "1,\n");
    buf_append_byte(&buf, ']');
    assert_refused(fixture, buf_str(&buf), ERR_LIMIT, "a.yaml:50000:1", "many");
    buf_clear(&buf);
    buf_append_byte(&buf, '#');
    while (buf.len <= YAML_MAX_BYTES)
        buf_append_byte(&buf, 'x');
    assert_refused(fixture, buf_str(&buf), ERR_LIMIT, "a.yaml", "bytes");
    buf_done(&buf);
}

static void duplicate_among_thousands_is_found(void **state)
{
    struct buf buf;
    buf_init(&buf, YAML_MAX_BYTES);
    for (int i = 0; i < 20000; i++)
        buf_printf(&buf, "key%d: %d\n", i, i);
    buf_append_text(&buf, "key1234: again\n");
    assert_refused(*state, buf_str(&buf), ERR_INVALID, "a.yaml:20001:1", "first in line 1235");
    buf_done(&buf);
}

static void small_arena_is_a_limit_not_a_crash(void **state)
{
    (void)state;
    struct arena arena;
    struct err_info info = {0};
    const struct yaml_node *root;
    arena_init(&arena, 100);
    assert_int_equal(yaml_parse(STR_LIT("a: 1\n"), "a.yaml", &arena, &root, &info), ERR_LIMIT);
    assert_int_equal(info.code, ERR_LIMIT);
    arena_done(&arena);
}

static void any_failing_allocation_is_a_clean_error(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 100000);
    for (int i = 0; i < 500; i++)
        buf_printf(&text, "key%d: {a: [1, 2, 3], b: text}\n", i);
    int n = 0;
    for (bool is_done = false; !is_done; n++) {
        struct arena arena;
        struct err_info info = {0};
        const struct yaml_node *root = NULL;
        arena_init(&arena, 32 * 1024 * 1024);
        fail_mem_at(n + 1);
        int err = yaml_parse(buf_str(&text), "a.yaml", &arena, &root, &info);
        is_done = fail_mem_is_pending();
        fail_mem_at(0);
        assert_int_equal(err, is_done ? 0 : ERR_NOMEM);
        if (!err)
            assert_int_equal(root->n, 500);
        arena_done(&arena);
    }
    assert_true(n > 5);
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_keys_and_places_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(columns_count_characters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_an_empty_map, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readers_take_their_kind_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tag_makes_nothing_happen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_text_is_refused_where_it_is_bad, set_up, tear_down),
        cmocka_unit_test_setup_teardown(depth_bytes_and_values_are_limited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(duplicate_among_thousands_is_found, set_up, tear_down),
        cmocka_unit_test(small_arena_is_a_limit_not_a_crash),
        cmocka_unit_test(any_failing_allocation_is_a_clean_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
