/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON inside values: dotted names that reach into it, and nodes as values. A column whose text is an object
 * or array counts as JSON, because SQLite has no type for it.
 */
#include "core/reach.h"

#define REACH_MAX_DEPTH 32

struct json *value_parse_json(const struct value *value, struct arena *arena)
{
    struct json *root = NULL;
    struct str text;

    if (!value || (value->type != VALUE_JSON && value->type != VALUE_TEXT))
        return NULL;
    text = str_trim(value->text);
    if (text.len < 2 || (text.ptr[0] != '{' && text.ptr[0] != '['))
        return NULL;
    if (json_parse(text, REACH_MAX_DEPTH, &root, NULL) == ERR_NOMEM && !arena->err)
        arena->err = ERR_NOMEM;
    return root;
}

struct str buf_into_arena(struct buf *buf, struct arena *arena)
{
    struct str text = {NULL, 0};

    if (buf_error(buf) && !arena->err)
        arena->err = buf_error(buf);
    else
        text = arena_copy(arena, buf_str(buf));
    buf_done(buf);
    return text;
}

struct value value_of_json(const struct json *node, size_t max_bytes, struct arena *arena)
{
    struct buf buf;

    switch (json_kind_of(node)) {
    case JSON_KIND_NULL:
        return value_null();
    case JSON_KIND_BOOL:
        return value_bool(json_bool_of(node));
    case JSON_KIND_INT:
        return value_int(json_int_of(node));
    case JSON_KIND_REAL:
        return value_real(json_real_of(node));
    case JSON_KIND_TEXT:
        return value_text(arena_copy(arena, json_text_of(node)));
    case JSON_KIND_ARRAY:
    case JSON_KIND_OBJECT:
        break;
    }
    buf_init(&buf, max_bytes);
    json_print(node, &buf);
    return value_json(buf_into_arena(&buf, arena));
}

static const struct json *member_find(const struct json *object, struct str name)
{
    const struct json *value;
    struct str member;
    size_t pos = 0;

    while (json_next_member(object, &pos, &member, &value)) {
        if (str_eq(member, name))
            return value;
    }
    return NULL;
}

const struct json *json_reach(const struct json *node, struct str path)
{
    struct str part;
    int64_t idx;

    while (node && str_next_part(&path, '.', &part)) {
        if (json_kind_of(node) == JSON_KIND_OBJECT)
            node = member_find(node, part);
        else if (json_kind_of(node) == JSON_KIND_ARRAY && str_to_int(part, &idx) == 0 && idx >= 0)
            node = json_at(node, (size_t)idx);
        else
            node = NULL;
    }
    return node;
}

bool value_is_absent(const struct value *value)
{
    struct str text;

    if (!value || value_is_empty(*value))
        return true;
    if (value->type != VALUE_JSON)
        return false;
    text = str_trim(value->text);
    return str_is(text, "null") || str_is(text, "[]") || str_is(text, "{}") || str_is(text, "");
}
