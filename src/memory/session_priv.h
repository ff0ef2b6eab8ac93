/* SPDX-License-Identifier: Apache-2.0
 *
 * Where sessions are kept: session_local.c in this process, session_shared.c in Redis. What they get is
 * checked.
 */
#ifndef PRECIS_MEMORY_SESSION_PRIV_H
#define PRECIS_MEMORY_SESSION_PRIV_H

#include "core/map.h"
#include "memory/session.h"

#include <pthread.h>

struct kept_session; /* in this process */

struct sessions {
    struct redis_client *client; /* NULL: in this process */
    const struct clock *clock;
    struct redis_script put, merge, get;
    pthread_mutex_t lock; /* guards what follows */
    struct map kept;      /* of struct kept_session, by scope and id */
    size_t n_kept_bytes;
};

#define SESSION_MAX_KEPT       10000
#define SESSION_MAX_KEPT_BYTES ((size_t)64 * 1024 * 1024)
#define SESSION_MAX_KEY_BYTES  1024

/* As the functions of session.h, for a key. */
int session_local_get(struct sessions *sessions, struct str key, struct arena *arena,
                      struct session *ret_session, struct err_info *reterr);
int session_local_set(struct sessions *sessions, struct str key, const struct session_field *fields,
                      size_t n_fields, int64_t ttl_us, bool is_merge, struct err_info *reterr);
int session_local_delete(struct sessions *sessions, struct str key);
void session_local_done(struct sessions *sessions);

void session_shared_init(struct sessions *sessions);
int session_shared_get(struct sessions *sessions, struct str key, int64_t deadline_us, struct arena *arena,
                       struct session *ret_session, struct err_info *reterr);
int session_shared_set(struct sessions *sessions, struct str key, const struct session_field *fields,
                       size_t n_fields, int64_t ttl_us, bool is_merge, int64_t deadline_us,
                       struct err_info *reterr);
int session_shared_delete(struct sessions *sessions, struct str key, int64_t deadline_us,
                          struct err_info *reterr);

int session_too_large(struct err_info *reterr);

#endif
