/* SPDX-License-Identifier: Apache-2.0
 *
 * Text into the terms that search compares; the same at write and at query. Nothing need be known of a text:
 * its language is guessed, and a text and a query meet even when the guesses differ, since every word also
 * gives a term that does not depend on them. docs/languages.md says what is found by what.
 */
#ifndef PRECIS_TEXT_ANALYZE_H
#define PRECIS_TEXT_ANALYZE_H

#include "core/err.h"
#include "core/str.h"

struct analyzer; /* holds stemmers: one thread at a time */

/* language: "auto", or the ISO 639-1 code of the one that every text is in ("en"); one without a stemmer gets
 * none. */
int analyzer_new(const char *language, struct analyzer **ret_analyzer, struct err_info *reterr);
struct analyzer *analyzer_free(struct analyzer *analyzer);

/* term is borrowed for the call; position counts words from 0 (parts and forms of a word share its position).
 * Non-zero stops. */
typedef int (*analyzer_term_fn)(struct str term, uint32_t position, void *arg);
/* Of a text to be stored. 0, the callback's non-zero value, or ERR_NOMEM. Malformed bytes separate words. */
int analyzer_run(struct analyzer *analyzer, struct str text, analyzer_term_fn on_term, void *arg);
/* Of a query: the same terms, and where its language is not known each word's form in every language as an
 * extra. */
int analyzer_run_query(struct analyzer *analyzer, struct str query, analyzer_term_fn on_term, void *arg);

/* While on_term runs: the word that the term was made from, folded but whole. */
struct str analyzer_word(const struct analyzer *analyzer);
/* While on_term runs: the term is one more form of the word at its position. In a query it adds to what it is
 * found in, and says nothing where no text has it; a word is unknown only when all its forms are. */
bool analyzer_is_extra(const struct analyzer *analyzer);

#endif
