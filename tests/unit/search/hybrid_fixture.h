/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the hybrid search share: a search with the built-in model over rows that can be spoken in
 * conversations.
 */
#ifndef PRECIS_TESTS_HYBRID_FIXTURE_H
#define PRECIS_TESTS_HYBRID_FIXTURE_H

#include "search_fixture.h"

#include "core/clock.h"
#include "text/embed.h"

#define MINUTE_US ((int64_t)60 * US_PER_SEC)
#define DAY_US    (24 * 60 * MINUTE_US)
/* 2023-05-01, a Monday, and a year and a half later. */
#define MAY_US (19478 * DAY_US)
#define NOW_US (20000 * DAY_US)

struct hybrid {
    struct rows rows;
    struct arena arena;
    struct embedder *embedder;
    struct search *search;
};

static inline struct search *make_model_search(struct rows *rows, const struct embedder *words,
                                               const struct embedder *embedder)
{
    struct search_options options = {.language = "en",
                                     .feed = rows_feed(rows),
                                     .clock = &rows->clock,
                                     .words = words,
                                     .embedder = embedder};
    struct search *search = NULL;
    assert_int_equal(search_new(&options, &search, NULL), 0);
    return search;
}

static inline int hybrid_setup(void **state)
{
    struct hybrid *hybrid = calloc(1, sizeof(*hybrid));
    rows_init(&hybrid->rows);
    arena_init(&hybrid->arena, (size_t)1 << 28);
    assert_int_equal(embedder_builtin(&hybrid->embedder, NULL), 0);
    hybrid->search = make_model_search(&hybrid->rows, hybrid->embedder, hybrid->embedder);
    *state = hybrid;
    return 0;
}

static inline int hybrid_teardown(void **state)
{
    struct hybrid *hybrid = *state;
    search_free(hybrid->search);
    embedder_close(hybrid->embedder);
    arena_done(&hybrid->arena);
    rows_done(&hybrid->rows);
    free(hybrid);
    return 0;
}

/* A turn at so many minutes behind MAY_US; an empty speaker leaves it to the text. Its row. */
static inline int64_t say(struct rows *rows, const char *thread, int64_t minute, const char *speaker,
                          const char *text)
{
    int64_t row = rows_put(rows, 0, "ann", text);
    struct search_doc *doc = rows_doc(rows, row);
    doc->source = STR_LIT("chat");
    doc->thread = str_of(thread);
    doc->speaker = str_of(speaker);
    doc->created_us = MAY_US + minute * MINUTE_US;
    doc->importance = 0.5;
    return row;
}

static inline struct search_query question_of(const char *text, enum search_mode mode)
{
    struct search_query query = query_of("ann", text);
    query.mode = mode;
    query.now_us = NOW_US;
    return query;
}

/* The answer of the hybrid search, until the next change of the arena's. */
static inline struct answer hybrid_ask(struct hybrid *hybrid, const char *text)
{
    return ask(hybrid->search, question_of(text, SEARCH_HYBRID), &hybrid->arena);
}

/* Where the row stands among the hits, from 1; 0: not at all. */
static inline size_t rank_of(struct answer answer, int64_t row)
{
    for (size_t i = 0; i < answer.n; i++)
        if (answer.hits[i].row == row)
            return i + 1;
    return 0;
}

static inline float part_of(struct answer answer, int64_t row, enum search_part part)
{
    size_t rank = rank_of(answer, row);
    assert_true(rank > 0);
    return answer.hits[rank - 1].parts[part];
}

/* Whether the hits are as search.h promises, whatever was asked: scores in bounds and falling, ties by newest
 * and then by row, each row once and alive. */
static inline void expect_sound(struct rows *rows, const struct search_query *query, struct answer answer)
{
    assert_true(answer.n <= query->limit);
    for (size_t i = 0; i < answer.n; i++) {
        const struct search_hit *hit = &answer.hits[i];
        const struct search_doc *doc = rows_doc(rows, hit->row);
        assert_true(hit->score >= query->min_score && hit->score >= 0 && hit->score <= 1);
        assert_false(doc->is_deleted);
        for (int part = 0; part < SEARCH_N_PARTS; part++)
            assert_true(isfinite(hit->parts[part]));
        for (size_t j = 0; j < i; j++)
            assert_true(answer.hits[j].row != hit->row);
        if (i == 0)
            continue;
        const struct search_doc *before = rows_doc(rows, hit[-1].row);
        assert_true(hit[-1].score >= hit->score);
        if (hit[-1].score == hit->score)
            assert_true(before->created_us > doc->created_us ||
                        (before->created_us == doc->created_us && before->row < doc->row));
    }
}

static inline void expect_same_hits(struct answer left, struct answer right)
{
    assert_int_equal(left.n, right.n);
    for (size_t i = 0; i < left.n; i++) {
        assert_int_equal(left.hits[i].row, right.hits[i].row);
        assert_true(left.hits[i].score == right.hits[i].score);
        for (int part = 0; part < SEARCH_N_PARTS; part++)
            assert_true(left.hits[i].parts[part] == right.hits[i].parts[part]);
    }
}

static inline unsigned next_random(unsigned *seed, unsigned below)
{
    *seed = *seed * 1103515245 + 12345;
    return (*seed >> 8) % below;
}

#endif
