/* SPDX-License-Identifier: Apache-2.0
 *
 * What the encoder's kernels make of this machine's arithmetic: products of the sizes that all-MiniLM-L6-v2
 * has, weights near. There is no peer: the limit is what the processor can do.
 *
 * usage: encoder_kernel     (encoder.py builds and runs it)
 *
 * Prints rows of a Markdown table: GFLOP/s, the best of many calls, for texts of 8 and of 64 tokens.
 */
#include "text/encoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WIDTH     384
#define INNER     1536
#define MAX_ROWS  64
#define N_TIMES   300
#define N_WEIGHTS ((size_t)WIDTH * INNER)

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double best_gflops(void (*multiply)(const struct encoder_product *),
                          const struct encoder_product *product)
{
    double least = 1e9;
    for (int i = 0; i < N_TIMES; i++) {
        double start = now_s();
        multiply(product);
        double took = now_s() - start;
        least = took < least ? took : least;
    }
    return 2e-9 * (double)product->n_rows * (double)product->depth * (double)product->n_columns / least;
}

int main(void)
{
    static float rows[MAX_ROWS * WIDTH], results[MAX_ROWS * INNER], floats[N_WEIGHTS];
    static uint16_t halves[N_WEIGHTS];
    const struct encoder_kernel *kernels[ENCODER_MAX_KERNELS];
    size_t n_kernels = encoder_list_kernels(kernels);
    for (size_t i = 0; i < N_WEIGHTS; i++) {
        floats[i] = (float)(i % 97) / 97 - 0.5F;
        halves[i] = encoder_halve(floats[i]);
    }
    memcpy(rows, floats, sizeof rows);
    printf("| kernel | 8 tokens, half precision | 32 bits | 64 tokens, half precision | 32 bits |\n"
           "| --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < n_kernels; i++) {
        printf("| %s |", kernels[i]->name);
        for (size_t n_rows = 8; n_rows <= 64; n_rows *= 8) {
            struct encoder_product product = {.a = rows,
                                              .b = halves,
                                              .c = results,
                                              .a_stride = WIDTH,
                                              .c_stride = INNER,
                                              .n_rows = n_rows,
                                              .depth = WIDTH,
                                              .n_columns = INNER};
            printf(" %.0f |", best_gflops(kernels[i]->multiply, &product));
            product.b = floats;
            printf(" %.0f |", best_gflops(kernels[i]->multiply_floats, &product));
        }
        printf("\n");
    }
    return 0;
}
