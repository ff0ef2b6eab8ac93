/* SPDX-License-Identifier: Apache-2.0
 *
 * Blocks chained newest first; small pieces are cut from the newest, a piece larger than a block gets one of
 * its own. Blocks double from 4 KiB to 256 KiB, so that a small request stays small.
 */
#include "core/arena.h"

#include "core/buf.h"
#include "core/err.h"
#include "core/mem.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

#define FIRST_BLOCK_BYTES 4096
#define MAX_BLOCK_BYTES   (256 * 1024)

struct arena_block {
    struct arena_block *older;
    size_t used, size; /* of data */
    alignas(max_align_t) unsigned char data[];
};

struct arena_held {
    struct arena_held *older;
    void *object;
    arena_release_fn release;
};

void arena_init(struct arena *arena, size_t cap_bytes)
{
    *arena = (struct arena){.cap_bytes = cap_bytes};
}

void arena_done(struct arena *arena)
{
    while (arena->held) { /* records live in blocks: release before any block goes */
        struct arena_held *held = arena->held;
        arena->held = held->older;
        held->release(held->object);
    }
    while (arena->block) {
        struct arena_block *block = arena->block;
        arena->block = block->older;
        mem_free(block);
    }
    arena->used_bytes = 0;
}

void arena_reset(struct arena *arena)
{
    arena_done(arena);
    arena->err = 0;
}

static void *latch(struct arena *arena, int err)
{
    if (!arena->err)
        arena->err = err;
    return NULL;
}

static struct arena_block *add_block(struct arena *arena, size_t data_bytes)
{
    size_t bytes = sizeof(struct arena_block) + data_bytes;
    if (bytes > arena->cap_bytes - arena->used_bytes)
        return latch(arena, ERR_LIMIT);
    struct arena_block *block = mem_alloc(bytes);
    if (!block)
        return latch(arena, ERR_NOMEM);
    block->used = 0;
    block->size = data_bytes;
    arena->used_bytes += bytes;
    return block;
}

/* A block of its own goes behind the newest, whose room is still good. */
static void *alloc_large(struct arena *arena, size_t size)
{
    struct arena_block *block = add_block(arena, size);
    if (!block)
        return NULL;
    block->used = size;
    if (arena->block) {
        block->older = arena->block->older;
        arena->block->older = block;
    } else {
        block->older = NULL;
        arena->block = block;
    }
    return block->data;
}

static size_t next_block_bytes(const struct arena *arena, size_t least)
{
    size_t wanted = arena->block ? arena->block->size * 2 : FIRST_BLOCK_BYTES;
    if (wanted > MAX_BLOCK_BYTES)
        wanted = MAX_BLOCK_BYTES;
    if (wanted < FIRST_BLOCK_BYTES)
        wanted = FIRST_BLOCK_BYTES;
    size_t left = arena->cap_bytes - arena->used_bytes;
    if (wanted + sizeof(struct arena_block) > left) /* near the cap: what is left, if it is enough */
        wanted = left > sizeof(struct arena_block) ? left - sizeof(struct arena_block) : 0;
    return wanted > least ? wanted : least;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (arena->err)
        return NULL;
    if (size > arena->cap_bytes)
        return latch(arena, ERR_LIMIT);
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct arena_block *block = arena->block;
    if (!block || size > block->size - block->used) {
        if (size > MAX_BLOCK_BYTES / 4)
            return alloc_large(arena, size);
        block = add_block(arena, next_block_bytes(arena, size));
        if (!block)
            return NULL;
        block->older = arena->block;
        arena->block = block;
    }
    void *ptr = block->data + block->used;
    block->used += size;
    return ptr;
}

void *arena_calloc(struct arena *arena, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        return latch(arena, ERR_LIMIT);
    void *ptr = arena_alloc(arena, bytes);
    if (ptr)
        memset(ptr, 0, bytes);
    return ptr;
}

char *arena_strdup(struct arena *arena, struct str s)
{
    char *copy = arena_alloc(arena, s.len + 1);
    if (!copy)
        return NULL;
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

struct str arena_copy(struct arena *arena, struct str s)
{
    char *copy = arena_strdup(arena, s);
    return copy ? str_make(copy, s.len) : (struct str){NULL, 0};
}

struct str arena_printf(struct arena *arena, const char *format, ...)
{
    struct buf buf;
    buf_init(&buf, arena->cap_bytes);
    va_list args;
    va_start(args, format);
    buf_vprintf(&buf, format, args);
    va_end(args);
    struct str copy = {NULL, 0};
    if (buf_error(&buf))
        latch(arena, buf_error(&buf));
    else
        copy = arena_copy(arena, buf_str(&buf));
    buf_done(&buf);
    return copy;
}

void *arena_grow(struct arena *arena, void *array, size_t n, size_t *cap, size_t element_size)
{
    if (n < *cap)
        return array;
    size_t new_cap = *cap ? *cap * 2 : 8;
    size_t bytes;
    if (__builtin_mul_overflow(new_cap, element_size, &bytes))
        return latch(arena, ERR_LIMIT);
    void *grown = arena_alloc(arena, bytes);
    if (!grown)
        return NULL;
    if (n)
        memcpy(grown, array, n * element_size);
    *cap = new_cap;
    return grown;
}

int arena_hold(struct arena *arena, void *object, arena_release_fn release)
{
    struct arena_held *held = arena_alloc(arena, sizeof(*held));
    if (!held) {
        release(object);
        return arena->err;
    }
    *held = (struct arena_held){.older = arena->held, .object = object, .release = release};
    arena->held = held;
    return 0;
}
