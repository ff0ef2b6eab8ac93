/* SPDX-License-Identifier: Apache-2.0
 *
 * A window that slides in steps of a twentieth of the period: what was allowed is counted by step, and the
 * steps that any part of the last period lies in count whole. So no stretch of one period ever holds more
 * than n, at an edge as little as elsewhere; the price is that a request may be forgotten up to a twentieth
 * of the period late. What is refused does not count.
 *
 * The counts of this process stand in a table of fixed size, eight places to a bucket; the place that was
 * unused for longest makes room. In Redis a hash for each subject holds the same steps, by a script that the
 * server runs as a whole, on the server's clock.
 */
#include "serve/limit.h"

#include "core/arena.h"
#include "core/mem.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>

#define N_STEPS        20
#define N_SHARDS       64
#define N_BUCKETS      128              /* of a shard */
#define N_WAYS         8                /* together 65,536 subjects: 7 MB, taken when there is a limit */
#define SHARED_WAIT_US (50 * US_PER_MS) /* for the server's verdict */
#define MAX_REPLY      4096

/* Steps of the past that any part of the period lies in, beside the one that is running. */
#define N_COUNTS (N_STEPS + 1)

struct subject_key {
    unsigned char bytes[16];
};

struct place {
    struct subject_key key;
    int64_t step;              /* the newest that has a count; 0: the place is free */
    uint32_t counts[N_COUNTS]; /* of step s at s % N_COUNTS */
};

struct shard {
    pthread_mutex_t lock;
    struct place places[N_BUCKETS][N_WAYS];
};

struct limiter {
    struct limit_rate rate;
    struct redis_client *client;
    const struct clock *clock;
    unsigned char secret[crypto_shorthash_KEYBYTES];
    struct shard *shards;
    struct redis_script script;
    uint64_t n_allowed, n_refused, n_alone; /* atomic */
};

/* ---- rates ---- */

static int bad_rate(struct str text, struct err_info *reterr)
{
    return err_set(reterr, ERR_INVALID,
                   "'%.*s' is no rate such as 10/s, 600/m, 5000/h or 5/10s, up to %d a period of a day",
                   STR_ARG(str_slice(text, 0, 40)), LIMIT_MAX_RATE);
}

int limit_rate_parse(struct str text, struct limit_rate *ret_rate, struct err_info *reterr)
{
    struct limit_rate rate;
    struct str rest = text, number;
    char period[16];

    if (!str_next_part(&rest, '/', &number) || str_to_int(str_trim(number), &rate.n) < 0 || rate.n < 1 ||
        rate.n > LIMIT_MAX_RATE)
        return bad_rate(text, reterr);
    rest = str_trim(rest);
    bool has_number = rest.len > 0 && rest.ptr[0] >= '0' && rest.ptr[0] <= '9';
    (void)snprintf(period, sizeof period, "%s%.*s", has_number ? "" : "1", STR_ARG(str_slice(rest, 0, 12)));
    if (str_to_duration_us(str_of(period), &rate.period_us) < 0 || rate.period_us < US_PER_SEC ||
        rate.period_us > 86400 * US_PER_SEC)
        return bad_rate(text, reterr);
    *ret_rate = rate;
    return 0;
}

/* ARGV: the limit, the width of a step in milliseconds, the steps. Gives {allowed, left, milliseconds to
 * wait}. */
static const char script_text[] =
    "local limit, width, steps = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])\n"
    "local time = redis.call('TIME')\n"
    "local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)\n"
    "local step = math.floor(now / width)\n"
    "local all = redis.call('HGETALL', KEYS[1])\n"
    "local n, oldest, old = 0, step, {}\n"
    "for i = 1, #all, 2 do\n"
    "  local at, count = tonumber(all[i]), tonumber(all[i + 1])\n"
    "  if at and count and at >= step - steps and at <= step + 1 then\n"
    "    n = n + count\n"
    "    if at < oldest then oldest = at end\n"
    "  else\n"
    "    old[#old + 1] = all[i]\n"
    "  end\n"
    "end\n"
    "if #old > 0 then redis.call('HDEL', KEYS[1], unpack(old, 1, math.min(#old, 1000))) end\n"
    "local allowed = 0\n"
    "if n < limit then\n"
    "  redis.call('HINCRBY', KEYS[1], string.format('%d', step), 1)\n"
    "  redis.call('PEXPIRE', KEYS[1], width * (steps + 2))\n"
    "  n, allowed = n + 1, 1\n"
    "end\n"
    "local wait = 0\n"
    "if n >= limit then wait = (oldest + steps + 1) * width - now end\n"
    "return {allowed, limit - n, wait}\n";

/* ---- the limiter ---- */

int limiter_new(struct limit_rate rate, struct redis_client *client, const struct clock *clock,
                struct limiter **ret_limiter, struct err_info *reterr)
{
    struct limiter *limiter = mem_calloc(1, sizeof *limiter);
    struct shard *shards = mem_calloc(N_SHARDS, sizeof *shards);
    if (!limiter || !shards) {
        mem_free(limiter);
        mem_free(shards);
        return err_set(reterr, ERR_NOMEM, "out of memory");
    }
    *limiter = (struct limiter){.rate = rate, .client = client, .clock = clock, .shards = shards};
    redis_script_init(&limiter->script, script_text);
    randombytes_buf(limiter->secret, sizeof limiter->secret);
    for (size_t i = 0; i < N_SHARDS; i++)
        (void)pthread_mutex_init(&shards[i].lock, NULL);
    *ret_limiter = limiter;
    return 0;
}

struct limiter *limiter_free(struct limiter *limiter)
{
    if (!limiter)
        return NULL;
    for (size_t i = 0; i < N_SHARDS; i++)
        (void)pthread_mutex_destroy(&limiter->shards[i].lock);
    mem_free(limiter->shards);
    return mem_free(limiter);
}

struct limit_rate limiter_rate(const struct limiter *limiter)
{
    return limiter->rate;
}

bool limiter_is_shared(const struct limiter *limiter)
{
    return limiter->client != NULL;
}

static void add(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* ---- in this process ---- */

static struct subject_key key_of(const struct limiter *limiter, const struct limit_subject *subject)
{
    const struct str parts[] = {subject->tenant, subject->user, subject->route};
    struct subject_key key;
    crypto_generichash_state state;

    (void)crypto_generichash_init(&state, limiter->secret, sizeof limiter->secret, sizeof key.bytes);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        uint64_t len = parts[i].len;
        (void)crypto_generichash_update(&state, (const unsigned char *)&len, sizeof len);
        (void)crypto_generichash_update(&state, (const unsigned char *)parts[i].ptr, parts[i].len);
    }
    (void)crypto_generichash_final(&state, key.bytes, sizeof key.bytes);
    return key;
}

/* The subject's place, made if need be. Under the shard's lock. */
static struct place *place_of(struct shard *shard, const struct subject_key *key)
{
    struct place *ways = shard->places[key->bytes[1] % N_BUCKETS], *oldest = ways;
    for (size_t i = 0; i < N_WAYS; i++) {
        if (ways[i].step && memcmp(&ways[i].key, key, sizeof *key) == 0)
            return &ways[i];
        if (ways[i].step < oldest->step)
            oldest = &ways[i];
    }
    *oldest = (struct place){.key = *key};
    return oldest;
}

/* Forgets the steps that have left the window. */
static void slide(struct place *place, int64_t step)
{
    int64_t n_new = step - place->step;
    if (n_new >= N_COUNTS || place->step == 0)
        memset(place->counts, 0, sizeof place->counts);
    else
        for (int64_t s = place->step + 1; s <= step; s++)
            place->counts[s % N_COUNTS] = 0;
    if (n_new > 0)
        place->step = step;
}

/* When the oldest that counts leaves the window. */
static int64_t wait_of(const struct place *place, int64_t now_us, int64_t width_us)
{
    int64_t step = place->step - N_STEPS;
    while (step < place->step && place->counts[step % N_COUNTS] == 0)
        step++;
    return (step + N_COUNTS) * width_us - now_us;
}

struct limit_verdict limiter_count(struct limiter *limiter, const struct limit_subject *subject)
{
    struct subject_key key = key_of(limiter, subject);
    struct shard *shard = &limiter->shards[key.bytes[0] % N_SHARDS];
    int64_t width_us = limiter->rate.period_us / N_STEPS;
    /* One period on, so that no step that is looked back to is below 0. */
    int64_t now_us = clock_mono_us(limiter->clock) + 2 * limiter->rate.period_us;
    struct limit_verdict verdict = {.is_allowed = true};
    int64_t n = 0;

    pthread_mutex_lock(&shard->lock);
    struct place *place = place_of(shard, &key);
    slide(place, now_us / width_us);
    for (size_t i = 0; i < N_COUNTS; i++)
        n += place->counts[i];
    verdict.is_allowed = n < limiter->rate.n;
    if (verdict.is_allowed)
        place->counts[place->step % N_COUNTS]++;
    verdict.n_left = limiter->rate.n - n - verdict.is_allowed;
    if (verdict.n_left <= 0)
        verdict.wait_us = wait_of(place, now_us, width_us);
    pthread_mutex_unlock(&shard->lock);
    if (!verdict.is_allowed)
        add(&limiter->n_refused);
    else if (!limiter->client)
        add(&limiter->n_allowed);
    return verdict;
}

/* Others used up what this process would have given: it did not. */
static void take_back(struct limiter *limiter, const struct limit_subject *subject)
{
    struct subject_key key = key_of(limiter, subject);
    struct shard *shard = &limiter->shards[key.bytes[0] % N_SHARDS];

    pthread_mutex_lock(&shard->lock);
    struct place *place = place_of(shard, &key);
    uint32_t *count = &place->counts[place->step % N_COUNTS];
    *count -= *count > 0;
    pthread_mutex_unlock(&shard->lock);
}

/* ---- in all ---- */

static int ask_server(struct limiter *limiter, const struct limit_subject *subject,
                      struct limit_verdict *ret_verdict)
{
    char limit[24], width[24], steps[24];
    struct arena arena;
    struct resp reply;
    struct buf key;

    (void)snprintf(limit, sizeof limit, "%lld", (long long)limiter->rate.n);
    (void)snprintf(width, sizeof width, "%lld", (long long)(limiter->rate.period_us / N_STEPS / US_PER_MS));
    (void)snprintf(steps, sizeof steps, "%d", N_STEPS);
    arena_init(&arena, MAX_REPLY);
    buf_init(&key, MAX_REPLY);
    redis_client_key(limiter->client, "rate_limit", subject->tenant, &key);
    buf_printf(&key, "%zu:", subject->user.len);
    buf_append_str(&key, subject->user);
    buf_append_byte(&key, ':');
    buf_append_str(&key, subject->route);
    int res = buf_error(&key);
    if (res == 0)
        res = redis_client_run(limiter->client, &limiter->script, buf_str(&key),
                               (struct str[]){str_of(limit), str_of(width), str_of(steps)}, 3,
                               clock_mono_us(limiter->clock) + SHARED_WAIT_US, &arena, &reply, NULL);
    if (res == 0 && (reply.kind != RESP_ARRAY || reply.n != 3))
        res = ERR_REMOTE;
    if (res == 0)
        *ret_verdict = (struct limit_verdict){.is_allowed = reply.items[0].integer == 1,
                                              .n_left = reply.items[1].integer,
                                              .wait_us = reply.items[2].integer * US_PER_MS};
    buf_done(&key);
    arena_done(&arena);
    return res;
}

struct limit_verdict limiter_count_shared(struct limiter *limiter, const struct limit_subject *subject,
                                          struct limit_verdict own)
{
    struct limit_verdict verdict = own;

    if (ask_server(limiter, subject, &verdict) < 0)
        add(&limiter->n_alone); /* told by metrics and /readyz, where it is seen as one thing */
    if (!verdict.is_allowed)
        take_back(limiter, subject);
    add(verdict.is_allowed ? &limiter->n_allowed : &limiter->n_refused);
    return verdict;
}

void limiter_describe(const struct limiter *limiter, struct limit_stats *ret_stats)
{
    *ret_stats = (struct limit_stats){
        .n_allowed = __atomic_load_n(&limiter->n_allowed, __ATOMIC_RELAXED),
        .n_refused = __atomic_load_n(&limiter->n_refused, __ATOMIC_RELAXED),
        .n_alone = __atomic_load_n(&limiter->n_alone, __ATOMIC_RELAXED),
    };
}
