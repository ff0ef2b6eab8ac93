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
};

/* ---- rows ---- */

static uint32_t *find_slot(const struct sheet *sheet, uint32_t doc)
{
    size_t idx = (size_t)(doc * UINT64_C(0x9e3779b97f4a7c15) >> 40) & (sheet->n_slots - 1);
    while (sheet->slots[idx] && sheet->docs[sheet->slots[idx] - 1] != doc)
        idx = (idx + 1) & (sheet->n_slots - 1);
    return &sheet->slots[idx];
}

/* The document's row, a new one if need be; SHEET_NONE when out of memory, which the arena remembers. */
static uint32_t put_row(struct making *making, uint32_t doc)
{
    struct sheet *sheet = making->sheet;
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
    struct vector_hit *hits = NULL;
    size_t n_hits = 0;
    int err = best_collect(&best, &partition->docs, making->filter, scores, 0, making->arena);
    if (!err && question->vector.row)
        err = vector_search(&partition->vector, &partition->docs, making->filter, &question->vector,
                            scaled(n_wanted, FROM_VECTORS_PER_HIT, MIN_FROM_VECTORS, MAX_FROM_VECTORS),
                            making->arena, &hits, &n_hits);
    if (err)
        return err;
    while (n_hits && hits[n_hits - 1].cosine < MIN_COSINE)
        n_hits--;
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
    sheet->counts = arena_calloc(making->arena, sheet->n * sheet->n_terms + 1, 1);
    if (!sheet->counts)
        return arena_error(making->arena);
    fill_term_table(&table, question, sheet->n_terms);
    for (size_t row = 0; row < sheet->n; row++) {
        size_t n;
        const forward_entry *entries = forward_get(&making->partition->keyword.forward, sheet->docs[row], &n);
        for (size_t i = 0; i < n; i++) {
            size_t slot = term_slot(&table, forward_term(entries[i]));
            if (table.places[slot])
                sheet->counts[row * sheet->n_terms + table.places[slot] - 1] =
                    (uint8_t)forward_frequency(entries[i]);
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
    struct making making = {sheet, partition, filter, arena};
    *sheet = (struct sheet){.n_slots = 4096};
    while (sheet->n_slots < 2 * SHEET_MAX_CANDIDATES * ORDER_WINDOW)
        sheet->n_slots *= 2;
    sheet->n_terms = question->keywords.n < SHEET_MAX_TERMS ? question->keywords.n : SHEET_MAX_TERMS;
    sheet->slots = arena_calloc(arena, sheet->n_slots, sizeof(*sheet->slots));
    if (!sheet->slots)
        return arena_error(arena);
    int err = put_candidates(&making, question, scores, n_wanted);
    if (!err)
        err = put_windows(&making);
    if (!err)
        err = count_terms(&making, question);
    return err ? err : compare_vectors(&making, question);
}

/* ---- words ---- */

/* The terms that were met, each with its likeness to every term of the question. */
struct likeness {
    uint32_t *terms;
    float *values; /* n_terms a term */
    uint32_t *slots;
    size_t n, n_slots;
};

struct word_reading {
    struct sheet *sheet;
    const struct keyword *keyword;
    const struct question *question;
    struct word_probe *probes;
    struct likeness likeness;
};

static const float *likeness_of(struct word_reading *reading, uint32_t term)
{
    struct likeness *likeness = &reading->likeness;
    const struct keyword *keyword = reading->keyword;
    size_t n_terms = reading->sheet->n_terms;
    size_t idx = (size_t)(term * UINT64_C(0x9e3779b97f4a7c15) >> 40) & (likeness->n_slots - 1);
    while (likeness->slots[idx] && likeness->terms[likeness->slots[idx] - 1] != term)
        idx = (idx + 1) & (likeness->n_slots - 1);
    if (likeness->slots[idx])
        return likeness->values + (likeness->slots[idx] - 1) * n_terms;
    float *values = likeness->values + likeness->n * n_terms;
    likeness->terms[likeness->n] = term;
    likeness->slots[idx] = (uint32_t)++likeness->n;
    memset(values, 0, n_terms * sizeof(*values));
    if (keyword->words)
        word_cosines(keyword->words, reading->probes, n_terms, keyword->senses[term], values);
    for (size_t i = 0; i < n_terms; i++) {
        if (reading->question->keywords.terms[i].term == term)
            values[i] = 1;
        else if (values[i] < MIN_WORD_COSINE)
            values[i] = 0;
    }
    return values;
}

static void read_row(struct word_reading *reading, size_t row)
{
    struct sheet *sheet = reading->sheet;
    float *nearest = sheet->nearest + row * sheet->n_terms;
    size_t n;
    const forward_entry *entries = forward_get(&reading->keyword->forward, sheet->docs[row], &n);
    for (size_t i = 0; i < n; i++) {
        const float *values = likeness_of(reading, forward_term(entries[i]));
        for (size_t j = 0; j < sheet->n_terms; j++)
            nearest[j] = values[j] > nearest[j] ? values[j] : nearest[j];
    }
}

/* Room for every term that the due rows have. */
static int likeness_init(struct word_reading *reading, const bool *is_due, struct arena *arena)
{
    struct sheet *sheet = reading->sheet;
    struct likeness *likeness = &reading->likeness;
    size_t n_max = 0, n;
    for (size_t row = 0; row < sheet->n; row++)
        if (is_due[row]) {
            (void)forward_get(&reading->keyword->forward, sheet->docs[row], &n);
            n_max += n;
        }
    if (n_max > reading->keyword->terms.n)
        n_max = reading->keyword->terms.n;
    likeness->n_slots = 64;
    while (likeness->n_slots < 2 * n_max)
        likeness->n_slots *= 2;
    likeness->terms = arena_alloc(arena, n_max * sizeof(*likeness->terms));
    likeness->values = arena_alloc(arena, n_max * sheet->n_terms * sizeof(*likeness->values));
    likeness->slots = arena_calloc(arena, likeness->n_slots, sizeof(*likeness->slots));
    return arena_error(arena);
}

int sheet_read_words(struct sheet *sheet, const struct partition *partition, const struct question *question,
                     const uint32_t *candidates, size_t n, struct arena *arena)
{
    struct word_reading reading = {.sheet = sheet, .keyword = &partition->keyword, .question = question};
    sheet->nearest = arena_calloc(arena, sheet->n * sheet->n_terms + 1, sizeof(*sheet->nearest));
    bool *is_due = arena_calloc(arena, sheet->n + 1, sizeof(*is_due));
    reading.probes = arena_alloc(arena, sheet->n_terms * sizeof(*reading.probes));
    if (arena_error(arena))
        return arena_error(arena);
    for (size_t i = 0; i < n; i++)
        for (int j = ORDER_RADIUS - 1; j <= ORDER_RADIUS + 1; j++)
            if (sheet->windows[candidates[i]][j] != SHEET_NONE)
                is_due[sheet->windows[candidates[i]][j]] = true;
    int err = likeness_init(&reading, is_due, arena);
    if (err)
        return err;
    for (size_t i = 0; i < sheet->n_terms && partition->keyword.words; i++)
        word_probe_init(&reading.probes[i], partition->keyword.words, question->keywords.terms[i].sense);
    for (size_t row = 0; row < sheet->n; row++)
        if (is_due[row])
            read_row(&reading, row);
    return 0;
}
