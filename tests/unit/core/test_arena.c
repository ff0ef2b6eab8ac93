/* SPDX-License-Identifier: Apache-2.0
 *
 * The arena's promises: its cap, its latch, its order of release.
 */
#include "core/arena.h"

#include "core/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void pieces_are_aligned_and_apart(void **state)
{
    (void)state;
    struct arena arena;
    unsigned char *pieces[200];
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < 200; i++) {
        pieces[i] = arena_alloc(&arena, i + 1);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        memset(pieces[i], (int)i, i + 1);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t j = 0; j <= i; j++)
            assert_int_equal(pieces[i][j], i);
    arena_done(&arena);
}

static void cap_holds_and_latches(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 10000);
    assert_non_null(arena_alloc(&arena, 5000));
    assert_null(arena_alloc(&arena, 8000));
    assert_int_equal(arena_error(&arena), ERR_LIMIT);
    assert_null(arena_alloc(&arena, 1)); /* latched, though there would be room */
    assert_true(arena.used_bytes <= 10000);
    arena_reset(&arena);
    assert_int_equal(arena_error(&arena), 0);
    assert_non_null(arena_alloc(&arena, 5000));
    arena_done(&arena);
}

static void cap_can_be_used_up(void **state)
{
    (void)state;
    struct arena arena;
    size_t n = 0;
    arena_init(&arena, 100 * 1000);
    while (arena_alloc(&arena, 100))
        n++;
    assert_true(n * 112 > 90 * 1000); /* little is lost to blocks */
    assert_int_equal(arena_error(&arena), ERR_LIMIT);
    arena_done(&arena);
}

static void product_that_overflows_is_refused(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1000);
    assert_null(arena_calloc(&arena, SIZE_MAX / 2, 4));
    assert_int_equal(arena_error(&arena), ERR_LIMIT);
    arena_done(&arena);
}

static void size_near_the_maximum_is_refused(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1000);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_int_equal(arena_error(&arena), ERR_LIMIT);
    arena_done(&arena);
}

static void calloc_zeroes_what_was_used_before(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 10000);
    unsigned char *bytes = arena_calloc(&arena, 16, 16);
    for (size_t i = 0; i < 256; i++)
        assert_int_equal(bytes[i], 0);
    arena_done(&arena);
}

static void large_piece_leaves_room_of_the_block(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    char *before = arena_alloc(&arena, 16);
    assert_non_null(arena_alloc(&arena, 100 * 1000));
    assert_ptr_equal(arena_alloc(&arena, 16), before + 16);
    arena_done(&arena);
}

static void copies_end_in_nul(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 10000);
    struct str copy = arena_copy(&arena, str_make("abcdef", 3));
    assert_int_equal(copy.len, 3);
    assert_string_equal(copy.ptr, "abc");
    assert_string_equal(arena_strdup(&arena, (struct str){NULL, 0}), "");
    assert_string_equal(arena_printf(&arena, "%d-%s", 7, "x").ptr, "7-x");
    arena_done(&arena);
}

static void grown_array_keeps_its_elements(void **state)
{
    (void)state;
    struct arena arena;
    int *items = NULL;
    size_t cap = 0;
    arena_init(&arena, 1 << 20);
    for (int i = 0; i < 1000; i++) {
        items = arena_grow(&arena, items, (size_t)i, &cap, sizeof(*items));
        assert_non_null(items);
        items[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(items[i], i);
    arena_done(&arena);
}

static void count_release(void *object)
{
    *(int *)object += 1;
}

static void held_objects_are_released_once(void **state)
{
    (void)state;
    struct arena arena;
    int n_first = 0, n_refused = 0;
    arena_init(&arena, 10000);
    assert_int_equal(arena_hold(&arena, &n_first, count_release), 0);
    assert_null(arena_alloc(&arena, 20000));
    assert_int_equal(arena_hold(&arena, &n_refused, count_release), ERR_LIMIT);
    assert_int_equal(n_refused, 1); /* at once, because it could not be held */
    assert_int_equal(n_first, 0);
    arena_done(&arena);
    arena_done(&arena);
    assert_int_equal(n_first, 1);
    assert_int_equal(n_refused, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_apart),
        cmocka_unit_test(cap_holds_and_latches),
        cmocka_unit_test(cap_can_be_used_up),
        cmocka_unit_test(product_that_overflows_is_refused),
        cmocka_unit_test(size_near_the_maximum_is_refused),
        cmocka_unit_test(calloc_zeroes_what_was_used_before),
        cmocka_unit_test(large_piece_leaves_room_of_the_block),
        cmocka_unit_test(copies_end_in_nul),
        cmocka_unit_test(grown_array_keeps_its_elements),
        cmocka_unit_test(held_objects_are_released_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
