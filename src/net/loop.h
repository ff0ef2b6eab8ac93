/* SPDX-License-Identifier: Apache-2.0
 *
 * One poll loop over everything that a build waits for: descriptors that become ready and jobs that
 * run on workers, each with its deadline. A loop belongs to one thread and lives as long as its build; what
 * is not finished at its end is cancelled, and no operation is ever reported twice.
 *
 * An operation is embedded in its owner's struct:
 *
 *     added -> waiting -> finished   on_ready returned > 0, the job ended, or net_loop_end: result 0 or the
 * error
 *                      -> failed     on_ready returned < 0: that is the result
 *                      -> timed out  the deadline passed: on_cancel was called, result ERR_TIMEOUT
 *                      -> cancelled  net_loop_free: on_cancel was called, reported to nobody
 */
#ifndef PRECIS_NET_LOOP_H
#define PRECIS_NET_LOOP_H

#include "core/clock.h"
#include "core/err.h"
#include "net/workers.h"

#include <stdbool.h>

struct net_op;

struct net_op_ops {
    /* The descriptor is ready (poll(2) events) or, with fd -1, the job ended. It may change op->fd and
     * op->events. 0 wait on, 1 finished, negative failed. */
    int (*on_ready)(struct net_op *op, short revents, struct err_info *reterr);
    /* The result is no longer wanted: let go of everything at once, do not wait. The last call. It also
     * comes when the operation has ended but the loop does first. */
    void (*on_cancel)(struct net_op *op);
    /* Of a driver, may be NULL: all that starts for now has started. is_last: nothing will start any more. */
    void (*on_flush)(struct net_op *op, bool is_last);
};

struct net_op {
    const struct net_op_ops *ops;
    int fd;              /* -1: nothing to poll */
    short events;        /* POLLIN, POLLOUT */
    int64_t deadline_us; /* monotonic; INT64_MAX for none */
    int64_t wake_us; /* of a driver: on_ready comes with revents 0 when this has passed; 0: never. The loop
                        clears it then */
    void *owner;     /* the caller's */
    /* the loop's own */
    int result;
    struct err_info err;
    struct net_op *next;
    struct net_op *prev;
    struct net_job *job;
    bool is_driver;
};

struct net_loop; /* opaque: waiting operations, finished jobs */

int net_loop_new(const struct clock *clock, struct net_loop **ret_loop, struct err_info *reterr);
/* Cancels all that waits; accepts NULL; returns NULL. */
struct net_loop *net_loop_free(struct net_loop *loop);

/* Starts watching a polled operation (ops, fd, events, deadline_us set). It is borrowed until
 * it is reported. */
void net_loop_add(struct net_loop *loop, struct net_op *op);
/* An operation that ended well before it had to wait: the next wait reports it, with result 0, as if it had
 * waited. Of ops only on_cancel is used, when the loop ends before that. */
void net_loop_add_finished(struct net_loop *loop, struct net_op *op);

/* Ends a waiting operation with fd -1: a wait reports it with this result. err: its sentence when negative.
 * Called on the loop's thread, also from inside on_ready, on_cancel and on_flush of another. */
void net_loop_end(struct net_loop *loop, struct net_op *op, int result, const struct err_info *err);

/* Starts polling a driver. on_ready should return 0; a driver takes itself away when it is done, also from
 * inside its callbacks, and may then be freed. At the loop's end the remaining ones' on_cancel is called,
 * after that of all others. */
void net_loop_add_driver(struct net_loop *loop, struct net_op *driver);
void net_loop_remove_driver(struct net_loop *loop, struct net_op *driver);
/* The driver with these ops and this owner, or NULL; the newest of several. */
struct net_op *net_loop_driver(const struct net_loop *loop, const struct net_op_ops *ops, const void *owner);
/* Calls every driver's on_flush. */
void net_loop_flush(struct net_loop *loop, bool is_last);

/* A blocking call, run on a worker. The job's memory must not be the build's: when the deadline passes first
 * the job is left behind, told so by *is_cancelled, and `release` is called when it ends. `release` is called
 * exactly once on every path: after the owner called net_job_release, after an abandoned run ended, or when
 * the job could not start. */
struct net_job {
    int (*run)(struct net_job *job, struct err_info *reterr);
    void (*release)(struct net_job *job);
    int64_t deadline_us; /* set by net_loop_add_job; the run should end by itself then */
    /* the loop's own */
    struct net_job_state *state;
};
/* True once nobody waits for the job: end soon. Any thread; false for a job that no loop started. */
bool net_job_is_cancelled(const struct net_job *job);
/* Takes the job. On failure (full queue, no memory) the job is released and the error returned. op needs
 * deadline_us and owner set only; when op is reported with result 0 or an error of run's, the job's fields
 * may be read until net_job_release. */
int net_loop_add_job(struct net_loop *loop, struct workers *workers, struct net_op *op, struct net_job *job,
                     struct err_info *reterr);
/* Ends the owner's interest in a reported job; accepts NULL. Called by the owner for every op that was
 * reported with op->job not NULL (a timed out op has job NULL already). */
void net_job_release(struct net_job *job);

/* Waits for the next operation to end, in whatever way, or until until_us (monotonic). 0 with *ret_op, 1 when
 * nothing is waiting or until_us passed, negative when poll itself failed. */
int net_loop_wait(struct net_loop *loop, int64_t until_us, struct net_op **ret_op, struct err_info *reterr);

#endif
