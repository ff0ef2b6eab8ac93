/* SPDX-License-Identifier: Apache-2.0
 *
 * The thread that loads what is too much for a search. Partitions stand in a queue, pinned; the first gets a
 * slice and goes to the end, so that a small one does not wait for a large one. Its lock is held for a slice
 * alone: searches in between answer from what is there. A failure takes it out of the queue: the next search
 * meets it, too, says so, and puts the partition in again.
 */
#include "search/search_priv.h"

#include <signal.h>

/* A search of the same partition waits for this at most; each slice opens a read of the store, which costs a
 * hundredth of it. */
#define SLICE_US (5 * US_PER_MS)
/* While rows are written faster than they are loaded, the number that a sentence names may be this old. */
#define EXPECT_EVERY_US US_PER_SEC

static void push(struct search *search, struct partition *partition)
{
    partition->next_queued = NULL;
    *(search->last_queued ? &search->last_queued->next_queued : &search->first_queued) = partition;
    search->last_queued = partition;
}

static struct partition *pop(struct search *search)
{
    struct partition *partition = search->first_queued;
    search->first_queued = partition->next_queued;
    if (!search->first_queued)
        search->last_queued = NULL;
    return partition;
}

/* Behind this the partition is no longer pinned. */
static void leave(struct search *search, struct partition *partition)
{
    partition->is_queued = false;
    atomic_store(&partition->is_loading, false);
    partition->n_users--;
    search->stats.n_loading--;
}

/* How much there is in all, where that is not known: for the sentence, and for searches to see that they need
 * not begin. */
static void expect(struct search *search, struct partition *partition)
{
    int64_t n, now_us = clock_mono_us(search->clock);
    if (partition->has_expected && now_us - partition->expected_us < EXPECT_EVERY_US)
        return;
    partition->has_expected = true;
    partition->expected_us = now_us;
    if (search->feed.count(search->feed.owner, partition_tenant(partition), partition_user(partition), &n,
                           NULL))
        return; /* the load meets the failure as well */
    pthread_rwlock_wrlock(&partition->lock);
    partition->n_expected = n;
    pthread_rwlock_unlock(&partition->lock);
}

/* A slice; 1 when there is more to do. */
static int load(struct search *search, struct partition *partition, struct slice *slice, size_t *ret_bytes,
                size_t *ret_n_docs)
{
    pthread_rwlock_wrlock(&partition->lock);
    int r = partition_load(partition, slice, NULL);
    bool needs_number = r == 1 && partition->n_expected <= partition->docs.n_live;
    *ret_bytes = partition_size_bytes(partition);
    *ret_n_docs = partition->docs.n_live;
    pthread_rwlock_unlock(&partition->lock);
    if (needs_number)
        expect(search, partition);
    return r;
}

/* Without memory for a searcher nothing is loaded, as after any other failure. */
static void serve_first(struct search *search)
{
    struct partition *partition = pop(search);
    struct searcher *searcher;
    struct slice slice = {.feed = &search->feed,
                          .clock = search->clock,
                          .max_us = SLICE_US,
                          .max_counted = UINT32_MAX,
                          .is_ending = &search->is_ending};
    size_t bytes = partition->counted_bytes, n_docs = partition->counted_docs;
    pthread_mutex_unlock(&search->lock);
    int r = search_borrow_searcher(search, &searcher, NULL);
    if (!r) {
        slice.analyzer = searcher->analyzer;
        r = load(search, partition, &slice, &bytes, &n_docs);
        search_return_searcher(search, searcher);
    }
    pthread_mutex_lock(&search->lock);
    if (r == 1)
        push(search, partition);
    else
        leave(search, partition);
    search_account(search, partition, bytes, n_docs, &slice);
}

static void *run(void *arg)
{
    struct search *search = arg;
    pthread_mutex_lock(&search->lock);
    while (!atomic_load(&search->is_ending)) {
        if (search->first_queued)
            serve_first(search);
        else
            pthread_cond_wait(&search->has_work, &search->lock);
    }
    pthread_mutex_unlock(&search->lock);
    return NULL;
}

/* Signals are for the program's main thread. */
static bool start(struct search *search)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool has_started = pthread_create(&search->indexer, NULL, run, search) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (has_started)
        (void)pthread_setname_np(search->indexer, "precis-indexer");
    return has_started;
}

void indexer_queue(struct search *search, struct partition *partition)
{
    if (partition->is_queued || atomic_load(&search->is_ending))
        return;
    search->has_indexer = search->has_indexer || start(search);
    if (!search->has_indexer)
        return;
    partition->is_queued = true;
    atomic_store(&partition->is_loading, true);
    partition->n_users++;
    search->stats.n_loading++;
    push(search, partition);
    pthread_cond_signal(&search->has_work);
}

void indexer_stop(struct search *search)
{
    pthread_mutex_lock(&search->lock);
    atomic_store(&search->is_ending, true);
    pthread_cond_signal(&search->has_work);
    pthread_mutex_unlock(&search->lock);
    if (search->has_indexer)
        (void)pthread_join(search->indexer, NULL);
}
