/* SPDX-License-Identifier: Apache-2.0
 *
 * Transactions, groups, snapshots and statements through the public face.
 */
#include "store_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

static struct store_info describe(struct store *store)
{
    struct store_info info;
    assert_int_equal(store_describe(store, &info, NULL), 0);
    return info;
}

static void written_row_is_there_after_reopening(void **state)
{
    struct fixture *fixture = *state;

    fixture->store = fixture_open(fixture);
    assert_int_equal(put(fixture->store, "a"), 0);
    fixture->store = store_close(fixture->store);
    fixture->store = fixture_open(fixture);
    assert_true(is_there(fixture->store, "a"));
    assert_int_equal(store_check(fixture->store, NULL), 0);
}

static void written_row_is_there_without_a_close(void **state)
{
    struct fixture *fixture = *state;
    pid_t child = fork();

    if (child == 0) {
        struct store *store = fixture_open(fixture);
        _exit(put(store, "a") == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    fixture->store = fixture_open(fixture);
    assert_true(is_there(fixture->store, "a"));
}

/* ---- groups ---- */

static int hold_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    sem_t *gates = arg; /* reached, may go on */

    (void)txn;
    (void)reterr;
    (void)sem_post(&gates[0]);
    while (sem_wait(&gates[1]) != 0)
        ;
    return 0;
}

struct job {
    struct store *store;
    store_txn_fn fn;
    void *arg;
    int result;
    struct err_info err;
    pthread_t thread;
};

static void *run_job(void *arg)
{
    struct job *job = arg;
    job->result = store_write(job->store, job->fn, job->arg, &job->err);
    return NULL;
}

static void start_job(struct job *job)
{
    assert_int_equal(pthread_create(&job->thread, NULL, run_job, job), 0);
}

/* Runs the jobs in one group: while another write holds the writer they all queue up. */
static void run_as_group(struct store *store, struct job *jobs, size_t n)
{
    sem_t gates[2];
    struct job holder = {.store = store, .fn = hold_fn, .arg = gates};
    uint64_t n_commits_before = describe(store).n_commits;

    (void)sem_init(&gates[0], 0, 0);
    (void)sem_init(&gates[1], 0, 0);
    start_job(&holder);
    while (sem_wait(&gates[0]) != 0)
        ;
    for (size_t i = 0; i < n; i++) {
        jobs[i].store = store;
        start_job(&jobs[i]);
    }
    while (describe(store).n_waiting < n)
        (void)sched_yield();
    (void)sem_post(&gates[1]);
    (void)pthread_join(holder.thread, NULL);
    for (size_t i = 0; i < n; i++)
        (void)pthread_join(jobs[i].thread, NULL);
    (void)sem_destroy(&gates[0]);
    (void)sem_destroy(&gates[1]);
    assert_true(describe(store).n_commits <= n_commits_before + 2); /* the holder's group and the jobs' */
}

static int put_then_fail_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    assert_int_equal(put_key(txn, arg, NULL), 0);
    return err_set(reterr, ERR_INVALID, "not this one");
}

static void failing_member_is_undone_and_the_others_stand(void **state)
{
    struct fixture *fixture = *state;
    struct job jobs[] = {{.fn = put_fn, .arg = KEY("a")},
                         {.fn = put_then_fail_fn, .arg = KEY("b")},
                         {.fn = put_fn, .arg = KEY("c")}};

    fixture->store = fixture_open(fixture);
    run_as_group(fixture->store, jobs, 3);
    assert_int_equal(jobs[0].result, 0);
    assert_int_equal(jobs[1].result, ERR_INVALID);
    assert_string_equal(jobs[1].err.message, "not this one");
    assert_int_equal(jobs[2].result, 0);
    assert_true(is_there(fixture->store, "a"));
    assert_false(is_there(fixture->store, "b"));
    assert_true(is_there(fixture->store, "c"));
}

static void broken_constraint_is_a_conflict_of_that_member_alone(void **state)
{
    struct fixture *fixture = *state;
    struct job jobs[] = {
        {.fn = put_fn, .arg = KEY("a")}, {.fn = put_fn, .arg = KEY("a")}, {.fn = put_fn, .arg = KEY("c")}};

    fixture->store = fixture_open(fixture);
    run_as_group(fixture->store, jobs, 3);
    assert_int_equal(jobs[0].result + jobs[1].result, ERR_CONFLICT);
    assert_int_equal(jobs[2].result, 0);
    assert_int_equal(count(fixture->store), 2);
}

static int positive_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    int r = put_key(txn, arg, reterr);
    return r < 0 ? r : 7;
}

static void positive_result_is_kept_and_given_back(void **state)
{
    struct fixture *fixture = *state;

    fixture->store = fixture_open(fixture);
    assert_int_equal(store_write(fixture->store, positive_fn, KEY("a"), NULL), 7);
    assert_true(is_there(fixture->store, "a"));
}

#define N_THREADS 8
#define N_EACH    40

struct crowd {
    struct store *store;
    int number;
    int n_failed;
};

static void *write_many(void *arg)
{
    struct crowd *crowd = arg;

    for (int i = 0; i < N_EACH; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "%d-%d", crowd->number, i);
        store_txn_fn fn = i % 5 == 4 ? put_then_fail_fn : put_fn;
        crowd->n_failed += store_write(crowd->store, fn, key, NULL) != 0;
    }
    return NULL;
}

static void many_threads_write_each_row_once(void **state)
{
    struct fixture *fixture = *state;
    struct crowd crowds[N_THREADS];
    pthread_t threads[N_THREADS];

    fixture->store = fixture_open(fixture);
    for (int i = 0; i < N_THREADS; i++) {
        crowds[i] = (struct crowd){fixture->store, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &crowds[i]), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_int_equal(crowds[i].n_failed, N_EACH / 5);
    }
    assert_int_equal(count(fixture->store), N_THREADS * N_EACH * 4 / 5);
    assert_int_equal(describe(fixture->store).n_writes, N_THREADS * N_EACH);
    assert_int_equal(describe(fixture->store).n_waiting, 0);
}

/* ---- reading ---- */

static int read_twice_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    int64_t before, after;

    assert_int_equal(count_fn(txn, &before, reterr), 0);
    assert_int_equal(put(arg, "while reading"), 0);
    assert_int_equal(count_fn(txn, &after, reterr), 0);
    assert_int_equal(before, after);
    return 0;
}

static void snapshot_does_not_change_while_others_write(void **state)
{
    struct fixture *fixture = *state;

    fixture->store = fixture_open(fixture);
    assert_int_equal(put(fixture->store, "a"), 0);
    assert_int_equal(store_read(fixture->store, read_twice_fn, fixture->store, NULL), 0);
    assert_int_equal(count(fixture->store), 2);
}

static int put_in_read_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    return put_key(txn, arg, reterr);
}

static void write_in_a_read_is_refused(void **state)
{
    struct fixture *fixture = *state;

    fixture->store = fixture_open(fixture);
    assert_int_equal(store_read(fixture->store, put_in_read_fn, KEY("a"), NULL), ERR_FORBIDDEN);
    assert_int_equal(count(fixture->store), 0);
}

struct seen {
    int n_rows;
    struct value last[6];
    char text[64];
};

static int stop_after_two(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    (void)columns;
    (void)n_columns;
    (void)reterr;
    return ++((struct seen *)arg)->n_rows == 2;
}

static int three_rows_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    return store_query(txn, "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3", NULL, 0, stop_after_two, arg,
                       reterr);
}

static void row_function_that_has_enough_ends_the_query(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};

    fixture->store = fixture_open(fixture);
    assert_int_equal(store_read(fixture->store, three_rows_fn, &seen, NULL), 0);
    assert_int_equal(seen.n_rows, 2);
}

static int keep_row(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    struct seen *seen = arg;

    (void)reterr;
    assert_int_equal(n_columns, 6);
    memcpy(seen->last, columns, sizeof seen->last);
    (void)snprintf(seen->text, sizeof seen->text, "%.*s", STR_ARG(columns[3].text));
    seen->n_rows++;
    return 0;
}

static int echo_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    const struct value params[] = {value_null(),     value_int(INT64_MIN),
                                   value_real(0.1),  value_text(STR_LIT("a\xc5\xbc")),
                                   value_bool(true), value_text((struct str){NULL, 0})};

    return store_query(txn, "SELECT ?1, ?2, ?3, ?4, ?5, ?6", params, 6, keep_row, arg, reterr);
}

static void values_come_back_as_they_went_in(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};

    fixture->store = fixture_open(fixture);
    assert_int_equal(store_read(fixture->store, echo_fn, &seen, NULL), 0);
    assert_int_equal(seen.last[0].type, VALUE_NULL);
    assert_true(seen.last[1].type == VALUE_INT && seen.last[1].integer == INT64_MIN);
    assert_true(seen.last[2].type == VALUE_REAL && seen.last[2].real == 0.1);
    assert_string_equal(seen.text, "a\xc5\xbc");
    assert_true(seen.last[4].type == VALUE_INT && seen.last[4].integer == 1);
    assert_true(seen.last[5].type == VALUE_TEXT && seen.last[5].text.len == 0); /* empty is not NULL */
}

struct nesting {
    struct store_txn *txn;
    int depth;
};

static int ask_again(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    struct nesting *nesting = arg;

    (void)columns;
    (void)n_columns;
    if (++nesting->depth >= 3)
        return 0;
    return store_query(nesting->txn, "SELECT 1", NULL, 0, ask_again, nesting, reterr);
}

static int nest_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    struct nesting *nesting = arg;
    nesting->txn = txn;
    return store_query(txn, "SELECT 1", NULL, 0, ask_again, nesting, reterr);
}

static void row_function_may_run_the_same_statement(void **state)
{
    struct fixture *fixture = *state;
    struct nesting nesting = {0};

    fixture->store = fixture_open(fixture);
    assert_int_equal(store_read(fixture->store, nest_fn, &nesting, NULL), 0);
    assert_int_equal(nesting.depth, 3);
}

static int many_statements_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    for (int i = 0; i < 200; i++) {
        char sql[64];
        int64_t n = -1;

        (void)snprintf(sql, sizeof sql, "SELECT %d", i);
        int r = store_query(txn, sql, NULL, 0, on_count_row, &n, reterr);
        if (r < 0)
            return r;
        assert_int_equal(n, i);
    }
    (void)arg;
    return 0;
}

static void more_statements_than_are_kept_still_run(void **state)
{
    struct fixture *fixture = *state;

    fixture->store = fixture_open(fixture);
    assert_int_equal(store_read(fixture->store, many_statements_fn, NULL, NULL), 0);
}

static int wrong_sql_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    return store_exec(txn, arg, NULL, 0, reterr);
}

static void wrong_statements_are_errors_with_a_sentence(void **state)
{
    struct fixture *fixture = *state;
    static const char *const texts[] = {"SELECT nothing FROM nowhere", "SELECT 1; SELECT 2", "SELECT ?1", ""};

    fixture->store = fixture_open(fixture);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct err_info err = {0};
        assert_int_equal(store_read(fixture->store, wrong_sql_fn, (void *)(uintptr_t)texts[i], &err),
                         ERR_INTERNAL);
        assert_string_not_equal(err.message, "");
    }
}

static int change_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    int64_t *changes = arg;

    assert_int_equal(put_key(txn, "a", reterr), 0);
    assert_int_equal(put_key(txn, "b", reterr), 0);
    assert_int_equal(store_exec(txn, "UPDATE preferences SET value = 'w'", NULL, 0, reterr), 0);
    changes[0] = store_changes(txn);
    assert_int_equal(store_exec(txn, "DELETE FROM preferences WHERE key = 'z'", NULL, 0, reterr), 0);
    changes[1] = store_changes(txn);
    return 0;
}

static void changes_are_those_of_the_last_statement(void **state)
{
    struct fixture *fixture = *state;
    int64_t changes[2] = {-1, -1};

    fixture->store = fixture_open(fixture);
    assert_int_equal(store_write(fixture->store, change_fn, changes, NULL), 0);
    assert_int_equal(changes[0], 2);
    assert_int_equal(changes[1], 0);
}

/* ---- the log ---- */

static int fill_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    (void)arg;
    return store_exec(txn,
                      "INSERT INTO knowledge_history (replaced_at, tenant, user_id, id, importance, content) "
                      "WITH RECURSIVE n (i) AS"
                      " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
                      " SELECT i, 't', 'u', 'x', 0, hex(randomblob(500)) FROM n",
                      NULL, 0, reterr);
}

static void log_is_bounded_under_writes_and_empty_after_close(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;
    char log[128];

    fixture->store = fixture_open(fixture);
    for (int i = 0; i < 12; i++) /* 2 MB each */
        assert_int_equal(store_write(fixture->store, fill_fn, NULL, NULL), 0);
    assert_true(describe(fixture->store).is_owner);
    assert_true(describe(fixture->store).wal_bytes > 0);
    assert_true(describe(fixture->store).wal_bytes < 12 * 1024 * 1024);
    fixture->store = store_close(fixture->store);
    (void)snprintf(log, sizeof log, "%s-wal", fixture->path);
    assert_true(stat(log, &status) != 0 || status.st_size == 0);
    fixture->store = fixture_open(fixture);
    assert_int_equal(store_check(fixture->store, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(written_row_is_there_after_reopening),
        FIXTURE_TEST(written_row_is_there_without_a_close),
        FIXTURE_TEST(failing_member_is_undone_and_the_others_stand),
        FIXTURE_TEST(broken_constraint_is_a_conflict_of_that_member_alone),
        FIXTURE_TEST(positive_result_is_kept_and_given_back),
        FIXTURE_TEST(many_threads_write_each_row_once),
        FIXTURE_TEST(snapshot_does_not_change_while_others_write),
        FIXTURE_TEST(write_in_a_read_is_refused),
        FIXTURE_TEST(row_function_that_has_enough_ends_the_query),
        FIXTURE_TEST(values_come_back_as_they_went_in),
        FIXTURE_TEST(row_function_may_run_the_same_statement),
        FIXTURE_TEST(more_statements_than_are_kept_still_run),
        FIXTURE_TEST(wrong_statements_are_errors_with_a_sentence),
        FIXTURE_TEST(changes_are_those_of_the_last_statement),
        FIXTURE_TEST(log_is_bounded_under_writes_and_empty_after_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
