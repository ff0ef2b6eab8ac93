/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits of rate: no stretch of a period holds more than the limit, also at an edge, also over many threads
 * and servers; subjects are told apart; a shared tier that is dead, or holds what is none of ours, changes
 * nothing for the worse.
 */
#include "serve_fixture.h"

#include "../backend.h"
#include "serve/limit.h"

#include <pthread.h>

#define MINUTE (60 * US_PER_SEC)

static const struct limit_subject alice = {STR_LIT("acme"), STR_LIT("alice"), STR_LIT("/v1/context")};

static void rates_are_read_and_others_refused(void **state)
{
    static const struct {
        const char *text;
        int64_t n, period_us;
    } good[] = {{"600/m", 600, MINUTE},
                {"10/s", 10, US_PER_SEC},
                {" 5 / 10s ", 5, 10 * US_PER_SEC},
                {"1/1d", 1, 86400 * US_PER_SEC}};
    static const char *const bad[] = {
        "",     "600",     "/m",   "0/m",       "-1/m",  "1/",    "1/x",
        "1/10", "1/100ms", "1/8d", "9999999/m", "1/m/m", "1.5/m", "1/99999999999999999999999m"};
    struct limit_rate rate;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(limit_rate_parse(str_of(good[i].text), &rate, NULL), 0);
        assert_int_equal(rate.n, good[i].n);
        assert_int_equal(rate.period_us, good[i].period_us);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(limit_rate_parse(str_of(bad[i]), &rate, NULL), ERR_INVALID);
}

static struct limiter *make(int64_t n, int64_t period_us, struct redis_client *client,
                            const struct clock *clock)
{
    struct limiter *limiter = NULL;
    assert_int_equal(limiter_new((struct limit_rate){n, period_us}, client, clock, &limiter, NULL), 0);
    return limiter;
}

static int count_allowed(struct limiter *limiter, int n)
{
    int n_allowed = 0;
    for (int i = 0; i < n; i++)
        n_allowed += limiter_count(limiter, &alice).is_allowed;
    return n_allowed;
}

static void a_burst_on_both_sides_of_an_edge_does_not_pass(void **state)
{
    struct clock_manual clock;
    (void)state;
    /* Whatever an edge is, one of these bursts stands before it and the next behind. */
    for (int64_t at = 0; at < 60; at++) {
        clock_manual_init(&clock, 0, at * US_PER_SEC + 999999);
        struct limiter *limiter = make(100, MINUTE, NULL, &clock.base);
        assert_int_equal(count_allowed(limiter, 150), 100);
        clock_manual_advance(&clock, 1);
        assert_int_equal(count_allowed(limiter, 150), 0);
        clock_manual_advance(&clock, MINUTE - 2); /* one microsecond short of a period */
        assert_int_equal(count_allowed(limiter, 150), 0);
        struct limit_verdict verdict = limiter_count(limiter, &alice);
        assert_true(verdict.wait_us > 0 && verdict.wait_us <= MINUTE / 20);
        clock_manual_advance(&clock, verdict.wait_us); /* who waits as told is served */
        assert_int_equal(count_allowed(limiter, 150), 100);
        limiter_free(limiter);
    }
}

static void no_stretch_of_a_period_holds_more_than_the_limit(void **state)
{
    enum { N_REQUESTS = 20000, LIMIT = 50 };
    struct clock_manual clock;
    static int64_t allowed_us[N_REQUESTS];
    size_t n_allowed = 0;
    uint64_t random = 12345;
    (void)state;
    clock_manual_init(&clock, 0, 777);
    struct limiter *limiter = make(LIMIT, 10 * US_PER_SEC, NULL, &clock.base);
    for (int i = 0; i < N_REQUESTS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        clock_manual_advance(&clock, (int64_t)(random >> 33) % (random >> 60 ? 100000 : 5000000));
        if (limiter_count(limiter, &alice).is_allowed)
            allowed_us[n_allowed++] = clock.mono_us;
    }
    assert_true(n_allowed > LIMIT * 10);
    for (size_t i = LIMIT; i < n_allowed; i++)
        assert_true(allowed_us[i] - allowed_us[i - LIMIT] >= 10 * US_PER_SEC);
    limiter_free(limiter);
}

static void subjects_are_counted_apart_and_any_number_of_them(void **state)
{
    static const struct limit_subject others[] = {
        {STR_LIT("acmea"), STR_LIT("lice"), STR_LIT("/v1/context")},
        {STR_LIT("acme"), STR_LIT("alice/v1"), STR_LIT("/context")},
        {STR_LIT("acme"), STR_LIT("alice"), STR_LIT("/memory")},
        {STR_LIT("acme"), STR_LIT(""), STR_LIT("/v1/context")},
        {STR_LIT("other"), STR_LIT("alice"), STR_LIT("/v1/context")},
    };
    (void)state;
    struct limiter *limiter = make(1, 86400 * US_PER_SEC, NULL, &clock_system);
    assert_true(limiter_count(limiter, &alice).is_allowed);
    assert_false(limiter_count(limiter, &alice).is_allowed);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_true(limiter_count(limiter, &others[i]).is_allowed);
    for (int i = 0; i < 200000; i++) {
        char user[24];
        snprintf(user, sizeof user, "user %d", i);
        struct limit_subject one = {STR_LIT("acme"), str_of(user), STR_LIT("/memory")};
        assert_true(limiter_count(limiter, &one).is_allowed);
    }
    limiter_free(limiter);
}

/* ---- many at once ---- */

struct crowd {
    struct limiter *limiter;
    int n_each, n_allowed;
    bool is_shared;
};

static void *crowd_main(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < crowd->n_each; i++) {
        struct limit_verdict verdict = limiter_count(crowd->limiter, &alice);
        if (verdict.is_allowed && crowd->is_shared)
            verdict = limiter_count_shared(crowd->limiter, &alice, verdict);
        crowd->n_allowed += verdict.is_allowed;
    }
    return NULL;
}

static int run_crowd(struct limiter *const *limiters, int n_limiters, int n_threads, int n_each,
                     bool is_shared)
{
    pthread_t threads[16];
    struct crowd crowds[16];
    int n_allowed = 0;
    for (int i = 0; i < n_threads; i++) {
        crowds[i] = (struct crowd){limiters[i % n_limiters], n_each, 0, is_shared};
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_main, &crowds[i]), 0);
    }
    for (int i = 0; i < n_threads; i++) {
        pthread_join(threads[i], NULL);
        n_allowed += crowds[i].n_allowed;
    }
    return n_allowed;
}

static void many_threads_get_exactly_the_limit(void **state)
{
    (void)state;
    struct limiter *limiter = make(1000, 86400 * US_PER_SEC, NULL, &clock_system);
    assert_int_equal(run_crowd(&limiter, 1, 8, 1000, false), 1000);
    struct limit_stats stats;
    limiter_describe(limiter, &stats);
    assert_int_equal(stats.n_allowed, 1000);
    assert_int_equal(stats.n_refused, 7000);
    limiter_free(limiter);
}

/* ---- shared ---- */

struct tier {
    struct workers *workers;
    struct redis_client *client;
    struct arena arena;
    struct buf key;
};

static void tier_open(struct tier *tier, const char *url)
{
    static int n_tiers;
    char prefix[64];
    struct err_info err = {0};
    snprintf(prefix, sizeof prefix, "precis:unit:%d:%d:", (int)getpid(), n_tiers++);
    assert_int_equal(workers_new("connect", 4, 64, &tier->workers, NULL), 0);
    const struct redis_client_options options = {
        .url = str_of(url), .prefix = prefix, .connectors = tier->workers, .clock = &clock_system};
    fixture_must(redis_client_new(&options, &tier->client, &err), &err);
    arena_init(&tier->arena, 1024 * 1024);
    buf_init(&tier->key, 4096);
    redis_client_key(tier->client, "rate_limit", alice.tenant, &tier->key);
    buf_append_text(&tier->key, "5:alice:/v1/context");
}

static void tier_close(struct tier *tier)
{
    redis_client_free(tier->client);
    workers_free(tier->workers);
    arena_done(&tier->arena);
    buf_done(&tier->key);
}

static struct resp tier_call(struct tier *tier, const struct str *words, size_t n)
{
    struct resp reply;
    struct err_info err = {0};
    fixture_must(redis_client_call(tier->client, words, n, clock_mono_us(&clock_system) + 20 * US_PER_SEC,
                                   &tier->arena, &reply, &err),
                 &err);
    if (reply.kind == RESP_ERROR)
        fail_msg("%.*s", STR_ARG(reply.text));
    return reply;
}

#define CALL(tier, ...)                                                                                      \
    tier_call((tier), (struct str[]){__VA_ARGS__}, sizeof((struct str[]){__VA_ARGS__}) / sizeof(struct str))

/* The server's verdict, however slow the machine is: one that it did not give in time is asked for again. */
static struct limit_verdict ask_all(struct limiter *limiter)
{
    for (;;) {
        struct limit_stats before, after;
        struct limit_verdict verdict = limiter_count(limiter, &alice);
        limiter_describe(limiter, &before);
        verdict = limiter_count_shared(limiter, &alice, verdict);
        limiter_describe(limiter, &after);
        if (before.n_alone == after.n_alone)
            return verdict;
    }
}

static void two_servers_and_many_threads_get_exactly_the_limit(void **state)
{
    struct tier tier;
    (void)state;
    tier_open(&tier, backend_fact("REDIS", "URL"));
    struct limiter *limiters[2] = {make(300, 86400 * US_PER_SEC, tier.client, &clock_system),
                                   make(300, 86400 * US_PER_SEC, tier.client, &clock_system)};
    int n_allowed = run_crowd(limiters, 2, 8, 100, true);
    struct limit_stats stats[2];
    for (int i = 0; i < 2; i++)
        limiter_describe(limiters[i], &stats[i]);
    /* On a machine so busy that the server was not heard in time some were decided alone, and are said to be.
     */
    int n_alone = (int)(stats[0].n_alone + stats[1].n_alone);
    if (n_alone == 0)
        assert_int_equal(n_allowed, 300);
    assert_true(n_allowed >= 300 && n_allowed <= 300 + n_alone);
    for (int i = 0; i < 2; i++)
        limiter_free(limiters[i]);
    tier_close(&tier);
}

/* The script's own edge, on the server's clock: what the window still covers counts, what it has left does
 * not. A step is over an hour long here. */
static void what_the_window_covers_counts_in_the_server_too(void **state)
{
    struct tier tier;
    (void)state;
    tier_open(&tier, backend_fact("REDIS", "URL"));
    struct limiter *limiter = make(100, 86400 * US_PER_SEC, tier.client, &clock_system);
    for (int64_t back = 19; back <= 22; back++) {
        char step[24];
        struct resp time = CALL(&tier, STR_LIT("TIME"));
        int64_t seconds;
        assert_int_equal(str_to_int(time.items[0].text, &seconds), 0);
        snprintf(step, sizeof step, "%lld", (long long)(seconds / 4320 - back));
        (void)CALL(&tier, STR_LIT("DEL"), buf_str(&tier.key));
        (void)CALL(&tier, STR_LIT("HSET"), buf_str(&tier.key), str_of(step), STR_LIT("100"));
        struct limit_verdict verdict = ask_all(limiter);
        if (back <= 19)
            assert_true(!verdict.is_allowed && verdict.wait_us > 0);
        if (back == 22)
            assert_true(verdict.is_allowed && verdict.n_left <= 99);
    }
    limiter_free(limiter);
    tier_close(&tier);
}

static void a_request_that_others_used_up_is_not_counted_here(void **state)
{
    struct tier tier;
    struct limit_verdict verdict;
    (void)state;
    tier_open(&tier, backend_fact("REDIS", "URL"));
    struct limiter *here = make(2, 86400 * US_PER_SEC, tier.client, &clock_system);
    struct limiter *there = make(2, 86400 * US_PER_SEC, tier.client, &clock_system);
    assert_true(ask_all(there).is_allowed);
    assert_true(ask_all(there).is_allowed);
    for (int i = 0; i < 5; i++)
        assert_false(ask_all(here).is_allowed);
    (void)CALL(&tier, STR_LIT("DEL"), buf_str(&tier.key)); /* as if time had passed */
    verdict = ask_all(here);
    assert_true(verdict.is_allowed);
    assert_int_equal(verdict.n_left, 1);
    limiter_free(here);
    limiter_free(there);
    tier_close(&tier);
}

static void what_others_put_under_our_key_misleads_nobody(void **state)
{
    struct tier tier;
    struct limit_stats stats;
    (void)state;
    tier_open(&tier, backend_fact("REDIS", "URL"));
    struct limiter *limiter = make(3, 86400 * US_PER_SEC, tier.client, &clock_system);
    (void)CALL(&tier, STR_LIT("SET"), buf_str(&tier.key), STR_LIT("\x80 not ours"));
    struct limit_verdict own = limiter_count(limiter, &alice);
    assert_true(limiter_count_shared(limiter, &alice, own).is_allowed);
    limiter_describe(limiter, &stats);
    assert_int_equal(stats.n_alone, 1);
    (void)CALL(&tier, STR_LIT("DEL"), buf_str(&tier.key));
    (void)CALL(&tier, STR_LIT("HSET"), buf_str(&tier.key), STR_LIT("x"), STR_LIT("1"), STR_LIT("99999999999"),
               STR_LIT("7"), STR_LIT("nan"), STR_LIT("inf"));
    assert_true(ask_all(limiter).is_allowed);
    limiter_free(limiter);
    tier_close(&tier);
}

static void a_dead_server_leaves_the_limit_of_this_process(void **state)
{
    struct tier tier;
    struct limit_stats stats;
    char trouble[ERR_MESSAGE_SIZE];
    (void)state;
    tier_open(&tier, "redis://:hidden@127.0.0.1:1/0");
    struct limiter *limiter = make(20, 86400 * US_PER_SEC, tier.client, &clock_system);
    int n_allowed = run_crowd(&limiter, 1, 4, 20, true);
    assert_int_equal(n_allowed, 20);
    limiter_describe(limiter, &stats);
    assert_int_equal(stats.n_alone, 20);
    redis_client_trouble(tier.client, trouble);
    assert_non_null(strstr(trouble, "127.0.0.1:1"));
    assert_null(strstr(trouble, "hidden"));
    struct redis_client_stats client;
    redis_client_describe(tier.client, &client);
    assert_true(client.breaker.is_open); /* and is not asked for each request */
    limiter_free(limiter);
    tier_close(&tier);
}

/* ---- over HTTP ---- */

static int get(struct fixture *fixture, const char *target, struct answer *ret_answer)
{
    *ret_answer = ask(fixture, "GET", target, NULL);
    return ret_answer->status;
}

static void check_limited_server(struct fixture *fixture)
{
    struct answer answer;
    char value[256];
    for (int i = 0; i < 3; i++)
        assert_int_equal(get(fixture, "/preferences?user_id=u1", &answer), 200);
    assert_string_equal(answer_header(&answer, "X-RateLimit-Limit", value), "3");
    assert_string_equal(answer_header(&answer, "X-RateLimit-Remaining", value), "0");
    assert_int_equal(get(fixture, "/preferences?user_id=u1", &answer), 429);
    assert_non_null(strstr(answer.body, "\"rate_limited\""));
    assert_true(strtol(answer_header(&answer, "Retry-After", value), NULL, 10) >= 1);
    assert_int_equal(get(fixture, "/preferences?user_id=u2", &answer), 200); /* somebody else */
    assert_int_equal(get(fixture, "/cache/stats", &answer), 200);            /* something else */
    for (int i = 0; i < 5; i++) {
        assert_int_equal(get(fixture, "/healthz", &answer), 200);
        assert_int_equal(get(fixture, "/readyz", &answer), 200);
        assert_int_equal(get(fixture, "/metrics", &answer), 200);
    }
    assert_non_null(strstr(answer.body, "precis_limit_refused_total 1\n"));
}

static void a_server_answers_429_and_when_to_come_back(void **state)
{
    struct fixture *fixture = fixture_new();
    (void)state;
    fixture->options.rate = "3/d";
    fixture_start(fixture);
    check_limited_server(fixture);
    void *done = fixture;
    fixture_teardown(&done);
}

static void servers_that_share_a_tier_share_the_limit(void **state)
{
    struct fixture *one = fixture_new(), *other = fixture_new();
    struct tier tier;
    struct answer answer;
    tier_open(&tier, backend_fact("REDIS", "URL"));
    one->options.rate = other->options.rate = "3/d";
    one->options.shared = other->options.shared = tier.client;
    one->options.has_shared_limits = other->options.has_shared_limits = true;
    fixture_start(one);
    fixture_start(other);
    assert_int_equal(get(other, "/readyz", &answer), 200); /* connects */
    assert_non_null(strstr(answer.body, "{\"name\":\"shared\",\"ready\":true,\"breaker\":\"closed\"}"));
    check_limited_server(one);
    (void)get(one, "/metrics", &answer);
    if (strstr(answer.body,
               "precis_limit_alone_total 0\n")) /* the machine was not too busy to hear the server */
        assert_int_equal(get(other, "/preferences?user_id=u1", &answer), 429);
    assert_int_equal(get(other, "/preferences?user_id=u3", &answer), 200);
    *state = one;
    fixture_teardown(state);
    *state = other;
    fixture_teardown(state);
    tier_close(&tier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_read_and_others_refused),
        cmocka_unit_test(a_burst_on_both_sides_of_an_edge_does_not_pass),
        cmocka_unit_test(no_stretch_of_a_period_holds_more_than_the_limit),
        cmocka_unit_test(subjects_are_counted_apart_and_any_number_of_them),
        cmocka_unit_test(many_threads_get_exactly_the_limit),
        cmocka_unit_test(two_servers_and_many_threads_get_exactly_the_limit),
        cmocka_unit_test(what_the_window_covers_counts_in_the_server_too),
        cmocka_unit_test(a_request_that_others_used_up_is_not_counted_here),
        cmocka_unit_test(what_others_put_under_our_key_misleads_nobody),
        cmocka_unit_test(a_dead_server_leaves_the_limit_of_this_process),
        cmocka_unit_test(a_server_answers_429_and_when_to_come_back),
        cmocka_unit_test(servers_that_share_a_tier_share_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
