/* SPDX-License-Identifier: Apache-2.0
 *
 * A reply as rows. What stands in Redis was written by anybody: an entry that cannot be read is skipped and
 * counted, and nothing is believed to be text before it was looked at.
 */
#include "source/redis_priv.h"

#include "core/clock.h"
#include "core/mem.h"
#include "core/reach.h"
#include "core/utf8.h"
#include "net/redis.h"

#include <math.h>

#define MAX_JSON_DEPTH 64
#define MAX_CELL_BYTES (256 * 1024) /* of an object or list inside an entry */

/* One row to be. */
struct entry {
    const struct json *object; /* its members are columns */
    const struct resp *pairs;  /* names and values in turn are columns */
    const struct str *names;   /* of `pairs`, which are values alone then */
    size_t n_pairs;            /* of those two */
    const struct json *scalar; /* column `value` */
    struct str text;           /* column `value` when none of the above is set */
    struct str score;          /* column `score`; "" for none */
    struct str id;
    int64_t time_us; /* column `time`; INT64_MIN for none */
};

struct reader {
    const struct redis_question *question;
    struct source_result *result;
    struct json **roots; /* of the entries; n_roots */
    size_t n_roots;
    struct entry *entries;
    size_t n_entries;
    struct str *columns;
    size_t n_columns, columns_cap;
    bool has_dropped; /* a column, as there were too many */
};

static struct arena *arena_of(const struct reader *reader)
{
    return &reader->result->arena;
}

/* What is no UTF-8 or has a NUL is binary. */
static bool is_text(struct str s)
{
    return (s.len == 0 || !memchr(s.ptr, '\0', s.len)) && utf8_is_valid(s);
}

/* ---- entries ---- */

static struct entry *add_entry(struct reader *reader)
{
    struct entry *entry = &reader->entries[reader->n_entries++];
    *entry = (struct entry){.time_us = INT64_MIN};
    return entry;
}

static void skip_entry(struct reader *reader)
{
    reader->n_entries--;
    reader->result->n_malformed++;
}

/* JSON whose tree lives as long as the reader; NULL when it is none. */
static const struct json *parse(struct reader *reader, struct str text)
{
    struct json *root = NULL;
    if (json_parse(text, MAX_JSON_DEPTH, &root, NULL) < 0)
        return NULL;
    reader->roots[reader->n_roots++] = root;
    return root;
}

static void set_node(struct entry *entry, const struct json *node)
{
    if (json_kind_of(node) == JSON_KIND_OBJECT)
        entry->object = node;
    else
        entry->scalar = node;
}

/* Of a list or sorted set. False: it cannot be read. */
static bool set_member(struct reader *reader, struct entry *entry, struct str text)
{
    enum redis_entries kind = reader->question->entries;
    char first = str_trim(text).len > 0 ? *str_trim(text).ptr : ' ';

    if (!is_text(text))
        return false;
    if (kind == ENTRIES_TEXT || (kind == ENTRIES_AUTO && first != '{' && first != '[')) {
        entry->text = text;
        return true;
    }
    const struct json *root = parse(reader, text);
    if (!root || (kind == ENTRIES_JSON && json_kind_of(root) != JSON_KIND_OBJECT))
        return false;
    set_node(entry, root);
    return true;
}

static int make_room(struct reader *reader, size_t n, struct err_info *reterr)
{
    reader->entries = arena_calloc(arena_of(reader), n + 1, sizeof *reader->entries);
    reader->roots = arena_calloc(arena_of(reader), n + 1, sizeof(*reader->roots));
    return reader->entries && reader->roots ? 0 : result_error(reader->result, reterr);
}

/* How many of n entries are wanted. */
static size_t cut(struct reader *reader, size_t n)
{
    reader->result->is_truncated |= n > reader->question->max_rows;
    return n < reader->question->max_rows ? n : reader->question->max_rows;
}

static int read_list(struct reader *reader, const struct resp *reply, struct err_info *reterr)
{
    size_t n = cut(reader, reply->n);
    int res = make_room(reader, n, reterr);

    reader->result->is_oldest_last = true;
    for (size_t i = 0; res == 0 && i < n; i++) {
        size_t place = reader->question->is_newest_first ? i : reply->n - 1 - i;
        struct entry *entry = add_entry(reader);
        if (!set_member(reader, entry, reply->items[place].text))
            skip_entry(reader);
    }
    return res;
}

static int read_sorted_set(struct reader *reader, const struct resp *reply, struct err_info *reterr)
{
    int64_t unit_us = reader->question->us_per_score;
    size_t n = cut(reader, reply->n / 2);
    int res = make_room(reader, n, reterr);

    reader->result->is_oldest_last = unit_us > 0;
    for (size_t i = 0; res == 0 && i < n; i++) {
        struct entry *entry = add_entry(reader);
        double score;
        bool is_good = str_to_real(reply->items[2 * i + 1].text, &score) == 0;
        if (unit_us == 0)
            entry->score = reply->items[2 * i + 1].text; /* "inf" is a score, too */
        else if (is_good && fabs(score) < (double)INT64_MAX / (double)unit_us / 2)
            entry->time_us = (int64_t)(score * (double)unit_us);
        if (!set_member(reader, entry, reply->items[2 * i].text))
            skip_entry(reader);
    }
    return res;
}

/* "1526919030474-0" */
static int64_t time_of_id(struct str id)
{
    struct str rest = id, ms;
    int64_t value;
    if (!str_next_part(&rest, '-', &ms) || str_to_int(ms, &value) < 0 || value < 0 ||
        value > INT64_MAX / US_PER_MS)
        return INT64_MIN;
    return value * US_PER_MS;
}

static int read_stream(struct reader *reader, const struct resp *reply, struct err_info *reterr)
{
    size_t n = cut(reader, reply->n);
    int res = make_room(reader, n, reterr);

    reader->result->is_oldest_last = true;
    for (size_t i = 0; res == 0 && i < n; i++) {
        const struct resp *item = &reply->items[i];
        struct entry *entry = add_entry(reader);
        if (item->kind != RESP_ARRAY || item->n != 2 || item->items[1].kind != RESP_ARRAY) {
            skip_entry(reader);
            continue;
        }
        entry->id = item->items[0].text;
        entry->time_us = time_of_id(entry->id);
        entry->pairs = item->items[1].items;
        entry->n_pairs = item->items[1].n / 2;
    }
    return res;
}

/* HSCAN: the cursor and the pairs; HMGET: the values of the fields asked for. */
static int read_hash(struct reader *reader, const struct resp *reply, struct err_info *reterr)
{
    const struct redis_question *question = reader->question;
    int res = make_room(reader, 1, reterr);
    size_t n_found = 0;

    if (res < 0)
        return res;
    if (question->n_fields > 0) {
        for (size_t i = 0; i < reply->n; i++)
            n_found += reply->items[i].kind == RESP_TEXT;
        if (n_found == 0 || reply->n != question->n_fields)
            return 0;
        *add_entry(reader) = (struct entry){
            .pairs = reply->items, .names = question->fields, .n_pairs = reply->n, .time_us = INT64_MIN};
        return 0;
    }
    if (reply->n != 2 || reply->items[1].kind != RESP_ARRAY)
        return err_set(reterr, ERR_REMOTE, "the server's reply to HSCAN is none");
    reader->has_dropped = !str_is(reply->items[0].text, "0");
    if (reply->items[1].n >= 2)
        *add_entry(reader) = (struct entry){
            .pairs = reply->items[1].items, .n_pairs = reply->items[1].n / 2, .time_us = INT64_MIN};
    return 0;
}

static int read_string(struct reader *reader, const struct resp *reply, struct err_info *reterr)
{
    struct str text = reply->text;
    int res = make_room(reader, 1, reterr);

    if (res < 0 || text.len == 0) /* a key that is not there looks like an empty one */
        return res;
    if (text.len > REDIS_MAX_STRING) {
        reader->result->is_truncated = true;
        text = utf8_prefix(text, REDIS_MAX_STRING);
    }
    if (is_text(text))
        add_entry(reader)->text = text;
    else
        reader->result->n_malformed++;
    return 0;
}

static int read_json(struct reader *reader, const struct resp *reply, struct err_info *reterr)
{
    const struct json *root;
    int res = make_room(reader, 1, reterr);

    if (res < 0 || reply->text.len == 0)
        return res;
    if (reply->text.len > REDIS_MAX_STRING)
        return err_set(reterr, ERR_LIMIT, "the value has more than %d MB of JSON",
                       REDIS_MAX_STRING / 1024 / 1024);
    root = parse(reader, reply->text);
    if (!root) {
        reader->result->n_malformed++;
        return 0;
    }
    if (json_kind_of(root) != JSON_KIND_ARRAY) {
        set_node(add_entry(reader), root);
        return 0;
    }
    size_t n = cut(reader, json_count(root));
    struct json *kept = reader->roots[0];
    res = make_room(reader, n, reterr);
    if (res < 0) {
        json_free(kept);
        reader->n_roots = 0;
        return res;
    }
    reader->roots[0] = kept;
    for (size_t i = 0; i < n; i++)
        set_node(add_entry(reader), json_at(root, i));
    return 0;
}

/* ---- columns and rows ---- */

/* The place of the column; SIZE_MAX when there are too many. `hint`: where it was in the row before. */
static size_t column_at(struct reader *reader, struct str name, size_t hint)
{
    if (hint < reader->n_columns && str_eq(reader->columns[hint], name))
        return hint;
    for (size_t i = 0; i < reader->n_columns; i++)
        if (str_eq(reader->columns[i], name))
            return i;
    if (reader->n_columns == REDIS_MAX_FIELDS) {
        reader->has_dropped = true;
        return SIZE_MAX;
    }
    struct str *columns = arena_grow(arena_of(reader), reader->columns, reader->n_columns,
                                     &reader->columns_cap, sizeof *columns);
    if (!columns)
        return SIZE_MAX; /* the arena has latched it */
    reader->columns = columns;
    columns[reader->n_columns] = arena_copy(arena_of(reader), name);
    return reader->n_columns++;
}

/* Calls for each column of the entry; values NULL: to learn the columns alone. */
static void put(struct reader *reader, struct value *values, struct str name, size_t hint, struct value value)
{
    size_t place = column_at(reader, name, hint);
    if (values && place != SIZE_MAX && values[place].type == VALUE_NULL)
        values[place] = value;
}

static struct value text_value(struct reader *reader, struct str text)
{
    if (is_text(text))
        return value_text(arena_copy(arena_of(reader), text));
    reader->result->n_malformed++;
    return value_null();
}

static void put_pairs(struct reader *reader, const struct entry *entry, struct value *values)
{
    for (size_t i = 0; i < entry->n_pairs; i++) {
        struct str name = entry->names ? entry->names[i] : entry->pairs[2 * i].text;
        const struct resp *value = &entry->pairs[entry->names ? i : 2 * i + 1];
        bool is_there = value->kind == RESP_TEXT;
        if (!is_text(name))
            continue;
        put(reader, values, name, i, values && is_there ? text_value(reader, value->text) : value_null());
    }
}

static void put_object(struct reader *reader, const struct json *object, struct value *values)
{
    const struct json *node;
    struct str name;
    size_t pos = 0;

    for (size_t i = 0; json_next_member(object, &pos, &name, &node); i++)
        put(reader, values, name, i,
            values ? value_of_json(node, MAX_CELL_BYTES, arena_of(reader)) : value_null());
}

static void put_entry(struct reader *reader, const struct entry *entry, struct value *values)
{
    double score;

    if (entry->object)
        put_object(reader, entry->object, values);
    else if (entry->pairs)
        put_pairs(reader, entry, values);
    else if (entry->scalar)
        put(reader, values, STR_LIT("value"), 0,
            values ? value_of_json(entry->scalar, MAX_CELL_BYTES, arena_of(reader)) : value_null());
    else
        put(reader, values, STR_LIT("value"), 0, values ? text_value(reader, entry->text) : value_null());
    if (entry->time_us != INT64_MIN)
        put(reader, values, STR_LIT("time"), SIZE_MAX, value_time(entry->time_us));
    if (entry->score.len > 0 && str_to_real(entry->score, &score) == 0)
        put(reader, values, STR_LIT("score"), SIZE_MAX, value_real(score));
}

static int write_rows(struct reader *reader, struct err_info *reterr)
{
    struct source_result *result = reader->result;
    struct value *values;

    for (size_t i = 0; i < reader->n_entries; i++)
        put_entry(reader, &reader->entries[i], NULL);
    if (reader->has_dropped)
        result->degraded = STR_LIT("there are more fields than are read");
    if (reader->n_columns == 0) /* nothing, or empty objects alone */
        return arena_error(&result->arena) ? result_error(result, reterr) : 0;
    result->columns = reader->columns;
    result->n_columns = reader->n_columns;
    int res = result_make_rows(result, reader->n_entries, &values, reterr);
    if (res < 0)
        return res;
    for (size_t i = 0; i < reader->n_entries; i++) {
        const struct entry *entry = &reader->entries[i];
        put_entry(reader, entry, values + i * reader->n_columns);
        result->rows[i].time_us = entry->time_us;
        if (is_text(entry->id))
            result->rows[i].id = arena_copy(&result->arena, entry->id);
    }
    result->n_rows = reader->n_entries;
    return arena_error(&result->arena) ? result_error(result, reterr) : 0;
}

int redis_read_reply(const struct redis_question *question, const struct resp *reply,
                     struct source_result *result, struct err_info *reterr)
{
    struct reader reader = {.question = question, .result = result};
    bool is_string = question->type == REDIS_STRING || question->type == REDIS_JSON;
    int res;

    if (reply->kind == RESP_ERROR)
        return redis_error(reply->text, reterr);
    if (reply->kind != (is_string ? RESP_TEXT : RESP_ARRAY))
        return err_set(reterr, ERR_REMOTE, "the server's reply is not what was asked for");
    switch (question->type) {
    case REDIS_LIST:
        res = read_list(&reader, reply, reterr);
        break;
    case REDIS_HASH:
        res = read_hash(&reader, reply, reterr);
        break;
    case REDIS_STRING:
        res = read_string(&reader, reply, reterr);
        break;
    case REDIS_SORTED_SET:
        res = read_sorted_set(&reader, reply, reterr);
        break;
    case REDIS_STREAM:
        res = read_stream(&reader, reply, reterr);
        break;
    default:
        res = read_json(&reader, reply, reterr);
        break;
    }
    if (res == 0)
        res = write_rows(&reader, reterr);
    for (size_t i = 0; i < reader.n_roots; i++)
        json_free(reader.roots[i]);
    return res;
}
