/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the embedder: what it is made of, and the kernels that add rows of eight bits.
 */
#ifndef PRECIS_TEXT_EMBED_PRIV_H
#define PRECIS_TEXT_EMBED_PRIV_H

#include "text/embed.h"
#include "text/wordpiece.h"

struct encoder;
struct encoder_kernel;
struct json;

/* Rows of a quantized model come in blocks of so many: one cache line. */
#define EMBED_BLOCK_DIMS 64
/* The largest factor: EMBED_MAX_TOKENS * 127 * 32767 still fits 31 bits. */
#define EMBED_MAX_FACTOR 32767

struct embed_rows {
    const int8_t *rows;
    const uint16_t *factors; /* a row's scale, in units that no one needs: the sum is normalised */
    size_t n_dims;           /* a multiple of EMBED_BLOCK_DIMS */
};

/* ret_sum[d] = the sum over tokens of factors[token] * rows[token][d]; at most EMBED_MAX_TOKENS tokens. All
 * kernels give the same integers. */
typedef void (*embed_add_fn)(const struct embed_rows *rows, const uint32_t *tokens, size_t n_tokens,
                             int32_t *ret_sum);

struct embed_kernel {
    const char *name;
    embed_add_fn add;
};

/* Those that this machine can run, the best first and the portable one last, ended by a NULL name. */
const struct embed_kernel *embed_kernels(void);

struct embedder {
    struct wordpiece_vocab vocab;
    size_t max_chars;  /* of a text, before it is cut */
    size_t max_tokens; /* of a text; at most EMBED_MAX_TOKENS */
    size_t n_dims;
    embed_add_fn add; /* NULL for a model of floats */
    struct embed_rows quantized;
    float *rows;             /* a row for each token, its weight applied; owned */
    struct encoder *encoder; /* NULL for a static model; owned */
    size_t n_heap_bytes;
};

/* A folder of each kind, into an embedder that is zeroed. config: of config.json. What a failure leaves in
 * the embedder, embedder_close takes down. */
int model2vec_open(const char *folder, struct embedder *embedder, struct err_info *reterr);
int encoder_open(const char *folder, const struct json *config, const struct encoder_kernel *kernel,
                 struct embedder *embedder, struct err_info *reterr);

#endif
