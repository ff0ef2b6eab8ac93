/* SPDX-License-Identifier: Apache-2.0
 *
 * The terms that the due rows have, each once, are compared with every term of the question. First all are
 * gathered, then all compared, then all rows read: what a comparison reads lies anywhere, and is asked for
 * some comparisons ahead. Most terms are near to none of the question, and of those nothing is kept.
 */
#include "search/search_priv.h"
#include "search/sheet.h"

/* Words that are no nearer are different words. */
#define MIN_WORD_COSINE 0.3F

/* What is known of a term; from the first number on a row of likeness, the number less FIRST_NEAR. */
enum { NOT_THERE, FAR, FIRST_NEAR };

struct word_reading {
    struct sheet *sheet;
    const struct keyword *keyword;
    const struct question *question;
    const bool *is_due;
    uint32_t *known; /* by the term's number in the index */
    uint32_t *terms; /* that the due rows have */
    size_t n;
    float (*likeness)[SHEET_MAX_TERMS]; /* of those near to a term of the question */
    size_t n_near;
};

#define COMPARED_AHEAD 6

static const forward_entry *entries_of(const struct word_reading *reading, size_t row, size_t *ret_n)
{
    return forward_get(&reading->keyword->forward, reading->sheet->docs[row], ret_n);
}

static int gather_terms(struct word_reading *reading, struct arena *arena)
{
    size_t n_most = 0, n;
    for (size_t row = 0; row < reading->sheet->n; row++)
        if (reading->is_due[row]) {
            (void)entries_of(reading, row, &n);
            n_most += n;
        }
    n_most = n_most < reading->keyword->terms.n ? n_most : reading->keyword->terms.n;
    reading->known = arena_calloc(arena, reading->keyword->terms.n, sizeof(*reading->known));
    reading->terms = arena_alloc(arena, n_most * sizeof(*reading->terms));
    if (arena_error(arena))
        return arena_error(arena);
    for (size_t row = 0; row < reading->sheet->n; row++) {
        if (!reading->is_due[row])
            continue;
        const forward_entry *entries = entries_of(reading, row, &n);
        for (size_t i = 0; i < n; i++) {
            uint32_t term = forward_term(entries[i]);
            if (reading->known[term] == NOT_THERE) {
                reading->known[term] = FAR;
                reading->terms[reading->n++] = term;
            }
        }
    }
    return 0;
}

/* The next row of likeness, all 0; it is taken with n_near. */
static float *clear_next(struct word_reading *reading)
{
    return memset(reading->likeness[reading->n_near], 0, sizeof(*reading->likeness));
}

static void compare_terms(struct word_reading *reading, const struct word_probe *probes)
{
    const struct keyword *keyword = reading->keyword;
    float *likeness = clear_next(reading);
    for (size_t i = 0; i < reading->n; i++) {
        if (i + COMPARED_AHEAD < reading->n)
            word_prefetch(keyword->words, keyword->senses[reading->terms[i + COMPARED_AHEAD]]);
        if (!word_near_cosines(keyword->words, probes, reading->sheet->n_terms,
                               keyword->senses[reading->terms[i]], MIN_WORD_COSINE, likeness))
            continue;
        reading->known[reading->terms[i]] = (uint32_t)(FIRST_NEAR + reading->n_near++);
        likeness = clear_next(reading);
    }
}

/* A term of the question is like itself, also where the model does not know it. */
static void set_where_equal(struct word_reading *reading)
{
    for (size_t i = 0; i < reading->sheet->n_terms; i++) {
        uint32_t term = reading->question->keywords.terms[i].term;
        if (term == INTERN_NONE || reading->known[term] == NOT_THERE)
            continue;
        if (reading->known[term] == FAR) {
            (void)clear_next(reading);
            reading->known[term] = (uint32_t)(FIRST_NEAR + reading->n_near++);
        }
        reading->likeness[reading->known[term] - FIRST_NEAR][i] = 1;
    }
}

static int compare(struct word_reading *reading, struct arena *arena)
{
    const struct embedder *words = reading->keyword->words;
    size_t n_terms = reading->sheet->n_terms;
    struct word_probe *probes = arena_alloc(arena, n_terms * sizeof(*probes));
    reading->likeness = arena_alloc(arena, (reading->n + 1) * sizeof(*reading->likeness));
    if (arena_error(arena))
        return arena_error(arena);
    if (words) {
        for (size_t i = 0; i < n_terms; i++)
            word_probe_init(&probes[i], words, reading->question->keywords.terms[i].sense);
        compare_terms(reading, probes);
    }
    set_where_equal(reading);
    return 0;
}

static void raise_to(float *restrict nearest, const float *restrict likeness, size_t n_eights)
{
    for (size_t j = 0; j < 8 * n_eights; j++)
        nearest[j] = likeness[j] > nearest[j] ? likeness[j] : nearest[j];
}

static void read_rows(struct word_reading *reading)
{
    const struct sheet *sheet = reading->sheet;
    for (size_t row = 0; row < sheet->n; row++) {
        size_t n;
        if (!reading->is_due[row])
            continue;
        const forward_entry *entries = entries_of(reading, row, &n);
        memset(sheet->nearest[row], 0, sizeof(*sheet->nearest));
        for (size_t i = 0; i < n; i++) {
            uint32_t known = reading->known[forward_term(entries[i])];
            if (known >= FIRST_NEAR)
                raise_to(sheet->nearest[row], reading->likeness[known - FIRST_NEAR], sheet->n_eights);
        }
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
        err = compare(&reading, arena);
    if (!err)
        read_rows(&reading);
    return err;
}
