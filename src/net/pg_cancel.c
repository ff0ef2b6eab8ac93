/* SPDX-License-Identifier: Apache-2.0
 *
 * Cancelling. libpq before 17 can only connect, send and wait for the server's hanging up, with no time
 * limit; a server that is frozen would hold a connector for good. So each cancel has a thread, of which
 * nothing but its own memory depends, and there are MAX_CANCELS at most.
 */
#include "net/pg_priv.h"

#include "core/mem.h"

#include <pthread.h>
#include <stdatomic.h>

#define MAX_CANCELS 8
#define STACK_BYTES ((size_t)256 * 1024)

struct pg_canceller {
    atomic_int n_refs;
    atomic_int n_running;
};

struct cancel {
    struct pg_canceller *canceller;
    PGcancel *cancel;
    __typeof__(&PQcancel) run;
    __typeof__(&PQfreeCancel) free;
};

struct pg_canceller *pg_canceller_new(void)
{
    struct pg_canceller *canceller = mem_calloc(1, sizeof *canceller);
    if (canceller)
        atomic_init(&canceller->n_refs, 1);
    return canceller;
}

struct pg_canceller *pg_canceller_unref(struct pg_canceller *canceller)
{
    if (canceller && atomic_fetch_sub(&canceller->n_refs, 1) == 1)
        mem_free(canceller);
    return NULL;
}

static void *cancel_main(void *arg)
{
    struct cancel *cancel = arg;
    char message[256];

    (void)cancel->run(cancel->cancel, message, sizeof message); /* if it fails, statement_timeout remains */
    cancel->free(cancel->cancel);
    atomic_fetch_sub(&cancel->canceller->n_running, 1);
    pg_canceller_unref(cancel->canceller);
    mem_free(cancel);
    return NULL;
}

static bool start_thread(struct cancel *cancel)
{
    pthread_attr_t attr;
    pthread_t thread;

    if (pthread_attr_init(&attr) != 0)
        return false;
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED); /* a known state: cannot fail */
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);               /* else the default's */
    bool has_started = pthread_create(&thread, &attr, cancel_main, cancel) == 0;
    (void)pthread_attr_destroy(&attr); /* holds nothing */
    return has_started;
}

bool pg_conn_cancel(const struct pg_conn *conn, struct pg_canceller *canceller)
{
    struct cancel *cancel = NULL;
    PGcancel *what = NULL;
    bool has_started = false;

    if (atomic_fetch_add(&canceller->n_running, 1) < MAX_CANCELS) {
        what = conn->lib.getCancel(conn->pq);
        cancel = mem_alloc(sizeof *cancel);
    }
    if (what && cancel) {
        *cancel = (struct cancel){canceller, what, conn->lib.cancel, conn->lib.freeCancel};
        atomic_fetch_add(&canceller->n_refs, 1);
        has_started = start_thread(cancel);
        if (!has_started)
            atomic_fetch_sub(&canceller->n_refs, 1);
    }
    if (!has_started) {
        atomic_fetch_sub(&canceller->n_running, 1);
        conn->lib.freeCancel(what); /* accepts NULL */
        mem_free(cancel);
    }
    return has_started;
}
