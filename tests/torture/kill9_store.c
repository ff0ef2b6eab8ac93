/* SPDX-License-Identifier: Apache-2.0
 *
 * Kills processes that write to a store, again and again, and looks for every acknowledged write.
 *
 * usage: kill9_store [ROUNDS [SEED]]
 *
 * In each round two processes with several threads each write to one store. A write inserts two rows, N and
 * -N; once store_write has returned, N goes into a pipe. After a random number of acknowledgements both
 * processes get SIGKILL. Then the store is opened again: each acknowledged N must be there, exactly once and
 * with its -N; an unacknowledged one with its -N or not at all; the integrity check must be clean.
 */
#include "store/store.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define N_PROCESSES 2
#define N_THREADS   4
#define MAX_ACKS    300 /* in a round */
#define MAX_ROUNDS  10000

/* ---- the processes that die ---- */

struct writer {
    struct store *store;
    int pipe_fd;
    int64_t first; /* its numbers are first, first + 1, ... */
};

/* Rows of up to 6 KB, so that checkpoints happen now and then. */
static int insert_pair(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    int64_t number = *(int64_t *)arg;

    for (int64_t at = number;; at = -number) {
        const struct value params[] = {value_int(at), value_int(number % 3000)};
        int r =
            store_exec(txn,
                       "INSERT INTO knowledge_history (replaced_at, tenant, user_id, id, importance, content)"
                       " VALUES (?1, 't', 'u', 'x', 0, hex(zeroblob(?2)))",
                       params, 2, reterr);
        if (r < 0 || at < 0)
            return r;
    }
}

static void *write_until_killed(void *arg)
{
    struct writer *writer = arg;

    for (int64_t number = writer->first;; number++) {
        struct err_info err = {0};

        if (store_write(writer->store, insert_pair, &number, &err) != 0) {
            (void)fprintf(stderr, "kill9_store: a write failed: %s\n", err.message);
            _exit(1);
        }
        if (write(writer->pipe_fd, &number, sizeof number) != (ssize_t)sizeof number)
            _exit(1);
    }
}

static struct store *open_store(const char *url)
{
    struct store_options options = {.url = url, .may_create = true, .clock = &clock_system};
    struct err_info err = {0};
    struct store *store;

    if (store_open(&options, &store, &err) == 0)
        return store;
    (void)fprintf(stderr, "kill9_store: cannot open: %s\n", err.message);
    exit(1);
}

static pid_t start_process(const char *url, int pipe_fd, int64_t first)
{
    struct writer writers[N_THREADS];
    pthread_t thread;
    struct store *store;
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    store = open_store(url);
    for (int i = 0; i < N_THREADS; i++) {
        writers[i] = (struct writer){store, pipe_fd, first + i * 1000000};
        if (pthread_create(&thread, NULL, write_until_killed, &writers[i]) != 0)
            _exit(1);
    }
    for (;;)
        (void)pause();
}

/* ---- what was acknowledged ---- */

struct acks {
    int64_t *numbers;
    size_t n, cap;
};

static void acks_add(struct acks *acks, int64_t number)
{
    if (acks->n == acks->cap) {
        acks->cap = acks->cap ? 2 * acks->cap : 1024;
        acks->numbers = realloc(acks->numbers, acks->cap * sizeof *acks->numbers);
        if (!acks->numbers)
            exit(1);
    }
    acks->numbers[acks->n++] = number;
}

static int compare_numbers(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* Reads acknowledgements: n of them, or with n 0 all that are left. */
static void read_acks(int pipe_fd, size_t n, struct acks *acks)
{
    int64_t number;

    for (size_t i = 0; n == 0 || i < n; i++) {
        ssize_t got = read(pipe_fd, &number, sizeof number);

        if (got != (ssize_t)sizeof number) {
            if (got == 0 && n == 0)
                return;
            (void)fprintf(stderr, "kill9_store: the writers ended by themselves\n");
            exit(1);
        }
        acks_add(acks, number);
    }
}

/* ---- what is there ---- */

struct checking {
    const struct acks *acks; /* sorted */
    size_t n_found;
    size_t n_rows;
};

/* Gets each N > 0 in order, with the number of its rows and of the rows of -N. */
static int on_number(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    struct checking *checking = arg;
    int64_t number = columns[0].integer;

    (void)n_columns;
    if (columns[1].integer != 1 || columns[2].integer != 1)
        return err_set(reterr, ERR_CORRUPT, "write %lld is there %lld and %lld times", (long long)number,
                       (long long)columns[1].integer, (long long)columns[2].integer);
    checking->n_rows++;
    if (checking->n_found < checking->acks->n && checking->acks->numbers[checking->n_found] == number)
        checking->n_found++;
    return 0;
}

static int check_rows(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    return store_query(
        txn,
        "SELECT abs(replaced_at), sum(replaced_at > 0), sum(replaced_at < 0) FROM knowledge_history"
        " GROUP BY abs(replaced_at) ORDER BY abs(replaced_at)",
        NULL, 0, on_number, arg, reterr);
}

static void check_store(const char *url, struct acks *acks, int round)
{
    struct store *store = open_store(url);
    struct checking checking = {.acks = acks};
    struct err_info err = {0};

    qsort(acks->numbers, acks->n, sizeof *acks->numbers, compare_numbers);
    if (store_check(store, &err) < 0 || store_read(store, check_rows, &checking, &err) < 0) {
        (void)fprintf(stderr, "kill9_store: round %d: %s\n", round, err.message);
        exit(1);
    }
    if (checking.n_found != acks->n) {
        (void)fprintf(stderr, "kill9_store: round %d: acknowledged write %lld is lost\n", round,
                      (long long)acks->numbers[checking.n_found]);
        exit(1);
    }
    store_close(store);
    (void)printf("round %d: %zu acknowledged, %zu there, all well\n", round, acks->n, checking.n_rows);
}

static void run_round(const char *url, int round, struct acks *acks)
{
    pid_t pids[N_PROCESSES];
    int ends[2];

    if (pipe(ends) != 0)
        exit(1);
    for (int i = 0; i < N_PROCESSES; i++)
        pids[i] = start_process(url, ends[1], ((int64_t)round * N_PROCESSES + i + 1) * 100000000);
    (void)close(ends[1]);
    read_acks(ends[0], (size_t)(1 + random() % MAX_ACKS), acks);
    for (int i = 0; i < N_PROCESSES; i++)
        (void)kill(pids[i], SIGKILL);
    for (int i = 0; i < N_PROCESSES; i++)
        (void)waitpid(pids[i], NULL, 0);
    read_acks(ends[0], 0, acks);
    (void)close(ends[0]);
    check_store(url, acks, round);
}

int main(int argc, char **argv)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock", ".versions"};
    char folder[] = "/tmp/precis-kill9-XXXXXX", url[96], path[96];
    int64_t rounds = 20, seed = (int64_t)time(NULL);
    struct acks acks = {0};

    if ((argc > 1 && str_to_int(str_of(argv[1]), &rounds) < 0) || rounds < 1 || rounds > MAX_ROUNDS ||
        (argc > 2 && str_to_int(str_of(argv[2]), &seed) < 0)) {
        (void)fprintf(stderr, "usage: kill9_store [ROUNDS [SEED]]\n");
        return 2;
    }
    (void)printf("seed %lld\n", (long long)seed);
    srandom((unsigned)seed);
    if (!mkdtemp(folder))
        return 1;
    (void)snprintf(url, sizeof url, "sqlite:%s/store.db", folder);
    for (int round = 0; round < rounds; round++)
        run_round(url, round, &acks);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/store.db%s", folder, suffixes[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
    free(acks.numbers);
    return 0;
}
