/* SPDX-License-Identifier: Apache-2.0
 *
 * Each kernel of the encoder beside the same arithmetic done plainly in double precision, on numbers without
 * sense; and every number that half precision has.
 */
#include "text/encoder.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_ROWS    40
#define MAX_DEPTH   70
#define MAX_COLUMNS 80
#define STRIDE      88

struct product_case {
    float a[MAX_ROWS * STRIDE], c[MAX_ROWS * STRIDE], bias[MAX_COLUMNS];
    double b[MAX_DEPTH][MAX_COLUMNS];
    uint16_t halves[MAX_DEPTH * (MAX_COLUMNS + ENCODER_MAX_PANEL)];
    float floats[MAX_DEPTH * (MAX_COLUMNS + ENCODER_MAX_PANEL)];
};

/* A multiple of 1/256 from -2 to 2, exact in half precision. */
static float next_number(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return (float)((int)(*seed >> 22) - 512) / 256;
}

static double half_value(uint16_t half)
{
    int exponent = half >> 10 & 31, fraction = half & 1023;
    double size = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    return half & 0x8000 ? -size : size;
}

static void make_case(struct product_case *it, uint32_t seed, size_t panel, size_t depth, size_t n_columns)
{
    memset(it, 0, sizeof *it);
    for (size_t i = 0; i < MAX_ROWS * STRIDE; i++) {
        it->a[i] = next_number(&seed);
        it->c[i] = next_number(&seed);
    }
    for (size_t i = 0; i < n_columns; i++)
        it->bias[i] = next_number(&seed);
    for (size_t k = 0; k < depth; k++) {
        for (size_t j = 0; j < n_columns; j++) {
            float value = next_number(&seed);
            it->b[k][j] = value;
            it->floats[encoder_place(panel, depth, k, j)] = value;
            it->halves[encoder_place(panel, depth, k, j)] = encoder_halve(value);
        }
    }
}

static double gelu(double x)
{
    return 0.5 * x * erfc(-x / sqrt(2));
}

static void assert_product(const struct product_case *it, const struct encoder_product *product)
{
    static float before[MAX_ROWS * STRIDE];
    memcpy(before, it->c, sizeof before); /* c itself is another array by now */
    for (size_t i = 0; i < MAX_ROWS; i++) {
        for (size_t j = 0; j < STRIDE; j++) {
            double wanted = (double)before[i * STRIDE + j], tolerance = 0;
            if (i < product->n_rows && j < product->n_columns) {
                double sum = product->bias ? (double)product->bias[j] : 0;
                for (size_t k = 0; k < product->depth; k++)
                    sum += (double)it->a[i * STRIDE + k] * it->b[k][j];
                tolerance = 1e-4;
                wanted = product->then == ENCODER_ADD    ? wanted + sum
                         : product->then == ENCODER_GELU ? gelu(sum)
                                                         : sum;
            }
            if (!(fabs((double)product->c[i * STRIDE + j] - wanted) <= tolerance))
                fail_msg("%zu x %zu x %zu, row %zu, column %zu: %f, not %f", product->n_rows, product->depth,
                         product->n_columns, i, j, (double)product->c[i * STRIDE + j], wanted);
        }
    }
}

static void products_are_right_and_touch_nothing_else(void **state)
{
    (void)state;
    static struct product_case it;
    static float c[MAX_ROWS * STRIDE];
    static const size_t depths[] = {1, 7, 32, MAX_DEPTH};
    const struct encoder_kernel *kernels[ENCODER_MAX_KERNELS];
    size_t n_kernels = encoder_list_kernels(kernels);
    for (size_t k = 0; k < n_kernels; k++) {
        assert_true(kernels[k]->panel <= ENCODER_MAX_PANEL);
        for (size_t n = 1; n <= MAX_ROWS; n++) {
            size_t depth = depths[n % 4], n_columns = (n % 5 + 1) * ENCODER_STEP;
            make_case(&it, (uint32_t)n, kernels[k]->panel, depth, n_columns);
            struct encoder_product product = {.a = it.a,
                                              .c = c,
                                              .a_stride = STRIDE,
                                              .c_stride = STRIDE,
                                              .n_rows = n,
                                              .depth = depth,
                                              .n_columns = n_columns,
                                              .bias = n % 7 ? it.bias : NULL,
                                              .then = (enum encoder_then)(n % 3)};
            memcpy(c, it.c, sizeof c);
            product.b = it.halves;
            kernels[k]->multiply(&product);
            assert_product(&it, &product);
            memcpy(c, it.c, sizeof c);
            product.b = it.floats;
            kernels[k]->multiply_floats(&product);
            assert_product(&it, &product);
        }
    }
}

/* 16 numbers at once: rows of one number, times 1. */
static void apply_gelu(const struct encoder_kernel *kernel, const float *x, float *ret)
{
    float ones[ENCODER_MAX_PANEL] = {0}, one = 1;
    memcpy(ones, x, ENCODER_STEP * sizeof *x);
    float panels[2 * ENCODER_MAX_PANEL] = {0};
    for (size_t j = 0; j < ENCODER_STEP; j++)
        panels[encoder_place(kernel->panel, 1, 0, j)] = ones[j];
    kernel->multiply_floats(&(struct encoder_product){.a = &one,
                                                      .b = panels,
                                                      .c = ret,
                                                      .a_stride = 1,
                                                      .c_stride = ENCODER_STEP,
                                                      .n_rows = 1,
                                                      .depth = 1,
                                                      .n_columns = ENCODER_STEP,
                                                      .then = ENCODER_GELU});
}

static void gelu_is_exact_to_a_floats_accuracy(void **state)
{
    (void)state;
    const struct encoder_kernel *kernels[ENCODER_MAX_KERNELS];
    size_t n_kernels = encoder_list_kernels(kernels);
    for (size_t k = 0; k < n_kernels; k++) {
        for (int i = -3000; i < 3000; i++) {
            float x[ENCODER_STEP], found[ENCODER_STEP];
            for (int j = 0; j < ENCODER_STEP; j++)
                x[j] = ((float)i + (float)j / ENCODER_STEP) / 250;
            x[3] = ldexpf(x[3], i % 60 - 30);
            apply_gelu(kernels[k], x, found);
            for (int j = 0; j < ENCODER_STEP; j++) {
                double wanted = gelu((double)x[j]);
                if (!(fabs((double)found[j] - wanted) <= FLT_EPSILON * fabs((double)x[j]) + DBL_MIN))
                    fail_msg("%s: the GELU of %.9g is %.9g, not %.9g", kernels[k]->name, (double)x[j],
                             (double)found[j], wanted);
            }
        }
    }
}

static void softmax_shares_out_one(void **state)
{
    (void)state;
    static float rows[3 * 64];
    const struct encoder_kernel *kernels[ENCODER_MAX_KERNELS];
    size_t n_kernels = encoder_list_kernels(kernels);
    for (size_t k = 0; k < n_kernels; k++) {
        for (size_t n = 1; n <= 64; n++) {
            uint32_t seed = (uint32_t)n;
            size_t n_padded = (n + ENCODER_STEP - 1) / ENCODER_STEP * ENCODER_STEP;
            double wanted[3 * 64] = {0};
            for (size_t r = 0; r < 3; r++) {
                double whole = 0;
                for (size_t i = 0; i < n_padded; i++) /* the last row has scores far apart */
                    rows[r * n_padded + i] = next_number(&seed) * (r == 2 ? 100 : 1) + (r == 1 ? 300.F : 0);
                for (size_t i = 0; i < n; i++)
                    whole += wanted[r * n_padded + i] = exp((double)rows[r * n_padded + i]);
                for (size_t i = 0; i < n; i++)
                    wanted[r * n_padded + i] /= whole;
            }
            kernels[k]->soften(rows, 3, n, n_padded);
            for (size_t i = 0; i < 3 * n_padded; i++)
                assert_true(fabs((double)rows[i] - wanted[i]) <= 1e-6 * wanted[i] + 1e-36);
        }
    }
}

static void norm_has_mean_zero_and_variance_one(void **state)
{
    (void)state;
    const struct encoder_kernel *kernels[ENCODER_MAX_KERNELS];
    size_t n_kernels = encoder_list_kernels(kernels);
    for (size_t k = 0; k < n_kernels; k++) {
        for (size_t n = ENCODER_STEP; n <= 80; n += ENCODER_STEP) {
            float rows[2 * STRIDE], before[2 * STRIDE], scale[80], shift[80];
            uint32_t seed = (uint32_t)n;
            for (size_t i = 0; i < 2 * STRIDE; i++)
                rows[i] = before[i] = next_number(&seed) + 5;
            for (size_t i = 0; i < n; i++)
                scale[i] = next_number(&seed), shift[i] = next_number(&seed);
            kernels[k]->level(rows, STRIDE, 2, n, scale, shift, 0.01F);
            for (size_t i = 0; i < 2 * STRIDE; i++) {
                const float *row = before + i / STRIDE * STRIDE;
                double mean = 0, variance = 0, wanted = (double)before[i];
                for (size_t j = 0; j < n; j++)
                    mean += (double)row[j] / (double)n;
                for (size_t j = 0; j < n; j++)
                    variance += ((double)row[j] - mean) * ((double)row[j] - mean) / (double)n;
                if (i % STRIDE < n)
                    wanted = (wanted - mean) / sqrt(variance + (double)0.01F) * (double)scale[i % STRIDE] +
                             (double)shift[i % STRIDE];
                assert_true(fabs((double)rows[i] - wanted) <= (i % STRIDE < n ? 1e-5 : 0));
            }
        }
    }
}

static void every_half_is_read_and_written_as_it_is(void **state)
{
    (void)state;
    static const float zeros[ENCODER_STEP];
    const struct encoder_kernel *kernels[ENCODER_MAX_KERNELS];
    size_t n_kernels = encoder_list_kernels(kernels);
    for (uint32_t first = 0; first <= UINT16_MAX; first += ENCODER_STEP) {
        uint16_t halves[ENCODER_STEP];
        float found[ENCODER_STEP];
        if ((first >> 10 & 31) == 31)
            continue; /* no finite numbers */
        for (uint32_t i = 0; i < ENCODER_STEP; i++)
            halves[i] = (uint16_t)(first + i);
        for (size_t k = 0; k < n_kernels; k++) {
            kernels[k]->widen(halves, zeros, ENCODER_STEP, found);
            for (uint32_t i = 0; i < ENCODER_STEP; i++)
                assert_true((double)found[i] == half_value(halves[i]));
        }
        for (uint32_t i = 0; i < ENCODER_STEP; i++)
            assert_int_equal(encoder_halve((float)half_value(halves[i])), halves[i]);
    }
}

static void numbers_between_two_halves_go_to_the_nearer(void **state)
{
    (void)state;
    for (uint16_t half = 0; half < 0x7bff; half++) {
        double low = half_value(half), high = half_value(half + 1);
        float middle = (float)((low + high) / 2);
        assert_int_equal(encoder_halve(middle), half & 1 ? half + 1 : half);
        assert_int_equal(encoder_halve(nextafterf(middle, 0)), half);
        assert_int_equal(encoder_halve(nextafterf(middle, INFINITY)), half + 1);
        assert_int_equal(encoder_halve(-nextafterf(middle, INFINITY)), 0x8000 | (half + 1));
    }
    assert_int_equal(encoder_halve(ENCODER_MAX_WEIGHT), 0x7bff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_right_and_touch_nothing_else),
        cmocka_unit_test(gelu_is_exact_to_a_floats_accuracy),
        cmocka_unit_test(softmax_shares_out_one),
        cmocka_unit_test(norm_has_mean_zero_and_variance_one),
        cmocka_unit_test(every_half_is_read_and_written_as_it_is),
        cmocka_unit_test(numbers_between_two_halves_go_to_the_nearer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
