/* SPDX-License-Identifier: Apache-2.0
 *
 * Which failures the log is told of: a source that is down gets one line a minute however many requests meet
 * it, and what is said of one source in a minute is bounded. Any thread.
 */
#ifndef PRECIS_SERVE_FAILURES_H
#define PRECIS_SERVE_FAILURES_H

#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"

struct failures;

#define FAILURES_AGAIN_US   (60 * US_PER_SEC)
#define FAILURES_MAX_A_TIME 4 /* different ones of one source within that time */

int failures_new(const struct clock *clock, struct failures **ret_failures, struct err_info *reterr);
struct failures *failures_free(struct failures *failures); /* accepts NULL; returns NULL */

/* True when this failure should be logged; *ret_n is then how many like it there were since its last line,
 * with this one. Two are alike when they are of the same source and either both say that it does not answer
 * (code: unreachable, I/O, timeout) or say the same but for numbers: "no answer within 18 ms" is the same
 * news with 19. */
bool failures_note(struct failures *failures, struct str source, int code, struct str sentence,
                   uint64_t *ret_n);

#endif
