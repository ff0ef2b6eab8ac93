/* SPDX-License-Identifier: Apache-2.0
 *
 * `any:`, a choice between sources that is made once, when the recipe is loaded: the first whose connection
 * the configuration has. All of them are checked, as far as their kinds are known, so that a recipe does not
 * turn out wrong on another machine.
 */
#include "recipe/recipe_priv.h"

#define MAX_ALTERNATIVES 16

static bool has_key(const struct yaml_node *map, struct str name)
{
    for (size_t i = 0; i < map->n; i++) {
        if (str_eq(map->keys[i].name, name))
            return true;
    }
    return false;
}

/* The step's keys but for `any`, then the alternative's, which win. NULL when out of memory. */
static const struct yaml_node *merge(struct load *load, const struct yaml_node *node,
                                     const struct yaml_node *own)
{
    struct arena *arena = &load->recipe->arena;
    struct yaml_node *merged = arena_calloc(arena, 1, sizeof *merged);
    struct yaml_key *keys = arena_calloc(arena, node->n + own->n, sizeof *keys);
    struct yaml_node **items = arena_calloc(arena, node->n + own->n, sizeof *items);

    if (!merged || !keys || !items)
        return NULL;
    *merged = *node;
    merged->keys = keys;
    merged->items = items;
    merged->n = 0;
    for (size_t i = 0; i < node->n + own->n; i++) {
        const struct yaml_node *from = i < node->n ? node : own;
        size_t at = i < node->n ? i : i - node->n;

        if (from == node && (str_is(node->keys[at].name, "any") || has_key(own, node->keys[at].name)))
            continue;
        keys[merged->n] = from->keys[at];
        items[merged->n++] = from->items[at];
    }
    return merged;
}

/* Keys that belong to the section, whatever it is made of. */
static void check_keys(struct load *load, const struct yaml_node *own)
{
    for (size_t i = 0; i < own->n; i++) {
        if (str_is(own->keys[i].name, "name") || str_is(own->keys[i].name, "any"))
            load_complain(load, own->keys[i].line, own->keys[i].column,
                          "'%.*s' cannot stand in one of several alternatives", STR_ARG(own->keys[i].name));
    }
}

static bool check_list(struct load *load, const struct yaml_node *node, const struct yaml_node *list)
{
    const struct yaml_node *from = yaml_get(node, "from");

    if (!load_expect(load, list, "any", YAML_LIST))
        return false;
    if (from)
        load_complain(load, from->line, from->column, "'from' stands in each of 'any', not beside it");
    if (list->n < 1 || list->n > MAX_ALTERNATIVES)
        load_complain(load, list->line, list->column, "'any' lists 1 to %d alternatives, not %zu",
                      MAX_ALTERNATIVES, list->n);
    return !from && list->n > 0 && list->n <= MAX_ALTERNATIVES;
}

/* The first that the configuration has; without one the first of all, which then complains. */
static size_t choose(const struct load *load, const struct yaml_node *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct yaml_node *from = yaml_get(list->items[i], "from");

        if (from && from->kind == YAML_SCALAR && load_find_source(load, from->text))
            return i;
    }
    return 0;
}

void load_alternatives(struct load *load, const struct yaml_node *node, const struct yaml_node *list,
                       struct recipe_step *step, const struct load_any *any)
{
    struct str *names;
    size_t chosen;

    if (!check_list(load, node, list))
        return;
    chosen = choose(load, list);
    names = arena_calloc(&load->recipe->arena, list->n, sizeof *names);
    for (size_t i = 0; names && i < list->n; i++) {
        const struct yaml_node *own = list->items[i];
        const struct yaml_node *from = yaml_get(own, "from");
        const struct yaml_node *merged;

        if (!load_expect(load, own, "any", YAML_MAP))
            continue;
        check_keys(load, own);
        merged = merge(load, node, own);
        if (!merged)
            return;
        if (from && from->kind == YAML_SCALAR)
            names[i] = from->text;
        any->read(any->owner, merged, i != chosen);
    }
    step->any = names;
    step->n_any = names ? list->n : 0;
}
