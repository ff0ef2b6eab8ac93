/* SPDX-License-Identifier: Apache-2.0
 *
 * From vectors to codes (RaBitQ, SIGMOD 2024, with one factor in place of two). A unit vector z is turned at
 * random and keeps the signs s of its components; <s, q> / |z|_1, the sum of the absolute components below,
 * is then an estimate of <z, q> without bias, its error about 1 / sqrt(width). The query keeps four bits a
 * component, in steps symmetric about zero: worth u or 15 - u for either sign, 0 to 15. What any four bits of
 * a code are worth together, 0 to 60, stands in a table of 16 bytes, which is one shuffle instruction for as
 * many documents as a register has bytes.
 *
 * The rotation is rounds of random signs and a Hadamard transform over the largest power of two that fits,
 * over the front and the back in turn. Additions alone, in one order: the same bits on every machine.
 */
#include "search/vector_priv.h"

#include <math.h>

#define N_ROUNDS 4 /* two mix a power of two; where front and back overlap by half, four do */

int vector_normalize(const float *vector, uint32_t dim, uint32_t width, float *ret_unit)
{
    double squares = 0;
    for (uint32_t i = 0; i < dim; i++)
        squares += (double)vector[i] * vector[i];
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

void vector_to_row(const float *unit, uint32_t width, int16_t *ret_row)
{
    for (uint32_t i = 0; i < width; i++)
        ret_row[i] = (int16_t)(unit[i] * ROW_ONE + (unit[i] < 0 ? -0.5F : 0.5F));
}

/* 64 random signs that depend on their place alone (splitmix64). */
static uint64_t signs_at(unsigned round, uint32_t word)
{
    uint64_t x = ((uint64_t)round << 32 | word) * UINT64_C(0x9e3779b97f4a7c15) + UINT64_C(0x632be59bd9b4e019);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static void flip_signs(float *vector, uint32_t width, unsigned round)
{
    for (uint32_t word = 0; word < width / 64; word++) {
        uint64_t signs = signs_at(round, word);
        for (unsigned i = 0; i < 64; i++) {
            uint32_t bits;
            memcpy(&bits, &vector[word * 64 + i], sizeof(bits));
            bits ^= (uint32_t)(signs >> i & 1) << 31;
            memcpy(&vector[word * 64 + i], &bits, sizeof(bits));
        }
    }
}

/* Eight at a time: sums and differences at distances 1, 2 and 4, which a compiler does not turn into vector
 * code by itself. */
static void transform_eights(float *vector, uint32_t n)
{
    for (float *v = vector; v < vector + n; v += 8) {
        float a0 = v[0] + v[1], a1 = v[0] - v[1], a2 = v[2] + v[3], a3 = v[2] - v[3];
        float a4 = v[4] + v[5], a5 = v[4] - v[5], a6 = v[6] + v[7], a7 = v[6] - v[7];
        float b0 = a0 + a2, b1 = a1 + a3, b2 = a0 - a2, b3 = a1 - a3;
        float b4 = a4 + a6, b5 = a5 + a7, b6 = a4 - a6, b7 = a5 - a7;
        v[0] = b0 + b4, v[1] = b1 + b5, v[2] = b2 + b6, v[3] = b3 + b7;
        v[4] = b0 - b4, v[5] = b1 - b5, v[6] = b2 - b6, v[7] = b3 - b7;
    }
}

/* The Walsh-Hadamard transform of n numbers, a power of two from 64 up; lengths grow by sqrt(n). */
static void transform(float *vector, uint32_t n)
{
    transform_eights(vector, n);
    for (uint32_t half = 8; half < n; half *= 2)
        for (uint32_t at = 0; at < n; at += 2 * half) {
            float *restrict left = vector + at, *restrict right = vector + at + half;
            for (uint32_t i = 0; i < half; i++) {
                float sum = left[i] + right[i], difference = left[i] - right[i];
                left[i] = sum;
                right[i] = difference;
            }
        }
}

void vector_rotate(float *vector, uint32_t width)
{
    uint32_t n = 64;
    while (n * 2 <= width)
        n *= 2;
    float scale = 1 / sqrtf((float)n);
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        float *part = round % 2 ? vector + width - n : vector;
        flip_signs(vector, width, round);
        transform(part, n);
        for (uint32_t i = 0; i < n; i++)
            part[i] *= scale;
    }
}

void vector_encode(const float *rotated, uint32_t width, uint8_t *block, size_t i)
{
    double absolutes = 0;
    for (uint32_t at = 0; at < width; at += 8) {
        unsigned code = 0;
        for (unsigned bit = 0; bit < 8; bit++) {
            absolutes += fabs((double)rotated[at + bit]);
            code |= (unsigned)(rotated[at + bit] > 0) << bit;
        }
        block[at / 8 * BLOCK_DOCS + block_lane(i)] = (uint8_t)code;
    }
    /* The sum of absolutes is sqrt(2 / pi * width) on the average: the factor is about one half of 32768. */
    double factor = 16384 * sqrt(2 / M_PI * width) / absolutes;
    block_factors(block, width)[i] = (int16_t)fmin(factor, INT16_MAX);
}

/* u of the two worths u and 15 - u. Beyond 2.8 standard deviations steps would serve hardly any component. */
static unsigned quantize(float component, float steps_per_one)
{
    float steps = component * steps_per_one + 8; /* 7.5, and 0.5 to round */
    return steps <= 0 ? 0 : steps >= 15 ? 15 : (unsigned)steps;
}

void vector_make_table(const float *rotated, uint32_t width, uint8_t *ret_table)
{
    float steps_per_one = sqrtf((float)width) * (7.5F / 2.8F);
    for (uint32_t at = 0; at < width; at += 4, ret_table += 16) {
        unsigned u[4], all_negative = 0;
        for (unsigned bit = 0; bit < 4; bit++) {
            u[bit] = quantize(rotated[at + bit], steps_per_one);
            all_negative += 15 - u[bit];
        }
        ret_table[0] = (uint8_t)all_negative;
        for (unsigned code = 1; code < 16; code++) {
            unsigned bit = (unsigned)__builtin_ctz(code);
            ret_table[code] = (uint8_t)(ret_table[code & (code - 1)] + 2 * (int)u[bit] - 15);
        }
    }
}

struct vector_scan vector_make_scan(const uint8_t *table, uint32_t width)
{
    struct vector_scan scan = {
        .table = table, .width = width, .middle = (int)(width * 15 / 2), .at_least = INT16_MIN};
    while ((scan.middle << (scan.shift + 1)) <= INT16_MAX)
        scan.shift++;
    return scan;
}
