/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections that can only read. The user's file is guarded several times over: it is opened read-only and
 * never created; query_only and the defensive mode are on; an authorizer lets nothing but reading be
 * prepared; SQLite itself must call the statement read-only. Nothing here checkpoints, and no memory map is
 * used, so that a file that is cut short or replaced under us gives errors, not signals.
 *
 * A connection is used by one thread at a time. Idle ones wait in the file's list with the device and inode
 * they were opened on: when the path leads to another file by now, they are closed.
 */
#include "source/sqlite_priv.h"

#include "core/mem.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_IDLE         8    /* a build asks about as many sections of one file at once */
#define MAX_STATEMENTS   32   /* of one connection: several recipes' worth */
#define PROGRESS_OPS     1000 /* virtual machine steps between two looks at the clock: some 20 microseconds */
#define MAX_BUSY_WAIT_MS 10

struct statement {
    char *sql;
    size_t sql_len;
    sqlite3_stmt *stmt;
    uint64_t last_use;
};

struct sqlite_conn {
    struct sqlite_file *file;
    struct sqlite_conn *next; /* in the idle list */
    sqlite3 *db;
    dev_t dev;
    ino_t ino;
    const struct sqlite_watch *watch; /* while it is taken */
    struct statement statements[MAX_STATEMENTS];
    size_t n_statements;
    uint64_t n_uses;
    bool is_broken; /* to be closed, not kept */
};

struct sqlite_file {
    char *path;
    pthread_mutex_t mutex; /* guards the idle list */
    struct sqlite_conn *idle;
    size_t n_idle;
};

/* ---- time ---- */

void sqlite_watch_init(struct sqlite_watch *watch, const struct clock *clock, int64_t deadline_us,
                       const struct net_job *job)
{
    int64_t now_us = clock_mono_us(clock);
    *watch = (struct sqlite_watch){
        .clock = clock,
        .deadline_us = deadline_us,
        .busy_until_us = deadline_us > now_us ? now_us + (deadline_us - now_us) / 4 * 3 : now_us,
        .job = job,
    };
}

static bool watch_is_cancelled(const struct sqlite_watch *watch)
{
    return watch->job && net_job_is_cancelled(watch->job);
}

static int on_progress(void *arg)
{
    const struct sqlite_watch *watch = ((struct sqlite_conn *)arg)->watch;
    return watch && (clock_mono_us(watch->clock) >= watch->deadline_us || watch_is_cancelled(watch));
}

/* Another process writes: waits a little longer each time. 0 gives up. */
static int on_busy(void *arg, int n_calls)
{
    const struct sqlite_watch *watch = ((struct sqlite_conn *)arg)->watch;
    if (!watch || clock_mono_us(watch->clock) >= watch->busy_until_us || watch_is_cancelled(watch))
        return 0;
    (void)poll(NULL, 0, n_calls < MAX_BUSY_WAIT_MS ? n_calls + 1 : MAX_BUSY_WAIT_MS);
    return 1;
}

/* ---- errors ---- */

int sqlite_conn_error(struct sqlite_conn *conn, int rc, struct err_info *reterr)
{
    const char *path = conn->file->path;
    const char *message = conn->db ? sqlite3_errmsg(conn->db) : sqlite3_errstr(rc);

    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return err_set(reterr, ERR_NOMEM, "not enough memory to read '%s'", path);
    case SQLITE_INTERRUPT:
        if (conn->watch && watch_is_cancelled(conn->watch))
            return err_set(reterr, ERR_CANCELLED, "the query was stopped: nobody waits for it any more");
        return err_set(reterr, ERR_TIMEOUT, "the query was stopped at its deadline");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(reterr, ERR_UNAVAILABLE, "'%s' is locked by a writer that did not finish in time",
                       path);
    case SQLITE_CANTOPEN:
        conn->is_broken = true;
        return err_set(reterr, ERR_UNAVAILABLE, "cannot open '%s': %s", path, message);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        conn->is_broken = true;
        return err_set(reterr, ERR_CORRUPT, "cannot read '%s': %s", path, message);
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_PROTOCOL:
        conn->is_broken = true;
        return err_set(reterr, ERR_IO, "cannot read '%s': %s", path, message);
    case SQLITE_TOOBIG:
        return err_set(reterr, ERR_LIMIT, "a value is too large: %d MB is the most",
                       SOURCE_MAX_RESULT_BYTES / 1024 / 1024);
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return err_set(reterr, ERR_INVALID, "the statement may only read the tables of its database: %s",
                       message);
    default:
        return err_set(reterr, ERR_REMOTE, "%s", message);
    }
}

/* ---- opening ---- */

/* Asked while a statement is prepared. Virtual tables need two exceptions: FTS5 notices other connections'
 * writes by PRAGMA data_version; and any of them declares its columns by a CREATE TABLE that is only parsed,
 * which looks like an update of the schema here (a real one is refused by SQLite, and is no read-only
 * statement). */
static int on_authorize(void *arg, int action, const char *first, const char *second, const char *database,
                        const char *trigger)
{
    (void)arg;
    (void)database;
    (void)trigger;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_UPDATE:
        return first && sqlite3_stricmp(first, "sqlite_master") == 0 ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_FUNCTION:
        return second && sqlite3_stricmp(second, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_PRAGMA:
        return !second && first && sqlite3_stricmp(first, "data_version") == 0 ? SQLITE_OK : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

static struct sqlite_conn *conn_close(struct sqlite_conn *conn)
{
    if (!conn)
        return NULL;
    for (size_t i = 0; i < conn->n_statements; i++) {
        (void)sqlite3_finalize(conn->statements[i].stmt); /* repeats an error that was reported */
        mem_free(conn->statements[i].sql);
    }
    (void)sqlite3_close(conn->db); /* cannot be busy: its statements are gone */
    return mem_free(conn);
}

static int conn_guard(struct sqlite_conn *conn)
{
    sqlite3 *db = conn->db;

    (void)sqlite3_extended_result_codes(db, 1);
    sqlite3_progress_handler(db, PROGRESS_OPS, on_progress, conn);
    (void)sqlite3_busy_handler(db, on_busy, conn);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    (void)sqlite3_wal_autocheckpoint(db, 0);
    (void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, SOURCE_MAX_RESULT_BYTES);
    (void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    if (sqlite_harden(db, NULL) < 0)
        return sqlite3_errcode(db) ? sqlite3_errcode(db) : SQLITE_ERROR;
    /* Temporary files rather than memory: a query that sorts or recurses without end must not fill the
     * latter. */
    int rc = sqlite3_exec(db, "PRAGMA query_only = ON; PRAGMA temp_store = FILE", NULL, NULL, NULL);
    return rc == SQLITE_OK ? sqlite3_set_authorizer(db, on_authorize, conn) : rc;
}

/* The path leads to a file, now; SQLite would wait for a pipe's other end. */
static int check_path(const struct sqlite_file *file, struct stat *ret_stat, struct err_info *reterr)
{
    if (stat(file->path, ret_stat) < 0)
        return err_set(reterr, ERR_UNAVAILABLE, "cannot open '%s': %s", file->path, strerror(errno));
    if (!S_ISREG(ret_stat->st_mode))
        return err_set(reterr, ERR_UNAVAILABLE, "cannot open '%s': it is not a file", file->path);
    return 0;
}

static int conn_open(struct sqlite_file *file, const struct stat *stat, const struct sqlite_watch *watch,
                     struct sqlite_conn **ret_conn, struct err_info *reterr)
{
    struct sqlite_conn *conn = mem_calloc(1, sizeof *conn);
    if (!conn)
        return err_set(reterr, ERR_NOMEM, "not enough memory to open '%s'", file->path);
    conn->file = file;
    conn->watch = watch;
    conn->dev =
        stat->st_dev; /* looked at before opening: if it was replaced in between, the next use sees it */
    conn->ino = stat->st_ino;

    int rc = sqlite3_open_v2(file->path, &conn->db,
                             SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
    if (rc == SQLITE_OK)
        rc = conn_guard(conn);
    if (rc != SQLITE_OK) {
        int res = sqlite_conn_error(conn, rc, reterr);
        conn_close(conn);
        return res;
    }
    *ret_conn = conn;
    return 0;
}

/* ---- the file and its idle connections ---- */

int sqlite_file_new(struct str path, struct sqlite_file **ret_file, struct err_info *reterr)
{
    struct buf buf;
    struct sqlite_file *file = NULL;
    size_t len;
    int res = sqlite_setup(reterr);

    if (res < 0)
        return res;
    buf_init(&buf, 4096); /* PATH_MAX */
    if (str_is_empty(path) || str_is(path, ":memory:") || memchr(path.ptr, '\0', path.len))
        return err_set(reterr, ERR_INVALID, "'sqlite:' must be followed by the path of a file");
    /* SQLite would read "file:..." as a URL, with parameters that change how it is opened. */
    if (str_starts_with(path, STR_LIT("file:")))
        buf_append_text(&buf, "./");
    buf_append_str(&buf, path);
    file = mem_calloc(1, sizeof *file);
    if (buf_error(&buf) || !file) {
        res = buf_error(&buf) == ERR_LIMIT ? err_set(reterr, ERR_LIMIT, "the path is too long")
                                           : err_set(reterr, ERR_NOMEM, "not enough memory to open a file");
        buf_done(&buf);
        mem_free(file);
        return res;
    }
    file->path = buf_steal(&buf, &len);
    pthread_mutex_init(&file->mutex, NULL);
    *ret_file = file;
    return 0;
}

struct sqlite_file *sqlite_file_free(struct sqlite_file *file)
{
    if (!file)
        return NULL;
    while (file->idle) {
        struct sqlite_conn *conn = file->idle;
        file->idle = conn->next;
        conn_close(conn);
    }
    pthread_mutex_destroy(&file->mutex);
    mem_free(file->path);
    return mem_free(file);
}

const char *sqlite_file_path(const struct sqlite_file *file)
{
    return file->path;
}

static struct sqlite_conn *pop_idle(struct sqlite_file *file)
{
    pthread_mutex_lock(&file->mutex);
    struct sqlite_conn *conn = file->idle;
    if (conn) {
        file->idle = conn->next;
        file->n_idle--;
    }
    pthread_mutex_unlock(&file->mutex);
    return conn;
}

int sqlite_conn_take(struct sqlite_file *file, const struct sqlite_watch *watch,
                     struct sqlite_conn **ret_conn, struct err_info *reterr)
{
    struct sqlite_conn *conn;
    struct stat stat;
    int res = check_path(file, &stat, reterr);

    while ((conn = pop_idle(file))) {
        if (res == 0 && conn->dev == stat.st_dev && conn->ino == stat.st_ino)
            break;
        conn_close(conn);
    }
    if (res < 0)
        return res;
    if (!conn)
        return conn_open(file, &stat, watch, ret_conn, reterr);
    conn->watch = watch;
    *ret_conn = conn;
    return 0;
}

void sqlite_conn_give(struct sqlite_conn *conn)
{
    if (!conn)
        return;

    struct sqlite_file *file = conn->file;
    for (size_t i = 0; i < conn->n_statements; i++) {
        (void)sqlite3_reset(conn->statements[i].stmt); /* repeats an error that was reported */
        (void)sqlite3_clear_bindings(conn->statements[i].stmt);
    }
    conn->watch = NULL;
    if (!conn->is_broken) {
        pthread_mutex_lock(&file->mutex);
        if (file->n_idle < MAX_IDLE) {
            conn->next = file->idle;
            file->idle = conn;
            file->n_idle++;
            conn = NULL;
        }
        pthread_mutex_unlock(&file->mutex);
    }
    conn_close(conn);
}

/* ---- statements ---- */

static struct statement *find_statement(struct sqlite_conn *conn, struct str sql)
{
    for (size_t i = 0; i < conn->n_statements; i++) {
        if (str_eq(str_make(conn->statements[i].sql, conn->statements[i].sql_len), sql))
            return &conn->statements[i];
    }
    return NULL;
}

/* Where the next statement goes: a free place, or that of the one not used for longest. */
static struct statement *free_place(struct sqlite_conn *conn)
{
    if (conn->n_statements < MAX_STATEMENTS)
        return &conn->statements[conn->n_statements++];

    struct statement *oldest = &conn->statements[0];
    for (size_t i = 1; i < conn->n_statements; i++) {
        if (conn->statements[i].last_use < oldest->last_use)
            oldest = &conn->statements[i];
    }
    (void)sqlite3_finalize(oldest->stmt); /* repeats an error that was reported */
    mem_free(oldest->sql);
    return oldest;
}

/* Only white space and comments may follow the statement. */
static int check_tail(struct sqlite_conn *conn, struct str tail, struct err_info *reterr)
{
    sqlite3_stmt *stmt = NULL;
    const char *end = NULL;

    while (!str_is_empty(tail)) {
        int rc = sqlite3_prepare_v2(conn->db, tail.ptr, (int)tail.len, &stmt, &end);
        if (rc != SQLITE_OK || stmt) {
            (void)sqlite3_finalize(stmt);
            return err_set(reterr, ERR_INVALID,
                           "more than one statement stands here; one is what a query may have");
        }
        if (end == tail.ptr) /* a NUL byte: SQLite reads no further */
            return err_set(reterr, ERR_INVALID, "the statement has a NUL character in it");
        tail = str_slice(tail, (size_t)(end - tail.ptr), tail.len);
    }
    return 0;
}

static int prepare_new(struct sqlite_conn *conn, struct str sql, sqlite3_stmt **ret_stmt,
                       struct err_info *reterr)
{
    sqlite3_stmt *stmt = NULL;
    const char *tail = NULL;
    int res;

    if (sql.len > SOURCE_MAX_RESULT_BYTES)
        return err_set(reterr, ERR_LIMIT, "the statement is too long");
    if (str_is_empty(sql)) /* SQLite takes no NULL */
        return err_set(reterr, ERR_INVALID, "there is no statement here");
    int rc = sqlite3_prepare_v3(conn->db, sql.ptr, (int)sql.len, SQLITE_PREPARE_PERSISTENT, &stmt, &tail);
    if (rc != SQLITE_OK)
        return sqlite_conn_error(conn, rc, reterr);
    if (!stmt)
        return err_set(reterr, ERR_INVALID, "there is no statement here");

    res = check_tail(conn, str_slice(sql, (size_t)(tail - sql.ptr), sql.len), reterr);
    if (res == 0 && !sqlite3_stmt_readonly(stmt))
        res = err_set(reterr, ERR_INVALID, "the statement may only read the tables of its database");
    if (res < 0) {
        (void)sqlite3_finalize(stmt);
        return res;
    }
    *ret_stmt = stmt;
    return 0;
}

int sqlite_conn_prepare(struct sqlite_conn *conn, struct str sql, size_t n_binds, sqlite3_stmt **ret_stmt,
                        struct err_info *reterr)
{
    struct statement *statement = find_statement(conn, sql);

    if (!statement) {
        sqlite3_stmt *stmt = NULL;
        int res = prepare_new(conn, sql, &stmt, reterr);
        if (res < 0)
            return res;
        char *text = mem_dup(sql.ptr, sql.len);
        if (!text) {
            (void)sqlite3_finalize(stmt);
            return err_set(reterr, ERR_NOMEM, "not enough memory to prepare a statement");
        }
        statement = free_place(conn);
        *statement = (struct statement){.sql = text, .sql_len = sql.len, .stmt = stmt};
    }
    statement->last_use = ++conn->n_uses;

    int n_wanted = sqlite3_bind_parameter_count(statement->stmt);
    if (n_wanted < 0 || (size_t)n_wanted > n_binds)
        return err_set(reterr, ERR_INVALID, "the statement wants %d values and has %zu", n_wanted, n_binds);
    *ret_stmt = statement->stmt;
    return 0;
}
