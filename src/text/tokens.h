/* SPDX-License-Identifier: Apache-2.0
 *
 * How many tokens a text costs. Tokenizers stand in one table by name.
 *
 * `o200k_base` and `cl100k_base` count as the models' own tokenizers do, on any input; names of special
 * tokens are ordinary text, and each malformed sequence counts as one U+FFFD (the longest beginning of a
 * character is one sequence, as in the Encoding Standard).
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
     * thread-safe. */
    int64_t (*count)(struct str text);
    /* What joining two texts may cost: count(ab) <= count(a) + count(b) + seam_tokens. Always so for approx.
     * For the others where a ends in a line feed and b begins with neither white space nor a slash, as lines
     * of a context do: then the sum is exact. Elsewhere it is a token or two short in one join of a
     * hundred, and no number is enough for all texts: what matters to a budget is counted again as a whole.
     */
    int seam_tokens;
};

/* The tokenizer of that name or NULL. */
const struct tokenizer *tokenizer_find(struct str name);
/* All of them, ended by NULL, for messages and listings. */
const struct tokenizer *const *tokenizer_all(void);

#endif
