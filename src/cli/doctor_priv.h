/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of `precis doctor` share.
 */
#ifndef PRECIS_CLI_DOCTOR_PRIV_H
#define PRECIS_CLI_DOCTOR_PRIV_H

#include "cli/app.h"
#include "core/json.h"

#define DOCTOR_DEADLINE_US (5 * US_PER_SEC) /* a server that needs longer to answer is ill */

struct doctor {
    const struct cli *cli;
    struct app app;
    struct buf out; /* lines, or elements of the JSON array */
    struct json_writer json;
    int n_problems;
};

enum verdict { VERDICT_OK, VERDICT_NOTE, VERDICT_PROBLEM };

/* One finding. took_us: -1 where there is no such time. */
struct finding {
    enum verdict verdict;
    const char *subject, *sentence;
    int64_t took_us;
    const struct recipe *recipe; /* NULL: of no statement */
    const struct recipe_step *step;
};

void doctor_tell(struct doctor *doctor, const struct finding *finding);
void doctor_say(struct doctor *doctor, enum verdict verdict, const char *subject, const char *sentence);
void doctor_say_error(struct doctor *doctor, const char *subject, const struct err_info *err);

/* Asks every connection at once, then has each prepare the statements that go to it; doctor_connections.c. */
void doctor_check_connections(struct doctor *doctor);

#endif
