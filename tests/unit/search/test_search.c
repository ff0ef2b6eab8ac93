/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of partitions: following the feed, filters, order, eviction, threads, and answers that equal
 * those of a search without any index.
 */
#include "search_fixture.h"

static void same_text_finds_only_its_own_users_rows(void **state)
{
    struct rows rows;
    struct arena arena;
    (void)state;
    rows_init(&rows);
    arena_init(&arena, 1 << 20);
    struct search *search = make_search(&rows, 0);
    int64_t first = rows_put(&rows, 0, "ann", "walrus");
    int64_t second = rows_put(&rows, 0, "ann2", "walrus");
    struct answer answer = ask(search, query_of("ann", "walrus"), &arena);
    assert_int_equal(answer.n, 1);
    assert_int_equal(answer.hits[0].row, first);
    answer = ask(search, query_of("ann2", "walrus"), &arena);
    assert_int_equal(answer.n, 1);
    assert_int_equal(answer.hits[0].row, second);
    assert_int_equal(ask(search, query_of("ANN", "walrus"), &arena).n, 0);
    search_free(search);
    arena_done(&arena);
    rows_done(&rows);
}

static void tenant_and_user_do_not_run_together(void **state)
{
    struct rows rows;
    struct arena arena;
    struct search_stats stats;
    (void)state;
    rows_init(&rows);
    arena_init(&arena, 1 << 20);
    struct search *search = make_search(&rows, 0);
    struct search_query one = query_of("c", "x"), two = query_of("bc", "x");
    one.tenant = STR_LIT("ab");
    two.tenant = STR_LIT("a");
    (void)ask(search, one, &arena);
    (void)ask(search, two, &arena);
    search_describe(search, &stats);
    assert_int_equal(stats.n_partitions, 2);
    search_free(search);
    arena_done(&arena);
    rows_done(&rows);
}

static void empty_or_unknown_query_finds_nothing(void **state)
{
    struct rows rows;
    struct arena arena;
    (void)state;
    rows_init(&rows);
    arena_init(&arena, 1 << 20);
    struct search *search = make_search(&rows, 0);
    assert_int_equal(ask(search, query_of("ann", "walrus"), &arena).n, 0);
    rows_put(&rows, 0, "ann", "walrus");
    assert_int_equal(ask(search, query_of("ann", ""), &arena).n, 0);
    assert_int_equal(ask(search, query_of("ann", " .,; "), &arena).n, 0);
    assert_int_equal(ask(search, query_of("ann", "narwhal"), &arena).n, 0);
    search_free(search);
    arena_done(&arena);
    rows_done(&rows);
}

static void equal_scores_come_newest_first_then_by_row(void **state)
{
    struct rows rows;
    struct arena arena;
    (void)state;
    rows_init(&rows);
    arena_init(&arena, 1 << 20);
    struct search *search = make_search(&rows, 0);
    static const int64_t created[] = {5, 9, 5, 9, 7};
    for (size_t i = 0; i < 5; i++)
        rows_doc(&rows, rows_put(&rows, 0, "ann", "walrus"))->created_us = created[i];
    struct answer answer = ask(search, query_of("ann", "walrus"), &arena);
    static const int64_t expected[] = {2, 4, 5, 1, 3};
    assert_int_equal(answer.n, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(answer.hits[i].row, expected[i]);
    struct search_query query = query_of("ann", "walrus");
    query.limit = 3;
    answer = ask(search, query, &arena);
    assert_int_equal(answer.n, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(answer.hits[i].row, expected[i]);
    search_free(search);
    arena_done(&arena);
    rows_done(&rows);
}

static void filters_never_hide_a_row_behind_better_ones(void **state)
{
    struct rows rows;
    struct arena arena;
    struct str wanted[] = {STR_LIT("rare"), STR_LIT("common")};
    (void)state;
    rows_init(&rows);
    arena_init(&arena, 1 << 20);
    struct search *search = make_search(&rows, 0);
    for (size_t i = 0; i < 500; i++) { /* each better than the one that is looked for */
        struct search_doc *doc = rows_doc(&rows, rows_put(&rows, 0, "ann", "walrus"));
        doc->source = STR_LIT("chat");
        rows.items[doc->row - 1].tags[0] = STR_LIT("common");
        doc->n_tags = 1;
        doc->created_us = 1000;
    }
    struct search_doc *doc =
        rows_doc(&rows, rows_put(&rows, 0, "ann", "a walrus among many other words here"));
    doc->source = STR_LIT("mail");
    rows.items[doc->row - 1].tags[0] = STR_LIT("common");
    rows.items[doc->row - 1].tags[1] = STR_LIT("rare");
    doc->n_tags = 2;
    doc->created_us = 10;
    struct search_query query = query_of("ann", "walrus");
    query.limit = 1;
    struct search_query by_source = query, by_tags = query, by_time = query, by_nothing = query;
    by_source.source = STR_LIT("mail");
    by_tags.tags = wanted;
    by_tags.n_tags = 2;
    by_time.until_us = 1000; /* not in it */
    by_nothing.source = STR_LIT("nowhere");
    struct answer answers[] = {ask(search, by_source, &arena), ask(search, by_tags, &arena),
                               ask(search, by_time, &arena)};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(answers[i].n, 1);
        assert_int_equal(answers[i].hits[0].row, 501);
    }
    assert_int_equal(ask(search, by_nothing, &arena).n, 0);
    by_time.since_us = 10; /* in it */
    assert_int_equal(ask(search, by_time, &arena).n, 1);
    by_time.since_us = 11;
    assert_int_equal(ask(search, by_time, &arena).n, 0);
    search_free(search);
    arena_done(&arena);
    rows_done(&rows);
}

static void failing_feed_degrades_and_recovers(void **state)
{
    struct rows rows;
    struct arena arena;
    (void)state;
    rows_init(&rows);
    arena_init(&arena, 1 << 20);
    struct search *search = make_search(&rows, 0);
    int64_t first = rows_put(&rows, 0, "ann", "walrus");
    assert_false(ask(search, query_of("ann", "walrus"), &arena).is_degraded);
    rows.must_fail = true;
    rows_delete(&rows, first);
    struct answer answer = ask(search, query_of("ann", "walrus"), &arena);
    assert_true(answer.is_degraded);
    assert_string_equal(answer.err.message, "the index is not up to date: the store is locked");
    rows.must_fail = false;
    answer = ask(search, query_of("ann", "walrus"), &arena);
    assert_false(answer.is_degraded);
    assert_int_equal(answer.n, 0);
    search_free(search);
    arena_done(&arena);
    rows_done(&rows);
}

static void feed_that_never_ends_well_does_not_fill_the_memory(void **state)
{
    struct rows rows;
    struct arena arena;
    struct search_stats first, last;
    (void)state;
    rows_init(&rows);
    arena_init(&arena, 1 << 20);
    struct search *search = make_search(&rows, 0);
    for (int i = 0; i < 200; i++)
        (void)rows_put(&rows, 0, "ann", "walrus");
    rows.must_fail = true; /* after the rows were given */
    assert_int_equal(ask(search, query_of("ann", "walrus"), &arena).n, 10);
    search_describe(search, &first);
    for (int i = 0; i < 50; i++)
        assert_int_equal(ask(search, query_of("ann", "walrus"), &arena).n, 10);
    search_describe(search, &last);
    assert_in_range(last.bytes, 1, 4 * first.bytes);
    search_free(search);
    arena_done(&arena);
    rows_done(&rows);
}

static void feed_is_asked_only_after_a_change(void **state)
{
    struct rows rows;
    struct arena arena;
    struct search_stats stats;
    (void)state;
    rows_init(&rows);
    arena_init(&arena, 1 << 20);
    struct search *search = make_search(&rows, 0);
    rows_put(&rows, 0, "ann", "walrus");
    for (size_t i = 0; i < 5; i++)
        (void)ask(search, query_of("ann", "walrus"), &arena);
    assert_int_equal(rows.n_loads, 1);
    rows_put(&rows, 0, "ann", "walrus");
    assert_int_equal(ask(search, query_of("ann", "walrus"), &arena).n, 2);
    assert_int_equal(rows.n_loads, 2);
    search_describe(search, &stats);
    assert_int_equal(stats.n_loads, 2);
    assert_int_equal(stats.n_docs, 2);
    search_free(search);
    arena_done(&arena);
    rows_done(&rows);
}

static void eviction_keeps_within_bounds_and_answers_right(void **state)
{
    struct rows rows;
    struct arena arena;
    struct search_stats stats;
    char users[20][8];
    (void)state;
    rows_init(&rows);
    arena_init(&arena, 1 << 20);
    struct search *search = make_search(&rows, 100 * 1024);
    for (size_t u = 0; u < 20; u++) {
        (void)snprintf(users[u], sizeof(users[u]), "u%zu", u);
        for (size_t i = 0; i < 100; i++)
            rows_put(&rows, 0, users[u], i == u ? "walrus" : "some other words");
    }
    for (size_t round = 0; round < 3; round++)
        for (size_t u = 0; u < 20; u++) {
            struct answer answer = ask(search, query_of(users[u], "walrus"), &arena);
            assert_int_equal(answer.n, 1);
            assert_int_equal(answer.hits[0].row, u * 100 + u + 1);
            search_describe(search, &stats);
            assert_true(stats.bytes <= 100 * 1024);
            assert_true(stats.n_docs == stats.n_partitions * 100);
        }
    assert_true(stats.n_evictions > 20 && stats.n_partitions > 1);
    /* The one searched last stays, the one before it too. */
    uint64_t n_loads = rows.n_loads;
    (void)ask(search, query_of(users[19], "walrus"), &arena);
    (void)ask(search, query_of(users[18], "walrus"), &arena);
    assert_int_equal(rows.n_loads, n_loads);
    search_free(search);
    arena_done(&arena);
    rows_done(&rows);
}

static char *repeat(const char *word, size_t n)
{
    size_t len = strlen(word);
    char *text = malloc(n * len + 1);
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * len, word, len + 1);
    return text;
}

static void endless_documents_and_queries_are_answered(void **state)
{
    struct rows rows;
    struct arena arena;
    (void)state;
    rows_init(&rows);
    arena_init(&arena, 1 << 20);
    struct search *search = make_search(&rows, 0);
    char *text = repeat("walrus ", 100000); /* more than a posting can count */
    int64_t number = rows_put(&rows, 0, "ann", "a walrus");
    rows_doc(&rows, rows_put(&rows, 0, "ann", ""))->text = str_of(text);
    struct answer answer = ask(search, query_of("ann", "walrus"), &arena);
    assert_int_equal(answer.n, 2);
    assert_true(answer.hits[0].score <= 1);
    rows_delete(&rows, 2);
    char *query = repeat("walrus unheardof ", 5000);
    answer = ask(search, query_of("ann", query), &arena);
    assert_int_equal(answer.n, 1);
    assert_int_equal(answer.hits[0].row, number);
    assert_true(answer.hits[0].score > 0 && answer.hits[0].score <= 1);
    free(text);
    free(query);
    search_free(search);
    arena_done(&arena);
    rows_done(&rows);
}

static void of_many_query_terms_the_rare_ones_decide(void **state)
{
    struct rows rows;
    struct arena arena;
    char text[2000], word[16];
    size_t len = 0;
    (void)state;
    rows_init(&rows);
    arena_init(&arena, 1 << 20);
    struct search *search = make_search(&rows, 0);
    for (int i = 0; i < 100; i++) { /* each common word is in ten documents */
        (void)snprintf(word, sizeof(word), "q%cx%ck", 'a' + i / 10, 'a' + i % 10);
        for (int k = 0; k < 10; k++)
            rows_put(&rows, 0, "ann", word);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s ", word);
    }
    (void)snprintf(text + len, sizeof(text) - len, "rarity");
    int64_t number = rows_put(&rows, 0, "ann", "rarity");
    struct answer answer = ask(search, query_of("ann", text), &arena);
    assert_int_equal(answer.n, 10);
    assert_int_equal(answer.hits[0].row, number);
    search_free(search);
    arena_done(&arena);
    rows_done(&rows);
}

/* ---- against the slow way ---- */

static unsigned next_random(unsigned *seed, unsigned below)
{
    *seed = *seed * 1103515245 + 12345;
    return (*seed >> 8) % below;
}

/* Few words, some of them much more common than others. */
static void random_text(unsigned *seed, char *ret_text, size_t size)
{
    size_t n_words = 1 + next_random(seed, 12), len = 0;
    for (size_t i = 0; i < n_words; i++) {
        unsigned top = 1 + next_random(seed, 40);
        len += (size_t)snprintf(ret_text + len, size - len, "%sword%u", i ? " " : "", next_random(seed, top));
    }
}

static void random_change(struct rows *rows, unsigned *seed)
{
    static const char *const sources[] = {"", "chat", "mail"};
    static const char *const tags[] = {"red", "green", "blue"};
    char text[160];
    random_text(seed, text, sizeof(text));
    unsigned kind = next_random(seed, 10);
    int64_t number = rows->n ? 1 + next_random(seed, (unsigned)rows->n) : 0;
    if (number && rows_doc(rows, number)->is_deleted)
        number = 0;
    if (number && kind == 0) {
        rows_delete(rows, number);
        return;
    }
    number = rows_put(rows, kind < 6 ? number : 0, "ann", text);
    struct search_doc *doc = rows_doc(rows, number);
    doc->source = str_of(sources[next_random(seed, 3)]);
    doc->created_us = next_random(seed, 5);
    doc->n_tags = next_random(seed, 3);
    for (size_t i = 0; i < doc->n_tags; i++)
        rows->items[number - 1].tags[i] = str_of(tags[next_random(seed, 3)]);
}

static bool passes(const struct search_doc *doc, const struct search_query *query)
{
    if (query->source.len && !str_eq(doc->source, query->source))
        return false;
    if (doc->created_us < query->since_us || doc->created_us >= query->until_us)
        return false;
    for (size_t i = 0; i < query->n_tags; i++) {
        bool has = false;
        for (size_t k = 0; k < doc->n_tags; k++)
            has |= str_eq(doc->tags[k], query->tags[i]);
        if (!has)
            return false;
    }
    return true;
}

static int compare_falling(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left < right) - (left > right);
}

static void expect_same(struct rows *rows, const struct search_query *query, const char *text,
                        struct answer answer)
{
    double *scores = calloc(rows->n, sizeof(*scores)), *sorted = calloc(rows->n, sizeof(*sorted));
    size_t n = 0;
    score_slowly(rows, "ann", text, scores);
    for (size_t i = 0; i < rows->n; i++)
        if (scores[i] > 0 && scores[i] >= query->min_score && passes(&rows->items[i].doc, query))
            sorted[n++] = scores[i];
    qsort(sorted, n, sizeof(*sorted), compare_falling);
    assert_int_equal(answer.n, n < query->limit ? n : query->limit);
    for (size_t i = 0; i < answer.n; i++) {
        const struct search_hit *hit = &answer.hits[i];
        assert_true(fabs(hit->score - sorted[i]) < 1e-5);
        assert_true(fabs(hit->score - scores[hit->row - 1]) < 1e-5);
        assert_true(passes(rows_doc(rows, hit->row), query));
        assert_true(hit->score > 0 && hit->score <= 1);
        if (i && hit->score == hit[-1].score)
            assert_true(rows_doc(rows, hit->row)->created_us < rows_doc(rows, hit[-1].row)->created_us ||
                        (rows_doc(rows, hit->row)->created_us == rows_doc(rows, hit[-1].row)->created_us &&
                         hit->row > hit[-1].row));
    }
    free(scores);
    free(sorted);
}

static void index_answers_as_a_search_without_one(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 8; seed++) {
        unsigned random = seed;
        struct rows rows;
        struct arena arena;
        rows_init(&rows);
        arena_init(&arena, 1 << 24);
        struct search *search = make_search(&rows, 0);
        for (size_t step = 0; step < 40; step++) {
            char text[160];
            struct str tags[] = {STR_LIT("red"), STR_LIT("blue")};
            for (unsigned i = next_random(&random, 30); i > 0; i--)
                random_change(&rows, &random);
            random_text(&random, text, sizeof(text));
            struct search_query query = query_of("ann", text);
            query.limit = 1 + next_random(&random, 30);
            query.min_score = next_random(&random, 3) ? 0 : 0.123457;
            query.tags = tags;
            query.n_tags = next_random(&random, 3);
            if (next_random(&random, 3) == 0)
                query.source = STR_LIT("chat");
            if (next_random(&random, 3) == 0)
                query.since_us = 2;
            if (next_random(&random, 3) == 0)
                query.until_us = 4;
            expect_same(&rows, &query, text, ask(search, query, &arena));
        }
        search_free(search);
        arena_done(&arena);
        rows_done(&rows);
    }
}

/* ---- threads ---- */

struct worker {
    pthread_t thread;
    struct search *search;
    unsigned seed;
};

static void *search_many(void *arg)
{
    static const char *const users[] = {"u0", "u1", "u2", "u3"};
    struct worker *worker = arg;
    struct arena arena;
    arena_init(&arena, 1 << 22);
    for (size_t i = 0; i < 300; i++) {
        unsigned user = next_random(&worker->seed, 4);
        struct answer answer = ask(worker->search, query_of(users[user], "walrus"), &arena);
        assert_int_equal(answer.n, user + 1);
        arena_reset(&arena);
    }
    arena_done(&arena);
    return NULL;
}

static void threads_search_while_partitions_come_and_go(void **state)
{
    static const char *const users[] = {"u0", "u1", "u2", "u3"};
    struct worker workers[4];
    struct rows rows;
    (void)state;
    rows_init(&rows);
    struct search *search = make_search(&rows, 8 * 1024); /* room for about two */
    for (size_t u = 0; u < 4; u++)
        for (size_t i = 0; i <= u; i++)
            rows_put(&rows, 0, users[u], "walrus");
    for (unsigned i = 0; i < 4; i++) {
        workers[i] = (struct worker){.search = search, .seed = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, search_many, &workers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++)
        pthread_join(workers[i].thread, NULL);
    search_free(search);
    rows_done(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_text_finds_only_its_own_users_rows),
        cmocka_unit_test(tenant_and_user_do_not_run_together),
        cmocka_unit_test(empty_or_unknown_query_finds_nothing),
        cmocka_unit_test(equal_scores_come_newest_first_then_by_row),
        cmocka_unit_test(filters_never_hide_a_row_behind_better_ones),
        cmocka_unit_test(failing_feed_degrades_and_recovers),
        cmocka_unit_test(feed_that_never_ends_well_does_not_fill_the_memory),
        cmocka_unit_test(feed_is_asked_only_after_a_change),
        cmocka_unit_test(eviction_keeps_within_bounds_and_answers_right),
        cmocka_unit_test(endless_documents_and_queries_are_answered),
        cmocka_unit_test(of_many_query_terms_the_rare_ones_decide),
        cmocka_unit_test(index_answers_as_a_search_without_one),
        cmocka_unit_test(threads_search_while_partitions_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
