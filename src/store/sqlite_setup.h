/* SPDX-License-Identifier: Apache-2.0
 *
 * The seam to SQLite: what holds for the library as a whole and for every connection of ours, here and in
 * the `sql` sources. No other file outside store/ and source/ sees sqlite3.h.
 */
#ifndef PRECIS_STORE_SQLITE_SETUP_H
#define PRECIS_STORE_SQLITE_SETUP_H

#include "core/err.h"

#include <sqlite3.h>
#include <stdbool.h>

/* Routes SQLite's memory through mem_alloc, sets one connection a thread, starts the library. Before the
 * first connection; any number of times, from any thread. */
int sqlite_setup(struct err_info *reterr);

/* Settings that cost nothing and close doors: defensive mode, no trust in the file's schema, checked cells,
 * no memory mapping, foreign keys, double quotes for names only. The page cache is bounded. */
int sqlite_harden(sqlite3 *db, struct err_info *reterr);

/* One of our codes for SQLite's, with a sentence: "cannot WHAT: ...". db may be NULL. Returns 0 for
 * SQLITE_OK, SQLITE_ROW and SQLITE_DONE without touching reterr. */
int sqlite_error(sqlite3 *db, int rc, const char *what, struct err_info *reterr);

/* Runs statements that take no parameters and give no rows. */
int sqlite_run(sqlite3 *db, const char *sql, const char *what, struct err_info *reterr);

/* True when the linked library carries the fix of the WAL-reset defect. */
bool sqlite_has_wal_reset_fix(void);

#endif
