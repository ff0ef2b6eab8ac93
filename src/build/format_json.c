/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON: an object with a list of items for each section that has any, stable sections first. The parts are
 * such objects of their own; joined they are one.
 */
#include "build/build_priv.h"

static void on_heading(const struct build_section *section, struct buf *buf)
{
    buf_append_text(buf, ",\"");
    json_escape(buf, section->plan->step.name);
    buf_append_text(buf, "\":[]");
}

static void on_item(const struct build_item *item, struct buf *buf)
{
    buf_append_str(buf, item->json);
    buf_append_byte(buf, ',');
}

static void on_part(const struct build *build, bool is_stable, struct buf *buf)
{
    buf_append_byte(buf, '{');
    for (size_t i = 0; i < build->recipe->n_sections; i++) {
        const struct build_section *section = &build->sections[i];
        if (section->plan->is_stable != is_stable || !section_is_shown(section))
            continue;
        buf_append_text(buf, buf->len > 1 ? ",\"" : "\"");
        json_escape(buf, section->plan->step.name);
        buf_append_text(buf, "\":[");
        format_each_kept(section, buf, on_item);
        if (!buf_error(buf))
            buf_truncate(buf, buf->len - 1); /* the comma after the last */
        buf_append_byte(buf, ']');
    }
    buf_append_byte(buf, '}');
}

static void on_join(struct str stable, struct str volatile_, struct buf *buf)
{
    /* Both are "{...}", or nothing where a buffer failed. */
    struct str first = stable.len > 2 ? str_slice(stable, 1, stable.len - 2) : str_make(NULL, 0);
    struct str second = volatile_.len > 2 ? str_slice(volatile_, 1, volatile_.len - 2) : str_make(NULL, 0);
    buf_append_byte(buf, '{');
    buf_append_str(buf, first);
    if (first.len > 0 && second.len > 0)
        buf_append_byte(buf, ',');
    buf_append_str(buf, second);
    buf_append_byte(buf, '}');
}

const struct build_format_ops format_json = {
    .name = "json",
    .part_frame = "",
    .on_heading = on_heading,
    .on_item = on_item,
    .on_part = on_part,
    .on_join = on_join,
};
