/* SPDX-License-Identifier: Apache-2.0
 *
 * Worker threads: every accepted job runs exactly once, a full queue refuses at once.
 */
#include "net/workers.h"

#include "../fail_mem.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* A job that says it has begun and waits for the test's word. */
struct gate {
    sem_t has_begun;
    sem_t may_end;
};

static void gate_init(struct gate *gate)
{
    sem_init(&gate->has_begun, 0, 0);
    sem_init(&gate->may_end, 0, 0);
}

static void gate_done(struct gate *gate)
{
    sem_destroy(&gate->has_begun);
    sem_destroy(&gate->may_end);
}

static void run_gate(void *arg)
{
    struct gate *gate = arg;
    sem_post(&gate->has_begun);
    sem_wait(&gate->may_end);
}

static void run_count(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void every_accepted_job_runs_once_before_free_returns(void **state)
{
    (void)state;
    struct workers *workers = NULL;
    atomic_int n_runs = 0;

    assert_int_equal(workers_new("test", 3, 1000, &workers, NULL), 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(workers_submit(workers, run_count, &n_runs), 0);
    assert_null(workers_free(workers));
    assert_int_equal(atomic_load(&n_runs), 1000);
}

static void full_queue_refuses_and_recovers(void **state)
{
    (void)state;
    struct workers *workers = NULL;
    struct gate gate;
    atomic_int n_runs = 0;

    gate_init(&gate);
    assert_int_equal(workers_new("a name that is longer than a thread's may be", 1, 2, &workers, NULL), 0);
    assert_int_equal(workers_submit(workers, run_gate, &gate), 0);
    sem_wait(&gate.has_begun);
    assert_int_equal(workers_load(workers), 1);
    assert_int_equal(workers_submit(workers, run_count, &n_runs), 0);
    assert_int_equal(workers_submit(workers, run_gate, &gate), 0);
    assert_int_equal(workers_submit(workers, run_count, &n_runs), ERR_UNAVAILABLE);
    assert_int_equal(workers_load(workers), 3);

    sem_post(&gate.may_end);
    sem_wait(&gate.has_begun); /* the second gate: what stood before it is done */
    assert_int_equal(atomic_load(&n_runs), 1);
    assert_int_equal(workers_submit(workers, run_count, &n_runs), 0);
    sem_post(&gate.may_end);
    workers_free(workers);
    assert_int_equal(atomic_load(&n_runs), 2);
    gate_done(&gate);
}

static void jobs_of_two_threads_run_at_the_same_time(void **state)
{
    (void)state;
    struct workers *workers = NULL;
    struct gate a, b;

    gate_init(&a);
    gate_init(&b);
    assert_int_equal(workers_new("test", 2, 2, &workers, NULL), 0);
    assert_int_equal(workers_submit(workers, run_gate, &a), 0);
    assert_int_equal(workers_submit(workers, run_gate, &b), 0);
    sem_wait(&b.has_begun); /* begins although a has not ended */
    sem_wait(&a.has_begun);
    sem_post(&a.may_end);
    sem_post(&b.may_end);
    workers_free(workers);
    gate_done(&a);
    gate_done(&b);
}

static void run_read_mask(void *arg)
{
    pthread_sigmask(SIG_BLOCK, NULL, arg);
}

static void workers_block_signals_and_leave_the_caller_alone(void **state)
{
    (void)state;
    struct workers *workers = NULL;
    sigset_t inside, outside;

    assert_int_equal(workers_new("test", 1, 1, &workers, NULL), 0);
    pthread_sigmask(SIG_BLOCK, NULL, &outside);
    assert_int_equal(workers_submit(workers, run_read_mask, &inside), 0);
    workers_free(workers);
    assert_true(sigismember(&inside, SIGTERM));
    assert_false(sigismember(&outside, SIGTERM));
}

static void failed_allocation_is_reported(void **state)
{
    (void)state;
    struct workers *workers = NULL;
    struct err_info err = {0};

    for (long n = 1; n <= 3; n++) {
        fail_mem_at(n);
        assert_int_equal(workers_new("test", 2, 8, &workers, &err), ERR_NOMEM);
        assert_false(fail_mem_is_pending());
        assert_null(workers);
        assert_int_equal(err.code, ERR_NOMEM);
    }
    fail_mem_at(4);
    assert_int_equal(workers_new("test", 2, 8, &workers, &err), 0);
    fail_mem_at(0);
    workers_free(workers);
}

static void free_accepts_null(void **state)
{
    (void)state;
    assert_null(workers_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_accepted_job_runs_once_before_free_returns),
        cmocka_unit_test(full_queue_refuses_and_recovers),
        cmocka_unit_test(jobs_of_two_threads_run_at_the_same_time),
        cmocka_unit_test(workers_block_signals_and_leave_the_caller_alone),
        cmocka_unit_test(failed_allocation_is_reported),
        cmocka_unit_test(free_accepts_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
