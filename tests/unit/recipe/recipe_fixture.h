/* SPDX-License-Identifier: Apache-2.0
 *
 * A small recipe made by hand, complaints collected as text, and a row to render.
 */
#ifndef PRECIS_TESTS_RECIPE_FIXTURE_H
#define PRECIS_TESTS_RECIPE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "recipe/recipe_priv.h"

/* Parameters user_id and topic; resolve user; sections notes and weather. */
struct little_recipe {
    struct recipe recipe;
    struct recipe_param params[2];
    struct recipe_step resolves[1];
    struct recipe_section sections[2];
};

static inline void little_recipe_init(struct little_recipe *little)
{
    *little = (struct little_recipe){
        .params = {{.name = STR_LIT("user_id")}, {.name = STR_LIT("topic")}},
        .resolves = {{.name = STR_LIT("user")}},
        .sections = {{.step = {.name = STR_LIT("notes")}}, {.step = {.name = STR_LIT("weather")}}}};
    little->recipe.params = little->params;
    little->recipe.n_params = 2;
    little->recipe.resolves = little->resolves;
    little->recipe.n_resolves = 1;
    little->recipe.sections = little->sections;
    little->recipe.n_sections = 2;
    little->recipe.zone = (struct recipe_ref){.kind = REF_STEP, .idx = 0, .column = STR_LIT("timezone")};
}

/* Every complaint as "offset: sentence\n". */
struct collected {
    struct buf buf;
    struct complaints complaints;
};

static inline void collect(void *owner, size_t offset, struct str message)
{
    buf_printf(owner, "%zu: %.*s\n", offset, STR_ARG(message));
}

static inline void collected_init(struct collected *collected)
{
    buf_init(&collected->buf, 100000);
    collected->complaints = (struct complaints){collect, &collected->buf};
}

#endif
