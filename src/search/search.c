/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of partitions. Its lock is held to find, to pin and to account, never while a partition works; a
 * partition's own lock is taken after the table's is released. A pinned partition is not freed; the list runs
 * from the partition searched last to the one longest unused, which goes first when there is too much.
 */
#include "search/search_priv.h"

#include "core/buf.h"
#include "core/mem.h"

#define DEFAULT_MAX_BYTES     ((size_t)512 * 1024 * 1024)
#define DEFAULT_MAX_INLINE_US (50 * US_PER_MS)
/* Counting so many documents' rows takes some milliseconds; the thread counts larger ones. */
#define MAX_COUNTED_INLINE 65536
/* Written rows from which on the thread takes them in: what is left to a search is then still little. */
#define ROWS_TO_FOLLOW (SEARCH_INLINE_ROWS / 2)
/* Searching so many takes under a millisecond. */
#define MAX_DOCS_NOW 65536
/* Of one search: a limit of 1,000 needs some megabytes. */
#define MAX_SCRATCH_BYTES ((size_t)256 * 1024 * 1024)

static struct searcher *searcher_free(struct searcher *searcher)
{
    if (!searcher)
        return NULL;
    analyzer_free(searcher->analyzer);
    scores_done(&searcher->scores);
    arena_done(&searcher->scratch);
    return mem_free(searcher);
}

int search_new(const struct search_options *options, struct search **ret_search, struct err_info *reterr)
{
    struct search *search = mem_calloc(1, sizeof(*search));
    if (!search)
        return err_set(reterr, ERR_NOMEM, "out of memory for the index");
    (void)pthread_mutex_init(&search->lock, NULL); /* cannot fail with default attributes */
    (void)pthread_cond_init(&search->has_work, NULL);
    map_init(&search->partitions);
    atomic_init(&search->is_ending, false);
    search->feed = options->feed;
    search->models = (struct models){options->words, options->embedder};
    search->max_bytes = options->max_bytes ? options->max_bytes : DEFAULT_MAX_BYTES;
    search->max_inline_us = options->max_inline_us ? options->max_inline_us : DEFAULT_MAX_INLINE_US;
    search->clock = options->clock ? options->clock : &clock_system;
    search->language = mem_strdup(options->language ? options->language : "auto");
    if (!search->language) {
        search_free(search);
        return err_set(reterr, ERR_NOMEM, "out of memory for the index");
    }
    *ret_search = search;
    return 0;
}

struct search *search_free(struct search *search)
{
    if (!search)
        return NULL;
    indexer_stop(search);
    while (search->newest) {
        struct partition *partition = search->newest;
        search->newest = partition->older;
        partition_free(partition);
    }
    map_done(&search->partitions);
    while (search->n_idle)
        searcher_free(search->idle[--search->n_idle]);
    (void)pthread_cond_destroy(&search->has_work);
    (void)pthread_mutex_destroy(&search->lock);
    mem_free(search->language);
    return mem_free(search);
}

/* ---- the table, under its lock ---- */

static void unlink_partition(struct search *search, struct partition *partition)
{
    *(partition->newer ? &partition->newer->older : &search->newest) = partition->older;
    *(partition->older ? &partition->older->newer : &search->oldest) = partition->newer;
}

static void link_newest(struct search *search, struct partition *partition)
{
    partition->newer = NULL;
    partition->older = search->newest;
    *(search->newest ? &search->newest->newer : &search->oldest) = partition;
    search->newest = partition;
}

/* The tenant's length first: no two pairs make one key. */
static int make_key(struct str tenant, struct str user, struct buf *buf)
{
    uint64_t tenant_len = tenant.len;
    buf_append(buf, &tenant_len, sizeof(tenant_len));
    buf_append_str(buf, tenant);
    buf_append_str(buf, user);
    return buf_error(buf);
}

static int add_partition(struct search *search, struct buf *key, struct partition **ret_partition,
                         struct err_info *reterr)
{
    struct partition *partition = partition_new(&search->models, search->max_bytes / 2);
    int err = partition ? map_put(&search->partitions, buf_str(key), partition, NULL) : ERR_NOMEM;
    if (err) {
        partition_free(partition);
        return err_set(reterr, err, "out of memory for the index");
    }
    partition->key = buf_steal(key, &partition->key_len);
    link_newest(search, partition);
    *ret_partition = partition;
    return 0;
}

/* Under the lock; first in the list behind it. 1: there is none, and none may be added. */
static int find_partition(struct search *search, struct buf *key, bool may_add,
                          struct partition **ret_partition, struct err_info *reterr)
{
    struct partition *partition = map_get(&search->partitions, buf_str(key));
    if (!partition && !may_add)
        return 1;
    if (!partition)
        return add_partition(search, key, ret_partition, reterr);
    unlink_partition(search, partition);
    link_newest(search, partition);
    *ret_partition = partition;
    return 0;
}

/* The partition, made if need be, first in the list, pinned. 1: there is none, and none may be added. */
static int acquire(struct search *search, struct str tenant, struct str user, bool may_add,
                   struct partition **ret_partition, struct err_info *reterr)
{
    struct buf key;
    buf_init(&key, SIZE_MAX / 2);
    int err = make_key(tenant, user, &key);
    if (err) {
        buf_done(&key);
        return err_set(reterr, err, "out of memory for the index");
    }
    pthread_mutex_lock(&search->lock);
    err = find_partition(search, &key, may_add, ret_partition, reterr);
    if (!err)
        (*ret_partition)->n_users++;
    pthread_mutex_unlock(&search->lock);
    buf_done(&key);
    return err;
}

static void evict(struct search *search, struct partition *partition)
{
    unlink_partition(search, partition);
    (void)map_remove(&search->partitions, str_make(partition->key, partition->key_len));
    search->stats.bytes -= partition->counted_bytes;
    search->stats.n_docs -= partition->counted_docs;
    search->stats.n_evictions++;
    partition_free(partition);
}

/* Down to the limit, but the newest stays: one that is too large alone would only be built again. */
static void evict_beyond_limit(struct search *search)
{
    struct partition *partition = search->oldest;
    while (search->stats.bytes > search->max_bytes && partition && partition != search->newest) {
        struct partition *newer = partition->newer;
        if (!partition->n_users)
            evict(search, partition);
        partition = newer;
    }
}

void search_account(struct search *search, struct partition *partition, size_t bytes, size_t n_docs,
                    const struct slice *slice)
{
    search->stats.bytes += bytes - partition->counted_bytes;
    search->stats.n_docs += n_docs - partition->counted_docs;
    search->stats.n_loads += slice->n_taken > 0;
    search->stats.n_repairs += slice->did_rebuild;
    partition->counted_bytes = bytes;
    partition->counted_docs = n_docs;
    evict_beyond_limit(search);
}

static void release(struct search *search, struct partition *partition, size_t bytes, size_t n_docs,
                    const struct slice *slice, bool needs_indexer)
{
    pthread_mutex_lock(&search->lock);
    partition->n_users--;
    if (needs_indexer)
        indexer_queue(search, partition);
    search_account(search, partition, bytes, n_docs, slice);
    pthread_mutex_unlock(&search->lock);
}

static void unpin(struct search *search, struct partition *partition)
{
    pthread_mutex_lock(&search->lock);
    partition->n_users--;
    pthread_mutex_unlock(&search->lock);
}

int search_borrow_searcher(struct search *search, struct searcher **ret_searcher, struct err_info *reterr)
{
    struct searcher *searcher = NULL;
    pthread_mutex_lock(&search->lock);
    if (search->n_idle)
        searcher = search->idle[--search->n_idle];
    pthread_mutex_unlock(&search->lock);
    if (!searcher) {
        searcher = mem_calloc(1, sizeof(*searcher));
        if (searcher)
            arena_init(&searcher->scratch, MAX_SCRATCH_BYTES);
        int err = searcher ? analyzer_new(search->language, &searcher->analyzer, reterr)
                           : err_set(reterr, ERR_NOMEM, "out of memory for a search");
        if (err) {
            searcher_free(searcher);
            return err;
        }
    }
    *ret_searcher = searcher;
    return 0;
}

void search_return_searcher(struct search *search, struct searcher *searcher)
{
    arena_reset(&searcher->scratch);
    pthread_mutex_lock(&search->lock);
    if (search->n_idle < MAX_IDLE_SEARCHERS) {
        search->idle[search->n_idle++] = searcher;
        searcher = NULL;
    }
    pthread_mutex_unlock(&search->lock);
    searcher_free(searcher);
}

/* ---- outside it ---- */

/* Brings the partition up to date where it is not and that is little work: 0, 1 when there is more to do, or
 * an error. */
static int refresh(struct search *search, struct partition *partition, struct slice *slice,
                   struct err_info *reterr)
{
    pthread_rwlock_rdlock(&partition->lock);
    bool is_current = partition_is_current(partition, &search->feed, clock_mono_us(search->clock));
    bool is_far_behind = partition_is_far_behind(partition);
    pthread_rwlock_unlock(&partition->lock);
    if (is_current)
        return 0;
    if (is_far_behind && atomic_load(&partition->is_loading))
        return 1;
    pthread_rwlock_wrlock(&partition->lock);
    int r = 0;
    if (!partition_is_current(partition, &search->feed, clock_mono_us(search->clock)))
        r = partition_load(partition, slice, reterr);
    bool needs_indexer = r == 1 || (r == 0 && partition_is_count_due(partition));
    pthread_rwlock_unlock(&partition->lock);
    return needs_indexer ? 1 : r;
}

static int tell_failure(int err, struct err_info *reterr)
{
    return err_set(reterr, err,
                   err == ERR_LIMIT ? "the answer is larger than a request may hold"
                                    : "out of memory for a search");
}

/* The search proper, with partition and searcher at hand. */
static int run(struct search *search, struct partition *partition, struct searcher *searcher,
               const struct search_query *query, struct arena *arena, struct search_hit **ret_hits,
               size_t *ret_n, bool *ret_degraded, struct err_info *reterr)
{
    struct slice slice = {.analyzer = searcher->analyzer,
                          .feed = &search->feed,
                          .clock = search->clock,
                          .min_rows = SEARCH_INLINE_ROWS,
                          .max_us = search->max_inline_us,
                          .max_counted =
                              search->max_inline_us == INT64_MAX ? UINT32_MAX : MAX_COUNTED_INLINE};
    int refreshed = refresh(search, partition, &slice, reterr);
    if (refreshed < 0)
        err_prefix(reterr, "the index is not up to date: ");
    pthread_rwlock_rdlock(&partition->lock);
    *ret_degraded = refreshed < 0 || partition_tell_lack(partition, reterr);
    int err = partition_find(partition, searcher, query, !*ret_degraded, arena, ret_hits, ret_n);
    size_t bytes = partition_size_bytes(partition), n_docs = partition->docs.n_live;
    pthread_rwlock_unlock(&partition->lock);
    release(search, partition, bytes, n_docs, &slice, refreshed == 1);
    return err ? tell_failure(err, reterr) : 0;
}

/* The same for who must not wait: 1 when it would, with the reader's lock let go. */
static int run_now(struct search *search, struct partition *partition, struct searcher *searcher,
                   const struct search_query *query, struct arena *arena, struct search_hit **ret_hits,
                   size_t *ret_n)
{
    if (pthread_rwlock_tryrdlock(&partition->lock) != 0)
        return 1;
    bool is_ready = partition->docs.n_live <= MAX_DOCS_NOW &&
                    partition_is_current(partition, &search->feed, clock_mono_us(search->clock)) &&
                    !partition_tell_lack(partition, NULL);
    int err = 1;
    if (is_ready)
        err = partition_find(partition, searcher, query, true, arena, ret_hits, ret_n);
    pthread_rwlock_unlock(&partition->lock);
    return err;
}

int search_run(struct search *search, const struct search_query *query, struct arena *arena,
               struct search_hit **ret_hits, size_t *ret_n, bool *ret_degraded, struct err_info *reterr)
{
    struct searcher *searcher;
    struct partition *partition = NULL;
    int err = search_borrow_searcher(search, &searcher, reterr);
    if (err)
        return err;
    err = acquire(search, query->tenant, query->user, !query->is_now, &partition, reterr);
    if (!err && query->is_now) {
        *ret_degraded = false;
        err = run_now(search, partition, searcher, query, arena, ret_hits, ret_n);
        unpin(search, partition);
        if (err < 0)
            (void)tell_failure(err, reterr);
    } else if (!err) {
        err = run(search, partition, searcher, query, arena, ret_hits, ret_n, ret_degraded, reterr);
    }
    search_return_searcher(search, searcher);
    return err;
}

/* The slots are shared by those who hash alike: a needless load of the little that somebody else wrote. A
 * partition that is not there is made only where that drives no other out. */
void search_note_writes(struct search *search, struct str tenant, struct str user, size_t n_rows)
{
    struct buf key;
    struct partition *partition;
    buf_init(&key, SIZE_MAX / 2);
    if (make_key(tenant, user, &key) == 0) {
        uint16_t *n_written = &search->n_written[str_hash(buf_str(&key), 0) % WRITE_SLOTS];
        pthread_mutex_lock(&search->lock);
        size_t n = *n_written + n_rows;
        *n_written = n < ROWS_TO_FOLLOW ? (uint16_t)n : 0;
        if (n >= ROWS_TO_FOLLOW &&
            find_partition(search, &key, search->stats.bytes < search->max_bytes / 2, &partition, NULL) == 0)
            indexer_queue(search, partition);
        pthread_mutex_unlock(&search->lock);
    }
    buf_done(&key);
}

void search_describe(struct search *search, struct search_stats *ret_stats)
{
    pthread_mutex_lock(&search->lock);
    *ret_stats = search->stats;
    ret_stats->n_partitions = search->partitions.n;
    pthread_mutex_unlock(&search->lock);
}
