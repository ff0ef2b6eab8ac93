/* SPDX-License-Identifier: Apache-2.0
 *
 * Which language a text is in, and the stems of words in each: what analyze.c needs when nobody says the
 * language.
 */
#ifndef PRECIS_TEXT_LANGUAGE_PRIV_H
#define PRECIS_TEXT_LANGUAGE_PRIV_H

#include "core/err.h"
#include "core/str.h"

enum language {
    LANGUAGE_UNKNOWN,
    LANGUAGE_ENGLISH,
    LANGUAGE_GERMAN, /* the first of those that are told apart from English */
    LANGUAGE_DUTCH,
    LANGUAGE_SWEDISH,
    LANGUAGE_DANISH,
    LANGUAGE_NORWEGIAN,
    LANGUAGE_FINNISH,
    LANGUAGE_FRENCH,
    LANGUAGE_SPANISH,
    LANGUAGE_ITALIAN,
    LANGUAGE_PORTUGUESE,
    LANGUAGE_ROMANIAN,
    LANGUAGE_POLISH,
    LANGUAGE_TURKISH,
    LANGUAGE_HUNGARIAN, /* the last in Latin script */
    LANGUAGE_RUSSIAN,
    LANGUAGE_UKRAINIAN,
    LANGUAGE_GREEK,
    LANGUAGE_ARABIC,
    LANGUAGE_HEBREW,
    LANGUAGE_HINDI,
    LANGUAGE_N
};

/* The language that a text gives away by its common words, letters and endings; LANGUAGE_UNKNOWN when there
 * is too little to tell, as in a question of one word. Only its beginning is read. Deterministic; the memo
 * keeps the words met last. */
struct language_memo;
struct language_memo *language_memo_new(void); /* NULL: no memory; given back by mem_free */
enum language language_guess(struct language_memo *memo, struct str text);
/* The language whose stems every word of its script gets: English for Latin letters, Russian for Cyrillic.
 * word: folded. LANGUAGE_UNKNOWN for a script without stems. */
enum language language_of_script(struct str word);

/* The languages (bit 1 << LANGUAGE_...) that have the word, folded and without diacritics, among their most
 * common ones. Bit 0: the word is so short, or so like an English one, that it proves little. */
uint32_t language_words_find(struct str word);

/* ---- stems ---- */

struct stems; /* stemmers, made when first needed, and the stems met last: one thread at a time */

struct stems *stems_new(void); /* NULL: no memory */
struct stems *stems_free(struct stems *stems);
struct stem {
    struct str text;
    uint32_t common; /* the languages (bit 1 << LANGUAGE_...) whose stop word the whole word is */
};
/* The stem of a folded word, without diacritics; borrowed until the next call. The word without its
 * diacritics where the language has no stemmer. */
int stems_find(struct stems *stems, enum language language, struct str word, struct stem *ret_stem);

/* Suffix stemmers of our own, for languages that libstemmer lacks: the length of the stem of a word without
 * diacritics (Polish) or as folded (Ukrainian); its bytes may change. */
size_t stem_polish(char *word, size_t len);
size_t stem_ukrainian(char *word, size_t len);

/* ---- compounds ---- */

#define COMPOUND_MAX_PARTS 4 /* of the two likeliest joints */

/* The words that a long German, Dutch or Nordic word is likely put together from, without diacritics; slices
 * of it. 0 for a word that is short or shows no joint. */
size_t compound_split(struct str word, struct str parts[COMPOUND_MAX_PARTS]);

#endif
