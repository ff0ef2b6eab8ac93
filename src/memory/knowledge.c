/* SPDX-License-Identifier: Apache-2.0
 *
 * Knowledge: adding, and reading by id. Everything that can be checked or computed is done
 * before the transaction, which other writers wait for. Each transaction takes one change number, stamps its
 * rows with it and touches the users whose rows they are.
 */
#include "core/json.h"
#include "memory/memory_priv.h"

#include <math.h>
#include <stdio.h>

/* ---- checks ---- */

int knowledge_check_tags(const struct str *tags, size_t n_tags, struct err_info *reterr)
{
    if (n_tags > MEMORY_MAX_TAGS)
        return err_set_field(reterr, ERR_INVALID, "tags", "%zu tags are given, the most is %d", n_tags,
                             MEMORY_MAX_TAGS);
    for (size_t i = 0; i < n_tags; i++) {
        char field[32];
        (void)snprintf(field, sizeof(field), "tags[%zu]", i);
        int err = memory_check_text(tags[i], field, MEMORY_MAX_TAG_BYTES, false, reterr);
        if (err)
            return err;
    }
    return 0;
}

int knowledge_check_importance(double importance, struct err_info *reterr)
{
    if (!(importance >= 0 && importance <= 1))
        return err_set_field(reterr, ERR_INVALID, "importance", "importance must be 0 to 1, not %g",
                             importance);
    return 0;
}

static int check_item(const struct knowledge *item, struct err_info *reterr)
{
    int err = memory_check_text(item->content, "content", MEMORY_MAX_CONTENT_BYTES, false, reterr);
    if (!err)
        err = memory_check_text(item->source, "source", MEMORY_MAX_NAME_BYTES, true, reterr);
    if (!err)
        err = memory_check_text(item->user, "user_id", MEMORY_MAX_USER_BYTES, true, reterr);
    if (!err)
        err = knowledge_check_tags(item->tags, item->n_tags, reterr);
    if (!err)
        err = memory_check_metadata(item->metadata, "metadata", reterr);
    if (!err && !isnan(item->importance))
        err = knowledge_check_importance(item->importance, reterr);
    if (!err)
        err = memory_check_time(item->created_us, "created_at", reterr);
    return err;
}

/* An item of a batch is named by its place. */
static int check_items(const struct knowledge *items, size_t n, struct err_info *reterr)
{
    if (n < 1 || n > MEMORY_MAX_BATCH)
        return err_set_field(reterr, ERR_INVALID, "items", "a batch has 1 to %d items, not %zu",
                             MEMORY_MAX_BATCH, n);
    for (size_t i = 0; i < n; i++) {
        struct err_info why;
        int err = check_item(&items[i], &why);
        if (err && n > 1 && why.field[0]) {
            char field[ERR_FIELD_SIZE + 32];
            (void)snprintf(field, sizeof(field), "items[%zu].%s", i, why.field);
            err = err_set_field(reterr, err, field, "items[%zu]: %s", i, why.message);
        } else if (err) {
            err = err_set_field(reterr, err, why.field, "%s", why.message);
        }
        if (err)
            return err;
    }
    return 0;
}

/* ---- adding ---- */

struct adding {
    struct scope scope;
    const struct knowledge *items;
    size_t n;
    const struct str *ids;
    const struct str *tags; /* as rows keep them */
    int64_t now_us;
};

static struct str user_of(const struct adding *adding, size_t idx)
{
    return adding->items[idx].user.len ? adding->items[idx].user : adding->scope.user;
}

static int insert_item(struct store_txn *txn, const struct adding *adding, size_t idx, struct str user,
                       int64_t change, struct err_info *reterr)
{
    const struct knowledge *item = &adding->items[idx];
    struct value params[] = {value_text(adding->ids[idx]),
                             value_text(adding->scope.tenant),
                             value_text(user),
                             value_text(item->content),
                             value_text(item->source),
                             value_text(adding->tags[idx]),
                             value_text(item->metadata),
                             value_real(isnan(item->importance) ? 0.5 : item->importance),
                             value_int(item->created_us ? item->created_us : adding->now_us),
                             value_int(adding->now_us),
                             value_int(change)};
    return store_exec(
        txn,
        "INSERT INTO knowledge (id, tenant, user_id, content, source, tags, metadata, importance, "
        "created_at, updated_at, change) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params, 11, reterr);
}

static int add_items(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    const struct adding *adding = arg;
    struct str touched = {NULL, 0};
    int64_t change;
    int err = memory_next_change(txn, &change, reterr);
    for (size_t i = 0; i < adding->n && !err; i++) {
        struct str user = user_of(adding, i);
        err = insert_item(txn, adding, i, user, change, reterr);
        if (!err && !str_eq(user, touched)) {
            err = store_touch(txn, adding->scope.tenant, user);
            touched = user;
        }
    }
    return err;
}

/* The tags of each item as its row keeps them. */
static int print_all_tags(const struct knowledge *items, size_t n, struct arena *arena, struct str *ret_tags)
{
    struct buf buf;
    buf_init(&buf, KNOWLEDGE_MAX_TAGS_TEXT);
    for (size_t i = 0; i < n && !buf_error(&buf); i++) {
        buf_clear(&buf);
        memory_print_tags(items[i].tags, items[i].n_tags, &buf);
        ret_tags[i] = arena_copy(arena, buf_str(&buf));
    }
    int err = buf_error(&buf) ? buf_error(&buf) : arena_error(arena);
    buf_done(&buf);
    return err;
}

/* Items of one user mostly stand together. */
static void note_writes(struct memory *memory, const struct adding *adding)
{
    for (size_t i = 0, end; i < adding->n; i = end) {
        struct str user = user_of(adding, i);
        for (end = i + 1; end < adding->n && str_eq(user_of(adding, end), user);)
            end++;
        search_note_writes(memory->search, adding->scope.tenant, user, end - i);
    }
}

int knowledge_add(struct memory *memory, const struct scope *scope, const struct knowledge *items, size_t n,
                  struct arena *arena, struct str *ret_ids, struct err_info *reterr)
{
    struct adding adding = {.items = items, .n = n, .now_us = clock_wall_us(memory->clock)};
    int err = memory_check_scope(scope, &adding.scope, reterr);
    if (!err)
        err = check_items(items, n, reterr);
    if (err)
        return err;
    struct str *ids = arena_calloc(arena, n, sizeof(*ids));
    struct str *tags = arena_calloc(arena, n, sizeof(*tags));
    err = arena_error(arena);
    for (size_t i = 0; i < n && !err; i++) {
        char id[MEMORY_ID_SIZE];
        memory_make_id("mem_", id);
        ids[i] = arena_copy(arena, str_of(id));
    }
    if (!err)
        err = print_all_tags(items, n, arena, tags);
    if (err)
        return err_set(reterr, err, "no memory left for adding %zu items", n);
    adding.ids = ids;
    adding.tags = tags;
    err = store_write(memory->store, add_items, &adding, reterr);
    if (err)
        return err;
    memcpy(ret_ids, ids, n * sizeof(*ids));
    note_writes(memory, &adding);
    return 0;
}

/* ---- reading ---- */

int knowledge_read(const struct value *columns, struct arena *arena, int64_t *ret_row,
                   struct knowledge *ret_item, struct err_info *reterr)
{
    struct knowledge item = {.id = memory_copy_text(arena, columns[1]),
                             .user = memory_copy_text(arena, columns[2]),
                             .content = memory_copy_text(arena, columns[3]),
                             .source = memory_copy_text(arena, columns[4]),
                             .metadata = memory_copy_text(arena, columns[6]),
                             .importance = memory_real_of(columns[7]),
                             .created_us = memory_int_of(columns[8]),
                             .updated_us = memory_int_of(columns[9])};
    int err = memory_parse_tags(columns[5].text, arena, &item.tags, &item.n_tags, reterr);
    if (!err && arena_error(arena))
        err = err_set(reterr, arena_error(arena), "the answer is larger than a request may hold");
    if (err)
        return err;
    *ret_row = memory_int_of(columns[0]);
    *ret_item = item;
    return 0;
}

struct getting {
    struct str tenant, id;
    struct arena *arena;
    struct knowledge item;
    bool was_found;
};

static int get_row(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    struct getting *getting = arg;
    int64_t row;
    (void)n_columns;
    getting->was_found = true;
    return knowledge_read(columns, getting->arena, &row, &getting->item, reterr);
}

static int get_item(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    struct getting *getting = arg;
    struct value params[] = {value_text(getting->tenant), value_text(getting->id)};
    return store_query(
        txn, "SELECT " KNOWLEDGE_COLUMNS " FROM knowledge WHERE tenant = ?1 AND id = ?2 AND is_deleted = 0",
        params, 2, get_row, getting, reterr);
}

int knowledge_get(struct memory *memory, const struct scope *scope, struct str id, struct arena *arena,
                  struct knowledge *ret_item, struct err_info *reterr)
{
    struct scope full;
    int err = memory_check_scope(scope, &full, reterr);
    if (err)
        return err;
    struct getting getting = {.tenant = full.tenant, .id = id, .arena = arena};
    err = store_read(memory->store, get_item, &getting, reterr);
    if (err)
        return err;
    if (!getting.was_found)
        return 1;
    *ret_item = getting.item;
    return 0;
}
