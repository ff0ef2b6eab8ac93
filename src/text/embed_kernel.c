/* SPDX-License-Identifier: Apache-2.0
 *
 * Adding rows of eight bits, each times its factor: sums stay in registers while the tokens go by, one cache
 * line of each row at a time. Integers throughout, so that every kernel gives the same vector on every
 * machine.
 */
#include "text/embed_priv.h"

static void add_portable(const struct embed_rows *rows, const uint32_t *tokens, size_t n_tokens,
                         int32_t *ret_sum)
{
    memset(ret_sum, 0, rows->n_dims * sizeof *ret_sum);
    for (size_t i = 0; i < n_tokens; i++) {
        const int8_t *row = rows->rows + tokens[i] * rows->n_dims;
        int32_t factor = rows->factors[tokens[i]];
        for (size_t d = 0; d < rows->n_dims; d++)
            ret_sum[d] += factor * row[d];
    }
}

#ifdef __x86_64__
#include <immintrin.h>

/* A widened byte is a pair of 16-bit halves (value, sign) and the factor the pair (factor, 0): one
 * multiply-add of pairs gives the 32-bit product. */
__attribute__((target("avx512f,avx512bw"))) static void
add_avx512(const struct embed_rows *rows, const uint32_t *tokens, size_t n_tokens, int32_t *ret_sum)
{
    for (size_t at = 0; at < rows->n_dims; at += EMBED_BLOCK_DIMS) {
        __m512i sums[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                           _mm512_setzero_si512()};
        for (size_t i = 0; i < n_tokens; i++) {
            const int8_t *row = rows->rows + tokens[i] * rows->n_dims + at;
            __m512i factor = _mm512_set1_epi32(rows->factors[tokens[i]]);
            for (int part = 0; part < 4; part++) {
                __m512i wide = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(row + 16 * part)));
                sums[part] = _mm512_add_epi32(sums[part], _mm512_madd_epi16(wide, factor));
            }
        }
        for (int part = 0; part < 4; part++)
            _mm512_storeu_si512(ret_sum + at + 16 * part, sums[part]);
    }
}

__attribute__((target("avx2"))) static void add_avx2(const struct embed_rows *rows, const uint32_t *tokens,
                                                     size_t n_tokens, int32_t *ret_sum)
{
    for (size_t at = 0; at < rows->n_dims; at += EMBED_BLOCK_DIMS) {
        __m256i sums[8];
        for (int part = 0; part < 8; part++)
            sums[part] = _mm256_setzero_si256();
        for (size_t i = 0; i < n_tokens; i++) {
            const int8_t *row = rows->rows + tokens[i] * rows->n_dims + at;
            __m256i factor = _mm256_set1_epi32(rows->factors[tokens[i]]);
            for (int part = 0; part < 8; part++) {
                __m256i wide = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(row + 8 * part)));
                sums[part] = _mm256_add_epi32(sums[part], _mm256_madd_epi16(wide, factor));
            }
        }
        for (int part = 0; part < 8; part++)
            _mm256_storeu_si256((__m256i *)(ret_sum + at + 8 * part), sums[part]);
    }
}

static const struct embed_kernel kernels[] = {
    {"avx512", add_avx512}, {"avx2", add_avx2}, {"portable", add_portable}, {NULL, NULL}};

const struct embed_kernel *embed_kernels(void)
{
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
        return kernels;
    return __builtin_cpu_supports("avx2") ? kernels + 1 : kernels + 2;
}

#else

static const struct embed_kernel kernels[] = {{"portable", add_portable}, {NULL, NULL}};

const struct embed_kernel *embed_kernels(void)
{
    return kernels;
}

#endif
