/* SPDX-License-Identifier: Apache-2.0
 *
 * The client of the shared tier: what it makes of a server that answers and will not serve, and of one that
 * says nothing.
 */
#include "net/redis_client.h"

#include <stdlib.h>

#include "redis_peer.h"

struct tier {
    struct redis_peer peer;
    struct workers *connectors;
    struct redis_client *client;
    struct clock_manual clock;
    int n_troubles, n_recoveries;
};

static void on_call(void *owner, const char *trouble)
{
    struct tier *tier = owner;
    *(trouble ? &tier->n_troubles : &tier->n_recoveries) += 1;
}

static void tier_open(struct tier *tier, const char *line, bool is_manual)
{
    struct err_info err = {0};
    memset(tier, 0, sizeof *tier);
    redis_peer_open(&tier->peer, line);
    clock_manual_init(&tier->clock, 0, US_PER_SEC);
    assert_int_equal(workers_new("connect", 2, 16, &tier->connectors, NULL), 0);
    const struct redis_client_options options = {.url = str_of(tier->peer.url),
                                                 .prefix = "p:",
                                                 .connectors = tier->connectors,
                                                 .clock = is_manual ? &tier->clock.base : &clock_system};
    if (redis_client_new(&options, &tier->client, &err) < 0)
        fail_msg("%s", err.message);
    redis_client_observe(tier->client, on_call, tier);
}

static void tier_close(struct tier *tier)
{
    redis_client_free(tier->client);
    workers_free(tier->connectors);
    redis_peer_close(&tier->peer);
}

static int call(struct tier *tier, int64_t deadline_us)
{
    struct arena arena;
    struct resp reply;
    arena_init(&arena, 4096);
    int res = redis_client_call(tier->client, (struct str[]){STR_LIT("SET"), STR_LIT("k"), STR_LIT("v")}, 3,
                                deadline_us, &arena, &reply, NULL);
    arena_done(&arena);
    return res;
}

static int call_soon(struct tier *tier)
{
    return call(tier, clock_mono_us(&tier->clock.base) + 20 * US_PER_SEC);
}

static void assert_trouble(struct tier *tier, const char *part)
{
    char trouble[ERR_MESSAGE_SIZE];
    redis_client_trouble(tier->client, trouble);
    if (!part)
        assert_string_equal(trouble, "");
    else if (!strstr(trouble, part))
        fail_msg("'%s' says nothing of '%s'", trouble, part);
}

/* Reads go on beside refused writes: they alone do not make it well. */
static void refusal_is_trouble_until_there_was_none_for_a_while(void **state)
{
    static const struct {
        const char *line, *part;
    } refusals[] = {
        {"-OOM command not allowed when used memory > 'maxmemory'.", "no memory left (OOM)"},
        {"-READONLY You can't write against a read only replica.", "replica"},
        {"-LOADING Redis is loading the dataset in memory", "loading"},
        {"-MOVED 3999 127.0.0.1:6381", "another node"},
        {"-NOAUTH Authentication required.", "wants a password"},
        {"-NOPERM this user has no permissions", "does not let this user"},
    };
    struct tier tier;
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        tier_open(&tier, refusals[i].line, true);
        assert_int_equal(call_soon(&tier), 0); /* the caller has the reply, and its own word for it */
        assert_trouble(&tier, refusals[i].part);
        atomic_store(&tier.peer.line, "+OK");
        assert_int_equal(call_soon(&tier), 0);
        assert_trouble(&tier, refusals[i].part);
        assert_int_equal(tier.n_troubles, 1);
        assert_int_equal(tier.n_recoveries, 0);
        clock_manual_advance(&tier.clock, 10 * US_PER_SEC);
        assert_int_equal(call_soon(&tier), 0);
        assert_trouble(&tier, NULL);
        assert_int_equal(tier.n_recoveries, 1);
        tier_close(&tier);
    }
}

static void what_is_wrong_with_a_key_is_no_trouble_of_the_server(void **state)
{
    struct tier tier;
    (void)state;
    tier_open(&tier, "-WRONGTYPE Operation against a key holding the wrong kind of value", true);
    assert_int_equal(call_soon(&tier), 0);
    atomic_store(&tier.peer.line, "-ERR hash value is not an integer");
    assert_int_equal(call_soon(&tier), 0);
    atomic_store(&tier.peer.line, "-NOSCRIPT No matching script.");
    assert_int_equal(call_soon(&tier), 0);
    assert_trouble(&tier, NULL);
    assert_int_equal(tier.n_troubles, 0);
    tier_close(&tier);
}

/* Else who asks for contexts with a deadline of a millisecond could switch the tier off for everybody. */
static void wait_that_is_too_short_is_not_held_against_the_server(void **state)
{
    struct redis_client_stats stats;
    struct tier tier;
    (void)state;
    tier_open(&tier, "+OK", false);
    atomic_store(&tier.peer.line, NULL);
    for (int i = 0; i < 3 * BREAKER_MAX_FAILURES; i++)
        assert_int_equal(call(&tier, clock_mono_us(&clock_system) + US_PER_MS), ERR_TIMEOUT);
    redis_client_describe(tier.client, &stats);
    assert_false(stats.breaker.is_open);
    assert_trouble(&tier, NULL);
    for (int i = 0; i < BREAKER_MAX_FAILURES; i++)
        assert_true(call(&tier, clock_mono_us(&clock_system) + 20 * US_PER_MS) < 0);
    redis_client_describe(tier.client, &stats);
    assert_true(stats.breaker.is_open);
    assert_trouble(&tier, "127.0.0.1");
    tier_close(&tier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusal_is_trouble_until_there_was_none_for_a_while),
        cmocka_unit_test(what_is_wrong_with_a_key_is_no_trouble_of_the_server),
        cmocka_unit_test(wait_that_is_too_short_is_not_held_against_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
