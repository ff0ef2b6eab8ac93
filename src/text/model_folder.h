/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of a published model hold, whatever its kind: a vocabulary, JSON, tensors. Never leaves the
 * folder.
 */
#ifndef PRECIS_TEXT_MODEL_FOLDER_H
#define PRECIS_TEXT_MODEL_FOLDER_H

#include "core/buf.h"
#include "core/json.h"
#include "text/wordpiece.h"

#define MODEL_MAX_FILE_BYTES ((size_t)1 << 31)

/* Reads a file of the folder whole into buf, which the caller has initialised. ERR_NOT_FOUND or ERR_IO with
 * its path. */
int model_read_file(const char *folder, const char *name, struct buf *buf, struct err_info *reterr);
/* The same without a copy, for what is large: mapped until model_unmap_file. Nobody may cut it short
 * meanwhile. */
int model_map_file(const char *folder, const char *name, struct str *ret_bytes, struct err_info *reterr);
void model_unmap_file(struct str bytes); /* accepts {NULL, 0} */
/* The file as JSON; positive when there is none. An error's sentence begins with name. */
int model_read_json(const char *folder, const char *name, struct json **ret_root, struct err_info *reterr);

/* A model's tokens, by the ids that its tensors go by. Zeroed before the first use. */
struct model_tokens {
    struct str *tokens; /* {NULL, 0} for an id that no token has */
    size_t n_ids;
    struct json *root; /* what tokens borrows from, one of the two */
    struct buf list;
};

/* tokenizer.json, which must cut text as BERT's uncased one does; else vocab.txt, a token a line, if the
 * caller can do with it. */
int model_tokens_read(const char *folder, bool may_be_list, struct model_tokens *ret_tokens,
                      struct err_info *reterr);
void model_tokens_done(struct model_tokens *tokens);

/* A safetensors file: borrowed bytes and what its header says of them. */
struct safetensors {
    struct json *root;
    struct str tensors; /* the bytes after the header */
};

struct tensor {
    enum tensor_type { TENSOR_F32, TENSOR_F16, TENSOR_F64, TENSOR_I8, TENSOR_I32, TENSOR_I64 } type;
    size_t n_rows, n_columns; /* n_columns is 1 for a list */
    const char *data;         /* borrowed from the file, unaligned */
};

int safetensors_open(struct str file, struct safetensors *ret_file, struct err_info *reterr);
void safetensors_close(struct safetensors *file); /* accepts a zeroed one */
/* Finds a tensor of one or two axes; positive when the file has none of that name. Every size is checked
 * against the file: a tensor that is found can be read whole. */
int safetensors_find(const struct safetensors *file, const char *name, struct tensor *ret_tensor,
                     struct err_info *reterr);
/* One element, whatever its type. idx < n_rows * n_columns. */
double tensor_real(const struct tensor *tensor, size_t idx);
/* The same of a tensor of whole numbers. */
int64_t tensor_int(const struct tensor *tensor, size_t idx);
/* n elements from idx on, as floats. */
void tensor_read(const struct tensor *tensor, size_t idx, size_t n, float *ret_values);

#endif
