/* SPDX-License-Identifier: Apache-2.0
 *
 * Precis's own rows: transactions over one database, durable before they return. The rows
 * themselves (knowledge, conversations, preferences, keys) belong to memory/, which brings the SQL; here
 * are the connection, the schema and its migrations, the writer and the versions that invalidate caches.
 *
 * SQL is written once, in the subset that SQLite and PostgreSQL share, with ?1, ?2, ... for
 * parameters. Thread-safe throughout; a handle does not survive a fork().
 */
#ifndef PRECIS_STORE_STORE_H
#define PRECIS_STORE_STORE_H

#include "core/clock.h"
#include "core/err.h"
#include "core/value.h"

struct store;
struct store_txn; /* one transaction, only inside its function */

struct store_options {
    const char *url;   /* "sqlite:PATH"; PATH's folder must exist */
    bool is_read_only; /* store_write fails with ERR_FORBIDDEN */
    bool may_create;   /* make the file and its schema when there is none; otherwise ERR_NOT_FOUND */
    int n_readers;     /* connections for reads at most; 0 means 16 */
    const struct clock *clock;
};

/* Opens, checks and migrates. ERR_UNSUPPORTED when the schema is newer than this program (the file is left
 * untouched), ERR_CORRUPT when it is no database of ours, ERR_UNAVAILABLE when it is locked. */
int store_open(const struct store_options *options, struct store **ret_store, struct err_info *reterr);
/* Waits for running transactions, checkpoints, closes. Accepts NULL; returns NULL. */
struct store *store_close(struct store *store);

/* The work of a transaction. A negative return rolls it back and is what the caller gets. Must not block on
 * anything but the store. It runs on the writer's thread (writes) or the caller's (reads), once. */
typedef int (*store_txn_fn)(struct store_txn *txn, void *arg, struct err_info *reterr);

/* Runs fn with others' in one group commit and returns after the group is on disk; what fn did is undone
 * as a whole if it fails, and the others' stands. When the commit itself fails all of the group fail. A full
 * queue is ERR_UNAVAILABLE, a full disk ERR_IO. */
int store_write(struct store *store, store_txn_fn fn, void *arg, struct err_info *reterr);
/* Runs fn on a snapshot that does not change underneath it. */
int store_read(struct store *store, store_txn_fn fn, void *arg, struct err_info *reterr);

/* One statement without rows. */
int store_exec(struct store_txn *txn, const char *sql, const struct value *params, size_t n_params,
               struct err_info *reterr);
/* One row: values are borrowed until the function returns. Non-zero stops the query: negative as an error,
 * positive as "enough". */
typedef int (*store_row_fn)(const struct value *columns, size_t n_columns, void *arg,
                            struct err_info *reterr);
/* One statement with rows; 0 when they ended or the row function had enough. */
int store_query(struct store_txn *txn, const char *sql, const struct value *params, size_t n_params,
                store_row_fn on_row, void *arg, struct err_info *reterr);
/* Rows that the last store_exec changed. */
int64_t store_changes(const struct store_txn *txn);

/* Versions. A write names whose data it changes; the number rises before store_write returns, in every
 * process that has the store open. Equal numbers mean nothing changed; a foreign change may raise yours too.
 * While such a write is being committed, and behind a process that was killed there, no two are equal. */
int store_touch(struct store_txn *txn, struct str tenant, struct str user);
uint64_t store_version(const struct store *store, struct str tenant, struct str user);

/* Names this life of the version numbers, which all processes that have the store open share: after a
 * restore, a copy, a lost file or a restart of the machine it is another. Secret, as nobody else can guess
 * it. */
#define STORE_IDENTITY_BYTES 32
void store_identity(const struct store *store, unsigned char ret_identity[STORE_IDENTITY_BYTES]);

/* Copies the live store to a file that must not exist, while writes go on. progress (may be NULL) is called
 * with pages done and in all. The copy is checked before the name appears. */
typedef void (*store_progress_fn)(int64_t n_done, int64_t n_all, void *arg);
int store_backup(struct store *store, const char *path, store_progress_fn progress, void *arg,
                 struct err_info *reterr);
/* Puts a backup in place of a store that nobody has open: checks it first, keeps the old file until
 * the new one is durable. ERR_CORRUPT and ERR_UNSUPPORTED leave the store as it was. */
int store_restore(const char *url, const char *backup_path, struct err_info *reterr);

/* Integrity and foreign keys: 0, or ERR_CORRUPT with the first finding. Reads the whole file. */
int store_check(struct store *store, struct err_info *reterr);

struct store_info {
    const char *engine;       /* "sqlite" */
    char library_version[32]; /* "3.40.1" */
    bool has_wal_reset_fix;   /* see docs/decisions: the linked library is 3.51.3 or later */
    bool is_owner;            /* this process checkpoints; false when another has the store open */
    int schema_version;
    char path[512];
    int64_t size_bytes, wal_bytes;
    uint64_t n_commits, n_writes; /* group commits and the writes in them, since open */
    size_t n_waiting;             /* writes queued at the moment */
};
int store_describe(struct store *store, struct store_info *ret_info, struct err_info *reterr);

/* Runs scripts on a SQLite file that is not a store, making it when there is none: all of them or nothing.
 * For the sample data of recipes. */
int store_run_scripts(const char *path, const char *const *scripts, size_t n_scripts,
                      struct err_info *reterr);

#endif
