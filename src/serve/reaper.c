/* SPDX-License-Identifier: Apache-2.0
 *
 * A list of connections under one lock, taken when a connection opens and closes and once a second. The lock
 * is held across shutdown(2), so that no descriptor is shut down after it was closed and given to somebody
 * else.
 */
#include "serve/reaper.h"

#include "core/mem.h"
#include "text/tables.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <time.h>

#define SECONDS_TO_REST 10

struct reaper {
    const struct clock *clock;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_ending;
    struct reaper_watch *first;
};

static void reap(struct reaper *reaper)
{
    int64_t now_us = clock_mono_us(reaper->clock);

    for (struct reaper_watch *watch = reaper->first; watch; watch = watch->next)
        if (atomic_load_explicit(&watch->until_us, memory_order_relaxed) <= now_us)
            (void)shutdown(watch->fd, SHUT_RDWR);
}

static void *reaper_run(void *arg)
{
    struct reaper *reaper = arg;
    struct timespec until;
    unsigned n_seconds = 0;

    pthread_mutex_lock(&reaper->lock);
    while (!reaper->is_ending) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec++;
        (void)pthread_cond_timedwait(&reaper->wake, &reaper->lock, &until);
        reap(reaper);
        if (++n_seconds % SECONDS_TO_REST == 0) {
            pthread_mutex_unlock(&reaper->lock);
            if (tables_let_go())
                mem_give_back();
            pthread_mutex_lock(&reaper->lock);
        }
    }
    pthread_mutex_unlock(&reaper->lock);
    return NULL;
}

int reaper_new(const struct clock *clock, struct reaper **ret_reaper, struct err_info *reterr)
{
    struct reaper *reaper = mem_calloc(1, sizeof *reaper);
    pthread_condattr_t attr;

    if (!reaper)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    reaper->clock = clock;
    pthread_mutex_init(&reaper->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&reaper->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&reaper->thread, NULL, reaper_run, reaper) != 0) {
        pthread_cond_destroy(&reaper->wake);
        pthread_mutex_destroy(&reaper->lock);
        mem_free(reaper);
        return err_set(reterr, ERR_UNAVAILABLE, "no thread can be started");
    }
    *ret_reaper = reaper;
    return 0;
}

struct reaper *reaper_free(struct reaper *reaper)
{
    if (!reaper)
        return NULL;
    pthread_mutex_lock(&reaper->lock);
    reaper->is_ending = true;
    pthread_cond_signal(&reaper->wake);
    pthread_mutex_unlock(&reaper->lock);
    pthread_join(reaper->thread, NULL);
    pthread_cond_destroy(&reaper->wake);
    pthread_mutex_destroy(&reaper->lock);
    return mem_free(reaper);
}

void reaper_add(struct reaper *reaper, struct reaper_watch *watch)
{
    pthread_mutex_lock(&reaper->lock);
    watch->prev = NULL;
    watch->next = reaper->first;
    if (watch->next)
        watch->next->prev = watch;
    reaper->first = watch;
    pthread_mutex_unlock(&reaper->lock);
}

void reaper_remove(struct reaper *reaper, struct reaper_watch *watch)
{
    pthread_mutex_lock(&reaper->lock);
    if (watch->prev)
        watch->prev->next = watch->next;
    else
        reaper->first = watch->next;
    if (watch->next)
        watch->next->prev = watch->prev;
    pthread_mutex_unlock(&reaper->lock);
}
