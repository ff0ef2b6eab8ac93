/* SPDX-License-Identifier: Apache-2.0
 *
 * A partition follows the feed and answers queries: its indexes score, it filters, orders and cuts. Filters
 * see every scored document, so none is lost to one. The caller holds the partition's lock.
 */
#include "search/search_priv.h"

#include "core/mem.h"

#include <stdlib.h>

/* And a quarter of all: a compaction then costs less than what made it due. */
#define MIN_DEAD_TO_COMPACT 64

struct partition *partition_new(void)
{
    struct partition *partition = mem_calloc(1, sizeof(*partition));
    if (!partition)
        return NULL;
    (void)pthread_mutex_init(&partition->lock, NULL); /* cannot fail with default attributes */
    docs_init(&partition->docs);
    keyword_init(&partition->keyword);
    return partition;
}

struct partition *partition_free(struct partition *partition)
{
    if (!partition)
        return NULL;
    scores_done(&partition->scores);
    keyword_done(&partition->keyword);
    docs_done(&partition->docs);
    (void)pthread_mutex_destroy(&partition->lock);
    mem_free(partition->key);
    return mem_free(partition);
}

size_t partition_size_bytes(const struct partition *partition)
{
    return sizeof(*partition) + docs_size_bytes(&partition->docs) + keyword_size_bytes(&partition->keyword) +
           partition->scores.cap * (sizeof(float) + sizeof(uint32_t));
}

/* ---- following the feed ---- */

struct following {
    struct partition *partition;
    struct analyzer *analyzer;
};

static int take_change(void *arg, const struct search_doc *doc)
{
    const struct following *following = arg;
    struct partition *partition = following->partition;
    if (doc->is_deleted) {
        uint32_t old = docs_find(&partition->docs, doc->row);
        if (old != DOC_NONE)
            docs_kill(&partition->docs, old);
        return 0;
    }
    uint32_t number, n_terms;
    int err = docs_add(&partition->docs, doc, &number);
    if (!err)
        err = keyword_add(&partition->keyword, following->analyzer, doc->text, number, &n_terms);
    if (!err)
        docs_publish(&partition->docs, number, n_terms);
    return err;
}

/* Without memory for it the dead stay a while longer: answers are the same. */
static void compact_if_due(struct partition *partition)
{
    struct docs *docs = &partition->docs;
    uint32_t n_dead = docs->n - docs->n_live;
    if (n_dead < MIN_DEAD_TO_COMPACT || n_dead < docs->n / 4)
        return;
    uint32_t *map = mem_alloc(docs->n * sizeof(*map));
    if (!map)
        return;
    docs_plan_compaction(docs, map);
    if (!keyword_compact(&partition->keyword, map))
        docs_compact(docs);
    mem_free(map);
}

int partition_refresh(struct partition *partition, struct analyzer *analyzer, const struct search_feed *feed,
                      struct str tenant, struct str user, bool *ret_did_load, struct err_info *reterr)
{
    /* Read before the load: a write in between raises it again and is taken in the next time. */
    uint64_t version = feed->version(feed->owner, tenant, user);
    if (partition->is_loaded && version == partition->version) {
        *ret_did_load = false;
        return 0;
    }
    struct following following = {partition, analyzer};
    int64_t until;
    int err =
        feed->load(feed->owner, tenant, user, partition->until, take_change, &following, &until, reterr);
    if (err == 0) {
        partition->until = until;
        partition->version = version;
        partition->is_loaded = true;
        *ret_did_load = true;
    }
    /* Also after a failure: a feed that fails each time at the same row gives those before it each time. */
    compact_if_due(partition);
    return err;
}

/* ---- answering ---- */

struct candidate {
    float score;
    uint32_t doc;
    int64_t created_us, row;
};

static int compare_candidates(const void *a, const void *b) /* the better one first */
{
    const struct candidate *left = a, *right = b;
    if (left->score != right->score)
        return left->score > right->score ? -1 : 1;
    if (left->created_us != right->created_us)
        return left->created_us > right->created_us ? -1 : 1;
    return (left->row > right->row) - (left->row < right->row);
}

/* A heap with the worst on top. */
struct best {
    struct candidate *items;
    size_t n, max;
};

static void best_sink(struct best *best, struct candidate candidate)
{
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < best->n; at = child) {
        if (child + 1 < best->n && compare_candidates(&best->items[child + 1], &best->items[child]) > 0)
            child++;
        if (compare_candidates(&best->items[child], &candidate) < 0)
            break;
        best->items[at] = best->items[child];
    }
    best->items[at] = candidate;
}

static void best_rise(struct best *best, struct candidate candidate)
{
    size_t at = best->n++;
    while (at && compare_candidates(&candidate, &best->items[(at - 1) / 2]) > 0) {
        best->items[at] = best->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    best->items[at] = candidate;
}

static void collect_best(const struct partition *partition, const struct docs_filter *filter,
                         double min_score, struct best *best)
{
    const struct scores *scores = &partition->scores;
    for (uint32_t i = 0; i < scores->n_touched; i++) {
        uint32_t doc = scores->touched[i];
        float score = scores->by_doc[doc];
        if (score < min_score || (best->n == best->max && score < best->items[0].score))
            continue; /* the common case: nothing else is read */
        if (!docs_match(&partition->docs, filter, doc))
            continue;
        const struct doc *item = &partition->docs.items[doc];
        struct candidate candidate = {score, doc, item->created_us, item->row};
        if (best->n < best->max)
            best_rise(best, candidate);
        else if (compare_candidates(&candidate, &best->items[0]) < 0)
            best_sink(best, candidate);
    }
    if (best->n > 1)
        qsort(best->items, best->n, sizeof(*best->items), compare_candidates);
}

int partition_find(struct partition *partition, struct analyzer *analyzer, const struct search_query *query,
                   struct arena *arena, struct search_hit **ret_hits, size_t *ret_n)
{
    struct scores *scores = &partition->scores;
    struct docs_filter filter;
    struct search_hit *hits;
    struct best best = {0};
    int err = docs_make_filter(&partition->docs, query, arena, &filter);
    if (!err)
        err = scores_reserve(scores, partition->docs.n);
    if (err)
        return err;
    err = keyword_score(&partition->keyword, &partition->docs, analyzer, query->text, scores);
    if (err)
        goto done;
    best.max = query->limit < scores->n_touched ? query->limit : scores->n_touched;
    best.items = arena_calloc(arena, best.max, sizeof(*best.items));
    hits = arena_calloc(arena, best.max, sizeof(*hits));
    err = arena_error(arena);
    if (err)
        goto done;
    if (best.max)
        collect_best(partition, &filter, query->min_score, &best);
    for (size_t i = 0; i < best.n; i++)
        hits[i] = (struct search_hit){
            .row = best.items[i].row, .score = best.items[i].score, .keyword = best.items[i].score};
    *ret_hits = hits;
    *ret_n = best.n;
done:
    scores_clear(scores);
    return err;
}
