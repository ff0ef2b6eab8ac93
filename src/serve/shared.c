/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shared.h"

#include "core/log.h"
#include "core/mem.h"

#include <pthread.h>

#define LOG_EVERY_US (60 * US_PER_SEC)

struct shared_watch {
    struct redis_client *client;
    const struct clock *clock;
    pthread_mutex_t lock;
    int64_t logged_us; /* monotonic; 0: never */
    bool is_told;      /* as down, and not yet as up again */
};

static void on_call(void *owner, const char *trouble)
{
    struct shared_watch *watch = owner;
    int64_t now_us = clock_mono_us(watch->clock);

    pthread_mutex_lock(&watch->lock);
    bool is_due = trouble ? !watch->logged_us || now_us - watch->logged_us >= LOG_EVERY_US : watch->is_told;
    if (is_due) {
        watch->is_told = trouble != NULL;
        watch->logged_us = trouble ? now_us : watch->logged_us;
    }
    pthread_mutex_unlock(&watch->lock);
    if (is_due && trouble)
        log_event(LOG_WARN, "the shared tier does not serve; this server goes on alone",
                  LOG_CSTR("server", redis_client_place(watch->client)), LOG_CSTR("message", trouble),
                  LOG_END);
    else if (is_due)
        log_event(LOG_INFO, "the shared tier serves again",
                  LOG_CSTR("server", redis_client_place(watch->client)), LOG_END);
}

int shared_watch_new(struct redis_client *client, const struct clock *clock, struct shared_watch **ret_watch,
                     struct err_info *reterr)
{
    struct shared_watch *watch = mem_calloc(1, sizeof *watch);
    if (!watch)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    watch->client = client;
    watch->clock = clock;
    (void)pthread_mutex_init(&watch->lock, NULL);
    redis_client_observe(client, on_call, watch);
    *ret_watch = watch;
    return 0;
}

struct shared_watch *shared_watch_free(struct shared_watch *watch)
{
    if (!watch)
        return NULL;
    redis_client_observe(watch->client, NULL, NULL);
    (void)pthread_mutex_destroy(&watch->lock);
    return mem_free(watch);
}
