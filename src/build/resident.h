/* SPDX-License-Identifier: Apache-2.0
 *
 * What the user's rows said when they were read last, for kinds whose results follow from them and from what
 * was asked alone. It is good as long as the version of the user's data stands, so that it is no older than
 * what the store would say now; another write of the user's, and it is read again.
 */
#ifndef PRECIS_BUILD_RESIDENT_H
#define PRECIS_BUILD_RESIDENT_H

#include "build/build_priv.h"

struct residents;

int residents_new(struct residents **ret_residents);
struct residents *residents_free(struct residents *residents);
/* Drops the tenant's. */
void residents_clear(struct residents *residents, struct str tenant);

/* Which material that would be; for a kind that follows the store, in step->resident. */
int resident_key(struct build *build, struct build_step *step, const struct source_request *request);
/* A reference, or NULL. */
struct material *resident_find(const struct build *build, const struct build_step *step);
/* Keeps what the step brought, if it is all that there was to bring. */
void resident_keep(const struct build *build, const struct build_step *step);

#endif
