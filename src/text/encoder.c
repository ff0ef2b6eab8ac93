/* SPDX-License-Identifier: Apache-2.0
 *
 * A text's pass through an encoder: every step for all tokens at once, so that each weight is read once a
 * text. A text has as many rows as tokens; nothing is padded.
 */
#include "text/encoder.h"

#include "core/mem.h"
#include "text/embed.h"

#include <math.h>
#include <string.h>

/* Rows a power of two apart would share few places of the nearest cache. */
#define GAP   16
#define ALIGN 64

/* Scratch of one pass. */
struct pass {
    const struct encoder *encoder;
    const struct encoder_kernel *kernel;
    size_t n;                            /* rows */
    size_t stride, wide_stride;          /* of rows of n_dims, and of those that are wider */
    size_t n_scores;                     /* n rounded up: a row of scores */
    float *rows, *heads;                 /* n_dims wide */
    float *wide;                         /* queries, keys and values; later the inner rows */
    float *scores;                       /* of one head: how much each token minds each other */
    float *keys, *values;                /* of one head, in panels */
    size_t n_keys_panel, n_values_panel; /* numbers in them */
    void *memory;
};

static size_t round_up(size_t n, size_t step)
{
    return (n + step - 1) / step * step;
}

static int pass_init(struct pass *pass, const struct encoder *encoder, size_t n)
{
    const struct encoder_shape *shape = &encoder->shape;
    size_t head_dims = shape->n_dims / shape->n_heads, panel = encoder->kernel->panel;
    size_t widest = shape->n_inner > 3 * shape->n_dims ? shape->n_inner : 3 * shape->n_dims;
    *pass = (struct pass){.encoder = encoder, .kernel = encoder->kernel, .n = n};
    pass->stride = shape->n_dims + GAP;
    pass->wide_stride = widest + GAP;
    pass->n_scores = round_up(n, ENCODER_STEP);
    pass->n_keys_panel = encoder_panels_size(panel, head_dims, pass->n_scores);
    pass->n_values_panel = encoder_panels_size(panel, n, head_dims);
    const size_t sizes[] = {n * pass->stride,   n * pass->stride,   n * pass->wide_stride,
                            n * pass->n_scores, pass->n_keys_panel, pass->n_values_panel};
    float **const parts[] = {&pass->rows,   &pass->heads, &pass->wide,
                             &pass->scores, &pass->keys,  &pass->values};
    size_t total = ALIGN / sizeof(float);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        total += round_up(sizes[i], ALIGN / sizeof(float));
    pass->memory = mem_alloc(total * sizeof(float));
    if (!pass->memory)
        return ERR_NOMEM;
    float *next = (float *)round_up((uintptr_t)pass->memory, ALIGN);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        *parts[i] = next;
        next += round_up(sizes[i], ALIGN / sizeof(float));
    }
    /* What fills the last panels up stays 0: every head writes the same places. */
    memset(pass->keys, 0, pass->n_keys_panel * sizeof *pass->keys);
    memset(pass->values, 0, pass->n_values_panel * sizeof *pass->values);
    return 0;
}

static void embed_tokens(struct pass *pass, const uint32_t *tokens)
{
    const struct encoder *encoder = pass->encoder;
    size_t n_dims = encoder->shape.n_dims;
    for (size_t i = 0; i < pass->n; i++) {
        size_t token = i == 0 ? encoder->first : i + 1 == pass->n ? encoder->last : tokens[i - 1];
        pass->kernel->widen(encoder->words + token * n_dims, encoder->places + i * n_dims, n_dims,
                            pass->rows + i * pass->stride);
    }
    pass->kernel->level(pass->rows, pass->stride, pass->n, n_dims, encoder->scale, encoder->shift,
                        encoder->shape.epsilon);
}

/* Lays a head's keys (transposed) and values out as right sides of products. */
static void place_head(struct pass *pass, size_t first, size_t head_dims)
{
    size_t panel = pass->kernel->panel, n_dims = pass->encoder->shape.n_dims;
    size_t n_together = panel < ENCODER_STEP ? panel : ENCODER_STEP; /* of a head and a panel, side by side */
    for (size_t i = 0; i < pass->n; i++) {
        const float *key = pass->wide + i * pass->wide_stride + n_dims + first, *value = key + n_dims;
        float *column = pass->keys + encoder_place(panel, head_dims, 0, i);
        for (size_t d = 0; d < head_dims; d++)
            column[d * panel] = key[d];
        for (size_t d = 0; d < head_dims; d += n_together)
            memcpy(pass->values + encoder_place(panel, pass->n, i, d), value + d, n_together * sizeof *value);
    }
}

static void attend(struct pass *pass)
{
    const struct encoder_shape *shape = &pass->encoder->shape;
    size_t head_dims = shape->n_dims / shape->n_heads;
    for (size_t first = 0; first < shape->n_dims; first += head_dims) {
        const struct encoder_product scores = {
            .a = pass->wide + first,
            .a_stride = pass->wide_stride,
            .b = pass->keys,
            .c = pass->scores,
            .c_stride = pass->n_scores,
            .n_rows = pass->n,
            .depth = head_dims,
            .n_columns = pass->n_scores,
        };
        const struct encoder_product mixed = {
            .a = pass->scores,
            .a_stride = pass->n_scores,
            .b = pass->values,
            .c = pass->heads + first,
            .c_stride = pass->stride,
            .n_rows = pass->n,
            .depth = pass->n,
            .n_columns = head_dims,
        };
        place_head(pass, first, head_dims);
        pass->kernel->multiply_floats(&scores);
        pass->kernel->soften(pass->scores, pass->n, pass->n, pass->n_scores);
        pass->kernel->multiply_floats(&mixed);
    }
}

/* to = (or +=) from * weights + bias, for all rows. */
static void project(const struct pass *pass, const float *from, size_t from_stride, size_t depth,
                    const uint16_t *weights, const float *bias, float *to, size_t to_stride, size_t n_columns,
                    enum encoder_then then)
{
    const struct encoder_product product = {
        .a = from,
        .a_stride = from_stride,
        .b = weights,
        .bias = bias,
        .c = to,
        .c_stride = to_stride,
        .n_rows = pass->n,
        .depth = depth,
        .n_columns = n_columns,
        .then = then,
    };
    pass->kernel->multiply(&product);
}

static void run_layer(struct pass *pass, const struct encoder_layer *layer)
{
    const struct encoder_shape *shape = &pass->encoder->shape;
    size_t n_dims = shape->n_dims, stride = pass->stride, wide_stride = pass->wide_stride;
    project(pass, pass->rows, stride, n_dims, layer->attend, layer->attend_bias, pass->wide, wide_stride,
            3 * n_dims, ENCODER_SET);
    attend(pass);
    project(pass, pass->heads, stride, n_dims, layer->gather, layer->gather_bias, pass->rows, stride, n_dims,
            ENCODER_ADD);
    pass->kernel->level(pass->rows, stride, pass->n, n_dims, layer->attend_scale, layer->attend_shift,
                        shape->epsilon);
    project(pass, pass->rows, stride, n_dims, layer->grow, layer->grow_bias, pass->wide, wide_stride,
            shape->n_inner, ENCODER_GELU);
    project(pass, pass->wide, wide_stride, shape->n_inner, layer->shrink, layer->shrink_bias, pass->rows,
            stride, n_dims, ENCODER_ADD);
    pass->kernel->level(pass->rows, stride, pass->n, n_dims, layer->grow_scale, layer->grow_shift,
                        shape->epsilon);
}

/* Its length does not matter: a sum is as good as a mean. */
static void pool(const struct pass *pass, float *ret_vector)
{
    size_t n_dims = pass->encoder->shape.n_dims;
    memcpy(ret_vector, pass->rows, n_dims * sizeof *ret_vector);
    for (size_t i = 1; i < pass->n && !pass->encoder->is_first_alone; i++) {
        for (size_t d = 0; d < n_dims; d++)
            ret_vector[d] += pass->rows[i * pass->stride + d];
    }
}

int encoder_run(const struct encoder *encoder, const uint32_t *tokens, size_t n_tokens, float *ret_vector)
{
    struct pass pass;
    int r = pass_init(&pass, encoder, n_tokens + 2);
    if (r < 0)
        return r;
    embed_tokens(&pass, tokens);
    for (size_t i = 0; i < encoder->shape.n_layers; i++)
        run_layer(&pass, &encoder->layers[i]);
    pool(&pass, ret_vector);
    mem_free(pass.memory);
    return 0;
}

uint16_t encoder_halve(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000;
    float size = fabsf(value);
    if (size < 0x1p-14F) /* subnormal: a multiple of 2^-24 */
        return (uint16_t)(sign | (uint32_t)lrintf(size * 0x1p24F));
    bits &= INT32_MAX;
    bits += 0xfff + (bits >> 13 & 1); /* half a unit of what is kept, or just less before an even one */
    return (uint16_t)(sign | (bits - (112u << 23)) >> 13);
}

struct encoder *encoder_free(struct encoder *encoder)
{
    if (encoder) {
        mem_free(encoder->memory);
        mem_free(encoder);
    }
    return NULL;
}
