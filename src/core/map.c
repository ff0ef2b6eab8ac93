/* SPDX-License-Identifier: Apache-2.0
 *
 * Open addressing with linear probing; removal shifts followers back, so there are no tombstones.
 */
#include "core/map.h"

#include "core/err.h"
#include "core/mem.h"

#include <sys/random.h>

#define FIRST_CAP 16

void map_init(struct map *map)
{
    *map = (struct map){0};
    /* Without entropy the map still works, its order is only easier to guess. */
    if (getrandom(&map->seed, sizeof(map->seed), GRND_NONBLOCK) != sizeof(map->seed))
        map->seed = (uint64_t)(uintptr_t)map * UINT64_C(0x9e3779b97f4a7c15);
}

void map_done(struct map *map)
{
    for (size_t i = 0; i < map->cap; i++)
        mem_free((char *)map->entries[i].key.ptr);
    map->entries = mem_free(map->entries);
    map->n = map->cap = 0;
}

/* The entry of that key, or the free one where it would go. */
static struct map_entry *find_slot(struct map_entry *entries, size_t cap, struct str key, uint64_t hash)
{
    size_t idx = hash & (cap - 1);
    while (entries[idx].key.ptr && (entries[idx].hash != hash || !str_eq(entries[idx].key, key)))
        idx = (idx + 1) & (cap - 1);
    return &entries[idx];
}

void *map_get(const struct map *map, struct str key)
{
    if (!map->n)
        return NULL;
    const struct map_entry *entry = find_slot(map->entries, map->cap, key, str_hash(key, map->seed));
    return entry->key.ptr ? entry->value : NULL;
}

static int grow(struct map *map)
{
    size_t cap = map->cap ? map->cap * 2 : FIRST_CAP;
    struct map_entry *entries = mem_calloc(cap, sizeof(*entries));
    if (!entries)
        return ERR_NOMEM;
    for (size_t i = 0; i < map->cap; i++)
        if (map->entries[i].key.ptr)
            *find_slot(entries, cap, map->entries[i].key, map->entries[i].hash) = map->entries[i];
    mem_free(map->entries);
    map->entries = entries;
    map->cap = cap;
    return 0;
}

int map_put(struct map *map, struct str key, void *value, void **ret_old)
{
    if ((map->n + 1) * 4 > map->cap * 3) { /* three quarters full at most */
        int err = grow(map);
        if (err)
            return err;
    }
    uint64_t hash = str_hash(key, map->seed);
    struct map_entry *entry = find_slot(map->entries, map->cap, key, hash);
    void *old = entry->key.ptr ? entry->value : NULL;
    if (!entry->key.ptr) {
        char *copy = mem_alloc(key.len);
        if (!copy)
            return ERR_NOMEM;
        if (key.len)
            memcpy(copy, key.ptr, key.len);
        *entry = (struct map_entry){.key = str_make(copy, key.len), .hash = hash};
        map->n++;
    }
    entry->value = value;
    if (ret_old)
        *ret_old = old;
    return 0;
}

void *map_remove(struct map *map, struct str key)
{
    if (!map->n)
        return NULL;
    struct map_entry *entry = find_slot(map->entries, map->cap, key, str_hash(key, map->seed));
    if (!entry->key.ptr)
        return NULL;
    void *value = entry->value;
    mem_free((char *)entry->key.ptr);
    map->n--;
    size_t hole = (size_t)(entry - map->entries);
    for (size_t idx = (hole + 1) & (map->cap - 1); map->entries[idx].key.ptr;
         idx = (idx + 1) & (map->cap - 1)) {
        size_t home = map->entries[idx].hash & (map->cap - 1);
        /* May move into the hole unless its home lies behind it, cyclically. */
        if (((idx - home) & (map->cap - 1)) >= ((idx - hole) & (map->cap - 1))) {
            map->entries[hole] = map->entries[idx];
            hole = idx;
        }
    }
    map->entries[hole] = (struct map_entry){0};
    return value;
}

const struct map_entry *map_next(const struct map *map, size_t *pos)
{
    while (*pos < map->cap) {
        const struct map_entry *entry = &map->entries[(*pos)++];
        if (entry->key.ptr)
            return entry;
    }
    return NULL;
}
