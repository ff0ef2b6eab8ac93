/* SPDX-License-Identifier: Apache-2.0
 *
 * The public face: finds the engine of a URL's scheme and passes on. Everything here may be called from any
 * thread; a transaction belongs to the thread its function runs on.
 */
#include "store/store_priv.h"

#include "core/mem.h"

#include <assert.h>

static const struct store_ops *const engines[] = {&store_sqlite};

/* *ret_address: what follows "scheme:". */
static int find_engine(const char *url, const struct store_ops **ret_ops, const char **ret_address,
                       struct err_info *reterr)
{
    struct str rest = str_of(url), scheme;

    if (str_next_part(&rest, ':', &scheme) && rest.ptr) {
        for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++) {
            if (str_is(scheme, engines[i]->scheme) && rest.len > 0) {
                *ret_ops = engines[i];
                *ret_address = rest.ptr;
                return 0;
            }
        }
    }
    return err_set_field(reterr, ERR_INVALID, "store", "'%s' names no store; write sqlite:PATH", url);
}

int store_open(const struct store_options *options, struct store **ret_store, struct err_info *reterr)
{
    const char *address;
    struct store *store = mem_calloc(1, sizeof *store);
    int r;

    if (!store)
        return err_set(reterr, ERR_NOMEM, "out of memory opening the store");
    r = find_engine(options->url, &store->ops, &address, reterr);
    if (r < 0)
        goto done;
    r = store->ops->on_open(address, options, &store->versions, &store->engine, reterr);
    if (r < 0)
        goto done;
    if (!options->is_read_only)
        r = queue_new(store, &store->queue, reterr);
    if (r < 0)
        goto done;
    *ret_store = store;
    store = NULL;
done:
    store_close(store);
    return r;
}

struct store *store_close(struct store *store)
{
    if (!store)
        return NULL;
    queue_free(store->queue);
    if (store->engine)
        store->ops->on_close(store->engine);
    versions_close(&store->versions);
    return mem_free(store);
}

int store_write(struct store *store, store_txn_fn fn, void *arg, struct err_info *reterr)
{
    if (!store->queue)
        return err_set(reterr, ERR_FORBIDDEN, "the store is open for reading only");
    return queue_write(store->queue, fn, arg, reterr);
}

int store_read(struct store *store, store_txn_fn fn, void *arg, struct err_info *reterr)
{
    struct store_txn txn = {.store = store};
    int r = store->ops->on_read_begin(store->engine, &txn.conn, reterr);

    if (r < 0)
        return r;
    r = fn(&txn, arg, reterr);
    store->ops->on_read_end(store->engine, txn.conn);
    return r;
}

int store_exec(struct store_txn *txn, const char *sql, const struct value *params, size_t n_params,
               struct err_info *reterr)
{
    txn->n_changes = 0;
    return txn->store->ops->on_statement(txn->conn, sql, params, n_params, NULL, NULL, &txn->n_changes,
                                         reterr);
}

int store_query(struct store_txn *txn, const char *sql, const struct value *params, size_t n_params,
                store_row_fn on_row, void *arg, struct err_info *reterr)
{
    return txn->store->ops->on_statement(txn->conn, sql, params, n_params, on_row, arg, NULL, reterr);
}

int64_t store_changes(const struct store_txn *txn)
{
    return txn->n_changes;
}

int store_touch(struct store_txn *txn, struct str tenant, struct str user)
{
    size_t slot = versions_slot(tenant, user);

    assert(txn->touched); /* a read changes nothing */
    txn->touched[slot / 64] |= UINT64_C(1) << (slot % 64);
    return 0;
}

uint64_t store_version(const struct store *store, struct str tenant, struct str user)
{
    return versions_get(&store->versions, versions_slot(tenant, user));
}

void store_identity(const struct store *store, unsigned char ret_identity[STORE_IDENTITY_BYTES])
{
    memcpy(ret_identity, store->versions.identity, STORE_IDENTITY_BYTES);
}

int store_backup(struct store *store, const char *path, store_progress_fn progress, void *arg,
                 struct err_info *reterr)
{
    return store->ops->on_backup(store->engine, path, progress, arg, reterr);
}

int store_restore(const char *url, const char *backup_path, struct err_info *reterr)
{
    const struct store_ops *ops;
    const char *address;
    int r = find_engine(url, &ops, &address, reterr);

    return r < 0 ? r : ops->on_restore(address, backup_path, reterr);
}

int store_check(struct store *store, struct err_info *reterr)
{
    return store->ops->on_check(store->engine, reterr);
}

int store_describe(struct store *store, struct store_info *ret_info, struct err_info *reterr)
{
    struct store_info info = {.engine = store->ops->scheme};
    int r = store->ops->on_describe(store->engine, &info, reterr);

    if (r < 0)
        return r;
    if (store->queue)
        queue_describe(store->queue, &info);
    *ret_info = info;
    return 0;
}
