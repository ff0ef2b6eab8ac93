/* SPDX-License-Identifier: Apache-2.0
 *
 * A reply in the making: status, type, a few headers and a body that is written here, static, or part of a
 * shared answer. Errors have one shape: {"error":{"code","message","field","request_id"}}.
 */
#ifndef PRECIS_SERVE_REPLY_H
#define PRECIS_SERVE_REPLY_H

#include "core/buf.h"
#include "core/err.h"
#include "core/json.h"

struct request;

#define REPLY_MAX_HEADERS 4
#define REPLY_MAX_BYTES   (64 * 1024 * 1024)

#define TYPE_JSON     "application/json"
#define TYPE_TEXT     "text/plain; charset=utf-8"
#define TYPE_MARKDOWN "text/markdown; charset=utf-8"

struct reply_header {
    const char *name;
    char value[64];
};

struct reply {
    unsigned status;
    const char *content_type;
    struct reply_header headers[REPLY_MAX_HEADERS];
    size_t n_headers;
    struct buf body;
    struct str borrowed;          /* used instead of body when its ptr is set */
    void (*release)(void *owner); /* of what `borrowed` belongs to; NULL for static text */
    void *owner;
};

/* A reply serves a connection's requests one after the other: its buffer is kept between them, unless it is
 * large. */
void reply_init(struct reply *reply);
void reply_reset(struct reply *reply);
void reply_done(struct reply *reply);

/* Starts a JSON body; what is written through writer goes into the reply. */
void reply_start_json(struct request *req, unsigned status, struct json_writer *ret_writer);
/* Starts {"name":[ of a 200: its elements follow, then json_close_array, further members, json_close_object.
 */
void reply_start_list(struct request *req, const char *name, struct json_writer *ret_writer);
/* {"name":"id","deleted":true} */
void reply_deleted(struct request *req, const char *name, struct str id);
/* Static text, or text of `owner`, released when sent (release may be NULL). */
void reply_borrow(struct request *req, unsigned status, const char *content_type, struct str text,
                  void (*release)(void *owner), void *owner);
void reply_add_header(struct reply *reply, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Throws away what is there and says what went wrong. field may be NULL. */
void reply_error(struct request *req, unsigned status, const char *code, const char *field,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The same for an error of the layers below: status and code follow from err->code. Failures of ours (5xx)
 * are logged, once, here. */
void reply_failure(struct request *req, int rc, const struct err_info *err);

#endif
