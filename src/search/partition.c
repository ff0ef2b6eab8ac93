/* SPDX-License-Identifier: Apache-2.0
 *
 * A partition follows the feed: what was added, changed and deleted goes into all its indexes, or, where one
 * of them fails, into none that answers. The caller holds the partition's lock for writing.
 */
#include "search/search_priv.h"

#include "core/mem.h"
#include "text/embed.h"

/* And a quarter of all: a compaction then costs less than what made it due. */
#define MIN_DEAD_TO_COMPACT 64

/* Readers must not keep a search waiting for ever that has news to take in. */
static void init_lock(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attributes;
    (void)pthread_rwlockattr_init(&attributes);
    (void)pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    (void)pthread_rwlock_init(lock, &attributes); /* none of these can fail on Linux */
    (void)pthread_rwlockattr_destroy(&attributes);
}

struct partition *partition_new(const struct models *models)
{
    struct partition *partition = mem_calloc(1, sizeof(*partition));
    if (!partition)
        return NULL;
    init_lock(&partition->lock);
    docs_init(&partition->docs);
    keyword_init(&partition->keyword, models->words);
    order_init(&partition->order);
    partition->models = models;
    if (models->embedder && vector_init(&partition->vector, (uint32_t)embedder_dims(models->embedder)) < 0)
        return partition_free(partition);
    return partition;
}

struct partition *partition_free(struct partition *partition)
{
    if (!partition)
        return NULL;
    vector_done(&partition->vector);
    order_done(&partition->order);
    keyword_done(&partition->keyword);
    docs_done(&partition->docs);
    (void)pthread_rwlock_destroy(&partition->lock);
    mem_free(partition->key);
    return mem_free(partition);
}

size_t partition_size_bytes(const struct partition *partition)
{
    return sizeof(*partition) + docs_size_bytes(&partition->docs) + keyword_size_bytes(&partition->keyword) +
           order_size_bytes(&partition->order) + vector_size_bytes(&partition->vector);
}

/* ---- following the feed ---- */

struct following {
    struct partition *partition;
    struct analyzer *analyzer;
};

static int add_vector(struct partition *partition, const struct search_doc *doc, uint32_t number)
{
    float vector[EMBED_MAX_DIMS];
    struct str speaker = {NULL, 0};
    int err = embed_text(partition->models->embedder, cues_split_speaker(doc->text, &speaker), vector, NULL);
    return err ? err : vector_add(&partition->vector, number, vector);
}

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
    int err = order_reserve(&partition->order);
    if (!err)
        err = docs_add(&partition->docs, doc, &number);
    if (err)
        return err;
    order_add(&partition->order);
    err = keyword_add(&partition->keyword, following->analyzer, doc->text, number, &n_terms);
    if (!err && partition->models->embedder)
        err = add_vector(partition, doc, number);
    if (err)
        return err;
    docs_publish(&partition->docs, number, n_terms);
    if (partition->docs.items[number].speaker != INTERN_NONE)
        speakers_put(&partition->speakers, partition->docs.items[number].speaker);
    return 0;
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
    if (!keyword_compact(&partition->keyword, map)) {
        vector_compact(&partition->vector, map);
        order_compact(&partition->order, map);
        docs_compact(docs);
    }
    mem_free(map);
}

bool partition_is_current(const struct partition *partition, const struct search_feed *feed,
                          struct str tenant, struct str user)
{
    return partition->is_loaded && feed->version(feed->owner, tenant, user) == partition->version;
}

int partition_refresh(struct partition *partition, struct analyzer *analyzer, const struct search_feed *feed,
                      struct str tenant, struct str user, struct err_info *reterr)
{
    /* Read before the load: a write in between raises it again and is taken in the next time. */
    uint64_t version = feed->version(feed->owner, tenant, user);
    struct following following = {partition, analyzer};
    int64_t until;
    int err =
        feed->load(feed->owner, tenant, user, partition->until, take_change, &following, &until, reterr);
    /* Without its order a conversation only has no neighbours; the next refresh tries again. */
    int order_err = order_settle(&partition->order, &partition->docs);
    if (err == 0 && order_err)
        err = err_set(reterr, order_err, "out of memory for the index");
    if (err == 0) {
        partition->until = until;
        partition->version = version;
        partition->is_loaded = true;
    }
    /* Also after a failure: a feed that fails each time at the same row gives those before it each time. */
    compact_if_due(partition);
    return err;
}
