/* SPDX-License-Identifier: Apache-2.0
 *
 * What the formats share: the table of them, and a section as Markdown.
 */
#include "build/build_priv.h"

const struct build_format_ops *build_format_find(enum build_format format)
{
    static const struct build_format_ops *const formats[] = {[FORMAT_MARKDOWN] = &format_markdown,
                                                             [FORMAT_JSON] = &format_json,
                                                             [FORMAT_MESSAGES] = &format_messages};
    return formats[format];
}

bool section_is_shown(const struct build_section *section)
{
    for (size_t i = 0; i < section->n_items; i++)
        if (item_is_kept(&section->items[i]))
            return true;
    return false;
}

void format_each_kept(const struct build_section *section, struct buf *buf,
                      void (*visit)(const struct build_item *item, struct buf *buf))
{
    for (size_t i = 0; i < section->n_items; i++) {
        const struct build_item *item = &section->items[section->printed[i]];
        if (item_is_kept(item))
            visit(item, buf);
    }
}

static void put_line(const struct build_item *item, struct buf *buf)
{
    buf_append_str(buf, item_text(item));
    buf_append_byte(buf, '\n');
}

void format_markdown_section(const struct build_section *section, struct buf *buf)
{
    if (!str_is_empty(section->plan->title)) {
        buf_append_text(buf, "## ");
        buf_append_str(buf, section->plan->title);
        buf_append_byte(buf, '\n');
    }
    format_each_kept(section, buf, put_line);
    if (!buf_error(buf) && buf->len > 0)
        buf_truncate(buf, buf->len - 1); /* the last newline: what comes next brings its own */
}

void format_markdown_part(const struct build *build, bool is_stable, struct buf *buf)
{
    for (size_t i = 0; i < build->recipe->n_sections; i++) {
        const struct build_section *section = &build->sections[i];
        if (section->plan->is_stable != is_stable || !section_is_shown(section))
            continue;
        if (buf->len > 0)
            buf_append_text(buf, "\n\n");
        format_markdown_section(section, buf);
    }
}
