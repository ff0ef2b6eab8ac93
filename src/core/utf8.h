/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8: checking, stepping, and the hygiene that stored text gets before a model reads it.
 */
#ifndef PRECIS_CORE_UTF8_H
#define PRECIS_CORE_UTF8_H

#include "core/buf.h"

/* Offset of the first byte that is not well-formed UTF-8 (overlong forms, surrogates and values
 * beyond U+10FFFF are malformed), or s.len when all is well. */
size_t utf8_valid_prefix(struct str s);

static inline bool utf8_is_valid(struct str s)
{
    return utf8_valid_prefix(s) == s.len;
}

/* Decodes the character at *pos and moves past it; a malformed byte gives U+FFFD and moves by one.
 * *pos must be below s.len. */
uint32_t utf8_next(struct str s, size_t *pos);
void utf8_append(struct buf *buf, uint32_t codepoint);
/* Number of characters. */
size_t utf8_length(struct str s);
/* The longest prefix of at most `max_bytes` that ends between characters. */
struct str utf8_prefix(struct str s, size_t max_bytes);
/* Appends s without what can hide text from a reader or change its direction: controls (but tab and newline),
 * U+061C, 200B-200F, 202A-202E, 2060-2069, FEFF, FFF9-FFFB, variation selectors FE00-FE0E, E0000-E0FFF (tags
 * and more selectors), noncharacters; CR LF, lone CR, U+2028 and U+2029 become LF; malformed bytes become
 * U+FFFD. U+200D is kept between two characters above U+2000 (emoji sequences), one FE0F after any character.
 * Cleaning clean text changes nothing. */
void utf8_append_clean(struct buf *buf, struct str s);

#endif
