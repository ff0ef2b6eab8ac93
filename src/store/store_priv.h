/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of store/ share. An engine (SQLite) is one table of operations; what is the same for
 * every engine, the queue of writes and the versions, stands beside it. Never leaves the folder.
 */
#ifndef PRECIS_STORE_STORE_PRIV_H
#define PRECIS_STORE_STORE_PRIV_H

#include "core/buf.h"
#include "store/store.h"

#include <stdatomic.h>

#define STORE_MAX_PATH_BYTES 512   /* as much as store_describe can show */
#define STORE_VERSION_SLOTS  65536 /* 512 KiB; a million users share a slot with fifteen others */
#define STORE_MAX_COLUMNS    64

struct engine; /* an open engine, its own kind of struct */
struct conn;   /* one of its connections, used by one thread at a time */
struct queue;

/* versions.c: one counter a slot, shared between processes. */
struct versions {
    _Atomic uint64_t *slots;
    unsigned char identity[STORE_IDENTITY_BYTES];
};

struct store_txn {
    struct store *store;
    struct conn *conn;
    uint64_t *touched; /* one bit a slot, shared by the group; NULL in a read */
    int64_t n_changes;
};

/* One engine. A group is: on_group_begin, then for each write on_member_begin and on_member_end, then
 * on_group_commit, then (after the waiters have been told) on_group_end; all on the writer's thread. */
struct store_ops {
    const char *scheme; /* "sqlite": what stands before the ':' of a URL */

    int (*on_open)(const char *address, const struct store_options *options, struct versions *ret_versions,
                   struct engine **ret_engine, struct err_info *reterr);
    void (*on_close)(struct engine *engine);

    int (*on_group_begin)(struct engine *engine, struct conn **ret_conn, struct err_info *reterr);
    int (*on_member_begin)(struct engine *engine, struct err_info *reterr);
    /* Keeps or undoes what the member did. An error means that the whole group is undone already. */
    int (*on_member_end)(struct engine *engine, bool is_kept, struct err_info *reterr);
    /* An error means that the whole group is undone. */
    int (*on_group_commit)(struct engine *engine, struct err_info *reterr);
    void (*on_group_end)(struct engine *engine);

    int (*on_read_begin)(struct engine *engine, struct conn **ret_conn, struct err_info *reterr);
    void (*on_read_end)(struct engine *engine, struct conn *conn);

    /* One statement; on_row NULL ignores its rows. *ret_changes (may be NULL): rows it changed. */
    int (*on_statement)(struct conn *conn, const char *sql, const struct value *params, size_t n_params,
                        store_row_fn on_row, void *arg, int64_t *ret_changes, struct err_info *reterr);

    int (*on_backup)(struct engine *engine, const char *path, store_progress_fn progress, void *arg,
                     struct err_info *reterr);
    int (*on_restore)(const char *address, const char *backup_path, struct err_info *reterr);
    int (*on_check)(struct engine *engine, struct err_info *reterr);
    int (*on_describe)(struct engine *engine, struct store_info *ret_info, struct err_info *reterr);
};

extern const struct store_ops store_sqlite;

/* versions.c. Maps the counters kept beside the file store_path, making them if need be; while nobody else
 * may write. A write raises its slots twice: before its commit, and behind it whether that went well or not.
 */
int versions_open(const char *store_path, struct versions *ret_versions, struct err_info *reterr);
void versions_close(struct versions *versions);
/* Removes the file: the numbers begin a new life. While nobody has the store open. */
void versions_forget(const char *store_path);
size_t versions_slot(struct str tenant, struct str user);
uint64_t versions_get(const struct versions *versions, size_t slot);
void versions_begin(struct versions *versions, size_t slot);
void versions_end(struct versions *versions, size_t slot);

struct store {
    const struct store_ops *ops;
    struct engine *engine;
    struct versions versions;
    struct queue *queue; /* NULL when read-only */
};

/* queue.c: the writer's thread and what waits for it. */
int queue_new(struct store *store, struct queue **ret_queue, struct err_info *reterr);
/* Runs what is queued, then ends the thread. Accepts NULL; returns NULL. */
struct queue *queue_free(struct queue *queue);
int queue_write(struct queue *queue, store_txn_fn fn, void *arg, struct err_info *reterr);
/* Fills n_commits, n_writes and n_waiting. */
void queue_describe(struct queue *queue, struct store_info *ret_info);

#endif
