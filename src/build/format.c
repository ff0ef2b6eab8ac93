/* SPDX-License-Identifier: Apache-2.0
 *
 * What the formats share: the table of them, and the walk over what is kept, in the order of print.
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

void format_append_glue(const struct build_format_ops *format, struct build_place before,
                        struct build_place after, bool has_frame, struct buf *buf)
{
    if (before.item && after.item && before.section == after.section) {
        format->on_between(before.item, after.item, buf);
        return;
    }
    if (before.item)
        format->on_close(buf);
    if (has_frame)
        format->on_frame(before.item != NULL, after.item != NULL,
                         before.item && after.item &&
                             before.section->plan->is_stable != after.section->plan->is_stable,
                         buf);
    if (after.item)
        format->on_open(after.section, after.item, buf);
}

/* Appends the sections of one part behind `last`; returns the last kept item by then. */
static struct build_place write_sections(const struct build_format_ops *format, const struct build *build,
                                         bool is_stable, struct build_place last, struct buf *buf)
{
    bool is_own = format == build->format;
    for (size_t i = 0; i < build->recipe->n_sections; i++) {
        struct build_section *section = &build->sections[i];
        for (size_t j = 0; section->plan->is_stable == is_stable && j < section->n_items; j++) {
            struct build_place here = {section, &section->items[section->printed[j]]};
            if (!item_is_kept(here.item))
                continue;
            format_append_glue(format, last, here, true, buf);
            buf_append_str(buf, is_own ? here.item->piece.text : item_text(here.item));
            last = here;
        }
    }
    return last;
}

void format_write_context(const struct build *build, struct buf *buf)
{
    struct build_place last = {0}, end = {0};
    last = write_sections(build->format, build, true, last, buf);
    last = write_sections(build->format, build, false, last, buf);
    format_append_glue(build->format, last, end, true, buf);
}

void format_write_part(const struct build_format_ops *format, const struct build *build, bool is_stable,
                       struct buf *buf)
{
    struct build_place last = {0}, end = {0};
    last = write_sections(format, build, is_stable, last, buf);
    format_append_glue(format, last, end, true, buf);
}
