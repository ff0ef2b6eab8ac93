/* SPDX-License-Identifier: Apache-2.0
 *
 * The arithmetic of an encoder's pass, once for each instruction set: products of matrices, softmax and layer
 * norm. All widths are multiples of ENCODER_STEP, so that no kernel has a remainder to treat.
 */
#ifndef PRECIS_TEXT_ENCODER_KERNEL_H
#define PRECIS_TEXT_ENCODER_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENCODER_STEP                                                                                         \
    16 /* the widest vector has so many floats, and the narrowest panel is a divisor of it or a multiple */

enum encoder_then {
    ENCODER_SET,  /* c = a * b + bias */
    ENCODER_ADD,  /* c = c + a * b + bias */
    ENCODER_GELU, /* c = GELU(a * b + bias), by the error function itself, to the accuracy of a float */
};

/* a is n_rows x depth, row by row. b is depth x n_columns in panels: the first `panel` columns (of the
 * kernel), depth rows of them one after the other, then the next; the last is filled up with zeros. */
struct encoder_product {
    const float *a;
    const void *b;     /* multiply: half precision; multiply_floats: floats */
    const float *bias; /* n_columns; NULL: none */
    float *c;
    size_t a_stride, c_stride; /* floats from a row to the next */
    size_t n_rows, depth, n_columns;
    enum encoder_then then;
};

struct encoder_kernel {
    const char *name;
    size_t panel; /* columns: a power of two, at most ENCODER_MAX_PANEL */
    void (*multiply)(const struct encoder_product *product);
    void (*multiply_floats)(const struct encoder_product *product);
    /* Makes the first n numbers of each row shares of 1 (softmax), the rest up to n_padded 0. */
    void (*soften)(float *rows, size_t n_rows, size_t n, size_t n_padded);
    /* Gives each row the mean 0 and the variance 1, then scale and shift. */
    void (*level)(float *rows, size_t stride, size_t n_rows, size_t n, const float *scale, const float *shift,
                  float epsilon);
    /* Adds a row of half precision to a row of floats: ret[i] = halves[i] + floats[i]. */
    void (*widen)(const uint16_t *halves, const float *floats, size_t n, float *ret);
};

#define ENCODER_MAX_PANEL 32

/* Those that this machine can run, the best first and the portable one last; how many. */
#define ENCODER_MAX_KERNELS 3
size_t encoder_list_kernels(const struct encoder_kernel *ret_kernels[static ENCODER_MAX_KERNELS]);

extern const struct encoder_kernel encoder_kernel_portable;
#ifdef __x86_64__
extern const struct encoder_kernel encoder_kernel_avx2, encoder_kernel_avx512;
#endif

#endif
