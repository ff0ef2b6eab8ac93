/* SPDX-License-Identifier: Apache-2.0
 *
 * One setting of the configuration: where it stands in precis.yaml, which variable says it too, and how its
 * text becomes a value. config.c holds the table of them.
 */
#ifndef PRECIS_CLI_SETTING_H
#define PRECIS_CLI_SETTING_H

#include "cli/config.h"

#include <stdbool.h>

enum setting_kind {
    CONFIG_TEXT,     /* const char * */
    CONFIG_CHOICE,   /* const char *, one of choices */
    CONFIG_COUNT,    /* int64_t */
    CONFIG_SIZE,     /* int64_t bytes: 65536, 64KiB, 16MiB, 1GiB */
    CONFIG_DURATION, /* int64_t microseconds: 250ms, 30s, 5m; a bare number in a variable means seconds */
    CONFIG_LIST,     /* struct config_list; in a variable, parts separated by colons */
};

struct setting {
    const char *block; /* NULL: at the top */
    const char *name;
    const char *variable; /* NULL: none */
    enum setting_kind kind;
    size_t offset; /* in struct config */
    int64_t min, max;
    const char *const *choices; /* ended by NULL */
};

/* All of them; in config.c. */
extern const struct setting settings_table[];
extern const size_t settings_count;

/* ${NAME} and ${NAME:-default} become the variable's value, $$ a dollar sign. ERR_INVALID for a variable that
 * is not set and has no default, and for a brace that does not close. */
int setting_expand(struct str text, const char *const *environment, struct arena *arena,
                   const char **ret_text, struct err_info *reterr);
/* Converts text that is in the configuration's arena and sets it. place is what an error names. */
int setting_set(const struct setting *setting, struct config *config, const char *text, bool is_variable,
                const char *place, struct err_info *reterr);
int setting_list_add(struct config *config, struct config_list *list, const char *item);

/* Reads precis.yaml's text over what the configuration holds; config_file.c. */
int config_read_file(struct config *config, struct str text, const char *const *environment,
                     struct err_info *reterr);
bool config_is_connection_name(struct str name);
/* Adds a connection or replaces the one so named; its texts live in the configuration's arena, but the name,
 * which is copied. */
int config_add_connection(struct config *config, struct str name, const struct config_connection *connection,
                          struct err_info *reterr);
/* Adds the connections that the environment says; environment.c. */
int config_read_connections(struct config *config, const char *const *environment, struct err_info *reterr);
/* Warns of each variable PRECIS_... that nobody knows and that the file does not put in. */
int config_check_variables(struct config *config, const char *const *environment, struct str file_text,
                           struct err_info *reterr);
/* REDIS_URL is also the connection `redis`, unless there is one; environment.c. */
int config_add_redis(struct config *config, const char *const *environment, struct err_info *reterr);
int config_out_of_memory(struct err_info *reterr);

#endif
