/* SPDX-License-Identifier: Apache-2.0
 *
 * precis serve: the server until a signal ends it. SIGTERM and SIGINT drain and stop; SIGHUP is ignored, so
 * that a closed terminal does not end a server.
 */
#include "serve/serve.h"
#include "cli/app.h"
#include "core/log.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

/* Blocked before any thread exists, so that all inherit it and only sigwait takes a signal. */
static void block_signals(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGTERM);
    sigaddset(ret_signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, ret_signals, NULL); /* fails only for a set that is none */
    (void)signal(SIGHUP, SIG_IGN);
}

static enum serve_keyless keyless_of(const struct config *config)
{
    if (strcmp(config->keyless, "allow") == 0)
        return KEYLESS_ALLOW;
    return strcmp(config->keyless, "never") == 0 ? KEYLESS_NEVER : KEYLESS_AUTO;
}

static int start(const struct app *app, const char *listen, struct server **ret_server,
                 struct err_info *reterr)
{
    const struct config *config = &app->config;
    const struct serve_options options = {
        .listen = listen,
        .engine = app->engine,
        .memory = app->memory,
        .store = app->store,
        .connections = app->connections,
        .n_connections = app->n_connections,
        .recipes = &app->recipes,
        .clock = &clock_system,
        .keyless = keyless_of(config),
        .hosts = config->hosts.items,
        .n_hosts = config->hosts.n,
        .n_front_threads = (int)config->n_front_threads,
        .n_workers = (int)config->n_workers,
        .max_body_bytes = (size_t)config->max_body_bytes,
        .max_connections = (int)config->max_connections,
        .rate = config->rate,
        .sessions = app->sessions,
        .shared = app->shared,
        .has_shared_limits = strcmp(config->shared_limits, "true") == 0,
        .idle_timeout_sec = (int)(config->idle_timeout_us / US_PER_SEC),
    };
    return server_start(&options, ret_server, reterr);
}

static void greet(const struct app *app, const struct server *server)
{
    const char *address = server_address(server);
    const struct recipe_book *book = &app->recipes;
    fprintf(stderr,
            "precis " PRECIS_VERSION " listens on http://%s\n"
            "  store    %s\n"
            "  recipes  %zu\n",
            address, app->config.store_url, book->n);
    for (size_t i = 0; i < book->n_left_out; i++)
        fprintf(stderr, "  left out %.*s\n", STR_ARG(book->left_out[i]));
    if (recipe_book_find(book, STR_LIT("assistant")))
        fprintf(stderr,
                "  try      curl -s -H 'Content-Type: application/json' -d "
                "'{\"recipe\":\"assistant\",\"params\":{\"user_id\":\"demo\"},"
                "\"query\":\"What is on today?\"}' http://%s/v1/context\n",
                address);
    else
        fprintf(stderr,
                "  try      curl -s -H 'Content-Type: application/json' -d "
                "'{\"content\":\"The bins go out on Thursday.\"}' http://%s/memory/add\n",
                address);
}

static int serve_run(struct cli *cli, int argc, char **argv)
{
    const char *listen = NULL;
    const struct option options[] = {
        {"listen", OPTION_TEXT, &listen, "HOST:PORT", "the address to listen on"},
        OPTION_END,
    };
    struct args_list words;
    int r = cli_parse(cli, &command_serve, options, argc, argv, 0, 0, &words);
    if (r != 0)
        return cli_parse_exit(r);
    struct app app = {.is_server = true};
    struct server *server = NULL;
    struct err_info err;
    sigset_t signals;
    block_signals(&signals);
    r = app_open_all(&app, cli, true, &err);
    if (r == 0)
        r = start(&app, listen ? listen : app.config.listen, &server, &err);
    if (r == 0) {
        int signal_number;
        greet(&app, server);
        while (sigwait(&signals, &signal_number) != 0) {
            /* interrupted: wait on */
        }
        log_event(LOG_INFO, "stopping", LOG_INT("signal", signal_number), LOG_END);
        (void)server_stop(server, (int)(app.config.drain_us / US_PER_MS));
    }
    app_close(&app);
    return r == 0 ? EXIT_DONE : cli_fail(cli, &err);
}

const struct command command_serve = {"serve", "[--listen HOST:PORT]",
                                      "answers over HTTP until it is told to stop", serve_run};
