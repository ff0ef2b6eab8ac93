/* SPDX-License-Identifier: Apache-2.0
 *
 * No reply ever reaches another question. Several threads build over the same connections with small pools,
 * as gather does: questions to all kinds of servers in one loop, each with a canary that has to come back
 * with its reply. Half of the loops are freed at a random moment, their flushes are withheld, or deadlines
 * pass; the replies under way may then reach nobody, and whoever asks next gets its own. At the end all pools
 * are idle, breakers close, and no descriptor is left.
 *
 * usage: cancel [--kept N] [--cancelled N] [--seconds S] [--threads T] [--conns C] [--only NAME] [--seed N]
 *               [--unread] [--no-control]
 *
 * It goes on until so many were kept and so many cancelled, or the time is over. First it runs a control:
 * itself with
 * --unread, where connections with an answer outstanding go back to their pool instead of being closed. That
 * has to be noticed. Exits 0; 1 for anything wrong; 3 when a reply was another's.
 */
#include "cancel_peer.h"
#include "cancel_targets.h"

#include "core/mem.h"

#include <dirent.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_QUESTIONS 12 /* of a build */
#define MAX_THREADS   64

#define EXIT_USAGE      2
#define EXIT_FOREIGN    3
#define EXIT_LACKING    77
#define EXIT_NO_PROGRAM 127

#define SETTLE_US (10 * US_PER_SEC)

struct options {
    unsigned long n_kept, n_cancelled;
    int64_t seconds;
    int n_threads, n_conns;
    const char *only;
    uint64_t seed;
    bool is_unread, has_control;
};

struct run {
    struct options options;
    struct source_env env;
    struct target targets[MAX_TARGETS];
    size_t n_targets;
    int64_t end_us;
    atomic_ulong n_kept, n_cancelled;
    atomic_bool has_failed;
};

/* ---- the control: pool_drop is wrapped at link time ---- */

static atomic_bool gives_back_unread;

void __real_pool_drop(struct pool *pool, void *conn);
void __wrap_pool_drop(struct pool *pool, void *conn);

void __wrap_pool_drop(struct pool *pool, void *conn)
{
    if (atomic_load_explicit(&gives_back_unread, memory_order_relaxed))
        pool_give(pool, conn);
    else
        __real_pool_drop(pool, conn);
}

/* ---- one build ---- */

enum fate {
    FATE_KEPT, /* has to be answered */
    FATE_LATE, /* its deadline is so short that it may pass */
};

struct asked {
    struct source_fetch fetch; /* first: the loop reports its op */
    struct question question;
    struct target *target;
    enum fate fate;
    bool is_running;
};

struct worker {
    struct run *run;
    pthread_t thread;
    uint64_t random;
    uint64_t n_asked, number;
};

struct build {
    struct worker *worker;
    struct net_loop *loop;
    struct asked *asked;
    size_t n_asked, n_running;
    bool is_cancelled;
    bool is_last; /* it was said that nothing will start any more */
};

static uint64_t next_random(struct worker *worker)
{
    uint64_t x = worker->random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static unsigned below(struct worker *worker, unsigned n)
{
    return (unsigned)(next_random(worker) % n);
}

static void fail(struct run *run, int code, const struct asked *asked, const char *what)
{
    fprintf(stderr, "cancel: %s: canary %llu (%s): %s\n", asked->target->name,
            (unsigned long long)asked->question.canary, asked->question.text, what);
    if (code == EXIT_FOREIGN)
        _exit(EXIT_FOREIGN); /* at once: what is said has to be the last that is said */
    atomic_store(&run->has_failed, true);
}

/* The breaker, after a few deadlines in a row; or a machine so busy that no connection can be had in time. */
static void note_refused(struct asked *asked, const struct err_info *err)
{
    if (atomic_fetch_add(&asked->target->n_refused, 1) == 0)
        fprintf(stderr, "cancel: refused, as it may be: %s\n", err->message);
}

static void check(struct build *build, struct asked *asked, const struct source_result *result)
{
    struct run *run = build->worker->run;
    const struct net_op *op = &asked->fetch.op;
    char why[200];

    if (op->result == ERR_TIMEOUT && asked->fate == FATE_LATE) {
        atomic_fetch_add(&asked->target->n_late, 1);
    } else if (op->result == ERR_UNAVAILABLE) {
        note_refused(asked, &op->err);
    } else if (asked->question.must_fail != (op->result == ERR_REMOTE) ||
               (op->result < 0 && op->result != ERR_REMOTE)) {
        snprintf(why, sizeof why, "%s%s: %.150s", asked->question.must_fail ? "should be an error: " : "",
                 err_name(op->result), op->err.message);
        fail(run, op->result == 0 || op->result == ERR_REMOTE ? EXIT_FOREIGN : 1, asked, why);
    } else if (result && !target_owns(&asked->question, result, why, sizeof why)) {
        fail(run, EXIT_FOREIGN, asked, why);
    } else {
        atomic_fetch_add(&asked->target->n_kept, 1);
        atomic_fetch_add(&run->n_kept, 1);
    }
}

static void start(struct build *build)
{
    struct worker *worker = build->worker;
    struct run *run = worker->run;
    struct asked *asked = &build->asked[build->n_asked++];
    struct err_info err = {0};

    *asked = (struct asked){.target = &run->targets[below(worker, (unsigned)run->n_targets)]};
    asked->question.random = next_random(worker) >> 1;
    asked->question.canary = worker->n_asked++ * MAX_THREADS + worker->number;
    target_ask(asked->target, &asked->question);
    if (below(worker, 32) == 0) {
        asked->fate = FATE_LATE;
        asked->question.request.deadline_us = clock_mono_us(&clock_system) + below(worker, 4000);
    }
    int res =
        source_fetch_start(asked->target->source, &asked->question.request, build->loop, &asked->fetch, &err);
    if (res == ERR_UNAVAILABLE || (res == ERR_TIMEOUT && asked->fate == FATE_LATE)) {
        note_refused(asked, &err);
    } else if (res < 0) {
        fail(run, 1, asked, err.message);
    } else {
        asked->is_running = true;
        build->n_running++;
    }
}

/* The next report within so long; false when there was none. */
static bool wait_one(struct build *build, int64_t for_us)
{
    struct net_op *op = NULL;
    struct err_info err = {0};
    int64_t until_us = for_us == INT64_MAX ? INT64_MAX : clock_mono_us(&clock_system) + for_us;
    int res = net_loop_wait(build->loop, until_us, &op, &err);

    if (res < 0) {
        fprintf(stderr, "cancel: %s\n", err.message);
        exit(1);
    }
    if (res == 1)
        return false;
    struct asked *asked = (struct asked *)op;
    struct source_result *result = source_fetch_take(&asked->fetch);
    asked->is_running = false;
    build->n_running--;
    check(build, asked, result);
    source_result_free(result);
    return true;
}

static void flush(struct build *build)
{
    build->is_last = below(build->worker, 2) == 0;
    net_loop_flush(build->loop, build->is_last);
}

/* As a step of a recipe that needs what came. */
static void start_more(struct build *build)
{
    if (build->is_last || build->n_asked == MAX_QUESTIONS || below(build->worker, 4) != 0)
        return;
    start(build);
    flush(build);
}

static void ask_all(struct build *build)
{
    struct worker *worker = build->worker;
    unsigned n = 1 + below(worker, MAX_QUESTIONS);

    for (unsigned i = 0; i < n; i++) {
        start(build);
        if (below(worker, 8) == 0)
            net_loop_flush(build->loop, false);
    }
}

static void wait_all(struct build *build)
{
    flush(build);
    while (build->n_running > 0 && wait_one(build, INT64_MAX))
        start_more(build);
}

/* Up to a moment at which nobody wants it any more. */
static void wait_some(struct build *build)
{
    struct worker *worker = build->worker;
    unsigned n = below(worker, MAX_QUESTIONS);

    if (below(worker, 4) > 0)
        flush(build);
    for (unsigned i = 0; i < n && build->n_running > 0; i++)
        if (wait_one(build, below(worker, 2) ? 0 : below(worker, 1500)))
            start_more(build);
}

static void run_build(struct worker *worker, struct asked *asked)
{
    struct build build = {.worker = worker, .asked = asked, .is_cancelled = below(worker, 5) < 3};
    struct err_info err = {0};

    if (net_loop_new(&clock_system, &build.loop, &err) < 0) {
        fprintf(stderr, "cancel: %s\n", err.message);
        exit(1);
    }
    ask_all(&build);
    if (build.is_cancelled)
        wait_some(&build);
    else
        wait_all(&build);
    net_loop_free(build.loop);
    for (size_t i = 0; i < build.n_asked; i++)
        if (asked[i].is_running)
            atomic_fetch_add(&asked[i].target->n_cancelled, 1);
    atomic_fetch_add(&worker->run->n_cancelled, build.n_running);
}

static bool is_over(const struct run *run)
{
    return atomic_load(&run->has_failed) || clock_mono_us(&clock_system) >= run->end_us ||
           (atomic_load(&run->n_kept) >= run->options.n_kept &&
            atomic_load(&run->n_cancelled) >= run->options.n_cancelled);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;

    while (!is_over(worker->run)) {
        /* Of its own for each build, so that a late touch is one of freed memory. */
        struct asked *asked = malloc(MAX_QUESTIONS * sizeof *asked);
        if (!asked)
            abort();
        run_build(worker, asked);
        memset(asked, 0xa5, MAX_QUESTIONS * sizeof *asked);
        free(asked);
    }
    return NULL;
}

/* ---- afterwards ---- */

static bool is_idle(const struct target *target)
{
    struct source_stats stats;
    source_stats(target->source, &stats);
    return stats.pool.n_open == stats.pool.n_idle && stats.pool.n_connecting == 0 &&
           stats.pool.n_waiting == 0;
}

/* What was asked last may still be on its way home. */
static void check_idle(struct run *run, const struct target *target)
{
    int64_t until_us = clock_mono_us(&clock_system) + SETTLE_US;
    struct source_stats stats;

    while (!is_idle(target) && clock_mono_us(&clock_system) < until_us)
        usleep(1000);
    source_stats(target->source, &stats);
    if (atomic_load(&target->n_kept) == 0) {
        fprintf(stderr, "cancel: %s: nothing was answered\n", target->name);
        atomic_store(&run->has_failed, true);
    }
    if (!is_idle(target) || stats.pool.n_open > (size_t)run->options.n_conns) {
        fprintf(stderr, "cancel: %s: %zu connections, of which %zu are idle, %zu connecting, %zu waiting\n",
                target->name, stats.pool.n_open, stats.pool.n_idle, stats.pool.n_connecting,
                stats.pool.n_waiting);
        atomic_store(&run->has_failed, true);
    }
    printf("cancel: %-8s %8lu kept, %8lu cancelled, %6lu too late, %5lu refused; %llu connects, %llu drops, "
           "%llu waits\n",
           target->name, atomic_load(&target->n_kept), atomic_load(&target->n_cancelled),
           atomic_load(&target->n_late), atomic_load(&target->n_refused),
           (unsigned long long)stats.pool.n_connects, (unsigned long long)stats.pool.n_drops,
           (unsigned long long)stats.pool.n_waits);
}

/* One more good answer closes a breaker that short deadlines have opened. */
static void check_breaker(struct run *run, struct worker *worker, struct target *target)
{
    int64_t until_us = clock_mono_us(&clock_system) + SETTLE_US;
    struct run one = *run;
    struct source_stats stats;
    unsigned long n_kept = atomic_load(&target->n_kept);

    one.targets[0] = *target;
    one.n_targets = 1;
    worker->run = &one;
    do {
        struct asked asked[MAX_QUESTIONS];
        struct build build = {.worker = worker, .asked = asked};
        if (net_loop_new(&clock_system, &build.loop, NULL) < 0)
            abort();
        start(&build);
        wait_all(&build);
        net_loop_free(build.loop);
        source_stats(target->source, &stats);
        if (stats.breaker.is_open)
            usleep(10000);
    } while ((stats.breaker.is_open || atomic_load(&one.targets[0].n_kept) == n_kept) &&
             clock_mono_us(&clock_system) < until_us);
    if (stats.breaker.is_open || atomic_load(&one.targets[0].n_kept) == n_kept) {
        fprintf(stderr, "cancel: %s: its breaker does not close\n", target->name);
        atomic_store(&run->has_failed, true);
    }
}

static int count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;
    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

static int run_all(const struct options *options)
{
    static struct run run;
    static struct worker workers[MAX_THREADS];
    struct err_info err = {0};
    struct embedder *embedder = NULL;
    if (embedder_builtin(&embedder, &err) < 0)
        abort();
    int n_descriptors = count_descriptors();
    struct cancel_peer *peer = cancel_peer_start();

    run.options = *options;
    run.env = (struct source_env){.clock = &clock_system, .embedder = embedder};
    if (workers_new("connect", 4, 256, &run.env.connectors, &err) < 0 ||
        workers_new("fetch", 2, 256, &run.env.workers, &err) < 0)
        abort();
    run.n_targets =
        targets_open(&run.env, options->only, cancel_peer_url(peer), (size_t)options->n_conns, run.targets);
    if (run.n_targets == 0)
        return EXIT_LACKING;
    atomic_store(&gives_back_unread, options->is_unread);
    int64_t start_us = clock_mono_us(&clock_system);
    run.end_us = start_us + options->seconds * US_PER_SEC;
    for (int i = 0; i < options->n_threads; i++) {
        workers[i] =
            (struct worker){.run = &run, .random = options->seed + (uint64_t)i * 7919, .number = (uint64_t)i};
        if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0)
            abort();
    }
    for (int i = 0; i < options->n_threads; i++)
        pthread_join(workers[i].thread, NULL);
    double took = (double)(clock_mono_us(&clock_system) - start_us) / 1e6;
    for (size_t i = 0; i < run.n_targets; i++) {
        check_breaker(&run, &workers[0], &run.targets[i]);
        check_idle(&run, &run.targets[i]);
        run.targets[i].source = source_close(run.targets[i].source);
    }
    workers_free(run.env.connectors);
    workers_free(run.env.workers);
    embedder_close(embedder);
    cancel_peer_stop(peer);
    int n_left = count_descriptors() - n_descriptors;
    if (n_left > 0) {
        fprintf(stderr, "cancel: %d descriptors are left open\n", n_left);
        atomic_store(&run.has_failed, true);
    }
    printf("cancel: %lu kept, each its own; %lu cancelled; %.1f s, %d threads, %d connections a pool, seed "
           "%llu\n",
           atomic_load(&run.n_kept), atomic_load(&run.n_cancelled), took, options->n_threads,
           options->n_conns, (unsigned long long)options->seed);
    return atomic_load(&run.has_failed) ? 1 : 0;
}

/* ---- the control ---- */

/* Replies that go to questions of builds long gone may also tie a list into a ring, which no clock inside
 * ends. */
#define CONTROL_MAX_SEC 90

static int run_child(const char *const arguments[])
{
    int status = 0;
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(CONTROL_MAX_SEC); /* it stands through exec, and its signal ends the child */
        execv("/proc/self/exe", (char *const *)arguments);
        _exit(EXIT_NO_PROGRAM);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        abort();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* 0 when the replies that were left on purpose were noticed: by the test, or by a sanitizer before it. */
static int run_control_on(const char *name, const char *url_variable)
{
    const char *const arguments[] = {"cancel",      "--unread", "--only",    name, "--kept", "1000000",
                                     "--cancelled", "1000000",  "--seconds", "60", NULL};

    if (!getenv(url_variable)) {
        fprintf(stderr, "lacking: %s: the control was not run\n", name);
        return 0;
    }
    fprintf(stderr, "cancel: control: %s: what it says up to the next line is as it must be\n", name);
    int code = run_child(arguments);
    bool has_run = code != EXIT_USAGE && code != EXIT_LACKING && code != EXIT_NO_PROGRAM;
    if (code != 0 && has_run)
        printf("cancel: control: %s: connections given back with an answer outstanding were noticed\n", name);
    else
        fprintf(
            stderr,
            "cancel: control: %s: connections given back with an answer outstanding were not noticed (%d)\n",
            name, code);
    return code != 0 && has_run ? 0 : 1;
}

/* An HTTP request that is broken off has its socket closed before the pool hears of it. */
static int run_control(void)
{
    int n_unnoticed = run_control_on("redis", "TEST_REDIS_URL");
    return n_unnoticed + run_control_on("postgres", "TEST_POSTGRES_URL");
}

enum {
    OPT_KEPT = 1,
    OPT_CANCELLED,
    OPT_SECONDS,
    OPT_THREADS,
    OPT_CONNS,
    OPT_ONLY,
    OPT_SEED,
    OPT_UNREAD,
    OPT_NO_CONTROL
};

static void read_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"kept", required_argument, NULL, OPT_KEPT},
        {"cancelled", required_argument, NULL, OPT_CANCELLED},
        {"seconds", required_argument, NULL, OPT_SECONDS},
        {"threads", required_argument, NULL, OPT_THREADS},
        {"conns", required_argument, NULL, OPT_CONNS},
        {"only", required_argument, NULL, OPT_ONLY},
        {"seed", required_argument, NULL, OPT_SEED},
        {"unread", no_argument, NULL, OPT_UNREAD},
        {"no-control", no_argument, NULL, OPT_NO_CONTROL},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        unsigned long number = optarg ? strtoul(optarg, NULL, 10) : 0;
        switch (option) {
        case OPT_KEPT:
            options->n_kept = number;
            break;
        case OPT_CANCELLED:
            options->n_cancelled = number;
            break;
        case OPT_SECONDS:
            options->seconds = (int64_t)number;
            break;
        case OPT_THREADS:
            options->n_threads = number < MAX_THREADS ? (int)number : MAX_THREADS;
            break;
        case OPT_CONNS:
            options->n_conns = (int)number;
            break;
        case OPT_ONLY:
            options->only = optarg;
            break;
        case OPT_SEED:
            options->seed = number;
            break;
        case OPT_UNREAD:
            options->is_unread = true;
            options->has_control = false;
            break;
        case OPT_NO_CONTROL:
            options->has_control = false;
            break;
        default:
            exit(EXIT_USAGE);
        }
    }
}

int main(int argc, char **argv)
{
    struct options options = {.n_kept = 10000,
                              .n_cancelled = 10000,
                              .seconds = 30,
                              .n_threads = 4,
                              .n_conns = 3,
                              .seed = (uint64_t)getpid(),
                              .has_control = true};
    read_options(argc, argv, &options);
    int code = options.has_control ? run_control() : 0;
    return code ? code : run_all(&options);
}
