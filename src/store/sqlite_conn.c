/* SPDX-License-Identifier: Apache-2.0
 *
 * One SQLite connection: its settings, its prepared statements, and values going in and out. A statement that
 * is running is not lent twice, so that a row function may ask questions of its own.
 */
#include "store/sqlite_priv.h"

#include "core/mem.h"

/* A log that a slow reader let grow is cut back to this when it starts over. */
#define MAX_IDLE_WAL_BYTES "16777216"

static int set_up(struct conn *conn, struct err_info *reterr)
{
    int r;

    (void)sqlite3_busy_timeout(conn->db, SQLITE_PATIENCE_MS);
    r = sqlite_error(conn->db, sqlite3_db_config(conn->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL),
                     "set up the connection", reterr);
    if (r < 0)
        return r;
    r = sqlite_harden(conn->db, reterr);
    if (r < 0)
        return r;
    /* FULL: a commit is on the disk when it returns. Checkpoints are the writer's, at moments of its choice.
     * What is deleted is overwritten, not just unlinked. */
    return sqlite_run(conn->db,
                      "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = ON;"
                      "PRAGMA journal_size_limit = " MAX_IDLE_WAL_BYTES,
                      "set up the connection", reterr);
}

int conn_new(const char *path, enum conn_kind kind, struct conn **ret_conn, struct err_info *reterr)
{
    int flags = (kind == CONN_WRITER ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX |
                SQLITE_OPEN_EXRESCODE;
    struct conn *conn = mem_calloc(1, sizeof *conn);
    int r;

    if (!conn)
        return err_set(reterr, ERR_NOMEM, "out of memory opening the store");
    r = sqlite3_open_v2(path, &conn->db, flags, NULL);
    r = sqlite_error(conn->db, r, "open the store", reterr);
    if (r == 0)
        r = set_up(conn, reterr);
    if (r < 0) {
        conn_free(conn);
        return r;
    }
    *ret_conn = conn;
    return 0;
}

struct conn *conn_free(struct conn *conn)
{
    if (!conn)
        return NULL;
    for (size_t i = 0; i < CONN_MAX_STATEMENTS; i++)
        (void)sqlite3_finalize(conn->statements[i].stmt);
    (void)sqlite3_close(conn->db);
    return mem_free(conn);
}

/* A kept statement with this text, else the slot that gives way to it; NULL when all are running. */
static struct statement *find_slot(struct conn *conn, const char *sql, uint64_t hash, bool *ret_is_hit)
{
    struct statement *oldest = NULL;

    for (size_t i = 0; i < CONN_MAX_STATEMENTS; i++) {
        struct statement *slot = &conn->statements[i];

        if (slot->is_running)
            continue;
        if (slot->stmt && slot->hash == hash && str_is(str_of(sqlite3_sql(slot->stmt)), sql)) {
            *ret_is_hit = true;
            return slot;
        }
        if (!oldest || slot->used_at < oldest->used_at)
            oldest = slot;
    }
    *ret_is_hit = false;
    return oldest;
}

static int borrow_statement(struct conn *conn, const char *sql, struct statement **ret_slot,
                            struct err_info *reterr)
{
    uint64_t hash = str_hash(str_of(sql), 0);
    bool is_hit;
    struct statement *slot = find_slot(conn, sql, hash, &is_hit);
    const char *tail;

    if (!slot)
        return err_set(reterr, ERR_LIMIT, "more than %d statements at once on a connection",
                       CONN_MAX_STATEMENTS);
    if (!is_hit) {
        int rc;

        (void)sqlite3_finalize(slot->stmt);
        *slot = (struct statement){.hash = hash};
        rc = sqlite3_prepare_v3(conn->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &slot->stmt, &tail);
        if (rc != SQLITE_OK)
            return sqlite_error(conn->db, rc, "prepare a statement", reterr);
        if (!slot->stmt || *tail != '\0')
            return err_set(reterr, ERR_INTERNAL, "not exactly one statement: %s", sql);
    }
    slot->used_at = ++conn->tick;
    *ret_slot = slot;
    return 0;
}

static int bind_value(sqlite3_stmt *stmt, int idx, const struct value *value)
{
    switch (value->type) {
    case VALUE_NULL:
        return sqlite3_bind_null(stmt, idx);
    case VALUE_BOOL:
        return sqlite3_bind_int(stmt, idx, value->boolean);
    case VALUE_INT:
        return sqlite3_bind_int64(stmt, idx, value->integer);
    case VALUE_TIME:
        return sqlite3_bind_int64(stmt, idx, value->time_us);
    case VALUE_REAL:
        return sqlite3_bind_double(stmt, idx, value->real);
    case VALUE_DECIMAL:
    case VALUE_TEXT:
    case VALUE_JSON:
        /* A null pointer would bind NULL, not the empty text. */
        return sqlite3_bind_text64(stmt, idx, value->text.len ? value->text.ptr : "", value->text.len,
                                   SQLITE_STATIC, SQLITE_UTF8);
    }
    return SQLITE_MISUSE;
}

static int bind_all(struct conn *conn, sqlite3_stmt *stmt, const struct value *params, size_t n_params,
                    struct err_info *reterr)
{
    if ((size_t)sqlite3_bind_parameter_count(stmt) != n_params)
        return err_set(reterr, ERR_INTERNAL, "%zu parameters for a statement with %d: %s", n_params,
                       sqlite3_bind_parameter_count(stmt), sqlite3_sql(stmt));
    for (size_t i = 0; i < n_params; i++) {
        int rc = bind_value(stmt, (int)i + 1, &params[i]);
        if (rc != SQLITE_OK)
            return sqlite_error(conn->db, rc, "bind a parameter", reterr);
    }
    return 0;
}

/* Borrowed from the statement until its next step. */
static int read_column(sqlite3_stmt *stmt, int idx, struct value *ret_value, struct err_info *reterr)
{
    const char *bytes;

    switch (sqlite3_column_type(stmt, idx)) {
    case SQLITE_NULL:
        *ret_value = value_null();
        return 0;
    case SQLITE_INTEGER:
        *ret_value = value_int(sqlite3_column_int64(stmt, idx));
        return 0;
    case SQLITE_FLOAT:
        *ret_value = value_real(sqlite3_column_double(stmt, idx));
        return 0;
    default:
        bytes = sqlite3_column_type(stmt, idx) == SQLITE_TEXT ? (const char *)sqlite3_column_text(stmt, idx)
                                                              : sqlite3_column_blob(stmt, idx);
        if (!bytes && sqlite3_errcode(sqlite3_db_handle(stmt)) == SQLITE_NOMEM)
            return err_set(reterr, ERR_NOMEM, "out of memory reading a row");
        *ret_value = value_text(str_make(bytes, (size_t)sqlite3_column_bytes(stmt, idx)));
        return 0;
    }
}

/* What on_row returned, or an error. */
static int give_row(sqlite3_stmt *stmt, store_row_fn on_row, void *arg, struct err_info *reterr)
{
    struct value columns[STORE_MAX_COLUMNS];
    int n = sqlite3_column_count(stmt);

    if (n > STORE_MAX_COLUMNS)
        return err_set(reterr, ERR_LIMIT, "%d columns; at most %d are read", n, STORE_MAX_COLUMNS);
    for (int i = 0; i < n; i++) {
        int r = read_column(stmt, i, &columns[i], reterr);
        if (r < 0)
            return r;
    }
    return on_row(columns, (size_t)n, arg, reterr);
}

static int step_all(struct conn *conn, sqlite3_stmt *stmt, store_row_fn on_row, void *arg,
                    struct err_info *reterr)
{
    int rc;

    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        int r = on_row ? give_row(stmt, on_row, arg, reterr) : 0;
        if (r != 0)
            return r < 0 ? r : 0;
    }
    return sqlite_error(conn->db, rc, "use the store", reterr);
}

int conn_statement(struct conn *conn, const char *sql, const struct value *params, size_t n_params,
                   store_row_fn on_row, void *arg, int64_t *ret_changes, struct err_info *reterr)
{
    struct statement *slot = NULL;
    int r = borrow_statement(conn, sql, &slot, reterr);

    if (r < 0)
        return r;
    slot->is_running = true;
    r = bind_all(conn, slot->stmt, params, n_params, reterr);
    if (r == 0)
        r = step_all(conn, slot->stmt, on_row, arg, reterr);
    if (r == 0 && ret_changes)
        *ret_changes = sqlite3_changes64(conn->db);
    /* What reset reports is the step's error again. */
    (void)sqlite3_reset(slot->stmt);
    (void)sqlite3_clear_bindings(slot->stmt);
    slot->is_running = false;
    return r;
}

int conn_run(struct conn *conn, const char *sql, struct err_info *reterr)
{
    return conn_statement(conn, sql, NULL, 0, NULL, NULL, NULL, reterr);
}

static int on_int_row(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    (void)n_columns;
    (void)reterr;
    if (columns[0].type == VALUE_INT)
        *(int64_t *)arg = columns[0].integer;
    return 1;
}

int conn_get_int(struct conn *conn, const char *sql, int64_t *ret_value, struct err_info *reterr)
{
    int64_t value = 0;
    int r = conn_statement(conn, sql, NULL, 0, on_int_row, &value, NULL, reterr);

    if (r == 0)
        *ret_value = value;
    return r;
}
