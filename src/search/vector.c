/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrays in order of document number. Fine, while documents are few: rows and their lower halves. Else: rows
 * of fewer bits, which are compared, and blocks of codes, which are scanned. They grow by a quarter, since at
 * hundreds of bytes a document slack costs more than copying. A document without a vector has a row of zeros,
 * and a factor of 0.
 *
 *     fine -> coarse, when the document behind VECTOR_MAX_FINE comes; never back: what was rounded off is
 *     gone. The next load of the partition begins fine again.
 */
#include "search/vector_priv.h"

#include "core/mem.h"

#define CACHE_LINE 64
#define FINE_ROOM  8 /* documents for which room is made at least: a small user's are few */

int vector_init(struct vector_index *index, uint32_t dim)
{
    const struct vector_kernel *kernels[VECTOR_MAX_KERNELS];
    if (dim == 0 || dim > VECTOR_MAX_DIM)
        return ERR_INVALID;
    (void)vector_list_kernels(kernels);
    *index = (struct vector_index){
        .dim = dim, .width = (dim + 63) / 64 * 64, .is_fine = true, .kernel = kernels[0]};
    return 0;
}

void vector_done(struct vector_index *index)
{
    index->rows = mem_free(index->rows);
    index->lows = mem_free(index->lows);
    index->blocks_memory = mem_free(index->blocks_memory);
    index->blocks = NULL;
    index->n = index->cap = 0;
}

static struct vector_row *row_of(const struct vector_index *index, uint32_t doc)
{
    return row_at(index->rows, index->width, doc);
}

static struct vector_fine *fine_of(const struct vector_index *index, uint32_t doc)
{
    return fine_at(index->rows, index->width, doc);
}

static int8_t *low_of(const struct vector_index *index, uint32_t doc)
{
    return index->lows + (size_t)doc * index->width;
}

static uint8_t *block_of(const struct vector_index *index, uint32_t doc)
{
    return index->blocks + doc / BLOCK_DOCS * block_size_bytes(index->width);
}

static size_t blocks_size_bytes(const struct vector_index *index, uint32_t cap)
{
    return cap / BLOCK_DOCS * block_size_bytes(index->width);
}

/* ---- fine ---- */

static int reserve_fine(struct vector_index *index, uint32_t n)
{
    if (n <= index->cap)
        return 0;
    uint32_t cap = index->cap + index->cap / 4;
    cap = ((cap > n ? cap : n) + FINE_ROOM - 1) / FINE_ROOM * FINE_ROOM;
    if (cap > VECTOR_MAX_FINE)
        cap = VECTOR_MAX_FINE;
    uint8_t *rows = mem_realloc(index->rows, cap * fine_size_bytes(index->width));
    if (!rows)
        return ERR_NOMEM;
    index->rows = rows;
    int8_t *lows = mem_realloc(index->lows, (size_t)cap * index->width);
    if (!lows)
        return ERR_NOMEM;
    index->lows = lows;
    index->cap = cap;
    return 0;
}

/* ---- coarse ---- */

/* Room for n documents, n above cap. */
static int make_blocks(const struct vector_index *index, uint32_t n, uint32_t *ret_cap, void **ret_memory,
                       uint8_t **ret_blocks)
{
    if (n > UINT32_MAX / 2)
        return ERR_LIMIT;
    uint32_t cap = index->cap + index->cap / 4;
    cap = ((cap > n ? cap : n) + BLOCK_DOCS - 1) / BLOCK_DOCS * BLOCK_DOCS;
    void *memory = mem_alloc(blocks_size_bytes(index, cap) + CACHE_LINE);
    if (!memory)
        return ERR_NOMEM;
    *ret_blocks = (uint8_t *)memory + (CACHE_LINE - (uintptr_t)memory % CACHE_LINE) % CACHE_LINE;
    *ret_memory = memory;
    *ret_cap = cap;
    return 0;
}

static int reserve_coarse(struct vector_index *index, uint32_t n)
{
    void *memory;
    uint8_t *blocks;
    uint32_t cap;
    if (n <= index->cap)
        return 0;
    int err = make_blocks(index, n, &cap, &memory, &blocks);
    if (err)
        return err;
    uint8_t *rows = mem_realloc(index->rows, cap * row_size_bytes(index->width));
    if (!rows) {
        mem_free(memory);
        return ERR_NOMEM;
    }
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

static void put_coarse(struct vector_index *index, const float *rotated, uint32_t doc)
{
    vector_to_row(rotated, index->width, row_of(index, doc));
    vector_encode(rotated, index->width, block_of(index, doc), doc % BLOCK_DOCS);
}

static void put_nothing(struct vector_index *index, uint32_t doc)
{
    if (index->is_fine) {
        memset(fine_of(index, doc), 0, fine_size_bytes(index->width));
        memset(low_of(index, doc), 0, index->width);
    } else {
        block_factors(block_of(index, doc), index->width)[doc % BLOCK_DOCS] = 0;
        memset(row_of(index, doc), 0, row_size_bytes(index->width));
    }
}

/* From fine to coarse, with room for n. On an error nothing has changed. */
static int coarsen(struct vector_index *index, uint32_t n)
{
    struct vector_index coarse = {.dim = index->dim, .width = index->width, .kernel = index->kernel};
    float rotated[VECTOR_MAX_DIM];
    int err = reserve_coarse(&coarse, n);
    if (err)
        return err;
    while (coarse.n < index->n) {
        uint32_t doc = coarse.n++;
        put_nothing(&coarse, doc);
        if (fine_of(index, doc)->scale == 0)
            continue;
        vector_from_fine(fine_of(index, doc), low_of(index, doc), index->width, rotated);
        put_coarse(&coarse, rotated, doc);
    }
    vector_done(index);
    *index = coarse;
    return 0;
}

/* ---- both ---- */

static int reserve(struct vector_index *index, uint32_t n)
{
    if (!index->is_fine)
        return reserve_coarse(index, n);
    return n <= VECTOR_MAX_FINE ? reserve_fine(index, n) : coarsen(index, n);
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
        if (index->is_fine)
            vector_to_fine(unit, index->width, fine_of(index, doc), low_of(index, doc));
        else
            put_coarse(index, unit, doc);
    }
    return 0;
}

/* Copies a document's vector over another's. */
static void move_doc(struct vector_index *index, uint32_t from, uint32_t to)
{
    if (index->is_fine) {
        memcpy(fine_of(index, to), fine_of(index, from), fine_size_bytes(index->width));
        memcpy(low_of(index, to), low_of(index, from), index->width);
        return;
    }
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
    if (index->is_fine)
        return index->cap * (fine_size_bytes(index->width) + index->width);
    return index->cap * row_size_bytes(index->width) +
           (index->cap ? blocks_size_bytes(index, index->cap) + CACHE_LINE : 0);
}
