/* SPDX-License-Identifier: Apache-2.0
 *
 * Templates, from parts to text. Inside a repetition a name is first a member of the element, then of the
 * elements around it, then what the scope's lookup says. Only inserted values pass the scope's guard; the
 * template's own text is trusted.
 */
#include "recipe/recipe_priv.h"

/* One repetition under way. */
struct frame {
    const struct json *element;
    const struct frame *outer;
};

struct renderer {
    const struct template_scope *scope;
    struct arena *scratch;
    struct buf *buf;
    const struct frame *frame;
};

static void render_body(struct renderer *renderer, const struct template *template);

static const struct value *keep_value(struct renderer *renderer, struct value value)
{
    struct value *kept = arena_alloc(renderer->scratch, sizeof *kept);

    if (kept)
        *kept = value;
    return kept;
}

static const struct value *find_value(struct renderer *renderer, const struct recipe_ref *ref)
{
    for (const struct frame *frame = renderer->frame; ref->kind == REF_FIELD && frame; frame = frame->outer) {
        struct str path = ref->column;
        const struct json *node;

        if (str_is(path, "it"))
            return keep_value(renderer,
                              value_of_json(frame->element, FILTER_MAX_TEXT_BYTES, renderer->scratch));
        if (str_starts_with(path, STR_LIT("it.")))
            path = str_slice(path, 3, SIZE_MAX);
        node = json_reach(frame->element, path);
        if (node)
            return keep_value(renderer, value_of_json(node, FILTER_MAX_TEXT_BYTES, renderer->scratch));
    }
    return renderer->scope->lookup ? renderer->scope->lookup(renderer->scope->owner, ref, renderer->scratch)
                                   : NULL;
}

/* Whether nothing but blanks stands before the end of the buffer on its line. */
static bool is_line_start(const struct buf *buf)
{
    size_t pos = buf->len;

    while (pos > 0 && (buf->data[pos - 1] == ' ' || buf->data[pos - 1] == '\t'))
        pos--;
    return pos == 0 || buf->data[pos - 1] == '\n';
}

static void insert_value(struct renderer *renderer, struct value value)
{
    struct buf text;

    if (!renderer->scope->guard) {
        value_print(value, renderer->buf);
        return;
    }
    if (value.type == VALUE_TEXT || value.type == VALUE_DECIMAL || value.type == VALUE_JSON) {
        renderer->scope->guard(renderer->buf, value.text, is_line_start(renderer->buf));
        return;
    }
    buf_init(&text, FILTER_MAX_TEXT_BYTES);
    value_print(value, &text);
    if (buf_error(&text) && !renderer->scratch->err)
        renderer->scratch->err = buf_error(&text);
    renderer->scope->guard(renderer->buf, buf_str(&text), is_line_start(renderer->buf));
    buf_done(&text);
}

static void render_value(struct renderer *renderer, const struct template_part *part)
{
    const struct value *found = find_value(renderer, &part->ref);
    struct value value = found ? *found : value_null();

    for (size_t i = 0; i < part->n_filters; i++) {
        const struct filter_use *use = &part->filters[i];
        struct filter_call call = {.in = value,
                                   .count = use->count,
                                   .text = use->text,
                                   .scope = renderer->scope,
                                   .arena = renderer->scratch};

        value = use->filter->apply(&call);
    }
    if (renderer->scope->has_gap && value_is_empty(value))
        *renderer->scope->has_gap = true;
    if (value.type != VALUE_NULL)
        insert_value(renderer, value);
}

/* The elements of a list, joined by "; "; a single value counts as a list of itself. */
static void render_each(struct renderer *renderer, const struct template_part *part)
{
    const struct value *list = find_value(renderer, &part->ref);
    struct json *root = value_parse_json(list, renderer->scratch);
    bool is_list = json_kind_of(root) == JSON_KIND_ARRAY;
    size_t n = !root ? 0 : is_list ? json_count(root) : 1;
    size_t n_shown = 0;

    for (size_t i = 0; i < n && !buf_error(renderer->buf); i++) {
        struct frame frame = {is_list ? json_at(root, i) : root, renderer->frame};
        size_t start = renderer->buf->len;
        size_t body;

        if (n_shown > 0)
            buf_append_text(renderer->buf, "; ");
        body = renderer->buf->len;
        renderer->frame = &frame;
        render_body(renderer, part->body);
        renderer->frame = frame.outer;
        if (renderer->buf->len == body)
            buf_truncate(renderer->buf, start);
        else
            n_shown++;
    }
    json_free(root);
}

static void render_part(struct renderer *renderer, const struct template_part *part)
{
    switch (part->kind) {
    case PART_TEXT:
        buf_append_str(renderer->buf, part->text);
        break;
    case PART_VALUE:
        render_value(renderer, part);
        break;
    case PART_WHEN:
        if (!value_is_absent(find_value(renderer, &part->ref)))
            render_body(renderer, part->body);
        break;
    case PART_UNLESS:
        if (value_is_absent(find_value(renderer, &part->ref)))
            render_body(renderer, part->body);
        break;
    case PART_EACH:
        render_each(renderer, part);
        break;
    }
}

static bool is_blank(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!memchr(" \t\r\n", text.ptr[i], 4))
            return false;
    }
    return true;
}

static void render_body(struct renderer *renderer, const struct template *template)
{
    struct buf *buf = renderer->buf;
    bool is_first = true;

    for (size_t i = 0; i < template->n_lines; i++) {
        const struct template_line *line = &template->lines[i];
        size_t start = buf->len;
        size_t content;

        if (!is_first)
            buf_append_byte(buf, '\n');
        content = buf->len;
        for (size_t j = 0; j < line->n_parts; j++)
            render_part(renderer, &line->parts[j]);
        /* A body of one line may be blank on purpose: {a? } is a space where there is an a. */
        if (line->has_placeholder && template->n_lines > 1 &&
            is_blank(str_slice(buf_str(buf), content, SIZE_MAX)))
            buf_truncate(buf, start);
        else
            is_first = false;
    }
}

void template_render(const struct template *template, const struct template_scope *scope,
                     struct arena *scratch, struct buf *buf)
{
    struct renderer renderer = {.scope = scope, .scratch = scratch, .buf = buf};
    size_t start = buf->len;

    render_body(&renderer, template);
    if (template->n_lines == 1 && template->lines[0].has_placeholder &&
        is_blank(str_slice(buf_str(buf), start, SIZE_MAX)))
        buf_truncate(buf, start);
}
