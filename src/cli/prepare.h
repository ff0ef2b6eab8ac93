/* SPDX-License-Identifier: Apache-2.0
 *
 * Has a recipe's statements prepared by the connections they go to, which runs none of them.
 */
#ifndef PRECIS_CLI_PREPARE_H
#define PRECIS_CLI_PREPARE_H

#include "recipe/recipe.h"
#include "source/source.h"

/* May wait. 0 too for a step whose kind prepares nothing. */
int prepare_step(const struct recipe_step *step, struct source *source, struct err_info *reterr);

#endif
