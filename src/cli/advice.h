/* SPDX-License-Identifier: Apache-2.0
 *
 * What to do about an error of a server, by the words that servers and their libraries are known to use.
 */
#ifndef PRECIS_CLI_ADVICE_H
#define PRECIS_CLI_ADVICE_H

#include "core/str.h"

/* A sentence, or NULL where the words are not known: in another language, for one. */
const char *advice_for(struct str error);

#endif
