/* SPDX-License-Identifier: Apache-2.0
 *
 * Templates, from text to parts. A template is lines of parts; a part is literal text or a placeholder;
 * conditions and repetitions hold a template of their own. Compiled once, with the recipe; template_render.c
 * runs it.
 */
#include "recipe/recipe_priv.h"

#include <stdarg.h>

struct parser {
    struct str text;
    size_t pos;
    struct arena *arena;
    struct names names;
    const struct complaints *complaints;
    bool has_complained;
    bool is_lost; /* nothing that follows could be understood */
};

/* One template while its lines grow. */
struct builder {
    struct template *template;
    struct template_line line; /* the one being filled */
    size_t lines_cap, parts_cap;
};

static const struct template *parse_body(struct parser *parser, unsigned depth);

void complain(const struct complaints *complaints, size_t offset, const char *format, ...)
{
    struct buf buf;
    va_list args;

    buf_init(&buf, ERR_MESSAGE_SIZE);
    va_start(args, format);
    buf_vprintf(&buf, format, args);
    va_end(args);
    complaints->on_complaint(complaints->owner, offset, buf_str(&buf));
    buf_done(&buf);
}

/* The mistake that ends the parse: what stands behind it has no meaning. */
static void lose(struct parser *parser, size_t offset, const char *sentence)
{
    if (!parser->is_lost)
        complain(parser->complaints, offset, "%s", sentence);
    parser->is_lost = parser->has_complained = true;
}

static void add_part(struct parser *parser, struct builder *builder, const struct template_part *part)
{
    struct template_line *line = &builder->line;
    struct template_part *parts =
        arena_grow(parser->arena, line->parts, line->n_parts, &builder->parts_cap, sizeof *parts);

    if (!parts) {
        parser->is_lost = true;
        return;
    }
    parts[line->n_parts++] = *part;
    line->parts = parts;
    line->has_placeholder = line->has_placeholder || part->kind != PART_TEXT;
}

static void add_text(struct parser *parser, struct builder *builder, size_t from, size_t to)
{
    struct template_part part = {.kind = PART_TEXT, .text = str_slice(parser->text, from, to - from)};

    if (to > from)
        add_part(parser, builder, &part);
}

static void end_line(struct parser *parser, struct builder *builder)
{
    struct template *template = builder->template;
    struct template_line *lines =
        arena_grow(parser->arena, template->lines, template->n_lines, &builder->lines_cap, sizeof *lines);

    if (!lines) {
        parser->is_lost = true;
        return;
    }
    lines[template->n_lines++] = builder->line;
    template->lines = lines;
    builder->line = (struct template_line){0};
    builder->parts_cap = 0;
}

/* Up to the first of the characters, or the end. */
static struct str take_until(struct parser *parser, const char *stops)
{
    size_t start = parser->pos;

    while (parser->pos < parser->text.len && !strchr(stops, parser->text.ptr[parser->pos]))
        parser->pos++;
    return str_slice(parser->text, start, parser->pos - start);
}

/* An argument up to | or }; in quotes it may hold these too. */
static struct str take_argument(struct parser *parser)
{
    struct str argument;
    const char *end;
    char quote = parser->pos < parser->text.len ? parser->text.ptr[parser->pos] : '\0';

    if (quote != '"' && quote != '\'')
        return take_until(parser, "|}");
    argument = str_slice(parser->text, parser->pos + 1, SIZE_MAX);
    end = argument.len ? memchr(argument.ptr, quote, argument.len) : NULL;
    if (!end) {
        lose(parser, parser->pos, "the quote of this filter's argument is not closed");
        return (struct str){NULL, 0};
    }
    argument.len = (size_t)(end - argument.ptr);
    parser->pos += argument.len + 2;
    return argument;
}

static void complain_filter(struct parser *parser, size_t offset, struct str name)
{
    const char *known[64];
    size_t n = 0;
    struct buf buf;

    for (const struct filter *filter = filter_table; filter->name && n < 64; filter++)
        known[n++] = filter->name;
    buf_init(&buf, ERR_MESSAGE_SIZE);
    append_nearest(&buf, name, known, n);
    complain(parser->complaints, offset, "unknown filter '%.*s'%.*s", STR_ARG(name), STR_ARG(buf_str(&buf)));
    buf_done(&buf);
    parser->has_complained = true;
}

/* Whether the text is one of "s, ms". */
static bool is_choice(const char *choices, struct str text)
{
    struct str rest = str_of(choices), choice;

    while (str_next_part(&rest, ',', &choice)) {
        if (str_eq(str_trim(choice), text))
            return true;
    }
    return false;
}

/* Checks the argument against what the filter takes. */
static void read_argument(struct parser *parser, size_t offset, bool has_argument, struct str text,
                          struct filter_use *use)
{
    const struct filter *filter = use->filter;
    bool is_wrong = false;

    use->count = filter->fallback;
    use->text = text;
    if (filter->arg == FILTER_ARG_NONE && has_argument) {
        complain(parser->complaints, offset, "filter '%s' takes no argument", filter->name);
        is_wrong = true;
    } else if (filter->is_arg_required && !has_argument) {
        complain(parser->complaints, offset, "filter '%s' needs an argument: %s", filter->name,
                 filter->example);
        is_wrong = true;
    } else if (filter->choices && has_argument && !is_choice(filter->choices, text)) {
        complain(parser->complaints, offset, "filter '%s' takes one of %s, not '%.*s'", filter->name,
                 filter->choices, STR_ARG(text));
        is_wrong = true;
    } else if (filter->arg == FILTER_ARG_COUNT && has_argument &&
               (str_to_int(str_trim(text), &use->count) < 0 || use->count < filter->min ||
                use->count > filter->max)) {
        complain(parser->complaints, offset, "filter '%s' takes a whole number from %lld to %lld, not '%.*s'",
                 filter->name, (long long)filter->min, (long long)filter->max, STR_ARG(text));
        is_wrong = true;
    }
    parser->has_complained = parser->has_complained || is_wrong;
}

static void parse_filters(struct parser *parser, struct template_part *part)
{
    size_t cap = 0;

    while (!parser->is_lost && parser->pos < parser->text.len && parser->text.ptr[parser->pos] == '|') {
        size_t offset = ++parser->pos;
        struct str name = str_trim(take_until(parser, ":|}"));
        bool has_argument = parser->pos < parser->text.len && parser->text.ptr[parser->pos] == ':';
        struct filter_use use = {.filter = filter_find(name)};
        struct filter_use *filters;
        struct str argument = {NULL, 0};

        if (has_argument) {
            parser->pos++;
            argument = take_argument(parser);
        }
        if (!use.filter) {
            complain_filter(parser, offset, name);
            continue;
        }
        read_argument(parser, offset, has_argument, argument, &use);
        if (use.filter->is_zoned && parser->names.mode == NAMES_REQUEST)
            ref_need_zone(&parser->names);
        filters = arena_grow(parser->arena, part->filters, part->n_filters, &cap, sizeof *filters);
        if (!filters) {
            parser->is_lost = true;
            return;
        }
        filters[part->n_filters++] = use;
        part->filters = filters;
    }
}

static void parse_block(struct parser *parser, struct template_part *part, char mark, unsigned depth)
{
    bool was_loop = parser->names.is_loop;

    part->kind = mark == '?' ? PART_WHEN : mark == '!' ? PART_UNLESS : PART_EACH;
    parser->pos++;
    if (depth + 1 > TEMPLATE_MAX_DEPTH) {
        lose(parser, parser->pos, "conditions and repetitions stand too deep inside each other");
        return;
    }
    parser->names.is_loop = was_loop || part->kind == PART_EACH;
    part->body = parse_body(parser, depth + 1);
    parser->names.is_loop = was_loop;
}

/* "{name}", "{name|filter:argument}", "{name? shown when there}", "{name! when not}", "{list*each}". */
static void parse_placeholder(struct parser *parser, struct builder *builder, unsigned depth)
{
    struct template_part part = {.kind = PART_VALUE};
    struct err_info err = {0};
    size_t start = parser->pos++;
    struct str name = take_until(parser, "{}|?!*\n");
    char mark = parser->pos < parser->text.len ? parser->text.ptr[parser->pos] : '\0';

    if (ref_resolve(&parser->names, name, &part.ref, &err) < 0) {
        complain(parser->complaints, start, "%s", err.message);
        parser->has_complained = true;
    }
    if (mark == '|')
        parse_filters(parser, &part);
    else if (mark == '?' || mark == '!' || mark == '*')
        parse_block(parser, &part, mark, depth);
    if (!parser->is_lost && (parser->pos >= parser->text.len || parser->text.ptr[parser->pos] != '}'))
        lose(parser, start, "this '{' is not closed; a brace that is meant as such is written '{{'");
    parser->pos++;
    add_part(parser, builder, &part);
}

/* '{{' and '}}'; inside a condition or repetition '}' always closes. */
static bool parse_escape(struct parser *parser, struct builder *builder, unsigned depth)
{
    char c = parser->text.ptr[parser->pos];
    bool is_double = parser->pos + 1 < parser->text.len && parser->text.ptr[parser->pos + 1] == c;

    if (!is_double || (c == '}' && depth > 0))
        return false;
    add_text(parser, builder, parser->pos, parser->pos + 1);
    parser->pos += 2;
    return true;
}

/* Up to the end of the text, or to the '}' that closes the body, which is left to the caller. */
static const struct template *parse_body(struct parser *parser, unsigned depth)
{
    struct builder builder = {.template = arena_calloc(parser->arena, 1, sizeof(struct template))};

    if (!builder.template)
        parser->is_lost = true;
    while (!parser->is_lost && parser->pos < parser->text.len) {
        size_t start = parser->pos;
        char c;

        (void)take_until(parser, "{}\n");
        add_text(parser, &builder, start, parser->pos);
        if (parser->pos >= parser->text.len)
            break;
        c = parser->text.ptr[parser->pos];
        if (c == '\n') {
            parser->pos++;
            end_line(parser, &builder);
        } else if (parse_escape(parser, &builder, depth)) {
            continue;
        } else if (c == '{') {
            parse_placeholder(parser, &builder, depth);
        } else if (depth > 0) {
            break;
        } else {
            lose(parser, parser->pos,
                 "this '}' closes nothing; a brace that is meant as such is written '}}'");
        }
    }
    if (!parser->is_lost)
        end_line(parser, &builder);
    return builder.template;
}

int template_compile(struct str text, const struct names *names, struct arena *arena,
                     const struct complaints *complaints, const struct template **ret_template)
{
    struct parser parser = {.text = text, .arena = arena, .names = *names, .complaints = complaints};
    const struct template *template;

    while (parser.text.len > 0 && parser.text.ptr[parser.text.len - 1] == '\n')
        parser.text.len--;
    if (parser.text.len > 0 && memchr(parser.text.ptr, '\0', parser.text.len)) {
        complain(complaints, 0, "a template cannot hold the character U+0000");
        return ERR_INVALID;
    }
    template = parse_body(&parser, 0);
    if (arena_error(arena))
        return arena_error(arena);
    if (parser.has_complained)
        return ERR_INVALID;
    *ret_template = template;
    return 0;
}

bool template_is_constant(const struct template *template, struct arena *arena, struct str *ret_text)
{
    static const struct template_scope nowhere = {0};
    struct buf buf;

    for (size_t i = 0; i < template->n_lines; i++) {
        if (template->lines[i].has_placeholder)
            return false;
    }
    buf_init(&buf, YAML_MAX_BYTES);
    template_render(template, &nowhere, arena, &buf);
    *ret_text = buf_into_arena(&buf, arena);
    return true;
}
