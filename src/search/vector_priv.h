/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the vector index: how vectors become codes and tables, how both lie in memory, and the kernels that
 * read them. All a kernel does is done in integers, so every kernel gives the same bits. Never leaves the
 * folder.
 *
 * A block holds the codes of 64 documents: one line of 64 bytes for every 4 dimensions, then a line of 64
 * factors. The document at i has byte 2 * i of a line (i < 32) or 2 * (i - 32) + 1: adding up 16-bit words
 * then leaves the first 32 documents' sums apart from the others', each in order.
 */
#ifndef PRECIS_SEARCH_VECTOR_PRIV_H
#define PRECIS_SEARCH_VECTOR_PRIV_H

#include "search/best.h"
#include "search/vector.h"

#define BLOCK_DOCS  64
#define GROUP_LINES 4 /* lines whose worths a byte has room for the sum of: they are read in whole groups */
/* The mean of a normal number times the level it is kept as; without unit. */
#define MEAN_PRODUCT 1.77
#define SIDE_ONE                                                                                             \
    32767 /* 1.0 in a query's fixed point: products with rows then fit 32 bits, whatever the order */
#define MAX_STEP      511
#define MAX_FINE_STEP 32639 /* the highest whose high byte is no more than 127 */
#define REST_ONE      32768 /* of what a side's rounding left: a half at most */

/* A vector as it is compared: a query's fixed-point numbers times its steps, times the scale, is the cosine.
 * Steps have ten bits: eight with the sign, then two in quarters of a byte, those of the first quarter of the
 * dimensions lowest. Eight bits lose 1 in 130 of the true first ten among 10,000 texts, ten 1 in 650. */
struct vector_row {
    float scale; /* 0: there is no vector */
    int8_t high[];
};

static inline size_t row_size_bytes(uint32_t width)
{
    return sizeof(struct vector_row) + width + width / 4;
}

static inline uint8_t *row_low(const struct vector_row *row, uint32_t width)
{
    return (uint8_t *)row->high + width;
}

static inline struct vector_row *row_at(uint8_t *rows, uint32_t width, size_t i)
{
    return (struct vector_row *)(void *)(rows + i * row_size_bytes(width));
}

/* A vector of an index of few: steps have sixteen bits, 256 times the high byte and the low one, both signed.
 * High bytes lie apart from the low ones: they alone say of most documents that they are too far away. */
struct vector_fine {
    float scale; /* as a row's */
    float slack; /* how far the cosine can be from what the high bytes say */
    int8_t high[];
};

static inline size_t fine_size_bytes(uint32_t width)
{
    return sizeof(struct vector_fine) + width;
}

static inline struct vector_fine *fine_at(uint8_t *rows, uint32_t width, size_t i)
{
    return (struct vector_fine *)(void *)(rows + i * fine_size_bytes(width));
}

/* Documents of a block, at i. */
static inline size_t block_lane(size_t i)
{
    return i < BLOCK_DOCS / 2 ? 2 * i : 2 * (i - BLOCK_DOCS / 2) + 1;
}

/* Of two bits for a component, to -3, -1, 1 or 3. */
static inline int level_of(unsigned bits)
{
    return 2 * (int)bits - 3;
}

/* The level nearest to a component; steps are standard deviations. */
static inline int level_near(float steps)
{
    return level_of((unsigned)(steps > -1) + (steps > 0) + (steps > 1));
}

static inline size_t code_size_bytes(uint32_t width)
{
    return width / 4;
}

static inline size_t block_size_bytes(uint32_t width)
{
    return (code_size_bytes(width) + sizeof(int16_t)) * BLOCK_DOCS;
}

static inline int16_t *block_factors(uint8_t *block, uint32_t width)
{
    return (int16_t *)(void *)(block + code_size_bytes(width) * BLOCK_DOCS);
}

/* How a query reads blocks, and what it makes of them. */
struct vector_scan {
    const uint8_t *table;  /* what a byte's lower and upper half are worth: 32 bytes a line that is read */
    const uint16_t *lines; /* those that are read, rising */
    size_t n_lines;        /* whole groups */
    size_t stride;         /* from one block to the next */
    int middle;            /* subtracted from a sum of the table's worths: no correlation is then 0 */
    unsigned shift;        /* that far up it still fits 16 bits */
    int16_t at_least;      /* the lowest key asked for */
    float key_per_cosine;  /* of small cosines */
    float self;            /* the query's key for itself, in key_per_cosine */
    float error;           /* the standard deviation of estimates of the cosine 0 */
};

static inline const int16_t *scan_factors(const struct vector_scan *scan, const uint8_t *block)
{
    return (const int16_t *)(const void *)(block + scan->stride) - BLOCK_DOCS;
}

struct vector_kernel {
    const char *name;
    /* Keys of the blocks' documents, in order, that rise with the estimated cosine, and a bit a document for
     * those of scan->at_least and above. */
    void (*scan)(const uint8_t *blocks, size_t n_blocks, const struct vector_scan *scan, int16_t *ret_keys,
                 uint64_t *ret_masks);
    int32_t (*dot)(const int16_t *side, const struct vector_row *row, uint32_t width);
    /* Of n rows of bytes, each so many bytes behind the one before. */
    void (*dots)(const int16_t *side, const int8_t *rows, size_t stride, size_t n, uint32_t width,
                 int32_t *ret_dots);
};

/* Those this processor can run, the best first; the last is the portable one. */
#define VECTOR_MAX_KERNELS 3
size_t vector_list_kernels(const struct vector_kernel *ret_kernels[static VECTOR_MAX_KERNELS]);

extern const struct vector_kernel vector_kernel_portable;
#ifdef __x86_64__
extern const struct vector_kernel vector_kernel_avx2, vector_kernel_avx512;
#endif
#ifdef __ARM_NEON
extern const struct vector_kernel vector_kernel_neon;
#endif

/* Reads dim numbers into width of unit length. 1: the zero vector. ERR_INVALID: not finite. */
int vector_normalize(const float *vector, uint32_t dim, uint32_t width, float *ret_unit);
/* Turns a vector in place, always the same way, so that its length spreads evenly over the dimensions. */
void vector_rotate(float *vector, uint32_t width);
/* A rotated unit vector as the other side of a comparison, in fixed point. */
void vector_to_side(const float *rotated, uint32_t width, int16_t *ret_side);
/* And what its rounding left. */
void vector_to_rest(const float *rotated, uint32_t width, int16_t *ret_rest);
void vector_to_row(const float *rotated, uint32_t width, struct vector_row *ret_row);
void vector_to_fine(const float *rotated, uint32_t width, struct vector_fine *ret_fine, int8_t *ret_low);
/* The rotated unit vector again, as far as sixteen bits say. */
void vector_from_fine(const struct vector_fine *fine, const int8_t *low, uint32_t width, float *ret_rotated);
/* Writes the code of a rotated unit vector as document i of the block. */
void vector_encode(const float *rotated, uint32_t width, uint8_t *block, size_t i);
/* Of a rotated unit query. The room for the table, width * 8 bytes, and for width / 4 lines is the caller's.
 */
void vector_make_scan(const float *rotated, uint32_t width, uint8_t *table, uint16_t *lines,
                      struct vector_scan *ret_scan);

/* The key that documents of this cosine have on the average, and the standard deviation of their cosines'
 * estimates. */
float vector_key_of(const struct vector_scan *scan, float cosine);
float vector_error_of(const struct vector_scan *scan, float cosine);

/* The cosine, unclamped. */
float vector_fine_dot(const struct vector_index *index, const struct vector_query *query, uint32_t doc);
/* vector_search where the index is fine; best: its room is the arena's. */
void vector_fine_search(const struct vector_index *index, const struct docs *docs,
                        const struct docs_filter *filter, const struct vector_query *query,
                        struct best *best);

static inline float vector_dot(const struct vector_index *index, const int16_t *side,
                               const struct vector_row *row)
{
    return (float)index->kernel->dot(side, row, index->width) * row->scale;
}

#endif
