/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys and keyless access. Memory knows the keys; what is remembered here is only whether there are any,
 * until api_key_version moves. Every refusal has the same words.
 */
#include "serve/auth.h"

void auth_init(struct auth *auth, struct memory *memory, const struct clock *clock,
               enum serve_keyless keyless, bool is_loopback)
{
    auth->memory = memory;
    auth->clock = clock;
    auth->keyless = keyless;
    auth->is_loopback = is_loopback;
    atomic_init(&auth->known, UINT64_MAX);
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

/* What memory said of a key, in the words of every refusal. */
static int take_key(int rc, const struct api_key *key, struct caller *ret_caller, struct err_info *reterr)
{
    if (rc == ERR_DENIED)
        return deny(reterr);
    if (rc == 0)
        *ret_caller = (struct caller){key->tenant, key->scopes};
    return rc;
}

int auth_peek(struct auth *auth, struct str authorization, struct arena *arena, struct caller *ret_caller,
              struct err_info *reterr)
{
    struct api_key key;
    struct str secret;

    if (!authorization.ptr)
        return peek_keyless(auth, ret_caller, reterr);
    if (!auth_bearer(authorization, &secret))
        return deny(reterr);
    return take_key(api_key_peek(auth->memory, secret, arena, &key, reterr), &key, ret_caller, reterr);
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

int auth_ask(struct auth *auth, struct str authorization, struct arena *arena, struct caller *ret_caller,
             struct err_info *reterr)
{
    struct api_key key;
    struct str secret;

    if (!authorization.ptr)
        return ask_keyless(auth, ret_caller, reterr);
    if (!auth_bearer(authorization, &secret))
        return deny(reterr);
    return take_key(api_key_check(auth->memory, secret, arena, &key, reterr), &key, ret_caller, reterr);
}
