/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the vector index: how vectors become codes and tables, how both lie in memory, and the kernels that
 * read them. All a kernel does is done in integers, so every kernel gives the same bits. Never leaves the
 * folder.
 *
 * A block holds the codes of 64 documents: one row of 64 bytes for every 8 dimensions, then a row of 64
 * factors. Document i has byte 2 * i of a row (i < 32) or 2 * (i - 32) + 1: adding up 16-bit words then
 * leaves the first 32 documents' sums apart from the others', each in order.
 */
#ifndef PRECIS_SEARCH_VECTOR_PRIV_H
#define PRECIS_SEARCH_VECTOR_PRIV_H

#include "search/vector.h"

#define BLOCK_DOCS 64
#define ROW_ONE    32767 /* 1.0 in a row: products of unit vectors then fit 32 bits, whatever the order */

/* Documents of a block, at i. */
static inline size_t block_lane(size_t i)
{
    return i < BLOCK_DOCS / 2 ? 2 * i : 2 * (i - BLOCK_DOCS / 2) + 1;
}

static inline size_t block_size_bytes(uint32_t width)
{
    return (width / 8 + sizeof(int16_t)) * BLOCK_DOCS;
}

static inline int16_t *block_factors(uint8_t *block, uint32_t width)
{
    return (int16_t *)(void *)(block + width / 8 * BLOCK_DOCS);
}

struct vector_scan {
    const uint8_t *table;
    uint32_t width;
    int middle;       /* subtracted from a sum of the table's worths: no correlation is then 0 */
    unsigned shift;   /* that far up it still fits 16 bits */
    int16_t at_least; /* the lowest key asked for */
};

struct vector_kernel {
    const char *name;
    /* Keys of the blocks' documents, in order, that rise with the estimated cosine, and a bit a document for
     * those of scan->at_least and above. */
    void (*scan)(const uint8_t *blocks, size_t n_blocks, const struct vector_scan *scan, int16_t *ret_keys,
                 uint64_t *ret_masks);
    int32_t (*dot)(const int16_t *left, const int16_t *right, uint32_t width);
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
void vector_to_row(const float *unit, uint32_t width, int16_t *ret_row);
/* Turns a vector in place, always the same way, so that its length spreads evenly over the dimensions. */
void vector_rotate(float *vector, uint32_t width);
/* Writes the code of a rotated unit vector as document i of the block. */
void vector_encode(const float *rotated, uint32_t width, uint8_t *block, size_t i);
/* The table of a rotated unit query, width / 4 * 16 bytes. */
void vector_make_table(const float *rotated, uint32_t width, uint8_t *ret_table);
struct vector_scan vector_make_scan(const uint8_t *table, uint32_t width);

#endif
