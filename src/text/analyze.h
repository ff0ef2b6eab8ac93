/* SPDX-License-Identifier: Apache-2.0
 *
 * Text into the terms that search compares; the same at write and at query. NFKC case folding, Unicode
 * words, stems of the language's Snowball stemmer, stop words left out; Chinese, Japanese and Korean runs as
 * overlapping bigrams (a single character alone as itself); identifiers whole and in parts (camelCase,
 * snake_case, paths, E1234).
 */
#ifndef PRECIS_TEXT_ANALYZE_H
#define PRECIS_TEXT_ANALYZE_H

#include "core/err.h"
#include "core/str.h"

struct analyzer; /* holds a stemmer: one thread at a time */

/* language: ISO 639-1 ("en"); one without a stemmer gets none. */
int analyzer_new(const char *language, struct analyzer **ret_analyzer, struct err_info *reterr);
struct analyzer *analyzer_free(struct analyzer *analyzer);

/* term is borrowed for the call; position counts words from 0 (parts of an identifier share their word's).
 * Non-zero stops. */
typedef int (*analyzer_term_fn)(struct str term, uint32_t position, void *arg);
/* While on_term runs: the word that the term was made from, folded but whole. */
struct str analyzer_word(const struct analyzer *analyzer);
/* 0, the callback's non-zero value, or ERR_NOMEM. Malformed bytes separate words. */
int analyzer_run(struct analyzer *analyzer, struct str text, analyzer_term_fn on_term, void *arg);

#endif
