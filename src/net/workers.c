/* SPDX-License-Identifier: Apache-2.0
 *
 * A fixed set of threads and one ring of jobs between them. The ring has its full size from the start, so
 * that queueing a job never allocates and so never fails for want of memory. One mutex guards everything.
 */
#include "net/workers.h"

#include "core/mem.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#define THREAD_NAME_SIZE 16 /* the kernel's limit, NUL included */

struct queued {
    workers_fn fn;
    void *arg;
};

struct workers {
    pthread_mutex_t mutex;
    pthread_cond_t not_empty;
    struct queued *ring;
    size_t ring_size;
    size_t head; /* the oldest job */
    size_t n_queued;
    size_t n_running;
    bool is_ending;
    char name[THREAD_NAME_SIZE];
    pthread_t *threads;
    int n_threads; /* started so far */
};

static void *worker_main(void *arg)
{
    struct workers *workers = arg;

    (void)pthread_setname_np(pthread_self(), workers->name); /* for people with a debugger only */
    pthread_mutex_lock(&workers->mutex);
    for (;;) {
        while (workers->n_queued == 0 && !workers->is_ending)
            pthread_cond_wait(&workers->not_empty, &workers->mutex);
        if (workers->n_queued == 0)
            break;

        struct queued job = workers->ring[workers->head];
        workers->head = (workers->head + 1) % workers->ring_size;
        workers->n_queued--;
        workers->n_running++;
        pthread_mutex_unlock(&workers->mutex);
        job.fn(job.arg);
        pthread_mutex_lock(&workers->mutex);
        workers->n_running--;
    }
    pthread_mutex_unlock(&workers->mutex);
    return NULL;
}

/* Signals belong to the thread that main chose for them, never to a worker: they are blocked while the
 * threads start, and threads inherit that. */
static int start_threads(struct workers *workers, int n_threads)
{
    sigset_t all, old;
    int res = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    while (res == 0 && workers->n_threads < n_threads) {
        res = pthread_create(&workers->threads[workers->n_threads], NULL, worker_main, workers);
        if (res == 0)
            workers->n_threads++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return res;
}

int workers_new(const char *name, int n_threads, size_t max_queued, struct workers **ret_workers,
                struct err_info *reterr)
{
    assert(n_threads > 0 && max_queued > 0);

    struct workers *workers = mem_calloc(1, sizeof *workers);
    if (!workers)
        return err_set(reterr, ERR_NOMEM, "not enough memory for worker threads");
    pthread_mutex_init(&workers->mutex, NULL);
    pthread_cond_init(&workers->not_empty, NULL);
    workers->ring_size = max_queued;
    workers->ring = mem_calloc(max_queued, sizeof *workers->ring);
    workers->threads = mem_calloc((size_t)n_threads, sizeof *workers->threads);
    memcpy(workers->name, name, strnlen(name, THREAD_NAME_SIZE - 1));
    if (!workers->ring || !workers->threads) {
        workers_free(workers);
        return err_set(reterr, ERR_NOMEM, "not enough memory for worker threads");
    }

    int res = start_threads(workers, n_threads);
    if (res != 0) {
        workers_free(workers);
        return err_set(reterr, ERR_UNAVAILABLE, "cannot start worker thread '%s': %s", name, strerror(res));
    }
    *ret_workers = workers;
    return 0;
}

struct workers *workers_free(struct workers *workers)
{
    if (!workers)
        return NULL;
    pthread_mutex_lock(&workers->mutex);
    workers->is_ending = true;
    pthread_cond_broadcast(&workers->not_empty);
    pthread_mutex_unlock(&workers->mutex);
    for (int i = 0; i < workers->n_threads; i++)
        pthread_join(workers->threads[i], NULL);
    pthread_cond_destroy(&workers->not_empty);
    pthread_mutex_destroy(&workers->mutex);
    mem_free(workers->threads);
    mem_free(workers->ring);
    return mem_free(workers);
}

int workers_submit(struct workers *workers, workers_fn fn, void *arg)
{
    int res = 0;

    pthread_mutex_lock(&workers->mutex);
    if (workers->is_ending || workers->n_queued == workers->ring_size) {
        res = ERR_UNAVAILABLE;
    } else {
        size_t tail = (workers->head + workers->n_queued) % workers->ring_size;
        workers->ring[tail] = (struct queued){fn, arg};
        workers->n_queued++;
        pthread_cond_signal(&workers->not_empty);
    }
    pthread_mutex_unlock(&workers->mutex);
    return res;
}

size_t workers_load(struct workers *workers)
{
    pthread_mutex_lock(&workers->mutex);
    size_t load = workers->n_queued + workers->n_running;
    pthread_mutex_unlock(&workers->mutex);
    return load;
}
