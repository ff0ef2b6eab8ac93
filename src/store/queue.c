/* SPDX-License-Identifier: Apache-2.0
 *
 * The writer: one thread that takes all writes queued at the moment, runs them in one transaction, commits
 * once and wakes those who wait. While it waits for the disk the next group gathers, so that load makes
 * groups larger and not the wait longer. A write waits on its caller's stack; the list is bounded.
 *
 * A write that fails is undone alone, by its savepoint. When the whole transaction is lost (the disk is full,
 * the commit fails) every write that ran in it fails; those not yet run go into the next one.
 */
#include "store/store_priv.h"

#include "core/mem.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>

#define MAX_QUEUED 4096 /* far above the number of workers; beyond it something is stuck */
#define MAX_GROUP  256  /* bounds how long the first of a group waits for the last */

struct write {
    struct write *next;
    store_txn_fn fn;
    void *arg;
    struct err_info *reterr;
    int result;
    sem_t done;
};

struct queue {
    struct store *store;
    pthread_mutex_t mutex; /* guards the list and is_ending */
    pthread_cond_t has_work;
    struct write *first, **last;
    size_t n_queued;
    bool is_ending;
    pthread_t thread;
    uint64_t touched[STORE_VERSION_SLOTS / 64]; /* the writer's thread alone */
    _Atomic uint64_t n_commits, n_writes;
};

/* The next group, NULL-terminated; waits for one. NULL when the queue has ended and is empty. */
static struct write *take_group(struct queue *queue)
{
    struct write *group, **end;
    size_t n = 0;

    (void)pthread_mutex_lock(&queue->mutex);
    while (!queue->first && !queue->is_ending)
        (void)pthread_cond_wait(&queue->has_work, &queue->mutex);
    group = queue->first;
    for (end = &queue->first; *end && n < MAX_GROUP; n++)
        end = &(*end)->next;
    queue->first = *end;
    *end = NULL;
    if (!queue->first)
        queue->last = &queue->first;
    queue->n_queued -= n;
    (void)pthread_mutex_unlock(&queue->mutex);
    return n > 0 ? group : NULL;
}

static int run_member(struct queue *queue, struct store_txn *txn, struct write *write,
                      struct err_info *reterr)
{
    const struct store_ops *ops = queue->store->ops;
    int r = ops->on_member_begin(queue->store->engine, reterr);

    if (r < 0)
        return r;
    txn->n_changes = 0;
    write->result = write->fn(txn, write->arg, write->reterr);
    return ops->on_member_end(queue->store->engine, write->result >= 0, reterr);
}

static void raise_touched(struct queue *queue, void (*raise)(struct versions *versions, size_t slot))
{
    for (size_t i = 0; i < STORE_VERSION_SLOTS / 64; i++)
        for (uint64_t bits = queue->touched[i]; bits; bits &= bits - 1)
            raise(&queue->store->versions, i * 64 + (size_t)__builtin_ctzll(bits));
}

static int commit(struct queue *queue, struct err_info *reterr)
{
    raise_touched(queue, versions_begin);
    int r = queue->store->ops->on_group_commit(queue->store->engine, reterr);
    raise_touched(queue, versions_end);
    return r;
}

/* Tells those from `write` up to `end` how it went. With group_result 0 each has its own; otherwise that is
 * what the ones get that had not failed by themselves. */
static void wake_group(struct write *write, const struct write *end, int group_result,
                       const struct err_info *err)
{
    while (write != end) {
        struct write *next = write->next; /* the write is gone once it is told */

        if (group_result < 0 && write->result >= 0) {
            write->result = group_result;
            if (write->reterr)
                *write->reterr = *err;
        }
        (void)sem_post(&write->done);
        write = next;
    }
}

/* Runs a group; returns the first that did not run, because the transaction was lost before its turn. */
static struct write *run_group(struct queue *queue, struct write *group)
{
    const struct store_ops *ops = queue->store->ops;
    struct store_txn txn = {.store = queue->store, .touched = queue->touched};
    struct err_info err = {0};
    struct write *end = group;
    uint64_t n = 0;
    int r = ops->on_group_begin(queue->store->engine, &txn.conn, &err);

    if (r < 0) {
        wake_group(group, NULL, r, &err);
        return NULL;
    }
    memset(queue->touched, 0, sizeof queue->touched);
    for (; end && r == 0; end = end->next, n++)
        r = run_member(queue, &txn, end, &err);
    if (r == 0)
        r = commit(queue, &err);
    if (r == 0) {
        (void)atomic_fetch_add(&queue->n_commits, 1);
        (void)atomic_fetch_add(&queue->n_writes, n);
    }
    wake_group(group, end, r, &err);
    ops->on_group_end(queue->store->engine);
    return end;
}

static void *run(void *arg)
{
    struct queue *queue = arg;
    struct write *group;

    while ((group = take_group(queue)))
        while (group)
            group = run_group(queue, group);
    return NULL;
}

/* Signals are for the program's main thread. */
static int start_thread(struct queue *queue)
{
    sigset_t all, before;
    int error;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&queue->thread, NULL, run, queue);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        (void)pthread_setname_np(queue->thread, "precis-writer");
    return error;
}

int queue_new(struct store *store, struct queue **ret_queue, struct err_info *reterr)
{
    struct queue *queue = mem_calloc(1, sizeof *queue);
    int error;

    if (!queue)
        return err_set(reterr, ERR_NOMEM, "out of memory opening the store");
    queue->store = store;
    queue->last = &queue->first;
    (void)pthread_mutex_init(&queue->mutex, NULL);
    (void)pthread_cond_init(&queue->has_work, NULL);
    error = start_thread(queue);
    if (error != 0) {
        (void)pthread_cond_destroy(&queue->has_work);
        (void)pthread_mutex_destroy(&queue->mutex);
        mem_free(queue);
        return err_set(reterr, ERR_UNAVAILABLE, "cannot start the store's writer: %s", strerror(error));
    }
    *ret_queue = queue;
    return 0;
}

struct queue *queue_free(struct queue *queue)
{
    if (!queue)
        return NULL;
    (void)pthread_mutex_lock(&queue->mutex);
    queue->is_ending = true;
    (void)pthread_cond_signal(&queue->has_work);
    (void)pthread_mutex_unlock(&queue->mutex);
    (void)pthread_join(queue->thread, NULL);
    (void)pthread_cond_destroy(&queue->has_work);
    (void)pthread_mutex_destroy(&queue->mutex);
    return mem_free(queue);
}

/* False when there is no room. */
static bool append(struct queue *queue, struct write *write)
{
    bool has_room;

    (void)pthread_mutex_lock(&queue->mutex);
    has_room = queue->n_queued < MAX_QUEUED && !queue->is_ending;
    if (has_room) {
        *queue->last = write;
        queue->last = &write->next;
        queue->n_queued++;
        (void)pthread_cond_signal(&queue->has_work);
    }
    (void)pthread_mutex_unlock(&queue->mutex);
    return has_room;
}

int queue_write(struct queue *queue, store_txn_fn fn, void *arg, struct err_info *reterr)
{
    struct write write = {.fn = fn, .arg = arg, .reterr = reterr};

    assert(!pthread_equal(pthread_self(), queue->thread)); /* a write inside a write would wait for itself */
    (void)sem_init(&write.done, 0, 0);
    if (append(queue, &write)) {
        while (sem_wait(&write.done) != 0 && errno == EINTR)
            ;
    } else {
        write.result = err_set(reterr, ERR_UNAVAILABLE, "the store has too many writes waiting");
    }
    (void)sem_destroy(&write.done);
    return write.result;
}

void queue_describe(struct queue *queue, struct store_info *ret_info)
{
    ret_info->n_commits = atomic_load(&queue->n_commits);
    ret_info->n_writes = atomic_load(&queue->n_writes);
    (void)pthread_mutex_lock(&queue->mutex);
    ret_info->n_waiting = queue->n_queued;
    (void)pthread_mutex_unlock(&queue->mutex);
}
