/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels of words.c, for it and its tests.
 */
#ifndef PRECIS_TEXT_WORDS_PRIV_H
#define PRECIS_TEXT_WORDS_PRIV_H

#include "text/words.h"

/* The product of a probe and a row of n_dims, a multiple of EMBED_BLOCK_DIMS and at most WORD_MAX_DIMS. All
 * kernels give the same number. */
typedef int32_t (*word_dot_fn)(const int16_t *probe, const int8_t *row, size_t n_dims);

struct word_kernel {
    const char *name;
    word_dot_fn dot;
};

/* Those that this machine can run, the best first and the portable one last, ended by a NULL name. */
const struct word_kernel *word_kernels(void);

#endif
