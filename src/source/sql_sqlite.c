/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `sql` on a SQLite file of the user's: one statement with bound values, its rows as typed values. Runs
 * on a worker; stops at the deadline.
 */
#include "source/source_priv.h"
#include "source/sqlite_priv.h"

#include "core/civil.h"
#include "core/json.h"

#include <math.h>

#define MAX_JSON_DEPTH 64

static const struct source_setting settings[] = {
    {"query", SETTING_SQL, true, NULL, 0, 0,
     "one SELECT; :name stands for a parameter and is bound, never pasted"},
    {NULL},
};

static const char *const schemes[] = {"sqlite", NULL};

/* ---- values in ---- */

static int bind_time(sqlite3_stmt *stmt, int idx, int64_t time_us)
{
    struct buf buf;
    int rc = SQLITE_NOMEM;

    buf_init(&buf, 64);
    civil_print_sql(time_us, &buf);
    if (!buf_error(&buf))
        rc = sqlite3_bind_text64(stmt, idx, buf.data, buf.len, SQLITE_TRANSIENT, SQLITE_UTF8);
    buf_done(&buf);
    return rc;
}

/* Text is borrowed: the statement's values are cleared before the connection goes back. */
static int bind_value(sqlite3_stmt *stmt, int idx, struct value value)
{
    switch (value.type) {
    case VALUE_NULL:
        return sqlite3_bind_null(stmt, idx);
    case VALUE_BOOL:
        return sqlite3_bind_int(stmt, idx, value.boolean);
    case VALUE_INT:
        return sqlite3_bind_int64(stmt, idx, value.integer);
    case VALUE_REAL:
        return sqlite3_bind_double(stmt, idx, value.real);
    case VALUE_TIME:
        return bind_time(stmt, idx, value.time_us);
    case VALUE_DECIMAL:
    case VALUE_TEXT:
    case VALUE_JSON:
        return sqlite3_bind_text64(stmt, idx, value.text.len ? value.text.ptr : "", value.text.len,
                                   SQLITE_STATIC, SQLITE_UTF8);
    }
    return SQLITE_MISUSE;
}

static int bind_all(struct sqlite_conn *conn, sqlite3_stmt *stmt, const struct source_request *request,
                    struct err_info *reterr)
{
    int n = sqlite3_bind_parameter_count(stmt); /* not more than n_binds: prepare saw to it */

    for (int i = 0; i < n; i++) {
        int rc = bind_value(stmt, i + 1, request->binds[i]);
        if (rc != SQLITE_OK)
            return sqlite_conn_error(conn, rc, reterr);
    }
    return 0;
}

/* ---- rows out ---- */

struct reader {
    struct sqlite_conn *conn;
    sqlite3_stmt *stmt;
    struct source_result *result;
    enum column_decl { DECL_OTHER, DECL_DECIMAL, DECL_JSON } * decls;
    size_t rows_cap;
};

static enum column_decl read_decl(const char *type)
{
    if (!type)
        return DECL_OTHER;
    if (sqlite3_strnicmp(type, "JSON", 4) == 0)
        return DECL_JSON;
    return sqlite3_strnicmp(type, "DECIMAL", 7) == 0 || sqlite3_strnicmp(type, "NUMERIC", 7) == 0
               ? DECL_DECIMAL
               : DECL_OTHER;
}

/* After the first step: only then is a statement certain to be prepared against today's schema. */
static int read_columns(struct reader *reader)
{
    struct source_result *result = reader->result;
    size_t n = (size_t)sqlite3_column_count(reader->stmt);
    struct str *columns = arena_calloc(&result->arena, n, sizeof *columns);

    reader->decls = arena_calloc(&result->arena, n, sizeof *reader->decls);
    for (size_t i = 0; reader->decls && i < n; i++) {
        const char *name = sqlite3_column_name(reader->stmt, (int)i);
        if (!name)
            return ERR_NOMEM;
        columns[i] = arena_copy(&result->arena, str_of(name));
        reader->decls[i] = read_decl(sqlite3_column_decltype(reader->stmt, (int)i));
    }
    result->columns = columns;
    result->n_columns = n;
    return arena_error(&result->arena);
}

/* 1 for the text of an object or array, 0 for other text, negative when there was no memory to tell. */
static int is_json(struct str text)
{
    struct json *root = NULL;
    struct str trimmed = str_trim(text);

    if (str_is_empty(trimmed) || (trimmed.ptr[0] != '{' && trimmed.ptr[0] != '['))
        return 0;
    int res = json_parse(trimmed, MAX_JSON_DEPTH, &root, NULL);
    json_free(root);
    if (res == ERR_NOMEM)
        return res;
    return res == 0;
}

static int read_text(struct reader *reader, int column, struct value *ret_value)
{
    struct arena *arena = &reader->result->arena;
    double number;
    int res;

    const void *bytes = sqlite3_column_text(reader->stmt, column);
    if (!bytes)
        return ERR_NOMEM;
    struct str text =
        result_copy_text(arena, str_make(bytes, (size_t)sqlite3_column_bytes(reader->stmt, column)));
    if (arena_error(arena))
        return arena_error(arena);

    *ret_value = value_text(text);
    switch (reader->decls[column]) {
    case DECL_DECIMAL:
        if (str_to_real(text, &number) == 0)
            *ret_value = value_decimal(text);
        break;
    case DECL_JSON:
        res = is_json(text);
        if (res < 0)
            return res;
        if (res > 0)
            *ret_value = value_json(text);
        break;
    case DECL_OTHER:
        break;
    }
    return 0;
}

static int read_value(struct reader *reader, int column, struct value *ret_value)
{
    switch (sqlite3_column_type(reader->stmt, column)) {
    case SQLITE_INTEGER:
        *ret_value = value_int(sqlite3_column_int64(reader->stmt, column));
        return 0;
    case SQLITE_FLOAT:
        *ret_value = value_real(sqlite3_column_double(reader->stmt, column));
        return 0;
    case SQLITE_TEXT:
        return read_text(reader, column, ret_value);
    case SQLITE_BLOB: /* nothing that a reader of text could use */
        reader->result->n_malformed++;
        *ret_value = value_null();
        return 0;
    default:
        *ret_value = value_null();
        return 0;
    }
}

static int read_row(struct reader *reader)
{
    struct source_result *result = reader->result;
    struct source_row *rows =
        arena_grow(&result->arena, result->rows, result->n_rows, &reader->rows_cap, sizeof *rows);
    struct value *values = arena_calloc(&result->arena, result->n_columns, sizeof *values);
    if (!rows || !values)
        return arena_error(&result->arena);
    result->rows = rows;
    for (size_t i = 0; i < result->n_columns; i++) {
        int res = read_value(reader, (int)i, &values[i]);
        if (res < 0)
            return res;
    }
    rows[result->n_rows] = (struct source_row){
        .values = values,
        .id = result_row_id(result, values),
        .score = NAN,
        .time_us = INT64_MIN,
    };
    if (!arena_error(&result->arena))
        result->n_rows++;
    return arena_error(&result->arena);
}

/* More than fits is no failure: what has been read so far stands, and says so. */
static int read_rows(struct reader *reader, size_t max_rows, struct err_info *reterr)
{
    struct source_result *result = reader->result;
    int res = 0;
    int rc = sqlite3_step(reader->stmt);

    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        res = read_columns(reader);
    while (res == 0 && rc == SQLITE_ROW) {
        if (result->n_rows == max_rows) {
            result->is_truncated = true;
            return 0;
        }
        res = read_row(reader);
        if (res == 0)
            rc = sqlite3_step(reader->stmt);
    }
    if (res == ERR_LIMIT) {
        result->arena.err = 0;
        result->is_truncated = true;
        return 0;
    }
    if (res < 0)
        return result_error(result, reterr);
    return rc == SQLITE_DONE ? 0 : sqlite_conn_error(reader->conn, rc, reterr);
}

/* ---- the kind ---- */

static int on_open(const struct source_env *env, const struct source_options *options, void **ret_state,
                   struct err_info *reterr)
{
    (void)env;
    struct sqlite_file *file = NULL;
    struct str path = str_slice(options->url, sizeof("sqlite:") - 1, options->url.len);
    int res = sqlite_file_new(path, &file, reterr);
    if (res == 0)
        *ret_state = file;
    return res;
}

static void on_close(void *state)
{
    sqlite_file_free(state);
}

static int on_run(const struct source_env *env, void *state, const struct source_request *request,
                  struct net_job *job, struct source_result *result, struct err_info *reterr)
{
    struct sqlite_watch watch;
    struct sqlite_conn *conn = NULL;
    sqlite3_stmt *stmt = NULL;

    sqlite_watch_init(&watch, env->clock, request->deadline_us, job);
    int res = sqlite_conn_take(state, &watch, &conn, reterr);
    if (res < 0)
        return res;
    res = sqlite_conn_prepare(conn, setting_text(&request->settings[0]), request->n_binds, &stmt, reterr);
    if (res == 0)
        res = bind_all(conn, stmt, request, reterr);
    if (res == 0) {
        struct reader reader = {.conn = conn, .stmt = stmt, .result = result};
        res = read_rows(&reader, request->max_rows, reterr);
    }
    sqlite_conn_give(conn);
    return res;
}

static int on_check(const struct source_env *env, void *state, int64_t deadline_us, struct buf *ret,
                    struct err_info *reterr)
{
    struct sqlite_watch watch;
    struct sqlite_conn *conn = NULL;
    sqlite3_stmt *stmt = NULL;

    sqlite_watch_init(&watch, env->clock, deadline_us, NULL);
    int res = sqlite_conn_take(state, &watch, &conn, reterr);
    if (res < 0)
        return res;
    res = sqlite_conn_prepare(
        conn,
        STR_LIT("SELECT count(*) FROM sqlite_schema"
                " WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"),
        0, &stmt, reterr);
    if (res == 0) {
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
            buf_printf(ret, "SQLite %s, %s, %lld tables and views", sqlite3_libversion(),
                       sqlite_file_path(state), (long long)sqlite3_column_int64(stmt, 0));
        else
            res = sqlite_conn_error(conn, rc, reterr);
    }
    sqlite_conn_give(conn);
    return res;
}

static int on_prepare(const struct source_env *env, void *state, const struct value *values, size_t n_binds,
                      struct err_info *reterr)
{
    struct sqlite_watch watch;
    struct sqlite_conn *conn = NULL;
    sqlite3_stmt *stmt = NULL;

    /* Nothing runs; only a writer's lock could be waited for. */
    sqlite_watch_init(&watch, env->clock, clock_mono_us(env->clock) + 5 * US_PER_SEC, NULL);
    int res = sqlite_conn_take(state, &watch, &conn, reterr);
    if (res == 0)
        res = sqlite_conn_prepare(conn, setting_text(&values[0]), n_binds, &stmt, reterr);
    sqlite_conn_give(conn);
    return res;
}

const struct source_ops source_sql_sqlite = {
    .kind = "sql",
    .schemes = schemes,
    .settings = settings,
    .on_open = on_open,
    .on_close = on_close,
    .on_run = on_run,
    .on_check = on_check,
    .on_prepare = on_prepare,
};
