/* SPDX-License-Identifier: Apache-2.0
 *
 * precis embed: texts as vectors.
 */
#include "cli/app.h"

#include "core/json.h"
#include "core/mem.h"

#include <stdio.h>

#define MAX_INPUT_BYTES  (64 * 1024 * 1024)
#define MAX_OUTPUT_BYTES (1024 * 1024)

struct embed_run {
    struct cli *cli;
    const struct embedder *embedder;
    float *vector;
    struct buf line; /* what is printed of one text */
};

static void write_plain(struct embed_run *run, size_t n_dims)
{
    buf_printf(&run->line, "%zu", n_dims);
    for (size_t i = 0; i < n_dims; i++)
        buf_printf(&run->line, " %.6g", (double)run->vector[i]);
}

static void write_json(struct embed_run *run, size_t n_dims)
{
    struct json_writer json;
    json_writer_init(&json, &run->line);
    json_open_object(&json);
    json_put_member_int(&json, "dimensions", (int64_t)n_dims);
    json_put_name(&json, "vector");
    json_open_array(&json);
    for (size_t i = 0; i < n_dims; i++)
        json_put_real(&json, (double)run->vector[i]);
    json_close_array(&json);
    json_close_object(&json);
}

/* Prints the vector of one text on one line; an EXIT_ code. */
static int print_vector(struct embed_run *run, struct str text)
{
    size_t n_dims = embedder_dims(run->embedder);
    struct err_info err;
    if (embed_text(run->embedder, text, run->vector, &err) < 0)
        return cli_fail(run->cli, &err);
    buf_clear(&run->line);
    if (run->cli->is_json)
        write_json(run, n_dims);
    else
        write_plain(run, n_dims);
    return cli_print(run->cli, &run->line);
}

static int embed_words(struct embed_run *run, const struct args_list *words)
{
    int exit_code = EXIT_DONE;
    for (size_t i = 0; i < words->n && exit_code == EXIT_DONE; i++)
        exit_code = print_vector(run, str_of(words->items[i]));
    return exit_code;
}

static int embed_input(struct embed_run *run)
{
    struct buf input;
    struct err_info err;
    buf_init(&input, MAX_INPUT_BYTES);
    int exit_code = cli_read_file("-", &input, &err) == 0 ? EXIT_DONE : cli_fail(run->cli, &err);
    struct str rest = buf_str(&input), line;
    if (rest.len > 0 && rest.ptr[rest.len - 1] == '\n')
        rest.len--;
    while (exit_code == EXIT_DONE && input.len > 0 && str_next_part(&rest, '\n', &line))
        exit_code = print_vector(run, line);
    buf_done(&input);
    return exit_code;
}

/* All texts of the command, by the model of that name, or the configured one for NULL; an EXIT_ code. */
static int embed_all(struct cli *cli, const char *model, const struct args_list *words)
{
    struct app app = {.store = NULL};
    struct err_info err;
    int r = app_open_config(&app, cli, &err);
    if (r == 0 && model)
        app.config.embedding_model = model;
    if (r == 0)
        r = app_open_embedder(&app, &err);
    struct embed_run run = {.cli = cli, .embedder = app.embedder};
    buf_init(&run.line, MAX_OUTPUT_BYTES);
    if (r == 0)
        run.vector = mem_calloc(embedder_dims(app.embedder), sizeof *run.vector);
    if (r == 0 && !run.vector)
        r = err_set(&err, ERR_NOMEM, "there is no memory for a vector");
    int exit_code;
    if (r < 0)
        exit_code = cli_fail(cli, &err);
    else
        exit_code = words->n > 0 ? embed_words(&run, words) : embed_input(&run);
    mem_free(run.vector);
    buf_done(&run.line);
    app_close(&app);
    return exit_code;
}

static int embed_run(struct cli *cli, int argc, char **argv)
{
    const char *model = NULL;
    const struct option options[] = {
        {"model", OPTION_TEXT, &model, "MODEL", "a name, a folder (with a slash) or builtin"},
        OPTION_END,
    };
    struct args_list words;
    int r = cli_parse(cli, &command_embed, options, argc, argv, 0, ARGS_MAX_LIST, &words);
    return r != 0 ? cli_parse_exit(r) : embed_all(cli, model, &words);
}

const struct command command_embed = {"embed", "[--model MODEL] [TEXT ...]",
                                      "prints texts, or each line of its input, as vectors", embed_run};
