/* SPDX-License-Identifier: Apache-2.0
 *
 * The poll loop: each operation is reported exactly once or, at the loop's end, cancelled; a job is released
 * exactly once whatever happens; deadlines hold against peers that trickle and jobs that hang.
 */
#include "net/loop.h"

#include "../fail_mem.h"

#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a polled operation that reads a number
 * of bytes ---------------------------------------------------- */

struct reader {
    struct net_op op;
    int peer_fd; /* the test's end */
    size_t n_wanted, n_read;
    int n_cancels;
    int fail_with; /* result once all is read, when negative */
};

static int reader_on_ready(struct net_op *op, short revents, struct err_info *reterr)
{
    struct reader *reader = op->owner;
    char byte;

    assert_true(revents != 0);
    if (read(op->fd, &byte, 1) != 1)
        return err_set(reterr, ERR_IO, "the peer is gone");
    reader->n_read++;
    if (reader->n_read < reader->n_wanted)
        return 0;
    return reader->fail_with < 0 ? err_set(reterr, reader->fail_with, "as the test wished") : 1;
}

static void reader_on_cancel(struct net_op *op)
{
    ((struct reader *)op->owner)->n_cancels++;
}

static const struct net_op_ops reader_ops = {reader_on_ready, reader_on_cancel};

static void reader_open(struct reader *reader, size_t n_wanted, int64_t deadline_us)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    *reader = (struct reader){
        .op = {.ops = &reader_ops, .fd = fds[0], .events = POLLIN, .deadline_us = deadline_us},
        .peer_fd = fds[1],
        .n_wanted = n_wanted};
    reader->op.owner = reader;
}

static void reader_hear(struct reader *reader, const char *text)
{
    assert_int_equal(write(reader->peer_fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void reader_close(struct reader *reader)
{
    close(reader->op.fd);
    if (reader->peer_fd >= 0)
        close(reader->peer_fd);
}

/* ---- a job that the test holds ---- */

struct slow_job {
    struct net_job job;
    sem_t has_begun, may_end, is_released;
    atomic_int n_runs, n_releases;
    atomic_bool saw_cancel;
    int result;
};

static int slow_job_run(struct net_job *job, struct err_info *reterr)
{
    struct slow_job *slow = (struct slow_job *)job;
    atomic_fetch_add(&slow->n_runs, 1);
    sem_post(&slow->has_begun);
    sem_wait(&slow->may_end);
    atomic_store(&slow->saw_cancel, net_job_is_cancelled(job));
    return slow->result < 0 ? err_set(reterr, slow->result, "as the test wished") : slow->result;
}

static void slow_job_release(struct net_job *job)
{
    struct slow_job *slow = (struct slow_job *)job;
    atomic_fetch_add(&slow->n_releases, 1);
    sem_post(&slow->is_released);
}

static void slow_job_init(struct slow_job *slow, int result)
{
    memset(slow, 0, sizeof *slow);
    slow->job.run = slow_job_run;
    slow->job.release = slow_job_release;
    slow->result = result;
    sem_init(&slow->has_begun, 0, 0);
    sem_init(&slow->may_end, 0, 0);
    sem_init(&slow->is_released, 0, 0);
}

/* ---- the world ---- */

struct world {
    struct net_loop *loop;
    struct workers *workers;
    struct clock_manual clock; /* for tests that move time */
};

static int world_open(void **state, int n_threads, size_t max_queued, const struct clock *clock)
{
    struct world *world = calloc(1, sizeof *world);
    clock_manual_init(&world->clock, 0, 1000000);
    assert_int_equal(net_loop_new(clock ? clock : &world->clock.base, &world->loop, NULL), 0);
    assert_int_equal(workers_new("test", n_threads, max_queued, &world->workers, NULL), 0);
    *state = world;
    return 0;
}

static int open_manual(void **state)
{
    return world_open(state, 2, 8, NULL);
}

static int open_system(void **state)
{
    return world_open(state, 2, 8, &clock_system);
}

static int open_narrow(void **state)
{
    return world_open(state, 1, 1, NULL);
}

static int world_close(void **state)
{
    struct world *world = *state;
    world->loop = net_loop_free(world->loop);
    world->workers = workers_free(world->workers);
    free(world);
    return 0;
}

static struct net_op *wait_one(struct world *world)
{
    struct net_op *op = NULL;
    assert_int_equal(net_loop_wait(world->loop, INT64_MAX, &op, NULL), 0);
    return op;
}

static void assert_nothing_waits(struct world *world)
{
    struct net_op *op = NULL;
    assert_int_equal(net_loop_wait(world->loop, INT64_MAX, &op, NULL), 1);
    assert_null(op);
}

/* ---- polled operations ---- */

static void empty_loop_has_nothing_to_wait_for(void **state)
{
    assert_nothing_waits(*state);
}

static void ready_operations_are_reported_once_each(void **state)
{
    struct world *world = *state;
    struct reader a, b, c;
    reader_open(&a, 1, INT64_MAX);
    reader_open(&b, 1, INT64_MAX);
    reader_open(&c, 1, INT64_MAX);
    net_loop_add(world->loop, &a.op);
    net_loop_add(world->loop, &b.op);
    net_loop_add(world->loop, &c.op);

    reader_hear(&c, "x");
    assert_ptr_equal(wait_one(world), &c.op);
    reader_hear(&b, "x");
    reader_hear(&a, "x");
    assert_ptr_equal(wait_one(world), &a.op);
    assert_ptr_equal(wait_one(world), &b.op);
    assert_nothing_waits(world);
    assert_int_equal(a.op.result, 0);
    assert_int_equal(a.n_cancels + b.n_cancels + c.n_cancels, 0);
    reader_close(&a);
    reader_close(&b);
    reader_close(&c);
}

static void failure_carries_its_sentence(void **state)
{
    struct world *world = *state;
    struct reader reader;
    reader_open(&reader, 1, INT64_MAX);
    net_loop_add(world->loop, &reader.op);
    close(reader.peer_fd);
    reader.peer_fd = -1;
    assert_ptr_equal(wait_one(world), &reader.op);
    assert_int_equal(reader.op.result, ERR_IO);
    assert_string_equal(reader.op.err.message, "the peer is gone");
    assert_int_equal(reader.n_cancels, 0);
    assert_nothing_waits(world);
    reader_close(&reader);
}

/* A peer that always has one more byte to say, one every millisecond. */
struct trickler {
    struct reader reader;
    struct clock_manual *clock;
};

static int trickler_on_ready(struct net_op *op, short revents, struct err_info *reterr)
{
    struct trickler *trickler = (struct trickler *)op->owner;
    clock_manual_advance(trickler->clock, 1000);
    int res = reader_on_ready(op, revents, reterr);
    reader_hear(&trickler->reader, "x");
    return res;
}

static const struct net_op_ops trickler_ops = {trickler_on_ready, reader_on_cancel};

static void trickling_peer_times_out_at_its_deadline(void **state)
{
    struct world *world = *state;
    struct trickler trickler = {.clock = &world->clock};
    reader_open(&trickler.reader, SIZE_MAX, world->clock.mono_us + 10 * 1000);
    trickler.reader.op.ops = &trickler_ops;
    trickler.reader.op.owner = &trickler;
    net_loop_add(world->loop, &trickler.reader.op);
    reader_hear(&trickler.reader, "x");

    assert_ptr_equal(wait_one(world), &trickler.reader.op);
    assert_int_equal(trickler.reader.op.result, ERR_TIMEOUT);
    assert_int_equal(trickler.reader.op.err.code, ERR_TIMEOUT);
    assert_int_equal(trickler.reader.n_read, 10); /* one byte a millisecond */
    assert_int_equal(trickler.reader.n_cancels, 1);
    assert_nothing_waits(world);
    reader_close(&trickler.reader);
}

static void passed_deadline_is_a_timeout_at_once(void **state)
{
    struct world *world = *state;
    struct reader late, patient;
    reader_open(&late, 1, world->clock.mono_us);
    reader_open(&patient, 1, INT64_MAX);
    net_loop_add(world->loop, &patient.op);
    net_loop_add(world->loop, &late.op);
    assert_ptr_equal(wait_one(world), &late.op);
    assert_int_equal(late.op.result, ERR_TIMEOUT);
    assert_int_equal(late.n_cancels, 1);

    reader_hear(&patient, "x");
    assert_ptr_equal(wait_one(world), &patient.op);
    assert_int_equal(patient.op.result, 0);
    reader_close(&late);
    reader_close(&patient);
}

static void answer_that_is_there_beats_the_deadline(void **state)
{
    struct world *world = *state;
    struct reader reader;
    reader_open(&reader, 1, world->clock.mono_us);
    reader_hear(&reader, "x");
    net_loop_add(world->loop, &reader.op);
    assert_ptr_equal(wait_one(world), &reader.op);
    assert_int_equal(reader.op.result, 0);
    assert_int_equal(reader.n_cancels, 0);
    reader_close(&reader);
}

static void deadlines_on_the_machines_clock_are_not_early(void **state)
{
    struct world *world = *state;
    struct reader reader;
    int64_t deadline_us = clock_mono_us(&clock_system) + 1500; /* not a whole number of milliseconds away */
    reader_open(&reader, 1, deadline_us);
    net_loop_add(world->loop, &reader.op);
    assert_ptr_equal(wait_one(world), &reader.op);
    assert_int_equal(reader.op.result, ERR_TIMEOUT);
    assert_true(clock_mono_us(&clock_system) >= deadline_us);
    reader_close(&reader);
}

static void wait_ends_at_until_and_can_go_on(void **state)
{
    struct world *world = *state;
    struct reader reader;
    struct net_op *op = NULL;
    reader_open(&reader, 2, INT64_MAX);
    net_loop_add(world->loop, &reader.op);
    reader_hear(&reader, "x");
    assert_int_equal(net_loop_wait(world->loop, world->clock.mono_us, &op, NULL), 1);
    assert_null(op);
    reader_hear(&reader, "x");
    assert_ptr_equal(wait_one(world), &reader.op);
    reader_close(&reader);
}

static void operation_may_change_what_it_polls(void **state)
{
    struct world *world = *state;
    struct reader reader;
    reader_open(&reader, 1, world->clock.mono_us + 1);
    int real_fd = reader.op.fd;
    reader.op.fd = -1; /* nothing to poll for now */
    reader_hear(&reader, "x");
    net_loop_add(world->loop, &reader.op);
    struct net_op *op = NULL;
    assert_int_equal(net_loop_wait(world->loop, world->clock.mono_us, &op, NULL), 1);
    reader.op.fd = real_fd;
    assert_ptr_equal(wait_one(world), &reader.op);
    reader_close(&reader);
}

static void finished_operation_is_reported_first(void **state)
{
    struct world *world = *state;
    struct reader waiting, finished;
    reader_open(&waiting, 1, INT64_MAX);
    reader_open(&finished, 1, 0);
    reader_hear(&waiting, "x");
    net_loop_add(world->loop, &waiting.op);
    net_loop_add_finished(world->loop, &finished.op);
    assert_ptr_equal(wait_one(world), &finished.op);
    assert_int_equal(finished.op.result, 0);
    assert_int_equal(finished.n_read, 0);
    assert_ptr_equal(wait_one(world), &waiting.op);
    assert_nothing_waits(world);
    reader_close(&waiting);
    reader_close(&finished);
}

static void end_of_loop_cancels_what_was_not_reported(void **state)
{
    struct world *world = *state;
    struct reader waiting, finished, reported;
    reader_open(&waiting, 1, INT64_MAX);
    reader_open(&finished, 1, INT64_MAX);
    reader_open(&reported, 1, INT64_MAX);
    reader_hear(&reported, "x");
    net_loop_add(world->loop, &reported.op);
    assert_ptr_equal(wait_one(world), &reported.op);
    net_loop_add(world->loop, &waiting.op);
    net_loop_add_finished(world->loop, &finished.op);
    world->loop = net_loop_free(world->loop);
    assert_int_equal(waiting.n_cancels, 1);
    assert_int_equal(finished.n_cancels, 1);
    assert_int_equal(reported.n_cancels, 0);
    reader_close(&waiting);
    reader_close(&finished);
    reader_close(&reported);
}

static void more_operations_than_the_first_table_holds(void **state)
{
    struct world *world = *state;
    struct reader readers[100];
    for (int i = 0; i < 100; i++) {
        reader_open(&readers[i], 1, INT64_MAX);
        net_loop_add(world->loop, &readers[i].op);
    }
    for (int i = 99; i >= 0; i--) {
        reader_hear(&readers[i], "x");
        assert_ptr_equal(wait_one(world), &readers[i].op);
    }
    for (int i = 0; i < 100; i++)
        reader_close(&readers[i]);
}

/* ---- jobs ---- */

static void add_job(struct world *world, struct net_op *op, struct slow_job *slow, int64_t deadline_us)
{
    *op = (struct net_op){.deadline_us = deadline_us};
    assert_int_equal(net_loop_add_job(world->loop, world->workers, op, &slow->job, NULL), 0);
}

static void job_result_stays_readable_until_released(void **state)
{
    struct world *world = *state;
    struct slow_job good, bad;
    struct net_op good_op, bad_op;
    slow_job_init(&good, 7); /* positive counts as done */
    slow_job_init(&bad, ERR_REMOTE);
    add_job(world, &good_op, &good, INT64_MAX);
    sem_post(&good.may_end);
    assert_ptr_equal(wait_one(world), &good_op);
    assert_int_equal(good_op.result, 0);
    assert_ptr_equal(good_op.job, &good.job);
    assert_int_equal(good.job.deadline_us, INT64_MAX);
    assert_int_equal(atomic_load(&good.n_releases), 0);

    add_job(world, &bad_op, &bad, INT64_MAX);
    sem_post(&bad.may_end);
    assert_ptr_equal(wait_one(world), &bad_op);
    assert_int_equal(bad_op.result, ERR_REMOTE);
    assert_string_equal(bad_op.err.message, "as the test wished");
    assert_false(atomic_load(&bad.saw_cancel));

    net_job_release(good_op.job);
    net_job_release(bad_op.job);
    assert_int_equal(atomic_load(&good.n_releases), 1);
    assert_int_equal(atomic_load(&bad.n_releases), 1);
    assert_nothing_waits(world);
}

/* Each of the two ends only when the other has begun. */
struct meeting_job {
    struct net_job job;
    sem_t *mine, *others;
};

static int meeting_job_run(struct net_job *job, struct err_info *reterr)
{
    struct meeting_job *meeting = (struct meeting_job *)job;
    (void)reterr;
    sem_post(meeting->others);
    sem_wait(meeting->mine);
    return 0;
}

static void meeting_job_release(struct net_job *job)
{
    (void)job;
}

static void jobs_of_one_loop_run_at_the_same_time(void **state)
{
    struct world *world = *state;
    sem_t a, b;
    sem_init(&a, 0, 0);
    sem_init(&b, 0, 0);
    struct meeting_job jobs[2] = {{{.run = meeting_job_run, .release = meeting_job_release}, &a, &b},
                                  {{.run = meeting_job_run, .release = meeting_job_release}, &b, &a}};
    struct net_op ops[2] = {{.deadline_us = INT64_MAX}, {.deadline_us = INT64_MAX}};
    for (int i = 0; i < 2; i++)
        assert_int_equal(net_loop_add_job(world->loop, world->workers, &ops[i], &jobs[i].job, NULL), 0);
    struct net_op *first = wait_one(world), *second = wait_one(world);
    assert_ptr_not_equal(first, second);
    net_job_release(first->job);
    net_job_release(second->job);
    assert_nothing_waits(world);
}

static void job_past_its_deadline_is_left_behind_and_frees_itself(void **state)
{
    struct world *world = *state;
    struct slow_job slow;
    struct net_op op;
    slow_job_init(&slow, 0);
    add_job(world, &op, &slow, world->clock.mono_us + 5000);
    sem_wait(&slow.has_begun);
    clock_manual_advance(&world->clock, 5000);
    assert_ptr_equal(wait_one(world), &op);
    assert_int_equal(op.result, ERR_TIMEOUT);
    assert_null(op.job);
    assert_true(net_job_is_cancelled(&slow.job));
    assert_int_equal(atomic_load(&slow.n_releases), 0); /* still running */

    world->loop = net_loop_free(world->loop); /* the job outlives the loop it was started in */
    sem_post(&slow.may_end);
    sem_wait(&slow.is_released);
    assert_true(atomic_load(&slow.saw_cancel));
    assert_int_equal(atomic_load(&slow.n_releases), 1);
}

static void job_abandoned_while_queued_never_runs(void **state)
{
    struct world *world = *state;
    struct slow_job first, second;
    struct net_op first_op, second_op;
    slow_job_init(&first, 0);
    slow_job_init(&second, 0);
    add_job(world, &first_op, &first, INT64_MAX);
    sem_wait(&first.has_begun); /* the only worker is busy */
    add_job(world, &second_op, &second, world->clock.mono_us);
    assert_ptr_equal(wait_one(world), &second_op);
    assert_int_equal(second_op.result, ERR_TIMEOUT);
    sem_post(&first.may_end);
    sem_wait(&second.is_released);
    assert_int_equal(atomic_load(&second.n_runs), 0);
    assert_ptr_equal(wait_one(world), &first_op);
    net_job_release(first_op.job);
}

static void full_worker_queue_releases_the_job_and_says_so(void **state)
{
    struct world *world = *state;
    struct slow_job running, queued, refused;
    struct net_op running_op, queued_op, refused_op = {.deadline_us = INT64_MAX};
    struct err_info err = {0};
    slow_job_init(&running, 0);
    slow_job_init(&queued, 0);
    slow_job_init(&refused, 0);
    add_job(world, &running_op, &running, INT64_MAX);
    sem_wait(&running.has_begun);
    add_job(world, &queued_op, &queued, INT64_MAX);
    assert_int_equal(net_loop_add_job(world->loop, world->workers, &refused_op, &refused.job, &err),
                     ERR_UNAVAILABLE);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_int_equal(atomic_load(&refused.n_releases), 1);

    sem_post(&running.may_end);
    sem_post(&queued.may_end);
    assert_ptr_equal(wait_one(world), &running_op);
    assert_ptr_equal(wait_one(world), &queued_op);
    net_job_release(running_op.job);
    net_job_release(queued_op.job);
    assert_int_equal(atomic_load(&refused.n_runs), 0);
}

static void end_of_loop_leaves_running_jobs_and_releases_finished_ones(void **state)
{
    struct world *world = *state;
    struct slow_job running, finished;
    struct net_op running_op, finished_op;
    slow_job_init(&running, 0);
    slow_job_init(&finished, 0);
    add_job(world, &running_op, &running, INT64_MAX);
    add_job(world, &finished_op, &finished, INT64_MAX);
    sem_wait(&running.has_begun);
    sem_post(&finished.may_end);
    while (workers_load(world->workers) > 1) /* until the finished job lies unreported in the loop */
        sched_yield();
    world->loop = net_loop_free(world->loop);
    assert_int_equal(atomic_load(&finished.n_releases), 1);
    assert_int_equal(atomic_load(&running.n_releases), 0);
    sem_post(&running.may_end);
    sem_wait(&running.is_released);
    assert_true(atomic_load(&running.saw_cancel));
}

static void job_that_ended_beats_its_deadline(void **state)
{
    struct world *world = *state;
    struct slow_job slow;
    struct net_op op;
    slow_job_init(&slow, 0);
    add_job(world, &op, &slow, world->clock.mono_us + 1);
    sem_post(&slow.may_end);
    while (workers_load(world->workers) > 0)
        sched_yield();
    clock_manual_advance(&world->clock, 1000);
    assert_ptr_equal(wait_one(world), &op);
    assert_int_equal(op.result, 0);
    net_job_release(op.job);
}

static void many_jobs_racing_their_deadlines_are_each_reported_and_released_once(void **state)
{
    struct world *world = *state;
    enum { N = 200 };
    static struct slow_job jobs[N];
    static struct net_op ops[N];
    static int n_reports[N];

    memset(n_reports, 0, sizeof n_reports);
    for (int i = 0; i < N; i++) {
        slow_job_init(&jobs[i], 0);
        sem_post(&jobs[i].may_end);
        ops[i] = (struct net_op){.deadline_us = clock_mono_us(&clock_system) + i % 3 * 20};
        while (net_loop_add_job(world->loop, world->workers, &ops[i], &jobs[i].job, NULL) < 0) {
            /* the queue is full; the refused job was released, so it is offered anew */
            atomic_store(&jobs[i].n_releases, 0);
            sched_yield();
        }
        struct net_op *op = NULL;
        if (i % 2 && net_loop_wait(world->loop, 0, &op, NULL) == 0) {
            n_reports[op - ops]++;
            net_job_release(op->job);
        }
    }
    struct net_op *op = NULL;
    while (net_loop_wait(world->loop, INT64_MAX, &op, NULL) == 0) {
        assert_true(op->result == 0 || op->result == ERR_TIMEOUT);
        n_reports[op - ops]++;
        net_job_release(op->job);
    }
    world->workers = workers_free(world->workers); /* abandoned ones end */
    for (int i = 0; i < N; i++) {
        assert_int_equal(n_reports[i], 1);
        assert_int_equal(atomic_load(&jobs[i].n_releases), 1);
    }
}

static void job_outside_a_loop_is_not_cancelled(void **state)
{
    (void)state;
    struct slow_job slow;
    slow_job_init(&slow, 0);
    assert_false(net_job_is_cancelled(&slow.job));
    net_job_release(&slow.job);
    assert_int_equal(atomic_load(&slow.n_releases), 1);
    net_job_release(NULL);
}

/* ---- memory ---- */

static void failed_allocation_leaves_the_loop_usable(void **state)
{
    struct world *world = *state;
    struct net_loop *none = NULL;
    struct err_info err = {0};
    fail_mem_at(1);
    assert_int_equal(net_loop_new(&clock_system, &none, &err), ERR_NOMEM);
    assert_false(fail_mem_is_pending());
    assert_null(none);

    struct slow_job slow;
    struct net_op job_op = {.deadline_us = INT64_MAX};
    for (long n = 1; n <= 2; n++) {
        slow_job_init(&slow, 0);
        fail_mem_at(n);
        assert_int_equal(net_loop_add_job(world->loop, world->workers, &job_op, &slow.job, &err), ERR_NOMEM);
        assert_int_equal(atomic_load(&slow.n_releases), 1);
    }

    struct reader reader;
    struct net_op *op = NULL;
    reader_open(&reader, 1, INT64_MAX);
    reader_hear(&reader, "x");
    net_loop_add(world->loop, &reader.op);
    for (long n = 1; n <= 2; n++) {
        fail_mem_at(n);
        assert_int_equal(net_loop_wait(world->loop, INT64_MAX, &op, &err), ERR_NOMEM);
        assert_false(fail_mem_is_pending());
    }
    assert_ptr_equal(wait_one(world), &reader.op);
    reader_close(&reader);
}

/* ---- drivers ---- */

/* A connection that two questions share: a byte from the peer ends the first that waits, 'x' all with an
 * error. */
struct line {
    struct reader reader; /* first */
    struct net_loop *loop;
    struct net_op *asked[2];
    int n_flushes, n_last_flushes;
    bool is_leaving; /* takes itself away once nobody waits */
};

static void line_end(struct line *line, size_t i, int result, const struct err_info *err)
{
    if (line->asked[i])
        net_loop_end(line->loop, line->asked[i], result, err);
    line->asked[i] = NULL;
}

static int line_on_ready(struct net_op *op, short revents, struct err_info *reterr)
{
    struct line *line = op->owner;
    struct err_info err = {0};
    char byte;
    (void)revents, (void)reterr;
    assert_int_equal(read(op->fd, &byte, 1), 1);
    if (byte == 'x') {
        (void)err_set(&err, ERR_REMOTE, "it said x");
        line_end(line, 0, ERR_REMOTE, &err);
        line_end(line, 1, ERR_REMOTE, &err);
    } else {
        line_end(line, line->asked[0] ? 0 : 1, 0, NULL);
    }
    if (line->is_leaving && !line->asked[0] && !line->asked[1])
        net_loop_remove_driver(line->loop, op);
    return 0;
}

static void line_on_flush(struct net_op *op, bool is_last)
{
    struct line *line = op->owner;
    line->n_flushes++;
    line->n_last_flushes += is_last;
}

static const struct net_op_ops line_ops = {line_on_ready, reader_on_cancel, line_on_flush};

static void line_open(struct line *line, struct net_loop *loop, struct reader questions[2],
                      int64_t deadline_us)
{
    memset(line, 0, sizeof *line);
    reader_open(&line->reader, 1, 0);
    line->reader.op.ops = &line_ops;
    line->reader.op.owner = line;
    line->loop = loop;
    net_loop_add_driver(loop, &line->reader.op);
    for (int i = 0; i < 2; i++) {
        questions[i] = (struct reader){.op = {.ops = &reader_ops, .fd = -1, .deadline_us = deadline_us}};
        questions[i].op.owner = &questions[i];
        net_loop_add(loop, &questions[i].op);
        line->asked[i] = &questions[i].op;
    }
}

static void a_driver_ends_those_it_works_for_and_is_never_reported(void **state)
{
    struct world *world = *state;
    struct reader questions[2];
    struct net_op *op = NULL;
    struct line line;

    line_open(&line, world->loop, questions, INT64_MAX);
    assert_ptr_equal(net_loop_driver(world->loop, &line_ops, &line), &line.reader.op);
    assert_null(net_loop_driver(world->loop, &line_ops, world));
    net_loop_flush(world->loop, false);
    net_loop_flush(world->loop, true);
    assert_int_equal(line.n_flushes, 2);
    assert_int_equal(line.n_last_flushes, 1);

    reader_hear(&line.reader, "a");
    assert_int_equal(net_loop_wait(world->loop, INT64_MAX, &op, NULL), 0);
    assert_ptr_equal(op, &questions[0].op);
    assert_int_equal(op->result, 0);
    reader_hear(&line.reader, "x");
    assert_int_equal(net_loop_wait(world->loop, INT64_MAX, &op, NULL), 0);
    assert_ptr_equal(op, &questions[1].op);
    assert_int_equal(op->result, ERR_REMOTE);
    assert_string_equal(op->err.message, "it said x");
    /* Only the driver is left: nothing is waited for. */
    assert_int_equal(net_loop_wait(world->loop, INT64_MAX, &op, NULL), 1);
    net_loop_free(world->loop);
    world->loop = NULL;
    assert_int_equal(line.reader.n_cancels, 1);
    reader_close(&line.reader);
}

static void one_event_may_end_several_and_the_driver_itself(void **state)
{
    struct world *world = *state;
    struct reader questions[2];
    struct net_op *op = NULL;
    struct line line;

    line_open(&line, world->loop, questions, INT64_MAX);
    line.is_leaving = true;
    reader_hear(&line.reader, "x");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(net_loop_wait(world->loop, INT64_MAX, &op, NULL), 0);
        assert_ptr_equal(op, &questions[i].op);
    }
    assert_null(net_loop_driver(world->loop, &line_ops, &line));
    assert_int_equal(line.reader.n_cancels, 0);
    reader_close(&line.reader);
}

static void those_who_wait_for_a_driver_keep_their_deadlines(void **state)
{
    struct world *world = *state;
    struct reader questions[2];
    struct net_op *op = NULL;
    struct line line;

    line_open(&line, world->loop, questions, clock_mono_us(&clock_system) + 5 * US_PER_MS);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(net_loop_wait(world->loop, INT64_MAX, &op, NULL), 0);
        assert_ptr_equal(op, &questions[i].op);
        assert_int_equal(op->result, ERR_TIMEOUT);
        assert_int_equal(questions[i].n_cancels, 1);
    }
    net_loop_remove_driver(world->loop, &line.reader.op);
    reader_close(&line.reader);
}

static void what_ended_and_was_not_fetched_is_cancelled_at_the_end(void **state)
{
    struct world *world = *state;
    struct reader questions[2];
    struct net_op *op = NULL;
    struct line line;

    line_open(&line, world->loop, questions, INT64_MAX);
    reader_hear(&line.reader, "x");
    assert_int_equal(net_loop_wait(world->loop, INT64_MAX, &op, NULL), 0);
    net_loop_free(world->loop);
    world->loop = NULL;
    assert_int_equal(questions[0].n_cancels, 0);
    assert_int_equal(questions[1].n_cancels, 1);
    assert_int_equal(line.reader.n_cancels, 1);
    reader_close(&line.reader);
}

int main(void)
{
#define MANUAL(test) cmocka_unit_test_setup_teardown(test, open_manual, world_close)
    const struct CMUnitTest tests[] = {
        MANUAL(empty_loop_has_nothing_to_wait_for),
        MANUAL(ready_operations_are_reported_once_each),
        MANUAL(failure_carries_its_sentence),
        MANUAL(trickling_peer_times_out_at_its_deadline),
        MANUAL(passed_deadline_is_a_timeout_at_once),
        MANUAL(answer_that_is_there_beats_the_deadline),
        cmocka_unit_test_setup_teardown(deadlines_on_the_machines_clock_are_not_early, open_system,
                                        world_close),
        MANUAL(wait_ends_at_until_and_can_go_on),
        MANUAL(operation_may_change_what_it_polls),
        MANUAL(finished_operation_is_reported_first),
        MANUAL(end_of_loop_cancels_what_was_not_reported),
        MANUAL(more_operations_than_the_first_table_holds),
        MANUAL(job_result_stays_readable_until_released),
        MANUAL(jobs_of_one_loop_run_at_the_same_time),
        MANUAL(job_past_its_deadline_is_left_behind_and_frees_itself),
        cmocka_unit_test_setup_teardown(job_abandoned_while_queued_never_runs, open_narrow, world_close),
        cmocka_unit_test_setup_teardown(full_worker_queue_releases_the_job_and_says_so, open_narrow,
                                        world_close),
        MANUAL(end_of_loop_leaves_running_jobs_and_releases_finished_ones),
        MANUAL(job_that_ended_beats_its_deadline),
        cmocka_unit_test_setup_teardown(many_jobs_racing_their_deadlines_are_each_reported_and_released_once,
                                        open_system, world_close),
        MANUAL(job_outside_a_loop_is_not_cancelled),
        MANUAL(failed_allocation_leaves_the_loop_usable),
        cmocka_unit_test_setup_teardown(a_driver_ends_those_it_works_for_and_is_never_reported, open_system,
                                        world_close),
        cmocka_unit_test_setup_teardown(one_event_may_end_several_and_the_driver_itself, open_system,
                                        world_close),
        cmocka_unit_test_setup_teardown(those_who_wait_for_a_driver_keep_their_deadlines, open_system,
                                        world_close),
        cmocka_unit_test_setup_teardown(what_ended_and_was_not_fetched_is_cancelled_at_the_end, open_system,
                                        world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
