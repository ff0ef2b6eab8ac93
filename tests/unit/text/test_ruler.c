/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts of a text counted through a ruler, and texts joined at breaks, against counts of the whole: over
 * random texts in many scripts, made of what pieces begin and end with.
 */
#include "core/buf.h"
#include "text/cut.h"
#include "text/ruler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const snippets[] = {
    "a",
    "the",
    " quick",
    "Brown",
    "FOX",
    "camelCase",
    "don't",
    "'",
    "'s",
    "'LL",
    "\u017f",
    " ",
    "  ",
    "\t",
    "\n",
    "\n\n",
    "\r\n",
    " \n ",
    "/",
    "//",
    "\n/",
    "-",
    "- ",
    "## ",
    ".",
    "...",
    "!?",
    ", ",
    "(",
    ")",
    "\"",
    "{\"id\":",
    "},{",
    "\\n",
    "1",
    "42",
    "123456",
    "\u00a0",
    "\u3000",
    "\u2028",
    "é",
    "e\u0301",
    "\u0301",
    "Straße",
    "Ünïcödé",
    "привет",
    "ДОМ",
    "γειά",
    "שלום",
    "مرحبا",
    "हिन्दी",
    "ไทย",
    "東京",
    "は晴れ",
    "。",
    "한국어",
    "، ",
    "🙂",
    "👩\u200d👩\u200d👧",
    "½",
    "Ⅷ",
    "\xff",
    "\xc3",
    "\xe3\x80",
    "\xf0\x9f",
    "\x80",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!",
    "                    ",
    "https://example.com/a?b=c",
};

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static size_t random_below(uint64_t *seed, size_t n)
{
    return (size_t)(random_next(seed) % n);
}

static void append_random(struct buf *buf, uint64_t *seed, size_t n_snippets)
{
    for (size_t i = 0; i < n_snippets; i++)
        buf_append_text(buf, snippets[random_below(seed, sizeof snippets / sizeof *snippets)]);
}

static void expect_interval(const struct token_ruler *ruler, size_t from, size_t to)
{
    int64_t wanted = ruler->tokenizer->units(str_slice(ruler->text, from, to - from));
    int64_t got = token_ruler_units(ruler, from, to);
    if (got != wanted)
        fail_msg("%s: %lld instead of %lld for bytes %zu to %zu of '%.*s'", ruler->tokenizer->name,
                 (long long)got, (long long)wanted, from, to, STR_ARG(ruler->text));
}

static void intervals_count_what_they_count_alone(void **state)
{
    (void)state;
    uint64_t seed = 20261121;
    struct buf text;
    struct token_ruler ruler;
    buf_init(&text, SIZE_MAX / 2);
    for (int round = 0; round < 300; round++) {
        buf_clear(&text);
        append_random(&text, &seed, 1 + random_below(&seed, 400));
        for (size_t t = 0; tokenizer_all()[t]; t++) {
            token_ruler_init(&ruler, tokenizer_all()[t], buf_str(&text), INT64_MAX);
            assert_true(token_ruler_is_whole(&ruler));
            expect_interval(&ruler, 0, text.len);
            for (int i = 0; i < 60; i++) {
                size_t from = random_below(&seed, 3) ? random_below(&seed, text.len + 1) : 0;
                expect_interval(&ruler, from, from + random_below(&seed, text.len - from + 1));
                if (i < (int)ruler.n) /* at and around the marks */
                    for (size_t to = ruler.marks[i]; to <= text.len && to < ruler.marks[i] + 6; to++)
                        expect_interval(&ruler, 0, to);
            }
        }
    }
    buf_done(&text);
}

static void texts_joined_at_a_break_add_up(void **state)
{
    (void)state;
    uint64_t seed = 5;
    struct buf buf;
    size_t n_found = 0;
    buf_init(&buf, SIZE_MAX / 2);
    for (int round = 0; round < 60000; round++) {
        const struct tokenizer *tokenizer = tokenizer_all()[round % 3];
        buf_clear(&buf);
        append_random(&buf, &seed, random_below(&seed, 4));
        size_t start = buf.len;
        append_random(&buf, &seed, 1 + random_below(&seed, 4));
        size_t end = buf.len;
        append_random(&buf, &seed, random_below(&seed, 4));
        struct str whole = buf_str(&buf), middle = str_slice(whole, start, end - start);
        size_t at = random_below(&seed, middle.len + 1);
        size_t found =
            random_below(&seed, 2) ? tokenizer->next_break(middle, at) : tokenizer->last_break(middle, at);
        if (found == TOKENS_NO_BREAK)
            continue;
        n_found++;
        int64_t parts = tokenizer->units(str_slice(whole, 0, start + found)) +
                        tokenizer->units(str_slice(whole, start + found, SIZE_MAX));
        if (parts != tokenizer->units(whole))
            fail_msg("%s: broken at %zu of '%.*s'", tokenizer->name, start + found, STR_ARG(whole));
    }
    assert_true(n_found > 20000);
    buf_done(&buf);
}

/* Units of all texts that were counted. */
static int64_t n_counted;

static int64_t count_watched(struct str text)
{
    n_counted += (int64_t)text.len;
    return tokenizer_find(STR_LIT("o200k_base"))->units(text);
}

static size_t watched_next_break(struct str text, size_t from)
{
    return tokenizer_find(STR_LIT("o200k_base"))->next_break(text, from);
}

static size_t watched_last_break(struct str text, size_t to)
{
    return tokenizer_find(STR_LIT("o200k_base"))->last_break(text, to);
}

static const struct tokenizer watched = {"watched", count_watched,      count_watched,
                                         1,         watched_next_break, watched_last_break};

static void long_text_is_cut_without_counting_it_again(void **state)
{
    (void)state;
    uint64_t seed = 3;
    struct buf text, cut;
    buf_init(&text, SIZE_MAX / 2);
    buf_init(&cut, SIZE_MAX / 2);
    while (text.len < 1 << 20)
        append_random(&text, &seed, 100);
    for (int64_t max = 100; max < 200000; max *= 7) {
        buf_clear(&cut);
        n_counted = 0;
        assert_true(text_append_cut(&cut, buf_str(&text), &watched, max));
        assert_true(n_counted < (int64_t)cut.len * 2 + 64 * 1024);
        assert_true(watched.count(buf_str(&cut)) <= max);
        assert_true(watched.count(buf_str(&cut)) >= max / 2);
    }
    buf_done(&cut);
    buf_done(&text);
}

static void cut_keeps_its_budget_in_every_script(void **state)
{
    (void)state;
    uint64_t seed = 17;
    struct buf text, cut;
    buf_init(&text, SIZE_MAX / 2);
    buf_init(&cut, SIZE_MAX / 2);
    for (int round = 0; round < 3000; round++) {
        const struct tokenizer *tokenizer = tokenizer_all()[round % 3];
        buf_clear(&text);
        buf_clear(&cut);
        append_random(&text, &seed, 1 + random_below(&seed, 120));
        int64_t max = (int64_t)random_below(&seed, 200), whole = tokenizer->count(buf_str(&text));
        bool is_cut = text_append_cut(&cut, buf_str(&text), tokenizer, max);
        assert_int_equal(is_cut, whole > max);
        assert_true(tokenizer->count(buf_str(&cut)) <= max);
    }
    buf_done(&cut);
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_count_what_they_count_alone),
        cmocka_unit_test(texts_joined_at_a_break_add_up),
        cmocka_unit_test(long_text_is_cut_without_counting_it_again),
        cmocka_unit_test(cut_keeps_its_budget_in_every_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
