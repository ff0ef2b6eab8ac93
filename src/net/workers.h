/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads that run jobs which may wait. The queue is bounded: a full one refuses at once.
 */
#ifndef PRECIS_NET_WORKERS_H
#define PRECIS_NET_WORKERS_H

#include "core/err.h"

#include <stddef.h>

struct workers;

typedef void (*workers_fn)(void *arg);

/* name: shown as the thread's name, up to 15 bytes. */
int workers_new(const char *name, int n_threads, size_t max_queued, struct workers **ret_workers,
                struct err_info *reterr);
/* Runs what is queued, then ends the threads. Accepts NULL; returns NULL. */
struct workers *workers_free(struct workers *workers);
/* Queues fn(arg), to be called exactly once. ERR_UNAVAILABLE when the queue is full or the pool is
 * ending: then fn is not called. */
int workers_submit(struct workers *workers, workers_fn fn, void *arg);
/* Jobs waiting and running. */
size_t workers_load(struct workers *workers);

#endif
