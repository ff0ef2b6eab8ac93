/* SPDX-License-Identifier: Apache-2.0
 *
 * The locks between processes (and between two handles in one process) that share a store. They live in a
 * file of their own, PATH.lock, which is never removed:
 *
 *   presence  shared by all who have the store open; held alone by a restore
 *   write     held alone for one group of writes or one checkpoint, never longer
 *   turn      held while waiting for `write`, so that a busy writer cannot lock others out
 *   owner     held by the process that checkpoints, while it has the store open
 *
 * The locks are Linux "open file description" locks: they end with the process, however it ends. SQLite's own
 * locks stay in force underneath; these only add that no checkpoint runs beside a write of another
 * connection. Used by one thread at a time.
 */
#ifndef PRECIS_STORE_SQLITE_LOCK_H
#define PRECIS_STORE_SQLITE_LOCK_H

#include "core/err.h"

#include <stdbool.h>

struct sqlite_lock {
    int fd; /* -1 when not open */
    bool is_owner;
};

/* Opens PATH.lock and takes `presence`, alone or shared. ERR_UNAVAILABLE when somebody's
 * presence forbids it. */
int sqlite_lock_open(const char *store_path, bool is_alone, struct sqlite_lock *ret_lock,
                     struct err_info *reterr);
/* Lets go of all; accepts one that is not open. */
void sqlite_lock_close(struct sqlite_lock *lock);

/* Takes `write`, waiting at most max_wait_ms; ERR_UNAVAILABLE then names the process that holds it. */
int sqlite_lock_write(struct sqlite_lock *lock, int max_wait_ms, struct err_info *reterr);
void sqlite_lock_write_end(struct sqlite_lock *lock);

/* Becomes the owner unless another is; true when it is. */
bool sqlite_lock_own(struct sqlite_lock *lock);

#endif
