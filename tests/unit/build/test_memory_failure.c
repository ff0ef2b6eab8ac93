/* SPDX-License-Identifier: Apache-2.0
 *
 * The n-th allocation of a build fails, for every n: the answer is right, or labelled as partial, or the
 * error is clean; the cache and the engine go on. This file brings its own heap in place of core/mem.c.
 */
#include "core/mem.h"

#include "fake.h"

#include <stdlib.h>

/* How many more allocations succeed; negative: all of them. Workers allocate, too. */
static int n_left = -1;

static bool may_allocate(void)
{
    if (__atomic_load_n(&n_left, __ATOMIC_RELAXED) < 0)
        return true;
    /* Once it has failed it goes on well: one failure a run. */
    return __atomic_fetch_sub(&n_left, 1, __ATOMIC_RELAXED) != 0;
}

void *mem_alloc(size_t size)
{
    return may_allocate() ? malloc(size ? size : 1) : NULL;
}

void *mem_calloc(size_t n, size_t size)
{
    if (!may_allocate())
        return NULL;
    return n && size ? calloc(n, size) : calloc(1, 1);
}

void *mem_realloc(void *ptr, size_t size)
{
    return may_allocate() ? realloc(ptr, size ? size : 1) : NULL;
}

void *mem_dup(const void *ptr, size_t size)
{
    void *copy = mem_alloc(size);
    if (copy && size)
        memcpy(copy, ptr, size);
    return copy;
}

char *mem_strdup(const char *text)
{
    return mem_dup(text, strlen(text) + 1);
}

void *mem_free(void *ptr)
{
    free(ptr);
    return NULL;
}

static const char *const recipe =
    "recipe: test\n"
    "deadline: 20s\n"
    "cache: { ttl: 1m, stale: 1h }\n"
    "params:\n"
    "  user_id: { type: text, required: true }\n"
    "resolve:\n"
    "  user: { from: polled, rows: 'place=Oslo,zone=Europe/Oslo' }\n"
    "zone: user.zone\n"
    "sections:\n"
    "  - { name: notes, title: Notes, from: fake, dedupe: true, shorten: true,\n"
    "      rows: 't=one\xC3\xA9;t=two;t=two;t=three', item: '- {t} ({user.place})' }\n"
    "  - { name: plain, from: fake, rows: 'a=1,b=$[1]', empty: none }\n"
    "  - { name: weather, title: Weather, from: polled, rows: 't={user.place}' }\n";

static struct build_request ask(enum build_format format)
{
    static struct field params[] = {{{"user_id", 7}, {VALUE_TEXT, {.text = {"ann", 3}}}}};
    struct build_request request = fake_request();
    request.params = params;
    request.n_params = 1;
    request.cache = CACHE_USE;
    request.format = format;
    request.wants_explain = true;
    request.max_tokens = 40;
    return request;
}

/* True when the build was what it is without failures. */
static bool build_with_failure_at(struct fixture *fixture, enum build_format format, int n, struct str whole)
{
    struct build_request request = ask(format);
    struct build_outcome outcome;
    struct err_info err = {0};
    bool is_whole = false;
    (void)build_cache_clear(fixture->engine, STR_LIT("acme"), true);
    __atomic_store_n(&n_left, n, __ATOMIC_RELAXED);
    int rc = build_run(fixture->engine, &request, &outcome, &err);
    bool has_failed = __atomic_load_n(&n_left, __ATOMIC_RELAXED) < 0;
    __atomic_store_n(&n_left, -1, __ATOMIC_RELAXED);
    if (rc == 0) {
        /* Complete is right; anything less says so. */
        if (outcome.answer->is_complete)
            assert_true(str_eq(outcome.answer->context, whole));
        is_whole = !has_failed;
        build_answer_unref(outcome.answer);
    } else {
        assert_true(rc == ERR_NOMEM || rc == ERR_UNAVAILABLE);
        assert_true(err.message[0] != '\0');
    }
    return is_whole;
}

static void every_allocation_of_a_build_may_fail(void **state)
{
    (void)state;
    for (int format = FORMAT_MARKDOWN; format <= FORMAT_MESSAGES; format++) {
        struct fixture fixture;
        struct build_request request = ask((enum build_format)format);
        fixture_init(&fixture, recipe);
        struct build_answer *answer = fixture_build(&fixture, &request);
        int n = 0;
        while (n < 5000 && !build_with_failure_at(&fixture, (enum build_format)format, n, answer->context))
            n++;
        assert_in_range(n, 20, 4999);
        /* Nothing was broken for those who come after. */
        (void)build_cache_clear(fixture.engine, STR_LIT("acme"), true);
        struct build_answer *after = fixture_build(&fixture, &request);
        assert_true(after->is_complete && str_eq(after->context, answer->context));
        build_answer_unref(after);
        build_answer_unref(answer);
        fixture_done(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_of_a_build_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
