/* SPDX-License-Identifier: Apache-2.0
 *
 * The documents of a partition, numbered densely for its indexes, and the filters over them. A changed
 * document gets a new number and its old one dies; indexes may hold dead numbers until the next compaction
 * and ask here. Not thread-safe.
 */
#ifndef PRECIS_SEARCH_DOCS_H
#define PRECIS_SEARCH_DOCS_H

#include "search/cues.h"
#include "search/intern.h"
#include "search/search.h"

#define DOC_NONE UINT32_MAX

struct doc {
    int64_t row;
    int64_t created_us;
    uint32_t source;    /* in names */
    uint32_t first_tag; /* in tags */
    uint32_t n_terms;   /* its length, as the keyword index counts it */
    float log_length;   /* ln(1 + n_terms) */
    uint32_t speaker;   /* in names; INTERN_NONE: a note */
    uint32_t thread;    /* in names */
    uint16_t n_tags;
    bool is_live;
    uint8_t importance; /* 0..255 */
    struct cues cues;
};

struct docs {
    struct doc *items;
    uint32_t n, cap;
    uint32_t n_live;
    uint64_t n_live_terms; /* the sum of live lengths */
    uint64_t n_bytes; /* of all n texts, as many as if those that compactions dropped were of mean length */
    uint32_t *slots;  /* row to document, open addressing: number + 1, 0 is free */
    size_t n_slots;
    uint32_t *tags; /* in names, a document's in a row */
    uint32_t n_tags, cap_tags;
    struct intern names;
    uint32_t *n_said; /* by name: of how many live documents it is the speaker */
    uint32_t cap_said;
};

void docs_init(struct docs *docs);
void docs_done(struct docs *docs);
/* The row's live document, or DOC_NONE. */
uint32_t docs_find(const struct docs *docs, int64_t row);
/* Takes a document in, dead and unseen until published: a failure while it is indexed leaves the row as it
 * was. */
int docs_add(struct docs *docs, const struct search_doc *doc, uint32_t *ret_doc);
/* From now on this is its row's document; the one before dies. */
void docs_publish(struct docs *docs, uint32_t doc, uint32_t n_terms);
void docs_kill(struct docs *docs, uint32_t doc);

/* Fills map (docs->n numbers) with each live document's number after docs_compact, DOC_NONE for the dead. */
void docs_plan_compaction(const struct docs *docs, uint32_t *map);
/* Drops the dead; numbers change as planned. Cannot fail. */
void docs_compact(struct docs *docs);
size_t docs_size_bytes(const struct docs *docs);

/* A query's filters with their names looked up once. */
struct docs_filter {
    bool matches_none; /* a name that no document has */
    uint32_t source;   /* INTERN_NONE: any */
    uint32_t *tags;    /* all of them */
    size_t n_tags;
    int64_t since_us, until_us;
};
/* The filter's memory is the arena's. */
int docs_make_filter(const struct docs *docs, const struct search_query *query, struct arena *arena,
                     struct docs_filter *ret_filter);
/* It passes all that live. */
bool docs_filter_is_open(const struct docs_filter *filter);
/* Live, and passed by the filter. */
bool docs_match(const struct docs *docs, const struct docs_filter *filter, uint32_t doc);

#endif
