/* SPDX-License-Identifier: Apache-2.0
 *
 * The sheet of candidates and the features read from it, against the formulas worked out by hand over a
 * partition put together by hand.
 */
#include "hybrid_fixture.h"

#include "search/relevance.h"
#include "search/search_priv.h"

struct reading {
    struct embedder *embedder;
    struct models models;
    struct partition *partition;
    struct analyzer *analyzer;
    struct scores scores;
    struct arena arena;
    struct question question;
    struct sheet sheet;
};

static int setup(void **state)
{
    struct reading *reading = calloc(1, sizeof(*reading));
    assert_int_equal(embedder_builtin(&reading->embedder, NULL), 0);
    reading->models = (struct models){reading->embedder, NULL};
    reading->partition = partition_new(&reading->models, SIZE_MAX);
    assert_int_equal(analyzer_new("en", &reading->analyzer, NULL), 0);
    arena_init(&reading->arena, 1 << 26);
    *state = reading;
    return 0;
}

static int teardown(void **state)
{
    struct reading *reading = *state;
    partition_free(reading->partition);
    analyzer_free(reading->analyzer);
    scores_done(&reading->scores);
    arena_done(&reading->arena);
    embedder_close(reading->embedder);
    free(reading);
    return 0;
}

/* The next row, a turn of Ann's so many minutes behind MAY_US. */
static void put(struct reading *reading, const char *source, int64_t minute, const char *text)
{
    struct partition *partition = reading->partition;
    struct search_doc doc = {.row = partition->docs.n + 1,
                             .text = str_of(text),
                             .source = str_of(source),
                             .speaker = STR_LIT("Ann"),
                             .created_us = MAY_US + minute * MINUTE_US};
    uint32_t number, n_terms;
    assert_int_equal(order_reserve(&partition->order), 0);
    assert_int_equal(docs_add(&partition->docs, &doc, &number), 0);
    order_add(&partition->order);
    assert_int_equal(keyword_add(&partition->keyword, reading->analyzer, doc.text, number, &n_terms), 0);
    docs_publish(&partition->docs, number, n_terms);
    speakers_put(&partition->speakers, partition->docs.items[number].speaker);
}

static void read(struct reading *reading, const char *text, const char *source)
{
    struct partition *partition = reading->partition;
    struct search_query query = question_of(text, SEARCH_HYBRID);
    struct docs_filter filter;
    query.source = str_of(source);
    assert_int_equal(order_settle(&partition->order, &partition->docs), 0);
    assert_int_equal(docs_make_filter(&partition->docs, &query, &reading->arena, &filter), 0);
    assert_int_equal(question_read(partition, reading->analyzer, &query, &reading->arena, &reading->question),
                     0);
    assert_int_equal(scores_reserve(&reading->scores, partition->docs.n), 0);
    keyword_score(&partition->keyword, &partition->docs, &reading->question.keywords, &reading->scores);
    assert_int_equal(sheet_make(&reading->sheet, partition, &filter, &reading->question, &reading->scores,
                                query.limit, false, &reading->arena),
                     0);
    scores_clear(&reading->scores);
}

static const struct doc *doc_of(const struct reading *reading, size_t candidate)
{
    const struct sheet *sheet = &reading->sheet;
    return &reading->partition->docs.items[sheet->docs[sheet->candidates[candidate]]];
}

/* The row's place among the candidates; n_candidates: it is none. */
static size_t find(const struct reading *reading, int64_t row)
{
    size_t i = 0;
    while (i < reading->sheet.n_candidates && doc_of(reading, i)->row != row)
        i++;
    return i;
}

static void features_of(struct reading *reading, int64_t row, float ret_features[static N_FEATURES])
{
    size_t candidate = find(reading, row);
    assert_true(candidate < reading->sheet.n_candidates);
    struct relevance relevance;
    relevance_init(&relevance, &reading->sheet, reading->partition, &reading->question);
    relevance_read(&relevance, candidate, ret_features);
}

/* ---- weights ---- */

static void put_of_length(struct reading *reading, size_t n_terms)
{
    char text[1200] = "";
    for (size_t i = 0; i < n_terms; i++)
        memcpy(text + i * 7, "walrus ", 8);
    put(reading, "chat", 0, text);
}

static void weights_go_over_from_turns_to_messages(void **state)
{
    static const size_t lengths[] = {1, 20, 40, 90, 150};
    float weights[5][N_FEATURES], biases[5];
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        void *own;
        setup(&own);
        struct reading *reading = own;
        put_of_length(reading, lengths[i]);
        relevance_weigh(reading->partition, weights[i], &biases[i]);
        teardown(&own);
    }
    float share = logf(40.0F / 20) / logf(90.0F / 20);
    assert_true(biases[0] == biases[1] && biases[3] == biases[4] && biases[1] != biases[3]);
    assert_true(fabsf(biases[2] - (biases[1] + share * (biases[3] - biases[1]))) < 1e-4F);
    for (int f = 0; f < N_FEATURES; f++) {
        assert_true(weights[0][f] == weights[1][f] && weights[3][f] == weights[4][f]);
        assert_true(fabsf(weights[2][f] - (weights[1][f] + share * (weights[3][f] - weights[1][f]))) < 1e-4F);
    }
}

static void every_feature_counts_in_a_part(void **state)
{
    (void)state;
    for (int f = 0; f < N_FEATURES; f++)
        assert_in_range(relevance_part((enum feature)f), 0, SEARCH_PART_PRIOR - 1);
    assert_int_equal(relevance_part(FEATURE_WORDS), SEARCH_PART_WORDS);
    assert_int_equal(relevance_part(FEATURE_DATE), SEARCH_PART_TIME);
    assert_int_equal(relevance_part(FEATURE_SPEAKER), SEARCH_PART_SPEAKER);
}

/* ---- keys ---- */

#define N_TURNS 9
static const char *const turns[N_TURNS] = {"walrus kite garden",
                                           "lantern violin",
                                           "kite kite ladder river",
                                           "walrus lantern pepper button",
                                           "garden walrus kite walrus",
                                           "violin ladder",
                                           "walrus",
                                           "river river river kite",
                                           "pepper button walrus"};
static const char *const asked[] = {"walrus", "kite", "lantern"};

static double count_in(const char *text, const char *word)
{
    double n = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        n++;
    return n;
}

static double count_words(const char *text)
{
    return 1 + count_in(text, " ");
}

/* BM25 over the turns of the window at this one, each counted so many times, as a share of the best. */
static double key_slowly(int turn, const double key[static SHEET_WINDOW])
{
    double score = 0, best = 0, length = 0, total = 0, mean = 0;
    for (int i = 0; i < N_TURNS; i++)
        mean += count_words(turns[i]) / N_TURNS;
    for (int i = 0; i < SHEET_WINDOW; i++) {
        int at = turn + i - SHEET_RADIUS;
        total += key[i];
        if (at >= 0 && at < N_TURNS)
            length += key[i] * count_words(turns[at]);
    }
    for (size_t t = 0; t < 3; t++) {
        double df = 0, n = 0;
        for (int i = 0; i < N_TURNS; i++)
            df += count_in(turns[i], asked[t]) > 0;
        for (int i = 0; i < SHEET_WINDOW; i++) {
            int at = turn + i - SHEET_RADIUS;
            if (at >= 0 && at < N_TURNS)
                n += key[i] * count_in(turns[at], asked[t]);
        }
        double idf = log(1 + (N_TURNS - df + 0.5) / (df + 0.5));
        best += idf;
        score += idf * n / (n + 0.9 * (0.6 + 0.4 * length / (total * mean)));
    }
    return score / best;
}

static void keys_follow_their_formulas(void **state)
{
    static const double own[] = {0, 0, 0, 0, 1, 0, 0, 0, 0}, pair[] = {0, 0, 0, 1, 1, 0, 0, 0, 0},
                        near[] = {0, 0, 0, 2, 3, 1, 0, 0, 0}, around[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct reading *reading = *state;
    for (int i = 0; i < N_TURNS; i++)
        put(reading, "chat", i, turns[i]);
    read(reading, "walrus kite lantern", "");
    for (int i = 0; i < N_TURNS; i++) {
        float features[N_FEATURES];
        features_of(reading, i + 1, features);
        assert_true(fabs((double)features[FEATURE_OWN] - key_slowly(i, own)) < 1e-5);
        assert_true(fabs((double)features[FEATURE_PAIR] - key_slowly(i, pair)) < 1e-5);
        assert_true(fabs((double)features[FEATURE_NEAR] - key_slowly(i, near)) < 1e-5);
        assert_true(fabs((double)features[FEATURE_AROUND] - key_slowly(i, around)) < 1e-5);
        assert_true(fabs((double)features[FEATURE_LENGTH] - log(1 + count_words(turns[i]))) < 1e-5);
        assert_true(features[FEATURE_VECTOR] == 0 && features[FEATURE_WORDS] == 0); /* no vectors; not read */
    }
}

static void alone_every_key_is_the_own_one_spread_thin(void **state)
{
    struct reading *reading = *state;
    float features[N_FEATURES];
    put(reading, "chat", 0, "walrus");
    put(reading, "chat", 1000, "kite");
    read(reading, "walrus", "");
    features_of(reading, 1, features);
    assert_true(features[FEATURE_OWN] > 0 && features[FEATURE_OWN] < 1);
    assert_true(features[FEATURE_AROUND] > features[FEATURE_OWN]); /* as one long and nearly empty item */
    assert_true(features[FEATURE_NEAR] > features[FEATURE_OWN]);
}

/* ---- words ---- */

static void words_are_as_near_as_the_nearest(void **state)
{
    struct reading *reading = *state;
    put(reading, "chat", 0, "doctor");
    put(reading, "chat", 1000, "nurse");
    put(reading, "chat", 2000, "kite");
    put(reading, "chat", 2001, "doctor");
    read(reading, "doctor", "");
    size_t n = reading->sheet.n_candidates;
    uint32_t all[16];
    assert_in_range(n, 3, 16);
    for (uint32_t i = 0; i < n; i++)
        all[i] = i;
    assert_int_equal(
        sheet_read_words(&reading->sheet, reading->partition, &reading->question, all, n, &reading->arena),
        0);
    struct relevance relevance;
    relevance_init(&relevance, &reading->sheet, reading->partition, &reading->question);
    assert_true(relevance_read_words(&relevance, find(reading, 1)) == 1);
    assert_true(relevance_read_words(&relevance, find(reading, 4)) == 1);
    float beside = relevance_read_words(&relevance, find(reading, 3));
    assert_true(fabsf(beside - 0.6F) < 1e-6F); /* a neighbour's word */
    assert_int_equal(find(reading, 2), n);     /* nothing but a likeness of words does not make a candidate */
}

/* ---- dates, wants ---- */

static void nearness_in_time_falls_within_a_month(void **state)
{
    static const struct {
        int64_t day;
        float expected;
    } cases[] = {{0, 1}, {30, 1}, {-15, 0.5F}, {-30, 0}, {-3000, 0}, {45, 0.533F}, {62, 0}, {3000, 0}};
    const size_t n = sizeof(cases) / sizeof(cases[0]);
    struct reading *reading = *state;
    for (size_t i = 0; i < n; i++)
        put(reading, "chat", cases[i].day * 24 * 60, "walrus");
    read(reading, "walrus in May 2023", "");
    for (size_t i = 0; i < n; i++) {
        float features[N_FEATURES];
        features_of(reading, (int64_t)i + 1, features);
        assert_true(fabsf(features[FEATURE_DATE] - cases[i].expected) < 0.001F);
    }
}

static void cues_count_only_where_they_are_wanted(void **state)
{
    static const char *const questions[] = {"the walrus", "when the walrus", "how many walrus",
                                            "who saw walrus"};
    struct reading *reading = *state;
    put(reading, "chat", 0, "walrus yesterday and today with three of Bob's in Paris?");
    for (size_t i = 0; i < 4; i++) {
        float features[N_FEATURES];
        read(reading, questions[i], "");
        features_of(reading, 1, features);
        assert_true(features[FEATURE_TELLS_TIME] == (i == 1 ? 2 : 0));
        assert_true(features[FEATURE_TELLS_NUMBER] == (i == 2));
        assert_true(features[FEATURE_TELLS_NAME] == (i == 3 ? 2 : 0));
        assert_true(features[FEATURE_ASKS] == 1);
        assert_true(features[FEATURE_SPEAKER] == 0);
    }
    float features[N_FEATURES];
    read(reading, "Ann's walrus", "");
    features_of(reading, 1, features);
    assert_true(features[FEATURE_SPEAKER] == 1);
}

/* ---- candidates ---- */

/* On one side of the row's window are the neighbours in order, as many as there are and it takes. */
static void expect_window(const struct reading *reading, uint32_t row, int direction)
{
    const struct sheet *sheet = &reading->sheet;
    const struct order *order = &reading->partition->order;
    struct sheet_window window = sheet_window(sheet, row, SHEET_RADIUS);
    uint32_t at = order->places[sheet->docs[row]], n = 0;
    while (n < SHEET_RADIUS &&
           (at = order_next(order, &reading->partition->docs, at, direction)) != ORDER_NONE) {
        n++;
        assert_int_equal(sheet->docs[direction < 0 ? row - n : row + n], order->docs[at]);
    }
    assert_int_equal(direction < 0 ? row - window.first : window.end - 1 - row, n);
}

static void candidates_are_different_and_their_windows_right(void **state)
{
    struct reading *reading = *state;
    for (int i = 0; i < 300; i++)
        put(reading, i % 100 < 90 ? "chat" : "mail", i, turns[i % N_TURNS]);
    read(reading, "walrus kite", "");
    const struct sheet *sheet = &reading->sheet;
    assert_true(sheet->n_candidates > 100 && sheet->n_candidates <= sheet->n);
    for (size_t i = 0; i < sheet->n; i++)
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(sheet->docs[i], sheet->docs[j]);
    for (size_t i = 0; i < sheet->n_candidates; i++) {
        assert_true(i == 0 || sheet->candidates[i] > sheet->candidates[i - 1]);
        expect_window(reading, sheet->candidates[i], -1);
        expect_window(reading, sheet->candidates[i], 1);
    }
}

static void candidates_pass_the_filter(void **state)
{
    struct reading *reading = *state;
    for (int i = 0; i < 300; i++)
        put(reading, i % 3 ? "chat" : "mail", i, turns[i % N_TURNS]);
    read(reading, "walrus kite", "mail");
    const struct docs *docs = &reading->partition->docs;
    assert_true(reading->sheet.n_candidates > 0);
    for (size_t i = 0; i < reading->sheet.n_candidates; i++)
        assert_true(str_is(intern_get(&docs->names, doc_of(reading, i)->source), "mail"));
    read(reading, "walrus kite", "nowhere");
    assert_int_equal(reading->sheet.n_candidates, 0);
}

static void candidates_are_no_more_than_there_is_room_for(void **state)
{
    struct reading *reading = *state;
    char text[1024] = "";
    size_t len = 0;
    for (int i = 0; i < 40; i++) /* more terms than the sheet counts */
        len += (size_t)snprintf(text + len, sizeof(text) - len, "q%cx%ck ", 'a' + i / 10, 'a' + i % 10);
    for (int i = 0; i < 3000; i++)
        put(reading, "chat", i * 7, text);
    read(reading, text, "");
    assert_int_equal(reading->sheet.n_terms, SHEET_MAX_TERMS);
    assert_in_range(reading->sheet.n_candidates, 48, SHEET_MAX_CANDIDATES);
    struct relevance relevance;
    relevance_init(&relevance, &reading->sheet, reading->partition, &reading->question);
    float features[N_FEATURES];
    for (size_t i = 0; i < reading->sheet.n_candidates; i++) {
        relevance_read(&relevance, i, features);
        assert_true(features[FEATURE_OWN] > 0 && features[FEATURE_OWN] <= 1);
    }
}

#define READING_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_go_over_from_turns_to_messages),
        cmocka_unit_test(every_feature_counts_in_a_part),
        READING_TEST(keys_follow_their_formulas),
        READING_TEST(alone_every_key_is_the_own_one_spread_thin),
        READING_TEST(words_are_as_near_as_the_nearest),
        READING_TEST(nearness_in_time_falls_within_a_month),
        READING_TEST(cues_count_only_where_they_are_wanted),
        READING_TEST(candidates_are_different_and_their_windows_right),
        READING_TEST(candidates_pass_the_filter),
        READING_TEST(candidates_are_no_more_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
