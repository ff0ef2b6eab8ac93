/* SPDX-License-Identifier: Apache-2.0
 *
 * The tokenizers cl100k_base and o200k_base: a text is cut into pieces, and each piece is counted by itself.
 * Names of special tokens are ordinary text.
 */
#include "text/text_priv.h"

#include "core/utf8.h"
#include "text/bpe.h"
#include "text/pieces.h"
#include "text/tables.h"

#define REPLACEMENT "\xEF\xBF\xBD"

extern const struct bpe_slot cl100k_base_trie[], o200k_base_trie[];
extern const uint64_t cl100k_base_tokens[], o200k_base_tokens[];
extern const uint32_t cl100k_base_pairs[], o200k_base_pairs[];

const struct bpe bpe_cl100k = {cl100k_base_trie, cl100k_base_tokens, cl100k_base_pairs};
const struct bpe bpe_o200k = {o200k_base_trie, o200k_base_tokens, o200k_base_pairs};

typedef size_t piece_end_fn(struct str text, size_t pos);

typedef void add_fn(void *counter, const unsigned char *bytes, size_t len);

/* Hands over what the piece is once malformed bytes are replaced. */
static void add_piece(struct str piece, add_fn *add, void *counter)
{
    for (size_t pos = 0, end; pos < piece.len; pos = end) {
        bool is_malformed;
        end = piece_char_end(piece, pos, &is_malformed);
        if (is_malformed)
            add(counter, (const unsigned char *)REPLACEMENT, sizeof(REPLACEMENT) - 1);
        else
            add(counter, (const unsigned char *)piece.ptr + pos, end - pos);
    }
}

static void add_to_run(void *counter, const unsigned char *bytes, size_t len)
{
    bpe_run_add(counter, bytes, len);
}

static void add_to_table(void *counter, const unsigned char *bytes, size_t len)
{
    bpe_table_add(counter, bytes, len);
}

/* A piece that is too long for bpe_count or holds bytes that are not UTF-8. */
static int64_t count_odd_piece(const struct bpe *bpe, struct str piece)
{
    struct bpe_run run;
    struct bpe_table table;
    bpe_run_init(&run, bpe);
    add_piece(piece, add_to_run, &run);
    int64_t n = bpe_run_end(&run);
    if (n >= 0)
        return n;
    bpe_table_init(&table, bpe);
    add_piece(piece, add_to_table, &table);
    return bpe_table_end(&table);
}

static int64_t count(const struct bpe *bpe, piece_end_fn *piece_end, struct str text)
{
    bool is_valid = utf8_is_valid(text);
    int64_t n = 0;
    tables_want();
    for (size_t pos = 0, end; pos < text.len; pos = end) {
        end = piece_end(text, pos);
        if (is_valid && end - pos <= BPE_PIECE_BYTES)
            n += bpe_count(bpe, (const unsigned char *)text.ptr + pos, end - pos);
        else
            n += count_odd_piece(bpe, str_slice(text, pos, end - pos));
    }
    return n;
}

static int64_t cl100k_on_count(struct str text)
{
    return count(&bpe_cl100k, cl100k_piece_end, text);
}

static int64_t o200k_on_count(struct str text)
{
    return count(&bpe_o200k, o200k_piece_end, text);
}

const struct tokenizer tokenizer_cl100k = {
    .name = "cl100k_base",
    .count = cl100k_on_count,
    .units = cl100k_on_count,
    .units_per_token = 1,
    .next_break = piece_next_break,
    .last_break = piece_last_break,
};
const struct tokenizer tokenizer_o200k = {
    .name = "o200k_base",
    .count = o200k_on_count,
    .units = o200k_on_count,
    .units_per_token = 1,
    .next_break = piece_next_break,
    .last_break = piece_last_break,
};
