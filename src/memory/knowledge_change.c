/* SPDX-License-Identifier: Apache-2.0
 *
 * Changing and deleting knowledge. A change keeps the old row in the history; a deletion leaves nothing of
 * either but an empty stub, by which the index learns of it.
 */
#include "memory/memory_priv.h"

/* ---- changing ---- */

/* The owner of a row, copied out: a statement cannot run inside another's row. */
struct owner {
    char user[MEMORY_MAX_USER_BYTES];
    size_t user_len;
};

static int read_owner(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    struct owner *owner = arg;
    (void)n_columns;
    if (columns[0].text.len > sizeof(owner->user))
        return err_set(reterr, ERR_CORRUPT, "a row's user is longer than can have been written");
    owner->user_len = columns[0].text.len;
    memcpy(owner->user, columns[0].text.ptr, owner->user_len);
    return 0;
}

/* Tells caches and the index of the row's user. */
static int touch_owner(struct store_txn *txn, struct str tenant, struct str id, struct err_info *reterr)
{
    struct owner owner = {.user_len = 0};
    struct value params[] = {value_text(tenant), value_text(id)};
    int err = store_query(txn, "SELECT user_id FROM knowledge WHERE tenant = ?1 AND id = ?2", params, 2,
                          read_owner, &owner, reterr);
    if (!err)
        err = store_touch(txn, tenant, str_make(owner.user, owner.user_len));
    return err;
}

struct updating {
    struct str tenant, id, tags;
    const struct knowledge_patch *patch;
    int64_t now_us;
    bool was_found;
};

static int keep_old_row(struct store_txn *txn, struct updating *updating, struct err_info *reterr)
{
    struct value params[] = {value_text(updating->tenant), value_text(updating->id),
                             value_int(updating->now_us)};
    int err =
        store_exec(txn,
                   "INSERT INTO knowledge_history (id, tenant, user_id, content, source, tags, metadata, "
                   "importance, replaced_at) SELECT id, tenant, user_id, content, source, tags, metadata, "
                   "importance, ?3 FROM knowledge WHERE tenant = ?1 AND id = ?2 AND is_deleted = 0",
                   params, 3, reterr);
    if (!err)
        updating->was_found = store_changes(txn) > 0;
    return err;
}

static int update_item(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    struct updating *updating = arg;
    const struct knowledge_patch *patch = updating->patch;
    const struct knowledge *item = &patch->item;
    int64_t change = 0;
    int err = keep_old_row(txn, updating, reterr);
    if (err || !updating->was_found)
        return err;
    err = memory_next_change(txn, &change, reterr);
    if (err)
        return err;
    struct value params[] = {value_text(updating->tenant),
                             value_text(updating->id),
                             patch->has_content ? value_text(item->content) : value_null(),
                             patch->has_source ? value_text(item->source) : value_null(),
                             patch->has_tags ? value_text(updating->tags) : value_null(),
                             patch->has_metadata ? value_text(item->metadata) : value_null(),
                             patch->has_importance ? value_real(item->importance) : value_null(),
                             value_int(updating->now_us),
                             value_int(change)};
    err = store_exec(txn,
                     "UPDATE knowledge SET content = COALESCE(?3, content), source = COALESCE(?4, source), "
                     "tags = COALESCE(?5, tags), metadata = COALESCE(?6, metadata), "
                     "importance = COALESCE(?7, importance), updated_at = ?8, change = ?9 "
                     "WHERE tenant = ?1 AND id = ?2 AND is_deleted = 0",
                     params, 9, reterr);
    if (!err)
        err = touch_owner(txn, updating->tenant, updating->id, reterr);
    return err;
}

static int check_patch(const struct knowledge_patch *patch, struct err_info *reterr)
{
    const struct knowledge *item = &patch->item;
    if (!patch->has_content && !patch->has_source && !patch->has_tags && !patch->has_metadata &&
        !patch->has_importance)
        return err_set(reterr, ERR_INVALID,
                       "nothing to change: give content, source, tags, metadata or importance");
    int err = 0;
    if (patch->has_content)
        err = memory_check_text(item->content, "content", MEMORY_MAX_CONTENT_BYTES, false, reterr);
    if (!err && patch->has_source)
        err = memory_check_text(item->source, "source", MEMORY_MAX_NAME_BYTES, true, reterr);
    if (!err && patch->has_tags)
        err = knowledge_check_tags(item->tags, item->n_tags, reterr);
    if (!err && patch->has_metadata)
        err = memory_check_metadata(item->metadata, "metadata", reterr);
    if (!err && patch->has_importance)
        err = knowledge_check_importance(item->importance, reterr);
    return err;
}

int knowledge_update(struct memory *memory, const struct scope *scope, struct str id,
                     const struct knowledge_patch *patch, struct err_info *reterr)
{
    struct scope full;
    struct buf tags;
    int err = memory_check_scope(scope, &full, reterr);
    if (!err)
        err = check_patch(patch, reterr);
    if (err)
        return err;
    buf_init(&tags, KNOWLEDGE_MAX_TAGS_TEXT);
    if (patch->has_tags)
        memory_print_tags(patch->item.tags, patch->item.n_tags, &tags);
    struct updating updating = {.tenant = full.tenant,
                                .id = id,
                                .tags = buf_str(&tags),
                                .patch = patch,
                                .now_us = clock_wall_us(memory->clock)};
    err = buf_error(&tags) ? err_set(reterr, buf_error(&tags), "no memory left for a change")
                           : store_write(memory->store, update_item, &updating, reterr);
    buf_done(&tags);
    if (!err && !updating.was_found)
        err = 1;
    return err;
}

/* ---- deleting ---- */

int knowledge_erase(struct store_txn *txn, struct str tenant, struct str id, int64_t change_seen,
                    int64_t change, int64_t now_us, bool *ret_done, struct err_info *reterr)
{
    struct value params[] = {value_text(tenant), value_text(id), value_int(now_us), value_int(change),
                             value_int(change_seen)};
    int err = store_exec(
        txn,
        "UPDATE knowledge SET content = '', source = '', tags = '[]', metadata = '', importance = 0, "
        "is_deleted = 1, updated_at = ?3, change = ?4 "
        "WHERE tenant = ?1 AND id = ?2 AND is_deleted = 0 AND (?5 < 0 OR change = ?5)",
        params, 5, reterr);
    if (err)
        return err;
    *ret_done = store_changes(txn) > 0;
    if (!*ret_done)
        return 0;
    err = store_exec(txn, "DELETE FROM knowledge_history WHERE tenant = ?1 AND id = ?2", params, 2, reterr);
    if (!err)
        err = touch_owner(txn, tenant, id, reterr);
    return err;
}

struct deleting {
    struct str tenant, id;
    int64_t now_us;
    bool was_found;
};

static int delete_item(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    struct deleting *deleting = arg;
    int64_t change = 0;
    int err = memory_next_change(txn, &change, reterr);
    if (!err)
        err = knowledge_erase(txn, deleting->tenant, deleting->id, -1, change, deleting->now_us,
                              &deleting->was_found, reterr);
    return err;
}

int knowledge_delete(struct memory *memory, const struct scope *scope, struct str id, struct err_info *reterr)
{
    struct scope full;
    int err = memory_check_scope(scope, &full, reterr);
    if (err)
        return err;
    struct deleting deleting = {.tenant = full.tenant, .id = id, .now_us = clock_wall_us(memory->clock)};
    err = store_write(memory->store, delete_item, &deleting, reterr);
    if (!err && !deleting.was_found)
        err = 1;
    return err;
}
