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
#include "build/gather_priv.h"
#include "build/zones.h"

#define GATHER_ANEW 3 /* a guess was wrong; beside BUILD_WOULD_WAIT */

#define RESERVE_MAX_US (10 * US_PER_MS) /* of the deadline, for rank, fit and format */

/* ---- which steps are wanted ---- */

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

/* ---- asking ---- */

/* The later a kind stands here, the more it does on this thread. */
enum asking { ASK_AND_WAIT, ASK_RESIDENT, ASK_AND_COMPUTE, N_ASKINGS };

static enum asking asking_of(const struct source_ops *ops)
{
    if (ops->on_now)
        return ASK_AND_COMPUTE;
    return ops->follows_store ? ASK_RESIDENT : ASK_AND_WAIT;
}

static bool is_ready(const struct gatherer *gatherer, const struct build_step *step)
{
    for (size_t i = 0; i < gatherer->n_steps; i++)
        if ((step->plan->needs >> i & 1) && !gather_is_known(&gatherer->build->steps[i]))
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
    return zone->kind != REF_STEP || gather_is_known(&build->steps[zone->idx]);
}

/* Starts what can start and asks in that way; *has_ended where a step ended at once. What goes ahead is on
 * its way while the rest is put together. */
static int start_those(struct gatherer *gatherer, enum asking asking, bool *has_ended)
{
    struct build *build = gatherer->build;
    bool is_ahead = false;
    for (size_t i = 0; i < gatherer->n_steps; i++) {
        struct build_step *step = &build->steps[i];
        if (is_ahead && !gather_goes_ahead(gatherer, step) && has_waiting(gatherer, ASK_RESIDENT)) {
            net_loop_flush(gatherer->loop, false);
            is_ahead = false;
        }
        if (step->state != STEP_WAITING || asking_of(step->plan->ops) != asking || !is_ready(gatherer, step))
            continue;
        if (has_zone(build))
            build_zone_load(build);
        int rc = gather_start(gatherer, step, i);
        if (rc != 0)
            return rc;
        *has_ended |= gather_is_known(step);
        is_ahead |= step->state == STEP_RUNNING && gather_goes_ahead(gatherer, step);
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
        rc = gather_end(gatherer, step);
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

static int64_t deadline_of(const struct build *build)
{
    int64_t reserve_us = build->deadline_len_us / 10;
    return build->deadline_us - (reserve_us < RESERVE_MAX_US ? reserve_us : RESERVE_MAX_US);
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
    gatherer->deadline_us = deadline_of(build);
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

/* ---- again, for more ---- */

/* Its source may have stopped because the room seemed full, and what goes on does not fill it. */
static bool is_short(const struct build *build, const struct build_section *section)
{
    const struct build_step *step = section->step;
    if (section->status != SECTION_OK || !step->plan->ops->stops_when_full || step->takes_all)
        return false;
    size_t n_bytes = 0, n_rows = step->material->result->n_rows;
    if (n_rows < SOURCE_ENOUGH_ROWS || n_rows >= section->plan->limit)
        return false;
    for (size_t i = 0; i < section->n_items; i++)
        if (section->items[i].fate == ITEM_OPEN)
            n_bytes += section->items[i].text.len;
    return n_bytes < gather_room_bytes(build, section->plan);
}

/* What it brought stands in for what does not come, and lives as long as the build: others may have values
 * of it. */
static int ask_again(struct gatherer *gatherer, struct build_section *section, struct err_info *reterr)
{
    struct build_step *step = section->step;
    struct material *before = step->material;
    step->takes_all = true;
    step->state = STEP_WAITING;
    step->material = NULL;
    int rc = wait_all(gatherer, reterr);
    if (rc == 0 && step->state != STEP_DONE) {
        material_unref(step->material);
        step->material = before;
        step->state = STEP_DONE;
        return 0;
    }
    int err = arena_hold(&gatherer->build->arena, before, material_unref);
    return rc == 0 && err < 0 ? err_set(reterr, err, "out of memory") : rc;
}

int build_gather_more(struct build *build, struct err_info *reterr)
{
    struct gatherer gatherer = {
        .build = build, .n_steps = recipe_n_steps(build->recipe), .deadline_us = deadline_of(build)};
    bool has_more = false;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < build->recipe->n_sections; i++) {
        struct build_section *section = &build->sections[i];
        if (!is_short(build, section))
            continue;
        rc = ask_again(&gatherer, section, reterr);
        section->is_rendered = false;
        section->texts = NULL;
        has_more = true;
    }
    net_loop_free(gatherer.loop);
    return rc == 0 ? has_more : rc;
}
