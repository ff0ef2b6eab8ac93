/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of commands and what they share: arguments, errors, printing.
 */
#include "cli/cli.h"

#include "core/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

const struct command *const commands[] = {
    &command_serve, &command_build,  &command_init,    &command_recipe,  &command_memory,
    &command_key,   &command_backup, &command_restore, &command_doctor,  &command_tokens,
    &command_embed, &command_model,  &command_vector,  &command_version, NULL,
};

#define PROGRESS_WIDTH 32

static void print_options(const struct option *options)
{
    for (const struct option *option = options; option->name; option++) {
        char left[64];
        (void)snprintf(left, sizeof left, "--%s%s%s", option->name, option->value ? " " : "",
                       option->value ? option->value : "");
        printf("  %-24s %s\n", left, option->about);
    }
}

int cli_parse(struct cli *cli, const struct command *command, const struct option *options, int argc,
              char **argv, size_t min_words, size_t max_words, struct args_list *ret_words)
{
    const struct option globals[] = {
        {"config", OPTION_TEXT, &cli->config_path, "FILE", "the configuration (precis.yaml)"},
        {"data", OPTION_TEXT, &cli->data_dir, "DIR", "the folder of the embedded store"},
        {"json", OPTION_FLAG, &cli->is_json, NULL, "print results as JSON"},
        {"help", OPTION_FLAG, &cli->wants_help, NULL, "print this"},
        OPTION_END,
    };
    const struct option *tables[] = {options, globals};
    struct args_list words;
    struct err_info err;
    int r = args_parse(argc, argv, tables, 2, &words, &err);
    if (r < 0) {
        (void)cli_wrong_use(command, "%s", err.message);
        return r;
    }
    if (cli->wants_help) {
        printf("usage: precis %s %s\n\n%s\n\n", command->name, command->usage, command->about);
        print_options(options);
        print_options(globals);
        return CLI_PARSE_HELP;
    }
    /* Empty where a script's variable was not set: not a reason to write somewhere else. */
    const char *empty = cli->data_dir && !*cli->data_dir         ? "data"
                        : cli->config_path && !*cli->config_path ? "config"
                                                                 : NULL;
    if (empty) {
        (void)cli_wrong_use(command, "--%s is empty", empty);
        return ERR_INVALID;
    }
    if (words.n < min_words) {
        (void)cli_wrong_use(command, "something is missing");
        return ERR_INVALID;
    }
    if (words.n > max_words) {
        (void)cli_wrong_use(command, "'%s' is one word too many", words.items[max_words]);
        return ERR_INVALID;
    }
    *ret_words = words;
    return 0;
}

int cli_parse_exit(int r)
{
    return r == CLI_PARSE_HELP ? EXIT_DONE : EXIT_WRONG_USE;
}

int cli_wrong_use(const struct command *command, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "precis %s: ", command->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nusage: precis %s %s\n", command->name, command->usage);
    return EXIT_WRONG_USE;
}

int cli_fail(const struct cli *cli, const struct err_info *err)
{
    if (!cli->is_json) {
        /* Many sentences name the field themselves. */
        bool is_named = strstr(err->message, err->field) != NULL;
        fprintf(stderr, "precis: %s%s%s\n", is_named ? "" : err->field, is_named ? "" : ": ", err->message);
        return EXIT_FAILED;
    }
    struct buf buf;
    struct json_writer json;
    buf_init(&buf, 16 * 1024);
    json_writer_init(&json, &buf);
    json_open_object(&json);
    json_put_name(&json, "error");
    json_open_object(&json);
    json_put_member_text(&json, "code", str_of(err_name(err->code)));
    json_put_member_text(&json, "message", str_of(err->message));
    if (*err->field)
        json_put_member_text(&json, "field", str_of(err->field));
    json_close_object(&json);
    json_close_object(&json);
    fprintf(stderr, "%s\n", buf_error(&buf) == 0 ? buf.data : err->message);
    buf_done(&buf);
    return EXIT_FAILED;
}

int cli_print(const struct cli *cli, const struct buf *buf)
{
    struct err_info err;
    if (buf_error(buf) < 0) {
        err_set(&err, buf_error(buf), "the answer is too large to print");
        return cli_fail(cli, &err);
    }
    bool has_end = buf->len > 0 && buf->data[buf->len - 1] == '\n';
    if (fwrite(buf->data ? buf->data : "", 1, buf->len, stdout) != buf->len ||
        (!has_end && putchar('\n') == EOF) || fflush(stdout) != 0) {
        err_set(&err, ERR_IO, "cannot write to standard output: %s", strerror(errno));
        return cli_fail(cli, &err);
    }
    return EXIT_DONE;
}

int cli_read_file(const char *path, struct buf *ret_buf, struct err_info *reterr)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!file)
        return err_set_field(reterr, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, path, "cannot be read: %s",
                             strerror(errno));
    char chunk[16 * 1024];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
        buf_append(ret_buf, chunk, n);
    int read_errno = ferror(file) ? errno : 0;
    if (file != stdin)
        (void)fclose(file); /* read only: nothing to lose */
    if (read_errno)
        return err_set_field(reterr, ERR_IO, path, "cannot be read: %s", strerror(read_errno));
    if (buf_error(ret_buf) < 0)
        return err_set_field(reterr, buf_error(ret_buf), path, "is larger than %zu bytes", ret_buf->max);
    return 0;
}

void cli_progress(const char *what, int64_t n_done, int64_t n_all)
{
    if (!isatty(STDERR_FILENO) || n_all <= 0)
        return;
    int filled = (int)(n_done * PROGRESS_WIDTH / n_all);
    fprintf(stderr, "\r%-24s [%.*s%*s] %3d %%%s", what, filled, "################################",
            PROGRESS_WIDTH - filled, "", (int)(n_done * 100 / n_all), n_done >= n_all ? "\n" : "");
}
