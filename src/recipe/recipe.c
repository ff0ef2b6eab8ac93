/* SPDX-License-Identifier: Apache-2.0
 *
 * A loaded recipe: finding its parts, and its reference count. Immutable, so any thread may read it.
 */
#include "recipe/recipe_priv.h"

#include "core/mem.h"

size_t recipe_n_steps(const struct recipe *recipe)
{
    return recipe->n_resolves + recipe->n_sections;
}

const struct recipe_step *recipe_step_at(const struct recipe *recipe, size_t idx)
{
    return idx < recipe->n_resolves ? &recipe->resolves[idx]
                                    : &recipe->sections[idx - recipe->n_resolves].step;
}

const struct recipe_section *recipe_section_find(const struct recipe *recipe, struct str name)
{
    for (size_t i = 0; i < recipe->n_sections; i++) {
        if (str_eq(recipe->sections[i].step.name, name))
            return &recipe->sections[i];
    }
    return NULL;
}

struct recipe *recipe_hold(struct recipe *recipe)
{
    (void)__atomic_add_fetch(&recipe->n_refs, 1, __ATOMIC_RELAXED);
    return recipe;
}

struct recipe *recipe_unref(struct recipe *recipe)
{
    if (recipe && __atomic_sub_fetch(&recipe->n_refs, 1, __ATOMIC_ACQ_REL) == 0) {
        arena_done(&recipe->arena);
        mem_free(recipe);
    }
    return NULL;
}
