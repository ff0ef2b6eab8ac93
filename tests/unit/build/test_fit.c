/* SPDX-License-Identifier: Apache-2.0
 *
 * fit over plans made by hand: the rules one by one, then all of them over random inputs.
 */
#include "plan.h"

static void plan_fit(struct plan *plan)
{
    struct err_info err = {0};
    assert_int_equal(build_fit(&plan->build, &err), 0);
}

static struct str context_of(const struct plan *plan)
{
    return buf_str(&plan->build.context);
}

static void assert_context(const struct plan *plan, const char *wanted)
{
    struct str text = context_of(plan);
    char got[4096];
    (void)snprintf(got, sizeof got, "%.*s", STR_ARG(text));
    assert_string_equal(got, wanted);
}

/* ---- the rules ---- */

static void item_that_does_not_fit_is_passed_over_and_smaller_ones_are_kept(void **state)
{
    (void)state;
    struct plan plan;
    plan_init(&plan, &by_byte, FORMAT_MARKDOWN, 24);
    size_t first = plan_add_section(&plan, 0, INT64_MAX);
    size_t second = plan_add_section(&plan, 0, INT64_MAX);
    plan_add_item(&plan, first, 60);
    plan_add_item(&plan, first, 3);
    plan_add_item(&plan, second, 4);
    plan_fit(&plan);
    assert_context(&plan, "## s0\nbbb\n\n## s1\naaaa");
    assert_int_equal(plan.build.answer_tokens, 21);
    assert_int_equal(plan.items[first][0].fate, ITEM_NO_ROOM);
    plan_done(&plan);
}

static void budget_is_filled_to_the_last_token(void **state)
{
    (void)state;
    struct plan plan;
    plan_init(&plan, &by_byte, FORMAT_MARKDOWN, 16);
    size_t only = plan_add_section(&plan, 0, INT64_MAX);
    plan_add_item(&plan, only, 10);
    plan_fit(&plan);
    assert_context(&plan, "## s0\naaaaaaaaaa");
    assert_int_equal(plan.build.answer_tokens, 16);
    plan_done(&plan);
}

static void floor_of_a_later_section_is_out_of_reach(void **state)
{
    (void)state;
    struct plan plan;
    plan_init(&plan, &by_byte, FORMAT_MARKDOWN, 60);
    size_t first = plan_add_section(&plan, 0, INT64_MAX);
    size_t second = plan_add_section(&plan, 20, INT64_MAX);
    for (size_t i = 0; i < 10; i++)
        plan_add_item(&plan, first, 9);
    plan_add_item(&plan, second, 9);
    plan_fit(&plan);
    assert_true(section_is_shown(&plan.states[second]));
    assert_true(plan.build.answer_tokens <= 60);
    plan_done(&plan);
}

static void floor_that_is_not_needed_is_spent_by_others(void **state)
{
    (void)state;
    struct plan plan;
    plan_init(&plan, &by_byte, FORMAT_MARKDOWN, 46);
    size_t first = plan_add_section(&plan, 0, INT64_MAX);
    plan_add_section(&plan, 30, INT64_MAX);
    for (size_t i = 0; i < 4; i++)
        plan_add_item(&plan, first, 9);
    plan_fit(&plan);
    assert_int_equal(plan.build.answer_tokens, 6 + 4 * 10 - 1);
    plan_done(&plan);
}

static void ceiling_holds_with_room_to_spare(void **state)
{
    (void)state;
    struct plan plan;
    plan_init(&plan, &by_byte, FORMAT_MARKDOWN, 1000);
    size_t only = plan_add_section(&plan, 0, 30);
    for (size_t i = 0; i < 5; i++)
        plan_add_item(&plan, only, 9);
    plan_fit(&plan);
    assert_true(plan.states[only].tokens <= 30);
    assert_int_equal(plan.items[only][1].fate, ITEM_FITS);
    assert_int_equal(plan.items[only][2].fate, ITEM_OVER_SECTION_MAX);
    plan_done(&plan);
}

static void section_without_room_says_dropped(void **state)
{
    (void)state;
    struct plan plan;
    plan_init(&plan, &by_byte, FORMAT_MARKDOWN, 16);
    size_t only = plan_add_section(&plan, 0, INT64_MAX);
    plan_add_item(&plan, only, 50);
    plan_fit(&plan);
    assert_int_equal(plan.states[only].status, SECTION_DROPPED);
    assert_int_equal(context_of(&plan).len, 0);
    plan_done(&plan);
}

static void long_item_is_cut_where_the_section_allows_it(void **state)
{
    (void)state;
    struct plan plan;
    plan_init(&plan, tokenizer_find(STR_LIT("approx")), FORMAT_MARKDOWN, 40);
    size_t only = plan_add_section(&plan, 0, INT64_MAX);
    plan.sections[only].shorten = SHORTEN_ALL;
    struct build_item *item = plan_add_item(&plan, only, 1);
    item->text = STR_LIT("- The first sentence says what the matter is. The second one adds what nobody "
                         "asked for. The third goes on and on about things that were said before, at length, "
                         "without an end in sight.");
    plan_fit(&plan);
    assert_int_equal(item->fate, ITEM_SHORTENED);
    assert_string_equal(item->step, "core");
    assert_true(plan.build.answer_tokens <= 40);
    assert_true(str_find(context_of(&plan), STR_LIT("The first sentence says what the matter is.")) >= 0);
    assert_true(str_find(context_of(&plan), STR_LIT("\xE2\x80\xA6")) > 0);
    plan_done(&plan);
}

static void item_keeps_what_was_asked_for_or_a_line_as_the_recipe_allows(void **state)
{
    (void)state;
    static const struct {
        unsigned shorten;
        const char *wanted;
    } cases[] = {
        {SHORTEN_ALL,
         "## s0\n- The week was long. \xE2\x80\xA6 The lamp cost 40 euros in the end. \xE2\x80\xA6"},
        {SHORTEN_CORE,
         "## s0\n- The week was long. \xE2\x80\xA6 The lamp cost 40 euros in the end. \xE2\x80\xA6"},
        {SHORTEN_LINE, "## s0\n- \xE2\x80\xA6 The lamp cost 40 euros in the end. \xE2\x80\xA6"},
        {0, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan plan;
        plan_init(&plan, tokenizer_find(STR_LIT("o200k_base")), FORMAT_MARKDOWN, 26);
        plan.request.query = STR_LIT("what did the lamps cost?");
        size_t only = plan_add_section(&plan, 0, INT64_MAX);
        plan.sections[only].shorten = cases[i].shorten;
        struct build_item *item = plan_add_item(&plan, only, 1);
        item->text =
            STR_LIT("- The week was long. It rained on Monday and again on Tuesday. The lamp cost 40 euros "
                    "in the end. Nobody called.");
        plan_fit(&plan);
        assert_context(&plan, cases[i].wanted);
        assert_true(plan.build.answer_tokens <= 26);
        plan_done(&plan);
    }
}

static void item_with_a_fence_of_the_template_is_never_cut(void **state)
{
    (void)state;
    struct plan plan;
    plan_init(&plan, tokenizer_find(STR_LIT("approx")), FORMAT_MARKDOWN, 40);
    size_t only = plan_add_section(&plan, 0, INT64_MAX);
    plan.sections[only].shorten = SHORTEN_ALL;
    struct build_item *item = plan_add_item(&plan, only, 1);
    item->text =
        STR_LIT("```\nA listing that is far too long for the room. It goes on and on, line after line. It "
                "goes on and on, line after line. It goes on and on, line after line. So it does.\n```");
    plan_fit(&plan);
    assert_int_equal(item->fate, ITEM_NO_ROOM);
    plan_done(&plan);
}

static void stable_sections_stand_first_and_do_not_change_with_the_others(void **state)
{
    (void)state;
    char digest[2][64];
    for (int round = 0; round < 2; round++) {
        struct plan plan;
        plan_init(&plan, &by_byte, FORMAT_MARKDOWN, 200);
        size_t lively = plan_add_section(&plan, 0, INT64_MAX);
        size_t stable = plan_add_section(&plan, 0, INT64_MAX);
        plan.sections[stable].is_stable = true;
        plan_add_item(&plan, lively, round == 0 ? 5 : 17);
        plan_add_item(&plan, stable, 7);
        plan_fit(&plan);
        (void)snprintf(digest[round], sizeof digest[round], "%.*s", STR_ARG(buf_str(&plan.build.stable)));
        assert_true(str_starts_with(context_of(&plan), STR_LIT("## s1\naaaaaaa\n\n## s0\naaaaa")));
        plan_done(&plan);
    }
    assert_string_equal(digest[0], digest[1]);
}

/* Long, short, long, short; scored from the first on. */
static size_t plan_add_scored(struct plan *plan, enum recipe_choice choice)
{
    size_t only = plan_add_section(plan, 0, INT64_MAX);
    plan->sections[only].choice = choice;
    for (size_t i = 0; i < 4; i++)
        plan_add_item(plan, only, i % 2 ? 20 : 400)->score = 0.9 - 0.1 * (double)i;
    return only;
}

static void by_gain_a_short_item_goes_before_a_long_one_that_is_a_little_better(void **state)
{
    (void)state;
    struct plan plan;
    for (enum recipe_choice choice = CHOOSE_RANK; choice <= CHOOSE_GAIN; choice++) {
        plan_init(&plan, &by_byte, FORMAT_MARKDOWN, 420);
        size_t only = plan_add_scored(&plan, choice);
        plan_fit(&plan);
        assert_int_equal(item_is_kept(&plan.items[only][0]), choice == CHOOSE_RANK);
        assert_int_equal(item_is_kept(&plan.items[only][1]), choice == CHOOSE_GAIN);
        assert_int_equal(item_is_kept(&plan.items[only][3]), choice == CHOOSE_GAIN);
        plan_done(&plan);
    }
}

static void by_gain_the_order_of_print_stays_and_long_items_take_what_is_left(void **state)
{
    (void)state;
    struct plan plan;
    plan_init(&plan, &by_byte, FORMAT_MARKDOWN, 460);
    size_t only = plan_add_scored(&plan, CHOOSE_GAIN);
    plan_fit(&plan);
    assert_true(item_is_kept(&plan.items[only][0]) && !item_is_kept(&plan.items[only][2]));
    assert_true(str_starts_with(context_of(&plan), STR_LIT("## s0\naaaa")));
    assert_true(str_find(context_of(&plan), STR_LIT("a\nbbbbbbbbbbbbbbbbbbbb\ndddd")) > 0);
    plan_done(&plan);
}

static void by_gain_items_without_scores_are_chosen_by_rank(void **state)
{
    (void)state;
    struct plan plan;
    plan_init(&plan, &by_byte, FORMAT_MARKDOWN, 420);
    size_t only = plan_add_scored(&plan, CHOOSE_GAIN);
    plan.items[only][2].score = NAN;
    plan_fit(&plan);
    assert_true(item_is_kept(&plan.items[only][0]) && !item_is_kept(&plan.items[only][1]));
    plan_done(&plan);
}

/* ---- all of them over random plans ---- */

static void plan_fill_randomly(struct plan *plan, uint64_t *seed)
{
    size_t n_sections = 1 + random_below(seed, MAX_SECTIONS);
    for (size_t i = 0; i < n_sections; i++) {
        int64_t min_tokens = random_below(seed, 3) ? 0 : (int64_t)random_below(seed, 60);
        int64_t max_tokens = random_below(seed, 3) ? INT64_MAX : min_tokens + (int64_t)random_below(seed, 90);
        size_t idx = plan_add_section(plan, min_tokens, max_tokens);
        size_t n_items = random_below(seed, 9);
        plan->sections[idx].is_stable = random_below(seed, 4) == 0;
        for (size_t j = 0; j < n_items; j++)
            plan_add_item(plan, idx, 1 + random_below(seed, random_below(seed, 5) ? 20 : 100));
    }
}

static int64_t rewrite(struct plan *plan)
{
    struct build *build = &plan->build;
    buf_clear(&build->context);
    format_write_context(build, &build->context);
    return build->tokenizer->count(buf_str(&build->context));
}

/* What a section's text costs alone. */
static int64_t section_cost(const struct plan *plan, size_t idx)
{
    int64_t cost = 0;
    for (size_t j = 0; j < plan->states[idx].n_items; j++)
        if (item_is_kept(&plan->items[idx][j]))
            cost += (int64_t)plan->items[idx][j].text.len + 1;
    return cost ? cost - 1 + 3 + (int64_t)plan->sections[idx].title.len + 1 : 0;
}

/* Kept item (k, l) gives way to dropped item (i, j): would the rules still hold? */
static bool could_replace(struct plan *plan, size_t i, size_t j, size_t k, size_t l)
{
    enum item_fate fate = plan->items[i][j].fate;
    plan->items[k][l].fate = ITEM_NO_ROOM;
    bool is_protected = section_cost(plan, k) < plan->sections[k].min_tokens;
    plan->items[i][j].fate = ITEM_FITS;
    bool is_below_max = section_cost(plan, i) <= plan->sections[i].max_tokens;
    bool fits = rewrite(plan) <= plan->build.max_tokens;
    plan->items[k][l].fate = ITEM_FITS;
    plan->items[i][j].fate = fate;
    return fits && is_below_max && !is_protected;
}

static void assert_nobody_deserved_better(struct plan *plan)
{
    for (size_t i = 0; i < plan->recipe.n_sections; i++)
        for (size_t j = 0; j < plan->states[i].n_items; j++) {
            if (item_is_kept(&plan->items[i][j]))
                continue;
            for (size_t k = i + 1; k < plan->recipe.n_sections; k++)
                for (size_t l = 0; l < plan->states[k].n_items; l++)
                    if (item_is_kept(&plan->items[k][l]))
                        assert_false(could_replace(plan, i, j, k, l));
        }
}

/* Nothing dropped would still fit beside what is kept. */
static void assert_nothing_more_fits(struct plan *plan)
{
    for (size_t i = 0; i < plan->recipe.n_sections; i++)
        for (size_t j = 0; j < plan->states[i].n_items; j++) {
            enum item_fate fate = plan->items[i][j].fate;
            if (item_is_kept(&plan->items[i][j]))
                continue;
            plan->items[i][j].fate = ITEM_FITS;
            if (section_cost(plan, i) <= plan->sections[i].max_tokens)
                assert_true(rewrite(plan) > plan->build.max_tokens);
            plan->items[i][j].fate = fate;
        }
}

static void exact_costs_give_the_best_greedy_choice(void **state)
{
    (void)state;
    uint64_t seed = 20261121;
    for (int round = 0; round < 1500; round++) {
        struct plan plan;
        plan_init(&plan, &by_byte, FORMAT_MARKDOWN, 16 + (int64_t)random_below(&seed, 500));
        plan_fill_randomly(&plan, &seed);
        plan_fit(&plan);
        assert_int_equal(plan.build.answer_tokens, count_bytes(context_of(&plan)));
        assert_true(plan.build.answer_tokens <= plan.build.max_tokens);
        for (size_t i = 0; i < plan.recipe.n_sections; i++)
            assert_true(section_cost(&plan, i) <= plan.sections[i].max_tokens);
        assert_nothing_more_fits(&plan);
        assert_nobody_deserved_better(&plan);
        plan_done(&plan);
    }
}

static void floors_are_honoured_when_they_fit_together(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int round = 0; round < 500; round++) {
        struct plan plan;
        int64_t floors = 0;
        plan_init(&plan, &by_byte, FORMAT_MARKDOWN, 400);
        for (size_t i = 0; i < 5; i++) {
            int64_t floor = 20 + (int64_t)random_below(&seed, 60);
            plan_add_section(&plan, floor, INT64_MAX);
            floors += floor;
            for (size_t j = 0; j < 12; j++)
                plan_add_item(&plan, i, 9);
        }
        assert_true(floors <= 400);
        plan_fit(&plan);
        /* A blank line, a heading, items of ten tokens: a floor is reached to within one item. */
        for (size_t i = 0; i < 5; i++)
            assert_true(2 + section_cost(&plan, i) > plan.sections[i].min_tokens - 10);
        plan_done(&plan);
    }
}

static void no_format_and_no_tokenizer_is_ever_over_budget(void **state)
{
    (void)state;
    uint64_t seed = 99;
    const struct tokenizer *tokenizers[] = {&by_quad, tokenizer_find(STR_LIT("approx")),
                                            tokenizer_find(STR_LIT("o200k_base"))};
    for (int round = 0; round < 1500; round++) {
        struct plan plan;
        const struct tokenizer *tokenizer = tokenizers[random_below(&seed, 3)];
        plan_init(&plan, tokenizer, (enum build_format)random_below(&seed, 3),
                  16 + (int64_t)random_below(&seed, 200));
        plan_fill_randomly(&plan, &seed);
        for (size_t i = 0; i < plan.recipe.n_sections; i++)
            plan.sections[i].shorten = (unsigned)random_below(&seed, 4);
        for (size_t i = 0; i < plan.recipe.n_sections; i++)
            plan.sections[i].choice = (enum recipe_choice)random_below(&seed, 2);
        for (size_t i = 0; i < plan.recipe.n_sections; i++)
            for (size_t j = 0; j < plan.states[i].n_items; j++)
                plan.items[i][j].score = 1.0 / (double)(j + 2);
        plan_fit(&plan);
        assert_int_equal(plan.build.answer_tokens, tokenizer->count(context_of(&plan)));
        assert_true(plan.build.answer_tokens <= plan.build.max_tokens);
        plan_done(&plan);
    }
}

static void much_to_say_fills_the_budget(void **state)
{
    (void)state;
    uint64_t seed = 4;
    for (int round = 0; round < 200; round++) {
        struct plan plan;
        int64_t max_tokens = 100 + (int64_t)random_below(&seed, 150);
        plan_init(&plan, &by_quad, FORMAT_MARKDOWN, max_tokens);
        for (size_t i = 0; i < 4; i++) {
            plan_add_section(&plan, 0, INT64_MAX);
            for (size_t j = 0; j < 20; j++)
                plan_add_item(&plan, i, 10 + random_below(&seed, 20));
        }
        plan_fit(&plan);
        assert_true(plan.build.answer_tokens >= max_tokens * 93 / 100);
        plan_done(&plan);
    }
}

/* Sentences of four to twenty words, some items of many. */
static struct str random_prose(struct arena *arena, uint64_t *seed)
{
    static const char *const words[] = {"lamp",   "the",  "a",     "bought", "東京", "yesterday", "don't",
                                        "and",    "40",   "euros", "Łódź",   "of",   "migration", "failed",
                                        "E1234:", "when", "she",   "said",   "it",   "(again)"};
    struct str text = STR_LIT("-");
    size_t n = 1 + random_below(seed, random_below(seed, 6) ? 4 : 40);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 4 + random_below(seed, 16); j > 0; j--)
            text = arena_printf(arena, "%.*s %s", STR_ARG(text),
                                words[random_below(seed, sizeof words / sizeof *words)]);
        text = arena_printf(arena, "%.*s.", STR_ARG(text));
    }
    return text;
}

static void much_to_say_of_any_length_fills_97_of_100(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (int round = 0; round < 150; round++) {
        struct plan plan;
        const struct tokenizer *tokenizer = tokenizer_all()[round % 3];
        int64_t max_tokens = 500 + (int64_t)random_below(&seed, 1500);
        plan_init(&plan, tokenizer, random_below(&seed, 3) ? FORMAT_MARKDOWN : FORMAT_MESSAGES, max_tokens);
        plan.request.query = STR_LIT("which lamp failed in Łódź?");
        for (size_t i = 0; i < 3; i++) {
            plan_add_section(&plan, (int64_t)random_below(&seed, 2) * 100, INT64_MAX);
            plan.sections[i].shorten = SHORTEN_ALL;
            plan.sections[i].choice = (enum recipe_choice)random_below(&seed, 2);
            for (size_t j = 0; j < 24; j++) {
                struct build_item *item = plan_add_item(&plan, i, 1);
                item->text = random_prose(&plan.build.arena, &seed);
                item->score = 1.0 / (double)(1 + j);
            }
        }
        plan_fit(&plan);
        assert_int_equal(plan.build.answer_tokens, tokenizer->count(context_of(&plan)));
        assert_true(plan.build.answer_tokens <= max_tokens);
        if (plan.build.answer_tokens < max_tokens * 97 / 100)
            fail_msg("%lld of %lld tokens", (long long)plan.build.answer_tokens, (long long)max_tokens);
        plan_done(&plan);
    }
}

/* Bytes that were counted, and how many texts of the context's size. */
static size_t n_counted_bytes, n_counted_wholes;

static int64_t count_watched(struct str text)
{
    n_counted_bytes += text.len;
    n_counted_wholes += text.len > 600;
    return tokenizer_find(STR_LIT("o200k_base"))->count(text);
}

static void each_item_is_counted_once_and_the_whole_never(void **state)
{
    (void)state;
    const struct tokenizer *real = tokenizer_find(STR_LIT("o200k_base"));
    const struct tokenizer watched = {"watched", count_watched,    count_watched,
                                      1,         real->next_break, real->last_break};
    struct plan plan;
    size_t n_bytes = 0;
    plan_init(&plan, &watched, FORMAT_MARKDOWN, 600);
    for (size_t i = 0; i < 4; i++) {
        plan_add_section(&plan, i % 2 ? 100 : 0, INT64_MAX);
        for (size_t j = 0; j < 20; j++) {
            struct build_item *item = plan_add_item(&plan, i, 1);
            item->text = arena_printf(&plan.build.arena,
                                      "- %zu sentences of middling length stand here, and this is not the "
                                      "last of them, for there are %zu more.",
                                      i * 31 + j, j);
            n_bytes += item->text.len;
        }
    }
    n_counted_bytes = n_counted_wholes = 0;
    plan_fit(&plan);
    assert_true(plan.build.answer_tokens > 600 * 95 / 100);
    assert_int_equal(plan.build.answer_tokens, real->count(context_of(&plan)));
    assert_int_equal(n_counted_wholes, 0);
    /* Every item, and a word at each seam that was weighed. */
    assert_true(n_counted_bytes < n_bytes * 3 / 2);
    plan_done(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_that_does_not_fit_is_passed_over_and_smaller_ones_are_kept),
        cmocka_unit_test(budget_is_filled_to_the_last_token),
        cmocka_unit_test(floor_of_a_later_section_is_out_of_reach),
        cmocka_unit_test(floor_that_is_not_needed_is_spent_by_others),
        cmocka_unit_test(ceiling_holds_with_room_to_spare),
        cmocka_unit_test(section_without_room_says_dropped),
        cmocka_unit_test(long_item_is_cut_where_the_section_allows_it),
        cmocka_unit_test(item_keeps_what_was_asked_for_or_a_line_as_the_recipe_allows),
        cmocka_unit_test(item_with_a_fence_of_the_template_is_never_cut),
        cmocka_unit_test(stable_sections_stand_first_and_do_not_change_with_the_others),
        cmocka_unit_test(by_gain_a_short_item_goes_before_a_long_one_that_is_a_little_better),
        cmocka_unit_test(by_gain_the_order_of_print_stays_and_long_items_take_what_is_left),
        cmocka_unit_test(by_gain_items_without_scores_are_chosen_by_rank),
        cmocka_unit_test(exact_costs_give_the_best_greedy_choice),
        cmocka_unit_test(floors_are_honoured_when_they_fit_together),
        cmocka_unit_test(no_format_and_no_tokenizer_is_ever_over_budget),
        cmocka_unit_test(much_to_say_fills_the_budget),
        cmocka_unit_test(much_to_say_of_any_length_fills_97_of_100),
        cmocka_unit_test(each_item_is_counted_once_and_the_whole_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
