/* SPDX-License-Identifier: Apache-2.0
 *
 * A request's target taken apart: path segments and query parameters, percent-decoded one by one, so that an
 * encoded slash stays inside its segment. Strict: a malformed escape, U+0000 or bad UTF-8 is an error, never
 * passed on.
 */
#ifndef PRECIS_SERVE_URI_H
#define PRECIS_SERVE_URI_H

#include "core/arena.h"
#include "core/err.h"

#define URI_MAX_SEGMENTS 8
#define URI_MAX_PARAMS   32

struct uri_param {
    struct str name, value;
};

struct uri {
    struct str authority; /* of an absolute target "http://host/path"; "" otherwise */
    struct str segments[URI_MAX_SEGMENTS];
    size_t n_segments; /* "/" has none; "/a/" has two, the last empty */
    struct uri_param params[URI_MAX_PARAMS];
    size_t n_params;
};

/* Parts without an escape are borrowed from target, others live in the arena. ERR_INVALID says what is
 * malformed, ERR_LIMIT that there are too many parameters; a path deeper than any route gives n_segments
 * URI_MAX_SEGMENTS with a path nobody has. */
int uri_parse(struct str target, struct arena *arena, struct uri *ret_uri, struct err_info *reterr);
/* Decodes %XX, and + as a space if is_query. */
int uri_decode(struct str raw, bool is_query, struct arena *arena, struct str *ret_text,
               struct err_info *reterr);

#endif
