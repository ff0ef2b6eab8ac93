/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON inside values: dotted names that reach into it, and its nodes as values. Failures for want of memory
 * latch in the arena.
 */
#ifndef PRECIS_CORE_REACH_H
#define PRECIS_CORE_REACH_H

#include "core/json.h"
#include "core/value.h"

/* The tree of a value that is JSON, or text that is a JSON object or array; NULL for all others, and for want
 * of memory. Free with json_free. */
struct json *value_parse_json(const struct value *value, struct arena *arena);
/* A node as a value whose text lives in the arena, objects and arrays as JSON of max_bytes at most;
 * VALUE_NULL for NULL and null. */
struct value value_of_json(const struct json *node, size_t max_bytes, struct arena *arena);
/* The node at a dotted path below `node` ("summary", "hours.0.open"), or NULL. */
const struct json *json_reach(const struct json *node, struct str path);
/* The node that a JSON Pointer (RFC 6901) names, or NULL; "" names the whole. */
const struct json *json_pointer(const struct json *node, struct str pointer);
/* "" or parts that begin with a slash, with ~ only as ~0 and ~1. */
bool json_pointer_is_valid(struct str pointer);
/* NULL, empty text, and JSON that is null, an empty list or an empty object. */
bool value_is_absent(const struct value *value);
/* Takes what was written into buf over into the arena; buf ends, its error latches in the arena. */
struct str buf_into_arena(struct buf *buf, struct arena *arena);

#endif
