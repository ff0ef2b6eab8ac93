/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `http` against a server of the test's own: what is sent, what becomes rows, and what a bad answer
 * costs.
 */
#include "source/http_priv.h"

#include "../net/http_peer.h"
#include "core/mem.h"
#include "world.h"

enum { SET_PATH, SET_QUERY, SET_POINTER, SET_MISSING };

struct asking {
    const char *path, *query, *pointer, *missing;
    size_t max_rows;
    int64_t within_ms;
};

static struct peer peer;
static struct source *source;

#define ANSWER(status, body) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n" body

static const char *answer(const char *path)
{
    static const struct {
        const char *path, *answer;
    } answers[] = {
        {"/list",
         ANSWER("200 OK",
                "{\"data\":{\"a/b\":[{\"id\":7,\"t\":\"x\",\"o\":{\"k\":1}},{\"t\":\"\xc3\xa4\",\"n\":1.5},"
                "3]}}")},
        {"/scalars", ANSWER("200 OK", "\xEF\xBB\xBF[\"a\",2,null,[1]]")},
        {"/object", ANSWER("200 OK", "{\"a\":1,\"b\":null}")},
        {"/empty", ANSWER("200 OK", "[]")},
        {"/missing", ANSWER("404 Not Found", "nothing here")},
        {"/denied", ANSWER("401 Unauthorized", "go away")},
        {"/broken", ANSWER("500 Oops", "{\"error\":{\"message\":\"no\\u0007 \\u202eluck\\nat all\"}}")},
        {"/moved", ANSWER("302 Found", "")},
        {"/html", ANSWER("200 OK", "<html>")},
        {"/latin", ANSWER("200 OK", "[\"\xe4\"]")},
        {"/nothing", ANSWER("200 OK", "")},
        {"/none", "HTTP/1.1 204 No Content\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (strncmp(path, answers[i].path, strlen(answers[i].path)) == 0)
            return answers[i].answer;
    return NULL;
}

static int open_all(void **state)
{
    if (world_open(state) != 0)
        return -1;
    struct world *world = *state;
    peer = (struct peer){.answer = answer};
    peer_start(&peer);
    world->env.connectors = world->env.workers;
    const struct source_options options = {.name = "shop", .url = str_of(peer.url), .key = "k3y"};
    return source_open(&world->env, &options, &source, NULL);
}

static int close_all(void **state)
{
    source = source_close(source);
    peer_stop(&peer);
    return world_close(state);
}

static struct value text_or_null(const char *text)
{
    return text ? value_text(str_of(text)) : value_null();
}

static int ask(void **state, const struct asking *asking, struct source_result **ret_result,
               struct err_info *err)
{
    const struct value settings[] = {
        [SET_PATH] = text_or_null(asking->path),
        [SET_QUERY] = asking->query ? value_json(str_of(asking->query)) : value_null(),
        [SET_POINTER] = text_or_null(asking->pointer),
        [SET_MISSING] = text_or_null(asking->missing ? asking->missing : "error"),
    };
    const struct source_request request = {
        .settings = settings,
        .max_rows = asking->max_rows ? asking->max_rows : 100,
        .deadline_us = world_deadline(asking->within_ms ? asking->within_ms : 60000),
    };
    return world_fetch(*state, source, &request, ret_result, err);
}

static void objects_become_rows_with_all_their_members(void **state)
{
    struct source_result *result;
    struct asking asking = {.path = "/list", .pointer = "/data/a~1b"};
    assert_int_equal(ask(state, &asking, &result, NULL), 0);
    assert_int_equal(result->n_rows, 2);
    assert_int_equal(result->n_columns, 4);
    assert_int_equal(result->n_malformed, 1);
    assert_false(result->is_truncated);
    assert_true(str_is(result->rows[0].id, "7"));
    assert_cell(result, 0, "t", VALUE_TEXT, "x");
    assert_cell(result, 0, "o", VALUE_JSON, "{\"k\":1}");
    assert_cell(result, 0, "n", VALUE_NULL, "");
    assert_cell(result, 1, "t", VALUE_TEXT, "\xc3\xa4");
    assert_cell(result, 1, "n", VALUE_REAL, "1.5");
    source_result_free(result);
    asking.max_rows = 1;
    assert_int_equal(ask(state, &asking, &result, NULL), 0);
    assert_int_equal(result->n_rows, 1);
    assert_true(result->is_truncated);
    source_result_free(result);
}

static void other_shapes_become_rows_too(void **state)
{
    struct source_result *result;
    assert_int_equal(ask(state, &(struct asking){.path = "/scalars"}, &result, NULL), 0);
    assert_int_equal(result->n_rows, 4);
    assert_cell(result, 1, "value", VALUE_INT, "2");
    assert_cell(result, 3, "value", VALUE_JSON, "[1]");
    source_result_free(result);
    assert_int_equal(ask(state, &(struct asking){.path = "/object"}, &result, NULL), 0);
    assert_int_equal(result->n_rows, 1);
    assert_cell(result, 0, "a", VALUE_INT, "1");
    source_result_free(result);
    assert_int_equal(ask(state, &(struct asking){.path = "/object", .pointer = "/a"}, &result, NULL), 0);
    assert_cell(result, 0, "value", VALUE_INT, "1");
    source_result_free(result);
    const char *const empty[] = {"/empty", "/none"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ask(state, &(struct asking){.path = empty[i]}, &result, NULL), 0);
        assert_int_equal(result->n_rows, 0);
        source_result_free(result);
    }
    assert_int_equal(ask(state, &(struct asking){.path = "/object", .pointer = "/b"}, &result, NULL), 0);
    assert_int_equal(result->n_rows, 0);
    source_result_free(result);
}

static void what_is_missing_is_an_error_or_empty(void **state)
{
    struct source_result *result;
    struct err_info err;
    assert_int_equal(ask(state, &(struct asking){.path = "/missing"}, &result, &err), ERR_REMOTE);
    assert_string_equal(err.message, "shop: it answered with status 404: nothing here");
    assert_int_equal(ask(state, &(struct asking){.path = "/object", .pointer = "/x"}, &result, &err),
                     ERR_REMOTE);
    assert_non_null(strstr(err.message, "nothing at pointer '/x'"));
    assert_int_equal(ask(state, &(struct asking){.path = "/missing", .missing = "empty"}, &result, NULL), 0);
    assert_int_equal(result->n_rows, 0);
    source_result_free(result);
    assert_int_equal(
        ask(state, &(struct asking){.path = "/object", .pointer = "/x", .missing = "empty"}, &result, NULL),
        0);
    source_result_free(result);
}

static void bad_answers_are_told_in_words(void **state)
{
    static const char *const cases[][2] = {
        {"/denied", "shop: it wants another key than the connection's `key` (status 401): go away"},
        {"/broken", "shop: it answered with status 500: no luck at all"},
        {"/moved", "shop: it sends us elsewhere (status 302), which is not followed"},
        {"/html", "shop: the answer is not JSON as it should be, at 1:1: "},
        {"/latin", "shop: the answer is not JSON as it should be, at 1:"},
        {"/nothing", "shop: the answer is empty, where JSON was expected"},
        {"/huge", "larger than"},
        {"/cut", "before its answer was whole"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct source_result *result;
        struct err_info err;
        assert_true(ask(state, &(struct asking){.path = cases[i][0]}, &result, &err) < 0);
        assert_non_null(strstr(err.message, cases[i][1]));
        assert_null(strstr(err.message, "k3y"));
    }
}

static void slow_answer_costs_its_deadline_alone(void **state)
{
    struct source_result *result;
    struct err_info err;
    assert_int_equal(ask(state, &(struct asking){.path = "/drip", .within_ms = 30}, &result, &err),
                     ERR_TIMEOUT);
    assert_int_equal(ask(state, &(struct asking){.path = "/object"}, &result, NULL), 0);
    source_result_free(result);
}

static void values_stay_where_they_were_put(void **state)
{
    struct source_result *result;
    struct err_info err;
    static const char *const bad_paths[] = {"/a/..",  "/a/%2E%2E%2Fb", "/a/%252e%252e", "//evil/a",
                                            "/a/%00", "/a//b",         "http://evil/"};
    struct asking asking = {
        .path = "/object/a%2Fb%3Fc%23",
        .query = "{\"q&x\":\"a=1&b=2#\\r\\nHost: evil\",\"left_out\":\"\",\"n\":\"\xc3\xa4\"}"};
    assert_int_equal(ask(state, &asking, &result, NULL), 0);
    source_result_free(result);
    static const char line[] =
        "GET /object/a%2Fb%3Fc%23?q%26x=a%3D1%26b%3D2%23%0D%0AHost%3A%20evil&n=%C3%A4 HTTP/1.1\r\n";
    assert_int_equal(strncmp(peer.last, line, sizeof line - 1), 0);
    assert_non_null(strstr(peer.last, "Authorization: Bearer k3y\r\n"));
    int n_requests = atomic_load(&peer.n_requests);
    for (size_t i = 0; i < sizeof bad_paths / sizeof *bad_paths; i++)
        assert_int_equal(ask(state, &(struct asking){.path = bad_paths[i]}, &result, &err), ERR_INVALID);
    assert_int_equal(ask(state, &(struct asking){.path = NULL}, &result, &err), ERR_INVALID);
    asking.query = "{\"user\":null}";
    assert_int_equal(ask(state, &asking, &result, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "'user'"));
    assert_int_equal(atomic_load(&peer.n_requests), n_requests); /* nothing was sent */
}

static void doctor_hears_who_is_there(void **state)
{
    struct world *world = *state;
    struct source *other = NULL;
    struct err_info err;
    struct buf line;
    buf_init(&line, 1000);
    assert_int_equal(source_check(source, world_deadline(60000), &line, NULL), 0);
    assert_non_null(strstr(line.data, "answers, with status 200, in "));
    struct source_options options = {.name = "dead", .url = STR_LIT("http://127.0.0.1:1")};
    assert_int_equal(source_open(&world->env, &options, &other, NULL), 0);
    assert_int_equal(source_check(other, world_deadline(60000), &line, &err), ERR_UNAVAILABLE);
    assert_string_equal(err.message, "dead: connection refused by 127.0.0.1:1");
    source_close(other);
    char url[80];
    (void)snprintf(url, sizeof url, "https%s", strchr(peer.url, ':'));
    options = (struct source_options){.name = "plain", .url = str_of(url)};
    assert_int_equal(source_open(&world->env, &options, &other, NULL), 0);
    assert_int_equal(source_check(other, world_deadline(60000), &line, &err), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "no secure connection to 127.0.0.1:"));
    source_close(other);
    buf_done(&line);
}

static void recipes_settings_are_checked(void **state)
{
    (void)state;
    static const struct {
        int setting;
        const char *good, *bad;
    } cases[] = {
        {SET_PATH, "/users/{user_id}/orders", "/users?id={user_id}"},
        {SET_PATH, "/a{x?/{x}}", "users/{user_id}"},
        {SET_PATH, "/a.b/{x}", "/../{x}"},
        {SET_POINTER, "/a~1b/0", "a"},
        {SET_POINTER, "", "/a~2"},
        {SET_MISSING, "empty", "nothing"},
    };
    const struct source_setting *settings = source_kind_find(STR_LIT("http"))->settings;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(settings[cases[i].setting].check(str_of(cases[i].good), NULL), 0);
        assert_int_equal(settings[cases[i].setting].check(str_of(cases[i].bad), NULL), ERR_INVALID);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(objects_become_rows_with_all_their_members),
        CASE(other_shapes_become_rows_too),
        CASE(what_is_missing_is_an_error_or_empty),
        CASE(bad_answers_are_told_in_words),
        CASE(slow_answer_costs_its_deadline_alone),
        CASE(values_stay_where_they_were_put),
        CASE(doctor_hears_who_is_there),
        cmocka_unit_test(recipes_settings_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
