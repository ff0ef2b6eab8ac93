/* SPDX-License-Identifier: Apache-2.0
 *
 * The second level of the cache: answers that servers over one store share in Redis. Asked on a worker when
 * the first level has nothing, for a few milliseconds at most; written behind by a thread of its own.
 *
 * A key is a digest over everything that the first level's key has and what one process takes for granted:
 * the program's version, the configuration's fingerprint, the user and the version of the user's data. So
 * nothing is ever removed: after a write nobody asks for the old key again. The digest's key is the store's
 * identity, which never leaves the machine: whoever can write to Redis can neither aim at an entry nor make
 * one.
 *
 * A value: magic, a digest over key, epoch and payload; when it was built and how long it lives; the answer.
 * The tenant's epoch is a key beside; setting it anew makes every entry written under the old one useless.
 */
#include "build/build_priv.h"

#include "core/mem.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>

#define MAGIC           "precis1\n"
#define MAGIC_BYTES     (sizeof MAGIC - 1)
#define DIGEST_BYTES    32
#define HEAD_BYTES      (MAGIC_BYTES + DIGEST_BYTES + 16)
#define MAX_VALUE_BYTES ((size_t)1024 * 1024) /* larger answers are not shared: rare, and slow to carry */
#define MAX_EPOCH_BYTES 64
#define MAX_WAITING     64        /* writes */
#define MIN_WAIT_US     US_PER_MS /* with less than that to wait it is not asked */
#define WRITE_WAIT_US   (500 * US_PER_MS)
#define CLEAR_WAIT_US   US_PER_SEC

struct far_write {
    struct buf key, value;
    int64_t ttl_us;
};

struct far {
    struct redis_client *client;
    const struct clock *clock;
    struct buf fingerprint;
    int64_t wait_us;
    unsigned char identity[STORE_IDENTITY_BYTES];
    uint64_t n_hits, n_misses, n_failed, n_refused, n_written, n_dropped; /* atomic */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t has_work;
    struct far_write waiting[MAX_WAITING]; /* a ring */
    size_t first, n_waiting;
    bool is_ending, has_thread;
};

static void count(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* ---- keys and digests ---- */

static int make_digest(const struct build *build, unsigned char ret_digest[DIGEST_BYTES])
{
    const struct far *far = build->engine->far;
    struct buf bytes;

    buf_init(&bytes, BUILD_MAX_ARENA_BYTES);
    build_cache_key_bytes(build, &bytes);
    value_print_key(value_text(build->scope.user), &bytes);
    value_print_key(value_int((int64_t)build->version), &bytes);
    value_print_key(value_text(STR_LIT(PRECIS_VERSION)), &bytes);
    value_print_key(value_text(buf_str(&far->fingerprint)), &bytes);
    int rc = buf_error(&bytes);
    if (rc == 0)
        (void)crypto_generichash(ret_digest, DIGEST_BYTES, (const unsigned char *)bytes.data, bytes.len,
                                 far->identity, sizeof far->identity);
    buf_done(&bytes);
    return rc;
}

static int make_keys(const struct build *build, const unsigned char digest[DIGEST_BYTES], struct buf *key,
                     struct buf *epoch_key)
{
    char hex[2 * DIGEST_BYTES + 1];
    const struct redis_client *client = build->engine->far->client;

    redis_client_key(client, "context_cache", build->scope.tenant, key);
    buf_append_text(key, sodium_bin2hex(hex, sizeof hex, digest, DIGEST_BYTES));
    redis_client_key(client, "context_epoch", build->scope.tenant, epoch_key);
    return buf_error(key) ? buf_error(key) : buf_error(epoch_key);
}

/* Over everything that must belong together: the key, the tenant's epoch, and what follows in the value. */
static void make_seal(const struct far *far, const unsigned char digest[DIGEST_BYTES], struct str epoch,
                      struct str rest, unsigned char ret_seal[DIGEST_BYTES])
{
    crypto_generichash_state state;
    uint64_t epoch_len = epoch.len;

    (void)crypto_generichash_init(&state, far->identity, sizeof far->identity, DIGEST_BYTES);
    (void)crypto_generichash_update(&state, digest, DIGEST_BYTES);
    (void)crypto_generichash_update(&state, (const unsigned char *)&epoch_len, sizeof epoch_len);
    (void)crypto_generichash_update(&state, (const unsigned char *)epoch.ptr, epoch.len);
    (void)crypto_generichash_update(&state, (const unsigned char *)rest.ptr, rest.len);
    (void)crypto_generichash_final(&state, ret_seal, DIGEST_BYTES);
}

/* ---- asking ---- */

static int64_t read_int(const char *bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++)
        value |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
    return (int64_t)value;
}

/* What is left of the answer's time, 0 when nothing is. A clock that went back makes it no younger. */
static int64_t left_of(const struct far *far, int64_t built_us, int64_t ttl_us)
{
    int64_t age_us = clock_wall_us(far->clock) - built_us;
    if (age_us < 0)
        age_us = 0;
    return age_us < ttl_us ? ttl_us - age_us : 0;
}

/* NULL for anything that is not an answer to this very question, whole. */
static struct build_answer *open_value(const struct far *far, const unsigned char digest[DIGEST_BYTES],
                                       struct str epoch, struct str value, int64_t *ret_left_us)
{
    unsigned char seal[DIGEST_BYTES];
    struct build_answer *answer;

    if (value.len < HEAD_BYTES || memcmp(value.ptr, MAGIC, MAGIC_BYTES) != 0)
        return NULL;
    struct str rest = str_slice(value, MAGIC_BYTES + DIGEST_BYTES, SIZE_MAX);
    make_seal(far, digest, epoch, rest, seal);
    if (sodium_memcmp(seal, value.ptr + MAGIC_BYTES, DIGEST_BYTES) != 0)
        return NULL;
    if (far_value_read(str_slice(rest, 16, SIZE_MAX), &answer, NULL) < 0)
        return NULL;
    *ret_left_us = left_of(far, read_int(rest.ptr), read_int(rest.ptr + 8));
    return answer;
}

/* MGET of epoch and entry, as a reply of two texts or nils. */
static int ask(struct build *build, const unsigned char digest[DIGEST_BYTES], struct arena *arena,
               struct resp *ret_reply)
{
    struct far *far = build->engine->far;
    int64_t now_us = clock_mono_us(far->clock);
    int64_t left_us = (build->deadline_us - now_us) / 4; /* whatever is left, most of it is for building */
    struct buf key, epoch_key;

    if (left_us < MIN_WAIT_US)
        return ERR_TIMEOUT;
    buf_init(&key, 1024);
    buf_init(&epoch_key, 1024);
    int rc = make_keys(build, digest, &key, &epoch_key);
    if (rc == 0)
        rc = redis_client_call(
            far->client, (struct str[]){STR_LIT("MGET"), buf_str(&epoch_key), buf_str(&key)}, 3,
            now_us + (left_us < far->wait_us ? left_us : far->wait_us), arena, ret_reply, NULL);
    if (rc == 0 && (ret_reply->kind != RESP_ARRAY || ret_reply->n != 2))
        rc = ERR_REMOTE;
    buf_done(&key);
    buf_done(&epoch_key);
    return rc;
}

struct build_answer *far_get(struct build *build, int64_t *ret_left_us)
{
    struct far *far = build->engine->far;
    unsigned char digest[DIGEST_BYTES];
    struct build_answer *answer = NULL;
    struct arena arena;
    struct resp reply;

    if (build->request->wants_explain || make_digest(build, digest) < 0)
        return NULL;
    arena_init(&arena, RESP_MAX_BYTES + 65536);
    if (ask(build, digest, &arena, &reply) < 0) {
        count(&far->n_failed);
        goto done;
    }
    struct str epoch = reply.items[0].text, value = reply.items[1].text;
    if (epoch.len <= MAX_EPOCH_BYTES) {
        build->far_epoch = arena_copy(&build->arena, epoch);
        build->has_far_epoch = true;
    }
    if (value.ptr)
        answer = open_value(far, digest, epoch, value, ret_left_us);
    if (value.ptr && !answer)
        count(&far->n_refused);
    if (answer && *ret_left_us <= 0)
        answer = build_answer_unref(answer);
    if (answer)
        answer->built_us = clock_mono_us(far->clock);
    count(answer ? &far->n_hits : &far->n_misses);
done:
    arena_done(&arena);
    return answer;
}

/* ---- writing ---- */

static void write_done(struct far_write *write)
{
    buf_done(&write->key);
    buf_done(&write->value);
}

static void append_int(struct buf *buf, int64_t value)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)((uint64_t)value >> (8 * i));
    buf_append(buf, bytes, sizeof bytes);
}

static int make_write(const struct build *build, int64_t ttl_us, struct far_write *write)
{
    const struct far *far = build->engine->far;
    unsigned char digest[DIGEST_BYTES], seal[DIGEST_BYTES] = {0};
    struct buf epoch_key;

    buf_init(&epoch_key, 1024);
    int rc = make_digest(build, digest);
    if (rc == 0)
        rc = make_keys(build, digest, &write->key, &epoch_key);
    buf_done(&epoch_key);
    buf_append(&write->value, MAGIC, MAGIC_BYTES);
    buf_append(&write->value, seal, sizeof seal);
    append_int(&write->value, clock_wall_us(far->clock));
    append_int(&write->value, ttl_us);
    far_value_write(build->answer, &write->value);
    if (rc < 0 || buf_error(&write->value))
        return rc < 0 ? rc : buf_error(&write->value);
    make_seal(far, digest, build->far_epoch,
              str_slice(buf_str(&write->value), MAGIC_BYTES + DIGEST_BYTES, SIZE_MAX), seal);
    memcpy(write->value.data + MAGIC_BYTES, seal, sizeof seal);
    return 0;
}

void far_put(struct build *build, int64_t ttl_us)
{
    struct far *far = build->engine->far;
    struct far_write write = {.ttl_us = ttl_us};
    bool is_taken = false;

    if (!build->has_far_epoch || build->answer->has_explain)
        return;
    buf_init(&write.key, 1024);
    buf_init(&write.value, MAX_VALUE_BYTES);
    if (make_write(build, ttl_us, &write) == 0) {
        pthread_mutex_lock(&far->lock);
        is_taken = far->n_waiting < MAX_WAITING;
        if (is_taken) {
            far->waiting[(far->first + far->n_waiting++) % MAX_WAITING] = write;
            (void)pthread_cond_signal(&far->has_work);
        }
        pthread_mutex_unlock(&far->lock);
    }
    if (!is_taken) {
        write_done(&write);
        count(&far->n_dropped);
    }
}

static void write_one(struct far *far, struct far_write *write)
{
    char ms[24];
    struct arena arena;
    struct resp reply;

    (void)snprintf(ms, sizeof ms, "%lld", (long long)(write->ttl_us / US_PER_MS + 1));
    arena_init(&arena, 4096);
    int rc = redis_client_call(far->client,
                               (struct str[]){STR_LIT("SET"), buf_str(&write->key), buf_str(&write->value),
                                              STR_LIT("PX"), str_of(ms)},
                               5, clock_mono_us(far->clock) + WRITE_WAIT_US, &arena, &reply, NULL);
    count(rc == 0 && reply.kind == RESP_STATUS ? &far->n_written : &far->n_failed);
    arena_done(&arena);
}

static void *writer_main(void *arg)
{
    struct far *far = arg;

    pthread_mutex_lock(&far->lock);
    while (!far->is_ending) {
        if (far->n_waiting == 0) {
            (void)pthread_cond_wait(&far->has_work, &far->lock);
            continue;
        }
        struct far_write write = far->waiting[far->first];
        far->first = (far->first + 1) % MAX_WAITING;
        far->n_waiting--;
        pthread_mutex_unlock(&far->lock);
        write_one(far, &write);
        write_done(&write);
        pthread_mutex_lock(&far->lock);
    }
    pthread_mutex_unlock(&far->lock);
    return NULL;
}

/* ---- clearing ---- */

int far_clear(struct far *far, struct str tenant, struct err_info *reterr)
{
    unsigned char random[16];
    char epoch[2 * sizeof random + 1];
    struct arena arena;
    struct resp reply;
    struct buf key;

    randombytes_buf(random, sizeof random);
    (void)sodium_bin2hex(epoch, sizeof epoch, random, sizeof random);
    arena_init(&arena, 4096);
    buf_init(&key, 1024);
    redis_client_key(far->client, "context_epoch", tenant, &key);
    int rc = buf_error(&key);
    if (rc == 0)
        rc = redis_client_call(far->client, (struct str[]){STR_LIT("SET"), buf_str(&key), str_of(epoch)}, 3,
                               clock_mono_us(far->clock) + CLEAR_WAIT_US, &arena, &reply, reterr);
    if (rc == 0 && reply.kind == RESP_ERROR)
        rc = redis_error(reply.text, reterr);
    if (rc < 0)
        err_prefix(reterr, "the shared cache could not be cleared: ");
    buf_done(&key);
    arena_done(&arena);
    return rc;
}

/* ---- its life ---- */

struct far *far_free(struct far *far)
{
    if (!far)
        return NULL;
    pthread_mutex_lock(&far->lock);
    far->is_ending = true;
    (void)pthread_cond_signal(&far->has_work);
    pthread_mutex_unlock(&far->lock);
    if (far->has_thread)
        (void)pthread_join(far->thread, NULL);
    for (; far->n_waiting > 0; far->n_waiting--, far->first = (far->first + 1) % MAX_WAITING)
        write_done(&far->waiting[far->first]);
    (void)pthread_cond_destroy(&far->has_work);
    (void)pthread_mutex_destroy(&far->lock);
    buf_done(&far->fingerprint);
    sodium_memzero(far->identity, sizeof far->identity);
    return mem_free(far);
}

int far_new(const struct build_options *options, struct far **ret_far, struct err_info *reterr)
{
    struct far *far = mem_calloc(1, sizeof *far);
    if (!far)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    far->client = options->shared;
    far->clock = options->env->clock;
    far->wait_us = options->shared_wait_us > 0 ? options->shared_wait_us : BUILD_SHARED_WAIT_US;
    memory_identity(options->env->memory, far->identity);
    (void)pthread_mutex_init(&far->lock, NULL);
    (void)pthread_cond_init(&far->has_work, NULL);
    buf_init(&far->fingerprint, 1024 * 1024);
    buf_append_str(&far->fingerprint, options->fingerprint);
    int rc = buf_error(&far->fingerprint);
    if (rc == 0 && pthread_create(&far->thread, NULL, writer_main, far) != 0)
        rc = ERR_UNAVAILABLE;
    if (rc < 0) {
        (void)err_set(reterr, rc, "the shared cache cannot be started");
        (void)far_free(far);
        return rc;
    }
    far->has_thread = true;
    *ret_far = far;
    return 0;
}

void far_describe(const struct far *far, struct build_cache_stats *ret_stats)
{
    ret_stats->has_far = true;
    ret_stats->n_far_hits = __atomic_load_n(&far->n_hits, __ATOMIC_RELAXED);
    ret_stats->n_far_misses = __atomic_load_n(&far->n_misses, __ATOMIC_RELAXED);
    ret_stats->n_far_failed = __atomic_load_n(&far->n_failed, __ATOMIC_RELAXED);
    ret_stats->n_far_refused = __atomic_load_n(&far->n_refused, __ATOMIC_RELAXED);
    ret_stats->n_far_written = __atomic_load_n(&far->n_written, __ATOMIC_RELAXED);
    ret_stats->n_far_dropped = __atomic_load_n(&far->n_dropped, __ATOMIC_RELAXED);
}
