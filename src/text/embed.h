/* SPDX-License-Identifier: Apache-2.0
 *
 * Text to vector. By a static model: the sum of the rows of a text's word pieces, normalised; the built-in
 * one lies in the program, read in place. Or by a sentence encoder, which takes word order in, and a thousand
 * times as long. What an embedder is does not change once it is made: all threads may use it at once.
 */
#ifndef PRECIS_TEXT_EMBED_H
#define PRECIS_TEXT_EMBED_H

#include "core/err.h"
#include "core/str.h"

#define EMBED_MAX_DIMS   4096
#define EMBED_MAX_TOKENS 512 /* of one text, or fewer as a model says; what follows does not count */

struct embedder;

/* The model that is part of the program. Reads its header alone: the rest comes from disk as texts need it.
 */
int embedder_builtin(struct embedder **ret_embedder, struct err_info *reterr);
/* A model in the form that tools/distill.py writes, borrowed: bytes must begin at a multiple of 4 and outlive
 * the embedder. ERR_CORRUPT with what is wrong with it. */
int embedder_from_bytes(struct str bytes, struct embedder **ret_embedder, struct err_info *reterr);
/* The model of a folder, which is one of two kinds:
 * - Model2Vec: model.safetensors (`embeddings` as F32, F16, F64 or I8; `weights` and `mapping` if it has
 * them) and tokenizer.json;
 * - a sentence encoder of BERT's form, such as all-MiniLM-L6-v2: config.json with `hidden_size`,
 *   model.safetensors, and tokenizer.json or vocab.txt; modules.json, 1_Pooling/config.json and
 *   sentence_bert_config.json if it has them (docs/embeddings.md has the limits).
 * The vocabulary is a WordPiece one of BERT's uncased kind. ERR_NOT_FOUND, ERR_INVALID or ERR_UNSUPPORTED
 * with the file at fault, and the field or tensor in it. */
int embedder_open(const char *folder, struct embedder **ret_embedder, struct err_info *reterr);
struct embedder *embedder_close(struct embedder *embedder); /* accepts NULL; returns NULL */

size_t embedder_dims(const struct embedder *embedder);
size_t embedder_layers(const struct embedder *embedder); /* of an encoder; 0 for a static model */
/* Bytes of heap it holds; what lies in the program is not counted. */
size_t embedder_heap_bytes(const struct embedder *embedder);

/* ret_vector: embedder_dims numbers, of length 1, or all 0 for a text without a known word (for an encoder:
 * without any). A static model allocates nothing and cannot fail; an encoder takes memory for the call alone,
 * at most a few megabytes: ERR_NOMEM, and ERR_CORRUPT when its weights lead to numbers without end. */
int embed_text(const struct embedder *embedder, struct str text, float *ret_vector, struct err_info *reterr);

#endif
