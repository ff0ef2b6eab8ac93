/* SPDX-License-Identifier: Apache-2.0
 *
 * One step of gather: it is asked, it ends, and where it may be guessed its needs need not wait.
 */
#include "build/gather_priv.h"

#include "build/guess.h"
#include "build/resident.h"

#include <stdio.h>

#define MAX_DOUBLED 20 /* rows, for duplicates */

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

/* ---- asking ---- */

/* A token is seldom of more bytes, over a text. */
#define BYTES_PER_TOKEN 5

size_t gather_room_bytes(const struct build *build, const struct recipe_section *section)
{
    if (section->n_fetched > 0)
        return 0;
    int64_t tokens = section->max_tokens < build->max_tokens ? section->max_tokens : build->max_tokens;
    return (size_t)tokens * BYTES_PER_TOKEN;
}

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

static const struct recipe_section *section_at(const struct gatherer *gatherer, size_t idx)
{
    const struct recipe *recipe = gatherer->build->recipe;
    return idx < recipe->n_resolves ? NULL : &recipe->sections[idx - recipe->n_resolves];
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

/* What waits for the step that was asked now need not, where there is a guess. */
static int guess(struct gatherer *gatherer, struct build_step *step, const struct source_request *request)
{
    if (!gatherer->may_guess || !gather_goes_ahead(gatherer, step) || step->state != STEP_RUNNING)
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
    const struct recipe_section *section = section_at(gatherer, idx);
    struct source_request request = {
        .scope = build->scope,
        .query = build->request->query,
        .query_vector = build->query_floats,
        .now_us = build->now_us,
        .deadline_us = step_deadline(gatherer, step),
        .max_rows = rows_wanted(section, build_has_query(build)),
        .room_bytes = section && !step->takes_all ? gather_room_bytes(build, section) : 0,
        .is_distinct = section && section->is_deduplicated,
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

int gather_start(struct gatherer *gatherer, struct build_step *step, size_t idx)
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

/* ---- its answer ---- */

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

int gather_end(struct gatherer *gatherer, struct build_step *step)
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
