/* SPDX-License-Identifier: Apache-2.0
 *
 * What the heap does by itself only at its upper end. Apart from mem.c, whose functions tests replace.
 */
#include "core/mem.h"

#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

void mem_give_back(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}
