/* SPDX-License-Identifier: Apache-2.0
 *
 * What is said to a re-ranker, and what it answers. Formats: docs/configuration.md.
 */
#ifndef PRECIS_MEMORY_RERANK_WIRE_H
#define PRECIS_MEMORY_RERANK_WIRE_H

#include "core/buf.h"
#include "memory/rerank.h"

/* model may be NULL. Errors latch in the buf. */
void rerank_write_request(enum rerank_format format, const char *model,
                          const struct rerank_question *question, struct buf *buf);

/* {"results": [{"index": 1, "relevance_score": 0.5}, ...]} or the list alone; `score` is understood, too, and
 * other members are not read. Either all n scores are set, or none and ERR_REMOTE says what is wrong: no
 * JSON, an index out of range, one given twice, one that is missing, a score that is no finite number. */
int rerank_read_answer(struct str answer, size_t n, double *ret_scores, struct err_info *reterr);

#endif
