/* SPDX-License-Identifier: Apache-2.0
 *
 * Less of a text for a reader who asked something: the sentences that have most to do with the question, as
 * they stand and in their order, with "…" where others were. Nothing is rephrased.
 */
#ifndef PRECIS_TEXT_GIST_H
#define PRECIS_TEXT_GIST_H

#include "core/buf.h"
#include "core/err.h"
#include "text/tokens.h"

#define GIST_MAX_WORDS 64 /* of a question; later ones do not count */
#define GIST_MAX_TERMS 256

/* What is asked for; one thread at a time. */
struct text_gist;

/* An empty question prefers no sentence. Errors: ERR_NOMEM, ERR_INVALID for a language that has no name. */
int text_gist_new(struct str question, struct text_gist **ret_gist, struct err_info *reterr);
struct text_gist *text_gist_free(struct text_gist *gist);

/* Appends whole sentences of the text, at most max_tokens with the marks for what is left out: the first one,
 * which says what the text is about, if it takes no more than half of that; those that share most words with
 * the question; and the first of the others. A list mark at the beginning of the text stays. Appends nothing
 * when no sentence fits, and of a text that is one sentence. 0 or ERR_NOMEM. */
int text_append_core(struct buf *buf, struct str text, struct text_gist *gist,
                     const struct tokenizer *tokenizer, int64_t max_tokens);
/* Appends one line: of the sentence that shares most with the question, or else the first, as many whole
 * words as max_tokens allow. Appends nothing when that is not even one word. 0 or ERR_NOMEM. */
int text_append_line(struct buf *buf, struct str text, struct text_gist *gist,
                     const struct tokenizer *tokenizer, int64_t max_tokens);

#endif
