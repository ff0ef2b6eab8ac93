/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `vector` on a server: the life of a question, the same for all of them. A search takes one request
 * once the collection is known:
 *
 *     looking up -> asking      the collection has the model's dimensions
 *                -> listing     there is no such collection: its name is told with those that are there
 *     asking     -> done
 *                -> looking up  the collection was not as remembered
 */
#include "source/vector_priv.h"

void vector_server_init(struct vector_server *server, const struct vector_dialect *dialect)
{
    server->dialect = dialect;
    vector_book_init(&server->book);
}

void vector_server_done(struct vector_server *server)
{
    http_server_free(server->http);
    vector_book_done(&server->book);
}

void vector_on_stats(void *state, struct pool_stats *ret_stats)
{
    *ret_stats = http_server_stats(((struct vector_server *)state)->http);
}

static int look_up(struct vector_ask *own, struct err_info *reterr);

static int on_hits(struct ask *ask, struct err_info *reterr)
{
    struct vector_ask *own = (struct vector_ask *)ask;
    struct json *root = NULL;

    if (ask->http.status == 404 || ask->http.status == 400) {
        vector_book_forget(&own->server->book, own->question.collection);
        if (!own->is_fresh)
            return look_up(own, reterr);
    }
    if (ask->http.status != 200)
        return ask_refuse(&ask->http, reterr);
    int res = ask_parse(&ask->http, &root, reterr);
    if (res == 0)
        res = own->server->dialect->read_hits(root, own, reterr);
    json_free(root);
    return res < 0 ? res : 1;
}

static int ask_hits(struct vector_ask *own, struct err_info *reterr)
{
    int res = vector_check_dims(own->question.collection, own->known.n_dims, own->question.n_dims, reterr);

    if (res < 0)
        return res;
    buf_clear(&own->ask.target);
    buf_clear(&own->ask.body);
    own->server->dialect->write_query(own);
    return ask_next(&own->ask, "POST", on_hits, reterr);
}

static int on_list(struct ask *ask, struct err_info *reterr)
{
    struct vector_ask *own = (struct vector_ask *)ask;
    struct json *root = NULL;

    if (ask->http.status != 200)
        return ask_refuse(&ask->http, reterr);
    int res = ask_parse(&ask->http, &root, reterr);
    if (res == 0)
        res = vector_no_collection(own->question.collection, own->server->dialect->names(root), reterr);
    json_free(root);
    return res;
}

/* What comes of a look-up is kept under the names it was asked by; a collection that has no vector yet may
 * get ones of any dimension, and is looked up every time. */
static void remember(struct vector_ask *own)
{
    struct str name = own->question.collection, vector_name = own->question.vector_name;

    own->is_fresh = true;
    own->known.known_us = own->now_us;
    if (name.len >= VECTOR_MAX_NAME || vector_name.len >= VECTOR_MAX_NAME || own->known.n_dims == 0)
        return;
    memcpy(own->known.name, name.ptr, name.len);
    memcpy(own->known.vector_name, vector_name.ptr ? vector_name.ptr : "", vector_name.len);
    vector_book_put(&own->server->book, &own->known);
}

static int on_collection(struct ask *ask, struct err_info *reterr)
{
    struct vector_ask *own = (struct vector_ask *)ask;
    struct json *root = NULL;

    if (ask->http.status == 404) {
        buf_clear(&ask->target);
        own->server->dialect->write_list(own);
        return ask_next(ask, "GET", on_list, reterr);
    }
    if (ask->http.status != 200)
        return ask_refuse(&ask->http, reterr);
    int res = ask_parse(&ask->http, &root, reterr);
    if (res == 0)
        res = own->server->dialect->read_collection(root, own->question.vector_name, &own->known, reterr);
    json_free(root);
    if (res < 0)
        return res;
    remember(own);
    return ask_hits(own, reterr);
}

static int look_up(struct vector_ask *own, struct err_info *reterr)
{
    buf_clear(&own->ask.target);
    buf_clear(&own->ask.body);
    own->server->dialect->write_lookup(own);
    return ask_next(&own->ask, "GET", on_collection, reterr);
}

/* 1 when there is nothing to ask: ask->result is whole. */
static int read_question(const struct source_env *env, const struct source_request *request,
                         struct vector_ask *own, struct err_info *reterr)
{
    const char *why = "";
    int res = vector_read_question(env, request, &own->ask.arena, &own->question, &why, reterr);

    if (res < 0 || (res == 0 && request->max_rows > 0))
        return res;
    if (vector_make_rows(own->ask.result, NULL, 0, STR_LIT(""), NULL, reterr) < 0)
        return reterr->code;
    own->ask.result->degraded = str_of(why);
    return 1;
}

/* Asks where the collection is remembered as the model has it; a memory that would be wrong is not believed.
 */
static int begin(struct vector_ask *own, struct err_info *reterr)
{
    const struct vector_question *question = &own->question;
    bool is_known = vector_book_find(&own->server->book, question->collection, question->vector_name,
                                     own->now_us, &own->known) &&
                    own->known.n_dims == question->n_dims;

    return is_known ? ask_hits(own, reterr) : look_up(own, reterr);
}

int vector_on_start(const struct source_env *env, void *state, const struct source_request *request,
                    struct net_loop *loop, struct source_fetch *fetch, struct err_info *reterr)
{
    struct vector_server *server = state;
    struct ask *ask = NULL;
    int res = ask_new(fetch, loop, server->http, sizeof(struct vector_ask), request, &ask, reterr);

    if (res < 0)
        return res;
    struct vector_ask *own = (struct vector_ask *)ask;
    own->server = server;
    own->now_us = clock_mono_us(env->clock);
    res = read_question(env, request, own, reterr);
    if (res == 1)
        return ask_finish_now(fetch);
    if (res == 0)
        res = begin(own, reterr);
    if (res < 0)
        ask_drop(fetch);
    return res;
}
