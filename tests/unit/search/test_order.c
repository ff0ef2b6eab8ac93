/* SPDX-License-Identifier: Apache-2.0
 *
 * Neighbours: after any sequence of additions, changes, deletions and compactions they are those of a list
 * that is sorted anew each time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/clock.h"
#include "search/order.h"

#include <stdlib.h>

#define MINUTE_US ((int64_t)60 * US_PER_SEC)

struct talk {
    struct docs docs;
    struct order order;
};

static void talk_init(struct talk *talk)
{
    docs_init(&talk->docs);
    order_init(&talk->order);
}

static void talk_done(struct talk *talk)
{
    order_done(&talk->order);
    docs_done(&talk->docs);
}

static uint32_t put(struct talk *talk, int64_t row, const char *thread, const char *speaker,
                    int64_t created_us)
{
    uint32_t number;
    struct search_doc doc = {.row = row,
                             .text = STR_LIT("hello"),
                             .source = STR_LIT("chat"),
                             .thread = str_of(thread),
                             .speaker = str_of(speaker),
                             .created_us = created_us};
    assert_int_equal(order_reserve(&talk->order), 0);
    assert_int_equal(docs_add(&talk->docs, &doc, &number), 0);
    order_add(&talk->order);
    docs_publish(&talk->docs, number, 1);
    return number;
}

static void settle(struct talk *talk)
{
    assert_int_equal(order_settle(&talk->order, &talk->docs), 0);
}

/* The row so many neighbours away from the row; 0: none. */
static int64_t beside(struct talk *talk, int64_t row, int distance)
{
    uint32_t at = talk->order.places[docs_find(&talk->docs, row)];
    for (int i = 0; i < abs(distance) && at != ORDER_NONE; i++)
        at = order_next(&talk->order, &talk->docs, at, distance < 0 ? -1 : 1);
    return at == ORDER_NONE ? 0 : talk->docs.items[talk->order.docs[at]].row;
}

static void turns_stand_in_order_of_time(void **state)
{
    struct talk talk;
    (void)state;
    talk_init(&talk);
    static const int64_t minutes[] = {3, 1, 5, 2, 4, 0}; /* rows 1 to 6 */
    for (int64_t row = 1; row <= 6; row++) {
        put(&talk, row, "t", "Ann", minutes[row - 1] * MINUTE_US);
        if (row % 2)
            settle(&talk);
    }
    settle(&talk);
    assert_int_equal(beside(&talk, 1, -1), 4);
    assert_int_equal(beside(&talk, 1, -2), 2);
    assert_int_equal(beside(&talk, 1, -3), 6);
    assert_int_equal(beside(&talk, 1, -4), 0);
    assert_int_equal(beside(&talk, 1, 0), 1);
    assert_int_equal(beside(&talk, 1, 1), 5);
    assert_int_equal(beside(&talk, 1, 2), 3);
    assert_int_equal(beside(&talk, 1, 3), 0);
    talk_done(&talk);
}

static void turns_of_one_moment_stand_by_row(void **state)
{
    struct talk talk;
    (void)state;
    talk_init(&talk);
    for (int64_t row = 9; row >= 1; row--)
        put(&talk, row, "t", "Ann", 0);
    settle(&talk);
    for (int distance = -4; distance <= 4; distance++)
        assert_int_equal(beside(&talk, 5, distance), 5 + distance);
    talk_done(&talk);
}

static void threads_and_hours_part_conversations(void **state)
{
    struct talk talk;
    (void)state;
    talk_init(&talk);
    put(&talk, 1, "a", "Ann", 0);
    put(&talk, 2, "b", "Ann", MINUTE_US);
    put(&talk, 3, "a", "Bob", 60 * MINUTE_US);
    put(&talk, 4, "a", "Ann", 120 * MINUTE_US + 1);
    settle(&talk);
    assert_int_equal(beside(&talk, 1, 1), 3); /* an hour, no more */
    assert_int_equal(beside(&talk, 3, 1), 0);
    assert_int_equal(beside(&talk, 4, -1), 0);
    assert_int_equal(beside(&talk, 2, -1), 0);
    assert_int_equal(beside(&talk, 2, 1), 0);
    talk_done(&talk);
}

static void notes_have_no_neighbours_and_are_none(void **state)
{
    struct talk talk;
    (void)state;
    talk_init(&talk);
    put(&talk, 1, "t", "Ann", 0);
    put(&talk, 2, "t", "", 1);
    put(&talk, 3, "t", "", 2);
    put(&talk, 4, "t", "Ann", 3);
    put(&talk, 5, "t", "Ann", 4);
    settle(&talk);
    assert_int_equal(beside(&talk, 1, 1), 0);
    assert_int_equal(beside(&talk, 2, 1), 0);
    assert_int_equal(beside(&talk, 3, -1), 0);
    assert_int_equal(beside(&talk, 4, -1), 0);
    assert_int_equal(beside(&talk, 4, 1), 5);
    talk_done(&talk);
}

static void item_is_alone_until_it_is_settled(void **state)
{
    struct talk talk;
    (void)state;
    talk_init(&talk);
    put(&talk, 1, "t", "Ann", 0);
    put(&talk, 2, "t", "Ann", 1);
    assert_int_equal(beside(&talk, 2, -1), 0);
    settle(&talk);
    put(&talk, 3, "t", "Ann", 2);
    assert_int_equal(beside(&talk, 2, -1), 1);
    assert_int_equal(beside(&talk, 2, 1), 0);
    assert_int_equal(beside(&talk, 3, -1), 0);
    talk_done(&talk);
}

static void any_number_of_dead_is_passed_over(void **state)
{
    struct talk talk;
    (void)state;
    talk_init(&talk);
    put(&talk, 1, "t", "Ann", 0);
    for (int i = 0; i < 1000; i++) /* changed a thousand times */
        put(&talk, 2, "t", "Bob", 1);
    put(&talk, 3, "t", "Ann", 2);
    settle(&talk);
    assert_int_equal(beside(&talk, 1, 1), 2);
    assert_int_equal(beside(&talk, 1, 2), 3);
    assert_int_equal(beside(&talk, 3, -2), 1);
    docs_kill(&talk.docs, docs_find(&talk.docs, 2));
    assert_int_equal(beside(&talk, 1, 1), 3);
    talk_done(&talk);
}

static void times_without_end_are_far_apart(void **state)
{
    struct talk talk;
    (void)state;
    talk_init(&talk);
    put(&talk, 1, "t", "Ann", INT64_MIN);
    put(&talk, 2, "t", "Ann", INT64_MAX);
    put(&talk, 3, "t", "Ann", INT64_MAX - 1);
    put(&talk, 4, "t", "Ann", -1);
    settle(&talk);
    assert_int_equal(beside(&talk, 1, 1), 0);
    assert_int_equal(beside(&talk, 4, 1), 0);
    assert_int_equal(beside(&talk, 3, 1), 2);
    talk_done(&talk);
}

/* ---- against the slow way ---- */

static unsigned next_random(unsigned *seed, unsigned below)
{
    *seed = *seed * 1103515245 + 12345;
    return (*seed >> 8) % below;
}

static bool comes_before(const struct doc *left, const struct doc *right)
{
    if (left->created_us != right->created_us)
        return left->created_us < right->created_us;
    return left->row < right->row;
}

/* The living one of the same thread that stands next to it, by looking at all. */
static uint32_t next_slowly(const struct docs *docs, uint32_t doc, int direction)
{
    const struct doc *item = &docs->items[doc], *best = NULL;
    for (uint32_t i = 0; i < docs->n; i++) {
        const struct doc *other = &docs->items[i];
        if (!other->is_live || i == doc || other->thread != item->thread || other->source != item->source)
            continue;
        if (comes_before(other, item) != (direction < 0))
            continue;
        if (!best || comes_before(other, best) == (direction > 0))
            best = other;
    }
    if (!best || best->speaker == INTERN_NONE || item->speaker == INTERN_NONE ||
        llabs(best->created_us - item->created_us) > 60 * MINUTE_US)
        return DOC_NONE;
    return (uint32_t)(best - docs->items);
}

static void expect_neighbours(struct talk *talk)
{
    for (uint32_t doc = 0; doc < talk->docs.n; doc++) {
        if (!talk->docs.items[doc].is_live)
            continue;
        uint32_t place = talk->order.places[doc];
        assert_int_equal(talk->order.docs[place], doc);
        for (int direction = -1; direction <= 1; direction += 2) {
            uint32_t next = order_next(&talk->order, &talk->docs, place, direction);
            assert_int_equal(next == ORDER_NONE ? DOC_NONE : talk->order.docs[next],
                             next_slowly(&talk->docs, doc, direction));
        }
    }
}

static void compact(struct talk *talk)
{
    uint32_t *map = malloc((talk->docs.n + 1) * sizeof(*map));
    docs_plan_compaction(&talk->docs, map);
    order_compact(&talk->order, map);
    docs_compact(&talk->docs);
    free(map);
}

static void neighbours_are_those_of_a_list_sorted_anew(void **state)
{
    static const char *const threads[] = {"a", "b", ""};
    static const char *const speakers[] = {"Ann", "Bob", "user", ""};
    (void)state;
    for (unsigned seed = 1; seed <= 20; seed++) {
        unsigned random = seed;
        struct talk talk;
        int64_t n_rows = 0;
        talk_init(&talk);
        for (int step = 0; step < 30; step++) {
            for (unsigned i = next_random(&random, 20); i > 0; i--) {
                unsigned kind = next_random(&random, 8);
                int64_t row = n_rows && kind < 4 ? 1 + next_random(&random, (unsigned)n_rows) : 0;
                uint32_t old = row ? docs_find(&talk.docs, row) : DOC_NONE;
                if (kind < 2 && old != DOC_NONE)
                    docs_kill(&talk.docs, old);
                else
                    put(&talk, old != DOC_NONE ? row : ++n_rows, threads[next_random(&random, 3)],
                        speakers[next_random(&random, 30) ? next_random(&random, 3) : 3],
                        next_random(&random, 100) * 5 * MINUTE_US);
            }
            bool is_before = next_random(&random, 2);
            if (next_random(&random, 4) == 0 && is_before)
                compact(&talk); /* with some not yet sorted in */
            settle(&talk);
            if (next_random(&random, 4) == 0)
                compact(&talk);
            expect_neighbours(&talk);
        }
        talk_done(&talk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_stand_in_order_of_time),
        cmocka_unit_test(turns_of_one_moment_stand_by_row),
        cmocka_unit_test(threads_and_hours_part_conversations),
        cmocka_unit_test(notes_have_no_neighbours_and_are_none),
        cmocka_unit_test(item_is_alone_until_it_is_settled),
        cmocka_unit_test(any_number_of_dead_is_passed_over),
        cmocka_unit_test(times_without_end_are_far_apart),
        cmocka_unit_test(neighbours_are_those_of_a_list_sorted_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
