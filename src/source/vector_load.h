/* SPDX-License-Identifier: Apache-2.0
 *
 * Filling a collection of a vector database, for `precis vector load`. The calls wait.
 */
#ifndef PRECIS_SOURCE_VECTOR_LOAD_H
#define PRECIS_SOURCE_VECTOR_LOAD_H

#include "core/json.h"
#include "source/source.h"

#define VECTOR_LOAD_MAX_BYTES (64 * 1024 * 1024) /* of a batch as it is sent */

/* A field by which searches are filtered. */
struct vector_filter {
    struct str field;
    const char *type; /* "keyword", "integer" or "bool" */
};

#define VECTOR_MAX_FILTERS 16

/* Where to. */
struct vector_load {
    struct str collection;
    size_t n_dims;
    struct str text_field; /* of the items */
    const struct vector_filter *filters;
    size_t n_filters;
    bool may_create;
    int64_t deadline_us; /* monotonic; of the call */
};

struct vector_point {
    struct str id;
    struct str text; /* what was embedded */
    const float *vector;
    const struct json *item; /* the object that it is made of */
};

struct vector_load_ops {
    /* Finds the collection, or makes it, with cosine distance and an index for each filter. ERR_NOT_FOUND, or
     * ERR_REMOTE for other dimensions. */
    int (*on_prepare)(void *state, const struct vector_load *load, struct err_info *reterr);
    /* Adds points, or replaces those of the same ids. */
    int (*on_load)(void *state, const struct vector_load *load, const struct vector_point *points, size_t n,
                   struct err_info *reterr);
};

/* ERR_UNSUPPORTED where the source's kind cannot be filled. */
int vector_load_prepare(struct source *source, const struct vector_load *load, struct err_info *reterr);
int vector_load_points(struct source *source, const struct vector_load *load,
                       const struct vector_point *points, size_t n, struct err_info *reterr);

#endif
