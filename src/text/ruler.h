/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts of the parts of one text: the text is measured once, and any interval is then counted by what lies
 * between its ends and the nearest marks.
 */
#ifndef PRECIS_TEXT_RULER_H
#define PRECIS_TEXT_RULER_H

#include "text/tokens.h"

#define RULER_MAX_MARKS 256

/* Marks stand at breaks, and at both ends; a text too long for so many at a small distance gets them wider
 * apart. Nothing is allocated; the text is borrowed. */
struct token_ruler {
    const struct tokenizer *tokenizer;
    struct str text;
    size_t stride_bytes; /* the least distance of two marks */
    size_t n;
    size_t marks[RULER_MAX_MARKS];
    int64_t units[RULER_MAX_MARKS]; /* of the text up to the mark */
};

/* Measures the text in one pass; stops at the first mark that has more than max_units. */
void token_ruler_init(struct token_ruler *ruler, const struct tokenizer *tokenizer, struct str text,
                      int64_t max_units);
/* Was the whole text measured? Then the last mark has its units. */
bool token_ruler_is_whole(const struct token_ruler *ruler);
/* The units of the bytes from..to, alone: exactly what the tokenizer says of them. */
int64_t token_ruler_units(const struct token_ruler *ruler, size_t from, size_t to);
/* The place in marks of the last mark before `pos`, or at it when that is the beginning. */
size_t token_ruler_mark_before(const struct token_ruler *ruler, size_t pos);

#endif
