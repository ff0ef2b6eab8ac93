/* SPDX-License-Identifier: Apache-2.0
 *
 * The re-ranker: what is sent, which answers count, when it is asked at all. tests/scenario/rerank.py has one
 * that answers.
 */
#include "memory/rerank.h"
#include "memory/rerank_wire.h"

#include "../fail_mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct str texts[] = {STR_LIT("one"), STR_LIT("two"), STR_LIT("three")};
static const struct rerank_question plain = {.query = STR_LIT("q"), .texts = texts, .n = 3};

/* ---- the wire ---- */

static void assert_request(enum rerank_format format, const char *model, const char *expected)
{
    struct buf buf;
    buf_init(&buf, 4096);
    rerank_write_request(format, model, &plain, &buf);
    assert_int_equal(buf_error(&buf), 0);
    assert_string_equal(buf.data, expected);
    buf_done(&buf);
}

static void request_is_that_of_the_format(void **state)
{
    (void)state;
    assert_request(RERANK_DOCUMENTS, "m",
                   "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"one\",\"two\",\"three\"],\"top_n\":3}");
    assert_request(RERANK_DOCUMENTS, NULL,
                   "{\"query\":\"q\",\"documents\":[\"one\",\"two\",\"three\"],\"top_n\":3}");
    assert_request(RERANK_TEXTS, NULL,
                   "{\"query\":\"q\",\"texts\":[\"one\",\"two\",\"three\"],\"truncate\":true}");
}

static void long_text_is_cut_between_characters(void **state)
{
    (void)state;
    static char long_text[RERANK_MAX_TEXT_BYTES + 10];
    struct buf buf;
    memset(long_text, 'a', sizeof long_text);
    memcpy(long_text + RERANK_MAX_TEXT_BYTES - 1, "\xc3\xa9", 2); /* the limit would cut it in two */
    const struct str one = {long_text, sizeof long_text};
    const struct rerank_question question = {.query = one, .texts = &one, .n = 1};
    buf_init(&buf, (size_t)4 * RERANK_MAX_TEXT_BYTES);
    rerank_write_request(RERANK_TEXTS, NULL, &question, &buf);
    assert_int_equal(buf_error(&buf), 0);
    assert_int_equal(buf.len, 2 * (RERANK_MAX_TEXT_BYTES - 1) +
                                  strlen("{\"query\":\"\",\"texts\":[\"\"],\"truncate\":true}"));
    assert_true(str_find(buf_str(&buf), STR_LIT("\xc3")) < 0);
    buf_done(&buf);
}

static void whole_answer_gives_each_text_its_score(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "{\"results\":[{\"index\":2,\"relevance_score\":0.5},{\"index\":0,\"relevance_score\":1},"
        "{\"index\":1,\"relevance_score\":-7.25}]}",
        "[{\"index\":2,\"score\":0.5},{\"index\":0,\"score\":1},{\"index\":1,\"score\":-7.25}]",
        "{\"id\":1,\"results\":[{\"document\":{\"text\":\"x\"},\"index\":0,\"relevance_score\":1e0},"
        "{\"index\":1,\"score\":-725e-2},{\"index\":2,\"relevance_score\":0.5,\"score\":9}],\"usage\":{}}",
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        double scores[3];
        assert_int_equal(rerank_read_answer(str_of(answers[i]), 3, scores, NULL), 0);
        assert_true(scores[0] == 1 && scores[1] == -7.25 && scores[2] == 0.5);
    }
}

static void answer_that_is_wrong_in_one_part_is_not_used(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *sentence;
    } cases[] = {
        {"", "no JSON"},
        {"[{\"index\":0,\"score\":1},{\"index\":1,\"score\":NaN}]", "no JSON"},
        {"{}", "no list of results"},
        {"{\"results\":{}}", "no list of results"},
        {"[]", "0 results for 2 texts"},
        {"[{\"index\":0,\"score\":1}]", "1 results for 2 texts"},
        {"[{\"index\":0,\"score\":1},{\"index\":1,\"score\":1},{\"index\":1,\"score\":1}]", "3 results"},
        {"[{\"index\":0,\"score\":1},{\"index\":0,\"score\":1}]", "index 0 is given twice"},
        {"[{\"index\":0,\"score\":1},{\"index\":2,\"score\":1}]", "the index 2 of 2 texts"},
        {"[{\"index\":0,\"score\":1},{\"index\":-1,\"score\":1}]", "the index -1"},
        {"[{\"index\":0,\"score\":1},{\"index\":\"1\",\"score\":1}]", "lacks its index"},
        {"[{\"index\":0,\"score\":1},{\"index\":1}]", "or its score"},
        {"[{\"index\":0,\"score\":1},{\"index\":1,\"score\":null}]", "or its score"},
        {"[{\"index\":0,\"score\":1},{\"index\":1,\"score\":1e999}]", "no JSON"},
        {"[{\"index\":0,\"score\":1},7]", "lacks its index"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double scores[2] = {5, 5};
        struct err_info err = {0};
        assert_int_equal(rerank_read_answer(str_of(cases[i].answer), 2, scores, &err), ERR_REMOTE);
        if (str_find(str_of(err.message), str_of(cases[i].sentence)) < 0)
            fail_msg("\"%s\" is told as \"%s\"", cases[i].answer, err.message);
        assert_true(scores[0] == 5 && scores[1] == 5);
    }
}

/* ---- asking ---- */

/* A port where nobody listens, and a re-ranker that is told to be there. */
struct nobody {
    int socket;
    struct clock_manual clock;
    struct rerank *rerank;
};

static int setup(void **state)
{
    struct nobody *nobody = calloc(1, sizeof *nobody);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    char url[64];
    nobody->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(nobody->socket, (struct sockaddr *)&address, len) < 0 ||
        getsockname(nobody->socket, (struct sockaddr *)&address, &len) < 0)
        return -1;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(address.sin_port));
    clock_manual_init(&nobody->clock, 0, US_PER_SEC);
    const struct rerank_options options = {.url = url,
                                           .key = "k",
                                           .n_candidates = 3,
                                           .timeout_us = 60 * US_PER_SEC,
                                           .clock = &nobody->clock.base};
    *state = nobody;
    return rerank_new(&options, &nobody->rerank, NULL);
}

static int teardown(void **state)
{
    struct nobody *nobody = *state;
    rerank_free(nobody->rerank);
    close(nobody->socket);
    free(nobody);
    return 0;
}

static bool was_asked(struct nobody *nobody)
{
    double scores[3];
    struct rerank_stats before, after;
    rerank_describe(nobody->rerank, &before);
    assert_int_equal(rerank_ask(nobody->rerank, &plain, scores, NULL), ERR_UNAVAILABLE);
    rerank_describe(nobody->rerank, &after);
    assert_int_equal(after.n_calls + after.n_skipped, before.n_calls + before.n_skipped + 1);
    return after.n_calls > before.n_calls;
}

static void one_in_a_rest_is_let_through_after_five_failures(void **state)
{
    struct nobody *nobody = *state;
    for (int i = 0; i < 5; i++)
        assert_true(was_asked(nobody));
    for (int rest = 0; rest < 2; rest++) {
        assert_false(was_asked(nobody));
        clock_manual_advance(&nobody->clock, 30 * US_PER_SEC - 1);
        assert_false(was_asked(nobody));
        clock_manual_advance(&nobody->clock, 1);
        assert_true(was_asked(nobody));
    }
}

static void without_time_nobody_is_asked(void **state)
{
    struct nobody *nobody = *state;
    struct rerank_question question = plain;
    struct rerank_stats stats;
    struct err_info err;
    double scores[3];
    for (int i = 0; i < 10; i++) {
        question.deadline_us = clock_mono_us(&nobody->clock.base) + (i - 5) * US_PER_MS / 2;
        assert_int_equal(rerank_ask(nobody->rerank, &question, scores, &err), ERR_TIMEOUT);
        assert_non_null(strstr(err.message, "no time was left"));
    }
    rerank_describe(nobody->rerank, &stats);
    assert_int_equal(stats.n_calls, 0);
    assert_int_equal(stats.n_skipped, 10);
    assert_true(was_asked(nobody)); /* that was no failure of its */
}

static void failing_allocation_is_a_clean_error_and_no_failure_of_the_server(void **state)
{
    struct nobody *nobody = *state;
    double scores[3];
    long n = 1;
    for (; n < 1000; n++) {
        fail_mem_at(n);
        int err = rerank_ask(nobody->rerank, &plain, scores, NULL);
        if (fail_mem_is_pending())
            break;
        assert_int_equal(err, ERR_NOMEM);
    }
    fail_mem_at(0);
    assert_true(n > 1 && n < 1000);
    assert_true(was_asked(nobody));
}

static void bad_options_name_their_field(void **state)
{
    (void)state;
    static const struct {
        const char *url, *key, *field;
    } cases[] = {
        {"", NULL, "url"},
        {"localhost/rerank", NULL, "url"},
        {"ftp://h/", NULL, "url"},
        {"file:///etc/passwd", NULL, "url"},
        {"http://ann:secret@h/", NULL, "url"},
        {"http://h:99999/", NULL, "url"},
        {"http://h/", "a b", "key"},
        {"http://h/", "a\r\nX: y", "key"},
        {"http://h/", "\xc3\xa9", "key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct rerank_options options = {
            .url = cases[i].url, .key = cases[i].key, .n_candidates = 3, .clock = &clock_system};
        struct rerank *rerank = NULL;
        struct err_info err;
        assert_int_equal(rerank_new(&options, &rerank, &err), ERR_INVALID);
        assert_string_equal(err.field, cases[i].field);
        assert_null(strstr(err.message, "secret"));
        assert_null(rerank);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_is_that_of_the_format),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(whole_answer_gives_each_text_its_score),
        cmocka_unit_test(answer_that_is_wrong_in_one_part_is_not_used),
        cmocka_unit_test_setup_teardown(one_in_a_rest_is_let_through_after_five_failures, setup, teardown),
        cmocka_unit_test_setup_teardown(without_time_nobody_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(failing_allocation_is_a_clean_error_and_no_failure_of_the_server,
                                        setup, teardown),
        cmocka_unit_test(bad_options_name_their_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
