/* SPDX-License-Identifier: Apache-2.0
 *
 * Only what is among the candidates can be found, so they are many; all that is computed is computed for them
 * alone, so that a large partition costs hardly more than a small one.
 */
#include "search/sheet.h"

#include "search/best.h"
#include "search/search_priv.h"

#include <stdlib.h>

/* So many for each hit that is wanted, no fewer than the least, and of many wanted no more than the most: on
 * conversations of several hundred turns and chats of several hundred messages more find nothing more. */
#define FROM_KEYWORDS_PER_HIT 4
#define MIN_FROM_KEYWORDS     64
#define MAX_FROM_KEYWORDS     192
#define FROM_VECTORS_PER_HIT  2
#define MIN_FROM_VECTORS      32
#define MAX_FROM_VECTORS      64
/* Of the first so many of either, the neighbours within so many places: an answer often has no word of the
 * question, but stands behind it. */
#define N_SPREAD      32
#define SPREAD_RADIUS 2
/* A vector that is no nearer is no reason to look at an item. */
#define MIN_COSINE 0.2F
/* Words that are no nearer are different words. */
#define MIN_WORD_COSINE 0.3F

struct making {
    struct sheet *sheet;
    const struct partition *partition;
    const struct docs_filter *filter;
    struct arena *arena;
    const struct vector_hit *hits; /* of the vector index */
    size_t n_hits;
};

/* ---- rows ---- */

#define FIRST_SLOTS 512

static uint32_t *find_slot(const struct sheet *sheet, uint32_t doc)
{
    size_t idx = (size_t)(doc * UINT64_C(0x9e3779b97f4a7c15) >> 40) & (sheet->n_slots - 1);
    while (sheet->slots[idx] && sheet->docs[sheet->slots[idx] - 1] != doc)
        idx = (idx + 1) & (sheet->n_slots - 1);
    return &sheet->slots[idx];
}

/* Twice as many slots as rows, at least: room for one more. */
static int grow_slots(struct sheet *sheet, struct arena *arena)
{
    if (2 * (sheet->n + 1) <= sheet->n_slots)
        return 0;
    size_t n_slots = sheet->n_slots ? 4 * sheet->n_slots : FIRST_SLOTS;
    uint32_t *slots = arena_calloc(arena, n_slots, sizeof(*slots));
    if (!slots)
        return arena_error(arena);
    sheet->slots = slots;
    sheet->n_slots = n_slots;
    for (size_t row = 0; row < sheet->n; row++)
        *find_slot(sheet, sheet->docs[row]) = (uint32_t)row + 1;
    return 0;
}

/* The document's row, a new one if need be; SHEET_NONE when out of memory, which the arena remembers. */
static uint32_t put_row(struct making *making, uint32_t doc)
{
    struct sheet *sheet = making->sheet;
    if (grow_slots(sheet, making->arena))
        return SHEET_NONE;
    uint32_t *slot = find_slot(sheet, doc);
    if (*slot)
        return *slot - 1;
    uint32_t *docs = arena_grow(making->arena, sheet->docs, sheet->n, &sheet->cap, sizeof(*docs));
    if (!docs)
        return SHEET_NONE;
    sheet->docs = docs;
    docs[sheet->n] = doc;
    *slot = (uint32_t)++sheet->n;
    return *slot - 1;
}

static void put_candidate(struct making *making, uint32_t doc)
{
    if (making->sheet->n < SHEET_MAX_CANDIDATES && docs_match(&making->partition->docs, making->filter, doc))
        (void)put_row(making, doc);
}

static void put_neighbours(struct making *making, uint32_t doc)
{
    uint32_t window[ORDER_WINDOW];
    order_window(&making->partition->order, &making->partition->docs, doc, window);
    for (int i = ORDER_RADIUS - SPREAD_RADIUS; i <= ORDER_RADIUS + SPREAD_RADIUS; i++)
        if (window[i] != DOC_NONE)
            put_candidate(making, window[i]);
}

/* ---- candidates ---- */

/* n_wanted times per_hit within the bounds, and n_wanted in any case. */
static size_t scaled(size_t n_wanted, size_t per_hit, size_t least, size_t most)
{
    size_t n = n_wanted * per_hit;
    n = n < least ? least : n > most ? most : n;
    return n > n_wanted ? n : n_wanted;
}

static int put_candidates(struct making *making, const struct question *question, const struct scores *scores,
                          size_t n_wanted)
{
    const struct partition *partition = making->partition;
    struct best best = {.max = scaled(n_wanted, FROM_KEYWORDS_PER_HIT, MIN_FROM_KEYWORDS, MAX_FROM_KEYWORDS)};
    struct vector_query asked = question->vector;
    struct vector_hit *hits = NULL;
    size_t n_hits = 0;
    asked.is_rough = true; /* far from the best it matters little who is a candidate */
    int err = best_collect(&best, &partition->docs, making->filter, scores, 0, making->arena);
    if (!err && question->vector.row)
        err = vector_search(&partition->vector, &partition->docs, making->filter, &asked,
                            scaled(n_wanted, FROM_VECTORS_PER_HIT, MIN_FROM_VECTORS, MAX_FROM_VECTORS),
                            making->arena, &hits, &n_hits);
    if (err)
        return err;
    while (n_hits && hits[n_hits - 1].cosine < MIN_COSINE)
        n_hits--;
    making->hits = hits;
    making->n_hits = n_hits;
    for (size_t i = 0; i < best.n; i++)
        put_candidate(making, best.items[i].doc);
    for (size_t i = 0; i < n_hits; i++)
        put_candidate(making, hits[i].doc);
    for (size_t i = 0; i < N_SPREAD; i++) {
        if (i < best.n)
            put_neighbours(making, best.items[i].doc);
        if (i < n_hits)
            put_neighbours(making, hits[i].doc);
    }
    making->sheet->n_candidates = making->sheet->n;
    return arena_error(making->arena);
}

static int put_windows(struct making *making)
{
    struct sheet *sheet = making->sheet;
    const struct partition *partition = making->partition;
    sheet->windows = arena_alloc(making->arena, sheet->n_candidates * sizeof(*sheet->windows));
    for (size_t i = 0; i < sheet->n_candidates && !arena_error(making->arena); i++) {
        uint32_t window[ORDER_WINDOW];
        order_window(&partition->order, &partition->docs, sheet->docs[i], window);
        for (int j = 0; j < ORDER_WINDOW; j++)
            sheet->windows[i][j] = window[j] == DOC_NONE ? SHEET_NONE : put_row(making, window[j]);
    }
    return arena_error(making->arena);
}

/* ---- counts ---- */

/* Terms of the question by number: twice as many slots as SHEET_MAX_TERMS and more. */
#define TERM_SLOTS 64
struct term_table {
    uint32_t terms[TERM_SLOTS];
    uint8_t places[TERM_SLOTS]; /* in the question, + 1; 0 is free */
};

static size_t term_slot(const struct term_table *table, uint32_t term)
{
    size_t idx = (term * UINT32_C(0x9e3779b1)) >> 26;
    while (table->places[idx] && table->terms[idx] != term)
        idx = (idx + 1) & (TERM_SLOTS - 1);
    return idx;
}

static void fill_term_table(struct term_table *table, const struct question *question, size_t n_terms)
{
    *table = (struct term_table){0};
    for (size_t i = 0; i < n_terms; i++) {
        if (question->keywords.terms[i].term == INTERN_NONE)
            continue;
        size_t slot = term_slot(table, question->keywords.terms[i].term);
        table->terms[slot] = question->keywords.terms[i].term;
        table->places[slot] = (uint8_t)(i + 1);
    }
}

static int count_terms(struct making *making, const struct question *question)
{
    struct sheet *sheet = making->sheet;
    struct term_table table;
    sheet->counts = arena_calloc(making->arena, sheet->n + 1, sizeof(*sheet->counts));
    if (!sheet->counts)
        return arena_error(making->arena);
    fill_term_table(&table, question, sheet->n_terms);
    for (size_t row = 0; row < sheet->n; row++) {
        size_t n;
        const forward_entry *entries = forward_get(&making->partition->keyword.forward, sheet->docs[row], &n);
        for (size_t i = 0; i < n; i++) {
            size_t slot = term_slot(&table, forward_term(entries[i]));
            if (table.places[slot])
                sheet->counts[row][table.places[slot] - 1] = (uint8_t)forward_frequency(entries[i]);
        }
    }
    return 0;
}

/* ---- vectors ---- */

static int compare_vectors(struct making *making, const struct question *question)
{
    struct sheet *sheet = making->sheet;
    sheet->cosines = arena_calloc(making->arena, sheet->n + 1, sizeof(*sheet->cosines));
    bool *is_due = arena_calloc(making->arena, sheet->n + 1, sizeof(*is_due));
    if (arena_error(making->arena) || !question->vector.row)
        return arena_error(making->arena);
    for (size_t i = 0; i < sheet->n_candidates; i++)
        for (int j = ORDER_RADIUS - 1; j <= ORDER_RADIUS + 1; j++)
            if (sheet->windows[i][j] != SHEET_NONE)
                is_due[sheet->windows[i][j]] = true;
    for (size_t i = 0; i < making->n_hits; i++) {
        uint32_t slot = *find_slot(sheet, making->hits[i].doc);
        if (!slot)
            continue; /* more than there may be */
        sheet->cosines[slot - 1] = making->hits[i].cosine;
        is_due[slot - 1] = false;
    }
    for (size_t row = 0; row < sheet->n; row++)
        if (is_due[row])
            vector_score(&making->partition->vector, &question->vector, &sheet->docs[row], 1,
                         &sheet->cosines[row]);
    return 0;
}

int sheet_make(struct sheet *sheet, const struct partition *partition, const struct docs_filter *filter,
               const struct question *question, const struct scores *scores, size_t n_wanted,
               struct arena *arena)
{
    struct making making = {sheet, partition, filter, arena, NULL, 0};
    *sheet = (struct sheet){0};
    sheet->n_terms = question->keywords.n < SHEET_MAX_TERMS ? question->keywords.n : SHEET_MAX_TERMS;
    sheet->n_eights = (sheet->n_terms + 7) / 8;
    int err = put_candidates(&making, question, scores, n_wanted);
    if (!err)
        err = put_windows(&making);
    if (!err)
        err = count_terms(&making, question);
    return err ? err : compare_vectors(&making, question);
}

/* ---- words ---- */

/* The terms that the due rows have, each once, with its likeness to every term of the question. Rows name
 * terms by their number here. First all are gathered, then all compared, then all rows read: what a
 * comparison reads lies anywhere, and is asked for some comparisons ahead. */
struct word_reading {
    struct sheet *sheet;
    const struct keyword *keyword;
    const struct question *question;
    const bool *is_due;
    uint32_t *terms;
    float (*likeness)[SHEET_MAX_TERMS];
    size_t n;
    uint32_t *slots; /* term to its number here, open addressing: number + 1, 0 is free */
    size_t n_slots;
    uint32_t *places; /* the due rows' terms by their numbers here, row by row */
};

#define COMPARED_AHEAD 6

static uint32_t number_of(struct word_reading *reading, uint32_t term)
{
    size_t idx = (size_t)(term * UINT64_C(0x9e3779b97f4a7c15) >> 40) & (reading->n_slots - 1);
    while (reading->slots[idx] && reading->terms[reading->slots[idx] - 1] != term)
        idx = (idx + 1) & (reading->n_slots - 1);
    if (!reading->slots[idx]) {
        reading->terms[reading->n] = term;
        reading->slots[idx] = (uint32_t)++reading->n;
    }
    return reading->slots[idx] - 1;
}

static int gather_terms(struct word_reading *reading, struct arena *arena)
{
    const struct sheet *sheet = reading->sheet;
    const struct forward *forward = &reading->keyword->forward;
    size_t n_all = 0, n_most, n;
    for (size_t row = 0; row < sheet->n; row++)
        if (reading->is_due[row]) {
            (void)forward_get(forward, sheet->docs[row], &n);
            n_all += n;
        }
    n_most = n_all < reading->keyword->terms.n ? n_all : reading->keyword->terms.n;
    reading->n_slots = 64;
    while (reading->n_slots < 2 * n_most)
        reading->n_slots *= 2;
    reading->slots = arena_calloc(arena, reading->n_slots, sizeof(*reading->slots));
    reading->terms = arena_alloc(arena, n_most * sizeof(*reading->terms));
    reading->places = arena_alloc(arena, n_all * sizeof(*reading->places));
    if (arena_error(arena))
        return arena_error(arena);
    uint32_t *place = reading->places;
    for (size_t row = 0; row < sheet->n; row++) {
        if (!reading->is_due[row])
            continue;
        const forward_entry *entries = forward_get(forward, sheet->docs[row], &n);
        for (size_t i = 0; i < n; i++)
            *place++ = number_of(reading, forward_term(entries[i]));
    }
    return 0;
}

static void set_where_equal(float *restrict likeness, const uint32_t *restrict terms, uint32_t term,
                            size_t n_eights)
{
    for (size_t j = 0; j < 8 * n_eights; j++)
        likeness[j] = terms[j] == term ? 1 : likeness[j];
}

static void raise_to(float *restrict nearest, const float *restrict likeness, size_t n_eights)
{
    for (size_t j = 0; j < 8 * n_eights; j++)
        nearest[j] = likeness[j] > nearest[j] ? likeness[j] : nearest[j];
}

static int compare_terms(struct word_reading *reading, struct arena *arena)
{
    const struct keyword *keyword = reading->keyword;
    const struct keyword_term *asked = reading->question->keywords.terms;
    size_t n_terms = reading->sheet->n_terms;
    uint32_t terms[SHEET_MAX_TERMS];
    struct word_probe *probes = arena_alloc(arena, n_terms * sizeof(*probes));
    reading->likeness = arena_alloc(arena, (reading->n + 1) * sizeof(*reading->likeness));
    if (arena_error(arena))
        return arena_error(arena);
    for (size_t i = 0; i < SHEET_MAX_TERMS; i++)
        terms[i] = i < n_terms ? asked[i].term : INTERN_NONE;
    for (size_t i = 0; i < n_terms && keyword->words; i++)
        word_probe_init(&probes[i], keyword->words, asked[i].sense);
    for (size_t i = 0; i < reading->n; i++) {
        float *likeness = reading->likeness[i];
        if (keyword->words && i + COMPARED_AHEAD < reading->n)
            word_prefetch(keyword->words, keyword->senses[reading->terms[i + COMPARED_AHEAD]]);
        memset(likeness, 0, reading->sheet->n_eights * 8 * sizeof(*likeness));
        if (keyword->words)
            word_near_cosines(keyword->words, probes, n_terms, keyword->senses[reading->terms[i]],
                              MIN_WORD_COSINE, likeness);
        set_where_equal(likeness, terms, reading->terms[i], reading->sheet->n_eights);
    }
    return 0;
}

static void read_rows(struct word_reading *reading)
{
    const struct sheet *sheet = reading->sheet;
    const uint32_t *place = reading->places;
    for (size_t row = 0; row < sheet->n; row++) {
        size_t n;
        if (!reading->is_due[row])
            continue;
        (void)forward_get(&reading->keyword->forward, sheet->docs[row], &n);
        memset(sheet->nearest[row], 0, sizeof(*sheet->nearest));
        for (size_t i = 0; i < n; i++)
            raise_to(sheet->nearest[row], reading->likeness[*place++], sheet->n_eights);
    }
}

int sheet_read_words(struct sheet *sheet, const struct partition *partition, const struct question *question,
                     const uint32_t *candidates, size_t n, struct arena *arena)
{
    bool *is_due = arena_calloc(arena, sheet->n + 1, sizeof(*is_due));
    sheet->nearest = arena_alloc(arena, (sheet->n + 1) * sizeof(*sheet->nearest));
    if (arena_error(arena))
        return arena_error(arena);
    for (size_t i = 0; i < n; i++)
        for (int j = ORDER_RADIUS - 1; j <= ORDER_RADIUS + 1; j++)
            if (sheet->windows[candidates[i]][j] != SHEET_NONE)
                is_due[sheet->windows[candidates[i]][j]] = true;
    struct word_reading reading = {
        .sheet = sheet, .keyword = &partition->keyword, .question = question, .is_due = is_due};
    int err = gather_terms(&reading, arena);
    if (!err)
        err = compare_terms(&reading, arena);
    if (!err)
        read_rows(&reading);
    return err;
}
