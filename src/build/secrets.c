/* SPDX-License-Identifier: Apache-2.0
 *
 * See secrets.h. Texts are known by SipHash under a secret key: to pass for one that was harmless takes more
 * than choosing texts.
 */
#include "build/secrets.h"

#include "build/memo.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/reach.h"
#include "source/source.h"
#include "text/redact.h"

#include <sodium.h>

#define SLOTS          16384 /* of 16 bytes */
#define MIN_KEPT_BYTES 24    /* what is shorter is looked at as fast as it is found */
#define MAX_BYTES      (SOURCE_MAX_RESULT_BYTES * 4)

struct secrets {
    struct memo *harmless;
    unsigned char key[crypto_shorthash_KEYBYTES];
};

int secrets_new(struct secrets **ret_secrets)
{
    struct secrets *secrets = mem_calloc(1, sizeof *secrets);
    if (!secrets)
        return ERR_NOMEM;
    int rc = memo_new(SLOTS, 1, &secrets->harmless);
    if (rc < 0) {
        mem_free(secrets);
        return rc;
    }
    crypto_shorthash_keygen(secrets->key);
    *ret_secrets = secrets;
    return 0;
}

struct secrets *secrets_free(struct secrets *secrets)
{
    if (!secrets)
        return NULL;
    memo_free(secrets->harmless);
    sodium_memzero(secrets->key, sizeof secrets->key);
    return mem_free(secrets);
}

static struct str redact(struct str text, struct arena *arena, size_t *ret_n)
{
    struct buf clean;
    buf_init(&clean, MAX_BYTES);
    *ret_n = text_redact(&clean, text);
    return buf_into_arena(&clean, arena);
}

struct str secrets_take_out(struct secrets *secrets, struct str text, struct arena *arena)
{
    uint64_t key, length;
    size_t n_secrets;
    if (!secrets || text.len < MIN_KEPT_BYTES)
        return redact(text, arena, &n_secrets);
    (void)crypto_shorthash((unsigned char *)&key, (const unsigned char *)text.ptr, text.len, secrets->key);
    if (memo_find(secrets->harmless, key, &length) && length == text.len)
        return arena_copy(arena, text);
    struct str clean = redact(text, arena, &n_secrets);
    length = text.len;
    if (n_secrets == 0 && str_eq(clean, text))
        memo_keep(secrets->harmless, key, &length);
    return clean;
}
