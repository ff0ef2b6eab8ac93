/* SPDX-License-Identifier: Apache-2.0
 *
 * Recipes from YAML: what each key becomes, what stands in for keys that are missing, and every mistake with
 * its place.
 */
#include "recipe_fixture.h"

static const struct source_setting sql_settings[] = {
    {"query", SETTING_SQL, true, NULL, 0, 0, "a statement"},
    {"depth", SETTING_INT, false, "3", 1, 9, "how deep"},
    {"weight", SETTING_REAL, false, NULL, 0, 0, "a number"},
    {"is_exact", SETTING_BOOL, false, "true", 0, 0, "a switch"},
    {"tags", SETTING_LIST, false, "[a, b]", 0, 0, "tags"},
    {"since", SETTING_DURATION, false, "2h", US_PER_SEC, 86400 * US_PER_SEC, "a span"},
    {"label", SETTING_TEXT, false, NULL, 0, 0, "a text"},
    {NULL},
};
static const char *const schemes[] = {"sqlite", NULL};
static const struct source_ops sql_ops = {.kind = "sql", .schemes = schemes, .settings = sql_settings};
static const struct recipe_connection connections[] = {{STR_LIT("main"), &sql_ops},
                                                       {STR_LIT("series"), &sql_ops}};

static struct recipe *load(const char *text)
{
    struct recipe *recipe = NULL;
    struct err_info err = {0};

    if (recipe_load(str_of(text), "r.yaml", connections, 2, &recipe, NULL, &err) < 0)
        fail_msg("%s: %s", err.field, err.message);
    return recipe;
}

/* Loads what must not load, and compares all findings: "line:column: sentence\n" each. */
static void expect_findings(const char *text, const char *expected)
{
    struct recipe_report report = {0};
    struct recipe *recipe = NULL;
    struct err_info err = {0};
    struct buf buf;
    char place[64];

    buf_init(&buf, 100000);
    assert_int_equal(recipe_load(str_of(text), "r.yaml", connections, 2, &recipe, &report, &err),
                     ERR_INVALID);
    assert_null(recipe);
    for (size_t i = 0; i < report.n; i++)
        buf_printf(&buf, "%d:%d: %.*s\n", report.findings[i].line, report.findings[i].column,
                   STR_ARG(report.findings[i].message));
    assert_string_equal(buf.data, expected);
    (void)snprintf(place, sizeof place, "r.yaml:%d:%d", report.findings[0].line, report.findings[0].column);
    assert_string_equal(err.field, place);
    assert_true(str_is(report.findings[0].message, err.message));
    assert_true(str_is(report.findings[0].file, "r.yaml"));
    buf_done(&buf);
    recipe_report_done(&report);
}

/* A kind of the settings that are maps and paths. */
static int check_label(struct str text, struct err_info *reterr)
{
    return str_is(text, "bad") ? err_set(reterr, ERR_INVALID, "it is bad") : 0;
}

static const struct source_setting web_settings[] = {
    {"path", SETTING_PATH, true, NULL, 0, 0, "a path", check_label},
    {"params", SETTING_MAP, false, NULL, 0, 0, "parameters"},
    {"label", SETTING_TEXT, false, NULL, 0, 0, "a text", check_label},
    {NULL},
};
static const struct source_ops web_ops = {
    .kind = "web", .schemes = schemes, .settings = web_settings, .wants_query_vector = true};

#define HEAD "recipe: r\nsections:\n  - name: a\n    from: main\n    query: SELECT 1\n"

static void a_short_recipe_gets_the_defaults(void **state)
{
    struct recipe *recipe = load(HEAD);
    const struct recipe_section *section = recipe_section_find(recipe, STR_LIT("a"));

    (void)state;
    assert_true(str_is(recipe->name, "r"));
    assert_true(str_is(recipe->file, "r.yaml"));
    assert_int_equal(strlen(recipe->version), 32);
    assert_int_equal(recipe->budget_tokens, 4000);
    assert_int_equal(recipe->max_budget_tokens, 32000);
    assert_true(str_is(recipe->tokenizer, "o200k_base"));
    assert_int_equal(recipe->deadline_us, 200 * US_PER_MS);
    assert_int_equal(recipe->cache_ttl_us, 0);
    assert_int_equal(recipe->zone.kind, REF_PARAM);
    assert_true(recipe->zone.idx == SIZE_MAX);
    assert_non_null(section);
    assert_ptr_equal(section->step.ops, &sql_ops);
    assert_int_equal(section->limit, 20);
    assert_int_equal(section->min_tokens, 0);
    assert_true(section->max_tokens == INT64_MAX);
    assert_true(section->step.timeout_us == INT64_MAX);
    assert_int_equal(section->order, ORDER_RANKED);
    assert_false(section->is_deduplicated);
    assert_int_equal(section->shorten, 0);
    assert_false(section->is_stable);
    assert_int_equal(section->choice, CHOOSE_RANK);
    assert_null(section->item);
    assert_null(section->group);
    assert_null(section->empty);
    assert_null(recipe_section_find(recipe, STR_LIT("b")));
    recipe_unref(recipe);
}

static const char whole[] = "recipe: whole-1\n"
                            "about: All keys\n"
                            "params:\n"
                            "  user_id: { type: text, required: true, about: Who }\n"
                            "  days: { type: int, default: 7 }\n"
                            "  ratio: { type: number, default: 0.5 }\n"
                            "  loud: { type: bool, default: false }\n"
                            "  since: { type: time, default: 2026-11-21T05:37:00Z }\n"
                            "  tags: { type: list, default: [x, y] }\n"
                            "  mode: { type: text, choices: [fast, slow], default: slow }\n"
                            "budget: { tokens: 100, max: 200, tokenizer: approx }\n"
                            "deadline: 1s\n"
                            "cache: { ttl: 5m, stale: 1h }\n"
                            "zone: user.timezone\n"
                            "resolve:\n"
                            "  user:\n"
                            "    from: main\n"
                            "    query: SELECT 1 WHERE 'x' = :user_id\n"
                            "    required: true\n"
                            "    timeout: 50ms\n"
                            "sections:\n"
                            "  - name: notes\n"
                            "    title: ' Notes '\n"
                            "    from: main\n"
                            "    when: user.location and not mode and query\n"
                            "    query: SELECT :user.id, :days, :today\n"
                            "    budget: { min: 10, max: 50 }\n"
                            "    limit: 3\n"
                            "    item: '{title} {user.name}'\n"
                            "    empty: Nothing for {user_id}\n"
                            "    stable: true\n"
                            "    dedupe: true\n"
                            "    shorten: true\n"
                            "    group: 'On {created_at|date}'\n"
                            "    choose: gain\n"
                            "    order: time\n"
                            "    fresh: 1h\n"
                            "    time: at\n"
                            "    id: key\n"
                            "    min_score: 0.25\n"
                            "    require: true\n"
                            "    depth: 5\n"
                            "    weight: 1.5\n"
                            "    is_exact: false\n"
                            "    tags: [c]\n"
                            "    since: 30m\n"
                            "    label: 'for {user.name}'\n"
                            "  - name: other\n"
                            "    from: series\n"
                            "    when: 'not user.location'\n"
                            "    query: SELECT :notes.id, :notes[].id\n"
                            "    label: '{{fixed}}'\n";

static void every_key_reaches_the_plan(void **state)
{
    struct recipe *recipe = load(whole);
    const struct recipe_section *notes = recipe_section_find(recipe, STR_LIT("notes"));

    (void)state;
    assert_int_equal(recipe->budget_tokens, 100);
    assert_int_equal(recipe->max_budget_tokens, 200);
    assert_int_equal(recipe->deadline_us, US_PER_SEC);
    assert_int_equal(recipe->cache_ttl_us, 300 * US_PER_SEC);
    assert_int_equal(recipe->cache_stale_us, 3600 * US_PER_SEC);
    assert_int_equal(recipe->zone.kind, REF_STEP);
    assert_true(str_is(recipe->zone.column, "timezone"));
    assert_int_equal(recipe->n_resolves, 1);
    assert_true(recipe->resolves[0].is_required);
    assert_int_equal(recipe->resolves[0].timeout_us, 50 * US_PER_MS);
    assert_int_equal(recipe->resolves[0].needs, 0);
    assert_int_equal(recipe->resolves[0].settings[0].binds[0].kind, REF_PARAM);
    assert_true(str_is(notes->title, "Notes"));
    assert_int_equal(notes->step.needs, 1);
    assert_int_equal(notes->min_tokens, 10);
    assert_int_equal(notes->max_tokens, 50);
    assert_int_equal(notes->limit, 3);
    assert_non_null(notes->item);
    assert_non_null(notes->empty);
    assert_true(notes->is_stable && notes->is_deduplicated && notes->shorten == SHORTEN_ALL &&
                notes->step.is_required);
    assert_non_null(notes->group);
    assert_int_equal(notes->choice, CHOOSE_GAIN);
    assert_int_equal(notes->order, ORDER_TIME);
    assert_int_equal(notes->fresh_us, 3600 * US_PER_SEC);
    assert_true(str_is(notes->time_column, "at"));
    assert_true(str_is(notes->id_column, "key"));
    assert_true(notes->min_score > 0.24 && notes->min_score < 0.26);
    recipe_unref(recipe);
}

static void parameters_have_types_defaults_and_choices(void **state)
{
    struct recipe *recipe = load(whole);

    (void)state;
    assert_int_equal(recipe->n_params, 7);
    assert_true(recipe->params[0].is_required);
    assert_false(recipe->params[0].has_fallback);
    assert_true(str_is(recipe->params[0].about, "Who"));
    assert_int_equal(recipe->params[1].fallback.integer, 7);
    assert_true(recipe->params[2].fallback.real > 0.4);
    assert_int_equal(recipe->params[3].fallback.type, VALUE_BOOL);
    assert_true(recipe->params[4].fallback.time_us == INT64_C(1795239420) * US_PER_SEC);
    assert_true(str_is(recipe->params[5].fallback.text, "[\"x\",\"y\"]"));
    assert_int_equal(recipe->params[6].n_choices, 2);
    assert_true(str_is(recipe->params[6].choices[0], "fast"));
    recipe_unref(recipe);
}

static void settings_stand_in_the_order_of_the_kind(void **state)
{
    struct recipe *recipe = load(whole);
    const struct recipe_setting *given = recipe->sections[0].step.settings;
    const struct recipe_setting *defaults = recipe->sections[1].step.settings;

    (void)state;
    assert_true(str_is(given[0].constant.text, "SELECT ?1, ?2, ?3"));
    assert_int_equal(given[0].n_binds, 3);
    assert_int_equal(given[0].binds[2].kind, REF_DAY);
    assert_int_equal(given[1].constant.integer, 5);
    assert_true(given[2].constant.real > 1.4);
    assert_false(given[3].constant.boolean);
    assert_true(str_is(given[4].constant.text, "[\"c\"]"));
    assert_int_equal(given[5].constant.integer, 1800 * US_PER_SEC);
    assert_non_null(given[6].template);
    assert_int_equal(defaults[1].constant.integer, 3);
    assert_int_equal(defaults[2].constant.type, VALUE_NULL);
    assert_true(defaults[3].constant.boolean);
    assert_true(str_is(defaults[4].constant.text, "[\"a\",\"b\"]"));
    assert_int_equal(defaults[5].constant.integer, 7200 * US_PER_SEC);
    assert_null(defaults[6].template);
    assert_true(str_is(defaults[6].constant.text, "{fixed}"));
    recipe_unref(recipe);
}

static void conditions_and_needs_name_their_steps(void **state)
{
    struct recipe *recipe = load(whole);
    const struct recipe_step *notes = recipe_step_at(recipe, 1);
    const struct recipe_step *other = recipe_step_at(recipe, 2);

    (void)state;
    assert_int_equal(recipe_n_steps(recipe), 3);
    assert_int_equal(notes->n_when, 3);
    assert_int_equal(notes->when[0].ref.kind, REF_STEP);
    assert_int_equal(notes->when[1].ref.kind, REF_PARAM);
    assert_true(notes->when[1].is_negated);
    assert_int_equal(notes->when[2].ref.kind, REF_QUERY);
    assert_int_equal(other->n_when, 1);
    assert_true(other->when[0].is_negated);
    assert_int_equal(other->needs, 3);
    assert_false(other->settings[0].binds[0].is_list);
    assert_true(other->settings[0].binds[1].is_list);
    recipe_unref(recipe);
}

static void today_waits_for_the_zone(void **state)
{
    struct recipe *recipe =
        load("recipe: r\nzone: user.tz\nresolve:\n  user: { from: main, query: SELECT 1 }\n"
             "sections:\n  - { name: a, from: main, query: 'SELECT :today' }\n"
             "  - { name: b, from: main, query: 'SELECT :now' }\n");

    (void)state;
    assert_int_equal(recipe->sections[0].step.needs, 1);
    assert_int_equal(recipe->sections[1].step.needs, 0);
    recipe_unref(recipe);
}

static void the_version_follows_the_text(void **state)
{
    struct recipe *a = load(HEAD);
    struct recipe *b = load(HEAD);
    struct recipe *c = load(HEAD "# changed\n");

    (void)state;
    assert_string_equal(a->version, b->version);
    assert_string_not_equal(a->version, c->version);
    assert_ptr_equal(recipe_hold(a), a);
    recipe_unref(a);
    recipe_unref(a);
    recipe_unref(b);
    recipe_unref(c);
}

static void fixed_text_needs_no_connection(void **state)
{
    struct recipe *recipe =
        load("recipe: r\nsections:\n  - name: rules\n    from: text\n    text: |\n      Be kind.\n");

    (void)state;
    assert_true(str_is(recipe->sections[0].step.settings[0].constant.text, "Be kind."));
    recipe_unref(recipe);
}

static void every_mistake_of_a_file_is_found_in_one_run(void **state)
{
    (void)state;
    expect_findings(
        "recipe: Bad Name\n"
        "abuot: x\n"
        "params:\n"
        "  a-b: { type: text }\n"
        "  query: { type: text }\n"
        "  n: { type: itn }\n"
        "  m: { type: int, default: x }\n"
        "  k: { required: true, default: x }\n"
        "  c: { choices: [a, b], default: aa }\n"
        "  d: { type: int, choices: [a] }\n"
        "budget: { tokens: 300, max: 200 }\n"
        "deadline: 5\n"
        "cache: { tll: 5m }\n"
        "zone: query\n"
        "sections:\n"
        "  - name: s\n"
        "    form: main\n"
        "    query: SELECT 1\n"
        "  - name: t\n"
        "    from: mian\n"
        "    query: some kind takes this\n"
        "    whatever: no kind does\n",
        "1:9: a recipe's name is 1 to 64 small letters, digits, - and _, not 'Bad Name'\n"
        "2:1: unknown key 'abuot'; did you mean 'about'?\n"
        "4:3: a parameter's name is a letter or _ followed by letters, digits and _, not 'a-b'\n"
        "5:3: 'query' has a meaning of its own and cannot be a parameter\n"
        "6:14: unknown type 'itn'; did you mean 'int'?\n"
        "7:28: 'default' must be a whole number, not 'x'\n"
        "8:33: a required parameter needs no default: leave one of them out\n"
        "9:34: unknown choice 'aa'; did you mean 'a'?\n"
        "10:28: only a parameter of type text has choices\n"
        "11:9: the budget's tokens (300) are more than its max (200)\n"
        "12:11: 'deadline' must be a duration from 1ms to 1m, such as 200ms, 5s or 10m, not '5'\n"
        "13:10: unknown key 'tll'; did you mean 'ttl'?\n"
        "14:7: 'zone' must name a parameter or a column that holds a time zone, such as user.timezone\n"
        "16:11: 's' needs 'from': a connection or a built-in kind\n"
        "17:5: unknown key 'form'; did you mean 'from'?\n"
        "20:11: unknown connection 'mian'; did you mean 'main'?\n"
        "22:5: unknown key 'whatever'\n");
}

static void every_mistake_of_a_section_has_its_place(void **state)
{
    (void)state;
    expect_findings("recipe: r\n"
                    "sections:\n"
                    "  - name: s\n"
                    "    titel: x\n"
                    "    from: main\n"
                    "    when: usr\n"
                    "    query: |\n"
                    "      SELECT 1\n"
                    "      WHERE x = :nobody\n"
                    "    timeout: 2h\n"
                    "    budget: { min: 5, max: 2 }\n"
                    "    limit: 5000\n"
                    "    item: \"{x|dat}\"\n"
                    "    empty: {a: 1}\n"
                    "    stable: yes\n"
                    "    order: random\n"
                    "    fresh: 1ms\n"
                    "    min_score: 2\n"
                    "    depth: 10\n"
                    "    since: 2d\n"
                    "    tags: {a: b}\n"
                    "    label: [x]\n"
                    "    choose: best\n"
                    "    group: \"a\\nb\"\n",
                    "4:5: unknown key 'titel'; did you mean 'title'?\n"
                    "6:11: unknown name 'usr'; did you mean 's'?\n"
                    "9:17: unknown name 'nobody': it is no parameter, resolve or section\n"
                    "10:14: 'timeout' must be a duration from 1ms to 1m, such as 200ms, 5s or 10m, not '2h'\n"
                    "11:13: the budget's min (5) is more than its max (2)\n"
                    "12:12: 'limit' must be a whole number from 1 to 1000, not '5000'\n"
                    "13:15: unknown filter 'dat'; did you mean 'date'?\n"
                    "14:12: 'empty' must be a text or number, not a map\n"
                    "15:13: 'stable' must be true or false, not 'yes'\n"
                    "16:12: 'order' must be ranked, reversed or time, not 'random'\n"
                    "17:12: 'fresh' must be a duration from 1s to 366d, such as 200ms, 5s or 10m, not '1ms'\n"
                    "18:16: 'min_score' must be a number from 0 to 1, not '2'\n"
                    "19:12: 'depth' must be a whole number from 1 to 9, not '10'\n"
                    "20:12: 'since' must be a duration from 1s to 1d, such as 200ms, 5s or 10m, not '2d'\n"
                    "21:11: 'tags' must be a list, not a map\n"
                    "22:12: 'label' must be a text or number, not a list\n"
                    "23:13: 'choose' must be rank or gain, not 'best'\n"
                    "24:12: 'group' must be one line\n");
}

static void names_must_be_there_once_and_sound(void **state)
{
    (void)state;
    expect_findings(
        "recipe: r\nparams: { p: { type: text } }\nresolve:\n  user: { from: main, query: SELECT 1 }\n"
        "sections:\n"
        "  - { name: user, from: main, query: SELECT 1 }\n"
        "  - { name: p, from: main, query: SELECT 1 }\n"
        "  - { from: main, query: SELECT 1 }\n"
        "  - { name: to-day, from: main, query: SELECT 1 }\n"
        "  - { name: now, from: main, query: SELECT 1 }\n"
        "  - just text\n"
        "  - { name: q, from: main }\n",
        "6:13: there is a resolve or section 'user' already\n"
        "7:13: there is a parameter 'p' already\n"
        "8:5: this section has no 'name'\n"
        "9:13: a step's name is a letter or _ followed by letters, digits and _, not 'to-day'\n"
        "10:13: 'now' has a meaning of its own and cannot be a step\n"
        "11:5: 'sections' must be a map, not a text\n"
        "12:13: 'q' needs 'query' (a statement), because it is from 'main'\n");
}

static void a_cycle_is_named_all_the_way_round(void **state)
{
    (void)state;
    expect_findings("recipe: r\nsections:\n"
                    "  - { name: weather, from: main, query: 'SELECT :user_profile.location' }\n"
                    "  - { name: user_profile, from: main, query: SELECT 1, item: '{weather.x}' }\n"
                    "  - { name: alone, from: main, query: 'SELECT :alone.x' }\n",
                    "3:13: these steps wait for each other: weather -> user_profile -> weather\n"
                    "5:13: these steps wait for each other: alone -> alone\n");
}

static void a_resolve_cannot_use_a_section(void **state)
{
    (void)state;
    expect_findings("recipe: r\nresolve:\n  user: { from: main, query: 'SELECT :s.x' }\n"
                    "sections:\n  - { name: s, from: main, query: SELECT 1 }\n",
                    "3:3: resolve 'user' cannot use section 's': resolves come before all sections\n");
}

static void conditions_ask_for_values(void **state)
{
    (void)state;
    expect_findings("recipe: r\nsections:\n"
                    "  - { name: a, from: main, query: SELECT 1, when: 'query and now' }\n"
                    "  - { name: b, from: main, query: SELECT 1, when: '' }\n"
                    "  - { name: c, from: main, query: SELECT 1, when: 'query and not' }\n",
                    "3:62: a condition asks whether a value is there, and a time always is\n"
                    "4:51: 'when' must name a value, such as user.location\n"
                    "5:62: a name is missing\n");
}

static void a_file_that_is_no_recipe_is_told_so(void **state)
{
    (void)state;
    expect_findings("[1, 2]", "1:1: a recipe is a map of keys, not a list\n");
    expect_findings("", "1:1: the key 'recipe' with the recipe's name is missing\n"
                        "1:1: the key 'sections' is missing: a recipe needs at least one section\n");
    expect_findings("recipe: r\nsections:\n  - name: a\n    frm: main\n    query: SELECT 1\n    depth: 2\n",
                    "3:11: 'a' needs 'from': a connection or a built-in kind\n"
                    "4:5: unknown key 'frm'; did you mean 'from'?\n");
    expect_findings("recipe: r\nsections: []\n", "2:11: a recipe needs at least one section\n");
    expect_findings("recipe: r\nsections: 5\n", "2:11: 'sections' must be a list, not a text\n");
    expect_findings("recipe: r\nsections:\n", "2:10: 'sections' must be a list, but nothing stands here\n");
    expect_findings("recipe: r\nparams: [a]\nresolve: 7\nbudget: 9\ncache: x\ntokenizer: x\n" HEAD,
                    "7:1: the key 'recipe' stands here for the second time (first in line 1)\n");
}

static void a_key_of_sections_and_kind_is_complained_of_once(void **state)
{
    (void)state;
    expect_findings("recipe: r\nsections:\n  - { name: a, from: memory, min_score: high }\n",
                    "3:41: 'min_score' must be a number from 0 to 1, not 'high'\n");
}

static void the_first_alternative_that_is_configured_holds(void **state)
{
    struct recipe *recipe =
        load("recipe: r\n"
             "sections:\n"
             "  - name: a\n"
             "    limit: 7\n"
             "    item: 'common'\n"
             "    any:\n"
             "      - { from: recent, path: 'x:{user_id}', limit: 3 }\n"
             "      - { from: series, query: SELECT 1, item: 'own' }\n"
             "      - { from: memory, min_score: 0.5 }\n"
             "  - name: b\n"
             "    any: [{ from: memory, when: query }, { from: main, query: 'SELECT :a.x' }]\n");
    const struct recipe_section *a = &recipe->sections[0], *b = &recipe->sections[1];

    (void)state;
    assert_true(str_is(a->step.from, "series"));
    assert_int_equal(a->limit, 7);
    assert_int_equal(a->min_score, 0);
    assert_int_equal(a->step.n_any, 3);
    assert_true(str_is(a->step.any[0], "recent"));
    assert_true(str_is(b->step.from, "memory"));
    assert_int_equal(b->step.n_when, 1);
    assert_int_equal(b->step.needs, 0); /* what a spare one would wait for does not count */
    recipe_unref(recipe);
}

static void all_alternatives_are_checked(void **state)
{
    (void)state;
    expect_findings("recipe: r\n"
                    "sections:\n"
                    "  - name: a\n"
                    "    limit: x\n"
                    "    any:\n"
                    "      - { from: elsewhere, qurey: SELECT 1 }\n"
                    "      - { from: memory, item: '{' }\n"
                    "      - { from: main, name: b, query: DELETE FROM t }\n"
                    "      - { query: SELECT 1 }\n",
                    "3:11: 'a' needs 'from': a connection or a built-in kind\n"
                    "4:12: 'limit' must be a whole number from 1 to 1000, not 'x'\n"
                    "6:28: unknown key 'qurey'; did you mean 'query'?\n"
                    "7:32: a name is missing\n"
                    "7:32: this '{' is not closed; a brace that is meant as such is written '{{'\n"
                    "8:23: 'name' cannot stand in one of several alternatives\n"
                    "8:39: a query must begin with SELECT, WITH or VALUES: sources are read only\n");
    expect_findings("recipe: r\nsections:\n  - { name: a, any: [{ from: x }, { from: y }] }\n",
                    "3:30: unknown connection 'x'\n");
    expect_findings("recipe: r\nsections:\n  - { name: a, from: main, any: [], query: SELECT 1 }\n",
                    "3:22: 'from' stands in each of 'any', not beside it\n"
                    "3:33: 'any' lists 1 to 16 alternatives, not 0\n");
}

static void rows_may_be_matched_with_the_query(void **state)
{
    struct recipe *recipe =
        load("recipe: r\nredact: true\nsections:\n"
             "  - { name: a, from: main, query: SELECT 1, match: query }\n"
             "  - { name: b, from: main, query: SELECT 1, match: query, fetch: 50, redact: false }\n"
             "  - { name: c, from: main, query: SELECT 1, match: query, limit: 500, at_least: 6 }\n"
             "  - { name: d, from: main, query: SELECT 1 }\n");

    (void)state;
    assert_int_equal(recipe->sections[0].n_fetched, 200);
    assert_int_equal(recipe->sections[1].n_fetched, 50);
    assert_int_equal(recipe->sections[2].n_fetched, 500);
    assert_int_equal(recipe->sections[3].n_fetched, 0);
    assert_int_equal(recipe->sections[0].n_matched, 0);
    assert_int_equal(recipe->sections[2].n_matched, 6);
    assert_true(recipe->sections[0].is_redacted);
    assert_false(recipe->sections[1].is_redacted);
    recipe_unref(recipe);
    expect_findings("recipe: r\nredact: maybe\nsections:\n"
                    "  - { name: a, from: main, query: SELECT 1, match: newest }\n"
                    "  - { name: b, from: main, query: SELECT 1, match: query, fetch: 5 }\n"
                    "  - { name: c, from: main, query: SELECT 1, fetch: 50 }\n"
                    "  - { name: d, from: main, query: SELECT 1, match: query, fetch: 5000 }\n"
                    "  - { name: e, from: main, query: SELECT 1, match: query, at_least: 21 }\n"
                    "  - { name: f, from: main, query: SELECT 1, at_least: 1 }\n",
                    "2:9: 'redact' must be true or false, not 'maybe'\n"
                    "4:52: 'match' must be query, not 'newest'\n"
                    "5:66: 'fetch' (5) is less than the limit (20)\n"
                    "6:52: 'fetch' stands beside 'match: query' only\n"
                    "7:66: 'fetch' must be a whole number from 1 to 1000, not '5000'\n"
                    "8:69: 'at_least' (21) is more than the limit (20)\n"
                    "9:55: 'at_least' stands beside 'match: query' only\n");
}

static void an_unknown_tokenizer_names_the_nearest(void **state)
{
    (void)state;
    expect_findings("budget: { tokenizer: aprox }\n" HEAD,
                    "1:22: unknown tokenizer 'aprox'; did you mean 'approx'?\n");
}

static void too_many_steps_are_refused(void **state)
{
    struct buf text;
    struct recipe *recipe = NULL;
    struct err_info err = {0};

    (void)state;
    buf_init(&text, 100000);
    buf_append_text(&text, "recipe: r\nsections:\n");
    for (int i = 0; i <= RECIPE_MAX_STEPS; i++)
        buf_printf(&text, "  - { name: s%d, from: main, query: SELECT 1 }\n", i);
    assert_int_equal(recipe_load(buf_str(&text), "r.yaml", connections, 2, &recipe, NULL, &err), ERR_INVALID);
    assert_string_equal(err.message, "a recipe has at most 64 resolves and sections together, not 65");
    assert_string_equal(err.field, "r.yaml:3:3");
    buf_done(&text);
}

static void findings_end_at_their_maximum(void **state)
{
    struct recipe_report report = {0};
    struct recipe *recipe = NULL;
    struct buf text;

    (void)state;
    buf_init(&text, 1000000);
    buf_append_text(&text, HEAD);
    for (int i = 0; i < 2 * RECIPE_MAX_FINDINGS; i++)
        buf_printf(&text, "    k%d: 1\n", i);
    assert_int_equal(recipe_load(buf_str(&text), "r.yaml", connections, 2, &recipe, &report, NULL),
                     ERR_INVALID);
    assert_int_equal(report.n, RECIPE_MAX_FINDINGS);
    recipe_report_done(&report);
    buf_done(&text);
}

static void a_recipe_can_be_shown_as_json(void **state)
{
    struct recipe *recipe = load(whole);
    struct json *root = NULL;
    struct buf buf;

    (void)state;
    buf_init(&buf, 100000);
    recipe_write_json(recipe, true, &buf);
    assert_int_equal(json_parse(buf_str(&buf), 16, &root, NULL), 0);
    assert_true(str_is(json_text_of(json_member(root, "name")), "whole-1"));
    assert_int_equal(json_count(json_member(root, "params")), 7);
    assert_int_equal(json_count(json_member(root, "sections")), 2);
    assert_true(str_is(json_text_of(json_reach(root, STR_LIT("sections.1.needs.1"))), "notes"));
    assert_true(
        str_is(json_text_of(json_reach(root, STR_LIT("sections.0.settings.query"))), "SELECT ?1, ?2, ?3"));
    assert_int_equal(json_int_of(json_reach(root, STR_LIT("cache.ttl_ms"))), 300000);
    json_free(root);
    buf_clear(&buf);
    recipe_write_json(recipe, false, &buf);
    assert_int_equal(json_parse(buf_str(&buf), 16, &root, NULL), 0);
    assert_null(json_member(root, "resolve"));
    assert_null(json_reach(root, STR_LIT("sections.0.settings")));
    json_free(root);
    buf_done(&buf);
    recipe_unref(recipe);
}

static int load_web(const char *text, struct recipe **ret_recipe, struct err_info *err)
{
    const struct recipe_connection web = {STR_LIT("web"), &web_ops};
    *ret_recipe = NULL;
    return recipe_load(str_of(text), "r.yaml", &web, 1, ret_recipe, NULL, err);
}

#define WEB "recipe: r\nparams: { id: { type: text } }\nsections:\n  - name: a\n    from: web\n"

static void maps_hold_a_template_under_each_name(void **state)
{
    struct recipe *recipe;
    (void)state;
    assert_int_equal(
        load_web(WEB "    path: /x/{id}\n    params: { a: \"{id}\", b: plain, \"c d\": 7 }\n", &recipe, NULL),
        0);
    const struct recipe_setting *settings = recipe->sections[0].step.settings;
    assert_non_null(settings[0].template);
    assert_int_equal(settings[1].n_entries, 3);
    assert_non_null(settings[1].entries[0].template);
    assert_null(settings[1].entries[1].template);
    assert_true(str_is(settings[1].entries[1].text, "plain"));
    assert_true(str_is(settings[1].entries[2].name, "c d"));
    assert_true(str_is(settings[1].constant.text, "{\"a\":\"{id}\",\"b\":\"plain\",\"c d\":\"7\"}"));
    assert_true(recipe->has_query_vector);
    recipe_unref(recipe);
}

static void mistakes_in_maps_and_checked_texts_have_their_place(void **state)
{
    static const char *const cases[][3] = {
        {WEB "    path: bad\n", "r.yaml:6:11", "'path': it is bad"},
        {WEB "    path: /\n    label: bad\n", "r.yaml:7:12", "'label': it is bad"},
        {WEB "    path: /\n    params: 7\n", "r.yaml:7:13", "'params' must be a map"},
        {WEB "    path: /\n    params: { a: [ 1 ] }\n", "r.yaml:7:18", "'a' must be a text or number"},
        {WEB "    path: /\n    params: { a: \"{ix}\" }\n", "r.yaml:7:19", "ix"},
        {WEB "    params: { a: b }\n", "r.yaml:4:11", "'a' needs 'path'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct recipe *recipe;
        struct err_info err = {0};
        assert_int_equal(load_web(cases[i][0], &recipe, &err), ERR_INVALID);
        if (strcmp(err.field, cases[i][1]) != 0 || !strstr(err.message, cases[i][2]))
            fail_msg("%zu: %s: %s", i, err.field, err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_hold_a_template_under_each_name),
        cmocka_unit_test(mistakes_in_maps_and_checked_texts_have_their_place),
        cmocka_unit_test(a_short_recipe_gets_the_defaults),
        cmocka_unit_test(every_key_reaches_the_plan),
        cmocka_unit_test(parameters_have_types_defaults_and_choices),
        cmocka_unit_test(settings_stand_in_the_order_of_the_kind),
        cmocka_unit_test(conditions_and_needs_name_their_steps),
        cmocka_unit_test(today_waits_for_the_zone),
        cmocka_unit_test(the_version_follows_the_text),
        cmocka_unit_test(fixed_text_needs_no_connection),
        cmocka_unit_test(every_mistake_of_a_file_is_found_in_one_run),
        cmocka_unit_test(every_mistake_of_a_section_has_its_place),
        cmocka_unit_test(names_must_be_there_once_and_sound),
        cmocka_unit_test(a_cycle_is_named_all_the_way_round),
        cmocka_unit_test(a_resolve_cannot_use_a_section),
        cmocka_unit_test(conditions_ask_for_values),
        cmocka_unit_test(a_file_that_is_no_recipe_is_told_so),
        cmocka_unit_test(a_key_of_sections_and_kind_is_complained_of_once),
        cmocka_unit_test(the_first_alternative_that_is_configured_holds),
        cmocka_unit_test(all_alternatives_are_checked),
        cmocka_unit_test(rows_may_be_matched_with_the_query),
        cmocka_unit_test(an_unknown_tokenizer_names_the_nearest),
        cmocka_unit_test(too_many_steps_are_refused),
        cmocka_unit_test(findings_end_at_their_maximum),
        cmocka_unit_test(a_recipe_can_be_shown_as_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
