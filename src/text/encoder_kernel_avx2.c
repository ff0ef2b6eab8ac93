/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel for AVX2 with FMA and F16C: twelve sums, two vectors of a panel, and two registers to spare.
 */
#ifdef __x86_64__
#define LANES    8
#define MAX_ROWS 6
#define TARGET   __attribute__((target("avx2,fma,f16c")))
#define KERNEL   encoder_kernel_avx2
#define NAME     "avx2"

#include <immintrin.h>
#include <stdint.h>

TARGET __attribute__((always_inline)) static inline __m256 load_halves(const uint16_t *from)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)from));
}

#include "text/encoder_kernel_body.h"
#endif
