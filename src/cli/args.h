/* SPDX-License-Identifier: Apache-2.0
 *
 * A command's words and options, read by table: `--name value`, `--name=value`, flags without a value, `--`
 * before words that begin with a dash. Everything is borrowed from argv.
 */
#ifndef PRECIS_CLI_ARGS_H
#define PRECIS_CLI_ARGS_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARGS_MAX_LIST 64 /* words, and values of an option that may be repeated */

struct args_list {
    const char *items[ARGS_MAX_LIST];
    size_t n;
};

enum option_kind {
    OPTION_FLAG, /* target: bool */
    OPTION_TEXT, /* target: const char * */
    OPTION_INT,  /* target: int64_t, not negative */
    OPTION_LIST, /* target: struct args_list; may be repeated */
};

struct option {
    const char *name; /* without dashes; NULL ends a table */
    enum option_kind kind;
    void *target;
    const char *value; /* what help calls the value: "N"; NULL for flags */
    const char *about;
};

#define OPTION_END ((struct option){NULL, OPTION_FLAG, NULL, NULL, NULL})

/* Reads argv[0..argc) by the tables, of which there are n_tables; an option may come from any of them.
 * ERR_INVALID with a sentence for what no table knows (and the nearest name), a missing or needless value, a
 * number that is none. */
int args_parse(int argc, char **argv, const struct option *const *tables, size_t n_tables,
               struct args_list *ret_words, struct err_info *reterr);

#endif
