/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the analyzer: analyze.c walks over a text, analyze_chunk.c takes identifiers apart,
 * analyze_unspaced.c cuts scripts without spaces, analyze_forms.c turns a word into terms.
 */
#ifndef PRECIS_TEXT_ANALYZE_PRIV_H
#define PRECIS_TEXT_ANALYZE_PRIV_H

#include "text/analyze.h"
#include "text/language_priv.h"
#include "text/text_priv.h"

struct analyzer {
    struct stems *stems;
    struct language_memo *guessed;
    enum language language; /* of every text; LANGUAGE_UNKNOWN: each text's own, or one without stems */
    bool is_auto;
    struct str word; /* that the term now given was made from */
    bool is_extra;
};

/* One call of analyzer_run. */
struct run {
    struct analyzer *analyzer;
    struct str text;
    size_t pos;
    uint32_t position;
    enum language language; /* of this text */
    bool is_query;
    analyzer_term_fn on_term;
    void *arg;
};

extern const unsigned char analyze_class_of_byte[128];
enum char_class analyze_next_wide_class(struct str text, size_t *pos);

/* The class of the character at *pos, moving past it; CHAR_OTHER at the end. */
static inline enum char_class analyze_next_class(struct str text, size_t *pos)
{
    if (*pos >= text.len)
        return CHAR_OTHER;
    unsigned char byte = (unsigned char)text.ptr[*pos];
    if (byte >= 0x80)
        return analyze_next_wide_class(text, pos);
    *pos += 1;
    return analyze_class_of_byte[byte];
}

static inline bool analyze_is_word_class(enum char_class class)
{
    return class == CHAR_LOWER || class == CHAR_UPPER || class == CHAR_DIGIT;
}

/* Gives a term; nothing for an empty one. */
int analyze_emit(struct run *run, struct str term);
/* The same of a term that was made of a word, and whether it is one more form of it. */
int analyze_emit_form(struct run *run, struct str term, struct str word, bool is_extra);
/* A word or a piece of one, as it stands in the text: its terms. */
int analyze_emit_word(struct run *run, struct str word);

/* From run->pos, where a word begins, to the end of its chunk: words joined by connectors. */
int analyze_chunk(struct run *run);
/* From run->pos to the end of a run of an unspaced script. */
int analyze_unspaced(struct run *run);

#endif
