/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of kinds, and the life of a fetch. A blocking kind's fetch is a `struct run`: a job that owns a
 * copy of everything it was asked, so that it can outlive the build that asked. A source counts its runs and
 * is closed only when the last has ended.
 */
#include "source/source_priv.h"

#include "core/mem.h"
#include "source/vector_load.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

/* The values a question carries; more is a mistake or an attack, and would be held once per section. */
#define MAX_REQUEST_BYTES (4 * 1024 * 1024)

/* ---- kinds ---- */

static const struct source_ops *const kinds[] = {
    &source_sql_sqlite,  &source_sql_postgres,
    &source_memory,      &source_conversation,
    &source_preferences, &source_files,
    &source_folder,      &source_text,
    &source_redis,       &source_session,
    &source_http,        &source_qdrant,
    &source_chroma,      NULL, /* the end */
};

const struct source_ops *const *source_kinds(void)
{
    return kinds;
}

const struct source_ops *source_kind_find(struct str kind)
{
    for (size_t i = 0; kinds[i]; i++) {
        if (str_is(kind, kinds[i]->kind))
            return kinds[i];
    }
    return NULL;
}

const struct source_ops *source_kind_for_url(struct str url)
{
    struct str rest = url, scheme;

    if (str_find(url, STR_LIT(":")) < 0 || !str_next_part(&rest, ':', &scheme))
        return NULL;
    for (size_t i = 0; kinds[i]; i++) {
        for (const char *const *name = kinds[i]->schemes; name && *name; name++) {
            if (str_eq_nocase(scheme, str_of(*name)))
                return kinds[i];
        }
    }
    return NULL;
}

/* ---- connections ---- */

struct source {
    const struct source_ops *ops;
    struct source_env env;
    void *state; /* the kind's */
    char *name;
    struct breaker breaker; /* of polled kinds */
    _Atomic uint64_t n_by_outcome[SOURCE_N_OUTCOMES];
    struct histogram took;
    pthread_mutex_t mutex; /* guards n_runs */
    pthread_cond_t is_idle;
    size_t n_runs;
};

static int open_kind(const struct source_env *env, const struct source_ops *ops,
                     const struct source_options *options, struct source **ret_source,
                     struct err_info *reterr)
{
    struct source *source = mem_calloc(1, sizeof *source);
    char *own_name = mem_strdup(options->name);
    int res = 0;

    if (!source || !own_name)
        res = err_set(reterr, ERR_NOMEM, "not enough memory to open '%s'", options->name);
    else if (ops->on_open)
        res = ops->on_open(env, options, &source->state, reterr);
    if (res < 0) {
        mem_free(own_name);
        mem_free(source);
        return res;
    }
    source->ops = ops;
    source->env = *env;
    source->name = own_name;
    breaker_init(&source->breaker);
    pthread_mutex_init(&source->mutex, NULL);
    pthread_cond_init(&source->is_idle, NULL);
    *ret_source = source;
    return 0;
}

int source_open(const struct source_env *env, const struct source_options *options,
                struct source **ret_source, struct err_info *reterr)
{
    struct str url = options->url;
    const char *name = options->name;
    const struct source_ops *ops = source_kind_for_url(url);

    if (!ops) { /* the URL itself may hold a password: it is not repeated */
        ptrdiff_t colon = str_find(url, STR_LIT(":"));
        struct str scheme = str_slice(url, 0, colon > 0 ? (size_t)colon : 0);
        if (str_is_empty(scheme))
            return err_set_field(reterr, ERR_INVALID, name,
                                 "the URL of connection '%s' has no scheme such as 'sqlite:'", name);
        return err_set_field(reterr, ERR_UNSUPPORTED, name,
                             "connection '%s': no kind of source speaks '%.*s:'", name, STR_ARG(scheme));
    }
    int res = open_kind(env, ops, options, ret_source, reterr);
    if (res < 0)
        err_prefix(reterr, "%s: ", name);
    return res;
}

int source_open_builtin(const struct source_env *env, const struct source_ops *ops,
                        struct source **ret_source, struct err_info *reterr)
{
    assert(!ops->schemes);
    struct source_options options = {.name = ops->kind};
    return open_kind(env, ops, &options, ret_source, reterr);
}

struct source *source_close(struct source *source)
{
    if (!source)
        return NULL;
    pthread_mutex_lock(&source->mutex);
    while (source->n_runs > 0)
        pthread_cond_wait(&source->is_idle, &source->mutex);
    pthread_mutex_unlock(&source->mutex);
    if (source->ops->on_close)
        source->ops->on_close(source->state);
    breaker_done(&source->breaker);
    pthread_cond_destroy(&source->is_idle);
    pthread_mutex_destroy(&source->mutex);
    mem_free(source->name);
    return mem_free(source);
}

const char *source_name(const struct source *source)
{
    return source->name;
}

const struct source_ops *source_ops_of(const struct source *source)
{
    return source->ops;
}

int source_check(struct source *source, int64_t deadline_us, struct buf *ret, struct err_info *reterr)
{
    if (!source->ops->on_check) {
        buf_append_text(ret, "built in");
        return 0;
    }
    int res = source->ops->on_check(&source->env, source->state, deadline_us, ret, reterr);
    if (res < 0)
        err_prefix(reterr, "%s: ", source->name);
    return res;
}

int source_prepare(struct source *source, const struct value *settings, size_t n_binds,
                   struct err_info *reterr)
{
    if (!source->ops->on_prepare)
        return 0;
    int res = source->ops->on_prepare(&source->env, source->state, settings, n_binds, reterr);
    if (res < 0)
        err_prefix(reterr, "%s: ", source->name);
    return res;
}

/* ---- filling ---- */

static int cannot_fill(const struct source *source, struct err_info *reterr)
{
    return err_set(reterr, ERR_UNSUPPORTED, "%s: only Qdrant and Chroma are filled with vectors",
                   source->name);
}

int vector_load_prepare(struct source *source, const struct vector_load *load, struct err_info *reterr)
{
    if (!source->ops->load)
        return cannot_fill(source, reterr);
    int res = source->ops->load->on_prepare(source->state, load, reterr);
    if (res < 0)
        err_prefix(reterr, "%s: ", source->name);
    return res;
}

int vector_load_points(struct source *source, const struct vector_load *load,
                       const struct vector_point *points, size_t n, struct err_info *reterr)
{
    if (!source->ops->load)
        return cannot_fill(source, reterr);
    int res = source->ops->load->on_load(source->state, load, points, n, reterr);
    if (res < 0)
        err_prefix(reterr, "%s: ", source->name);
    return res;
}

const char *source_outcome_name(enum source_outcome outcome)
{
    static const char *const names[] = {
        [SOURCE_ANSWERED] = "answered", [SOURCE_ERROR] = "error",     [SOURCE_UNREACHABLE] = "unreachable",
        [SOURCE_TIMEOUT] = "timeout",   [SOURCE_REFUSED] = "refused",
    };
    return names[outcome];
}

static bool has_breaker(const struct source *source)
{
    return source->ops->schemes && source->ops->on_start;
}

void source_stats(struct source *source, struct source_stats *ret_stats)
{
    *ret_stats =
        (struct source_stats){.has_pool = source->ops->on_stats != NULL, .has_breaker = has_breaker(source)};
    if (source->ops->on_stats)
        source->ops->on_stats(source->state, &ret_stats->pool);
    ret_stats->breaker = breaker_stats(&source->breaker);
    for (int i = 0; i < SOURCE_N_OUTCOMES; i++)
        ret_stats->n_by_outcome[i] = atomic_load_explicit(&source->n_by_outcome[i], memory_order_relaxed);
    histogram_read(&source->took, &ret_stats->took);
}

static void count_outcome(struct source *source, enum source_outcome outcome)
{
    atomic_fetch_add_explicit(&source->n_by_outcome[outcome], 1, memory_order_relaxed);
}

/* A question that was asked ended like this. */
static void count_end(struct source *source, int64_t started_us, int res)
{
    enum source_outcome outcome = SOURCE_ERROR;

    if (res == 0)
        outcome = SOURCE_ANSWERED;
    else if (res == ERR_TIMEOUT)
        outcome = SOURCE_TIMEOUT;
    else if (res == ERR_UNAVAILABLE || res == ERR_IO)
        outcome = SOURCE_UNREACHABLE;
    count_outcome(source, outcome);
    histogram_note(&source->took, clock_mono_us(source->env.clock) - started_us);
}

/* ---- fetches on a worker ---- */

struct run {
    struct net_job job; /* first: the loop gives the run back as its job */
    struct source *source;
    struct arena arena;            /* owns all that request points to */
    struct source_request request; /* copied */
    struct source_result *result;
};

static struct value *copy_values(struct arena *arena, const struct value *values, size_t n)
{
    struct value *copies = arena_calloc(arena, n, sizeof *copies);
    for (size_t i = 0; copies && i < n; i++)
        copies[i] = value_copy(arena, values[i]);
    return copies;
}

static size_t count_settings(const struct source_ops *ops)
{
    size_t n = 0;
    while (ops->settings && ops->settings[n].name)
        n++;
    return n;
}

static int copy_request(struct run *run, const struct source_request *request, struct err_info *reterr)
{
    struct arena *arena = &run->arena;

    run->request = *request;
    run->request.scope.tenant = arena_copy(arena, request->scope.tenant);
    run->request.scope.user = arena_copy(arena, request->scope.user);
    run->request.settings = copy_values(arena, request->settings, count_settings(run->source->ops));
    run->request.binds = copy_values(arena, request->binds, request->n_binds);
    run->request.query = arena_copy(arena, request->query);
    if (arena_error(arena) == ERR_LIMIT)
        return err_set(reterr, ERR_LIMIT, "%s: the values of one question may have %d MB together, not more",
                       run->source->name, MAX_REQUEST_BYTES / 1024 / 1024);
    return arena_error(arena) ? err_set(reterr, ERR_NOMEM, "%s: not enough memory to ask", run->source->name)
                              : 0;
}

static int run_main(struct net_job *job, struct err_info *reterr)
{
    struct run *run = (struct run *)job;
    struct source *source = run->source;
    int res;

    /* It may have stood in the queue for long. */
    if (clock_mono_us(source->env.clock) >= run->request.deadline_us)
        res = err_set(reterr, ERR_TIMEOUT, "no worker was free within the deadline");
    else
        res = source->ops->on_run(&source->env, source->state, &run->request, job, run->result, reterr);
    if (res < 0)
        err_prefix(reterr, "%s: ", source->name);
    return res;
}

static void run_release(struct net_job *job)
{
    struct run *run = (struct run *)job;
    struct source *source = run->source;

    source_result_free(run->result);
    arena_done(&run->arena);
    mem_free(run);

    pthread_mutex_lock(&source->mutex);
    if (--source->n_runs == 0)
        pthread_cond_broadcast(&source->is_idle);
    pthread_mutex_unlock(&source->mutex);
}

static int start_run(struct source *source, const struct source_request *request, struct net_loop *loop,
                     struct source_fetch *fetch, struct err_info *reterr)
{
    struct run *run = mem_calloc(1, sizeof *run);
    if (!run)
        return err_set(reterr, ERR_NOMEM, "%s: not enough memory to ask", source->name);
    run->job = (struct net_job){.run = run_main, .release = run_release};
    run->source = source;
    arena_init(&run->arena, MAX_REQUEST_BYTES);
    pthread_mutex_lock(&source->mutex);
    source->n_runs++;
    pthread_mutex_unlock(&source->mutex);

    int res = copy_request(run, request, reterr);
    if (res == 0 && !(run->result = source_result_new()))
        res = err_set(reterr, ERR_NOMEM, "%s: not enough memory to ask", source->name);
    if (res < 0) {
        run_release(&run->job);
        return res;
    }
    res = net_loop_add_job(loop, source->env.workers, &fetch->op, &run->job, reterr);
    if (res < 0)
        err_prefix(reterr, "%s: ", source->name);
    return res;
}

/* ---- fetches in the loop ---- */

/* For a fetch whose result was there at once. */
static void finished_on_cancel(struct net_op *op)
{
    struct source_fetch *fetch = (struct source_fetch *)op;
    fetch->result = source_result_free(fetch->result);
}

static const struct net_op_ops finished_ops = {.on_cancel = finished_on_cancel};

/* An error that the server itself sent shows that it lives. */
static enum breaker_outcome outcome_of(const struct source_fetch *fetch, int res)
{
    if (res == ERR_UNAVAILABLE || res == ERR_IO)
        return BREAKER_SILENT;
    if (res == ERR_TIMEOUT && !fetch->has_heard)
        return fetch->says_nothing ? BREAKER_UNKNOWN : BREAKER_SILENT;
    if (res == ERR_TIMEOUT)
        return BREAKER_ANSWERED;
    return res == 0 || res == ERR_REMOTE ? BREAKER_ANSWERED : BREAKER_UNKNOWN;
}

static void note_outcome(struct source_fetch *fetch, int res)
{
    struct source *source = fetch->source;

    if (fetch->is_counted)
        breaker_note(&source->breaker, clock_mono_us(source->env.clock), outcome_of(fetch, res));
    fetch->is_counted = false;
}

static int start_polled(struct source *source, const struct source_request *request, struct net_loop *loop,
                        struct source_fetch *fetch, struct err_info *reterr)
{
    int64_t wait_us;

    fetch->is_counted = has_breaker(source);
    if (fetch->is_counted && !breaker_may_ask(&source->breaker, fetch->started_us, &wait_us)) {
        count_outcome(source, SOURCE_REFUSED);
        return err_set(reterr, ERR_UNAVAILABLE,
                       "%s: it did not answer several times in a row; it will be asked again in %lld ms",
                       source->name, (long long)(wait_us / US_PER_MS) + 1);
    }
    int res = source->ops->on_start(&source->env, source->state, request, loop, fetch, reterr);
    if (res < 0) {
        note_outcome(fetch, res);
        count_end(source, fetch->started_us, res);
        err_prefix(reterr, "%s: ", source->name);
        return res;
    }
    if (res > 0) {
        fetch->op.ops = &finished_ops;
        net_loop_add_finished(loop, &fetch->op);
    } else {
        net_loop_add(loop, &fetch->op);
    }
    return 0;
}

static int answer_now(struct source *source, const struct source_request *request,
                      struct source_result **ret_result, struct err_info *reterr)
{
    struct source_result *result = source_result_new();
    if (!result)
        return err_set(reterr, ERR_NOMEM, "%s: not enough memory to ask", source->name);
    int res = source->ops->on_now(&source->env, source->state, request, result, reterr);
    if (res == 0) {
        *ret_result = result;
        return 0;
    }
    if (res < 0)
        err_prefix(reterr, "%s: ", source->name);
    source_result_free(result);
    return res;
}

int source_fetch_now(struct source *source, const struct source_request *request,
                     struct source_result **ret_result, struct err_info *reterr)
{
    assert(request->max_rows <= SOURCE_MAX_ROWS);

    if (!source->ops->on_now)
        return 1;
    int64_t started_us = clock_mono_us(source->env.clock);
    int res = answer_now(source, request, ret_result, reterr);
    if (res <= 0)
        count_end(source, started_us, res);
    return res;
}

/* A kind that never waits. */
static int start_finished(struct source *source, const struct source_request *request, struct net_loop *loop,
                          struct source_fetch *fetch, struct err_info *reterr)
{
    int res = answer_now(source, request, &fetch->result, reterr);
    assert(res <= 0);
    if (res < 0) {
        count_end(source, fetch->started_us, res);
        return res;
    }
    fetch->op.ops = &finished_ops;
    net_loop_add_finished(loop, &fetch->op);
    return 0;
}

int source_fetch_start(struct source *source, const struct source_request *request, struct net_loop *loop,
                       struct source_fetch *fetch, struct err_info *reterr)
{
    assert(request->max_rows <= SOURCE_MAX_ROWS);

    void *owner = fetch->op.owner; /* the gatherer's; it may have been set already */
    *fetch = (struct source_fetch){.source = source};
    fetch->op.fd = -1;
    fetch->op.owner = owner;
    fetch->op.deadline_us = request->deadline_us;
    fetch->started_us = clock_mono_us(source->env.clock);
    if (source->ops->on_start)
        return start_polled(source, request, loop, fetch, reterr);
    if (!source->ops->on_run)
        return start_finished(source, request, loop, fetch, reterr);
    int res = start_run(source, request, loop, fetch, reterr);
    if (res < 0)
        count_end(source, fetch->started_us, res);
    return res;
}

struct source_result *source_fetch_take(struct source_fetch *fetch)
{
    struct source_result *result = fetch->result;

    fetch->result = NULL;
    note_outcome(fetch, fetch->op.result);
    count_end(fetch->source, fetch->started_us, fetch->op.result);
    if (fetch->op.job) {
        struct run *run = (struct run *)fetch->op.job;
        result = run->result;
        run->result = NULL;
        fetch->op.job = NULL;
        net_job_release(&run->job);
    }
    return fetch->op.result < 0 ? source_result_free(result) : result;
}
