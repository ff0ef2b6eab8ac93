/* SPDX-License-Identifier: Apache-2.0
 *
 * The heap, behind one door. Thread-safe as malloc is.
 */
#include "core/mem.h"

#include <stdlib.h>
#include <string.h>

void *mem_alloc(size_t size)
{
    return malloc(size ? size : 1);
}

void *mem_calloc(size_t n, size_t size)
{
    return n && size ? calloc(n, size) : calloc(1, 1);
}

void *mem_realloc(void *ptr, size_t size)
{
    return realloc(ptr, size ? size : 1);
}

void *mem_dup(const void *ptr, size_t size)
{
    void *copy = mem_alloc(size);
    if (copy && size)
        memcpy(copy, ptr, size);
    return copy;
}

char *mem_strdup(const char *text)
{
    return mem_dup(text, strlen(text) + 1);
}

void *mem_free(void *ptr)
{
    free(ptr);
    return NULL;
}
