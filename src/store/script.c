/* SPDX-License-Identifier: Apache-2.0
 *
 * Databases that are not the store: the files a recipe's sample data goes into. Runs on the caller's thread.
 */
#include "store/sqlite_setup.h"
#include "store/store.h"

#define SCRIPT_PATIENCE_MS 5000 /* somebody may be reading the file */

static int run_all(sqlite3 *db, const char *const *scripts, size_t n_scripts, struct err_info *reterr)
{
    int r = sqlite_run(db, "BEGIN IMMEDIATE", "begin", reterr);

    for (size_t i = 0; r == 0 && i < n_scripts; i++)
        r = sqlite_run(db, scripts[i], "run the script", reterr);
    if (r == 0)
        r = sqlite_run(db, "COMMIT", "commit", reterr);
    return r; /* closing rolls back what was not committed */
}

int store_run_scripts(const char *path, const char *const *scripts, size_t n_scripts, struct err_info *reterr)
{
    sqlite3 *db = NULL;
    int r = sqlite_setup(reterr);

    if (r < 0)
        return r;
    r = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    r = sqlite_error(db, r, "open the file", reterr);
    if (r == 0) {
        (void)sqlite3_busy_timeout(db, SCRIPT_PATIENCE_MS);
        /* The schema is the script's own and may check what it likes, so the store's distrust is left out. */
        r = sqlite_run(db, "PRAGMA foreign_keys = ON", "set up the connection", reterr);
    }
    if (r == 0)
        r = run_all(db, scripts, n_scripts, reterr);
    (void)sqlite3_close(db);
    if (r < 0)
        err_prefix(reterr, "%s: ", path);
    return r;
}
