/* SPDX-License-Identifier: Apache-2.0
 *
 * The tokenizers, each in its own file; tokens.c lists them.
 */
#ifndef PRECIS_TEXT_TEXT_PRIV_H
#define PRECIS_TEXT_TEXT_PRIV_H

#include "text/tokens.h"

extern const struct tokenizer tokenizer_approx;

#endif
