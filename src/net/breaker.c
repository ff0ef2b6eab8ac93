/* SPDX-License-Identifier: Apache-2.0 */
#include "net/breaker.h"

void breaker_init(struct breaker *breaker)
{
    *breaker = (struct breaker){.pause_us = BREAKER_MIN_PAUSE_US};
    pthread_mutex_init(&breaker->mutex, NULL);
}

void breaker_done(struct breaker *breaker)
{
    pthread_mutex_destroy(&breaker->mutex);
}

bool breaker_may_ask(struct breaker *breaker, int64_t now_us, int64_t *ret_wait_us)
{
    bool may_ask = true;

    pthread_mutex_lock(&breaker->mutex);
    if (breaker->is_open) {
        may_ask = now_us >= breaker->until_us; /* which a probe moves on, so that one that is lost is not
                                                  waited for for ever */
        if (may_ask) {
            breaker->is_probing = true;
            breaker->until_us = now_us + BREAKER_MAX_PAUSE_US;
        } else {
            breaker->n_refusals++;
            *ret_wait_us = breaker->until_us > now_us ? breaker->until_us - now_us : 0;
        }
    }
    pthread_mutex_unlock(&breaker->mutex);
    return may_ask;
}

static void note_answer(struct breaker *breaker)
{
    breaker->n_failures = 0;
    breaker->failing_since_us = 0;
    breaker->is_open = breaker->is_probing = false;
    breaker->pause_us = BREAKER_MIN_PAUSE_US;
}

/* Questions that were under way when it opened may fail after that: they do not make the pause longer. */
static void note_silence(struct breaker *breaker, int64_t now_us)
{
    if (breaker->n_failures++ == 0)
        breaker->failing_since_us = now_us ? now_us : 1;
    if (breaker->is_open && breaker->is_probing && breaker->pause_us < BREAKER_MAX_PAUSE_US)
        breaker->pause_us *= 2;
    if (breaker->is_probing || (!breaker->is_open && breaker->n_failures >= BREAKER_MAX_FAILURES)) {
        breaker->n_openings += !breaker->is_open;
        breaker->is_open = true;
        breaker->is_probing = false;
        breaker->until_us = now_us + breaker->pause_us;
    }
}

void breaker_note(struct breaker *breaker, int64_t now_us, enum breaker_outcome outcome)
{
    pthread_mutex_lock(&breaker->mutex);
    if (outcome == BREAKER_ANSWERED)
        note_answer(breaker);
    else if (outcome == BREAKER_SILENT)
        note_silence(breaker, now_us);
    else
        breaker->until_us = breaker->is_probing ? now_us : breaker->until_us; /* whoever comes next probes */
    pthread_mutex_unlock(&breaker->mutex);
}

struct breaker_stats breaker_stats(struct breaker *breaker)
{
    pthread_mutex_lock(&breaker->mutex);
    struct breaker_stats stats = {
        .is_open = breaker->is_open,
        .is_probing = breaker->is_probing,
        .failing_since_us = breaker->failing_since_us,
        .n_openings = breaker->n_openings,
        .n_refusals = breaker->n_refusals,
    };
    pthread_mutex_unlock(&breaker->mutex);
    return stats;
}
