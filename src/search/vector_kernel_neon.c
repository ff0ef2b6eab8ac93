/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel for 64-bit ARM: a quarter of a block's row in a register. How the sums work stands in
 * vector_kernel_x86.c.
 */
#include "search/vector_priv.h"

#ifdef __ARM_NEON
#include <arm_neon.h>

static inline uint8x16_t look_up(const uint8_t *codes, const uint8_t *table)
{
    uint8x16_t code = vld1q_u8(codes);
    return vaddq_u8(vqtbl1q_u8(vld1q_u8(table), vandq_u8(code, vdupq_n_u8(15))),
                    vqtbl1q_u8(vld1q_u8(table + 16), vshrq_n_u8(code, 4)));
}

static inline uint64_t make_keys(uint16x8_t sums, const int16_t *factors, const struct vector_scan *scan,
                                 int16_t *ret_keys)
{
    static const uint16_t bits[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    int16x8_t centered = vsubq_s16(vreinterpretq_s16_u16(sums), vdupq_n_s16((int16_t)scan->middle));
    centered = vshlq_s16(centered, vdupq_n_s16((int16_t)scan->shift));
    int16x8_t keys = vqrdmulhq_s16(centered, vld1q_s16(factors));
    vst1q_s16(ret_keys, keys);
    return vaddvq_u16(vandq_u16(vcgeq_s16(keys, vdupq_n_s16(scan->at_least)), vld1q_u16(bits)));
}

static void scan_blocks(const uint8_t *blocks, size_t n_blocks, const struct vector_scan *scan,
                        int16_t *ret_keys, uint64_t *ret_masks)
{
    size_t n_lines = scan->n_lines;
    for (size_t b = 0; b < n_blocks; b++, blocks += scan->stride, ret_keys += BLOCK_DOCS) {
        const int16_t *factors = scan_factors(scan, blocks);
        ret_masks[b] = 0;
        for (size_t quarter = 0; quarter < 4; quarter++) {
            const uint8_t *codes = blocks + quarter * 16;
            uint16x8_t whole = vdupq_n_u16(0), odd = vdupq_n_u16(0);
            for (size_t line = 0; line < n_lines; line += GROUP_LINES) {
                uint8x16_t sum = vdupq_n_u8(0);
                for (size_t i = line; i < line + GROUP_LINES; i++)
                    sum = vaddq_u8(sum, look_up(codes + scan->lines[i] * BLOCK_DOCS, scan->table + i * 32));
                whole = vaddq_u16(whole, vreinterpretq_u16_u8(sum));
                odd = vsraq_n_u16(odd, vreinterpretq_u16_u8(sum), 8);
            }
            uint16x8_t even = vsubq_u16(whole, vshlq_n_u16(odd, 8));
            size_t i = quarter * 8;
            ret_masks[b] |= make_keys(even, factors + i, scan, ret_keys + i) << i;
            i += BLOCK_DOCS / 2;
            ret_masks[b] |= make_keys(odd, factors + i, scan, ret_keys + i) << i;
        }
    }
}

static inline int32x4_t add_products(int32x4_t sums, const int16_t *side, int16x8_t steps)
{
    int16x8_t a = vld1q_s16(side);
    return vmlal_high_s16(vmlal_s16(sums, vget_low_s16(a), vget_low_s16(steps)), a, steps);
}

static int32_t dot(const int16_t *side, const struct vector_row *row, uint32_t width)
{
    const uint8_t *low = row_low(row, width);
    uint32_t quarter = width / 4;
    int32x4_t sums = vdupq_n_s32(0);
    for (uint32_t i = 0; i < width; i += 8)
        sums = add_products(sums, side + i, vmovl_s8(vld1_s8(row->high + i)));
    sums = vshlq_n_s32(sums, 2);
    for (uint32_t part = 0; part < 4; part++, side += quarter)
        for (uint32_t i = 0; i < quarter; i += 8) {
            uint8x8_t steps =
                vand_u8(vshl_u8(vld1_u8(low + i), vdup_n_s8((int8_t)(-2 * (int)part))), vdup_n_u8(3));
            sums = add_products(sums, side + i, vreinterpretq_s16_u16(vmovl_u8(steps)));
        }
    return vaddvq_s32(sums);
}

static void dots(const int16_t *side, const int8_t *rows, size_t stride, size_t n, uint32_t width,
                 int32_t *ret_dots)
{
    for (size_t i = 0; i < n; i++, rows += stride) {
        int32x4_t sums = vdupq_n_s32(0);
        for (uint32_t at = 0; at < width; at += 8)
            sums = add_products(sums, side + at, vmovl_s8(vld1_s8(rows + at)));
        ret_dots[i] = vaddvq_s32(sums);
    }
}

const struct vector_kernel vector_kernel_neon = {"neon", scan_blocks, dot, dots};
#endif
