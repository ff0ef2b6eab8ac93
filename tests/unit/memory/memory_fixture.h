/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of memory/ share: a real store in a folder of its own, a memory over it, a clock that stands
 * still, and one-line calls.
 */
#ifndef PRECIS_TESTS_MEMORY_FIXTURE_H
#define PRECIS_TESTS_MEMORY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../temp_folder.h"
#include "memory/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define START_US (INT64_C(1790000000) * US_PER_SEC)

struct fixture {
    char folder[TEMP_FOLDER_SIZE];
    char url[96];
    struct clock_manual clock;
    struct store *store;
    struct memory *memory;
    struct arena arena; /* of a test's results */
    struct err_info err;
};

static inline struct store *fixture_open_store(struct fixture *fixture)
{
    struct store_options options = {.url = fixture->url, .may_create = true, .clock = &fixture->clock.base};
    struct store *store = NULL;
    if (store_open(&options, &store, &fixture->err))
        fail_msg("store_open: %s", fixture->err.message);
    return store;
}

static inline int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (!temp_folder_make("/tmp", fixture->folder))
        return -1;
    (void)snprintf(fixture->url, sizeof(fixture->url), "sqlite:%s/precis.db", fixture->folder);
    clock_manual_init(&fixture->clock, START_US, 0);
    arena_init(&fixture->arena, 64 * 1024 * 1024);
    fixture->store = fixture_open_store(fixture);
    assert_int_equal(memory_new(fixture->store, &fixture->clock.base, NULL, &fixture->memory, &fixture->err),
                     0);
    *state = fixture;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    memory_free(fixture->memory);
    store_close(fixture->store);
    arena_done(&fixture->arena);
    assert_true(temp_folder_remove(fixture->folder));
    free(fixture);
    return 0;
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static inline struct scope scope_of(const char *tenant, const char *user)
{
    return (struct scope){str_of(tenant), str_of(user)};
}

static inline struct knowledge item_of(const char *content)
{
    return (struct knowledge){.content = str_of(content), .importance = NAN};
}

/* The id of a new item. */
static inline struct str add_item(struct fixture *fixture, struct scope scope, struct knowledge item)
{
    struct str id = {NULL, 0};
    if (knowledge_add(fixture->memory, &scope, &item, 1, &fixture->arena, &id, &fixture->err))
        fail_msg("knowledge_add: %s", fixture->err.message);
    return id;
}

static inline struct str add(struct fixture *fixture, struct scope scope, const char *content)
{
    return add_item(fixture, scope, item_of(content));
}

static inline struct knowledge_query query_of(const char *text)
{
    return (struct knowledge_query){
        .query = str_of(text), .limit = 50, .since_us = INT64_MIN, .until_us = INT64_MAX};
}

struct found {
    struct knowledge *items;
    size_t n;
    const char *degraded;
};

static inline struct found find_with(struct fixture *fixture, struct memory *memory, struct scope scope,
                                     struct knowledge_query query)
{
    struct found found = {0};
    if (knowledge_search(memory, &scope, &query, &fixture->arena, &found.items, &found.n, &found.degraded,
                         &fixture->err))
        fail_msg("knowledge_search: %s", fixture->err.message);
    return found;
}

static inline struct found find(struct fixture *fixture, struct scope scope, const char *text)
{
    struct knowledge_query query = query_of(text);
    query.mode = SEARCH_KEYWORD; /* a word is there or it is not */
    return find_with(fixture, fixture->memory, scope, query);
}

static inline bool has_id(struct found found, struct str id)
{
    for (size_t i = 0; i < found.n; i++)
        if (str_eq(found.items[i].id, id))
            return true;
    return false;
}

static inline void assert_str(struct str s, const char *expected)
{
    if (!str_is(s, expected))
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s), expected);
}

#endif
