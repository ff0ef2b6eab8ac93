/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes secrets out of texts, and remembers which had none: the rows of a log are printed again and again.
 */
#ifndef PRECIS_BUILD_SECRETS_H
#define PRECIS_BUILD_SECRETS_H

#include "core/arena.h"
#include "core/str.h"

struct secrets; /* thread-safe */

/* Errors: ERR_NOMEM. */
int secrets_new(struct secrets **ret_secrets);
struct secrets *secrets_free(struct secrets *secrets); /* accepts NULL; returns NULL */
/* The text without its secrets (text_redact), in the arena, where errors latch. secrets NULL: remembers
 * nothing.
 */
struct str secrets_take_out(struct secrets *secrets, struct str text, struct arena *arena);

#endif
