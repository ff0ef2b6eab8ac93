/* SPDX-License-Identifier: Apache-2.0
 *
 * Shortening text where a reader would: at a sentence, else a word, else a grapheme cluster; never inside
 * one.
 */
#ifndef PRECIS_TEXT_CUT_H
#define PRECIS_TEXT_CUT_H

#include "core/buf.h"
#include "text/tokens.h"

/* End of the sentence that starts at byte `from` (after its closing mark and quotes, before the white space),
 * or text.len. Knows . ! ? … and their CJK forms; an empty line ends one too; a dot inside a number, after a
 * single letter or a common abbreviation ends none. */
size_t text_sentence_end(struct str text, size_t from);
/* The longest prefix of at most max_graphemes grapheme clusters, ended at a word where one ends in its last
 * third. */
struct str text_cut_graphemes(struct str text, size_t max_graphemes);
/* Appends text if it has at most max_tokens, else its longest prefix of whole sentences (else words) that
 * together with a closing " …" ("…" after a word) has; a word of 40 bytes and more may be cut between
 * graphemes. Appends nothing when not even one word and the ellipsis fit. True when it was cut. */
bool text_append_cut(struct buf *buf, struct str text, const struct tokenizer *tokenizer, int64_t max_tokens);

#endif
