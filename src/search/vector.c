/* SPDX-License-Identifier: Apache-2.0
 *
 * Two arrays in order of document number: rows, which are compared, and blocks of codes, which are scanned.
 * Both grow by a quarter, since at hundreds of bytes a document slack costs more than copying. A document
 * without a vector has a factor of 0 and a row of zeros.
 */
#include "search/vector_priv.h"

#include "core/mem.h"

#define CACHE_LINE 64

int vector_init(struct vector_index *index, uint32_t dim)
{
    const struct vector_kernel *kernels[VECTOR_MAX_KERNELS];
    if (dim == 0 || dim > VECTOR_MAX_DIM)
        return ERR_INVALID;
    (void)vector_list_kernels(kernels);
    *index = (struct vector_index){.dim = dim, .width = (dim + 63) / 64 * 64, .kernel = kernels[0]};
    return 0;
}

void vector_done(struct vector_index *index)
{
    index->rows = mem_free(index->rows);
    index->blocks_memory = mem_free(index->blocks_memory);
    index->blocks = NULL;
    index->n = index->cap = 0;
}

static size_t blocks_size_bytes(const struct vector_index *index, uint32_t cap)
{
    return cap / BLOCK_DOCS * block_size_bytes(index->width);
}

/* Room for n documents. */
static int reserve(struct vector_index *index, uint32_t n)
{
    if (n <= index->cap)
        return 0;
    if (n > UINT32_MAX / 2)
        return ERR_LIMIT;
    uint32_t cap = index->cap + index->cap / 4;
    cap = ((cap > n ? cap : n) + BLOCK_DOCS - 1) / BLOCK_DOCS * BLOCK_DOCS;
    void *memory = mem_alloc(blocks_size_bytes(index, cap) + CACHE_LINE);
    uint8_t *rows = memory ? mem_realloc(index->rows, cap * row_size_bytes(index->width)) : NULL;
    if (!rows) {
        mem_free(memory);
        return ERR_NOMEM;
    }
    uint8_t *blocks = (uint8_t *)memory + (CACHE_LINE - (uintptr_t)memory % CACHE_LINE) % CACHE_LINE;
    size_t used_bytes = blocks_size_bytes(index, index->cap);
    if (used_bytes)
        memcpy(blocks, index->blocks, used_bytes);
    memset(blocks + used_bytes, 0, blocks_size_bytes(index, cap) - used_bytes);
    mem_free(index->blocks_memory);
    index->blocks_memory = memory;
    index->blocks = blocks;
    index->rows = rows;
    index->cap = cap;
    return 0;
}

static uint8_t *block_of(const struct vector_index *index, uint32_t doc)
{
    return index->blocks + doc / BLOCK_DOCS * block_size_bytes(index->width);
}

static struct vector_row *row_of(const struct vector_index *index, uint32_t doc)
{
    return row_at(index->rows, index->width, doc);
}

static void put_nothing(struct vector_index *index, uint32_t doc)
{
    block_factors(block_of(index, doc), index->width)[doc % BLOCK_DOCS] = 0;
    memset(row_of(index, doc), 0, row_size_bytes(index->width));
}

int vector_add(struct vector_index *index, uint32_t doc, const float *vector)
{
    float unit[VECTOR_MAX_DIM];
    int found = vector_normalize(vector, index->dim, index->width, unit);
    if (found < 0)
        return found;
    int err = reserve(index, doc + 1);
    if (err)
        return err;
    while (index->n <= doc)
        put_nothing(index, index->n++);
    if (found == 0) {
        vector_rotate(unit, index->width);
        vector_to_row(unit, index->width, row_of(index, doc));
        vector_encode(unit, index->width, block_of(index, doc), doc % BLOCK_DOCS);
    }
    return 0;
}

/* Copies a document's vector over another's. */
static void move_doc(struct vector_index *index, uint32_t from, uint32_t to)
{
    uint8_t *source = block_of(index, from), *target = block_of(index, to);
    size_t source_lane = block_lane(from % BLOCK_DOCS), target_lane = block_lane(to % BLOCK_DOCS);
    for (size_t at = 0; at < code_size_bytes(index->width) * BLOCK_DOCS; at += BLOCK_DOCS)
        target[at + target_lane] = source[at + source_lane];
    block_factors(target, index->width)[to % BLOCK_DOCS] =
        block_factors(source, index->width)[from % BLOCK_DOCS];
    memcpy(row_of(index, to), row_of(index, from), row_size_bytes(index->width));
}

void vector_compact(struct vector_index *index, const uint32_t *map)
{
    uint32_t n = 0;
    for (uint32_t doc = 0; doc < index->n; doc++) {
        if (map[doc] == DOC_NONE)
            continue;
        if (map[doc] != doc)
            move_doc(index, doc, map[doc]);
        n++;
    }
    index->n = n;
}

size_t vector_size_bytes(const struct vector_index *index)
{
    return index->cap * row_size_bytes(index->width) +
           (index->cap ? blocks_size_bytes(index, index->cap) + CACHE_LINE : 0);
}

int vector_make_query(const struct vector_index *index, const float *vector, struct arena *arena,
                      struct vector_query *ret_query)
{
    float unit[VECTOR_MAX_DIM];
    uint32_t width = index->width;
    int found = vector_normalize(vector, index->dim, width, unit);
    if (found < 0)
        return found;
    if (found > 0) {
        *ret_query = (struct vector_query){0};
        return 0;
    }
    int16_t *side = arena_alloc(arena, width * sizeof(*side));
    uint8_t *table = arena_alloc(arena, (size_t)width / 2 * 16);
    if (!side || !table)
        return arena_error(arena);
    vector_rotate(unit, width);
    vector_to_side(unit, width, side);
    vector_make_table(unit, width, table);
    *ret_query = (struct vector_query){.row = side, .table = table};
    return 0;
}
