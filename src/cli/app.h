/* SPDX-License-Identifier: Apache-2.0
 *
 * The program put together: configuration, recipes, store and memory, sources and engine. A command opens
 * what it needs, in this order; app_close takes down whatever stands, in reverse. One owner, the main thread.
 */
#ifndef PRECIS_CLI_APP_H
#define PRECIS_CLI_APP_H

#include "build/build.h"
#include "cli/cli.h"
#include "cli/config.h"
#include "memory/memory.h"
#include "memory/session.h"
#include "net/redis_client.h"
#include "net/workers.h"
#include "recipe/recipe.h"
#include "source/source.h"
#include "store/store.h"
#include "text/embed.h"

struct app {
    bool is_server; /* a search does not wait until its index is whole */
    struct config config;
    struct recipe_connection *kinds; /* of the connections, one each */
    struct recipe_book recipes;
    struct embedder *embedder;
    struct rerank *rerank; /* NULL: none is configured */
    struct store *store;
    struct memory *memory;
    struct workers *workers, *connectors;
    struct redis_client *shared; /* NULL: nothing is shared */
    struct sessions *sessions;
    struct source_env env;
    struct source **connections; /* n_connections of them are open */
    size_t n_connections;
    struct build_engine *engine;
};

/* Each accepts an app whose earlier parts are open; app must start zeroed and must not move afterwards. */
int app_open_config(struct app *app, const struct cli *cli, struct err_info *reterr);
/* The kinds of the connections, which recipes are checked against. Nothing is connected to. */
int app_open_kinds(struct app *app, struct err_info *reterr);
/* The kinds and the recipes. Needs the configuration only. findings (may be NULL): see recipe_book_load. */
int app_open_recipes(struct app *app, struct recipe_report *findings, struct err_info *reterr);
/* The model that the configuration names. Needs the configuration only. */
int app_open_embedder(struct app *app, struct err_info *reterr);
/* The re-ranker, if the configuration names one; nothing is asked. Needs the configuration only. */
int app_open_rerank(struct app *app, struct err_info *reterr);
/* Store and memory. may_create: also makes the folder; otherwise ERR_NOT_FOUND says how to make one. */
int app_open_memory(struct app *app, bool may_create, struct err_info *reterr);
/* Workers, and every connection. Built-in kinds need the memory opened before. */
int app_open_sources(struct app *app, struct err_info *reterr);
/* The shared tier, if the configuration names one, and the sessions; nothing is asked. Needs the sources. */
int app_open_shared(struct app *app, struct err_info *reterr);
/* Needs all of the above. */
int app_open_engine(struct app *app, struct err_info *reterr);
/* Everything that a build needs, one after the other. */
int app_open_all(struct app *app, const struct cli *cli, bool may_create, struct err_info *reterr);
void app_close(struct app *app);

/* Makes a folder and those above it. */
int app_make_folder(const char *path, struct err_info *reterr);
/* Makes the folder that the store's file lies in, and those above it. Needs the configuration. */
int app_make_store_folder(const struct app *app, struct err_info *reterr);

#endif
