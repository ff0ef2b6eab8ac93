/* SPDX-License-Identifier: Apache-2.0
 *
 * A product with a sum is the sum of the products: the vector of a stored word is never made. Products are of
 * integers, so the kernels agree to the bit.
 */
#include "text/words_priv.h"

#include "text/embed_priv.h"

#include <math.h>

#define NO_PIECE UINT16_MAX
#define PROBE_ONE                                                                                            \
    16000 /* 1.0 in a probe: a product over WORD_MAX_DIMS with rows of eight bits fits 31 bits */

static int32_t dot_portable(const int16_t *probe, const int8_t *row, size_t n_dims)
{
    int32_t sum = 0;
    for (size_t d = 0; d < n_dims; d++)
        sum += probe[d] * row[d];
    return sum;
}

#ifdef __x86_64__
#include <immintrin.h>

__attribute__((target("avx512f,avx512bw"))) static int32_t dot_avx512(const int16_t *probe, const int8_t *row,
                                                                      size_t n_dims)
{
    __m512i sum = _mm512_setzero_si512();
    for (size_t d = 0; d < n_dims; d += 32) {
        __m512i wide = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)(row + d)));
        sum = _mm512_add_epi32(sum, _mm512_madd_epi16(wide, _mm512_loadu_si512(probe + d)));
    }
    return _mm512_reduce_add_epi32(sum);
}

__attribute__((target("avx2"))) static int32_t dot_avx2(const int16_t *probe, const int8_t *row,
                                                        size_t n_dims)
{
    __m256i sum = _mm256_setzero_si256();
    for (size_t d = 0; d < n_dims; d += 16) {
        __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(row + d)));
        __m256i part = _mm256_loadu_si256((const __m256i *)(const void *)(probe + d));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(wide, part));
    }
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    return _mm_cvtsi128_si32(half);
}

static const struct word_kernel kernels[] = {
    {"avx512", dot_avx512}, {"avx2", dot_avx2}, {"portable", dot_portable}, {NULL, NULL}};

const struct word_kernel *word_kernels(void)
{
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
        return kernels;
    return __builtin_cpu_supports("avx2") ? kernels + 1 : kernels + 2;
}
#else
static const struct word_kernel kernels[] = {{"portable", dot_portable}, {NULL, NULL}};

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

float word_cosine(const struct embedder *embedder, const struct word_probe *probe, struct word_sense sense)
{
    const struct embed_rows *rows = &embedder->quantized;
    word_dot_fn dot = word_kernels()->dot;
    double sum = 0;
    if (!probe->is_known || sense.scale == 0)
        return 0;
    for (size_t i = 0; i < WORD_MAX_PIECES && sense.pieces[i] != NO_PIECE; i++) {
        uint32_t piece = sense.pieces[i];
        sum +=
            (double)rows->factors[piece] * dot(probe->row, rows->rows + piece * rows->n_dims, rows->n_dims);
    }
    return (float)(sum * sense.scale / PROBE_ONE);
}
