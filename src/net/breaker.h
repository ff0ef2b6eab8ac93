/* SPDX-License-Identifier: Apache-2.0
 *
 * Stops asking a server that does not answer, so that a dead one costs nothing but its own sections.
 * Thread-safe.
 *
 *     closed     -> open       BREAKER_MAX_FAILURES in a row
 *     open       -> probing    its pause is over: one question may go through
 *     probing    -> closed     the probe was answered
 *                -> open       it was not; the pause is twice as long, up to BREAKER_MAX_PAUSE_US
 */
#ifndef PRECIS_NET_BREAKER_H
#define PRECIS_NET_BREAKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define BREAKER_MAX_FAILURES 5
#define BREAKER_MIN_PAUSE_US INT64_C(250000)
#define BREAKER_MAX_PAUSE_US INT64_C(2000000)

enum breaker_outcome {
    BREAKER_ANSWERED, /* the server was heard, whatever it said */
    BREAKER_SILENT,   /* it could not be reached or said nothing */
    BREAKER_UNKNOWN,  /* nobody waited for it */
};

struct breaker {
    pthread_mutex_t mutex;
    unsigned n_failures; /* in a row */
    bool is_open, is_probing;
    int64_t pause_us, until_us; /* monotonic */
    int64_t failing_since_us;   /* monotonic: the first failure of the row; 0: none */
    uint64_t n_openings, n_refusals;
};

struct breaker_stats {
    bool is_open, is_probing;
    int64_t failing_since_us; /* monotonic; 0: the last answer was one */
    uint64_t n_openings, n_refusals;
};

void breaker_init(struct breaker *breaker);
void breaker_done(struct breaker *breaker);
/* True: ask, and note the outcome, exactly once. False: do not; *ret_wait_us until it may be tried again. */
bool breaker_may_ask(struct breaker *breaker, int64_t now_us, int64_t *ret_wait_us);
void breaker_note(struct breaker *breaker, int64_t now_us, enum breaker_outcome outcome);
struct breaker_stats breaker_stats(struct breaker *breaker);

#endif
