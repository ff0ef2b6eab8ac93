/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of text/: the tokenizers that tokens.c lists, and what analyze.c leans on.
 */
#ifndef PRECIS_TEXT_TEXT_PRIV_H
#define PRECIS_TEXT_TEXT_PRIV_H

#include "text/tokens.h"

extern const struct tokenizer tokenizer_approx, tokenizer_cl100k, tokenizer_o200k;

/* word: folded. */
bool stop_words_has_english(struct str word);

/* The order of a word and a table's, as str_compare has it: most differ in one of their first bytes. */
static inline int words_compare(struct str word, const char *listed)
{
    size_t i = 0;
    while (i < word.len && listed[i] && word.ptr[i] == listed[i])
        i++;
    if (i == word.len)
        return listed[i] ? -1 : 0;
    return listed[i] ? (unsigned char)word.ptr[i] - (unsigned char)listed[i] : 1;
}

/* How a character takes part in words. */
enum char_class {
    CHAR_OTHER, /* separates */
    CHAR_LOWER, /* a letter that is not upper case */
    CHAR_UPPER,
    CHAR_DIGIT,
    CHAR_MARK,      /* belongs to the letter before it */
    CHAR_UNSPACED,  /* of a script written without spaces: cut into bigrams */
    CHAR_CONNECTOR, /* joins words into an identifier: _ - . / : @ # + \ */
    CHAR_APOSTROPHE,
};

enum char_class char_class_of(uint32_t codepoint);

/* The longest run that is folded as a whole; what is longer is cut there, alike at write and at query. */
#define FOLD_MAX_BYTES 96
/* A folded run takes at most this: one character may become 18 (U+FDFA), of up to 4 bytes. */
#define FOLD_MAX_CODES 256

/* Begins a character, and folds to itself unless a mark follows (the greater part of Chinese, Japanese and
 * Korean). */
bool char_is_stable(uint32_t codepoint);
/* One code as UTF-8; its length. */
size_t char_encode(int32_t code, char out[4]);
/* NFKC case folding of a run of at most FOLD_MAX_BYTES, into codes; their number. Malformed bytes, and what
 * has no room, are left out. */
size_t chars_fold(struct str run, int32_t codes[FOLD_MAX_CODES]);
/* The same as UTF-8, at most FOLD_MAX_BYTES of it, ended between characters. */
size_t chars_fold_text(struct str run, char out[FOLD_MAX_BYTES]);
/* What chars_fold_text made, without the diacritics of Latin and Greek letters (also ł, ø, æ and their like,
 * and ё): at most FOLD_MAX_BYTES. in and out may be the same. */
size_t chars_strip(struct str folded, char out[FOLD_MAX_BYTES]);
/* Both: a run as people type it who have no such keys. */
size_t chars_fold_plain(struct str run, char out[FOLD_MAX_BYTES]);

#endif
