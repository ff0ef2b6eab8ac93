/* SPDX-License-Identifier: Apache-2.0
 *
 * The loader: a recipe's YAML into a checked plan. First the names of all parameters and steps, then
 * everything that may refer to them, then the graph. Nothing stops at the first error; the report gets them
 * all. Executes nothing.
 */
#include "recipe/recipe_priv.h"

#include "core/mem.h"
#include "core/utf8.h"
#include "text/tokens.h"

#include <stdlib.h>

#define REPORT_MAX_BYTES (1024 * 1024)

static void read_nothing(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load;
    (void)node;
    (void)target; /* read in a turn of its own */
}

static void read_name(struct load *load, const struct yaml_node *node, void *target)
{
    struct recipe *recipe = target;
    struct str name;

    if (!load_text(load, node, "recipe", &name))
        return;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-')
            name.len = 0;
    }
    if (name.len == 0 || name.len > 64)
        load_complain(load, node->line, node->column,
                      "a recipe's name is 1 to 64 small letters, digits, - and _, not '%.*s'",
                      STR_ARG(str_slice(node->text, 0, 80)));
    else
        recipe->name = name;
}

static void read_about(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_text(load, node, "about", &((struct recipe *)target)->about);
}

static void read_budget_tokens(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_int(load, node, "tokens", RECIPE_MIN_TOKENS, RECIPE_MAX_TOKENS,
                   &((struct recipe *)target)->budget_tokens);
}

static void read_budget_max(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_int(load, node, "max", RECIPE_MIN_TOKENS, RECIPE_MAX_TOKENS,
                   &((struct recipe *)target)->max_budget_tokens);
}

static void read_tokenizer(struct load *load, const struct yaml_node *node, void *target)
{
    const struct tokenizer *const *all = tokenizer_all();
    const char *known[16];
    struct recipe *recipe = target;
    struct str name;
    size_t n = 0;

    if (!load_text(load, node, "tokenizer", &name))
        return;
    for (; all[n] && n < sizeof known / sizeof known[0]; n++)
        known[n] = all[n]->name;
    if (tokenizer_find(name))
        recipe->tokenizer = name;
    else
        load_complain_unknown(load, node->line, node->column, "tokenizer", name, known, n);
}

static void read_budget(struct load *load, const struct yaml_node *node, void *target)
{
    static const struct load_key keys[] = {{"tokens", read_budget_tokens},
                                           {"max", read_budget_max},
                                           {"tokenizer", read_tokenizer},
                                           {NULL, NULL}};
    struct recipe *recipe = target;

    if (!load_expect(load, node, "budget", YAML_MAP))
        return;
    recipe->max_budget_tokens = 0;
    load_map(load, node, keys, recipe);
    if (recipe->max_budget_tokens == 0)
        recipe->max_budget_tokens = recipe->budget_tokens > RECIPE_DEFAULT_MAX_TOKENS
                                        ? recipe->budget_tokens
                                        : RECIPE_DEFAULT_MAX_TOKENS;
    if (recipe->budget_tokens > recipe->max_budget_tokens)
        load_complain(load, node->line, node->column,
                      "the budget's tokens (%lld) are more than its max (%lld)",
                      (long long)recipe->budget_tokens, (long long)recipe->max_budget_tokens);
}

static void read_deadline(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_duration(load, node, "deadline", US_PER_MS, RECIPE_MAX_DEADLINE_US,
                        &((struct recipe *)target)->deadline_us);
}

static void read_cache_ttl(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_duration(load, node, "ttl", 0, RECIPE_MAX_LIFETIME_US,
                        &((struct recipe *)target)->cache_ttl_us);
}

static void read_cache_stale(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_duration(load, node, "stale", 0, RECIPE_MAX_LIFETIME_US,
                        &((struct recipe *)target)->cache_stale_us);
}

static void read_cache(struct load *load, const struct yaml_node *node, void *target)
{
    static const struct load_key keys[] = {
        {"ttl", read_cache_ttl}, {"stale", read_cache_stale}, {NULL, NULL}};

    if (load_expect(load, node, "cache", YAML_MAP))
        load_map(load, node, keys, target);
}

/* After the names are known, before the steps: a step that says :today waits for the zone's step. */
static void read_zone(struct load *load, const struct yaml_node *node)
{
    struct names names = {.recipe = load->recipe, .self = SIZE_MAX, .mode = NAMES_REQUEST};
    struct recipe_ref ref;
    struct err_info err = {0};
    struct str text;

    if (!load_text(load, node, "zone", &text))
        return;
    if (ref_resolve(&names, text, &ref, &err) < 0)
        load_complain(load, node->line, node->column, "%s", err.message);
    else if (ref.kind != REF_PARAM && ref.kind != REF_STEP)
        load_complain(
            load, node->line, node->column,
            "'zone' must name a parameter or a column that holds a time zone, such as user.timezone");
    else
        load->recipe->zone = ref;
}

static void read_redact(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_bool(load, node, "redact", &((struct recipe *)target)->is_redacted);
}

static void set_defaults(struct recipe *recipe)
{
    recipe->budget_tokens = RECIPE_DEFAULT_TOKENS;
    recipe->max_budget_tokens = RECIPE_DEFAULT_MAX_TOKENS;
    recipe->tokenizer = STR_LIT(RECIPE_DEFAULT_TOKENIZER);
    recipe->deadline_us = RECIPE_DEFAULT_DEADLINE_US;
    recipe->zone = (struct recipe_ref){.kind = REF_PARAM, .idx = SIZE_MAX};
}

/* Two seeded hashes: recipes come from whoever runs the server, so chance is all that must be kept out. */
static void set_version(struct recipe *recipe, struct str text)
{
    static const char hex[] = "0123456789abcdef";
    uint64_t halves[2] = {str_hash(text, UINT64_C(0x7072656369732d31)),
                          str_hash(text, UINT64_C(0x7072656369732d32))};

    for (size_t i = 0; i < 32; i++)
        recipe->version[i] = hex[(halves[i / 16] >> (60 - 4 * (i % 16))) & 15];
    recipe->version[32] = '\0';
}

static void load_root(struct load *load, const struct yaml_node *root)
{
    static const struct load_key keys[] = {{"recipe", read_name},
                                           {"about", read_about},
                                           {"params", read_nothing},
                                           {"budget", read_budget},
                                           {"deadline", read_deadline},
                                           {"cache", read_cache},
                                           {"zone", read_nothing},
                                           {"resolve", read_nothing},
                                           {"redact", read_redact},
                                           {"sections", read_nothing},
                                           {NULL, NULL}};
    const struct yaml_node *params = yaml_get(root, "params");
    const struct yaml_node *zone = yaml_get(root, "zone");

    if (!yaml_get(root, "recipe"))
        load_complain(load, 1, 1, "the key 'recipe' with the recipe's name is missing");
    if (!yaml_get(root, "sections"))
        load_complain(load, 1, 1, "the key 'sections' is missing: a recipe needs at least one section");
    load_map(load, root, keys, load->recipe);
    if (params && load_expect(load, params, "params", YAML_MAP))
        load_params(load, params);
    load_step_names(load, yaml_get(root, "resolve"), yaml_get(root, "sections"));
    if (zone)
        read_zone(load, zone);
    load_steps(load, yaml_get(root, "resolve"), yaml_get(root, "sections"));
    check_cycles(load);
}

/* A mistake of YAML itself: err's field is "file:line:column" already. */
static void note_yaml_error(struct load *load, const struct err_info *err)
{
    const char *place = err->field + strlen(load->file);
    char *end = NULL;
    long line = 1;
    long column = 1;

    if (strlen(err->field) > strlen(load->file) && *place == ':') {
        line = strtol(place + 1, &end, 10);
        column = *end == ':' ? strtol(end + 1, NULL, 10) : 1;
    }
    load_complain(load, (int)line, (int)column, "%s", err->message);
}

static int run_load(struct load *load, struct err_info *reterr)
{
    struct recipe *recipe = load->recipe;
    const struct yaml_node *root;
    struct err_info err = {0};
    int r = yaml_parse(load->text, load->file, &recipe->arena, &root, &err);

    if (r == ERR_NOMEM)
        return err_set(reterr, r, "%s", err.message);
    if (r < 0) {
        note_yaml_error(load, &err);
    } else if (root->kind != YAML_MAP) {
        load_complain(load, root->line, root->column, "a recipe is a map of keys, not a %s",
                      yaml_kind_name(root));
    } else {
        set_defaults(recipe);
        set_version(recipe, load->text);
        recipe->file = arena_copy(&recipe->arena, str_of(load->file));
        load_root(load, root);
    }
    if (arena_error(&recipe->arena))
        return err_set(reterr, arena_error(&recipe->arena), "%s needs more memory than there is for it",
                       load->file);
    return load_conclude(load, reterr);
}

int recipe_load_counting(struct str text, const char *file, const struct recipe_connection *connections,
                         size_t n_connections, struct recipe **ret_recipe, struct recipe_report *report,
                         bool *ret_only_connections, struct err_info *reterr)
{
    struct recipe_report own_report = {0};
    struct load load = {.text = text,
                        .file = file,
                        .connections = connections,
                        .n_connections = n_connections,
                        .recipe = mem_calloc(1, sizeof(struct recipe)),
                        .report = report ? report : &own_report};
    int r;

    if (!load.recipe)
        return err_set(reterr, ERR_NOMEM, "out of memory while reading %s", file);
    if (load.report->arena.cap_bytes == 0)
        arena_init(&load.report->arena, REPORT_MAX_BYTES);
    load.first = load.findings_cap = load.report->n;
    load.recipe->n_refs = 1;
    arena_init(&load.recipe->arena, RECIPE_MAX_ARENA_BYTES);
    r = run_load(&load, reterr);
    *ret_only_connections = r == ERR_INVALID && load.n_unknown_connections == load.report->n - load.first;
    if (r == 0) {
        *ret_recipe = load.recipe;
        load.recipe = NULL;
    }
    recipe_unref(load.recipe);
    recipe_report_done(&own_report);
    return r;
}

int recipe_load(struct str text, const char *file, const struct recipe_connection *connections,
                size_t n_connections, struct recipe **ret_recipe, struct recipe_report *report,
                struct err_info *reterr)
{
    bool only_connections;

    return recipe_load_counting(text, file, connections, n_connections, ret_recipe, report, &only_connections,
                                reterr);
}
