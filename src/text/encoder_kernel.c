/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel for any machine (four floats are a vector of SSE2 and of NEON), and the choice among the
 * kernels.
 */
#define LANES    4
#define MAX_ROWS 4
#define TARGET
#define KERNEL encoder_kernel_portable
#define NAME   "portable"

#include <stdint.h>
#include <string.h>

typedef float four_floats __attribute__((vector_size(16)));
typedef uint32_t four_ints __attribute__((vector_size(16)));
typedef uint16_t four_halves __attribute__((vector_size(8)));

/* Exponent and fraction moved to a float's places stand for the number times 2^-112, subnormal ones too. */
__attribute__((always_inline)) static inline four_floats load_halves(const uint16_t *from)
{
    four_halves halves;
    memcpy(&halves, from, sizeof halves);
    four_ints bits = __builtin_convertvector(halves, four_ints);
    four_floats size = (four_floats)((bits & 0x7fff) << 13) * 0x1p112F;
    return (four_floats)((four_ints)size | (bits & 0x8000) << 16);
}

#include "text/encoder_kernel_body.h"

size_t encoder_list_kernels(const struct encoder_kernel *ret_kernels[static ENCODER_MAX_KERNELS])
{
    size_t n = 0;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        ret_kernels[n++] = &encoder_kernel_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) /* F16C is older than both */
        ret_kernels[n++] = &encoder_kernel_avx2;
#endif
    ret_kernels[n++] = &encoder_kernel_portable;
    return n;
}
