/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking the re-ranker: how long it may take, whether it is asked at all, and what is counted.
 *
 *     asked   -> resting  after MAX_IN_A_ROW failures one after the other
 *     resting -> asked    a call that is let through once in REST_US succeeds
 *
 * What a caller cut short (it had less time than the configured timeout, or gave up) and what failed here is
 * no sign of an ill server: it is counted, but not towards a rest.
 */
#include "memory/rerank.h"

#include "core/buf.h"
#include "core/mem.h"
#include "memory/rerank_wire.h"
#include "net/http_client.h"

#include <assert.h>
#include <pthread.h>

#define MAX_IN_A_ROW 5
#define REST_US      (30 * US_PER_SEC)
#define MIN_CALL_US  (2 * US_PER_MS) /* less is not worth a packet */
/* Of the time left a part is kept for what comes after. */
#define RESERVE_PART     8
#define MIN_RESERVE_US   (2 * US_PER_MS)
#define MAX_CALLS        64                        /* as many as a server has workers and sources' workers */
#define MAX_ANSWER_BYTES ((size_t)4 * 1024 * 1024) /* some echo the texts */
/* Every byte of a text may become an escape of six. */
#define MAX_REQUEST_BYTES ((size_t)6 * (RERANK_MAX_CANDIDATES + 2) * RERANK_MAX_TEXT_BYTES)

struct rerank {
    struct http_client *client;
    char *model; /* NULL: none */
    enum rerank_format format;
    size_t n_candidates;
    int64_t timeout_us;
    const struct clock *clock;
    pthread_mutex_t lock; /* guards what follows */
    int n_in_a_row;       /* failures */
    int64_t rests_until_us;
    struct rerank_stats stats;
};

int rerank_new(const struct rerank_options *options, struct rerank **ret_rerank, struct err_info *reterr)
{
    const struct http_client_options http = {
        .url = options->url,
        .key = options->key,
        .max_answer_bytes = MAX_ANSWER_BYTES,
        .max_calls = MAX_CALLS,
    };
    struct rerank *rerank = mem_calloc(1, sizeof(*rerank));
    if (!rerank)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    pthread_mutex_init(&rerank->lock, NULL);
    rerank->format = options->format;
    rerank->n_candidates = options->n_candidates;
    rerank->timeout_us = options->timeout_us;
    rerank->clock = options->clock;
    int err = http_client_new(&http, &rerank->client, reterr);
    if (!err && options->model && !(rerank->model = mem_strdup(options->model)))
        err = err_set(reterr, ERR_NOMEM, "out of memory");
    if (err)
        rerank_free(rerank);
    else
        *ret_rerank = rerank;
    return err;
}

struct rerank *rerank_free(struct rerank *rerank)
{
    if (!rerank)
        return NULL;
    http_client_free(rerank->client);
    mem_free(rerank->model);
    pthread_mutex_destroy(&rerank->lock);
    return mem_free(rerank);
}

size_t rerank_candidates(const struct rerank *rerank)
{
    return rerank->n_candidates;
}

const char *rerank_place(const struct rerank *rerank)
{
    return http_client_place(rerank->client);
}

void rerank_describe(struct rerank *rerank, struct rerank_stats *ret_stats)
{
    *ret_stats = (struct rerank_stats){0};
    if (!rerank)
        return;
    pthread_mutex_lock(&rerank->lock);
    *ret_stats = rerank->stats;
    pthread_mutex_unlock(&rerank->lock);
}

/* ---- whether to ask ---- */

/* How long a call may take. */
static int64_t allowed_us(const struct rerank *rerank, int64_t deadline_us)
{
    if (!deadline_us)
        return rerank->timeout_us;
    int64_t left_us = deadline_us - clock_mono_us(rerank->clock);
    int64_t reserve_us = left_us / RESERVE_PART;
    left_us -= reserve_us > MIN_RESERVE_US ? reserve_us : MIN_RESERVE_US;
    return left_us < rerank->timeout_us ? left_us : rerank->timeout_us;
}

/* Lets everybody through, or, after failures, one at the end of each rest. */
static int pass_breaker(struct rerank *rerank, struct err_info *reterr)
{
    int64_t now_us = clock_mono_us(rerank->clock), rests_us = 0;
    int n_in_a_row;
    pthread_mutex_lock(&rerank->lock);
    n_in_a_row = rerank->n_in_a_row;
    if (n_in_a_row >= MAX_IN_A_ROW) {
        rests_us = rerank->rests_until_us - now_us;
        if (rests_us <= 0)
            rerank->rests_until_us = now_us + REST_US;
    }
    if (rests_us <= 0)
        rerank->stats.n_calls++;
    else
        rerank->stats.n_skipped++;
    pthread_mutex_unlock(&rerank->lock);
    if (rests_us <= 0)
        return 0;
    return err_set(reterr, ERR_UNAVAILABLE, "%s failed %d times in a row and is not asked for %lld s",
                   rerank_place(rerank), n_in_a_row, (long long)((rests_us + US_PER_SEC - 1) / US_PER_SEC));
}

static bool tells_of_server(int err, bool had_full_time)
{
    return !(err == ERR_CANCELLED || err == ERR_NOMEM || err == ERR_LIMIT ||
             (err == ERR_TIMEOUT && !had_full_time));
}

static void record(struct rerank *rerank, int err, bool had_full_time)
{
    int64_t now_us = clock_mono_us(rerank->clock);
    pthread_mutex_lock(&rerank->lock);
    if (err)
        rerank->stats.n_failures++;
    if (!err) {
        rerank->n_in_a_row = 0;
    } else if (tells_of_server(err, had_full_time)) {
        rerank->n_in_a_row++;
        rerank->rests_until_us = now_us + REST_US;
    } else if (rerank->n_in_a_row >= MAX_IN_A_ROW) {
        rerank->rests_until_us = now_us; /* nothing was learnt: the next may try */
    }
    pthread_mutex_unlock(&rerank->lock);
}

/* ---- asking ---- */

static int call(struct rerank *rerank, const struct rerank_question *question, int64_t allowed,
                double *ret_scores, struct err_info *reterr)
{
    struct buf request, answer;
    buf_init(&request, MAX_REQUEST_BYTES);
    buf_init(&answer, MAX_ANSWER_BYTES);
    rerank_write_request(rerank->format, rerank->model, question, &request);
    int err = buf_error(&request);
    const struct http_call http = {
        .body = buf_str(&request),
        .deadline_us = clock_mono_us(&clock_system) + allowed,
        .job = question->job,
    };
    if (err)
        (void)err_set(reterr, err, "no memory for the question to %s", rerank_place(rerank));
    else
        err = http_client_post(rerank->client, &http, &answer, reterr);
    if (!err)
        err = rerank_read_answer(buf_str(&answer), question->n, ret_scores, reterr);
    buf_done(&request);
    buf_done(&answer);
    return err;
}

int rerank_ask(struct rerank *rerank, const struct rerank_question *question, double *ret_scores,
               struct err_info *reterr)
{
    assert(question->n > 0 && question->n <= RERANK_MAX_CANDIDATES);
    int64_t allowed = allowed_us(rerank, question->deadline_us);
    if (allowed < MIN_CALL_US && allowed < rerank->timeout_us) {
        pthread_mutex_lock(&rerank->lock);
        rerank->stats.n_skipped++;
        pthread_mutex_unlock(&rerank->lock);
        return err_set(reterr, ERR_TIMEOUT, "no time was left to ask %s", rerank_place(rerank));
    }
    int err = pass_breaker(rerank, reterr);
    if (err)
        return err;
    err = call(rerank, question, allowed, ret_scores, reterr);
    record(rerank, err, allowed == rerank->timeout_us);
    return err;
}
