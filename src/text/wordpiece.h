/* SPDX-License-Identifier: Apache-2.0
 *
 * Text cut into the word pieces of a BERT vocabulary (uncased: lower case, no accents), as the reference
 * tokenizer cuts it, but that what it calls unknown is left out unless a token is named for it, and that no
 * special token is read out of a text.
 *
 * A vocabulary is four flat arrays that can be used where they lie, in a file or in the program. Its tokens
 * are sorted by place in the word (those that begin one, then those that go on within one, kept without their
 * "##") and then by length in bytes, so that a token's number tells where its text stands; a hash table finds
 * the number. Reading is thread-safe and never leaves the arrays, whatever they hold.
 */
#ifndef PRECIS_TEXT_WORDPIECE_H
#define PRECIS_TEXT_WORDPIECE_H

#include "core/err.h"
#include "core/str.h"

#define WORDPIECE_MAX_WORD_CHARS  100                            /* a longer word is unknown */
#define WORDPIECE_MAX_TOKEN_BYTES (4 * WORDPIECE_MAX_WORD_CHARS) /* no longer token can match */
#define WORDPIECE_MAX_TOKENS      ((1u << 20) - 1)               /* a slot has 20 bits for a token */

/* Tokens of one place and length: from first_token up to the next group's. */
struct wordpiece_group {
    uint32_t first_token;
    uint32_t text_offset;
};

struct wordpiece_vocab {
    const struct wordpiece_group *groups; /* 2 * max_token_bytes, and one that closes the last */
    const uint32_t *slots;                /* 0 free, else 12 bits of the hash << 20 | token + 1 */
    const char *text;
    uint32_t n_slots;
    uint32_t max_token_bytes;
    uint32_t n_tokens;
    uint32_t text_bytes;
    bool has_unknown; /* otherwise unknown words are left out */
    uint32_t unknown; /* the token that stands for one */
    void *owned;      /* what wordpiece_build allocated; NULL for a vocabulary that is borrowed */
};

/* Whether the groups agree with each other and with the sizes; ERR_CORRUPT with what does not. The slots are
 * not read: each is checked when it is used. */
int wordpiece_check(const struct wordpiece_vocab *vocab, struct err_info *reterr);

/* Makes a vocabulary of tokens as BERT spells them ("##ing"), without a token for unknown words. ret_order[i]
 * is the token that stands for tokens[i], or UINT32_MAX for one that no text can hold (empty or too long).
 * Copies the tokens. ERR_LIMIT beyond WORDPIECE_MAX_TOKENS. */
int wordpiece_build(const struct str *tokens, size_t n_tokens, uint32_t *ret_order,
                    struct wordpiece_vocab *ret_vocab, struct err_info *reterr);
/* Bytes that wordpiece_build allocated for it. */
size_t wordpiece_heap_bytes(const struct wordpiece_vocab *vocab);
/* Frees what wordpiece_build allocated; accepts a zeroed vocabulary and one that is borrowed. */
void wordpiece_done(struct wordpiece_vocab *vocab);

/* The tokens of the text's first max_chars characters, at most max_tokens; how many. Malformed bytes are
 * passed over. Allocates nothing; linear in the text. */
size_t wordpiece_encode(const struct wordpiece_vocab *vocab, struct str text, size_t max_chars,
                        uint32_t *ret_tokens, size_t max_tokens);

/* The text of a token, without "##", and whether it goes on within a word. */
struct str wordpiece_text(const struct wordpiece_vocab *vocab, uint32_t token, bool *ret_is_inside);

#endif
