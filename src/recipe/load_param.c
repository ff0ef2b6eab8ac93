/* SPDX-License-Identifier: Apache-2.0
 *
 * The parameters of a recipe: names, types, defaults, choices.
 */
#include "recipe/recipe_priv.h"

static const struct {
    const char *name;
    enum value_type type;
} param_types[] = {{"text", VALUE_TEXT}, {"int", VALUE_INT},   {"number", VALUE_REAL},
                   {"bool", VALUE_BOOL}, {"time", VALUE_TIME}, {"list", VALUE_JSON}};

#define N_PARAM_TYPES (sizeof param_types / sizeof param_types[0])

static void read_type(struct load *load, const struct yaml_node *node, void *target)
{
    const char *known[N_PARAM_TYPES];
    struct recipe_param *param = target;
    struct str name;

    if (!load_text(load, node, "type", &name))
        return;
    for (size_t i = 0; i < N_PARAM_TYPES; i++) {
        known[i] = param_types[i].name;
        if (str_is(name, known[i])) {
            param->type = param_types[i].type;
            return;
        }
    }
    load_complain_unknown(load, node->line, node->column, "type", name, known, N_PARAM_TYPES);
}

static void read_required(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_bool(load, node, "required", &((struct recipe_param *)target)->is_required);
}

static void read_about(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load_text(load, node, "about", &((struct recipe_param *)target)->about);
}

static void read_later(struct load *load, const struct yaml_node *node, void *target)
{
    (void)load;
    (void)node;
    (void)target; /* once the type is known */
}

static void load_choices(struct load *load, const struct yaml_node *node, struct recipe_param *param)
{
    struct str *choices;

    if (!load_expect(load, node, "choices", YAML_LIST))
        return;
    if (param->type != VALUE_TEXT) {
        load_complain(load, node->line, node->column, "only a parameter of type text has choices");
        return;
    }
    if (node->n == 0 || node->n > RECIPE_MAX_CHOICES) {
        load_complain(load, node->line, node->column, "'choices' must have 1 to %d texts",
                      RECIPE_MAX_CHOICES);
        return;
    }
    choices = arena_calloc(&load->recipe->arena, node->n, sizeof *choices);
    if (!choices)
        return;
    for (size_t i = 0; i < node->n; i++)
        (void)load_text(load, node->items[i], "choices", &choices[i]);
    param->choices = choices;
    param->n_choices = node->n;
}

static void load_default(struct load *load, const struct yaml_node *node, struct recipe_param *param)
{
    const char *known[RECIPE_MAX_CHOICES];

    if (param->is_required)
        load_complain(load, node->line, node->column,
                      "a required parameter needs no default: leave one of them out");
    param->has_fallback = load_value(load, node, "default", param->type, &param->fallback);
    if (!param->has_fallback || param->n_choices == 0)
        return;
    for (size_t i = 0; i < param->n_choices; i++) {
        if (str_eq(param->choices[i], param->fallback.text))
            return;
        known[i] = param->choices[i].ptr; /* of the YAML tree: NUL-terminated */
    }
    load_complain_unknown(load, node->line, node->column, "choice", param->fallback.text, known,
                          param->n_choices);
}

static void load_param(struct load *load, const struct yaml_key *key, const struct yaml_node *node,
                       struct recipe_param *param)
{
    static const struct load_key keys[] = {{"type", read_type},     {"required", read_required},
                                           {"default", read_later}, {"about", read_about},
                                           {"choices", read_later}, {NULL, NULL}};
    const struct yaml_node *choices = yaml_get(node, "choices");
    const struct yaml_node *fallback = yaml_get(node, "default");

    param->name = key->name;
    param->type = VALUE_TEXT;
    if (!ref_name_is_plain(key->name))
        load_complain(load, key->line, key->column,
                      "a parameter's name is a letter or _ followed by letters, digits and _, not '%.*s'",
                      STR_ARG(str_slice(key->name, 0, 80)));
    else if (ref_name_is_reserved(key->name))
        load_complain(load, key->line, key->column,
                      "'%.*s' has a meaning of its own and cannot be a parameter", STR_ARG(key->name));
    if (!load_expect(load, node, "params", YAML_MAP))
        return;
    load_map(load, node, keys, param);
    if (choices)
        load_choices(load, choices, param);
    if (fallback)
        load_default(load, fallback, param);
}

void load_params(struct load *load, const struct yaml_node *map)
{
    struct recipe *recipe = load->recipe;
    size_t n = map->n;

    if (n > RECIPE_MAX_PARAMS) {
        load_complain(load, map->keys[RECIPE_MAX_PARAMS].line, map->keys[RECIPE_MAX_PARAMS].column,
                      "a recipe has at most %d parameters", RECIPE_MAX_PARAMS);
        n = RECIPE_MAX_PARAMS;
    }
    recipe->params = arena_calloc(&recipe->arena, n, sizeof *recipe->params);
    if (!recipe->params)
        return;
    recipe->n_params = n;
    for (size_t i = 0; i < n; i++)
        load_param(load, &map->keys[i], map->items[i], &recipe->params[i]);
}
