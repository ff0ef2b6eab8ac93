/* SPDX-License-Identifier: Apache-2.0
 *
 * What gather's two files share: gather.c holds the order of the steps, gather_step.c asks one and takes its
 * answer.
 */
#ifndef PRECIS_BUILD_GATHER_PRIV_H
#define PRECIS_BUILD_GATHER_PRIV_H

#include "build/build_priv.h"

struct gatherer {
    struct build *build;
    struct net_loop *loop; /* made for the first step that waits; NULL: none did */
    int64_t deadline_us;   /* for sources: the request's, less a reserve */
    size_t n_steps;
    size_t n_running;
    bool may_guess;
    bool is_wrong; /* a guess was */
};

/* Its values are there, or what they are most likely. */
static inline bool gather_is_known(const struct build_step *step)
{
    return (step->state != STEP_WAITING && step->state != STEP_RUNNING) || step->is_guessed;
}

/* Others need its answer, and it needs none. */
static inline bool gather_goes_ahead(const struct gatherer *gatherer, const struct build_step *step)
{
    return step < gatherer->build->steps + gatherer->build->recipe->n_resolves && step->plan->needs == 0;
}

/* Asks the step, whose needs are known; it has ended after that, or runs. Errors: ERR_NOMEM, ERR_LIMIT;
 * BUILD_WOULD_WAIT where the build must not. What befalls the source ends the step. */
int gather_start(struct gatherer *gatherer, struct build_step *step, size_t idx);
/* That the section's items can fill; 0: it does not matter, as the query chooses among its rows. */
size_t gather_room_bytes(const struct build *build, const struct recipe_section *section);
/* Ends the step that the loop reported; is_wrong where it was guessed otherwise. */
int gather_end(struct gatherer *gatherer, struct build_step *step);

#endif
