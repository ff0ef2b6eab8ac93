/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a safetensors file and as an embedder's data file: what is found can be read whole; a model
 * that is accepted embeds any text, and to a vector of numbers.
 */
#include "text/embed_priv.h"

#include "core/mem.h"
#include "text/model_folder.h"

#include <assert.h>
#include <math.h>

#define TEXT_BYTES 64 /* the end of the input is also the text */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_tensor(struct str file)
{
    struct safetensors tensors = {0};
    struct tensor tensor;
    struct err_info err = {0};
    int r = safetensors_open(file, &tensors, &err);
    if (r == 0)
        r = safetensors_find(&tensors, "embeddings", &tensor, &err);
    if (r < 0)
        assert(err.code == r && err.message[0]);
    for (size_t i = 0; r == 0 && i < tensor.n_rows * tensor.n_columns; i++) {
        (void)tensor_real(&tensor, i);
        (void)tensor_int(&tensor, i);
    }
    safetensors_close(&tensors);
}

static void read_model(struct str file)
{
    struct embedder *embedder;
    struct err_info err = {0};
    int r = embedder_from_bytes(file, &embedder, &err);
    if (r < 0) {
        assert(err.code == r && err.message[0]);
        return;
    }
    float *vector = mem_calloc(embedder_dims(embedder), sizeof *vector);
    assert(vector);
    size_t text_bytes = file.len < TEXT_BYTES ? file.len : TEXT_BYTES;
    assert(embed_text(embedder, str_slice(file, file.len - text_bytes, text_bytes), vector, NULL) == 0);
    assert(embed_text(embedder, STR_LIT("a ab na\xc3\xafve \xe5\x8c\x97 sky, sky."), vector, NULL) == 0);
    for (size_t d = 0; d < embedder_dims(embedder); d++)
        assert(isfinite(vector[d]));
    mem_free(vector);
    embedder_close(embedder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = mem_dup(data, size); /* aligned, as a model's bytes are */
    assert(copy);
    read_tensor(str_make(copy, size));
    read_model(str_make(copy, size));
    mem_free(copy);
    return 0;
}
