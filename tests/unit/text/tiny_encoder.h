/* SPDX-License-Identifier: Apache-2.0
 *
 * A sentence encoder for tests, small and without sense: every weight follows from its tensor's name and its
 * place in it. It can be written as a published folder, and run slowly and plainly in double precision, by
 * code that shares nothing with the program's. All weights are exact in half precision.
 */
#ifndef PRECIS_TESTS_TINY_ENCODER_H
#define PRECIS_TESTS_TINY_ENCODER_H

#include "core/buf.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TINY_POSITIONS 48
#define TINY_MAX_DIMS  64
#define TINY_MAX_INNER 128
#define TINY_EPSILON   1e-12

struct tiny_encoder {
    int n_layers, n_heads, n_dims, n_inner; /* a head has 16 or 64 dimensions: their roots are exact */
    bool is_first_alone;
    const char *prefix; /* of the tensors' names */
    const char *type;   /* "F32" or "F16" */
};

static const char *const tiny_tokens[] = {"[PAD]", "red", "[UNK]", "[SEP]",  "sky", "[CLS]",
                                          "##ish", "a",   "blue",  "[MASK]", ".",   "\xe5\x8c\x97"};
enum { TINY_RED = 1, TINY_UNKNOWN, TINY_SEP, TINY_SKY, TINY_CLS, TINY_ISH, TINY_A, TINY_BLUE, TINY_DOT = 10 };

#define TINY_N_TOKENS (sizeof tiny_tokens / sizeof *tiny_tokens)

/* A whole number from -255 to 255. */
static inline int tiny_number(const char *name, size_t idx)
{
    uint64_t mixed = (str_hash(str_of(name), 1) ^ idx) * UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    return (int)((mixed >> 33) % 511) - 255;
}

static inline double tiny_weight(const char *name, size_t idx)
{
    bool is_scale = strstr(name, "LayerNorm.weight") != NULL;
    return is_scale ? 1 + tiny_number(name, idx) / 1024.0 : tiny_number(name, idx) / 512.0;
}

/* ---- the folder ---- */

static inline void tiny_write(const char *folder, const char *name, struct str text)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert(file);
    assert(fwrite(text.ptr, 1, text.len, file) == text.len);
    assert(fclose(file) == 0);
}

/* Half precision of a number that is exact in it and not subnormal. */
static inline uint16_t tiny_half(double value)
{
    int exponent;
    double fraction = frexp(fabs(value), &exponent); /* 0.5 to 1 */
    if (value == 0)
        return 0;
    return (uint16_t)((value < 0 ? 0x8000 : 0) | (exponent + 14) << 10 | ((int)(fraction * 2048) & 1023));
}

static inline void tiny_add_tensor(const struct tiny_encoder *tiny, const char *name, int n_rows,
                                   int n_columns, struct buf *header, struct buf *data)
{
    size_t start = data->len, n = (size_t)n_rows * (size_t)(n_columns ? n_columns : 1);
    bool is_half = strcmp(tiny->type, "F16") == 0;
    for (size_t i = 0; i < n; i++) {
        float value = (float)tiny_weight(name, i);
        uint16_t half = tiny_half(value);
        buf_append(data, is_half ? (const void *)&half : &value, is_half ? sizeof half : sizeof value);
    }
    buf_printf(header, "%s\"%s%s\":{\"dtype\":\"%s\",\"shape\":[%d", header->len > 1 ? "," : "", tiny->prefix,
               name, tiny->type, n_rows);
    if (n_columns)
        buf_printf(header, ",%d", n_columns);
    buf_printf(header, "],\"data_offsets\":[%zu,%zu]}", start, data->len);
}

static inline void tiny_add_linear(const struct tiny_encoder *tiny, int layer, const char *part, int n_from,
                                   int n_to, struct buf *header, struct buf *data)
{
    char name[128];
    (void)snprintf(name, sizeof name, "encoder.layer.%d.%s.weight", layer, part);
    tiny_add_tensor(tiny, name, n_to, n_from, header, data);
    (void)snprintf(name, sizeof name, "encoder.layer.%d.%s.bias", layer, part);
    tiny_add_tensor(tiny, name, n_to, 0, header, data);
}

static inline void tiny_add_norm(const struct tiny_encoder *tiny, const char *part, struct buf *header,
                                 struct buf *data)
{
    char name[128];
    (void)snprintf(name, sizeof name, "%s.LayerNorm.weight", part);
    tiny_add_tensor(tiny, name, tiny->n_dims, 0, header, data);
    (void)snprintf(name, sizeof name, "%s.LayerNorm.bias", part);
    tiny_add_tensor(tiny, name, tiny->n_dims, 0, header, data);
}

static inline void tiny_add_layer(const struct tiny_encoder *tiny, int i, struct buf *header,
                                  struct buf *data)
{
    static const char *const square[] = {"attention.self.query", "attention.self.key", "attention.self.value",
                                         "attention.output.dense"};
    char name[128];
    for (size_t part = 0; part < 4; part++)
        tiny_add_linear(tiny, i, square[part], tiny->n_dims, tiny->n_dims, header, data);
    (void)snprintf(name, sizeof name, "encoder.layer.%d.attention.output", i);
    tiny_add_norm(tiny, name, header, data);
    tiny_add_linear(tiny, i, "intermediate.dense", tiny->n_dims, tiny->n_inner, header, data);
    tiny_add_linear(tiny, i, "output.dense", tiny->n_inner, tiny->n_dims, header, data);
    (void)snprintf(name, sizeof name, "encoder.layer.%d.output", i);
    tiny_add_norm(tiny, name, header, data);
}

static inline void tiny_write_tensors(const struct tiny_encoder *tiny, const char *folder)
{
    struct buf header, data, file;
    buf_init(&header, 1 << 20);
    buf_init(&data, 1 << 24);
    buf_init(&file, 1 << 24);
    buf_append_byte(&header, '{');
    tiny_add_tensor(tiny, "embeddings.word_embeddings.weight", TINY_N_TOKENS, tiny->n_dims, &header, &data);
    tiny_add_tensor(tiny, "embeddings.position_embeddings.weight", TINY_POSITIONS, tiny->n_dims, &header,
                    &data);
    tiny_add_tensor(tiny, "embeddings.token_type_embeddings.weight", 2, tiny->n_dims, &header, &data);
    tiny_add_norm(tiny, "embeddings", &header, &data);
    for (int i = 0; i < tiny->n_layers; i++)
        tiny_add_layer(tiny, i, &header, &data);
    buf_append_byte(&header, '}');
    uint64_t header_bytes = header.len;
    buf_append(&file, &header_bytes, sizeof header_bytes);
    buf_append_str(&file, buf_str(&header));
    buf_append_str(&file, buf_str(&data));
    assert(buf_error(&file) == 0);
    tiny_write(folder, "model.safetensors", buf_str(&file));
    buf_done(&file);
    buf_done(&data);
    buf_done(&header);
}

static inline void tiny_write_config(const struct tiny_encoder *tiny, const char *folder)
{
    struct buf text;
    buf_init(&text, 4096);
    buf_printf(&text,
               "{\"model_type\":\"bert\",\"hidden_act\":\"gelu\",\"hidden_size\":%d,\"num_hidden_layers\":%d,"
               "\"num_attention_heads\":%d,\"intermediate_size\":%d,\"max_position_embeddings\":%d,"
               "\"layer_norm_eps\":1e-12,\"position_embedding_type\":\"absolute\"}",
               tiny->n_dims, tiny->n_layers, tiny->n_heads, tiny->n_inner, TINY_POSITIONS);
    tiny_write(folder, "config.json", buf_str(&text));
    buf_done(&text);
}

/* config.json, vocab.txt, model.safetensors and, when its first token is all that counts, 1_Pooling. */
static inline void tiny_write_folder(const struct tiny_encoder *tiny, const char *folder)
{
    char path[256];
    struct buf list;
    buf_init(&list, 4096);
    for (size_t i = 0; i < TINY_N_TOKENS; i++)
        buf_printf(&list, "%s\n", tiny_tokens[i]);
    tiny_write(folder, "vocab.txt", buf_str(&list));
    buf_done(&list);
    tiny_write_config(tiny, folder);
    tiny_write_tensors(tiny, folder);
    if (tiny->is_first_alone) {
        (void)snprintf(path, sizeof path, "%s/1_Pooling", folder);
        assert(mkdir(path, 0700) == 0);
        tiny_write(folder, "1_Pooling/config.json",
                   STR_LIT("{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":false}"));
    }
}

static inline bool tiny_remove_folder(const char *folder)
{
    static const char *const names[] = {"config.json",           "vocab.txt",
                                        "model.safetensors",     "tokenizer.json",
                                        "modules.json",          "sentence_bert_config.json",
                                        "1_Pooling/config.json", "tokenizer_config.json"};
    char path[256];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)snprintf(path, sizeof path, "%s/1_Pooling", folder);
    (void)rmdir(path);
    return rmdir(folder) == 0;
}

/* ---- the reference ---- */

struct tiny_rows {
    int n;
    double rows[TINY_POSITIONS][TINY_MAX_INNER];
};

static inline void tiny_norm(const struct tiny_encoder *tiny, const char *part, struct tiny_rows *x)
{
    char scale[128], shift[128];
    (void)snprintf(scale, sizeof scale, "%s.LayerNorm.weight", part);
    (void)snprintf(shift, sizeof shift, "%s.LayerNorm.bias", part);
    for (int i = 0; i < x->n; i++) {
        double mean = 0, variance = 0;
        for (int d = 0; d < tiny->n_dims; d++)
            mean += x->rows[i][d] / tiny->n_dims;
        for (int d = 0; d < tiny->n_dims; d++)
            variance += (x->rows[i][d] - mean) * (x->rows[i][d] - mean) / tiny->n_dims;
        for (int d = 0; d < tiny->n_dims; d++)
            x->rows[i][d] =
                (x->rows[i][d] - mean) / sqrt(variance + TINY_EPSILON) * tiny_weight(scale, (size_t)d) +
                tiny_weight(shift, (size_t)d);
    }
}

static inline void tiny_linear(const struct tiny_rows *from, const char *layer, const char *part, int n_from,
                               int n_to, struct tiny_rows *to)
{
    char weight[128], bias[128];
    (void)snprintf(weight, sizeof weight, "%s.%s.weight", layer, part);
    (void)snprintf(bias, sizeof bias, "%s.%s.bias", layer, part);
    to->n = from->n;
    for (int e = 0; e < n_to; e++) {
        double column[TINY_MAX_INNER];
        for (int d = 0; d < n_from; d++)
            column[d] = tiny_weight(weight, (size_t)e * (size_t)n_from + (size_t)d);
        for (int i = 0; i < from->n; i++) {
            to->rows[i][e] = tiny_weight(bias, (size_t)e);
            for (int d = 0; d < n_from; d++)
                to->rows[i][e] += from->rows[i][d] * column[d];
        }
    }
}

static inline void tiny_attend_one(const struct tiny_rows *query, const struct tiny_rows *key,
                                   const struct tiny_rows *value, int i, int first, int n_dims, double *ret)
{
    double shares[TINY_POSITIONS], whole = 0;
    for (int j = 0; j < key->n; j++) {
        double score = 0;
        for (int d = first; d < first + n_dims; d++)
            score += query->rows[i][d] * key->rows[j][d];
        shares[j] = exp(score / sqrt(n_dims));
        whole += shares[j];
    }
    for (int d = first; d < first + n_dims; d++) {
        ret[d] = 0;
        for (int j = 0; j < key->n; j++)
            ret[d] += shares[j] / whole * value->rows[j][d];
    }
}

static inline void tiny_add(const struct tiny_encoder *tiny, const struct tiny_rows *y, struct tiny_rows *x)
{
    for (int i = 0; i < x->n; i++) {
        for (int d = 0; d < tiny->n_dims; d++)
            x->rows[i][d] += y->rows[i][d];
    }
}

static inline void tiny_layer(const struct tiny_encoder *tiny, int number, struct tiny_rows *x)
{
    static struct tiny_rows query, key, value, heads, inner, result;
    char layer[64], part[128];
    int n = tiny->n_dims, head = n / tiny->n_heads;
    (void)snprintf(layer, sizeof layer, "encoder.layer.%d", number);
    tiny_linear(x, layer, "attention.self.query", n, n, &query);
    tiny_linear(x, layer, "attention.self.key", n, n, &key);
    tiny_linear(x, layer, "attention.self.value", n, n, &value);
    heads.n = x->n;
    for (int i = 0; i < x->n; i++) {
        for (int first = 0; first < n; first += head)
            tiny_attend_one(&query, &key, &value, i, first, head, heads.rows[i]);
    }
    tiny_linear(&heads, layer, "attention.output.dense", n, n, &result);
    tiny_add(tiny, &result, x);
    (void)snprintf(part, sizeof part, "%s.attention.output", layer);
    tiny_norm(tiny, part, x);
    tiny_linear(x, layer, "intermediate.dense", n, tiny->n_inner, &inner);
    for (int i = 0; i < x->n; i++) {
        for (int d = 0; d < tiny->n_inner; d++)
            inner.rows[i][d] *= 0.5 * (1 + erf(inner.rows[i][d] / sqrt(2)));
    }
    tiny_linear(&inner, layer, "output.dense", tiny->n_inner, n, &result);
    tiny_add(tiny, &result, x);
    (void)snprintf(part, sizeof part, "%s.output", layer);
    tiny_norm(tiny, part, x);
}

/* The vector of a text whose tokens have these ids, those at both ends left out; of length 1. */
static inline void tiny_embed(const struct tiny_encoder *tiny, const int *ids, int n_ids, double *ret_vector)
{
    static struct tiny_rows x;
    double length = 0;
    x.n = n_ids + 2;
    for (int i = 0; i < x.n; i++) {
        size_t id = (size_t)(i == 0 ? TINY_CLS : i == x.n - 1 ? TINY_SEP : ids[i - 1]);
        for (size_t d = 0; d < (size_t)tiny->n_dims; d++)
            x.rows[i][d] =
                tiny_weight("embeddings.word_embeddings.weight", id * (size_t)tiny->n_dims + d) +
                tiny_weight("embeddings.position_embeddings.weight", (size_t)i * (size_t)tiny->n_dims + d) +
                tiny_weight("embeddings.token_type_embeddings.weight", d);
    }
    tiny_norm(tiny, "embeddings", &x);
    for (int i = 0; i < tiny->n_layers; i++)
        tiny_layer(tiny, i, &x);
    for (int d = 0; d < tiny->n_dims; d++) {
        ret_vector[d] = 0;
        for (int i = 0; i < (tiny->is_first_alone ? 1 : x.n); i++)
            ret_vector[d] += x.rows[i][d];
        length += ret_vector[d] * ret_vector[d];
    }
    for (int d = 0; d < tiny->n_dims; d++)
        ret_vector[d] /= sqrt(length);
}

#endif
