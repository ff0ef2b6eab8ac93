/* SPDX-License-Identifier: Apache-2.0
 *
 * A product with a sum is the sum of the products: the vector of a stored word is never made. Products are of
 * integers, so the kernels agree to the bit.
 */
#include "text/words_priv.h"

#include "text/embed_priv.h"

#include <assert.h>
#include <math.h>

#define NO_PIECE UINT16_MAX
#define PROBE_ONE                                                                                            \
    16000 /* 1.0 in a probe: a product over WORD_MAX_DIMS with rows of eight bits fits 31 bits */

static void dots_portable(const struct word_probe *probes, size_t n, const int8_t *row, size_t n_dims,
                          int32_t *ret_dots)
{
    for (size_t i = 0; i < n; i++) {
        int32_t sum = 0;
        for (size_t d = 0; d < n_dims; d++)
            sum += probes[i].row[d] * row[d];
        ret_dots[i] = sum;
    }
}

#ifdef __x86_64__
#include <immintrin.h>

/* Probes at once: a part of the row is widened for all of them. Where there are fewer the last stands in. */
#define AT_ONCE 4

static void take_probes(const struct word_probe *probes, size_t i, size_t n, const int16_t *ret_rows[AT_ONCE])
{
    for (size_t k = 0; k < AT_ONCE; k++)
        ret_rows[k] = probes[i + k < n ? i + k : n - 1].row;
}

__attribute__((target("avx512f,avx512bw"))) static void
dots_avx512(const struct word_probe *probes, size_t n, const int8_t *row, size_t n_dims, int32_t *ret_dots)
{
    const int16_t *rows[AT_ONCE];
    for (size_t i = 0; i < n; i += AT_ONCE) {
        __m512i sums[AT_ONCE] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                                 _mm512_setzero_si512()};
        take_probes(probes, i, n, rows);
        for (size_t d = 0; d < n_dims; d += 32) {
            __m512i wide = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)(row + d)));
            for (size_t k = 0; k < AT_ONCE; k++)
                sums[k] = _mm512_add_epi32(sums[k], _mm512_madd_epi16(wide, _mm512_loadu_si512(rows[k] + d)));
        }
        for (size_t k = 0; k < AT_ONCE && i + k < n; k++)
            ret_dots[i + k] = _mm512_reduce_add_epi32(sums[k]);
    }
}

__attribute__((target("avx2"))) static int32_t add_up(__m256i sum)
{
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    return _mm_cvtsi128_si32(half);
}

__attribute__((target("avx2"))) static void dots_avx2(const struct word_probe *probes, size_t n,
                                                      const int8_t *row, size_t n_dims, int32_t *ret_dots)
{
    const int16_t *rows[AT_ONCE];
    for (size_t i = 0; i < n; i += AT_ONCE) {
        __m256i sums[AT_ONCE] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                                 _mm256_setzero_si256()};
        take_probes(probes, i, n, rows);
        for (size_t d = 0; d < n_dims; d += 16) {
            __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(row + d)));
            for (size_t k = 0; k < AT_ONCE; k++) {
                __m256i part = _mm256_loadu_si256((const __m256i *)(const void *)(rows[k] + d));
                sums[k] = _mm256_add_epi32(sums[k], _mm256_madd_epi16(wide, part));
            }
        }
        for (size_t k = 0; k < AT_ONCE && i + k < n; k++)
            ret_dots[i + k] = add_up(sums[k]);
    }
}

static const struct word_kernel kernels[] = {
    {"avx512", dots_avx512}, {"avx2", dots_avx2}, {"portable", dots_portable}, {NULL, NULL}};

const struct word_kernel *word_kernels(void)
{
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
        return kernels;
    return __builtin_cpu_supports("avx2") ? kernels + 1 : kernels + 2;
}
#else
static const struct word_kernel kernels[] = {{"portable", dots_portable}, {NULL, NULL}};

const struct word_kernel *word_kernels(void)
{
    return kernels;
}
#endif

bool words_can_use(const struct embedder *embedder)
{
    return embedder->add && embedder->n_dims <= WORD_MAX_DIMS && embedder->vocab.n_tokens < NO_PIECE;
}

static void sum_pieces(const struct embedder *embedder, struct word_sense sense, int32_t *ret_sum)
{
    uint32_t tokens[WORD_MAX_PIECES];
    size_t n = 0;
    while (n < WORD_MAX_PIECES && sense.pieces[n] != NO_PIECE) {
        tokens[n] = sense.pieces[n];
        n++;
    }
    embedder->add(&embedder->quantized, tokens, n, ret_sum);
}

struct word_sense word_sense_of(const struct embedder *embedder, struct str word)
{
    struct word_sense sense = {{NO_PIECE, NO_PIECE, NO_PIECE}, 0};
    uint32_t tokens[WORD_MAX_PIECES];
    int32_t sum[WORD_MAX_DIMS];
    size_t n = wordpiece_encode(&embedder->vocab, word, word.len, tokens, WORD_MAX_PIECES);
    for (size_t i = 0; i < n; i++)
        sense.pieces[i] = (uint16_t)tokens[i];
    sum_pieces(embedder, sense, sum);
    double squares = 0;
    for (size_t d = 0; d < embedder->n_dims; d++)
        squares += (double)sum[d] * sum[d];
    sense.scale = squares > 0 ? (float)(1 / sqrt(squares)) : 0;
    return sense;
}

void word_probe_init(struct word_probe *probe, const struct embedder *embedder, struct word_sense sense)
{
    int32_t sum[WORD_MAX_DIMS];
    sum_pieces(embedder, sense, sum);
    for (size_t d = 0; d < embedder->n_dims; d++)
        probe->row[d] = (int16_t)lrintf((float)sum[d] * sense.scale * PROBE_ONE);
    probe->is_known = sense.scale > 0;
}

void word_cosines(const struct embedder *embedder, const struct word_probe *probes, size_t n,
                  struct word_sense sense, float *ret_cosines)
{
    const struct embed_rows *rows = &embedder->quantized;
    word_dots_fn dots = word_kernels()->dots;
    int64_t sums[WORD_MAX_PROBES] = {0};
    int32_t products[WORD_MAX_PROBES];
    assert(n <= WORD_MAX_PROBES);
    for (size_t i = 0; i < WORD_MAX_PIECES && sense.pieces[i] != NO_PIECE; i++) {
        uint32_t piece = sense.pieces[i];
        dots(probes, n, rows->rows + piece * rows->n_dims, rows->n_dims, products);
        for (size_t k = 0; k < n; k++)
            sums[k] += (int64_t)rows->factors[piece] * products[k];
    }
    for (size_t k = 0; k < n; k++)
        ret_cosines[k] = probes[k].is_known ? (float)((double)sums[k] * sense.scale / PROBE_ONE) : 0;
}
