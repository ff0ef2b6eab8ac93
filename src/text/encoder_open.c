/* SPDX-License-Identifier: Apache-2.0
 *
 * An encoder from its published files: config.json, the vocabulary, and model.safetensors with the names that
 * BERT's tensors have in the Hugging Face library. Weights become half precision (docs/decisions/0006), in
 * the panels of this machine's kernel, all in one piece of memory.
 */
#include "text/encoder.h"

#include "core/mem.h"
#include "text/embed_priv.h"
#include "text/model_folder.h"

#include <math.h>
#include <stdio.h>
#include <sys/mman.h>

#define MAX_NAME   128
#define LINE_BYTES ((size_t)64)      /* of a cache */
#define HUGE_BYTES ((size_t)2 << 20) /* a large page; the weights are read from end to end for every text */

/* An encoder while it is read. */
struct loading {
    struct model_tokens tokens;
    uint32_t *order; /* by id: the token's number in the vocabulary */
    struct str file;
    struct safetensors tensors;
    const char *prefix; /* of the tensors' names */
    float row[ENCODER_MAX_INNER];
    struct embedder *embedder;
    struct encoder *encoder;
};

/* Where parts of the encoder lie: base is NULL while their sizes are added up. */
struct layout {
    char *base;
    size_t used;
};

static const void *place(struct layout *layout, size_t n, size_t element_size)
{
    size_t at = layout->used;
    layout->used = (at + n * element_size + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    return layout->base ? layout->base + at : NULL;
}

static void place_layer(const struct encoder *encoder, struct encoder_layer *layer, struct layout *layout)
{
    size_t n_dims = encoder->shape.n_dims, n_inner = encoder->shape.n_inner, panel = encoder->kernel->panel;
    layer->attend = place(layout, encoder_panels_size(panel, n_dims, 3 * n_dims), sizeof(uint16_t));
    layer->gather = place(layout, encoder_panels_size(panel, n_dims, n_dims), sizeof(uint16_t));
    layer->grow = place(layout, encoder_panels_size(panel, n_dims, n_inner), sizeof(uint16_t));
    layer->shrink = place(layout, encoder_panels_size(panel, n_inner, n_dims), sizeof(uint16_t));
    layer->attend_bias = place(layout, 3 * n_dims, sizeof(float));
    layer->gather_bias = place(layout, n_dims, sizeof(float));
    layer->grow_bias = place(layout, n_inner, sizeof(float));
    layer->shrink_bias = place(layout, n_dims, sizeof(float));
    layer->attend_scale = place(layout, n_dims, sizeof(float));
    layer->attend_shift = place(layout, n_dims, sizeof(float));
    layer->grow_scale = place(layout, n_dims, sizeof(float));
    layer->grow_shift = place(layout, n_dims, sizeof(float));
}

static void place_all(struct encoder *encoder, size_t n_tokens, struct layout *layout)
{
    size_t n_dims = encoder->shape.n_dims;
    for (size_t i = 0; i < encoder->shape.n_layers; i++)
        place_layer(encoder, &encoder->layers[i], layout);
    encoder->words = place(layout, n_tokens * n_dims, sizeof(uint16_t));
    encoder->places = place(layout, encoder->shape.n_positions * n_dims, sizeof(float));
    encoder->scale = place(layout, n_dims, sizeof(float));
    encoder->shift = place(layout, n_dims, sizeof(float));
}

static int make_room(struct encoder *encoder, size_t n_tokens, struct err_info *reterr)
{
    struct layout layout = {NULL, 0};
    place_all(encoder, n_tokens, &layout);
    size_t alignment = layout.used < HUGE_BYTES ? LINE_BYTES : HUGE_BYTES;
    size_t size = layout.used + alignment;
    encoder->memory = mem_calloc(1, size);
    if (!encoder->memory)
        return err_set(reterr, ERR_NOMEM, "there is no memory for %zu bytes of the model", size);
    size_t at = (uintptr_t)encoder->memory % alignment;
    layout = (struct layout){(char *)encoder->memory + (at ? alignment - at : 0), 0};
    if (alignment == HUGE_BYTES)
        (void)madvise(layout.base, layout.used, MADV_HUGEPAGE); /* where it fails it is only slower */
    place_all(encoder, n_tokens, &layout);
    encoder->n_heap_bytes = sizeof *encoder + size;
    return 0;
}

/* A tensor of the model, which must have n_columns, and n_rows or, where it may be longer, more. */
static int find(const struct loading *loading, const char *name, size_t n_rows, size_t n_columns,
                bool may_be_longer, struct tensor *ret_tensor, struct err_info *reterr)
{
    char full[MAX_NAME];
    (void)snprintf(full, sizeof full, "%s%s", loading->prefix, name);
    int r = safetensors_find(&loading->tensors, full, ret_tensor, reterr);
    if (r < 0)
        return r;
    if (r > 0)
        return err_set(reterr, ERR_INVALID, "there is no tensor '%s'", full);
    if (ret_tensor->n_columns == n_columns &&
        (ret_tensor->n_rows == n_rows || (may_be_longer && ret_tensor->n_rows > n_rows)))
        return 0;
    return err_set(reterr, ERR_INVALID,
                   "tensor '%s' has %zu x %zu numbers; config.json and the vocabulary want %zu x %zu%s", full,
                   ret_tensor->n_rows, ret_tensor->n_columns, n_rows, n_columns,
                   may_be_longer ? " or more rows" : "");
}

static int unusable(const char *name, size_t row, struct err_info *reterr)
{
    return err_set(reterr, ERR_INVALID, "tensor '%s', row %zu: a number is not finite, or beyond %g", name,
                   row, (double)ENCODER_MAX_WEIGHT);
}

/* Reads a row of a tensor into loading->row. */
static int read_row(struct loading *loading, const struct tensor *tensor, const char *name, size_t row,
                    struct err_info *reterr)
{
    tensor_read(tensor, row * tensor->n_columns, tensor->n_columns, loading->row);
    for (size_t i = 0; i < tensor->n_columns; i++) {
        if (!(fabsf(loading->row[i]) <= ENCODER_MAX_WEIGHT))
            return unusable(name, row, reterr);
    }
    return 0;
}

static int read_list(const struct loading *loading, const char *name, size_t n, float factor, const float *to,
                     struct err_info *reterr)
{
    struct tensor tensor;
    float *values = (float *)to; /* ours until the encoder is whole */
    int r = find(loading, name, n, 1, false, &tensor, reterr);
    if (r < 0)
        return r;
    tensor_read(&tensor, 0, n, values);
    for (size_t i = 0; i < n; i++) {
        values[i] *= factor;
        if (!isfinite(values[i]))
            return unusable(name, i, reterr);
    }
    return 0;
}

/* A matrix as published, a row for each result, becomes columns from first_column on of one in panels. */
static int read_matrix(struct loading *loading, const char *name, size_t n_from, size_t n_to, float factor,
                       const uint16_t *to, size_t first_column, struct err_info *reterr)
{
    struct tensor tensor;
    uint16_t *halves = (uint16_t *)to; /* ours until the encoder is whole */
    size_t panel = loading->encoder->kernel->panel;
    int r = find(loading, name, n_to, n_from, false, &tensor, reterr);
    for (size_t row = 0; r == 0 && row < n_to; row++) {
        uint16_t *column = halves + encoder_place(panel, n_from, 0, first_column + row);
        r = read_row(loading, &tensor, name, row, reterr);
        for (size_t i = 0; r == 0 && i < n_from; i++)
            column[i * panel] = encoder_halve(loading->row[i] * factor);
    }
    return r;
}

/* A linear step of layer i: name.weight and name.bias. */
static int read_linear(struct loading *loading, size_t layer, const char *part, size_t n_from, size_t n_to,
                       float factor, const uint16_t *weights, const float *bias, size_t first_column,
                       struct err_info *reterr)
{
    char name[MAX_NAME];
    (void)snprintf(name, sizeof name, "encoder.layer.%zu.%s.weight", layer, part);
    int r = read_matrix(loading, name, n_from, n_to, factor, weights, first_column, reterr);
    if (r < 0)
        return r;
    (void)snprintf(name, sizeof name, "encoder.layer.%zu.%s.bias", layer, part);
    return read_list(loading, name, n_to, factor, bias + first_column, reterr);
}

static int read_norm(const struct loading *loading, const char *part, const float *scale, const float *shift,
                     struct err_info *reterr)
{
    char name[MAX_NAME];
    size_t n_dims = loading->encoder->shape.n_dims;
    (void)snprintf(name, sizeof name, "%s.LayerNorm.weight", part);
    int r = read_list(loading, name, n_dims, 1, scale, reterr);
    if (r < 0)
        return r;
    (void)snprintf(name, sizeof name, "%s.LayerNorm.bias", part);
    return read_list(loading, name, n_dims, 1, shift, reterr);
}

static int read_layer_norm(const struct loading *loading, size_t layer, const char *part, const float *scale,
                           const float *shift, struct err_info *reterr)
{
    char name[MAX_NAME];
    (void)snprintf(name, sizeof name, "encoder.layer.%zu.%s", layer, part);
    return read_norm(loading, name, scale, shift, reterr);
}

static int read_layer(struct loading *loading, size_t i, struct err_info *reterr)
{
    const struct encoder_shape *shape = &loading->encoder->shape;
    const struct encoder_layer *layer = &loading->encoder->layers[i];
    static const char *const parts[] = {"attention.self.query", "attention.self.key", "attention.self.value"};
    size_t n = shape->n_dims, n_inner = shape->n_inner;
    int r = 0;
    for (size_t part = 0; r == 0 && part < 3; part++) {
        /* Scores are divided by the root of a head's width: the queries take that along. */
        float factor = part == 0 ? 1 / sqrtf((float)(n / shape->n_heads)) : 1;
        r = read_linear(loading, i, parts[part], n, n, factor, layer->attend, layer->attend_bias, part * n,
                        reterr);
    }
    if (r == 0)
        r = read_linear(loading, i, "attention.output.dense", n, n, 1, layer->gather, layer->gather_bias, 0,
                        reterr);
    if (r == 0)
        r = read_layer_norm(loading, i, "attention.output", layer->attend_scale, layer->attend_shift, reterr);
    if (r == 0)
        r = read_linear(loading, i, "intermediate.dense", n, n_inner, 1, layer->grow, layer->grow_bias, 0,
                        reterr);
    if (r == 0)
        r = read_linear(loading, i, "output.dense", n_inner, n, 1, layer->shrink, layer->shrink_bias, 0,
                        reterr);
    if (r == 0)
        r = read_layer_norm(loading, i, "output", layer->grow_scale, layer->grow_shift, reterr);
    return r;
}

static int read_words(struct loading *loading, struct err_info *reterr)
{
    static const char name[] = "embeddings.word_embeddings.weight";
    struct tensor tensor;
    size_t n_dims = loading->encoder->shape.n_dims;
    uint16_t *words = (uint16_t *)loading->encoder->words; /* ours until the encoder is whole */
    int r = find(loading, name, loading->tokens.n_ids, n_dims, true, &tensor, reterr);
    for (size_t id = 0; r == 0 && id < loading->tokens.n_ids; id++) {
        if (loading->order[id] == UINT32_MAX)
            continue;
        r = read_row(loading, &tensor, name, id, reterr);
        for (size_t d = 0; r == 0 && d < n_dims; d++)
            words[loading->order[id] * n_dims + d] = encoder_halve(loading->row[d]);
    }
    return r;
}

/* Positions, with what each token of a single text has beside: its type. */
static int read_places(struct loading *loading, struct err_info *reterr)
{
    static const char name[] = "embeddings.position_embeddings.weight";
    struct tensor positions, types;
    const struct encoder_shape *shape = &loading->encoder->shape;
    float *places = (float *)loading->encoder->places; /* ours until the encoder is whole */
    int r = find(loading, name, shape->n_positions, shape->n_dims, true, &positions, reterr);
    if (r == 0)
        r = find(loading, "embeddings.token_type_embeddings.weight", 1, shape->n_dims, true, &types, reterr);
    for (size_t i = 0; r == 0 && i < shape->n_positions; i++) {
        r = read_row(loading, &positions, name, i, reterr);
        for (size_t d = 0; d < shape->n_dims; d++)
            places[i * shape->n_dims + d] = loading->row[d] + (float)tensor_real(&types, d);
    }
    return r;
}

static int read_tensors(struct loading *loading, struct err_info *reterr)
{
    struct encoder *encoder = loading->encoder;
    struct tensor words;
    int r = safetensors_open(loading->file, &loading->tensors, reterr);
    if (r < 0)
        return r;
    loading->prefix = "bert.";
    if (safetensors_find(&loading->tensors, "bert.embeddings.word_embeddings.weight", &words, NULL) > 0)
        loading->prefix = "";
    r = read_words(loading, reterr);
    if (r == 0)
        r = read_places(loading, reterr);
    if (r == 0)
        r = read_norm(loading, "embeddings", encoder->scale, encoder->shift, reterr);
    for (size_t i = 0; r == 0 && i < encoder->shape.n_layers; i++)
        r = read_layer(loading, i, reterr);
    return r;
}

static int find_token(const struct loading *loading, const char *text, uint32_t *ret_token,
                      struct err_info *reterr)
{
    for (size_t id = 0; id < loading->tokens.n_ids; id++) {
        if (str_is(loading->tokens.tokens[id], text)) {
            *ret_token = loading->order[id];
            return 0;
        }
    }
    return err_set(reterr, ERR_INVALID, "the vocabulary has no token '%s'", text);
}

static int make_vocabulary(struct loading *loading, struct err_info *reterr)
{
    struct wordpiece_vocab *vocab = &loading->embedder->vocab;
    loading->order = mem_calloc(loading->tokens.n_ids, sizeof *loading->order);
    if (!loading->order)
        return err_set(reterr, ERR_NOMEM, "there is no memory for %zu tokens", loading->tokens.n_ids);
    int r = wordpiece_build(loading->tokens.tokens, loading->tokens.n_ids, loading->order, vocab, reterr);
    if (r == 0)
        r = find_token(loading, "[CLS]", &loading->encoder->first, reterr);
    if (r == 0)
        r = find_token(loading, "[SEP]", &loading->encoder->last, reterr);
    if (r == 0)
        r = find_token(loading, "[UNK]", &vocab->unknown, reterr);
    vocab->has_unknown = r == 0;
    return r;
}

static int load(const char *folder, const struct json *config, struct loading *loading,
                struct err_info *reterr)
{
    struct embedder *embedder = loading->embedder;
    struct encoder *encoder = loading->encoder;
    int r = encoder_read_shape(config, &encoder->shape, reterr);
    if (r < 0) {
        err_prefix(reterr, "config.json: ");
        return r;
    }
    r = encoder_read_settings(folder, encoder, reterr);
    if (r == 0)
        r = model_tokens_read(folder, true, &loading->tokens, reterr);
    if (r == 0)
        r = make_vocabulary(loading, reterr);
    if (r == 0)
        r = make_room(encoder, embedder->vocab.n_tokens, reterr);
    if (r == 0)
        r = model_map_file(folder, "model.safetensors", &loading->file, reterr);
    if (r < 0)
        return r;
    r = read_tensors(loading, reterr);
    if (r < 0) {
        err_prefix(reterr, "model.safetensors: ");
        return r;
    }
    embedder->n_dims = encoder->shape.n_dims;
    embedder->max_chars = SIZE_MAX;
    embedder->max_tokens = encoder->shape.n_positions - 2;
    embedder->n_heap_bytes =
        sizeof *embedder + wordpiece_heap_bytes(&embedder->vocab) + encoder->n_heap_bytes;
    return 0;
}

int encoder_open(const char *folder, const struct json *config, const struct encoder_kernel *kernel,
                 struct embedder *embedder, struct err_info *reterr)
{
    struct loading *loading = mem_calloc(1, sizeof *loading);
    embedder->encoder = mem_calloc(1, sizeof *embedder->encoder);
    if (!loading || !embedder->encoder) {
        mem_free(loading);
        return err_set(reterr, ERR_NOMEM, "there is no memory for an encoder");
    }
    embedder->encoder->kernel = kernel;
    loading->embedder = embedder;
    loading->encoder = embedder->encoder;
    int r = load(folder, config, loading, reterr);
    mem_free(loading->order);
    model_tokens_done(&loading->tokens);
    safetensors_close(&loading->tensors);
    model_unmap_file(loading->file);
    mem_free(loading);
    return r;
}
