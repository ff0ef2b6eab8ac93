/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding knowledge: by relevance through the resident index, and page by page. The index also says what
 * most rows say; the rest comes from the store, under the tenant and user again.
 */
#include "memory/memory_priv.h"

#include <inttypes.h>

/* ---- by relevance ---- */

struct reading {
    const struct hits_reading *of;
    size_t first, n; /* of the hits, in this statement */
};

static int take_row(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    const struct reading *reading = arg;
    int64_t row = memory_int_of(columns[0]);
    (void)n_columns;
    for (size_t i = reading->first; i < reading->first + reading->n; i++)
        if (reading->of->hits[i].row == row && !reading->of->hits[i].item)
            return reading->of->take(columns, i, reading->of->arg, reterr);
    return 0;
}

static int read_some(struct store_txn *txn, struct reading *reading, struct err_info *reterr)
{
    struct value params[2 + KNOWLEDGE_WANTED_ROWS] = {value_text(reading->of->scope.tenant),
                                                      value_text(reading->of->scope.user)};
    bool is_wanted = false;
    for (size_t i = 0; i < KNOWLEDGE_WANTED_ROWS; i++) { /* no row has the number -1 */
        bool has_row = i < reading->n && !reading->of->hits[reading->first + i].item;
        params[2 + i] = value_int(has_row ? reading->of->hits[reading->first + i].row : -1);
        is_wanted |= has_row;
    }
    if (!is_wanted)
        return 0;
    return store_query(txn, reading->of->sql, params, 2 + KNOWLEDGE_WANTED_ROWS, take_row, reading, reterr);
}

static int read_all(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    const struct hits_reading *of = arg;
    struct reading reading = {.of = of};
    int err = 0;
    for (size_t i = 0; i < of->n && !err; i += KNOWLEDGE_WANTED_ROWS) {
        reading.first = i;
        reading.n = of->n - i < KNOWLEDGE_WANTED_ROWS ? of->n - i : KNOWLEDGE_WANTED_ROWS;
        err = read_some(txn, &reading, reterr);
    }
    return err;
}

int knowledge_read_hits(struct memory *memory, const struct hits_reading *reading, struct err_info *reterr)
{
    for (size_t i = 0; i < reading->n; i++)
        if (!reading->hits[i].item)
            return store_read(memory->store, read_all, (void *)reading, reterr);
    return 0;
}

struct fetching {
    const struct search_hit *hits;
    struct knowledge *items; /* beside the hits; without an id until its row came */
    struct arena *arena;
};

static int take_item(const struct value *columns, size_t at, void *arg, struct err_info *reterr)
{
    struct fetching *fetching = arg;
    struct knowledge item;
    int64_t row;
    int err = knowledge_read(columns, fetching->arena, &row, &item, reterr);
    if (err)
        return err;
    item.score = fetching->hits[at].score;
    memcpy(item.score_parts, fetching->hits[at].parts, sizeof(item.score_parts));
    fetching->items[at] = item;
    return 0;
}

static struct knowledge item_of(const struct search_hit *hit, struct str user)
{
    const struct search_item *kept = hit->item;
    struct knowledge item = {.id = kept->id,
                             .content = kept->text,
                             .source = kept->source,
                             .tags = kept->tags,
                             .n_tags = kept->n_tags,
                             .metadata = kept->metadata,
                             .created_us = kept->created_us,
                             .updated_us = kept->updated_us,
                             .importance = kept->importance,
                             .score = hit->score,
                             .user = user};
    memcpy(item.score_parts, hit->parts, sizeof(item.score_parts));
    return item;
}

/* A row that was deleted after the index was asked does not come. */
static int fetch_items(struct memory *memory, const struct scope *scope, const struct search_hit *hits,
                       size_t n_hits, struct arena *arena, struct knowledge **ret_items, size_t *ret_n,
                       struct err_info *reterr)
{
    struct knowledge *items = arena_calloc(arena, n_hits, sizeof(*items));
    struct str user = arena_copy(arena, scope->user);
    if (arena_error(arena))
        return err_set(reterr, arena_error(arena), "no memory left for the answer");
    for (size_t i = 0; i < n_hits; i++)
        if (hits[i].item)
            items[i] = item_of(&hits[i], user);
    struct fetching fetching = {hits, items, arena};
    const struct hits_reading reading = {.sql = KNOWLEDGE_WANTED_SQL(KNOWLEDGE_COLUMNS),
                                         .scope = *scope,
                                         .hits = hits,
                                         .n = n_hits,
                                         .take = take_item,
                                         .arg = &fetching};
    int err = knowledge_read_hits(memory, &reading, reterr);
    if (err)
        return err;
    size_t n = 0;
    for (size_t i = 0; i < n_hits; i++)
        if (items[i].id.len)
            items[n++] = items[i];
    *ret_items = items;
    *ret_n = n;
    return 0;
}

static int check_query(const struct knowledge_query *query, struct err_info *reterr)
{
    int err = memory_check_limit(query->limit, reterr);
    if (!err)
        err = memory_check_text(query->query, "query", MEMORY_MAX_CONTENT_BYTES, true, reterr);
    if (!err)
        err = memory_check_text(query->source, "source", MEMORY_MAX_NAME_BYTES, true, reterr);
    if (!err)
        err = knowledge_check_tags(query->tags, query->n_tags, reterr);
    if (!err && !(query->min_score >= 0 && query->min_score <= 1))
        err = err_set_field(reterr, ERR_INVALID, "min_score", "min_score must be 0 to 1, not %g",
                            query->min_score);
    return err;
}

static void add_trouble(struct arena *arena, const char **degraded, const char *trouble)
{
    *degraded = arena_printf(arena, "%s%s%s", *degraded ? *degraded : "", *degraded ? "; " : "", trouble).ptr;
}

static bool have_items(const struct search_hit *hits, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!hits[i].item)
            return false;
    return true;
}

/* Hits for a checked query, as many as are wanted. A re-ranker needs more to choose from. */
static int find_hits(struct memory *memory, const struct scope *scope, const struct knowledge_query *query,
                     struct arena *arena, struct search_hit **ret_hits, size_t *ret_n, const char **degraded,
                     struct err_info *reterr)
{
    bool is_reranked = memory->rerank && query->mode == SEARCH_HYBRID;
    bool is_slow = is_reranked || (memory->has_slow_vectors && query->mode != SEARCH_KEYWORD);
    size_t n_candidates = is_reranked ? rerank_candidates(memory->rerank) : 0;
    struct err_info why = {0};
    bool is_degraded;
    struct search_query asked = {.tenant = scope->tenant,
                                 .user = scope->user,
                                 .text = query->query,
                                 .mode = query->mode,
                                 .now_us = clock_wall_us(memory->clock),
                                 .source = query->source,
                                 .tags = query->tags,
                                 .n_tags = query->n_tags,
                                 .since_us = query->since_us,
                                 .until_us = query->until_us,
                                 .min_score = query->min_score,
                                 .is_now = query->is_now,
                                 .is_distinct = query->is_distinct,
                                 .room_bytes = is_reranked ? 0 : query->room_bytes,
                                 .limit = query->limit > n_candidates ? query->limit : n_candidates};
    if (query->is_now && is_slow)
        return 1;
    int err = search_run(memory->search, &asked, arena, ret_hits, ret_n, &is_degraded, &why);
    if (err == 1 || (!err && query->is_now && !have_items(*ret_hits, *ret_n)))
        return 1;
    if (err)
        return err_set_field(reterr, err, why.field, "%s", why.message);
    if (is_degraded)
        add_trouble(arena, degraded, why.message);
    if (is_reranked && knowledge_rerank(memory, scope, query, *ret_hits, *ret_n, &why)) {
        err_prefix(&why, "not re-ranked: ");
        add_trouble(arena, degraded, why.message);
    }
    if (*ret_n > query->limit)
        *ret_n = query->limit;
    return 0;
}

int knowledge_search(struct memory *memory, const struct scope *scope, const struct knowledge_query *query,
                     struct arena *arena, struct knowledge **ret_items, size_t *ret_n,
                     const char **ret_degraded, struct err_info *reterr)
{
    struct scope full;
    struct search_hit *hits;
    const char *degraded = NULL;
    size_t n;
    int err = memory_check_scope(scope, &full, reterr);
    if (!err)
        err = check_query(query, reterr);
    if (!err)
        err = find_hits(memory, &full, query, arena, &hits, &n, &degraded, reterr);
    if (!err)
        err = fetch_items(memory, &full, hits, n, arena, ret_items, ret_n, reterr);
    if (!err)
        *ret_degraded = degraded;
    return err;
}

/* ---- page by page ---- */

/* A cursor is the place of the last item given, and a sum over it and its scope: not a secret, but one that
 * was cut, mistyped or belongs to another list is told from a good one. */
#define CURSOR_DIGITS 40
#define CURSOR_SEED   UINT64_C(0x70726563697331)

struct place {
    int64_t created_us, row;
};

static uint32_t cursor_sum(const struct scope *scope, struct place place)
{
    uint64_t sum = str_hash(str_make((const char *)&place, sizeof(place)), CURSOR_SEED);
    return (uint32_t)str_hash(scope->user, str_hash(scope->tenant, sum));
}

static struct str print_cursor(const struct scope *scope, struct place place, struct arena *arena)
{
    return arena_printf(arena, "%016" PRIx64 "%016" PRIx64 "%08" PRIx32, (uint64_t)place.created_us,
                        (uint64_t)place.row, cursor_sum(scope, place));
}

static bool read_hex(struct str digits, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *ret_value = value;
    return true;
}

static bool is_place(const struct scope *scope, struct str cursor, struct place *ret_place)
{
    uint64_t created_us, row, sum;
    if (cursor.len != CURSOR_DIGITS || !read_hex(str_slice(cursor, 0, 16), &created_us) ||
        !read_hex(str_slice(cursor, 16, 16), &row) || !read_hex(str_slice(cursor, 32, 8), &sum))
        return false;
    *ret_place = (struct place){(int64_t)created_us, (int64_t)row};
    return sum == cursor_sum(scope, *ret_place);
}

static int parse_cursor(const struct scope *scope, struct str cursor, struct place *ret_place,
                        struct err_info *reterr)
{
    if (cursor.len && !is_place(scope, cursor, ret_place))
        return err_set_field(reterr, ERR_INVALID, "cursor", "the cursor is not one that this list gave");
    if (!cursor.len)
        *ret_place = (struct place){INT64_MAX, INT64_MAX};
    return 0;
}

struct listing {
    struct scope scope;
    struct place after; /* only what comes behind it */
    size_t limit;
    struct arena *arena;
    struct knowledge *items;
    size_t n, cap;
    struct place last;
    bool has_more;
};

static int list_row(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    struct listing *listing = arg;
    (void)n_columns;
    if (listing->n == listing->limit) {
        listing->has_more = true;
        return 1;
    }
    listing->items =
        arena_grow(listing->arena, listing->items, listing->n, &listing->cap, sizeof(*listing->items));
    if (!listing->items)
        return err_set(reterr, arena_error(listing->arena), "the answer is larger than a request may hold");
    struct knowledge *item = &listing->items[listing->n];
    int err = knowledge_read(columns, listing->arena, &listing->last.row, item, reterr);
    if (err)
        return err;
    listing->last.created_us = item->created_us;
    listing->n++;
    return 0;
}

static int list_items(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    struct listing *listing = arg;
    struct value params[] = {value_text(listing->scope.tenant), value_text(listing->scope.user),
                             value_int(listing->after.created_us), value_int(listing->after.row),
                             value_int((int64_t)listing->limit + 1)};
    return store_query(
        txn,
        "SELECT " KNOWLEDGE_COLUMNS " FROM knowledge WHERE tenant = ?1 AND user_id = ?2 "
        "AND is_deleted = 0 AND (created_at, row) < (?3, ?4) ORDER BY created_at DESC, row DESC LIMIT ?5",
        params, 5, list_row, listing, reterr);
}

int knowledge_list(struct memory *memory, const struct scope *scope, size_t limit, struct str cursor,
                   struct arena *arena, struct knowledge **ret_items, size_t *ret_n, struct str *ret_cursor,
                   struct err_info *reterr)
{
    struct listing listing = {.limit = limit, .arena = arena};
    struct str next = STR_LIT("");
    int err = memory_check_scope(scope, &listing.scope, reterr);
    if (!err)
        err = memory_check_limit(limit, reterr);
    if (!err)
        err = parse_cursor(&listing.scope, cursor, &listing.after, reterr);
    if (!err)
        err = store_read(memory->store, list_items, &listing, reterr);
    if (err)
        return err;
    if (listing.has_more)
        next = print_cursor(&listing.scope, listing.last, arena);
    if (arena_error(arena))
        return err_set(reterr, arena_error(arena), "no memory left for the answer");
    *ret_items = listing.items;
    *ret_n = listing.n;
    *ret_cursor = next;
    return 0;
}
