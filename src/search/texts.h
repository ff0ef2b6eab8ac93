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

struct texts {
    char *bytes; /* a record a document, one behind the other */
    size_t n, cap, max;
    uint64_t *ends; /* by document; it begins where the one before ends */
    uint32_t n_docs, cap_docs;
};

/* max_bytes: beyond so many no more rows are kept. */
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
/* Renumbers by map (see docs_plan_compaction) and drops the dead. Cannot fail. */
void texts_compact(struct texts *texts, const uint32_t *map);
size_t texts_size_bytes(const struct texts *texts);

#endif
