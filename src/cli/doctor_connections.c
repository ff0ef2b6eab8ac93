/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of `precis doctor` that asks the connections: each on a thread of its own, so that all together
 * take as long as the slowest. What they found is told afterwards, in the order of the configuration.
 */
#include "cli/advice.h"
#include "cli/doctor_priv.h"
#include "cli/prepare.h"

#include <stdio.h>

#define MAX_THREADS    16
#define MAX_ALL_US     (20 * US_PER_SEC) /* for the statements of one connection */
#define MAX_LINE_BYTES 4096
#define MAX_SENTENCE   (ERR_MESSAGE_SIZE + 512)

/* A statement that its connection refused. */
struct refusal {
    const struct recipe *recipe;
    const struct recipe_step *step;
    struct err_info err;
    struct refusal *next;
};

/* One connection's visit; written by its thread alone until that has ended. */
struct visit {
    const struct recipe_book *recipes;
    struct source *source;
    struct arena arena; /* of the refusals */
    struct buf line;
    struct err_info err;
    int rc;
    int64_t took_us;
    size_t n_statements, n_prepared; /* that go to it; of these it was asked about */
    struct refusal *refusals;
};

static void note_refusal(struct visit *visit, const struct recipe *recipe, const struct recipe_step *step,
                         const struct err_info *err)
{
    struct refusal **end = &visit->refusals;
    struct refusal *refusal = arena_calloc(&visit->arena, 1, sizeof *refusal);
    if (!refusal)
        return; /* n_refused would be wrong, but the arena's error is told */
    *refusal = (struct refusal){.recipe = recipe, .step = step, .err = *err};
    while (*end)
        end = &(*end)->next;
    *end = refusal;
}

static void prepare_recipe(struct visit *visit, const struct recipe *recipe, int64_t until_us)
{
    for (size_t i = 0; i < recipe_n_steps(recipe); i++) {
        const struct recipe_step *step = recipe_step_at(recipe, i);
        struct err_info err = {0};
        if (!str_is(step->from, source_name(visit->source)) || step->ops != source_ops_of(visit->source) ||
            !step->ops->on_prepare)
            continue;
        visit->n_statements++;
        if (visit->rc < 0 || clock_mono_us(&clock_system) >= until_us)
            continue; /* only counted */
        visit->n_prepared++;
        if (prepare_step(step, visit->source, &err) < 0)
            note_refusal(visit, recipe, step, &err);
    }
}

static void run_visit(void *arg)
{
    struct visit *visit = arg;
    int64_t started_us = clock_mono_us(&clock_system);
    visit->rc = source_check(visit->source, started_us + DOCTOR_DEADLINE_US, &visit->line, &visit->err);
    visit->took_us = clock_mono_us(&clock_system) - started_us;
    for (size_t i = 0; i < visit->recipes->n; i++)
        prepare_recipe(visit, visit->recipes->recipes[i], started_us + MAX_ALL_US);
}

/* ---- telling ---- */

static void add_advice(char *sentence, size_t size, const char *error)
{
    const char *advice = advice_for(str_of(error));
    (void)snprintf(sentence, size, "%s%s%s", error, advice ? "; " : "", advice ? advice : "");
}

static void tell_answer(struct doctor *doctor, const struct visit *visit)
{
    char sentence[MAX_SENTENCE];
    struct finding finding = {.subject = source_name(visit->source), .took_us = visit->took_us};
    if (visit->rc < 0) {
        add_advice(sentence, sizeof sentence, visit->err.message);
        finding.verdict = VERDICT_PROBLEM;
        finding.sentence = sentence;
    } else {
        finding.verdict = VERDICT_OK;
        finding.sentence = visit->line.len > 0 && buf_error(&visit->line) == 0 ? visit->line.data : "answers";
    }
    doctor_tell(doctor, &finding);
}

static void tell_refusals(struct doctor *doctor, const struct visit *visit)
{
    char sentence[MAX_SENTENCE];
    for (const struct refusal *refusal = visit->refusals; refusal; refusal = refusal->next) {
        add_advice(sentence, sizeof sentence, refusal->err.message);
        doctor_tell(doctor, &(struct finding){.verdict = VERDICT_PROBLEM,
                                              .subject = source_name(visit->source),
                                              .sentence = sentence,
                                              .took_us = -1,
                                              .recipe = refusal->recipe,
                                              .step = refusal->step});
    }
    if (arena_error(&visit->arena) < 0)
        doctor_say(doctor, VERDICT_PROBLEM, source_name(visit->source), "there is no memory for all it said");
}

static void tell_statements(struct doctor *doctor, const struct visit *visits, size_t n_visits)
{
    char sentence[128];
    size_t n_all = 0, n_prepared = 0, n_refused = 0;
    for (size_t i = 0; i < n_visits; i++) {
        n_all += visits[i].n_statements;
        n_prepared += visits[i].n_prepared;
        for (const struct refusal *refusal = visits[i].refusals; refusal; refusal = refusal->next)
            n_refused++;
    }
    if (n_all == 0)
        return;
    (void)snprintf(
        sentence, sizeof sentence, "of the recipes' %zu, %zu are good%s", n_all, n_prepared - n_refused,
        n_prepared < n_all ? "; the others were not looked at, as their connection did not answer" : "");
    doctor_say(doctor, n_prepared < n_all ? VERDICT_NOTE : VERDICT_OK, "statements", sentence);
}

static int run_visits(struct visit *visits, size_t n, struct err_info *reterr)
{
    struct workers *workers;
    int r = workers_new("doctor", n < MAX_THREADS ? (int)n : MAX_THREADS, n, &workers, reterr);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n && r == 0; i++)
        r = workers_submit(workers, run_visit, &visits[i]);
    (void)workers_free(workers); /* after all have ended */
    return r < 0 ? err_set(reterr, r, "the connections could not all be asked") : 0;
}

static void ask_all(struct doctor *doctor)
{
    struct app *app = &doctor->app;
    size_t n = app->n_connections;
    struct err_info err;
    struct visit *visits = arena_calloc(&app->config.arena, n, sizeof *visits);
    if (!visits) {
        doctor_say(doctor, VERDICT_PROBLEM, "connections", "out of memory");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        visits[i] = (struct visit){.recipes = &app->recipes, .source = app->connections[i]};
        arena_init(&visits[i].arena, 1024 * 1024);
        buf_init(&visits[i].line, MAX_LINE_BYTES);
    }
    if (run_visits(visits, n, &err) < 0) {
        doctor_say_error(doctor, "connections", &err);
    } else {
        for (size_t i = 0; i < n; i++) {
            tell_answer(doctor, &visits[i]);
            tell_refusals(doctor, &visits[i]);
        }
        tell_statements(doctor, visits, n);
    }
    for (size_t i = 0; i < n; i++) {
        arena_done(&visits[i].arena);
        buf_done(&visits[i].line);
    }
}

void doctor_check_connections(struct doctor *doctor)
{
    struct err_info err;
    if (!doctor->app.kinds)
        return; /* told already */
    if (app_open_sources(&doctor->app, &err) < 0)
        doctor_say_error(doctor, "connections", &err);
    else if (doctor->app.n_connections > 0)
        ask_all(doctor);
}
