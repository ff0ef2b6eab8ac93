/* SPDX-License-Identifier: Apache-2.0
 *
 * A build's questions for one PostgreSQL connection, and how they are put into lanes when a round of starting
 * is over. On the loop's thread.
 *
 * What is fast, or not known yet, goes in the main lane, the fastest first, as a server answers in order.
 * What is slow gets a lane of its own while connections are to spare; the lanes of slow ones end with what
 * they were given, the main lane's transaction stays open until the build asks for nothing more.
 */
#include "source/postgres_priv.h"

#include "core/mem.h"

#define MAX_HUB_BYTES  ((size_t)64 * 1024 * 1024) /* the values of all of a build's questions */
#define MAX_SLOW_LANES 3
#define MAX_ASKS       2               /* of a question whose connection was lost */
#define MIN_RETRY_US   (5 * US_PER_MS) /* less is not worth asking again for */

/* ---- lists ---- */

void postgres_queries_add(struct postgres_queries *queries, struct postgres_query *query)
{
    query->next = NULL;
    if (queries->last)
        queries->last->next = query;
    else
        queries->first = query;
    queries->last = query;
}

struct postgres_query *postgres_queries_pop(struct postgres_queries *queries)
{
    struct postgres_query *query = queries->first;
    if (query) {
        queries->first = query->next;
        if (!queries->first)
            queries->last = NULL;
        query->next = NULL;
    }
    return query;
}

void postgres_queries_remove(struct postgres_queries *queries, struct postgres_query *query)
{
    struct postgres_queries kept = {NULL, NULL};
    struct postgres_query *other;

    while ((other = postgres_queries_pop(queries)))
        if (other != query)
            postgres_queries_add(&kept, other);
    *queries = kept;
}

/* What nobody knows may be slow. An answer that is much to read goes first if it costs the others little: it
 * is read while the server is at theirs. */
static int64_t rank_of(const struct postgres_query *query)
{
    bool is_known = query->expected_us >= 0;
    bool is_large = query->answer_bytes >= POSTGRES_LARGE_BYTES && query->answer_bytes != SIZE_MAX;

    if (!is_known)
        return POSTGRES_SLOW_US - 1;
    return is_large && query->expected_us < POSTGRES_SLOW_US / 4 ? -1 : query->expected_us;
}

/* Before the first that is expected to take longer. */
static void add_sorted(struct postgres_queries *queries, struct postgres_query *query)
{
    struct postgres_query **place = &queries->first;
    int64_t own_us = rank_of(query);

    while (*place && rank_of(*place) <= own_us)
        place = &(*place)->next;
    query->next = *place;
    *place = query;
    if (!query->next)
        queries->last = query;
}

/* ---- how a question ends ---- */

void postgres_query_end(struct postgres_hub *hub, struct postgres_query *query, const struct err_info *err)
{
    struct source_fetch *fetch = query->fetch;
    struct source_result *result = query->reader.result;

    query->reader.result = NULL;
    query->fetch = NULL;
    if (!fetch) {
        source_result_free(result);
        return;
    }
    fetch->state = NULL;
    fetch->has_heard |= query->lane && query->lane->has_heard;
    if (!err) {
        fetch->result = result;
        net_loop_end(hub->loop, &fetch->op, 0, NULL);
        return;
    }
    source_result_free(result);
    struct err_info named = *err;
    err_prefix(&named, "%s: ", hub->postgres->name);
    net_loop_end(hub->loop, &fetch->op, named.code, &named);
}

void postgres_hub_retry(struct postgres_hub *hub, struct postgres_query *query, const struct err_info *err)
{
    int64_t now_us = clock_mono_us(hub->postgres->env.clock);

    if (!query->fetch || query->is_full)
        return;
    /* What was read of an answer that broke off is not its beginning the next time. */
    query->reader.result = source_result_free(query->reader.result);
    query->reader.has_columns = false;
    query->reader.rows_cap = 0;
    if (query->n_asks >= MAX_ASKS && err) {
        postgres_query_end(hub, query, err);
        return;
    }
    query->fetch->has_heard |= query->lane->has_heard;
    query->lane = NULL;
    if (query->deadline_us - now_us >= MIN_RETRY_US)
        postgres_queries_add(&hub->pending, query);
    else if (err)
        postgres_query_end(hub, query, err);
    /* else it waits for its deadline, which is now */
}

/* ---- placing ---- */

/* One more lane leaves a connection for others. */
static bool has_spare_conn(struct postgres_hub *hub)
{
    struct pool_stats stats = pool_stats(hub->postgres->pool);
    size_t n_taken = stats.n_open - stats.n_idle + stats.n_connecting;
    return stats.n_waiting == 0 && n_taken + 1 < stats.max_conns;
}

static struct postgres_lane *main_lane(struct postgres_hub *hub)
{
    bool is_over = hub->main && hub->main->is_closing && !hub->main->has_failed;
    if (!hub->main || is_over)
        hub->main = postgres_lane_new(hub);
    return hub->main;
}

/* A lane for a slow one: a new one, or that which has least to do. */
static struct postgres_lane *slow_lane(struct postgres_hub *hub, struct postgres_lane *const *lanes, size_t n)
{
    if (n < MAX_SLOW_LANES && has_spare_conn(hub)) {
        struct postgres_lane *lane = postgres_lane_new(hub);
        if (lane)
            return lane;
    }
    struct postgres_lane *best = main_lane(hub);
    for (size_t i = 0; i < n; i++)
        if (!best || lanes[i]->expected_us < best->expected_us)
            best = lanes[i];
    return best;
}

static void put(struct postgres_lane *lane, struct postgres_query *query)
{
    query->lane = lane;
    lane->expected_us += query->expected_us < 0 ? 0 : query->expected_us;
    postgres_queries_add(&lane->again, query);
}

static void fail_no_memory(struct postgres_hub *hub, struct postgres_query *query)
{
    struct err_info err = {0};
    (void)err_set(&err, ERR_NOMEM, "not enough memory to ask");
    postgres_query_end(hub, query, &err);
}

void postgres_hub_place(struct postgres_hub *hub)
{
    struct postgres_queries sorted = {NULL, NULL};
    struct postgres_lane *slow[MAX_SLOW_LANES];
    struct postgres_query *query;
    size_t n_slow = 0;
    bool has_main = hub->main && (hub->main->asked.first || hub->main->again.first);

    while ((query = postgres_queries_pop(&hub->pending)))
        if (query->fetch)
            add_sorted(&sorted, query);
    while ((query = postgres_queries_pop(&sorted))) {
        bool is_slow = query->expected_us >= POSTGRES_SLOW_US && has_main;
        struct postgres_lane *lane = is_slow ? slow_lane(hub, slow, n_slow) : main_lane(hub);
        if (!lane) {
            fail_no_memory(hub, query);
            continue;
        }
        bool is_new = lane != hub->main;
        for (size_t i = 0; i < n_slow; i++)
            is_new &= slow[i] != lane;
        if (is_new)
            slow[n_slow++] = lane;
        put(lane, query);
        has_main = true;
    }
    for (size_t i = 0; i < n_slow; i++)
        postgres_lane_go(slow[i]);
    if (hub->main && hub->main->again.first)
        postgres_lane_go(hub->main);
}

/* ---- the driver ---- */

static int hub_on_ready(struct net_op *op, short revents, struct err_info *reterr)
{
    (void)op;
    (void)revents;
    (void)reterr;
    return 0; /* it has no descriptor */
}

static void hub_on_flush(struct net_op *op, bool is_last)
{
    struct postgres_hub *hub = (struct postgres_hub *)op;

    hub->is_last |= is_last;
    if (hub->pending.first)
        postgres_hub_place(hub);
    if (hub->is_last && hub->main)
        postgres_lane_close(hub->main);
}

static void hub_on_cancel(struct net_op *op)
{
    struct postgres_hub *hub = (struct postgres_hub *)op;

    while (hub->lanes)
        postgres_lane_end(hub->lanes);
    arena_done(&hub->arena);
    mem_free(hub);
}

static const struct net_op_ops hub_ops = {
    .on_ready = hub_on_ready, .on_cancel = hub_on_cancel, .on_flush = hub_on_flush};

int postgres_hub_get(struct postgres *postgres, struct net_loop *loop, struct postgres_hub **ret_hub,
                     struct err_info *reterr)
{
    struct net_op *driver = net_loop_driver(loop, &hub_ops, postgres);
    struct postgres_hub *hub = (struct postgres_hub *)driver;

    if (!hub) {
        hub = mem_calloc(1, sizeof *hub);
        if (!hub)
            return err_set(reterr, ERR_NOMEM, "not enough memory to ask");
        hub->op = (struct net_op){.ops = &hub_ops, .fd = -1, .owner = postgres};
        hub->postgres = postgres;
        hub->loop = loop;
        arena_init(&hub->arena, MAX_HUB_BYTES);
        net_loop_add_driver(loop, &hub->op);
    }
    *ret_hub = hub;
    return 0;
}
