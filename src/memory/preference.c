/* SPDX-License-Identifier: Apache-2.0
 *
 * Preferences: one JSON value a key, per tenant and user. Setting a key again replaces its value; its
 * category stays when none is given.
 */
#include "core/json.h"
#include "memory/memory_priv.h"

static int check_value(struct str value, struct err_info *reterr)
{
    struct json *root;
    struct err_info why;
    int err = memory_check_text(value, "value", MEMORY_MAX_METADATA_BYTES, false, reterr);
    if (err)
        return err;
    err = json_parse(value, MEMORY_MAX_JSON_DEPTH, &root, &why);
    if (err == ERR_NOMEM)
        return err_set(reterr, err, "out of memory while reading a value");
    if (err)
        return err_set_field(reterr, ERR_INVALID, "value", "value is no valid JSON: %s", why.message);
    json_free(root);
    return 0;
}

struct setting {
    struct scope scope;
    const struct preference *preference;
    int64_t now_us;
};

static int set_value(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    const struct setting *setting = arg;
    const struct preference *preference = setting->preference;
    struct value params[] = {value_text(setting->scope.tenant), value_text(setting->scope.user),
                             value_text(preference->key),       value_text(preference->value),
                             value_text(preference->category),  value_int(setting->now_us)};
    int err =
        store_exec(txn,
                   "INSERT INTO preferences (tenant, user_id, key, value, category, created_at, updated_at) "
                   "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT (tenant, user_id, key) DO UPDATE SET "
                   "value = excluded.value, updated_at = excluded.updated_at, category = CASE "
                   "WHEN excluded.category = '' THEN preferences.category ELSE excluded.category END",
                   params, 6, reterr);
    if (!err)
        err = store_touch(txn, setting->scope.tenant, setting->scope.user);
    return err;
}

int preference_set(struct memory *memory, const struct scope *scope, const struct preference *preference,
                   struct err_info *reterr)
{
    struct setting setting = {.preference = preference, .now_us = clock_wall_us(memory->clock)};
    int err = memory_check_scope(scope, &setting.scope, reterr);
    if (!err)
        err = memory_check_text(preference->key, "key", MEMORY_MAX_NAME_BYTES, false, reterr);
    if (!err)
        err = memory_check_text(preference->category, "category", MEMORY_MAX_NAME_BYTES, true, reterr);
    if (!err)
        err = check_value(preference->value, reterr);
    if (!err)
        err = store_write(memory->store, set_value, &setting, reterr);
    return err;
}

/* ---- reading ---- */

struct reading {
    struct scope scope;
    struct str key, category;
    struct arena *arena;
    struct preference *preferences;
    size_t n, cap;
};

static int read_preference(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    struct reading *reading = arg;
    struct arena *arena = reading->arena;
    (void)n_columns;
    reading->preferences =
        arena_grow(arena, reading->preferences, reading->n, &reading->cap, sizeof(*reading->preferences));
    if (reading->preferences)
        reading->preferences[reading->n++] =
            (struct preference){.key = memory_copy_text(arena, columns[0]),
                                .value = memory_copy_text(arena, columns[1]),
                                .category = memory_copy_text(arena, columns[2]),
                                .created_us = memory_int_of(columns[3]),
                                .updated_us = memory_int_of(columns[4])};
    if (arena_error(arena))
        return err_set(reterr, arena_error(arena), "the answer is larger than a request may hold");
    return 0;
}

#define PREFERENCE_COLUMNS "key, value, category, created_at, updated_at"

static int get_value(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    struct reading *reading = arg;
    struct value params[] = {value_text(reading->scope.tenant), value_text(reading->scope.user),
                             value_text(reading->key)};
    return store_query(
        txn, "SELECT " PREFERENCE_COLUMNS " FROM preferences WHERE tenant = ?1 AND user_id = ?2 AND key = ?3",
        params, 3, read_preference, reading, reterr);
}

int preference_get(struct memory *memory, const struct scope *scope, struct str key, struct arena *arena,
                   struct preference *ret_preference, struct err_info *reterr)
{
    struct reading reading = {.key = key, .arena = arena};
    int err = memory_check_scope(scope, &reading.scope, reterr);
    if (!err)
        err = store_read(memory->store, get_value, &reading, reterr);
    if (err)
        return err;
    if (!reading.n)
        return 1;
    *ret_preference = reading.preferences[0];
    return 0;
}

static int list_values(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    struct reading *reading = arg;
    struct value params[] = {value_text(reading->scope.tenant), value_text(reading->scope.user),
                             value_text(reading->category)};
    return store_query(txn,
                       "SELECT " PREFERENCE_COLUMNS " FROM preferences WHERE tenant = ?1 AND user_id = ?2 "
                       "AND (?3 = '' OR category = ?3) ORDER BY key",
                       params, 3, read_preference, reading, reterr);
}

int preference_list(struct memory *memory, const struct scope *scope, struct str category,
                    struct arena *arena, struct preference **ret_preferences, size_t *ret_n,
                    struct err_info *reterr)
{
    struct reading reading = {.category = category, .arena = arena};
    int err = memory_check_scope(scope, &reading.scope, reterr);
    if (!err)
        err = store_read(memory->store, list_values, &reading, reterr);
    if (err)
        return err;
    *ret_preferences = reading.preferences;
    *ret_n = reading.n;
    return 0;
}

/* ---- deleting ---- */

struct deleting {
    struct scope scope;
    struct str key;
    bool was_found;
};

static int delete_value(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    struct deleting *deleting = arg;
    struct value params[] = {value_text(deleting->scope.tenant), value_text(deleting->scope.user),
                             value_text(deleting->key)};
    int err = store_exec(txn, "DELETE FROM preferences WHERE tenant = ?1 AND user_id = ?2 AND key = ?3",
                         params, 3, reterr);
    if (err)
        return err;
    deleting->was_found = store_changes(txn) > 0;
    return deleting->was_found ? store_touch(txn, deleting->scope.tenant, deleting->scope.user) : 0;
}

int preference_delete(struct memory *memory, const struct scope *scope, struct str key,
                      struct err_info *reterr)
{
    struct deleting deleting = {.key = key};
    int err = memory_check_scope(scope, &deleting.scope, reterr);
    if (!err)
        err = store_write(memory->store, delete_value, &deleting, reterr);
    if (!err && !deleting.was_found)
        err = 1;
    return err;
}
