/* SPDX-License-Identifier: Apache-2.0
 *
 * precis model: adds, lists and removes embedding models.
 */
#include "cli/app.h"
#include "cli/models.h"

#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"

#include <stdio.h>

#define MAX_OUTPUT_BYTES (1024 * 1024)
#define N_TIMED          5

static const char sample[] = "Where does my dog sleep when it rains?";

/* What is said of a model. */
struct about {
    const char *name;
    const struct embedder *embedder;
    int64_t size_bytes; /* on disk; -1: not asked for */
    int64_t took_us;    /* for the sample; -1: not asked for */
    bool is_configured;
};

/* The least of a few times, since the first finds nothing near. */
static int time_sample(const struct embedder *embedder, int64_t *ret_us, struct err_info *reterr)
{
    float *vector = mem_calloc(embedder_dims(embedder), sizeof *vector);
    int r = vector ? 0 : err_set(reterr, ERR_NOMEM, "there is no memory for a vector");
    int64_t least = INT64_MAX;
    for (int i = 0; r == 0 && i < N_TIMED; i++) {
        int64_t start = clock_mono_us(&clock_system);
        r = embed_text(embedder, str_of(sample), vector, reterr);
        int64_t took = clock_mono_us(&clock_system) - start;
        least = took < least ? took : least;
    }
    mem_free(vector);
    *ret_us = least;
    return r;
}

static void write_json(const struct about *about, struct json_writer *json)
{
    json_open_object(json);
    json_put_member_text(json, "name", str_of(about->name));
    json_put_member_int(json, "dimensions", (int64_t)embedder_dims(about->embedder));
    json_put_member_int(json, "layers", (int64_t)embedder_layers(about->embedder));
    json_put_member_int(json, "memory_bytes", (int64_t)embedder_heap_bytes(about->embedder));
    if (about->size_bytes >= 0)
        json_put_member_int(json, "size_bytes", about->size_bytes);
    if (about->took_us >= 0)
        json_put_member_ms(json, "embed_ms", about->took_us);
    json_put_member_bool(json, "configured", about->is_configured);
    json_close_object(json);
}

static void write_plain(const struct about *about, struct buf *out)
{
    size_t n_layers = embedder_layers(about->embedder);
    buf_printf(out, "%s: %zu dimensions, ", about->name, embedder_dims(about->embedder));
    if (n_layers > 0)
        buf_printf(out, "%zu layers, ", n_layers);
    else
        buf_append_text(out, "static, ");
    if (strcmp(about->name, MODELS_BUILTIN) == 0)
        buf_append_text(out, "in the program");
    else
        buf_printf(out, "%.1f MB in memory", (double)embedder_heap_bytes(about->embedder) / 1e6);
    if (about->size_bytes >= 0)
        buf_printf(out, ", %.1f MB on disk", (double)about->size_bytes / 1e6);
    if (about->took_us >= 0)
        buf_printf(out, "; a short question takes %.2f ms", (double)about->took_us / 1e3);
    buf_printf(out, "%s\n", about->is_configured ? " (configured)" : "");
}

/* One model of a list, or alone. */
static void write_about(const struct cli *cli, const struct about *about, struct json_writer *json)
{
    if (cli->is_json)
        write_json(about, json);
    else
        write_plain(about, json->buf);
}

/* The last part of a path. */
static struct str base_name(const char *path)
{
    struct str rest = str_of(path), part, last = {NULL, 0};
    while (str_next_part(&rest, '/', &part))
        last = part.len > 0 ? part : last;
    return last;
}

static int model_add(const struct cli *cli, const struct config *config, const char *folder, const char *name,
                     struct json_writer *json, struct err_info *reterr)
{
    struct embedder *embedder;
    char own_name[MODELS_MAX_NAME + 1];
    if (!name) {
        struct str base = base_name(folder);
        (void)snprintf(own_name, sizeof own_name, "%.*s", STR_ARG(base));
        name = own_name;
    }
    int r = embedder_open(folder, &embedder, reterr);
    if (r < 0)
        return r;
    struct about about = {.name = name, .embedder = embedder};
    about.is_configured = strcmp(config->embedding_model, name) == 0;
    r = time_sample(embedder, &about.took_us, reterr);
    if (r == 0)
        r = models_add(config, folder, name, &about.size_bytes, reterr);
    if (r == 0)
        write_about(cli, &about, json);
    embedder_close(embedder);
    return r;
}

struct listing {
    const struct cli *cli;
    const struct config *config;
    struct json_writer *json;
};

static int list_one(const char *name, void *arg)
{
    const struct listing *listing = arg;
    struct embedder *embedder;
    struct err_info err;
    if (models_open(listing->config, name, &embedder, &err) < 0) {
        fprintf(stderr, "precis: the model %s cannot be used: %s: %s\n", name, err.field, err.message);
        return 0;
    }
    const struct about about = {
        .name = name,
        .embedder = embedder,
        .size_bytes = -1,
        .took_us = -1,
        .is_configured = strcmp(listing->config->embedding_model, name) == 0,
    };
    write_about(listing->cli, &about, listing->json);
    embedder_close(embedder);
    return 0;
}

static int model_list(const struct cli *cli, const struct config *config, struct json_writer *json,
                      struct err_info *reterr)
{
    struct listing listing = {cli, config, json};
    if (cli->is_json)
        json_open_array(json);
    (void)list_one(MODELS_BUILTIN, &listing); /* always 0 */
    int r = models_list(config, list_one, &listing, reterr);
    if (cli->is_json)
        json_close_array(json);
    return r;
}

static int model_call(const struct cli *cli, const struct args_list *words, const char *name)
{
    struct app app = {.store = NULL};
    struct buf out;
    struct json_writer json;
    struct err_info err;
    const char *verb = words->items[0];
    buf_init(&out, MAX_OUTPUT_BYTES);
    json_writer_init(&json, &out);
    int r = app_open_config(&app, cli, &err);
    if (r == 0 && strcmp(verb, "add") == 0)
        r = model_add(cli, &app.config, words->items[1], name, &json, &err);
    else if (r == 0 && strcmp(verb, "list") == 0)
        r = model_list(cli, &app.config, &json, &err);
    else if (r == 0)
        r = models_remove(&app.config, words->items[1], &err);
    int exit_code = EXIT_DONE;
    if (r < 0)
        exit_code = cli_fail(cli, &err);
    else if (strcmp(verb, "remove") == 0)
        fprintf(stderr, "precis: the model %s is removed\n", words->items[1]);
    else
        exit_code = cli_print(cli, &out);
    app_close(&app);
    buf_done(&out);
    return exit_code;
}

static int model_run(struct cli *cli, int argc, char **argv)
{
    const char *name = NULL;
    const struct option options[] = {
        {"name", OPTION_TEXT, &name, "NAME", "add: what to call it (otherwise as its folder is called)"},
        OPTION_END,
    };
    struct args_list words;
    int r = cli_parse(cli, &command_model, options, argc, argv, 1, 2, &words);
    if (r != 0)
        return cli_parse_exit(r);
    const char *verb = words.items[0];
    bool is_list = strcmp(verb, "list") == 0;
    if (!is_list && strcmp(verb, "add") != 0 && strcmp(verb, "remove") != 0)
        return cli_wrong_use(&command_model, "there is no 'model %s'", verb);
    if (words.n != (is_list ? 1 : 2))
        return cli_wrong_use(&command_model, is_list ? "one word too many" : "which model?");
    return model_call(cli, &words, name);
}

const struct command command_model = {"model", "add DIR [--name NAME] | list | remove NAME",
                                      "adds, lists and removes embedding models", model_run};
