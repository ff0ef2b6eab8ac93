/* SPDX-License-Identifier: Apache-2.0
 *
 * One typed value: a parameter, a bound argument or a field of a row. Text and JSON are borrowed;
 * their memory belongs to whatever made the value (a request's arena, a result's arena).
 */
#ifndef PRECIS_CORE_VALUE_H
#define PRECIS_CORE_VALUE_H

#include "core/arena.h"
#include "core/buf.h"

enum value_type {
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_REAL,
    VALUE_DECIMAL, /* digits as text: exact, as the source gave them */
    VALUE_TEXT,
    VALUE_TIME, /* microseconds since 1970 UTC */
    VALUE_JSON, /* the text of a JSON object or array */
};

struct value {
    enum value_type type;
    union {
        bool boolean;
        int64_t integer;
        double real;
        int64_t time_us;
        struct str text; /* TEXT, DECIMAL, JSON */
    };
};

struct value value_null(void);
struct value value_bool(bool boolean);
struct value value_int(int64_t integer);
struct value value_real(double real);
struct value value_text(struct str text);
struct value value_time(int64_t time_us);
struct value value_json(struct str text);
struct value value_decimal(struct str digits);

/* A copy whose text lives in the arena; VALUE_NULL on failure (the arena latches). */
struct value value_copy(struct arena *arena, struct value value);
/* True for NULL and for empty text; zero and false are values. */
bool value_is_empty(struct value value);
/* As a person would read it: shortest real that round-trips, ISO 8601 UTC for times, "true"/"false",
 * nothing for NULL. */
void value_print(struct value value, struct buf *buf);
/* As JSON: decimals as numbers (as text when JSON has none: "NaN"), times as ISO 8601 strings with "Z", JSON
 * verbatim. */
void value_print_json(struct value value, struct buf *buf);
/* A byte string that differs when type or value differ, length-prefixed: for cache keys. */
void value_print_key(struct value value, struct buf *buf);
/* "text", "int", ... for messages. */
const char *value_type_name(enum value_type type);

/* A named value: a request's parameters, a row's fields. */
struct field {
    struct str name;
    struct value value;
};

/* The value of the first field so named, or NULL. */
const struct value *field_find(const struct field *fields, size_t n, struct str name);

#endif
