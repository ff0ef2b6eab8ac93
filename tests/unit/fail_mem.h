/* SPDX-License-Identifier: Apache-2.0
 *
 * A heap that refuses one allocation on purpose. A test that includes this defines the functions of
 * core/mem.h itself, so the library's own are not linked in.
 */
#ifndef PRECIS_TESTS_FAIL_MEM_H
#define PRECIS_TESTS_FAIL_MEM_H

#include "core/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static atomic_long fail_mem_countdown; /* 0: never; 1: the next allocation fails */

/* The n-th allocation from now fails, once. */
static void fail_mem_at(long n)
{
    atomic_store(&fail_mem_countdown, n);
}

/* True when the failure asked for has not come yet: fewer allocations were made. */
static bool fail_mem_is_pending(void)
{
    return atomic_load(&fail_mem_countdown) > 0;
}

static bool fail_mem_now(void)
{
    long left = atomic_load(&fail_mem_countdown);
    while (left > 0) {
        if (atomic_compare_exchange_weak(&fail_mem_countdown, &left, left - 1))
            return left == 1;
    }
    return false;
}

void *mem_alloc(size_t size)
{
    return fail_mem_now() ? NULL : malloc(size ? size : 1);
}

void *mem_calloc(size_t n, size_t size)
{
    return fail_mem_now() ? NULL : calloc(n ? n : 1, size ? size : 1);
}

void *mem_realloc(void *ptr, size_t size)
{
    return fail_mem_now() ? NULL : realloc(ptr, size ? size : 1);
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

#endif
