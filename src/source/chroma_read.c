/* SPDX-License-Identifier: Apache-2.0
 *
 * Chroma's answers: lists of lists, one for each question, beside each other.
 */
#include "source/vector_priv.h"

#include "core/mem.h"

#include <math.h>

int chroma_read_collection(const struct json *root, struct str vector_name, struct vector_known *ret_known,
                           struct err_info *reterr)
{
    (void)vector_name;
    static const struct {
        const char *name;
        enum vector_distance distance;
    } spaces[] = {{"cosine", DISTANCE_COSINE}, {"ip", DISTANCE_DOT}, {"l2", DISTANCE_EUCLID}};
    const struct json *config = json_member(root, "configuration_json");
    const struct json *hnsw = json_member(config, "hnsw");
    const struct json *index = json_kind_of(hnsw) == JSON_KIND_OBJECT ? hnsw : json_member(config, "spann");
    struct str id = json_text_of(json_member(root, "id")), space = json_text_of(json_member(index, "space"));
    int64_t n_dims = json_int_of(json_member(root, "dimension"));
    struct vector_known known = {.n_dims = n_dims > 0 && n_dims < 1 << 20 ? (size_t)n_dims : 0};
    size_t i = 0;

    if (str_is_empty(space))
        space = STR_LIT("l2"); /* its own default */
    while (i < 3 && !str_is(space, spaces[i].name))
        i++;
    if (i == 3 || id.len == 0 || id.len >= VECTOR_MAX_ID)
        return err_set(reterr, ERR_REMOTE, "the server describes the collection in an unknown way");
    known.distance = spaces[i].distance;
    memcpy(known.id, id.ptr, id.len);
    *ret_known = known;
    return 0;
}

/* Its distances: 1 - cosine, 1 - dot product, the square of the euclidean one. */
static double score_of(enum vector_distance distance, double value)
{
    if (distance == DISTANCE_EUCLID)
        return vector_nearness(distance, sqrt(value > 0 ? value : 0));
    return vector_nearness(distance, 1 - value);
}

int chroma_read_answer(const struct json *root, enum vector_distance distance, struct str text_field,
                       const struct json *where, size_t max_rows, struct source_result *result,
                       struct err_info *reterr)
{
    const struct json *ids = json_at(json_member(root, "ids"), 0);
    const struct json *distances = json_at(json_member(root, "distances"), 0);
    const struct json *documents = json_at(json_member(root, "documents"), 0);
    const struct json *metadatas = json_at(json_member(root, "metadatas"), 0);
    size_t n_all = json_count(ids), n = 0;

    if (json_kind_of(ids) != JSON_KIND_ARRAY || json_kind_of(distances) != JSON_KIND_ARRAY)
        return err_set(reterr, ERR_REMOTE,
                       "the answer has no ids and distances: does this server speak Chroma's API v2?");
    struct vector_hit *hits = mem_calloc(max_rows + 1, sizeof *hits);
    if (!hits)
        return err_set(reterr, ERR_NOMEM, "not enough memory for the answer");
    for (size_t i = 0; i < n_all && n < max_rows; i++) {
        const struct json *value = json_at(distances, i), *document = json_at(documents, i);
        bool is_number = json_kind_of(value) == JSON_KIND_REAL || json_kind_of(value) == JSON_KIND_INT;

        if (!is_number || !isfinite(json_real_of(value))) {
            result->n_malformed++;
            continue;
        }
        hits[n++] =
            (struct vector_hit){.payload = json_at(metadatas, i),
                                .id = json_at(ids, i),
                                .document = json_kind_of(document) == JSON_KIND_TEXT ? document : NULL,
                                .score = score_of(distance, json_real_of(value))};
    }
    result->is_truncated = n_all > max_rows;
    int res = vector_make_rows(result, hits, n, text_field, where, reterr);
    mem_free(hits);
    return res;
}
