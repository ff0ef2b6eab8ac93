/* SPDX-License-Identifier: Apache-2.0
 *
 * The map beside a plain array that does the same, and in the cases where open addressing goes wrong.
 */
#include "core/map.h"

#include "core/err.h"

#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../fail_mem.h"

static struct str key_of(int number, char *text)
{
    return str_make(text, (size_t)snprintf(text, 32, "key-%d", number));
}

static void value_put_is_the_value_got(void **state)
{
    (void)state;
    struct map map;
    int a = 1, b = 2;
    void *old = &a;
    map_init(&map);
    assert_null(map_get(&map, STR_LIT("x")));
    assert_int_equal(map_put(&map, STR_LIT("x"), &a, &old), 0);
    assert_null(old);
    assert_int_equal(map_put(&map, STR_LIT("x"), &b, &old), 0);
    assert_ptr_equal(old, &a);
    assert_ptr_equal(map_get(&map, STR_LIT("x")), &b);
    assert_int_equal(map.n, 1);
    assert_ptr_equal(map_remove(&map, STR_LIT("x")), &b);
    assert_null(map_remove(&map, STR_LIT("x")));
    assert_int_equal(map.n, 0);
    map_done(&map);
}

static void keys_are_bytes_and_are_copied(void **state)
{
    (void)state;
    struct map map;
    char text[] = "a\0b";
    map_init(&map);
    assert_int_equal(map_put(&map, str_make(text, 3), text, NULL), 0);
    assert_int_equal(map_put(&map, str_make(text, 1), &map, NULL), 0);
    assert_int_equal(map_put(&map, (struct str){NULL, 0}, state, NULL), 0);
    assert_int_equal(map.n, 3);
    text[0] = 'z';
    assert_ptr_equal(map_get(&map, str_make("a\0b", 3)), text);
    assert_ptr_equal(map_get(&map, STR_LIT("a")), &map);
    assert_ptr_equal(map_get(&map, STR_LIT("")), state);
    map_done(&map);
}

static void map_agrees_with_an_array_under_random_use(void **state)
{
    (void)state;
    enum { N_KEYS = 300, N_STEPS = 20000 };
    static char values[N_KEYS];
    void *wanted[N_KEYS] = {0};
    struct map map;
    char text[32];
    map_init(&map);
    srandom(11);
    for (int step = 0; step < N_STEPS; step++) {
        int k = (int)(random() % N_KEYS);
        if (random() % 2) {
            void *old = NULL;
            assert_int_equal(map_put(&map, key_of(k, text), &values[k], &old), 0);
            assert_ptr_equal(old, wanted[k]);
            wanted[k] = &values[k];
        } else {
            assert_ptr_equal(map_remove(&map, key_of(k, text)), wanted[k]);
            wanted[k] = NULL;
        }
    }
    size_t n = 0, pos = 0, n_walked = 0;
    for (int k = 0; k < N_KEYS; k++) {
        assert_ptr_equal(map_get(&map, key_of(k, text)), wanted[k]);
        n += wanted[k] != NULL;
    }
    assert_int_equal(map.n, n);
    while (map_next(&map, &pos))
        n_walked++;
    assert_int_equal(n_walked, n);
    map_done(&map);
}

/* Every key of one home slot, and the slot is the last, so that the run wraps around. */
static void removal_closes_a_run_that_wraps_around(void **state)
{
    (void)state;
    struct map map;
    char text[32];
    int found[5], n = 0;
    map_init(&map);
    for (int k = 0; n < 5; k++)
        if ((str_hash(key_of(k, text), map.seed) & 15) == 15)
            found[n++] = k;
    for (int i = 0; i < 5; i++)
        assert_int_equal(map_put(&map, key_of(found[i], text), &found[i], NULL), 0);
    assert_int_equal(map.cap, 16);
    for (int i = 0; i < 5; i++) {
        assert_ptr_equal(map_remove(&map, key_of(found[i], text)), &found[i]);
        for (int j = i + 1; j < 5; j++)
            assert_ptr_equal(map_get(&map, key_of(found[j], text)), &found[j]);
    }
    map_done(&map);
}

static void failed_put_leaves_the_map_as_it_was(void **state)
{
    (void)state;
    struct map map;
    char text[32];
    int value;
    for (int n_before = 0; n_before < 30; n_before++) {
        map_init(&map);
        for (int k = 0; k < n_before; k++)
            assert_int_equal(map_put(&map, key_of(k, text), &value, NULL), 0);
        fail_mem_at(1);
        assert_int_equal(map_put(&map, key_of(1000, text), &value, NULL), ERR_NOMEM);
        assert_false(fail_mem_is_pending());
        assert_int_equal(map.n, n_before);
        assert_null(map_get(&map, key_of(1000, text)));
        for (int k = 0; k < n_before; k++)
            assert_ptr_equal(map_get(&map, key_of(k, text)), &value);
        map_done(&map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_put_is_the_value_got),
        cmocka_unit_test(keys_are_bytes_and_are_copied),
        cmocka_unit_test(map_agrees_with_an_array_under_random_use),
        cmocka_unit_test(removal_closes_a_run_that_wraps_around),
        cmocka_unit_test(failed_put_leaves_the_map_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
