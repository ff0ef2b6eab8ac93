/* SPDX-License-Identifier: Apache-2.0
 *
 * The keyword index of a partition: BM25 over the terms of text/analyze.h, postings resident. It scores
 * documents and knows nothing of filters or order: those are the partition's. Not thread-safe.
 */
#ifndef PRECIS_SEARCH_KEYWORD_H
#define PRECIS_SEARCH_KEYWORD_H

#include "search/docs.h"
#include "search/forward.h"
#include "text/analyze.h"
#include "text/words.h"

/* How soon repetitions of a term stop to count. */
#define KEYWORD_K1 0.9
/* How much a long document is held back. Among turns of a conversation a longer one mostly says more, so
 * length weighs less than the customary 0.75; among long messages, which say a bit of everything, all the
 * more. On questions with known evidence 0.4 finds 65 % of it among turns (0.75: 63 %) and 34 % among
 * messages, 1.0 there 45 %. */
#define KEYWORD_B_OF_TURNS    0.4F
#define KEYWORD_B_OF_MESSAGES 1.0F
/* Mean terms of a document up to which the one holds alone, and from which the other; between them, by the
 * logarithm.
 */
#define KEYWORD_TERMS_OF_TURNS    20.0F
#define KEYWORD_TERMS_OF_MESSAGES 90.0F

/* 0 where documents are turns, 1 where they are messages. */
float keyword_share_of_messages(const struct docs *docs);
float keyword_b(const struct docs *docs);

struct posting_list;

struct keyword {
    struct intern terms;
    struct posting_list *lists; /* one a term */
    uint32_t cap_lists;
    size_t postings_bytes; /* on the heap, beside the lists */
    uint32_t *scratch;     /* the terms of the document being added */
    size_t cap_scratch;
    struct forward forward;
    const struct embedder *words; /* NULL: senses are not kept */
    struct word_sense *senses;    /* one a term: of the first word it came from */
};

/* Scores of one query: one float a document, and which of them are not zero. Between queries all are zero. */
struct scores {
    float *by_doc;
    uint32_t *touched;
    uint32_t n_touched, cap;
};
int scores_reserve(struct scores *scores, uint32_t n_docs);
void scores_clear(struct scores *scores);
void scores_done(struct scores *scores);

/* words as struct search_options has it, or NULL. */
void keyword_init(struct keyword *keyword, const struct embedder *words);
void keyword_done(struct keyword *keyword);
/* Indexes the text under a document number higher than any before. On an error some of its postings may
 * stand: the caller lets the number die. */
int keyword_add(struct keyword *keyword, struct analyzer *analyzer, struct str text, uint32_t doc,
                uint32_t *ret_n_terms);

/* A term of a query. */
struct keyword_term {
    uint32_t term;    /* INTERN_NONE: no living document has it */
    uint32_t n_live;  /* documents that hold it */
    uint32_t n_asked; /* times it stands in the query */
    uint32_t place;   /* where it does first, in terms */
    float idf;        /* one that nobody has weighs like the rarest there can be */
    struct word_sense sense;
};

/* At most KEYWORD_MAX_TERMS, the rarest first, equally rare ones as they stand in the query, those that
 * nobody has last: an order that depends on nothing but query and living documents, as do sums that run in
 * it. */
#define KEYWORD_MAX_TERMS 64
struct keyword_query {
    struct keyword_term *terms;
    size_t n;
};
/* Reads a query's terms; they live in the arena. */
int keyword_read(struct keyword *keyword, const struct docs *docs, struct analyzer *analyzer, struct str text,
                 struct arena *arena, struct keyword_query *ret_query);
/* What a document with every term without end would score: the sum of idf over what is asked. */
float keyword_best(const struct keyword_query *query);
/* Puts into scores (reserved for docs->n) what each document's match with the query is worth: 0..1, the share
 * of keyword_best. Dead documents may be among them. */
void keyword_score(struct keyword *keyword, const struct docs *docs, const struct keyword_query *query,
                   struct scores *scores);
/* How often each of the query's first n_terms stands in each document that has a row: counts[row][term], 255
 * at most. rows: by document, the row + 1; 0: it has none. Untouched where it is 0. Reads each list whole. */
#define KEYWORD_MAX_COUNTED 16
void keyword_count(const struct keyword *keyword, const struct keyword_query *query, size_t n_terms,
                   const uint16_t *rows, uint8_t (*counts)[KEYWORD_MAX_COUNTED]);
/* Renumbers by map (see docs_plan_compaction), drops the dead and the terms only they had. On an error
 * nothing has changed. */
int keyword_compact(struct keyword *keyword, const uint32_t *map);
size_t keyword_size_bytes(const struct keyword *keyword);

#endif
