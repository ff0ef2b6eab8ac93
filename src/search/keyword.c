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

void keyword_init(struct keyword *keyword, const struct embedder *words)
{
    *keyword = (struct keyword){.words = words && words_can_use(words) ? words : NULL};
    intern_init(&keyword->terms);
    forward_init(&keyword->forward);
}

void keyword_done(struct keyword *keyword)
{
    for (uint32_t i = 0; i < keyword->terms.n; i++)
        if (keyword->lists[i].cap)
            mem_free(keyword->lists[i].many);
    keyword->lists = mem_free(keyword->lists);
    keyword->scratch = mem_free(keyword->scratch);
    keyword->senses = mem_free(keyword->senses);
    forward_done(&keyword->forward);
    intern_done(&keyword->terms);
}

/* The number of a term, with room for its list. */
static int put_term(struct keyword *keyword, struct str term, struct str word, uint32_t *ret_number)
{
    if (keyword->terms.n == keyword->cap_lists) {
        uint32_t cap = keyword->cap_lists + keyword->cap_lists / 2 + 16;
        struct posting_list *lists = mem_realloc(keyword->lists, cap * sizeof(*lists));
        if (!lists)
            return ERR_NOMEM;
        keyword->lists = lists;
        struct word_sense *senses = mem_realloc(keyword->senses, cap * sizeof(*senses));
        if (!senses)
            return ERR_NOMEM;
        keyword->senses = senses;
        keyword->cap_lists = cap;
    }
    uint32_t n_before = keyword->terms.n;
    int err = intern_put(&keyword->terms, term, ret_number);
    if (!err && keyword->terms.n > n_before) {
        keyword->lists[*ret_number] = (struct posting_list){0};
        keyword->senses[*ret_number] =
            keyword->words ? word_sense_of(keyword->words, word) : (struct word_sense){.scale = 0};
    }
    return err;
}

struct collecting {
    struct keyword *keyword;
    const struct analyzer *analyzer;
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
    int err = put_term(keyword, term, analyzer_word(collecting->analyzer), &keyword->scratch[collecting->n]);
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
    struct collecting collecting = {keyword, analyzer, 0};
    int err = analyzer_run(analyzer, text, collect_term, &collecting);
    uint16_t length = collecting.n < UINT16_MAX ? (uint16_t)collecting.n : UINT16_MAX;
    for (size_t i = 0; i < collecting.n && !err; i++)
        err = add_posting(keyword, keyword->scratch[i], doc, length);
    if (!err)
        err = forward_add(&keyword->forward, doc, keyword->scratch, collecting.n);
    if (!err)
        *ret_n_terms = length;
    return err;
}

/* ---- asking ---- */

struct reading {
    struct keyword *keyword;
    const struct docs *docs;
    const struct analyzer *analyzer;
    struct arena *arena;
    struct keyword_term *terms;
    size_t n, cap;
};

/* The number of a term that some living document has: what only the dead have is as unknown as what nobody
 * ever had. */
static uint32_t find_living(const struct reading *reading, struct str term)
{
    const struct docs *docs = reading->docs;
    uint32_t number = intern_find(&reading->keyword->terms, term);
    if (number == INTERN_NONE)
        return INTERN_NONE;
    struct posting_list *list = &reading->keyword->lists[number];
    const struct posting *items = list_items(list);
    for (uint32_t i = 0; i < list->n; i++)
        if (docs->items[items[i].doc].is_live)
            return number;
    return INTERN_NONE;
}

/* A word is known by any of its forms: one that some text has stands for a word that none has, and one that
 * none has says nothing. */
static int read_term(struct str term, uint32_t position, void *arg)
{
    struct reading *reading = arg;
    struct keyword *keyword = reading->keyword;
    bool is_extra = analyzer_is_extra(reading->analyzer);
    struct keyword_term read = {.term = find_living(reading, term), .n_asked = 1};
    (void)position;
    if (is_extra && read.term == INTERN_NONE)
        return 0;
    reading->terms =
        arena_grow(reading->arena, reading->terms, reading->n, &reading->cap, sizeof(*reading->terms));
    if (!reading->terms)
        return arena_error(reading->arena);
    if (keyword->words)
        read.sense = word_sense_of(keyword->words, analyzer_word(reading->analyzer));
    bool replaces = is_extra && reading->n && reading->terms[reading->n - 1].term == INTERN_NONE;
    reading->n -= replaces;
    read.place = (uint32_t)reading->n;
    reading->terms[reading->n++] = read;
    return reading->n == MAX_READ_TERMS;
}

static int compare_numbers(const void *a, const void *b)
{
    const struct keyword_term *left = a, *right = b;
    if (left->term != right->term)
        return left->term < right->term ? -1 : 1;
    return (left->place > right->place) - (left->place < right->place);
}

static int compare_rarity(const void *a, const void *b)
{
    const struct keyword_term *left = a, *right = b;
    if ((left->n_live == 0) != (right->n_live == 0))
        return left->n_live ? -1 : 1;
    if (left->n_live != right->n_live)
        return left->n_live < right->n_live ? -1 : 1;
    return (left->place > right->place) - (left->place < right->place);
}

/* Known terms once each; the unknown stay as they are: they cannot be told apart. */
static void merge_repeated(struct reading *reading)
{
    size_t n = 0;
    qsort(reading->terms, reading->n, sizeof(*reading->terms), compare_numbers);
    for (size_t i = 0; i < reading->n; i++) {
        const struct keyword_term *term = &reading->terms[i];
        if (n && term->term != INTERN_NONE && reading->terms[n - 1].term == term->term)
            reading->terms[n - 1].n_asked++;
        else
            reading->terms[n++] = *term;
    }
    reading->n = n;
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

static float idf(uint32_t n_docs, uint32_t n_with_term)
{
    if (!n_with_term)
        n_with_term = 1;
    return n_docs ? (float)log1p((n_docs - n_with_term + 0.5) / (n_with_term + 0.5)) : 0;
}

int keyword_read(struct keyword *keyword, const struct docs *docs, struct analyzer *analyzer, struct str text,
                 struct arena *arena, struct keyword_query *ret_query)
{
    struct reading reading = {.keyword = keyword, .docs = docs, .analyzer = analyzer, .arena = arena};
    int err = analyzer_run_query(analyzer, text, read_term, &reading);
    if (err < 0)
        return err; /* positive: enough was read */
    if (reading.n > 1)
        merge_repeated(&reading);
    for (size_t i = 0; i < reading.n; i++) {
        struct keyword_term *term = &reading.terms[i];
        if (term->term != INTERN_NONE)
            term->n_live = count_live(&keyword->lists[term->term], docs);
        term->idf = idf(docs->n_live, term->n_live);
    }
    if (reading.n > 1)
        qsort(reading.terms, reading.n, sizeof(*reading.terms), compare_rarity);
    *ret_query =
        (struct keyword_query){reading.terms, reading.n < KEYWORD_MAX_TERMS ? reading.n : KEYWORD_MAX_TERMS};
    return 0;
}

float keyword_best(const struct keyword_query *query)
{
    float sum = 0;
    for (size_t i = 0; i < query->n; i++)
        sum += (float)query->terms[i].n_asked * query->terms[i].idf;
    return sum;
}

float keyword_share_of_messages(const struct docs *docs)
{
    float mean = docs->n_live ? (float)((double)docs->n_live_terms / docs->n_live) : 0;
    if (mean <= KEYWORD_TERMS_OF_TURNS)
        return 0;
    float share =
        logf(mean / KEYWORD_TERMS_OF_TURNS) / logf(KEYWORD_TERMS_OF_MESSAGES / KEYWORD_TERMS_OF_TURNS);
    return share < 1 ? share : 1;
}

float keyword_b(const struct docs *docs)
{
    return KEYWORD_B_OF_TURNS +
           keyword_share_of_messages(docs) * (KEYWORD_B_OF_MESSAGES - KEYWORD_B_OF_TURNS);
}

/* A document is held back by base + slope * its length. */
struct holding {
    float base, slope;
};

static void add_scores(struct posting_list *list, float weight, struct holding held, struct scores *scores)
{
    const struct posting *items = list_items(list);
    const float base = held.base, slope = held.slope;
    for (uint32_t i = 0; i < list->n; i++) {
        struct posting posting = items[i];
        float *score = &scores->by_doc[posting.doc];
        if (*score == 0)
            scores->touched[scores->n_touched++] = posting.doc;
        *score += weight * posting.frequency / (posting.frequency + base + slope * posting.length);
    }
}

void keyword_score(struct keyword *keyword, const struct docs *docs, const struct keyword_query *query,
                   struct scores *scores)
{
    float best = keyword_best(query);
    float b = keyword_b(docs),
          mean = docs->n_live_terms ? (float)((double)docs->n_live_terms / docs->n_live) : 1;
    struct holding held = {(float)KEYWORD_K1 * (1 - b), (float)KEYWORD_K1 * b / mean};
    for (size_t i = 0; i < query->n; i++) {
        const struct keyword_term *term = &query->terms[i];
        if (term->term != INTERN_NONE)
            add_scores(&keyword->lists[term->term], (float)term->n_asked * term->idf / best, held, scores);
    }
}

void keyword_count(const struct keyword *keyword, const struct keyword_query *query, size_t n_terms,
                   const uint16_t *rows, uint8_t (*counts)[KEYWORD_MAX_COUNTED])
{
    for (size_t i = 0; i < n_terms; i++) {
        if (query->terms[i].term == INTERN_NONE)
            continue;
        struct posting_list *list = &keyword->lists[query->terms[i].term];
        const struct posting *items = list_items(list);
        for (uint32_t k = 0; k < list->n; k++) {
            size_t row = rows[items[k].doc];
            if (row)
                counts[row - 1][i] = items[k].frequency < UINT8_MAX ? (uint8_t)items[k].frequency : UINT8_MAX;
        }
    }
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
    uint32_t *term_map = mem_alloc((keyword->terms.n + 1) * sizeof(*term_map));
    int err = term_map ? 0 : ERR_NOMEM;
    for (uint32_t i = 0; i < keyword->terms.n && !err; i++) {
        term_map[i] = INTERN_NONE;
        if (list_lives(&keyword->lists[i], map))
            err = intern_put(&terms, intern_get(&keyword->terms, i), &term_map[i]);
    }
    if (err) {
        intern_done(&terms);
        mem_free(term_map);
        return err;
    }
    uint32_t n = 0; /* new numbers rise with the old ones */
    for (uint32_t i = 0; i < keyword->terms.n; i++) {
        struct posting_list list = keyword->lists[i];
        list_compact(&list, map);
        if (list.n) {
            keyword->senses[n] = keyword->senses[i];
            keyword->lists[n++] = list;
        } else if (list.cap) {
            keyword->postings_bytes -= list.cap * sizeof(struct posting);
            mem_free(list.many);
        }
    }
    intern_done(&keyword->terms);
    keyword->terms = terms;
    forward_compact(&keyword->forward, map, term_map);
    mem_free(term_map);
    return 0;
}

size_t keyword_size_bytes(const struct keyword *keyword)
{
    return intern_size_bytes(&keyword->terms) + forward_size_bytes(&keyword->forward) +
           keyword->cap_lists * (sizeof(struct posting_list) + sizeof(struct word_sense)) +
           keyword->postings_bytes + keyword->cap_scratch * sizeof(*keyword->scratch);
}
