/* SPDX-License-Identifier: Apache-2.0
 *
 * The terms that the due rows have, each once, with its likeness to every term of the question. First all are
 * gathered, then all compared, then all rows read: what a comparison reads lies anywhere, and is asked for
 * some comparisons ahead.
 */
#include "search/search_priv.h"
#include "search/sheet.h"

/* Words that are no nearer are different words. */
#define MIN_WORD_COSINE 0.3F

/* Rows name terms by their number here. */
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
        sheet_mark_around(sheet, candidates[i], is_due);
    struct word_reading reading = {
        .sheet = sheet, .keyword = &partition->keyword, .question = question, .is_due = is_due};
    int err = gather_terms(&reading, arena);
    if (!err)
        err = compare_terms(&reading, arena);
    if (!err)
        read_rows(&reading);
    return err;
}
