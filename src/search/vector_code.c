/* SPDX-License-Identifier: Apache-2.0
 *
 * From vectors to codes (after RaBitQ, SIGMOD 2024 and 2025, with one factor in place of two). A unit vector
 * z is turned at random and each component is kept in two bits, as the odd number l of -3, -1, 1 and 3 that
 * it is nearest to in steps of half a standard deviation; <l, q> / <l, z> is then an estimate of <z, q> whose
 * error is about 0.37 / sqrt(width). What any four bits of a code, two components, are worth for a query
 * stands in a table of 16 bytes, which is one shuffle instruction for as many documents as a register has
 * bytes.
 *
 * The rotation is rounds of random signs and a Hadamard transform over the largest power of two that fits,
 * over the front and the back in turn. Additions alone, in one order: the same bits on every machine.
 */
#include "search/vector_priv.h"

#include <math.h>

/* The mean of a normal number times the level it is kept as; without unit. */
#define MEAN_PRODUCT 1.77
#define N_ROUNDS     4 /* two mix a power of two; where front and back overlap by half, four do */

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

void vector_to_side(const float *rotated, uint32_t width, int16_t *ret_side)
{
    for (uint32_t i = 0; i < width; i++)
        ret_side[i] = (int16_t)(rotated[i] * SIDE_ONE + (rotated[i] < 0 ? -0.5F : 0.5F));
}

void vector_to_row(const float *rotated, uint32_t width, struct vector_row *ret_row)
{
    uint8_t *low = row_low(ret_row, width);
    uint32_t quarter = width / 4;
    float largest = 0;
    double product = 0;
    for (uint32_t i = 0; i < width; i++)
        largest = fmaxf(largest, fabsf(rotated[i]));
    memset(low, 0, quarter);
    for (uint32_t i = 0; i < width; i++) {
        int step = (int)lrintf(rotated[i] / largest * MAX_STEP);
        ret_row->high[i] = (int8_t)(step >> 2);
        low[i % quarter] |= (uint8_t)((step & 3) << 2 * (i / quarter));
        product += (double)step * rotated[i];
    }
    /* Not the step's size: this way a vector's cosine with itself is 1, whatever rounding did to its length.
     */
    ret_row->scale = (float)(1 / (SIDE_ONE * product));
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

/* Of two bits for a component, to -3, -1, 1 or 3. */
static int level_of(unsigned bits)
{
    return 2 * (int)bits - 3;
}

void vector_encode(const float *rotated, uint32_t width, uint8_t *block, size_t i)
{
    float steps_per_one = sqrtf((float)width); /* a step is a standard deviation */
    double product = 0;
    for (uint32_t at = 0; at < width; at += 4) {
        unsigned code = 0;
        for (unsigned j = 0; j < 4; j++) {
            float steps = rotated[at + j] * steps_per_one;
            unsigned bits = (unsigned)(steps > -1) + (steps > 0) + (steps > 1);
            code |= bits << 2 * j;
            product += (double)rotated[at + j] * level_of(bits);
        }
        block[at / 4 * BLOCK_DOCS + block_lane(i)] = (uint8_t)code;
    }
    /* Makes the factor one half of 32768 on the average. */
    double factor = 16384 * MEAN_PRODUCT * sqrt(width) / product;
    block_factors(block, width)[i] = (int16_t)fmin(factor, INT16_MAX);
}

/* The highest worth: of a byte four are added up, and all of a code in 16 bits. */
static int table_top(uint32_t width)
{
    return width <= 2048 ? 60 : 30;
}

/* What two components of 4.2 standard deviations together are worth is the most or the least: fewer than one
 * pair in 300 has more. */
static float worth_per_one(uint32_t width)
{
    return (float)table_top(width) / 2 / (3 * 4.2F) * sqrtf((float)width);
}

void vector_make_table(const float *rotated, uint32_t width, uint8_t *ret_table)
{
    float scale = worth_per_one(width), top = (float)table_top(width);
    for (uint32_t at = 0; at < width; at += 2)
        for (unsigned second = 0; second < 4; second++) {
            float rest = top / 2 + 0.5F + rotated[at + 1] * (float)level_of(second) * scale;
            for (unsigned first = 0; first < 4; first++) {
                float worth = rest + rotated[at] * (float)level_of(first) * scale;
                worth = worth < 0 ? 0 : worth;
                *ret_table++ = (uint8_t)(int)(worth > top ? top : worth);
            }
        }
}

struct vector_scan vector_make_scan(const uint8_t *table, uint32_t width)
{
    struct vector_scan scan = {.table = table,
                               .n_lines = code_size_bytes(width),
                               .middle = table_top(width) / 2 * (int)(width / 2),
                               .at_least = INT16_MIN};
    while ((scan.middle << (scan.shift + 1)) <= INT16_MAX)
        scan.shift++;
    return scan;
}

float vector_key_per_cosine(uint32_t width)
{
    struct vector_scan scan = vector_make_scan(NULL, width);
    return (float)(1 << scan.shift) * worth_per_one(width) * (float)MEAN_PRODUCT * sqrtf((float)width) / 2;
}

float vector_estimate_error(uint32_t width, float cosine)
{
    return sqrtf(0.135F * (1 - cosine * cosine) / (float)width);
}
