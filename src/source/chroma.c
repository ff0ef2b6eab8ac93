/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `vector` on Chroma, over its API v2: what is asked of it, and how it is filled. Collections are asked
 * by an id, which is looked up by name.
 */
#include "source/vector_load.h"
#include "source/vector_priv.h"

#include "core/mem.h"
#include "net/http_url.h"

#include <stdio.h>

#define MAX_PREFIX 512 /* of the database's path */

static const char *const schemes[] = {"chroma+http", "chroma+https", NULL};

struct chroma {
    struct vector_server server;
    char collections[MAX_PREFIX]; /* /api/v2/tenants/T/databases/D/collections */
};

/* ---- asking ---- */

static void put_equals(struct json_writer *json, struct str field, struct value value)
{
    json_open_object(json);
    json_put_name_str(json, field);
    json_open_object(json);
    json_put_name(json, "$eq");
    vector_put_value(json, value);
    json_close_object(json);
    json_close_object(json);
}

/* Each field must be that text, or the number or truth that is written so. */
static void put_field(struct json_writer *json, struct str field, struct str text)
{
    struct value typed;

    if (!vector_value_is_typed(text, &typed)) {
        put_equals(json, field, value_text(text));
        return;
    }
    json_open_object(json);
    json_put_name(json, "$or");
    json_open_array(json);
    put_equals(json, field, value_text(text));
    put_equals(json, field, typed);
    json_close_array(json);
    json_close_object(json);
}

static void put_where(struct json_writer *json, const struct json *where)
{
    bool is_list = json_count(where) > 1; /* $and wants two at least */
    const struct json *text;
    struct str field;
    size_t pos = 0;

    json_put_name(json, "where");
    if (is_list) {
        json_open_object(json);
        json_put_name(json, "$and");
        json_open_array(json);
    }
    while (json_next_member(where, &pos, &field, &text))
        put_field(json, field, json_text_of(text));
    if (is_list) {
        json_close_array(json);
        json_close_object(json);
    }
}

static const char *collections_of(const struct vector_ask *own)
{
    return ((const struct chroma *)own->server)->collections;
}

static void write_target(struct vector_ask *own, struct str name, const char *rest)
{
    buf_append_text(&own->ask.target, collections_of(own));
    buf_append_byte(&own->ask.target, '/');
    http_url_append(&own->ask.target, name);
    buf_append_text(&own->ask.target, rest);
}

static void write_lookup(struct vector_ask *own)
{
    write_target(own, own->question.collection, "");
}

static void write_list(struct vector_ask *own)
{
    buf_append_text(&own->ask.target, collections_of(own));
    buf_append_text(&own->ask.target, "?limit=100");
}

static void write_query(struct vector_ask *own)
{
    struct json_writer json;

    write_target(own, str_of(own->known.id), "/query");
    json_writer_init(&json, &own->ask.body);
    json_open_object(&json);
    json_put_name(&json, "query_embeddings");
    json_open_array(&json);
    vector_put(&json, own->question.vector, own->question.n_dims);
    json_close_array(&json);
    if (json_count(own->question.where) > 0)
        put_where(&json, own->question.where);
    json_put_member_int(&json, "n_results", (int64_t)own->ask.max_rows);
    json_put_name(&json, "include");
    json_put_raw(&json, STR_LIT("[\"documents\",\"metadatas\",\"distances\"]"));
    json_close_object(&json);
}

static const struct json *names(const struct json *root)
{
    return root;
}

static int read_hits(const struct json *root, struct vector_ask *own, struct err_info *reterr)
{
    return chroma_read_answer(root, own->known.distance, own->question.text_field, own->question.where,
                              own->ask.max_rows, own->ask.result, reterr);
}

static const struct vector_dialect dialect = {
    write_lookup, write_list, write_query, chroma_read_collection, names, read_hits,
};

/* ---- connections ---- */

static void on_close(void *state)
{
    vector_server_done(state);
    mem_free(state);
}

/* "tenant=t&database=d" */
static int read_params(struct chroma *chroma, struct str params, struct err_info *reterr)
{
    struct str tenant = STR_LIT("default_tenant"), database = STR_LIT("default_database"), name, value;
    struct buf path;

    while (ask_next_param(&params, &name, &value)) {
        bool is_tenant = str_is(name, "tenant");

        if (str_is_empty(value) || (!is_tenant && !str_is(name, "database")))
            return err_set_field(reterr, ERR_INVALID, "url",
                                 "after the ? of a Chroma URL stand tenant=NAME and database=NAME");
        *(is_tenant ? &tenant : &database) = value;
    }
    buf_init(&path, MAX_PREFIX - 1);
    buf_append_text(&path, "/api/v2/tenants/");
    http_url_append(&path, tenant);
    buf_append_text(&path, "/databases/");
    http_url_append(&path, database);
    buf_append_text(&path, "/collections");
    int res = buf_error(&path)
                  ? err_set_field(reterr, ERR_INVALID, "url", "the names of tenant and database are too long")
                  : http_url_check_path(buf_str(&path), reterr);
    if (res == 0)
        memcpy(chroma->collections, path.data, path.len + 1);
    buf_done(&path);
    return res;
}

static int on_open(const struct source_env *env, const struct source_options *options, void **ret_state,
                   struct err_info *reterr)
{
    struct chroma *chroma = mem_calloc(1, sizeof *chroma);
    struct str params = STR_LIT("");

    if (!chroma)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    vector_server_init(&chroma->server, &dialect);
    int res = ask_open_server(env, options, sizeof "chroma+" - 1, "X-Chroma-Token:", false, &params,
                              &chroma->server.http, reterr);
    if (res == 0)
        res = read_params(chroma, params, reterr);
    if (res < 0)
        on_close(chroma);
    else
        *ret_state = chroma;
    return res;
}

static int on_check(const struct source_env *env, void *state, int64_t deadline_us, struct buf *ret,
                    struct err_info *reterr)
{
    struct chroma *chroma = state;
    struct http_request request = {.target = STR_LIT("/api/v2/version"),
                                   .max_answer_bytes = ASK_MAX_ANSWER_BYTES};
    struct json *version = NULL, *count = NULL;
    char target[MAX_PREFIX + 8];
    long status;
    int64_t started_us = clock_mono_us(env->clock);
    int res = ask_wait(chroma->server.http, &request, deadline_us, &status, &version, reterr);
    int64_t took_us = clock_mono_us(env->clock) - started_us;

    (void)snprintf(target, sizeof target, "%s_count", chroma->collections);
    request.target = str_of(target);
    if (res == 0)
        res = ask_wait(chroma->server.http, &request, deadline_us, &status, &count, reterr);
    if (res == 0)
        buf_printf(ret, "Chroma %.*s, %lld collections, answers in %.1f ms", STR_ARG(json_text_of(version)),
                   (long long)json_int_of(count), (double)took_us / 1e3);
    json_free(version);
    json_free(count);
    return res;
}

/* ---- filling ---- */

static int find_collection(const struct chroma *chroma, const struct vector_load *load,
                           struct vector_known *ret_known, long *ret_status, struct err_info *reterr)
{
    struct json *root = NULL;
    struct buf target;

    buf_init(&target, 2 * MAX_PREFIX);
    buf_append_text(&target, chroma->collections);
    buf_append_byte(&target, '/');
    http_url_append(&target, load->collection);
    const struct http_request request = {.target = buf_str(&target),
                                         .max_answer_bytes = ASK_MAX_ANSWER_BYTES};
    int res = buf_error(&target)
                  ? err_set(reterr, ERR_INVALID, "the collection's name is too long")
                  : ask_wait(chroma->server.http, &request, load->deadline_us, ret_status, &root, reterr);
    if (res == 0)
        res = chroma_read_collection(root, STR_LIT(""), ret_known, reterr);
    json_free(root);
    buf_done(&target);
    return res;
}

static int create_collection(const struct chroma *chroma, const struct vector_load *load,
                             struct err_info *reterr)
{
    struct json *root = NULL;
    struct json_writer json;
    struct buf body;
    long status;

    buf_init(&body, 4096);
    json_writer_init(&json, &body);
    json_open_object(&json);
    json_put_member_text(&json, "name", load->collection);
    json_put_member_bool(&json, "get_or_create", true);
    json_put_name(&json, "configuration");
    json_put_raw(&json, STR_LIT("{\"hnsw\":{\"space\":\"cosine\"}}"));
    json_close_object(&json);
    const struct http_request request = {.target = str_of(chroma->collections),
                                         .body = buf_str(&body),
                                         .max_answer_bytes = ASK_MAX_ANSWER_BYTES};
    int res = buf_error(&body)
                  ? err_set(reterr, ERR_INVALID, "the collection's name is too long")
                  : ask_wait(chroma->server.http, &request, load->deadline_us, &status, &root, reterr);
    json_free(root);
    buf_done(&body);
    return res;
}

static int on_load_prepare(void *state, const struct vector_load *load, struct err_info *reterr)
{
    const struct chroma *chroma = state;
    struct vector_known known;
    long status = 0;
    int res = find_collection(chroma, load, &known, &status, reterr);

    if (res == 0)
        return vector_check_dims(load->collection, known.n_dims, load->n_dims, reterr);
    if (status != 404)
        return res;
    return load->may_create
               ? create_collection(chroma, load, reterr)
               : err_set(reterr, ERR_NOT_FOUND, "there is no collection '%.*s'; --create makes it",
                         STR_ARG(load->collection));
}

/* Metadata are texts, numbers and truths; lists and objects are written as JSON, null is left out. */
static void put_metadata(struct json_writer *json, const struct vector_load *load, const struct json *item)
{
    const struct json *value;
    struct str name;
    struct buf text;
    size_t pos = 0;

    json_open_object(json);
    while (json_next_member(item, &pos, &name, &value)) {
        enum json_kind kind = json_kind_of(value);

        if (str_is(name, "id") || str_eq(name, load->text_field) || kind == JSON_KIND_NULL)
            continue;
        buf_init(&text, ASK_MAX_ANSWER_BYTES);
        json_print(value, &text);
        json_put_name_str(json, name);
        if (kind == JSON_KIND_ARRAY || kind == JSON_KIND_OBJECT)
            json_put_text(json, buf_str(&text));
        else
            json_put_raw(json, buf_str(&text));
        buf_done(&text);
    }
    json_close_object(json);
}

static bool has_metadata(const struct vector_load *load, const struct json *item)
{
    const struct json *value;
    struct str name;
    size_t pos = 0;

    while (json_next_member(item, &pos, &name, &value)) {
        if (!str_is(name, "id") && !str_eq(name, load->text_field) && json_kind_of(value) != JSON_KIND_NULL)
            return true;
    }
    return false;
}

static void write_points(struct buf *body, const struct vector_load *load, const struct vector_point *points,
                         size_t n)
{
    struct json_writer json;

    json_writer_init(&json, body);
    json_open_object(&json);
    json_put_name(&json, "ids");
    json_open_array(&json);
    for (size_t i = 0; i < n; i++)
        json_put_text(&json, points[i].id);
    json_close_array(&json);
    json_put_name(&json, "embeddings");
    json_open_array(&json);
    for (size_t i = 0; i < n; i++)
        vector_put(&json, points[i].vector, load->n_dims);
    json_close_array(&json);
    json_put_name(&json, "documents");
    json_open_array(&json);
    for (size_t i = 0; i < n; i++)
        json_put_text(&json, points[i].text);
    json_close_array(&json);
    json_put_name(&json, "metadatas");
    json_open_array(&json);
    for (size_t i = 0; i < n; i++) {
        if (has_metadata(load, points[i].item)) /* an empty object is refused */
            put_metadata(&json, load, points[i].item);
        else
            json_put_null(&json);
    }
    json_close_array(&json);
    json_close_object(&json);
}

static int on_load(void *state, const struct vector_load *load, const struct vector_point *points, size_t n,
                   struct err_info *reterr)
{
    const struct chroma *chroma = state;
    struct vector_known known = {.n_dims = 0};
    struct json *root = NULL;
    struct buf target, body;
    long status;
    int res = find_collection(chroma, load, &known, &status, reterr);

    if (res < 0)
        return res;
    buf_init(&target, 2 * MAX_PREFIX);
    buf_init(&body, VECTOR_LOAD_MAX_BYTES);
    buf_printf(&target, "%s/%s/upsert", chroma->collections, known.id);
    write_points(&body, load, points, n);
    const struct http_request request = {
        .target = buf_str(&target), .body = buf_str(&body), .max_answer_bytes = ASK_MAX_ANSWER_BYTES};
    res = buf_error(&body)
              ? err_set(reterr, buf_error(&body), "a batch is too large to send")
              : ask_wait(chroma->server.http, &request, load->deadline_us, &status, &root, reterr);
    json_free(root);
    buf_done(&body);
    buf_done(&target);
    return res;
}

static const struct vector_load_ops load_ops = {on_load_prepare, on_load};

const struct source_ops source_chroma = {
    .kind = "vector",
    .schemes = schemes,
    .settings = vector_settings,
    .wants_query_vector = true,
    .item = VECTOR_ITEM,
    .on_open = on_open,
    .on_close = on_close,
    .on_start = vector_on_start,
    .on_check = on_check,
    .on_stats = vector_on_stats,
    .load = &load_ops,
};
