/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of a section that says `match: query`: of many that were fetched those that have to do with the
 * request's query go first, by words, by meaning and, between equals, by age. The built-in model compares
 * them, whatever model searches use: it takes a microsecond a row, an encoder a thousand.
 */
#include "build/build_priv.h"

#include "text/match.h"

#include <stdlib.h>

/* Of a score. What was said last decides between rows that matter alike, and lets none in that does not. */
#define SHARE_WORDS   0.45f
#define SHARE_MEANING 0.40f
#define SHARE_RECENT  0.15f

static int compare(const void *a, const void *b)
{
    const struct build_match *left = a, *right = b;
    if (left->is_noise != right->is_noise)
        return left->is_noise ? 1 : -1;
    if (!left->is_noise && left->score != right->score)
        return left->score > right->score ? -1 : 1;
    return left->place < right->place ? -1 : left->place > right->place;
}

/* Rows come newest first: their places stand for their age, so that no unit of time need be chosen. */
static int score_row(struct build *build, const struct text_match *match, struct build_match *row, size_t n)
{
    struct text_match_score score = text_match_score(match, row->place);
    float *parts = arena_calloc(&build->arena, SEARCH_N_PARTS, sizeof *parts);
    if (!parts)
        return arena_error(&build->arena);
    parts[SEARCH_PART_KEYWORD] = SHARE_WORDS * score.words;
    parts[SEARCH_PART_VECTOR] = SHARE_MEANING * score.meaning;
    parts[SEARCH_PART_PRIOR] = SHARE_RECENT * (1 - (float)row->place / (float)n);
    row->parts = parts;
    row->score = (double)parts[SEARCH_PART_KEYWORD] + (double)parts[SEARCH_PART_VECTOR] +
                 (double)parts[SEARCH_PART_PRIOR];
    row->is_noise = !text_match_matters(score);
    return 0;
}

/* The best of the noise, until n_least rows are none. Both numbers are small: a section's limit, and what is
 * fetched for it. */
static void fill_up(struct build_match *matches, size_t n, size_t n_matched, size_t n_least)
{
    for (; n_matched < n_least; n_matched++) {
        struct build_match *best = NULL;
        for (size_t i = 0; i < n; i++)
            if (matches[i].is_noise && (!best || matches[i].score > best->score))
                best = &matches[i];
        if (!best)
            return;
        best->is_noise = false;
    }
}

/* One that another build had, or a new one. */
static int take_analyzer(struct build_engine *engine, struct analyzer **ret_analyzer, struct err_info *reterr)
{
    for (size_t i = 0; i < BUILD_N_ANALYZERS; i++) {
        struct analyzer *analyzer = __atomic_exchange_n(&engine->analyzers[i], NULL, __ATOMIC_ACQ_REL);
        if (analyzer) {
            *ret_analyzer = analyzer;
            return 0;
        }
    }
    return analyzer_new("auto", ret_analyzer, reterr);
}

static void give_analyzer(struct build_engine *engine, struct analyzer *analyzer)
{
    for (size_t i = 0; analyzer && i < BUILD_N_ANALYZERS; i++) {
        struct analyzer *none = NULL;
        if (__atomic_compare_exchange_n(&engine->analyzers[i], &none, analyzer, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
            return;
    }
    analyzer_free(analyzer);
}

int build_match_query(struct build *build, struct build_match *matches, size_t n, size_t n_least,
                      struct err_info *reterr)
{
    struct text_match *match = NULL;
    struct analyzer *analyzer = NULL;
    size_t n_matched = 0;
    int rc = take_analyzer(build->engine, &analyzer, reterr);
    if (rc == 0)
        rc = text_match_new(build->request->query, build->engine->words, analyzer, n, &build->arena, &match,
                            reterr);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = text_match_add(match, matches[i].text, reterr);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = score_row(build, match, &matches[i], n);
        n_matched += !matches[i].is_noise;
        if (rc < 0)
            (void)err_set(reterr, rc, "out of memory");
    }
    text_match_free(match);
    give_analyzer(build->engine, analyzer);
    if (rc < 0)
        return rc;
    if (n_matched == 0)
        return 1;
    fill_up(matches, n, n_matched, n_least);
    qsort(matches, n, sizeof *matches, compare);
    return 0;
}
