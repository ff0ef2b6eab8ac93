/* SPDX-License-Identifier: Apache-2.0
 *
 * Resolves and sections from YAML: the keys that all of them have in one table, those of the source's kind
 * from its own.
 */
#include "recipe/recipe_priv.h"

#include <math.h>

/* One step while it is read. */
struct reading {
    struct recipe_step *step;
    struct recipe_section *section; /* NULL for a resolve */
    struct names names;             /* in statements, settings, conditions, `empty` */
};

static struct recipe_section *section_of(void *target)
{
    return ((struct reading *)target)->section;
}

static void read_done(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load;
    (void)node;
    (void)target; /* read before, because others depend on it */
}

static void read_title(struct load *load, const struct yaml_node *node, void *target)
{
    struct str title;

    if (!load_text(load, node, "title", &title))
        return;
    if (memchr(title.ptr ? title.ptr : "", '\n', title.len))
        load_complain(load, node->line, node->column, "'title' must be one line");
    else
        section_of(target)->title = str_trim(title);
}

static void read_when(struct load *load, const struct yaml_node *node, void *target)
{
    struct reading *reading = target;

    load_conditions(load, node, &reading->names, reading->step);
}

static void read_timeout(struct load *load, const struct yaml_node *node, void *target)
{
    struct reading *reading = target;

    (void)load_duration(load, node, "timeout", US_PER_MS, RECIPE_MAX_DEADLINE_US, &reading->step->timeout_us);
}

static void read_required(struct load *load, const struct yaml_node *node, void *target)
{
    struct reading *reading = target;

    (void)load_bool(load, node, "required", &reading->step->is_required);
}

static void read_require(struct load *load, const struct yaml_node *node, void *target)
{
    struct reading *reading = target;

    (void)load_bool(load, node, "require", &reading->step->is_required);
}

static void read_budget_min(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_int(load, node, "min", 0, RECIPE_MAX_TOKENS, &section_of(target)->min_tokens);
}

static void read_budget_max(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_int(load, node, "max", 1, RECIPE_MAX_TOKENS, &section_of(target)->max_tokens);
}

static void read_budget(struct load *load, const struct yaml_node *node, void *target)
{
    static const struct load_key keys[] = {{"min", read_budget_min}, {"max", read_budget_max}, {NULL, NULL}};
    struct recipe_section *section = section_of(target);

    if (!load_expect(load, node, "budget", YAML_MAP))
        return;
    load_map(load, node, keys, target);
    if (section->min_tokens > section->max_tokens)
        load_complain(load, node->line, node->column, "the budget's min (%lld) is more than its max (%lld)",
                      (long long)section->min_tokens, (long long)section->max_tokens);
}

static void read_limit(struct load *load, const struct yaml_node *node, void *target)
{
    int64_t limit;

    if (load_int(load, node, "limit", 1, SOURCE_MAX_ROWS, &limit))
        section_of(target)->limit = (size_t)limit;
}

static void read_item(struct load *load, const struct yaml_node *node, void *target)
{
    struct reading *reading = target;
    struct names names = reading->names;

    names.mode = NAMES_ROW;
    if (load_expect(load, node, "item", YAML_SCALAR))
        reading->section->item = load_template(load, node, &names);
}

static void read_group(struct load *load, const struct yaml_node *node, void *target)
{
    struct reading *reading = target;
    struct names names = reading->names;

    names.mode = NAMES_ROW;
    if (!load_expect(load, node, "group", YAML_SCALAR))
        return;
    if (memchr(node->text.ptr ? node->text.ptr : "", '\n', node->text.len))
        load_complain(load, node->line, node->column, "'group' must be one line");
    else
        reading->section->group = load_template(load, node, &names);
}

/* What the kind's rows look like where the recipe does not say: their ids and scores would
 * only cost tokens. */
static const struct template *default_item(struct load *load, const struct yaml_node *section,
                                           const struct reading *reading)
{
    struct yaml_node node = {.kind = YAML_SCALAR, .line = section->line, .column = section->column};
    struct names names = reading->names;

    names.mode = NAMES_ROW;
    node.text = str_of(reading->step->ops->item);
    return load_template(load, &node, &names);
}

static void read_empty(struct load *load, const struct yaml_node *node, void *target)
{
    struct reading *reading = target;

    if (load_expect(load, node, "empty", YAML_SCALAR))
        reading->section->empty = load_template(load, node, &reading->names);
}

static void read_stable(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_bool(load, node, "stable", &section_of(target)->is_stable);
}

static void read_dedupe(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_bool(load, node, "dedupe", &section_of(target)->is_deduplicated);
}

static void read_redact(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_bool(load, node, "redact", &section_of(target)->is_redacted);
}

static void read_match(struct load *load, const struct yaml_node *node, void *target)
{
    struct recipe_section *section = section_of(target);
    struct str what;

    if (!load_text(load, node, "match", &what))
        return;
    if (!str_is(what, "query"))
        load_complain(load, node->line, node->column, "'match' must be query, not '%.*s'",
                      STR_ARG(str_slice(what, 0, 60)));
    else if (section->n_fetched == 0)
        section->n_fetched = RECIPE_DEFAULT_FETCH;
}

static void read_fetch(struct load *load, const struct yaml_node *node, void *target)
{
    int64_t fetch;

    if (load_int(load, node, "fetch", 1, SOURCE_MAX_ROWS, &fetch))
        section_of(target)->n_fetched = (size_t)fetch;
}

static void read_at_least(struct load *load, const struct yaml_node *node, void *target)
{
    int64_t n;

    if (load_int(load, node, "at_least", 1, SOURCE_MAX_ROWS, &n))
        section_of(target)->n_matched = (size_t)n;
}

/* Fewer rows than are shown leave nothing to choose from. */
static void check_fetch(struct load *load, const struct yaml_node *section, struct recipe_section *plan)
{
    const struct yaml_node *fetch = yaml_get(section, "fetch");
    const struct yaml_node *at_least = yaml_get(section, "at_least");

    if (at_least && !yaml_get(section, "match"))
        load_complain(load, at_least->line, at_least->column, "'at_least' stands beside 'match: query' only");
    else if (at_least && plan->n_matched > plan->limit)
        load_complain(load, at_least->line, at_least->column, "'at_least' (%zu) is more than the limit (%zu)",
                      plan->n_matched, plan->limit);
    if (fetch && !yaml_get(section, "match"))
        load_complain(load, fetch->line, fetch->column, "'fetch' stands beside 'match: query' only");
    else if (fetch && plan->n_fetched > 0 && plan->n_fetched < plan->limit)
        load_complain(load, fetch->line, fetch->column, "'fetch' (%zu) is less than the limit (%zu)",
                      plan->n_fetched, plan->limit);
    else if (plan->n_fetched > 0 && plan->n_fetched < plan->limit)
        plan->n_fetched = plan->limit;
}

static void read_shorten(struct load *load, const struct yaml_node *node, void *target)
{
    unsigned *steps = &section_of(target)->shorten;
    bool is_all = false;

    if (node->kind != YAML_LIST) {
        if (load_bool(load, node, "shorten", &is_all))
            *steps = is_all ? SHORTEN_ALL : 0;
        return;
    }
    *steps = 0;
    for (size_t i = 0; i < node->n; i++) {
        const struct yaml_node *step = node->items[i];
        struct str name;

        if (!load_text(load, step, "shorten", &name))
            continue;
        if (str_is(name, "core"))
            *steps |= SHORTEN_CORE;
        else if (str_is(name, "line"))
            *steps |= SHORTEN_LINE;
        else
            load_complain(load, step->line, step->column, "'shorten' lists core and line, not '%.*s'",
                          STR_ARG(str_slice(name, 0, 60)));
    }
}

static void read_order(struct load *load, const struct yaml_node *node, void *target)
{
    static const char *const orders[] = {
        [ORDER_RANKED] = "ranked", [ORDER_REVERSED] = "reversed", [ORDER_TIME] = "time"};
    struct str name;

    if (!load_text(load, node, "order", &name))
        return;
    for (size_t i = 0; i < 3; i++) {
        if (str_is(name, orders[i])) {
            section_of(target)->order = (enum recipe_order)i;
            return;
        }
    }
    load_complain(load, node->line, node->column, "'order' must be ranked, reversed or time, not '%.*s'",
                  STR_ARG(str_slice(name, 0, 60)));
}

static void read_choose(struct load *load, const struct yaml_node *node, void *target)
{
    struct str name;

    if (!load_text(load, node, "choose", &name))
        return;
    if (str_is(name, "gain") || str_is(name, "rank"))
        section_of(target)->choice = str_is(name, "gain") ? CHOOSE_GAIN : CHOOSE_RANK;
    else
        load_complain(load, node->line, node->column, "'choose' must be rank or gain, not '%.*s'",
                      STR_ARG(str_slice(name, 0, 60)));
}

static void read_fresh(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_duration(load, node, "fresh", US_PER_SEC, RECIPE_MAX_LIFETIME_US,
                        &section_of(target)->fresh_us);
}

static void read_time_column(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_text(load, node, "time", &section_of(target)->time_column);
}

static void read_id_column(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_text(load, node, "id", &section_of(target)->id_column);
}

static void read_score_column(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_text(load, node, "score", &section_of(target)->score_column);
}

static void read_min_score(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_real(load, node, "min_score", 0, 1, &section_of(target)->min_score);
}

static const struct load_key resolve_keys[] = {{"from", read_done},         {"any", read_done},
                                               {"when", read_when},         {"timeout", read_timeout},
                                               {"required", read_required}, {NULL, NULL}};

static const struct load_key section_keys[] = {{"name", read_done},
                                               {"title", read_title},
                                               {"from", read_done},
                                               {"when", read_when},
                                               {"timeout", read_timeout},
                                               {"budget", read_budget},
                                               {"limit", read_limit},
                                               {"item", read_item},
                                               {"group", read_group},
                                               {"empty", read_empty},
                                               {"stable", read_stable},
                                               {"dedupe", read_dedupe},
                                               {"shorten", read_shorten},
                                               {"choose", read_choose},
                                               {"order", read_order},
                                               {"fresh", read_fresh},
                                               {"time", read_time_column},
                                               {"id", read_id_column},
                                               {"score", read_score_column},
                                               {"min_score", read_min_score},
                                               {"require", read_require},
                                               {"redact", read_redact},
                                               {"match", read_match},
                                               {"fetch", read_fetch},
                                               {"at_least", read_at_least},
                                               {"any", read_done},
                                               {NULL, NULL}};

static void set_defaults(const struct recipe *recipe, struct recipe_section *section)
{
    const char *kind = section->step.ops ? section->step.ops->kind : "";
    bool is_memory = strcmp(kind, "memory") == 0;
    bool is_conversation = strcmp(kind, "conversation") == 0;

    section->limit = RECIPE_DEFAULT_LIMIT;
    section->max_tokens = INT64_MAX;
    section->is_deduplicated = is_memory;
    section->is_redacted = recipe->is_redacted;
    section->shorten = is_memory || is_conversation || strcmp(kind, "files") == 0 ? SHORTEN_ALL : 0;
    section->choice = is_memory ? CHOOSE_GAIN : CHOOSE_RANK;
    section->order = is_conversation ? ORDER_REVERSED : ORDER_RANKED;
}

static size_t add_settings(const struct source_ops *ops, const char **known, size_t n, size_t max)
{
    for (size_t i = 0; ops->settings && ops->settings[i].name && n < max; i++)
        known[n++] = ops->settings[i].name;
    return n;
}

/* As load_map, but keys may also be settings of the step's kind: of any kind, while nobody knows
 * which it is. */
static void load_keys(struct load *load, const struct yaml_node *map, const struct load_key *keys,
                      struct reading *reading)
{
    const struct source_ops *const *kinds = source_kinds();
    const char *known[128];
    const size_t max = sizeof known / sizeof *known;
    size_t n_keys = 0;
    size_t n = 0;

    for (; keys[n_keys].name; n_keys++)
        known[n++] = keys[n_keys].name;
    if (reading->step->ops)
        n = add_settings(reading->step->ops, known, n, max);
    for (size_t i = 0; !reading->step->ops && kinds[i]; i++)
        n = add_settings(kinds[i], known, n, max);
    for (size_t i = 0; i < map->n; i++) {
        size_t k = 0;

        while (k < n && !str_is(map->keys[i].name, known[k]))
            k++;
        if (k < n_keys)
            keys[k].read(load, map->items[i], reading);
        else if (k == n)
            load_complain_unknown(load, map->keys[i].line, map->keys[i].column, "key", map->keys[i].name,
                                  known, n);
    }
}

/* A map with all the keys of one step, its source among them. */
static void load_keys_of(struct load *load, const struct yaml_node *node, bool is_spare,
                         struct reading *reading)
{
    struct recipe_section *section = reading->section;
    struct recipe_step *step = reading->step;
    const struct yaml_node *from = yaml_get(node, "from");

    step->timeout_us = INT64_MAX;
    if (from)
        load_from(load, from, is_spare, step);
    else
        load_complain(load, step->line, step->column, "'%.*s' needs 'from': a connection or a built-in kind",
                      STR_ARG(step->name));
    if (section)
        set_defaults(load->recipe, section);
    load_keys(load, node, section ? section_keys : resolve_keys, reading);
    if (section)
        check_fetch(load, node, section);
    if (section && !section->item && step->ops && step->ops->item)
        section->item = default_item(load, node, reading);
    if (!step->ops)
        return;
    load_settings(load, node, step, &reading->names);
    if (step->ops->wants_query_vector && reading->names.has_query_vector)
        *reading->names.has_query_vector = true;
}

/* One step's alternatives while they are read. */
struct choice {
    struct load *load;
    struct reading reading;
};

/* A spare one is read into a copy, which nobody keeps. */
static void read_alternative(void *owner, const struct yaml_node *map, bool is_spare)
{
    struct choice *choice = owner;
    struct reading reading = choice->reading;
    struct recipe_section section = {0};
    struct recipe_step step = {
        .name = reading.step->name, .line = reading.step->line, .column = reading.step->column};
    bool has_query_vector = false;

    if (!is_spare) {
        load_keys_of(choice->load, map, false, &reading);
        return;
    }
    if (reading.section) {
        section.step = step;
        reading.section = &section;
    }
    reading.step = reading.section ? &section.step : &step;
    reading.names.needs = &reading.step->needs;
    reading.names.has_query_vector = &has_query_vector;
    load_keys_of(choice->load, map, true, &reading);
}

static void load_step(struct load *load, const struct yaml_node *node, size_t idx, struct recipe_step *step,
                      struct recipe_section *section)
{
    const struct yaml_node *any = yaml_get(node, "any");
    struct choice choice = {.load = load,
                            .reading = {.step = step,
                                        .section = section,
                                        .names = {.recipe = load->recipe,
                                                  .self = idx,
                                                  .mode = NAMES_REQUEST,
                                                  .needs = &step->needs,
                                                  .has_query_vector = &load->recipe->has_query_vector}}};

    if (!load_expect(load, node, section ? "sections" : "resolve", YAML_MAP))
        return;
    if (any)
        load_alternatives(load, node, any, step, &(struct load_any){read_alternative, &choice});
    else
        load_keys_of(load, node, false, &choice.reading);
}

void load_steps(struct load *load, const struct yaml_node *resolves, const struct yaml_node *sections)
{
    struct recipe *recipe = load->recipe;

    for (size_t i = 0; i < recipe->n_resolves; i++)
        load_step(load, resolves->items[i], i, &recipe->resolves[i], NULL);
    for (size_t i = 0; i < recipe->n_sections; i++)
        load_step(load, sections->items[i], recipe->n_resolves + i, &recipe->sections[i].step,
                  &recipe->sections[i]);
}
