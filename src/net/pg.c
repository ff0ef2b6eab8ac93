/* SPDX-License-Identifier: Apache-2.0
 *
 * An open connection: a ring of what was sent and is not answered, beside libpq's own, and the statements
 * that the server has prepared. A question is one to three entries, answered in order:
 *
 *     [DEALLOCATE of an old statement] [PREPARE] QUESTION
 *
 * of which the caller sees one event: rows and an end, or an error, or that it was skipped. PQgetResult is
 * never called while PQisBusy, so nothing here waits.
 */
#include "net/pg_priv.h"

#include "core/mem.h"
#include "net/pool.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define N_ENTRIES     (sizeof((struct pg_conn *)0)->entries / sizeof(struct pg_entry))
#define BLOATED_BYTES ((size_t)1024 * 1024)

struct pg_conn *pg_conn_close(struct pg_conn *conn)
{
    if (!conn)
        return NULL;
    conn->lib.clear(conn->result);
    conn->lib.finish(conn->pq); /* accepts NULL */
    for (size_t i = 0; i < PG_MAX_PREPARED; i++)
        mem_free(conn->prepared[i].sql);
    mem_free(conn->types);
    return mem_free(conn);
}

int pg_conn_fd(const struct pg_conn *conn)
{
    return conn->lib.socket(conn->pq);
}

short pg_conn_events(const struct pg_conn *conn)
{
    return conn->has_unsent ? POLLIN | POLLOUT : POLLIN;
}

bool pg_conn_is_quiet(const struct pg_conn *conn)
{
    int fd = pg_conn_fd(conn);
    return fd >= 0 && conn->lib.status(conn->pq) == CONNECTION_OK && net_socket_is_quiet(fd);
}

bool pg_conn_is_idle(const struct pg_conn *conn)
{
    return conn->n_entries == 0 && !conn->has_unsent && conn->lib.status(conn->pq) == CONNECTION_OK &&
           conn->lib.transactionStatus(conn->pq) == PQTRANS_IDLE;
}

bool pg_conn_is_bloated(const struct pg_conn *conn)
{
    return conn->is_bloated;
}

int pg_conn_server_version(const struct pg_conn *conn)
{
    return conn->lib.serverVersion(conn->pq);
}

static int compare_type(const void *key, const void *element)
{
    uint32_t type = *(const uint32_t *)key, other = ((const struct pg_own_type *)element)->type;
    return type < other ? -1 : type > other;
}

enum pg_type_kind pg_conn_type_kind(const struct pg_conn *conn, uint32_t type, uint32_t *ret_element)
{
    const struct pg_own_type *found =
        conn->n_types ? bsearch(&type, conn->types, conn->n_types, sizeof *found, compare_type) : NULL;
    if (!found)
        return PG_TYPE_OTHER;
    *ret_element = found->element;
    return found->element ? PG_TYPE_ARRAY : PG_TYPE_VECTOR;
}

/* ---- entries ---- */

static struct pg_entry *entry_at(struct pg_conn *conn, size_t idx)
{
    return &conn->entries[(conn->first + idx) % N_ENTRIES];
}

static void add_entry(struct pg_conn *conn, enum pg_entry_kind kind, void *tag, int prepared, bool is_new)
{
    *entry_at(conn, conn->n_entries++) =
        (struct pg_entry){.kind = kind, .tag = tag, .prepared = prepared, .is_new = is_new};
    if (prepared >= 0)
        conn->prepared[prepared].n_asked++;
    conn->has_unsent = true;
}

static void forget_prepared(struct pg_conn *conn, int idx)
{
    struct pg_prepared *prepared = &conn->prepared[idx];
    prepared->sql = mem_free(prepared->sql);
    prepared->sql_len = 0;
    prepared->is_ready = false;
}

static void pop_entry(struct pg_conn *conn)
{
    struct pg_entry *entry = entry_at(conn, 0);
    if (entry->prepared >= 0)
        conn->prepared[entry->prepared].n_asked--;
    conn->first = (conn->first + 1) % N_ENTRIES;
    conn->n_entries--;
}

/* ---- asking ---- */

static int broken(const struct pg_conn *conn, struct err_info *reterr)
{
    struct str message = str_trim(str_of(conn->lib.errorMessage(conn->pq)));
    ptrdiff_t end = str_find(message, STR_LIT("\n"));
    if (end > 0)
        message = str_slice(message, 0, (size_t)end);
    return err_set(reterr, ERR_UNAVAILABLE, "the connection was lost%s%.*s", message.len ? ": " : "",
                   STR_ARG(message));
}

static int check_room(const struct pg_conn *conn, size_t n, struct err_info *reterr)
{
    if (conn->n_entries + n <= N_ENTRIES)
        return 0;
    return err_set(reterr, ERR_LIMIT, "too many questions wait on one connection");
}

static int find_prepared(const struct pg_conn *conn, struct str sql)
{
    for (int i = 0; i < PG_MAX_PREPARED; i++)
        if (conn->prepared[i].sql && str_eq(str_make(conn->prepared[i].sql, conn->prepared[i].sql_len), sql))
            return i;
    return -1;
}

/* A free place, or that of the one not used for longest; -1 when all are being asked. */
static int choose_place(const struct pg_conn *conn)
{
    int oldest = -1;
    for (int i = 0; i < PG_MAX_PREPARED; i++) {
        const struct pg_prepared *prepared = &conn->prepared[i];
        if (prepared->n_asked > 0)
            continue;
        if (!prepared->sql)
            return i;
        if (oldest < 0 || prepared->last_use < conn->prepared[oldest].last_use)
            oldest = i;
    }
    return oldest;
}

static int deallocate(struct pg_conn *conn, int place, struct err_info *reterr)
{
    char sql[64];
    (void)snprintf(sql, sizeof sql, "DEALLOCATE %s", conn->prepared[place].name);
    if (!conn->lib.sendQueryParams(conn->pq, sql, 0, NULL, NULL, NULL, NULL, 0))
        return broken(conn, reterr);
    add_entry(conn, PG_ENTRY_DEALLOCATE, NULL, -1, false);
    forget_prepared(conn, place);
    return 0;
}

/* Names hold a number that no other statement of this connection had: one that the server has under an old
 * name is never taken for another. */
static int prepare(struct pg_conn *conn, struct str sql, int place, struct err_info *reterr)
{
    struct pg_prepared *prepared = &conn->prepared[place];
    char *text = mem_alloc(sql.len + 1);

    if (!text)
        return err_set(reterr, ERR_NOMEM, "not enough memory for a statement");
    memcpy(text, sql.ptr, sql.len);
    text[sql.len] = '\0';
    *prepared = (struct pg_prepared){.sql = text, .sql_len = sql.len};
    (void)snprintf(prepared->name, sizeof prepared->name, "p%llu", (unsigned long long)++conn->n_names);
    if (!conn->lib.sendPrepare(conn->pq, prepared->name, text, 0, NULL)) {
        forget_prepared(conn, place);
        return broken(conn, reterr);
    }
    add_entry(conn, PG_ENTRY_PREPARE, NULL, place, false);
    return 0;
}

/* The statement's place in the table, after asking for it where it is new. */
static int make_prepared(struct pg_conn *conn, struct str sql, int *ret_place, bool *ret_is_new,
                         struct err_info *reterr)
{
    int place = find_prepared(conn, sql);
    int res = 0;

    *ret_is_new = place < 0;
    if (place < 0) {
        place = choose_place(conn);
        if (place < 0)
            return err_set(reterr, ERR_LIMIT, "too many statements wait on one connection");
        if (conn->prepared[place].sql)
            res = deallocate(conn, place, reterr);
        if (res == 0)
            res = prepare(conn, sql, place, reterr);
    }
    conn->prepared[place].last_use = ++conn->n_uses;
    *ret_place = place;
    return res;
}

static int ask(struct pg_conn *conn, struct str sql, const char *const *values, size_t n_values, void *tag,
               bool is_whole, struct err_info *reterr)
{
    int place;
    bool is_new;
    int res = check_room(conn, 3, reterr);

    if (res == 0)
        res = make_prepared(conn, sql, &place, &is_new, reterr);
    if (res < 0)
        return res;
    if (!conn->lib.sendQueryPrepared(conn->pq, conn->prepared[place].name, (int)n_values, values, NULL, NULL,
                                     0))
        return broken(conn, reterr);
    add_entry(conn, PG_ENTRY_QUESTION, tag, place, is_new);
    entry_at(conn, conn->n_entries - 1)->is_whole = is_whole;
    return 0;
}

int pg_conn_ask(struct pg_conn *conn, struct str sql, const char *const *values, size_t n_values, void *tag,
                struct err_info *reterr)
{
    return ask(conn, sql, values, n_values, tag, false, reterr);
}

int pg_conn_ask_whole(struct pg_conn *conn, struct str sql, const char *const *values, size_t n_values,
                      void *tag, struct err_info *reterr)
{
    return ask(conn, sql, values, n_values, tag, true, reterr);
}

int pg_conn_describe(struct pg_conn *conn, struct str sql, void *tag, struct err_info *reterr)
{
    int place;
    bool is_new;
    int res = check_room(conn, 3, reterr);

    if (res == 0)
        res = make_prepared(conn, sql, &place, &is_new, reterr);
    if (res < 0)
        return res;
    if (!conn->lib.sendDescribePrepared(conn->pq, conn->prepared[place].name))
        return broken(conn, reterr);
    add_entry(conn, PG_ENTRY_DESCRIBE, tag, place, is_new);
    return 0;
}

int pg_conn_ask_flush(struct pg_conn *conn, struct err_info *reterr)
{
    if (!conn->lib.sendFlushRequest(conn->pq))
        return broken(conn, reterr);
    conn->has_unsent = true;
    return 0;
}

int pg_conn_ask_sync(struct pg_conn *conn, struct err_info *reterr)
{
    int res = check_room(conn, 1, reterr);
    if (res < 0)
        return res;
    if (!conn->lib.pipelineSync(conn->pq))
        return broken(conn, reterr);
    add_entry(conn, PG_ENTRY_SYNC, NULL, -1, false);
    return 0;
}

int pg_conn_push(struct pg_conn *conn, struct err_info *reterr)
{
    int n_left = conn->has_unsent ? conn->lib.flush(conn->pq) : 0;
    if (n_left < 0)
        return broken(conn, reterr);
    conn->has_unsent = n_left > 0;
    return 0;
}

/* ---- answers ---- */

/* libpq has no limit of its own: what is about to come is counted before it reads that. A read takes no more
 * than its buffer has room for, which is some ten kilobytes, or the rest of one row. */
static int check_growth(struct pg_conn *conn, struct err_info *reterr)
{
    bool is_whole = conn->n_entries > 0 && entry_at(conn, 0)->is_whole;
    size_t most = is_whole ? PG_MAX_WHOLE_BYTES : PG_MAX_ROW_BYTES;
    int n = 0;

    if (ioctl(pg_conn_fd(conn), FIONREAD, &n) == 0 && n > 0)
        conn->n_untold += (size_t)n;
    if (conn->n_untold <= most)
        return 0;
    return err_set(reterr, ERR_LIMIT, "%s of the answer is larger than %zu MB", is_whole ? "all" : "a row",
                   most / 1024 / 1024);
}

int pg_conn_read(struct pg_conn *conn, struct err_info *reterr)
{
    int res = check_growth(conn, reterr);
    if (res < 0)
        return res;
    return conn->lib.consumeInput(conn->pq) ? 0 : broken(conn, reterr);
}

static struct str field_of(const struct pg_conn *conn, int code)
{
    return str_of(conn->lib.resultErrorField(conn->result, code));
}

static void read_error(const struct pg_conn *conn, struct pg_error *ret_error)
{
    struct str state = field_of(conn, PG_DIAG_SQLSTATE);
    struct str position = field_of(conn, PG_DIAG_STATEMENT_POSITION);
    int64_t place = 0;

    *ret_error = (struct pg_error){
        .message = field_of(conn, PG_DIAG_MESSAGE_PRIMARY),
        .detail = field_of(conn, PG_DIAG_MESSAGE_DETAIL),
        .hint = field_of(conn, PG_DIAG_MESSAGE_HINT),
    };
    if (str_is_empty(ret_error->message)) /* libpq's own: the connection was lost */
        ret_error->message = str_trim(str_of(conn->lib.resultErrorMessage(conn->result)));
    (void)snprintf(ret_error->sqlstate, sizeof ret_error->sqlstate, "%.*s", STR_ARG(state));
    if (position.len > 0 && str_to_int(position, &place) == 0 && place > 0 && place < INT32_MAX)
        ret_error->position = (int)place;
}

/* The server ends the connection: an administrator, a shutdown, a crash; or it is gone, and libpq says so. */
static bool is_fatal(const struct pg_conn *conn)
{
    const char *severity = conn->lib.resultErrorField(conn->result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (!severity)
        return conn->lib.resultStatus(conn->result) == PGRES_FATAL_ERROR;
    return strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0;
}

static int told_fatal(const struct pg_conn *conn, struct err_info *reterr)
{
    struct pg_error error;
    read_error(conn, &error);
    struct str message = str_slice(error.message, 0, 200);
    ptrdiff_t end = str_find(message, STR_LIT("\n"));
    if (end > 0)
        message = str_slice(message, 0, (size_t)end);
    return err_set(reterr, ERR_UNAVAILABLE, "the connection was lost: %.*s", STR_ARG(message));
}

/* "cached plan must not change result type", and a statement that the server forgot (DISCARD ALL). */
static bool is_stale_state(const char *sqlstate)
{
    return strcmp(sqlstate, "0A000") == 0 || strcmp(sqlstate, "26000") == 0;
}

/* The statement was refused or skipped; the question behind it will only be skipped. */
static bool on_prepare_failed(struct pg_conn *conn, const struct pg_entry *entry, bool is_error,
                              struct pg_event *ret_event)
{
    struct pg_entry *question = entry_at(conn, 1);

    forget_prepared(conn, entry->prepared);
    if (!is_error)
        return false;
    question->is_told = true;
    *ret_event = (struct pg_event){.kind = PG_ERROR, .tag = question->tag};
    read_error(conn, &ret_event->error);
    return true;
}

static bool on_question_failed(struct pg_conn *conn, struct pg_entry *entry, bool is_error,
                               struct pg_event *ret_event)
{
    if (entry->is_told)
        return false;
    entry->is_told = true;
    *ret_event = (struct pg_event){.kind = is_error ? PG_ERROR : PG_SKIPPED, .tag = entry->tag};
    if (!is_error)
        return true;
    entry->is_refused = true;
    read_error(conn, &ret_event->error);
    ret_event->is_stale = !entry->is_new && is_stale_state(ret_event->error.sqlstate);
    if (ret_event->is_stale)
        forget_prepared(conn, entry->prepared);
    return true;
}

/* After an error libpq forgets to tell the end of that answer when something was sent before it was asked
 * for: what comes next is of the entry behind it. */
static void skip_untold_end(struct pg_conn *conn)
{
    ExecStatusType status = conn->lib.resultStatus(conn->result);
    bool is_next = status == PGRES_PIPELINE_ABORTED || status == PGRES_PIPELINE_SYNC;
    if (is_next && entry_at(conn, 0)->is_refused && conn->n_entries > 1)
        pop_entry(conn);
}

/* Of an answer that is there whole: its next row, or its end. */
static void tell_next_row(struct pg_conn *conn, struct pg_event *ret_event)
{
    struct pg_entry *entry = entry_at(conn, 0);

    conn->row++;
    conn->is_telling = conn->row < conn->n_rows;
    entry->is_told |= !conn->is_telling;
    *ret_event = (struct pg_event){.kind = conn->is_telling ? PG_ROW : PG_END, .tag = entry->tag};
}

/* What the first entry was answered. True when that is an event. */
static bool take_result(struct pg_conn *conn, struct pg_event *ret_event)
{
    struct pg_entry *entry = entry_at(conn, 0);
    ExecStatusType status = conn->lib.resultStatus(conn->result);
    bool is_error = status != PGRES_PIPELINE_ABORTED;

    switch (status) {
    case PGRES_PIPELINE_SYNC:
        pop_entry(conn);
        *ret_event = (struct pg_event){.kind = PG_SYNCED};
        return true;
    case PGRES_SINGLE_TUPLE:
        if (conn->lib.resultMemorySize(conn->result) > BLOATED_BYTES)
            conn->is_bloated = true;
        conn->row = 0;
        *ret_event = (struct pg_event){.kind = PG_ROW, .tag = entry->tag};
        return true;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        if (entry->kind == PG_ENTRY_PREPARE)
            conn->prepared[entry->prepared].is_ready = true;
        if (entry->kind != PG_ENTRY_QUESTION && entry->kind != PG_ENTRY_DESCRIBE)
            return false;
        conn->row = -1;
        conn->n_rows = conn->lib.ntuples(conn->result); /* 0 after rows that came one by one */
        tell_next_row(conn, ret_event);
        return true;
    default:
        if (entry->kind == PG_ENTRY_PREPARE)
            return on_prepare_failed(conn, entry, is_error, ret_event);
        if (entry->kind == PG_ENTRY_QUESTION || entry->kind == PG_ENTRY_DESCRIBE)
            return on_question_failed(conn, entry, is_error, ret_event);
        return false; /* DEALLOCATE: at worst the server keeps a statement that nobody asks for */
    }
}

int pg_conn_next(struct pg_conn *conn, struct pg_event *ret_event, struct err_info *reterr)
{
    if (conn->is_telling) {
        tell_next_row(conn, ret_event);
        return 0;
    }
    while (conn->n_entries > 0) {
        struct pg_entry *entry = entry_at(conn, 0);

        conn->lib.clear(conn->result);
        conn->result = NULL;
        /* One row at a time, so that an endless answer takes no memory. Heard only while it is this
         * question's turn and nothing of it was read. */
        if (!entry->is_begun && !entry->is_whole && entry->kind == PG_ENTRY_QUESTION)
            (void)conn->lib.setSingleRowMode(conn->pq);
        entry->is_begun = true;
        if (conn->lib.isBusy(conn->pq))
            return 1;
        conn->result = conn->lib.getResult(conn->pq);
        conn->n_untold = 0;
        if (!conn->result && conn->lib.status(conn->pq) == CONNECTION_BAD)
            return broken(conn, reterr);
        if (!conn->result)
            pop_entry(conn); /* that was all of it */
        else if (conn->lib.resultStatus(conn->result) == PGRES_FATAL_ERROR && is_fatal(conn))
            return told_fatal(conn, reterr);
        else {
            skip_untold_end(conn);
            if (take_result(conn, ret_event))
                return 0;
        }
    }
    return conn->lib.status(conn->pq) == CONNECTION_BAD ? broken(conn, reterr) : 1;
}

size_t pg_conn_n_columns(const struct pg_conn *conn)
{
    return (size_t)conn->lib.nfields(conn->result);
}

void pg_conn_column(const struct pg_conn *conn, size_t idx, struct pg_column *ret_column)
{
    *ret_column = (struct pg_column){
        .name = conn->lib.fname(conn->result, (int)idx),
        .type = conn->lib.ftype(conn->result, (int)idx),
    };
}

bool pg_conn_value(const struct pg_conn *conn, size_t idx, struct str *ret_value)
{
    if (conn->lib.getisnull(conn->result, conn->row, (int)idx))
        return false;
    *ret_value = str_make(conn->lib.getvalue(conn->result, conn->row, (int)idx),
                          (size_t)conn->lib.getlength(conn->result, conn->row, (int)idx));
    return true;
}
