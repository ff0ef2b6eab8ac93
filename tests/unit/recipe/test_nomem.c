/* SPDX-License-Identifier: Apache-2.0
 *
 * Every allocation of a load and of a rendering fails once: the outcome is the right one, or ERR_NOMEM and no
 * leak.
 */
#include "recipe_fixture.h"

#include "../fail_mem.h"

static const char good[] =
    "recipe: r\nparams: { p: { type: list, default: [x] }, c: { choices: [a] } }\n"
    "zone: user.tz\nresolve:\n  user: { from: main, query: 'SELECT 1 AS tz' }\n"
    "sections:\n"
    "  - { name: a, from: main, when: user.tz and not p, query: 'SELECT :p, :now-1h, :user.x', "
    "item: '{x|date} {y*{it}}{z? {z|round:2}}', empty: 'none {p}' }\n"
    "  - { name: b, from: text, text: 'for {p|json}' }\n";
static const char bad[] =
    "recipe: r\nsections:\n  - { name: a, from: mian, query: 'SELECT :x', item: '{x|dat}', titel: x }\n";

static int load(const char *text, struct recipe **ret_recipe, struct err_info *err)
{
    const struct recipe_connection connections[] = {
        {STR_LIT("main"), source_kind_for_url(STR_LIT("sqlite:/x"))}};

    return recipe_load(str_of(text), "r.yaml", connections, 1, ret_recipe, NULL, err);
}

static void a_load_survives_every_failed_allocation(void **state)
{
    long n = 0;
    int r;

    (void)state;
    do {
        struct recipe *recipe = NULL;
        struct err_info err = {0};

        fail_mem_at(++n);
        r = load(good, &recipe, &err);
        if (!fail_mem_is_pending() && r < 0)
            assert_int_equal(r, ERR_NOMEM);
        else
            assert_int_equal(r, 0);
        assert_true(r == 0 || err.message[0]);
        recipe_unref(recipe);
    } while (!fail_mem_is_pending());
    fail_mem_at(0);
    assert_true(n > 5);
}

static void complaining_survives_every_failed_allocation(void **state)
{
    long n = 0;

    (void)state;
    do {
        struct recipe *recipe = NULL;
        struct err_info err = {0};
        int r;

        fail_mem_at(++n);
        r = load(bad, &recipe, &err);
        assert_true(r == ERR_INVALID || r == ERR_NOMEM);
        assert_true(err.message[0]);
        recipe_unref(recipe);
    } while (!fail_mem_is_pending());
    fail_mem_at(0);
    assert_true(n > 5);
}

static const struct value *lookup(void *owner, const struct recipe_ref *ref, struct arena *scratch)
{
    (void)ref;
    (void)scratch;
    return owner;
}

static void guard(struct buf *buf, struct str text, bool is_line_start)
{
    (void)is_line_start;
    buf_append_str(buf, text);
}

/* Renders all filters over a list with the n-th allocation failing; what was written goes into out. */
static int render(long n, struct buf *out)
{
    static const char text[] =
        "{x|json} {x|list} {x|join:,}{x*{it|upper|round:1|ago|date|truncate:2|one_line|title}}";
    struct value x = value_text(STR_LIT("[1.25, \"two words\", {\"a\": [3]}]"));
    struct template_scope scope = {.lookup = lookup, .owner = &x, .guard = guard};
    struct little_recipe little;
    struct names names = {.recipe = &little.recipe, .self = 1, .mode = NAMES_ROW};
    struct collected collected;
    struct arena arena;
    const struct template *template;
    int r;

    little_recipe_init(&little);
    collected_init(&collected);
    arena_init(&arena, 1 << 20);
    assert_int_equal(template_compile(str_of(text), &names, &arena, &collected.complaints, &template), 0);
    fail_mem_at(n);
    template_render(template, &scope, &arena, out);
    r = arena_error(&arena) ? arena_error(&arena) : buf_error(out);
    arena_done(&arena);
    buf_done(&collected.buf);
    return r;
}

static void a_rendering_survives_every_failed_allocation(void **state)
{
    struct buf whole;
    long n = 0;

    (void)state;
    buf_init(&whole, 10000);
    assert_int_equal(render(0, &whole), 0);
    do {
        struct buf buf;
        int r;

        buf_init(&buf, 10000);
        r = render(++n, &buf);
        if (r == 0)
            assert_true(str_eq(buf_str(&buf), buf_str(&whole)));
        else
            assert_int_equal(r, ERR_NOMEM);
        buf_done(&buf);
    } while (!fail_mem_is_pending());
    fail_mem_at(0);
    assert_true(n > 10);
    buf_done(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_survives_every_failed_allocation),
        cmocka_unit_test(complaining_survives_every_failed_allocation),
        cmocka_unit_test(a_rendering_survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
