/* SPDX-License-Identifier: Apache-2.0
 *
 * Byte pair encoding over read-only tables. The tables are made at build time by tools/pack_tokens.c, which
 * shares this header, and lie in the program's read-only data: nothing is unpacked, and pages that no text
 * asks for are never read. A token's number is its rank: of two possible merges the one with the lower result
 * comes first, and among equals the leftmost.
 */
#ifndef PRECIS_TEXT_BPE_H
#define PRECIS_TEXT_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BPE_TOKEN_BITS      18
#define BPE_MAX_TOKENS      (1u << BPE_TOKEN_BITS)
#define BPE_NO_TOKEN        (BPE_MAX_TOKENS - 1)
#define BPE_MAX_TOKEN_BYTES 128
#define BPE_ROOT            256u       /* the base of the trie's root */
#define BPE_PAIRS           (1u << 19) /* slots of `pairs` */
#define BPE_KIND_BLOCK      128

/* The child of a node with base b by byte c stands in slot b + c, if that slot bears the label c. */
struct bpe_slot {
    uint32_t base_label; /* the node's own base (0: no children), then its label in the low 8 bits */
    uint32_t token;      /* that ends here, or BPE_NO_TOKEN */
};

struct bpe {
    const struct bpe_slot *trie;
    /* By token, see bpe_token_row. */
    const uint64_t *tokens;
    /* Open addressing by the two tokens that a merge joins: tag above, result in the low bits; 0 is empty. */
    const uint32_t *pairs;
};

extern const struct bpe bpe_cl100k, bpe_o200k;

/* left, right: what the token's last merge joined (of a byte: nothing); shorter: the longest token that is a
 * proper prefix of it. */
static inline uint64_t bpe_token_row(uint32_t left, uint32_t right, uint32_t shorter, uint32_t len)
{
    return (uint64_t)left | (uint64_t)right << 18 | (uint64_t)shorter << 36 | (uint64_t)len << 54;
}

static inline uint64_t bpe_pair_hash(uint32_t left, uint32_t right)
{
    return ((uint64_t)left << BPE_TOKEN_BITS | right) * UINT64_C(0x9E3779B97F4A7C15);
}

static inline uint32_t bpe_pair_slot(uint64_t hash)
{
    return (uint32_t)(hash >> (64 - 19));
}

static inline uint32_t bpe_pair_tag(uint64_t hash)
{
    return (uint32_t)(hash >> 16) & ~(BPE_MAX_TOKENS - 1);
}

/* The most bytes that bpe_count takes at once. */
#define BPE_PIECE_BYTES 1024

/* Tokens of a piece of at most BPE_PIECE_BYTES, at least one. */
int64_t bpe_count(const struct bpe *bpe, const unsigned char *bytes, size_t len);

#define BPE_WINDOW_BYTES  4096
#define BPE_HISTORY_BYTES 2048 /* of the window, kept for steps back */

/* Counts a piece of any length that is handed over bit by bit, in memory that does not grow. */
struct bpe_run {
    const struct bpe *bpe;
    size_t n_bytes;   /* in the window */
    size_t pos;       /* up to where tokens were found */
    size_t n_row;     /* tokens of the window's bytes up to pos */
    int64_t n_gone;   /* tokens that have left the window */
    uint64_t n_tries; /* tokens tried so far: the work done */
    bool is_lost;     /* a step back led out of the window */
    unsigned char bytes[BPE_WINDOW_BYTES];
    uint32_t row[BPE_WINDOW_BYTES];
};

void bpe_run_init(struct bpe_run *run, const struct bpe *bpe);
void bpe_run_add(struct bpe_run *run, const unsigned char *bytes, size_t len);
/* The tokens of all that was added, or -1 when the window was too small to tell: then bpe_table can. */
int64_t bpe_run_end(struct bpe_run *run);

/* The same without any doubt, several times slower. */
struct bpe_table {
    const struct bpe *bpe;
    size_t n_done;  /* bytes behind us */
    size_t n_ahead; /* bytes that wait */
    uint64_t n_tries;
    unsigned char ahead[BPE_WINDOW_BYTES];
    /* Of the piece's first p bytes, at p modulo the size: its last token, how many, and p itself. */
    uint32_t last[2 * BPE_MAX_TOKEN_BYTES];
    int64_t count[2 * BPE_MAX_TOKEN_BYTES];
    size_t known[2 * BPE_MAX_TOKEN_BYTES];
};

void bpe_table_init(struct bpe_table *table, const struct bpe *bpe);
void bpe_table_add(struct bpe_table *table, const unsigned char *bytes, size_t len);
int64_t bpe_table_end(struct bpe_table *table);

#endif
