/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels of words.c, for it and its tests.
 */
#ifndef PRECIS_TEXT_WORDS_PRIV_H
#define PRECIS_TEXT_WORDS_PRIV_H

#include "text/words.h"

/* The products of n probes with one row, in n_dims dimensions from `first` on, both multiples of
 * EMBED_BLOCK_DIMS. All kernels give the same numbers. */
typedef void (*word_dots_fn)(const struct word_probe *probes, size_t n, const int8_t *row, size_t first,
                             size_t n_dims, int32_t *ret_dots);

struct word_kernel {
    const char *name;
    word_dots_fn dots;
};

/* Those that this machine can run, the best first and the portable one last, ended by a NULL name. */
const struct word_kernel *word_kernels(void);

#endif
