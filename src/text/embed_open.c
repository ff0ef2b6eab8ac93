/* SPDX-License-Identifier: Apache-2.0
 *
 * A Model2Vec folder: the vocabulary from tokenizer.json, the rows from model.safetensors, put into the
 * vocabulary's own order with the weights multiplied in, so that embedding a text never asks for either.
 */
#include "text/embed_priv.h"

#include "core/buf.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/utf8.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_FILE_BYTES ((size_t)1 << 31)
#define MAX_DEPTH      32

/* A model while it is read. */
struct loading {
    struct buf tensor_file, tokenizer_file;
    struct json *tokenizer;
    struct tensor embeddings, weights, mapping; /* data is NULL for those that the file does not have */
    struct str *tokens;                         /* by id; {NULL, 0} for an id that no token has */
    uint32_t *order;                            /* by id: the token's number in the vocabulary */
    size_t n_ids;
    struct embedder *embedder;
};

static int read_file(const char *folder, const char *name, struct buf *buf, struct err_info *reterr)
{
    char path[PATH_MAX];
    char chunk[16 * 1024];
    int n_path = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (n_path < 0 || (size_t)n_path >= sizeof path)
        return err_set_field(reterr, ERR_INVALID, name, "the name of the model's folder is too long");
    FILE *file = fopen(path, "rbe");
    if (!file)
        return err_set_field(reterr, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, path, "cannot be read: %s",
                             strerror(errno));
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, file)) > 0;)
        buf_append(buf, chunk, n);
    int read_errno = ferror(file) ? errno : 0;
    (void)fclose(file); /* read only: nothing to lose */
    if (read_errno)
        return err_set_field(reterr, ERR_IO, path, "cannot be read: %s", strerror(read_errno));
    if (buf_error(buf) < 0)
        return err_set_field(reterr, buf_error(buf), path, "cannot be held in memory");
    return 0;
}

static bool has_text(const struct json *object, const char *name, const char *wanted)
{
    return str_is(json_text_of(json_member(object, name)), wanted);
}

/* Whether a text would be cut as we cut it. */
static int check_tokenizer(const struct json *root, struct err_info *reterr)
{
    const struct json *model = json_member(root, "model"), *normalizer = json_member(root, "normalizer");
    struct str kind = json_text_of(json_member(model, "type"));
    if (!str_is(kind, "WordPiece"))
        return err_set(reterr, ERR_UNSUPPORTED,
                       "the tokenizer is of the kind '%.*s'; only WordPiece is known", STR_ARG(kind));
    const struct json *prefix = json_member(model, "continuing_subword_prefix");
    if (prefix && !str_is(json_text_of(prefix), "##"))
        return err_set(reterr, ERR_UNSUPPORTED,
                       "the tokenizer marks the inside of words by something else than ##");
    if (!has_text(normalizer, "type", "BertNormalizer") ||
        !json_bool_of(json_member(normalizer, "lowercase")))
        return err_set(reterr, ERR_UNSUPPORTED,
                       "the tokenizer does not prepare its text as BERT's uncased one does");
    if (!has_text(json_member(root, "pre_tokenizer"), "type", "BertPreTokenizer"))
        return err_set(reterr, ERR_UNSUPPORTED, "the tokenizer does not find words as BERT's does");
    return 0;
}

static int read_vocabulary(struct loading *loading, struct err_info *reterr)
{
    const struct json *vocab = json_member(json_member(loading->tokenizer, "model"), "vocab");
    size_t n = json_count(vocab), pos = 0;
    if (json_kind_of(vocab) != JSON_KIND_OBJECT || n == 0 || n > WORDPIECE_MAX_TOKENS)
        return err_set(reterr, ERR_INVALID, "the tokenizer's vocabulary is not of 1 to %u tokens",
                       WORDPIECE_MAX_TOKENS);
    loading->n_ids = n;
    loading->tokens = mem_calloc(n, sizeof *loading->tokens);
    loading->order = mem_calloc(n, sizeof *loading->order);
    if (!loading->tokens || !loading->order)
        return err_set(reterr, ERR_NOMEM, "there is no memory for a vocabulary of %zu tokens", n);
    struct str token;
    const struct json *id;
    while (json_next_member(vocab, &pos, &token, &id)) {
        int64_t value = json_int_of(id);
        if (json_kind_of(id) != JSON_KIND_INT || value < 0 || (uint64_t)value >= n)
            return err_set(reterr, ERR_INVALID, "the id of the token '%.*s' is not below %zu", STR_ARG(token),
                           n);
        loading->tokens[value] = token;
    }
    return 0;
}

static int read_tokenizer(const char *folder, struct loading *loading, struct err_info *reterr)
{
    int r = read_file(folder, "tokenizer.json", &loading->tokenizer_file, reterr);
    if (r < 0)
        return r;
    r = json_parse(buf_str(&loading->tokenizer_file), MAX_DEPTH, &loading->tokenizer, reterr);
    if (r == 0)
        r = check_tokenizer(loading->tokenizer, reterr);
    if (r == 0)
        r = read_vocabulary(loading, reterr);
    if (r < 0)
        err_prefix(reterr, "tokenizer.json");
    return r;
}

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
    if (weights->data && (weights->n_columns != 1 || weights->n_rows != loading->n_ids))
        return err_set(reterr, ERR_INVALID, "'weights' has %zu numbers for %zu tokens", weights->n_rows,
                       loading->n_ids);
    if (mapping->data && (!is_whole(mapping) || mapping->n_columns != 1 || mapping->n_rows != loading->n_ids))
        return err_set(reterr, ERR_INVALID, "'mapping' does not have a whole number for each of %zu tokens",
                       loading->n_ids);
    if (!mapping->data && rows->n_rows != loading->n_ids)
        return err_set(reterr, ERR_INVALID, "'embeddings' has %zu rows for %zu tokens", rows->n_rows,
                       loading->n_ids);
    for (size_t id = 0; mapping->data && id < loading->n_ids; id++) {
        int64_t row = tensor_int(mapping, id);
        if (row < 0 || (uint64_t)row >= rows->n_rows)
            return err_set(reterr, ERR_INVALID, "'mapping' sends token %zu to row %lld of %zu", id,
                           (long long)row, rows->n_rows);
    }
    return 0;
}

static int read_tensors(const char *folder, struct loading *loading, struct err_info *reterr)
{
    int r = read_file(folder, "model.safetensors", &loading->tensor_file, reterr);
    if (r < 0)
        return r;
    struct str file = buf_str(&loading->tensor_file);
    r = safetensors_find(file, "embeddings", &loading->embeddings, reterr);
    if (r > 0)
        r = err_set(reterr, ERR_INVALID, "there is no tensor 'embeddings'");
    if (r == 0)
        r = safetensors_find(file, "weights", &loading->weights, reterr);
    if (r >= 0)
        r = safetensors_find(file, "mapping", &loading->mapping, reterr);
    if (r >= 0)
        r = check_tensors(loading, reterr);
    if (r < 0)
        err_prefix(reterr, "model.safetensors");
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
    size_t n = loading->n_ids;
    size_t *lengths = mem_calloc(n, sizeof *lengths);
    if (!lengths)
        return ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        lengths[i] = utf8_length(loading->tokens[i]);
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
    for (size_t id = 0; id < loading->n_ids; id++) {
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
    struct embedder *embedder = loading->embedder = mem_calloc(1, sizeof *embedder);
    if (!embedder || measure_tokens(loading, &embedder->max_chars) < 0)
        return err_set(reterr, ERR_NOMEM, "there is no memory for an embedder");
    int r = wordpiece_build(loading->tokens, loading->n_ids, loading->order, &embedder->vocab, reterr);
    if (r < 0)
        return r;
    embedder->n_dims = loading->embeddings.n_columns;
    embedder->n_heap_bytes = sizeof *embedder + wordpiece_heap_bytes(&embedder->vocab) +
                             embedder->vocab.n_tokens * embedder->n_dims * sizeof *embedder->rows;
    return fill_rows(loading, reterr);
}

int embedder_open(const char *folder, struct embedder **ret_embedder, struct err_info *reterr)
{
    struct loading loading = {0};
    buf_init(&loading.tensor_file, MAX_FILE_BYTES);
    buf_init(&loading.tokenizer_file, MAX_FILE_BYTES);
    int r = read_tokenizer(folder, &loading, reterr);
    if (r < 0)
        goto done;
    r = read_tensors(folder, &loading, reterr);
    if (r < 0)
        goto done;
    r = make_embedder(&loading, reterr);
    if (r < 0)
        goto done;
    *ret_embedder = loading.embedder;
    loading.embedder = NULL;
done:
    embedder_close(loading.embedder);
    mem_free(loading.order);
    mem_free(loading.tokens);
    json_free(loading.tokenizer);
    buf_done(&loading.tokenizer_file);
    buf_done(&loading.tensor_file);
    return r;
}
