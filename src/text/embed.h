/* SPDX-License-Identifier: Apache-2.0
 *
 * Text to vector by a static model: the sum of the rows of a text's word pieces, normalised. The built-in
 * model lies in the program, read in place; others come from a Model2Vec folder. What an embedder is does not
 * change once it is made: all threads may use it at once.
 */
#ifndef PRECIS_TEXT_EMBED_H
#define PRECIS_TEXT_EMBED_H

#include "core/err.h"
#include "core/str.h"

#define EMBED_MAX_DIMS   4096
#define EMBED_MAX_TOKENS 512 /* of one text; what follows does not count */

struct embedder;

/* The model that is part of the program. Reads its header alone: the rest comes from disk as texts need it.
 */
int embedder_builtin(struct embedder **ret_embedder, struct err_info *reterr);
/* A model in the form that tools/distill.py writes, borrowed: bytes must begin at a multiple of 4 and outlive
 * the embedder. ERR_CORRUPT with what is wrong with it. */
int embedder_from_bytes(struct str bytes, struct embedder **ret_embedder, struct err_info *reterr);
/* The Model2Vec model of a folder: model.safetensors (`embeddings` as F32, F16 or I8; `weights` and `mapping`
 * if it has them) and tokenizer.json with a WordPiece vocabulary of BERT's kind. ERR_NOT_FOUND, ERR_INVALID
 * or ERR_UNSUPPORTED with the file at fault. */
int embedder_open(const char *folder, struct embedder **ret_embedder, struct err_info *reterr);
struct embedder *embedder_close(struct embedder *embedder); /* accepts NULL; returns NULL */

size_t embedder_dims(const struct embedder *embedder);
/* Bytes of heap it holds; what lies in the program is not counted. */
size_t embedder_heap_bytes(const struct embedder *embedder);

/* ret_vector: embedder_dims numbers, of length 1, or all 0 for a text without a known word. Allocates
 * nothing. */
void embed_text(const struct embedder *embedder, struct str text, float *ret_vector);

#endif
