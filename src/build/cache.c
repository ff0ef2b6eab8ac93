/* SPDX-License-Identifier: Apache-2.0
 *
 * The cache of answers, the shelf of material for bad days, and single flight: identical requests at the same
 * time share one build. A key is made of everything that shapes an answer, each part with its length; it is
 * hashed with a secret, so that nobody can aim at another's entry. An answer is good while the version of its
 * user's own data stands and its time has not run out; only complete ones are kept.
 *
 * A flight: led by the first build of its key, joined by later ones that can wait for it. Who joined gets the
 * leader's answer, or builds for itself when there is none.
 */
#include "build/guess.h"
#include "build/resident.h"

#include "core/mem.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <time.h>

#define N_DOCKS 16

struct build_flight {
    struct build_flight *next;
    struct shelf_key key;
    uint64_t version;
    int64_t deadline_us; /* the leader's */
    int64_t had_us;      /* of it, when the leader began */
    pthread_cond_t ended;
    int n_refs; /* the leader and who waits; under the dock's lock, as all below */
    bool is_ended;
    struct build_answer *answer; /* held; NULL: the leader failed */
};

struct dock {
    pthread_mutex_t lock;
    struct build_flight *flights;
};

struct build_cache {
    struct shelf *answers;
    struct shelf *materials;
    struct shelf *recalls;
    size_t max_bytes, max_entries;
    unsigned char secret[crypto_generichash_KEYBYTES];
    uint64_t n_hits, n_misses, n_stale, n_shared; /* atomic */
    struct dock docks[N_DOCKS];
};

static void hold_answer(void *object)
{
    (void)build_answer_hold(object);
}

static void unref_answer(void *object)
{
    (void)build_answer_unref(object);
}

static const struct shelf_ops answer_ops = {hold_answer, unref_answer};
static const struct shelf_ops material_ops = {material_hold, material_unref};
static const struct shelf_ops recall_ops = {recall_hold, recall_unref};

int build_cache_new(size_t max_bytes, size_t max_entries, struct build_cache **ret_cache)
{
    struct build_cache *cache = mem_calloc(1, sizeof *cache);
    if (!cache)
        return ERR_NOMEM;
    cache->max_bytes = max_bytes;
    cache->max_entries = max_entries;
    randombytes_buf(cache->secret, sizeof cache->secret);
    for (size_t i = 0; i < N_DOCKS; i++)
        (void)pthread_mutex_init(&cache->docks[i].lock, NULL);
    /* Answers serve every day, material on bad ones; a recall is a note of a few hundred bytes. */
    if (shelf_new(&answer_ops, max_bytes / 8 * 5, max_entries, &cache->answers) < 0 ||
        shelf_new(&material_ops, max_bytes / 4, max_entries, &cache->materials) < 0 ||
        shelf_new(&recall_ops, max_bytes / 8, max_entries * 4, &cache->recalls) < 0) {
        build_cache_free(cache);
        return ERR_NOMEM;
    }
    *ret_cache = cache;
    return 0;
}

struct build_cache *build_cache_free(struct build_cache *cache)
{
    if (!cache)
        return NULL;
    shelf_free(cache->answers);
    shelf_free(cache->materials);
    shelf_free(cache->recalls);
    for (size_t i = 0; i < N_DOCKS; i++)
        (void)pthread_mutex_destroy(&cache->docks[i].lock);
    sodium_memzero(cache->secret, sizeof cache->secret);
    return mem_free(cache);
}

static void count(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* ---- keys ---- */

void build_shelf_key(const struct build_cache *cache, struct str bytes, struct shelf_key *ret_key)
{
    (void)crypto_generichash(ret_key->bytes, sizeof ret_key->bytes, (const unsigned char *)bytes.ptr,
                             bytes.len, cache->secret, sizeof cache->secret);
}

/* Not one of make_key's: the length that leads them never is all ones. */
void build_recall_key(const struct build_cache *cache, struct str tenant, struct str bytes,
                      struct shelf_key *ret_key)
{
    crypto_generichash_state state;
    uint64_t head[2] = {UINT64_MAX, tenant.len};
    (void)crypto_generichash_init(&state, cache->secret, sizeof cache->secret, sizeof ret_key->bytes);
    (void)crypto_generichash_update(&state, (const unsigned char *)head, sizeof head);
    (void)crypto_generichash_update(&state, (const unsigned char *)tenant.ptr, tenant.len);
    (void)crypto_generichash_update(&state, (const unsigned char *)bytes.ptr, bytes.len);
    (void)crypto_generichash_final(&state, ret_key->bytes, sizeof ret_key->bytes);
}

void build_cache_key_bytes(const struct build *build, struct buf *buf)
{
    value_print_key(value_text(build->scope.tenant), buf);
    value_print_key(value_text(build->recipe->name), buf);
    value_print_key(value_text(str_of(build->recipe->version)), buf);
    value_print_key(value_int((int64_t)build->recipe->n_params), buf);
    for (size_t i = 0; i < build->recipe->n_params; i++)
        value_print_key(build->params[i], buf);
    value_print_key(value_text(build->request->query), buf);
    value_print_key(value_int((int64_t)build->asked), buf);
    value_print_key(value_int(build->max_tokens), buf);
    value_print_key(value_text(str_of(build->tokenizer->name)), buf);
    value_print_key(value_int(build->request->format), buf);
    value_print_key(value_bool(build->request->wants_explain), buf);
}

static int make_key(struct build *build)
{
    struct buf key;
    buf_init(&key, BUILD_MAX_ARENA_BYTES);
    build_cache_key_bytes(build, &key);
    int rc = buf_error(&key);
    build_shelf_key(build->engine->cache, buf_str(&key), &build->key);
    buf_done(&key);
    return rc;
}

int64_t build_cache_ttl_us(const struct build *build)
{
    if (!build->engine->cache || build->request->cache == CACHE_OFF)
        return 0;
    int64_t ttl_us = build->engine->options.cache_ttl_us;
    return ttl_us >= 0 ? ttl_us : build->recipe->cache_ttl_us;
}

/* ---- answers ---- */

uint64_t build_version(const struct build_engine *engine, const struct scope *scope)
{
    const struct memory *memory = engine->options.env->memory;
    return memory ? memory_version(memory, scope) : 0;
}

/* Reads the version before anything else is read: a write during the build makes its answer old at once. */
static int prepare(struct build *build)
{
    build->version = build_version(build->engine, &build->scope);
    return make_key(build);
}

static struct build_answer *get_answer(const struct build_engine *engine, const struct shelf_key *key,
                                       uint64_t version)
{
    struct build_cache *cache = engine->cache;
    struct shelf_fresh fresh = {clock_mono_us(engine->clock), version};
    struct build_answer *answer = shelf_get(cache->answers, key, fresh);
    if (answer)
        count(&cache->n_hits);
    return answer;
}

static bool find(struct build *build)
{
    build->answer = get_answer(build->engine, &build->key, build->version);
    build->is_hit = build->answer != NULL;
    return build->is_hit;
}

struct build_answer *build_cache_get(const struct build_engine *engine, const struct shelf_key *key,
                                     const struct scope *scope)
{
    return get_answer(engine, key, build_version(engine, scope));
}

struct shelf *build_cache_recalls(const struct build_cache *cache)
{
    return cache->recalls;
}

int build_cache_peek(struct build *build)
{
    if (build_cache_ttl_us(build) == 0 || build->request->cache != CACHE_USE)
        return 1;
    int rc = prepare(build);
    if (rc < 0)
        return rc;
    return find(build) ? 0 : 1;
}

static void put_answer(const struct build *build, int64_t expires_us)
{
    const struct build_answer *answer = build->answer;
    shelf_put(build->engine->cache->answers, &build->key, build->answer,
              sizeof *answer + answer->arena.used_bytes, build->scope.tenant, build->version, expires_us);
}

/* Asks the second level, where the build may wait. One that refreshes asks only what its answer has to be
 * written under. */
static bool find_far(struct build *build)
{
    int64_t left_us;
    bool may_ask = build->engine->far && !build->is_now;
    struct build_answer *answer = may_ask ? far_get(build, &left_us) : NULL;
    if (!answer || build->request->cache != CACHE_USE) {
        build_answer_unref(answer);
        return false;
    }
    build->answer = answer;
    build->is_hit = true;
    put_answer(build, clock_mono_us(build->engine->clock) + left_us);
    return true;
}

int build_cache_keep(struct build *build, struct err_info *reterr)
{
    (void)reterr;
    int64_t ttl_us = build_cache_ttl_us(build);
    const struct build_answer *answer = build->answer;
    if (build->is_now && ttl_us != 0 && build->request->cache == CACHE_USE)
        count(&build->engine->cache->n_misses);
    if (ttl_us == 0 || !answer->is_complete)
        return 0;
    for (size_t i = 0; i < build->recipe->n_sections; i++) {
        const struct build_section *section = &build->sections[i];
        /* What a source could not say in full today it may say in a moment. */
        if (section->step->material && section->step->material->result->degraded.len > 0)
            return 0;
    }
    put_answer(build, answer->built_us + ttl_us);
    if (build->engine->far)
        far_put(build, ttl_us);
    return 0;
}

/* ---- single flight ---- */

static struct dock *dock_of(struct build *build)
{
    return &build->engine->cache->docks[build->key.bytes[0] % N_DOCKS];
}

/* Under the dock's lock. */
static void flight_unref(struct build_flight *flight)
{
    if (--flight->n_refs > 0)
        return;
    build_answer_unref(flight->answer);
    (void)pthread_cond_destroy(&flight->ended);
    mem_free(flight);
}

static struct build_flight *flight_new(const struct build *build)
{
    pthread_condattr_t attr;
    struct build_flight *flight = mem_calloc(1, sizeof *flight);
    if (!flight)
        return NULL;
    *flight = (struct build_flight){.key = build->key,
                                    .version = build->version,
                                    .deadline_us = build->deadline_us,
                                    .had_us = build->deadline_us - build->began_us,
                                    .n_refs = 1};
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&flight->ended, &attr);
    (void)pthread_condattr_destroy(&attr);
    return flight;
}

/* Of requests that come at once any may lead, so a flight's deadline may lie a little behind ours: by the
 * tenth of the time that gather leaves for the end, it brings its answer by then all the same. */
static int64_t latest_end(const struct build *build)
{
    return build->deadline_us + (build->deadline_us - build->began_us) / 10;
}

/* A flight that began before the user's last write, or may end well after our deadline, is not ours. */
static struct build_flight *flight_find(const struct dock *dock, const struct build *build)
{
    struct build_flight *flight = dock->flights;
    while (flight && (memcmp(&flight->key, &build->key, sizeof flight->key) != 0 ||
                      flight->version != build->version || flight->deadline_us > latest_end(build)))
        flight = flight->next;
    return flight;
}

static void wait_for_end(struct build *build, struct dock *dock, struct build_flight *flight)
{
    struct timespec until;
    int64_t last_us = flight->deadline_us > build->deadline_us ? flight->deadline_us : build->deadline_us;
    int64_t left_us = last_us - clock_mono_us(build->engine->clock);
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t until_us = until.tv_sec * US_PER_SEC + until.tv_nsec / 1000 + (left_us > 0 ? left_us : 0);
    until.tv_sec = until_us / US_PER_SEC;
    until.tv_nsec = until_us % US_PER_SEC * 1000;
    for (int rc = 0; !flight->is_ended && rc != ETIMEDOUT;)
        rc = pthread_cond_timedwait(&flight->ended, &dock->lock, &until);
}

/* An incomplete answer is good enough from one who had as much time as we have. */
static bool is_good_for(const struct build_flight *flight, const struct build *build)
{
    return flight->answer &&
           (flight->answer->is_complete || flight->had_us >= build->deadline_us - build->began_us);
}

/* Waits for a flight, or begins one. Without memory for it the build flies alone. False: it would have to
 * wait, and must not. */
static bool join_or_lead(struct build *build)
{
    struct dock *dock = dock_of(build);
    pthread_mutex_lock(&dock->lock);
    struct build_flight *flight = flight_find(dock, build);
    bool would_wait = flight && build->is_now;
    if (would_wait) {
        pthread_mutex_unlock(&dock->lock);
        return false;
    }
    if (flight) {
        flight->n_refs++;
        wait_for_end(build, dock, flight);
        if (flight->is_ended && is_good_for(flight, build)) {
            build->answer = build_answer_hold(flight->answer);
            build->is_shared = true;
        }
        flight_unref(flight);
    } else if ((flight = flight_new(build))) {
        flight->next = dock->flights;
        dock->flights = flight;
        build->flight = flight;
    }
    pthread_mutex_unlock(&dock->lock);
    return true;
}

void build_cache_leave(struct build *build)
{
    struct build_flight *flight = build->flight;
    if (!flight)
        return;
    struct dock *dock = dock_of(build);
    pthread_mutex_lock(&dock->lock);
    struct build_flight **link = &dock->flights;
    while (*link != flight)
        link = &(*link)->next;
    *link = flight->next;
    flight->is_ended = true;
    flight->answer = build->answer ? build_answer_hold(build->answer) : NULL;
    (void)pthread_cond_broadcast(&flight->ended);
    flight_unref(flight);
    pthread_mutex_unlock(&dock->lock);
    build->flight = NULL;
}

int build_cache_look(struct build *build, struct err_info *reterr)
{
    if (build->is_now && !build_may_be_now(build))
        return BUILD_WOULD_WAIT;
    if (build_cache_ttl_us(build) == 0)
        return 0;
    int rc = prepare(build);
    if (rc < 0)
        return err_set(reterr, rc, "out of memory");
    if (build->request->cache != CACHE_USE) {
        (void)find_far(build);
        return 0;
    }
    if (find(build))
        return 1;
    if (!join_or_lead(build))
        return BUILD_WOULD_WAIT;
    if (build->is_shared) {
        count(&build->engine->cache->n_shared);
        return 1;
    }
    /* Another flight may have ended between our look and our lead: what it kept is there by now. */
    if (build->flight && find(build))
        return 1;
    if (find_far(build))
        return 1;
    if (!build->is_now) /* a build that gives up will come again */
        count(&build->engine->cache->n_misses);
    return 0;
}

/* ---- material for bad days ---- */

void build_material_keep(struct build *build, struct build_step *step)
{
    const struct material *material = step->material;
    if (step->has_key)
        shelf_put(build->engine->cache->materials, &step->key, step->material,
                  sizeof *material + material->result->arena.used_bytes, build->scope.tenant, 0,
                  material->fetched_us + build->recipe->cache_stale_us);
}

struct material *build_material_find(struct build *build, const struct build_step *step)
{
    if (!step->has_key)
        return NULL;
    struct shelf_fresh fresh = {clock_mono_us(build->engine->clock), 0};
    struct material *material = shelf_get(build->engine->cache->materials, &step->key, fresh);
    if (material)
        count(&build->engine->cache->n_stale);
    return material;
}

/* ---- numbers ---- */

void build_cache_describe(struct build_engine *engine, struct build_cache_stats *ret_stats)
{
    struct build_cache *cache = engine->cache;
    struct shelf_stats answers, materials, recalls;
    *ret_stats = (struct build_cache_stats){0};
    if (!cache)
        return;
    shelf_describe(cache->answers, &answers);
    shelf_describe(cache->materials, &materials);
    shelf_describe(cache->recalls, &recalls);
    *ret_stats = (struct build_cache_stats){
        .n_entries = answers.n_entries,
        .bytes = answers.bytes + materials.bytes + recalls.bytes,
        .max_bytes = cache->max_bytes,
        .max_entries = cache->max_entries,
        .n_hits = __atomic_load_n(&cache->n_hits, __ATOMIC_RELAXED),
        .n_misses = __atomic_load_n(&cache->n_misses, __ATOMIC_RELAXED),
        .n_stale = __atomic_load_n(&cache->n_stale, __ATOMIC_RELAXED),
        .n_shared = __atomic_load_n(&cache->n_shared, __ATOMIC_RELAXED),
        .n_evicted = answers.n_evicted,
        .n_expired = answers.n_expired,
    };
    if (engine->far)
        far_describe(engine->far, ret_stats);
}

size_t build_cache_clear(struct build_engine *engine, struct str tenant, bool is_all)
{
    if (is_all) {
        residents_clear(engine->residents, tenant);
        guesses_clear(engine->guesses, tenant);
    }
    if (!engine->cache)
        return 0;
    int64_t now_us = clock_mono_us(engine->clock);
    (void)shelf_clear(engine->cache->materials, tenant, now_us, is_all);
    (void)shelf_clear(engine->cache->recalls, tenant, now_us, is_all);
    return shelf_clear(engine->cache->answers, tenant, now_us, is_all);
}

int build_cache_clear_far(struct build_engine *engine, struct str tenant, struct err_info *reterr)
{
    return engine->far ? far_clear(engine->far, tenant, reterr) : 0;
}
