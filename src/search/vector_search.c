/* SPDX-License-Identifier: Apache-2.0
 *
 * A search of few documents is vector_fine.c's. One of many has two steps. Choosing: a kernel guesses how
 * near each document is; those above a threshold that the filter passes are gathered, and whenever the
 * gathered are too many, the best of them stay and the threshold rises to the worst of these. So the filter
 * is asked of few documents, and one that passes few of them keeps the threshold low. Comparing: the most
 * promising are compared, which says how near one must be to be among the best; then of the others those that
 * might be, as far as guesses go wrong.
 *
 * All documents are scanned, however many. Cells of near vectors were tried, of which a search reads the
 * nearest: a fifth of 600,000 texts held 0.98 of the true first ten, read in half the time, and every write
 * paid for it.
 */
#include "search/vector_priv.h"

#include <math.h>

#define MAX_ALL 500 /* up to here comparing all is as fast */
/* Gathered for every hit asked for; at least so many; and one more for so many documents, among which more
 * come near by chance. */
#define CHOSEN_PER_HIT  10
#define MIN_CHOSEN      150
#define DOCS_PER_CHOSEN 400
/* Of a rough search, for every hit beyond those that the least is enough for. */
#define CHOSEN_PER_HIT_ROUGH 4
#define SAMPLE_BLOCKS        32
#define CHUNK_BLOCKS         16 /* scanned at a time: their keys stay in the nearest cache */
/* Compared first, for every hit asked for; then those that so many standard deviations of the estimate could
 * bring up. Of texts and of seeded vectors, 10,000 to 600,000, fewer than 1 in 200 of the true first ten are
 * then missed, and by a rough search 1 in 100. */
#define FIRST_PER_HIT  3
#define N_ERRORS       2.25F
#define N_ERRORS_ROUGH 1.75F
#define AHEAD          8 /* rows on their way at once: 4 are slower, 16 no faster */

/* ---- choosing ---- */

struct chosen {
    int16_t *keys;
    uint32_t *docs;
    size_t n, max;    /* max: room */
    size_t n_wanted;  /* a third of max at most */
    int16_t at_least; /* lower keys need not be gathered any more */
};

static size_t count_above(const int16_t *keys, size_t n, int16_t key)
{
    size_t n_above = 0, n_now;
    for (size_t at = 0; at < n; at += n_now) {
        uint16_t n_here = 0; /* as wide as a key, for the compiler's vectors */
        n_now = n - at < UINT16_MAX ? n - at : UINT16_MAX;
        for (size_t i = at; i < at + n_now; i++)
            n_here += keys[i] > key;
        n_above += n_here;
    }
    return n_above;
}

/* The n-th highest key, 1 <= n <= n_keys: the least that fewer than n exceed. */
static int16_t find_nth(const int16_t *keys, size_t n_keys, size_t n)
{
    int low = INT16_MAX, high = INT16_MIN;
    for (size_t i = 0; i < n_keys; i++) {
        low = keys[i] < low ? keys[i] : low;
        high = keys[i] > high ? keys[i] : high;
    }
    while (low < high) {
        int middle = (low + high) >> 1;
        if (count_above(keys, n_keys, (int16_t)middle) < n)
            high = middle;
        else
            low = middle + 1;
    }
    return (int16_t)low;
}

/* Keeps the wanted number. Of equal keys the later documents stay, which are mostly the newer ones. */
static void prune(struct chosen *chosen)
{
    if (chosen->n <= chosen->n_wanted)
        return;
    chosen->at_least = find_nth(chosen->keys, chosen->n, chosen->n_wanted);
    size_t n_above = count_above(chosen->keys, chosen->n, chosen->at_least);
    size_t n_equal = 0, n_equal_wanted = chosen->n_wanted - n_above, n = 0;
    for (size_t i = 0; i < chosen->n; i++)
        n_equal += chosen->keys[i] == chosen->at_least;
    for (size_t i = 0; i < chosen->n; i++) {
        if (chosen->keys[i] < chosen->at_least)
            continue;
        if (chosen->keys[i] == chosen->at_least && n_equal-- > n_equal_wanted)
            continue;
        chosen->keys[n] = chosen->keys[i];
        chosen->docs[n++] = chosen->docs[i];
    }
    chosen->n = n;
}

struct choosing {
    const struct vector_index *index;
    const struct docs *docs;
    const struct docs_filter *filter;
    bool passes_all; /* all live, and the filter passes them */
};

static const struct vector_row *row_of(const struct vector_index *index, uint32_t doc)
{
    return row_at(index->rows, index->width, doc);
}

/* A document without a vector has the key 0. */
static bool may_find(const struct choosing *choosing, uint32_t doc, int16_t key)
{
    return (choosing->passes_all || docs_match(choosing->docs, choosing->filter, doc)) &&
           (key != 0 || row_of(choosing->index, doc)->scale != 0);
}

/* Gathers from a block what its mask names; of that, what may be found, unless choosing is NULL. */
static void gather(const struct choosing *choosing, uint32_t first_doc, const int16_t *keys, uint64_t mask,
                   struct chosen *chosen)
{
    for (; mask; mask &= mask - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(mask), doc = first_doc + i;
        if (keys[i] < chosen->at_least || (choosing && !may_find(choosing, doc, keys[i])))
            continue;
        chosen->keys[chosen->n] = keys[i];
        chosen->docs[chosen->n++] = doc;
        if (chosen->n == chosen->max)
            prune(chosen);
    }
}

static size_t count_blocks(const struct vector_index *index)
{
    return (index->n + BLOCK_DOCS - 1) / BLOCK_DOCS;
}

/* Gathers from the blocks from first to end. */
static void scan_some(const struct vector_index *index, struct vector_scan scan, size_t first, size_t end,
                      const struct choosing *choosing, struct chosen *chosen)
{
    int16_t keys[CHUNK_BLOCKS * BLOCK_DOCS];
    uint64_t masks[CHUNK_BLOCKS];
    for (size_t at = first, n_now; at < end; at += n_now) {
        n_now = end - at < CHUNK_BLOCKS ? end - at : CHUNK_BLOCKS;
        scan.at_least = chosen->at_least;
        index->kernel->scan(index->blocks + at * block_size_bytes(index->width), n_now, &scan, keys, masks);
        if ((at + n_now) * BLOCK_DOCS > index->n)
            masks[n_now - 1] &= (UINT64_C(1) << index->n % BLOCK_DOCS) - 1;
        for (size_t b = 0; b < n_now; b++)
            gather(choosing, (uint32_t)(at + b) * BLOCK_DOCS, keys + b * BLOCK_DOCS, masks[b], chosen);
    }
}

/* A few whole blocks here and there, scanned first. */
struct sample {
    size_t n_blocks;
    size_t blocks[SAMPLE_BLOCKS];
    int16_t keys[SAMPLE_BLOCKS * BLOCK_DOCS];
};

static void take_sample(const struct vector_index *index, const struct vector_scan *scan,
                        struct sample *ret_sample)
{
    size_t n_whole = index->n / BLOCK_DOCS;
    uint64_t mask;
    ret_sample->n_blocks = n_whole / 16 < SAMPLE_BLOCKS ? n_whole / 16 + 1 : SAMPLE_BLOCKS;
    for (size_t i = 0; i < ret_sample->n_blocks; i++) {
        size_t block = ret_sample->blocks[i] = i * n_whole / ret_sample->n_blocks;
        index->kernel->scan(index->blocks + block * block_size_bytes(index->width), 1, scan,
                            ret_sample->keys + i * BLOCK_DOCS, &mask);
    }
}

/* A key that somewhat more than the wanted number of documents reach, if they are like the sample. */
static int16_t guess_threshold(const struct sample *sample, uint32_t n_docs, double n_wanted)
{
    size_t n_keys = sample->n_blocks * BLOCK_DOCS;
    double expected = n_wanted * (double)n_keys / n_docs;
    size_t rank = (size_t)(expected + 3 * sqrt(expected)) + 3; /* three standard deviations */
    return rank < n_keys ? find_nth(sample->keys, n_keys, rank) : INT16_MIN;
}

/* Gathers from all blocks; those of the sample are scanned already. */
static void scan_others(const struct vector_index *index, const struct vector_scan *scan,
                        const struct sample *sample, struct chosen *chosen)
{
    size_t n_blocks = count_blocks(index);
    for (size_t i = 0; i < sample->n_blocks; i++) {
        const int16_t *keys = sample->keys + i * BLOCK_DOCS;
        uint64_t mask = 0;
        for (size_t doc = 0; doc < BLOCK_DOCS; doc++)
            mask |= (uint64_t)(keys[doc] >= chosen->at_least) << doc;
        gather(NULL, (uint32_t)(sample->blocks[i] * BLOCK_DOCS), keys, mask, chosen);
        size_t end = i + 1 < sample->n_blocks ? sample->blocks[i + 1] : n_blocks;
        scan_some(index, *scan, sample->blocks[i] + 1, end, NULL, chosen);
    }
}

static void drop_unfindable(const struct choosing *choosing, struct chosen *chosen)
{
    size_t n = 0;
    for (size_t i = 0; i < chosen->n; i++) {
        chosen->keys[n] = chosen->keys[i];
        chosen->docs[n] = chosen->docs[i];
        n += may_find(choosing, chosen->docs[i], chosen->keys[i]);
    }
    chosen->n = n;
}

/* Without asking the filter on the way, which is right for a filter that passes nearly all; when too few are
 * left by it, again with it. */
static void choose(const struct choosing *choosing, const struct vector_query *query, struct chosen *chosen)
{
    const struct vector_index *index = choosing->index;
    struct vector_scan scan = *query->scan;
    double n_living = choosing->docs->n_live ? (double)choosing->docs->n_live / choosing->docs->n : 1;
    struct sample sample;
    take_sample(index, &scan, &sample);
    chosen->at_least = guess_threshold(&sample, index->n, (double)chosen->n_wanted / n_living);
    scan_others(index, &scan, &sample, chosen);
    drop_unfindable(choosing, chosen);
    if (chosen->n < chosen->n_wanted) {
        chosen->n = 0;
        chosen->at_least = INT16_MIN;
        scan_some(index, scan, 0, count_blocks(index), choosing, chosen);
    }
}

/* ---- comparing ---- */

static float dot_of(const struct vector_index *index, const struct vector_query *query, uint32_t doc)
{
    return vector_dot(index, query->row, row_of(index, doc));
}

static float cosine_of(float dot)
{
    return fminf(fmaxf(dot, -1), 1);
}

static void prefetch_row(const struct vector_index *index, uint32_t doc)
{
    const char *row = (const char *)row_of(index, doc);
    for (size_t at = 0; at < row_size_bytes(index->width); at += 64)
        __builtin_prefetch(row + at);
}

/* Compares those chosen whose keys lie in a range. */
static void compare_some(const struct choosing *choosing, const struct vector_query *query,
                         const struct chosen *chosen, int lowest, int highest, struct best *best)
{
    uint32_t waiting[AHEAD]; /* rows on their way */
    size_t n = 0, n_done = 0;
    for (size_t i = 0; i < chosen->n || n_done < n; i++) {
        if (i < chosen->n) {
            if (chosen->keys[i] < lowest || chosen->keys[i] > highest)
                continue;
            prefetch_row(choosing->index, chosen->docs[i]);
            __builtin_prefetch(&choosing->docs->items[chosen->docs[i]]);
        }
        if (i >= chosen->n || n - n_done == AHEAD) {
            uint32_t doc = waiting[n_done++ % AHEAD];
            float dot = dot_of(choosing->index, query, doc);
            if (best->n < best->max || dot >= best->items[0].score) {
                const struct doc *item = &choosing->docs->items[doc];
                best_put(best, (struct candidate){dot, doc, item->created_us, item->row});
            }
        }
        if (i < chosen->n)
            waiting[n++ % AHEAD] = chosen->docs[i];
    }
}

/* First the most promising; then of the others those whose estimate could be that far wrong that they belong
 * among the best so far. */
static void compare(const struct choosing *choosing, const struct vector_query *query,
                    const struct chosen *chosen, struct best *best)
{
    size_t n_first = FIRST_PER_HIT * best->max;
    if (n_first < chosen->n) {
        int key = find_nth(chosen->keys, chosen->n, n_first);
        compare_some(choosing, query, chosen, key, INT16_MAX, best);
        float worst = cosine_of(best->items[0].score);
        float margin = (query->is_rough ? N_ERRORS_ROUGH : N_ERRORS) * vector_error_of(query->scan, worst);
        float lowest = vector_key_of(query->scan, worst - margin);
        compare_some(choosing, query, chosen, (int)fmaxf(lowest, INT16_MIN), key - 1, best);
    } else {
        compare_some(choosing, query, chosen, INT16_MIN, INT16_MAX, best);
    }
}

/* ---- both ---- */

/* Room for three times what is wanted, and no less than makes pruning rare. */
static int chosen_init(struct chosen *chosen, size_t n_wanted, uint32_t n_docs, struct arena *arena)
{
    bool is_all = n_wanted >= n_docs;
    size_t max = is_all ? n_docs : 3 * n_wanted > 1024 ? 3 * n_wanted : 1024;
    *chosen = (struct chosen){.max = max, .n_wanted = n_wanted, .at_least = INT16_MIN};
    chosen->keys = arena_alloc(arena, max * sizeof(*chosen->keys));
    chosen->docs = arena_alloc(arena, max * sizeof(*chosen->docs));
    return arena_error(arena);
}

static size_t count_chosen(size_t k, uint32_t n_docs, bool is_rough)
{
    size_t n_enough = MIN_CHOSEN / CHOSEN_PER_HIT;
    size_t n = k >= n_docs    ? n_docs
               : !is_rough    ? k * CHOSEN_PER_HIT
               : k > n_enough ? MIN_CHOSEN + (k - n_enough) * CHOSEN_PER_HIT_ROUGH
                              : MIN_CHOSEN;
    return (n > MIN_CHOSEN ? n : MIN_CHOSEN) + n_docs / DOCS_PER_CHOSEN;
}

/* Guesses, then compares. */
static int search_coarse(const struct choosing *choosing, const struct vector_query *query, size_t k,
                         struct arena *arena, struct best *best)
{
    uint32_t n_docs = choosing->index->n;
    struct chosen chosen;
    size_t n_wanted = count_chosen(k, n_docs, query->is_rough);
    bool is_all = n_docs <= MAX_ALL || n_wanted >= n_docs / 2;
    int err = chosen_init(&chosen, is_all ? n_docs : n_wanted, n_docs, arena);
    if (err)
        return err;
    if (is_all) {
        for (uint32_t doc = 0; doc < n_docs; doc++)
            if (may_find(choosing, doc, 0))
                chosen.docs[chosen.n++] = doc;
        memset(chosen.keys, 0, chosen.n * sizeof(*chosen.keys));
    } else {
        choose(choosing, query, &chosen);
    }
    best->max = k < chosen.n ? k : chosen.n;
    if (best->max)
        compare(choosing, query, &chosen, best);
    return 0;
}

int vector_search(const struct vector_index *index, const struct docs *docs, const struct docs_filter *filter,
                  const struct vector_query *query, size_t k, struct arena *arena,
                  struct vector_hit **ret_hits, size_t *ret_n)
{
    struct choosing choosing = {index, docs, filter, docs->n == docs->n_live && docs_filter_is_open(filter)};
    struct best best = {.max = k < docs->n_live ? k : docs->n_live};
    *ret_hits = NULL;
    *ret_n = 0;
    if (best.max == 0 || !query->row || index->n == 0)
        return 0;
    best.items = arena_alloc(arena, best.max * sizeof(*best.items));
    struct vector_hit *hits = arena_alloc(arena, best.max * sizeof(*hits));
    int err = arena_error(arena);
    if (!err && !index->is_fine)
        err = search_coarse(&choosing, query, best.max, arena, &best);
    else if (!err)
        vector_fine_search(index, docs, filter, query, &best);
    if (err)
        return err;
    best_sort(&best);
    for (size_t i = 0; i < best.n; i++)
        hits[i] = (struct vector_hit){best.items[i].doc, cosine_of(best.items[i].score)};
    *ret_hits = hits;
    *ret_n = best.n;
    return 0;
}

void vector_score(const struct vector_index *index, const struct vector_query *query, const uint32_t *docs,
                  size_t n_docs, float *ret_cosines)
{
    for (size_t i = 0; i < n_docs; i++) {
        if (!index->is_fine && query->row && i + AHEAD < n_docs && docs[i + AHEAD] < index->n)
            prefetch_row(index, docs[i + AHEAD]);
        bool is_known = query->row && docs[i] < index->n;
        ret_cosines[i] = !is_known        ? 0
                         : index->is_fine ? cosine_of(vector_fine_dot(index, query, docs[i]))
                                          : cosine_of(dot_of(index, query, docs[i]));
    }
}
