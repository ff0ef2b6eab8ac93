/* SPDX-License-Identifier: Apache-2.0
 *
 * The seam to libyaml: events become a tree in the arena. Open lists and maps stand on a stack as deep as the
 * limit, so no input can make the reader recurse. libyaml allocates for itself, at most a small multiple of
 * the text, and everything of it is freed before yaml_parse returns.
 *
 * libyaml would take UTF-16 and a NUL; both are refused first, together with malformed UTF-8.
 */
#include "core/yaml.h"

#include "core/mem.h"
#include "core/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

/* A list or map that is not closed yet. */
struct open_node {
    struct yaml_node *node;
    size_t cap_items, cap_keys;
    bool has_key; /* maps: a key waits for its value */
};

struct reader {
    struct str text;
    const char *file;
    struct arena *arena;
    struct err_info *reterr;
    struct open_node open[YAML_MAX_DEPTH];
    int depth;
    size_t n_nodes;
    struct yaml_node *root;
    bool has_document;
};

static int fail_at(const struct reader *reader, size_t line, size_t column, int code, const char *message)
{
    char place[ERR_FIELD_SIZE];
    snprintf(place, sizeof(place), "%s:%zu:%zu", reader->file, line, column);
    return err_set_field(reader->reterr, code, place, "%s", message);
}

/* libyaml counts from 0. */
static int fail_at_mark(const struct reader *reader, yaml_mark_t mark, int code, const char *message)
{
    return fail_at(reader, mark.line + 1, mark.column + 1, code, message);
}

static int fail_nomem(const struct reader *reader)
{
    return err_set(reader->reterr, ERR_NOMEM, "out of memory while reading %s", reader->file);
}

static int fail_arena(const struct reader *reader)
{
    if (arena_error(reader->arena) == ERR_NOMEM)
        return fail_nomem(reader);
    return err_set(reader->reterr, ERR_LIMIT, "%s needs more memory than it may have", reader->file);
}

/* What libyaml says, in words for the author of the file. */
static const struct {
    const char *problem, *sentence;
} sentences[] = {
    {"found character that cannot start any token",
     "no value can begin with this character (a tab for indentation, @, ` or %); use spaces, or quote the "
     "value"},
    {"found a tab character that violates indentation", "a tab cannot indent; use spaces"},
    {"found a tab character where an indentation space is expected", "a tab cannot indent; use spaces"},
    {"mapping values are not allowed in this context",
     "a second ': ' on this line; quote the value, or check the indentation of the line before"},
    {"could not find expected ':'", "a key without ': ' behind it; is this line indented as it should be?"},
    {"did not find expected key", "this line fits no level of indentation before it"},
    {"did not find expected '-' indicator", "an element of this list must begin with '- '"},
    {"did not find expected ',' or ']'", "this [ list ] needs ',' or ']' here"},
    {"did not find expected ',' or '}'", "this { map } needs ',' or '}' here"},
    {"did not find expected <document start>", "text after the end of the document, or a broken first line"},
    {"block sequence entries are not allowed in this context",
     "a list cannot begin here; put '- ' on a new line"},
    {"found unexpected end of stream", "a quoted text that is never closed"},
    {"found unknown escape character", "an unknown escape in a \"text\"; write \\\\ for a backslash"},
    {"control characters are not allowed", "a control character is not allowed"},
};

/* For what has a byte but no line. */
static int fail_at_byte(const struct reader *reader, size_t pos, const char *message)
{
    struct str text = reader->text;
    size_t line = 1, start = 0;
    for (size_t i = 0; i < pos && i < text.len; i++) {
        if (text.ptr[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    size_t column = utf8_length(str_slice(text, start, pos - start)) + 1;
    return fail_at(reader, line, column, ERR_INVALID, message);
}

static int fail_parse(const struct reader *reader, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return fail_nomem(reader);
    const char *problem = parser->problem ? parser->problem : "bad YAML";
    const char *context = parser->context ? parser->context : "";
    const char *sentence = problem;
    for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
        if (strcmp(problem, sentences[i].problem) == 0)
            sentence = sentences[i].sentence;
    if (parser->error == YAML_READER_ERROR)
        return fail_at_byte(reader, parser->problem_offset, sentence);
    /* A quote never closed is found at the end of the file; what helps is where it opened. */
    bool is_unclosed = strcmp(context, "while scanning a quoted scalar") == 0 &&
                       strcmp(problem, "found unexpected end of stream") == 0;
    return fail_at_mark(reader, is_unclosed ? parser->context_mark : parser->problem_mark, ERR_INVALID,
                        sentence);
}

static int check_bytes(const struct reader *reader)
{
    struct str text = reader->text;
    if (text.len > YAML_MAX_BYTES)
        return err_set_field(reader->reterr, ERR_LIMIT, reader->file, "the file has more than %d bytes",
                             YAML_MAX_BYTES);
    size_t valid = utf8_valid_prefix(text);
    const char *nul = text.len ? memchr(text.ptr, '\0', valid) : NULL;
    if (nul)
        return fail_at_byte(reader, (size_t)(nul - text.ptr), "a NUL byte is not allowed");
    if (valid < text.len)
        return fail_at_byte(reader, valid, "this byte is not UTF-8");
    return 0;
}

static struct yaml_node *new_node(struct reader *reader, enum yaml_kind kind, yaml_mark_t mark)
{
    struct yaml_node *node = arena_calloc(reader->arena, 1, sizeof(*node));
    if (!node)
        return NULL;
    node->kind = kind;
    node->line = (int)mark.line + 1;
    node->column = (int)mark.column + 1;
    return node;
}

static int add_key(struct reader *reader, struct open_node *top, const yaml_event_t *event)
{
    struct str name = str_make((const char *)event->data.scalar.value, event->data.scalar.length);
    struct yaml_node *map = top->node;
    struct yaml_key *keys = arena_grow(reader->arena, map->keys, map->n, &top->cap_keys, sizeof(*map->keys));
    name = arena_copy(reader->arena, name);
    if (arena_error(reader->arena))
        return fail_arena(reader);
    map->keys = keys;
    map->keys[map->n] =
        (struct yaml_key){name, (int)event->start_mark.line + 1, (int)event->start_mark.column + 1};
    top->has_key = true;
    return 0;
}

/* By name, equal ones in the order of the file. */
static int compare_keys(const void *left, const void *right)
{
    const struct yaml_key *a = left, *b = right;
    int order = str_compare(a->name, b->name);
    if (order == 0)
        order = (a->line > b->line) - (a->line < b->line);
    return order ? order : (a->column > b->column) - (a->column < b->column);
}

/* Sorts a copy: a map may have tens of thousands of keys. */
static int refuse_duplicates(struct reader *reader, const struct yaml_node *map)
{
    if (map->n < 2)
        return 0;
    struct yaml_key *keys = mem_dup(map->keys, map->n * sizeof(*keys));
    if (!keys)
        return fail_nomem(reader);
    int err = 0;
    qsort(keys, map->n, sizeof(*keys), compare_keys);
    for (size_t i = 1; i < map->n && !err; i++) {
        if (str_eq(keys[i].name, keys[i - 1].name)) {
            char message[160];
            snprintf(message, sizeof(message),
                     "the key '%.*s' stands here for the second time (first in line %d)",
                     (int)utf8_prefix(keys[i].name, 64).len, keys[i].name.ptr, keys[i - 1].line);
            err = fail_at(reader, (size_t)keys[i].line, (size_t)keys[i].column, ERR_INVALID, message);
        }
    }
    mem_free(keys);
    return err;
}

/* Hangs a finished or opening node where it belongs. */
static int add_node(struct reader *reader, struct yaml_node *node)
{
    if (!node)
        return fail_arena(reader);
    if (reader->depth == 0) {
        reader->root = node;
        return 0;
    }
    struct open_node *top = &reader->open[reader->depth - 1];
    struct yaml_node *parent = top->node;
    struct yaml_node **items =
        arena_grow(reader->arena, parent->items, parent->n, &top->cap_items, sizeof(struct yaml_node *));
    if (!items)
        return fail_arena(reader);
    parent->items = items;
    parent->items[parent->n++] = node;
    top->has_key = false;
    return 0;
}

static bool wants_key(const struct reader *reader)
{
    if (reader->depth == 0)
        return false;
    const struct open_node *top = &reader->open[reader->depth - 1];
    return top->node->kind == YAML_MAP && !top->has_key;
}

static int on_scalar(struct reader *reader, const yaml_event_t *event)
{
    struct str text = str_make((const char *)event->data.scalar.value, event->data.scalar.length);
    if (text.len && memchr(text.ptr, '\0', text.len)) /* "\0" in quotes */
        return fail_at_mark(reader, event->start_mark, ERR_INVALID, "the character U+0000 is not allowed");
    if (wants_key(reader))
        return add_key(reader, &reader->open[reader->depth - 1], event);
    struct yaml_node *node = new_node(reader, YAML_SCALAR, event->start_mark);
    if (node) {
        node->text = arena_copy(reader->arena, text);
        node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        if (arena_error(reader->arena))
            node = NULL;
    }
    return add_node(reader, node);
}

static int on_open(struct reader *reader, enum yaml_kind kind, yaml_mark_t mark)
{
    if (wants_key(reader))
        return fail_at_mark(reader, mark, ERR_INVALID, "a key must be a single text, not a list or a map");
    if (reader->depth == YAML_MAX_DEPTH)
        return fail_at_mark(reader, mark, ERR_LIMIT, "nested too deeply");
    struct yaml_node *node = new_node(reader, kind, mark);
    int err = add_node(reader, node);
    if (!err)
        reader->open[reader->depth++] = (struct open_node){.node = node};
    return err;
}

static int on_close(struct reader *reader)
{
    const struct yaml_node *node = reader->open[--reader->depth].node;
    return node->kind == YAML_MAP ? refuse_duplicates(reader, node) : 0;
}

static int on_document(struct reader *reader, yaml_mark_t mark)
{
    if (reader->has_document)
        return fail_at_mark(reader, mark, ERR_INVALID, "a second document begins here; only one is allowed");
    reader->has_document = true;
    return 0;
}

static int refuse_anchor(const struct reader *reader, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL;
    if (event->type == YAML_SCALAR_EVENT)
        anchor = event->data.scalar.anchor;
    else if (event->type == YAML_SEQUENCE_START_EVENT)
        anchor = event->data.sequence_start.anchor;
    else if (event->type == YAML_MAPPING_START_EVENT)
        anchor = event->data.mapping_start.anchor;
    if (!anchor && event->type != YAML_ALIAS_EVENT)
        return 0;
    return fail_at_mark(reader, event->start_mark, ERR_INVALID,
                        "anchors (&name) and aliases (*name) are not allowed; quote a value that begins so");
}

static int on_event(struct reader *reader, const yaml_event_t *event)
{
    int err = refuse_anchor(reader, event);
    if (err)
        return err;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return on_document(reader, event->start_mark);
    case YAML_SCALAR_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        if (++reader->n_nodes > YAML_MAX_NODES)
            return fail_at_mark(reader, event->start_mark, ERR_LIMIT, "the file has too many values");
        if (event->type == YAML_SCALAR_EVENT)
            return on_scalar(reader, event);
        return on_open(reader, event->type == YAML_MAPPING_START_EVENT ? YAML_MAP : YAML_LIST,
                       event->start_mark);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_close(reader);
    default:
        return 0;
    }
}

static int read_events(struct reader *reader, yaml_parser_t *parser)
{
    bool is_at_end = false;
    while (!is_at_end) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event))
            return fail_parse(reader, parser);
        is_at_end = event.type == YAML_STREAM_END_EVENT;
        int err = on_event(reader, &event);
        yaml_event_delete(&event);
        if (err)
            return err;
    }
    return 0;
}

/* No document at all, or one with nothing in it (comments, "---"). */
static bool is_nothing(const struct yaml_node *root)
{
    return !root || (root->kind == YAML_SCALAR && root->is_plain && root->text.len == 0);
}

int yaml_parse(struct str text, const char *file, struct arena *arena, const struct yaml_node **ret_root,
               struct err_info *reterr)
{
    struct reader reader = {.text = text, .file = file, .arena = arena, .reterr = reterr};
    yaml_parser_t parser;
    int err = check_bytes(&reader);
    if (err)
        return err;
    if (!yaml_parser_initialize(&parser))
        return fail_nomem(&reader);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)(text.len ? text.ptr : ""), text.len);
    err = read_events(&reader, &parser);
    yaml_parser_delete(&parser);
    if (err)
        return err;
    if (is_nothing(reader.root)) {
        reader.root = new_node(&reader, YAML_MAP, (yaml_mark_t){0});
        if (!reader.root)
            return fail_arena(&reader);
    }
    *ret_root = reader.root;
    return 0;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *name)
{
    if (!map || map->kind != YAML_MAP)
        return NULL;
    for (size_t i = 0; i < map->n; i++)
        if (str_is(map->keys[i].name, name))
            return map->items[i];
    return NULL;
}

const char *yaml_kind_name(const struct yaml_node *node)
{
    static const char *const names[] = {"text", "list", "map"};
    return names[node->kind];
}

static bool is_plain_scalar(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR && node->is_plain;
}

int yaml_to_bool(const struct yaml_node *node, bool *ret_value)
{
    if (!is_plain_scalar(node) || (!str_is(node->text, "true") && !str_is(node->text, "false")))
        return ERR_INVALID;
    *ret_value = str_is(node->text, "true");
    return 0;
}

int yaml_to_int(const struct yaml_node *node, int64_t *ret_value)
{
    return is_plain_scalar(node) && str_to_int(node->text, ret_value) == 0 ? 0 : ERR_INVALID;
}

int yaml_to_real(const struct yaml_node *node, double *ret_value)
{
    return is_plain_scalar(node) && str_to_real(node->text, ret_value) == 0 ? 0 : ERR_INVALID;
}

bool yaml_is_null(const struct yaml_node *node)
{
    return is_plain_scalar(node) &&
           (node->text.len == 0 || str_is(node->text, "null") || str_is(node->text, "~"));
}
