/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON: an object with a list of items for each section that has any, stable sections first. The parts are
 * such objects of their own. The line of an item's group is its member `group`.
 */
#include "build/build_priv.h"

static struct str on_item(const struct build_item *item, struct str text, struct arena *arena)
{
    (void)text;
    (void)arena;
    return item->json;
}

static void on_open(const struct build_section *section, const struct build_item *first, struct buf *buf)
{
    (void)first;
    buf_append_byte(buf, '"');
    json_escape(buf, section->plan->step.name);
    buf_append_text(buf, "\":[");
}

static void on_between(const struct build_item *before, const struct build_item *after, struct buf *buf)
{
    (void)before;
    (void)after;
    buf_append_byte(buf, ',');
}

static void on_close(struct buf *buf)
{
    buf_append_byte(buf, ']');
}

static void on_frame(bool has_before, bool has_after, bool is_part_end, struct buf *buf)
{
    (void)is_part_end;
    if (!has_before)
        buf_append_byte(buf, '{');
    if (has_before && has_after)
        buf_append_byte(buf, ',');
    if (!has_after)
        buf_append_byte(buf, '}');
}

static void on_part(const struct build *build, bool is_stable, struct buf *buf)
{
    format_write_part(&format_json, build, is_stable, buf);
}

const struct build_format_ops format_json = {
    .name = "json",
    .separator = ",",
    .on_item = on_item,
    .on_open = on_open,
    .on_between = on_between,
    .on_close = on_close,
    .on_frame = on_frame,
    .on_part = on_part,
};
