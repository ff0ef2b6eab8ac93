/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys and keyless access. Two small caches, both dropped whenever api_key_version moves: whether keys exist,
 * and which digests belong to which key. A wrong key is never remembered, and every refusal has the same
 * words.
 */
#include "serve/auth.h"

#include "core/mem.h"

#include <sodium.h>

#define N_ENTRIES 256 /* keys in use at a time; more only means asking the store again */

struct auth_entry {
    unsigned char digest[AUTH_DIGEST_BYTES];
    bool is_used;
    int scopes;
    int64_t expires_us; /* 0: never */
    char tenant[MEMORY_MAX_USER_BYTES + 1];
};

int auth_init(struct auth *auth, struct memory *memory, const struct clock *clock, enum serve_keyless keyless,
              bool is_loopback, struct err_info *reterr)
{
    memset(auth, 0, sizeof *auth);
    if (sodium_init() < 0)
        return err_set(reterr, ERR_INTERNAL, "libsodium cannot be used");
    auth->entries = mem_calloc(N_ENTRIES, sizeof *auth->entries);
    if (!auth->entries)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    auth->memory = memory;
    auth->clock = clock;
    auth->keyless = keyless;
    auth->is_loopback = is_loopback;
    atomic_init(&auth->known, UINT64_MAX);
    pthread_mutex_init(&auth->lock, NULL);
    randombytes_buf(auth->digest_key, sizeof auth->digest_key);
    return 0;
}

void auth_done(struct auth *auth)
{
    if (!auth->entries)
        return;
    sodium_memzero(auth->digest_key, sizeof auth->digest_key);
    auth->entries = mem_free(auth->entries);
    pthread_mutex_destroy(&auth->lock);
}

bool auth_bearer(struct str authorization, struct str *ret_secret)
{
    struct str scheme = STR_LIT("Bearer ");

    if (!str_eq_nocase(str_slice(authorization, 0, scheme.len), scheme))
        return false;
    struct str secret = str_trim(str_slice(authorization, scheme.len, SIZE_MAX));
    if (secret.len == 0)
        return false;
    *ret_secret = secret;
    return true;
}

static int deny(struct err_info *reterr)
{
    return err_set(reterr, ERR_DENIED, "this needs a valid key: Authorization: Bearer KEY");
}

static void let_in_keyless(struct caller *ret_caller)
{
    ret_caller->tenant = STR_LIT("default");
    ret_caller->scopes = KEY_READ | KEY_WRITE | KEY_ADMIN;
}

/* 0, 1 when the store has to be asked whether there are keys, ERR_DENIED. */
static int peek_keyless(struct auth *auth, struct caller *ret_caller, struct err_info *reterr)
{
    if (!auth->is_loopback || auth->keyless == KEYLESS_NEVER)
        return deny(reterr);
    if (auth->keyless == KEYLESS_AUTO) {
        uint64_t known = atomic_load_explicit(&auth->known, memory_order_acquire);
        if (known == UINT64_MAX || known >> 1 != api_key_version(auth->memory))
            return 1;
        if (known & 1)
            return deny(reterr);
    }
    let_in_keyless(ret_caller);
    return 0;
}

static void digest_secret(const struct auth *auth, struct str secret,
                          unsigned char ret_digest[AUTH_DIGEST_BYTES])
{
    crypto_generichash(ret_digest, AUTH_DIGEST_BYTES, (const unsigned char *)secret.ptr, secret.len,
                       auth->digest_key, sizeof auth->digest_key);
}

/* The digest is keyed and its key is secret: comparing in variable time tells nothing about a secret. */
static struct auth_entry *entry_for(struct auth *auth, const unsigned char digest[AUTH_DIGEST_BYTES])
{
    size_t idx = ((size_t)digest[0] | (size_t)digest[1] << 8) % N_ENTRIES;
    return &auth->entries[idx];
}

static int peek_entry(struct auth *auth, const unsigned char digest[AUTH_DIGEST_BYTES], struct arena *arena,
                      struct caller *ret_caller)
{
    uint64_t version = api_key_version(auth->memory);
    int rc = 1;

    pthread_mutex_lock(&auth->lock);
    if (auth->entries_version == version) {
        const struct auth_entry *entry = entry_for(auth, digest);
        bool is_live =
            entry->is_used && (entry->expires_us == 0 || clock_wall_us(auth->clock) < entry->expires_us);
        if (is_live && memcmp(entry->digest, digest, AUTH_DIGEST_BYTES) == 0) {
            ret_caller->tenant = arena_copy(arena, str_of(entry->tenant));
            ret_caller->scopes = entry->scopes;
            rc = arena_error(arena);
        }
    }
    pthread_mutex_unlock(&auth->lock);
    return rc;
}

int auth_peek(struct auth *auth, struct str authorization, struct arena *arena, struct caller *ret_caller,
              struct err_info *reterr)
{
    unsigned char digest[AUTH_DIGEST_BYTES];
    struct str secret;

    if (!authorization.ptr)
        return peek_keyless(auth, ret_caller, reterr);
    if (!auth_bearer(authorization, &secret))
        return deny(reterr);
    digest_secret(auth, secret, digest);
    int rc = peek_entry(auth, digest, arena, ret_caller);
    return rc < 0 ? err_set(reterr, rc, "out of memory") : rc;
}

int auth_has_keys(struct memory *memory, const struct clock *clock, bool *ret_has_keys,
                  struct err_info *reterr)
{
    struct arena arena;
    struct api_key *keys;
    size_t n;

    arena_init(&arena, 16 * 1024 * 1024);
    int rc = api_key_list(memory, &arena, &keys, &n, reterr);
    if (rc == 0) {
        int64_t now_us = clock_wall_us(clock);
        *ret_has_keys = false;
        for (size_t i = 0; i < n; i++)
            if (keys[i].revoked_us == 0 && (keys[i].expires_us == 0 || now_us < keys[i].expires_us))
                *ret_has_keys = true;
    }
    arena_done(&arena);
    return rc;
}

/* A key that has run out still counts until the next change of keys: closed is the safe side. */
static int ask_keyless(struct auth *auth, struct caller *ret_caller, struct err_info *reterr)
{
    int rc = peek_keyless(auth, ret_caller, reterr);
    if (rc != 1)
        return rc;
    uint64_t version =
        api_key_version(auth->memory); /* before the list: an older number is only asked again */
    bool has_keys;
    rc = auth_has_keys(auth->memory, auth->clock, &has_keys, reterr);
    if (rc < 0)
        return rc;
    atomic_store_explicit(&auth->known, version << 1 | has_keys, memory_order_release);
    if (has_keys)
        return deny(reterr);
    let_in_keyless(ret_caller);
    return 0;
}

static void remember(struct auth *auth, uint64_t version, const unsigned char digest[AUTH_DIGEST_BYTES],
                     const struct api_key *key)
{
    pthread_mutex_lock(&auth->lock);
    if (auth->entries_version != version) {
        memset(auth->entries, 0, N_ENTRIES * sizeof *auth->entries);
        auth->entries_version = version;
    }
    struct auth_entry *entry = entry_for(auth, digest);
    if (key->tenant.len < sizeof entry->tenant) {
        memcpy(entry->digest, digest, AUTH_DIGEST_BYTES);
        memcpy(entry->tenant, key->tenant.ptr, key->tenant.len);
        entry->tenant[key->tenant.len] = '\0';
        entry->scopes = key->scopes;
        entry->expires_us = key->expires_us;
        entry->is_used = true;
    }
    pthread_mutex_unlock(&auth->lock);
}

int auth_ask(struct auth *auth, struct str authorization, struct arena *arena, struct caller *ret_caller,
             struct err_info *reterr)
{
    unsigned char digest[AUTH_DIGEST_BYTES];
    struct api_key key;
    struct str secret;

    if (!authorization.ptr)
        return ask_keyless(auth, ret_caller, reterr);
    if (!auth_bearer(authorization, &secret))
        return deny(reterr);
    uint64_t version =
        api_key_version(auth->memory); /* before the check: a change meanwhile forgets this answer */
    int rc = api_key_check(auth->memory, secret, arena, &key, reterr);
    if (rc == ERR_DENIED)
        return deny(reterr);
    if (rc < 0)
        return rc;
    digest_secret(auth, secret, digest);
    remember(auth, version, digest, &key);
    ret_caller->tenant = key.tenant;
    ret_caller->scopes = key.scopes;
    return 0;
}
