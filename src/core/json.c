/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON tree: walking it, asking it, printing it. Nodes never change once the reader has made them.
 */
#include "core/json_priv.h"

#include "core/mem.h"

struct json *json_free(struct json *root)
{
    if (root) {
        struct json_document *document = (struct json_document *)root;
        arena_done(&document->arena);
        mem_free(document);
    }
    return NULL;
}

enum json_kind json_kind_of(const struct json *node)
{
    return node ? node->kind : JSON_KIND_NULL;
}

const char *json_kind_name(enum json_kind kind)
{
    static const char *const names[] = {"null", "boolean", "integer", "number", "text", "array", "object"};
    return names[kind];
}

static bool is_list(const struct json *node)
{
    return node && (node->kind == JSON_KIND_ARRAY || node->kind == JSON_KIND_OBJECT);
}

const struct json *json_member(const struct json *object, const char *name)
{
    struct str wanted = str_of(name);
    if (json_kind_of(object) != JSON_KIND_OBJECT)
        return NULL;
    for (size_t i = 0; i < object->list.n; i++)
        if (str_eq(object->list.names[i], wanted))
            return &object->list.items[i];
    return NULL;
}

size_t json_count(const struct json *node)
{
    return is_list(node) ? node->list.n : 0;
}

const struct json *json_at(const struct json *array, size_t idx)
{
    if (json_kind_of(array) != JSON_KIND_ARRAY || idx >= array->list.n)
        return NULL;
    return &array->list.items[idx];
}

bool json_next_member(const struct json *object, size_t *pos, struct str *ret_name,
                      const struct json **ret_value)
{
    if (json_kind_of(object) != JSON_KIND_OBJECT || *pos >= object->list.n)
        return false;
    *ret_name = object->list.names[*pos];
    *ret_value = &object->list.items[*pos];
    *pos += 1;
    return true;
}

struct str json_text_of(const struct json *node)
{
    return json_kind_of(node) == JSON_KIND_TEXT ? node->text : (struct str){NULL, 0};
}

int64_t json_int_of(const struct json *node)
{
    return json_kind_of(node) == JSON_KIND_INT ? node->integer : 0;
}

double json_real_of(const struct json *node)
{
    if (json_kind_of(node) == JSON_KIND_INT)
        return (double)node->integer;
    return json_kind_of(node) == JSON_KIND_REAL ? node->real.value : 0;
}

bool json_bool_of(const struct json *node)
{
    return json_kind_of(node) == JSON_KIND_BOOL && node->boolean;
}

static void print_node(const struct json *node, struct json_writer *writer)
{
    switch (json_kind_of(node)) {
    case JSON_KIND_NULL:
        json_put_null(writer);
        break;
    case JSON_KIND_BOOL:
        json_put_bool(writer, node->boolean);
        break;
    case JSON_KIND_INT:
        json_put_int(writer, node->integer);
        break;
    case JSON_KIND_REAL:
        json_put_raw(writer, node->real.digits);
        break;
    case JSON_KIND_TEXT:
        json_put_text(writer, node->text);
        break;
    case JSON_KIND_ARRAY:
        json_open_array(writer);
        for (size_t i = 0; i < node->list.n; i++)
            print_node(&node->list.items[i], writer);
        json_close_array(writer);
        break;
    case JSON_KIND_OBJECT:
        json_open_object(writer);
        for (size_t i = 0; i < node->list.n; i++) {
            json_put_name_str(writer, node->list.names[i]);
            print_node(&node->list.items[i], writer);
        }
        json_close_object(writer);
        break;
    }
}

void json_print(const struct json *node, struct buf *buf)
{
    struct json_writer writer;
    json_writer_init(&writer, buf);
    print_node(node, &writer);
}
