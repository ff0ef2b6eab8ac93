/* SPDX-License-Identifier: Apache-2.0
 *
 * Filters for JSON: lists and objects as a reader wants them. Members stand in the order in which PostgreSQL
 * keeps those of a JSONB column, shorter names first and then by their bytes, so that the same rows give the
 * same text whichever database they come from.
 */
#include "recipe/recipe_priv.h"

#include <stdlib.h>

#define MAX_LIST_DEPTH 8

struct member {
    struct str name;
    const struct json *value;
};

static int compare_members(const void *first, const void *second)
{
    const struct member *a = first, *b = second;

    if (a->name.len != b->name.len)
        return a->name.len < b->name.len ? -1 : 1;
    return a->name.len ? memcmp(a->name.ptr, b->name.ptr, a->name.len) : 0;
}

/* The object's members in order; NULL when out of memory, which the arena latches. */
static struct member *sort_members(const struct json *object, struct arena *arena)
{
    struct member *members = arena_calloc(arena, json_count(object) + 1, sizeof *members);
    size_t pos = 0;
    size_t n = 0;

    while (members && n < json_count(object) &&
           json_next_member(object, &pos, &members[n].name, &members[n].value))
        n++;
    if (members)
        qsort(members, n, sizeof *members, compare_members);
    return members;
}

static struct value text_from(const struct filter_call *call, struct buf *buf)
{
    return value_text(buf_into_arena(buf, call->arena));
}

static void print_node(const struct json *node, struct arena *arena, struct buf *buf)
{
    value_print(value_of_json(node, FILTER_MAX_TEXT_BYTES, arena), buf);
}

struct value filter_join(const struct filter_call *call)
{
    struct json *root = value_parse_json(&call->in, call->arena);
    struct value value = call->in;
    struct buf buf;

    if (json_kind_of(root) == JSON_KIND_ARRAY) {
        buf_init(&buf, FILTER_MAX_TEXT_BYTES);
        for (size_t i = 0; i < json_count(root); i++) {
            if (i > 0)
                buf_append_str(&buf, call->text);
            print_node(json_at(root, i), call->arena, &buf);
        }
        value = text_from(call, &buf);
    }
    json_free(root);
    return value;
}

static void print_json(const struct json *node, struct arena *arena, struct json_writer *writer)
{
    struct member *members;

    switch (json_kind_of(node)) {
    case JSON_KIND_OBJECT:
        members = sort_members(node, arena);
        json_open_object(writer);
        for (size_t i = 0; members && i < json_count(node); i++) {
            json_put_name_str(writer, members[i].name);
            print_json(members[i].value, arena, writer);
        }
        json_close_object(writer);
        break;
    case JSON_KIND_ARRAY:
        json_open_array(writer);
        for (size_t i = 0; i < json_count(node); i++)
            print_json(json_at(node, i), arena, writer);
        json_close_array(writer);
        break;
    default:
        json_put_raw(writer, (struct str){"", 0}); /* the comma */
        json_print(node, writer->buf);
    }
}

struct value filter_json(const struct filter_call *call)
{
    struct json_writer writer;
    struct json *root;
    struct buf buf;

    if (call->in.type == VALUE_NULL)
        return call->in;
    buf_init(&buf, FILTER_MAX_TEXT_BYTES);
    json_writer_init(&writer, &buf);
    root = value_parse_json(&call->in, call->arena);
    if (root)
        print_json(root, call->arena, &writer);
    else
        value_print_json(call->in, &buf);
    json_free(root);
    return text_from(call, &buf);
}

/* "a: 1, b: 2" or "x, y"; what stands deeper goes into brackets. */
static void print_list(const struct json *node, struct arena *arena, unsigned depth, struct buf *buf)
{
    bool is_object = json_kind_of(node) == JSON_KIND_OBJECT;
    struct member *members = is_object ? sort_members(node, arena) : NULL;

    if ((!is_object && json_kind_of(node) != JSON_KIND_ARRAY) || depth > MAX_LIST_DEPTH) {
        print_node(node, arena, buf);
        return;
    }
    if (depth > 0)
        buf_append_byte(buf, '(');
    for (size_t i = 0; i < json_count(node) && (members || !is_object); i++) {
        if (i > 0)
            buf_append_text(buf, ", ");
        if (is_object)
            buf_printf(buf, "%.*s: ", STR_ARG(members[i].name));
        print_list(is_object ? members[i].value : json_at(node, i), arena, depth + 1, buf);
    }
    if (depth > 0)
        buf_append_byte(buf, ')');
}

struct value filter_list(const struct filter_call *call)
{
    struct json *root = value_parse_json(&call->in, call->arena);
    struct buf buf;

    if (!root)
        return call->in;
    buf_init(&buf, FILTER_MAX_TEXT_BYTES);
    print_list(root, call->arena, 0, &buf);
    json_free(root);
    return text_from(call, &buf);
}
