/* SPDX-License-Identifier: Apache-2.0
 *
 * What is seen of a text: who speaks, what it asks and tells, where a name stands in it, in the scripts and
 * signs that people write with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "search/cues.h"

#include <stdio.h>
#include <stdlib.h>

static void expect_split(const char *text, const char *speaker, const char *rest)
{
    struct str found = {NULL, 0};
    struct str told = cues_split_speaker(str_of(text), &found);
    if (!str_is(found, speaker) || !str_is(told, rest))
        fail_msg("'%s' splits into '%.*s' and '%.*s'", text, (int)found.len, found.ptr, (int)told.len,
                 told.ptr);
}

static void name_before_a_colon_speaks(void **state)
{
    (void)state;
    expect_split("Ann: hello", "Ann", "hello");
    expect_split("user: hello: you", "user", "hello: you");
    expect_split("Ann Lee: hi", "Ann Lee", "hi");
    expect_split("Anna von Berg: hi", "Anna von Berg", "hi");
    expect_split("Speaker 2: hi", "Speaker 2", "hi");
    expect_split("O'Brien-Kelly: hi", "O'Brien-Kelly", "hi");
    expect_split("Zoë: hi", "Zoë", "hi");
    expect_split("小明: 你好", "小明", "你好");
    expect_split("Łucja Ćwik: cześć", "Łucja Ćwik", "cześć");
    expect_split("Ann: ", "Ann", "");
    expect_split("Ann:  two spaces", "Ann", " two spaces");
}

static void other_colons_introduce_nobody(void **state)
{
    static const char *const texts[] = {
        "",
        ":",
        ": ",
        "Ann",
        "Ann:",
        "Ann:hello",
        "https://example.org/a: b",
        "12:30 lunch",
        "12: lunch",
        "Remember this: buy milk",
        "The plan: buy milk",
        "Ann \nLee: hi",
        "Ann\tLee: hi",
        "one Two three Four: hi",
        "Ann (the tall one): hi",
        " Ann: hi",
        "\"Ann\": hi",
        "A name that goes on and on beyond all that is usual: hi",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        expect_split(texts[i], "", texts[i]);
}

static void speaker_that_is_known_stays(void **state)
{
    struct str speaker = STR_LIT("user");
    (void)state;
    assert_true(str_is(cues_split_speaker(STR_LIT("Ann: hello"), &speaker), "hello"));
    assert_true(str_is(speaker, "user"));
}

static void long_text_without_a_colon_is_left_alone(void **state)
{
    struct str speaker = {NULL, 0};
    char *text = malloc(10240);
    (void)state;
    memset(text, 'a', 10240);
    struct str told = cues_split_speaker(str_make(text, 10240), &speaker);
    assert_int_equal(told.len, 10240);
    assert_int_equal(speaker.len, 0);
    struct cues cues = cues_of(str_make(text, 10240));
    assert_false(cues.asks || cues.has_number || cues.n_names || cues.n_times);
    free(text);
}

struct seen {
    const char *text;
    unsigned n_times, n_names;
    bool asks, has_number;
};

static void cues_are_seen(void **state)
{
    static const struct seen cases[] = {
        {"", 0, 0, false, false},
        {"I went there yesterday.", 1, 0, false, false},
        {"YESTERDAY", 1, 0, false, false},
        {"Last week on Monday in May, last year", 3, 2, false, false}, /* counted to three */
        {"yesterdays", 0, 0, false, false},
        {"Where is Ann? Here.", 0, 1, true, false},
        {"Paris", 0, 0, false, false}, /* a capital at the start says nothing */
        {"Well. Paris! Rome\nOslo", 0, 0, false, false},
        {"we saw Paris, Rome, Oslo and Bonn", 0, 3, false, false},
        {"so I said", 0, 0, false, false},
        {"room 12", 0, 0, false, true},
        {"two of them", 0, 0, false, true},
        {"often", 0, 0, false, false}, /* neither "ten" nor "one" */
        {"“Yesterday”…", 1, 0, false, false},
        {"¿Ayer?", 1, 0, true, false},
        {"你在哪里？", 0, 0, true, false},
        {"أين أنت؟", 0, 0, true, false},
        {"fünf Äpfel", 0, 0, false, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cues cues = cues_of(str_of(cases[i].text));
        if (cues.n_times != cases[i].n_times || cues.n_names != cases[i].n_names ||
            cues.asks != cases[i].asks || cues.has_number != cases[i].has_number)
            fail_msg("'%s' has times %u, names %u, asks %d, number %d", cases[i].text, cues.n_times,
                     cues.n_names, cues.asks, cues.has_number);
    }
}

static void cues_far_behind_are_not_read(void **state)
{
    char *text = malloc(1 << 20);
    (void)state;
    memset(text, 'a', 1 << 20);
    memcpy(text + (1 << 20) - 11, " yesterday?", 11);
    struct cues cues = cues_of(str_make(text, 1 << 20));
    assert_false(cues.asks || cues.n_times);
    free(text);
}

static void words_are_found_whole(void **state)
{
    static const struct {
        const char *text, *words;
        ptrdiff_t at;
    } cases[] = {
        {"ask Ann", "ann", 4},
        {"ANN", "Ann", 0},
        {"Anna", "Ann", -1},
        {"Joann", "Ann", -1},
        {"Anna and Ann", "Ann", 9},
        {"Ann", "", -1},
        {"", "Ann", -1},
        {"An", "Ann", -1},
        {"Ann's", "Ann", 0},
        {"Ann’s", "Ann", 0},
        {"“Ann”", "Ann", 3},
        {"«Ann»", "Ann", 2},
        {"Ann—who?", "Ann", 0},
        {"Ann🎉", "Ann", 0},
        {"éAnn", "Ann", -1},
        {"Anné", "Ann", -1},
        {"Speaker 12", "Speaker 1", -1},
        {"Speaker 1", "Speaker 1", 0},
        {"7Ann", "Ann", -1},
        {"ann lee", "Ann Lee", 0},
        {"小明去了哪里？", "小明", 0},
        {"昨天小明来了", "小明", 6},
        {"민수는 어디", "민수", 0},
        {"Спроси Анну", "Анн", -1},
        {"Спроси Анну", "Анну", 13},
        {"¿cuándo?", "cuándo", 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ptrdiff_t at = cues_find_word(str_of(cases[i].text), str_of(cases[i].words), 0);
        if (at != cases[i].at)
            fail_msg("'%s' in '%s' is found at %td", cases[i].words, cases[i].text, at);
    }
    assert_int_equal(cues_find_word(STR_LIT("Ann Ann"), STR_LIT("ann"), 1), 4);
    assert_int_equal(cues_find_word(STR_LIT("Ann Ann"), STR_LIT("ann"), 5), -1);
    assert_int_equal(cues_find_word(STR_LIT("Ann"), STR_LIT("ann"), 100), -1);
}

static void questions_say_what_they_want(void **state)
{
    static const struct {
        const char *text;
        const char *wants; /* t, n, w(ho), m(e) */
    } cases[] = {
        {"", ""},
        {"Tell me about the trip", "m"},
        {"When did it happen?", "t"},
        {"whenever", ""},
        {"How long did it last?", "tn"},
        {"how many cats has Ann", "n"},
        {"WHO was there", "w"},
        {"What do I like", "m"},
        {"What's my name", "m"},
        {"I'm where?", "wm"},
        {"Which states of the US?", "w"},
        {"tell us", "m"},
        {"Wann war das?", "t"},
        {"Wie viele?", "n"},
        {"¿Cuándo fue?", "t"},
        {"¿cuándo fue?", "t"},
        {"d'où vient-il", "w"},
        {"Quand est-ce que je pars", "tm"},
        {"Kiedy?", "t"},
        {"Gdzie jest kto", "w"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wants wants = wants_of(str_of(cases[i].text));
        char found[8];
        (void)snprintf(found, sizeof(found), "%s%s%s%s", wants.time ? "t" : "", wants.number ? "n" : "",
                       wants.name ? "w" : "", wants.is_first_person ? "m" : "");
        if (strcmp(found, cases[i].wants) != 0)
            fail_msg("'%s' wants '%s'", cases[i].text, found);
    }
}

/* Each text in a block of its own length, so that a sanitizer sees a step outside. */
static void random_bytes_are_read_within_their_bounds(void **state)
{
    static const char *const pieces[] = {"Ann", ": ",   " ",        "\xc3", "\xe0\xa4", "é", "？",
                                         "؟",   "\xd8", "\xf0\x9f", "'s",   "?",        "1", "\x80",
                                         "who", "A",    "’",        ".",    "小",       "\n"};
    unsigned seed = 7;
    (void)state;
    for (size_t round = 0; round < 20000; round++) {
        char made[128];
        size_t len = 0;
        for (unsigned n = (seed = seed * 1103515245 + 12345) >> 16 & 7; n > 0; n--) {
            seed = seed * 1103515245 + 12345;
            const char *piece = pieces[(seed >> 16) % (sizeof(pieces) / sizeof(pieces[0]))];
            memcpy(made + len, piece, strlen(piece));
            len += strlen(piece);
        }
        char *bytes = malloc(len ? len : 1);
        memcpy(bytes, made, len);
        struct str text = str_make(bytes, len), speaker = {NULL, 0};
        struct str told = cues_split_speaker(text, &speaker);
        assert_true(told.len == 0 || told.ptr + told.len == bytes + len);
        assert_true(speaker.len + 2 + told.len == len || (speaker.len == 0 && told.len == len));
        struct cues cues = cues_of(text);
        assert_true(cues.n_names <= 3 && cues.n_times <= 3);
        (void)wants_of(text);
        ptrdiff_t at = cues_find_word(text, STR_LIT("Ann"), 0);
        assert_true(at < 0 || str_eq_nocase(str_slice(text, (size_t)at, 3), STR_LIT("ann")));
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_before_a_colon_speaks),
        cmocka_unit_test(other_colons_introduce_nobody),
        cmocka_unit_test(speaker_that_is_known_stays),
        cmocka_unit_test(long_text_without_a_colon_is_left_alone),
        cmocka_unit_test(cues_are_seen),
        cmocka_unit_test(cues_far_behind_are_not_read),
        cmocka_unit_test(words_are_found_whole),
        cmocka_unit_test(questions_say_what_they_want),
        cmocka_unit_test(random_bytes_are_read_within_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
