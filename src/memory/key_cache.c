/* SPDX-License-Identifier: Apache-2.0
 *
 * A direct-mapped table under one lock: the hash is uniform, so its first bytes are the place.
 */
#include "memory/key_cache.h"

#include "core/mem.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

#define N_PLACES 256 /* a power of two; more keys than this at once only cost a query now and then */

struct entry {
    unsigned char hash[KEY_HASH_BYTES];
    uint64_t version;
    struct api_key key; /* its texts stand in `texts` */
    char texts[];
};

struct key_cache {
    pthread_mutex_t mutex;
    struct entry *places[N_PLACES];
};

int key_cache_new(struct key_cache **ret_cache, struct err_info *reterr)
{
    struct key_cache *cache = mem_calloc(1, sizeof *cache);

    if (!cache)
        return err_set(reterr, ERR_NOMEM, "out of memory for the keys");
    (void)pthread_mutex_init(&cache->mutex, NULL);
    *ret_cache = cache;
    return 0;
}

struct key_cache *key_cache_free(struct key_cache *cache)
{
    if (!cache)
        return NULL;
    for (size_t i = 0; i < N_PLACES; i++)
        mem_free(cache->places[i]);
    (void)pthread_mutex_destroy(&cache->mutex);
    return mem_free(cache);
}

static struct entry **place_of(struct key_cache *cache, const unsigned char *hash)
{
    return &cache->places[hash[0] % N_PLACES];
}

bool key_cache_get(struct key_cache *cache, const unsigned char hash[KEY_HASH_BYTES], uint64_t version,
                   struct arena *arena, struct api_key *ret_key)
{
    const struct entry *entry;
    bool is_found;

    (void)pthread_mutex_lock(&cache->mutex);
    entry = *place_of(cache, hash);
    is_found = entry && entry->version == version && sodium_memcmp(entry->hash, hash, KEY_HASH_BYTES) == 0;
    if (is_found) {
        *ret_key = entry->key;
        ret_key->id = arena_copy(arena, entry->key.id);
        ret_key->name = arena_copy(arena, entry->key.name);
        ret_key->tenant = arena_copy(arena, entry->key.tenant);
    }
    (void)pthread_mutex_unlock(&cache->mutex);
    return is_found;
}

static struct str place_text(char **at, struct str text)
{
    struct str placed = str_make(*at, text.len);

    if (text.len > 0)
        memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return placed;
}

void key_cache_put(struct key_cache *cache, const unsigned char hash[KEY_HASH_BYTES], uint64_t version,
                   const struct api_key *key)
{
    struct entry *entry = mem_alloc(sizeof *entry + key->id.len + key->name.len + key->tenant.len), *old;
    char *at;

    if (!entry)
        return;
    memcpy(entry->hash, hash, KEY_HASH_BYTES);
    entry->version = version;
    entry->key = *key;
    at = entry->texts;
    entry->key.id = place_text(&at, key->id);
    entry->key.name = place_text(&at, key->name);
    entry->key.tenant = place_text(&at, key->tenant);

    (void)pthread_mutex_lock(&cache->mutex);
    old = *place_of(cache, hash);
    *place_of(cache, hash) = entry;
    (void)pthread_mutex_unlock(&cache->mutex);
    mem_free(old);
}
