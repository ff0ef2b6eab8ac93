/* SPDX-License-Identifier: Apache-2.0
 *
 * Counting the tokens of a piece without merging. Two facts make that possible, both for a vocabulary whose
 * every token is what merging its own bytes gives (tools/make_vocab.mjs checks it): a row of tokens is the
 * encoding of its bytes if and only if each two neighbours are the encoding of theirs; and the first tokens
 * of an encoding are the encoding of their bytes. So every prefix of a piece has one last token, and whatever
 * token may stand after that token may be tried.
 *
 * bpe_count tries the longest first and steps back: no prefix is reached twice, since its encoding is one.
 * bpe_run does so within a window; how far back a step may lead has no bound, but beyond the window it has
 * not been seen. bpe_table notes the last token of every prefix, which costs more but needs no more than the
 * longest token's bytes of history. All try no more tokens than those that begin at each byte, of which there
 * are at most BPE_MAX_TOKEN_BYTES, and a try undoes at most as many merges as two tokens have bytes: so all
 * are linear, and so is a run that was lost with the table that is asked then. What is met stays far below: a
 * test counts the tries over repetitions made to be nasty.
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

/* A row of tokens that is the encoding of the bytes up to pos. */
struct row {
    uint32_t *tokens;
    size_t n, pos;
    uint64_t n_tries;
};

/* Makes the row longer until it reaches `stop`, at which it may end or pass it. False when the first token
 * would have to go and has_before says that others stood before it. */
static bool extend(const struct bpe *bpe, struct row *row, const unsigned char *bytes, size_t len,
                   size_t stop, bool has_before)
{
    while (row->pos < stop) {
        uint32_t token = longest_token(bpe, bytes + row->pos, len - row->pos);
        row->n_tries++;
        while (row->n > 0) {
            uint32_t last = row->tokens[row->n - 1];
            for (; token != BPE_NO_TOKEN && !can_follow(bpe, last, token); row->n_tries++)
                token = token_shorter(bpe, token);
            if (token != BPE_NO_TOKEN)
                break;
            if (row->n == 1 && has_before)
                return false;
            row->n--; /* no way on from here: the token before must be shorter */
            row->pos -= token_len(bpe, last);
            token = token_shorter(bpe, last);
        }
        row->tokens[row->n++] = token;
        row->pos += token_len(bpe, token);
    }
    return true;
}

int64_t bpe_count(const struct bpe *bpe, const unsigned char *bytes, size_t len)
{
    uint32_t tokens[BPE_PIECE_BYTES];
    struct row row = {.tokens = tokens};
    (void)extend(bpe, &row, bytes, len, len, false); /* with nothing before it, it cannot fail */
    return (int64_t)row.n;
}

/* ---- pieces of any length, through a window ---- */

void bpe_run_init(struct bpe_run *run, const struct bpe *bpe)
{
    run->bpe = bpe;
    run->n_bytes = run->pos = run->n_row = 0;
    run->n_gone = 0;
    run->n_tries = 0;
    run->is_lost = false;
}

static void extend_run(struct bpe_run *run, size_t stop)
{
    struct row row = {run->row, run->n_row, run->pos, run->n_tries};
    run->is_lost = run->is_lost || !extend(run->bpe, &row, run->bytes, run->n_bytes, stop, run->n_gone > 0);
    run->n_tries = row.n_tries;
    run->n_row = row.n;
    run->pos = row.pos;
}

/* Makes room: all tokens leave but the last that hold the history. */
static void slide(struct bpe_run *run)
{
    size_t n = 0, n_bytes = 0;
    while (n + 1 < run->n_row) {
        size_t len = token_len(run->bpe, run->row[n]);
        if (run->pos - n_bytes - len < BPE_HISTORY_BYTES)
            break;
        n_bytes += len;
        n++;
    }
    memmove(run->row, run->row + n, (run->n_row - n) * sizeof(run->row[0]));
    memmove(run->bytes, run->bytes + n_bytes, run->n_bytes - n_bytes);
    run->n_row -= n;
    run->n_gone += (int64_t)n;
    run->n_bytes -= n_bytes;
    run->pos -= n_bytes;
}

void bpe_run_add(struct bpe_run *run, const unsigned char *bytes, size_t len)
{
    while (len > 0 && !run->is_lost) {
        size_t room = sizeof(run->bytes) - run->n_bytes, n = len < room ? len : room;
        memcpy(run->bytes + run->n_bytes, bytes, n);
        run->n_bytes += n;
        bytes += n;
        len -= n;
        if (run->n_bytes == sizeof(run->bytes)) {
            /* Only where a longest token's bytes lie ahead. */
            extend_run(run, run->n_bytes - BPE_MAX_TOKEN_BYTES);
            slide(run);
        }
    }
}

int64_t bpe_run_end(struct bpe_run *run)
{
    extend_run(run, run->n_bytes);
    return run->is_lost ? -1 : run->n_gone + (int64_t)run->n_row;
}

/* ---- pieces of any length, prefix by prefix ---- */

void bpe_table_init(struct bpe_table *table, const struct bpe *bpe)
{
    table->bpe = bpe;
    table->n_done = table->n_ahead = 0;
    table->n_tries = 0;
    table->last[0] = BPE_NO_TOKEN;
    table->count[0] = 0;
    memset(table->known, 0, sizeof(table->known));
}

/* From the prefix of n_done bytes to the longer ones that one more token makes. */
static void step(struct bpe_table *table, const unsigned char *bytes, size_t len)
{
    size_t base = BPE_ROOT, here = table->n_done % RING;
    for (size_t i = 0; i < len && base != 0; i++) {
        struct bpe_slot slot = table->bpe->trie[base + bytes[i]];
        if ((slot.base_label & 0xFF) != bytes[i])
            break;
        base = slot.base_label >> 8;
        size_t prefix = table->n_done + i + 1, there = prefix % RING;
        if (slot.token == BPE_NO_TOKEN || table->known[there] == prefix)
            continue;
        table->n_tries++;
        if (table->last[here] != BPE_NO_TOKEN && !can_follow(table->bpe, table->last[here], slot.token))
            continue;
        table->known[there] = prefix;
        table->last[there] = slot.token;
        table->count[there] = table->count[here] + 1;
    }
    table->n_done++;
}

/* Does the steps for which a longest token's bytes lie ahead; at the end all. */
static void advance_table(struct bpe_table *table, bool is_end)
{
    size_t pos = 0;
    for (; table->n_ahead - pos >= BPE_MAX_TOKEN_BYTES || (is_end && pos < table->n_ahead); pos++)
        step(table, table->ahead + pos, table->n_ahead - pos);
    memmove(table->ahead, table->ahead + pos, table->n_ahead - pos);
    table->n_ahead -= pos;
}

void bpe_table_add(struct bpe_table *table, const unsigned char *bytes, size_t len)
{
    while (len > 0) {
        size_t room = sizeof(table->ahead) - table->n_ahead, n = len < room ? len : room;
        memcpy(table->ahead + table->n_ahead, bytes, n);
        table->n_ahead += n;
        bytes += n;
        len -= n;
        if (table->n_ahead == sizeof(table->ahead))
            advance_table(table, false);
    }
}

int64_t bpe_table_end(struct bpe_table *table)
{
    advance_table(table, true);
    return table->count[table->n_done % RING];
}
