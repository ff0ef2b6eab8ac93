/* SPDX-License-Identifier: Apache-2.0
 *
 * A partition follows the feed: what was added, changed and deleted goes into all its indexes, or, where one
 * of them fails, into none that answers. It does so in slices; between two of them it answers from what it
 * has. The caller holds the partition's lock, for writing where it is changed.
 *
 *   empty -> loading -> whole -> (changes come) loading -> whole
 *   a count that differs: -> empty, once; one that differs also then: whole, but known to be wrong
 */
#include "search/search_priv.h"

#include "core/mem.h"
#include "text/embed.h"

#include <inttypes.h>

/* And a quarter of all: a compaction then costs less than what made it due. */
#define MIN_DEAD_TO_COMPACT 64
/* Merging in documents that belong anywhere moves all that are there: not with every slice. */
#define MIN_TO_SETTLE 4096
/* And a quarter of all: counting costs about as much for each row as taking in one in twenty. */
#define MIN_CHANGES_TO_COUNT 256
/* A version that a crash or a fault has kept from rising is believed no longer than this. */
#define MAX_BELIEF_US US_PER_SEC

/* Readers must not keep a search waiting for ever that has news to take in. */
static void init_lock(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attributes;
    (void)pthread_rwlockattr_init(&attributes);
    (void)pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    (void)pthread_rwlock_init(lock, &attributes); /* none of these can fail on Linux */
    (void)pthread_rwlockattr_destroy(&attributes);
}

struct partition *partition_new(const struct models *models, size_t max_text_bytes)
{
    struct partition *partition = mem_calloc(1, sizeof(*partition));
    if (!partition)
        return NULL;
    init_lock(&partition->lock);
    docs_init(&partition->docs);
    keyword_init(&partition->keyword, models->words);
    order_init(&partition->order);
    texts_init(&partition->texts, max_text_bytes);
    partition->models = models;
    partition->n_expected = -1;
    atomic_init(&partition->is_loading, false);
    if (models->embedder && vector_init(&partition->vector, (uint32_t)embedder_dims(models->embedder)) < 0)
        return partition_free(partition);
    return partition;
}

static void free_content(struct partition *partition)
{
    texts_done(&partition->texts);
    vector_done(&partition->vector);
    order_done(&partition->order);
    keyword_done(&partition->keyword);
    docs_done(&partition->docs);
}

struct partition *partition_free(struct partition *partition)
{
    if (!partition)
        return NULL;
    free_content(partition);
    (void)pthread_rwlock_destroy(&partition->lock);
    mem_free(partition->key);
    return mem_free(partition);
}

/* Back to before the first load, but for what the count has told. */
static void empty_partition(struct partition *partition)
{
    free_content(partition);
    docs_init(&partition->docs);
    keyword_init(&partition->keyword, partition->models->words);
    order_init(&partition->order);
    if (partition->models->embedder) /* its dimension was good before */
        (void)vector_init(&partition->vector, (uint32_t)embedder_dims(partition->models->embedder));
    texts_init(&partition->texts, partition->texts.max);
    partition->speakers = (struct speakers){0};
    partition->until = (struct search_place){0, 0};
    partition->is_whole = partition->is_counted = partition->is_wrong = false;
    partition->n_since_count = 0;
    partition->is_rebuilt = true;
}

/* As search.c makes it: the tenant's length, the tenant, the user. */
static struct str split_key(const struct partition *partition, struct str *ret_user)
{
    uint64_t tenant_len;
    memcpy(&tenant_len, partition->key, sizeof(tenant_len));
    struct str names = str_make(partition->key + sizeof(tenant_len), partition->key_len - sizeof(tenant_len));
    *ret_user = str_slice(names, tenant_len, names.len - tenant_len);
    return str_slice(names, 0, tenant_len);
}

struct str partition_tenant(const struct partition *partition)
{
    struct str user;
    return split_key(partition, &user);
}

struct str partition_user(const struct partition *partition)
{
    struct str user;
    (void)split_key(partition, &user);
    return user;
}

size_t partition_size_bytes(const struct partition *partition)
{
    return sizeof(*partition) + docs_size_bytes(&partition->docs) + keyword_size_bytes(&partition->keyword) +
           order_size_bytes(&partition->order) + vector_size_bytes(&partition->vector) +
           texts_size_bytes(&partition->texts);
}

/* ---- following the feed ---- */

struct following {
    struct partition *partition;
    struct slice *slice;
    int64_t start_us;
    size_t n_taken; /* of this load */
};

static bool is_enough(const struct following *following)
{
    const struct slice *slice = following->slice;
    if (slice->is_ending && atomic_load_explicit(slice->is_ending, memory_order_relaxed))
        return true;
    return following->n_taken > slice->min_rows &&
           clock_mono_us(slice->clock) - following->start_us >= slice->max_us;
}

static int add_vector(struct partition *partition, const struct search_doc *doc, uint32_t number)
{
    float vector[EMBED_MAX_DIMS];
    struct str speaker = {NULL, 0};
    int err = embed_text(partition->models->embedder, cues_split_speaker(doc->text, &speaker), vector, NULL);
    return err ? err : vector_add(&partition->vector, number, vector);
}

static void kill_row(struct partition *partition, int64_t row)
{
    uint32_t old = docs_find(&partition->docs, row);
    if (old == DOC_NONE)
        return;
    docs_kill(&partition->docs, old);
    texts_wipe(&partition->texts, old);
}

static int add_row(struct partition *partition, struct analyzer *analyzer, const struct search_doc *doc)
{
    uint32_t number, n_terms;
    int err = order_reserve(&partition->order);
    if (!err)
        err = docs_add(&partition->docs, doc, &number);
    if (err)
        return err;
    order_add(&partition->order);
    err = keyword_add(&partition->keyword, analyzer, doc->text, number, &n_terms);
    if (!err && partition->models->embedder)
        err = add_vector(partition, doc, number);
    if (!err)
        err = texts_add(&partition->texts, number, doc);
    if (err)
        return err;
    kill_row(partition, doc->row);
    docs_publish(&partition->docs, number, n_terms);
    if (partition->docs.items[number].speaker != INTERN_NONE)
        speakers_put(&partition->speakers, partition->docs.items[number].speaker);
    return 0;
}

static int take_change(void *arg, const struct search_doc *doc)
{
    struct following *following = arg;
    struct partition *partition = following->partition;
    if (doc->is_deleted) {
        kill_row(partition, doc->row);
    } else {
        int err = add_row(partition, following->slice->analyzer, doc);
        if (err)
            return err;
    }
    partition->n_since_count++;
    following->n_taken++;
    return is_enough(following);
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
        texts_compact(&partition->texts, map);
        docs_compact(docs);
    }
    mem_free(map);
}

bool partition_is_current(const struct partition *partition, const struct search_feed *feed, int64_t now_us)
{
    return partition->is_whole && now_us - partition->loaded_us < MAX_BELIEF_US &&
           feed->version(feed->owner, partition_tenant(partition), partition_user(partition)) ==
               partition->version;
}

bool partition_is_far_behind(const struct partition *partition)
{
    return !partition->is_whole && partition->n_expected - partition->docs.n_live > SEARCH_INLINE_ROWS;
}

bool partition_is_count_due(const struct partition *partition)
{
    return !partition->is_counted || (partition->n_since_count >= MIN_CHANGES_TO_COUNT &&
                                      partition->n_since_count >= partition->docs.n_live / 4);
}

/* ---- one slice ---- */

static bool is_settling_due(const struct order *order)
{
    uint32_t n_new = order->n - order->n_sorted;
    return n_new >= MIN_TO_SETTLE && n_new >= order->n_sorted / 4;
}

static int load_rows(struct following *following, struct search_load *load, struct err_info *reterr)
{
    struct partition *partition = following->partition;
    const struct search_feed *feed = following->slice->feed;
    following->n_taken = 0;
    load->place = partition->until;
    load->n_living = -1;
    int r = feed->load(feed->owner, load, reterr);
    following->slice->n_taken += following->n_taken;
    partition->until = load->place;
    /* Without its order a conversation only has no neighbours; the next load tries again. */
    if (r <= 0 || is_settling_due(&partition->order)) {
        int err = order_settle(&partition->order, &partition->docs);
        if (r >= 0 && err)
            r = err_set(reterr, err, "out of memory for the index");
    }
    compact_if_due(partition);
    return r;
}

/* Compares what is there with what should be. True: it was emptied and has to be loaded again. */
static bool check_count(struct partition *partition, int64_t n_living)
{
    bool is_right = partition->docs.n_live == n_living;
    partition->n_expected = n_living;
    if (!is_right && !partition->is_rebuilt) {
        empty_partition(partition);
        return true;
    }
    partition->is_wrong = !is_right;
    partition->is_rebuilt = false;
    partition->is_counted = true;
    partition->n_since_count = 0;
    return false;
}

static bool may_count(const struct partition *partition, const struct slice *slice)
{
    return partition_is_count_due(partition) && partition->docs.n_live <= slice->max_counted;
}

int partition_load(struct partition *partition, struct slice *slice, struct err_info *reterr)
{
    struct following following = {partition, slice, clock_mono_us(slice->clock), 0};
    struct search_load load = {.tenant = partition_tenant(partition),
                               .user = partition_user(partition),
                               .put = take_change,
                               .partition = &following};
    /* Read before the load: a write in between raises it again and is taken in the next time. */
    uint64_t version = slice->feed->version(slice->feed->owner, load.tenant, load.user);
    bool is_again;
    int r;
    do {
        load.wants_count = may_count(partition, slice);
        r = load_rows(&following, &load, reterr);
        bool was_emptied = r == 0 && load.wants_count && check_count(partition, load.n_living);
        slice->did_rebuild |= was_emptied;
        /* The load may be what has made a count due. */
        is_again = r == 0 && (was_emptied || (!load.wants_count && may_count(partition, slice)));
    } while (is_again);
    partition->is_whole = r == 0;
    if (r == 0) {
        partition->version = version;
        partition->loaded_us = clock_mono_us(slice->clock);
    }
    return r;
}

bool partition_tell_lack(const struct partition *partition, struct err_info *reterr)
{
    if (partition->is_whole && !partition->is_wrong)
        return false;
    if (partition->is_whole)
        (void)err_set(reterr, ERR_CORRUPT,
                      "the index was built anew and holds %" PRIu32 " items where the store has %" PRId64,
                      partition->docs.n_live, partition->n_expected);
    else if (partition->n_expected > partition->docs.n_live)
        (void)err_set(reterr, ERR_UNAVAILABLE,
                      "the index holds %" PRIu32 " of %" PRId64 " items and is still being loaded",
                      partition->docs.n_live, partition->n_expected);
    else
        (void)err_set(reterr, ERR_UNAVAILABLE, "the index holds %" PRIu32 " items and is still being loaded",
                      partition->docs.n_live);
    return true;
}
