/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line: what every command gets and gives. One file a command; commands.c lists them. Results go
 * to stdout, everything else to stderr.
 */
#ifndef PRECIS_CLI_CLI_H
#define PRECIS_CLI_CLI_H

#include "cli/args.h"
#include "core/buf.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_WRONG_USE = 2 };

/* The tenant of everything that is asked for without a key. */
#define CLI_TENANT "default"

/* The options that stand before or after any command. */
struct cli {
    const char *config_path; /* NULL: $PRECIS_CONFIG, then ./precis.yaml if it is there */
    const char *data_dir;    /* NULL: as the configuration says */
    bool is_json;
    bool wants_help;
};

struct command {
    const char *name;
    const char *usage; /* what follows the name */
    const char *about; /* one line */
    /* argv begins after the name; returns an EXIT_ code. */
    int (*run)(struct cli *cli, int argc, char **argv);
};

extern const struct command command_serve, command_build, command_init, command_recipe, command_memory,
    command_key, command_backup, command_restore, command_doctor, command_tokens, command_embed,
    command_model, command_vector, command_version;

/* All of them, ended by NULL. */
extern const struct command *const commands[];

#define CLI_PARSE_HELP 1 /* help was asked for and has been printed */
/* Reads a command's arguments and the global ones. Prints what is wrong, or help when asked for: 0 go on,
 * otherwise return cli_parse_exit(r). At most max_words words, at least min_words. */
int cli_parse(struct cli *cli, const struct command *command, const struct option *options, int argc,
              char **argv, size_t min_words, size_t max_words, struct args_list *ret_words);
int cli_parse_exit(int r);

/* Prints the error to stderr and returns the code to exit with: EXIT_FAILED. */
int cli_fail(const struct cli *cli, const struct err_info *err);
/* Prints wrong use of a command; returns EXIT_WRONG_USE. */
int cli_wrong_use(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints a buffer to stdout whole, with a line end; EXIT_DONE, or EXIT_FAILED when the buffer or stdout
 * failed. */
int cli_print(const struct cli *cli, const struct buf *buf);

/* Reads a whole file of at most max_bytes ("-": stdin) into ret_buf, which the caller has initialised. */
int cli_read_file(const char *path, struct buf *ret_buf, struct err_info *reterr);

/* A bar on stderr, when that is a terminal; otherwise nothing. */
void cli_progress(const char *what, int64_t n_done, int64_t n_all);

#endif
