/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions, in this process and in a real Redis: the same semantics in both, nothing shared between tenants
 * and users, and what others put under our keys is left out.
 */
#include "memory/session.h"

#include "../backend.h"
#include "net/workers.h"

#include <string.h>
#include <unistd.h>

#define FIELD(name, value)                                                                                   \
    {                                                                                                        \
        STR_LIT(name), STR_LIT(value)                                                                        \
    }

struct place {
    struct workers *workers;
    struct redis_client *client; /* NULL: in this process */
    struct sessions *sessions;
    struct clock_manual clock;
    struct arena arena;
};

static const struct scope ann = {STR_LIT("acme"), STR_LIT("ann")};

static int64_t soon(void)
{
    return clock_mono_us(&clock_system) + 20 * US_PER_SEC;
}

static void place_open(struct place *place, const char *url)
{
    char prefix[64];
    static int n_places;
    struct err_info err = {0};
    memset(place, 0, sizeof *place);
    arena_init(&place->arena, 16 * 1024 * 1024);
    clock_manual_init(&place->clock, 0, US_PER_SEC);
    (void)snprintf(prefix, sizeof prefix, "precis:session:%d:%d:", (int)getpid(), n_places++);
    if (url) {
        assert_int_equal(workers_new("connect", 2, 16, &place->workers, NULL), 0);
        const struct redis_client_options options = {
            .url = str_of(url), .prefix = prefix, .connectors = place->workers, .clock = &clock_system};
        if (redis_client_new(&options, &place->client, &err) < 0)
            fail_msg("%s", err.message);
    }
    assert_int_equal(sessions_new(place->client, &place->clock.base, &place->sessions, NULL), 0);
}

static void place_close(struct place *place)
{
    sessions_free(place->sessions);
    redis_client_free(place->client);
    workers_free(place->workers);
    arena_done(&place->arena);
}

/* All fields as "name=value;" in the order of their names. */
static const char *fields_of(struct place *place, const struct scope *scope, const char *id)
{
    struct session session;
    struct err_info err = {0};
    struct buf buf;
    int res = session_get(place->sessions, scope, str_of(id), soon(), &place->arena, &session, &err);
    if (res < 0)
        fail_msg("%s", err.message);
    if (res == 1)
        return "none";
    buf_init(&buf, 1024 * 1024);
    buf_append_text(&buf, "");
    for (char first = 'a'; first <= 'z'; first++)
        for (size_t i = 0; i < session.n_fields; i++)
            if (session.fields[i].name.ptr[0] == first)
                buf_printf(&buf, "%.*s=%.*s;", STR_ARG(session.fields[i].name),
                           STR_ARG(session.fields[i].value));
    const char *text = arena_strdup(&place->arena, buf_str(&buf));
    buf_done(&buf);
    return text;
}

static int put(struct place *place, const struct scope *scope, const char *id,
               const struct session_field *fields, size_t n, int64_t ttl_us)
{
    return session_put(place->sessions, scope, str_of(id), fields, n, ttl_us, soon(), NULL);
}

static void live_a_life(struct place *place)
{
    static const struct session_field first[] = {FIELD("cart", "[1,2]"), FIELD("step", "\"address\"")};
    static const struct session_field second[] = {FIELD("step", ""), FIELD("done", "true"), FIELD("no", "")};
    struct session session;

    assert_string_equal(fields_of(place, &ann, "s1"), "none");
    assert_int_equal(session_merge(place->sessions, &ann, STR_LIT("s1"), second, 2, US_PER_SEC, soon(), NULL),
                     1);
    assert_int_equal(put(place, &ann, "s1", first, 2, 60 * US_PER_SEC), 0);
    assert_string_equal(fields_of(place, &ann, "s1"), "cart=[1,2];step=\"address\";");
    assert_int_equal(
        session_merge(place->sessions, &ann, STR_LIT("s1"), second, 3, 120 * US_PER_SEC, soon(), NULL), 0);
    assert_string_equal(fields_of(place, &ann, "s1"), "cart=[1,2];done=true;");
    assert_int_equal(session_get(place->sessions, &ann, STR_LIT("s1"), soon(), &place->arena, &session, NULL),
                     0);
    assert_true(session.left_us > 60 * US_PER_SEC && session.left_us <= 120 * US_PER_SEC);
    assert_int_equal(put(place, &ann, "s1", NULL, 0, 60 * US_PER_SEC), 0); /* empty, but there */
    assert_string_equal(fields_of(place, &ann, "s1"), "");
    assert_int_equal(put(place, &ann, "s1", first, 1, 60 * US_PER_SEC), 0);
    assert_string_equal(fields_of(place, &ann, "s1"), "cart=[1,2];");
    assert_int_equal(session_delete(place->sessions, &ann, STR_LIT("s1"), soon(), NULL), 0);
    assert_int_equal(session_delete(place->sessions, &ann, STR_LIT("s1"), soon(), NULL), 1);
    assert_string_equal(fields_of(place, &ann, "s1"), "none");
}

static void meet_others(struct place *place)
{
    static const struct session_field mine[] = {FIELD("a", "1")};
    static const struct scope others[] = {{STR_LIT("acme"), STR_LIT("ben")},
                                          {STR_LIT("other"), STR_LIT("ann")},
                                          {STR_LIT("acme:3"), STR_LIT("ann")},
                                          {STR_LIT("acme"), STR_LIT("")}};
    assert_int_equal(put(place, &ann, "s1", mine, 1, 60 * US_PER_SEC), 0);
    assert_string_equal(fields_of(place, &ann, "s1"), "a=1;");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_string_equal(fields_of(place, &others[i], "s1"), "none");
}

static void hold_to_maxima(struct place *place)
{
    static struct session_field many[SESSION_MAX_FIELDS];
    static char names[SESSION_MAX_FIELDS][8];
    static char large[SESSION_MAX_VALUE_BYTES];
    memset(large, '1', sizeof large);
    for (size_t i = 0; i < SESSION_MAX_FIELDS; i++) {
        (void)snprintf(names[i], sizeof names[i], "f%zu", i);
        many[i] = (struct session_field){str_of(names[i]), STR_LIT("1")};
    }
    const struct session_field more[] = {FIELD("more", "1")}, nameless[] = {FIELD("", "1")},
                               huge[] = {{STR_LIT("f0"), str_make(large, sizeof large)},
                                         {STR_LIT("f1"), str_make(large, sizeof large)},
                                         {STR_LIT("f2"), str_make(large, sizeof large)},
                                         {STR_LIT("f3"), str_make(large, sizeof large)}};
    assert_int_equal(put(place, &ann, "s2", many, SESSION_MAX_FIELDS, 60 * US_PER_SEC), 0);
    assert_int_equal(
        session_merge(place->sessions, &ann, STR_LIT("s2"), more, 1, 60 * US_PER_SEC, soon(), NULL),
        ERR_LIMIT);
    assert_int_equal(
        session_merge(place->sessions, &ann, STR_LIT("s2"), huge, 3, 60 * US_PER_SEC, soon(), NULL), 0);
    assert_int_equal(
        session_merge(place->sessions, &ann, STR_LIT("s2"), huge + 3, 1, 60 * US_PER_SEC, soon(), NULL),
        ERR_LIMIT);
    assert_int_equal(put(place, &ann, "s2", nameless, 1, 60 * US_PER_SEC), ERR_INVALID);
    assert_int_equal(put(place, &ann, "", more, 1, 60 * US_PER_SEC), ERR_INVALID);
    assert_int_equal(put(place, &ann, "s2", more, 1, 1), ERR_INVALID);
    assert_int_equal(put(place, &ann, "s2", more, 1, SESSION_MAX_TTL_US + 1), ERR_INVALID);
}

static void in_this_process(void **state)
{
    static const struct session_field one[] = {FIELD("a", "1")};
    struct place place;
    (void)state;
    place_open(&place, NULL);
    live_a_life(&place);
    meet_others(&place);
    hold_to_maxima(&place);
    assert_int_equal(put(&place, &ann, "s3", one, 1, 10 * US_PER_SEC), 0);
    clock_manual_advance(&place.clock, 10 * US_PER_SEC - 1);
    assert_string_equal(fields_of(&place, &ann, "s3"), "a=1;");
    clock_manual_advance(&place.clock, 1);
    assert_string_equal(fields_of(&place, &ann, "s3"), "none");
    for (int i = 0; i < 12000; i++) { /* more than are kept: those that end first go */
        char id[16];
        (void)snprintf(id, sizeof id, "n%d", i);
        assert_int_equal(put(&place, &ann, id, one, 1, (int64_t)(i + 1) * US_PER_SEC), 0);
    }
    assert_string_equal(fields_of(&place, &ann, "n0"), "none");
    assert_string_equal(fields_of(&place, &ann, "n11999"), "a=1;");
    place_close(&place);
}

static size_t fill_with(struct place *place, const char *value, size_t n_fields)
{
    struct session_field fields[4];
    static const char *const names[] = {"a", "b", "c", "d"};
    struct session session;
    size_t n_there = 0;
    char id[16];

    for (size_t i = 0; i < n_fields; i++)
        fields[i] = (struct session_field){str_of(names[i]), str_of(value)};
    for (int i = 0; i < 400; i++) {
        (void)snprintf(id, sizeof id, "n%d", i);
        assert_int_equal(put(place, &ann, id, fields, n_fields, (int64_t)(i + 1) * US_PER_SEC), 0);
        assert_int_not_equal(*fields_of(place, &ann, id), 'n'); /* what was just kept is there */
        arena_reset(&place->arena);
    }
    for (int i = 0; i < 400; i++) {
        (void)snprintf(id, sizeof id, "n%d", i);
        n_there += session_get(place->sessions, &ann, str_of(id), soon(), &place->arena, &session, NULL) == 0;
        arena_reset(&place->arena);
    }
    return n_there;
}

/* Also when sessions that are there grow. */
static void what_this_process_keeps_has_its_maximum(void **state)
{
    static char large[60 * 1024];
    struct place place;
    (void)state;
    memset(large, '1', sizeof large - 1);
    place_open(&place, NULL);
    assert_int_equal(fill_with(&place, "1", 1), 400);
    size_t n_there = fill_with(&place, large, 4);
    assert_true(n_there * 4 * (sizeof large - 1) <= 64 * 1024 * 1024);
    assert_true(n_there > 100);
    place_close(&place);
}

static void in_redis(void **state)
{
    static const struct session_field one[] = {FIELD("a", "1")};
    struct place place;
    struct resp reply;
    struct buf key;
    (void)state;
    place_open(&place, backend_fact("REDIS", "URL"));
    live_a_life(&place);
    meet_others(&place);
    hold_to_maxima(&place);

    assert_int_equal(put(&place, &ann, "s4", one, 1, 10 * US_PER_SEC), 0);
    buf_init(&key, 1024);
    redis_client_key(place.client, "session", ann.tenant, &key);
    buf_append_text(&key, "3:ann:s4");
    const struct str ttl[] = {STR_LIT("PTTL"), buf_str(&key)};
    assert_int_equal(redis_client_call(place.client, ttl, 2, soon(), &place.arena, &reply, NULL), 0);
    assert_true(reply.integer > 0 && reply.integer <= 10000);
    const struct str garbage[] = {STR_LIT("HSET"), buf_str(&key),       STR_LIT("b"), STR_LIT("{bad"),
                                  STR_LIT("c"),    STR_LIT("\xff\xfe"), STR_LIT("d"), STR_LIT("2")};
    assert_int_equal(redis_client_call(place.client, garbage, 8, soon(), &place.arena, &reply, NULL), 0);
    assert_string_equal(fields_of(&place, &ann, "s4"), "a=1;d=2;");
    const struct str wrong[] = {STR_LIT("SET"), buf_str(&key), STR_LIT("no hash")};
    assert_int_equal(redis_client_call(place.client, wrong, 3, soon(), &place.arena, &reply, NULL), 0);
    struct session session;
    struct err_info err = {0};
    assert_int_equal(session_get(place.sessions, &ann, STR_LIT("s4"), soon(), &place.arena, &session, &err),
                     ERR_REMOTE);
    assert_true(err.message[0]);
    assert_int_equal(put(&place, &ann, "s4", one, 1, 10 * US_PER_SEC), 0); /* puts it right */
    assert_string_equal(fields_of(&place, &ann, "s4"), "a=1;");
    buf_done(&key);
    place_close(&place);
}

static void a_dead_server_is_said(void **state)
{
    static const struct session_field one[] = {FIELD("a", "1")};
    struct place place;
    (void)state;
    place_open(&place, "redis://127.0.0.1:1/0");
    assert_int_equal(put(&place, &ann, "s1", one, 1, 10 * US_PER_SEC), ERR_UNAVAILABLE);
    place_close(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_this_process),
        cmocka_unit_test(what_this_process_keeps_has_its_maximum),
        cmocka_unit_test(in_redis),
        cmocka_unit_test(a_dead_server_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
