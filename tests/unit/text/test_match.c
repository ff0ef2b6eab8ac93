/* SPDX-License-Identifier: Apache-2.0
 *
 * Which lines of a log matter to a question. The lines and questions below are also what the numbers in
 * match.c were chosen by.
 */
#include "text/match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char *const lines[] = {
    "21 Nov 05:31 [critical] network: MQTT broker unreachable: connection timed out after 30 s (ERR-1042)",
    "21 Nov 05:12 [error] printer: Receipt printer out of paper",
    "21 Nov 04:58 [warning] storage: Disk usage at 91 % on /data",
    "21 Nov 04:40 [error] firmware: Update to 2.4.1 failed: checksum mismatch (ERR-2207)",
    "21 Nov 04:31 [error] payment: Card terminal declined to pair: bluetooth pairing refused",
    "21 Nov 04:02 [warning] power: Running on battery, 43 % left",
    "21 Nov 03:50 [error] display: Screen brightness sensor returned no reading",
    "21 Nov 03:22 [critical] auth: Device token rejected by the API: token expired",
    "21 Nov 02:10 [warning] network: Wi-Fi signal weak, -81 dBm on channel 11",
    "21 Nov 01:55 [error] time: Clock drift of 94 s against NTP server",
    "21 Nov 01:30 [info] system: Device restarted after watchdog timeout",
    "20 Nov 23:41 [error] scanner: Barcode scanner disconnected from USB port 2",
    "20 Nov 22:17 [warning] thermal: CPU temperature 88 C, throttling",
    "20 Nov 21:05 [error] camera: Camera stream lost: no frames for 20 s",
    "20 Nov 20:44 [error] kiosk: Application crashed with segmentation fault in renderer",
    "20 Nov 19:30 [warning] cash: Cash drawer left open for 10 minutes",
    "20 Nov 18:02 [error] sync: Price list synchronisation failed: HTTP 500 from /api/v1/sync",
    "20 Nov 17:40 [info] config: heartbeat_interval changed from 30 to 60",
    "20 Nov 16:10 [error] database: Local database is locked, write of order 8812 postponed",
    "20 Nov 15:22 [warning] license: License expires in 6 days",
};
#define N_LINES (sizeof lines / sizeof lines[0])

static const struct {
    const char *question;
    size_t best;   /* the line it is about */
    bool is_shown; /* without a word in common, a line may be found too faint */
} questions[] = {
    {"why did the firmware update fail?", 3, true},
    {"is the battery low", 5, true},
    {"the wifi keeps dropping", 8, true},
    {"can customers pay by card", 4, true},
    {"printer", 1, true},
    {"low disk space", 2, true},
    {"video is black", 13, true},
    {"ERR-1042", 0, true},
    {"which scanner was disconnected", 11, true},
    {"orders are not written to the database", 18, true},
    {"did the app crash", 14, true},
    {"when does the license run out", 19, true},
};
#define N_QUESTIONS (sizeof questions / sizeof questions[0])

struct run {
    struct arena arena;
    struct embedder *embedder;
    struct analyzer *analyzer;
    struct text_match *match;
};

static void ask(struct run *run, const char *question, bool has_embedder)
{
    struct err_info err;

    arena_init(&run->arena, 1 << 24);
    run->embedder = NULL;
    if (has_embedder)
        assert_int_equal(embedder_builtin(&run->embedder, &err), 0);
    assert_int_equal(analyzer_new("auto", &run->analyzer, &err), 0);
    assert_int_equal(text_match_new(str_of(question), run->embedder, run->analyzer, N_LINES, &run->arena,
                                    &run->match, &err),
                     0);
    for (size_t i = 0; i < N_LINES; i++)
        assert_int_equal(text_match_add(run->match, str_of(lines[i]), &err), 0);
}

static void run_done(struct run *run)
{
    text_match_free(run->match);
    analyzer_free(run->analyzer);
    embedder_close(run->embedder);
    arena_done(&run->arena);
}

static float sum(struct text_match_score score)
{
    return score.words + score.meaning;
}

static void a_question_finds_its_line(void **state)
{
    size_t n_best = 0, n_shown = 0, n_noise = 0;

    (void)state;
    for (size_t q = 0; q < N_QUESTIONS; q++) {
        struct run run;
        size_t best = 0;

        ask(&run, questions[q].question, true);
        for (size_t i = 0; i < N_LINES; i++) {
            if (sum(text_match_score(run.match, i)) > sum(text_match_score(run.match, best)))
                best = i;
            n_noise += i != questions[q].best && text_match_matters(text_match_score(run.match, i));
        }
        if (best != questions[q].best)
            print_message("%s: %s\n", questions[q].question, lines[best]);
        n_best += best == questions[q].best;
        n_shown += text_match_matters(text_match_score(run.match, questions[q].best));
        run_done(&run);
    }
    print_message("best of %zu: %zu, shown: %zu, others shown besides: %zu of %zu\n", N_QUESTIONS, n_best,
                  n_shown, n_noise, N_QUESTIONS * (N_LINES - 1));
    assert_int_equal(n_best, N_QUESTIONS);
    assert_int_equal(n_shown, N_QUESTIONS);
    assert_true(n_noise * 5 < N_QUESTIONS * N_LINES); /* a fifth */
}

static void words_that_say_nothing_find_nothing(void **state)
{
    struct run run;

    (void)state;
    ask(&run, "what is it, and why the?", false);
    for (size_t i = 0; i < N_LINES; i++)
        assert_false(text_match_matters(text_match_score(run.match, i)));
    run_done(&run);
}

static void a_rare_word_says_more(void **state)
{
    struct run run;

    (void)state;
    ask(&run, "error scanner", false);
    assert_true(text_match_score(run.match, 11).words > 0.9f);
    assert_true(text_match_score(run.match, 9).words < 0.4f);
    assert_true(text_match_score(run.match, 9).words > 0);
    assert_true(text_match_score(run.match, 10).words == 0);
    run_done(&run);
}

static void an_empty_question_scores_nothing(void **state)
{
    struct run run;
    struct err_info err;

    (void)state;
    ask(&run, "", true);
    for (size_t i = 0; i < N_LINES; i++)
        assert_true(sum(text_match_score(run.match, i)) == 0);
    assert_int_equal(text_match_add(run.match, STR_LIT("one too many"), &err), ERR_LIMIT);
    run_done(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_finds_its_line),
        cmocka_unit_test(words_that_say_nothing_find_nothing),
        cmocka_unit_test(a_rare_word_says_more),
        cmocka_unit_test(an_empty_question_scores_nothing),
    };

    return cmocka_run_group_tests_name("match", tests, NULL, NULL);
}
