/* SPDX-License-Identifier: Apache-2.0
 *
 * Qdrant's answers.
 */
#include "source/vector_priv.h"

#include "core/mem.h"

#include <math.h>

static int no_such_vector(const struct json *vectors, struct str wanted, struct err_info *reterr)
{
    const struct json *vector;
    struct buf names;
    struct str name;
    size_t pos = 0;

    buf_init(&names, ERR_MESSAGE_SIZE / 2);
    while (json_next_member(vectors, &pos, &name, &vector))
        buf_printf(&names, "%s%.*s", names.len ? ", " : "", STR_ARG(name));
    int res = err_set(reterr, ERR_REMOTE,
                      wanted.len ? "the collection has no vector '%.*s'; it has: %s"
                                 : "%.*sthe collection has several vectors; 'vector' must say which: %s",
                      STR_ARG(str_slice(wanted, 0, 80)), names.data ? names.data : "none");
    buf_done(&names);
    return res;
}

/* The description of the vector wanted: collections have one without a name, or several with. */
static int find_vector(const struct json *vectors, struct str wanted, struct str *ret_name,
                       const struct json **ret_vector, struct err_info *reterr)
{
    const struct json *vector;
    struct str name;
    size_t pos = 0;

    *ret_name = str_make(NULL, 0);
    *ret_vector = vectors;
    if (json_kind_of(json_member(vectors, "size")) == JSON_KIND_INT)
        return wanted.len ? no_such_vector(NULL, wanted, reterr) : 0;
    while (json_next_member(vectors, &pos, &name, &vector)) {
        bool is_it = wanted.len ? str_eq(name, wanted) : json_count(vectors) == 1;

        if (!is_it)
            continue;
        *ret_name = name;
        *ret_vector = vector;
        return 0;
    }
    return no_such_vector(vectors, wanted, reterr);
}

int qdrant_read_collection(const struct json *root, struct str vector_name, struct vector_known *ret_known,
                           struct err_info *reterr)
{
    static const char *const names[] = {[DISTANCE_COSINE] = "Cosine",
                                        [DISTANCE_DOT] = "Dot",
                                        [DISTANCE_EUCLID] = "Euclid",
                                        [DISTANCE_MANHATTAN] = "Manhattan"};
    const struct json *config = json_member(json_member(root, "result"), "config"), *vector;
    struct vector_known known = {.n_dims = 0};
    struct str name;
    int res = find_vector(json_member(json_member(config, "params"), "vectors"), vector_name, &name, &vector,
                          reterr);

    if (res < 0)
        return res;
    int64_t n_dims = json_int_of(json_member(vector, "size"));
    struct str distance = json_text_of(json_member(vector, "distance"));
    size_t i = 0;
    while (i < 4 && !str_is(distance, names[i]))
        i++;
    if (i == 4 || n_dims < 1 || n_dims > 1 << 20 || name.len >= VECTOR_MAX_NAME)
        return err_set(reterr, ERR_REMOTE, "the server describes the collection's vectors in an unknown way");
    known.n_dims = (size_t)n_dims;
    known.distance = (enum vector_distance)i;
    memcpy(known.id, name.ptr ? name.ptr : "", name.len < VECTOR_MAX_ID ? name.len : 0);
    if (name.len >= VECTOR_MAX_ID)
        return err_set(reterr, ERR_REMOTE, "the name of the collection's vector is too long");
    *ret_known = known;
    return 0;
}

int qdrant_read_points(const struct json *root, enum vector_distance distance, struct str text_field,
                       const struct json *where, size_t max_rows, struct source_result *result,
                       struct err_info *reterr)
{
    const struct json *points = json_member(json_member(root, "result"), "points");
    struct vector_hit *hits = mem_calloc(max_rows + 1, sizeof *hits);
    size_t n = 0;

    if (!hits)
        return err_set(reterr, ERR_NOMEM, "not enough memory for the answer");
    if (json_kind_of(points) != JSON_KIND_ARRAY) {
        mem_free(hits);
        return err_set(reterr, ERR_REMOTE, "the answer has no result.points: is this Qdrant 1.10 or later?");
    }
    for (size_t i = 0; i < json_count(points) && n < max_rows; i++) {
        const struct json *point = json_at(points, i), *score = json_member(point, "score");
        bool is_number = json_kind_of(score) == JSON_KIND_REAL || json_kind_of(score) == JSON_KIND_INT;

        if (!is_number || !isfinite(json_real_of(score))) {
            result->n_malformed++;
            continue;
        }
        hits[n++] = (struct vector_hit){.payload = json_member(point, "payload"),
                                        .id = json_member(point, "id"),
                                        .score = vector_nearness(distance, json_real_of(score))};
    }
    result->is_truncated = json_count(points) > max_rows;
    int res = vector_make_rows(result, hits, n, text_field, where, reterr);
    mem_free(hits);
    return res;
}
