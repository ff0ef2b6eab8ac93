/* SPDX-License-Identifier: Apache-2.0
 *
 * Values out: PostgreSQL's text of a type as one of ours. Decimals keep their digits; what has no counterpart
 * is text. Bytes are nothing that a reader of text could use, as in the other kinds of databases.
 */
#include "source/postgres_priv.h"
#include "source/source_priv.h"

#include "core/civil.h"
#include "core/json.h"
#include "core/reach.h"

#include <math.h>

#define MAX_JSON_DEPTH 64

/* pg_type's fixed numbers. */
enum {
    TYPE_BOOL = 16,
    TYPE_BYTEA = 17,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_OID = 26,
    TYPE_JSON = 114,
    TYPE_BOX = 603,
    TYPE_FLOAT4 = 700,
    TYPE_FLOAT8 = 701,
    TYPE_TIMESTAMP = 1114,
    TYPE_TIMESTAMPTZ = 1184,
    TYPE_NUMERIC = 1700,
    TYPE_JSONB = 3802,
};

struct context {
    const struct pg_conn *conn;
    struct source_result *result;
    uint32_t element;
};

static struct value read_scalar(struct context *context, uint32_t type, struct str text);

static struct value text_value(struct context *context, struct str text)
{
    return value_text(result_copy_text(&context->result->arena, text));
}

static struct value int_value(struct context *context, struct str text)
{
    int64_t integer;
    return str_to_int(text, &integer) == 0 ? value_int(integer) : text_value(context, text);
}

/* NaN and the infinities are no numbers to compute with; as decimals they print by their names. */
static struct value real_value(struct context *context, struct str text)
{
    double real;
    return str_to_real(text, &real) == 0 ? value_real(real)
                                         : value_decimal(result_copy_text(&context->result->arena, text));
}

/* "infinity", years before Christ and beyond 9999 stay text. */
static struct value time_value(struct context *context, struct str text)
{
    int64_t time_us;
    return civil_parse(text, &time_us, NULL) == 0 ? value_time(time_us) : text_value(context, text);
}

/* Objects and arrays stay JSON; a text, number or boolean is one of ours. */
static struct value json_value(struct context *context, struct str text)
{
    struct arena *arena = &context->result->arena;
    struct json *root = NULL;
    struct value value;

    int res = json_parse(text, MAX_JSON_DEPTH, &root, NULL);
    if (res == ERR_NOMEM)
        arena->err = arena->err ? arena->err : ERR_NOMEM;
    if (res < 0)
        return text_value(context, text);
    enum json_kind kind = json_kind_of(root);
    if (kind == JSON_KIND_OBJECT || kind == JSON_KIND_ARRAY)
        value = value_json(arena_copy(arena, text));
    else
        value = value_of_json(root, SOURCE_MAX_RESULT_BYTES, arena);
    json_free(root);
    return value;
}

static void put_element(void *owner, struct str text, struct buf *buf)
{
    struct context *context = owner;
    if ((context->element == TYPE_JSON || context->element == TYPE_JSONB) && text.len > 0 &&
        json_value(context, text).type == VALUE_JSON)
        buf_append_str(buf, text);
    else
        value_print_json(read_scalar(context, context->element, text), buf);
}

static struct value array_value(struct context *context, uint32_t element, struct str text)
{
    struct context inner = {context->conn, context->result, element};
    struct buf buf;

    buf_init(&buf, SOURCE_MAX_RESULT_BYTES);
    int res = postgres_array_print(text, element == TYPE_BOX ? ';' : ',', put_element, &inner, &buf);
    if (res == ERR_INVALID) {
        buf_done(&buf);
        return text_value(context, text);
    }
    return value_json(buf_into_arena(&buf, &context->result->arena));
}

static struct value other_value(struct context *context, uint32_t type, struct str text)
{
    uint32_t element;
    switch (pg_conn_type_kind(context->conn, type, &element)) {
    case PG_TYPE_ARRAY:
        return array_value(context, element, text);
    case PG_TYPE_VECTOR: /* [0.1,0.2] */
        return json_value(context, text);
    case PG_TYPE_OTHER:
        break;
    }
    return text_value(context, text);
}

static struct value read_scalar(struct context *context, uint32_t type, struct str text)
{
    switch (type) {
    case TYPE_BOOL:
        return value_bool(text.len > 0 && text.ptr[0] == 't');
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_OID:
        return int_value(context, text);
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        return real_value(context, text);
    case TYPE_NUMERIC:
        return value_decimal(result_copy_text(&context->result->arena, text));
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return time_value(context, text);
    case TYPE_JSON:
    case TYPE_JSONB:
        return json_value(context, text);
    case TYPE_BYTEA:
        context->result->n_malformed++;
        return value_null();
    default:
        return other_value(context, type, text);
    }
}

/* ---- rows ---- */

int postgres_read_columns(struct postgres_reader *reader, const struct pg_conn *conn, struct err_info *reterr)
{
    struct source_result *result = reader->result;
    size_t n = pg_conn_n_columns(conn);
    struct str *columns = arena_calloc(&result->arena, n + 1, sizeof *columns);
    uint32_t *types = arena_calloc(&result->arena, n + 1, sizeof *types);
    struct pg_column column;

    for (size_t i = 0; columns && types && i < n; i++) {
        pg_conn_column(conn, i, &column);
        columns[i] = result_copy_text(&result->arena, str_of(column.name));
        types[i] = column.type;
    }
    if (arena_error(&result->arena))
        return result_error(result, reterr);
    result->columns = columns;
    result->n_columns = n;
    reader->types = types;
    reader->id_column = result_id_column(result);
    reader->has_columns = true;
    return 0;
}

static int read_values(const struct postgres_reader *reader, struct context *context, struct value *values,
                       struct err_info *reterr)
{
    struct source_result *result = context->result;
    struct str text;

    for (size_t i = 0; i < result->n_columns; i++) {
        if (!pg_conn_value(context->conn, i, &text))
            continue;
        if (text.len > SOURCE_MAX_RESULT_BYTES)
            return err_set(reterr, ERR_LIMIT, "a value of column '%.*s' is too large: %d MB is the most",
                           STR_ARG(result->columns[i]), SOURCE_MAX_RESULT_BYTES / 1024 / 1024);
        values[i] = read_scalar(context, reader->types[i], text);
    }
    return 0;
}

/* The number of a row is the server's text, which is shorter than printing it. */
static struct str read_id(const struct postgres_reader *reader, const struct pg_conn *conn,
                          const struct value *values)
{
    struct source_result *result = reader->result;
    struct str text;

    if (reader->id_column == result->n_columns)
        return (struct str){NULL, 0};
    if (values[reader->id_column].type == VALUE_INT && pg_conn_value(conn, reader->id_column, &text))
        return arena_copy(&result->arena, text);
    return result_value_id(result, values[reader->id_column]);
}

/* More than fits is no failure: what has been read so far stands, and says so. */
static int full_or_error(struct source_result *result, struct err_info *reterr)
{
    if (arena_error(&result->arena) != ERR_LIMIT || result->n_rows == 0)
        return result_error(result, reterr);
    result->arena.err = 0;
    result->is_truncated = true;
    return 1;
}

int postgres_read_row(struct postgres_reader *reader, const struct pg_conn *conn, struct err_info *reterr)
{
    struct source_result *result = reader->result;
    struct context context = {.conn = conn, .result = result};
    int res = reader->has_columns ? 0 : postgres_read_columns(reader, conn, reterr);

    if (res < 0)
        return res;
    if (result->n_rows == reader->max_rows) {
        result->is_truncated = true;
        return 1;
    }
    struct source_row *rows =
        arena_grow(&result->arena, result->rows, result->n_rows, &reader->rows_cap, sizeof *rows);
    struct value *values = arena_calloc(&result->arena, result->n_columns + 1, sizeof *values);
    if (!rows || !values)
        return full_or_error(result, reterr);
    result->rows = rows;
    res = read_values(reader, &context, values, reterr);
    if (res < 0)
        return res;
    rows[result->n_rows] = (struct source_row){
        .values = values, .id = read_id(reader, conn, values), .score = NAN, .time_us = INT64_MIN};
    if (arena_error(&result->arena))
        return full_or_error(result, reterr);
    result->n_rows++;
    return 0;
}

/* ---- errors ---- */

/* What stands in the statement at that character, up to the line's end. */
static struct str excerpt(struct str sql, int position)
{
    size_t at = 0;
    for (int i = 1; i < position && at < sql.len; i++)
        do
            at++;
        while (at < sql.len && ((unsigned char)sql.ptr[at] & 0xC0) == 0x80);
    size_t n = 0;
    while (at + n < sql.len && n < 24 && sql.ptr[at + n] != '\n')
        n++;
    while (n > 0 && at + n < sql.len && ((unsigned char)sql.ptr[at + n] & 0xC0) == 0x80)
        n--; /* not within a character */
    return str_slice(sql, at, n);
}

/* The server could not tell what a value is, which an SQL text alone does not say. */
static bool wants_cast(const struct pg_error *error)
{
    static const char *const states[] = {"42P18", "42P08", "42725", "42883"};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(error->sqlstate, states[i]) == 0)
            return i < 3 || str_find(error->message, STR_LIT("unknown")) >= 0;
    return false;
}

int postgres_error(const struct pg_error *error, struct str sql, size_t embedding_dims,
                   struct err_info *reterr)
{
    struct buf buf;
    int code = strcmp(error->sqlstate, "57014") == 0 ? ERR_TIMEOUT : ERR_REMOTE;

    buf_init(&buf, 4096);
    buf_append_str(&buf, error->message);
    buf_printf(&buf, " (%s)", error->sqlstate);
    if (error->position > 0)
        buf_printf(&buf, " at '%.*s'", STR_ARG(excerpt(sql, error->position)));
    if (error->detail.len > 0)
        buf_printf(&buf, ": %.*s", STR_ARG(str_slice(error->detail, 0, 200)));
    if (error->hint.len > 0)
        buf_printf(&buf, " %.*s", STR_ARG(str_slice(error->hint, 0, 200)));
    if (wants_cast(error))
        buf_append_text(&buf, " Say what the value is: CAST(:name AS text), or :name::timestamptz.");
    if (embedding_dims > 0 && str_find(error->message, STR_LIT("dimensions")) >= 0)
        buf_printf(&buf, "; the vectors of the configured model have %zu", embedding_dims);
    code = err_set(reterr, code, "%s", buf.data ? buf.data : "the server refused the statement");
    buf_done(&buf);
    return code;
}
