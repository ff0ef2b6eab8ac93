/* SPDX-License-Identifier: Apache-2.0
 *
 * What cancel.c asks, and of whom: one file that knows of each kind of server what carries a canary through
 * it, so that every reply tells whose it is.
 */
#ifndef PRECIS_TESTS_TORTURE_CANCEL_TARGETS_H
#define PRECIS_TESTS_TORTURE_CANCEL_TARGETS_H

#include "source/source.h"

#include <stdatomic.h>

#define QUESTION_MAX_SETTINGS 24
#define QUESTION_MAX_ROWS     600

/* One question and what has to come of it. */
struct question {
    uint64_t random; /* what makes it the question it is, beside the canary */
    uint64_t canary;
    /* set by target_ask; borrowed by the request */
    struct value settings[QUESTION_MAX_SETTINGS];
    struct value binds[3];
    char text[160], where[64];
    struct source_request request;
    size_t n_rows;      /* that must come */
    bool may_lack;      /* or none */
    bool must_fail;     /* its answer is an error of the server's */
    bool is_slow;       /* the server takes a few milliseconds */
    const char *column; /* that the canary is in */
    char expect[160];   /* how its value begins in each row */
};

struct target_kind;

struct target {
    const struct target_kind *kind;
    const char *name;
    struct source *source;
    const struct embedder *embedder; /* of questions by meaning */
    atomic_ulong n_kept, n_cancelled, n_late, n_refused;
};

#define MAX_TARGETS 6

/* Opens what can be had, by what backends.sh says in the environment, with pools of n_conns; the rest is
 * named on stderr. only: the name of the one that is wanted, or NULL. http_url: where cancel_peer listens.
 * Exits when a server that is there cannot be used. */
size_t targets_open(const struct source_env *env, const char *only, const char *http_url, size_t n_conns,
                    struct target targets[MAX_TARGETS]);
/* Fills the rest of a question whose random and canary are set. */
void target_ask(const struct target *target, struct question *question);
/* Whether the result is the question's own; otherwise a sentence in `why`. */
bool target_owns(const struct question *question, const struct source_result *result, char *why, size_t size);

#endif
