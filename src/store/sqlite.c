/* SPDX-License-Identifier: Apache-2.0
 *
 * The SQLite engine: one connection that writes, a few that read, and the log between them (WAL mode).
 *
 * Invariant: whoever writes or checkpoints holds the lock `write` of PATH.lock, in whatever process. So no
 * checkpoint ever runs beside another connection's write, which is the one way into the WAL-reset defect of
 * SQLite before 3.51.3 (docs/decisions/0001-sqlite-wal-reset.md). The owner checkpoints: its writer's
 * thread, between two groups, and once more at close. Another process does so only when the log has become
 * large.
 */
#include "store/sqlite_priv.h"

#include "core/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The log is copied into the file every 4 MiB. */
#define CHECKPOINT_PAGES 1000
/* Readers that overlap without end keep the log from starting over; past this size a checkpoint waits a
 * moment for the old ones, while writes stand still and new readers go on. */
#define LARGE_WAL_PAGES   16000
#define LARGE_WAL_WAIT_MS 100

struct engine {
    char path[STORE_MAX_PATH_BYTES];
    struct sqlite_lock lock; /* the opening, the writer's, then the closing thread */
    _Atomic bool is_owner;   /* lock.is_owner for others to read */
    bool is_read_only;
    int schema_version;

    struct conn *writer;
    int n_wal_pages; /* in the log after our last commit */
    int checkpoint_at_pages;

    struct pool readers;
};

/* ---- opening and closing ---- */

/* The file of that path, made empty with mode 0600 if there is none. An existing one is not opened here:
 * closing it would drop the locks that SQLite may hold on it in this process. */
static int find_file(const char *path, bool may_create, struct err_info *reterr)
{
    struct stat status;
    int fd;

    if (stat(path, &status) == 0)
        return S_ISREG(status.st_mode) ? 0 : err_set(reterr, ERR_CORRUPT, "%s is not a file", path);
    if (errno != ENOENT)
        return err_set(reterr, ERR_IO, "cannot look for %s: %s", path, strerror(errno));
    if (!may_create)
        return err_set(reterr, ERR_NOT_FOUND, "there is no store at %s; `precis init` makes one", path);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST)
        return err_set(reterr, ERR_IO, "cannot create %s: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return backup_sync_folder(path, reterr);
}

static int on_mode_row(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    (void)n_columns;
    (void)arg;
    if (columns[0].type == VALUE_TEXT && str_is(columns[0].text, "wal"))
        return 0;
    return err_set(reterr, ERR_UNSUPPORTED, "the store's file system cannot keep a write-ahead log");
}

/* The file remembers it. */
static int use_wal(struct conn *conn, struct err_info *reterr)
{
    return conn_statement(conn, "PRAGMA journal_mode = WAL", NULL, 0, on_mode_row, NULL, NULL, reterr);
}

static int prepare_schema(struct engine *engine, const struct store_options *options, struct err_info *reterr)
{
    int version, r = schema_read_version(engine->writer, &version, reterr);

    if (r < 0)
        return r;
    if (version == 0 && (!options->may_create || options->is_read_only))
        return err_set(reterr, ERR_NOT_FOUND, "the store was never set up; `precis init` does it");
    engine->schema_version = schema_known_version();
    if (options->is_read_only && version < engine->schema_version)
        return err_set(reterr, ERR_UNSUPPORTED,
                       "the store's schema %d is older than this program's %d: "
                       "open it once for writing, which brings it up to date",
                       version, engine->schema_version);
    if (options->is_read_only)
        return 0;
    r = use_wal(engine->writer, reterr);
    return r < 0 ? r : schema_migrate(engine->writer, version, options->clock, reterr);
}

/* Called by SQLite after each commit of the writer. */
static int on_commit(void *arg, sqlite3 *db, const char *name, int n_pages)
{
    struct engine *engine = arg;

    (void)db;
    (void)name;
    if (n_pages < engine->n_wal_pages) /* the log has started over */
        engine->checkpoint_at_pages = CHECKPOINT_PAGES;
    engine->n_wal_pages = n_pages;
    return SQLITE_OK;
}

static int open_writer(struct engine *engine, const struct store_options *options, struct err_info *reterr)
{
    enum conn_kind kind = options->is_read_only ? CONN_READER : CONN_WRITER;
    int r = conn_new(engine->path, kind, &engine->writer, reterr);

    if (r == 0)
        r = prepare_schema(engine, options, reterr);
    if (r < 0) {
        err_prefix(reterr, "%s: ", engine->path);
        engine->writer =
            conn_free(engine->writer); /* no checkpoint at close: a refused file stays as it is */
    }
    return r;
}

/* While the lock `write` is held. */
static int open_locked(struct engine *engine, const struct store_options *options,
                       struct versions *ret_versions, struct err_info *reterr)
{
    int r = find_file(engine->path, options->may_create && !options->is_read_only, reterr);

    if (r == 0)
        r = versions_open(engine->path, ret_versions, reterr);
    if (r == 0)
        r = open_writer(engine, options, reterr);
    if (r < 0)
        return r;
    (void)sqlite3_wal_hook(engine->writer->db, on_commit, engine);
    engine->is_owner = !options->is_read_only && sqlite_lock_own(&engine->lock);
    return 0;
}

static void checkpoint_at_close(struct engine *engine)
{
    if (engine->is_read_only || !engine->writer || !sqlite_lock_own(&engine->lock) ||
        sqlite_lock_write(&engine->lock, SQLITE_PATIENCE_MS, NULL) < 0)
        return;
    /* If it fails the log stays, and the next opening reads it. */
    (void)sqlite3_busy_timeout(engine->writer->db, LARGE_WAL_WAIT_MS);
    (void)sqlite3_wal_checkpoint_v2(engine->writer->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite_lock_write_end(&engine->lock);
}

static void on_close(struct engine *engine)
{
    if (!engine)
        return;
    pool_done(&engine->readers);
    checkpoint_at_close(engine);
    conn_free(engine->writer);
    sqlite_lock_close(&engine->lock);
    mem_free(engine);
}

static int on_open(const char *path, const struct store_options *options, struct versions *ret_versions,
                   struct engine **ret_engine, struct err_info *reterr)
{
    struct engine *engine;
    int r = sqlite_setup(reterr);

    if (r < 0)
        return r;
    if (strlen(path) >= sizeof engine->path)
        return err_set(reterr, ERR_INVALID, "the store's path is longer than %zu bytes",
                       sizeof engine->path - 1);
    engine = mem_calloc(1, sizeof *engine);
    if (!engine)
        return err_set(reterr, ERR_NOMEM, "out of memory opening the store");
    memcpy(engine->path, path, strlen(path) + 1);
    engine->lock.fd = -1;
    engine->is_read_only = options->is_read_only;
    engine->checkpoint_at_pages = CHECKPOINT_PAGES;
    pool_init(&engine->readers, engine->path, options->n_readers);

    if (!options->may_create || options->is_read_only)
        r = find_file(path, false, reterr);
    if (r == 0)
        r = sqlite_lock_open(path, false, &engine->lock, reterr);
    if (r == 0)
        r = sqlite_lock_write(&engine->lock, SQLITE_PATIENCE_MS, reterr);
    if (r == 0) {
        r = open_locked(engine, options, ret_versions, reterr);
        sqlite_lock_write_end(&engine->lock);
    }
    if (r < 0) {
        on_close(engine);
        return r;
    }
    *ret_engine = engine;
    return 0;
}

/* ---- writing ---- */

/* True when SQLite has ended the transaction by itself, as it does when the disk is full. */
static bool is_transaction_lost(const struct engine *engine)
{
    return sqlite3_get_autocommit(engine->writer->db) != 0;
}

static void roll_back(struct engine *engine)
{
    if (!is_transaction_lost(engine))
        (void)conn_run(engine->writer, "ROLLBACK", NULL);
}

static int on_group_begin(struct engine *engine, struct conn **ret_conn, struct err_info *reterr)
{
    int r = sqlite_lock_write(&engine->lock, SQLITE_PATIENCE_MS, reterr);

    if (r < 0)
        return r;
    r = conn_run(engine->writer, "BEGIN IMMEDIATE", reterr);
    if (r < 0) {
        sqlite_lock_write_end(&engine->lock);
        return r;
    }
    *ret_conn = engine->writer;
    return 0;
}

static int on_member_begin(struct engine *engine, struct err_info *reterr)
{
    int r = conn_run(engine->writer, "SAVEPOINT member", reterr);

    if (r < 0)
        roll_back(engine);
    return r;
}

static int on_member_end(struct engine *engine, bool is_kept, struct err_info *reterr)
{
    int r = 0;

    if (is_transaction_lost(engine))
        return err_set(reterr, ERR_IO, "the store could not write, and took back what was not yet committed");
    if (!is_kept)
        r = conn_run(engine->writer, "ROLLBACK TO member", reterr);
    if (r == 0)
        r = conn_run(engine->writer, "RELEASE member", reterr);
    if (r < 0)
        roll_back(engine);
    return r;
}

static int on_group_commit(struct engine *engine, struct err_info *reterr)
{
    int r = conn_run(engine->writer, "COMMIT", reterr);

    if (r < 0)
        roll_back(engine);
    return r;
}

/* Copies the log into the file as far as the readers let it. A failure is no one's loss: the log holds all,
 * and the next checkpoint tries again. */
static void checkpoint(struct engine *engine)
{
    bool is_large = engine->n_wal_pages >= LARGE_WAL_PAGES;
    int mode = is_large ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;

    (void)sqlite3_busy_timeout(engine->writer->db, is_large ? LARGE_WAL_WAIT_MS : 0);
    (void)sqlite3_wal_checkpoint_v2(engine->writer->db, "main", mode, NULL, NULL);
    (void)sqlite3_busy_timeout(engine->writer->db, SQLITE_PATIENCE_MS);
    /* Unless the next commit starts the log over, more must come before another try is worth it. */
    engine->checkpoint_at_pages = engine->n_wal_pages + CHECKPOINT_PAGES;
}

static bool is_checkpoint_due(struct engine *engine)
{
    if (engine->n_wal_pages < engine->checkpoint_at_pages)
        return false;
    engine->is_owner = sqlite_lock_own(&engine->lock);
    return engine->is_owner || engine->n_wal_pages >= LARGE_WAL_PAGES;
}

static void on_group_end(struct engine *engine)
{
    if (is_checkpoint_due(engine))
        checkpoint(engine);
    sqlite_lock_write_end(&engine->lock);
}

/* ---- reading ---- */

static int on_read_begin(struct engine *engine, struct conn **ret_conn, struct err_info *reterr)
{
    return pool_begin(&engine->readers, ret_conn, reterr);
}

static void on_read_end(struct engine *engine, struct conn *conn)
{
    pool_end(&engine->readers, conn);
}

static int on_backup(struct engine *engine, const char *path, store_progress_fn progress, void *arg,
                     struct err_info *reterr)
{
    return backup_make(&engine->readers, path, progress, arg, reterr);
}

static int on_check(struct engine *engine, struct err_info *reterr)
{
    struct conn *conn;
    int r = pool_begin(&engine->readers, &conn, reterr);

    if (r < 0)
        return r;
    r = backup_verify(conn, reterr);
    pool_end(&engine->readers, conn);
    return r;
}

static int64_t size_of(const char *path, const char *suffix)
{
    char name[STORE_MAX_PATH_BYTES + 8];
    struct stat status;

    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    return stat(name, &status) == 0 ? (int64_t)status.st_size : 0;
}

static int on_describe(struct engine *engine, struct store_info *ret_info, struct err_info *reterr)
{
    (void)reterr;
    (void)snprintf(ret_info->library_version, sizeof ret_info->library_version, "%s", sqlite3_libversion());
    (void)snprintf(ret_info->path, sizeof ret_info->path, "%s", engine->path);
    ret_info->has_wal_reset_fix = sqlite_has_wal_reset_fix();
    ret_info->is_owner = engine->is_owner;
    ret_info->schema_version = engine->schema_version;
    ret_info->size_bytes = size_of(engine->path, "");
    ret_info->wal_bytes = size_of(engine->path, "-wal");
    return 0;
}

const struct store_ops store_sqlite = {
    .scheme = "sqlite",
    .on_open = on_open,
    .on_close = on_close,
    .on_group_begin = on_group_begin,
    .on_member_begin = on_member_begin,
    .on_member_end = on_member_end,
    .on_group_commit = on_group_commit,
    .on_group_end = on_group_end,
    .on_read_begin = on_read_begin,
    .on_read_end = on_read_end,
    .on_statement = conn_statement,
    .on_backup = on_backup,
    .on_restore = sqlite_restore,
    .on_check = on_check,
    .on_describe = on_describe,
};
