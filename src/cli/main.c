/* SPDX-License-Identifier: Apache-2.0
 *
 * precis: the global options, then a command. What is the process's own is set up here, once, before any
 * thread exists.
 */
#include "cli/cli.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>

#define MAX_COMMANDS 32

static void print_help(FILE *file)
{
    fprintf(file, "usage: precis [--config FILE] [--data DIR] [--json] COMMAND ...\n\n");
    for (const struct command *const *command = commands; *command; command++)
        fprintf(file, "  %-10s %s\n", (*command)->name, (*command)->about);
    fprintf(file, "\n`precis COMMAND --help` says more. Exit status: 0 done, 1 failed, 2 wrong use.\n");
}

static const struct command *command_find(const char *name)
{
    for (const struct command *const *command = commands; *command; command++) {
        if (strcmp((*command)->name, name) == 0)
            return *command;
    }
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[MAX_COMMANDS];
    size_t n = 0;
    for (const struct command *const *command = commands; *command && n < MAX_COMMANDS; command++)
        names[n++] = (*command)->name;
    const char *nearest = str_nearest(str_of(name), names, n);
    fprintf(stderr, "precis: there is no command '%s'%s%s%s\n", name, nearest ? "; did you mean '" : "",
            nearest ? nearest : "", nearest ? "'?" : "; `precis --help` lists them");
    return EXIT_WRONG_USE;
}

/* How many arguments from argv[1] on are global options that stand before the command. */
static int count_leading_options(int argc, char **argv)
{
    int n = 0;
    while (1 + n < argc && argv[1 + n][0] == '-') {
        bool has_value = strcmp(argv[1 + n], "--config") == 0 || strcmp(argv[1 + n], "--data") == 0;
        n += has_value ? 2 : 1;
    }
    return n < argc ? n : argc - 1;
}

static int parse_leading_options(struct cli *cli, int argc, char **argv)
{
    const struct option globals[] = {
        {"config", OPTION_TEXT, &cli->config_path, "FILE", ""},
        {"data", OPTION_TEXT, &cli->data_dir, "DIR", ""},
        {"json", OPTION_FLAG, &cli->is_json, NULL, ""},
        {"help", OPTION_FLAG, &cli->wants_help, NULL, ""},
        OPTION_END,
    };
    const struct option *tables[] = {globals};
    struct args_list words;
    struct err_info err;
    int r = args_parse(argc, argv, tables, 1, &words, &err);
    if (r == 0 && words.n > 0)
        r = err_set(&err, ERR_INVALID, "unknown option %s", words.items[0]);
    if (r < 0)
        fprintf(stderr, "precis: %s\n", err.message);
    return r;
}

int main(int argc, char **argv)
{
    struct cli cli = {NULL, NULL, false, false};
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        argv[1] = (char *)"version";
    int n_leading = count_leading_options(argc, argv);
    if (parse_leading_options(&cli, n_leading, argv + 1) < 0)
        return EXIT_WRONG_USE;
    if (argc <= 1 + n_leading) {
        print_help(cli.wants_help ? stdout : stderr);
        return cli.wants_help ? EXIT_DONE : EXIT_WRONG_USE;
    }
    if (sodium_init() < 0) {
        fprintf(stderr, "precis: the system gives no random numbers\n");
        return EXIT_FAILED;
    }
    /* A reader that went away is an error of its write, not the end of the program. */
    (void)signal(SIGPIPE, SIG_IGN);
    const char *name = argv[1 + n_leading];
    const struct command *command = command_find(name);
    if (!command)
        return unknown_command(name);
    return command->run(&cli, argc - n_leading - 2, argv + n_leading + 2);
}
