/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys that were found valid, by the hash of their secret, so that a request costs no query. An entry counts
 * only while the version it was read at is the current one. Bounded; holds no secret. Thread-safe.
 */
#ifndef PRECIS_MEMORY_KEY_CACHE_H
#define PRECIS_MEMORY_KEY_CACHE_H

#include "memory/memory.h"

#define KEY_HASH_BYTES 32 /* BLAKE2b-256 */

struct key_cache;

int key_cache_new(struct key_cache **ret_cache, struct err_info *reterr);
struct key_cache *key_cache_free(struct key_cache *cache);

/* False when it is not there or of another version; texts are copied into the arena, whose latch says if that
 * failed. */
bool key_cache_get(struct key_cache *cache, const unsigned char hash[KEY_HASH_BYTES], uint64_t version,
                   struct arena *arena, struct api_key *ret_key);
/* Copies the key; takes the place of another when there is no room. Without memory it keeps nothing. */
void key_cache_put(struct key_cache *cache, const unsigned char hash[KEY_HASH_BYTES], uint64_t version,
                   const struct api_key *key);

#endif
