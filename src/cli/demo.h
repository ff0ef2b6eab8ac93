/* SPDX-License-Identifier: Apache-2.0
 *
 * The sample data of the shipped recipes, built into the program from data/.
 */
#ifndef PRECIS_CLI_DEMO_H
#define PRECIS_CLI_DEMO_H

#include "cli/app.h"

/* Fills main.db and series.db in the data folder and the sample user's memory; all times count from now.
 * Needs the memory open. What an earlier run loaded is replaced; conversations that are there stay as they
 * are. */
int demo_load(struct app *app, struct err_info *reterr);

#endif
