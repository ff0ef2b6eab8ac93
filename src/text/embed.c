/* SPDX-License-Identifier: Apache-2.0
 *
 * The embedder: its data file read in place (tools/distill.py describes it), and a text made a vector.
 */
#include "text/embed_priv.h"

#include "core/mem.h"
#include "text/encoder.h"
#include "text/tables.h"

#include <assert.h>
#include <math.h>

#define MAGIC         "PRECISEM"
#define VERSION       1
#define SECTION_ALIGN 64
#define HEADER_BYTES  128

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the data file is read in place");

/* The file's first bytes. */
struct header {
    char magic[8];
    uint32_t version, n_dims, n_tokens, n_slots, max_token_bytes, text_bytes, median_token_chars, zero;
};

extern const unsigned char embed_data[], embed_data_end[];

/* Where the next section of n elements lies; NULL when the file ends before it does. */
static const void *take_section(struct str file, size_t *pos, size_t n, size_t element_size)
{
    size_t start = (*pos + SECTION_ALIGN - 1) / SECTION_ALIGN * SECTION_ALIGN;
    if (start > file.len || n > (file.len - start) / element_size)
        return NULL;
    *pos = start + n * element_size;
    return file.ptr + start;
}

static int check_header(const struct header *header, struct err_info *reterr)
{
    if (memcmp(header->magic, MAGIC, sizeof header->magic) != 0)
        return err_set(reterr, ERR_CORRUPT, "this is no embedder's data file");
    if (header->version != VERSION)
        return err_set(reterr, ERR_UNSUPPORTED, "the embedder's data file has version %u, not %u",
                       header->version, VERSION);
    if (header->n_dims == 0 || header->n_dims > EMBED_MAX_DIMS || header->n_dims % EMBED_BLOCK_DIMS != 0)
        return err_set(reterr, ERR_CORRUPT, "the embedder's data file has vectors of %u dimensions",
                       header->n_dims);
    return 0;
}

static int read_file(struct str file, struct embedder *embedder, struct err_info *reterr)
{
    const struct header *header = (const struct header *)file.ptr;
    struct wordpiece_vocab *vocab = &embedder->vocab;
    size_t pos = HEADER_BYTES;
    if (file.len < HEADER_BYTES || (uintptr_t)file.ptr % sizeof(uint32_t) != 0)
        return err_set(reterr, ERR_CORRUPT, "this is no embedder's data file");
    int r = check_header(header, reterr);
    if (r < 0)
        return r;
    vocab->n_tokens = header->n_tokens;
    vocab->n_slots = header->n_slots;
    vocab->max_token_bytes = header->max_token_bytes;
    vocab->text_bytes = header->text_bytes;
    embedder->n_dims = embedder->quantized.n_dims = header->n_dims;
    embedder->max_chars = (size_t)EMBED_MAX_TOKENS * header->median_token_chars;
    embedder->max_tokens = EMBED_MAX_TOKENS;
    vocab->groups = take_section(file, &pos, 2 * (size_t)vocab->max_token_bytes + 1, sizeof *vocab->groups);
    vocab->slots = take_section(file, &pos, vocab->n_slots, sizeof *vocab->slots);
    vocab->text = take_section(file, &pos, vocab->text_bytes, 1);
    embedder->quantized.factors =
        take_section(file, &pos, vocab->n_tokens, sizeof *embedder->quantized.factors);
    embedder->quantized.rows = take_section(file, &pos, vocab->n_tokens, embedder->n_dims);
    if (!vocab->groups || !vocab->slots || !vocab->text || !embedder->quantized.factors ||
        !embedder->quantized.rows || pos != file.len)
        return err_set(reterr, ERR_CORRUPT,
                       "the embedder's data file has %zu bytes, which is not what it says", file.len);
    return wordpiece_check(vocab, reterr);
}

int embedder_from_bytes(struct str bytes, struct embedder **ret_embedder, struct err_info *reterr)
{
    struct embedder *embedder = mem_calloc(1, sizeof *embedder);
    if (!embedder)
        return err_set(reterr, ERR_NOMEM, "there is no memory for an embedder");
    int r = read_file(bytes, embedder, reterr);
    if (r < 0) {
        embedder_close(embedder);
        return r;
    }
    embedder->add = embed_kernels()->add;
    embedder->n_heap_bytes = sizeof *embedder;
    *ret_embedder = embedder;
    return 0;
}

int embedder_builtin(struct embedder **ret_embedder, struct err_info *reterr)
{
    struct str bytes = {(const char *)embed_data, (size_t)(embed_data_end - embed_data)};
    return embedder_from_bytes(bytes, ret_embedder, reterr);
}

struct embedder *embedder_close(struct embedder *embedder)
{
    if (embedder) {
        wordpiece_done(&embedder->vocab);
        mem_free(embedder->rows);
        encoder_free(embedder->encoder);
        mem_free(embedder);
    }
    return NULL;
}

size_t embedder_dims(const struct embedder *embedder)
{
    return embedder->n_dims;
}

size_t embedder_layers(const struct embedder *embedder)
{
    return embedder->encoder ? embedder->encoder->shape.n_layers : 0;
}

size_t embedder_heap_bytes(const struct embedder *embedder)
{
    return embedder->n_heap_bytes;
}

static int normalize(float *vector, size_t n_dims, struct err_info *reterr)
{
    typedef double two __attribute__((vector_size(16)));
    two squares01 = {0}, squares23 = {0}; /* of every fourth number, in one order on every machine */
    size_t d = 0;
    for (; d + 4 <= n_dims; d += 4) {
        two v01 = {vector[d], vector[d + 1]}, v23 = {vector[d + 2], vector[d + 3]};
        squares01 += v01 * v01;
        squares23 += v23 * v23;
    }
    double squares[4] = {squares01[0], squares01[1], squares23[0], squares23[1]};
    for (; d < n_dims; d++)
        squares[d % 4] += (double)vector[d] * vector[d];
    double length = sqrt(squares[0] + squares[1] + squares[2] + squares[3]);
    if (!isfinite(length))
        return err_set(reterr, ERR_CORRUPT, "the model's numbers lead beyond what can be counted");
    float scale = length > 0 ? (float)(1 / length) : 0;
    for (d = 0; d < n_dims; d++)
        vector[d] *= scale;
    return 0;
}

static void add_quantized(const struct embedder *embedder, const uint32_t *tokens, size_t n_tokens,
                          float *ret_vector)
{
    int32_t sum[EMBED_MAX_DIMS];
    size_t n_dims = embedder->n_dims; /* read once: the result might lie over it, for all a compiler knows */
    embedder->add(&embedder->quantized, tokens, n_tokens, sum);
    for (size_t d = 0; d < n_dims; d++)
        ret_vector[d] = (float)sum[d];
}

static void add_floats(const struct embedder *embedder, const uint32_t *tokens, size_t n_tokens,
                       float *ret_vector)
{
    memset(ret_vector, 0, embedder->n_dims * sizeof *ret_vector);
    for (size_t i = 0; i < n_tokens; i++) {
        const float *row = embedder->rows + tokens[i] * embedder->n_dims;
        for (size_t d = 0; d < embedder->n_dims; d++)
            ret_vector[d] += row[d];
    }
}

int embed_text(const struct embedder *embedder, struct str text, float *ret_vector, struct err_info *reterr)
{
    uint32_t tokens[EMBED_MAX_TOKENS];
    tables_want();
    size_t n_tokens =
        wordpiece_encode(&embedder->vocab, text, embedder->max_chars, tokens, embedder->max_tokens);
    if (embedder->add) {
        add_quantized(embedder, tokens, n_tokens, ret_vector);
    } else if (!embedder->encoder || n_tokens == 0) {
        add_floats(embedder, tokens, n_tokens, ret_vector);
    } else {
        int r = encoder_run(embedder->encoder, tokens, n_tokens, ret_vector);
        if (r < 0)
            return err_set(reterr, r, "there is no memory to embed a text of %zu tokens", n_tokens);
    }
    return normalize(ret_vector, embedder->n_dims, reterr);
}
