/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory of one life (a request, a plan, a result), freed whole. An arena has a cap; an allocation
 * beyond it, or one the heap refuses, returns NULL and latches the arena's error, so that a long
 * computation can go on and ask once at its end. Not thread-safe: one owner at a time.
 */
#ifndef PRECIS_CORE_ARENA_H
#define PRECIS_CORE_ARENA_H

#include "core/str.h"

struct arena_block;
struct arena_held;

struct arena {
    struct arena_block *block; /* the newest block */
    struct arena_held *held;   /* references to drop at the end */
    size_t used_bytes;         /* asked of the heap so far */
    size_t cap_bytes;
    int err; /* 0, ERR_LIMIT or ERR_NOMEM: the first failure */
};

/* Takes nothing from the heap yet. */
void arena_init(struct arena *arena, size_t cap_bytes);
/* Drops what is held, frees all blocks; accepts a zeroed arena and a second call. */
void arena_done(struct arena *arena);
/* Empties the arena for another use: as done + init with the same cap. */
void arena_reset(struct arena *arena);

/* Aligned for any type, not zeroed. */
void *arena_alloc(struct arena *arena, size_t size);
/* n * size zeroed bytes; latches ERR_LIMIT when the product overflows. */
void *arena_calloc(struct arena *arena, size_t n, size_t size);
/* A NUL-terminated copy (the NUL is not counted in len). {NULL, 0} on failure. */
struct str arena_copy(struct arena *arena, struct str s);
/* The same as a C string; NULL on failure. */
char *arena_strdup(struct arena *arena, struct str s);
struct str arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Room for one more element in a growing array of the arena: returns the array, moved if it had to
 * grow (its capacity doubles), NULL on failure. Usage:
 *     items = arena_grow(arena, items, n, &cap, sizeof *items); */
void *arena_grow(struct arena *arena, void *array, size_t n, size_t *cap, size_t element_size);

/* Calls release(object) when the arena ends. On failure calls it at once and returns the error. */
typedef void (*arena_release_fn)(void *object);
int arena_hold(struct arena *arena, void *object, arena_release_fn release);

/* 0 or the first failure. */
static inline int arena_error(const struct arena *arena)
{
    return arena->err;
}

#endif
