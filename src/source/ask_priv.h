/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kinds that speak HTTP share: opening a server from a connection's options, a question of one or
 * more requests that waits in the build's loop, and the words for what a server may answer.
 */
#ifndef PRECIS_SOURCE_ASK_PRIV_H
#define PRECIS_SOURCE_ASK_PRIV_H

#include "core/json.h"
#include "net/http_fetch.h"
#include "source/source_priv.h"

#define ASK_MAX_ANSWER_BYTES (4 * 1024 * 1024) /* read whole before it is looked at */
#define ASK_MAX_DEPTH        64                /* of its JSON */

/* A server of the connection's URL without the first `skip` bytes of its scheme ("qdrant+"). Of what follows
 * a ?, `ca` is read here; the others are the caller's: *ret_params ("" if none) points into the options. */
int ask_open_server(const struct source_env *env, const struct source_options *options, size_t skip,
                    const char *key_prefix, bool accepts_packed, struct str *ret_params,
                    struct http_server **ret_server, struct err_info *reterr);

/* The next parameter but for `ca`; false at the end. */
bool ask_next_param(struct str *params, struct str *ret_name, struct str *ret_value);

struct ask;

/* What a kind does with an answer, whatever its status: 0 it asked again (ask_next), 1 ask->result is whole,
 * negative failed. */
typedef int (*ask_answer_fn)(struct ask *ask, struct err_info *reterr);

/* One question under way. A kind's own state follows it in its own struct, which leads with it. */
struct ask {
    struct http_fetch http;
    struct http_server *server;
    struct source_fetch *fetch;
    struct net_loop *loop;
    struct arena arena; /* what is needed of the request */
    struct buf target, body;
    size_t max_rows;
    struct source_result *result;
    ask_answer_fn on_answer; /* of the request under way */
};

/* A zeroed question of `size` bytes in the fetch's state, waiting as the source's on_start should have it. */
int ask_new(struct source_fetch *fetch, struct net_loop *loop, struct http_server *server, size_t size,
            const struct source_request *request, struct ask **ret_ask, struct err_info *reterr);
/* Drops a question that did not start: for on_start's way out. */
void ask_drop(struct source_fetch *fetch);
/* Hands ask->result over at once, nothing being asked; what on_start returns then. */
int ask_finish_now(struct source_fetch *fetch);
/* Sends ask->target, and ask->body when that is not empty; its answer goes to on_answer. */
int ask_next(struct ask *ask, const char *method, ask_answer_fn on_answer, struct err_info *reterr);

/* The answer's JSON, to be freed by the caller. ERR_REMOTE with its place where it is none. */
int ask_parse(const struct http_fetch *http, struct json **ret_root, struct err_info *reterr);
/* The sentence for a status that is no success, with what the server said, cut short and cleaned. ERR_REMOTE.
 */
int ask_refuse(const struct http_fetch *http, struct err_info *reterr);
/* ERR_NOMEM or ERR_LIMIT, with the sentence, where a buffer or arena of the question has failed; else 0. */
int ask_error(const struct ask *ask, struct err_info *reterr);

/* Asks and waits, for doctor and for filling: the parsed answer of a 2xx status, or the sentence for another.
 */
int ask_wait(struct http_server *server, const struct http_request *request, int64_t deadline_us,
             long *ret_status, struct json **ret_root, struct err_info *reterr);

/* Rows of JSON objects: the fixed columns first, then a column for every member of any, as they come; a
 * member that is called like a fixed column is that column. Adds n rows whose values are *ret_values. */
int rows_of_objects(struct source_result *result, const char *const *fixed, size_t n_fixed,
                    const struct json *const *objects, size_t n, struct value **ret_values,
                    struct err_info *reterr);

#endif
