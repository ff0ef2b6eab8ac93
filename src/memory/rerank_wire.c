/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to a re-ranker and its answers. An answer is somebody else's: it is right in all its parts, or it
 * is not used at all.
 */
#include "memory/rerank_wire.h"

#include "core/json.h"
#include "core/utf8.h"

#include <math.h>

#define MAX_DEPTH 32

/* ---- the request ---- */

void rerank_write_request(enum rerank_format format, const char *model,
                          const struct rerank_question *question, struct buf *buf)
{
    struct json_writer writer;
    json_writer_init(&writer, buf);
    json_open_object(&writer);
    if (model)
        json_put_member_text(&writer, "model", str_of(model));
    json_put_member_text(&writer, "query", utf8_prefix(question->query, RERANK_MAX_TEXT_BYTES));
    json_put_name(&writer, format == RERANK_TEXTS ? "texts" : "documents");
    json_open_array(&writer);
    for (size_t i = 0; i < question->n; i++)
        json_put_text(&writer, utf8_prefix(question->texts[i], RERANK_MAX_TEXT_BYTES));
    json_close_array(&writer);
    if (format == RERANK_DOCUMENTS)
        json_put_member_int(&writer, "top_n", (int64_t)question->n);
    else
        json_put_member_bool(&writer, "truncate", true); /* otherwise a long text fails all of them */
    json_close_object(&writer);
}

/* ---- the answer ---- */

static bool is_number(const struct json *node)
{
    return json_kind_of(node) == JSON_KIND_INT || json_kind_of(node) == JSON_KIND_REAL;
}

static int read_result(const struct json *result, size_t n, bool *is_known, double *scores,
                       struct err_info *reterr)
{
    const struct json *index = json_member(result, "index");
    const struct json *score = json_member(result, "relevance_score");
    if (!score)
        score = json_member(result, "score");
    if (json_kind_of(index) != JSON_KIND_INT || !is_number(score))
        return err_set(reterr, ERR_REMOTE, "a result lacks its index or its score");
    int64_t at = json_int_of(index);
    if (at < 0 || (uint64_t)at >= n)
        return err_set(reterr, ERR_REMOTE, "a result has the index %lld of %zu texts", (long long)at, n);
    if (is_known[at])
        return err_set(reterr, ERR_REMOTE, "the index %lld is given twice", (long long)at);
    if (!isfinite(json_real_of(score)))
        return err_set(reterr, ERR_REMOTE, "the score of index %lld is no finite number", (long long)at);
    is_known[at] = true;
    scores[at] = json_real_of(score);
    return 0;
}

static int read_results(const struct json *root, size_t n, double *scores, struct err_info *reterr)
{
    bool is_known[RERANK_MAX_CANDIDATES] = {false};
    const struct json *list = json_kind_of(root) == JSON_KIND_ARRAY ? root : json_member(root, "results");
    if (json_kind_of(list) != JSON_KIND_ARRAY)
        return err_set(reterr, ERR_REMOTE, "the answer has no list of results");
    /* As many as asked for, none twice, none out of range: then none is missing. */
    if (json_count(list) != n)
        return err_set(reterr, ERR_REMOTE, "the answer has %zu results for %zu texts", json_count(list), n);
    for (size_t i = 0; i < n; i++) {
        int err = read_result(json_at(list, i), n, is_known, scores, reterr);
        if (err)
            return err;
    }
    return 0;
}

int rerank_read_answer(struct str answer, size_t n, double *ret_scores, struct err_info *reterr)
{
    double scores[RERANK_MAX_CANDIDATES];
    struct json *root = NULL;
    int err = json_parse(answer, MAX_DEPTH, &root, NULL);
    if (err == ERR_NOMEM)
        return err_set(reterr, err, "no memory to read the answer");
    if (err)
        return err_set(reterr, ERR_REMOTE, "the answer is no JSON");
    err = read_results(root, n, scores, reterr);
    json_free(root);
    if (!err)
        memcpy(ret_scores, scores, n * sizeof *scores);
    return err;
}
