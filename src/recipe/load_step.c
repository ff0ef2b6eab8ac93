/* SPDX-License-Identifier: Apache-2.0
 *
 * What resolves and sections share: their names, the source they ask, the conditions they wait for, the
 * settings of the source's kind.
 */
#include "recipe/recipe_priv.h"

static void name_step(struct load *load, int line, int column, struct str name, struct recipe_step *step)
{
    step->line = line;
    step->column = column;
    if (!ref_name_is_plain(name))
        load_complain(load, line, column,
                      "a step's name is a letter or _ followed by letters, digits and _, not '%.*s'",
                      STR_ARG(str_slice(name, 0, 80)));
    else if (ref_name_is_reserved(name))
        load_complain(load, line, column, "'%.*s' has a meaning of its own and cannot be a step",
                      STR_ARG(name));
    else if (ref_step_find(load->recipe, name) != SIZE_MAX)
        load_complain(load, line, column, "there is a resolve or section '%.*s' already", STR_ARG(name));
    else
        step->name = name;
    for (size_t i = 0; i < load->recipe->n_params; i++) {
        if (str_eq(load->recipe->params[i].name, name))
            load_complain(load, line, column, "there is a parameter '%.*s' already", STR_ARG(name));
    }
}

static void name_sections(struct load *load, const struct yaml_node *list, size_t n)
{
    struct recipe *recipe = load->recipe;

    for (size_t i = 0; i < n; i++) {
        const struct yaml_node *node = list->items[i];
        const struct yaml_node *name = yaml_get(node, "name");
        struct str text = {NULL, 0};

        recipe->sections[i].step.line = node->line;
        recipe->sections[i].step.column = node->column;
        if (node->kind == YAML_MAP && !name)
            load_complain(load, node->line, node->column, "this section has no 'name'");
        else if (name && load_text(load, name, "name", &text))
            name_step(load, name->line, name->column, text, &recipe->sections[i].step);
    }
}

void load_step_names(struct load *load, const struct yaml_node *resolves, const struct yaml_node *sections)
{
    struct recipe *recipe = load->recipe;
    size_t n_resolves = resolves && load_expect(load, resolves, "resolve", YAML_MAP) ? resolves->n : 0;
    size_t n_sections = sections && load_expect(load, sections, "sections", YAML_LIST) ? sections->n : 0;

    if (sections && sections->kind == YAML_LIST && n_sections == 0)
        load_complain(load, sections->line, sections->column, "a recipe needs at least one section");
    if (n_resolves + n_sections > RECIPE_MAX_STEPS) {
        load_complain(load, sections ? sections->line : 1, sections ? sections->column : 1,
                      "a recipe has at most %d resolves and sections together, not %zu", RECIPE_MAX_STEPS,
                      n_resolves + n_sections);
        n_resolves = n_resolves < RECIPE_MAX_STEPS ? n_resolves : RECIPE_MAX_STEPS;
        n_sections = RECIPE_MAX_STEPS - n_resolves;
    }
    recipe->resolves = arena_calloc(&recipe->arena, n_resolves, sizeof *recipe->resolves);
    recipe->sections = arena_calloc(&recipe->arena, n_sections, sizeof *recipe->sections);
    if (!recipe->resolves || !recipe->sections)
        return;
    recipe->n_resolves = n_resolves;
    recipe->n_sections = n_sections;
    for (size_t i = 0; i < n_resolves; i++)
        name_step(load, resolves->keys[i].line, resolves->keys[i].column, resolves->keys[i].name,
                  &recipe->resolves[i]);
    if (n_sections > 0)
        name_sections(load, sections, n_sections);
}

/* Built-in kinds need no connection; the others cannot be named directly. */
static bool is_builtin(const struct source_ops *ops)
{
    return ops && !ops->schemes;
}

static void complain_from(struct load *load, const struct yaml_node *node, struct str name)
{
    const struct source_ops *const *kinds = source_kinds();
    const char *known[128];
    size_t n = 0;

    for (size_t i = 0; kinds[i] && n < 64; i++) {
        if (is_builtin(kinds[i]))
            known[n++] = kinds[i]->kind;
    }
    for (size_t i = 0; i < load->n_connections && n < 128; i++) {
        const char *copy = arena_strdup(&load->recipe->arena, load->connections[i].name);

        if (copy)
            known[n++] = copy;
    }
    load->n_unknown_connections++;
    load_complain_unknown(load, node->line, node->column, "connection", name, known, n);
}

const struct source_ops *load_find_source(const struct load *load, struct str name)
{
    const struct source_ops *ops = source_kind_find(name);

    if (is_builtin(ops))
        return ops;
    for (size_t i = 0; i < load->n_connections; i++) {
        if (str_eq(load->connections[i].name, name))
            return load->connections[i].ops;
    }
    return NULL;
}

void load_from(struct load *load, const struct yaml_node *node, bool is_quiet, struct recipe_step *step)
{
    struct str name;

    if (!load_text(load, node, "from", &name))
        return;
    step->from = name;
    step->ops = load_find_source(load, name);
    if (!step->ops && !is_quiet)
        complain_from(load, node, name);
}

const struct template *load_template(struct load *load, const struct yaml_node *node,
                                     const struct names *names)
{
    struct load_spot spot = {load, node};
    struct complaints complaints = load_spot_complaints(&spot);
    const struct template *template = NULL;

    /* What is wrong is in the report by then, or latched in the arena. */
    (void)template_compile(node->text, names, &load->recipe->arena, &complaints, &template);
    return template;
}

static void add_condition(struct load *load, const struct yaml_node *node, struct str part,
                          const struct names *names, struct recipe_step *step, size_t *cap)
{
    struct load_spot spot = {load, node};
    struct complaints complaints = load_spot_complaints(&spot);
    struct str name = str_trim(part);
    size_t offset = name.len ? (size_t)(name.ptr - node->text.ptr) : 0;
    struct recipe_condition condition = {.is_negated =
                                             str_is(name, "not") || str_starts_with(name, STR_LIT("not "))};
    struct recipe_condition *conditions;
    struct err_info err = {0};

    if (condition.is_negated)
        name = str_trim(str_slice(name, 3, SIZE_MAX));
    if (ref_resolve(names, name, &condition.ref, &err) < 0) {
        complain(&complaints, offset, "%s", err.message);
        return;
    }
    if (condition.ref.kind == REF_NOW || condition.ref.kind == REF_DAY) {
        complain(&complaints, offset, "a condition asks whether a value is there, and a time always is");
        return;
    }
    conditions = arena_grow(&load->recipe->arena, (void *)step->when, step->n_when, cap, sizeof *conditions);
    if (!conditions)
        return;
    conditions[step->n_when++] = condition;
    step->when = conditions;
}

void load_conditions(struct load *load, const struct yaml_node *node, const struct names *names,
                     struct recipe_step *step)
{
    struct str rest, text;
    size_t cap = 0;

    if (!load_text(load, node, "when", &text))
        return;
    rest = text;
    while (rest.len > 0) {
        ptrdiff_t end = str_find(rest, STR_LIT(" and "));
        struct str part = end < 0 ? rest : str_slice(rest, 0, (size_t)end);

        add_condition(load, node, part, names, step, &cap);
        rest = end < 0 ? str_make(NULL, 0) : str_slice(rest, (size_t)end + 5, SIZE_MAX);
    }
    if (str_is_empty(str_trim(text)))
        load_complain(load, node->line, node->column, "'when' must name a value, such as user.location");
}

static void load_query(struct load *load, const struct yaml_node *node, const struct names *names,
                       struct recipe_setting *setting)
{
    struct load_spot spot = {load, node};
    struct complaints complaints = load_spot_complaints(&spot);
    struct recipe_ref *binds = NULL;
    struct str sql = {NULL, 0};

    /* What is wrong is in the report by then, or latched in the arena. */
    (void)query_compile(node->text, names, &load->recipe->arena, &complaints, &sql, &binds,
                        &setting->n_binds);
    setting->constant = value_text(sql);
    setting->binds = binds;
}

static void load_text_setting(struct load *load, const struct yaml_node *node, const struct names *names,
                              struct recipe_setting *setting)
{
    struct str text;

    setting->template = load_template(load, node, names);
    if (setting->template && template_is_constant(setting->template, &load->recipe->arena, &text)) {
        setting->template = NULL;
        setting->constant = value_text(text);
    }
}

/* A text that its kind has an opinion of. */
static void check_text(struct load *load, const struct yaml_node *node, const struct source_setting *row)
{
    struct err_info err = {0};

    if (row->check && row->check(node->text, &err) < 0)
        load_complain(load, node->line, node->column, "'%s': %s", row->name, err.message);
}

/* What was written, for those who look at the recipe. */
static struct value print_entries(struct load *load, const struct recipe_entry *entries, size_t n)
{
    struct json_writer writer;
    struct buf buf;

    buf_init(&buf, YAML_MAX_BYTES);
    json_writer_init(&writer, &buf);
    json_open_object(&writer);
    for (size_t i = 0; i < n; i++) {
        json_put_name_str(&writer, entries[i].name);
        json_put_text(&writer, entries[i].text);
    }
    json_close_object(&writer);
    return value_json(buf_into_arena(&buf, &load->recipe->arena));
}

static void load_entries(struct load *load, const struct yaml_node *map, const struct names *names,
                         struct recipe_setting *setting)
{
    struct recipe_entry *entries = arena_calloc(&load->recipe->arena, map->n, sizeof *entries);

    for (size_t i = 0; entries && i < map->n; i++) {
        const struct yaml_node *node = map->items[i];
        struct recipe_setting text = {.n_binds = 0};
        const char *name = arena_strdup(&load->recipe->arena, map->keys[i].name);

        entries[i].name = map->keys[i].name;
        if (str_is_empty(entries[i].name))
            load_complain(load, map->keys[i].line, map->keys[i].column, "a name is empty");
        if (!name || !load_expect(load, node, name, YAML_SCALAR))
            continue;
        load_text_setting(load, node, names, &text);
        entries[i].template = text.template;
        entries[i].text = text.template || text.constant.type != VALUE_TEXT ? node->text : text.constant.text;
    }
    if (!entries)
        return;
    setting->entries = entries;
    setting->n_entries = map->n;
    setting->constant = print_entries(load, entries, map->n);
}

static void load_map_setting(struct load *load, const struct yaml_node *node,
                             const struct source_setting *row, const struct names *names,
                             struct recipe_setting *setting)
{
    if (!load_expect(load, node, row->name, YAML_MAP))
        return;
    if (node->n > SOURCE_MAX_MAP)
        load_complain(load, node->line, node->column, "'%s' may have %d names, not %zu", row->name,
                      SOURCE_MAX_MAP, node->n);
    else
        load_entries(load, node, names, setting);
}

static void load_setting(struct load *load, const struct yaml_node *node, const struct source_setting *row,
                         const struct names *names, struct recipe_setting *setting)
{
    bool is_bounded = row->min != 0 || row->max != 0;
    int64_t min = is_bounded ? row->min : INT64_MIN;
    int64_t max = is_bounded ? row->max : INT64_MAX;
    struct value value = value_null();

    switch (row->type) {
    case SETTING_TEXT:
    case SETTING_PATH:
        if (!load_expect(load, node, row->name, YAML_SCALAR))
            return;
        check_text(load, node, row);
        load_text_setting(load, node, names, setting);
        return;
    case SETTING_MAP:
        load_map_setting(load, node, row, names, setting);
        return;
    case SETTING_SQL:
        if (load_expect(load, node, row->name, YAML_SCALAR))
            load_query(load, node, names, setting);
        return;
    case SETTING_INT:
        if (load_int(load, node, row->name, min, max, &value.integer))
            value.type = VALUE_INT;
        break;
    case SETTING_DURATION:
        if (load_duration(load, node, row->name, is_bounded ? min : 0,
                          is_bounded ? max : RECIPE_MAX_LIFETIME_US, &value.integer))
            value.type = VALUE_INT;
        break;
    case SETTING_REAL:
        (void)load_value(load, node, row->name, VALUE_REAL, &value);
        break;
    case SETTING_BOOL:
        (void)load_value(load, node, row->name, VALUE_BOOL, &value);
        break;
    case SETTING_LIST:
        (void)load_value(load, node, row->name, VALUE_JSON, &value);
        break;
    }
    setting->constant = value;
}

/* A default of the kind's table, read as if it stood in the recipe. */
static void load_fallback(struct load *load, const struct recipe_step *step, const struct source_setting *row,
                          const struct names *names, struct recipe_setting *setting)
{
    struct yaml_node scalar = {.kind = YAML_SCALAR,
                               .line = step->line,
                               .column = step->column,
                               .text = str_of(row->fallback),
                               .is_plain = true};
    const struct yaml_node *node = &scalar;

    if (row->type == SETTING_LIST &&
        yaml_parse(scalar.text, load->file, &load->recipe->arena, &node, NULL) < 0)
        node = &scalar;
    load_setting(load, node, row, names, setting);
}

void load_settings(struct load *load, const struct yaml_node *map, struct recipe_step *step,
                   const struct names *names)
{
    const struct source_setting *rows = step->ops->settings;
    struct recipe_setting *settings;
    size_t n = 0;

    while (rows && rows[n].name)
        n++;
    settings = arena_calloc(&load->recipe->arena, n, sizeof *settings);
    if (!settings)
        return;
    step->settings = settings;
    for (size_t i = 0; i < n; i++) {
        const struct yaml_node *node = yaml_get(map, rows[i].name);

        /* A key may be both of all sections and of the kind (min_score): one complaint is enough. */
        if (node && load_has_complained_at(load, node))
            continue;
        if (node)
            load_setting(load, node, &rows[i], names, &settings[i]);
        else if (rows[i].fallback)
            load_fallback(load, step, &rows[i], names, &settings[i]);
        else if (rows[i].is_required)
            load_complain(load, step->line, step->column, "'%.*s' needs '%s' (%s), because it is from '%.*s'",
                          STR_ARG(step->name), rows[i].name, rows[i].about ? rows[i].about : "no default",
                          STR_ARG(step->from));
    }
}
