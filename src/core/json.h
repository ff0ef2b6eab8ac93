/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON: reading into a tree and writing straight into a buf. Trees are for requests and stored documents;
 * answers are written with struct json_writer, which never builds one.
 */
#ifndef PRECIS_CORE_JSON_H
#define PRECIS_CORE_JSON_H

#include "core/buf.h"
#include "core/err.h"

struct json; /* a node; belongs to its root */

enum json_kind {
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_INT,
    JSON_KIND_REAL,
    JSON_KIND_TEXT,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT
};

/* Parses one whole document. ERR_INVALID with "line:column" in reterr->field on bad syntax, duplicate
 * members, bad UTF-8 or U+0000; ERR_LIMIT beyond max_depth levels of arrays and objects (at most a few
 * hundred: each is a call). The text is copied. *ret_root: free with json_free. */
int json_parse(struct str text, int max_depth, struct json **ret_root, struct err_info *reterr);
struct json *json_free(struct json *root);

enum json_kind json_kind_of(const struct json *node); /* NULL counts as JSON_KIND_NULL */
const char *json_kind_name(enum json_kind kind);      /* "object", for messages */
/* NULL when absent or no object. */
const struct json *json_member(const struct json *object, const char *name);
size_t json_count(const struct json *node); /* elements or members; 0 for others */
const struct json *json_at(const struct json *array, size_t idx);
/* Walks members in document order: start with *pos = 0. False at the end. */
bool json_next_member(const struct json *object, size_t *pos, struct str *ret_name,
                      const struct json **ret_value);
struct str json_text_of(const struct json *node); /* {NULL, 0} unless text */
int64_t json_int_of(const struct json *node);     /* 0 unless int */
double json_real_of(const struct json *node);     /* int or real as double; 0 otherwise */
bool json_bool_of(const struct json *node);
/* Appends the node compactly, members in document order, reals (and integers beyond 64 bits, which are
 * reals) with the digits they came with. */
void json_print(const struct json *node, struct buf *buf);

/* Writes a document piece by piece; commas and escaping are its business. Errors latch in the buf. */
struct json_writer {
    struct buf *buf;
    bool has_item; /* a comma is due before the next item */
};

void json_writer_init(struct json_writer *writer, struct buf *buf);
void json_open_object(struct json_writer *writer);
void json_close_object(struct json_writer *writer);
void json_open_array(struct json_writer *writer);
void json_close_array(struct json_writer *writer);
/* A name of ours, which needs no escapes; anybody's goes into json_put_name_str. */
void json_put_name(struct json_writer *writer, const char *name);
void json_put_name_str(struct json_writer *writer, struct str name);
void json_put_text(struct json_writer *writer, struct str text); /* malformed UTF-8 becomes U+FFFD */
void json_put_int(struct json_writer *writer, int64_t value);
/* The shortest form that reads back the same; NaN and infinity become null. */
void json_put_real(struct json_writer *writer, double value);
/* Rounded as buf_append_fixed does it: for many numbers, of which the last digits say nothing. */
void json_put_fixed(struct json_writer *writer, double value, int n_decimals);
void json_put_bool(struct json_writer *writer, bool value);
void json_put_null(struct json_writer *writer);
void json_put_raw(struct json_writer *writer, struct str json); /* already JSON */
/* Name and value in one call. */
void json_put_member_text(struct json_writer *writer, const char *name, struct str text);
void json_put_member_int(struct json_writer *writer, const char *name, int64_t value);
void json_put_member_real(struct json_writer *writer, const char *name, double value);
void json_put_member_fixed(struct json_writer *writer, const char *name, double value, int n_decimals);
/* A length of time in microseconds, not negative, as milliseconds: 1234 is 1.234. */
void json_put_member_ms(struct json_writer *writer, const char *name, int64_t us);
void json_put_member_bool(struct json_writer *writer, const char *name, bool value);
/* The bytes of a JSON string without its quotes. */
void json_escape(struct buf *buf, struct str text);

#endif
