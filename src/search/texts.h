/* SPDX-License-Identifier: Apache-2.0
 *
 * What the rows of a partition say, for those who read hits: id, text, metadata and what else a row has that
 * no index keeps. Not all are here: what is very long is not, nor what finds no room. Not thread-safe.
 */
#ifndef PRECIS_SEARCH_TEXTS_H
#define PRECIS_SEARCH_TEXTS_H

#include "search/docs.h"

/* Of a row: few rows have more, and who wants one of them reads it from the store. */
#define TEXTS_MAX_ROW_BYTES (16 * 1024)

/* Of a document's record: where it ends, and it begins where the one before ends; and bits of its text's
 * hash, by which most texts that differ are told apart without reading them. */
struct texts_place {
    uint64_t end : 40, hash : 24;
};

struct texts {
    char *bytes; /* a record a document, one behind the other */
    size_t n, cap, max;
    struct texts_place *places; /* by document */
    uint32_t n_docs, cap_docs;
};

/* max_bytes: beyond so many no more rows are kept; a terabyte at most. */
void texts_init(struct texts *texts, size_t max_bytes);
void texts_done(struct texts *texts);
/* Keeps what the next document's row says, or nothing of it. A doc number left out has nothing. On an error
 * nothing has changed. */
int texts_add(struct texts *texts, uint32_t doc, const struct search_doc *row);
/* Leaves no byte of what the document said. */
void texts_wipe(struct texts *texts, uint32_t doc);
/* The row again, a copy in the arena; NULL when it is not kept, or when the arena has no room, which the
 * arena remembers. */
const struct search_item *texts_get(const struct texts *texts, const struct docs *docs, uint32_t doc,
                                    struct arena *arena);
/* The text alone, where it lies until the next change; empty when it is not kept. */
struct str texts_peek(const struct texts *texts, uint32_t doc);
/* Differs only where the texts do; 0 when it is not kept, and of some that are. */
static inline uint32_t texts_hash(const struct texts *texts, uint32_t doc)
{
    return doc < texts->n_docs ? (uint32_t)texts->places[doc].hash : 0;
}
/* Renumbers by map (see docs_plan_compaction) and drops the dead. Cannot fail. */
void texts_compact(struct texts *texts, const uint32_t *map);
size_t texts_size_bytes(const struct texts *texts);

#endif
