/* SPDX-License-Identifier: Apache-2.0
 *
 * A Model2Vec folder: the vocabulary from tokenizer.json, the rows from model.safetensors, put into the
 * vocabulary's own order with the weights multiplied in, so that embedding a text never asks for either.
 */
#include "text/embed_priv.h"

#include "core/mem.h"
#include "core/utf8.h"
#include "text/model_folder.h"

#include <stdlib.h>

/* A model while it is read. */
struct loading {
    struct model_tokens tokens;
    struct str tensor_file;
    struct safetensors tensors;
    struct tensor embeddings, weights, mapping; /* data is NULL for those that the file does not have */
    uint32_t *order;                            /* by id: the token's number in the vocabulary */
    struct embedder *embedder;
};

static bool is_whole(const struct tensor *tensor)
{
    return tensor->type == TENSOR_I8 || tensor->type == TENSOR_I32 || tensor->type == TENSOR_I64;
}

static int check_tensors(const struct loading *loading, struct err_info *reterr)
{
    const struct tensor *rows = &loading->embeddings, *weights = &loading->weights,
                        *mapping = &loading->mapping;
    if (rows->n_columns < 2 || rows->n_columns > EMBED_MAX_DIMS)
        return err_set(reterr, ERR_INVALID, "'embeddings' has %zu dimensions; 2 to %d are possible",
                       rows->n_columns, EMBED_MAX_DIMS);
    if (weights->data && (weights->n_columns != 1 || weights->n_rows != loading->tokens.n_ids))
        return err_set(reterr, ERR_INVALID, "'weights' has %zu numbers for %zu tokens", weights->n_rows,
                       loading->tokens.n_ids);
    if (mapping->data &&
        (!is_whole(mapping) || mapping->n_columns != 1 || mapping->n_rows != loading->tokens.n_ids))
        return err_set(reterr, ERR_INVALID, "'mapping' does not have a whole number for each of %zu tokens",
                       loading->tokens.n_ids);
    if (!mapping->data && rows->n_rows != loading->tokens.n_ids)
        return err_set(reterr, ERR_INVALID, "'embeddings' has %zu rows for %zu tokens", rows->n_rows,
                       loading->tokens.n_ids);
    for (size_t id = 0; mapping->data && id < loading->tokens.n_ids; id++) {
        int64_t row = tensor_int(mapping, id);
        if (row < 0 || (uint64_t)row >= rows->n_rows)
            return err_set(reterr, ERR_INVALID, "'mapping' sends token %zu to row %lld of %zu", id,
                           (long long)row, rows->n_rows);
    }
    return 0;
}

static int read_tensors(const char *folder, struct loading *loading, struct err_info *reterr)
{
    int r = model_map_file(folder, "model.safetensors", &loading->tensor_file, reterr);
    if (r < 0)
        return r;
    r = safetensors_open(loading->tensor_file, &loading->tensors, reterr);
    if (r == 0)
        r = safetensors_find(&loading->tensors, "embeddings", &loading->embeddings, reterr);
    if (r > 0)
        r = err_set(reterr, ERR_INVALID, "there is no tensor 'embeddings'");
    if (r == 0)
        r = safetensors_find(&loading->tensors, "weights", &loading->weights, reterr);
    if (r >= 0)
        r = safetensors_find(&loading->tensors, "mapping", &loading->mapping, reterr);
    if (r >= 0)
        r = check_tensors(loading, reterr);
    if (r < 0)
        err_prefix(reterr, "model.safetensors: ");
    return r;
}

static int compare_sizes(const void *a, const void *b)
{
    size_t left = *(const size_t *)a, right = *(const size_t *)b;
    return left < right ? -1 : left > right;
}

/* As Model2Vec cuts a text before it looks at it: so many times the median length of a token. */
static int measure_tokens(struct loading *loading, size_t *ret_max_chars)
{
    size_t n = loading->tokens.n_ids;
    size_t *lengths = mem_calloc(n, sizeof *lengths);
    if (!lengths)
        return ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        lengths[i] = utf8_length(loading->tokens.tokens[i]);
    qsort(lengths, n, sizeof *lengths, compare_sizes);
    *ret_max_chars = EMBED_MAX_TOKENS * ((lengths[(n - 1) / 2] + lengths[n / 2]) / 2);
    mem_free(lengths);
    return 0;
}

static int fill_rows(struct loading *loading, struct err_info *reterr)
{
    struct embedder *embedder = loading->embedder;
    size_t n_dims = embedder->n_dims;
    embedder->rows = mem_calloc(embedder->vocab.n_tokens, n_dims * sizeof *embedder->rows);
    if (!embedder->rows)
        return err_set(reterr, ERR_NOMEM, "there is no memory for %u rows of the model",
                       embedder->vocab.n_tokens);
    for (size_t id = 0; id < loading->tokens.n_ids; id++) {
        if (loading->order[id] == UINT32_MAX)
            continue;
        size_t row = loading->mapping.data ? (size_t)tensor_int(&loading->mapping, id) : id;
        float weight = loading->weights.data ? (float)tensor_real(&loading->weights, id) : 1;
        float *to = embedder->rows + loading->order[id] * n_dims;
        for (size_t d = 0; d < n_dims; d++) {
            to[d] = (float)tensor_real(&loading->embeddings, row * n_dims + d) * weight;
            if (!(to[d] > -1e18F && to[d] < 1e18F))
                return err_set(reterr, ERR_INVALID,
                               "model.safetensors: the row of token %zu is not of usable numbers", id);
        }
    }
    return 0;
}

static int make_embedder(struct loading *loading, struct err_info *reterr)
{
    struct embedder *embedder = loading->embedder;
    loading->order = mem_calloc(loading->tokens.n_ids, sizeof *loading->order);
    if (!loading->order || measure_tokens(loading, &embedder->max_chars) < 0)
        return err_set(reterr, ERR_NOMEM, "there is no memory for an embedder");
    int r = wordpiece_build(loading->tokens.tokens, loading->tokens.n_ids, loading->order, &embedder->vocab,
                            reterr);
    if (r < 0)
        return r;
    embedder->max_tokens = EMBED_MAX_TOKENS;
    embedder->n_dims = loading->embeddings.n_columns;
    embedder->n_heap_bytes = sizeof *embedder + wordpiece_heap_bytes(&embedder->vocab) +
                             embedder->vocab.n_tokens * embedder->n_dims * sizeof *embedder->rows;
    return fill_rows(loading, reterr);
}

int model2vec_open(const char *folder, struct embedder *embedder, struct err_info *reterr)
{
    struct loading loading = {.embedder = embedder};
    int r = model_tokens_read(folder, false, &loading.tokens, reterr);
    if (r == 0)
        r = read_tensors(folder, &loading, reterr);
    if (r == 0)
        r = make_embedder(&loading, reterr);
    mem_free(loading.order);
    model_tokens_done(&loading.tokens);
    safetensors_close(&loading.tensors);
    model_unmap_file(loading.tensor_file);
    return r;
}
