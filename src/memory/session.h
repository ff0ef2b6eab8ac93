/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions: what an assistant keeps while a conversation is under way, a few named JSON values with a
 * lifetime. In Redis where there is a shared tier, so that every server has them; otherwise in this process,
 * bounded, and gone when it ends. Thread-safe; calls may wait where there is a shared tier.
 */
#ifndef PRECIS_MEMORY_SESSION_H
#define PRECIS_MEMORY_SESSION_H

#include "core/value.h"
#include "memory/memory.h"
#include "net/redis_client.h"

#define SESSION_MAX_ID_BYTES    256
#define SESSION_MAX_FIELDS      64
#define SESSION_MAX_NAME_BYTES  128
#define SESSION_MAX_VALUE_BYTES (64 * 1024)
#define SESSION_MAX_BYTES       (256 * 1024) /* all its names and values */
#define SESSION_MAX_TTL_US      (30 * 86400 * US_PER_SEC)
#define SESSION_DEFAULT_TTL_US  (3600 * US_PER_SEC)

struct sessions;

/* client: borrowed; NULL: in this process. */
int sessions_new(struct redis_client *client, const struct clock *clock, struct sessions **ret_sessions,
                 struct err_info *reterr);
struct sessions *sessions_free(struct sessions *sessions); /* accepts NULL; returns NULL */

/* A field; value is JSON text, "" (in session_merge) removes it. */
struct session_field {
    struct str name, value;
};

struct session {
    struct session_field *fields;
    size_t n_fields;
    int64_t left_us;    /* of its life */
    size_t n_malformed; /* fields in Redis that are not ours: left out */
};

/* 0; 1 there is none, or its time is over; ERR_UNAVAILABLE when the shared tier cannot be asked, ERR_REMOTE
 * when it refuses. */
int session_get(struct sessions *sessions, const struct scope *scope, struct str id, int64_t deadline_us,
                struct arena *arena, struct session *ret_session, struct err_info *reterr);
/* Puts these fields in place of whatever there was. ERR_INVALID and ERR_LIMIT name the field. */
int session_put(struct sessions *sessions, const struct scope *scope, struct str id,
                const struct session_field *fields, size_t n_fields, int64_t ttl_us, int64_t deadline_us,
                struct err_info *reterr);
/* Sets and removes fields and begins the lifetime anew; 1 when there is no such session. */
int session_merge(struct sessions *sessions, const struct scope *scope, struct str id,
                  const struct session_field *fields, size_t n_fields, int64_t ttl_us, int64_t deadline_us,
                  struct err_info *reterr);
/* 1 when there was none. */
int session_delete(struct sessions *sessions, const struct scope *scope, struct str id, int64_t deadline_us,
                   struct err_info *reterr);

#endif
