/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger against the written text counted whole, whatever is put in and taken out in whatever order: in
 * every format, with every tokenizer, over items made of what tokens join across.
 */
#include "build/ledger.h"
#include "plan.h"

static const char *const snippets[] = {
    "- the quick brown fox",
    " jumps",
    "it's",
    "/usr/bin",
    "/",
    "//",
    "...",
    "! ",
    "(",
    ")",
    "\"quoted\"",
    "\n",
    "\n  ",
    " ",
    "  ",
    "42",
    "1",
    "-",
    "- ",
    "##",
    "{\"id\":1}",
    "'",
    "don't",
    "é",
    "e\u0301",
    "\u0301",
    "東京は晴れです",
    "。",
    "🙂",
    "привет, ",
    "ABC",
    "\t",
    "\\n",
    "#",
    "\u3000",
};

static struct str random_text(struct arena *arena, uint64_t *seed)
{
    struct str text = STR_LIT("");
    size_t n = 1 + random_below(seed, 6);
    for (size_t i = 0; i < n; i++)
        text = arena_printf(arena, "%.*s%s", STR_ARG(text),
                            snippets[random_below(seed, sizeof snippets / sizeof *snippets)]);
    return text;
}

static void plan_fill_with_words(struct plan *plan, uint64_t *seed)
{
    static const char *const groups[] = {"", "Sat 21 Nov 2026", "/etc", "…"};
    struct arena *arena = &plan->build.arena;
    size_t n_sections = 1 + random_below(seed, 4);
    for (size_t i = 0; i < n_sections; i++) {
        size_t idx = plan_add_section(plan, 0, random_below(seed, 2) ? INT64_MAX : 1000000);
        size_t n_items = random_below(seed, 9);
        plan->sections[idx].is_stable = random_below(seed, 3) == 0;
        if (random_below(seed, 3) == 0)
            plan->sections[idx].title = STR_LIT("");
        for (size_t j = 0; j < n_items; j++) {
            struct build_item *item = plan_add_item(plan, idx, 1);
            item->text = random_text(arena, seed);
            item->group = str_of(groups[random_below(seed, 4)]);
            item->json = arena_printf(arena, "{\"n\":%zu}", random_below(seed, 1000));
        }
        for (size_t j = 0; j < n_items; j++) { /* printed in another order than chosen */
            size_t other = random_below(seed, n_items), swapped = plan->printed[idx][j];
            plan->printed[idx][j] = plan->printed[idx][other];
            plan->printed[idx][other] = swapped;
        }
    }
}

static int64_t written_units(struct plan *plan)
{
    buf_clear(&plan->build.context);
    format_write_context(&plan->build, &plan->build.context);
    return plan->build.tokenizer->units(buf_str(&plan->build.context));
}

/* The section's text as it stands in the context, without what is around it. */
static int64_t section_units_of(struct plan *plan, const struct build_section *section)
{
    const struct build_format_ops *format = plan->build.format;
    struct build_place last = {0}, end = {0};
    struct buf *buf = &plan->build.context;
    buf_clear(buf);
    for (size_t i = 0; i < section->n_items; i++) {
        struct build_place here = {(struct build_section *)section, &section->items[section->printed[i]]};
        if (!item_is_kept(here.item))
            continue;
        format_append_glue(format, last, here, false, buf);
        buf_append_str(buf, here.item->piece.text);
        last = here;
    }
    format_append_glue(format, last, end, false, buf);
    return plan->build.tokenizer->units(buf_str(buf));
}

static void step(struct plan *plan, struct ledger *ledger, uint64_t *seed)
{
    struct build_section *section = &plan->states[random_below(seed, plan->recipe.n_sections)];
    if (section->n_items == 0)
        return;
    struct build_item *item = &section->items[random_below(seed, section->n_items)];
    if (item_is_kept(item)) {
        ledger_take_out(ledger, item);
        item->fate = ITEM_OPEN;
    } else {
        int64_t section_units;
        if (!item->piece.is_measured)
            ledger_measure(ledger, item, item->text);
        int64_t units = ledger_units_with(ledger, section, item, INT64_MAX, &section_units);
        ledger_put(ledger, item, units);
        item->fate = ITEM_FITS;
        if (section->plan->max_tokens < INT64_MAX)
            assert_int_equal(section_units, section_units_of(plan, section));
    }
    section->used_units = section_units_of(plan, section);
    if (ledger->units != written_units(plan))
        fail_msg("%s, %s: %lld instead of %lld for '%.*s'", plan->build.format->name,
                 plan->build.tokenizer->name, (long long)ledger->units, (long long)written_units(plan),
                 STR_ARG(buf_str(&plan->build.context)));
}

static void cost_is_that_of_the_written_text_at_every_moment(void **state)
{
    (void)state;
    uint64_t seed = 20261121;
    for (int round = 0; round < 1000; round++) {
        struct plan plan;
        struct ledger ledger;
        plan_init(&plan, tokenizer_all()[round % 3], (enum build_format)random_below(&seed, 3), 1000);
        plan_fill_with_words(&plan, &seed);
        ledger_init(&ledger, &plan.build);
        assert_int_equal(ledger.units, written_units(&plan));
        for (int i = 0; i < 40; i++)
            step(&plan, &ledger, &seed);
        for (size_t i = 0; i < plan.recipe.n_sections; i++)
            if (section_is_shown(&plan.states[i]))
                assert_int_equal(
                    ledger_section_tokens(&ledger, &plan.states[i]),
                    tokens_of_units(plan.build.tokenizer, section_units_of(&plan, &plan.states[i])));
        assert_int_equal(ledger.err, 0);
        ledger_done(&ledger);
        plan_done(&plan);
    }
}

static void items_without_a_word_end_in_a_limit(void **state)
{
    (void)state;
    struct plan plan;
    struct ledger ledger;
    int64_t section_units, units = 0;
    size_t n = 0;
    plan_init(&plan, tokenizer_find(STR_LIT("o200k_base")), FORMAT_MARKDOWN, 1000000);
    size_t only = plan_add_section(&plan, 0, INT64_MAX);
    size_t len = 1 << 19;
    char *signs = arena_alloc(&plan.build.arena, len);
    memset(signs, '/', len);
    for (size_t i = 0; i < MAX_ITEMS; i++)
        plan_add_item(&plan, only, 1)->text = str_make(signs, len);
    ledger_init(&ledger, &plan.build);
    for (; n < MAX_ITEMS && units < INT64_MAX; n++) {
        ledger_measure(&ledger, &plan.items[only][n], plan.items[only][n].text);
        units =
            ledger_units_with(&ledger, &plan.states[only], &plan.items[only][n], INT64_MAX, &section_units);
        if (units < INT64_MAX)
            ledger_put(&ledger, &plan.items[only][n], units);
    }
    assert_true(n > 3 && n < MAX_ITEMS);
    ledger_done(&ledger);
    plan_done(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cost_is_that_of_the_written_text_at_every_moment),
        cmocka_unit_test(items_without_a_word_end_in_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
