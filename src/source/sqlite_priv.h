/* SPDX-License-Identifier: Apache-2.0
 *
 * Read-only connections to one SQLite file of the user's, kept open between fetches.
 */
#ifndef PRECIS_SOURCE_SQLITE_PRIV_H
#define PRECIS_SOURCE_SQLITE_PRIV_H

#include "source/source.h"
#include "store/sqlite_setup.h"

struct sqlite_file; /* thread-safe */
struct sqlite_conn; /* one thread at a time */

/* How long one use of a connection may take. */
struct sqlite_watch {
    const struct clock *clock;
    int64_t deadline_us;
    int64_t busy_until_us;     /* a lock is waited for no longer than this: before the deadline, so that the
                                  reason is heard */
    const struct net_job *job; /* NULL: cannot be cancelled */
};

void sqlite_watch_init(struct sqlite_watch *watch, const struct clock *clock, int64_t deadline_us,
                       const struct net_job *job);

/* Opens nothing yet. */
int sqlite_file_new(struct str path, struct sqlite_file **ret_file, struct err_info *reterr);
/* No connection may be taken. */
struct sqlite_file *sqlite_file_free(struct sqlite_file *file);
const char *sqlite_file_path(const struct sqlite_file *file);

/* A connection to the file that has the path now, an idle one or a new one. The watch is borrowed until it is
 * given back. */
int sqlite_conn_take(struct sqlite_file *file, const struct sqlite_watch *watch,
                     struct sqlite_conn **ret_conn, struct err_info *reterr);
/* Resets its statements; keeps it for later unless it is broken or enough are idle. Accepts NULL. */
void sqlite_conn_give(struct sqlite_conn *conn);
/* The connection's statement for one reading SQL text, from its cache if it was prepared before. It belongs
 * to the connection. ERR_INVALID if it is anything else than one statement that only reads, or names a ?n
 * beyond n_binds. */
int sqlite_conn_prepare(struct sqlite_conn *conn, struct str sql, size_t n_binds, sqlite3_stmt **ret_stmt,
                        struct err_info *reterr);
/* The error and the sentence for a result code of SQLite's. */
int sqlite_conn_error(struct sqlite_conn *conn, int rc, struct err_info *reterr);

#endif
