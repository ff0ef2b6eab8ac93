/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of memory/ share: the object itself, ids, and the checks every write makes. Never leaves the
 * folder.
 */
#ifndef PRECIS_MEMORY_MEMORY_PRIV_H
#define PRECIS_MEMORY_MEMORY_PRIV_H

#include "core/value.h"
#include "memory/memory.h"

#define MEMORY_DEFAULT_USER    "default"
#define MEMORY_MAX_NAME_BYTES  255 /* sources, sessions, keys, categories: what names, but is not text */
#define MEMORY_MAX_LIMIT       1000
#define MEMORY_MAX_JSON_DEPTH  32
#define MEMORY_ID_RANDOM_CHARS 22 /* base62 digits of 128 bits */

struct key_cache;

struct memory {
    struct store *store;
    const struct clock *clock;
    struct embedder *words; /* the built-in one */
    struct search *search;
    struct key_cache *keys;
    struct rerank *rerank; /* NULL: none */
    bool has_slow_vectors; /* of queries too: an encoder makes them */
};

/* prefix ("mem_", at most 9 characters) and 128 random bits in base62, NUL-terminated. */
void memory_make_id(const char *prefix, char ret_id[MEMORY_ID_SIZE]);

/* The scope with "default" for an empty user. */
struct scope memory_scope(const struct scope *scope);
/* The same, checked: ERR_INVALID names "tenant" or "user_id". */
int memory_check_scope(const struct scope *scope, struct scope *ret_scope, struct err_info *reterr);

/* Text that may be stored: well-formed UTF-8, no NUL, at most max_bytes, and at least one byte unless
 * may_be_empty. ERR_INVALID names the field. */
int memory_check_text(struct str text, const char *field, size_t max_bytes, bool may_be_empty,
                      struct err_info *reterr);

/* "" or one JSON object within the limits of memory.h. */
int memory_check_metadata(struct str metadata, const char *field, struct err_info *reterr);

/* A time that has a date: years 1 to 9999. */
int memory_check_time(int64_t time_us, const char *field, struct err_info *reterr);
/* 1..MEMORY_MAX_LIMIT. */
int memory_check_limit(size_t limit, struct err_info *reterr);

/* Tags as a row keeps them, a JSON array of texts. */
void memory_print_tags(const struct str *tags, size_t n_tags, struct buf *buf);
int memory_parse_tags(struct str json, struct arena *arena, struct str **ret_tags, size_t *ret_n,
                      struct err_info *reterr);

/* Readers of a row's columns: NULL reads as empty text and as 0. Text is copied into the arena, whose latch
 * says if that failed. */
struct str memory_copy_text(struct arena *arena, struct value column);
int64_t memory_int_of(struct value column);
double memory_real_of(struct value column);

/* Raises the store's change number and gives the new one: every row written in the transaction carries it. */
int memory_next_change(struct store_txn *txn, int64_t *ret_change, struct err_info *reterr);

/* The columns of knowledge that a struct knowledge is made of, in knowledge_read's order. */
#define KNOWLEDGE_COLUMNS                                                                                    \
    "row, id, user_id, content, source, tags, metadata, importance, created_at, updated_at"
int knowledge_read(const struct value *columns, struct arena *arena, int64_t *ret_row,
                   struct knowledge *ret_item, struct err_info *reterr);

#define KNOWLEDGE_WANTED_ROWS 32 /* one statement whatever the limit, so that it is prepared once */
/* Selects columns, the first of which must be row, of the rows ?3 to ?34 of tenant ?1 and user ?2. A table of
 * the rows wanted, joined in that order, finds each by its number; with `row IN (...)` SQLite reads all rows
 * of the user instead. The cast tells the type of the column. */
#define KNOWLEDGE_WANTED_SQL(columns)                                                                        \
    "WITH wanted (number) AS (VALUES (CAST(?3 AS BIGINT)), (?4), (?5), (?6), (?7), (?8), (?9), (?10), "      \
    "(?11), (?12), (?13), (?14), (?15), (?16), (?17), (?18), (?19), (?20), (?21), (?22), (?23), (?24), "     \
    "(?25), (?26), (?27), (?28), (?29), (?30), (?31), (?32), (?33), (?34)) "                                 \
    "SELECT " columns " FROM wanted CROSS JOIN knowledge "                                                   \
    "WHERE row = number AND tenant = ?1 AND user_id = ?2 AND is_deleted = 0"

/* Reads what hits without an item stand for, under their tenant and user again. take(columns, at) is called
 * for each row that is there, with the place of its hit; what it returns other than 0 ends the reading. */
struct hits_reading {
    const char *sql; /* a KNOWLEDGE_WANTED_SQL */
    struct scope scope;
    const struct search_hit *hits;
    size_t n;
    int (*take)(const struct value *columns, size_t at, void *arg, struct err_info *reterr);
    void *arg;
};
int knowledge_read_hits(struct memory *memory, const struct hits_reading *reading, struct err_info *reterr);

/* Puts the first hits in the order of memory's re-ranker. On any error they stand as they were. */
int knowledge_rerank(struct memory *memory, const struct scope *scope, const struct knowledge_query *query,
                     struct search_hit *hits, size_t n, struct err_info *reterr);

/* ERR_INVALID names "tags" or "tags[1]". */
int knowledge_check_tags(const struct str *tags, size_t n_tags, struct err_info *reterr);
int knowledge_check_importance(double importance, struct err_info *reterr);
/* Room for the tags of an item, printed: every byte may be escaped. */
#define KNOWLEDGE_MAX_TAGS_TEXT ((size_t)8 * MEMORY_MAX_TAGS * MEMORY_MAX_TAG_BYTES)

/* Erases a row but for its empty stub, and all its history. change_seen: only if it has not changed since;
 * negative: in any case. *ret_done: false when there is none. */
int knowledge_erase(struct store_txn *txn, struct str tenant, struct str id, int64_t change_seen,
                    int64_t change, int64_t now_us, bool *ret_done, struct err_info *reterr);

#endif
