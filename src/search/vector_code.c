/* SPDX-License-Identifier: Apache-2.0
 *
 * From vectors to codes (after RaBitQ, SIGMOD 2024 and 2025, with one factor in place of two). A unit vector
 * z is turned at random and each component is kept in two bits, as the odd number l of -3, -1, 1 and 3 that
 * it is nearest to in steps of half a standard deviation; <l, q> / <l, z> is then an estimate of <z, q> whose
 * error is about 0.37 / sqrt(width).
 *
 * The rotation is rounds of random signs and a Hadamard transform over the largest power of two that fits,
 * over the front and the back in turn.
 *
 * What every added vector goes through is written so that a compiler turns it into vector code, and compiled
 * twice: portably and for AVX2, which has no fused multiplication that would round otherwise. Sums run in one
 * order: the same bits on every machine.
 */
#include "search/vector_priv.h"

#include <math.h>

/* Two mix a power of two; where front and back overlap by half, four do. */
#define N_ROUNDS_OF_POWER 2
#define N_ROUNDS          4
#define N_SUMS            8 /* run beside each other */

/* Compiled into each of those that call it, for what these are compiled for. */
#define INLINE static inline __attribute__((always_inline))

/* Vectors of the compiler's own: it does not find these by itself. */
typedef double four __attribute__((vector_size(32)));
typedef float four_floats __attribute__((vector_size(16)));
typedef int32_t four_whole __attribute__((vector_size(16)));
typedef float eight __attribute__((vector_size(32)));
typedef int32_t eight_bits __attribute__((vector_size(32)));

static double add_up(const double sums[N_SUMS])
{
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

/* The sum of the squares of n numbers. */
INLINE double square_length(const float *vector, uint32_t n)
{
    four low = {0}, high = {0};
    uint32_t i = 0;
    for (; i + N_SUMS <= n; i += N_SUMS) {
        four_floats numbers[2];
        memcpy(numbers, vector + i, sizeof(numbers));
        four wide0 = __builtin_convertvector(numbers[0], four),
             wide1 = __builtin_convertvector(numbers[1], four);
        low += wide0 * wide0;
        high += wide1 * wide1;
    }
    double sums[N_SUMS];
    memcpy(sums, &low, sizeof(low));
    memcpy(sums + 4, &high, sizeof(high));
    for (; i < n; i++)
        sums[i % N_SUMS] += (double)vector[i] * vector[i];
    return add_up(sums);
}

INLINE int normalize(const float *vector, uint32_t dim, uint32_t width, float *ret_unit)
{
    double squares = square_length(vector, dim);
    if (!isfinite(squares))
        return ERR_INVALID;
    if (squares == 0)
        return 1;
    double scale = 1 / sqrt(squares);
    for (uint32_t i = 0; i < dim; i++)
        ret_unit[i] = (float)(vector[i] * scale);
    for (uint32_t i = dim; i < width; i++)
        ret_unit[i] = 0;
    return 0;
}

/* Of numbers that are finite. */
INLINE float largest_of(const float *vector, uint32_t width)
{
    int32_t largest = 0; /* bits rise with what they stand for */
    for (uint32_t i = 0; i < width; i++) {
        int32_t bits;
        memcpy(&bits, &vector[i], sizeof(bits));
        bits &= INT32_MAX;
        largest = bits > largest ? bits : largest;
    }
    float result;
    memcpy(&result, &largest, sizeof(result));
    return result;
}

/* The nearest integer, of ties the even one: what is below the lowest bit of so large a number is rounded
 * away. |x| is less than a million. */
INLINE int32_t nearest(float x)
{
    const float large = 0x1.8p23F;
    float sum = x + large;
    int32_t bits, zero;
    memcpy(&bits, &sum, sizeof(bits));
    memcpy(&zero, &large, sizeof(zero));
    return bits - zero;
}

/* The sum of the products; each is exact. */
INLINE double product_of(const int16_t *steps, const float *rotated, uint32_t width)
{
    four low = {0}, high = {0};
    for (uint32_t i = 0; i < width; i += N_SUMS) {
        four_floats numbers[2];
        four_whole whole[2] = {{steps[i], steps[i + 1], steps[i + 2], steps[i + 3]},
                               {steps[i + 4], steps[i + 5], steps[i + 6], steps[i + 7]}};
        memcpy(numbers, rotated + i, sizeof(numbers));
        low += __builtin_convertvector(whole[0], four) * __builtin_convertvector(numbers[0], four);
        high += __builtin_convertvector(whole[1], four) * __builtin_convertvector(numbers[1], four);
    }
    double sums[N_SUMS];
    memcpy(sums, &low, sizeof(low));
    memcpy(sums + 4, &high, sizeof(high));
    return add_up(sums);
}

INLINE void to_steps(const float *rotated, uint32_t width, float max_step, int16_t *ret_steps)
{
    float steps_per_one = max_step / largest_of(rotated, width);
    for (uint32_t i = 0; i < width; i++)
        ret_steps[i] = (int16_t)nearest(rotated[i] * steps_per_one);
}

INLINE void to_fine(const float *rotated, uint32_t width, struct vector_fine *ret_fine, int8_t *ret_low)
{
    int16_t steps[VECTOR_MAX_DIM];
    int32_t low_squares = 0;
    to_steps(rotated, width, MAX_FINE_STEP, steps);
    for (uint32_t i = 0; i < width; i++) {
        int high = (steps[i] + 128) >> 8, low = steps[i] - high * 256;
        ret_fine->high[i] = (int8_t)high;
        ret_low[i] = (int8_t)low;
        low_squares += low * low;
    }
    double product = product_of(steps, rotated, width);
    ret_fine->scale = (float)(1 / (SIDE_ONE * product));
    /* By Cauchy and Schwarz: the length of what the low bytes add, and of what a query's rounding leaves out,
     * half a step a dimension at most. */
    double unsaid = sqrt(low_squares) / product + 0.5 * sqrt(width) / SIDE_ONE;
    ret_fine->slack = (float)(1.001 * unsaid);
}

void vector_from_fine(const struct vector_fine *fine, const int8_t *low, uint32_t width, float *ret_rotated)
{
    float one = fine->scale * SIDE_ONE;
    for (uint32_t i = 0; i < width; i++)
        ret_rotated[i] = (float)(fine->high[i] * 256 + low[i]) * one;
}

INLINE void to_row(const float *rotated, uint32_t width, struct vector_row *ret_row)
{
    int16_t steps[VECTOR_MAX_DIM];
    uint8_t *low = row_low(ret_row, width);
    uint32_t quarter = width / 4;
    to_steps(rotated, width, MAX_STEP, steps);
    for (uint32_t i = 0; i < width; i++)
        ret_row->high[i] = (int8_t)(steps[i] >> 2);
    for (uint32_t i = 0; i < quarter; i++)
        low[i] = (uint8_t)((steps[i] & 3) | (steps[quarter + i] & 3) << 2 |
                           (steps[2 * quarter + i] & 3) << 4 | (steps[3 * quarter + i] & 3) << 6);
    /* Not the step's size: this way a vector's cosine with itself is 1, whatever rounding did to its length.
     */
    ret_row->scale = (float)(1 / (SIDE_ONE * product_of(steps, rotated, width)));
}

/* 64 random signs that depend on their place alone (splitmix64). */
static uint64_t signs_at(unsigned round, uint32_t word)
{
    uint64_t x = ((uint64_t)round << 32 | word) * UINT64_C(0x9e3779b97f4a7c15) + UINT64_C(0x632be59bd9b4e019);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

INLINE void flip_signs(float *vector, uint32_t width, unsigned round)
{
    const eight_bits place = {1, 2, 4, 8, 16, 32, 64, 128};
    for (uint32_t word = 0; word < width / 64; word++) {
        uint64_t signs = signs_at(round, word);
        for (unsigned i = 0; i < 64; i += 8) {
            eight_bits bits, flips = (place & (int32_t)(signs >> i & 0xff)) == place;
            memcpy(&bits, &vector[word * 64 + i], sizeof(bits));
            bits ^= flips & INT32_MIN;
            memcpy(&vector[word * 64 + i], &bits, sizeof(bits));
        }
    }
}

/* Sums and differences at distances 1, 2 and 4, eight numbers at a time. */
INLINE void transform_eights(float *vector, uint32_t n)
{
    const eight signs1 = {1, -1, 1, -1, 1, -1, 1, -1}, signs2 = {1, 1, -1, -1, 1, 1, -1, -1},
                signs4 = {1, 1, 1, 1, -1, -1, -1, -1};
    for (uint32_t at = 0; at < n; at += 8) {
        eight v;
        memcpy(&v, vector + at, sizeof(v));
        v = __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6) + v * signs1;
        v = __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5) + v * signs2;
        v = __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3) + v * signs4;
        memcpy(vector + at, &v, sizeof(v));
    }
}

INLINE void transform_pair(eight *left, eight *right)
{
    eight sum = *left + *right;
    *right = *left - *right;
    *left = sum;
}

/* Sums and differences at the distance half, a power of two from 8 up. */
INLINE void transform_at(float *vector, uint32_t n, uint32_t half)
{
    for (uint32_t at = 0; at < n; at += 2 * half)
        for (uint32_t i = at; i < at + half; i += 8) {
            float *places[2] = {vector + i, vector + i + half};
            eight v0, v1;
            memcpy(&v0, places[0], sizeof(v0));
            memcpy(&v1, places[1], sizeof(v1));
            transform_pair(&v0, &v1);
            memcpy(places[0], &v0, sizeof(v0));
            memcpy(places[1], &v1, sizeof(v1));
        }
}

/* The same at the distances half and 2 * half, with each number read and written once. */
INLINE void transform_at_two(float *vector, uint32_t n, uint32_t half)
{
    for (uint32_t at = 0; at < n; at += 4 * half)
        for (uint32_t i = at; i < at + half; i += 8) {
            float *places[4] = {vector + i, vector + i + half, vector + i + 2 * half, vector + i + 3 * half};
            eight v0, v1, v2, v3; /* an array would not stay in registers */
            memcpy(&v0, places[0], sizeof(v0));
            memcpy(&v1, places[1], sizeof(v1));
            memcpy(&v2, places[2], sizeof(v2));
            memcpy(&v3, places[3], sizeof(v3));
            transform_pair(&v0, &v1);
            transform_pair(&v2, &v3);
            transform_pair(&v0, &v2);
            transform_pair(&v1, &v3);
            memcpy(places[0], &v0, sizeof(v0));
            memcpy(places[1], &v1, sizeof(v1));
            memcpy(places[2], &v2, sizeof(v2));
            memcpy(places[3], &v3, sizeof(v3));
        }
}

/* The Walsh-Hadamard transform of n numbers, a power of two from 64 up; lengths grow by sqrt(n). */
INLINE void transform(float *vector, uint32_t n)
{
    uint32_t half = 8;
    transform_eights(vector, n);
    for (; 2 * half < n; half *= 4)
        transform_at_two(vector, n, half);
    if (half < n)
        transform_at(vector, n, half);
}

INLINE void rotate(float *vector, uint32_t width)
{
    uint32_t n = 64;
    while (n * 2 <= width)
        n *= 2;
    float scale = 1 / sqrtf((float)n);
    unsigned n_rounds = n == width ? N_ROUNDS_OF_POWER : N_ROUNDS;
    for (unsigned round = 0; round < n_rounds; round++) {
        float *part = round % 2 ? vector + width - n : vector;
        flip_signs(vector, width, round);
        transform(part, n);
        for (uint32_t i = 0; i < n; i++)
            part[i] *= scale;
    }
}

INLINE void encode(const float *rotated, uint32_t width, uint8_t *block, size_t i)
{
    float steps_per_one = sqrtf((float)width); /* a step is a standard deviation */
    int16_t levels[VECTOR_MAX_DIM];
    for (uint32_t at = 0; at < width; at++)
        levels[at] = (int16_t)level_near(rotated[at] * steps_per_one);
    for (uint32_t at = 0; at < width; at += 4) {
        unsigned code = 0;
        for (unsigned j = 0; j < 4; j++)
            code |= (unsigned)(levels[at + j] + 3) / 2 << 2 * j;
        block[at / 4 * BLOCK_DOCS + block_lane(i)] = (uint8_t)code;
    }
    /* Makes the factor one half of 32768 on the average. */
    double factor = 16384 * MEAN_PRODUCT * sqrt(width) / product_of(levels, rotated, width);
    block_factors(block, width)[i] = (int16_t)fmin(factor, INT16_MAX);
}

/* ---- what an added vector goes through, compiled for each processor ---- */

struct coder {
    int (*normalize)(const float *vector, uint32_t dim, uint32_t width, float *ret_unit);
    void (*rotate)(float *vector, uint32_t width);
    void (*to_row)(const float *rotated, uint32_t width, struct vector_row *ret_row);
    void (*to_fine)(const float *rotated, uint32_t width, struct vector_fine *ret_fine, int8_t *ret_low);
    void (*encode)(const float *rotated, uint32_t width, uint8_t *block, size_t i);
};

static int normalize_portable(const float *vector, uint32_t dim, uint32_t width, float *ret_unit)
{
    return normalize(vector, dim, width, ret_unit);
}

static void rotate_portable(float *vector, uint32_t width)
{
    rotate(vector, width);
}

static void to_row_portable(const float *rotated, uint32_t width, struct vector_row *ret_row)
{
    to_row(rotated, width, ret_row);
}

static void to_fine_portable(const float *rotated, uint32_t width, struct vector_fine *ret_fine,
                             int8_t *ret_low)
{
    to_fine(rotated, width, ret_fine, ret_low);
}

static void encode_portable(const float *rotated, uint32_t width, uint8_t *block, size_t i)
{
    encode(rotated, width, block, i);
}

static const struct coder coder_portable = {normalize_portable, rotate_portable, to_row_portable,
                                            to_fine_portable, encode_portable};

#ifdef __x86_64__
#define AVX2 __attribute__((target("avx2")))

AVX2 static int normalize_avx2(const float *vector, uint32_t dim, uint32_t width, float *ret_unit)
{
    return normalize(vector, dim, width, ret_unit);
}

AVX2 static void rotate_avx2(float *vector, uint32_t width)
{
    rotate(vector, width);
}

AVX2 static void to_row_avx2(const float *rotated, uint32_t width, struct vector_row *ret_row)
{
    to_row(rotated, width, ret_row);
}

AVX2 static void to_fine_avx2(const float *rotated, uint32_t width, struct vector_fine *ret_fine,
                              int8_t *ret_low)
{
    to_fine(rotated, width, ret_fine, ret_low);
}

AVX2 static void encode_avx2(const float *rotated, uint32_t width, uint8_t *block, size_t i)
{
    encode(rotated, width, block, i);
}

static const struct coder coder_avx2 = {normalize_avx2, rotate_avx2, to_row_avx2, to_fine_avx2, encode_avx2};

static const struct coder *coder(void)
{
    return __builtin_cpu_supports("avx2") ? &coder_avx2 : &coder_portable;
}
#else
static const struct coder *coder(void)
{
    return &coder_portable;
}
#endif

int vector_normalize(const float *vector, uint32_t dim, uint32_t width, float *ret_unit)
{
    return coder()->normalize(vector, dim, width, ret_unit);
}

void vector_rotate(float *vector, uint32_t width)
{
    coder()->rotate(vector, width);
}

void vector_to_row(const float *rotated, uint32_t width, struct vector_row *ret_row)
{
    coder()->to_row(rotated, width, ret_row);
}

void vector_to_fine(const float *rotated, uint32_t width, struct vector_fine *ret_fine, int8_t *ret_low)
{
    coder()->to_fine(rotated, width, ret_fine, ret_low);
}

void vector_encode(const float *rotated, uint32_t width, uint8_t *block, size_t i)
{
    coder()->encode(rotated, width, block, i);
}
