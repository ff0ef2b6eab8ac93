/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `vector`: what Qdrant and Chroma share. One table of settings, so that a recipe may name either; the
 * question with its embedding and its filter; scores from 0 to 1; what is known of collections.
 */
#ifndef PRECIS_SOURCE_VECTOR_PRIV_H
#define PRECIS_SOURCE_VECTOR_PRIV_H

#include "source/ask_priv.h"

#include <pthread.h>

extern const struct source_setting vector_settings[];
#define VECTOR_ITEM "- {content}"

/* How a server compares vectors. What it calls a score is for the last two a distance: less is nearer. */
enum vector_distance { DISTANCE_COSINE, DISTANCE_DOT, DISTANCE_EUCLID, DISTANCE_MANHATTAN };

/* Nearness 0..1, in the order of the server's own: cosine: the similarity, 0 for opposites; dot product x:
 * 1 / (1 + e^-x); distance d: 1 / (1 + d). */
double vector_nearness(enum vector_distance distance, double value);

/* ---- the question ---- */

struct vector_question {
    struct str collection, text_field, vector_name;
    struct json *where; /* an object of texts, none of them empty; NULL: everything. The arena's, as all is */
    float *vector;
    size_t n_dims;
};

/* Reads the settings and makes the vector. 1 when nothing is asked, or nothing that the model knows; *ret_why
 * then says so, for the result's `degraded`, or is "". */
int vector_read_question(const struct source_env *env, const struct source_request *request,
                         struct arena *arena, struct vector_question *ret_question, const char **ret_why,
                         struct err_info *reterr);
/* A value of the filter as the number or truth that a stored one may be instead of the same text. */
bool vector_value_is_typed(struct str text, struct value *ret_value);
/* A value of the filter: a text, or what vector_value_is_typed gave. */
void vector_put_value(struct json_writer *json, struct value value);
/* The vector as a JSON array. */
void vector_put(struct json_writer *json, const float *vector, size_t n_dims);

/* ERR_REMOTE unless the collection takes vectors of the model; 0 dimensions: not known. */
int vector_check_dims(struct str collection, size_t n_collection, size_t n_model, struct err_info *reterr);
/* "there is no collection 'x'; there are: a, b"; names: an array whose elements are objects with a `name`. */
int vector_no_collection(struct str collection, const struct json *names, struct err_info *reterr);

/* A point as its server gave it. */
struct vector_hit {
    const struct json *payload;       /* NULL: none */
    const struct json *id, *document; /* document NULL: the payload's text field */
    double score;                     /* by vector_nearness */
};
/* Hits as rows: id, content, score and every field of the payloads. ERR_REMOTE when one of them is seen to be
 * none that `where` lets in: HTTP does not say which answer is whose, and this one is another question's. */
int vector_make_rows(struct source_result *result, const struct vector_hit *hits, size_t n,
                     struct str text_field, const struct json *where, struct err_info *reterr);

/* ---- what is known of collections ---- */

#define VECTOR_MAX_KNOWN 64
#define VECTOR_KNOWN_US  (60 * US_PER_SEC) /* how long a collection that was made anew may be mistaken */
#define VECTOR_MAX_NAME  256
#define VECTOR_MAX_ID    64

struct vector_known {
    char name[VECTOR_MAX_NAME]; /* of the collection; "" a free place */
    char vector_name[VECTOR_MAX_NAME];
    char id[VECTOR_MAX_ID]; /* as the server has it, where that is not the name */
    size_t n_dims;
    enum vector_distance distance;
    int64_t known_us;
};

struct vector_book {
    pthread_mutex_t mutex;
    struct vector_known known[VECTOR_MAX_KNOWN];
    size_t next; /* the place that is written when none is free */
};

void vector_book_init(struct vector_book *book);
void vector_book_done(struct vector_book *book);
bool vector_book_find(struct vector_book *book, struct str name, struct str vector_name, int64_t now_us,
                      struct vector_known *ret_known);
/* Names that are too long are not kept. */
void vector_book_put(struct vector_book *book, const struct vector_known *known);
void vector_book_forget(struct vector_book *book, struct str name);

/* ---- a server, and a question that is under way ---- */

struct vector_ask;

/* What tells one kind of server from another. The writers fill ask.target, and ask.body where there is one.
 */
struct vector_dialect {
    void (*write_lookup)(struct vector_ask *ask); /* GET: the question's collection */
    void (*write_list)(struct vector_ask *ask);   /* GET: all collections, for the sentence that names them */
    void (*write_query)(struct vector_ask *ask);  /* POST */
    int (*read_collection)(const struct json *root, struct str vector_name, struct vector_known *ret_known,
                           struct err_info *reterr);
    const struct json *(*names)(
        const struct json *root); /* of write_list's answer, for vector_no_collection */
    int (*read_hits)(const struct json *root, struct vector_ask *ask, struct err_info *reterr);
};

/* What a connection keeps; leads a kind's own state. */
struct vector_server {
    const struct vector_dialect *dialect;
    struct http_server *http;
    struct vector_book book;
};

void vector_server_init(struct vector_server *server, const struct vector_dialect *dialect);
void vector_server_done(struct vector_server *server);

struct vector_ask {
    struct ask ask;
    struct vector_server *server;
    int64_t now_us;
    struct vector_question question;
    struct vector_known known;
    bool is_fresh; /* known was looked up by this question */
};

/* The kinds' on_start and on_stats; state: a vector_server. */
int vector_on_start(const struct source_env *env, void *state, const struct source_request *request,
                    struct net_loop *loop, struct source_fetch *fetch, struct err_info *reterr);
void vector_on_stats(void *state, struct pool_stats *ret_stats);

/* ---- reading answers; apart, so that fuzzers can reach them ---- */

/* GET /collections/NAME. vector_name: the one wanted, "" the only one. */
int qdrant_read_collection(const struct json *root, struct str vector_name, struct vector_known *ret_known,
                           struct err_info *reterr);
/* POST /collections/NAME/points/query */
int qdrant_read_points(const struct json *root, enum vector_distance distance, struct str text_field,
                       const struct json *where, size_t max_rows, struct source_result *result,
                       struct err_info *reterr);
/* GET .../collections/NAME. Its vectors have no names: vector_name is not looked at. */
int chroma_read_collection(const struct json *root, struct str vector_name, struct vector_known *ret_known,
                           struct err_info *reterr);
/* POST .../collections/ID/query */
int chroma_read_answer(const struct json *root, enum vector_distance distance, struct str text_field,
                       const struct json *where, size_t max_rows, struct source_result *result,
                       struct err_info *reterr);

#endif
