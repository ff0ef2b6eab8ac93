/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine and the order of a build. A build runs on the caller's thread from the first step to the last;
 * the engine is shared by all of them and changes only inside its cache.
 */
#include "build/guess.h"
#include "build/resident.h"
#include "build/zones.h"

#include "core/mem.h"
#include "text/analyze.h"
#include "text/embed.h"

#include <sodium.h>

#define OUTLINE_SLOTS 32768 /* of 48 bytes */

/* A step returns 0 to go on, 1 when the request is answered, negative when it failed. */
static const struct stage {
    const char *name;
    int (*run)(struct build *build, struct err_info *reterr);
} stages[] = {
    {"resolve", build_resolve},  /* the request against the recipe */
    {"cache", build_cache_look}, /* an answer that is there, or that is being made */
    {"gather", build_gather},    /* every source at once */
    {"rank", build_rank},        /* rows become items; noise and repetition go */
    {"fit", build_fit},          /* what stands in the budget, written in its format */
    {"finish", build_finish},    /* the answer with its reports */
    {"keep", build_cache_keep},  /* for those who ask the same again */
};

/* ---- the engine ---- */

static int open_builtins(struct build_engine *engine, struct err_info *reterr)
{
    const struct source_ops *const *kinds = source_kinds();
    size_t n = 0;
    while (kinds[n])
        n++;
    engine->builtins = mem_calloc(n + 1, sizeof *engine->builtins);
    if (!engine->builtins)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (kinds[i]->schemes)
            continue;
        int rc =
            source_open_builtin(engine->options.env, kinds[i], &engine->builtins[engine->n_builtins], reterr);
        if (rc < 0)
            return rc;
        engine->n_builtins++;
    }
    return 0;
}

int build_engine_new(const struct build_options *options, struct build_engine **ret_engine,
                     struct err_info *reterr)
{
    if (sodium_init() < 0)
        return err_set(reterr, ERR_INTERNAL, "the system gives no random numbers");
    struct build_engine *engine = mem_calloc(1, sizeof *engine);
    if (!engine)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    engine->options = *options;
    engine->clock = options->env->clock;
    randombytes_buf(&engine->seed, sizeof engine->seed);
    int rc = counts_new(engine->seed, &engine->counts);
    if (rc == 0)
        rc = memo_new(OUTLINE_SLOTS, DEDUP_MEMO_WORDS, &engine->outlines);
    if (rc == 0)
        rc = secrets_new(&engine->secrets);
    if (rc == 0)
        rc = residents_new(&engine->residents);
    if (rc == 0)
        rc = guesses_new(&engine->guesses);
    if (rc == 0)
        rc = zones_new(&engine->zones);
    if (rc < 0)
        (void)err_set(reterr, rc, "out of memory");
    if (rc == 0)
        rc = embedder_builtin(&engine->words, reterr);
    if (rc == 0)
        rc = open_builtins(engine, reterr);
    if (rc == 0 && options->max_cache_bytes > 0 && options->max_cache_entries > 0) {
        rc = build_cache_new(options->max_cache_bytes, options->max_cache_entries, &engine->cache);
        if (rc < 0)
            (void)err_set(reterr, rc, "out of memory");
    }
    if (rc == 0 && engine->cache && options->shared && options->env->memory)
        rc = far_new(options, &engine->far, reterr);
    if (rc < 0) {
        build_engine_free(engine);
        return rc;
    }
    *ret_engine = engine;
    return 0;
}

struct build_engine *build_engine_free(struct build_engine *engine)
{
    if (!engine)
        return NULL;
    far_free(engine->far);
    build_cache_free(engine->cache);
    for (size_t i = 0; i < engine->n_builtins; i++)
        source_close(engine->builtins[i]);
    mem_free(engine->builtins);
    embedder_close(engine->words);
    for (size_t i = 0; i < BUILD_N_ANALYZERS; i++)
        analyzer_free(engine->analyzers[i]);
    counts_free(engine->counts);
    memo_free(engine->outlines);
    secrets_free(engine->secrets);
    residents_free(engine->residents);
    guesses_free(engine->guesses);
    zones_free(engine->zones);
    return mem_free(engine);
}

void build_engine_observe(struct build_engine *engine, build_observe_fn observe, void *owner)
{
    engine->observe = observe;
    engine->observe_owner = owner;
}

/* ---- one build ---- */

static void build_init(struct build *build, struct build_engine *engine, const struct build_request *request)
{
    *build = (struct build){.engine = engine, .request = request};
    arena_init(&build->arena, BUILD_MAX_ARENA_BYTES);
    buf_init(&build->stable, BUILD_MAX_ARENA_BYTES);
    buf_init(&build->volatile_, BUILD_MAX_ARENA_BYTES);
    buf_init(&build->context, BUILD_MAX_ARENA_BYTES);
    build->began_us = clock_mono_us(engine->clock);
    build->started_us = request->asked_us ? request->asked_us : build->began_us;
    build->now_us = clock_wall_us(engine->clock);
}

static void build_done(struct build *build)
{
    for (size_t i = 0; build->steps && i < recipe_n_steps(build->recipe); i++)
        material_unref(build->steps[i].material);
    build_answer_unref(build->answer);
    zone_use_unref(build->zone_use);
    buf_done(&build->stable);
    buf_done(&build->volatile_);
    buf_done(&build->context);
    arena_done(&build->arena);
}

static bool has_stale_section(const struct build *build)
{
    for (size_t i = 0; i < build->recipe->n_sections; i++)
        if (build->sections[i].status == SECTION_STALE)
            return true;
    return false;
}

/* Hands the answer over. */
static void conclude(struct build *build, struct build_outcome *ret_outcome)
{
    struct build_outcome outcome = {.answer = build->answer, .cache = OUTCOME_MISS};
    build->answer = NULL;
    if (build->is_hit)
        outcome.cache = OUTCOME_HIT;
    else if (build->is_shared)
        outcome.cache = OUTCOME_SHARED;
    else if (has_stale_section(build))
        outcome.cache = OUTCOME_STALE;
    else if (build_cache_ttl_us(build) == 0)
        outcome.cache = OUTCOME_OFF;
    outcome.took_us = clock_mono_us(build->engine->clock) - build->started_us;
    *ret_outcome = outcome;
}

/* 1: it would have to wait, which it must not. */
static int run(struct build_engine *engine, const struct build_request *request, bool is_now,
               struct build_outcome *ret_outcome, struct err_info *reterr)
{
    struct build build;
    int rc = 0;
    build_init(&build, engine, request);
    build.is_now = is_now;
    for (size_t i = 0; rc == 0 && i < sizeof stages / sizeof stages[0]; i++)
        rc = stages[i].run(&build, reterr);
    build_cache_leave(&build);
    if (rc >= 0 && rc != BUILD_WOULD_WAIT)
        conclude(&build, ret_outcome);
    build_done(&build);
    if (rc == BUILD_WOULD_WAIT)
        return 1;
    return rc < 0 ? rc : 0;
}

int build_run(struct build_engine *engine, const struct build_request *request,
              struct build_outcome *ret_outcome, struct err_info *reterr)
{
    return run(engine, request, false, ret_outcome, reterr);
}

int build_run_now(struct build_engine *engine, const struct build_request *request,
                  struct build_outcome *ret_outcome, struct err_info *reterr)
{
    return run(engine, request, true, ret_outcome, reterr);
}

int build_peek(struct build_engine *engine, const struct build_request *request,
               struct build_outcome *ret_outcome, struct err_info *reterr)
{
    struct build build;
    build_init(&build, engine, request);
    int rc = build_resolve(&build, reterr);
    if (rc == 0) {
        rc = build_cache_peek(&build);
        if (rc < 0)
            (void)err_set(reterr, rc, "out of memory");
    }
    if (rc == 0 && request->bytes.len > 0)
        build_recall_note(&build);
    if (rc == 0)
        conclude(&build, ret_outcome);
    if (rc == 1 && build_may_be_now(&build))
        rc = BUILD_MAY_BE_NOW;
    build_done(&build);
    return rc;
}
