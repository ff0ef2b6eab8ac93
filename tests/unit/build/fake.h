/* SPDX-License-Identifier: Apache-2.0
 *
 * A small world for the tests of this folder: an engine over one recipe given as YAML, with two fake kinds of
 * source whose rows and manners the recipe says. `fake` blocks on a worker, `polled` waits in the loop.
 *
 *     rows: "id=1,title=a;id=2,title=b"   rows with these columns; #5 is a number, ~ is NULL, $.. is JSON
 *     how:  fail      answers with an error             down      the same while world.is_down
 *           hang      does not answer                   meet      answers when world.n_meeting runs are there
 *           newest    rows are newest first             malformed says that two entries could not be read
 *           scored    scores fall from 0.9 by 0.1       degraded  says that it lacks something
 *           old       every row is a day old            held      answers once world.is_open
 *           turning   without its first row while world.is_turned
 *
 * `careful` is as `polled` but says that asking may have effects; `brief` is as `fake` but stops at
 * SOURCE_ENOUGH_ROWS rows where it is told what room there is, and while world.is_down fails where it is not.
 */
#ifndef PRECIS_TESTS_BUILD_FAKE_H
#define PRECIS_TESTS_BUILD_FAKE_H

#include "build/build.h"
#include "text/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct world {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int n_runs; /* fetches begun */
    int n_here, n_meeting;
    bool is_down, is_open, is_turned;
};
static struct world world = {
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0, false, false, false};

#define N_KINDS 4

struct fixture {
    struct clock_manual manual;
    struct workers *workers;
    struct source_env env;
    struct source *sources[N_KINDS];
    struct recipe *recipe;
    struct recipe_book book;
    struct build_engine *engine;
};

static const struct source_setting fake_settings[] = {
    {"rows", SETTING_TEXT, false, NULL, 0, 0, "what it answers"},
    {"how", SETTING_TEXT, false, NULL, 0, 0, "in what manner"},
    {NULL, SETTING_TEXT, false, NULL, 0, 0, NULL},
};

static inline struct str setting_at(const struct source_request *request, size_t idx)
{
    return request->settings[idx].type == VALUE_TEXT ? request->settings[idx].text : STR_LIT("");
}

static inline struct value fake_value(struct str text)
{
    int64_t integer;
    if (str_starts_with(text, STR_LIT("#")) && str_to_int(str_slice(text, 1, text.len), &integer) == 0)
        return value_int(integer);
    if (str_starts_with(text, STR_LIT("$")))
        return value_json(str_slice(text, 1, text.len));
    return str_is(text, "~") ? value_null() : value_text(text);
}

/* The rows, each with the columns of the first. */
static inline int fake_answer(const struct source_request *request, struct source_result *result,
                              struct err_info *reterr)
{
    struct arena *arena = &result->arena;
    struct str rest = arena_copy(arena, setting_at(request, 0)), how = setting_at(request, 1), row;
    struct str *columns = arena_calloc(arena, 8, sizeof *columns);
    size_t n_most = 1;
    for (size_t i = 0; i < rest.len; i++)
        n_most += rest.ptr[i] == ';';
    result->rows = arena_calloc(arena, n_most, sizeof *result->rows);
    result->columns = columns;
    while (!arena_error(arena) && str_next_part(&rest, ';', &row)) {
        struct value *values = arena_calloc(arena, 8, sizeof *values);
        struct str pair, name;
        size_t n = 0;
        if (result->n_rows == request->max_rows || str_is_empty(row) || !values)
            break;
        while (n < 8 && str_next_part(&row, ',', &pair)) {
            if (!str_next_part(&pair, '=', &name))
                break;
            columns[n] = name;
            values[n++] = fake_value(pair);
        }
        struct source_row *made = &result->rows[result->n_rows++];
        *made = (struct source_row){.values = values, .score = NAN, .time_us = INT64_MIN};
        if (str_is(how, "turning") && world.is_turned && made == result->rows) {
            result->n_rows = 0;
            how = STR_LIT("");
        }
        if (str_is(how, "scored"))
            made->score = 0.9 - 0.1 * (double)(result->n_rows - 1);
        if (str_is(how, "old"))
            made->time_us = request->now_us - 86400 * US_PER_SEC;
        result->n_columns = n;
    }
    result->is_oldest_last = str_is(how, "newest");
    result->n_malformed = str_is(how, "malformed") ? 2 : 0;
    result->degraded = str_is(how, "degraded") ? STR_LIT("the index is behind") : STR_LIT("");
    return arena_error(arena) ? err_set(reterr, arena_error(arena), "out of memory") : 0;
}

static inline bool fake_may_answer(struct str how)
{
    if (str_is(how, "meet"))
        return world.n_here >= world.n_meeting;
    if (str_is(how, "held"))
        return world.is_open;
    return !str_is(how, "hang");
}

static inline int fake_run(const struct source_env *env, void *state, const struct source_request *request,
                           struct net_job *job, struct source_result *result, struct err_info *reterr)
{
    struct str how = setting_at(request, 1);
    (void)env;
    (void)state;
    pthread_mutex_lock(&world.lock);
    world.n_runs++;
    world.n_here += str_is(how, "meet");
    bool is_down = str_is(how, "fail") || (str_is(how, "down") && world.is_down);
    pthread_cond_broadcast(&world.changed);
    while (!fake_may_answer(how) && !net_job_is_cancelled(job)) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 1000000; /* to look whether anybody still waits */
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&world.changed, &world.lock, &until);
    }
    pthread_mutex_unlock(&world.lock);
    if (is_down)
        return err_set(reterr, ERR_REMOTE, "no such table");
    return fake_answer(request, result, reterr);
}

/* The room is for the first rows: the rest must be asked for without it. */
static inline int brief_run(const struct source_env *env, void *state, const struct source_request *request,
                            struct net_job *job, struct source_result *result, struct err_info *reterr)
{
    struct source_request asked = *request;
    if (request->room_bytes == 0 && world.is_down)
        return err_set(reterr, ERR_REMOTE, "no such table");
    if (request->room_bytes > 0 && request->max_rows > SOURCE_ENOUGH_ROWS)
        asked.max_rows = SOURCE_ENOUGH_ROWS;
    return fake_run(env, state, &asked, job, result, reterr);
}

/* ---- the polled kind ---- */

static inline int polled_on_ready(struct net_op *op, short revents, struct err_info *reterr)
{
    (void)revents;
    (void)reterr;
    close(op->fd);
    op->fd = -1;
    return 1;
}

static inline void polled_on_cancel(struct net_op *op)
{
    struct source_fetch *fetch = (struct source_fetch *)op;
    if (op->fd >= 0)
        close(op->fd);
    fetch->result = source_result_free(fetch->result);
}

static const struct net_op_ops polled_ops = {polled_on_ready, polled_on_cancel};

static inline int polled_start(const struct source_env *env, void *state,
                               const struct source_request *request, struct net_loop *loop,
                               struct source_fetch *fetch, struct err_info *reterr)
{
    struct str how = setting_at(request, 1);
    (void)env, (void)loop;
    (void)state;
    pthread_mutex_lock(&world.lock);
    world.n_runs++;
    pthread_mutex_unlock(&world.lock);
    if (str_is(how, "fail"))
        return err_set(reterr, ERR_UNAVAILABLE, "nobody listens");
    fetch->result = source_result_new();
    if (!fetch->result || fake_answer(request, fetch->result, reterr) < 0) {
        fetch->result = source_result_free(fetch->result);
        return err_set(reterr, ERR_NOMEM, "out of memory");
    }
    if (str_is(how, "once"))
        return 1;
    fetch->op.ops = &polled_ops;
    fetch->op.fd = eventfd(str_is(how, "hang") ? 0 : 1, EFD_CLOEXEC | EFD_NONBLOCK);
    fetch->op.events = POLLIN;
    return 0;
}

static const struct source_ops fake_ops = {.kind = "fake", .settings = fake_settings, .on_run = fake_run};
static const struct source_ops polled_kind = {
    .kind = "polled", .settings = fake_settings, .on_start = polled_start};
static const struct source_ops careful_kind = {
    .kind = "careful", .settings = fake_settings, .has_effects = true, .on_start = polled_start};

static const struct source_ops brief_kind = {
    .kind = "brief", .settings = fake_settings, .stops_when_full = true, .on_run = brief_run};

/* ---- the engine ---- */

static inline void fixture_init_with(struct fixture *fixture, const char *yaml,
                                     const struct build_options *given, bool is_manual)
{
    static const struct recipe_connection connections[] = {{{"fake", 4}, &fake_ops},
                                                           {{"polled", 6}, &polled_kind},
                                                           {{"careful", 7}, &careful_kind},
                                                           {{"brief", 5}, &brief_kind}};
    struct err_info err = {0};
    memset(fixture, 0, sizeof *fixture);
    world.n_runs = world.n_here = 0;
    world.is_down = world.is_open = world.is_turned = false;
    clock_manual_init(&fixture->manual, INT64_C(1795000000) * US_PER_SEC, US_PER_SEC);
    assert_int_equal(workers_new("test", 8, 256, &fixture->workers, &err), 0);
    fixture->env.workers = fixture->workers;
    fixture->env.clock = is_manual ? &fixture->manual.base : &clock_system;
    fixture->env.memory = given ? given->env->memory : NULL;
    for (size_t i = 0; i < N_KINDS; i++)
        assert_int_equal(source_open_builtin(&fixture->env, connections[i].ops, &fixture->sources[i], &err),
                         0);
    if (recipe_load(str_of(yaml), "test.yaml", connections, N_KINDS, &fixture->recipe, NULL, &err) != 0)
        fail_msg("%s: %s", err.field, err.message);
    fixture->book.recipes = &fixture->recipe;
    fixture->book.n = 1;
    struct build_options options = {
        .max_cache_bytes = 8 << 20, .max_cache_entries = 1000, .cache_ttl_us = -1};
    if (given)
        options = *given;
    options.env = &fixture->env;
    options.connections = fixture->sources;
    options.n_connections = N_KINDS;
    options.recipes = &fixture->book;
    assert_int_equal(build_engine_new(&options, &fixture->engine, &err), 0);
}

static inline void fixture_init(struct fixture *fixture, const char *yaml)
{
    fixture_init_with(fixture, yaml, NULL, false);
}

static inline void fixture_done(struct fixture *fixture)
{
    build_engine_free(fixture->engine);
    for (size_t i = 0; i < N_KINDS; i++)
        source_close(fixture->sources[i]);
    workers_free(fixture->workers);
    recipe_unref(fixture->recipe);
}

static inline struct build_request fake_request(void)
{
    return (struct build_request){.tenant = STR_LIT("acme"), .recipe = STR_LIT("test"), .cache = CACHE_OFF};
}

static inline struct build_answer *fixture_build(struct fixture *fixture, const struct build_request *request)
{
    struct build_outcome outcome;
    struct err_info err = {0};
    if (build_run(fixture->engine, request, &outcome, &err) != 0)
        fail_msg("%s: %s", err.field, err.message);
    return outcome.answer;
}

static inline const struct section_report *report_of(const struct build_answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->n_sections; i++)
        if (str_is(answer->sections[i].name, name))
            return &answer->sections[i];
    fail_msg("there is no section %s", name);
    return NULL;
}

static inline void assert_text(struct str text, const char *wanted)
{
    char got[8192];
    (void)snprintf(got, sizeof got, "%.*s", STR_ARG(text));
    assert_string_equal(got, wanted);
}

static inline void assert_status(const struct build_answer *answer, const char *name,
                                 enum section_status status)
{
    assert_string_equal(section_status_name(report_of(answer, name)->status), section_status_name(status));
}

#endif
