/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON reader. A document is copied once into its own arena; names and texts are slices of that copy,
 * unescaped in place (an escape is never shorter than what it stands for). Children gather on one stack and
 * move to the arena in one piece when their container closes.
 *
 * Written here rather than taken from jansson, whose lexer (2.14) goes on with a byte missing when its
 * scratch buffer cannot grow: a text would be stored with a letter lost. Here a failed allocation is an
 * error.
 */
#include "core/json_priv.h"

#include "core/mem.h"
#include "core/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* What a byte of input can cost at most: "[[],[],..." is 2/3 of a node a byte. */
#define ARENA_BYTES_PER_BYTE 96
#define ARENA_BYTES_FIXED    (64 * 1024)
/* Members are compared pair by pair up to here, sorted beyond. */
#define FEW_MEMBERS 8

/* A child whose container is still open. */
struct pending {
    struct str name;
    struct json value;
};

struct parser {
    struct str text; /* as it came: places are counted in it */
    char *copy;      /* the same bytes, ours to change, with a NUL behind them */
    size_t pos;
    int depth, max_depth;
    struct arena *arena;
    struct pending *stack;
    size_t n_stack, cap_stack;
    struct err_info *reterr;
};

static int parse_value(struct parser *parser, struct json *ret_value);

/* Writes the sentence with the line and column (in characters, from 1) of a byte; returns code. */
static int fail_at(const struct parser *parser, size_t pos, int code, const char *message)
{
    struct str text = parser->text;
    int line = 1, column = 1;
    for (size_t i = 0; i < pos && i < text.len; i++) {
        if (text.ptr[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)text.ptr[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    char place[32];
    snprintf(place, sizeof(place), "%d:%d", line, column);
    return err_set_field(parser->reterr, code, place, "%s", message);
}

static int fail_here(const struct parser *parser, const char *expected)
{
    char message[128];
    snprintf(message, sizeof(message), "expected %s%s", expected,
             parser->pos < parser->text.len ? "" : ", but the document ends here");
    return fail_at(parser, parser->pos, ERR_INVALID, message);
}

static int fail_nomem(const struct parser *parser)
{
    return err_set(parser->reterr, ERR_NOMEM, "out of memory while reading JSON");
}

static char peek(const struct parser *parser)
{
    return parser->copy[parser->pos];
}

static void skip_space(struct parser *parser)
{
    while (peek(parser) == ' ' || peek(parser) == '\n' || peek(parser) == '\r' || peek(parser) == '\t')
        parser->pos++;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits at pos, or -1. The NUL behind the copy stops a run that is too short. */
static int32_t hex_four(const struct parser *parser, size_t pos)
{
    int32_t value = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_digit(parser->copy[pos + i]);
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* Reads \uXXXX, two of them for a character beyond the first plane; pos stands at the backslash. */
static int parse_unicode_escape(struct parser *parser, struct buf *out)
{
    size_t start = parser->pos;
    int32_t code = hex_four(parser, start + 2);
    if (code < 0)
        return fail_at(parser, start, ERR_INVALID, "\\u needs four hexadecimal digits");
    parser->pos += 6;
    if (code >= 0xD800 && code <= 0xDBFF && peek(parser) == '\\' && parser->copy[parser->pos + 1] == 'u') {
        int32_t low = hex_four(parser, parser->pos + 2);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            parser->pos += 6;
        }
    }
    if (code >= 0xD800 && code <= 0xDFFF)
        return fail_at(parser, start, ERR_INVALID, "half of a surrogate pair is no character");
    if (code == 0)
        return fail_at(parser, start, ERR_INVALID, "the character U+0000 is not allowed");
    utf8_append(out, (uint32_t)code);
    return 0;
}

static int parse_escape(struct parser *parser, struct buf *out)
{
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    char name = parser->copy[parser->pos + 1];
    if (name == 'u')
        return parse_unicode_escape(parser, out);
    const char *at = name ? strchr(names, name) : NULL;
    if (!at)
        return fail_at(parser, parser->pos, ERR_INVALID,
                       "a backslash must begin one of \\\" \\\\ \\/ \\b \\f \\n "
                       "\\r \\t \\uXXXX");
    buf_append_byte(out, bytes[at - names]);
    parser->pos += 2;
    return 0;
}

/* Skips bytes that stand for themselves. UTF-8 was checked before. */
static void skip_plain_text(struct parser *parser)
{
    const unsigned char *at = (const unsigned char *)parser->copy + parser->pos;
    while (*at >= 0x20 && *at != '"' && *at != '\\')
        at++;
    parser->pos = (size_t)(at - (const unsigned char *)parser->copy);
}

/* pos stands behind the opening quote; afterwards behind the closing one. */
static int parse_text(struct parser *parser, struct str *ret_text)
{
    size_t start = parser->pos;
    /* A buf laid over the copy. It never grows, and its closing NUL falls on bytes already read, because an
     * escape is longer than what it stands for. */
    struct buf out = {.data = parser->copy + start, .cap = parser->text.len - start + 1, .max = SIZE_MAX / 2};
    skip_plain_text(parser);
    out.len = parser->pos - start;
    while (peek(parser) != '"') {
        if (peek(parser) == '\\') {
            int err = parse_escape(parser, &out);
            if (err)
                return err;
        } else if (parser->pos >= parser->text.len) {
            return fail_at(parser, start - 1, ERR_INVALID, "this text has no closing quote");
        } else {
            return fail_at(parser, parser->pos, ERR_INVALID, "a control character in a text must be escaped");
        }
        size_t from = parser->pos;
        skip_plain_text(parser);
        memmove(out.data + out.len, parser->copy + from, parser->pos - from);
        out.len += parser->pos - from;
    }
    parser->pos++;
    *ret_text = buf_str(&out);
    return 0;
}

static void skip_digits(struct parser *parser)
{
    while (is_digit(peek(parser)))
        parser->pos++;
}

static int parse_real(struct parser *parser, size_t start, struct json *ret_value)
{
    char *end = parser->copy + parser->pos;
    char after = *end;
    *end = '\0';
    double value = strtod(parser->copy + start, NULL);
    *end = after;
    if (!isfinite(value))
        return fail_at(parser, start, ERR_INVALID, "this number is too large");
    ret_value->kind = JSON_KIND_REAL;
    ret_value->real.value = value;
    ret_value->real.digits = str_make(parser->copy + start, parser->pos - start);
    return 0;
}

static int parse_number(struct parser *parser, struct json *ret_value)
{
    size_t start = parser->pos;
    bool is_real = false;
    parser->pos += peek(parser) == '-';
    if (peek(parser) == '0' && is_digit(parser->copy[parser->pos + 1]))
        return fail_at(parser, parser->pos, ERR_INVALID, "a number must not begin with 0");
    if (!is_digit(peek(parser)))
        return fail_here(parser, "a digit");
    skip_digits(parser);
    if (peek(parser) == '.') {
        is_real = true;
        parser->pos++;
        if (!is_digit(peek(parser)))
            return fail_here(parser, "a digit");
        skip_digits(parser);
    }
    if (peek(parser) == 'e' || peek(parser) == 'E') {
        is_real = true;
        parser->pos++;
        parser->pos += peek(parser) == '-' || peek(parser) == '+';
        if (!is_digit(peek(parser)))
            return fail_here(parser, "a digit");
        skip_digits(parser);
    }
    struct str digits = str_make(parser->copy + start, parser->pos - start);
    /* An integer too large for 64 bits is a real that keeps its digits. */
    if (is_real || str_to_int(digits, &ret_value->integer))
        return parse_real(parser, start, ret_value);
    ret_value->kind = JSON_KIND_INT;
    return 0;
}

static int parse_word(struct parser *parser, struct json *ret_value)
{
    static const struct {
        struct str word;
        struct json value;
    } words[] = {
        {{"null", 4}, {.kind = JSON_KIND_NULL}},
        {{"true", 4}, {.kind = JSON_KIND_BOOL, .boolean = true}},
        {{"false", 5}, {.kind = JSON_KIND_BOOL, .boolean = false}},
    };
    struct str rest = str_make(parser->copy + parser->pos, parser->text.len - parser->pos);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (str_starts_with(rest, words[i].word)) {
            parser->pos += words[i].word.len;
            *ret_value = words[i].value;
            return 0;
        }
    }
    return fail_here(parser, "a value");
}

static int push_child(struct parser *parser, struct str name, const struct json *value)
{
    if (parser->n_stack == parser->cap_stack) {
        size_t cap = parser->cap_stack ? parser->cap_stack * 2 : 32;
        struct pending *stack = mem_realloc(parser->stack, cap * sizeof(*stack));
        if (!stack)
            return fail_nomem(parser);
        parser->stack = stack;
        parser->cap_stack = cap;
    }
    parser->stack[parser->n_stack++] = (struct pending){name, *value};
    return 0;
}

/* Moves the children above `base` from the stack into the arena. */
static int close_list(struct parser *parser, size_t base, enum json_kind kind, struct json *ret_value)
{
    size_t n = parser->n_stack - base;
    struct json list = {.kind = kind, .list = {.n = n}};
    list.list.items = arena_alloc(parser->arena, n * sizeof(*list.list.items));
    if (kind == JSON_KIND_OBJECT)
        list.list.names = arena_alloc(parser->arena, n * sizeof(*list.list.names));
    if (arena_error(parser->arena))
        return fail_nomem(parser);
    for (size_t i = 0; i < n; i++) {
        list.list.items[i] = parser->stack[base + i].value;
        if (kind == JSON_KIND_OBJECT)
            list.list.names[i] = parser->stack[base + i].name;
    }
    parser->n_stack = base;
    *ret_value = list;
    return 0;
}

static int fail_duplicate(const struct parser *parser, struct str name)
{
    char message[128];
    snprintf(message, sizeof(message), "the member \"%.*s\" stands here for the second time",
             (int)(name.len < 64 ? name.len : 64), name.ptr);
    message[utf8_valid_prefix(str_of(message))] = '\0';
    return fail_at(parser, (size_t)(name.ptr - parser->copy) - 1, ERR_INVALID, message);
}

/* By name, equal ones in document order. */
static int compare_names(const void *left, const void *right)
{
    const struct str *a = left, *b = right;
    int order = str_compare(*a, *b);
    return order ? order : (a->ptr > b->ptr) - (a->ptr < b->ptr);
}

static int refuse_duplicates(const struct parser *parser, const struct str *names, size_t n)
{
    if (n <= FEW_MEMBERS) {
        for (size_t i = 1; i < n; i++)
            for (size_t j = 0; j < i; j++)
                if (str_eq(names[i], names[j]))
                    return fail_duplicate(parser, names[i]);
        return 0;
    }
    struct str *sorted = mem_dup(names, n * sizeof(*sorted));
    if (!sorted)
        return fail_nomem(parser);
    int err = 0;
    qsort(sorted, n, sizeof(*sorted), compare_names);
    for (size_t i = 1; i < n && !err; i++)
        if (str_eq(sorted[i], sorted[i - 1]))
            err = fail_duplicate(parser, sorted[i]);
    mem_free(sorted);
    return err;
}

/* One child and the comma behind it; *ret_is_last when the list closed instead. */
static int parse_child(struct parser *parser, bool is_object, bool *ret_is_last)
{
    struct str name = {NULL, 0};
    struct json value;
    int err;
    skip_space(parser);
    if (is_object) {
        if (peek(parser) != '"')
            return fail_here(parser, "a member name in quotes");
        parser->pos++;
        err = parse_text(parser, &name);
        if (err)
            return err;
        skip_space(parser);
        if (peek(parser) != ':')
            return fail_here(parser, "':' after a member name");
        parser->pos++;
    }
    err = parse_value(parser, &value);
    if (!err)
        err = push_child(parser, name, &value);
    if (err)
        return err;
    skip_space(parser);
    *ret_is_last = peek(parser) == (is_object ? '}' : ']');
    if (!*ret_is_last && peek(parser) != ',')
        return fail_here(parser, is_object ? "',' or '}'" : "',' or ']'");
    parser->pos++;
    return 0;
}

static int parse_list(struct parser *parser, bool is_object, struct json *ret_value)
{
    size_t base = parser->n_stack;
    struct json list;
    bool is_last;
    int err = 0;
    if (++parser->depth > parser->max_depth)
        return fail_at(parser, parser->pos, ERR_LIMIT, "the document is nested too deeply");
    parser->pos++;
    skip_space(parser);
    is_last = peek(parser) == (is_object ? '}' : ']');
    parser->pos += is_last;
    while (!err && !is_last)
        err = parse_child(parser, is_object, &is_last);
    if (!err)
        err = close_list(parser, base, is_object ? JSON_KIND_OBJECT : JSON_KIND_ARRAY, &list);
    if (!err && is_object)
        err = refuse_duplicates(parser, list.list.names, list.list.n);
    if (err)
        return err;
    parser->depth--;
    *ret_value = list;
    return 0;
}

static int parse_value(struct parser *parser, struct json *ret_value)
{
    skip_space(parser);
    switch (peek(parser)) {
    case '{':
        return parse_list(parser, true, ret_value);
    case '[':
        return parse_list(parser, false, ret_value);
    case '"':
        parser->pos++;
        ret_value->kind = JSON_KIND_TEXT;
        return parse_text(parser, &ret_value->text);
    case '-':
    case '0' ... '9':
        return parse_number(parser, ret_value);
    default:
        return parse_word(parser, ret_value);
    }
}

static int parse_document(struct parser *parser, struct json *ret_root)
{
    size_t valid = utf8_valid_prefix(parser->text);
    if (valid < parser->text.len)
        return fail_at(parser, valid, ERR_INVALID, "this is not UTF-8");
    parser->copy = arena_strdup(parser->arena, parser->text);
    if (!parser->copy)
        return fail_nomem(parser);
    int err = parse_value(parser, ret_root);
    if (err)
        return err;
    skip_space(parser);
    if (parser->pos < parser->text.len)
        return fail_at(parser, parser->pos, ERR_INVALID, "the document ends before this");
    return 0;
}

int json_parse(struct str text, int max_depth, struct json **ret_root, struct err_info *reterr)
{
    struct json_document *document = mem_alloc(sizeof(*document));
    if (!document)
        return err_set(reterr, ERR_NOMEM, "out of memory while reading JSON");
    arena_init(&document->arena, ARENA_BYTES_FIXED + text.len * ARENA_BYTES_PER_BYTE);
    struct parser parser = {
        .text = text, .max_depth = max_depth, .arena = &document->arena, .reterr = reterr};
    int err = parse_document(&parser, &document->root);
    mem_free(parser.stack);
    if (err)
        json_free(&document->root);
    else
        *ret_root = &document->root;
    return err;
}
