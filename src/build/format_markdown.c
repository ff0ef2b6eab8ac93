/* SPDX-License-Identifier: Apache-2.0
 *
 * Markdown: "## Title" and an item a line, under the line of its group where it has one; sections, and the
 * two parts, apart by a blank line. Stable sections stand first, so that a provider's prompt cache holds over
 * them.
 */
#include "build/build_priv.h"

static struct str on_item(const struct build_item *item, struct str text, struct arena *arena)
{
    (void)item;
    (void)arena;
    return text;
}

static void append_group(const struct build_item *item, struct buf *buf)
{
    if (str_is_empty(item->group))
        return;
    buf_append_str(buf, item->group);
    buf_append_byte(buf, '\n');
}

static void on_open(const struct build_section *section, const struct build_item *first, struct buf *buf)
{
    if (!str_is_empty(section->plan->title)) {
        buf_append_text(buf, "## ");
        buf_append_str(buf, section->plan->title);
        buf_append_byte(buf, '\n');
    }
    append_group(first, buf);
}

static void on_between(const struct build_item *before, const struct build_item *after, struct buf *buf)
{
    buf_append_byte(buf, '\n');
    if (!str_eq(before->group, after->group))
        append_group(after, buf);
}

static void on_close(struct buf *buf)
{
    (void)buf;
}

static void on_frame(bool has_before, bool has_after, bool is_part_end, struct buf *buf)
{
    (void)is_part_end;
    if (has_before && has_after)
        buf_append_text(buf, "\n\n");
}

static void on_part(const struct build *build, bool is_stable, struct buf *buf)
{
    format_write_part(&format_markdown, build, is_stable, buf);
}

const struct build_format_ops format_markdown = {
    .name = "markdown",
    .has_markdown = true,
    .separator = "\n",
    .on_item = on_item,
    .on_open = on_open,
    .on_between = on_between,
    .on_close = on_close,
    .on_frame = on_frame,
    .on_part = on_part,
};
