/* SPDX-License-Identifier: Apache-2.0
 *
 * precis recipe: which recipes there are, what one asks for, and what is wrong with a file. Checking executes
 * nothing; with --connect each statement is prepared by its own database, which still runs nothing.
 */
#include "cli/app.h"
#include "cli/prepare.h"
#include "core/json.h"
#include "core/yaml.h"

#include <stdio.h>

#define MAX_OUTPUT_BYTES (16 * 1024 * 1024)

static int unknown_recipe(const struct recipe_book *book, const char *name, struct err_info *reterr)
{
    const char *names[64];
    size_t n = 0;
    struct arena arena;
    arena_init(&arena, 64 * 1024);
    for (size_t i = 0; i < book->n && n < sizeof names / sizeof *names; i++) {
        const char *copy = arena_strdup(&arena, book->recipes[i]->name);
        if (copy)
            names[n++] = copy;
    }
    const char *nearest = str_nearest(str_of(name), names, n);
    int r = err_set_field(reterr, ERR_NOT_FOUND, name, "there is no such recipe%s%s%s",
                          nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    arena_done(&arena);
    return r;
}

static void list_recipes(const struct cli *cli, const struct recipe_book *book, struct buf *out)
{
    if (cli->is_json)
        buf_append_byte(out, '[');
    for (size_t i = 0; i < book->n; i++) {
        const struct recipe *recipe = book->recipes[i];
        if (cli->is_json) {
            buf_append_text(out, i ? "," : "");
            recipe_write_json(recipe, false, out);
        } else {
            buf_printf(out, "%-12.*s  %.*s\n", STR_ARG(recipe->name), STR_ARG(recipe->about));
        }
    }
    if (cli->is_json)
        buf_append_byte(out, ']');
}

static void show_recipe(const struct cli *cli, const struct recipe *recipe, struct buf *out)
{
    if (cli->is_json) {
        recipe_write_json(recipe, true, out);
        return;
    }
    buf_printf(out, "%.*s: %.*s\n%lld tokens unless asked otherwise, at most %lld; from %.*s\n\nparameters\n",
               STR_ARG(recipe->name), STR_ARG(recipe->about), (long long)recipe->budget_tokens,
               (long long)recipe->max_budget_tokens, STR_ARG(recipe->file));
    for (size_t i = 0; i < recipe->n_params; i++) {
        const struct recipe_param *param = &recipe->params[i];
        buf_printf(out, "  %-20.*s %-8s %s  %.*s\n", STR_ARG(param->name), value_type_name(param->type),
                   param->is_required ? "required" : "optional", STR_ARG(param->about));
    }
    buf_append_text(out, "\nsections, in order of priority\n");
    for (size_t i = 0; i < recipe->n_sections; i++) {
        const struct recipe_section *section = &recipe->sections[i];
        buf_printf(out, "  %-20.*s from %-12.*s %.*s", STR_ARG(section->step.name),
                   STR_ARG(section->step.from), STR_ARG(section->title));
        for (size_t j = 0; j < section->step.n_any; j++)
            buf_printf(out, "%s%.*s", j == 0 ? " (the first there is of: " : ", ",
                       STR_ARG(section->step.any[j]));
        buf_append_text(out, section->step.n_any > 0 ? ")\n" : "\n");
    }
}

static int list_or_show(const struct cli *cli, const char *name)
{
    struct app app = {.store = NULL};
    struct recipe_report findings = {.n = 0};
    struct buf out;
    struct err_info err;
    buf_init(&out, MAX_OUTPUT_BYTES);
    int r = app_open_config(&app, cli, &err);
    if (r == 0)
        r = app_open_recipes(&app, &findings, &err);
    if (r == 0 && !name) {
        list_recipes(cli, &app.recipes, &out);
    } else if (r == 0) {
        const struct recipe *recipe = recipe_book_find(&app.recipes, str_of(name));
        if (recipe)
            show_recipe(cli, recipe, &out);
        else
            r = unknown_recipe(&app.recipes, name, &err);
    }
    for (size_t i = 0; i < findings.n; i++)
        fprintf(stderr, "precis: %.*s\n", STR_ARG(findings.findings[i].message));
    for (size_t i = 0; i < app.recipes.n_left_out; i++)
        fprintf(stderr, "precis: left out: %.*s; name it in precis.yaml, or try `precis init --demo`\n",
                STR_ARG(app.recipes.left_out[i]));
    int exit_code = EXIT_DONE;
    if (r < 0)
        exit_code = cli_fail(cli, &err);
    else if (out.len > 0)
        exit_code = cli_print(cli, &out);
    recipe_report_done(&findings);
    app_close(&app);
    buf_done(&out);
    return exit_code;
}

static struct source *connection_find(const struct app *app, struct str name)
{
    for (size_t i = 0; i < app->n_connections; i++) {
        if (str_is(name, source_name(app->connections[i])))
            return app->connections[i];
    }
    return NULL;
}

/* What is wrong with a file, as lines or as a JSON array. */
struct findings {
    const struct cli *cli;
    const char *file;
    struct buf out;
    struct json_writer json;
    size_t n;
};

static void findings_add(struct findings *findings, int line, int column, struct str message)
{
    findings->n++;
    if (!findings->cli->is_json) {
        buf_printf(&findings->out, "%s:%d:%d: %.*s\n", findings->file, line, column, STR_ARG(message));
        return;
    }
    json_open_object(&findings->json);
    json_put_member_text(&findings->json, "file", str_of(findings->file));
    json_put_member_int(&findings->json, "line", line);
    json_put_member_int(&findings->json, "column", column);
    json_put_member_text(&findings->json, "message", message);
    json_close_object(&findings->json);
}

/* Has each statement prepared by its connection. Negative when the connections cannot be opened. */
static int prepare_steps(struct app *app, const struct recipe *recipe, struct findings *findings,
                         struct err_info *reterr)
{
    int r = app_open_embedder(app, reterr); /* its dimensions are part of what a search is */
    if (r == 0)
        r = app_open_sources(app, reterr);
    for (size_t i = 0; r == 0 && i < recipe_n_steps(recipe); i++) {
        const struct recipe_step *step = recipe_step_at(recipe, i);
        struct source *source = connection_find(app, step->from);
        struct err_info err;
        /* A built-in kind has no statement. */
        if (source && prepare_step(step, source, &err) < 0) {
            err_prefix(&err, "'%.*s': ", STR_ARG(step->name));
            findings_add(findings, step->line, step->column, str_of(err.message));
        }
    }
    return r;
}

static int check_text(struct app *app, struct str text, bool may_connect, struct findings *findings,
                      struct err_info *reterr)
{
    struct recipe_report report = {.n = 0};
    struct recipe *recipe = NULL;
    int r =
        recipe_load(text, findings->file, app->kinds, app->config.n_connections, &recipe, &report, reterr);
    for (size_t i = 0; i < report.n; i++)
        findings_add(findings, report.findings[i].line, report.findings[i].column,
                     report.findings[i].message);
    if (r < 0 && report.n > 0)
        r = 0; /* told in full */
    else if (r == 0 && may_connect)
        r = prepare_steps(app, recipe, findings, reterr);
    recipe_report_done(&report);
    (void)recipe_unref(recipe);
    return r;
}

static int print_findings(struct findings *findings)
{
    if (findings->cli->is_json)
        json_close_array(&findings->json);
    else if (findings->n == 0)
        fprintf(stderr, "precis: %s is a good recipe\n", findings->file);
    int exit_code = findings->out.len > 0 ? cli_print(findings->cli, &findings->out) : EXIT_DONE;
    return findings->n > 0 ? EXIT_FAILED : exit_code;
}

static int check_file(const struct cli *cli, const char *file, bool may_connect)
{
    struct app app = {.store = NULL};
    struct findings findings = {.cli = cli, .file = file};
    struct buf text;
    struct err_info err;
    buf_init(&text, YAML_MAX_BYTES);
    buf_init(&findings.out, MAX_OUTPUT_BYTES);
    json_writer_init(&findings.json, &findings.out);
    if (cli->is_json)
        json_open_array(&findings.json);
    int r = app_open_config(&app, cli, &err);
    if (r == 0)
        r = app_open_kinds(&app, &err);
    if (r == 0)
        r = cli_read_file(file, &text, &err);
    if (r == 0)
        r = check_text(&app, buf_str(&text), may_connect, &findings, &err);
    int exit_code = r == 0 ? print_findings(&findings) : cli_fail(cli, &err);
    app_close(&app);
    buf_done(&findings.out);
    buf_done(&text);
    return exit_code;
}

static int recipe_run(struct cli *cli, int argc, char **argv)
{
    bool may_connect = false;
    const struct option options[] = {
        {"connect", OPTION_FLAG, &may_connect, NULL, "check: let each connection prepare its statements"},
        OPTION_END,
    };
    struct args_list words;
    int r = cli_parse(cli, &command_recipe, options, argc, argv, 1, 2, &words);
    if (r != 0)
        return cli_parse_exit(r);
    const char *verb = words.items[0];
    if (strcmp(verb, "list") == 0 && words.n == 1)
        return list_or_show(cli, NULL);
    if (strcmp(verb, "show") == 0 && words.n == 2)
        return list_or_show(cli, words.items[1]);
    if (strcmp(verb, "check") == 0 && words.n == 2)
        return check_file(cli, words.items[1], may_connect);
    return cli_wrong_use(&command_recipe, "'recipe %s' is not understood", verb);
}

const struct command command_recipe = {
    "recipe",
    "list | show NAME | check FILE [--connect]",
    "lists recipes, shows one, checks a file",
    recipe_run,
};
