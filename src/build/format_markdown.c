/* SPDX-License-Identifier: Apache-2.0
 *
 * Markdown: "## Title" and an item a line; sections, and the two parts, apart by a blank line. Stable
 * sections stand first, so that a provider's prompt cache holds over them.
 */
#include "build/build_priv.h"

static void on_heading(const struct build_section *section, struct buf *buf)
{
    buf_append_byte(buf, '\n'); /* a blank line; the item before brought the first newline */
    if (str_is_empty(section->plan->title))
        return;
    buf_append_text(buf, "## ");
    buf_append_str(buf, section->plan->title);
    buf_append_byte(buf, '\n');
}

static void on_item(const struct build_item *item, struct buf *buf)
{
    buf_append_str(buf, item_text(item));
    buf_append_byte(buf, '\n');
}

static void on_join(struct str stable, struct str volatile_, struct buf *buf)
{
    buf_append_str(buf, stable);
    if (stable.len > 0 && volatile_.len > 0)
        buf_append_text(buf, "\n\n");
    buf_append_str(buf, volatile_);
}

const struct build_format_ops format_markdown = {
    .name = "markdown",
    .has_markdown = true,
    .part_frame = "",
    .on_heading = on_heading,
    .on_item = on_item,
    .on_part = format_markdown_part,
    .on_join = on_join,
};
