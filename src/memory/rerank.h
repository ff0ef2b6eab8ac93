/* SPDX-License-Identifier: Apache-2.0
 *
 * An optional model elsewhere that reads a query beside each text and says how well they fit. It is asked
 * over HTTP within the time that is left, and can only ever be left out: whoever asks goes on without it.
 * After several failures in a row it is not asked for a while. Thread-safe; a call blocks.
 */
#ifndef PRECIS_MEMORY_RERANK_H
#define PRECIS_MEMORY_RERANK_H

#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include "net/loop.h"

enum rerank_format {
    RERANK_DOCUMENTS, /* {"model", "query", "documents", "top_n"}: Cohere, Jina, vLLM, llama.cpp and others */
    RERANK_TEXTS      /* {"query", "texts"}: Text Embeddings Inference */
};

#define RERANK_MAX_CANDIDATES 200
#define RERANK_MAX_TEXT_BYTES 8192 /* of a text and of a query; the rest is not sent */

struct rerank_options {
    const char *url;
    const char *model; /* NULL: the request names none */
    const char *key;   /* NULL: none */
    enum rerank_format format;
    size_t n_candidates;       /* 2..RERANK_MAX_CANDIDATES */
    int64_t timeout_us;        /* the most that a call may take */
    const struct clock *clock; /* of deadlines; borrowed */
};

struct rerank;

/* Asks nothing yet. ERR_INVALID names "url" or "key". */
int rerank_new(const struct rerank_options *options, struct rerank **ret_rerank, struct err_info *reterr);
struct rerank *rerank_free(struct rerank *rerank); /* accepts NULL; returns NULL */
/* How many texts are worth sending. */
size_t rerank_candidates(const struct rerank *rerank);
/* "host:port". */
const char *rerank_place(const struct rerank *rerank);

struct rerank_question {
    struct str query;
    const struct str *texts; /* 1..RERANK_MAX_CANDIDATES; longer ones are cut between characters */
    size_t n;
    int64_t deadline_us; /* monotonic: when the whole answer is wanted, of which a part is kept; 0: none */
    const struct net_job *job; /* may be NULL: see struct http_call */
};
/* One finite score a text, higher is better, on a scale that is the model's own. Any error means: nothing is
 * known; the sentence says why. ERR_UNAVAILABLE also while it is not asked because it failed, and ERR_TIMEOUT
 * when too little time is left to ask. */
int rerank_ask(struct rerank *rerank, const struct rerank_question *question, double *ret_scores,
               struct err_info *reterr);

struct rerank_stats {
    uint64_t n_calls;    /* requests sent */
    uint64_t n_failures; /* of these without a good answer in time */
    uint64_t n_skipped;  /* not asked: no time left, or resting after failures */
};
/* All 0 for NULL. */
void rerank_describe(struct rerank *rerank, struct rerank_stats *ret_stats);

#endif
