/* SPDX-License-Identifier: Apache-2.0
 *
 * Which terms a text has, and at which positions.
 */
#include "text/analyze.h"

#include "core/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../fail_mem.h"

static int append_term(struct str term, uint32_t position, void *arg)
{
    struct buf *buf = arg;
    if (buf->len)
        buf_append_byte(buf, ' ');
    buf_printf(buf, "%u:", position);
    buf_append_str(buf, term);
    return 0;
}

struct marking {
    struct analyzer *analyzer;
    struct buf buf;
};

/* With a plus before what is an extra. */
static int append_extra(struct str term, uint32_t position, void *arg)
{
    struct marking *marking = arg;
    struct buf *buf = &marking->buf;
    (void)position;
    if (buf->len)
        buf_append_byte(buf, ' ');
    if (analyzer_is_extra(marking->analyzer))
        buf_append_byte(buf, '+');
    buf_append_str(buf, term);
    return 0;
}

static void assert_terms(const char *language, struct str text, const char *wanted)
{
    struct analyzer *analyzer = NULL;
    struct buf buf;
    buf_init(&buf, 100000);
    assert_int_equal(analyzer_new(language, &analyzer, NULL), 0);
    for (int round = 0; round < 2; round++) { /* the second time from memory */
        buf_clear(&buf);
        assert_int_equal(analyzer_run(analyzer, text, append_term, &buf), 0);
        assert_string_equal(buf.data ? buf.data : "", wanted);
    }
    analyzer_free(analyzer);
    buf_done(&buf);
}

static void words_are_stemmed_and_stop_words_left_out(void **state)
{
    (void)state;
    assert_terms("en", STR_LIT("The quick foxes are running!"), "1:quick 2:fox 4:run");
    assert_terms("en", STR_LIT("RUNNING Runs"), "0:run 1:run");
    assert_terms("en", STR_LIT(""), "");
    assert_terms("en", STR_LIT(" -- ... !?"), "");
}

static void language_decides_the_stemmer(void **state)
{
    (void)state;
    assert_terms("de", STR_LIT("H\xc3\xa4user the"), "0:haus 1:the");
    assert_terms("xx", STR_LIT("running foxes"), "0:running 1:foxes");
}

static void contractions_lose_their_ending(void **state)
{
    (void)state;
    assert_terms("en", STR_LIT("John's dogs don't bark"), "0:john 1:dog 3:bark");
    assert_terms("en", STR_LIT("O'Brien they\xe2\x80\x99re"), "0:o 1:brien");
}

static void identifiers_come_whole_and_in_parts(void **state)
{
    (void)state;
    assert_terms("en", STR_LIT("getUserName"), "0:getusernam 0:get 0:user 0:name");
    assert_terms("en", STR_LIT("max_tokens x"), "0:max_tokens 0:max 0:token 1:x");
    assert_terms("en", STR_LIT("HTTPServer"), "0:httpserver 0:http 0:server");
    assert_terms("en", STR_LIT("error E1234"), "0:error 1:e1234 1:1234");
    assert_terms("en", STR_LIT("src/core/json.c"), "0:src/core/json.c 0:json.c 0:src 0:core 0:json 0:c");
    assert_terms("en", STR_LIT("json.c:42"), "0:json.c:42 0:json.c 0:json 0:c 0:42");
    assert_terms("en", STR_LIT("bob@example.com, hi"),
                 "0:bob@example.com 0:example.com 0:bob 0:exampl 0:com 1:hi");
    assert_terms("en", STR_LIT("IDs"), "0:id");
    assert_terms("en", STR_LIT("_a_b_ -x-"), "0:a_b 0:b 1:x");
}

static void hashes_and_numbers_are_found_by_their_beginning(void **state)
{
    (void)state;
    assert_terms("en", STR_LIT("3F2A9C81D7"), "0:3f2a9c81d7 0:3f2a9c8");
    assert_terms("en", STR_LIT("3f2a9c8 deadbeef"), "0:3f2a9c8 1:deadbeef");
    assert_terms("en", STR_LIT("550e8400-e29b-41d4-a716-446655440000"),
                 "0:550e8400-e29b-41d4-a716-446655440000 0:550e8400 0:550e840");
    assert_terms("en", STR_LIT("10.0.0.7 2.14"), "0:10.0.0.7 0:10.0 0:10.0.0 1:2.14");
    assert_terms("en", STR_LIT("v3.9.0 15.07.2023"), "0:3.9.0 0:3.9 1:15.07.2023 1:15.07 1:2023");
    assert_terms("en", STR_LIT("foo-v3.9"), "0:foo-v3.9 0:3.9 0:foo 0:v3 0:9");
}

static void signs_belong_to_the_names_of_languages(void **state)
{
    (void)state;
    assert_terms("en", STR_LIT("C++ C# c d"), "0:c++ 1:c# 2:c 3:d");
    assert_terms("en", STR_LIT("C++17 #1 a+b f#x"), "0:c++ 1:17 2:1 4:b 5:f 6:x");
}

static void text_gives_its_language_away(void **state)
{
    (void)state;
    assert_terms("auto", STR_LIT("The books are running"), "1:book 3:run");
    assert_terms("auto", STR_LIT("Wir haben die H\xc3\xa4user gesehen"),
                 "3:hauser 3:haus 3:haeuser 4:gesehen 4:geseh");
    assert_terms("auto", STR_LIT("Moje ksi\xc4\x85\xc5\xbcki i \xc5\xbc\xc3\xb3\xc5\x82wie"),
                 "1:ksiazki 1:ksiazk 3:zolwi 3:zolw");
    assert_terms("auto", STR_LIT("Die Versicherungsfrist"),
                 "1:versicherungsfrist 1:frist 1:versicher 1:herungsfrist 1:versic");
}

static void assert_query_begins(struct marking *marking, const char *query, const char *wanted, bool is_query)
{
    buf_clear(&marking->buf);
    int err = (is_query ? analyzer_run_query : analyzer_run)(marking->analyzer, str_of(query), append_extra,
                                                             marking);
    assert_int_equal(err, 0);
    assert_true(str_starts_with(buf_str(&marking->buf), str_of(wanted)));
}

static void query_that_does_not_is_read_in_every_language(void **state)
{
    (void)state;
    struct marking marking = {.analyzer = NULL};
    buf_init(&marking.buf, 100000);
    assert_int_equal(analyzer_new("auto", &marking.analyzer, NULL), 0);
    assert_query_begins(&marking, "ksiazki", "ksiazki +", true);
    assert_true(str_find(buf_str(&marking.buf), STR_LIT(" +ksiazk")) > 0);
    assert_query_begins(&marking, "where are the ksiazki", "ksiazki", true);
    assert_int_equal(marking.buf.len, strlen("ksiazki"));
    assert_query_begins(&marking, "ksiazki", "ksiazki", false);
    assert_int_equal(marking.buf.len, strlen("ksiazki"));
    analyzer_free(marking.analyzer);
    buf_done(&marking.buf);
}

static void form_and_case_do_not_matter(void **state)
{
    (void)state;
    assert_terms("xx",
                 STR_LIT("CAF\xc3\x89 cafe\xcc\x81 \xef\xbc\xa1\xef\xbc\xa2 Stra\xc3\x9f"
                         "e \xef\xac\x81x"),
                 "0:cafe 1:cafe 2:ab 3:strasse 4:fix");
}

static void unspaced_scripts_become_bigrams(void **state)
{
    (void)state;
    assert_terms("en", STR_LIT("\xe6\x9d\xb1\xe4\xba\xac\xe9\x83\xbd"),
                 "0:\xe6\x9d\xb1\xe4\xba\xac 1:\xe4\xba\xac\xe9\x83\xbd");
    assert_terms("en", STR_LIT("\xe6\x9d\xb1 x"), "0:\xe6\x9d\xb1 1:x");
    assert_terms("en", STR_LIT("iPhone\xe6\x89\x8b\xe6\xa9\x9f"),
                 "0:iphon 0:phone 1:\xe6\x89\x8b\xe6\xa9\x9f");
    /* half-width ka and its voicing mark are one character */
    assert_terms("en", STR_LIT("\xef\xbd\xb6\xef\xbe\x9e"), "0:\xe3\x82\xac");
}

static int count_term(struct str term, uint32_t position, void *arg)
{
    size_t *counts = arg;
    assert_int_equal(term.len, 6);
    counts[0]++;
    counts[1] = position;
    return 0;
}

static void long_run_of_bigrams_has_no_gap(void **state)
{
    (void)state;
    struct analyzer *analyzer = NULL;
    struct buf buf;
    size_t counts[2] = {0};
    buf_init(&buf, 100000);
    for (int i = 0; i < 1000; i++)
        buf_append_text(&buf, i % 2 ? "\xe6\x9d\xb1" : "\xe3\x82\xab\xe3\x82\x99"); /* east, ka + voicing */
    assert_int_equal(analyzer_new("en", &analyzer, NULL), 0);
    assert_int_equal(analyzer_run(analyzer, buf_str(&buf), count_term, counts), 0);
    assert_int_equal(counts[0], 999);
    assert_int_equal(counts[1], 998);
    analyzer_free(analyzer);
    buf_done(&buf);
}

static void malformed_bytes_separate_words(void **state)
{
    (void)state;
    assert_terms("en",
                 STR_LIT("ab\xff"
                         "cd\xe2\x82 ef\xf0\x9f"),
                 "0:ab 1:cd 2:ef");
    assert_terms("en", STR_LIT("ab\0cd"), "0:ab 1:cd");
}

static int check_length(struct str term, uint32_t position, void *arg)
{
    (void)position;
    assert_in_range(term.len, 1, 96);
    *(int *)arg += 1;
    return 0;
}

static void very_long_words_are_cut_alike(void **state)
{
    (void)state;
    struct analyzer *analyzer = NULL;
    char text[5000];
    int n = 0;
    memset(text, 'x', sizeof(text));
    assert_int_equal(analyzer_new("en", &analyzer, NULL), 0);
    assert_int_equal(analyzer_run(analyzer, str_make(text, sizeof(text)), check_length, &n), 0);
    assert_int_equal(n, 1);
    for (size_t i = 1; i < sizeof(text); i += 2)
        text[i] = '_';
    assert_int_equal(analyzer_run(analyzer, str_make(text, sizeof(text)), check_length, &n), 0);
    assert_int_equal(n, 1 + 2500);
    analyzer_free(analyzer);
}

static int stop_at_two(struct str term, uint32_t position, void *arg)
{
    (void)term;
    *(uint32_t *)arg += 1;
    return position == 1 ? 42 : 0;
}

static void callback_can_stop(void **state)
{
    (void)state;
    struct analyzer *analyzer = NULL;
    uint32_t n = 0;
    assert_int_equal(analyzer_new("en", &analyzer, NULL), 0);
    assert_int_equal(analyzer_run(analyzer, STR_LIT("alpha beta gamma"), stop_at_two, &n), 42);
    assert_int_equal(n, 2);
    analyzer_free(analyzer);
}

static void nothing_is_allocated_for_terms(void **state)
{
    (void)state;
    struct analyzer *analyzer = NULL;
    int n = 0;
    fail_mem_at(1);
    assert_int_equal(analyzer_new("en", &analyzer, NULL), ERR_NOMEM);
    assert_null(analyzer);
    assert_int_equal(analyzer_new("en", &analyzer, NULL), 0);
    fail_mem_at(1);
    assert_int_equal(
        analyzer_run(analyzer, STR_LIT("getUserName caf\xc3\xa9 \xe6\x9d\xb1\xe4\xba\xac"), check_length, &n),
        0);
    assert_true(fail_mem_is_pending());
    fail_mem_at(0);
    assert_true(n > 5);
    analyzer_free(analyzer);
}

static void lack_of_memory_is_told(void **state)
{
    (void)state;
    struct analyzer *analyzer = NULL;
    for (int nth = 1; nth <= 3; nth++) {
        fail_mem_at(nth);
        assert_int_equal(analyzer_new("auto", &analyzer, NULL), ERR_NOMEM);
        assert_null(analyzer);
    }
    fail_mem_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_stemmed_and_stop_words_left_out),
        cmocka_unit_test(language_decides_the_stemmer),
        cmocka_unit_test(contractions_lose_their_ending),
        cmocka_unit_test(identifiers_come_whole_and_in_parts),
        cmocka_unit_test(hashes_and_numbers_are_found_by_their_beginning),
        cmocka_unit_test(signs_belong_to_the_names_of_languages),
        cmocka_unit_test(text_gives_its_language_away),
        cmocka_unit_test(query_that_does_not_is_read_in_every_language),
        cmocka_unit_test(form_and_case_do_not_matter),
        cmocka_unit_test(unspaced_scripts_become_bigrams),
        cmocka_unit_test(long_run_of_bigrams_has_no_gap),
        cmocka_unit_test(malformed_bytes_separate_words),
        cmocka_unit_test(very_long_words_are_cut_alike),
        cmocka_unit_test(callback_can_stop),
        cmocka_unit_test(nothing_is_allocated_for_terms),
        cmocka_unit_test(lack_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
