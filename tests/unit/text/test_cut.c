/* SPDX-License-Identifier: Apache-2.0
 *
 * Cuts where a reader would make them, within the budget to the token.
 */
#include "text/cut.h"

#include "core/err.h"
#include "core/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define FAMILY   "\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7"
#define ELLIPSIS "\xe2\x80\xa6"

static void assert_sentences(const char *text, const char *const *wanted)
{
    struct str rest = str_of(text);
    size_t pos = 0, n = 0;
    while (pos < rest.len) {
        size_t end = text_sentence_end(rest, pos);
        struct str sentence = str_trim(str_slice(rest, pos, end - pos));
        if (!wanted[n] || !str_is(sentence, wanted[n]))
            fail_msg("'%.*s' is no sentence", STR_ARG(sentence));
        pos = end;
        n++;
    }
    assert_null(wanted[n]);
}

static void sentences_end_at_their_marks(void **state)
{
    (void)state;
    assert_sentences("One. Two! \"Three?\" (Four.) Five",
                     (const char *[]){"One.", "Two!", "\"Three?\"", "(Four.)", "Five", NULL});
    assert_sentences("Really?! Wait... So do I. End",
                     (const char *[]){"Really?!", "Wait...", "So do I.", "End", NULL});
    assert_sentences("A title\n\nA text.", (const char *[]){"A title", "A text.", NULL});
    assert_sentences("\xe5\xa4\xa7\xe3\x80\x82\xe5\xb0\x8f\xef\xbc\x81\xe3\x80\x8c\xe4\xb8\xad\xe3\x80\x82"
                     "\xe3\x80\x8d\xe7\xb5\x82",
                     (const char *[]){"\xe5\xa4\xa7\xe3\x80\x82", "\xe5\xb0\x8f\xef\xbc\x81",
                                      "\xe3\x80\x8c\xe4\xb8\xad\xe3\x80\x82\xe3\x80\x8d", "\xe7\xb5\x82",
                                      NULL});
}

static void inner_dots_end_no_sentence(void **state)
{
    (void)state;
    static const char *const texts[] = {"It is 3.50 now",
                                        "Mr. Smith and Dr. Who",
                                        "J. S. Bach",
                                        "See e.g. this, or i.e. that",
                                        "version 1.2.3 of a.b.c",
                                        "1. Wash it"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_sentences(texts[i], (const char *[]){texts[i], NULL});
}

/* A dot that looked back as far as it could would make these a matter of hours. */
static void millions_of_inner_dots_are_read_in_one_pass(void **state)
{
    (void)state;
    static const char *const parts[] = {"co. ", "\xc2\xa0.a."}; /* no-break spaces hold a word together */
    struct buf buf;
    buf_init(&buf, SIZE_MAX / 2);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        buf_clear(&buf);
        while (buf.len < 4 * 1024 * 1024)
            buf_append_text(&buf, i == 0 && buf.len < 1024 * 1024 ? "1234567890" : parts[i]);
        (void)text_sentence_end(buf_str(&buf), 0);
    }
    assert_int_equal(buf_error(&buf), 0);
    assert_int_equal(text_sentence_end(buf_str(&buf), 0), buf.len);
    buf_done(&buf);
}

static void graphemes_stay_whole(void **state)
{
    (void)state;
    struct str text = STR_LIT(FAMILY FAMILY "e\xcc\x81x");
    size_t family = strlen(FAMILY);
    assert_int_equal(text_cut_graphemes(text, 0).len, 0);
    assert_int_equal(text_cut_graphemes(text, 1).len, family);
    assert_int_equal(text_cut_graphemes(text, 2).len, 2 * family);
    assert_int_equal(text_cut_graphemes(text, 3).len, 2 * family + 3);
    assert_int_equal(text_cut_graphemes(text, 4).len, text.len);
    assert_int_equal(text_cut_graphemes(text, 99).len, text.len);
}

static void cut_falls_at_a_word_in_its_last_third(void **state)
{
    (void)state;
    struct str text = STR_LIT("alpha beta gammadelta");
    assert_true(str_is(text_cut_graphemes(text, 12), "alpha beta"));
    assert_true(str_is(text_cut_graphemes(text, 10), "alpha beta"));
    assert_true(
        str_is(text_cut_graphemes(text, 20), "alpha beta gammadelt")); /* the word end is too far back */
    assert_true(str_is(text_cut_graphemes(text, 21), "alpha beta gammadelta"));
}

static void assert_cut(const char *text, int64_t max_tokens, const char *wanted)
{
    const struct tokenizer *tokenizer = tokenizer_find(STR_LIT("approx"));
    struct buf buf;
    buf_init(&buf, 10000);
    buf_append_text(&buf, ">");
    bool is_cut = text_append_cut(&buf, str_of(text), tokenizer, max_tokens);
    assert_string_equal(buf.data + 1, wanted);
    assert_int_equal(is_cut, strcmp(text, wanted) != 0);
    assert_true(tokenizer->count(str_of(buf.data + 1)) <= max_tokens || max_tokens < 0);
    buf_done(&buf);
}

static void text_that_fits_is_left_alone(void **state)
{
    (void)state;
    assert_cut("abcd efg", 2, "abcd efg");
    assert_cut("", 0, "");
}

static void text_is_cut_at_a_sentence_then_a_word(void **state)
{
    (void)state;
    const char *text = "One is here. Two is there. Three is gone.";
    assert_cut(text, 10, "One is here. Two is there. " ELLIPSIS);
    assert_cut(text, 6, "One is here. " ELLIPSIS);
    assert_cut(text, 4, "One is" ELLIPSIS);
    assert_cut(text, 2, "One" ELLIPSIS);
    assert_cut(text, 1, "");
    assert_cut(text, 0, "");
    assert_cut(text, -5, "");
}

static void only_a_long_word_is_cut_inside(void **state)
{
    (void)state;
    assert_cut("ordinarily", 2, "");
    assert_cut("aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff", 12,
               "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeee" ELLIPSIS);
}

static void cjk_is_cut_between_characters(void **state)
{
    (void)state;
    assert_cut("\xe6\x9d\xb1\xe4\xba\xac\xe9\x83\xbd\xe5\xba\x81", 3, "\xe6\x9d\xb1\xe4\xba\xac" ELLIPSIS);
}

static void every_budget_is_kept(void **state)
{
    (void)state;
    const struct tokenizer *tokenizer = tokenizer_find(STR_LIT("approx"));
    struct str text =
        STR_LIT("Mr. Smith paid 3.50. He left! " FAMILY " caf\xc3\xa9 \xe6\x9d\xb1\xe4\xba\xac\xe3\x80\x82 "
                "https://example.com/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xff end.");
    size_t before = 0;
    for (int64_t max = 0; max < 60; max++) {
        struct buf buf;
        buf_init(&buf, 10000);
        text_append_cut(&buf, text, tokenizer, max);
        assert_true(tokenizer->count(buf_str(&buf)) <= max);
        assert_true(buf.len + 8 >= before); /* more room, no less text (but for the ellipsis) */
        before = buf.len;
        buf_done(&buf);
    }
    assert_int_equal(before, text.len);
}

static void full_buffer_latches(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 4);
    text_append_cut(&buf, STR_LIT("alpha beta gamma"), tokenizer_find(STR_LIT("approx")), 3);
    assert_int_equal(buf_error(&buf), ERR_LIMIT);
    buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences_end_at_their_marks),
        cmocka_unit_test(inner_dots_end_no_sentence),
        cmocka_unit_test(millions_of_inner_dots_are_read_in_one_pass),
        cmocka_unit_test(graphemes_stay_whole),
        cmocka_unit_test(cut_falls_at_a_word_in_its_last_third),
        cmocka_unit_test(text_that_fits_is_left_alone),
        cmocka_unit_test(text_is_cut_at_a_sentence_then_a_word),
        cmocka_unit_test(only_a_long_word_is_cut_inside),
        cmocka_unit_test(cjk_is_cut_between_characters),
        cmocka_unit_test(every_budget_is_kept),
        cmocka_unit_test(full_buffer_latches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
