/* SPDX-License-Identifier: Apache-2.0
 *
 * Typed values: making, copying and printing them.
 */
#include "core/value.h"

#include "core/civil.h"
#include "core/json.h"

#include <stdio.h>
#include <stdlib.h>

struct value value_null(void)
{
    return (struct value){.type = VALUE_NULL};
}

struct value value_bool(bool boolean)
{
    return (struct value){.type = VALUE_BOOL, .boolean = boolean};
}

struct value value_int(int64_t integer)
{
    return (struct value){.type = VALUE_INT, .integer = integer};
}

struct value value_real(double real)
{
    return (struct value){.type = VALUE_REAL, .real = real};
}

struct value value_text(struct str text)
{
    return (struct value){.type = VALUE_TEXT, .text = text};
}

struct value value_time(int64_t time_us)
{
    return (struct value){.type = VALUE_TIME, .time_us = time_us};
}

struct value value_json(struct str text)
{
    return (struct value){.type = VALUE_JSON, .text = text};
}

struct value value_decimal(struct str digits)
{
    return (struct value){.type = VALUE_DECIMAL, .text = digits};
}

static bool has_text(enum value_type type)
{
    return type == VALUE_TEXT || type == VALUE_DECIMAL || type == VALUE_JSON;
}

struct value value_copy(struct arena *arena, struct value value)
{
    if (!has_text(value.type))
        return value;
    value.text = arena_copy(arena, value.text);
    return value.text.ptr ? value : value_null();
}

bool value_is_empty(struct value value)
{
    return value.type == VALUE_NULL || (has_text(value.type) && value.text.len == 0);
}

/* The fewest digits that read back as the same double. */
static void print_real(double real, struct buf *buf)
{
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, real);
        if (strtod(text, NULL) == real)
            break;
    }
    buf_append_text(buf, text);
}

void value_print(struct value value, struct buf *buf)
{
    switch (value.type) {
    case VALUE_NULL:
        break;
    case VALUE_BOOL:
        buf_append_text(buf, value.boolean ? "true" : "false");
        break;
    case VALUE_INT:
        buf_append_int(buf, value.integer);
        break;
    case VALUE_REAL:
        print_real(value.real, buf);
        break;
    case VALUE_TIME:
        civil_print_iso(value.time_us, buf);
        break;
    case VALUE_DECIMAL:
    case VALUE_TEXT:
    case VALUE_JSON:
        buf_append_str(buf, value.text);
        break;
    }
}

static size_t count_digits(struct str s, size_t from)
{
    size_t at = from;
    while (at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9')
        at++;
    return at - from;
}

/* Databases have decimals that JSON has no number for: NaN, Infinity. */
static bool is_json_number(struct str s)
{
    size_t at = s.len && s.ptr[0] == '-';
    size_t n_digits = count_digits(s, at);
    if (n_digits == 0 || (n_digits > 1 && s.ptr[at] == '0'))
        return false;
    at += n_digits;
    if (at < s.len && s.ptr[at] == '.') {
        n_digits = count_digits(s, at + 1);
        at += 1 + n_digits;
    }
    if (n_digits && at < s.len && (s.ptr[at] == 'e' || s.ptr[at] == 'E')) {
        at++;
        at += at < s.len && (s.ptr[at] == '-' || s.ptr[at] == '+');
        n_digits = count_digits(s, at);
        at += n_digits;
    }
    return n_digits && at == s.len;
}

void value_print_json(struct value value, struct buf *buf)
{
    struct json_writer writer;
    json_writer_init(&writer, buf);
    switch (value.type) {
    case VALUE_NULL:
        json_put_null(&writer);
        break;
    case VALUE_REAL:
        json_put_real(&writer, value.real);
        break;
    case VALUE_DECIMAL:
        if (is_json_number(value.text))
            json_put_raw(&writer, value.text);
        else
            json_put_text(&writer, value.text);
        break;
    case VALUE_TEXT:
        json_put_text(&writer, value.text);
        break;
    case VALUE_TIME:
        buf_append_byte(buf, '"');
        value_print(value, buf);
        buf_append_byte(buf, '"');
        break;
    default: /* as they print */
        value_print(value, buf);
    }
}

void value_print_key(struct value value, struct buf *buf)
{
    unsigned char type = (unsigned char)value.type;
    buf_append(buf, &type, 1);
    if (has_text(value.type)) {
        uint64_t len = value.text.len;
        buf_append(buf, &len, sizeof(len));
        buf_append_str(buf, value.text);
    } else {
        int64_t bits = 0;
        if (value.type == VALUE_BOOL)
            bits = value.boolean;
        else if (value.type == VALUE_REAL)
            memcpy(&bits, &value.real, sizeof(bits));
        else if (value.type != VALUE_NULL)
            bits = value.integer; /* INT and TIME share the place */
        buf_append(buf, &bits, sizeof(bits));
    }
}

const char *value_type_name(enum value_type type)
{
    static const char *const names[] = {"null", "bool", "int", "number", "decimal", "text", "time", "json"};
    return names[type];
}

const struct value *field_find(const struct field *fields, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(fields[i].name, name))
            return &fields[i].value;
    return NULL;
}
