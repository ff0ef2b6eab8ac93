/* SPDX-License-Identifier: Apache-2.0
 *
 * A shelf keeps shared objects under 256-bit keys, within bytes and entries: the least recently used go
 * first. It is cut into parts with a lock each. Thread-safe.
 */
#ifndef PRECIS_BUILD_SHELF_H
#define PRECIS_BUILD_SHELF_H

#include "core/str.h"

struct shelf_key {
    unsigned char bytes[32]; /* a keyed digest: uniform, and nobody can aim at it */
};

/* What a shelf holds, with the references it takes and drops. */
struct shelf_ops {
    void (*hold)(void *object);
    void (*unref)(void *object);
};

struct shelf;

int shelf_new(const struct shelf_ops *ops, size_t max_bytes, size_t max_entries, struct shelf **ret_shelf);
struct shelf *shelf_free(struct shelf *shelf);

/* What an entry must fulfil to be found; one that does not is taken out. */
struct shelf_fresh {
    int64_t now_us;
    uint64_t version;
};
/* A reference to the object, or NULL. */
void *shelf_get(struct shelf *shelf, const struct shelf_key *key, struct shelf_fresh fresh);
/* Holds the object; replaces what stands under the key. Without memory, or when it is larger than its part of
 * the shelf, the object is not kept and what stood there is gone. */
void shelf_put(struct shelf *shelf, const struct shelf_key *key, void *object, size_t bytes,
               struct str tenant, uint64_t version, int64_t expires_us);
/* Drops the tenant's expired entries, or all the tenant's; returns how many went. */
size_t shelf_clear(struct shelf *shelf, struct str tenant, int64_t now_us, bool is_all);

struct shelf_stats {
    size_t n_entries, bytes;
    uint64_t n_evicted, n_expired; /* expired: found too old or of an older version */
};
void shelf_describe(struct shelf *shelf, struct shelf_stats *ret_stats);

#endif
