/* SPDX-License-Identifier: Apache-2.0
 *
 * Counting the tokens of a piece without merging. Two facts make that possible, both for a vocabulary whose
 * every token is what merging its own bytes gives (tools/make_vocab.mjs checks it): a row of tokens is the
 * encoding of its bytes if and only if each two neighbours are the encoding of theirs; and the first tokens
 * of an encoding are the encoding of their bytes. So every prefix of a piece has one last token, and whatever
 * token may stand after that token may be tried.
 *
 * bpe_count tries the longest first and steps back: no prefix is reached twice, since its encoding is one.
 * bpe_run notes the last token of every prefix, which costs more but needs no more than the longest token's
 * bytes of history. Both look at each byte no more often than there are tokens that begin at it.
 */
#include "text/bpe.h"

#include <stdbool.h>
#include <string.h>

#define TOKEN_MASK (BPE_MAX_TOKENS - 1)
#define RING       (2 * BPE_MAX_TOKEN_BYTES)

static inline uint32_t token_left(const struct bpe *bpe, uint32_t token)
{
    return (uint32_t)bpe->tokens[token] & TOKEN_MASK;
}

static inline uint32_t token_right(const struct bpe *bpe, uint32_t token)
{
    return (uint32_t)(bpe->tokens[token] >> 18) & TOKEN_MASK;
}

static inline uint32_t token_shorter(const struct bpe *bpe, uint32_t token)
{
    return (uint32_t)(bpe->tokens[token] >> 36) & TOKEN_MASK;
}

static inline uint32_t token_len(const struct bpe *bpe, uint32_t token)
{
    return (uint32_t)(bpe->tokens[token] >> 54);
}

/* The token that merging the two gives, or BPE_NO_TOKEN. */
static uint32_t merge_of(const struct bpe *bpe, uint32_t left, uint32_t right)
{
    uint64_t hash = bpe_pair_hash(left, right);
    uint32_t at = bpe_pair_slot(hash), tag = bpe_pair_tag(hash);
    for (; bpe->pairs[at] != 0; at = (at + 1) % BPE_PAIRS) {
        uint32_t token = bpe->pairs[at] & TOKEN_MASK;
        if ((bpe->pairs[at] & ~TOKEN_MASK) == tag && token_left(bpe, token) == left &&
            token_right(bpe, token) == right)
            return token;
    }
    return BPE_NO_TOKEN;
}

/* Is (left, right) the encoding of its bytes? The merges that made both are undone, the latest first. At each
 * stage the two tokens at the seam stood side by side; had they a merge that came before the one just undone,
 * the seam would have been closed. At equal ranks the leftmost comes first: a merge at the seam comes before
 * one of the right token, not before one of the left. */
static bool can_follow(const struct bpe *bpe, uint32_t left, uint32_t right)
{
    uint32_t limit = BPE_NO_TOKEN;
    while (merge_of(bpe, left, right) >= limit) {
        if (left > right && left >= 256) {
            limit = left;
            left = token_right(bpe, left);
        } else if (right >= 256) {
            limit = right + 1;
            right = token_left(bpe, right);
        } else {
            return true;
        }
    }
    return false;
}

static uint32_t longest_token(const struct bpe *bpe, const unsigned char *bytes, size_t len)
{
    uint32_t token = BPE_NO_TOKEN;
    size_t base = BPE_ROOT;
    for (size_t i = 0; i < len; i++) {
        struct bpe_slot slot = bpe->trie[base + bytes[i]];
        if ((slot.base_label & 0xFF) != bytes[i])
            break;
        if (slot.token != BPE_NO_TOKEN)
            token = slot.token;
        base = slot.base_label >> 8;
        if (base == 0)
            break;
    }
    return token;
}

int64_t bpe_count(const struct bpe *bpe, const unsigned char *bytes, size_t len)
{
    uint32_t row[BPE_PIECE_BYTES];
    size_t n = 0, pos = 0;
    uint32_t token = longest_token(bpe, bytes, len);
    for (;;) {
        while (token != BPE_NO_TOKEN && n > 0 && !can_follow(bpe, row[n - 1], token))
            token = token_shorter(bpe, token);
        if (token == BPE_NO_TOKEN) { /* no way on from here: the token before must be shorter */
            token = row[--n];
            pos -= token_len(bpe, token);
            token = token_shorter(bpe, token);
            continue;
        }
        row[n++] = token;
        pos += token_len(bpe, token);
        if (pos == len)
            return (int64_t)n;
        token = longest_token(bpe, bytes + pos, len - pos);
    }
}

/* ---- pieces of any length ------------------------------------------------------------------------------ */

void bpe_run_init(struct bpe_run *run, const struct bpe *bpe)
{
    run->bpe = bpe;
    run->n_done = run->n_ahead = 0;
    run->last[0] = BPE_NO_TOKEN;
    run->count[0] = 0;
    memset(run->known, 0, sizeof(run->known));
}

/* From the prefix of n_done bytes to the longer ones that one more token makes. */
static void step(struct bpe_run *run, const unsigned char *bytes, size_t len)
{
    size_t base = BPE_ROOT, here = run->n_done % RING;
    for (size_t i = 0; i < len && base != 0; i++) {
        struct bpe_slot slot = run->bpe->trie[base + bytes[i]];
        if ((slot.base_label & 0xFF) != bytes[i])
            break;
        base = slot.base_label >> 8;
        size_t prefix = run->n_done + i + 1, there = prefix % RING;
        if (slot.token == BPE_NO_TOKEN || run->known[there] == prefix)
            continue;
        if (run->last[here] != BPE_NO_TOKEN && !can_follow(run->bpe, run->last[here], slot.token))
            continue;
        run->known[there] = prefix;
        run->last[there] = slot.token;
        run->count[there] = run->count[here] + 1;
    }
    run->n_done++;
}

/* Does the steps for which a longest token's bytes lie ahead; at the end all. */
static void advance(struct bpe_run *run, bool is_end)
{
    size_t pos = 0;
    for (; run->n_ahead - pos >= BPE_MAX_TOKEN_BYTES || (is_end && pos < run->n_ahead); pos++)
        step(run, run->ahead + pos, run->n_ahead - pos);
    memmove(run->ahead, run->ahead + pos, run->n_ahead - pos);
    run->n_ahead -= pos;
}

void bpe_run_add(struct bpe_run *run, const unsigned char *bytes, size_t len)
{
    while (len > 0) {
        size_t room = sizeof(run->ahead) - run->n_ahead, n = len < room ? len : room;
        memcpy(run->ahead + run->n_ahead, bytes, n);
        run->n_ahead += n;
        bytes += n;
        len -= n;
        if (run->n_ahead == sizeof(run->ahead))
            advance(run, false);
    }
}

int64_t bpe_run_end(struct bpe_run *run)
{
    advance(run, true);
    return run->count[run->n_done % RING];
}
