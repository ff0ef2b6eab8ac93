/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of kind `redis`: what a section asks as a command, and a reply as rows. The driver that carries
 * one to the other is redis.c.
 */
#ifndef PRECIS_SOURCE_REDIS_PRIV_H
#define PRECIS_SOURCE_REDIS_PRIV_H

#include "net/resp.h"
#include "source/source_priv.h"

#define REDIS_MAX_FIELDS 256           /* of a hash, and columns of a result */
#define REDIS_MAX_STRING (1024 * 1024) /* bytes of a string or a JSON document */

extern const struct source_setting redis_settings[];

enum redis_type { REDIS_LIST, REDIS_HASH, REDIS_STRING, REDIS_SORTED_SET, REDIS_STREAM, REDIS_JSON };
enum redis_entries { ENTRIES_AUTO, ENTRIES_JSON, ENTRIES_TEXT };

/* A question, and all that is needed to read its answer. */
struct redis_question {
    enum redis_type type;
    enum redis_entries entries;
    bool is_newest_first;
    int64_t us_per_score; /* of a sorted set whose scores are times; 0: they are not */
    size_t max_rows;
    struct str *fields; /* of a hash; in the arena that asked */
    size_t n_fields;
};

/* Appends the one command that asks for it; only commands that read are known here. */
int redis_write_command(const struct source_request *request, struct arena *arena,
                        struct redis_question *ret_question, struct buf *command, struct err_info *reterr);
/* Fills a result of its own life; the reply is borrowed. ERR_REMOTE for what the server refused. */
int redis_read_reply(const struct redis_question *question, const struct resp *reply,
                     struct source_result *result, struct err_info *reterr);
const char *redis_type_name(enum redis_type type);

#endif
