/* SPDX-License-Identifier: Apache-2.0
 *
 * The one door to the heap. Everything outside core/ allocates through here or through an arena,
 * so that a test can fail the n-th allocation. All return NULL on failure.
 */
#ifndef PRECIS_CORE_MEM_H
#define PRECIS_CORE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);                /* not zeroed; size 0 gives a valid pointer */
void *mem_calloc(size_t n, size_t size);     /* zeroed; NULL also when n * size overflows */
void *mem_realloc(void *ptr, size_t size);   /* on NULL the old block is untouched */
void *mem_dup(const void *ptr, size_t size); /* a copy of size bytes */
char *mem_strdup(const char *text);
void *mem_free(void *ptr); /* accepts NULL; returns NULL */
void mem_give_back(void);  /* what is free, to the kernel; takes milliseconds */

#endif
