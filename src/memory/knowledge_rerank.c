/* SPDX-License-Identifier: Apache-2.0
 *
 * The first hits of a search in the order of a re-ranker. Its scores have a scale of their own, so they only
 * decide who stands where: the places keep the scores they had, which stay comparable with those of hits that
 * were not sent and with min_score. What a hit gains or loses by that is its part `rerank`.
 */
#include "memory/memory_priv.h"

#include <math.h>
#include <stdlib.h>

#define MAX_TEXTS_BYTES ((size_t)4 * RERANK_MAX_CANDIDATES * RERANK_MAX_TEXT_BYTES)
/* Cut before it is copied: an item may hold a megabyte. */
#define TEXTS_SQL KNOWLEDGE_WANTED_SQL("row, substr(content, 1, 8192)")
_Static_assert(RERANK_MAX_TEXT_BYTES == 8192, "TEXTS_SQL names it; a character is at least a byte");

struct sending {
    struct arena arena;
    struct search_hit *hits; /* a copy, as found */
    size_t n;
    struct str *texts; /* beside the hits; empty where a row was deleted meanwhile: it will not be shown */
};

static int take_text(const struct value *columns, size_t at, void *arg, struct err_info *reterr)
{
    struct sending *sending = arg;
    sending->texts[at] = memory_copy_text(&sending->arena, columns[1]);
    if (arena_error(&sending->arena))
        return err_set(reterr, arena_error(&sending->arena), "no memory for the texts");
    return 0;
}

struct place {
    double score; /* the re-ranker's */
    size_t from;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *one = a, *other = b;
    if (one->score != other->score)
        return one->score > other->score ? -1 : 1;
    return one->from < other->from ? -1 : one->from > other->from;
}

static double logit(double score)
{
    double inside = fmin(fmax(score, 1e-9), 1 - 1e-9);
    return log(inside / (1 - inside));
}

static int put_in_order(struct sending *sending, const double *scores, struct search_hit *hits)
{
    struct place *places = arena_calloc(&sending->arena, sending->n, sizeof *places);
    if (!places)
        return arena_error(&sending->arena);
    for (size_t i = 0; i < sending->n; i++)
        places[i] = (struct place){scores[i], i};
    qsort(places, sending->n, sizeof *places, compare_places);
    for (size_t i = 0; i < sending->n; i++) {
        struct search_hit hit = sending->hits[places[i].from];
        double score = sending->hits[i].score;
        hit.parts[SEARCH_PART_RERANK] = (float)(logit(score) - logit(hit.score));
        hit.score = score;
        hits[i] = hit;
    }
    return 0;
}

static int ask(struct memory *memory, const struct scope *scope, const struct knowledge_query *query,
               struct sending *sending, struct search_hit *hits, struct err_info *reterr)
{
    double scores[RERANK_MAX_CANDIDATES];
    struct arena *arena = &sending->arena;
    sending->hits = arena_calloc(arena, sending->n, sizeof *sending->hits);
    sending->texts = arena_calloc(arena, sending->n, sizeof *sending->texts);
    if (arena_error(arena))
        return err_set(reterr, arena_error(arena), "no memory for the texts");
    memcpy(sending->hits, hits, sending->n * sizeof *hits);
    for (size_t i = 0; i < sending->n; i++)
        if (hits[i].item)
            sending->texts[i] = hits[i].item->text;
    const struct hits_reading reading = {
        .sql = TEXTS_SQL, .scope = *scope, .hits = hits, .n = sending->n, .take = take_text, .arg = sending};
    int err = knowledge_read_hits(memory, &reading, reterr);
    if (err)
        return err;
    const struct rerank_question question = {
        .query = query->query,
        .texts = sending->texts,
        .n = sending->n,
        .deadline_us = query->deadline_us,
        .job = query->job,
    };
    err = rerank_ask(memory->rerank, &question, scores, reterr);
    if (!err && put_in_order(sending, scores, hits))
        err = err_set(reterr, ERR_NOMEM, "no memory for the order");
    return err;
}

int knowledge_rerank(struct memory *memory, const struct scope *scope, const struct knowledge_query *query,
                     struct search_hit *hits, size_t n, struct err_info *reterr)
{
    size_t n_candidates = rerank_candidates(memory->rerank);
    struct sending sending = {.n = n < n_candidates ? n : n_candidates};
    if (sending.n < 2)
        return 0;
    arena_init(&sending.arena, MAX_TEXTS_BYTES + 1024 * 1024);
    int err = ask(memory, scope, query, &sending, hits, reterr);
    arena_done(&sending.arena);
    return err;
}
