/* SPDX-License-Identifier: Apache-2.0
 *
 * Error codes and the sentence that goes with them.
 *
 * A function that can fail returns int: 0 done, negative one of these codes, positive
 * "nothing there" or "at the end". The sentence for a person is written where the failure
 * happened, into a struct err_info that the caller may leave NULL.
 */
#ifndef PRECIS_CORE_ERR_H
#define PRECIS_CORE_ERR_H

#include <stdarg.h>

enum {
    ERR_NOMEM = -1,        /* an allocation failed; the request fails, the server goes on */
    ERR_LIMIT = -2,        /* a stated maximum was exceeded */
    ERR_INVALID = -3,      /* the input is wrong; err_info names the field or place */
    ERR_NOT_FOUND = -4,    /* the thing named does not exist (or belongs to somebody else) */
    ERR_CONFLICT = -5,     /* somebody else changed it first, or it exists already */
    ERR_TIMEOUT = -6,      /* the deadline passed */
    ERR_CANCELLED = -7,    /* the caller gave up or the server is stopping */
    ERR_UNAVAILABLE = -8,  /* a back end cannot be reached, is busy or locked */
    ERR_REMOTE = -9,       /* a back end answered with an error of its own */
    ERR_IO = -10,          /* a file or socket operation failed */
    ERR_CORRUPT = -11,     /* stored bytes are not what was written */
    ERR_DENIED = -12,      /* no credential, or a wrong one */
    ERR_FORBIDDEN = -13,   /* a good credential that lacks the scope */
    ERR_UNSUPPORTED = -14, /* asked for something this build or library cannot do */
    ERR_INTERNAL = -15,    /* a defect of ours */
};

#define ERR_FIELD_SIZE   96  /* "params.user_id", "precis.yaml:12:3" */
#define ERR_MESSAGE_SIZE 480 /* one sentence; longer ones are cut at a character */

struct err_info {
    int code;
    char field[ERR_FIELD_SIZE]; /* the field, parameter or file:line:column at fault; "" if none */
    char message[ERR_MESSAGE_SIZE];
};

/* Writes code and sentence into reterr (may be NULL), with no field; returns code, so that a function
 * can end in `return err_set(...)`. */
int err_set(struct err_info *reterr, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same, naming the field or place at fault. */
int err_set_field(struct err_info *reterr, int code, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts a name before the sentence already in reterr ("section 'tasks': ..."); keeps code and field. */
void err_prefix(struct err_info *reterr, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The snake_case name of a code, as the HTTP door and --json print it: "not_found". Never NULL. */
const char *err_name(int code);

#endif
