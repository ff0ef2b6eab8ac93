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

#define TOKENS_NO_BREAK SIZE_MAX

struct tokenizer {
    const char *name;
    /* Tokens of the whole text, exactly as this tokenizer defines them. Linear, allocates nothing,
     * thread-safe. */
    int64_t (*count)(struct str text);
    /* The same in finer units, which add up where a text is broken: tokens are units / units_per_token,
     * rounded up. */
    int64_t (*units)(struct str text);
    int units_per_token;
    /* A break is a place p inside the text such that what stands before it and what stands from it on are
     * counted apart: for all x and y, units(x text y) = units(x text[..p)) + units(text[p..) y). These find
     * the first break at or after `from`, and the last one at or before `to`; TOKENS_NO_BREAK when there is
     * none. Words and lines have breaks; a long row of letters, or of signs, need not have any. */
    size_t (*next_break)(struct str text, size_t from);
    size_t (*last_break)(struct str text, size_t to);
};

static inline int64_t tokens_of_units(const struct tokenizer *tokenizer, int64_t units)
{
    return (units + tokenizer->units_per_token - 1) / tokenizer->units_per_token;
}

/* The tokenizer of that name or NULL. */
const struct tokenizer *tokenizer_find(struct str name);
/* All of them, ended by NULL, for messages and listings. */
const struct tokenizer *const *tokenizer_all(void);

#endif
