/* SPDX-License-Identifier: Apache-2.0
 *
 * A search that is exact: every document is compared, first by its vector's high bytes, of whose error the
 * bound is known, and where that leaves open whether it is among the best, in full. What is added up are
 * integers, so every kernel gives the same bits.
 */
#include "search/vector_priv.h"

#define CHUNK 64 /* documents whose high bytes are multiplied at a time */

static const struct vector_fine *fine_of(const struct vector_index *index, uint32_t doc)
{
    return fine_at(index->rows, index->width, doc);
}

static int32_t dot_bytes(const struct vector_index *index, const int16_t *side, const int8_t *bytes)
{
    int32_t sum;
    index->kernel->dots(side, bytes, 0, 1, index->width, &sum);
    return sum;
}

/* high: the product of the query's row with the document's high bytes. */
static float complete(const struct vector_index *index, const struct vector_query *query, uint32_t doc,
                      int32_t high)
{
    const struct vector_fine *fine = fine_of(index, doc);
    const int8_t *low = index->lows + (size_t)doc * index->width;
    int64_t steps = (int64_t)high * 256 + dot_bytes(index, query->row, low);
    double rest = (double)dot_bytes(index, query->rest, fine->high) * 256 / REST_ONE;
    return (float)(((double)steps + rest) * fine->scale);
}

float vector_fine_dot(const struct vector_index *index, const struct vector_query *query, uint32_t doc)
{
    return complete(index, query, doc, dot_bytes(index, query->row, fine_of(index, doc)->high));
}

static bool is_too_far(const struct best *best, const struct vector_fine *fine, int32_t high)
{
    return best->n == best->max && (float)high * 256 * fine->scale + fine->slack < best->items[0].score;
}

void vector_fine_search(const struct vector_index *index, const struct docs *docs,
                        const struct docs_filter *filter, const struct vector_query *query, struct best *best)
{
    int32_t highs[CHUNK];
    for (uint32_t first = 0; first < index->n; first += CHUNK) {
        uint32_t n = index->n - first < CHUNK ? index->n - first : CHUNK;
        index->kernel->dots(query->row, fine_of(index, first)->high, fine_size_bytes(index->width), n,
                            index->width, highs);
        for (uint32_t i = 0; i < n; i++) {
            const struct vector_fine *fine = fine_of(index, first + i);
            if (fine->scale == 0 || is_too_far(best, fine, highs[i]) || !docs_match(docs, filter, first + i))
                continue;
            const struct doc *item = &docs->items[first + i];
            float cosine = complete(index, query, first + i, highs[i]);
            best_put(best, (struct candidate){cosine, first + i, item->created_us, item->row});
        }
    }
}
