/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `vector` on real Qdrant and Chroma servers: filled, searched and filtered alike, and what goes wrong
 * in words.
 */
#include "source/vector_load.h"

#include "../backend.h"
#include "core/json.h"
#include "core/mem.h"
#include "source/vector_priv.h"
#include "world.h"

enum { SET_COLLECTION, SET_QUERY, SET_WHERE, SET_TEXT, SET_VECTOR, N_SETTINGS };

struct backend {
    struct world *world; /* first: what world.h's functions find in the state */
    struct embedder *embedder;
    struct source *source;
    const char *server, *url, *key;
};

static const char collection[] = "test vector \xc3\xa4"; /* for Qdrant; Chroma takes plain names alone */

static bool is_qdrant(const struct backend *backend)
{
    return strcmp(backend->server, "QDRANT") == 0;
}

static const char *name_of(const struct backend *backend)
{
    return is_qdrant(backend) ? collection : "test-vector";
}

static int open_source(struct backend *backend, const char *key, const char *url, struct source **ret_source,
                       struct err_info *err)
{
    char whole[256];
    (void)snprintf(whole, sizeof whole, "%s+%s", is_qdrant(backend) ? "qdrant" : "chroma", url);
    const struct source_options options = {.name = "mem", .url = str_of(whole), .key = key};
    return source_open(&backend->world->env, &options, ret_source, err);
}

/* Two users of the same words, each with a secret that the other must never see; a third whose id is a
 * number. */
static const char *const items[] = {
    "{\"id\":\"a1\",\"content\":\"the garden gate key is canary-anna\",\"user_id\":\"anna\",\"n\":1}",
    ("{\"id\":\"a2\",\"content\":\"anna grows tomatoes in her "
     "garden\",\"user_id\":\"anna\",\"tags\":[\"x\",\"y\"]}"),
    "{\"id\":\"b1\",\"content\":\"the garden gate key is canary-ben\",\"user_id\":\"ben\",\"n\":2}",
    "{\"id\":\"\xc3\xa4 \xe6\xbc\xa2\",\"content\":\"ben's garden shed\",\"user_id\":\"ben\",\"none\":null}",
    "{\"id\":\"c1\",\"content\":\"the garden gate key is canary-number\",\"user_id\":7}",
    "{\"id\":\"d1\",\"content\":\"the garden of the hostile\",\"user_id\":\"x\\\" or \\\"1\\\"=\\\"1\"}",
};
#define N_ITEMS (sizeof items / sizeof *items)

static int load_items(struct backend *backend, struct source *source, bool may_create, struct err_info *err)
{
    size_t n_dims = embedder_dims(backend->embedder);
    float *vectors = calloc(N_ITEMS * n_dims, sizeof *vectors);
    struct vector_point points[N_ITEMS];
    struct json *trees[N_ITEMS];
    struct vector_load load = {.collection = str_of(name_of(backend)),
                               .text_field = STR_LIT("content"),
                               .n_dims = n_dims,
                               .may_create = may_create,
                               .deadline_us = world_deadline(60000)};
    for (size_t i = 0; i < N_ITEMS; i++) {
        assert_int_equal(json_parse(str_of(items[i]), 8, &trees[i], NULL), 0);
        points[i] = (struct vector_point){.id = json_text_of(json_member(trees[i], "id")),
                                          .text = json_text_of(json_member(trees[i], "content")),
                                          .vector = vectors + i * n_dims,
                                          .item = trees[i]};
        assert_int_equal(embed_text(backend->embedder, points[i].text, vectors + i * n_dims, NULL), 0);
    }
    int res = vector_load_prepare(source, &load, err);
    if (res == 0)
        res = vector_load_points(source, &load, points, N_ITEMS, err);
    for (size_t i = 0; i < N_ITEMS; i++)
        json_free(trees[i]);
    free(vectors);
    return res;
}

static int open_backend(void **state, const char *server)
{
    void *world = NULL;
    struct backend *backend = calloc(1, sizeof *backend);
    *state = backend;
    backend->server = server;
    assert_int_equal(world_open(&world), 0);
    backend->world = world;
    backend->world->env.connectors = backend->world->env.workers;
    assert_int_equal(embedder_builtin(&backend->embedder, NULL), 0);
    backend->world->env.embedder = backend->embedder;
    return 0;
}

static int open_qdrant(void **state)
{
    return open_backend(state, "QDRANT");
}

static int open_chroma(void **state)
{
    return open_backend(state, "CHROMA");
}

static int close_backend(void **state)
{
    struct backend *backend = *state;
    void *world = backend->world;
    source_close(backend->source);
    world_close(&world);
    embedder_close(backend->embedder);
    free(backend);
    return 0;
}

/* Inside a case, as a lacking server ends the case. */
static void fill(struct backend *backend)
{
    struct err_info err = {0};
    backend->url = backend_fact(backend->server, "URL");
    backend->key = is_qdrant(backend) ? backend_fact(backend->server, "KEY") : NULL;
    if ((!backend->source && open_source(backend, backend->key, backend->url, &backend->source, &err) < 0) ||
        load_items(backend, backend->source, true, &err) < 0)
        fail_msg("%s", err.message);
}

static int search_in(struct backend *backend, struct source *source, const char *name, const char *query,
                     const char *where, struct source_result **ret_result, struct err_info *err)
{
    const struct value settings[N_SETTINGS] = {
        [SET_COLLECTION] = value_text(str_of(name)),
        [SET_QUERY] = value_text(str_of(query)),
        [SET_WHERE] = where ? value_json(str_of(where)) : value_null(),
        [SET_TEXT] = value_text(STR_LIT("content")),
        [SET_VECTOR] = value_null(),
    };
    const struct source_request request = {
        .settings = settings, .query = str_of(query), .max_rows = 50, .deadline_us = world_deadline(60000)};
    return world_fetch(backend->world, source, &request, ret_result, err);
}

static struct source_result *search(struct backend *backend, const char *query, const char *where)
{
    struct source_result *result = NULL;
    struct err_info err = {0};
    if (search_in(backend, backend->source, name_of(backend), query, where, &result, &err) < 0)
        fail_msg("%s", err.message);
    return result;
}

static void nearest_come_first_with_all_their_fields(void **state)
{
    struct backend *backend = *state;
    fill(backend);
    fill(backend); /* the same again: nothing is there twice */
    struct source_result *result = search(backend, "anna grows tomatoes in her garden", NULL);
    assert_int_equal(result->n_rows, N_ITEMS);
    assert_cell(result, 0, "content", VALUE_TEXT, "anna grows tomatoes in her garden");
    assert_cell(result, 0, "user_id", VALUE_TEXT, "anna");
    assert_cell(result, 0, "tags", is_qdrant(backend) ? VALUE_JSON : VALUE_TEXT, "[\"x\",\"y\"]");
    assert_true(str_is(result->rows[0].id, "a2"));
    assert_true(result->rows[0].score > 0.99 && result->rows[0].score <= 1);
    bool has_unicode_id = false;
    for (size_t i = 0; i < result->n_rows; i++) {
        assert_true(i == 0 || result->rows[i].score <= result->rows[i - 1].score);
        assert_true(result->rows[i].score >= 0);
        has_unicode_id |= str_is(result->rows[i].id, "\xc3\xa4 \xe6\xbc\xa2");
    }
    assert_true(has_unicode_id);
    source_result_free(result);
}

static void nobody_finds_anothers_entries(void **state)
{
    struct backend *backend = *state;
    static const char *const cases[][3] = {
        {"{\"user_id\":\"anna\"}", "canary-anna", "2"},
        {"{\"user_id\":\"ben\"}", "canary-ben", "2"},
        {"{\"user_id\":\"7\"}", "canary-number", "1"},
        {"{\"user_id\":\"ben\",\"n\":\"2\"}", "canary-ben", "1"},
        {"{\"user_id\":\"ann\"}", "", "0"},
        {"{\"user_id\":\"x\\\" or \\\"1\\\"=\\\"1\"}", "hostile", "1"},
        {"{\"user_id\":\"*\"}", "", "0"},
        {"{\"user_id\":\"\\u0001%00..\"}", "", "0"},
    };
    fill(backend);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct source_result *result = search(backend, "the garden gate key", cases[i][0]);
        assert_int_equal(result->n_rows, atoi(cases[i][2]));
        if (result->n_rows > 0) {
            struct str content = result->rows[0].values[1].text;
            assert_true(str_find(content, str_of(cases[i][1])) >= 0);
        }
        source_result_free(result);
    }
}

static void empty_filter_asks_nothing(void **state)
{
    struct backend *backend = *state;
    struct source_result *result;
    struct err_info err;
    fill(backend);
    assert_int_equal(
        search_in(backend, backend->source, name_of(backend), "garden", "{\"user_id\":null}", &result, &err),
        ERR_INVALID);
    assert_non_null(strstr(err.message, "'user_id'"));
    assert_int_equal(
        search_in(backend, backend->source, name_of(backend), "garden", "{\"user_id\":\" \"}", &result, &err),
        ERR_INVALID);
}

static void nothing_asked_finds_nothing(void **state)
{
    struct backend *backend = *state;
    fill(backend);
    struct source_result *result = search(backend, "", NULL);
    assert_int_equal(result->n_rows, 0);
    assert_int_equal(result->degraded.len, 0);
    source_result_free(result);
}

static void missing_collection_is_told_with_those_there(void **state)
{
    struct backend *backend = *state;
    struct source_result *result;
    struct err_info err;
    fill(backend);
    assert_int_equal(search_in(backend, backend->source, "nowhere", "garden", NULL, &result, &err),
                     ERR_REMOTE);
    assert_non_null(strstr(err.message, "mem: there is no collection 'nowhere'; there are: "));
    assert_non_null(strstr(err.message, name_of(backend)));
}

static void other_dimensions_are_told_with_what_to_do(void **state)
{
    struct backend *backend = *state;
    struct source_result *result;
    struct vector_load load = {.collection = STR_LIT("test-dims"),
                               .text_field = STR_LIT("content"),
                               .n_dims = 3,
                               .may_create = true,
                               .deadline_us = world_deadline(60000)};
    const float vector[] = {1, 0, 0};
    struct json *item = NULL;
    struct err_info err;
    fill(backend);
    assert_int_equal(json_parse(STR_LIT("{\"id\":\"1\",\"content\":\"x\"}"), 2, &item, NULL), 0);
    const struct vector_point point = {
        .id = STR_LIT("1"), .text = STR_LIT("x"), .vector = vector, .item = item};
    assert_int_equal(vector_load_prepare(backend->source, &load, NULL), 0);
    assert_int_equal(vector_load_points(backend->source, &load, &point, 1, NULL), 0);
    json_free(item);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(search_in(backend, backend->source, "test-dims", "garden", NULL, &result, &err),
                         ERR_REMOTE);
        assert_non_null(strstr(err.message, "of 3 dimensions and the configured model makes"));
    }
    load.n_dims = 4;
    assert_int_equal(vector_load_prepare(backend->source, &load, &err), ERR_REMOTE);
    load.collection = STR_LIT("test-none");
    load.may_create = false;
    assert_int_equal(vector_load_prepare(backend->source, &load, &err), ERR_NOT_FOUND);
}

static void remove_collection(struct backend *backend)
{
    struct http_server *server = NULL;
    struct http_fetch http = {0};
    char target[256];
    const struct http_server_options options = {.name = "test",
                                                .url = backend->url,
                                                .key = backend->key,
                                                .key_prefix = "api-key:",
                                                .max_conns = 1,
                                                .connect_timeout_us = US_PER_SEC,
                                                .idle_timeout_us = US_PER_SEC,
                                                .connectors = backend->world->env.workers,
                                                .clock = &clock_system};
    (void)snprintf(target, sizeof target, "%s%s",
                   is_qdrant(backend)
                       ? "/collections/"
                       : "/api/v2/tenants/default_tenant/databases/default_database/collections/",
                   is_qdrant(backend) ? "test%20vector%20%C3%A4" : "test-vector");
    const struct http_request request = {
        .method = "DELETE", .target = str_of(target), .max_answer_bytes = 10000};
    assert_int_equal(http_server_new(&options, &server, NULL), 0);
    assert_int_equal(http_fetch_wait(server, &request, world_deadline(60000), &http, NULL), 0);
    assert_int_equal(http.status, 200);
    http_fetch_end(&http);
    http_server_free(server);
}

static void collection_made_anew_is_found_again(void **state)
{
    struct backend *backend = *state;
    fill(backend);
    source_result_free(search(backend, "garden", NULL)); /* it is known now */
    remove_collection(backend);
    assert_int_equal(load_items(backend, backend->source, true, NULL), 0);
    struct source_result *result = search(backend, "garden", NULL);
    assert_int_equal(result->n_rows, N_ITEMS);
    source_result_free(result);
}

static void doctor_hears_version_and_collections(void **state)
{
    struct backend *backend = *state;
    struct buf line;
    buf_init(&line, 1000);
    fill(backend);
    assert_int_equal(source_check(backend->source, world_deadline(60000), &line, NULL), 0);
    assert_non_null(strstr(line.data, is_qdrant(backend) ? "Qdrant 1." : "Chroma 1."));
    assert_non_null(strstr(line.data, " collections, answers in "));
    buf_done(&line);
}

static void wrong_key_is_told_and_not_shown(void **state)
{
    struct backend *backend = *state;
    struct source *other = NULL;
    struct source_result *result;
    struct err_info err;
    struct buf line;
    fill(backend);
    buf_init(&line, 1000);
    assert_int_equal(open_source(backend, "wr0ng", backend->url, &other, NULL), 0);
    assert_int_equal(source_check(other, world_deadline(60000), &line, &err), ERR_REMOTE);
    assert_non_null(strstr(err.message, "it wants another key"));
    assert_null(strstr(err.message, "wr0ng"));
    assert_int_equal(search_in(backend, other, name_of(backend), "garden", NULL, &result, &err), ERR_REMOTE);
    assert_non_null(strstr(err.message, "it wants another key"));
    source_close(other);
    buf_done(&line);
}

static void tenant_and_database_are_part_of_the_url(void **state)
{
    struct backend *backend = *state;
    struct source *other = NULL;
    struct source_result *result;
    struct err_info err;
    char url[256];
    fill(backend);
    (void)snprintf(url, sizeof url, "%s?tenant=default_tenant&database=default_database", backend->url);
    assert_int_equal(open_source(backend, NULL, url, &other, NULL), 0);
    assert_int_equal(search_in(backend, other, name_of(backend), "garden", NULL, &result, NULL), 0);
    assert_int_equal(result->n_rows, N_ITEMS);
    source_result_free(result);
    source_close(other);
    (void)snprintf(url, sizeof url, "%s?tenant=nobodys&database=nowhere", backend->url);
    assert_int_equal(open_source(backend, NULL, url, &other, NULL), 0);
    assert_int_equal(search_in(backend, other, name_of(backend), "garden", NULL, &result, &err), ERR_REMOTE);
    source_close(other);
    static const char *const bad[] = {"?tenant=", "?tenant=..", "?who=me"};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(url, sizeof url, "%s%s", backend->url, bad[i]);
        assert_int_equal(open_source(backend, NULL, url, &other, &err), ERR_INVALID);
    }
}

static void nearness_is_from_zero_to_one_and_keeps_the_order(void **state)
{
    (void)state;
    assert_true(vector_nearness(DISTANCE_COSINE, 1.0000001) == 1 &&
                vector_nearness(DISTANCE_COSINE, -0.5) == 0);
    assert_true(vector_nearness(DISTANCE_DOT, 0) == 0.5 &&
                vector_nearness(DISTANCE_DOT, 3) > vector_nearness(DISTANCE_DOT, 2));
    assert_true(vector_nearness(DISTANCE_EUCLID, 0) == 1 && vector_nearness(DISTANCE_EUCLID, 3) == 0.25);
    assert_true(vector_nearness(DISTANCE_MANHATTAN, 1e300) >= 0);
}

#define BOTH(name)                                                                                           \
    {"qdrant_" #name, name, open_qdrant, close_backend, NULL},                                               \
    {                                                                                                        \
        "chroma_" #name, name, open_chroma, close_backend, NULL                                              \
    }

/* Of a connection whose answers are out of step. */
static void an_answer_to_another_filter_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *where, *payload;
        bool is_good;
    } cases[] = {
        {"{\"user\":\"ann\"}", "{\"user\":\"ann\"}", true},
        {"{\"user\":\"ann\"}", "{\"user\":\"bob\"}", false},
        {"{\"user\":\"7\"}", "{\"user\":7}", true},
        {"{\"user\":\"7\"}", "{\"user\":\"7\"}", true},
        {"{\"user\":\"7\"}", "{\"user\":8}", false},
        {"{\"user\":\"ann\"}", "{\"user\":7}", false},
        {"{\"old\":\"true\"}", "{\"old\":true}", true},
        {"{\"old\":\"true\"}", "{\"old\":false}", false},
        {"{\"a\":\"1\",\"user\":\"ann\"}", "{\"a\":1,\"user\":\"bob\"}", false},
        {"{\"who.name\":\"ann\"}", "{\"who\":{\"name\":\"bob\"}}", false},
        {"{\"tags\":\"red\"}", "{\"tags\":[\"red\",\"blue\"]}", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct source_result *result = source_result_new();
        struct json *root = NULL, *where = NULL;
        struct err_info err = {0};
        char text[256];
        snprintf(text, sizeof text, "{\"result\":{\"points\":[{\"id\":1,\"score\":0.5,\"payload\":%s}]}}",
                 cases[i].payload);
        assert_int_equal(json_parse(str_of(text), 8, &root, NULL), 0);
        assert_int_equal(json_parse(str_of(cases[i].where), 2, &where, NULL), 0);
        int res = qdrant_read_points(root, DISTANCE_COSINE, STR_LIT("content"), where, 10, result, &err);
        if (res != (cases[i].is_good ? 0 : ERR_REMOTE))
            fail_msg("%s of %s: %d %s", cases[i].where, cases[i].payload, res, err.message);
        json_free(where);
        json_free(root);
        source_result_free(result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_to_another_filter_is_refused),
        BOTH(nearest_come_first_with_all_their_fields),
        BOTH(nobody_finds_anothers_entries),
        BOTH(empty_filter_asks_nothing),
        BOTH(nothing_asked_finds_nothing),
        BOTH(missing_collection_is_told_with_those_there),
        BOTH(other_dimensions_are_told_with_what_to_do),
        BOTH(collection_made_anew_is_found_again),
        BOTH(doctor_hears_version_and_collections),
        cmocka_unit_test_setup_teardown(wrong_key_is_told_and_not_shown, open_qdrant, close_backend),
        cmocka_unit_test_setup_teardown(tenant_and_database_are_part_of_the_url, open_chroma, close_backend),
        cmocka_unit_test(nearness_is_from_zero_to_one_and_keeps_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
