/* SPDX-License-Identifier: Apache-2.0
 *
 * Word pieces as the reference tokenizer cuts them, and vocabularies that are not whole.
 */
#include "text/wordpiece.h"

#include "core/buf.h"
#include "core/json.h"
#include "text/embed_priv.h"
#include "unit/fail_mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define MAX_TOKENS 4096

static void append_pieces(const struct wordpiece_vocab *vocab, struct str text, struct buf *buf)
{
    uint32_t tokens[MAX_TOKENS];
    size_t n = wordpiece_encode(vocab, text, SIZE_MAX, tokens, MAX_TOKENS);
    for (size_t i = 0; i < n; i++) {
        bool is_inside;
        struct str piece = wordpiece_text(vocab, tokens[i], &is_inside);
        buf_printf(buf, "%s%s%.*s", i ? " " : "", is_inside ? "##" : "", STR_ARG(piece));
    }
}

static void assert_pieces(const struct wordpiece_vocab *vocab, struct str text, struct str wanted)
{
    struct buf buf;
    buf_init(&buf, 1 << 20);
    append_pieces(vocab, text, &buf);
    if (!str_eq(buf_str(&buf), wanted))
        fail_msg("'%.*s' gives '%.*s', not '%.*s'", STR_ARG(text), STR_ARG(buf_str(&buf)), STR_ARG(wanted));
    buf_done(&buf);
}

/* Each line of the file: a text, and what the reference makes of it (but what it calls unknown). */
static void pieces_are_those_of_the_reference(void **state)
{
    (void)state;
    FILE *file = fopen(TEST_FOLDER "/wordpiece_cases.jsonl", "r");
    assert_non_null(file);
    struct embedder *embedder;
    assert_int_equal(embedder_builtin(&embedder, NULL), 0);
    char line[8192];
    int n_lines = 0;
    while (fgets(line, sizeof line, file)) {
        struct json *root;
        assert_int_equal(json_parse(str_of(line), 4, &root, NULL), 0);
        assert_pieces(&embedder->vocab, json_text_of(json_member(root, "text")),
                      json_text_of(json_member(root, "pieces")));
        json_free(root);
        n_lines++;
    }
    assert_true(n_lines > 50);
    embedder_close(embedder);
    (void)fclose(file);
}

static const struct str few_tokens[] = {
    {"a", 1},  {"ab", 2}, {"abc", 3},          {"##c", 3}, {"##d", 3},
    {"##", 2}, {"", 0},   {"\xe5\x8c\x97", 3}, {".", 1},
};

#define N_FEW (sizeof few_tokens / sizeof *few_tokens)

static void longest_piece_wins_and_a_word_is_known_as_a_whole(void **state)
{
    (void)state;
    struct wordpiece_vocab vocab;
    uint32_t order[N_FEW];
    assert_int_equal(wordpiece_build(few_tokens, N_FEW, order, &vocab, NULL), 0);
    assert_int_equal(wordpiece_check(&vocab, NULL), 0);
    assert_int_equal(order[6], UINT32_MAX);
    assert_pieces(&vocab, STR_LIT("abcd"), STR_LIT("abc ##d"));
    assert_pieces(&vocab, STR_LIT("abd aC ba abx"), STR_LIT("ab ##d a ##c"));
    assert_pieces(&vocab, STR_LIT("a.ab"), STR_LIT("a . ab"));
    assert_pieces(&vocab,
                  STR_LIT("a\xe5\x8c\x97"
                          "a"),
                  STR_LIT("a \xe5\x8c\x97 a"));
    for (size_t i = 0; i < N_FEW - 3; i++) {
        bool is_inside;
        struct str text = wordpiece_text(&vocab, order[i], &is_inside);
        assert_true(is_inside == (i == 3 || i == 4));
        assert_true(str_eq(text, is_inside ? str_slice(few_tokens[i], 2, 1) : few_tokens[i]));
    }
    wordpiece_done(&vocab);
}

static void text_is_cut_at_its_limits(void **state)
{
    (void)state;
    struct wordpiece_vocab vocab;
    uint32_t order[N_FEW], tokens[3] = {0, 0, UINT32_MAX};
    assert_int_equal(wordpiece_build(few_tokens, N_FEW, order, &vocab, NULL), 0);
    assert_int_equal(wordpiece_encode(&vocab, STR_LIT("a ab abc"), SIZE_MAX, tokens, 2), 2);
    assert_int_equal(tokens[2], UINT32_MAX);
    assert_int_equal(wordpiece_encode(&vocab, STR_LIT("a ab abc"), 3, tokens, 3), 2);
    assert_int_equal(tokens[1], order[0]);
    assert_int_equal(wordpiece_encode(&vocab, STR_LIT("a ab"), 0, tokens, 3), 0);
    wordpiece_done(&vocab);
}

/* Letters are taken by the run; those that a run has no room for count all the same. */
static void word_is_unknown_beyond_its_longest(void **state)
{
    (void)state;
    struct wordpiece_vocab vocab;
    uint32_t order[N_FEW], tokens[WORDPIECE_MAX_WORD_CHARS + 2];
    char text[WORDPIECE_MAX_WORD_CHARS + 8] = "\xc3\xa4"; /* one character of the word: a */
    const size_t limit = WORDPIECE_MAX_WORD_CHARS;
    memset(text + 2, 'D', limit);
    assert_int_equal(wordpiece_build(few_tokens, N_FEW, order, &vocab, NULL), 0);
    assert_int_equal(wordpiece_encode(&vocab, str_make(text, limit + 1), SIZE_MAX, tokens, limit + 2), limit);
    assert_int_equal(tokens[limit - 1], order[4]);
    assert_int_equal(wordpiece_encode(&vocab, str_make(text, limit + 2), SIZE_MAX, tokens, limit + 2), 0);
    assert_int_equal(wordpiece_encode(&vocab, str_make(text, limit + 2), limit, tokens, limit + 2), limit);
    memcpy(text + limit + 2, "d ab", 4);
    assert_int_equal(wordpiece_encode(&vocab, str_make(text, limit + 6), SIZE_MAX, tokens, limit + 2), 1);
    assert_int_equal(tokens[0], order[1]);
    wordpiece_done(&vocab);
}

static void malformed_bytes_are_passed_over(void **state)
{
    (void)state;
    struct wordpiece_vocab vocab;
    uint32_t order[N_FEW];
    assert_int_equal(wordpiece_build(few_tokens, N_FEW, order, &vocab, NULL), 0);
    assert_pieces(&vocab,
                  STR_LIT("a\xff"
                          "b\xc3 a\0b"),
                  STR_LIT("ab ab"));
    wordpiece_done(&vocab);
}

static void vocabulary_that_contradicts_itself_is_refused(void **state)
{
    (void)state;
    struct wordpiece_vocab vocab, broken;
    struct err_info err;
    uint32_t order[N_FEW];
    assert_int_equal(wordpiece_build(few_tokens, N_FEW, order, &vocab, NULL), 0);
    broken = vocab;
    broken.n_tokens++;
    assert_int_equal(wordpiece_check(&broken, &err), ERR_CORRUPT);
    broken = vocab;
    broken.text_bytes--;
    assert_int_equal(wordpiece_check(&broken, &err), ERR_CORRUPT);
    broken = vocab;
    broken.max_token_bytes = 0;
    assert_int_equal(wordpiece_check(&broken, &err), ERR_CORRUPT);
    broken = vocab;
    broken.n_slots = broken.n_tokens;
    assert_int_equal(wordpiece_check(&broken, &err), ERR_CORRUPT);
    ((struct wordpiece_group *)vocab.owned)[2].first_token = 99;
    assert_int_equal(wordpiece_check(&vocab, &err), ERR_CORRUPT);
    wordpiece_done(&vocab);
}

static void failed_allocation_leaves_nothing_behind(void **state)
{
    (void)state;
    struct wordpiece_vocab vocab;
    struct err_info err;
    uint32_t order[N_FEW];
    fail_mem_at(1);
    assert_int_equal(wordpiece_build(few_tokens, N_FEW, order, &vocab, &err), ERR_NOMEM);
    assert_false(fail_mem_is_pending());
    assert_int_equal(wordpiece_build(few_tokens, 0, order, &vocab, &err), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_those_of_the_reference),
        cmocka_unit_test(longest_piece_wins_and_a_word_is_known_as_a_whole),
        cmocka_unit_test(text_is_cut_at_its_limits),
        cmocka_unit_test(word_is_unknown_beyond_its_longest),
        cmocka_unit_test(malformed_bytes_are_passed_over),
        cmocka_unit_test(vocabulary_that_contradicts_itself_is_refused),
        cmocka_unit_test(failed_allocation_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
