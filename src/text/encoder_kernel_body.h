/* SPDX-License-Identifier: Apache-2.0
 *
 * The body of every kernel, in vectors of the compiler's own. A file that includes it defines before:
 *
 *     LANES          floats of a vector; ENCODER_STEP is a multiple
 *     MAX_ROWS       rows of a tile (at most 14): 2 * MAX_ROWS sums stay in registers, and some are left
 *     TARGET         the attribute that names the instruction set
 *     load_halves()  LANES numbers of half precision as floats
 *     KERNEL         the name of the struct it makes
 *
 * A product is made of tiles, MAX_ROWS x one panel of two vectors. A tile's sums are kept in registers while
 * both matrices go by: each vector of the panel is loaded (and widened) once for all its rows.
 */
#include "text/encoder_kernel.h"

#include <math.h>
#include <string.h>

#define N_VECTORS 2 /* of a panel */
#define PANEL     (N_VECTORS * LANES)
#define INLINE    TARGET __attribute__((always_inline)) static inline

typedef float floats __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t ints __attribute__((vector_size(LANES * sizeof(int32_t))));

INLINE floats load(const float *from)
{
    floats value;
    memcpy(&value, from, sizeof value);
    return value;
}

INLINE void store(float *to, floats value)
{
    memcpy(to, &value, sizeof value);
}

INLINE floats fill(float value)
{
    return value - (floats){0};
}

INLINE floats larger(floats a, floats b)
{
    ints mask = a > b;
    return (floats)((mask & (ints)a) | (~mask & (ints)b));
}

INLINE floats magnitude(floats a)
{
    return (floats)((ints)a & INT32_MAX);
}

INLINE float add_lanes(floats value)
{
    float sum = 0;
    for (int i = 0; i < LANES; i++)
        sum += value[i];
    return sum;
}

/* exp(x) for x <= 0, within two units of the last place; below -87 it stays at exp(-87), which is next to
 * nothing. x = n * ln 2 + r: the Taylor series of exp(r), then n goes into the exponent. */
INLINE floats exp_of(floats x)
{
    const float to_whole = 0x1.8p23F; /* added and taken away, it rounds to a whole number */
    x = larger(x, fill(-87));
    floats n = (x * (float)M_LOG2E + to_whole) - to_whole;
    floats r = x - n * 0x1.62ep-1F; /* ln 2 in two parts: n times the first is exact */
    r = r - n * 0x1.0bfbe8p-15F;
    floats sum = r * (1 / 5040.F) + 1 / 720.F;
    sum = sum * r + 1 / 120.F;
    sum = sum * r + 1 / 24.F;
    sum = sum * r + 1 / 6.F;
    sum = sum * r + 1 / 2.F;
    sum = sum * r + 1;
    sum = sum * r + 1;
    return (floats)((ints)sum + (__builtin_convertvector(n, ints) << 23));
}

/* x times the normal distribution's share below x. With u = |x| that is max(x, 0) - u / 2 * erfc(u / sqrt 2),
 * and -log(erfc(u / sqrt 2)) / u is so smooth that a polynomial fitted to it (least squares, reweighted to
 * the least largest error, over 0 to 7) leaves an error below one unit of x's last place. */
INLINE floats gelu_of(floats x)
{
    static const float fitted[] = {-8.90175408e-07F, 1.00649477e-05F,  -6.38270417e-05F,
                                   0.00022095288F,   -3.88972408e-05F, -0.00478459081F,
                                   0.0363377421F,    0.31830925F,      0.797884624F};
    floats u = magnitude(x);
    floats sum = fill(3.43266878e-08F);
    for (size_t i = 0; i < sizeof fitted / sizeof *fitted; i++)
        sum = sum * u + fitted[i];
    return larger(x, fill(0)) - 0.5F * u * exp_of(-u * sum);
}

INLINE floats load_any(const void *panel, size_t at, bool is_half)
{
    return is_half ? (floats)load_halves((const uint16_t *)panel + at) : load((const float *)panel + at);
}

/* n_rows and is_half are constants wherever this is called: all loops over rows and vectors unroll. */
INLINE void multiply_tile(const struct encoder_product *product, size_t row, size_t column, const void *panel,
                          int n_rows, bool is_half)
{
    floats sums[MAX_ROWS][N_VECTORS];
    const float *a = product->a + row * product->a_stride;
    float *c = product->c + row * product->c_stride + column;
    size_t a_stride = product->a_stride, c_stride = product->c_stride;
    for (int v = 0; v < N_VECTORS; v++) {
        bool is_within = column + (size_t)v * LANES < product->n_columns;
        floats start = product->bias && is_within ? load(product->bias + column + v * LANES) : fill(0);
        for (int r = 0; r < n_rows; r++)
            sums[r][v] = start;
    }
    /* Weights come from beyond the second cache, each panel after the one before it: asking for the next
     * while this one is used makes short texts a third faster. */
    const char *ahead = (const char *)panel + product->depth * PANEL * sizeof(uint16_t);
    for (size_t k = 0; k < product->depth; k++) {
        if (is_half)
            __builtin_prefetch(ahead + k * PANEL * sizeof(uint16_t), 0, 2);
        floats left = load_any(panel, k * PANEL, is_half),
               right = load_any(panel, k * PANEL + LANES, is_half);
        for (int r = 0; r < n_rows; r++) {
            sums[r][0] += a[(size_t)r * a_stride + k] * left;
            sums[r][1] += a[(size_t)r * a_stride + k] * right;
        }
    }
    for (int v = 0; v < N_VECTORS && column + (size_t)v * LANES < product->n_columns; v++) {
        for (int r = 0; r < n_rows; r++) {
            float *to = c + (size_t)r * c_stride + v * LANES;
            store(to, product->then == ENCODER_ADD ? load(to) + sums[r][v] : sums[r][v]);
        }
    }
}

TARGET static void gelu_tile(const struct encoder_product *product, size_t row, size_t column, int n_rows)
{
    for (int r = 0; r < n_rows; r++) {
        float *c = product->c + (row + (size_t)r) * product->c_stride + column;
        for (int v = 0; v < N_VECTORS && column + (size_t)v * LANES < product->n_columns; v++)
            store(c + v * LANES, gelu_of(load(c + v * LANES)));
    }
}

INLINE void multiply_rows(const struct encoder_product *product, size_t row, size_t column, const void *panel,
                          int n_rows, bool is_half)
{
    switch (n_rows) {
#define CASE(n)                                                                                              \
    case n:                                                                                                  \
        multiply_tile(product, row, column, panel, n, is_half);                                              \
        break;
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
#if MAX_ROWS > 4
        CASE(5)
        CASE(6)
#endif
#if MAX_ROWS > 6
        CASE(7)
        CASE(8)
        CASE(9)
        CASE(10)
        CASE(11)
        CASE(12)
#endif
#if MAX_ROWS > 12
        CASE(13)
        CASE(14)
#endif
#undef CASE
    default:
        break;
    }
}

/* A panel at a time, over all rows: it comes from afar once, and stays near for every tile. The rows are
 * shared out evenly, since a tile of few rows waits for its own sums. */
INLINE void multiply_any(const struct encoder_product *product, bool is_half)
{
    size_t n_tiles = (product->n_rows + MAX_ROWS - 1) / MAX_ROWS;
    size_t panel_bytes = product->depth * PANEL * (is_half ? sizeof(uint16_t) : sizeof(float));
    const char *panel = product->b;
    for (size_t column = 0; column < product->n_columns; column += PANEL, panel += panel_bytes) {
        for (size_t tile = 0; tile < n_tiles; tile++) {
            size_t row = tile * product->n_rows / n_tiles;
            int n_rows = (int)((tile + 1) * product->n_rows / n_tiles - row);
            multiply_rows(product, row, column, panel, n_rows, is_half);
            if (product->then == ENCODER_GELU)
                gelu_tile(product, row, column, n_rows);
        }
    }
}

TARGET static void multiply(const struct encoder_product *product)
{
    multiply_any(product, true);
}

TARGET static void multiply_floats(const struct encoder_product *product)
{
    multiply_any(product, false);
}

TARGET static void soften_row(float *row, size_t n, size_t n_padded)
{
    for (size_t i = n; i < n_padded; i++)
        row[i] = -INFINITY;
    floats most = load(row);
    for (size_t i = LANES; i < n_padded; i += LANES)
        most = larger(load(row + i), most);
    float largest = most[0];
    for (int i = 1; i < LANES; i++)
        largest = most[i] > largest ? most[i] : largest;
    floats sum = fill(0);
    for (size_t i = 0; i < n_padded; i += LANES) {
        floats share = exp_of(load(row + i) - largest);
        store(row + i, share);
        sum += share;
    }
    float whole = add_lanes(sum);
    for (size_t i = 0; i < n_padded; i += LANES)
        store(row + i, load(row + i) / whole);
    for (size_t i = n; i < n_padded; i++)
        row[i] = 0;
}

TARGET static void soften(float *rows, size_t n_rows, size_t n, size_t n_padded)
{
    for (size_t r = 0; r < n_rows; r++)
        soften_row(rows + r * n_padded, n, n_padded);
}

TARGET static void level_row(float *row, size_t n, const float *scale, const float *shift, float epsilon)
{
    floats sum = fill(0), squares = fill(0);
    for (size_t i = 0; i < n; i += LANES)
        sum += load(row + i);
    float mean = add_lanes(sum) / (float)n;
    for (size_t i = 0; i < n; i += LANES) {
        floats from_mean = load(row + i) - mean;
        squares += from_mean * from_mean;
    }
    float factor = 1 / sqrtf(add_lanes(squares) / (float)n + epsilon);
    for (size_t i = 0; i < n; i += LANES)
        store(row + i, (load(row + i) - mean) * factor * load(scale + i) + load(shift + i));
}

TARGET static void level(float *rows, size_t stride, size_t n_rows, size_t n, const float *scale,
                         const float *shift, float epsilon)
{
    for (size_t r = 0; r < n_rows; r++)
        level_row(rows + r * stride, n, scale, shift, epsilon);
}

TARGET static void widen(const uint16_t *halves, const float *values, size_t n, float *ret)
{
    for (size_t i = 0; i < n; i += LANES)
        store(ret + i, (floats)load_halves(halves + i) + load(values + i));
}

const struct encoder_kernel KERNEL = {NAME, PANEL, multiply, multiply_floats, soften, level, widen};
