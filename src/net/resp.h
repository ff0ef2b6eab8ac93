/* SPDX-License-Identifier: Apache-2.0
 *
 * RESP2, what Redis and Valkey speak: writing commands, and reading replies out of a buffer without copying.
 * A reply is first found whole (resp_scan, which goes on where it stopped), then taken apart.
 */
#ifndef PRECIS_NET_RESP_H
#define PRECIS_NET_RESP_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

#define RESP_MAX_BYTES (8 * 1024 * 1024) /* of one reply */
#define RESP_MAX_ITEMS 65536             /* of one reply, on all levels together */
#define RESP_MAX_DEPTH 8
#define RESP_MAX_LINE  1024 /* a status, an error or a number */

enum resp_kind { RESP_NIL, RESP_TEXT, RESP_STATUS, RESP_ERROR, RESP_INT, RESP_ARRAY };

struct resp {
    enum resp_kind kind;
    struct str text; /* TEXT, STATUS, ERROR; any bytes; borrowed of the buffer */
    int64_t integer;
    const struct resp *items; /* ARRAY */
    size_t n;
};

/* Appends one command. */
void resp_append_command(struct buf *buf, const struct str *args, size_t n);

/* How far a reply that is not whole yet has been looked at. Zeroed before each. */
struct resp_scan {
    size_t pos;     /* all before it is understood */
    size_t n_due;   /* values still to come, below their arrays, after the first */
    size_t n_items; /* seen */
    bool has_begun;
};

/* 0 with *ret_len, the length of the reply that bytes begin with; 1 more bytes are needed; ERR_REMOTE when
 * this is no RESP2, ERR_LIMIT beyond a maximum. bytes: the same as before with more behind. */
int resp_scan(struct resp_scan *scan, struct str bytes, size_t *ret_len, struct err_info *reterr);
/* A whole reply, as found by resp_scan; arrays are in the arena. */
int resp_parse(struct str reply, struct arena *arena, struct resp *ret_resp, struct err_info *reterr);

#endif
