/* SPDX-License-Identifier: Apache-2.0
 *
 * What a query becomes. To be compared: numbers in fixed point. To scan codes: what any four bits of a code,
 * two components, are worth for it stands in a table of 16 bytes, which is one shuffle instruction for as
 * many documents as a register has bytes.
 *
 * Not all lines of codes are read. After the rotation a query's components are spread like normal numbers: 4
 * in 10 lines, each of four components, hold only a sixth of its square length, and about a sixth of every
 * document's product with it. Leaving these out makes the guess's error 1.7 times as large; of real texts
 * among 10,000, 140 documents are then compared in place of 60, for a quarter of what is saved.
 */
#include "search/vector_priv.h"

#include <math.h>

#define TABLE_TOP   30        /* the highest worth: of eight the sum fits a byte, of all of a code 16 bits */
#define LINE_MIDDLE TABLE_TOP /* of a line's two lookups, each half the top where nothing correlates */
/* Of the square length that each line would hold if all held the same: one that holds less is not read. */
#define LINE_MIN_SHARE 0.7F
/* The square of an estimate's error times the width: what levels and rounded worths make of it. */
#define CODE_ERROR 0.145F

typedef float four_floats __attribute__((vector_size(16)));
typedef int32_t four_whole __attribute__((vector_size(16)));

void vector_to_side(const float *rotated, uint32_t width, int16_t *ret_side)
{
    for (uint32_t i = 0; i < width; i++)
        ret_side[i] = (int16_t)(rotated[i] * SIDE_ONE + (rotated[i] < 0 ? -0.5F : 0.5F));
}

void vector_to_rest(const float *rotated, uint32_t width, int16_t *ret_rest)
{
    for (uint32_t i = 0; i < width; i++) {
        float steps = rotated[i] * SIDE_ONE;
        int whole = (int)(steps + (steps < 0 ? -0.5F : 0.5F)); /* as vector_to_side rounds */
        ret_rest[i] = (int16_t)((steps - (float)whole) * REST_ONE);
    }
}

/* What two components of 4.2 standard deviations together are worth is the most or the least: fewer than one
 * pair in 300 has more. */
static float worth_per_one(uint32_t width)
{
    return (float)TABLE_TOP / 2 / (3 * 4.2F) * sqrtf((float)width);
}

/* The key of a document whose cosine is 1, where all lines are read. */
static float key_per_one(uint32_t width, unsigned shift)
{
    return (float)(1 << shift) * worth_per_one(width) * (float)MEAN_PRODUCT * sqrtf((float)width) / 2;
}

/* Writes the tables of one line, 32 bytes. */
static void make_line_table(const float *rotated, float scale, uint8_t *ret_table)
{
    const four_floats levels = {(float)level_of(0), (float)level_of(1), (float)level_of(2),
                                (float)level_of(3)};
    for (uint32_t at = 0; at < 4; at += 2) {
        four_floats firsts = rotated[at] * levels * scale, seconds = rotated[at + 1] * levels * scale;
        for (int second = 0; second < 4; second++) {
            four_whole worths =
                __builtin_convertvector(seconds[second] + firsts + TABLE_TOP / 2 + 0.5F, four_whole);
            four_whole is_over = worths > TABLE_TOP;
            worths = ((worths & ~is_over) | (TABLE_TOP & is_over)) & ~(worths < 0);
            for (int first = 0; first < 4; first++)
                *ret_table++ = (uint8_t)worths[first];
        }
    }
}

/* The square length of each line's four components. Returns how many lines are not read: whole groups. */
static size_t weigh_lines(const float *rotated, size_t n_lines, float min_squares, float *ret_squares)
{
    size_t n_small = 0;
    for (size_t i = 0; i < n_lines; i++) {
        const float *four = rotated + 4 * i;
        ret_squares[i] = four[0] * four[0] + four[1] * four[1] + four[2] * four[2] + four[3] * four[3];
        n_small += ret_squares[i] < min_squares;
    }
    return n_small - n_small % GROUP_LINES;
}

/* The product of a line with its own code. */
static float multiply_with_code(const float four[4], float steps_per_one)
{
    float product = 0;
    for (size_t i = 0; i < 4; i++)
        product += four[i] * (float)level_near(four[i] * steps_per_one);
    return product;
}

void vector_make_scan(const float *rotated, uint32_t width, uint8_t *table, uint16_t *lines,
                      struct vector_scan *ret_scan)
{
    size_t n_lines = code_size_bytes(width), n = 0;
    float squares[VECTOR_MAX_DIM / 4], min_squares = LINE_MIN_SHARE / (float)n_lines;
    float steps_per_one = sqrtf((float)width), share = 0, product = 0, whole_product = 0;
    size_t n_left_out = weigh_lines(rotated, n_lines, min_squares, squares);
    for (size_t i = 0; i < n_lines; i++) {
        const float *four = rotated + 4 * i;
        float of_line = multiply_with_code(four, steps_per_one);
        whole_product += of_line;
        if (n_left_out && squares[i] < min_squares) {
            n_left_out--;
            continue;
        }
        share += squares[i];
        product += of_line;
        make_line_table(four, worth_per_one(width), table + 32 * n);
        lines[n++] = (uint16_t)i;
    }
    int middle = LINE_MIDDLE * (int)n;
    unsigned shift = 0;
    while ((middle << (shift + 1)) <= INT16_MAX)
        shift++;
    *ret_scan = (struct vector_scan){.table = table,
                                     .lines = lines,
                                     .n_lines = n,
                                     .stride = block_size_bytes(width),
                                     .middle = middle,
                                     .shift = shift,
                                     .key_per_cosine = share * key_per_one(width, shift),
                                     .self = product / whole_product / share,
                                     .error = sqrtf((CODE_ERROR * share + 1 - share) / (float)width) / share,
                                     .at_least = INT16_MIN};
}

/* What the lines read hold of a document's product with its code is their share of the square length only for
 * documents that have nothing to do with the query. A large component's level is less than it says, so the
 * share falls by a part that rises with the square of the cosine (the third Hermite polynomial), and is known
 * at 1. */
float vector_key_of(const struct vector_scan *scan, float cosine)
{
    return scan->key_per_cosine * cosine * (1 + (scan->self - 1) * cosine * cosine);
}

float vector_error_of(const struct vector_scan *scan, float cosine)
{
    return scan->error * sqrtf(1 - cosine * cosine);
}

static int make_scan(const float *rotated, uint32_t width, struct arena *arena,
                     const struct vector_scan **ret_scan)
{
    struct vector_scan *scan = arena_alloc(arena, sizeof(*scan));
    uint8_t *table = arena_alloc(arena, (size_t)width / 4 * 32);
    uint16_t *lines = arena_alloc(arena, width / 4 * sizeof(*lines));
    if (!scan || !table || !lines)
        return arena_error(arena);
    vector_make_scan(rotated, width, table, lines, scan);
    *ret_scan = scan;
    return 0;
}

int vector_make_query(const struct vector_index *index, const float *vector, struct arena *arena,
                      struct vector_query *ret_query)
{
    float unit[VECTOR_MAX_DIM];
    uint32_t width = index->width;
    int found = vector_normalize(vector, index->dim, width, unit);
    if (found < 0)
        return found;
    if (found > 0) {
        *ret_query = (struct vector_query){0};
        return 0;
    }
    int16_t *side = arena_alloc(arena, width * sizeof(*side));
    int16_t *rest = arena_alloc(arena, width * sizeof(*rest));
    if (!side || !rest)
        return arena_error(arena);
    vector_rotate(unit, width);
    vector_to_side(unit, width, side);
    vector_to_rest(unit, width, rest);
    *ret_query = (struct vector_query){.row = side, .rest = rest};
    return index->is_fine ? 0 : make_scan(unit, width, arena, &ret_query->scan);
}
