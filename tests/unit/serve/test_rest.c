/* SPDX-License-Identifier: Apache-2.0
 *
 * The routes over a real store: shapes of answers, and the field named in every complaint.
 */
#include "serve_fixture.h"

#include <pthread.h>

/* "id" of an answer without its quotes. */
static const char *id_of(struct fixture *fixture, const struct answer *answer)
{
    const char *quoted = answer_member(fixture, answer, "id");
    if (strlen(quoted) < 3)
        fail_msg("no id in %s", answer->body);
    return arena_strdup(&fixture->arena, str_make(quoted + 1, strlen(quoted) - 2));
}

static struct answer ask_for(struct fixture *fixture, const char *method, const char *path, const char *id,
                             const char *body)
{
    char target[256];
    (void)snprintf(target, sizeof target, "%s%s", path, id);
    return ask(fixture, method, target, body);
}

/* ---- /memory ---- */

static void a_memory_lives_from_add_to_delete(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer =
        ask(fixture, "POST", "/memory/add",
            "{\"content\":\"The bakery opens at "
            "seven\",\"tags\":[\"shop\"],\"source\":\"chat\",\"user_id\":\"ann\","
            "\"metadata\":{\"a\":[1]},\"created_at\":\"2026-11-01 08:00\",\"importance\":0.9}");
    expect_status(&answer, 201);
    const char *id = id_of(fixture, &answer);
    answer = ask(fixture, "GET", "/memory/search?query=bakery&user_id=ann", NULL);
    expect_status(&answer, 200);
    expect_member(fixture, &answer, "results.0.content", "\"The bakery opens at seven\"");
    expect_member(fixture, &answer, "results.0.tags", "[\"shop\"]");
    expect_member(fixture, &answer, "results.0.source", "\"chat\"");
    expect_member(fixture, &answer, "results.0.metadata", "{\"a\":[1]}");
    expect_member(fixture, &answer, "results.0.created_at", "\"2026-11-01T08:00:00Z\"");
    answer =
        ask_for(fixture, "PATCH", "/memory/", id, "{\"content\":\"The bakery opens at eight\",\"tags\":[]}");
    expect_status(&answer, 200);
    expect_member(fixture, &answer, "content", "\"The bakery opens at eight\"");
    expect_member(fixture, &answer, "tags", "[]");
    expect_member(fixture, &answer, "source", "\"chat\"");
    expect_member(fixture, &answer, "importance", "0.9");
    answer = ask_for(fixture, "DELETE", "/memory/", id, NULL);
    expect_status(&answer, 200);
    expect_member(fixture, &answer, "deleted", "true");
    expect_error(fixture, ask_for(fixture, "GET", "/memory/", id, NULL), 404, "id");
    expect_error(fixture, ask_for(fixture, "DELETE", "/memory/", id, NULL), 404, "id");
    answer = ask(fixture, "GET", "/memory/search?query=bakery&user_id=ann", NULL);
    expect_member(fixture, &answer, "results", "[]");
}

static void users_do_not_see_each_other_in_lists(void **state)
{
    struct fixture *fixture = *state;
    (void)ask(fixture, "POST", "/memory/add", "{\"content\":\"of seven\",\"user_id\":7}");
    struct answer answer = ask(fixture, "GET", "/memory?user_id=7", NULL);
    expect_member(fixture, &answer, "items.0.user_id", "\"7\"");
    answer = ask(fixture, "GET", "/memory", NULL);
    expect_member(fixture, &answer, "items", "[]");
    expect_member(fixture, &answer, "next_cursor", "null");
}

static void a_batch_is_added_whole_or_not_at_all(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer =
        ask(fixture, "POST", "/memory/add", "{\"items\":[{\"content\":\"one\"},{\"content\":\"two\"}]}");
    expect_status(&answer, 201);
    assert_true(strlen(answer_member(fixture, &answer, "ids.1")) > 4);
    expect_error(fixture,
                 ask(fixture, "POST", "/memory/add", "{\"items\":[{\"content\":\"three\"},{\"content\":4}]}"),
                 422, "items[1].content");
    expect_error(fixture, ask(fixture, "POST", "/memory/add", "{\"items\":[{\"contnt\":\"x\"}]}"), 422,
                 "items[0].contnt");
    expect_error(fixture, ask(fixture, "POST", "/memory/add", "{\"items\":[7]}"), 422, "items[0]");
    expect_error(fixture, ask(fixture, "POST", "/memory/add", "{\"items\":[]}"), 422, "items");
    expect_error(fixture,
                 ask(fixture, "POST", "/memory/add", "{\"items\":[{\"content\":\"x\"}],\"content\":\"y\"}"),
                 422, "content");
    answer = ask(fixture, "GET", "/memory", NULL);
    expect_member(fixture, &answer, "items.2", "");
    expect_member(fixture, &answer, "items.1.content", "\"one\"");
}

static void a_list_comes_in_pages(void **state)
{
    struct fixture *fixture = *state;
    (void)ask(fixture, "POST", "/memory/add",
              "{\"items\":[{\"content\":\"one\"},{\"content\":\"two\"},{\"content\":\"three\"}]}");
    struct answer page = ask(fixture, "GET", "/memory?limit=2", NULL);
    expect_status(&page, 200);
    expect_member(fixture, &page, "items.2", "");
    const char *quoted = answer_member(fixture, &page, "next_cursor");
    const char *cursor = arena_strdup(&fixture->arena, str_make(quoted + 1, strlen(quoted) - 2));
    page = ask_for(fixture, "GET", "/memory?limit=2&cursor=", cursor, NULL);
    expect_status(&page, 200);
    expect_member(fixture, &page, "items.0.content", "\"one\"");
    expect_member(fixture, &page, "next_cursor", "null");
    expect_error(fixture, ask(fixture, "GET", "/memory?cursor=zzz", NULL), 422, "cursor");
}

static void parameters_are_checked_and_named(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *target, *field;
    } rows[] = {
        {"/memory/search", "query"},
        {"/memory/search?query=", "query"},
        {"/memory/search?query=a&limit=0", "limit"},
        {"/memory/search?query=a&limit=1001", "limit"},
        {"/memory/search?query=a&limit=ten", "limit"},
        {"/memory/search?query=a&limit=", "limit"},
        {"/memory/search?query=a&mode=magic", "mode"},
        {"/memory/search?query=a&min_score=high", "min_score"},
        {"/memory/search?query=a&since=yesterday", "since"},
        {"/memory/search?query=a&quary=b", "quary"},
        {"/memory/search?query=a&query=b", "query"},
        {"/preferences/get", "key"},
        {"/preferences/get?key=", "key"},
        {"/memory?limit=-1", "limit"},
        {"/memory?x=1", "x"},
        {"/healthz?x=1", "x"},
        {"/conversations/s/messages?limit=x", "limit"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_error(fixture, ask(fixture, "GET", rows[i].target, NULL), 422, rows[i].field);
    struct answer answer = ask(fixture, "GET", "/memory/search?query=a&quary=b", NULL);
    assert_non_null(strstr(answer.body, "did you mean query?"));
}

static void a_user_id_has_256_bytes_at_most(void **state)
{
    struct fixture *fixture = *state;
    char target[400] = "/memory?user_id=";
    size_t prefix = strlen(target);
    memset(target + prefix, 'u', 256);
    struct answer answer = ask(fixture, "GET", target, NULL);
    expect_status(&answer, 200);
    target[prefix + 256] = 'u';
    expect_error(fixture, ask(fixture, "GET", target, NULL), 422, "user_id");
}

static void bodies_are_checked_and_the_member_named(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *method, *target, *body, *field;
    } rows[] = {
        {"POST", "/memory/add", "{\"content\":\"x\",\"tags\":\"a\"}", "tags"},
        {"POST", "/memory/add", "{\"content\":\"x\",\"tags\":[1]}", "tags[0]"},
        {"POST", "/memory/add", "{\"content\":\"x\",\"metadata\":[]}", "metadata"},
        {"POST", "/memory/add", "{\"content\":\"x\",\"created_at\":\"soon\"}", "created_at"},
        {"POST", "/memory/add", "{\"content\":\"x\",\"importance\":\"big\"}", "importance"},
        {"POST", "/memory/add", "{\"content\":\"x\",\"importance\":2}", "importance"},
        {"POST", "/memory/add", "{\"content\":\"\"}", "content"},
        {"POST", "/memory/add", "{\"content\":\"x\",\"user_id\":[]}", "user_id"},
        {"POST", "/memory/forget", "{\"ids\":[]}", "ids"},
        {"POST", "/memory/forget", "{\"dry_run\":\"yes\",\"source\":\"x\"}", "dry_run"},
        {"POST", "/memory/forget", "{\"before\":7}", "before"},
        {"POST", "/conversations/s/messages", "{\"content\":\"x\"}", "role"},
        {"POST", "/conversations/s/messages", "{\"role\":\"user\"}", "content"},
        {"POST", "/conversations/s/messages", "{\"role\":\"king\",\"content\":\"x\"}", "role"},
        {"POST", "/preferences/set", "{\"value\":1}", "key"},
        {"POST", "/preferences/set", "{\"key\":\"k\"}", "value"},
        {"POST", "/preferences/set", "{\"key\":\"k\",\"valu\":1}", "valu"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_error(fixture, ask(fixture, rows[i].method, rows[i].target, rows[i].body), 422, rows[i].field);
    expect_error(fixture, ask(fixture, "PATCH", "/memory/mem_x", "{}"), 422, NULL);
    struct answer answer = ask(fixture, "POST", "/memory/forget", "{}"); /* no rule would forget everything */
    expect_status(&answer, 422);
}

static void forgetting_by_rule_can_be_tried_first(void **state)
{
    struct fixture *fixture = *state;
    (void)ask(fixture, "POST", "/memory/add",
              "{\"items\":[{\"content\":\"a\",\"source\":\"web\"},{\"content\":\"b\"}]}");
    struct answer answer = ask(fixture, "POST", "/memory/forget", "{\"source\":\"web\",\"dry_run\":true}");
    expect_status(&answer, 200);
    expect_member(fixture, &answer, "forgotten", "0");
    assert_true(strlen(answer_member(fixture, &answer, "ids.0")) > 4);
    answer = ask(fixture, "POST", "/memory/forget", "{\"source\":\"web\"}");
    expect_member(fixture, &answer, "forgotten", "1");
    answer = ask(fixture, "GET", "/memory", NULL);
    expect_member(fixture, &answer, "items.0.content", "\"b\"");
    expect_member(fixture, &answer, "items.1", "");
}

/* ---- /conversations, /preferences ---- */

static void turns_come_back_oldest_first(void **state)
{
    struct fixture *fixture = *state;
    struct answer first = ask(fixture, "POST", "/conversations/s%2F1/messages",
                              "{\"role\":\"user\",\"content\":\"hi\",\"intent\":\"greet\"}");
    expect_status(&first, 201);
    struct answer second = ask(fixture, "POST", "/conversations/s%2F1/messages",
                               "{\"role\":\"assistant\",\"content\":\"hello\"}");
    struct answer answer = ask(fixture, "GET", "/conversations/s%2F1/messages", NULL);
    expect_status(&answer, 200);
    expect_member(fixture, &answer, "messages.0.content", "\"hi\"");
    expect_member(fixture, &answer, "messages.0.intent", "\"greet\"");
    expect_member(fixture, &answer, "messages.1.content", "\"hello\"");
    expect_member(fixture, &answer, "messages.1.intent", "null");
    answer = ask_for(fixture, "GET", "/conversations/s%2F1/messages?before=", id_of(fixture, &second), NULL);
    expect_member(fixture, &answer, "messages.0.content", "\"hi\"");
    expect_member(fixture, &answer, "messages.1", "");
    answer = ask(fixture, "GET", "/conversations/s/messages", NULL);
    expect_member(fixture, &answer, "messages", "[]");
}

static void preferences_hold_any_json_value(void **state)
{
    struct fixture *fixture = *state;
    static const char *const values[] = {
        "null", "true", "0", "-1.5", "\"caf\xc3\xa9\"", "[1,{\"a\":null}]", "{\"b\":[]}"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char body[128];
        (void)snprintf(body, sizeof body, "{\"key\":\"k\",\"value\":%s,\"category\":\"ui\"}", values[i]);
        struct answer answer = ask(fixture, "POST", "/preferences/set", body);
        expect_status(&answer, 200);
        expect_member(fixture, &answer, "value", values[i]);
        answer = ask(fixture, "GET", "/preferences/get?key=k", NULL);
        expect_member(fixture, &answer, "value", values[i]);
        expect_member(fixture, &answer, "category", "\"ui\"");
    }
    struct answer answer = ask(fixture, "GET", "/preferences?category=ui", NULL);
    expect_member(fixture, &answer, "preferences.0.key", "\"k\"");
    expect_member(fixture, &answer, "preferences.1", "");
    answer = ask(fixture, "GET", "/preferences?category=none", NULL);
    expect_member(fixture, &answer, "preferences", "[]");
}

static void preferences_are_deleted_by_parameter_or_path(void **state)
{
    struct fixture *fixture = *state;
    (void)ask(fixture, "POST", "/preferences/set", "{\"key\":\"a/b\",\"value\":1}");
    (void)ask(fixture, "POST", "/preferences/set", "{\"key\":\"c\",\"value\":1,\"user_id\":\"ann\"}");
    expect_error(fixture, ask(fixture, "DELETE", "/preferences", NULL), 422, "key");
    expect_error(fixture, ask(fixture, "DELETE", "/preferences?key=c", NULL), 404, "key"); /* ann's */
    struct answer answer = ask(fixture, "DELETE", "/preferences?key=c&user_id=ann", NULL);
    expect_status(&answer, 200);
    answer = ask(fixture, "DELETE", "/preferences/a%2Fb", NULL);
    expect_status(&answer, 200);
    expect_error(fixture, ask(fixture, "GET", "/preferences/get?key=a%2Fb", NULL), 404, "key");
}

/* ---- /v1 ---- */

#define GREETING "{\"recipe\":\"greeting\",\"params\":{\"user_id\":\"ann\"}}"

static void a_context_is_built_and_then_cached(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = ask(fixture, "POST", "/v1/context", GREETING);
    expect_status(&answer, 200);
    expect_member(fixture, &answer, "complete", "true");
    expect_member(fixture, &answer, "cache", "\"miss\"");
    expect_member(fixture, &answer, "sections.0.status", "\"ok\"");
    assert_non_null(strstr(answer.body, "Good day to you, ann."));
    const char *context = answer_member(fixture, &answer, "context");
    answer = ask_with(fixture, "POST", "/v1/context", "X-Request-Id: second\r\n", GREETING);
    expect_member(fixture, &answer, "cache", "\"hit\"");
    expect_member(fixture, &answer, "request_id", "\"second\"");
    expect_member(fixture, &answer, "context", context);
    answer = ask(fixture, "GET", "/cache/stats", NULL);
    expect_member(fixture, &answer, "hits", "1");
    expect_member(fixture, &answer, "entries", "1");
    answer = ask(fixture, "DELETE", "/cache/clear?all=true", NULL);
    expect_member(fixture, &answer, "cleared", "1");
    answer = ask(fixture, "POST", "/v1/context", GREETING);
    expect_member(fixture, &answer, "cache", "\"miss\"");
}

static void text_is_given_to_those_who_accept_it(void **state)
{
    struct fixture *fixture = *state;
    char value[256];
    for (int i = 0; i < 2; i++) { /* built by a worker, then from the cache */
        struct answer answer = ask_with(fixture, "POST", "/v1/context", "Accept: text/plain\r\n", GREETING);
        expect_status(&answer, 200);
        assert_non_null(strstr(answer.body, "Good day to you, ann."));
        assert_null(strstr(answer.body, "\"context\""));
        assert_string_equal(answer_header(&answer, "Content-Type", value), "text/plain; charset=utf-8");
        assert_true(strtol(answer_header(&answer, "Precis-Tokens", value), NULL, 10) > 0);
        assert_string_equal(answer_header(&answer, "Precis-Complete", value), "true");
        assert_string_equal(answer_header(&answer, "Precis-Cache", value), i == 0 ? "miss" : "hit");
    }
}

static void wrong_context_requests_name_the_field(void **state)
{
    struct fixture *fixture = *state;
    expect_error(fixture, ask(fixture, "POST", "/v1/context", "{\"recipe\":\"nope\"}"), 404, "recipe");
    expect_error(fixture, ask(fixture, "POST", "/v1/context", "{}"), 422, "recipe");
    expect_error(fixture, ask(fixture, "POST", "/v1/context", "{\"recipe\":\"greeting\"}"), 422,
                 "params.user_id");
    expect_error(fixture, ask(fixture, "POST", "/v1/context", "{\"recipe\":\"greeting\",\"recipes\":1}"), 422,
                 "recipes");
    expect_error(fixture,
                 ask(fixture, "POST", "/v1/context",
                     "{\"recipe\":\"greeting\",\"params\":{\"user_id\":\"a\"},\"sections\":[\"x\"]}"),
                 422, "sections[0]");
    expect_error(fixture,
                 ask(fixture, "POST", "/v1/context",
                     "{\"recipe\":\"greeting\",\"params\":{\"user_id\":\"a\"},\"max_tokens\":1}"),
                 422, "max_tokens");
    struct answer answer = ask(fixture, "POST", "/v1/context", "{\"recipe\"");
    expect_status(&answer, 400);
}

static void recipes_are_listed_and_shown(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = ask(fixture, "GET", "/v1/recipes", NULL);
    expect_status(&answer, 200);
    assert_non_null(strstr(answer_member(fixture, &answer, "recipes.0"), "\"greeting\""));
    answer = ask(fixture, "GET", "/v1/recipes/greeting", NULL);
    expect_status(&answer, 200);
    assert_non_null(strstr(answer.body, "user_id"));
    expect_error(fixture, ask(fixture, "GET", "/v1/recipes/nope", NULL), 404, "name");
}

/* ---- many at once ---- */

#define N_CLIENTS 8
#define N_EACH    15

struct client {
    struct fixture fixture; /* a copy with results of its own */
    int number, n_wrong;
};

static bool has_text(const struct answer *answer, const char *text)
{
    return answer->status == 200 && strstr(answer->body, text);
}

/* What it wrote is found by its next search, whoever else writes and computes. */
static void *client_main(void *arg)
{
    struct client *client = arg;
    struct fixture *fixture = &client->fixture;
    for (int i = 0; i < N_EACH; i++) {
        char word[32], body[256], target[128], greeting[64];
        (void)snprintf(word, sizeof word, "zebra%cx%c", 'a' + client->number, 'a' + i);
        (void)snprintf(body, sizeof body, "{\"user_id\":\"%s\",\"content\":\"the %s is here\"}",
                       i % 2 ? "all" : word, word);
        struct answer added = ask(fixture, "POST", "/memory/add", body);
        (void)snprintf(target, sizeof target, "/memory/search?user_id=%s&query=%s", i % 2 ? "all" : word,
                       word);
        struct answer found = ask(fixture, "GET", target, NULL);
        (void)snprintf(body, sizeof body,
                       "{\"recipe\":\"greeting\",\"cache\":\"off\",\"params\":{\"user_id\":\"%s\"}}", word);
        (void)snprintf(greeting, sizeof greeting, "Good day to you, %s.", word);
        struct answer built = ask(fixture, "POST", "/v1/context", body);
        client->n_wrong += added.status != 201 || !has_text(&found, word) || !has_text(&built, greeting);
    }
    return NULL;
}

static void each_finds_what_it_wrote_while_many_write_and_search(void **state)
{
    struct fixture *fixture = *state;
    struct client clients[N_CLIENTS];
    pthread_t threads[N_CLIENTS];
    for (int i = 0; i < N_CLIENTS; i++) {
        clients[i] = (struct client){.fixture = *fixture, .number = i};
        arena_init(&clients[i].fixture.arena, 16 * 1024 * 1024);
        assert_int_equal(pthread_create(&threads[i], NULL, client_main, &clients[i]), 0);
    }
    int n_wrong = 0;
    for (int i = 0; i < N_CLIENTS; i++) {
        pthread_join(threads[i], NULL);
        n_wrong += clients[i].n_wrong;
        arena_done(&clients[i].fixture.arena);
    }
    assert_int_equal(n_wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(a_memory_lives_from_add_to_delete),
        SERVER_TEST(users_do_not_see_each_other_in_lists),
        SERVER_TEST(a_batch_is_added_whole_or_not_at_all),
        SERVER_TEST(a_list_comes_in_pages),
        SERVER_TEST(parameters_are_checked_and_named),
        SERVER_TEST(a_user_id_has_256_bytes_at_most),
        SERVER_TEST(bodies_are_checked_and_the_member_named),
        SERVER_TEST(forgetting_by_rule_can_be_tried_first),
        SERVER_TEST(turns_come_back_oldest_first),
        SERVER_TEST(preferences_hold_any_json_value),
        SERVER_TEST(preferences_are_deleted_by_parameter_or_path),
        SERVER_TEST(a_context_is_built_and_then_cached),
        SERVER_TEST(text_is_given_to_those_who_accept_it),
        SERVER_TEST(wrong_context_requests_name_the_field),
        SERVER_TEST(recipes_are_listed_and_shown),
        SERVER_TEST(each_finds_what_it_wrote_while_many_write_and_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
