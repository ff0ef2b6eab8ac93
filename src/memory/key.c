/* SPDX-License-Identifier: Apache-2.0
 *
 * API keys. A secret is "pk_", 43 random characters of 62 (256 bits) and 6 characters of checksum, by which a
 * scanner of leaked text tells it from chance. Only its BLAKE2b-256 is stored: with 256 random bits there is
 * nothing to guess, so a slow password hash would buy nothing.
 */
#include "core/buf.h"
#include "core/mem.h"
#include "memory/key_cache.h"
#include "memory/memory_priv.h"

#include <sodium.h>

#define SECRET_PREFIX  "pk_"
#define PREFIX_CHARS   (sizeof SECRET_PREFIX - 1)
#define RANDOM_CHARS   43
#define CHECKSUM_CHARS 6
#define SECRET_CHARS   (PREFIX_CHARS + RANDOM_CHARS + CHECKSUM_CHARS)
#define HASH_HEX_CHARS (2 * KEY_HASH_BYTES)
#define ALL_SCOPES     (KEY_READ | KEY_WRITE | KEY_ADMIN)

/* Keys belong to no tenant: one version for all. No tenant has the empty name. */
#define VERSION_TENANT STR_LIT("")
#define VERSION_USER   STR_LIT("api_keys")

#define COLUMNS "id, name, tenant, scopes, created_at, expires_at, revoked_at"

#define NOT_VALID "the key is not valid" /* for every reason */

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* ---- secrets ---- */

static void hash_secret(struct str secret, unsigned char ret_hash[KEY_HASH_BYTES])
{
    (void)crypto_generichash(ret_hash, KEY_HASH_BYTES, (const unsigned char *)(secret.len ? secret.ptr : ""),
                             secret.len, NULL, 0);
}

/* Of what stands before the checksum. */
static void make_checksum(struct str body, char ret_checksum[CHECKSUM_CHARS])
{
    unsigned char hash[KEY_HASH_BYTES];
    uint64_t number = 0;

    hash_secret(body, hash);
    for (size_t i = 0; i < sizeof number; i++)
        number = number << 8 | hash[i];
    for (size_t i = 0; i < CHECKSUM_CHARS; i++, number /= 62)
        ret_checksum[i] = digits[number % 62];
}

static void make_secret(char ret_secret[SECRET_CHARS])
{
    memcpy(ret_secret, SECRET_PREFIX, PREFIX_CHARS);
    for (size_t i = 0; i < RANDOM_CHARS; i++)
        ret_secret[PREFIX_CHARS + i] = digits[randombytes_uniform(62)];
    make_checksum(str_make(ret_secret, PREFIX_CHARS + RANDOM_CHARS),
                  ret_secret + PREFIX_CHARS + RANDOM_CHARS);
}

static bool is_well_formed(struct str secret)
{
    char checksum[CHECKSUM_CHARS];

    if (secret.len != SECRET_CHARS || !str_starts_with(secret, STR_LIT(SECRET_PREFIX)))
        return false;
    make_checksum(str_slice(secret, 0, PREFIX_CHARS + RANDOM_CHARS), checksum);
    return sodium_memcmp(checksum, secret.ptr + PREFIX_CHARS + RANDOM_CHARS, CHECKSUM_CHARS) == 0;
}

static struct str print_hash(const unsigned char hash[KEY_HASH_BYTES], char ret_hex[HASH_HEX_CHARS + 1])
{
    (void)sodium_bin2hex(ret_hex, HASH_HEX_CHARS + 1, hash, KEY_HASH_BYTES);
    return str_make(ret_hex, HASH_HEX_CHARS);
}

/* ---- creating ---- */

struct creating {
    const struct api_key *key;
    struct str id, hash;
    int64_t now_us;
};

static int insert_key(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    const struct creating *creating = arg;
    const struct value params[] = {value_text(creating->id),
                                   value_text(creating->hash),
                                   value_text(creating->key->name),
                                   value_text(creating->key->tenant),
                                   value_int(creating->key->scopes),
                                   value_time(creating->now_us),
                                   value_time(creating->key->expires_us)};
    int r = store_exec(txn,
                       "INSERT INTO api_keys (id, hash, name, tenant, scopes, created_at, expires_at)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                       params, 7, reterr);

    return r < 0 ? r : store_touch(txn, VERSION_TENANT, VERSION_USER);
}

static int check_new_key(const struct api_key *key, int64_t now_us, struct err_info *reterr)
{
    int r = memory_check_text(key->name, "name", MEMORY_MAX_NAME_BYTES, false, reterr);

    if (r == 0)
        r = memory_check_text(key->tenant, "tenant", MEMORY_MAX_NAME_BYTES, false, reterr);
    if (r < 0)
        return r;
    if (key->scopes == 0 || (key->scopes & ~ALL_SCOPES) != 0)
        return err_set_field(reterr, ERR_INVALID, "scopes",
                             "a key needs at least one of read, write and admin");
    if (key->expires_us < 0 || (key->expires_us != 0 && key->expires_us <= now_us))
        return err_set_field(reterr, ERR_INVALID, "expires", "a key cannot have expired before it exists");
    return 0;
}

int api_key_create(struct memory *memory, const struct api_key *key, struct arena *arena, struct str *ret_id,
                   struct str *ret_secret, struct err_info *reterr)
{
    struct creating creating = {.key = key, .now_us = clock_wall_us(memory->clock)};
    unsigned char hash[KEY_HASH_BYTES];
    char id[MEMORY_ID_SIZE], secret[SECRET_CHARS], hex[HASH_HEX_CHARS + 1];
    struct str kept_id, kept_secret;
    int r = check_new_key(key, creating.now_us, reterr);

    if (r < 0)
        return r;
    memory_make_id("key_", id);
    make_secret(secret);
    hash_secret(str_make(secret, SECRET_CHARS), hash);
    creating.id = str_of(id);
    creating.hash = print_hash(hash, hex);
    /* First what can fail: a key whose secret nobody has seen would be of no use. */
    kept_id = arena_copy(arena, creating.id);
    kept_secret = arena_copy(arena, str_make(secret, SECRET_CHARS));
    sodium_memzero(secret, sizeof secret);
    r = arena_error(arena);
    if (r < 0)
        return err_set(reterr, r, "out of memory creating a key");
    r = store_write(memory->store, insert_key, &creating, reterr);
    if (r < 0)
        return r;
    *ret_id = kept_id;
    *ret_secret = kept_secret;
    return 0;
}

/* ---- reading ---- */

static void read_key(const struct value *columns, struct arena *arena, struct api_key *ret_key)
{
    *ret_key = (struct api_key){.id = memory_copy_text(arena, columns[0]),
                                .name = memory_copy_text(arena, columns[1]),
                                .tenant = memory_copy_text(arena, columns[2]),
                                .scopes = (int)memory_int_of(columns[3]),
                                .created_us = memory_int_of(columns[4]),
                                .expires_us = memory_int_of(columns[5]),
                                .revoked_us = memory_int_of(columns[6])};
}

struct finding {
    struct str hash;
    struct arena *arena;
    struct api_key key;
    bool is_found;
};

static int on_found_row(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    struct finding *finding = arg;

    (void)n_columns;
    read_key(columns, finding->arena, &finding->key);
    finding->is_found = true;
    return arena_error(finding->arena) < 0
               ? err_set(reterr, arena_error(finding->arena), "out of memory checking a key")
               : 1;
}

static int find_key(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    struct finding *finding = arg;
    const struct value params[] = {value_text(finding->hash)};

    return store_query(txn, "SELECT " COLUMNS " FROM api_keys WHERE hash = ?1", params, 1, on_found_row,
                       finding, reterr);
}

/* Hands a key over that was found by its secret, if it is valid now. */
static int admit_key(const struct memory *memory, const struct api_key *key, const struct arena *arena,
                     struct api_key *ret_key, struct err_info *reterr)
{
    int64_t now_us = clock_wall_us(memory->clock);

    if (arena_error(arena) < 0)
        return err_set(reterr, arena_error(arena), "out of memory checking a key");
    if (key->revoked_us != 0 || (key->expires_us != 0 && key->expires_us <= now_us))
        return err_set(reterr, ERR_DENIED, NOT_VALID);
    *ret_key = *key;
    return 0;
}

int api_key_peek(struct memory *memory, struct str secret, struct arena *arena, struct api_key *ret_key,
                 struct err_info *reterr)
{
    unsigned char hash[KEY_HASH_BYTES];
    struct api_key key;

    hash_secret(secret, hash);
    if (!key_cache_get(memory->keys, hash, api_key_version(memory), arena, &key))
        return 1;
    return admit_key(memory, &key, arena, ret_key, reterr);
}

int api_key_check(struct memory *memory, struct str secret, struct arena *arena, struct api_key *ret_key,
                  struct err_info *reterr)
{
    uint64_t version = api_key_version(memory); /* before reading: a change meanwhile makes the entry old */
    struct finding finding = {.arena = arena};
    unsigned char hash[KEY_HASH_BYTES];
    char hex[HASH_HEX_CHARS + 1];
    bool is_formed = is_well_formed(secret);
    int r = api_key_peek(memory, secret, arena, ret_key, reterr);

    if (r != 1)
        return r;
    /* An ill-formed secret takes the same way, so that the time does not tell the reasons apart. */
    hash_secret(secret, hash);
    finding.hash = print_hash(hash, hex);
    r = store_read(memory->store, find_key, &finding, reterr);
    if (r < 0)
        return r;
    if (!is_formed || !finding.is_found)
        return err_set(reterr, ERR_DENIED, NOT_VALID);
    key_cache_put(memory->keys, hash, version, &finding.key);
    return admit_key(memory, &finding.key, arena, ret_key, reterr);
}

/* ---- listing and revoking ---- */

struct listing {
    struct arena *arena;
    struct api_key *keys;
    size_t n, cap;
};

static int on_listed_row(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    struct listing *listing = arg;
    struct api_key *keys = arena_grow(listing->arena, listing->keys, listing->n, &listing->cap, sizeof *keys);

    (void)n_columns;
    if (keys) {
        listing->keys = keys;
        read_key(columns, listing->arena, &keys[listing->n++]);
    }
    return arena_error(listing->arena) < 0
               ? err_set(reterr, arena_error(listing->arena), "out of memory listing the keys")
               : 0;
}

static int list_keys(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    return store_query(txn, "SELECT " COLUMNS " FROM api_keys ORDER BY created_at, id", NULL, 0,
                       on_listed_row, arg, reterr);
}

int api_key_list(struct memory *memory, struct arena *arena, struct api_key **ret_keys, size_t *ret_n,
                 struct err_info *reterr)
{
    struct listing listing = {.arena = arena};
    int r = store_read(memory->store, list_keys, &listing, reterr);

    if (r < 0)
        return r;
    *ret_keys = listing.keys;
    *ret_n = listing.n;
    return 0;
}

struct revoking {
    struct str id;
    int64_t now_us;
};

/* A second time keeps the first time's hour. */
static int revoke_key(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    const struct revoking *revoking = arg;
    const struct value params[] = {value_time(revoking->now_us), value_text(revoking->id)};
    int r = store_exec(txn,
                       "UPDATE api_keys SET revoked_at = CASE WHEN revoked_at = 0 THEN ?1 ELSE revoked_at END"
                       " WHERE id = ?2",
                       params, 2, reterr);

    if (r < 0)
        return r;
    if (store_changes(txn) == 0)
        return 1;
    return store_touch(txn, VERSION_TENANT, VERSION_USER);
}

int api_key_revoke(struct memory *memory, struct str id, struct err_info *reterr)
{
    struct revoking revoking = {.id = id, .now_us = clock_wall_us(memory->clock)};

    return store_write(memory->store, revoke_key, &revoking, reterr);
}

uint64_t api_key_version(const struct memory *memory)
{
    return store_version(memory->store, VERSION_TENANT, VERSION_USER);
}
