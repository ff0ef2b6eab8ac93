/* SPDX-License-Identifier: Apache-2.0
 *
 * Which of a few hundred short texts, such as lines of a log, matter to a question: by the words they share
 * with it, of which those count more that few of the texts have, and by nearness of meaning. Needs no index:
 * the texts themselves are all there is to know.
 */
#ifndef PRECIS_TEXT_MATCH_H
#define PRECIS_TEXT_MATCH_H

#include "core/arena.h"
#include "core/err.h"
#include "text/analyze.h"
#include "text/embed.h"

#define TEXT_MATCH_MAX_WORDS 64  /* of a question; later ones do not count */
#define TEXT_MATCH_MAX_TERMS 512 /* a word has several */

struct text_match; /* one thread at a time */

/* embedder is borrowed; NULL: words alone count. So is the analyzer, of "auto". Texts live in the arena. */
int text_match_new(struct str question, const struct embedder *embedder, struct analyzer *analyzer,
                   size_t max_texts, struct arena *arena, struct text_match **ret_match,
                   struct err_info *reterr);
struct text_match *text_match_free(struct text_match *match); /* accepts NULL; returns NULL */

/* Takes in the next text; they count from 0. At most max_texts. */
int text_match_add(struct text_match *match, struct str text, struct err_info *reterr);

struct text_match_score {
    float words;   /* 0..1: the share of the question's words, by weight, that the text has */
    float meaning; /* 0..1: 0 for what is as near as any two texts are */
};
/* After all texts are in: how rare a word is is known only then. */
struct text_match_score text_match_score(const struct text_match *match, size_t idx);
/* Whether a text with that score has to do with the question at all. */
bool text_match_matters(struct text_match_score score);

#endif
