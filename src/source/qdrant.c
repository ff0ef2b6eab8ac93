/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `vector` on Qdrant, over its REST interface. A search takes one request once the collection is known:
 *
 *     looking up -> asking      the collection has the model's dimensions
 *                -> listing     there is no such collection: its name is told with those that are there
 *     asking     -> done
 *                -> looking up  the collection was not as remembered
 */
#include "source/vector_load.h"
#include "source/vector_priv.h"

#include "core/mem.h"
#include "core/uuid.h"
#include "net/http_url.h"

static const char *const schemes[] = {"qdrant+http", "qdrant+https", NULL};

struct qdrant {
    struct http_server *server;
    struct vector_book book;
};

/* ---- connections ---- */

static void on_close(void *state)
{
    struct qdrant *qdrant = state;

    http_server_free(qdrant->server);
    vector_book_done(&qdrant->book);
    mem_free(qdrant);
}

static int on_open(const struct source_env *env, const struct source_options *options, void **ret_state,
                   struct err_info *reterr)
{
    struct qdrant *qdrant = mem_calloc(1, sizeof *qdrant);
    struct str params = STR_LIT(""), name, value;

    if (!qdrant)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    vector_book_init(&qdrant->book);
    int res = ask_open_server(env, options, sizeof "qdrant+" - 1, "api-key:", false, &params, &qdrant->server,
                              reterr);
    if (res == 0 && ask_next_param(&params, &name, &value))
        res =
            err_set_field(reterr, ERR_INVALID, "url", "after the ? of a Qdrant URL may stand ca=FILE alone");
    if (res < 0)
        on_close(qdrant);
    else
        *ret_state = qdrant;
    return res;
}

static void on_stats(void *state, struct pool_stats *ret_stats)
{
    *ret_stats = http_server_stats(((struct qdrant *)state)->server);
}

static int on_check(const struct source_env *env, void *state, int64_t deadline_us, struct buf *ret,
                    struct err_info *reterr)
{
    struct qdrant *qdrant = state;
    struct http_request request = {.target = STR_LIT("/"), .max_answer_bytes = ASK_MAX_ANSWER_BYTES};
    struct json *root = NULL, *list = NULL;
    long status;
    int64_t started_us = clock_mono_us(env->clock);
    int res = ask_wait(qdrant->server, &request, deadline_us, &status, &root, reterr);
    int64_t took_us = clock_mono_us(env->clock) - started_us;

    request.target = STR_LIT("/collections");
    if (res == 0)
        res = ask_wait(qdrant->server, &request, deadline_us, &status, &list, reterr);
    if (res == 0)
        buf_printf(ret, "Qdrant %.*s, %zu collections, answers in %.1f ms",
                   STR_ARG(json_text_of(json_member(root, "version"))),
                   json_count(json_member(json_member(list, "result"), "collections")),
                   (double)took_us / 1e3);
    json_free(list);
    json_free(root);
    return res;
}

/* ---- asking ---- */

static int look_up(struct vector_ask *own, struct err_info *reterr);

static void put_match(struct json_writer *json, struct str field, struct value value)
{
    json_open_object(json);
    json_put_member_text(json, "key", field);
    json_put_name(json, "match");
    json_open_object(json);
    json_put_name(json, "value");
    if (value.type == VALUE_TEXT)
        json_put_text(json, value.text);
    else if (value.type == VALUE_INT)
        json_put_int(json, value.integer);
    else
        json_put_bool(json, value.boolean);
    json_close_object(json);
    json_close_object(json);
}

/* Each field must be that text, or the number or truth that is written so. */
static void put_filter(struct json_writer *json, const struct json *where)
{
    const struct json *text;
    struct value typed;
    struct str field;
    size_t pos = 0;

    json_put_name(json, "filter");
    json_open_object(json);
    json_put_name(json, "must");
    json_open_array(json);
    while (json_next_member(where, &pos, &field, &text)) {
        if (!vector_value_is_typed(json_text_of(text), &typed)) {
            put_match(json, field, value_text(json_text_of(text)));
            continue;
        }
        json_open_object(json);
        json_put_name(json, "should");
        json_open_array(json);
        put_match(json, field, value_text(json_text_of(text)));
        put_match(json, field, typed);
        json_close_array(json);
        json_close_object(json);
    }
    json_close_array(json);
    json_close_object(json);
}

static void write_query(struct vector_ask *own)
{
    const struct vector_question *question = &own->question;
    struct json_writer json;

    buf_clear(&own->ask.body);
    json_writer_init(&json, &own->ask.body);
    json_open_object(&json);
    json_put_name(&json, "query");
    vector_put(&json, question->vector, question->n_dims);
    if (*own->known.id)
        json_put_member_text(&json, "using", str_of(own->known.id));
    if (json_count(question->where) > 0)
        put_filter(&json, question->where);
    json_put_member_int(&json, "limit", (int64_t)own->ask.max_rows);
    json_put_member_bool(&json, "with_payload", true);
    json_close_object(&json);
}

static void write_target(struct vector_ask *own, const char *rest)
{
    buf_clear(&own->ask.target);
    buf_append_text(&own->ask.target, "/collections/");
    http_url_append(&own->ask.target, own->question.collection);
    buf_append_text(&own->ask.target, rest);
}

static int on_points(struct ask *ask, struct err_info *reterr)
{
    struct vector_ask *own = (struct vector_ask *)ask;
    struct qdrant *qdrant = own->state;
    struct json *root = NULL;

    if (ask->http.status == 404 || ask->http.status == 400) {
        vector_book_forget(&qdrant->book, own->question.collection);
        if (!own->is_fresh)
            return look_up(own, reterr);
    }
    if (ask->http.status != 200)
        return ask_refuse(&ask->http, reterr);
    int res = ask_parse(&ask->http, &root, reterr);
    if (res == 0)
        res = qdrant_read_points(root, own->known.distance, own->question.text_field, own->question.where,
                                 ask->max_rows, ask->result, reterr);
    json_free(root);
    return res < 0 ? res : 1;
}

static int ask_points(struct vector_ask *own, struct err_info *reterr)
{
    int res = vector_check_dims(own->question.collection, own->known.n_dims, own->question.n_dims, reterr);

    if (res < 0)
        return res;
    write_target(own, "/points/query");
    write_query(own);
    return ask_next(&own->ask, "POST", on_points, reterr);
}

static int on_list(struct ask *ask, struct err_info *reterr)
{
    struct json *root = NULL;

    if (ask->http.status != 200)
        return ask_refuse(&ask->http, reterr);
    int res = ask_parse(&ask->http, &root, reterr);
    if (res == 0)
        res = vector_no_collection(((struct vector_ask *)ask)->question.collection,
                                   json_member(json_member(root, "result"), "collections"), reterr);
    json_free(root);
    return res;
}

/* What comes of a look-up is kept under the names it was asked by. */
static void remember(struct vector_ask *own)
{
    struct qdrant *qdrant = own->state;
    struct str name = own->question.collection, vector_name = own->question.vector_name;

    own->is_fresh = true;
    own->known.known_us = own->now_us;
    if (name.len >= VECTOR_MAX_NAME || vector_name.len >= VECTOR_MAX_NAME)
        return;
    memcpy(own->known.name, name.ptr, name.len);
    memcpy(own->known.vector_name, vector_name.ptr ? vector_name.ptr : "", vector_name.len);
    vector_book_put(&qdrant->book, &own->known);
}

static int on_collection(struct ask *ask, struct err_info *reterr)
{
    struct vector_ask *own = (struct vector_ask *)ask;
    struct json *root = NULL;

    if (ask->http.status == 404) {
        buf_clear(&ask->target);
        buf_append_text(&ask->target, "/collections");
        return ask_next(ask, "GET", on_list, reterr);
    }
    if (ask->http.status != 200)
        return ask_refuse(&ask->http, reterr);
    int res = ask_parse(&ask->http, &root, reterr);
    if (res == 0)
        res = qdrant_read_collection(root, own->question.vector_name, &own->known, reterr);
    json_free(root);
    if (res < 0)
        return res;
    remember(own);
    return ask_points(own, reterr);
}

static int look_up(struct vector_ask *own, struct err_info *reterr)
{
    write_target(own, "");
    buf_clear(&own->ask.body);
    return ask_next(&own->ask, "GET", on_collection, reterr);
}

static int on_start(const struct source_env *env, void *state, const struct source_request *request,
                    struct net_loop *loop, struct source_fetch *fetch, struct err_info *reterr)
{
    struct qdrant *qdrant = state;
    struct vector_ask *own = NULL;
    int res = vector_ask_new(env, fetch, loop, qdrant->server, qdrant, request, &own, reterr);

    if (res != 0)
        return res;
    bool is_known = vector_book_find(&qdrant->book, own->question.collection, own->question.vector_name,
                                     own->now_us, &own->known);
    /* Known but wrong: look again rather than believe an old memory. */
    is_known = is_known && own->known.n_dims == own->question.n_dims;
    res = is_known ? ask_points(own, reterr) : look_up(own, reterr);
    if (res < 0)
        ask_drop(fetch);
    return res;
}

/* ---- filling ---- */

static int on_load_prepare(void *state, const struct vector_load *load, struct err_info *reterr)
{
    struct qdrant *qdrant = state;
    struct vector_known known;
    struct json *root = NULL;
    struct json_writer json;
    struct buf target, body;
    long status = 0;

    buf_init(&target, 4096);
    buf_init(&body, 4096);
    buf_append_text(&target, "/collections/");
    http_url_append(&target, load->collection);
    json_writer_init(&json, &body);
    json_open_object(&json);
    json_put_name(&json, "vectors");
    json_open_object(&json);
    json_put_member_int(&json, "size", (int64_t)load->n_dims);
    json_put_member_text(&json, "distance", STR_LIT("Cosine"));
    json_close_object(&json);
    json_close_object(&json);
    struct http_request request = {.target = buf_str(&target), .max_answer_bytes = ASK_MAX_ANSWER_BYTES};
    int res = ask_wait(qdrant->server, &request, load->deadline_us, &status, &root, reterr);
    if (res == 0)
        res = qdrant_read_collection(root, STR_LIT(""), &known, reterr);
    if (res == 0)
        res = vector_check_dims(load->collection, known.n_dims, load->n_dims, reterr);
    if (status == 404 && load->may_create) {
        request.method = "PUT";
        request.body = buf_str(&body);
        res = ask_wait(qdrant->server, &request, load->deadline_us, &status, &root, reterr);
    } else if (status == 404) {
        res = err_set(reterr, ERR_NOT_FOUND, "there is no collection '%.*s'; --create makes it",
                      STR_ARG(load->collection));
    }
    json_free(root);
    buf_done(&body);
    buf_done(&target);
    return res;
}

static void put_point(struct json_writer *json, const struct vector_load *load,
                      const struct vector_point *point)
{
    const struct json *value;
    struct str name;
    char uuid[UUID_TEXT_SIZE];
    size_t pos = 0;

    uuid_v5(uuid_items, point->id, uuid);
    json_open_object(json);
    json_put_member_text(json, "id", str_of(uuid));
    json_put_name(json, "vector");
    vector_put(json, point->vector, load->n_dims);
    json_put_name(json, "payload");
    json_open_object(json);
    json_put_member_text(json, "id", point->id);
    while (json_next_member(point->item, &pos, &name, &value)) {
        struct buf text;

        if (str_is(name, "id"))
            continue;
        buf_init(&text, ASK_MAX_ANSWER_BYTES);
        json_print(value, &text);
        json_put_name_str(json, name);
        json_put_raw(json, buf_str(&text));
        buf_done(&text);
    }
    json_close_object(json);
    json_close_object(json);
}

static int on_load(void *state, const struct vector_load *load, const struct vector_point *points, size_t n,
                   struct err_info *reterr)
{
    struct qdrant *qdrant = state;
    struct json *root = NULL;
    struct json_writer json;
    struct buf target, body;
    long status;

    buf_init(&target, 4096);
    buf_init(&body, VECTOR_LOAD_MAX_BYTES);
    buf_append_text(&target, "/collections/");
    http_url_append(&target, load->collection);
    buf_append_text(&target, "/points?wait=true");
    json_writer_init(&json, &body);
    json_open_object(&json);
    json_put_name(&json, "points");
    json_open_array(&json);
    for (size_t i = 0; i < n; i++)
        put_point(&json, load, &points[i]);
    json_close_array(&json);
    json_close_object(&json);
    const struct http_request request = {.method = "PUT",
                                         .target = buf_str(&target),
                                         .body = buf_str(&body),
                                         .max_answer_bytes = ASK_MAX_ANSWER_BYTES};
    int res = buf_error(&body)
                  ? err_set(reterr, buf_error(&body), "a batch is too large to send")
                  : ask_wait(qdrant->server, &request, load->deadline_us, &status, &root, reterr);
    json_free(root);
    buf_done(&body);
    buf_done(&target);
    return res;
}

static const struct vector_load_ops load_ops = {on_load_prepare, on_load};

const struct source_ops source_qdrant = {
    .kind = "vector",
    .schemes = schemes,
    .settings = vector_settings,
    .wants_query_vector = true,
    .item = VECTOR_ITEM,
    .on_open = on_open,
    .on_close = on_close,
    .on_start = on_start,
    .on_check = on_check,
    .on_stats = on_stats,
    .load = &load_ops,
};
