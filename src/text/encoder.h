/* SPDX-License-Identifier: Apache-2.0
 *
 * A sentence encoder: BERT (Devlin et al., 2018, arXiv 1810.04805) with the mean of its last layer, or its
 * first token, as the text's vector (Reimers and Gurevych, 2019, arXiv 1908.10084). What it is, between the
 * file that reads it and the one that runs it. Never leaves the folder.
 */
#ifndef PRECIS_TEXT_ENCODER_H
#define PRECIS_TEXT_ENCODER_H

#include "core/err.h"
#include "text/encoder_kernel.h"

#define ENCODER_MAX_LAYERS 48
#define ENCODER_MAX_INNER  16384

struct json;

struct encoder_shape {
    size_t n_layers, n_heads;
    size_t n_dims;      /* of a token's vector; each head has a multiple of ENCODER_STEP of them */
    size_t n_inner;     /* within a layer; a multiple of ENCODER_STEP */
    size_t n_positions; /* a text's first tokens, those at both ends counted: at most EMBED_MAX_TOKENS */
    float epsilon;      /* of its layer norms */
};

/* Matrices are in the kernel's panels, in half precision; all else is floats. */
struct encoder_layer {
    const uint16_t *attend; /* n_dims to queries, keys and values side by side; queries scaled already */
    const uint16_t *gather; /* the heads' results to n_dims */
    const uint16_t *grow, *shrink;
    const float *attend_bias, *gather_bias, *grow_bias, *shrink_bias;
    const float *attend_scale, *attend_shift; /* the norm after attention */
    const float *grow_scale, *grow_shift;     /* the norm after the rest */
};

struct encoder {
    struct encoder_shape shape;
    const struct encoder_kernel *kernel;
    uint32_t first, last;  /* the tokens before and after a text */
    bool is_first_alone;   /* the first token's vector is the text's; otherwise the mean of all */
    const uint16_t *words; /* a row a token, in the order of the vocabulary; half precision */
    const float *places;   /* a row a position */
    const float *scale, *shift;
    struct encoder_layer layers[ENCODER_MAX_LAYERS];
    void *memory; /* all of the above; owned */
    size_t n_heap_bytes;
};

/* config.json. ERR_INVALID or ERR_UNSUPPORTED with the field at fault. n_positions is set to what the model
 * has, at least 3. */
int encoder_read_shape(const struct json *config, struct encoder_shape *ret_shape, struct err_info *reterr);

/* The files beside it, as far as they are there: modules.json, 1_Pooling/config.json (else the mean) and
 * sentence_bert_config.json, which may lower n_positions. */
int encoder_read_settings(const char *folder, struct encoder *encoder, struct err_info *reterr);

/* tokens: of a text, in the vocabulary's order, at most n_positions - 2. ret_vector: n_dims numbers, not yet
 * normalised. ERR_NOMEM. */
int encoder_run(const struct encoder *encoder, const uint32_t *tokens, size_t n_tokens, float *ret_vector);

/* IEEE half precision, rounded to the nearest, ties to even. |value| <= ENCODER_MAX_WEIGHT. */
#define ENCODER_MAX_WEIGHT 65504.F
uint16_t encoder_halve(float value);
/* Where the number of a row and a column stands in a matrix laid out in panels. */
static inline size_t encoder_place(size_t panel, size_t depth, size_t row, size_t column)
{
    return (column / panel * depth + row) * panel + column % panel;
}
/* The numbers such a matrix takes. */
static inline size_t encoder_panels_size(size_t panel, size_t depth, size_t n_columns)
{
    return (n_columns + panel - 1) / panel * panel * depth;
}

struct encoder *encoder_free(struct encoder *encoder); /* accepts NULL; returns NULL */

#endif
