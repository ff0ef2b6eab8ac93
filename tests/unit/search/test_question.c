/* SPDX-License-Identifier: Apache-2.0
 *
 * How a query is understood: who is asked about, what is wanted, which times are named, and what is left of
 * it as terms. Over a partition put together by hand.
 */
#include "hybrid_fixture.h"

#include "search/search_priv.h"

struct asked {
    struct models models;
    struct partition *partition;
    struct analyzer *analyzer;
    struct arena arena;
};

static int setup(void **state)
{
    struct asked *asked = calloc(1, sizeof(*asked));
    asked->partition = partition_new(&asked->models, SIZE_MAX);
    assert_int_equal(analyzer_new("en", &asked->analyzer, NULL), 0);
    arena_init(&asked->arena, 1 << 24);
    *state = asked;
    return 0;
}

static int teardown(void **state)
{
    struct asked *asked = *state;
    partition_free(asked->partition);
    analyzer_free(asked->analyzer);
    arena_done(&asked->arena);
    free(asked);
    return 0;
}

static void put(struct asked *asked, int64_t row, const char *speaker, const char *text)
{
    struct partition *partition = asked->partition;
    struct search_doc doc = {.row = row, .text = str_of(text), .speaker = str_of(speaker)};
    uint32_t number, n_terms;
    assert_int_equal(docs_add(&partition->docs, &doc, &number), 0);
    assert_int_equal(keyword_add(&partition->keyword, asked->analyzer, doc.text, number, &n_terms), 0);
    docs_publish(&partition->docs, number, n_terms);
    if (partition->docs.items[number].speaker != INTERN_NONE)
        speakers_put(&partition->speakers, partition->docs.items[number].speaker);
}

static struct question read(struct asked *asked, const char *text)
{
    struct search_query query = question_of(text, SEARCH_HYBRID);
    struct question question;
    assert_int_equal(question_read(asked->partition, asked->analyzer, &query, &asked->arena, &question), 0);
    return question;
}

/* The one who is asked about, "" for nobody. */
static void expect_speaker(struct asked *asked, const char *text, const char *expected)
{
    struct question question = read(asked, text);
    struct str name = {NULL, 0};
    if (question.speaker != INTERN_NONE)
        name = intern_get(&asked->partition->docs.names, question.speaker);
    if (!str_is(name, expected))
        fail_msg("'%s' asks about '%.*s'", text, (int)name.len, name.ptr);
}

static bool has_term(struct asked *asked, const struct question *question, const char *term)
{
    uint32_t number = intern_find(&asked->partition->keyword.terms, str_of(term));
    for (size_t i = 0; i < question->keywords.n; i++)
        if (question->keywords.terms[i].term == number)
            return number != INTERN_NONE;
    return false;
}

static void named_speaker_is_asked_about(void **state)
{
    struct asked *asked = *state;
    put(asked, 1, "", "Ann: hello");
    put(asked, 2, "", "Bob: hello");
    put(asked, 3, "", "Carol Lee: hello");
    put(asked, 4, "", "小明: hello");
    expect_speaker(asked, "What did Ann buy?", "Ann");
    expect_speaker(asked, "what did ann buy", "Ann");
    expect_speaker(asked, "ANN?", "Ann");
    expect_speaker(asked, "Whose is Ann's kite?", "Ann");
    expect_speaker(asked, "Whose is Ann’s kite?", "Ann");
    expect_speaker(asked, "Is “Ann” here?", "Ann");
    expect_speaker(asked, "Ann and Ann", "Ann");
    expect_speaker(asked, "What did Anna buy?", "");
    expect_speaker(asked, "What did Carol buy?", "Carol Lee");
    expect_speaker(asked, "What did Carol Lee buy?", "Carol Lee");
    expect_speaker(asked, "Is Lee here?", "");
    expect_speaker(asked, "小明买了什么？", "小明");
    expect_speaker(asked, "What was bought?", "");
    expect_speaker(asked, "", "");
}

static void two_named_speakers_are_nobody_in_particular(void **state)
{
    struct asked *asked = *state;
    put(asked, 1, "", "Ann: hello");
    put(asked, 2, "", "Bob: hello");
    put(asked, 3, "user", "hello");
    expect_speaker(asked, "What did Ann give to Bob?", "");
    expect_speaker(asked, "What did Ann and Bob give me?", "");
    expect_speaker(asked, "what did ann give to bob", "");
}

static void one_who_asks_about_himself_is_the_user(void **state)
{
    struct asked *asked = *state;
    put(asked, 1, "assistant", "hello");
    expect_speaker(asked, "What is my name?", ""); /* no user has spoken */
    put(asked, 2, "user", "hello");
    expect_speaker(asked, "What is my name?", "user");
    expect_speaker(asked, "What did I buy?", "user");
    expect_speaker(asked, "What is the name?", "");
    expect_speaker(asked, "What did the assistant tell me?", "assistant");
    expect_speaker(asked, "Who is the user?", "");
}

static void words_that_are_names_too_name_only_when_written_so(void **state)
{
    struct asked *asked = *state;
    put(asked, 1, "", "Will: hello");
    put(asked, 2, "", "Ann: hello");
    put(asked, 3, "", "A: hello");
    expect_speaker(asked, "when will Ann come", "Ann");
    expect_speaker(asked, "When does Will come?", "Will");
    expect_speaker(asked, "what is a dog", "");
    expect_speaker(asked, "What does A say?", "A");
}

static void notes_with_a_heading_hide_no_speaker(void **state)
{
    struct asked *asked = *state;
    put(asked, 1, "", "Ann: hello");
    put(asked, 2, "", "The plan: buy a kite");
    put(asked, 3, "", "https://example.org: a page");
    put(asked, 4, "", "12:30 lunch");
    expect_speaker(asked, "What is the plan of Ann?", "Ann");
}

static void speaker_whose_turns_are_all_gone_is_forgotten(void **state)
{
    struct asked *asked = *state;
    put(asked, 1, "", "Ann: hello");
    put(asked, 2, "", "Bob: Ann says hello");
    docs_kill(&asked->partition->docs, docs_find(&asked->partition->docs, 1));
    expect_speaker(asked, "What did Ann give to Bob?", "Bob");
    struct question question = read(asked, "What did Ann give?");
    assert_true(has_term(asked, &question, "ann"));
    put(asked, 3, "", "Ann: hello");
    expect_speaker(asked, "What did Ann give?", "Ann");
    put(asked, 3, "", "Bob: hello"); /* changed: it was another who said it */
    expect_speaker(asked, "What did Ann give?", "");
}

static void crowd_of_speakers_is_borne(void **state)
{
    struct asked *asked = *state;
    char speaker[16], text[32];
    for (int64_t i = 0; i < 200; i++) {
        (void)snprintf(speaker, sizeof(speaker), "Guest%d", (int)i);
        put(asked, i + 1, speaker, "hello");
    }
    expect_speaker(asked, "What did Guest7 buy?", "Guest7");
    expect_speaker(asked, "What did Guest70 buy?", ""); /* not among those looked for; not Guest7 either */
    (void)snprintf(text, sizeof(text), "What did %s buy?", "Guest1");
    expect_speaker(asked, text, "Guest1");
}

static void name_is_no_term_unless_nothing_else_is_asked(void **state)
{
    struct asked *asked = *state;
    put(asked, 1, "", "Ann: a kite and a garden");
    struct question question = read(asked, "Where did Ann's kite go?");
    assert_true(has_term(asked, &question, "kite"));
    assert_false(has_term(asked, &question, "ann"));
    for (size_t i = 0; i < question.keywords.n; i++)
        assert_true(question.keywords.terms[i].term != INTERN_NONE || question.keywords.n > 1);
    question = read(asked, "Ann");
    assert_true(has_term(asked, &question, "ann"));
    assert_int_equal(question.keywords.n, 1);
    question = read(asked, "What about Ann?");
    assert_true(has_term(asked, &question, "ann"));
}

static void dates_are_read(void **state)
{
    struct asked *asked = *state;
    struct question question = read(asked, "What happened in May 2023?");
    assert_int_equal(question.n_ranges, 1);
    assert_true(question.ranges[0].from_us == MAY_US && question.ranges[0].until_us == MAY_US + 31 * DAY_US);
    question = read(asked, "May 2023, June 2023, July 2023, August 2023, September 2023, October 2023");
    assert_true(question.n_ranges <= QUESTION_MAX_RANGES && question.n_ranges > 0);
    assert_int_equal(read(asked, "What happened?").n_ranges, 0);
}

static void query_stays_as_it_was(void **state)
{
    struct asked *asked = *state;
    char text[] = "What did Ann buy?";
    put(asked, 1, "", "Ann: hello");
    (void)read(asked, text);
    assert_string_equal(text, "What did Ann buy?");
}

/* Nothing in a term's place depends on the dead: neither what they alone had nor the order in which terms
 * came. */
static void terms_stand_by_rarity_then_as_asked(void **state)
{
    struct asked *asked = *state;
    put(asked, 1, "", "zebra walrus garden");
    put(asked, 2, "", "garden kite zebra walrus");
    put(asked, 3, "", "lantern");
    struct question question = read(asked, "walrus lantern zebra kite unheard lantern garden");
    docs_kill(&asked->partition->docs, 0);
    question = read(asked, "walrus lantern zebra kite unheard lantern garden");
    static const char *const expected[] = {"walrus", "lantern", "zebra", "kite", "garden"};
    assert_int_equal(question.keywords.n, 6);
    for (size_t i = 0; i < 5; i++) {
        struct str term = intern_get(&asked->partition->keyword.terms, question.keywords.terms[i].term);
        assert_true(str_is(term, expected[i]));
        assert_int_equal(question.keywords.terms[i].n_asked, i == 1 ? 2 : 1);
    }
    assert_int_equal(question.keywords.terms[5].term, INTERN_NONE);
    docs_kill(&asked->partition->docs, 2);
    question = read(asked, "lantern kite");
    assert_int_equal(question.keywords.n, 2);
    assert_int_equal(question.keywords.terms[1].term, INTERN_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(named_speaker_is_asked_about, setup, teardown),
        cmocka_unit_test_setup_teardown(two_named_speakers_are_nobody_in_particular, setup, teardown),
        cmocka_unit_test_setup_teardown(one_who_asks_about_himself_is_the_user, setup, teardown),
        cmocka_unit_test_setup_teardown(words_that_are_names_too_name_only_when_written_so, setup, teardown),
        cmocka_unit_test_setup_teardown(notes_with_a_heading_hide_no_speaker, setup, teardown),
        cmocka_unit_test_setup_teardown(speaker_whose_turns_are_all_gone_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(crowd_of_speakers_is_borne, setup, teardown),
        cmocka_unit_test_setup_teardown(name_is_no_term_unless_nothing_else_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(dates_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(query_stays_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(terms_stand_by_rarity_then_as_asked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
