/* SPDX-License-Identifier: Apache-2.0
 *
 * precis memory: what an assistant knows, from the command line: add, search, list, forget.
 */
#include "cli/app.h"
#include "core/civil.h"
#include "core/json.h"

#include <math.h>
#include <stdio.h>

#define MAX_RESULT_BYTES (64 * 1024 * 1024) /* the arena: a thousand items of 64 KiB */
#define MAX_PRINT_BYTES  (128 * 1024 * 1024)
#define DEFAULT_LIMIT    20

/* What any of the subcommands may be given. */
struct memory_arguments {
    const char *user, *source, *before, *contains;
    int64_t limit;
    bool is_dry_run;
    struct args_list tags, ids;
    struct args_list words; /* the subcommand first */
    /* what queries point to */
    struct str tag_texts[ARGS_MAX_LIST];
    struct str id_texts[ARGS_MAX_LIST];
    int64_t before_us;
};

struct memory_call {
    const struct cli *cli;
    struct memory *memory;
    struct scope scope;
    const struct memory_arguments *args;
    struct arena arena;
    struct buf out;
};

static void write_item_json(struct json_writer *json, const struct knowledge *item)
{
    struct buf time;
    buf_init(&time, 64);
    json_open_object(json);
    json_put_member_text(json, "id", item->id);
    json_put_member_text(json, "content", item->content);
    if (!isnan(item->score))
        json_put_member_real(json, "score", item->score);
    json_put_name(json, "tags");
    json_open_array(json);
    for (size_t i = 0; i < item->n_tags; i++)
        json_put_text(json, item->tags[i]);
    json_close_array(json);
    json_put_member_text(json, "source", item->source);
    civil_print_iso(item->created_us, &time);
    json_put_member_text(json, "created_at", buf_str(&time));
    json_close_object(json);
    buf_done(&time);
}

static void write_items(struct memory_call *call, const struct knowledge *items, size_t n)
{
    if (call->cli->is_json) {
        struct json_writer json;
        json_writer_init(&json, &call->out);
        json_open_array(&json);
        for (size_t i = 0; i < n; i++)
            write_item_json(&json, &items[i]);
        json_close_array(&json);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        buf_append_str(&call->out, items[i].id);
        buf_append_text(&call->out, "  ");
        civil_print_iso(items[i].created_us, &call->out);
        buf_append_text(&call->out, "  ");
        buf_append_str(&call->out, items[i].content);
        buf_append_byte(&call->out, '\n');
    }
    if (n == 0)
        fprintf(stderr, "precis: nothing found\n");
}

static void write_ids(struct memory_call *call, const struct str *ids, size_t n)
{
    struct json_writer json;
    json_writer_init(&json, &call->out);
    if (call->cli->is_json)
        json_open_array(&json);
    for (size_t i = 0; i < n; i++) {
        if (call->cli->is_json)
            json_put_text(&json, ids[i]);
        else
            buf_printf(&call->out, "%.*s\n", STR_ARG(ids[i]));
    }
    if (call->cli->is_json)
        json_close_array(&json);
}

/* The second word, or all of stdin for "-". */
static int read_content(const struct memory_arguments *args, struct buf *content, struct err_info *reterr)
{
    if (args->words.n < 2)
        return err_set(reterr, ERR_INVALID,
                       "what is there to remember? give the text, or - for standard input");
    if (strcmp(args->words.items[1], "-") == 0)
        return cli_read_file("-", content, reterr);
    buf_append_text(content, args->words.items[1]);
    return buf_error(content) < 0 ? err_set(reterr, buf_error(content), "the text is too long") : 0;
}

static int memory_add(struct memory_call *call, struct err_info *reterr)
{
    struct buf content;
    struct str id;
    buf_init(&content, MEMORY_MAX_CONTENT_BYTES);
    int r = read_content(call->args, &content, reterr);
    if (r == 0) {
        const struct knowledge item = {
            .content = buf_str(&content),
            .source = str_of(call->args->source),
            .tags = (struct str *)call->args->tag_texts,
            .n_tags = call->args->tags.n,
            .importance = NAN,
        };
        r = knowledge_add(call->memory, &call->scope, &item, 1, &call->arena, &id, reterr);
    }
    if (r == 0)
        write_ids(call, &id, 1);
    buf_done(&content);
    return r;
}

static int memory_search(struct memory_call *call, struct err_info *reterr)
{
    const struct memory_arguments *args = call->args;
    const struct knowledge_query query = {
        .query = str_of(args->words.n > 1 ? args->words.items[1] : ""),
        .limit = (size_t)args->limit,
        .source = str_of(args->source),
        .tags = args->tag_texts,
        .n_tags = args->tags.n,
        .since_us = INT64_MIN,
        .until_us = INT64_MAX,
        .mode = SEARCH_HYBRID,
    };
    struct knowledge *items;
    size_t n;
    const char *degraded;
    int r = knowledge_search(call->memory, &call->scope, &query, &call->arena, &items, &n, &degraded, reterr);
    if (r < 0)
        return r;
    write_items(call, items, n);
    if (degraded)
        fprintf(stderr, "precis: %s\n", degraded);
    return 0;
}

static int memory_list(struct memory_call *call, struct err_info *reterr)
{
    struct knowledge *items;
    size_t n;
    struct str cursor;
    int r = knowledge_list(call->memory, &call->scope, (size_t)call->args->limit, (struct str){NULL, 0},
                           &call->arena, &items, &n, &cursor, reterr);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++)
        items[i].score = NAN;
    write_items(call, items, n);
    if (cursor.len)
        fprintf(stderr, "precis: there is more; --limit shows it\n");
    return 0;
}

static int memory_forget(struct memory_call *call, struct err_info *reterr)
{
    const struct memory_arguments *args = call->args;
    const struct knowledge_rule rule = {
        .ids = args->id_texts,
        .n_ids = args->ids.n,
        .tags = args->tag_texts,
        .n_tags = args->tags.n,
        .source = str_of(args->source),
        .before_us = args->before_us,
        .contains = str_of(args->contains),
    };
    struct str *ids;
    size_t n;
    int r =
        knowledge_forget(call->memory, &call->scope, &rule, args->is_dry_run, &call->arena, &ids, &n, reterr);
    if (r < 0)
        return r;
    write_ids(call, ids, n);
    fprintf(stderr, "precis: %zu %s\n", n, args->is_dry_run ? "would be forgotten" : "forgotten");
    return 0;
}

static const struct {
    const char *name;
    int (*run)(struct memory_call *call, struct err_info *reterr);
} verbs[] = {
    {"add", memory_add}, {"search", memory_search}, {"list", memory_list}, {"forget", memory_forget}};

static int memory_call(const struct cli *cli, const struct memory_arguments *args,
                       int (*run)(struct memory_call *call, struct err_info *reterr))
{
    struct app app = {.store = NULL};
    struct err_info err;
    struct memory_call call = {
        .cli = cli,
        .scope = {STR_LIT(CLI_TENANT), args->user ? str_of(args->user) : STR_LIT("default")},
        .args = args,
    };
    arena_init(&call.arena, MAX_RESULT_BYTES);
    buf_init(&call.out, MAX_PRINT_BYTES);
    int r = app_open_config(&app, cli, &err);
    if (r == 0 && run == memory_search)
        r = app_open_embedder(&app, &err);
    if (r == 0 && run == memory_search)
        r = app_open_rerank(&app, &err);
    if (r == 0)
        r = app_open_memory(&app, run == memory_add, &err);
    if (r == 0) {
        call.memory = app.memory;
        r = run(&call, &err);
    }
    int exit_code = EXIT_DONE;
    if (r < 0)
        exit_code = cli_fail(cli, &err);
    else if (call.out.len > 0 || buf_error(&call.out) < 0)
        exit_code = cli_print(cli, &call.out);
    app_close(&app);
    buf_done(&call.out);
    arena_done(&call.arena);
    return exit_code;
}

static int memory_run(struct cli *cli, int argc, char **argv)
{
    struct memory_arguments args = {.limit = DEFAULT_LIMIT, .before_us = INT64_MIN};
    const struct option options[] = {
        {"user", OPTION_TEXT, &args.user, "ID", "whose memory (default)"},
        {"tag", OPTION_LIST, &args.tags, "TAG", "a tag; may be repeated"},
        {"source", OPTION_TEXT, &args.source, "NAME", "where it comes from"},
        {"limit", OPTION_INT, &args.limit, "N", "search, list: at most so many (20)"},
        {"id", OPTION_LIST, &args.ids, "ID", "forget: this one; may be repeated"},
        {"before", OPTION_TEXT, &args.before, "TIME", "forget: what is older"},
        {"contains", OPTION_TEXT, &args.contains, "TEXT", "forget: what holds this text"},
        {"dry-run", OPTION_FLAG, &args.is_dry_run, NULL, "forget: only say what would go"},
        OPTION_END,
    };
    int r = cli_parse(cli, &command_memory, options, argc, argv, 1, 2, &args.words);
    if (r != 0)
        return cli_parse_exit(r);
    if (args.before && civil_parse(str_of(args.before), &args.before_us, NULL) < 0)
        return cli_wrong_use(&command_memory, "--before must be a time such as 2026-01-31, not '%s'",
                             args.before);
    for (size_t i = 0; i < args.tags.n; i++)
        args.tag_texts[i] = str_of(args.tags.items[i]);
    for (size_t i = 0; i < args.ids.n; i++)
        args.id_texts[i] = str_of(args.ids.items[i]);
    if (args.words.n < 2 && strcmp(args.words.items[0], "add") == 0)
        return cli_wrong_use(&command_memory,
                             "what is there to remember? give the text, or - for standard input");
    bool has_rule = args.ids.n || args.tags.n || args.source || args.before || args.contains;
    if (!has_rule && strcmp(args.words.items[0], "forget") == 0)
        return cli_wrong_use(&command_memory,
                             "forget what? say it with --id, --tag, --source, --before or --contains");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(args.words.items[0], verbs[i].name) == 0)
            return memory_call(cli, &args, verbs[i].run);
    }
    return cli_wrong_use(&command_memory, "there is no 'memory %s'", args.words.items[0]);
}

const struct command command_memory = {
    "memory",
    "add TEXT | search QUERY | list | forget  [--user ID] ...",
    "adds to what is remembered, searches, lists and forgets it",
    memory_run,
};
