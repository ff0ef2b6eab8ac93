/* SPDX-License-Identifier: Apache-2.0
 *
 * How the encodings cut a text into pieces before they merge bytes, and the kinds of characters they ask for.
 */
#ifndef PRECIS_TEXT_PIECES_H
#define PRECIS_TEXT_PIECES_H

#include "core/str.h"

/* The end of the piece that begins at pos, which is below text.len. */
size_t cl100k_piece_end(struct str text, size_t pos);
size_t o200k_piece_end(struct str text, size_t pos);

/* The end of the character at pos, which is below text.len. What is not UTF-8 counts as U+FFFD, one for each
 * longest beginning of a character, as in the Encoding Standard; *ret_is_malformed says so. */
size_t piece_char_end(struct str text, size_t pos, bool *ret_is_malformed);

/* Places where a piece ends in both encodings whatever stands around: see struct tokenizer. They are
 *     after a letter or a digit, before white space or a sign (but for an apostrophe, which may go on);
 *     after a line end, before what is neither white space nor a slash.
 */
size_t piece_next_break(struct str text, size_t from);
size_t piece_last_break(struct str text, size_t to);

#endif
