/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store's tests share: a folder of their own for each test, a store in it, and a few one-line
 * transactions over the table of preferences.
 */
#ifndef PRECIS_TESTS_STORE_FIXTURE_H
#define PRECIS_TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../temp_folder.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the tests' folders are; a test that does not care for a real disk may choose another. */
#ifndef FIXTURE_PARENT
#define FIXTURE_PARENT "/tmp"
#endif

struct fixture {
    char folder[TEMP_FOLDER_SIZE];
    char path[96];
    char url[128];
    struct store *store; /* closed at the end if a test leaves it open */
};

static inline int fixture_open_with(struct fixture *fixture, struct store_options options,
                                    struct store **ret_store, struct err_info *reterr)
{
    options.url = fixture->url;
    options.clock = &clock_system;
    return store_open(&options, ret_store, reterr);
}

static inline struct store *fixture_open(struct fixture *fixture)
{
    struct store *store = NULL;
    struct err_info err = {0};

    if (fixture_open_with(fixture, (struct store_options){.may_create = true}, &store, &err) != 0)
        fail_msg("store_open: %s", err.message);
    return store;
}

static inline void fixture_path(const struct fixture *fixture, const char *name, char *ret_path, size_t size)
{
    (void)snprintf(ret_path, size, "%s/%s", fixture->folder, name);
}

static inline int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    if (!temp_folder_make(access(FIXTURE_PARENT, W_OK) == 0 ? FIXTURE_PARENT : "/tmp", fixture->folder))
        return -1;
    fixture_path(fixture, "precis.db", fixture->path, sizeof fixture->path);
    (void)snprintf(fixture->url, sizeof fixture->url, "sqlite:%s", fixture->path);
    *state = fixture;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;

    store_close(fixture->store);
    assert_true(temp_folder_remove(fixture->folder));
    free(fixture);
    return 0;
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

/* ---- transactions over preferences: user "u", key N ---- */

/* A key as the argument of a transaction. */
#define KEY(text) ((char[]){text})

static inline int put_key(struct store_txn *txn, const char *key, struct err_info *reterr)
{
    const struct value params[] = {value_text(str_of(key))};

    return store_exec(txn,
                      "INSERT INTO preferences (tenant, user_id, key, value, created_at, updated_at)"
                      " VALUES ('t', 'u', ?1, 'v', 0, 0)",
                      params, 1, reterr);
}

static inline int put_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    int r = put_key(txn, arg, reterr);
    return r < 0 ? r : store_touch(txn, STR_LIT("t"), STR_LIT("u"));
}

static inline int put(struct store *store, const char *key)
{
    return store_write(store, put_fn, (void *)(uintptr_t)key, NULL);
}

static inline int on_count_row(const struct value *columns, size_t n_columns, void *arg,
                               struct err_info *reterr)
{
    (void)reterr;
    assert_int_equal(n_columns, 1);
    *(int64_t *)arg = columns[0].integer;
    return 0;
}

static inline int count_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    return store_query(txn, "SELECT count(*) FROM preferences", NULL, 0, on_count_row, arg, reterr);
}

static inline int64_t count(struct store *store)
{
    int64_t n = -1;
    assert_int_equal(store_read(store, count_fn, &n, NULL), 0);
    return n;
}

struct has {
    const char *key;
    int64_t n;
};

static inline int has_fn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    struct has *has = arg;
    const struct value params[] = {value_text(str_of(has->key))};

    return store_query(txn, "SELECT count(*) FROM preferences WHERE key = ?1", params, 1, on_count_row,
                       &has->n, reterr);
}

static inline bool is_there(struct store *store, const char *key)
{
    struct has has = {.key = key};
    assert_int_equal(store_read(store, has_fn, &has, NULL), 0);
    return has.n == 1;
}

#endif
