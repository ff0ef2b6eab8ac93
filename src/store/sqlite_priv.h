/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the SQLite engine share.
 */
#ifndef PRECIS_STORE_SQLITE_PRIV_H
#define PRECIS_STORE_SQLITE_PRIV_H

#include "store/sqlite_lock.h"
#include "store/sqlite_setup.h"
#include "store/store_priv.h"

#include <pthread.h>

/* How long one waits for another connection or process before it gives up. */
#define SQLITE_PATIENCE_MS 5000

/* sqlite_conn.c: a connection with its prepared statements, used by one thread at a time. */

#define CONN_MAX_STATEMENTS 48

struct statement {
    sqlite3_stmt *stmt;
    uint64_t hash;    /* of its text */
    uint64_t used_at; /* the connection's tick of its last use; the oldest gives way */
    bool is_running;
};

struct conn {
    sqlite3 *db;
    struct conn *next; /* in the list of idle readers */
    uint64_t tick;
    struct statement statements[CONN_MAX_STATEMENTS];
};

enum conn_kind { CONN_WRITER, CONN_READER };

int conn_new(const char *path, enum conn_kind kind, struct conn **ret_conn, struct err_info *reterr);
struct conn *conn_free(struct conn *conn);
int conn_statement(struct conn *conn, const char *sql, const struct value *params, size_t n_params,
                   store_row_fn on_row, void *arg, int64_t *ret_changes, struct err_info *reterr);
/* A statement without parameters and rows. */
int conn_run(struct conn *conn, const char *sql, struct err_info *reterr);
/* The first column of the first row; 0 when there is none or it is no integer. */
int conn_get_int(struct conn *conn, const char *sql, int64_t *ret_value, struct err_info *reterr);

/* sqlite_pool.c: the connections that read. */

struct pool {
    const char *path;      /* borrowed */
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t freed;
    struct conn *idle;
    int n_idle, n_open, n_max;
};

/* n_max 0: sixteen. Opens nothing yet. */
void pool_init(struct pool *pool, const char *path, int n_max);
/* Waits for those that are lent. */
void pool_done(struct pool *pool);
/* Lends a connection inside a transaction; waits for one, not for ever. */
int pool_begin(struct pool *pool, struct conn **ret_conn, struct err_info *reterr);
void pool_end(struct pool *pool, struct conn *conn);

/* sqlite_schema.c: whose file it is and which version; what brings it up to date. */

/* The newest schema this program knows. */
int schema_known_version(void);
/* *ret_version 0: an empty database. ERR_CORRUPT: not ours. ERR_UNSUPPORTED: newer than this program. */
int schema_read_version(struct conn *conn, int *ret_version, struct err_info *reterr);
/* Applies what is missing after `version`, each step in its own transaction. */
int schema_migrate(struct conn *conn, int version, const struct clock *clock, struct err_info *reterr);

/* sqlite_backup.c */

/* integrity_check and foreign_key_check: 0, or ERR_CORRUPT with the first finding. */
int backup_verify(struct conn *conn, struct err_info *reterr);
/* Makes durable which names the folder of `path` holds. */
int backup_sync_folder(const char *path, struct err_info *reterr);
/* *ret_len: the bytes of the database in an open file. ERR_CORRUPT when its seal is broken or it is cut. */
int backup_check_seal(int fd, int64_t *ret_len, struct err_info *reterr);
/* Copies one snapshot of the store into a new file. */
int backup_make(struct pool *pool, const char *path, store_progress_fn progress, void *arg,
                struct err_info *reterr);

/* sqlite_restore.c: the engine's operation of that name. */
int sqlite_restore(const char *path, const char *backup_path, struct err_info *reterr);

#endif
