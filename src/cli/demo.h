/* SPDX-License-Identifier: Apache-2.0
 *
 * The sample data of the shipped recipes, built into the program from data/.
 */
#ifndef PRECIS_CLI_DEMO_H
#define PRECIS_CLI_DEMO_H

#include "cli/app.h"

#define DEMO_DEVICE_ID "7d9f4c3e-5b1a-4e86-9f0d-2c6a81b4e573" /* of data/device/sample-fleet.sql */

/* Fills main.db, series.db, fleet.db and project/ in the data folder and the sample users' memory; all times
 * count from now.
 * Needs the memory open. What an earlier run loaded is replaced; conversations that are there stay as they
 * are. */
int demo_load(struct app *app, struct err_info *reterr);

#endif
