/* SPDX-License-Identifier: Apache-2.0
 *
 * The hybrid search as a whole, with the built-in model: what finds an item, what holds whatever is asked,
 * and that a partition which has seen much change answers as one built anew.
 */
#include "hybrid_fixture.h"

static const enum search_mode modes[] = {SEARCH_HYBRID, SEARCH_KEYWORD, SEARCH_VECTOR};

/* ---- what finds an item ---- */

/* An exchange among other ones: the row of its answer, which has no word of the question. */
static int64_t say_exchange(struct rows *rows)
{
    for (int64_t i = 0; i < 30; i++)
        say(rows, "t", i - 40, i % 2 ? "Bob" : "Ann", i % 3 ? "the weather was fine" : "that sounds good");
    say(rows, "t", 0, "Bob", "And how is the telescope?");
    int64_t answer = say(rows, "t", 1, "Ann", "Broken since Tuesday.");
    for (int64_t i = 0; i < 30; i++)
        say(rows, "t", i + 70, i % 2 ? "Bob" : "Ann", i % 3 ? "the weather was fine" : "that sounds good");
    return answer;
}

static void neighbour_of_a_match_is_found(void **state)
{
    struct hybrid *hybrid = *state;
    int64_t row = say_exchange(&hybrid->rows);
    struct search *search = make_model_search(&hybrid->rows, NULL, NULL);
    struct answer answer = ask(search, question_of("telescope", SEARCH_HYBRID), &hybrid->arena);
    assert_in_range(rank_of(answer, row), 1, 2);
    assert_true(part_of(answer, row, SEARCH_PART_CONTEXT) > 0);
    assert_int_equal(rank_of(ask(search, question_of("telescope", SEARCH_KEYWORD), &hybrid->arena), row), 0);
    search_free(search);
}

static void deleted_neighbour_leads_nowhere(void **state)
{
    struct hybrid *hybrid = *state;
    int64_t row = say_exchange(&hybrid->rows);
    assert_true(rank_of(hybrid_ask(hybrid, "telescope"), row) > 0);
    rows_delete(&hybrid->rows, row - 1);
    struct answer answer = hybrid_ask(hybrid, "telescope");
    assert_int_equal(rank_of(answer, row - 1), 0);
    for (size_t i = 0; i < answer.n; i++)
        assert_true(answer.hits[i].parts[SEARCH_PART_KEYWORD] == 0);
}

static void changed_turn_is_found_by_what_it_says_now(void **state)
{
    struct hybrid *hybrid = *state;
    int64_t row = say_exchange(&hybrid->rows);
    assert_true(rank_of(hybrid_ask(hybrid, "telescope"), row) > 0);
    rows_put(&hybrid->rows, row - 1, "ann", "And how is the violin?");
    assert_in_range(rank_of(hybrid_ask(hybrid, "violin"), row), 1, 2);
    struct answer answer = hybrid_ask(hybrid, "telescope");
    assert_true(!rank_of(answer, row) || part_of(answer, row, SEARCH_PART_KEYWORD) == 0);
}

static void match_comes_before_its_neighbours_without_a_model_too(void **state)
{
    struct hybrid *hybrid = *state;
    say_exchange(&hybrid->rows);
    int64_t row = say(&hybrid->rows, "t", 300, "Ann", "I bought a violin");
    say(&hybrid->rows, "t", 301, "Bob", "that sounds good");
    for (int which = 0; which < 4; which++) {
        struct search *search = make_model_search(&hybrid->rows, which & 1 ? hybrid->embedder : NULL,
                                                  which & 2 ? hybrid->embedder : NULL);
        struct answer answer = ask(search, question_of("violin", SEARCH_HYBRID), &hybrid->arena);
        assert_int_equal(rank_of(answer, row), 1);
        assert_true(part_of(answer, row, SEARCH_PART_WORDS) > part_of(answer, row + 1, SEARCH_PART_WORDS));
        search_free(search);
    }
}

static void meaning_is_found_without_a_word(void **state)
{
    struct hybrid *hybrid = *state;
    int64_t row = say(&hybrid->rows, "", 0, "", "The physician prescribed pills");
    say(&hybrid->rows, "", 100, "", "We painted the fence");
    say(&hybrid->rows, "", 200, "", "The train was late");
    struct answer answer = hybrid_ask(hybrid, "doctor medicine");
    assert_int_equal(rank_of(answer, row), 1);
    assert_true(part_of(answer, row, SEARCH_PART_VECTOR) > 0);
    assert_true(part_of(answer, row, SEARCH_PART_WORDS) > 0);
    assert_true(part_of(answer, row, SEARCH_PART_KEYWORD) == 0);
}

static void one_who_is_asked_about_comes_first(void **state)
{
    struct hybrid *hybrid = *state;
    int64_t ann = say(&hybrid->rows, "a", 0, "", "Ann: the walrus is mine");
    int64_t bob = say(&hybrid->rows, "b", 0, "", "Bob: the walrus is mine");
    int64_t user = say(&hybrid->rows, "c", 0, "user", "the walrus is mine");
    assert_int_equal(rank_of(hybrid_ask(hybrid, "Ann's walrus"), ann), 1);
    assert_int_equal(rank_of(hybrid_ask(hybrid, "Bob's walrus"), bob), 1);
    assert_int_equal(rank_of(hybrid_ask(hybrid, "my walrus"), user), 1);
    struct answer answer = hybrid_ask(hybrid, "the walrus of Ann and Bob");
    assert_true(part_of(answer, ann, SEARCH_PART_SPEAKER) == 0 &&
                part_of(answer, bob, SEARCH_PART_SPEAKER) == 0);
}

static void dates_decide_between_equals(void **state)
{
    struct hybrid *hybrid = *state;
    static const int64_t days[] = {-400, -45, 3, 20, 45, 400};
    enum { N = sizeof(days) / sizeof(days[0]) };
    int64_t rows[N];
    for (size_t i = 0; i < N; i++)
        rows[i] = say(&hybrid->rows, "", days[i] * 24 * 60, "", "we saw a walrus");
    struct answer answer = hybrid_ask(hybrid, "walrus in May 2023");
    for (size_t i = 0; i < N; i++)
        if (i != 2 && i != 3)
            assert_true(rank_of(answer, rows[i]) > 2);
    answer = hybrid_ask(hybrid, "walrus before May 2023");
    assert_true(rank_of(answer, rows[0]) <= 2 && rank_of(answer, rows[1]) <= 2);
    answer = hybrid_ask(hybrid, "walrus after June 2023");
    assert_int_equal(rank_of(answer, rows[5]), 1);
    answer = hybrid_ask(hybrid, "walrus");
    for (size_t i = 0; i < N; i++)
        assert_true(part_of(answer, rows[i], SEARCH_PART_TIME) == 0);
}

static void what_is_wanted_is_told(void **state)
{
    struct hybrid *hybrid = *state;
    int64_t vague = say(&hybrid->rows, "a", 0, "Ann", "The walrus swam away");
    int64_t timed = say(&hybrid->rows, "b", 0, "Ann", "The walrus swam away yesterday");
    int64_t counted = say(&hybrid->rows, "c", 0, "Ann", "Three times the walrus swam away");
    int64_t asks = say(&hybrid->rows, "d", 0, "Ann", "The walrus swam away?");
    struct answer answer = hybrid_ask(hybrid, "When did the walrus swim away?");
    assert_true(part_of(answer, timed, SEARCH_PART_TIME) > part_of(answer, vague, SEARCH_PART_TIME));
    answer = hybrid_ask(hybrid, "How many times did the walrus swim away?");
    assert_true(part_of(answer, counted, SEARCH_PART_FORM) > part_of(answer, vague, SEARCH_PART_FORM));
    assert_true(part_of(answer, asks, SEARCH_PART_FORM) < part_of(answer, vague, SEARCH_PART_FORM));
}

static void importance_and_age_decide_between_equals_alone(void **state)
{
    struct hybrid *hybrid = *state;
    int64_t plain = say(&hybrid->rows, "", 0, "", "we saw a walrus");
    int64_t heavy = say(&hybrid->rows, "", 0, "", "we saw a walrus");
    int64_t later = say(&hybrid->rows, "", 200 * 24 * 60, "", "we saw a walrus");
    int64_t other = say(&hybrid->rows, "", 0, "", "we saw a seal");
    rows_doc(&hybrid->rows, heavy)->importance = 1;
    rows_doc(&hybrid->rows, other)->importance = 1;
    struct answer answer = hybrid_ask(hybrid, "walrus");
    assert_int_equal(rank_of(answer, heavy), 1);
    assert_int_equal(rank_of(answer, later), 2);
    assert_int_equal(rank_of(answer, plain), 3);
}

static void importance_out_of_bounds_is_held_within(void **state)
{
    struct hybrid *hybrid = *state;
    static const double given[] = {(double)NAN, -5, 7, (double)INFINITY, (double)-INFINITY};
    for (size_t i = 0; i < 5; i++)
        rows_doc(&hybrid->rows, say(&hybrid->rows, "", (int64_t)i, "", "we saw a walrus"))->importance =
            given[i];
    struct search_query query = question_of("walrus", SEARCH_HYBRID);
    struct answer answer = ask(hybrid->search, query, &hybrid->arena);
    expect_sound(&hybrid->rows, &query, answer);
    assert_int_equal(answer.n, 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(fabsf(answer.hits[i].parts[SEARCH_PART_PRIOR]) < 1);
}

static void times_at_the_ends_are_borne(void **state)
{
    struct hybrid *hybrid = *state;
    static const int64_t times[] = {INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX - 1, INT64_MAX};
    static const char *const texts[] = {"walrus", "walrus in May 2023", "walrus in May",
                                        "walrus before May 2023"};
    for (size_t i = 0; i < 6; i++)
        rows_doc(&hybrid->rows, say(&hybrid->rows, "t", 0, "Ann", "we saw a walrus"))->created_us = times[i];
    for (size_t i = 0; i < 4; i++) {
        struct search_query query = question_of(texts[i], SEARCH_HYBRID);
        struct answer answer = ask(hybrid->search, query, &hybrid->arena);
        expect_sound(&hybrid->rows, &query, answer);
        assert_int_equal(answer.n, 6);
    }
}

/* ---- what holds whatever is asked ---- */

static const char *const nouns[] = {"walrus", "kite",   "garden", "lantern", "violin",  "ladder",
                                    "river",  "cactus", "pepper", "window",  "tractor", "island",
                                    "button", "pillow", "rocket", "camera"};
#define N_NOUNS (sizeof(nouns) / sizeof(nouns[0]))

/* Words that are their own stems, some much more common than others: what a stem's first word was is the one
 * thing that a partition remembers of the dead. */
static void random_text(unsigned *seed, char *ret_text, size_t size)
{
    size_t len = (size_t)snprintf(ret_text, size, next_random(seed, 4) ? "" : "Bob: ");
    for (size_t n = 1 + next_random(seed, 10); n > 0; n--)
        len += (size_t)snprintf(ret_text + len, size - len, "%s%s",
                                nouns[next_random(seed, 1 + next_random(seed, N_NOUNS))],
                                n > 1                  ? " "
                                : next_random(seed, 3) ? "."
                                                       : "?");
}

static void random_question(unsigned *seed, char *ret_text, size_t size)
{
    static const char *const openings[] = {
        "", "When did Ann's", "my", "Who has Bob and the", "in May 2023, the", "How many", "Ann and Bob"};
    size_t len = (size_t)snprintf(ret_text, size, "%s", openings[next_random(seed, 7)]);
    for (size_t n = next_random(seed, 6); n > 0; n--)
        len += (size_t)snprintf(ret_text + len, size - len, " %s", nouns[next_random(seed, N_NOUNS)]);
}

static void random_change(struct rows *rows, unsigned *seed)
{
    static const char *const speakers[] = {"Ann", "Bob", "user", ""};
    static const char *const threads[] = {"a", "b", ""};
    static const char *const tags[] = {"red", "green", "blue"};
    char text[160];
    random_text(seed, text, sizeof(text));
    unsigned kind = next_random(seed, 10);
    int64_t row = rows->n && kind < 5 ? 1 + next_random(seed, (unsigned)rows->n) : 0;
    if (row && rows_doc(rows, row)->is_deleted)
        row = 0;
    if (row && kind < 2) {
        rows_delete(rows, row);
        return;
    }
    row = rows_put(rows, row, "ann", text);
    struct search_doc *doc = rows_doc(rows, row);
    doc->source = next_random(seed, 4) ? STR_LIT("chat") : STR_LIT("mail");
    doc->thread = str_of(threads[next_random(seed, 3)]);
    doc->speaker = str_of(speakers[next_random(seed, 4)]);
    doc->created_us = MAY_US + next_random(seed, 300) * 7 * MINUTE_US;
    doc->importance = next_random(seed, 3) * 0.5;
    doc->n_tags = next_random(seed, 3);
    for (size_t i = 0; i < doc->n_tags; i++)
        rows->items[row - 1].tags[i] = str_of(tags[next_random(seed, 3)]);
}

static void partition_that_saw_much_change_answers_as_a_new_one(void **state)
{
    struct hybrid *hybrid = *state;
    for (unsigned seed = 1; seed <= 4; seed++) {
        unsigned random = seed;
        struct rows rows;
        rows_init(&rows);
        struct search *old = make_model_search(&rows, hybrid->embedder, hybrid->embedder);
        for (int step = 0; step < 25; step++) {
            for (unsigned i = next_random(&random, 40); i > 0; i--)
                random_change(&rows, &random);
            struct search *fresh = make_model_search(&rows, hybrid->embedder, hybrid->embedder);
            for (int i = 0; i < 12; i++) {
                char text[200];
                random_question(&random, text, sizeof(text));
                struct search_query query = question_of(text, modes[i % 3]);
                query.limit = 1 + next_random(&random, 40);
                struct answer answer = ask(old, query, &hybrid->arena);
                expect_sound(&rows, &query, answer);
                expect_same_hits(answer, ask(fresh, query, &hybrid->arena));
            }
            arena_reset(&hybrid->arena);
            search_free(fresh);
        }
        search_free(old);
        rows_done(&rows);
    }
}

static bool passes(const struct search_doc *doc, const struct search_query *query)
{
    bool has_tag = query->n_tags == 0;
    for (size_t i = 0; i < doc->n_tags && query->n_tags; i++)
        has_tag |= str_eq(doc->tags[i], query->tags[0]);
    return has_tag && (!query->source.len || str_eq(doc->source, query->source)) &&
           doc->created_us >= query->since_us && doc->created_us < query->until_us;
}

static void filter_holds_for_neighbours_too(void **state)
{
    struct hybrid *hybrid = *state;
    struct str red = STR_LIT("red");
    unsigned random = 5;
    size_t n_found = 0, n_whole = 0;
    for (int i = 0; i < 400; i++)
        random_change(&hybrid->rows, &random);
    for (int i = 0; i < 300; i++) {
        char text[200];
        random_question(&random, text, sizeof(text));
        struct search_query query = question_of(text, modes[i % 3]);
        query.limit = 1 + next_random(&random, 100);
        n_whole += ask(hybrid->search, query, &hybrid->arena).n;
        if (next_random(&random, 2))
            query.source = STR_LIT("mail");
        query.tags = &red;
        query.n_tags = next_random(&random, 2);
        if (next_random(&random, 2))
            query.since_us = MAY_US + 500 * MINUTE_US;
        if (next_random(&random, 2))
            query.until_us = MAY_US + 1400 * MINUTE_US;
        struct answer answer = ask(hybrid->search, query, &hybrid->arena);
        expect_sound(&hybrid->rows, &query, answer);
        for (size_t k = 0; k < answer.n; k++)
            assert_true(passes(rows_doc(&hybrid->rows, answer.hits[k].row), &query));
        n_found += answer.n;
        arena_reset(&hybrid->arena);
    }
    assert_true(n_found > 300 && n_found < n_whole);
}

static void filter_that_nothing_passes_finds_nothing(void **state)
{
    struct hybrid *hybrid = *state;
    say_exchange(&hybrid->rows);
    for (size_t i = 0; i < 3; i++) {
        struct search_query query = question_of("telescope", modes[i]);
        query.source = STR_LIT("nowhere");
        assert_int_equal(ask(hybrid->search, query, &hybrid->arena).n, 0);
        query = question_of("telescope", modes[i]);
        query.since_us = query.until_us = MAY_US;
        assert_int_equal(ask(hybrid->search, query, &hybrid->arena).n, 0);
    }
}

static void fewer_are_the_first_of_more(void **state)
{
    struct hybrid *hybrid = *state;
    static const size_t limits[] = {0, 1, 2, 10, 29, 30, 1000};
    unsigned random = 11;
    for (int i = 0; i < 30; i++)
        random_change(&hybrid->rows, &random);
    for (size_t m = 0; m < 3; m++) {
        struct search_query query = question_of("the walrus, the kite and Ann's garden", modes[m]);
        query.limit = 1000;
        struct answer all = ask(hybrid->search, query, &hybrid->arena);
        assert_true(all.n > 5);
        for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
            query.limit = limits[i];
            struct answer answer = ask(hybrid->search, query, &hybrid->arena);
            expect_sound(&hybrid->rows, &query, answer);
            struct answer first = {.hits = all.hits, .n = all.n < limits[i] ? all.n : limits[i]};
            expect_same_hits(answer, first);
        }
    }
}

static void thousand_are_found_where_there_are_as_many(void **state)
{
    struct hybrid *hybrid = *state;
    for (int64_t i = 0; i < 1500; i++)
        say(&hybrid->rows, i % 2 ? "a" : "b", i, i % 3 ? "Ann" : "Bob",
            "the walrus, the kite and the garden");
    struct search_query query = question_of("walrus", SEARCH_HYBRID);
    query.limit = 1000;
    struct answer answer = ask(hybrid->search, query, &hybrid->arena);
    assert_int_equal(answer.n, 1000);
    expect_sound(&hybrid->rows, &query, answer);
}

static void no_more_are_found_than_there_is_room_for(void **state)
{
    struct hybrid *hybrid = *state;
    const char *text = "the walrus, the kite and the garden";
    for (int64_t i = 0; i < 600; i++)
        say(&hybrid->rows, "", i, "", text);
    struct search_query query = question_of("walrus", SEARCH_HYBRID);
    query.limit = 200;
    query.room_bytes = strlen(text);
    assert_int_equal(ask(hybrid->search, query, &hybrid->arena).n, SEARCH_ENOUGH_HITS);
    query.room_bytes = 100 * strlen(text);
    assert_int_equal(ask(hybrid->search, query, &hybrid->arena).n, 150);
    for (int64_t row = 1; row <= 300; row++) /* the mean length stays, and the room with it */
        rows_delete(&hybrid->rows, row);
    assert_int_equal(ask(hybrid->search, query, &hybrid->arena).n, 150);
    query.room_bytes = 1000 * strlen(text);
    assert_int_equal(ask(hybrid->search, query, &hybrid->arena).n, 200);
    query.limit = 10;
    query.room_bytes = 1;
    assert_int_equal(ask(hybrid->search, query, &hybrid->arena).n, 10);
    query.limit = 200;
    query.mode = SEARCH_KEYWORD;
    assert_int_equal(ask(hybrid->search, query, &hybrid->arena).n, 200);
}

/* A row of which the search keeps the text. */
static int64_t note(struct rows *rows, int64_t minute, const char *speaker, const char *text)
{
    int64_t row = say(rows, "", minute, speaker, text);
    rows_doc(rows, row)->id = STR_LIT("id");
    return row;
}

static size_t count_rows_from(struct answer answer, int64_t first)
{
    size_t n = 0;
    for (size_t i = 0; i < answer.n; i++)
        n += answer.hits[i].row >= first;
    return n;
}

static void notes_that_say_the_same_leave_room_for_others(void **state)
{
    struct hybrid *hybrid = *state;
    for (int64_t i = 0; i < 700; i++)
        (void)note(&hybrid->rows, i, "", "the walrus is in the pool again");
    int64_t newest = 700, others = 701;
    for (int64_t i = 0; i < 5; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "keeper number %d feeds one animal, a walrus", (int)i);
        (void)note(&hybrid->rows, -i, "", text);
    }
    struct search_query query = question_of("where is the walrus, in the pool?", SEARCH_HYBRID);
    query.limit = 20;
    assert_int_equal(count_rows_from(ask(hybrid->search, query, &hybrid->arena), others), 0);
    query.is_distinct = true;
    struct answer answer = ask(hybrid->search, query, &hybrid->arena);
    assert_int_equal(answer.n, 6);
    assert_int_equal(answer.hits[0].row, newest);
    assert_int_equal(count_rows_from(answer, others), 5);
    query.until_us = MAY_US + 100 * MINUTE_US; /* the newest of those that pass */
    answer = ask(hybrid->search, query, &hybrid->arena);
    assert_int_equal(answer.n, 6);
    assert_int_equal(answer.hits[0].row, 100);
    query.until_us = INT64_MAX;
    rows_delete(&hybrid->rows, newest);
    answer = ask(hybrid->search, query, &hybrid->arena);
    assert_int_equal(answer.n, 6);
    assert_int_equal(answer.hits[0].row, newest - 1);
    for (int64_t i = 0; i < 9; i++) /* turns are not notes */
        (void)note(&hybrid->rows, 1000 + i, "Ann", "the walrus is in the pool again");
    answer = ask(hybrid->search, query, &hybrid->arena);
    assert_int_equal(answer.n, 6 + 9);
}

static void of_long_items_as_many_are_found_as_are_wanted(void **state)
{
    struct hybrid *hybrid = *state;
    char text[2048] = "the walrus";
    for (int i = 0; i < 60; i++)
        (void)snprintf(text + strlen(text), 16, " z%cq%c", 'a' + i / 10, 'a' + i % 10);
    for (int64_t i = 0; i < 100; i++)
        say(&hybrid->rows, "", i, "", text);
    struct search_query query = question_of("walrus", SEARCH_HYBRID);
    query.limit = 90;
    query.room_bytes = 1000;
    assert_int_equal(ask(hybrid->search, query, &hybrid->arena).n, 90);
}

static void equal_items_come_newest_first_then_by_row(void **state)
{
    struct hybrid *hybrid = *state;
    static const int64_t minutes[] = {5, 9, 5, 9, 7}, expected[] = {2, 4, 5, 1, 3};
    for (size_t i = 0; i < 5; i++)
        say(&hybrid->rows, "", minutes[i], "", "we saw a walrus");
    for (size_t m = 0; m < 3; m++) {
        struct search_query query = question_of("walrus", modes[m]);
        query.now_us = MAY_US; /* before all of them: none is older */
        struct answer answer = ask(hybrid->search, query, &hybrid->arena);
        assert_int_equal(answer.n, 5);
        for (size_t i = 0; i < 5; i++) {
            assert_int_equal(answer.hits[i].row, expected[i]);
            assert_true(answer.hits[i].score == answer.hits[0].score);
        }
    }
}

static void floor_cuts_the_end_off(void **state)
{
    struct hybrid *hybrid = *state;
    unsigned random = 3;
    for (int i = 0; i < 60; i++)
        random_change(&hybrid->rows, &random);
    for (size_t m = 0; m < 3; m++) {
        struct search_query query = question_of("walrus lantern", modes[m]);
        query.limit = 50;
        struct answer all = ask(hybrid->search, query, &hybrid->arena);
        assert_true(all.n > 3);
        query.min_score = all.hits[all.n / 2].score;
        struct answer answer = ask(hybrid->search, query, &hybrid->arena);
        expect_sound(&hybrid->rows, &query, answer);
        assert_true(answer.n >= all.n / 2 && answer.n < all.n);
        query.min_score = 1.1;
        assert_int_equal(ask(hybrid->search, query, &hybrid->arena).n, 0);
    }
}

static double logit(double score)
{
    return log(score / (1 - score));
}

static void parts_add_up_to_the_score(void **state)
{
    struct hybrid *hybrid = *state;
    unsigned random = 17;
    double first_rest = 0;
    for (int i = 0; i < 200; i++)
        random_change(&hybrid->rows, &random);
    struct answer answer = hybrid_ask(hybrid, "When did Ann's walrus see the garden in May 2023?");
    assert_int_equal(answer.n, 10);
    for (size_t i = 0; i < answer.n; i++) {
        double sum = 0;
        for (int part = 0; part < SEARCH_N_PARTS; part++)
            sum += (double)answer.hits[i].parts[part];
        double rest = logit(answer.hits[i].score) - sum; /* the same for all: the bias */
        if (i == 0)
            first_rest = rest;
        assert_true(fabs(rest - first_rest) < 1e-4);
    }
    answer = ask(hybrid->search, question_of("walrus", SEARCH_KEYWORD), &hybrid->arena);
    for (int part = 0; part < SEARCH_N_PARTS; part++)
        assert_true((answer.hits[0].parts[part] != 0) == (part == SEARCH_PART_KEYWORD));
    answer = ask(hybrid->search, question_of("walrus", SEARCH_VECTOR), &hybrid->arena);
    for (int part = 0; part < SEARCH_N_PARTS; part++)
        assert_true((answer.hits[0].parts[part] != 0) == (part == SEARCH_PART_VECTOR));
}

static void any_query_is_answered(void **state)
{
    struct hybrid *hybrid = *state;
    static const char *const texts[] = {"",
                                        " ",
                                        "?",
                                        "a",
                                        "I",
                                        "7",
                                        "é",
                                        "猫",
                                        "the and of",
                                        "who",
                                        "Ann",
                                        "ann",
                                        "Ann Bob user",
                                        "🦭",
                                        "🦭🦭 🎉",
                                        "猫在哪里？",
                                        "고양이",
                                        "ねこ はどこ",
                                        "\xff\xfe",
                                        "\xc3",
                                        "'s",
                                        "Ann's",
                                        "Ann’s",
                                        "Ann:",
                                        ": ",
                                        "----",
                                        "May",
                                        "in May 2023",
                                        "yesterday",
                                        "%s%n",
                                        "walrus\twalrus\nwalrus",
                                        "https://example.org/walrus"};
    unsigned random = 23;
    for (int i = 0; i < 100; i++)
        random_change(&hybrid->rows, &random);
    say(&hybrid->rows, "a", 1, "Ann", "我的猫在花园里");
    say(&hybrid->rows, "a", 2, "Ann", "");
    say(&hybrid->rows, "a", 3, "Ann", "🦭");
    say(&hybrid->rows, "", 4, "", "the and of");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        for (size_t m = 0; m < 3; m++) {
            struct search_query query = question_of(texts[i], modes[m]);
            struct answer answer = ask(hybrid->search, query, &hybrid->arena);
            expect_sound(&hybrid->rows, &query, answer);
            if (i < 2)
                assert_int_equal(answer.n, 0);
        }
    assert_true(hybrid_ask(hybrid, "Bob").n > 0); /* some texts begin with the name */
    struct answer answer = hybrid_ask(hybrid, "猫在哪里？");
    assert_true(answer.n > 0);
    assert_int_equal(answer.hits[0].row, hybrid->rows.n - 3);
}

static void endless_query_is_answered(void **state)
{
    struct hybrid *hybrid = *state;
    static const char *const pieces[] = {"Ann's walrus ", "a", "the ", "🦭", "猫", "Guest "};
    const size_t size = 1 << 20;
    char *text = malloc(size + 1);
    unsigned random = 29;
    for (int i = 0; i < 100; i++)
        random_change(&hybrid->rows, &random);
    for (size_t p = 0; p < 6; p++) {
        size_t len = strlen(pieces[p]), n = size / len;
        for (size_t i = 0; i < n; i++)
            memcpy(text + i * len, pieces[p], len + 1);
        for (size_t m = 0; m < 3; m++) {
            struct search_query query = question_of(text, modes[m]);
            struct answer answer = ask(hybrid->search, query, &hybrid->arena);
            expect_sound(&hybrid->rows, &query, answer);
            assert_true(p > 0 || answer.n == 10);
        }
        arena_reset(&hybrid->arena);
    }
    free(text);
}

static void any_text_is_taken_in(void **state)
{
    struct hybrid *hybrid = *state;
    static const char *const texts[] = {"",
                                        " ",
                                        "Ann: ",
                                        "Ann:",
                                        "Ann: walrus",
                                        "https://example.org/walrus",
                                        "12:30 walrus",
                                        "12: 30 walrus",
                                        "::: walrus",
                                        "🦭: walrus",
                                        "\xff: walrus\xff",
                                        "Note: a walrus: big",
                                        "walrus\n\n\nwalrus"};
    const size_t n = sizeof(texts) / sizeof(texts[0]);
    char *endless = malloc(10241);
    for (size_t i = 0; i < n; i++)
        say(&hybrid->rows, "t", (int64_t)i, "", texts[i]);
    for (size_t i = 0; i < 10240; i++)
        endless[i] = i % 7 == 6 ? ' ' : (char)('a' + i % 5);
    memcpy(endless + 10232, " walrus", 8);
    int64_t last = say(&hybrid->rows, "t", 100, "", "");
    rows_doc(&hybrid->rows, last)->text = str_make(endless, 10239);
    for (size_t m = 0; m < 3; m++) {
        struct search_query query = question_of("walrus", modes[m]);
        query.limit = 100;
        struct answer answer = ask(hybrid->search, query, &hybrid->arena);
        expect_sound(&hybrid->rows, &query, answer);
        assert_false(answer.is_degraded);
        for (size_t i = 4; i < n; i++)
            assert_true(rank_of(answer, (int64_t)i + 1) > 0 || modes[m] == SEARCH_VECTOR || i == 5);
        assert_true(modes[m] == SEARCH_VECTOR || rank_of(answer, last) > 0);
    }
    rows_delete(&hybrid->rows, last);
    (void)hybrid_ask(hybrid, "walrus");
    free(endless);
}

static void models_may_be_missing(void **state)
{
    struct hybrid *hybrid = *state;
    unsigned random = 31;
    for (int i = 0; i < 200; i++)
        random_change(&hybrid->rows, &random);
    for (int which = 0; which < 4; which++) {
        const struct embedder *words = which & 1 ? hybrid->embedder : NULL;
        const struct embedder *embedder = which & 2 ? hybrid->embedder : NULL;
        struct search *search = make_model_search(&hybrid->rows, words, embedder);
        for (size_t m = 0; m < 3; m++) {
            struct search_query query = question_of("walrus in Ann's garden", modes[m]);
            struct answer answer = ask(search, query, &hybrid->arena);
            expect_sound(&hybrid->rows, &query, answer);
            assert_int_equal(answer.n, modes[m] == SEARCH_VECTOR && !embedder ? 0 : 10);
            for (size_t i = 0; i < answer.n && modes[m] == SEARCH_HYBRID; i++) {
                assert_true(embedder || answer.hits[i].parts[SEARCH_PART_VECTOR] == 0);
            }
        }
        for (int i = 0; i < 100; i++) /* through a compaction */
            random_change(&hybrid->rows, &random);
        (void)ask(search, question_of("walrus", SEARCH_HYBRID), &hybrid->arena);
        search_free(search);
    }
}

/* ---- order of arrival ---- */

struct turn {
    const char *thread;
    int64_t minute;
    const char *speaker, *text;
};

static const struct turn turns[] = {
    {"a", 0, "Ann", "I finally bought a telescope"},
    {"b", 0, "Bob", "The violin lesson was hard"},
    {"a", 1, "Bob", "Wow, which one?"},
    {"b", 1, "Ann", "Did you practise at all?"},
    {"a", 2, "Ann", "The big one from the shop"},
    {"b", 2, "Bob", "Not since last Friday"},
    {"a", 3, "Bob", "I would love to see Saturn"},
    {"b", 3, "Ann", "Then I am not surprised"},
};
#define N_TURNS (sizeof(turns) / sizeof(turns[0]))

/* The conversations' turns in this order; hits as places in `turns`, with their scores. */
static size_t ask_in_order(struct hybrid *hybrid, const size_t *order, const char *text, size_t *ret_turns,
                           double *ret_scores)
{
    struct rows rows;
    rows_init(&rows);
    struct search *search = make_model_search(&rows, hybrid->embedder, hybrid->embedder);
    for (size_t i = 0; i < N_TURNS; i++) {
        const struct turn *turn = &turns[order[i]];
        say(&rows, turn->thread, turn->minute, turn->speaker, turn->text);
        if (i % 3 == 0)
            (void)ask(search, question_of("anything", SEARCH_HYBRID), &hybrid->arena);
    }
    struct answer answer = ask(search, question_of(text, SEARCH_HYBRID), &hybrid->arena);
    for (size_t i = 0; i < answer.n; i++) {
        ret_turns[i] = order[answer.hits[i].row - 1];
        ret_scores[i] = answer.hits[i].score;
    }
    search_free(search);
    rows_done(&rows);
    return answer.n;
}

static void order_of_arrival_says_nothing(void **state)
{
    static const size_t orders[][N_TURNS] = {{0, 1, 2, 3, 4, 5, 6, 7},
                                             {0, 2, 4, 6, 1, 3, 5, 7},
                                             {7, 6, 5, 4, 3, 2, 1, 0},
                                             {3, 0, 6, 1, 7, 4, 2, 5}};
    static const char *const texts[] = {"Which telescope did Ann buy?", "violin", "When did Bob practise?"};
    struct hybrid *hybrid = *state;
    for (size_t q = 0; q < 3; q++) {
        size_t expected[N_TURNS], found[N_TURNS];
        double expected_scores[N_TURNS], scores[N_TURNS];
        size_t n = ask_in_order(hybrid, orders[0], texts[q], expected, expected_scores);
        assert_true(n > 1);
        for (size_t o = 1; o < 4; o++) {
            assert_int_equal(ask_in_order(hybrid, orders[o], texts[q], found, scores), n);
            for (size_t i = 0; i < n; i++) {
                assert_int_equal(found[i], expected[i]);
                assert_true(scores[i] == expected_scores[i]);
            }
        }
    }
}

/* ---- threads ---- */

struct worker {
    pthread_t thread;
    struct search *search;
    unsigned seed;
    size_t n_hits;
};

static void *search_many(void *arg)
{
    struct worker *worker = arg;
    struct arena arena;
    arena_init(&arena, 1 << 24);
    for (size_t i = 0; i < 150; i++) {
        char text[200];
        random_question(&worker->seed, text, sizeof(text));
        struct search_query query = question_of(text, modes[i % 3]);
        struct answer answer = ask(worker->search, query, &arena);
        for (size_t k = 1; k < answer.n; k++)
            assert_true(answer.hits[k].score <= answer.hits[k - 1].score);
        worker->n_hits += answer.n;
        arena_reset(&arena);
    }
    arena_done(&arena);
    return NULL;
}

/* Enough changes for compactions while searches are under way. */
static void threads_search_while_another_writes(void **state)
{
    struct hybrid *hybrid = *state;
    struct worker workers[4];
    unsigned random = 37;
    for (int i = 0; i < 100; i++)
        random_change(&hybrid->rows, &random);
    for (unsigned i = 0; i < 4; i++) {
        workers[i] = (struct worker){.search = hybrid->search, .seed = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, search_many, &workers[i]), 0);
    }
    for (int i = 0; i < 400; i++) {
        pthread_mutex_lock(&hybrid->rows.lock);
        random_change(&hybrid->rows, &random);
        pthread_mutex_unlock(&hybrid->rows.lock);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_true(workers[i].n_hits > 0);
    }
    struct search *fresh = make_model_search(&hybrid->rows, hybrid->embedder, hybrid->embedder);
    for (size_t m = 0; m < 3; m++) {
        struct search_query query = question_of("walrus in Ann's garden", modes[m]);
        expect_same_hits(ask(hybrid->search, query, &hybrid->arena), ask(fresh, query, &hybrid->arena));
    }
    search_free(fresh);
}

#define HYBRID_TEST(name) cmocka_unit_test_setup_teardown(name, hybrid_setup, hybrid_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HYBRID_TEST(neighbour_of_a_match_is_found),
        HYBRID_TEST(deleted_neighbour_leads_nowhere),
        HYBRID_TEST(changed_turn_is_found_by_what_it_says_now),
        HYBRID_TEST(match_comes_before_its_neighbours_without_a_model_too),
        HYBRID_TEST(meaning_is_found_without_a_word),
        HYBRID_TEST(one_who_is_asked_about_comes_first),
        HYBRID_TEST(dates_decide_between_equals),
        HYBRID_TEST(what_is_wanted_is_told),
        HYBRID_TEST(importance_and_age_decide_between_equals_alone),
        HYBRID_TEST(importance_out_of_bounds_is_held_within),
        HYBRID_TEST(times_at_the_ends_are_borne),
        HYBRID_TEST(partition_that_saw_much_change_answers_as_a_new_one),
        HYBRID_TEST(filter_holds_for_neighbours_too),
        HYBRID_TEST(filter_that_nothing_passes_finds_nothing),
        HYBRID_TEST(fewer_are_the_first_of_more),
        HYBRID_TEST(thousand_are_found_where_there_are_as_many),
        HYBRID_TEST(equal_items_come_newest_first_then_by_row),
        HYBRID_TEST(floor_cuts_the_end_off),
        HYBRID_TEST(parts_add_up_to_the_score),
        HYBRID_TEST(any_query_is_answered),
        HYBRID_TEST(no_more_are_found_than_there_is_room_for),
        HYBRID_TEST(notes_that_say_the_same_leave_room_for_others),
        HYBRID_TEST(of_long_items_as_many_are_found_as_are_wanted),
        HYBRID_TEST(endless_query_is_answered),
        HYBRID_TEST(any_text_is_taken_in),
        HYBRID_TEST(models_may_be_missing),
        HYBRID_TEST(order_of_arrival_says_nothing),
        HYBRID_TEST(threads_search_while_another_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
