/* SPDX-License-Identifier: Apache-2.0
 *
 * The core and the line of a text: what is chosen, what marks it, and that no budget is exceeded on any text.
 */
#include "text/gist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ELLIPSIS "\xE2\x80\xA6"

typedef int append_fn(struct buf *buf, struct str text, struct text_gist *gist,
                      const struct tokenizer *tokenizer, int64_t max_tokens);

static const struct tokenizer *o200k(void)
{
    return tokenizer_find(STR_LIT("o200k_base"));
}

static void expect(append_fn *append, const char *question, const char *text, int64_t max_tokens,
                   const char *wanted)
{
    struct text_gist *gist = NULL;
    struct buf buf;
    buf_init(&buf, 10000);
    buf_append_text(&buf, ">");
    assert_int_equal(text_gist_new(str_of(question), &gist, NULL), 0);
    assert_int_equal(append(&buf, str_of(text), gist, o200k(), max_tokens), 0);
    assert_string_equal(buf.data + 1, wanted);
    assert_true(o200k()->count(str_of(buf.data + 1)) <= max_tokens);
    text_gist_free(gist);
    buf_done(&buf);
}

static const char story[] =
    "- Ann wrote about her week. It rained on Monday. On Tuesday she bought a lamp for the desk. "
    "Her brother called. The lamp cost 40 euros and she liked it. She slept well.";

static void core_is_the_first_sentence_and_those_that_were_asked_for(void **state)
{
    (void)state;
    expect(text_append_core, "what did the lamp cost?", story, 36,
           "- Ann wrote about her week. " ELLIPSIS " On Tuesday she bought a lamp for the desk. " ELLIPSIS
           " The lamp cost 40 euros and she liked it. " ELLIPSIS);
}

static void long_first_sentence_gives_way(void **state)
{
    (void)state;
    expect(text_append_core, "lamp costs",
           "- A first sentence that goes on and on and says of everything a little but of nothing enough to "
           "be of "
           "any use. The lamp cost 40 euros.",
           16, "- " ELLIPSIS " The lamp cost 40 euros.");
}

static void words_are_compared_by_their_stems(void **state)
{
    (void)state;
    expect(text_append_core, "costs of lamps", "One. Two is it. Three is more. The lamp costed much. Five.",
           14, "One. " ELLIPSIS " The lamp costed much. " ELLIPSIS);
}

static void without_a_question_the_core_is_the_beginning(void **state)
{
    (void)state;
    expect(text_append_core, "", story, 20, "- Ann wrote about her week. It rained on Monday. " ELLIPSIS);
}

static void sentence_that_does_not_fit_leaves_the_core_empty(void **state)
{
    (void)state;
    expect(text_append_core, "", "One sentence without an end that fits into so very little room.", 6, "");
    expect(text_append_core, "", "", 6, "");
    expect(text_append_core, "", "One.", 0, "");
}

static void end_of_a_very_long_text_is_left_out(void **state)
{
    static char text[100000];
    (void)state;
    for (size_t i = 0; i + 5 < sizeof text; i += 5)
        memcpy(text + i, "One. ", 5);
    memcpy(text + 50000, "lamp ", 5);
    expect(text_append_core, "lamp", text, 9, "One. One. " ELLIPSIS);
    memset(text, 'a', sizeof text - 1);
    expect(text_append_core, "lamp", text, 9, "");
}

static void line_is_the_best_sentence_cut_at_a_word(void **state)
{
    (void)state;
    expect(text_append_line, "euros", story, 12, "- " ELLIPSIS " The lamp cost 40 euros" ELLIPSIS);
    expect(text_append_line, "", "First line\nsecond line\nthird line.", 12, "First line " ELLIPSIS);
    expect(text_append_line, "", story, 6, "- Ann" ELLIPSIS);
    expect(text_append_line, "", story, 1, "");
}

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void no_budget_is_exceeded_on_any_text(void **state)
{
    static const char *const parts[] = {
        "- ",     "A lamp. ",   "What? ",   "so it goes ", "\n",     "\n\n",     "1. ", "東京は晴れ。",
        "e.g. x", "!!!",        "🙂 ",    "\xff",        "lamps",  ", and so", "/",   "* ",
        "\t",     ELLIPSIS " ", "Dr. No. ", "...",         "“Yes.” "};
    uint64_t seed = 20261121;
    struct text_gist *gist = NULL;
    struct buf text, cut;
    (void)state;
    buf_init(&text, 100000);
    buf_init(&cut, 100000);
    assert_int_equal(text_gist_new(STR_LIT("lamps of 東京"), &gist, NULL), 0);
    for (int round = 0; round < 6000; round++) {
        const struct tokenizer *tokenizer = tokenizer_all()[round % 3];
        int64_t max_tokens = (int64_t)(random_next(&seed) % 60) - 1;
        append_fn *append = round / 3 % 2 ? text_append_core : text_append_line;
        buf_clear(&text);
        buf_clear(&cut);
        for (size_t i = random_next(&seed) % 40; i > 0; i--)
            buf_append_text(&text, parts[random_next(&seed) % (sizeof parts / sizeof *parts)]);
        assert_int_equal(append(&cut, buf_str(&text), gist, tokenizer, max_tokens), 0);
        assert_true(cut.len == 0 || tokenizer->count(buf_str(&cut)) <= max_tokens);
    }
    text_gist_free(gist);
    buf_done(&text);
    buf_done(&cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(core_is_the_first_sentence_and_those_that_were_asked_for),
        cmocka_unit_test(long_first_sentence_gives_way),
        cmocka_unit_test(words_are_compared_by_their_stems),
        cmocka_unit_test(without_a_question_the_core_is_the_beginning),
        cmocka_unit_test(sentence_that_does_not_fit_leaves_the_core_empty),
        cmocka_unit_test(end_of_a_very_long_text_is_left_out),
        cmocka_unit_test(line_is_the_best_sentence_cut_at_a_word),
        cmocka_unit_test(no_budget_is_exceeded_on_any_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
