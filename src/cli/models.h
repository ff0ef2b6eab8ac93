/* SPDX-License-Identifier: Apache-2.0
 *
 * Embedding models by name: the one in the program, and those kept in the data folder below `models`.
 */
#ifndef PRECIS_CLI_MODELS_H
#define PRECIS_CLI_MODELS_H

#include "cli/config.h"
#include "text/embed.h"

#include <stdbool.h>

#define MODELS_BUILTIN  "builtin"
#define MODELS_MAX_NAME 64

/* Letters, digits, '.', '_' and '-', not beginning with a dot, and not "builtin". */
bool models_is_name(struct str text);

/* "builtin", the name of a model that was added, or a path, which has a slash in it. ERR_NOT_FOUND says how
 * to add one; else as embedder_open. */
int models_open(const struct config *config, const char *model, struct embedder **ret_embedder,
                struct err_info *reterr);

/* Copies what an embedder reads of a folder below the data folder, whole and on disk, or not at all.
 * ERR_CONFLICT when there is a model of that name. *ret_size_bytes: of the files. */
int models_add(const struct config *config, const char *folder, const char *name, int64_t *ret_size_bytes,
               struct err_info *reterr);
/* ERR_NOT_FOUND when there is none, ERR_CONFLICT when the configuration names it. */
int models_remove(const struct config *config, const char *name, struct err_info *reterr);

/* Calls found(name, arg) for each model that was added, by name, until it returns other than 0, which is
 * returned. Up to MODELS_MAX_LISTED. */
#define MODELS_MAX_LISTED 256
typedef int (*models_found_fn)(const char *name, void *arg);
int models_list(const struct config *config, models_found_fn found, void *arg, struct err_info *reterr);

#endif
