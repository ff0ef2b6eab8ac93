/* SPDX-License-Identifier: Apache-2.0
 *
 * How many tokens a text costs. Tokenizers stand in one table by name.
 *
 * `approx` needs no vocabulary. Its count is the sum over the characters, rounded up once:
 *     1/4  ASCII letter, digit or space
 *     1/2  other ASCII; U+0080..U+1FFF (most alphabets)
 *     1    U+2000..U+FFFF (punctuation, symbols, Chinese, Japanese, Korean); U+20000..U+3FFFF (rare Chinese);
 *          a byte that is not UTF-8
 *     2    any other (emoji)
 */
#ifndef PRECIS_TEXT_TOKENS_H
#define PRECIS_TEXT_TOKENS_H

#include "core/str.h"

struct tokenizer {
    const char *name;
    /* Tokens of the whole text, exactly as this tokenizer defines them. Linear, allocates nothing,
     * thread-safe. For any texts a and b: count(ab) <= count(a) + count(b) + seam_tokens. */
    int64_t (*count)(struct str text);
    int seam_tokens;
};

/* The tokenizer of that name or NULL. */
const struct tokenizer *tokenizer_find(struct str name);
/* All of them, ended by NULL, for messages and listings. */
const struct tokenizer *const *tokenizer_all(void);

#endif
