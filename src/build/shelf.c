/* SPDX-License-Identifier: Apache-2.0
 *
 * Sharded least-recently-used table. Invariant of a part: an entry is in one bucket chain and in the part's
 * list, and the part's bytes and count are the sums over the list. Objects are unreferenced after the lock is
 * let go, since the last reference may free a lot.
 */
#include "build/shelf.h"

#include "core/err.h"
#include "core/mem.h"

#include <pthread.h>

#define SHELF_MAX_PARTS 16
#define SHELF_MIN_PART_BYTES                                                                                 \
    ((size_t)1024 * 1024) /* an answer is tens of kilobytes: a part must hold a good number */
#define SHELF_MAX_BUCKETS ((size_t)1 << 16)

struct shelf_entry {
    struct shelf_entry *chain;
    struct shelf_entry *newer, *older;
    struct shelf_key key;
    void *object;
    size_t bytes;
    uint64_t version;
    int64_t expires_us;
    size_t tenant_len;
    char tenant[];
};

struct shelf_part {
    pthread_mutex_t lock;
    struct shelf_entry **buckets;
    struct shelf_entry *newest, *oldest;
    struct shelf_stats stats;
};

struct shelf {
    const struct shelf_ops *ops;
    size_t n_parts;                /* a power of two */
    size_t n_buckets;              /* of a part; a power of two */
    size_t max_bytes, max_entries; /* of a part */
    struct shelf_part parts[SHELF_MAX_PARTS];
};

static uint64_t key_word(const struct shelf_key *key, size_t idx)
{
    uint64_t word;
    memcpy(&word, key->bytes + idx * sizeof word, sizeof word);
    return word;
}

static struct shelf_part *part_of(struct shelf *shelf, const struct shelf_key *key)
{
    return &shelf->parts[key_word(key, 0) & (shelf->n_parts - 1)];
}

static struct shelf_entry **chain_of(struct shelf *shelf, struct shelf_part *part,
                                     const struct shelf_key *key)
{
    return &part->buckets[key_word(key, 1) & (shelf->n_buckets - 1)];
}

static size_t power_of_two_up_to(size_t limit, size_t most)
{
    size_t power = 1;
    while (power * 2 <= limit && power < most)
        power *= 2;
    return power;
}

int shelf_new(const struct shelf_ops *ops, size_t max_bytes, size_t max_entries, struct shelf **ret_shelf)
{
    struct shelf *shelf = mem_calloc(1, sizeof *shelf);
    if (!shelf)
        return ERR_NOMEM;
    shelf->ops = ops;
    shelf->n_parts = power_of_two_up_to(max_bytes / SHELF_MIN_PART_BYTES, SHELF_MAX_PARTS);
    /* Few entries are counted exactly: one part. */
    if (max_entries < SHELF_MAX_PARTS * SHELF_MAX_PARTS)
        shelf->n_parts = 1;
    shelf->max_bytes = max_bytes / shelf->n_parts;
    shelf->max_entries = max_entries / shelf->n_parts;
    shelf->n_buckets = power_of_two_up_to(shelf->max_entries * 2, SHELF_MAX_BUCKETS);
    for (size_t i = 0; i < shelf->n_parts; i++)
        (void)pthread_mutex_init(&shelf->parts[i].lock, NULL); /* cannot fail for a plain mutex on Linux */
    for (size_t i = 0; i < shelf->n_parts; i++) {
        shelf->parts[i].buckets = mem_calloc(shelf->n_buckets, sizeof *shelf->parts[i].buckets);
        if (!shelf->parts[i].buckets) {
            shelf_free(shelf);
            return ERR_NOMEM;
        }
    }
    *ret_shelf = shelf;
    return 0;
}

struct shelf *shelf_free(struct shelf *shelf)
{
    if (!shelf)
        return NULL;
    for (size_t i = 0; i < shelf->n_parts; i++) {
        struct shelf_part *part = &shelf->parts[i];
        while (part->newest) {
            struct shelf_entry *entry = part->newest;
            part->newest = entry->older;
            shelf->ops->unref(entry->object);
            mem_free(entry);
        }
        mem_free(part->buckets);
        (void)pthread_mutex_destroy(&part->lock);
    }
    return mem_free(shelf);
}

/* ---- under a part's lock ---- */

static struct shelf_entry *part_find(struct shelf *shelf, struct shelf_part *part,
                                     const struct shelf_key *key)
{
    struct shelf_entry *entry = *chain_of(shelf, part, key);
    while (entry && memcmp(&entry->key, key, sizeof *key) != 0)
        entry = entry->chain;
    return entry;
}

static void list_remove(struct shelf_part *part, struct shelf_entry *entry)
{
    *(entry->newer ? &entry->newer->older : &part->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &part->oldest) = entry->newer;
}

static void list_put_newest(struct shelf_part *part, struct shelf_entry *entry)
{
    entry->newer = NULL;
    entry->older = part->newest;
    *(part->newest ? &part->newest->newer : &part->oldest) = entry;
    part->newest = entry;
}

/* Moves the entry to the heap of those that are freed after unlocking. */
static void part_take_out(struct shelf *shelf, struct shelf_part *part, struct shelf_entry *entry,
                          struct shelf_entry **gone)
{
    struct shelf_entry **link = chain_of(shelf, part, &entry->key);
    while (*link != entry)
        link = &(*link)->chain;
    *link = entry->chain;
    list_remove(part, entry);
    part->stats.n_entries--;
    part->stats.bytes -= entry->bytes;
    entry->chain = *gone;
    *gone = entry;
}

static void part_make_room(struct shelf *shelf, struct shelf_part *part, size_t bytes,
                           struct shelf_entry **gone)
{
    while (part->oldest &&
           (part->stats.bytes + bytes > shelf->max_bytes || part->stats.n_entries + 1 > shelf->max_entries)) {
        part_take_out(shelf, part, part->oldest, gone);
        part->stats.n_evicted++;
    }
}

/* ---- the operations ---- */

static size_t free_all(struct shelf *shelf, struct shelf_entry *gone)
{
    size_t n = 0;
    while (gone) {
        struct shelf_entry *entry = gone;
        gone = entry->chain;
        shelf->ops->unref(entry->object);
        mem_free(entry);
        n++;
    }
    return n;
}

void *shelf_get(struct shelf *shelf, const struct shelf_key *key, struct shelf_fresh fresh)
{
    struct shelf_part *part = part_of(shelf, key);
    struct shelf_entry *gone = NULL;
    void *object = NULL;

    pthread_mutex_lock(&part->lock);
    struct shelf_entry *entry = part_find(shelf, part, key);
    if (entry && (entry->version != fresh.version || entry->expires_us <= fresh.now_us)) {
        part_take_out(shelf, part, entry, &gone);
        part->stats.n_expired++;
    } else if (entry) {
        list_remove(part, entry);
        list_put_newest(part, entry);
        object = entry->object;
        shelf->ops->hold(object);
    }
    pthread_mutex_unlock(&part->lock);
    (void)free_all(shelf, gone);
    return object;
}

static struct shelf_entry *entry_new(const struct shelf_key *key, size_t bytes, struct str tenant,
                                     uint64_t version, int64_t expires_us)
{
    struct shelf_entry *entry = mem_alloc(sizeof *entry + tenant.len);
    if (!entry)
        return NULL;
    *entry = (struct shelf_entry){
        .key = *key, .bytes = bytes, .version = version, .expires_us = expires_us, .tenant_len = tenant.len};
    if (tenant.len)
        memcpy(entry->tenant, tenant.ptr, tenant.len);
    return entry;
}

void shelf_put(struct shelf *shelf, const struct shelf_key *key, void *object, size_t bytes,
               struct str tenant, uint64_t version, int64_t expires_us)
{
    struct shelf_part *part = part_of(shelf, key);
    struct shelf_entry *gone = NULL;
    bytes += sizeof(struct shelf_entry) + tenant.len;
    bool may_fit = bytes <= shelf->max_bytes && shelf->max_entries > 0;
    struct shelf_entry *entry = may_fit ? entry_new(key, bytes, tenant, version, expires_us) : NULL;

    pthread_mutex_lock(&part->lock);
    struct shelf_entry *old = part_find(shelf, part, key);
    if (old)
        part_take_out(shelf, part, old, &gone);
    if (entry) {
        part_make_room(shelf, part, bytes, &gone);
        struct shelf_entry **chain = chain_of(shelf, part, key);
        entry->chain = *chain;
        *chain = entry;
        entry->object = object;
        shelf->ops->hold(object);
        list_put_newest(part, entry);
        part->stats.n_entries++;
        part->stats.bytes += bytes;
    }
    pthread_mutex_unlock(&part->lock);
    (void)free_all(shelf, gone);
}

size_t shelf_clear(struct shelf *shelf, struct str tenant, int64_t now_us, bool is_all)
{
    size_t n = 0;
    for (size_t i = 0; i < shelf->n_parts; i++) {
        struct shelf_part *part = &shelf->parts[i];
        struct shelf_entry *gone = NULL;
        pthread_mutex_lock(&part->lock);
        for (struct shelf_entry *entry = part->newest, *older; entry; entry = older) {
            older = entry->older;
            if (str_eq(str_make(entry->tenant, entry->tenant_len), tenant) &&
                (is_all || entry->expires_us <= now_us))
                part_take_out(shelf, part, entry, &gone);
        }
        pthread_mutex_unlock(&part->lock);
        n += free_all(shelf, gone);
    }
    return n;
}

void shelf_describe(struct shelf *shelf, struct shelf_stats *ret_stats)
{
    *ret_stats = (struct shelf_stats){0};
    for (size_t i = 0; i < shelf->n_parts; i++) {
        struct shelf_part *part = &shelf->parts[i];
        pthread_mutex_lock(&part->lock);
        ret_stats->n_entries += part->stats.n_entries;
        ret_stats->bytes += part->stats.bytes;
        ret_stats->n_evicted += part->stats.n_evicted;
        ret_stats->n_expired += part->stats.n_expired;
        pthread_mutex_unlock(&part->lock);
    }
}
