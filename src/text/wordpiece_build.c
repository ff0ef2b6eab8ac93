/* SPDX-License-Identifier: Apache-2.0
 *
 * A vocabulary from a list of tokens, laid out as wordpiece.h describes, in one allocation.
 */
#include "text/wordpiece_priv.h"

#include "core/mem.h"

/* Half as many slots again as tokens: about two looks at the table for a token that is not there. */
#define SLOTS_FOR(n_tokens) ((n_tokens) + (n_tokens) / 2 + 1)

#define N_GROUPS     (2 * (size_t)WORDPIECE_MAX_TOKEN_BYTES)
#define GROUPS_BYTES ((N_GROUPS + 1) * sizeof(struct wordpiece_group))

struct piece {
    struct str text; /* without "##" */
    size_t group;
    bool is_usable;
};

static struct piece piece_of(struct str token)
{
    bool is_inside = token.len > 2 && str_starts_with(token, STR_LIT("##"));
    struct str text = is_inside ? str_slice(token, 2, token.len - 2) : token;
    bool is_usable = text.len > 0 && text.len <= WORDPIECE_MAX_TOKEN_BYTES;
    size_t group = is_usable ? (is_inside ? WORDPIECE_MAX_TOKEN_BYTES : 0) + text.len - 1 : 0;
    return (struct piece){text, group, is_usable};
}

static uint32_t hash_piece(const struct piece *piece)
{
    uint32_t hash = wordpiece_hash_start(piece->group >= WORDPIECE_MAX_TOKEN_BYTES);
    for (size_t i = 0; i < piece->text.len; i++)
        hash = wordpiece_hash_byte(hash, piece->text.ptr[i]);
    return wordpiece_hash_end(hash);
}

/* Puts the token into the first free slot; a second of the same text finds the first before that and stays
 * out of reach, which harms nobody. */
static void fill_slot(uint32_t *slots, uint32_t n_slots, uint32_t hash, uint32_t token)
{
    uint32_t slot = wordpiece_slot_of(hash, n_slots);
    while (slots[slot])
        slot = slot + 1 < n_slots ? slot + 1 : 0;
    slots[slot] = wordpiece_fingerprint(hash) | (token + 1);
}

/* Where each group begins, from how many tokens and bytes it has. */
static void place_groups(const struct str *tokens, size_t n_tokens, struct wordpiece_group *groups)
{
    for (size_t i = 0; i < n_tokens; i++) {
        struct piece piece = piece_of(tokens[i]);
        if (!piece.is_usable)
            continue;
        groups[piece.group + 1].first_token++;
        groups[piece.group + 1].text_offset += (uint32_t)piece.text.len;
    }
    for (size_t i = 0; i < N_GROUPS; i++) {
        groups[i + 1].first_token += groups[i].first_token;
        groups[i + 1].text_offset += groups[i].text_offset;
    }
}

static int check_sizes(const struct str *tokens, size_t n_tokens, size_t *ret_text_bytes,
                       struct err_info *reterr)
{
    size_t text_bytes = 0;
    if (n_tokens == 0 || n_tokens > WORDPIECE_MAX_TOKENS)
        return err_set(reterr, ERR_LIMIT, "a vocabulary has 1 to %u tokens, this one %zu",
                       WORDPIECE_MAX_TOKENS, n_tokens);
    for (size_t i = 0; i < n_tokens; i++) {
        struct piece piece = piece_of(tokens[i]);
        text_bytes += piece.is_usable ? piece.text.len : 0;
    }
    *ret_text_bytes = text_bytes;
    return 0;
}

static size_t size_of(uint32_t n_slots, size_t text_bytes)
{
    return GROUPS_BYTES + n_slots * sizeof(uint32_t) + text_bytes;
}

int wordpiece_build(const struct str *tokens, size_t n_tokens, uint32_t *ret_order,
                    struct wordpiece_vocab *ret_vocab, struct err_info *reterr)
{
    size_t text_bytes = 0;
    uint32_t n_in_group[N_GROUPS] = {0};
    int r = check_sizes(tokens, n_tokens, &text_bytes, reterr);
    if (r < 0)
        return r;
    uint32_t n_slots = (uint32_t)SLOTS_FOR(n_tokens);
    char *owned = mem_calloc(1, size_of(n_slots, text_bytes));
    if (!owned)
        return err_set(reterr, ERR_NOMEM, "there is no memory for a vocabulary of %zu tokens", n_tokens);
    struct wordpiece_group *groups = (struct wordpiece_group *)owned;
    uint32_t *slots = (uint32_t *)(owned + GROUPS_BYTES);
    char *text = (char *)(slots + n_slots);
    place_groups(tokens, n_tokens, groups);
    for (size_t i = 0; i < n_tokens; i++) {
        struct piece piece = piece_of(tokens[i]);
        ret_order[i] = UINT32_MAX;
        if (!piece.is_usable)
            continue;
        uint32_t within = n_in_group[piece.group]++;
        ret_order[i] = groups[piece.group].first_token + within;
        memcpy(text + groups[piece.group].text_offset + within * piece.text.len, piece.text.ptr,
               piece.text.len);
        fill_slot(slots, n_slots, hash_piece(&piece), ret_order[i]);
    }
    *ret_vocab = (struct wordpiece_vocab){
        .groups = groups,
        .slots = slots,
        .text = text,
        .n_slots = n_slots,
        .max_token_bytes = WORDPIECE_MAX_TOKEN_BYTES,
        .n_tokens = groups[N_GROUPS].first_token,
        .text_bytes = (uint32_t)text_bytes,
        .owned = owned,
    };
    return 0;
}

size_t wordpiece_heap_bytes(const struct wordpiece_vocab *vocab)
{
    return vocab->owned ? size_of(vocab->n_slots, vocab->text_bytes) : 0;
}

void wordpiece_done(struct wordpiece_vocab *vocab)
{
    vocab->owned = mem_free(vocab->owned);
}
