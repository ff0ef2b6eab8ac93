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

/* Whether a part of a pointer, in which ~1 is a slash and ~0 a tilde, is that name. */
static bool token_is(struct str token, struct str name)
{
    size_t n = 0;

    for (size_t i = 0; i < token.len; i++, n++) {
        bool is_escape = token.ptr[i] == '~' && i + 1 < token.len;
        char c = !is_escape ? token.ptr[i] : token.ptr[i + 1] == '1' ? '/' : '~';

        if (n >= name.len || name.ptr[n] != c)
            return false;
        i += is_escape;
    }
    return n == name.len;
}

static const struct json *token_find(const struct json *node, struct str token)
{
    const struct json *value;
    struct str name;
    size_t pos = 0;
    int64_t idx;

    if (json_kind_of(node) == JSON_KIND_ARRAY) {
        bool is_index = token.len > 0 && token.ptr[0] >= '0' && token.ptr[0] <= '9' &&
                        (token.ptr[0] != '0' || token.len == 1) && str_to_int(token, &idx) == 0;
        return is_index ? json_at(node, (size_t)idx) : NULL;
    }
    while (json_next_member(node, &pos, &name, &value)) {
        if (token_is(token, name))
            return value;
    }
    return NULL;
}

const struct json *json_pointer(const struct json *node, struct str pointer)
{
    struct str token;

    if (str_is_empty(pointer))
        return node;
    if (pointer.ptr[0] != '/')
        return NULL;
    for (size_t pos = 1; node && pos <= pointer.len; pos += token.len + 1) {
        ptrdiff_t end = str_find(str_slice(pointer, pos, SIZE_MAX), STR_LIT("/"));

        token = str_slice(pointer, pos, end < 0 ? SIZE_MAX : (size_t)end);
        node = token_find(node, token);
    }
    return node;
}

bool json_pointer_is_valid(struct str pointer)
{
    for (size_t i = 0; i < pointer.len; i++) {
        char next = i + 1 < pointer.len ? pointer.ptr[i + 1] : '\0';

        if (pointer.ptr[i] == '~' && next != '0' && next != '1')
            return false;
    }
    return str_is_empty(pointer) || pointer.ptr[0] == '/';
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
