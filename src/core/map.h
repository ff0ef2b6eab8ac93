/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash map from byte strings to pointers; keys are copied, values borrowed. Seeded per map, so
 * that keys from outside cannot be chosen to collide. Not thread-safe.
 */
#ifndef PRECIS_CORE_MAP_H
#define PRECIS_CORE_MAP_H

#include "core/str.h"

struct map_entry {
    struct str key;
    void *value;
    uint64_t hash;
};

struct map {
    struct map_entry *entries; /* open addressing; key.ptr NULL is free */
    size_t n;
    size_t cap; /* 0 or a power of two */
    uint64_t seed;
};

void map_init(struct map *map);
void map_done(struct map *map); /* frees keys, not values */
/* The value, or NULL. */
void *map_get(const struct map *map, struct str key);
/* Sets or replaces; *ret_old (may be NULL) gets the value before or NULL. ERR_NOMEM leaves the map
 * as it was. */
int map_put(struct map *map, struct str key, void *value, void **ret_old);
/* Removes; returns the value that was there, or NULL. */
void *map_remove(struct map *map, struct str key);
/* Walks all entries in no stated order: start with *pos = 0; NULL at the end. The map must not change. */
const struct map_entry *map_next(const struct map *map, size_t *pos);

#endif
