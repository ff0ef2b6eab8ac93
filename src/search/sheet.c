/* SPDX-License-Identifier: Apache-2.0
 *
 * Only what is among the candidates can be found, so they are many; all that is computed is computed for them
 * alone, so that a large partition costs hardly more than a small one. Candidates are marked in a set of bits
 * by their places in the order of conversations; read from front to back it gives them sorted and each once,
 * and neighbours that several of them have in common get one row.
 */
#include "search/sheet.h"

#include "search/best.h"
#include "search/repeats.h"
#include "search/search_priv.h"

_Static_assert(SHEET_MAX_CANDIDATES *SHEET_WINDOW < UINT16_MAX, "rows are numbered in sixteen bits");

/* So many for each hit that is wanted, no fewer than the least, and of many wanted no more than the most: on
 * conversations of several hundred turns and chats of several hundred messages more find nothing more. */
#define FROM_KEYWORDS_PER_HIT 3
#define MIN_FROM_KEYWORDS     48
#define MAX_FROM_KEYWORDS     144
#define FROM_VECTORS_PER_HIT  2
#define MIN_FROM_VECTORS      24
#define MAX_FROM_VECTORS      64
/* Of the first so many of either, the neighbours within so many places: an answer often has no word of the
 * question, but stands behind it. */
#define N_SPREAD      16
#define SPREAD_RADIUS 2
/* Notes are looked at for repeats where so large a part of what an index ranks first scores the same; and
 * where half of it says the same as others, the index is asked for more, so many times as many. */
#define LONG_TIE     4
#define ASKED_GROWTH 4
#define MAX_ASKED    4096
/* A vector that is no nearer is no reason to look at an item. */
#define MIN_COSINE 0.2F

/* Documents as one index ranks them, best first. */
struct ranked {
    uint32_t *docs;
    float *scores;
    size_t n;
};

struct making {
    struct sheet *sheet;
    const struct partition *partition;
    const struct docs_filter *filter;
    const struct question *question;
    const struct scores *scores; /* of the keywords */
    struct arena *arena;
    uint64_t *marks;            /* of candidates: a bit a place in the order */
    uint32_t *places;           /* by row: its place; they rise */
    struct ranked worded, near; /* by keywords, and by vectors */
    bool is_distinct;
    struct repeats repeats; /* of notes that either index gave */
};

/* ---- candidates ---- */

static void put_candidate(struct making *making, uint32_t place)
{
    const struct partition *partition = making->partition;
    uint64_t *marks = &making->marks[place / 64], mark = UINT64_C(1) << place % 64;
    if ((*marks & mark) || making->sheet->n_candidates == SHEET_MAX_CANDIDATES ||
        !docs_match(&partition->docs, making->filter, partition->order.docs[place]))
        return;
    *marks |= mark;
    making->sheet->n_candidates++;
}

static void put_neighbours(struct making *making, uint32_t doc)
{
    const struct partition *partition = making->partition;
    for (int direction = -1; direction <= 1; direction += 2) {
        uint32_t at = partition->order.places[doc];
        for (int i = 0; i < SPREAD_RADIUS; i++) {
            at = order_next(&partition->order, &partition->docs, at, direction);
            if (at == ORDER_NONE)
                break;
            put_candidate(making, at);
        }
    }
}

/* n_wanted times per_hit within the bounds, and n_wanted in any case. */
static size_t scaled(size_t n_wanted, size_t per_hit, size_t least, size_t most)
{
    size_t n = n_wanted * per_hit;
    n = n < least ? least : n > most ? most : n;
    return n > n_wanted ? n : n_wanted;
}

static size_t longest_tie(const struct ranked *ranked)
{
    size_t n = 0, longest = 0;
    for (size_t i = 0; i < ranked->n; i++) {
        n = i && ranked->scores[i] == ranked->scores[i - 1] ? n + 1 : 1;
        longest = n > longest ? n : longest;
    }
    return longest;
}

/* Of notes that say the same the first stays, which is the newest. Such score the same, so that without a
 * long tie there are few of them, and nothing is looked at. True when the index, which gave all it was asked
 * for, should be asked for more, as too many of these said the same. */
static bool leave_out_repeats(struct making *making, struct ranked *ranked, size_t n_asked, size_t n_least)
{
    size_t n_given = ranked->n;
    if (!making->is_distinct || longest_tie(ranked) < n_least / LONG_TIE)
        return false;
    ranked->n = 0;
    for (size_t i = 0; i < n_given; i++) {
        if (repeats_is_one(&making->repeats, ranked->docs[i]))
            continue;
        ranked->docs[ranked->n] = ranked->docs[i];
        ranked->scores[ranked->n++] = ranked->scores[i];
    }
    return n_given == n_asked && ranked->n < n_least / 2 && n_asked < MAX_ASKED;
}

static int ranked_init(struct ranked *ranked, size_t max, struct arena *arena)
{
    *ranked = (struct ranked){.docs = arena_alloc(arena, (max + 1) * sizeof(*ranked->docs)),
                              .scores = arena_alloc(arena, (max + 1) * sizeof(*ranked->scores))};
    return arena_error(arena);
}

static int ask_vectors(const struct making *making, size_t n_asked, struct ranked *ret_near)
{
    struct vector_query asked = making->question->vector;
    struct vector_hit *hits;
    size_t n;
    asked.is_rough = true; /* far from the best it matters little who is a candidate */
    int err = vector_search(&making->partition->vector, &making->partition->docs, making->filter, &asked,
                            n_asked, making->arena, &hits, &n);
    if (!err)
        err = ranked_init(ret_near, n, making->arena);
    for (size_t i = 0; !err && i < n && hits[i].cosine >= MIN_COSINE; i++) {
        ret_near->docs[ret_near->n] = hits[i].doc;
        ret_near->scores[ret_near->n++] = hits[i].cosine;
    }
    return err;
}

static int ask_keywords(const struct making *making, size_t n_asked, struct ranked *ret_worded)
{
    struct best best = {.max = n_asked};
    int err = best_collect(&best, &making->partition->docs, making->filter, making->scores, 0, making->arena);
    if (!err)
        err = ranked_init(ret_worded, best.n, making->arena);
    for (size_t i = 0; !err && i < best.n; i++) {
        ret_worded->docs[ret_worded->n] = best.items[i].doc;
        ret_worded->scores[ret_worded->n++] = best.items[i].score;
    }
    return err;
}

typedef int ask_fn(const struct making *making, size_t n_asked, struct ranked *ret_ranked);

/* So many of an index's best, or as many as there are that do not repeat each other. */
static int ask_until_enough(struct making *making, ask_fn *ask, size_t n_wanted, struct ranked *ret_ranked)
{
    size_t n_asked = n_wanted;
    int err;
    while (!(err = ask(making, n_asked, ret_ranked)) &&
           leave_out_repeats(making, ret_ranked, n_asked, n_wanted))
        n_asked *= ASKED_GROWTH;
    if (ret_ranked->n > n_wanted)
        ret_ranked->n = n_wanted;
    return err ? err : arena_error(making->arena);
}

static int put_candidates(struct making *making, size_t n_wanted)
{
    size_t n_worded = scaled(n_wanted, FROM_KEYWORDS_PER_HIT, MIN_FROM_KEYWORDS, MAX_FROM_KEYWORDS);
    size_t n_near = scaled(n_wanted, FROM_VECTORS_PER_HIT, MIN_FROM_VECTORS, MAX_FROM_VECTORS);
    const struct partition *partition = making->partition;
    const uint32_t *places = partition->order.places;
    const struct ranked *worded = &making->worded, *near = &making->near;
    making->marks = arena_calloc(making->arena, partition->order.n / 64 + 1, sizeof(*making->marks));
    if (!making->marks)
        return arena_error(making->arena);
    repeats_init(&making->repeats, partition, making->arena);
    int err = ask_until_enough(making, ask_keywords, n_worded, &making->worded);
    if (!err)
        err = ask_until_enough(making, ask_vectors, n_near, &making->near);
    if (err)
        return err;
    for (size_t i = 0; i < worded->n; i++)
        put_candidate(making, places[worded->docs[i]]);
    for (size_t i = 0; i < near->n; i++)
        put_candidate(making, places[near->docs[i]]);
    for (size_t i = 0; i < N_SPREAD; i++) {
        if (i < worded->n)
            put_neighbours(making, worded->docs[i]);
        if (i < near->n)
            put_neighbours(making, near->docs[i]);
    }
    return 0;
}

/* ---- rows ---- */

static void put_row(struct making *making, uint32_t place, bool is_linked)
{
    struct sheet *sheet = making->sheet;
    const struct partition *partition = making->partition;
    uint32_t row = (uint32_t)sheet->n++, doc = partition->order.docs[place];
    making->places[row] = place;
    sheet->docs[row] = doc;
    sheet->lengths[row] = partition->docs.items[doc].n_terms;
    sheet->stretches[row] = is_linked ? sheet->stretches[row - 1] : row;
    forward_prefetch(&partition->keyword.forward, doc);
}

/* A place behind the last row's, and those before it that have no row yet. */
static void put_row_and_before(struct making *making, uint32_t place)
{
    const struct partition *partition = making->partition;
    size_t n_rows = making->sheet->n, n = 0;
    uint32_t before[SHEET_RADIUS], at = place;
    for (; n < SHEET_RADIUS; n++) {
        at = order_next(&partition->order, &partition->docs, at, -1);
        if (at == ORDER_NONE || (n_rows && at <= making->places[n_rows - 1]))
            break;
        before[n] = at;
    }
    bool is_linked = n < SHEET_RADIUS && at != ORDER_NONE; /* to the last row */
    while (n > 0) {
        put_row(making, before[--n], is_linked);
        is_linked = true;
    }
    put_row(making, place, is_linked);
}

/* What stands behind a row, as far as it has no rows yet. */
static void put_rows_behind(struct making *making, uint32_t row)
{
    const struct partition *partition = making->partition;
    uint32_t at = making->places[making->sheet->n - 1];
    while (making->sheet->n - 1 - row < SHEET_RADIUS) {
        at = order_next(&partition->order, &partition->docs, at, 1);
        if (at == ORDER_NONE)
            break;
        put_row(making, at, true);
    }
}

static int make_room(struct making *making)
{
    struct sheet *sheet = making->sheet;
    size_t max = sheet->n_candidates * SHEET_WINDOW + 1;
    sheet->candidates = arena_alloc(making->arena, max * sizeof(*sheet->candidates));
    sheet->docs = arena_alloc(making->arena, max * sizeof(*sheet->docs));
    sheet->lengths = arena_alloc(making->arena, max * sizeof(*sheet->lengths));
    sheet->stretches = arena_alloc(making->arena, max * sizeof(*sheet->stretches));
    making->places = arena_alloc(making->arena, max * sizeof(*making->places));
    return arena_error(making->arena);
}

static int put_rows(struct making *making)
{
    struct sheet *sheet = making->sheet;
    uint32_t row = 0;
    int err = make_room(making);
    if (err)
        return err;
    for (uint32_t word = 0, n = 0; n < sheet->n_candidates; word++)
        for (uint64_t marks = making->marks[word]; marks; marks &= marks - 1, n++) {
            uint32_t place = word * 64 + (uint32_t)__builtin_ctzll(marks);
            if (!sheet->n || place > making->places[sheet->n - 1]) {
                put_row_and_before(making, place);
                row = (uint32_t)sheet->n - 1;
            }
            while (making->places[row] != place)
                row++;
            sheet->candidates[n] = row;
            put_rows_behind(making, row);
        }
    sheet->lengths[sheet->n] = 0; /* of no row */
    return 0;
}

/* ---- counts ---- */

/* Terms of the question by the last byte of their number: nearly all other terms are told by it. */
struct term_table {
    uint32_t terms[SHEET_MAX_TERMS];
    size_t n;
    bool is_known[256];
};

static void fill_term_table(struct term_table *table, const struct question *question, size_t n_terms)
{
    *table = (struct term_table){.n = n_terms};
    for (size_t i = 0; i < n_terms; i++) {
        table->terms[i] = question->keywords.terms[i].term;
        if (table->terms[i] != INTERN_NONE)
            table->is_known[table->terms[i] & 255] = true;
    }
}

static void count_term(const struct term_table *table, forward_entry entry, uint8_t *counts)
{
    for (size_t i = 0; i < table->n; i++)
        if (table->terms[i] == forward_term(entry))
            counts[i] = (uint8_t)forward_frequency(entry);
}

static void count_by_rows(const struct making *making)
{
    struct sheet *sheet = making->sheet;
    struct term_table table;
    fill_term_table(&table, making->question, sheet->n_terms);
    for (size_t row = 0; row < sheet->n; row++) {
        size_t n;
        const forward_entry *entries = forward_get(&making->partition->keyword.forward, sheet->docs[row], &n);
        for (size_t i = 0; i < n; i++)
            if (table.is_known[forward_term(entries[i]) & 255])
                count_term(&table, entries[i], sheet->counts[row]);
    }
}

static int count_by_lists(const struct making *making)
{
    struct sheet *sheet = making->sheet;
    uint16_t *rows = arena_calloc(making->arena, making->partition->docs.n, sizeof(*rows));
    if (!rows)
        return arena_error(making->arena);
    for (size_t row = 0; row < sheet->n; row++)
        rows[sheet->docs[row]] = (uint16_t)(row + 1);
    keyword_count(&making->partition->keyword, &making->question->keywords, sheet->n_terms, rows,
                  sheet->counts);
    return 0;
}

/* A row has a few dozen terms; where all documents with the question's terms are fewer, these are read. */
#define LISTED_PER_ROW 16

static int count_terms(struct making *making)
{
    struct sheet *sheet = making->sheet;
    size_t n_listed = 0;
    sheet->counts = arena_calloc(making->arena, sheet->n + 1, sizeof(*sheet->counts));
    if (!sheet->counts)
        return arena_error(making->arena);
    for (size_t i = 0; i < sheet->n_terms; i++)
        n_listed += making->question->keywords.terms[i].n_live;
    if (n_listed <= LISTED_PER_ROW * sheet->n)
        return count_by_lists(making);
    count_by_rows(making);
    return 0;
}

/* ---- vectors ---- */

/* The document's row; SHEET_NONE for one of more candidates than there may be. */
static uint32_t find_row(const struct making *making, uint32_t doc)
{
    uint32_t place = making->partition->order.places[doc];
    size_t low = 0, high = making->sheet->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (making->places[middle] < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low < making->sheet->n && making->places[low] == place ? (uint32_t)low : SHEET_NONE;
}

void sheet_mark_around(const struct sheet *sheet, size_t candidate, bool *is_marked)
{
    struct sheet_window window = sheet_window(sheet, sheet->candidates[candidate], 1);
    for (uint32_t row = window.first; row < window.end; row++)
        is_marked[row] = true;
}

static int compare_vectors(struct making *making)
{
    struct sheet *sheet = making->sheet;
    sheet->cosines = arena_calloc(making->arena, sheet->n + 1, sizeof(*sheet->cosines));
    bool *is_due = arena_calloc(making->arena, sheet->n + 1, sizeof(*is_due));
    if (arena_error(making->arena) || !making->question->vector.row)
        return arena_error(making->arena);
    for (size_t i = 0; i < sheet->n_candidates; i++)
        sheet_mark_around(sheet, i, is_due);
    for (size_t i = 0; i < making->near.n; i++) {
        uint32_t row = find_row(making, making->near.docs[i]);
        if (row == SHEET_NONE)
            continue;
        sheet->cosines[row] = making->near.scores[i];
        is_due[row] = false;
    }
    for (size_t row = 0, end; row < sheet->n; row = end + 1) {
        for (end = row; end < sheet->n && is_due[end];)
            end++;
        vector_score(&making->partition->vector, &making->question->vector, &sheet->docs[row], end - row,
                     &sheet->cosines[row]);
    }
    return 0;
}

int sheet_make(struct sheet *sheet, const struct partition *partition, const struct docs_filter *filter,
               const struct question *question, const struct scores *scores, size_t n_wanted,
               bool is_distinct, struct arena *arena)
{
    struct making making = {.sheet = sheet,
                            .partition = partition,
                            .filter = filter,
                            .question = question,
                            .scores = scores,
                            .arena = arena,
                            .is_distinct = is_distinct};
    *sheet = (struct sheet){0};
    sheet->n_terms = question->keywords.n < SHEET_MAX_TERMS ? question->keywords.n : SHEET_MAX_TERMS;
    sheet->n_eights = (sheet->n_terms + 7) / 8;
    int err = put_candidates(&making, n_wanted);
    if (!err)
        err = put_rows(&making);
    if (!err)
        err = count_terms(&making);
    return err ? err : compare_vectors(&making);
}
