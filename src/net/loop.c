/* SPDX-License-Identifier: Apache-2.0
 *
 * The poll loop of one build. Everything here runs on the loop's thread but job_main, which runs on a worker;
 * the two meet in a mailbox, which outlives the loop for as long as an abandoned job still runs.
 *
 * A job's state, all changes under the mailbox's mutex:
 *
 *     running -> finished   the run ended first: it is in the mailbox, the loop reports it and the owner
 *                           releases it
 *             -> abandoned  the deadline or the loop's end came first: the worker releases it when the
 *                           run ends
 *
 * So exactly one side sees the other gone, and that side releases.
 */
#include "net/loop.h"

#include "core/mem.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- the mailbox ---- */

struct net_job_state {
    struct net_job *job;
    struct net_op *op; /* the loop's side only */
    struct mailbox *mailbox;
    const struct clock *clock;
    enum { JOB_RUNNING, JOB_FINISHED, JOB_ABANDONED } phase;
    atomic_bool is_cancelled; /* phase JOB_ABANDONED, readable without the mutex */
    int result;
    struct err_info err;
    struct net_job_state *next; /* in the mailbox */
};

struct mailbox {
    pthread_mutex_t mutex;
    atomic_int n_refs; /* the loop and each job's state */
    int wake_fd;       /* eventfd: something was put in */
    struct net_job_state *first, *last;
};

static struct mailbox *mailbox_unref(struct mailbox *mailbox)
{
    if (mailbox && atomic_fetch_sub(&mailbox->n_refs, 1) == 1) {
        (void)close(mailbox->wake_fd); /* an eventfd holds nothing that closing could lose */
        pthread_mutex_destroy(&mailbox->mutex);
        mem_free(mailbox);
    }
    return NULL;
}

static int mailbox_new(struct mailbox **ret_mailbox, struct err_info *reterr)
{
    struct mailbox *mailbox = mem_calloc(1, sizeof *mailbox);
    if (!mailbox)
        return err_set(reterr, ERR_NOMEM, "not enough memory for a poll loop");
    mailbox->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (mailbox->wake_fd < 0) {
        int code = err_set(reterr, ERR_UNAVAILABLE, "cannot make an event descriptor: %s", strerror(errno));
        mem_free(mailbox);
        return code;
    }
    pthread_mutex_init(&mailbox->mutex, NULL);
    atomic_init(&mailbox->n_refs, 1);
    *ret_mailbox = mailbox;
    return 0;
}

/* The oldest finished job, or NULL. */
static struct net_job_state *mailbox_take(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->mutex);
    struct net_job_state *state = mailbox->first;
    if (state) {
        mailbox->first = state->next;
        if (!mailbox->first)
            mailbox->last = NULL;
    }
    pthread_mutex_unlock(&mailbox->mutex);
    return state;
}

/* ---- jobs ---- */

bool net_job_is_cancelled(const struct net_job *job)
{
    return job->state && atomic_load(&job->state->is_cancelled);
}

void net_job_release(struct net_job *job)
{
    if (!job)
        return;
    struct net_job_state *state = job->state;
    job->release(job);
    if (state) {
        mailbox_unref(state->mailbox);
        mem_free(state);
    }
}

static void job_main(void *arg)
{
    struct net_job_state *state = arg;
    struct mailbox *mailbox = state->mailbox;

    /* A job left behind while it was still queued never runs. */
    if (!atomic_load(&state->is_cancelled)) {
        int res = state->job->run(state->job, &state->err);
        state->result = res < 0 ? res : 0;
    }

    pthread_mutex_lock(&mailbox->mutex);
    bool is_abandoned = state->phase == JOB_ABANDONED;
    if (!is_abandoned) {
        state->phase = JOB_FINISHED;
        if (mailbox->last)
            mailbox->last->next = state;
        else
            mailbox->first = state;
        mailbox->last = state;
        /* Inside the lock: once it is free the owner may take and release the job, and the descriptor with
         * it. The write can only fail when the counter is full, and then the loop wakes all the same. */
        uint64_t one = 1;
        (void)!write(mailbox->wake_fd, &one, sizeof one);
    }
    pthread_mutex_unlock(&mailbox->mutex);
    if (is_abandoned)
        net_job_release(state->job);
}

/* False when the job has ended already and is in the mailbox. */
static bool abandon_job(struct net_job_state *state)
{
    struct mailbox *mailbox = state->mailbox;

    pthread_mutex_lock(&mailbox->mutex);
    bool is_running = state->phase == JOB_RUNNING;
    if (is_running) {
        state->phase = JOB_ABANDONED;
        atomic_store(&state->is_cancelled, true);
    }
    pthread_mutex_unlock(&mailbox->mutex);
    return is_running;
}

/* ---- the loop ---- */

struct op_list {
    struct net_op *first, *last;
};

struct net_loop {
    const struct clock *clock;
    struct mailbox *mailbox; /* NULL: no job was started yet; most builds have none */
    struct op_list waiting;
    struct op_list finished; /* ended in other ways than by their own readiness, not yet reported */
    struct op_list drivers;
    size_t n_waiting, n_drivers;
    struct pollfd *fds;     /* [0] is the mailbox; without one, a place that poll passes over */
    struct net_op **fd_ops; /* whose fds[i] is; NULL: of one that was taken away since */
    size_t n_fds, fds_cap;
};

static void list_append(struct op_list *list, struct net_op *op)
{
    op->next = NULL;
    op->prev = list->last;
    if (list->last)
        list->last->next = op;
    else
        list->first = op;
    list->last = op;
}

static void list_remove(struct op_list *list, struct net_op *op)
{
    if (op->prev)
        op->prev->next = op->next;
    else
        list->first = op->next;
    if (op->next)
        op->next->prev = op->prev;
    else
        list->last = op->prev;
    op->next = op->prev = NULL;
}

int net_loop_new(const struct clock *clock, struct net_loop **ret_loop, struct err_info *reterr)
{
    struct net_loop *loop = mem_calloc(1, sizeof *loop);
    if (!loop)
        return err_set(reterr, ERR_NOMEM, "not enough memory for a poll loop");
    loop->clock = clock;
    *ret_loop = loop;
    return 0;
}

/* The operation is the caller's again. */
static void end_op(struct net_loop *loop, struct net_op *op, int result)
{
    list_remove(&loop->waiting, op);
    loop->n_waiting--;
    op->result = result;
}

struct net_loop *net_loop_free(struct net_loop *loop)
{
    if (!loop)
        return NULL;

    struct net_op *op;
    while ((op = loop->waiting.first)) {
        end_op(loop, op, ERR_CANCELLED);
        if (!op->job)
            op->ops->on_cancel(op);
        else
            (void)abandon_job(op->job->state); /* one that ended already is in the mailbox, released below */
    }
    while ((op = loop->finished.first)) { /* after the waiting: cancelling one may end another */
        list_remove(&loop->finished, op);
        op->ops->on_cancel(op);
    }
    while ((op = loop->drivers.first)) {
        net_loop_remove_driver(loop, op);
        op->ops->on_cancel(op);
    }
    struct net_job_state *state;
    while (loop->mailbox && (state = mailbox_take(loop->mailbox)))
        net_job_release(state->job);
    mailbox_unref(loop->mailbox);
    mem_free(loop->fds);
    mem_free(loop->fd_ops);
    return mem_free(loop);
}

static void start_op(struct net_loop *loop, struct net_op *op, struct net_job *job)
{
    op->result = 0;
    op->err = (struct err_info){0};
    op->job = job;
    list_append(&loop->waiting, op);
    loop->n_waiting++;
}

void net_loop_add(struct net_loop *loop, struct net_op *op)
{
    start_op(loop, op, NULL);
}

void net_loop_add_finished(struct net_loop *loop, struct net_op *op)
{
    op->result = 0;
    op->err = (struct err_info){0};
    op->job = NULL;
    list_append(&loop->finished, op);
}

void net_loop_end(struct net_loop *loop, struct net_op *op, int result, const struct err_info *err)
{
    assert(op->fd < 0 && !op->job);
    end_op(loop, op, result < 0 ? result : 0);
    if (result < 0 && err)
        op->err = *err;
    list_append(&loop->finished, op);
}

void net_loop_add_driver(struct net_loop *loop, struct net_op *driver)
{
    driver->job = NULL;
    driver->is_driver = true;
    list_append(&loop->drivers, driver);
    loop->n_drivers++;
}

void net_loop_remove_driver(struct net_loop *loop, struct net_op *driver)
{
    for (size_t i = 0; i < loop->n_fds; i++) /* it may go while ready ones are served */
        if (loop->fd_ops[i] == driver)
            loop->fd_ops[i] = NULL;
    list_remove(&loop->drivers, driver);
    loop->n_drivers--;
}

struct net_op *net_loop_driver(const struct net_loop *loop, const struct net_op_ops *ops, const void *owner)
{
    struct net_op *op = loop->drivers.last;
    while (op && (op->ops != ops || op->owner != owner))
        op = op->prev;
    return op;
}

void net_loop_flush(struct net_loop *loop, bool is_last)
{
    for (struct net_op *op = loop->drivers.first, *next; op; op = next) {
        next = op->next; /* it may take itself away */
        if (op->ops->on_flush)
            op->ops->on_flush(op, is_last);
    }
}

int net_loop_add_job(struct net_loop *loop, struct workers *workers, struct net_op *op, struct net_job *job,
                     struct err_info *reterr)
{
    job->deadline_us = op->deadline_us;
    job->state = NULL;

    int res = loop->mailbox ? 0 : mailbox_new(&loop->mailbox, reterr);
    if (res < 0) {
        net_job_release(job);
        return res;
    }
    struct net_job_state *state = mem_calloc(1, sizeof *state);
    if (!state) {
        net_job_release(job);
        return err_set(reterr, ERR_NOMEM, "not enough memory to start a job");
    }
    state->job = job;
    state->op = op;
    state->mailbox = loop->mailbox;
    atomic_init(&state->is_cancelled, false);
    atomic_fetch_add(&loop->mailbox->n_refs, 1);
    job->state = state;
    op->fd = -1;
    op->events = 0;

    res = workers_submit(workers, job_main, state);
    if (res < 0) {
        net_job_release(job);
        return err_set(reterr, res, "too much is waiting for a worker already; try again later");
    }
    start_op(loop, op, job);
    return 0;
}

/* Reports the oldest job that ended, if any. */
static struct net_op *take_finished_job(struct net_loop *loop)
{
    struct net_job_state *state = loop->mailbox ? mailbox_take(loop->mailbox) : NULL;
    if (!state)
        return NULL;
    struct net_op *op = state->op;
    end_op(loop, op, state->result);
    if (state->result < 0)
        op->err = state->err;
    return op;
}

static int grow_fds(struct net_loop *loop, size_t n)
{
    if (n <= loop->fds_cap)
        return 0;

    size_t cap = n + 16; /* a build has a handful of operations: one growth is all there is */
    struct pollfd *fds = mem_realloc(loop->fds, cap * sizeof *fds);
    if (!fds)
        return ERR_NOMEM;
    loop->fds = fds;
    struct net_op **fd_ops = mem_realloc(loop->fd_ops, cap * sizeof(*fd_ops));
    if (!fd_ops)
        return ERR_NOMEM;
    loop->fd_ops = fd_ops;
    loop->fds_cap = cap;
    return 0;
}

/* The shortest wait in whole milliseconds that does not end before `until_us`; -1 for no end. */
static int poll_timeout_ms(int64_t now_us, int64_t until_us)
{
    if (until_us == INT64_MAX)
        return -1;
    if (until_us <= now_us)
        return 0;
    int64_t ms = (until_us - now_us - 1) / US_PER_MS + 1;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

static void watch(struct net_loop *loop, struct net_op *op, int fd, short events)
{
    loop->fd_ops[loop->n_fds] = op;
    loop->fds[loop->n_fds++] = (struct pollfd){.fd = fd, .events = events};
}

/* Polls all that waits, up to the next deadline; fds says what is ready. */
static int poll_once(struct net_loop *loop, int64_t until_us, struct err_info *reterr)
{
    if (grow_fds(loop, loop->n_waiting + loop->n_drivers + 1) < 0)
        return err_set(reterr, ERR_NOMEM, "not enough memory to wait for %zu operations", loop->n_waiting);

    loop->n_fds = 0;
    watch(loop, NULL, loop->mailbox ? loop->mailbox->wake_fd : -1, POLLIN);
    for (struct net_op *op = loop->waiting.first; op; op = op->next) {
        if (op->deadline_us < until_us)
            until_us = op->deadline_us;
        if (op->fd >= 0)
            watch(loop, op, op->fd, op->events);
    }
    for (struct net_op *op = loop->drivers.first; op; op = op->next) {
        if (op->wake_us != 0 && op->wake_us < until_us)
            until_us = op->wake_us;
        if (op->fd >= 0)
            watch(loop, op, op->fd, op->events);
    }

    int n_ready = poll(loop->fds, loop->n_fds, poll_timeout_ms(clock_mono_us(loop->clock), until_us));
    if (n_ready < 0 && errno != EINTR)
        return err_set(reterr, ERR_IO, "poll failed: %s", strerror(errno));
    if (n_ready < 0)
        loop->n_fds = 0; /* a signal: revents say nothing */
    if (loop->n_fds > 0 && loop->fds[0].revents) {
        uint64_t count;
        (void)!read(loop->mailbox->wake_fd, &count, sizeof count); /* the mailbox itself is what counts */
    }
    return 0;
}

static struct net_op *take_finished(struct net_loop *loop)
{
    struct net_op *op = loop->finished.first;
    if (op)
        list_remove(&loop->finished, op);
    return op;
}

/* Lets ready operations go on until one ends. The others' descriptors stay ready for the next call. */
static struct net_op *serve_ready(struct net_loop *loop)
{
    for (size_t i = 1; i < loop->n_fds; i++) {
        struct net_op *op = loop->fd_ops[i];
        if (!op || !loop->fds[i].revents)
            continue;
        loop->fd_ops[i] = NULL;         /* served */
        bool is_driver = op->is_driver; /* it may be gone afterwards */
        int res = op->ops->on_ready(op, loop->fds[i].revents, &op->err);
        if (res == 0 || is_driver)
            continue;
        end_op(loop, op, res < 0 ? res : 0);
        return op;
    }
    return NULL;
}

static struct net_op *first_due(const struct net_loop *loop, int64_t now_us)
{
    struct net_op *op = loop->drivers.first;
    while (op && (op->wake_us == 0 || op->wake_us > now_us))
        op = op->next;
    return op;
}

/* Wakes the drivers whose time has come. Each may take itself and others away, so one is looked for anew
 * after each; one that wants to be woken at once comes again with the next poll. */
static void wake_drivers(struct net_loop *loop)
{
    int64_t now_us = clock_mono_us(loop->clock);
    size_t n = loop->n_drivers;

    for (struct net_op *op; n > 0 && (op = first_due(loop, now_us)); n--) {
        op->wake_us = 0;
        (void)op->ops->on_ready(op, 0, NULL); /* as of any driver, its own matter */
    }
}

/* Ends the first operation whose deadline has passed. */
static struct net_op *serve_deadlines(struct net_loop *loop)
{
    int64_t now_us = clock_mono_us(loop->clock);

    for (struct net_op *op = loop->waiting.first; op; op = op->next) {
        if (op->deadline_us > now_us)
            continue;
        if (op->job && !abandon_job(op->job->state))
            continue; /* it ended at this very moment: its result waits in the mailbox */
        if (!op->job)
            op->ops->on_cancel(op);
        op->job = NULL;
        end_op(loop, op, ERR_TIMEOUT);
        (void)err_set(&op->err, ERR_TIMEOUT, "no answer within the deadline");
        return op;
    }
    return NULL;
}

int net_loop_wait(struct net_loop *loop, int64_t until_us, struct net_op **ret_op, struct err_info *reterr)
{
    struct net_op *op = take_finished(loop);

    if (!op)
        op = take_finished_job(loop);
    while (!op && loop->n_waiting > 0) {
        int res = poll_once(loop, until_us, reterr);
        if (res < 0)
            return res;
        op = serve_ready(loop);
        if (!op)
            wake_drivers(loop);
        if (!op && !(op = take_finished(loop)) && !(op = take_finished_job(loop)) &&
            !(op = serve_deadlines(loop)) && clock_mono_us(loop->clock) >= until_us)
            return 1;
    }
    if (!op)
        return 1;
    *ret_op = op;
    return 0;
}
