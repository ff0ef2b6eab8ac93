/* SPDX-License-Identifier: Apache-2.0
 *
 * gather: asks every source at once and waits for all of them in one loop, so that the cost is the slowest,
 * not the sum. A step of the recipe:
 *
 *     IDLE      nobody wants it
 *     WAITING   for steps whose results it reads
 *  -> SKIPPED   its `when` does not hold
 *  -> RUNNING   asked; the loop will report it once
 *  -> DONE      material is there
 *  -> FAILED, TIMEOUT   with a sentence; or STALE when older material may stand in
 *
 * A step whose result is resident is DONE without running: what follows the store as long as the user's data
 * has not changed, and what the source can tell without waiting. Those come after the ones that wait are
 * asked, so that nobody waits for their computing.
 *
 * A step starts the moment the last of its needs ends. Whatever happens to a source costs its own step, and
 * those that cannot do without it, nothing else.
 *
 * A query of `resolve` that needs no other step may be guessed (guess.h) while it runs: its needs count as
 * ended then. If the answer is another, all is asked anew without guesses, so that no two steps ever stand on
 * different values. Where a step asks in a way that may do more than read, nothing is guessed.
 */
#include "build/guess.h"
#include "build/resident.h"
#include "build/zones.h"

#include <stdio.h>

#define GATHER_ANEW 3 /* a guess was wrong; beside BUILD_WOULD_WAIT */

#define MAX_DOUBLED    20               /* rows, for duplicates */
#define RESERVE_MAX_US (10 * US_PER_MS) /* of the deadline, for rank, fit and format */

struct gatherer {
    struct build *build;
    struct net_loop *loop; /* made for the first step that waits; NULL: none did */
    int64_t deadline_us;   /* for sources: the request's, less a reserve */
    size_t n_steps;
    size_t n_running;
    bool may_guess;
    bool is_wrong; /* a guess was */
};

/* ---- which steps are wanted ---- */

static bool is_ended(const struct build_step *step)
{
    return step->state != STEP_WAITING && step->state != STEP_RUNNING;
}

static const struct recipe_section *section_at(const struct gatherer *gatherer, size_t idx)
{
    const struct recipe *recipe = gatherer->build->recipe;
    return idx < recipe->n_resolves ? NULL : &recipe->sections[idx - recipe->n_resolves];
}

static void want(struct gatherer *gatherer, size_t idx)
{
    struct build_step *step = &gatherer->build->steps[idx];
    if (step->state != STEP_IDLE)
        return;
    step->state = STEP_WAITING;
    for (size_t i = 0; i < gatherer->n_steps; i++)
        if (step->plan->needs >> i & 1)
            want(gatherer, i);
}

/* What was asked for, what that reads, and every resolve that must find something. */
static void want_all(struct gatherer *gatherer)
{
    const struct build *build = gatherer->build;
    const struct recipe *recipe = build->recipe;
    for (size_t i = 0; i < gatherer->n_steps; i++) {
        bool is_asked = i < recipe->n_resolves ? recipe->resolves[i].is_required
                                               : build->asked >> (i - recipe->n_resolves) & 1;
        if (is_asked)
            want(gatherer, i);
    }
    if (recipe->zone.kind == REF_STEP && build->asked)
        want(gatherer, recipe->zone.idx);
    for (size_t i = 0; i < gatherer->n_steps; i++)
        if (build->steps[i].state == STEP_WAITING && build->steps[i].plan->ops->has_effects)
            gatherer->may_guess = false;
}

/* Its values are there, or what they are most likely. */
static bool is_known(const struct build_step *step)
{
    return is_ended(step) || step->is_guessed;
}

/* ---- how a step ends ---- */

static void end_failed(struct gatherer *gatherer, struct build_step *step, int rc, const char *sentence)
{
    struct build *build = gatherer->build;
    step->state = rc == ERR_TIMEOUT ? STEP_TIMEOUT : STEP_FAILED;
    step->error = arena_copy(&build->arena, str_of(sentence));
    step->error_code = rc;
    step->material = build_material_find(build, step);
    if (step->material)
        step->state = STEP_STALE;
}

static void end_timeout(struct gatherer *gatherer, struct build_step *step)
{
    char sentence[64];
    int64_t waited_us = clock_mono_us(gatherer->build->engine->clock) - step->started_us;
    (void)snprintf(sentence, sizeof sentence, "no answer within %lld ms", (long long)(waited_us / US_PER_MS));
    end_failed(gatherer, step, ERR_TIMEOUT, sentence);
}

static int end_fetched(struct gatherer *gatherer, struct build_step *step, struct source_result *result)
{
    struct build *build = gatherer->build;
    step->material = material_new(result, clock_mono_us(build->engine->clock));
    if (!step->material)
        return ERR_NOMEM;
    step->state = STEP_DONE;
    build_material_keep(build, step);
    resident_keep(build, step);
    if (gatherer->may_guess)
        guess_note(build, step);
    return 0;
}

static void end_error(struct gatherer *gatherer, struct build_step *step, int rc, const struct err_info *err)
{
    if (rc == ERR_TIMEOUT)
        end_timeout(gatherer, step);
    else
        end_failed(gatherer, step, rc, err->message[0] ? err->message : err_name(rc));
}

/* ---- starting ---- */

static struct source *source_of(const struct build_engine *engine, const struct recipe_step *plan)
{
    for (size_t i = 0; i < engine->options.n_connections; i++)
        if (str_is(plan->from, source_name(engine->options.connections[i])) &&
            source_ops_of(engine->options.connections[i]) == plan->ops)
            return engine->options.connections[i];
    for (size_t i = 0; i < engine->n_builtins; i++)
        if (source_ops_of(engine->builtins[i]) == plan->ops)
            return engine->builtins[i];
    return NULL;
}

/* Of a resolve all rows, as lists are made of them (`watchlist[].symbol`). Of a section some more than its
 * limit where rows will turn out to be duplicates, a few as many again, of many a quarter (each costs a
 * search the same whether it is shown or not), and more where the query chooses among them. */
static size_t rows_wanted(const struct recipe_section *section, bool has_query)
{
    if (!section)
        return SOURCE_MAX_ROWS;
    size_t n = section->limit, n_spare = n / 4 > MAX_DOUBLED ? n / 4 : MAX_DOUBLED;
    if (section->is_deduplicated)
        n += n < n_spare ? n : n_spare;
    if (has_query && section->n_fetched > n)
        n = section->n_fetched;
    return n < SOURCE_MAX_ROWS ? n : SOURCE_MAX_ROWS;
}

static int64_t step_deadline(const struct gatherer *gatherer, const struct build_step *step)
{
    int64_t own = gatherer->deadline_us - step->started_us;
    if (step->plan->timeout_us < own)
        own = step->plan->timeout_us;
    return step->started_us + own;
}

/* ---- asking ---- */

/* The later a kind stands here, the more it does on this thread. */
enum asking { ASK_AND_WAIT, ASK_RESIDENT, ASK_AND_COMPUTE, N_ASKINGS };

static enum asking asking_of(const struct source_ops *ops)
{
    if (ops->on_now)
        return ASK_AND_COMPUTE;
    return ops->follows_store ? ASK_RESIDENT : ASK_AND_WAIT;
}

/* Ends the step if that takes no waiting; 1: it does. */
static int ask_now(struct gatherer *gatherer, struct build_step *step, struct source *source,
                   const struct source_request *request)
{
    struct build *build = gatherer->build;
    struct source_result *result = NULL;
    struct err_info err = {0};
    step->material = resident_find(build, step);
    if (step->material) {
        step->state = STEP_DONE;
        return 0;
    }
    int rc = source_fetch_now(source, request, &result, &err);
    if (rc > 0)
        return 1;
    step->took_us = clock_mono_us(build->engine->clock) - step->started_us;
    if (rc == 0)
        return end_fetched(gatherer, step, result);
    end_error(gatherer, step, rc, &err);
    return 0;
}

static int ask_and_wait(struct gatherer *gatherer, struct build_step *step, struct source *source,
                        const struct source_request *request)
{
    struct err_info err = {0};
    int rc = gatherer->loop ? 0 : net_loop_new(gatherer->build->engine->clock, &gatherer->loop, &err);
    if (rc == 0)
        rc = source_fetch_start(source, request, gatherer->loop, &step->fetch, &err);
    if (rc < 0) {
        end_error(gatherer, step, rc, &err);
        return 0;
    }
    step->state = STEP_RUNNING;
    gatherer->n_running++;
    return 0;
}

/* Others need its answer, and it needs none. */
static bool goes_ahead(const struct gatherer *gatherer, const struct build_step *step)
{
    return step < gatherer->build->steps + gatherer->build->recipe->n_resolves && step->plan->needs == 0;
}

/* What waits for the step that was asked now need not, where there is a guess. */
static int guess(struct gatherer *gatherer, struct build_step *step, const struct source_request *request)
{
    if (!gatherer->may_guess || !goes_ahead(gatherer, step) || step->state != STEP_RUNNING)
        return 0;
    int rc = guess_key(gatherer->build, step, request);
    if (rc == 0)
        step->material = guess_find(gatherer->build, step);
    step->is_guessed = step->material != NULL;
    return rc;
}

static int start_fetch(struct gatherer *gatherer, struct build_step *step, size_t idx)
{
    struct build *build = gatherer->build;
    struct build_names names = {.build = build};
    struct err_info err = {0};
    struct source *source = source_of(build->engine, step->plan);
    struct source_request request = {
        .scope = build->scope,
        .query = build->request->query,
        .query_vector = build->query_floats,
        .now_us = build->now_us,
        .deadline_us = step_deadline(gatherer, step),
        .max_rows = rows_wanted(section_at(gatherer, idx), build_has_query(build)),
    };
    int rc = build_material_key(build, step);
    if (rc == 0)
        rc = build_settings_fill(&names, step->plan, &build->arena, &request);
    if (rc == 0)
        rc = resident_key(build, step, &request);
    if (rc < 0)
        return rc;
    if (!source) {
        (void)err_set(&err, ERR_UNAVAILABLE, "there is no connection '%.*s'", STR_ARG(step->plan->from));
        end_failed(gatherer, step, err.code, err.message);
        return 0;
    }
    if (request.deadline_us <= step->started_us) {
        end_failed(gatherer, step, ERR_TIMEOUT, "no time was left to ask");
        return 0;
    }
    rc = ask_now(gatherer, step, source, &request);
    if (rc == 1 && build->is_now)
        return BUILD_WOULD_WAIT;
    if (rc == 1)
        rc = ask_and_wait(gatherer, step, source, &request);
    return rc == 0 ? guess(gatherer, step, &request) : rc;
}

/* The first of the step's needs that did not end well, or NULL. */
static const struct build_step *failed_need(const struct gatherer *gatherer, const struct build_step *step)
{
    for (size_t i = 0; i < gatherer->n_steps; i++) {
        const struct build_step *need = &gatherer->build->steps[i];
        bool has_failed = need->state == STEP_FAILED || need->state == STEP_TIMEOUT;
        if ((step->plan->needs >> i & 1) && has_failed)
            return need;
    }
    return NULL;
}

static int start_step(struct gatherer *gatherer, struct build_step *step, size_t idx)
{
    struct build *build = gatherer->build;
    struct build_names names = {.build = build};
    const struct build_step *need = failed_need(gatherer, step);
    step->started_us = clock_mono_us(build->engine->clock);
    if (need) {
        struct err_info err = {0};
        (void)err_set(&err, ERR_CANCELLED, "it needs '%.*s', which %s: %.*s", STR_ARG(need->plan->name),
                      need->state == STEP_TIMEOUT ? "timed out" : "failed", STR_ARG(need->error));
        end_failed(gatherer, step, err.code, err.message);
        return 0;
    }
    if (!build_condition_holds(&names, step->plan->when, step->plan->n_when, &build->arena)) {
        step->state = STEP_SKIPPED;
        return 0;
    }
    return start_fetch(gatherer, step, idx);
}

static bool is_ready(const struct gatherer *gatherer, const struct build_step *step)
{
    for (size_t i = 0; i < gatherer->n_steps; i++)
        if ((step->plan->needs >> i & 1) && !is_known(&gatherer->build->steps[i]))
            return false;
    return true;
}

/* Whether a step that asks in a way before that one has yet to start. */
static bool has_waiting(const struct gatherer *gatherer, enum asking before)
{
    for (size_t i = 0; i < gatherer->n_steps; i++) {
        const struct build_step *step = &gatherer->build->steps[i];
        if (step->state == STEP_WAITING && asking_of(step->plan->ops) < before)
            return true;
    }
    return false;
}

/* Whether what says the zone is there. */
static bool has_zone(const struct build *build)
{
    const struct recipe_ref *zone = &build->recipe->zone;
    return zone->kind != REF_STEP || is_known(&build->steps[zone->idx]);
}

/* Starts what can start and asks in that way; *has_ended where a step ended at once. What goes ahead is on
 * its way while the rest is put together. */
static int start_those(struct gatherer *gatherer, enum asking asking, bool *has_ended)
{
    struct build *build = gatherer->build;
    bool is_ahead = false;
    for (size_t i = 0; i < gatherer->n_steps; i++) {
        struct build_step *step = &build->steps[i];
        if (is_ahead && !goes_ahead(gatherer, step) && has_waiting(gatherer, ASK_RESIDENT)) {
            net_loop_flush(gatherer->loop, false);
            is_ahead = false;
        }
        if (step->state != STEP_WAITING || asking_of(step->plan->ops) != asking || !is_ready(gatherer, step))
            continue;
        if (has_zone(build))
            build_zone_load(build);
        int rc = start_step(gatherer, step, i);
        if (rc != 0)
            return rc;
        *has_ended |= is_known(step);
        is_ahead |= step->state == STEP_RUNNING && goes_ahead(gatherer, step);
    }
    return 0;
}

/* Starts all that can start; a step that ends at once may let others start. What waits is on its way before
 * anything is computed here. */
static int start_ready(struct gatherer *gatherer)
{
    for (bool has_ended = true; has_ended;) {
        has_ended = false;
        for (int asking = 0; asking < N_ASKINGS; asking++) {
            if (asking == ASK_AND_COMPUTE && gatherer->loop)
                net_loop_flush(gatherer->loop, !has_waiting(gatherer, ASK_AND_COMPUTE));
            int rc = start_those(gatherer, (enum asking)asking, &has_ended);
            if (rc != 0)
                return rc;
        }
    }
    if (gatherer->loop)
        net_loop_flush(gatherer->loop, !has_waiting(gatherer, N_ASKINGS));
    return 0;
}

/* ---- waiting ---- */

static bool asks_by_param(const struct recipe_step *step, size_t param)
{
    for (size_t i = 0; step->ops->settings && step->ops->settings[i].name; i++)
        for (size_t j = 0; j < step->settings[i].n_binds; j++)
            if (step->settings[i].binds[j].kind == REF_PARAM && step->settings[i].binds[j].idx == param)
                return true;
    return false;
}

/* A resolve that must find something found nothing: names it and what it was asked for. */
static int check_resolve(const struct build *build, const struct build_step *step, struct err_info *reterr)
{
    struct buf given;
    if (!step->plan->is_required || step->state == STEP_SKIPPED)
        return 0;
    if (!step->material)
        return err_set(reterr, ERR_UNAVAILABLE, "'%.*s' could not be resolved: %.*s",
                       STR_ARG(step->plan->name), STR_ARG(step->error));
    if (step->material->result->n_rows > 0)
        return 0;
    buf_init(&given, ERR_MESSAGE_SIZE);
    for (size_t i = 0; i < build->recipe->n_params; i++) {
        if (!build->recipe->params[i].is_required && !asks_by_param(step->plan, i))
            continue;
        buf_append_text(&given, given.len ? ", " : " with ");
        buf_append_str(&given, build->recipe->params[i].name);
        buf_append_text(&given, " '");
        value_print(build->params[i], &given);
        buf_append_byte(&given, '\'');
    }
    int rc = err_set(reterr, ERR_NOT_FOUND, "there is no %.*s%.*s", STR_ARG(step->plan->name),
                     STR_ARG(buf_str(&given)));
    buf_done(&given);
    return rc;
}

/* The guess, which others may have values of, lives as long as the build. */
static int take_guess(struct build *build, struct build_step *step, const struct material **ret_guess)
{
    struct material *material = step->is_guessed ? step->material : NULL;
    if (!material)
        return 0;
    *ret_guess = material;
    step->material = NULL;
    step->is_guessed = false;
    return arena_hold(&build->arena, material, material_unref);
}

static int end_step(struct gatherer *gatherer, struct build_step *step)
{
    int rc = step->fetch.op.result;
    struct source_result *result = source_fetch_take(&step->fetch);
    const struct material *guess = NULL;
    gatherer->n_running--;
    step->took_us = clock_mono_us(gatherer->build->engine->clock) - step->started_us;
    int err = take_guess(gatherer->build, step, &guess);
    if (err == 0 && rc == 0 && result) {
        err = end_fetched(gatherer, step, result);
    } else {
        source_result_free(result);
        end_error(gatherer, step, rc ? rc : ERR_INTERNAL, &step->fetch.op.err);
    }
    if (err == 0 && guess)
        gatherer->is_wrong |= !step->material || !guess_is_right(guess, step->material);
    return err;
}

/* A section that came is made ready while others are awaited: the time is spent otherwise in any case. */
static struct build_section *next_to_render(const struct gatherer *gatherer)
{
    struct build *build = gatherer->build;
    if (!has_zone(build))
        return NULL;
    for (size_t i = 0; i < build->recipe->n_sections; i++) {
        struct build_section *section = &build->sections[i];
        const struct build_step *step = &build->steps[build->recipe->n_resolves + i];
        bool has_come = step->state == STEP_DONE || step->state == STEP_STALE;
        if (has_come && (build->asked >> i & 1) && !section->is_rendered) {
            section->step = &build->steps[build->recipe->n_resolves + i];
            return section;
        }
    }
    return NULL;
}

/* What has come goes first, as others may need it. */
static int wait_next(struct gatherer *gatherer, struct net_op **ret_op, struct err_info *reterr)
{
    for (;;) {
        struct build_section *section = next_to_render(gatherer);
        int rc = net_loop_wait(gatherer->loop, section ? 0 : INT64_MAX, ret_op, reterr);
        if (rc != 1 || !section)
            return rc;
        build_zone_load(gatherer->build);
        rc = build_render(gatherer->build, section, reterr);
        if (rc < 0)
            return rc;
    }
}

static int wait_all(struct gatherer *gatherer, struct err_info *reterr)
{
    int rc = start_ready(gatherer);
    while (rc == 0 && gatherer->n_running > 0) {
        struct net_op *op;
        rc = wait_next(gatherer, &op, reterr);
        if (rc != 0)
            break;
        /* `fetch` leads the step, and `op` the fetch. */
        struct build_step *step = (struct build_step *)(void *)op;
        rc = end_step(gatherer, step);
        if (rc == 0 && step < gatherer->build->steps + gatherer->build->recipe->n_resolves)
            rc = check_resolve(gatherer->build, step, reterr);
        if (rc == 0 && gatherer->is_wrong)
            return GATHER_ANEW;
        if (rc == 0)
            rc = start_ready(gatherer);
    }
    if (rc == BUILD_WOULD_WAIT)
        return rc;
    if (rc < 0)
        return rc == ERR_NOMEM || rc == ERR_LIMIT ? err_set(reterr, rc, "out of memory") : rc;
    return arena_error(&gatherer->build->arena)
               ? err_set(reterr, arena_error(&gatherer->build->arena), "out of memory")
               : 0;
}

/* ---- what came of it ---- */

static enum section_status status_of(const struct build_step *step, bool is_asked)
{
    if (!is_asked)
        return SECTION_SKIPPED;
    switch (step->state) {
    case STEP_DONE:
        return SECTION_OK;
    case STEP_STALE:
        return SECTION_STALE;
    case STEP_FAILED:
        return SECTION_FAILED;
    case STEP_TIMEOUT:
        return SECTION_TIMEOUT;
    default:
        return SECTION_SKIPPED;
    }
}

static int check_section(const struct build_section *section, struct err_info *reterr)
{
    bool has_failed = section->status == SECTION_FAILED || section->status == SECTION_TIMEOUT;
    if (!has_failed || !section->plan->step.is_required)
        return 0;
    return err_set(reterr, ERR_UNAVAILABLE, "section '%.*s' is required and %s: %.*s",
                   STR_ARG(section->plan->step.name),
                   section->status == SECTION_FAILED ? "failed" : "timed out", STR_ARG(section->step->error));
}

static int settle(struct build *build, struct err_info *reterr)
{
    const struct recipe *recipe = build->recipe;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < recipe->n_resolves; i++)
        rc = check_resolve(build, &build->steps[i], reterr);
    for (size_t i = 0; rc == 0 && i < recipe->n_sections; i++) {
        struct build_section *section = &build->sections[i];
        section->step = &build->steps[recipe->n_resolves + i];
        section->status = status_of(section->step, build->asked >> i & 1);
        rc = check_section(section, reterr);
    }
    build_zone_load(build);
    return rc;
}

static int prepare(struct gatherer *gatherer)
{
    struct build *build = gatherer->build;
    const struct recipe *recipe = build->recipe;
    build->sections = arena_calloc(&build->arena, recipe->n_sections + 1, sizeof *build->sections);
    build->steps = arena_calloc(&build->arena, gatherer->n_steps + 1, sizeof *build->steps);
    if (!build->sections || !build->steps)
        return arena_error(&build->arena);
    for (size_t i = 0; i < gatherer->n_steps; i++)
        build->steps[i].plan = recipe_step_at(recipe, i);
    for (size_t i = 0; i < recipe->n_sections; i++)
        build->sections[i].plan = &recipe->sections[i];
    int64_t reserve_us = build->deadline_len_us / 10;
    gatherer->deadline_us = build->deadline_us - (reserve_us < RESERVE_MAX_US ? reserve_us : RESERVE_MAX_US);
    if (recipe->zone.kind != REF_STEP)
        build_zone_load(build);
    want_all(gatherer);
    return 0;
}

/* Nothing of what was asked counts. */
static int prepare_anew(struct gatherer *gatherer)
{
    struct build *build = gatherer->build;
    gatherer->loop = net_loop_free(gatherer->loop);
    for (size_t i = 0; i < gatherer->n_steps; i++)
        material_unref(build->steps[i].material);
    zone_use_unref(build->zone_use);
    build->zone_use = NULL;
    build->zone = NULL;
    build->zone_trouble = (struct str){NULL, 0};
    *gatherer = (struct gatherer){.build = build, .n_steps = gatherer->n_steps};
    return prepare(gatherer);
}

/* A zone is read from its file. */
bool build_may_be_now(const struct build *build)
{
    const struct recipe *recipe = build->recipe;
    if (recipe->zone.kind != REF_PARAM || recipe->zone.idx != SIZE_MAX)
        return false;
    for (size_t i = 0; i < recipe_n_steps(recipe); i++) {
        bool is_asked = i < recipe->n_resolves || build->asked >> (i - recipe->n_resolves) & 1;
        if (is_asked && asking_of(recipe_step_at(recipe, i)->ops) == ASK_AND_WAIT)
            return false;
    }
    return true;
}

/* More than that takes too long to print and to count for who must not be kept. */
#define NOW_MAX_BYTES ((size_t)256 * 1024)

static bool is_little(const struct build *build)
{
    size_t n_bytes = 0;
    for (size_t i = 0; i < recipe_n_steps(build->recipe); i++)
        if (build->steps[i].material)
            n_bytes += build->steps[i].material->result->arena.used_bytes;
    return n_bytes <= NOW_MAX_BYTES;
}

int build_gather(struct build *build, struct err_info *reterr)
{
    struct gatherer gatherer = {.build = build, .n_steps = recipe_n_steps(build->recipe), .may_guess = true};
    int rc = prepare(&gatherer);
    if (rc < 0)
        return err_set(reterr, rc, "out of memory");
    rc = build_query_embed(build, reterr);
    if (rc < 0)
        return rc;
    build->data_version = build_version(build->engine, &build->scope);
    rc = wait_all(&gatherer, reterr);
    if (rc == GATHER_ANEW) {
        rc = prepare_anew(&gatherer);
        rc = rc < 0 ? err_set(reterr, rc, "out of memory") : wait_all(&gatherer, reterr);
    }
    if (rc == 0 && build->is_now && !is_little(build))
        rc = BUILD_WOULD_WAIT;
    if (rc == 0)
        rc = settle(build, reterr);
    net_loop_free(gatherer.loop);
    return rc;
}
