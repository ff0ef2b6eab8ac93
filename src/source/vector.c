/* SPDX-License-Identifier: Apache-2.0
 *
 * What is the same of all vector databases. A filter is part of the server's search, never laid over its
 * results, and a filter whose value is missing fails the section: without it others' entries would be found.
 */
#include "source/vector_priv.h"

#include "core/reach.h"

#include <math.h>
#include <stdio.h>

#define MAX_DIMS_DIGITS  16 /* bytes of one number of a vector */
#define MAX_NAMES_LISTED 20

enum { SET_COLLECTION, SET_QUERY, SET_WHERE, SET_TEXT, SET_VECTOR };

const struct source_setting vector_settings[] = {
    [SET_COLLECTION] = {"collection", SETTING_TEXT, true, NULL, 0, 0, "the collection to search"},
    [SET_QUERY] = {"query", SETTING_TEXT, false, "{query}", 0, 0,
                   "what to look for; empty: nothing is found"},
    [SET_WHERE] = {"where", SETTING_MAP, false, NULL, 0, 0,
                   "only entries whose fields have exactly these values: { user_id: \"{user_id}\" }"},
    [SET_TEXT] = {"text", SETTING_TEXT, false, "content", 0, 0,
                  "the field that holds the text; in Chroma the document goes before it"},
    [SET_VECTOR] = {"vector", SETTING_TEXT, false, NULL, 0, 0,
                    "which of a Qdrant collection's named vectors; needed where it has several"},
    {NULL},
};

double vector_nearness(enum vector_distance distance, double value)
{
    switch (distance) {
    case DISTANCE_COSINE:
        return value < 0 ? 0 : value > 1 ? 1 : value;
    case DISTANCE_DOT:
        return 1 / (1 + exp(-value));
    case DISTANCE_EUCLID:
    case DISTANCE_MANHATTAN:
        break;
    }
    return 1 / (1 + (value > 0 ? value : 0));
}

/* ---- the question ---- */

static void free_where(void *where)
{
    json_free(where);
}

static int read_where(const struct value *setting, struct arena *arena, struct json **ret_where,
                      struct err_info *reterr)
{
    const struct json *value;
    struct json *where = NULL;
    struct str name;
    size_t pos = 0;

    if (setting->type != VALUE_JSON)
        return 0;
    int res = json_parse(setting->text, 2, &where, reterr);
    if (res == 0 && arena_hold(arena, where, free_where) < 0)
        return err_set(reterr, ERR_NOMEM, "not enough memory to ask");
    while (res == 0 && json_next_member(where, &pos, &name, &value)) {
        if (str_is_empty(str_trim(json_text_of(value))))
            res = err_set(reterr, ERR_INVALID,
                          "'%.*s' of 'where' has an empty value; nothing is asked without that filter",
                          STR_ARG(str_slice(name, 0, 80)));
    }
    *ret_where = where;
    return res;
}

static bool is_zero(const float *vector, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (vector[i] != 0)
            return false;
    }
    return true;
}

/* The request's own query was embedded for the whole build. */
static int make_vector(const struct source_env *env, const struct source_request *request, struct str query,
                       struct arena *arena, struct vector_question *question, struct err_info *reterr)
{
    size_t n = embedder_dims(env->embedder);
    float *vector = arena_calloc(arena, n, sizeof *vector);

    if (!vector)
        return err_set(reterr, ERR_NOMEM, "not enough memory to ask");
    question->vector = vector;
    question->n_dims = n;
    if (!request->query_vector || !str_eq(query, str_trim(request->query)))
        return embed_text(env->embedder, query, vector, reterr);
    memcpy(vector, request->query_vector, n * sizeof *vector);
    return 0;
}

int vector_read_question(const struct source_env *env, const struct source_request *request,
                         struct arena *arena, struct vector_question *ret_question, const char **ret_why,
                         struct err_info *reterr)
{
    const struct value *values = request->settings;
    struct vector_question question = {
        .collection = arena_copy(arena, str_trim(setting_text(&values[SET_COLLECTION]))),
        .text_field = arena_copy(arena, setting_text(&values[SET_TEXT])),
        .vector_name = arena_copy(arena, setting_text(&values[SET_VECTOR])),
    };
    struct str query = str_trim(setting_text(&values[SET_QUERY]));

    *ret_why = "";
    if (!env->embedder)
        return err_set(reterr, ERR_UNSUPPORTED, "there is no embedding model to search by meaning with");
    if (str_is_empty(question.collection) || str_is(question.collection, ".") ||
        str_is(question.collection, ".."))
        return err_set(reterr, ERR_INVALID, "'collection' is empty or no name");
    int res = read_where(&values[SET_WHERE], arena, &question.where, reterr);
    if (res == 0 && !str_is_empty(query))
        res = make_vector(env, request, query, arena, &question, reterr);
    if (res < 0)
        return res;
    *ret_question = question;
    if (str_is_empty(query))
        return 1;
    if (!is_zero(question.vector, question.n_dims))
        return 0;
    *ret_why = "the model knows no word of the query";
    return 1;
}

bool vector_value_is_typed(struct str text, struct value *ret_value)
{
    char digits[24];
    int64_t number;

    if (str_is(text, "true") || str_is(text, "false")) {
        *ret_value = value_bool(str_is(text, "true"));
        return true;
    }
    if (str_to_int(text, &number) < 0)
        return false;
    /* As the number would be written: 007 and +7 are no numbers but names. */
    (void)snprintf(digits, sizeof digits, "%lld", (long long)number);
    *ret_value = value_int(number);
    return str_is(text, digits);
}

void vector_put_value(struct json_writer *json, struct value value)
{
    if (value.type == VALUE_TEXT)
        json_put_text(json, value.text);
    else if (value.type == VALUE_INT)
        json_put_int(json, value.integer);
    else
        json_put_bool(json, value.boolean);
}

void vector_put(struct json_writer *json, const float *vector, size_t n_dims)
{
    struct buf buf;

    buf_init(&buf, (EMBED_MAX_DIMS + 1) * MAX_DIMS_DIGITS);
    for (size_t i = 0; i < n_dims; i++) {
        buf_append_byte(&buf, i == 0 ? '[' : ',');
        buf_append_fixed(&buf, (double)vector[i], 9); /* of length 1: as exact as its floats */
    }
    buf_append_byte(&buf, ']');
    if (buf_error(&buf) && !json->buf->err)
        json->buf->err = buf_error(&buf);
    json_put_raw(json, buf_str(&buf));
    buf_done(&buf);
}

/* ---- what may be wrong with a collection ---- */

int vector_check_dims(struct str collection, size_t n_collection, size_t n_model, struct err_info *reterr)
{
    if (n_collection == 0 || n_collection == n_model)
        return 0;
    return err_set(
        reterr, ERR_REMOTE,
        "collection '%.*s' holds vectors of %zu dimensions and the configured model makes %zu: set "
        "embedding.model to the model it was filled with, or fill a new one with `precis vector load "
        "--create`",
        STR_ARG(str_slice(collection, 0, 80)), n_collection, n_model);
}

int vector_no_collection(struct str collection, const struct json *names, struct err_info *reterr)
{
    struct buf list;
    size_t n = json_count(names);

    buf_init(&list, ERR_MESSAGE_SIZE);
    for (size_t i = 0; i < n && i < MAX_NAMES_LISTED; i++)
        buf_printf(&list, "%s%.*s", i == 0 ? "; there are: " : ", ",
                   STR_ARG(json_text_of(json_member(json_at(names, i), "name"))));
    if (n > MAX_NAMES_LISTED)
        buf_printf(&list, " and %zu more", n - MAX_NAMES_LISTED);
    int res =
        err_set(reterr, ERR_REMOTE, "there is no collection '%.*s'%s", STR_ARG(str_slice(collection, 0, 80)),
                n == 0      ? "; there are none"
                : list.data ? list.data
                            : "");
    buf_done(&list);
    return res;
}

/* ---- rows ---- */

static struct str text_of(struct value value, struct arena *arena)
{
    struct buf buf;

    if (value.type == VALUE_TEXT)
        return value.text;
    buf_init(&buf, ASK_MAX_ANSWER_BYTES);
    value_print(value, &buf);
    return buf_into_arena(&buf, arena);
}

static void fill_hit(struct source_result *result, size_t idx, const struct vector_hit *hit,
                     struct str text_field, struct value *values)
{
    struct arena *arena = &result->arena;
    struct source_row *row = &result->rows[idx];
    const struct json *text = hit->document ? hit->document : json_reach(hit->payload, text_field);

    if (values[0].type == VALUE_NULL)
        values[0] = value_of_json(hit->id, VECTOR_MAX_NAME, arena);
    if (values[1].type == VALUE_NULL || hit->document)
        values[1] = value_of_json(text, ASK_MAX_ANSWER_BYTES, arena);
    row->id = text_of(values[0], arena);
    row->score = hit->score;
    values[2] = value_real(hit->score);
}

/* As far as can be told: a list is not looked into. */
static bool is_let_in(const struct json *payload, const struct json *where)
{
    const struct json *text;
    struct str field;
    size_t pos = 0;

    while (json_next_member(where, &pos, &field, &text)) {
        const struct json *stored = json_reach(payload, field);
        enum json_kind kind = json_kind_of(stored);
        struct value typed = value_null();

        (void)vector_value_is_typed(json_text_of(text), &typed);
        if ((kind == JSON_KIND_TEXT && !str_eq(json_text_of(stored), json_text_of(text))) ||
            (kind == JSON_KIND_INT && (typed.type != VALUE_INT || typed.integer != json_int_of(stored))) ||
            (kind == JSON_KIND_BOOL && (typed.type != VALUE_BOOL || typed.boolean != json_bool_of(stored))))
            return false;
    }
    return true;
}

int vector_make_rows(struct source_result *result, const struct vector_hit *hits, size_t n,
                     struct str text_field, const struct json *where, struct err_info *reterr)
{
    static const char *const columns[] = {"id", "content", "score"};
    const struct json **payloads = arena_calloc(&result->arena, n + 1, sizeof(*payloads));
    struct value *values;

    if (!payloads)
        return result_error(result, reterr);
    for (size_t i = 0; i < n; i++) {
        payloads[i] = hits[i].payload;
        if (!is_let_in(hits[i].payload, where))
            return err_set(reterr, ERR_REMOTE,
                           "the answer has entries that 'where' leaves out: it is that of another question");
    }
    int res = rows_of_objects(result, columns, 3, payloads, n, &values, reterr);
    for (size_t i = 0; i < n && res == 0; i++)
        fill_hit(result, i, &hits[i], text_field, values + i * result->n_columns);
    return res == 0 && arena_error(&result->arena) ? result_error(result, reterr) : res;
}

/* ---- what is known ---- */

void vector_book_init(struct vector_book *book)
{
    pthread_mutex_init(&book->mutex, NULL);
}

void vector_book_done(struct vector_book *book)
{
    pthread_mutex_destroy(&book->mutex);
}

bool vector_book_find(struct vector_book *book, struct str name, struct str vector_name, int64_t now_us,
                      struct vector_known *ret_known)
{
    bool is_known = false;

    pthread_mutex_lock(&book->mutex);
    for (size_t i = 0; i < VECTOR_MAX_KNOWN && !is_known; i++) {
        const struct vector_known *known = &book->known[i];

        is_known = *known->name && str_is(name, known->name) && str_is(vector_name, known->vector_name) &&
                   now_us - known->known_us < VECTOR_KNOWN_US;
        if (is_known)
            *ret_known = *known;
    }
    pthread_mutex_unlock(&book->mutex);
    return is_known;
}

void vector_book_put(struct vector_book *book, const struct vector_known *known)
{
    struct vector_known *place = NULL;

    if (!*known->name)
        return;
    pthread_mutex_lock(&book->mutex);
    for (size_t i = 0; i < VECTOR_MAX_KNOWN; i++) {
        struct vector_known *other = &book->known[i];

        if (strcmp(other->name, known->name) == 0 && strcmp(other->vector_name, known->vector_name) == 0) {
            place = other;
            break;
        }
        if (!place && !*other->name)
            place = other;
    }
    if (!place)
        place = &book->known[book->next++ % VECTOR_MAX_KNOWN];
    *place = *known;
    pthread_mutex_unlock(&book->mutex);
}

void vector_book_forget(struct vector_book *book, struct str name)
{
    pthread_mutex_lock(&book->mutex);
    for (size_t i = 0; i < VECTOR_MAX_KNOWN; i++)
        if (str_is(name, book->known[i].name))
            book->known[i].name[0] = '\0';
    pthread_mutex_unlock(&book->mutex);
}
