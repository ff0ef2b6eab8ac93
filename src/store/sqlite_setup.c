/* SPDX-License-Identifier: Apache-2.0
 *
 * What holds for SQLite as a whole. The library's configuration is process-wide by its nature: it is set
 * once, before the first connection, and never changed.
 */
#include "store/sqlite_setup.h"

#include "core/mem.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* SQLite asks for the size of a block it holds; mem_alloc cannot tell, so each block starts with it. Eight
 * bytes keep the alignment that SQLite wants. */
#define HEADER_BYTES ((size_t)8)

static void *on_alloc(int size)
{
    int64_t *block = mem_alloc((size_t)size + HEADER_BYTES);
    if (!block)
        return NULL;
    block[0] = size;
    return block + 1;
}

static void on_free(void *ptr)
{
    if (ptr)
        mem_free((int64_t *)ptr - 1);
}

static void *on_realloc(void *ptr, int size)
{
    int64_t *block = mem_realloc((int64_t *)ptr - 1, (size_t)size + HEADER_BYTES);
    if (!block)
        return NULL;
    block[0] = size;
    return block + 1;
}

static int on_size(void *ptr)
{
    return ptr ? (int)((int64_t *)ptr)[-1] : 0;
}

static int on_roundup(int size)
{
    return (size + 7) & ~7;
}

static int on_init(void *arg)
{
    (void)arg;
    return SQLITE_OK;
}

static void on_shutdown(void *arg)
{
    (void)arg;
}

/* Nothing here allocates, so nothing can fail; a library that somebody else started keeps its settings. */
static void configure(void)
{
    static const sqlite3_mem_methods methods = {
        .xMalloc = on_alloc,
        .xFree = on_free,
        .xRealloc = on_realloc,
        .xSize = on_size,
        .xRoundup = on_roundup,
        .xInit = on_init,
        .xShutdown = on_shutdown,
    };
    (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    /* Each connection is used by one thread at a time; the statistics would cost a global
     * lock an allocation. */
    (void)sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    (void)sqlite3_config(SQLITE_CONFIG_MMAP_SIZE, (sqlite3_int64)0, (sqlite3_int64)0);
}

int sqlite_setup(struct err_info *reterr)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, configure);
    /* Does nothing when it has succeeded before, tries again when it has not. */
    return sqlite_error(NULL, sqlite3_initialize(), "start SQLite", reterr);
}

/* The kernel keeps the pages, too, and the index the texts that contexts read. */
#define MAX_CACHE_KIB "1024"

int sqlite_harden(sqlite3 *db, struct err_info *reterr)
{
    static const int switches[][2] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1}, {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0}, {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
        {SQLITE_DBCONFIG_DQS_DML, 0},   {SQLITE_DBCONFIG_DQS_DDL, 0},
    };

    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        int rc = sqlite3_db_config(db, switches[i][0], switches[i][1], NULL);
        if (rc != SQLITE_OK)
            return sqlite_error(db, rc, "set up the connection", reterr);
    }
    return sqlite_run(db,
                      "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
                      "PRAGMA cache_size = -" MAX_CACHE_KIB,
                      "set up the connection", reterr);
}

static int code_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return ERR_IO;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return ERR_UNAVAILABLE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_CONSTRAINT:
        return ERR_CONFLICT;
    case SQLITE_INTERRUPT:
        return ERR_TIMEOUT;
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return ERR_FORBIDDEN;
    case SQLITE_TOOBIG:
        return ERR_LIMIT;
    default:
        return ERR_INTERNAL;
    }
}

static const char *sentence_of(sqlite3 *db, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return "out of memory";
    case SQLITE_FULL:
        return "the disk is full";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "the database is locked by another program";
    case SQLITE_CORRUPT:
        return "the database file is damaged";
    case SQLITE_NOTADB:
        return "the file is not a database";
    case SQLITE_INTERRUPT:
        return "the statement was stopped at its deadline";
    default:
        return db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    }
}

int sqlite_error(sqlite3 *db, int rc, const char *what, struct err_info *reterr)
{
    int primary = rc & 0xff;

    if (primary == SQLITE_OK || primary == SQLITE_ROW || primary == SQLITE_DONE)
        return 0;
    if (primary == SQLITE_IOERR && db && sqlite3_system_errno(db) != 0)
        return err_set(reterr, ERR_IO, "cannot %s: %s (%s)", what, sqlite3_errmsg(db),
                       strerror(sqlite3_system_errno(db)));
    return err_set(reterr, code_of(rc), "cannot %s: %s", what, sentence_of(db, rc));
}

int sqlite_run(sqlite3 *db, const char *sql, const char *what, struct err_info *reterr)
{
    return sqlite_error(db, sqlite3_exec(db, sql, NULL, NULL, NULL), what, reterr);
}

bool sqlite_has_wal_reset_fix(void)
{
    return sqlite3_libversion_number() >= 3051003;
}
