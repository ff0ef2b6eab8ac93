/* SPDX-License-Identifier: Apache-2.0
 *
 * precis tokens: how many tokens a text costs.
 */
#include "cli/cli.h"

#include "core/json.h"
#include "recipe/recipe.h"
#include "text/tokens.h"

#define MAX_TEXT_BYTES (64 * 1024 * 1024)

static int unknown_tokenizer(const char *name)
{
    struct buf known;
    buf_init(&known, ERR_MESSAGE_SIZE);
    for (const struct tokenizer *const *tokenizer = tokenizer_all(); *tokenizer; tokenizer++)
        buf_printf(&known, "%s%s", known.len ? ", " : "", (*tokenizer)->name);
    int exit_code = cli_wrong_use(&command_tokens, "there is no tokenizer '%s'; known: %s", name,
                                  known.data ? known.data : "none");
    buf_done(&known);
    return exit_code;
}

static void write_count(const struct cli *cli, const struct tokenizer *tokenizer, struct str text,
                        struct buf *out)
{
    int64_t tokens = tokenizer->count(text);
    if (!cli->is_json) {
        buf_append_int(out, tokens);
        return;
    }
    struct json_writer json;
    json_writer_init(&json, out);
    json_open_object(&json);
    json_put_member_int(&json, "tokens", tokens);
    json_put_member_text(&json, "tokenizer", str_of(tokenizer->name));
    json_put_member_int(&json, "bytes", (int64_t)text.len);
    json_close_object(&json);
}

/* The count of each line, on a line of its own. */
static int print_lines(struct cli *cli, const struct tokenizer *tokenizer, struct str rest, struct buf *out)
{
    struct str line;
    int exit_code = EXIT_DONE;
    bool is_empty = rest.len == 0;
    if (rest.len > 0 && rest.ptr[rest.len - 1] == '\n')
        rest.len--;
    while (exit_code == EXIT_DONE && !is_empty && str_next_part(&rest, '\n', &line)) {
        buf_clear(out);
        write_count(cli, tokenizer, line, out);
        exit_code = cli_print(cli, out);
    }
    return exit_code;
}

static int tokens_run(struct cli *cli, int argc, char **argv)
{
    const char *name = RECIPE_DEFAULT_TOKENIZER;
    bool by_line = false;
    const struct option options[] = {
        {"tokenizer", OPTION_TEXT, &name, "NAME", "how they are counted (" RECIPE_DEFAULT_TOKENIZER ")"},
        {"lines", OPTION_FLAG, &by_line, NULL, "count each line"},
        OPTION_END,
    };
    struct args_list words;
    int r = cli_parse(cli, &command_tokens, options, argc, argv, 0, 1, &words);
    if (r != 0)
        return cli_parse_exit(r);
    const struct tokenizer *tokenizer = tokenizer_find(str_of(name));
    if (!tokenizer)
        return unknown_tokenizer(name);
    struct buf text, out;
    struct err_info err;
    buf_init(&text, MAX_TEXT_BYTES);
    buf_init(&out, 4096);
    r = cli_read_file(words.n ? words.items[0] : "-", &text, &err);
    int exit_code;
    if (r < 0) {
        exit_code = cli_fail(cli, &err);
    } else if (by_line) {
        exit_code = print_lines(cli, tokenizer, buf_str(&text), &out);
    } else {
        write_count(cli, tokenizer, buf_str(&text), &out);
        exit_code = cli_print(cli, &out);
    }
    buf_done(&out);
    buf_done(&text);
    return exit_code;
}

const struct command command_tokens = {"tokens", "[--tokenizer NAME] [--lines] [FILE]",
                                       "counts the tokens of a file or of its input", tokens_run};
