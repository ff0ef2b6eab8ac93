/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels for AVX2 and for AVX-512 (F and BW). Worths of eight lookups, 240 at most, add up in bytes;
 * then 16-bit words take them: one sum of whole words, in which the odd bytes' worths overflow into nothing
 * that is kept, and one of the odd bytes alone, by which the first is put right at the end.
 */
#include "search/vector_priv.h"

#ifdef __x86_64__
#include <immintrin.h>

#define AVX2   __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f,avx512bw")))

/* The codes of the block's i-th line that is read. The processor reads ahead by itself only what is read
 * without gaps; so the line is asked for in the block after the next. */
static inline const uint8_t *line_at(const uint8_t *block, const struct vector_scan *scan, size_t i)
{
    const uint8_t *line = block + (size_t)scan->lines[i] * BLOCK_DOCS;
    __builtin_prefetch((const void *)((uintptr_t)line + 2 * scan->stride)); /* may lie behind the last */
    return line;
}

/* ---- AVX2: half a line of a block in a register ---- */

AVX2 static inline unsigned keys_avx2(__m256i sums, const int16_t *factors, const struct vector_scan *scan,
                                      int16_t *ret_keys)
{
    sums = _mm256_sub_epi16(sums, _mm256_set1_epi16((int16_t)scan->middle));
    sums = _mm256_sll_epi16(sums, _mm_cvtsi32_si128((int)scan->shift));
    __m256i keys = _mm256_mulhrs_epi16(sums, _mm256_loadu_si256((const __m256i *)(const void *)factors));
    _mm256_storeu_si256((__m256i *)(void *)ret_keys, keys);
    __m256i below = _mm256_cmpgt_epi16(_mm256_set1_epi16(scan->at_least), keys);
    __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(below), _mm256_extracti128_si256(below, 1));
    return ~(unsigned)_mm_movemask_epi8(bytes) & 0xffff;
}

/* A line's codes, by halves: what they are worth is added to the sums. The tables are read once for both. */
AVX2 static inline void look_up_avx2(const uint8_t *codes, const uint8_t *table, __m256i sums[2])
{
    const __m256i low = _mm256_set1_epi8(15);
    __m256i first = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
    __m256i second =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(table + 16)));
    for (size_t half = 0; half < 2; half++) {
        __m256i code = _mm256_loadu_si256((const __m256i *)(const void *)(codes + half * 32));
        __m256i high = _mm256_and_si256(_mm256_srli_epi16(code, 4), low);
        sums[half] = _mm256_add_epi8(sums[half], _mm256_shuffle_epi8(first, _mm256_and_si256(code, low)));
        sums[half] = _mm256_add_epi8(sums[half], _mm256_shuffle_epi8(second, high));
    }
}

AVX2 static void scan_avx2(const uint8_t *blocks, size_t n_blocks, const struct vector_scan *scan,
                           int16_t *ret_keys, uint64_t *ret_masks)
{
    size_t n_lines = scan->n_lines;
    for (size_t b = 0; b < n_blocks; b++, blocks += scan->stride, ret_keys += BLOCK_DOCS) {
        const int16_t *factors = scan_factors(scan, blocks);
        __m256i whole[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()}, odd[2] = {whole[0], whole[0]};
        for (size_t line = 0; line < n_lines; line += GROUP_LINES) {
            __m256i sums[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
            for (size_t i = 0; i < GROUP_LINES; i++)
                look_up_avx2(line_at(blocks, scan, line + i), scan->table + (line + i) * 32, sums);
            for (size_t half = 0; half < 2; half++) {
                whole[half] = _mm256_add_epi16(whole[half], sums[half]);
                odd[half] = _mm256_add_epi16(odd[half], _mm256_srli_epi16(sums[half], 8));
            }
        }
        ret_masks[b] = 0;
        for (size_t half = 0; half < 2; half++) {
            __m256i even = _mm256_sub_epi16(whole[half], _mm256_slli_epi16(odd[half], 8));
            size_t i = half * 16;
            ret_masks[b] |= (uint64_t)keys_avx2(even, factors + i, scan, ret_keys + i) << i;
            i += BLOCK_DOCS / 2;
            ret_masks[b] |= (uint64_t)keys_avx2(odd[half], factors + i, scan, ret_keys + i) << i;
        }
    }
}

AVX2 static int32_t sum_avx2(__m256i sums)
{
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1));
    return _mm_cvtsi128_si32(four);
}

/* One quarter of the dimensions beside the others: the low bits of their steps lie in one byte. */
AVX2 static int32_t dot_avx2(const int16_t *side, const struct vector_row *row, uint32_t width)
{
    const __m256i three = _mm256_set1_epi16(3);
    const uint8_t *low = row_low(row, width);
    uint32_t quarter = width / 4;
    __m256i sums = _mm256_setzero_si256();
    for (uint32_t i = 0; i < quarter; i += 16) {
        __m256i four = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(low + i)));
        __m256i lows[4] = {four, _mm256_srli_epi16(four, 2), _mm256_srli_epi16(four, 4),
                           _mm256_srli_epi16(four, 6)};
        for (uint32_t part = 0; part < 4; part++) {
            uint32_t at = part * quarter + i;
            __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(side + at));
            __m256i high =
                _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(row->high + at)));
            __m256i steps = _mm256_or_si256(_mm256_slli_epi16(high, 2), _mm256_and_si256(lows[part], three));
            sums = _mm256_add_epi32(sums, _mm256_madd_epi16(a, steps));
        }
    }
    return sum_avx2(sums);
}

AVX2 static void dots_avx2(const int16_t *side, const int8_t *rows, size_t stride, size_t n, uint32_t width,
                           int32_t *ret_dots)
{
    for (size_t i = 0; i < n; i++, rows += stride) {
        __m256i sums = _mm256_setzero_si256();
        for (uint32_t at = 0; at < width; at += 16) {
            __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(side + at));
            __m256i b = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(rows + at)));
            sums = _mm256_add_epi32(sums, _mm256_madd_epi16(a, b));
        }
        ret_dots[i] = sum_avx2(sums);
    }
}

const struct vector_kernel vector_kernel_avx2 = {"avx2", scan_avx2, dot_avx2, dots_avx2};

/* ---- AVX-512: a whole line ---- */

AVX512 static inline __m512i look_up_avx512(const uint8_t *codes, const uint8_t *table)
{
    const __m512i low = _mm512_set1_epi8(15);
    __m512i code = _mm512_loadu_si512(codes);
    __m512i first = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)table));
    __m512i second = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)(table + 16)));
    return _mm512_add_epi8(_mm512_shuffle_epi8(first, _mm512_and_si512(code, low)),
                           _mm512_shuffle_epi8(second, _mm512_and_si512(_mm512_srli_epi16(code, 4), low)));
}

AVX512 static inline uint64_t keys_avx512(__m512i sums, const int16_t *factors,
                                          const struct vector_scan *scan, int16_t *ret_keys)
{
    sums = _mm512_sub_epi16(sums, _mm512_set1_epi16((int16_t)scan->middle));
    sums = _mm512_sll_epi16(sums, _mm_cvtsi32_si128((int)scan->shift));
    __m512i keys = _mm512_mulhrs_epi16(sums, _mm512_loadu_si512(factors));
    _mm512_storeu_si512(ret_keys, keys);
    return _mm512_cmpge_epi16_mask(keys, _mm512_set1_epi16(scan->at_least));
}

AVX512 static void scan_avx512(const uint8_t *blocks, size_t n_blocks, const struct vector_scan *scan,
                               int16_t *ret_keys, uint64_t *ret_masks)
{
    size_t n_lines = scan->n_lines;
    for (size_t b = 0; b < n_blocks; b++, blocks += scan->stride, ret_keys += BLOCK_DOCS) {
        __m512i whole = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
        for (size_t line = 0; line < n_lines; line += GROUP_LINES) {
            __m512i sum = _mm512_setzero_si512();
            for (size_t i = 0; i < GROUP_LINES; i++)
                sum = _mm512_add_epi8(
                    sum, look_up_avx512(line_at(blocks, scan, line + i), scan->table + (line + i) * 32));
            whole = _mm512_add_epi16(whole, sum);
            odd = _mm512_add_epi16(odd, _mm512_srli_epi16(sum, 8));
        }
        __m512i even = _mm512_sub_epi16(whole, _mm512_slli_epi16(odd, 8));
        const int16_t *factors = scan_factors(scan, blocks);
        uint64_t first = keys_avx512(even, factors, scan, ret_keys);
        uint64_t second = keys_avx512(odd, factors + BLOCK_DOCS / 2, scan, ret_keys + BLOCK_DOCS / 2);
        ret_masks[b] = first | second << 32;
    }
}

/* The sums of four registers each. */
AVX512 static inline __m128i sum_four_avx512(const __m512i sums[4])
{
    __m256i halves[4];
    for (unsigned i = 0; i < 4; i++)
        halves[i] = _mm256_add_epi32(_mm512_castsi512_si256(sums[i]), _mm512_extracti64x4_epi64(sums[i], 1));
    __m256i pairs =
        _mm256_hadd_epi32(_mm256_hadd_epi32(halves[0], halves[1]), _mm256_hadd_epi32(halves[2], halves[3]));
    return _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
}

/* Four rows at a time; where there are fewer the last stands in. */
AVX512 static void dots_avx512(const int16_t *side, const int8_t *rows, size_t stride, size_t n,
                               uint32_t width, int32_t *ret_dots)
{
    for (size_t i = 0; i < n; i += 4) {
        __m512i sums[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                           _mm512_setzero_si512()};
        const int8_t *four[4];
        int32_t found[4];
        for (size_t k = 0; k < 4; k++)
            four[k] = rows + (i + k < n ? i + k : n - 1) * stride;
        for (uint32_t at = 0; at < width; at += 32) {
            __m512i a = _mm512_loadu_si512(side + at);
            for (size_t k = 0; k < 4; k++) {
                __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(four[k] + at));
                sums[k] = _mm512_add_epi32(sums[k], _mm512_madd_epi16(a, _mm512_cvtepi8_epi16(bytes)));
            }
        }
        _mm_storeu_si128((__m128i *)(void *)found, sum_four_avx512(sums));
        memcpy(ret_dots + i, found, (n - i < 4 ? n - i : 4) * sizeof(*found));
    }
}

const struct vector_kernel vector_kernel_avx512 = {"avx512", scan_avx512, dot_avx2, dots_avx512};
#endif
