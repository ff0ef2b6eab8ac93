/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration: built-in values, then precis.yaml, then the environment, then the command line, each
 * over the one before. docs/configuration.md is the reference. Immutable once loaded.
 */
#ifndef PRECIS_CLI_CONFIG_H
#define PRECIS_CLI_CONFIG_H

#include "core/arena.h"
#include "core/err.h"
#include "source/source.h"

struct config_list {
    const char **items;
    size_t n;
};

/* A place that recipes may name in `from`. */
struct config_connection {
    const char *name;
    const char *url;
    const char *place; /* where it was said: "precis.yaml:4:9" or a variable's name */
    int64_t max_conns; /* 0: as its kind chooses */
    const char *key;   /* NULL: none */
    struct source_header *headers;
    size_t n_headers;
};

#define CONFIG_MAX_CONNECTIONS 64

struct config {
    struct arena arena; /* owns all of it */
    const char *file;   /* the file that was read; NULL: none */
    const char *data_dir;
    const char *listen;
    const char *store_url;
    struct config_connection *connections;
    size_t n_connections;
    struct config_list recipe_folders;
    int64_t cache_max_bytes, cache_max_entries;
    int64_t cache_ttl_us; /* -1: as each recipe says */
    int64_t max_body_bytes, max_connections, max_index_bytes;
    int64_t n_front_threads, n_workers; /* 0: as the server chooses */
    int64_t idle_timeout_us, drain_us;
    const char
        *embedding_model;   /* "builtin", a name below the data folder's models, or a path with a slash */
    int64_t embedding_dims; /* that the model must have; 0: whatever it has */
    const char *rerank_url; /* NULL: nothing is re-ranked */
    const char *rerank_model, *rerank_key; /* NULL: none */
    const char *rerank_format;             /* "documents", "texts" */
    int64_t rerank_candidates, rerank_timeout_us;
    const char *rate;         /* NULL: no limit */
    const char *shared_redis; /* a URL, or the name of a connection; NULL: nothing is shared */
    const char *shared_prefix, *shared_cache, *shared_limits, *shared_sessions; /* "true", "false" */
    int64_t shared_cache_wait_us;
    const char *keyless; /* "auto", "allow", "never" */
    struct config_list hosts;
    const char *log_level, *log_format;
    struct config_list warnings; /* sentences: what was said and has no effect */
};

/* What the command line says; NULL where it says nothing. */
struct config_request {
    const char *file;
    const char *data_dir;
    const char *const *environment; /* NAME=value, ended by NULL */
};

/* ERR_NOT_FOUND when a file was named that is not there; ERR_INVALID with file:line:column, or the variable's
 * name, for a key nobody knows or a value that does not fit. */
int config_load(const struct config_request *request, struct config *ret_config, struct err_info *reterr);
/* As config_load, with the text of a file at hand (`file` is its name); for tests. */
int config_load_text(const struct config_request *request, struct str text, const char *file,
                     struct config *ret_config, struct err_info *reterr);
/* Accepts a zeroed configuration. */
void config_done(struct config *config);

/* The value of an environment variable or NULL. */
const char *config_getenv(const char *const *environment, struct str name);

#endif
