/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels' portable twin, which says what the others compute, and the choice among them.
 */
#include "search/vector_priv.h"

static void scan_block(const uint8_t *block, const struct vector_scan *scan, int16_t *ret_keys)
{
    int sums[BLOCK_DOCS] = {0}; /* by lane */
    const uint8_t *table = scan->table;
    const int16_t *factors = scan_factors(scan, block);
    for (size_t line = 0; line < scan->n_lines; line++, table += 32) {
        const uint8_t *codes = block + scan->lines[line] * BLOCK_DOCS;
        for (size_t lane = 0; lane < BLOCK_DOCS; lane++)
            sums[lane] += table[codes[lane] & 15] + table[16 + (codes[lane] >> 4)];
    }
    for (size_t i = 0; i < BLOCK_DOCS; i++) {
        int sum = (sums[block_lane(i)] - scan->middle) * (1 << scan->shift);
        ret_keys[i] = (int16_t)((sum * factors[i] + (1 << 14)) >> 15);
    }
}

static void scan_blocks(const uint8_t *blocks, size_t n_blocks, const struct vector_scan *scan,
                        int16_t *ret_keys, uint64_t *ret_masks)
{
    for (size_t b = 0; b < n_blocks; b++, blocks += scan->stride, ret_keys += BLOCK_DOCS) {
        scan_block(blocks, scan, ret_keys);
        ret_masks[b] = 0;
        for (size_t i = 0; i < BLOCK_DOCS; i++)
            ret_masks[b] |= (uint64_t)(ret_keys[i] >= scan->at_least) << i;
    }
}

static int32_t dot(const int16_t *side, const struct vector_row *row, uint32_t width)
{
    const uint8_t *low = row_low(row, width);
    uint32_t quarter = width / 4;
    int32_t sum = 0;
    for (uint32_t i = 0; i < width; i++)
        sum += side[i] * row->high[i];
    sum *= 4;
    for (uint32_t i = 0; i < width; i++)
        sum += side[i] * (low[i % quarter] >> 2 * (i / quarter) & 3);
    return sum;
}

static void dots(const int16_t *side, const int8_t *rows, size_t stride, size_t n, uint32_t width,
                 int32_t *ret_dots)
{
    for (size_t i = 0; i < n; i++, rows += stride) {
        int32_t sum = 0;
        for (uint32_t at = 0; at < width; at++)
            sum += side[at] * rows[at];
        ret_dots[i] = sum;
    }
}

const struct vector_kernel vector_kernel_portable = {"portable", scan_blocks, dot, dots};

size_t vector_list_kernels(const struct vector_kernel *ret_kernels[static VECTOR_MAX_KERNELS])
{
    size_t n = 0;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
        ret_kernels[n++] = &vector_kernel_avx512;
    if (__builtin_cpu_supports("avx2"))
        ret_kernels[n++] = &vector_kernel_avx2;
#endif
#ifdef __ARM_NEON
    ret_kernels[n++] = &vector_kernel_neon;
#endif
    ret_kernels[n++] = &vector_kernel_portable;
    return n;
}
