/* SPDX-License-Identifier: Apache-2.0
 *
 * The graph of steps: who waits for whom. A step that would wait for itself is an error that names the way
 * round.
 */
#include "recipe/recipe_priv.h"

struct walk {
    struct load *load;
    size_t path[RECIPE_MAX_STEPS]; /* the steps above the one at hand */
    size_t depth;
    uint64_t open; /* on the path */
    uint64_t done;
};

static uint64_t bit(size_t idx)
{
    return UINT64_C(1) << idx;
}

/* The path from `idx` to where the walk stands waits for `idx` again. */
static void complain_cycle(struct walk *walk, size_t idx)
{
    const struct recipe *recipe = walk->load->recipe;
    const struct recipe_step *first = recipe_step_at(recipe, idx);
    size_t start = 0;
    struct buf buf;

    while (walk->path[start] != idx)
        start++;
    buf_init(&buf, ERR_MESSAGE_SIZE);
    for (size_t i = start; i < walk->depth; i++)
        buf_printf(&buf, "%.*s -> ", STR_ARG(recipe_step_at(recipe, walk->path[i])->name));
    buf_append_str(&buf, first->name);
    load_complain(walk->load, first->line, first->column, "these steps wait for each other: %.*s",
                  STR_ARG(buf_str(&buf)));
    buf_done(&buf);
}

static void visit(struct walk *walk, size_t idx)
{
    const struct recipe_step *step = recipe_step_at(walk->load->recipe, idx);

    if (walk->done & bit(idx))
        return;
    walk->path[walk->depth++] = idx;
    walk->open |= bit(idx);
    for (size_t next = 0; next < recipe_n_steps(walk->load->recipe); next++) {
        if (!(step->needs & bit(next)))
            continue;
        if (walk->open & bit(next))
            complain_cycle(walk, next);
        else
            visit(walk, next);
    }
    walk->open &= ~bit(idx);
    walk->done |= bit(idx);
    walk->depth--;
}

void check_cycles(struct load *load)
{
    struct walk walk = {.load = load};
    const struct recipe *recipe = load->recipe;

    for (size_t i = 0; i < recipe->n_resolves; i++) {
        for (size_t j = recipe->n_resolves; j < recipe_n_steps(recipe); j++) {
            if (recipe->resolves[i].needs & bit(j))
                load_complain(load, recipe->resolves[i].line, recipe->resolves[i].column,
                              "resolve '%.*s' cannot use section '%.*s': resolves come before all sections",
                              STR_ARG(recipe->resolves[i].name), STR_ARG(recipe_step_at(recipe, j)->name));
        }
    }
    for (size_t i = 0; i < recipe_n_steps(recipe); i++)
        visit(&walk, i);
}
