/* SPDX-License-Identifier: Apache-2.0 */
#include "build/shelf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Objects are counters of their references. */
static void hold(void *object)
{
    (*(int *)object)++;
}

static void unref(void *object)
{
    (*(int *)object)--;
}

static const struct shelf_ops ops = {hold, unref};

static struct shelf_key key_of(unsigned char name)
{
    struct shelf_key key;
    memset(&key, name, sizeof key);
    return key;
}

static void put(struct shelf *shelf, unsigned char name, int *object, size_t bytes)
{
    struct shelf_key key = key_of(name);
    shelf_put(shelf, &key, object, bytes, STR_LIT("acme"), 1, 1000);
}

static bool has(struct shelf *shelf, unsigned char name)
{
    struct shelf_key key = key_of(name);
    int *object = shelf_get(shelf, &key, (struct shelf_fresh){.now_us = 0, .version = 1});
    if (object)
        unref(object);
    return object != NULL;
}

static void least_recently_used_goes_first(void **state)
{
    (void)state;
    struct shelf *shelf;
    int objects[4] = {0};
    assert_int_equal(shelf_new(&ops, 1 << 20, 3, &shelf), 0);
    for (unsigned char i = 0; i < 3; i++)
        put(shelf, i, &objects[i], 10);
    assert_true(has(shelf, 0));
    put(shelf, 3, &objects[3], 10);
    assert_true(has(shelf, 0));
    assert_false(has(shelf, 1));
    assert_true(has(shelf, 2));
    assert_true(has(shelf, 3));
    assert_int_equal(objects[1], 0);
    struct shelf_stats stats;
    shelf_describe(shelf, &stats);
    assert_int_equal(stats.n_entries, 3);
    assert_int_equal(stats.n_evicted, 1);
    shelf_free(shelf);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(objects[i], 0);
}

static void bytes_are_a_limit_too(void **state)
{
    (void)state;
    struct shelf *shelf;
    int objects[3] = {0};
    struct shelf_stats stats;
    assert_int_equal(shelf_new(&ops, 10000, 100, &shelf), 0);
    put(shelf, 0, &objects[0], 6000);
    put(shelf, 1, &objects[1], 3000);
    put(shelf, 2, &objects[2], 3000);
    assert_false(has(shelf, 0));
    assert_true(has(shelf, 1) && has(shelf, 2));
    put(shelf, 0, &objects[0], 20000);
    assert_false(has(shelf, 0));
    shelf_describe(shelf, &stats);
    assert_true(stats.bytes <= 10000);
    shelf_free(shelf);
}

static void what_is_replaced_is_let_go(void **state)
{
    (void)state;
    struct shelf *shelf;
    int first = 0, second = 0;
    assert_int_equal(shelf_new(&ops, 10000, 100, &shelf), 0);
    put(shelf, 7, &first, 10);
    put(shelf, 7, &second, 10);
    assert_int_equal(first, 0);
    assert_int_equal(second, 1);
    shelf_free(shelf);
}

static void wrong_version_or_time_is_not_found_and_goes(void **state)
{
    (void)state;
    struct shelf *shelf;
    int object = 0;
    struct shelf_key key = key_of(1);
    assert_int_equal(shelf_new(&ops, 10000, 100, &shelf), 0);
    put(shelf, 1, &object, 10);
    assert_null(shelf_get(shelf, &key, (struct shelf_fresh){.now_us = 0, .version = 2}));
    assert_int_equal(object, 0);
    put(shelf, 1, &object, 10);
    assert_null(shelf_get(shelf, &key, (struct shelf_fresh){.now_us = 1000, .version = 1}));
    assert_int_equal(object, 0);
    shelf_free(shelf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(least_recently_used_goes_first),
        cmocka_unit_test(bytes_are_a_limit_too),
        cmocka_unit_test(what_is_replaced_is_let_go),
        cmocka_unit_test(wrong_version_or_time_is_not_found_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
