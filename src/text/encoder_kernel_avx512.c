/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel for AVX-512 (F alone): 28 sums, two vectors of a panel, and two registers to spare.
 */
#ifdef __x86_64__
#define LANES    16
#define MAX_ROWS 14
#define TARGET   __attribute__((target("avx512f")))
#define KERNEL   encoder_kernel_avx512
#define NAME     "avx512"

#include <immintrin.h>
#include <stdint.h>

TARGET __attribute__((always_inline)) static inline __m512 load_halves(const uint16_t *from)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)from));
}

#include "text/encoder_kernel_body.h"
#endif
