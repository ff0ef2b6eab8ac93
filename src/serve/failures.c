/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of fixed size, the least recently logged going first; one mutex, as failures are few or have a
 * breaker before them.
 */
#include "serve/failures.h"

#include "core/mem.h"

#include <pthread.h>

#define N_SLOTS 256

struct slot {
    uint64_t key;      /* 0: free */
    int64_t logged_us; /* monotonic */
    uint64_t n;        /* since then; of a source: lines within the time */
};

struct failures {
    const struct clock *clock;
    pthread_mutex_t lock;
    struct slot slots[N_SLOTS];
};

int failures_new(const struct clock *clock, struct failures **ret_failures, struct err_info *reterr)
{
    struct failures *failures = mem_calloc(1, sizeof *failures);

    if (!failures)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    failures->clock = clock;
    pthread_mutex_init(&failures->lock, NULL);
    *ret_failures = failures;
    return 0;
}

struct failures *failures_free(struct failures *failures)
{
    if (!failures)
        return NULL;
    pthread_mutex_destroy(&failures->lock);
    return mem_free(failures);
}

/* FNV-1a of a text, less its numbers, on top of another's. */
static uint64_t hash_text(uint64_t hash, struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            hash = (hash ^ (unsigned char)text.ptr[i]) * 0x100000001b3;
    return (hash ^ 0xff) * 0x100000001b3; /* ends it: no text holds that byte */
}

static bool is_silence(int code)
{
    return code == ERR_UNAVAILABLE || code == ERR_IO || code == ERR_TIMEOUT;
}

static bool is_old(const struct slot *slot, int64_t now_us)
{
    return slot->key == 0 || now_us - slot->logged_us >= FAILURES_AGAIN_US;
}

/* The key's slot, or the one that was logged longest ago, made its own. */
static struct slot *find(struct failures *failures, uint64_t key)
{
    struct slot *oldest = &failures->slots[0];

    for (size_t i = 0; i < N_SLOTS; i++) {
        struct slot *slot = &failures->slots[i];
        if (slot->key == key)
            return slot;
        if (slot->key == 0 || (oldest->key != 0 && slot->logged_us < oldest->logged_us))
            oldest = slot;
    }
    *oldest = (struct slot){.key = 0};
    return oldest;
}

bool failures_note(struct failures *failures, struct str source, int code, struct str sentence,
                   uint64_t *ret_n)
{
    uint64_t source_key = hash_text(0xcbf29ce484222325, source) | 1;
    uint64_t key = hash_text(source_key, is_silence(code) ? STR_LIT("down") : sentence) | 1;
    int64_t now_us = clock_mono_us(failures->clock);
    bool is_due = false;

    pthread_mutex_lock(&failures->lock);
    struct slot *said = find(failures, source_key);
    if (is_old(said, now_us))
        *said = (struct slot){source_key, now_us, 0};
    struct slot *slot = find(failures, key);
    slot->n++;
    if (is_old(slot, now_us) && said->n < FAILURES_MAX_A_TIME) {
        is_due = true;
        *ret_n = slot->n;
        said->n++;
        *slot = (struct slot){key, now_us, 0};
    }
    pthread_mutex_unlock(&failures->lock);
    return is_due;
}
