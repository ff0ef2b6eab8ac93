/* SPDX-License-Identifier: Apache-2.0
 *
 * Index against store: every user's index is built and counted. The users come in pages, so that a store of
 * very many takes little memory.
 */
#include "memory/memory_priv.h"

#include <inttypes.h>

#define PAGE_USERS     256
#define MAX_PAGE_BYTES ((size_t)1024 * 1024)

struct page {
    struct scope after; /* only what comes behind it */
    struct scope scopes[PAGE_USERS];
    int64_t n_rows[PAGE_USERS];
    size_t n;
    struct arena arena;
};

static int read_user(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    struct page *page = arg;
    (void)n_columns;
    page->scopes[page->n] = (struct scope){.tenant = memory_copy_text(&page->arena, columns[0]),
                                           .user = memory_copy_text(&page->arena, columns[1])};
    page->n_rows[page->n++] = memory_int_of(columns[2]);
    int err = arena_error(&page->arena);
    return err ? err_set(reterr, err, "out of memory while checking the index") : 0;
}

static int read_page(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    struct page *page = arg;
    struct value params[] = {value_text(page->after.tenant), value_text(page->after.user),
                             value_int(PAGE_USERS)};
    return store_query(txn,
                       "SELECT tenant, user_id, count(*) FROM knowledge WHERE (tenant, user_id) > (?1, ?2) "
                       "AND is_deleted = 0 GROUP BY tenant, user_id ORDER BY tenant, user_id LIMIT ?3",
                       params, 3, read_user, page, reterr);
}

struct changes {
    int64_t last, counter;
};

static int read_changes(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    struct changes *changes = arg;
    (void)n_columns;
    (void)reterr;
    *changes = (struct changes){memory_int_of(columns[0]), memory_int_of(columns[1])};
    return 0;
}

/* The index would not notice a row that is written under a number it has passed already. */
static int check_changes(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    struct changes changes = {0, 0};
    (void)arg;
    int err = store_query(txn,
                          "SELECT (SELECT max(change) FROM knowledge), "
                          "(SELECT value FROM change_counter WHERE one = 1)",
                          NULL, 0, read_changes, &changes, reterr);
    if (!err && changes.counter < changes.last)
        err = err_set(reterr, ERR_CORRUPT,
                      "changes are counted up to %" PRId64 " and a row has %" PRId64
                      ": what is written next may not be found",
                      changes.counter, changes.last);
    return err;
}

static int check_user(struct memory *memory, const struct scope *scope, struct err_info *reterr)
{
    struct search_query nothing = {.tenant = scope->tenant,
                                   .user = scope->user,
                                   .since_us = INT64_MIN,
                                   .until_us = INT64_MAX,
                                   .limit = 1};
    struct search_hit *hits;
    struct arena arena;
    struct err_info why = {0};
    bool is_degraded = false;
    size_t n_hits;
    arena_init(&arena, MAX_PAGE_BYTES);
    int err = search_run(memory->search, &nothing, &arena, &hits, &n_hits, &is_degraded, &why);
    arena_done(&arena);
    if (err || is_degraded)
        err = err_set(reterr, err ? err : ERR_CORRUPT, "tenant '%.*s', user '%.*s': %s",
                      STR_ARG(scope->tenant), STR_ARG(scope->user), why.message);
    return err;
}

static int check_page(struct memory *memory, struct page *page, int64_t deadline_us,
                      struct memory_check *check, struct err_info *reterr)
{
    int err = store_read(memory->store, read_page, page, reterr);
    for (size_t i = 0; i < page->n && !err && !check->is_cut_short; i++) {
        err = check_user(memory, &page->scopes[i], reterr);
        check->n_users++;
        check->n_rows += (size_t)page->n_rows[i];
        check->is_cut_short = clock_mono_us(memory->clock) >= deadline_us;
    }
    return err;
}

int memory_check(struct memory *memory, int64_t deadline_us, struct memory_check *ret_check,
                 struct err_info *reterr)
{
    struct memory_check check = {0, 0, false};
    struct page page = {.after = {STR_LIT(""), STR_LIT("")}};
    struct arena names; /* of page.after, which outlives its page */
    int err = store_read(memory->store, check_changes, NULL, reterr);
    arena_init(&page.arena, MAX_PAGE_BYTES);
    arena_init(&names, MAX_PAGE_BYTES);
    do {
        arena_reset(&page.arena);
        page.n = 0;
        if (!err)
            err = check_page(memory, &page, deadline_us, &check, reterr);
        if (!err && page.n) {
            arena_reset(&names);
            page.after = (struct scope){arena_copy(&names, page.scopes[page.n - 1].tenant),
                                        arena_copy(&names, page.scopes[page.n - 1].user)};
            err = arena_error(&names) ? err_set(reterr, arena_error(&names), "out of memory") : 0;
        }
    } while (!err && page.n == PAGE_USERS && !check.is_cut_short);
    arena_done(&page.arena);
    arena_done(&names);
    if (!err)
        *ret_check = check;
    return err;
}
