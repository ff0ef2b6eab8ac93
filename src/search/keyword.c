/* SPDX-License-Identifier: Apache-2.0
 *
 * A posting holds all that its score needs, so a query reads each list once from front to back and adds into
 * one float a document (term at a time). With N live documents, of which df hold the term:
 *
 *     idf = ln(1 + (N - df + 0.5) / (df + 0.5))
 *     part of a term = idf * tf / (tf + k1 * (1 - b + b * length / mean length))
 *     score = sum of the parts of the query's terms / sum of their idf
 *
 * that is, BM25 divided by its least upper bound. df, N and the mean count live documents alone, so that a
 * deleted document has no influence whatever, before and after compaction. Lists are in order of document
 * number.
 */
#include "search/keyword.h"

#include "core/err.h"
#include "core/mem.h"

#include <math.h>
#include <stdlib.h>

/* Of a query; a longer one is a document, and its beginning says what it is about. */
#define MAX_READ_TERMS 1024
/* That are looked up: the rarest, which decide the order. */
#define MAX_QUERY_TERMS 64

struct posting {
    uint32_t doc;
    uint16_t frequency; /* both saturate: beyond 65,535 neither changes a score visibly */
    uint16_t length;    /* the document's, here so that a search reads nothing else */
};

/* Half of all terms occur in one document only: that posting needs no block of its own. */
struct posting_list {
    union {
        struct posting one; /* while cap is 0 */
        struct posting *many;
    };
    uint32_t n, cap;
};

static struct posting *list_items(struct posting_list *list)
{
    return list->cap ? list->many : &list->one;
}

int scores_reserve(struct scores *scores, uint32_t n_docs)
{
    if (n_docs <= scores->cap)
        return 0;
    uint32_t cap = n_docs + n_docs / 2 + 16;
    float *by_doc = mem_calloc(cap, sizeof(*by_doc));
    uint32_t *touched = mem_alloc(cap * sizeof(*touched));
    if (!by_doc || !touched) {
        mem_free(by_doc);
        mem_free(touched);
        return ERR_NOMEM;
    }
    scores_done(scores);
    *scores = (struct scores){.by_doc = by_doc, .touched = touched, .cap = cap};
    return 0;
}

void scores_clear(struct scores *scores)
{
    for (uint32_t i = 0; i < scores->n_touched; i++)
        scores->by_doc[scores->touched[i]] = 0;
    scores->n_touched = 0;
}

void scores_done(struct scores *scores)
{
    mem_free(scores->by_doc);
    mem_free(scores->touched);
    *scores = (struct scores){0};
}

void keyword_init(struct keyword *keyword)
{
    *keyword = (struct keyword){0};
    intern_init(&keyword->terms);
}

void keyword_done(struct keyword *keyword)
{
    for (uint32_t i = 0; i < keyword->terms.n; i++)
        if (keyword->lists[i].cap)
            mem_free(keyword->lists[i].many);
    keyword->lists = mem_free(keyword->lists);
    keyword->scratch = mem_free(keyword->scratch);
    intern_done(&keyword->terms);
}

/* The number of a term, with room for its list. */
static int put_term(struct keyword *keyword, struct str term, uint32_t *ret_number)
{
    if (keyword->terms.n == keyword->cap_lists) {
        uint32_t cap = keyword->cap_lists + keyword->cap_lists / 2 + 16;
        struct posting_list *lists = mem_realloc(keyword->lists, cap * sizeof(*lists));
        if (!lists)
            return ERR_NOMEM;
        keyword->lists = lists;
        keyword->cap_lists = cap;
    }
    uint32_t n_before = keyword->terms.n;
    int err = intern_put(&keyword->terms, term, ret_number);
    if (!err && keyword->terms.n > n_before)
        keyword->lists[*ret_number] = (struct posting_list){0};
    return err;
}

struct collecting {
    struct keyword *keyword;
    size_t n;
};

static int collect_term(struct str term, uint32_t position, void *arg)
{
    struct collecting *collecting = arg;
    struct keyword *keyword = collecting->keyword;
    (void)position; /* word order carries no score */
    if (collecting->n == keyword->cap_scratch) {
        size_t cap = keyword->cap_scratch * 2 + 64;
        uint32_t *scratch = mem_realloc(keyword->scratch, cap * sizeof(*scratch));
        if (!scratch)
            return ERR_NOMEM;
        keyword->scratch = scratch;
        keyword->cap_scratch = cap;
    }
    int err = put_term(keyword, term, &keyword->scratch[collecting->n]);
    if (!err)
        collecting->n++;
    return err;
}

static int list_grow(struct keyword *keyword, struct posting_list *list)
{
    uint32_t cap = list->cap ? list->cap + list->cap / 2 + 1 : 3;
    struct posting *many = mem_realloc(list->cap ? list->many : NULL, cap * sizeof(*many));
    if (!many)
        return ERR_NOMEM;
    if (!list->cap)
        many[0] = list->one;
    keyword->postings_bytes += (cap - list->cap) * sizeof(*many);
    list->many = many;
    list->cap = cap;
    return 0;
}

static int add_posting(struct keyword *keyword, uint32_t term, uint32_t doc, uint16_t length)
{
    struct posting_list *list = &keyword->lists[term];
    struct posting *last = list->n ? &list_items(list)[list->n - 1] : NULL;
    if (last && last->doc == doc) {
        last->frequency += last->frequency < UINT16_MAX;
        return 0;
    }
    if (list->n && list->n >= list->cap) {
        int err = list_grow(keyword, list);
        if (err)
            return err;
    }
    list_items(list)[list->n++] = (struct posting){doc, 1, length};
    return 0;
}

int keyword_add(struct keyword *keyword, struct analyzer *analyzer, struct str text, uint32_t doc,
                uint32_t *ret_n_terms)
{
    struct collecting collecting = {keyword, 0};
    int err = analyzer_run(analyzer, text, collect_term, &collecting);
    uint16_t length = collecting.n < UINT16_MAX ? (uint16_t)collecting.n : UINT16_MAX;
    for (size_t i = 0; i < collecting.n && !err; i++)
        err = add_posting(keyword, keyword->scratch[i], doc, length);
    if (!err)
        *ret_n_terms = length;
    return err;
}

/* ---- asking ---- */

struct query_term {
    uint32_t term;
    uint32_t n_live;  /* documents that hold it */
    uint32_t n_asked; /* times it stands in the query */
};

struct query_terms {
    const struct keyword *keyword;
    struct query_term items[MAX_READ_TERMS];
    size_t n;
    size_t n_read;
    size_t n_unknown;
};

static int read_query_term(struct str term, uint32_t position, void *arg)
{
    struct query_terms *terms = arg;
    (void)position;
    uint32_t number = intern_find(&terms->keyword->terms, term);
    if (number == INTERN_NONE)
        terms->n_unknown++;
    else
        terms->items[terms->n++] = (struct query_term){.term = number, .n_asked = 1};
    return ++terms->n_read == MAX_READ_TERMS;
}

static int compare_numbers(const void *a, const void *b)
{
    const struct query_term *left = a, *right = b;
    return (left->term > right->term) - (left->term < right->term);
}

static int compare_rarity(const void *a, const void *b)
{
    const struct query_term *left = a, *right = b;
    if (left->n_live != right->n_live)
        return left->n_live < right->n_live ? -1 : 1;
    return compare_numbers(a, b);
}

static void merge_repeated(struct query_terms *terms)
{
    size_t n = 0;
    qsort(terms->items, terms->n, sizeof(*terms->items), compare_numbers);
    for (size_t i = 0; i < terms->n; i++) {
        if (n && terms->items[n - 1].term == terms->items[i].term)
            terms->items[n - 1].n_asked++;
        else
            terms->items[n++] = terms->items[i];
    }
    terms->n = n;
}

static uint32_t count_live(struct posting_list *list, const struct docs *docs)
{
    if (docs->n_live == docs->n)
        return list->n;
    const struct posting *items = list_items(list);
    uint32_t n = 0;
    for (uint32_t i = 0; i < list->n; i++)
        n += docs->items[items[i].doc].is_live;
    return n;
}

/* Each known term once, the rarest first and no more than are looked up. A term that only dead documents have
 * is unknown. */
static void choose_terms(struct query_terms *terms, const struct docs *docs)
{
    merge_repeated(terms);
    size_t n = 0;
    for (size_t i = 0; i < terms->n; i++) {
        struct query_term term = terms->items[i];
        term.n_live = count_live(&terms->keyword->lists[term.term], docs);
        if (term.n_live)
            terms->items[n++] = term;
        else
            terms->n_unknown += term.n_asked;
    }
    terms->n = n;
    qsort(terms->items, terms->n, sizeof(*terms->items), compare_rarity);
    if (terms->n > MAX_QUERY_TERMS)
        terms->n = MAX_QUERY_TERMS;
}

static double idf(uint32_t n_docs, uint32_t n_with_term)
{
    return log1p((n_docs - n_with_term + 0.5) / (n_with_term + 0.5));
}

/* What a document with every term without end would score. A term that nobody has weighs like the rarest
 * there can be. */
static double best_possible(const struct query_terms *terms, uint32_t n_docs)
{
    double sum = (double)terms->n_unknown * idf(n_docs, 1);
    for (size_t i = 0; i < terms->n; i++)
        sum += terms->items[i].n_asked * idf(n_docs, terms->items[i].n_live);
    return sum;
}

static void add_scores(struct posting_list *list, float weight, float mean_length, struct scores *scores)
{
    const struct posting *items = list_items(list);
    const float base = (float)(KEYWORD_K1 * (1 - KEYWORD_B));
    const float slope = (float)(KEYWORD_K1 * KEYWORD_B) / mean_length;
    for (uint32_t i = 0; i < list->n; i++) {
        struct posting posting = items[i];
        float *score = &scores->by_doc[posting.doc];
        if (*score == 0)
            scores->touched[scores->n_touched++] = posting.doc;
        *score += weight * posting.frequency / (posting.frequency + base + slope * posting.length);
    }
}

int keyword_score(struct keyword *keyword, const struct docs *docs, struct analyzer *analyzer,
                  struct str query, struct scores *scores)
{
    if (!docs->n_live)
        return 0;
    struct query_terms terms = {.keyword = keyword};
    int err = analyzer_run(analyzer, query, read_query_term, &terms);
    if (err < 0)
        return err; /* positive: enough was read */
    choose_terms(&terms, docs);
    double best = best_possible(&terms, docs->n_live);
    float mean_length = (float)((double)docs->n_live_terms / docs->n_live);
    for (size_t i = 0; i < terms.n; i++) {
        const struct query_term *term = &terms.items[i];
        double weight = term->n_asked * idf(docs->n_live, term->n_live) / best;
        add_scores(&keyword->lists[term->term], (float)weight, mean_length, scores);
    }
    return 0;
}

/* ---- compaction ---- */

/* Moves what lives down to the front, under its new number. */
static void list_compact(struct posting_list *list, const uint32_t *map)
{
    struct posting *items = list_items(list);
    uint32_t n = 0;
    for (uint32_t i = 0; i < list->n; i++) {
        if (map[items[i].doc] == DOC_NONE)
            continue;
        items[n] = items[i];
        items[n++].doc = map[items[i].doc];
    }
    list->n = n;
}

static bool list_lives(struct posting_list *list, const uint32_t *map)
{
    const struct posting *items = list_items(list);
    for (uint32_t i = 0; i < list->n; i++)
        if (map[items[i].doc] != DOC_NONE)
            return true;
    return false;
}

int keyword_compact(struct keyword *keyword, const uint32_t *map)
{
    struct intern terms;
    intern_init(&terms);
    for (uint32_t i = 0; i < keyword->terms.n; i++) {
        uint32_t number;
        int err = 0;
        if (list_lives(&keyword->lists[i], map))
            err = intern_put(&terms, intern_get(&keyword->terms, i), &number);
        if (err) {
            intern_done(&terms);
            return err;
        }
    }
    uint32_t n = 0; /* new numbers rise with the old ones */
    for (uint32_t i = 0; i < keyword->terms.n; i++) {
        struct posting_list list = keyword->lists[i];
        list_compact(&list, map);
        if (list.n) {
            keyword->lists[n++] = list;
        } else if (list.cap) {
            keyword->postings_bytes -= list.cap * sizeof(struct posting);
            mem_free(list.many);
        }
    }
    intern_done(&keyword->terms);
    keyword->terms = terms;
    return 0;
}

size_t keyword_size_bytes(const struct keyword *keyword)
{
    return intern_size_bytes(&keyword->terms) + keyword->cap_lists * sizeof(struct posting_list) +
           keyword->postings_bytes + keyword->cap_scratch * sizeof(*keyword->scratch);
}
