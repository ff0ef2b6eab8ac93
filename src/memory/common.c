/* SPDX-License-Identifier: Apache-2.0
 *
 * What every kind of memory needs: ids, the checks before a write, readers of a row's columns, the change
 * number.
 */
#include "core/json.h"
#include "core/utf8.h"
#include "memory/memory_priv.h"

#include <assert.h>
#include <sodium.h>

#define MIN_TIME_US (INT64_C(-62135596800) * US_PER_SEC) /* year 1 */
#define END_TIME_US (INT64_C(253402300800) * US_PER_SEC) /* year 10000 */

#define BASE62 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

void memory_make_id(const char *prefix, char ret_id[MEMORY_ID_SIZE])
{
    size_t len = strlen(prefix);
    assert(len + MEMORY_ID_RANDOM_CHARS < MEMORY_ID_SIZE);
    memcpy(ret_id, prefix, len);
    unsigned __int128 bits;
    randombytes_buf(&bits, sizeof(bits));
    for (int i = 0; i < MEMORY_ID_RANDOM_CHARS; i++) {
        ret_id[len++] = BASE62[bits % 62];
        bits /= 62;
    }
    ret_id[len] = '\0';
}

struct scope memory_scope(const struct scope *scope)
{
    struct scope full = *scope;
    if (str_is_empty(full.user))
        full.user = STR_LIT(MEMORY_DEFAULT_USER);
    return full;
}

int memory_check_scope(const struct scope *scope, struct scope *ret_scope, struct err_info *reterr)
{
    struct scope full = memory_scope(scope);
    int err = memory_check_text(full.tenant, "tenant", MEMORY_MAX_NAME_BYTES, false, reterr);
    if (!err)
        err = memory_check_text(full.user, "user_id", MEMORY_MAX_USER_BYTES, false, reterr);
    if (!err)
        *ret_scope = full;
    return err;
}

int memory_check_text(struct str text, const char *field, size_t max_bytes, bool may_be_empty,
                      struct err_info *reterr)
{
    if (!text.len)
        return may_be_empty ? 0 : err_set_field(reterr, ERR_INVALID, field, "%s must not be empty", field);
    if (text.len > max_bytes)
        return err_set_field(reterr, ERR_INVALID, field, "%s has %zu bytes, the most is %zu", field, text.len,
                             max_bytes);
    size_t n_good = utf8_valid_prefix(text);
    if (n_good < text.len)
        return err_set_field(reterr, ERR_INVALID, field, "%s is no valid UTF-8 at byte %zu", field, n_good);
    if (memchr(text.ptr, 0, text.len))
        return err_set_field(reterr, ERR_INVALID, field, "%s holds a NUL character", field);
    return 0;
}

int memory_check_metadata(struct str metadata, const char *field, struct err_info *reterr)
{
    int err = memory_check_text(metadata, field, MEMORY_MAX_METADATA_BYTES, true, reterr);
    if (err || !metadata.len)
        return err;
    struct json *root;
    struct err_info why;
    err = json_parse(metadata, MEMORY_MAX_JSON_DEPTH, &root, &why);
    if (err == ERR_NOMEM)
        return err_set(reterr, err, "out of memory while reading %s", field);
    if (err)
        return err_set_field(reterr, ERR_INVALID, field, "%s is no valid JSON: %s", field, why.message);
    enum json_kind kind = json_kind_of(root);
    json_free(root);
    if (kind != JSON_KIND_OBJECT)
        return err_set_field(reterr, ERR_INVALID, field, "%s must be a JSON object, not %s", field,
                             json_kind_name(kind));
    return 0;
}

int memory_check_time(int64_t time_us, const char *field, struct err_info *reterr)
{
    if (time_us < MIN_TIME_US || time_us >= END_TIME_US)
        return err_set_field(reterr, ERR_INVALID, field, "%s must lie in the years 1 to 9999", field);
    return 0;
}

int memory_check_limit(size_t limit, struct err_info *reterr)
{
    if (limit < 1 || limit > MEMORY_MAX_LIMIT)
        return err_set_field(reterr, ERR_INVALID, "limit", "limit must be 1 to %d, not %zu", MEMORY_MAX_LIMIT,
                             limit);
    return 0;
}

/* ---- rows ---- */

void memory_print_tags(const struct str *tags, size_t n_tags, struct buf *buf)
{
    struct json_writer writer;
    json_writer_init(&writer, buf);
    json_open_array(&writer);
    for (size_t i = 0; i < n_tags; i++)
        json_put_text(&writer, tags[i]);
    json_close_array(&writer);
}

int memory_parse_tags(struct str json, struct arena *arena, struct str **ret_tags, size_t *ret_n,
                      struct err_info *reterr)
{
    struct json *root = NULL;
    struct str *tags = NULL;
    size_t n = 0;
    if (str_is(json, "[]"))
        goto done; /* most rows have none */
    int err = json_parse(json, 1, &root, NULL);
    if (err == ERR_NOMEM)
        return err_set(reterr, err, "out of memory while reading tags");
    if (err)
        return err_set(reterr, ERR_CORRUPT, "a row's tags are not what was written");
    n = json_count(root);
    tags = arena_calloc(arena, n, sizeof(*tags));
    for (size_t i = 0; i < n && tags; i++)
        tags[i] = arena_copy(arena, json_text_of(json_at(root, i)));
done:
    json_free(root);
    *ret_tags = tags;
    *ret_n = tags ? n : 0;
    return 0;
}

struct str memory_copy_text(struct arena *arena, struct value column)
{
    bool has_text = column.type == VALUE_TEXT || column.type == VALUE_JSON || column.type == VALUE_DECIMAL;
    return has_text && column.text.len ? arena_copy(arena, column.text) : STR_LIT("");
}

int64_t memory_int_of(struct value column)
{
    switch (column.type) {
    case VALUE_INT:
        return column.integer;
    case VALUE_BOOL:
        return column.boolean;
    case VALUE_TIME:
        return column.time_us;
    default:
        return 0;
    }
}

double memory_real_of(struct value column)
{
    return column.type == VALUE_REAL ? column.real : (double)memory_int_of(column);
}

static int read_number(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    (void)n_columns;
    (void)reterr;
    *(int64_t *)arg = memory_int_of(columns[0]);
    return 0;
}

int memory_next_change(struct store_txn *txn, int64_t *ret_change, struct err_info *reterr)
{
    /* The one row also makes writers on several machines take their numbers in the order in which they
     * commit. */
    int err = store_exec(txn, "UPDATE change_counter SET value = value + 1 WHERE one = 1", NULL, 0, reterr);
    if (!err)
        err = store_query(txn, "SELECT value FROM change_counter WHERE one = 1", NULL, 0, read_number,
                          ret_change, reterr);
    return err;
}
