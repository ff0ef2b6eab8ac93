/* SPDX-License-Identifier: Apache-2.0
 *
 * A query becomes hits. By keywords or by vector alone an index's order stands. The hybrid search chooses
 * candidates by both, reads each candidate and what stands around it, and orders them by one estimate of
 * relevance; what costs most, comparing word by word, is done for the best of them only.
 */
#include "core/clock.h"
#include "search/best.h"
#include "search/relevance.h"
#include "search/search_priv.h"

#include <math.h>
#include <stdlib.h>

/* Read word by word: twice what is wanted, no fewer than the least, of many wanted no more than the most. */
#define MIN_READ_CLOSELY 56
#define MAX_READ_CLOSELY 112
/* Duplicates go, and what is too long for a gap gives way to what is shorter. */
#define ROOM_SHARE 1.5
/* What importance 0 to 1 and age add to the logit: they decide between equals. */
#define IMPORTANCE_WEIGHT 0.6F
#define AGE_WEIGHT        0.2F
#define HALF_AGE_US       (90.0F * 24 * 60 * 60 * US_PER_SEC)

struct finding {
    struct partition *partition;
    struct searcher *searcher;
    const struct search_query *query;
    struct docs_filter filter;
    struct question question;
    bool wants_items;
    struct arena *arena; /* of the hits; all else is in the searcher's */
    struct search_hit *hits;
    size_t n;
};

static int make_hits(struct finding *finding, size_t n_max)
{
    finding->hits = arena_calloc(finding->arena, n_max + 1, sizeof(*finding->hits));
    return finding->hits ? 0 : arena_error(finding->arena);
}

/* The document's hit, behind those that are there already: worse than they. */
static struct search_hit *put_hit(struct finding *finding, uint32_t doc, double score)
{
    const struct partition *partition = finding->partition;
    struct search_hit *hit = &finding->hits[finding->n++];
    *hit = (struct search_hit){.row = partition->docs.items[doc].row, .score = score};
    if (finding->wants_items)
        hit->item = texts_get(&partition->texts, &partition->docs, doc, finding->arena);
    return hit;
}

/* ---- one index alone ---- */

static int find_by_keyword(struct finding *finding)
{
    struct searcher *searcher = finding->searcher;
    struct best best = {.max = finding->query->limit};
    int err = best_collect(&best, &finding->partition->docs, &finding->filter, &searcher->scores,
                           (float)finding->query->min_score, &searcher->scratch);
    if (!err)
        err = make_hits(finding, best.n);
    if (err)
        return err;
    for (size_t i = 0; i < best.n; i++) {
        struct search_hit *hit = put_hit(finding, best.items[i].doc, best.items[i].score);
        hit->parts[SEARCH_PART_KEYWORD] = best.items[i].score;
    }
    return 0;
}

static int find_by_vector(struct finding *finding)
{
    const struct partition *partition = finding->partition;
    struct vector_hit *found = NULL;
    size_t n = 0;
    int err = vector_search(&partition->vector, &partition->docs, &finding->filter, &finding->question.vector,
                            finding->query->limit, &finding->searcher->scratch, &found, &n);
    if (!err)
        err = make_hits(finding, n);
    if (err)
        return err;
    for (size_t i = 0; i < n && found[i].cosine > 0 && found[i].cosine >= (float)finding->query->min_score;
         i++) {
        struct search_hit *hit = put_hit(finding, found[i].doc, found[i].cosine);
        hit->parts[SEARCH_PART_VECTOR] = found[i].cosine;
    }
    return 0;
}

/* ---- all together ---- */

struct ranking {
    struct sheet sheet;
    struct relevance relevance;
    float weights[N_FEATURES], bias;
    float (*parts)[SEARCH_N_PARTS]; /* by candidate of the sheet */
    struct best best; /* by their logit; in place of a document each has its number among the candidates */
};

/* Importance and age. */
static float prior_of(const struct doc *doc, int64_t now_us)
{
    float age_us = now_us > doc->created_us ? (float)now_us - (float)doc->created_us : 0;
    return IMPORTANCE_WEIGHT * ((float)doc->importance / UINT8_MAX - 0.5F) -
           AGE_WEIGHT * age_us / (age_us + HALF_AGE_US);
}

/* The sum of a candidate's parts. */
static float logit_of(const struct ranking *ranking, uint32_t candidate)
{
    float sum = 0;
    for (int i = 0; i < SEARCH_N_PARTS; i++)
        sum += ranking->parts[candidate][i];
    return sum;
}

static uint32_t doc_of(const struct ranking *ranking, uint32_t candidate)
{
    return ranking->sheet.docs[ranking->sheet.candidates[candidate]];
}

static void rank_candidate(const struct finding *finding, struct ranking *ranking, uint32_t candidate)
{
    const struct doc *doc = &finding->partition->docs.items[doc_of(ranking, candidate)];
    float features[N_FEATURES], *parts = ranking->parts[candidate];
    relevance_read(&ranking->relevance, candidate, features);
    relevance_add_parts(features, ranking->weights, parts);
    parts[SEARCH_PART_PRIOR] = prior_of(doc, finding->query->now_us);
    best_put(&ranking->best,
             (struct candidate){logit_of(ranking, candidate), candidate, doc->created_us, doc->row});
}

/* Reads the best closely and sorts them. The others have nothing from their words and are no hits: the best
 * are no fewer than the limit. */
static int read_closely(struct finding *finding, struct ranking *ranking)
{
    struct arena *scratch = &finding->searcher->scratch;
    struct best by_words = {.max = ranking->best.n};
    uint32_t *read = arena_alloc(scratch, (by_words.max + 1) * sizeof(*read));
    by_words.items = arena_alloc(scratch, (by_words.max + 1) * sizeof(*by_words.items));
    if (arena_error(scratch))
        return arena_error(scratch);
    for (size_t i = 0; i < by_words.max; i++)
        read[i] = ranking->best.items[i].doc;
    int err = sheet_read_words(&ranking->sheet, finding->partition, &finding->question, read, by_words.max,
                               scratch);
    if (err)
        return err;
    for (size_t i = 0; i < by_words.max; i++) {
        struct candidate candidate = ranking->best.items[i];
        float part =
            ranking->weights[FEATURE_WORDS] * relevance_read_words(&ranking->relevance, candidate.doc);
        ranking->parts[candidate.doc][SEARCH_PART_WORDS] += part;
        candidate.score += part;
        best_put(&by_words, candidate);
    }
    best_sort(&by_words);
    ranking->best = by_words;
    return 0;
}

static void write_hits(struct finding *finding, const struct ranking *ranking, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct candidate *candidate = &ranking->best.items[i];
        float logit = candidate->score + ranking->bias;
        double score = 1 / (1 + exp(-(double)logit));
        if (score < finding->query->min_score)
            break;
        struct search_hit *hit = put_hit(finding, doc_of(ranking, candidate->doc), score);
        memcpy(hit->parts, ranking->parts[candidate->doc], sizeof(hit->parts));
    }
}

/* Of how many candidates words are read. */
static size_t read_closely_of(size_t limit)
{
    size_t n = 2 * limit < MIN_READ_CLOSELY ? MIN_READ_CLOSELY : 2 * limit;
    n = n < MAX_READ_CLOSELY ? n : MAX_READ_CLOSELY;
    return n > limit ? n : limit;
}

/* The limit, or what is enough for the room. Of long items it is the short ones that find room, however far
 * down they stand, so that the mean says nothing. */
static size_t hits_wanted(const struct docs *docs, const struct search_query *query)
{
    if (query->room_bytes == 0 || docs->n_bytes == 0 || keyword_share_of_messages(docs) > 0)
        return query->limit;
    double n_filling = (double)query->room_bytes / ((double)docs->n_bytes / docs->n);
    double n = fmax(n_filling * ROOM_SHARE, SEARCH_ENOUGH_HITS);
    return n < (double)query->limit ? (size_t)n : query->limit;
}

static int find_by_all(struct finding *finding)
{
    struct arena *scratch = &finding->searcher->scratch;
    size_t limit = hits_wanted(&finding->partition->docs, finding->query);
    struct ranking ranking = {.best = {.max = read_closely_of(limit)}};
    int err = sheet_make(&ranking.sheet, finding->partition, &finding->filter, &finding->question,
                         &finding->searcher->scores, limit, finding->query->is_distinct, scratch);
    if (err)
        return err;
    size_t n = ranking.sheet.n_candidates;
    ranking.best.max = ranking.best.max < n ? ranking.best.max : n;
    ranking.best.items = arena_alloc(scratch, (ranking.best.max + 1) * sizeof(*ranking.best.items));
    ranking.parts = arena_calloc(scratch, n + 1, sizeof(*ranking.parts));
    if (arena_error(scratch))
        return arena_error(scratch);
    relevance_weigh(finding->partition, ranking.weights, &ranking.bias);
    relevance_init(&ranking.relevance, &ranking.sheet, finding->partition, &finding->question);
    for (uint32_t i = 0; i < n; i++)
        rank_candidate(finding, &ranking, i);
    err = read_closely(finding, &ranking);
    if (!err)
        err = make_hits(finding, n < limit ? n : limit);
    if (!err)
        write_hits(finding, &ranking, n < limit ? n : limit);
    return err;
}

/* By keywords every term counts, a speaker's name too: nothing is guessed. */
static int read_question(struct finding *finding)
{
    struct partition *partition = finding->partition;
    struct analyzer *analyzer = finding->searcher->analyzer;
    struct arena *scratch = &finding->searcher->scratch;
    if (finding->query->mode != SEARCH_KEYWORD)
        return question_read(partition, analyzer, finding->query, scratch, &finding->question);
    return keyword_read(&partition->keyword, &partition->docs, analyzer, finding->query->text, scratch,
                        &finding->question.keywords);
}

static int find(struct finding *finding)
{
    struct partition *partition = finding->partition;
    struct scores *scores = &finding->searcher->scores;
    int err =
        docs_make_filter(&partition->docs, finding->query, &finding->searcher->scratch, &finding->filter);
    if (!err)
        err = read_question(finding);
    if (!err)
        err = scores_reserve(scores, partition->docs.n);
    if (err)
        return err;
    if (finding->query->mode == SEARCH_VECTOR)
        return find_by_vector(finding);
    keyword_score(&partition->keyword, &partition->docs, &finding->question.keywords, scores);
    err = finding->query->mode == SEARCH_KEYWORD ? find_by_keyword(finding) : find_by_all(finding);
    scores_clear(scores);
    return err;
}

int partition_find(struct partition *partition, struct searcher *searcher, const struct search_query *query,
                   bool wants_items, struct arena *arena, struct search_hit **ret_hits, size_t *ret_n)
{
    struct finding finding = {.partition = partition,
                              .searcher = searcher,
                              .query = query,
                              .wants_items = wants_items,
                              .arena = arena};
    int err = partition->docs.n_live && query->limit ? find(&finding) : 0;
    if (!err)
        err = arena_error(arena);
    *ret_hits = err ? NULL : finding.hits;
    *ret_n = err ? 0 : finding.n;
    return err;
}
