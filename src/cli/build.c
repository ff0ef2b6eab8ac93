/* SPDX-License-Identifier: Apache-2.0
 *
 * precis build: one context, without a server. The context goes to stdout; its tokens and what became of each
 * section go to stderr. With --json the whole answer goes to stdout, as POST /v1/context gives it.
 */
#include "cli/app.h"
#include "core/json.h"

#include <math.h>
#include <stdio.h>

#define MAX_ANSWER_BYTES (64 * 1024 * 1024)

struct build_arguments {
    const char *recipe, *query, *format, *sections, *tokenizer;
    int64_t max_tokens, deadline_ms;
    bool wants_explain;
    struct args_list params;
    /* what the request points to */
    struct field fields[ARGS_MAX_LIST];
    struct str section_names[ARGS_MAX_LIST];
};

static int read_format(const char *name, enum build_format *ret_format)
{
    static const char *const names[] = {"markdown", "json", "messages"};
    static const enum build_format formats[] = {FORMAT_MARKDOWN, FORMAT_JSON, FORMAT_MESSAGES};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret_format = formats[i];
            return 0;
        }
    }
    return cli_wrong_use(&command_build, "--format must be markdown, json or messages, not '%s'", name);
}

/* 0, or the code to exit with. */
static int make_request(struct build_arguments *args, struct build_request *ret_request)
{
    struct build_request request = {
        .tenant = STR_LIT(CLI_TENANT),
        .recipe = str_of(args->recipe),
        .params = args->fields,
        .n_params = args->params.n,
        .query = str_of(args->query),
        .sections = args->section_names,
        .has_sections = args->sections != NULL,
        .max_tokens = args->max_tokens,
        .tokenizer = str_of(args->tokenizer),
        .deadline_ms = args->deadline_ms,
        .cache = CACHE_OFF,
        .wants_explain = args->wants_explain,
    };
    for (size_t i = 0; i < args->params.n; i++) {
        struct str rest = str_of(args->params.items[i]), name;
        if (!str_next_part(&rest, '=', &name) || name.len == strlen(args->params.items[i]))
            return cli_wrong_use(&command_build, "--param must be NAME=VALUE, not '%s'",
                                 args->params.items[i]);
        args->fields[i] = (struct field){name, value_text(str_of(args->params.items[i] + name.len + 1))};
    }
    struct str rest = str_of(args->sections), part;
    while (rest.len > 0 && str_next_part(&rest, ',', &part)) {
        if (request.n_sections == ARGS_MAX_LIST)
            return cli_wrong_use(&command_build, "--sections names more than %d", ARGS_MAX_LIST);
        args->section_names[request.n_sections++] = str_trim(part);
    }
    int r = args->format ? read_format(args->format, &request.format) : 0;
    if (r == 0)
        *ret_request = request;
    return r;
}

static void print_sections(const struct build_answer *answer)
{
    size_t width = strlen("section");
    for (size_t i = 0; i < answer->n_sections; i++)
        width = answer->sections[i].name.len > width ? answer->sections[i].name.len : width;
    fprintf(stderr, "\n%-*s  %-8s %6s %8s %7s %9s\n", (int)width, "section", "status", "items", "dropped",
            "tokens", "ms");
    for (size_t i = 0; i < answer->n_sections; i++) {
        const struct section_report *section = &answer->sections[i];
        fprintf(stderr, "%-*.*s  %-8s %6zu %8zu %7lld %9.2f%s%.*s\n", (int)width, STR_ARG(section->name),
                section_status_name(section->status), section->n_kept, section->n_dropped,
                (long long)section->tokens, (double)section->took_us / 1000.0, section->error.len ? "  " : "",
                STR_ARG(section->error));
    }
}

static void print_items(const struct build_answer *answer)
{
    fprintf(stderr, "\n");
    for (size_t i = 0; i < answer->n_items; i++) {
        const struct item_report *item = &answer->items[i];
        fprintf(stderr, "%s %.*s/%.*s: %lld tokens", item->is_kept ? "kept   " : "dropped",
                STR_ARG(item->section), STR_ARG(item->id), (long long)item->tokens);
        if (!isnan(item->score))
            fprintf(stderr, ", score %.3f", item->score);
        fprintf(stderr, ", %s\n", item->reason);
    }
}

static void print_report(const struct build_outcome *outcome)
{
    const struct build_answer *answer = outcome->answer;
    print_sections(answer);
    if (answer->has_explain)
        print_items(answer);
    fprintf(stderr, "\n%lld of %lld tokens (%s), %s, %.2f ms\n", (long long)answer->tokens,
            (long long)answer->max_tokens, answer->tokenizer,
            answer->is_complete ? "complete" : "not complete", (double)outcome->took_us / 1000.0);
}

static int print_outcome(const struct cli *cli, const struct build_outcome *outcome)
{
    struct buf buf;
    buf_init(&buf, MAX_ANSWER_BYTES);
    if (cli->is_json)
        build_outcome_write_json(outcome, STR_LIT("cli"), &buf);
    else
        buf_append_str(&buf, outcome->answer->context);
    int exit_code = cli_print(cli, &buf);
    buf_done(&buf);
    if (exit_code == EXIT_DONE && !cli->is_json)
        print_report(outcome);
    return exit_code;
}

static int build_context(const struct cli *cli, const struct build_request *request)
{
    struct app app = {.store = NULL};
    struct build_outcome outcome = {.answer = NULL};
    struct err_info err;
    int r = app_open_all(&app, cli, false, &err);
    if (r == 0)
        r = build_run(app.engine, request, &outcome, &err);
    int exit_code = r == 0 ? print_outcome(cli, &outcome) : cli_fail(cli, &err);
    (void)build_answer_unref(outcome.answer);
    app_close(&app);
    return exit_code;
}

static int build_main(struct cli *cli, int argc, char **argv)
{
    struct build_arguments args = {.recipe = NULL};
    const struct option options[] = {
        {"recipe", OPTION_TEXT, &args.recipe, "NAME", "the recipe"},
        {"param", OPTION_LIST, &args.params, "NAME=VALUE", "a parameter; may be repeated"},
        {"query", OPTION_TEXT, &args.query, "TEXT", "what the context is for"},
        {"sections", OPTION_TEXT, &args.sections, "A,B", "only these sections"},
        {"max-tokens", OPTION_INT, &args.max_tokens, "N", "the budget; otherwise the recipe's"},
        {"tokenizer", OPTION_TEXT, &args.tokenizer, "NAME", "how tokens are counted"},
        {"format", OPTION_TEXT, &args.format, "FORMAT", "markdown, json or messages"},
        {"deadline-ms", OPTION_INT, &args.deadline_ms, "N", "how long sources may take together"},
        {"explain", OPTION_FLAG, &args.wants_explain, NULL, "say of every item whether it was kept and why"},
        OPTION_END,
    };
    struct args_list words;
    struct build_request request;
    int r = cli_parse(cli, &command_build, options, argc, argv, 0, 0, &words);
    if (r != 0)
        return cli_parse_exit(r);
    if (!args.recipe)
        return cli_wrong_use(&command_build, "--recipe is missing; `precis recipe list` names them");
    r = make_request(&args, &request);
    return r == 0 ? build_context(cli, &request) : r;
}

const struct command command_build = {
    "build",
    "--recipe NAME [--param NAME=VALUE]... [--query TEXT] [--max-tokens N] ...",
    "builds a context and prints it",
    build_main,
};
