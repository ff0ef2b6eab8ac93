/* SPDX-License-Identifier: Apache-2.0
 *
 * A product with a sum is the sum of the products: the vector of a stored word is never made. Products are of
 * integers, so the kernels agree to the bit.
 */
#include "text/words_priv.h"

#include "text/embed_priv.h"

#include <assert.h>
#include <math.h>

#define NO_PIECE   UINT16_MAX
#define CACHE_LINE 64
/* Dimensions in front, which carry more than half of the built-in model's vectors. Where they alone give less
 * than this share of a floor of 0.3, the cosine is below the floor for all but 1 in 200 of the pairs that
 * reach it, and those reach it narrowly; 6 pairs of 7 need no more than this. */
#define HEAD_DIMS  64
#define HEAD_SHARE 0.3
#define PROBE_ONE                                                                                            \
    16000 /* 1.0 in a probe: a product over WORD_MAX_DIMS with rows of eight bits fits 31 bits */

static void dots_portable(const struct word_probe *probes, size_t n, const int8_t *row, size_t first,
                          size_t n_dims, int32_t *ret_dots)
{
    for (size_t i = 0; i < n; i++) {
        int32_t sum = 0;
        for (size_t d = first; d < first + n_dims; d++)
            sum += probes[i].row[d] * row[d];
        ret_dots[i] = sum;
    }
}

#ifdef __x86_64__
#include <immintrin.h>

/* Probes at once: a part of the row is widened for all of them. */
#define AT_ONCE 4
#define INLINE  static inline __attribute__((always_inline))
#define AVX2    __attribute__((target("avx2")))
#define AVX512  __attribute__((target("avx512f,avx512bw")))

/* The sums of four registers each. */
AVX2 INLINE __m128i sum_four(const __m256i sums[AT_ONCE])
{
    __m256i pairs =
        _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3]));
    return _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
}

AVX2 INLINE void store_dots(const __m256i sums[AT_ONCE], size_t n, int32_t *ret_dots)
{
    int32_t dots[AT_ONCE];
    _mm_storeu_si128((__m128i *)(void *)dots, sum_four(sums));
    memcpy(ret_dots, dots, n * sizeof(*dots));
}

/* n is known to the compiler: 1 to AT_ONCE. */
AVX512 INLINE void dot_some_avx512(const struct word_probe *probes, size_t n, const int8_t *row, size_t first,
                                   size_t n_dims, int32_t *ret_dots)
{
    __m512i sums[AT_ONCE] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                             _mm512_setzero_si512()};
    for (size_t d = first; d < first + n_dims; d += 32) {
        __m512i wide = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)(row + d)));
        for (size_t k = 0; k < n; k++)
            sums[k] =
                _mm512_add_epi32(sums[k], _mm512_madd_epi16(wide, _mm512_loadu_si512(probes[k].row + d)));
    }
    __m256i halves[AT_ONCE];
    for (size_t k = 0; k < AT_ONCE; k++)
        halves[k] = _mm256_add_epi32(_mm512_castsi512_si256(sums[k]), _mm512_extracti64x4_epi64(sums[k], 1));
    store_dots(halves, n, ret_dots);
}

AVX512 static void dots_avx512(const struct word_probe *probes, size_t n, const int8_t *row, size_t first,
                               size_t n_dims, int32_t *ret_dots)
{
    for (; n > AT_ONCE; n -= AT_ONCE, probes += AT_ONCE, ret_dots += AT_ONCE)
        dot_some_avx512(probes, AT_ONCE, row, first, n_dims, ret_dots);
    if (n == 4)
        dot_some_avx512(probes, 4, row, first, n_dims, ret_dots);
    else if (n == 3)
        dot_some_avx512(probes, 3, row, first, n_dims, ret_dots);
    else if (n == 2)
        dot_some_avx512(probes, 2, row, first, n_dims, ret_dots);
    else if (n == 1)
        dot_some_avx512(probes, 1, row, first, n_dims, ret_dots);
}

AVX2 INLINE void dot_some_avx2(const struct word_probe *probes, size_t n, const int8_t *row, size_t first,
                               size_t n_dims, int32_t *ret_dots)
{
    __m256i sums[AT_ONCE] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                             _mm256_setzero_si256()};
    for (size_t d = first; d < first + n_dims; d += 16) {
        __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(row + d)));
        for (size_t k = 0; k < n; k++) {
            __m256i part = _mm256_loadu_si256((const __m256i *)(const void *)(probes[k].row + d));
            sums[k] = _mm256_add_epi32(sums[k], _mm256_madd_epi16(wide, part));
        }
    }
    store_dots(sums, n, ret_dots);
}

AVX2 static void dots_avx2(const struct word_probe *probes, size_t n, const int8_t *row, size_t first,
                           size_t n_dims, int32_t *ret_dots)
{
    for (; n > AT_ONCE; n -= AT_ONCE, probes += AT_ONCE, ret_dots += AT_ONCE)
        dot_some_avx2(probes, AT_ONCE, row, first, n_dims, ret_dots);
    if (n == 4)
        dot_some_avx2(probes, 4, row, first, n_dims, ret_dots);
    else if (n == 3)
        dot_some_avx2(probes, 3, row, first, n_dims, ret_dots);
    else if (n == 2)
        dot_some_avx2(probes, 2, row, first, n_dims, ret_dots);
    else if (n == 1)
        dot_some_avx2(probes, 1, row, first, n_dims, ret_dots);
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
        dots(probes, n, rows->rows + piece * rows->n_dims, 0, rows->n_dims, products);
        for (size_t k = 0; k < n; k++)
            sums[k] += (int64_t)rows->factors[piece] * products[k];
    }
    for (size_t k = 0; k < n; k++)
        ret_cosines[k] = (float)((double)sums[k] * sense.scale / PROBE_ONE);
}

/* Of a word of one piece, as most are. */
static bool find_near(const struct embed_rows *rows, const struct word_probe *probes, size_t n,
                      struct word_sense sense, float floor, float *ret_cosines)
{
    word_dots_fn dots = word_kernels()->dots;
    const int8_t *row = rows->rows + sense.pieces[0] * rows->n_dims;
    double cosine_per_product = (double)rows->factors[sense.pieces[0]] * sense.scale / PROBE_ONE;
    int32_t least = (int32_t)fmin(floor * HEAD_SHARE / cosine_per_product, INT32_MAX);
    int32_t heads[WORD_MAX_PROBES], rest;
    bool is_near = false;
    dots(probes, n, row, 0, HEAD_DIMS, heads);
    for (size_t k = 0; k < n; k++) {
        if (heads[k] < least)
            continue;
        dots(&probes[k], 1, row, HEAD_DIMS, rows->n_dims - HEAD_DIMS, &rest);
        float cosine = (float)((double)(heads[k] + rest) * cosine_per_product);
        if (cosine >= floor) {
            ret_cosines[k] = cosine;
            is_near = true;
        }
    }
    return is_near;
}

bool word_near_cosines(const struct embedder *embedder, const struct word_probe *probes, size_t n,
                       struct word_sense sense, float floor, float *ret_cosines)
{
    float cosines[WORD_MAX_PROBES];
    bool has_one_piece = sense.pieces[0] != NO_PIECE && sense.pieces[1] == NO_PIECE, is_near = false;
    assert(n <= WORD_MAX_PROBES);
    if (!(sense.scale > 0))
        return false;
    if (has_one_piece && embedder->n_dims > HEAD_DIMS)
        return find_near(&embedder->quantized, probes, n, sense, floor, ret_cosines);
    word_cosines(embedder, probes, n, sense, cosines);
    for (size_t k = 0; k < n; k++)
        if (cosines[k] >= floor) {
            ret_cosines[k] = cosines[k];
            is_near = true;
        }
    return is_near;
}

void word_prefetch(const struct embedder *embedder, struct word_sense sense)
{
    const struct embed_rows *rows = &embedder->quantized;
    for (size_t i = 0; i < WORD_MAX_PIECES && sense.pieces[i] != NO_PIECE; i++)
        __builtin_prefetch(rows->rows + sense.pieces[i] * rows->n_dims);
}
