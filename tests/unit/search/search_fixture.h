/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of search/ share: a feed over rows in memory that can be told to fail, and a search that is
 * done the slow way, from the formula alone.
 */
#ifndef PRECIS_TESTS_SEARCH_FIXTURE_H
#define PRECIS_TESTS_SEARCH_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/clock.h"
#include "search/search.h"
#include "text/analyze.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_ROWS 20000

struct row {
    const char *user;
    struct search_doc doc;
    struct str tags[4];
    char text[160], id[24];
    int64_t change;
};

struct rows {
    pthread_mutex_t lock;
    struct row *items; /* row number i + 1 */
    size_t n;
    int64_t change;
    uint64_t n_loads;
    bool must_fail;
    bool is_frozen; /* the version stays as it was */
    uint64_t frozen_version;
    int64_t fails_behind; /* of the change that loads do not get past; 0: of none */
    int64_t
        lost_row; /* left out of loads while n_to_lose is not 0; a load that has met its end takes one off */
    size_t n_to_lose;
    int64_t n_extra; /* the count is wrong by so many */
    /* A clock that only loading moves. */
    struct clock clock;
    atomic_llong now_us;
    int64_t row_takes_us;
};

static inline int64_t rows_now(const struct clock *clock)
{
    const struct rows *rows = (const struct rows *)((const char *)clock - offsetof(struct rows, clock));
    return atomic_load(&rows->now_us);
}

static inline int64_t count_living(const struct rows *rows, struct str user)
{
    int64_t n = 0;
    for (size_t i = 0; i < rows->n; i++)
        n += str_is(user, rows->items[i].user) && !rows->items[i].doc.is_deleted;
    return n + rows->n_extra;
}

/* The first row behind the place, or NULL: changes are numbered one by one. */
static inline struct row *next_row(struct rows *rows, struct str user, struct search_place place)
{
    struct row *next = NULL;
    for (size_t i = 0; i < rows->n; i++) {
        struct row *row = &rows->items[i];
        if (row->change <= place.change || (next && row->change > next->change) || !str_is(user, row->user))
            continue;
        next = row;
        if (row->change == place.change + 1)
            break;
    }
    return next;
}

static inline int put_rows(struct rows *rows, struct search_load *load, struct err_info *reterr)
{
    for (;;) {
        struct row *row = next_row(rows, load->user, load->place);
        if (!row)
            return 0;
        if (rows->fails_behind && row->change > rows->fails_behind)
            return err_set(reterr, ERR_UNAVAILABLE, "the store is locked");
        atomic_fetch_add(&rows->now_us, rows->row_takes_us);
        bool is_lost = rows->n_to_lose && row->doc.row == rows->lost_row;
        int r = is_lost ? 0 : load->put(load->partition, &row->doc);
        if (r < 0)
            return err_set(reterr, r, "the index could not take a row in");
        load->place = (struct search_place){row->change, row->doc.row};
        if (r > 0)
            return r;
    }
}

static inline int rows_load(void *owner, struct search_load *load, struct err_info *reterr)
{
    struct rows *rows = owner;
    pthread_mutex_lock(&rows->lock);
    rows->n_loads++;
    int r = put_rows(rows, load, reterr);
    if (!r && rows->must_fail)
        r = err_set(reterr, ERR_UNAVAILABLE, "the store is locked");
    if (!r && load->wants_count) {
        load->n_living = count_living(rows, load->user);
        rows->n_to_lose -= rows->n_to_lose > 0;
    }
    pthread_mutex_unlock(&rows->lock);
    return r;
}

static inline int rows_count(void *owner, struct str tenant, struct str user, int64_t *ret_n,
                             struct err_info *reterr)
{
    struct rows *rows = owner;
    (void)tenant;
    (void)reterr;
    pthread_mutex_lock(&rows->lock);
    *ret_n = count_living(rows, user);
    pthread_mutex_unlock(&rows->lock);
    return 0;
}

static inline uint64_t rows_version(void *owner, struct str tenant, struct str user)
{
    struct rows *rows = owner;
    (void)tenant;
    (void)user;
    pthread_mutex_lock(&rows->lock);
    uint64_t version = rows->is_frozen ? rows->frozen_version : (uint64_t)rows->change;
    pthread_mutex_unlock(&rows->lock);
    return version;
}

static inline void rows_init(struct rows *rows)
{
    *rows = (struct rows){.items = calloc(MAX_ROWS, sizeof(struct row)),
                          .clock = {.wall_us = rows_now, .mono_us = rows_now}};
    pthread_mutex_init(&rows->lock, NULL);
}

static inline void rows_done(struct rows *rows)
{
    pthread_mutex_destroy(&rows->lock);
    free(rows->items);
}

/* Writes the row (0: a new one); its number. */
static inline int64_t rows_put(struct rows *rows, int64_t number, const char *user, const char *text)
{
    assert_true(number > 0 || rows->n < MAX_ROWS);
    struct row *row = &rows->items[number ? (size_t)number - 1 : rows->n++];
    (void)snprintf(row->text, sizeof(row->text), "%s", text);
    row->user = user;
    row->change = ++rows->change;
    row->doc.row = row - rows->items + 1;
    row->doc.text = str_of(row->text);
    row->doc.tags = row->tags;
    (void)snprintf(row->id, sizeof(row->id), "id_%lld", (long long)row->doc.row);
    row->doc.id = str_of(row->id);
    return row->doc.row;
}

static inline struct search_doc *rows_doc(struct rows *rows, int64_t number)
{
    return &rows->items[number - 1].doc;
}

static inline void rows_delete(struct rows *rows, int64_t number)
{
    rows->items[number - 1].doc.is_deleted = true;
    rows->items[number - 1].change = ++rows->change;
}

static inline struct search_feed rows_feed(struct rows *rows)
{
    return (struct search_feed){rows_load, rows_count, rows_version, rows};
}

static inline struct search *make_search_in(struct rows *rows, size_t max_bytes, const char *language)
{
    struct search_options options = {
        .max_bytes = max_bytes, .language = language, .feed = rows_feed(rows), .clock = &rows->clock};
    struct search *search = NULL;
    assert_int_equal(search_new(&options, &search, NULL), 0);
    return search;
}

static inline struct search *make_search(struct rows *rows, size_t max_bytes)
{
    return make_search_in(rows, max_bytes, "en");
}

static inline struct search_query query_of(const char *user, const char *text)
{
    return (struct search_query){.tenant = STR_LIT("t"),
                                 .user = str_of(user),
                                 .text = str_of(text),
                                 .mode = SEARCH_KEYWORD,
                                 .since_us = INT64_MIN,
                                 .until_us = INT64_MAX,
                                 .limit = 10};
}

struct answer {
    struct search_hit *hits;
    size_t n;
    bool is_degraded;
    struct err_info err;
};

static inline struct answer ask(struct search *search, struct search_query query, struct arena *arena)
{
    struct answer answer = {0};
    assert_int_equal(
        search_run(search, &query, arena, &answer.hits, &answer.n, &answer.is_degraded, &answer.err), 0);
    return answer;
}

/* ---- the slow way ---- */

#define MAX_TERMS 64

struct terms {
    char items[MAX_TERMS][32];
    size_t n;
};

static inline int keep_term(struct str term, uint32_t position, void *arg)
{
    struct terms *terms = arg;
    (void)position;
    assert_true(terms->n < MAX_TERMS && term.len < 32);
    memcpy(terms->items[terms->n], term.ptr, term.len);
    terms->items[terms->n++][term.len] = '\0';
    return 0;
}

static inline size_t count_term(const struct terms *terms, const char *term)
{
    size_t n = 0;
    for (size_t i = 0; i < terms->n; i++)
        n += strcmp(terms->items[i], term) == 0;
    return n;
}

/* Each row's score by the formula of keyword.c; 0 for the rows that are not there. */
static inline void score_slowly(const struct rows *rows, const char *user, const char *query,
                                double *ret_scores)
{
    struct analyzer *analyzer = NULL;
    struct terms *docs = calloc(rows->n, sizeof(*docs)), asked = {.n = 0};
    double n_docs = 0, n_terms = 0, weights = 0;
    assert_int_equal(analyzer_new("en", &analyzer, NULL), 0);
    assert_int_equal(analyzer_run(analyzer, str_of(query), keep_term, &asked), 0);
    for (size_t i = 0; i < rows->n; i++) {
        ret_scores[i] = 0;
        if (rows->items[i].doc.is_deleted || strcmp(rows->items[i].user, user) != 0)
            continue;
        assert_int_equal(analyzer_run(analyzer, rows->items[i].doc.text, keep_term, &docs[i]), 0);
        n_docs++;
        n_terms += (double)docs[i].n;
    }
    /* 0.4 up to 20 terms in the mean, 1 from 90 on. */
    double b = 0.4 + 0.6 * fmin(fmax(log(n_terms / n_docs / 20) / log(4.5), 0), 1);
    for (size_t k = 0; k < asked.n; k++) {
        double df = 0;
        for (size_t i = 0; i < rows->n; i++)
            df += count_term(&docs[i], asked.items[k]) > 0;
        double counted = df > 0 ? df : 1;
        double idf = log(1 + (n_docs - counted + 0.5) / (counted + 0.5));
        weights += idf;
        for (size_t i = 0; i < rows->n; i++) {
            double tf = (double)count_term(&docs[i], asked.items[k]);
            double length = (double)docs[i].n * n_docs / n_terms;
            ret_scores[i] += idf * tf / (tf + 0.9 * (1 - b + b * length));
        }
    }
    for (size_t i = 0; i < rows->n; i++)
        ret_scores[i] = weights > 0 ? ret_scores[i] / weights : 0;
    analyzer_free(analyzer);
    free(docs);
}

#endif
