/* SPDX-License-Identifier: Apache-2.0
 *
 * What the queries of `resolve` brought the last times they were asked the same. It is a guess at what they
 * will bring now: what needs them is asked together with them, in one round trip and, on PostgreSQL, in one
 * snapshot. Every guess is compared with the answer; one that was wrong costs a second round, and nothing
 * that was built upon it is ever shown.
 */
#ifndef PRECIS_BUILD_GUESS_H
#define PRECIS_BUILD_GUESS_H

#include "build/build_priv.h"

struct guesses; /* thread-safe */

int guesses_new(struct guesses **ret_guesses);
struct guesses *guesses_free(struct guesses *guesses); /* accepts NULL; returns NULL */
/* Drops the tenant's. */
void guesses_clear(struct guesses *guesses, struct str tenant);

/* What is asked, as a key in step->guess, with has_guess_key. Errors: ERR_NOMEM. */
int guess_key(struct build *build, struct build_step *step, const struct source_request *request);
/* A reference to what it will bring, or NULL where nobody can say. */
struct material *guess_find(const struct build *build, const struct build_step *step);
/* Learns from what it brought. */
void guess_note(const struct build *build, const struct build_step *step);
/* Whether both say the same. */
bool guess_is_right(const struct material *guess, const struct material *answer);

#endif
