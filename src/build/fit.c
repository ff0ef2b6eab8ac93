/* SPDX-License-Identifier: Apache-2.0
 *
 * fit: which items stand in the context, so that the finished text never has more tokens than the budget.
 *
 * Sections choose in order of priority, each best item first. While one chooses, the floors of those after it
 * are out of reach: for each the tokens that it would take of its floor, no more. An item that does not fit
 * is passed over (or cut, where the section allows it) and smaller ones behind it get their chance. So no
 * kept item could give way to a dropped one of higher priority unless its section fell below its floor.
 *
 * Choosing works on upper bounds: tokens of each piece plus what a seam may cost. Then the finished text is
 * counted whole, and the choice is made anew with what the bounds held back. Should the text be over all the
 * same, its last items go until it is not.
 */
#include "build/build_priv.h"

#define MIN_SHORTENED_TOKENS 12 /* less says nothing */
#define EDGE_TOKENS          4  /* newlines at both ends of the pieces, which the whole has not */
#define MAX_ROUNDS           3  /* the second finds nearly all there is; each counts the whole text */
#define MAX_TEXT_BYTES       ((size_t)64 * 1024 * 1024)

struct fitter {
    struct build *build;
    int64_t used;         /* by bounds */
    int64_t empty_tokens; /* of a context without items */
    int64_t frame_tokens; /* of what stands around a part */
    bool is_open[2];      /* the parts: something stands in it */
    struct buf scratch;
    int err; /* the first that a buffer met: clearing one forgets it */
};

/* ---- what things cost ---- */

static void latch(struct fitter *fitter, const struct buf *buf)
{
    if (!fitter->err)
        fitter->err = buf_error(buf);
}

/* Of what was written since the buffer was cleared. */
static int64_t scratch_tokens(struct fitter *fitter)
{
    latch(fitter, &fitter->scratch);
    const struct tokenizer *tokenizer = fitter->build->tokenizer;
    return tokenizer->count(buf_str(&fitter->scratch)) + tokenizer->seam_tokens;
}

static int64_t item_tokens(struct fitter *fitter, struct build_item *item)
{
    if (item->tokens < 0) {
        buf_clear(&fitter->scratch);
        fitter->build->format->on_item(item, &fitter->scratch);
        item->tokens = scratch_tokens(fitter);
    }
    return item->tokens;
}

/* What the section's first item pays besides itself. */
static int64_t opening_tokens(struct fitter *fitter, struct build_section *section)
{
    if (section->used_tokens > 0)
        return 0;
    if (section->heading_tokens < 0) {
        buf_clear(&fitter->scratch);
        fitter->build->format->on_heading(section, &fitter->scratch);
        section->heading_tokens = scratch_tokens(fitter);
    }
    return section->heading_tokens + (fitter->is_open[section->plan->is_stable] ? 0 : fitter->frame_tokens);
}

/* ---- one section ---- */

/* A fence that the template opened must be closed: such an item is whole or not at all. */
static bool may_shorten(const struct fitter *fitter, const struct build_section *section,
                        const struct build_item *item)
{
    return section->plan->may_shorten && fitter->build->format->has_markdown && !item->is_notice &&
           !str_starts_with(item->text, STR_LIT("```")) && str_find(item->text, STR_LIT("\n```")) < 0;
}

/* Cuts the item so that it costs `room` at most; false when too little of it would be left. */
static bool shorten(struct fitter *fitter, struct build_item *item, int64_t room)
{
    struct build *build = fitter->build;
    struct build_item cut = *item;
    struct buf text;
    int64_t max_tokens = room - build->tokenizer->seam_tokens - 1; /* the newline */
    if (max_tokens < MIN_SHORTENED_TOKENS)
        return false;
    buf_init(&text, MAX_TEXT_BYTES);
    (void)text_append_cut(&text, item->text, build->tokenizer, max_tokens);
    cut.text = arena_copy(&build->arena, buf_str(&text));
    latch(fitter, &text);
    buf_done(&text);
    cut.tokens = -1;
    if (str_is_empty(cut.text) || item_tokens(fitter, &cut) > room ||
        cut.tokens - build->tokenizer->seam_tokens < MIN_SHORTENED_TOKENS)
        return false;
    item->cut = cut.text;
    item->cut_tokens = cut.tokens;
    return true;
}

static void keep(struct fitter *fitter, struct build_section *section, struct build_item *item,
                 enum item_fate fate, int64_t cost)
{
    item->fate = fate;
    fitter->is_open[section->plan->is_stable] = true;
    section->used_tokens += cost;
    fitter->used += cost;
}

/* The section takes what it can of `room` tokens, best first. */
static void take(struct fitter *fitter, struct build_section *section, int64_t room)
{
    for (size_t i = 0; i < section->n_items; i++) {
        struct build_item *item = &section->items[i];
        if (item->fate != ITEM_OPEN)
            continue;
        int64_t opening = opening_tokens(fitter, section);
        int64_t below_max = section->plan->max_tokens - section->used_tokens;
        int64_t left = room < below_max ? room : below_max;
        int64_t cost = opening + item_tokens(fitter, item);
        if (cost <= left) {
            keep(fitter, section, item, ITEM_FITS, cost);
            room -= cost;
        } else if (may_shorten(fitter, section, item) && shorten(fitter, item, left - opening)) {
            keep(fitter, section, item, ITEM_SHORTENED, opening + item->cut_tokens);
            room -= opening + item->cut_tokens;
        } else {
            item->fate = cost <= room ? ITEM_OVER_SECTION_MAX : ITEM_NO_ROOM;
        }
    }
}

/* What the section would take of its floor, were it alone: this much is kept for it. */
static int64_t floor_need(struct fitter *fitter, struct build_section *section, int64_t floor)
{
    int64_t used = 0;
    if (floor > section->plan->max_tokens)
        floor = section->plan->max_tokens;
    for (size_t i = 0; i < section->n_items && used < floor; i++) {
        struct build_item *item = &section->items[i];
        if (item->fate != ITEM_OPEN)
            continue;
        int64_t opening = used == 0 ? opening_tokens(fitter, section) : 0;
        int64_t cost = opening + item_tokens(fitter, item);
        if (used + cost <= floor)
            used += cost;
        else if (may_shorten(fitter, section, item) && floor - used - opening > MIN_SHORTENED_TOKENS)
            used = floor;
    }
    return used;
}

/* ---- all sections ---- */

/* Takes back what an earlier choice decided. */
static void reopen(struct fitter *fitter)
{
    struct build *build = fitter->build;
    fitter->used = fitter->empty_tokens;
    fitter->is_open[0] = fitter->is_open[1] = false;
    for (size_t i = 0; i < build->recipe->n_sections; i++) {
        struct build_section *section = &build->sections[i];
        section->used_tokens = 0;
        for (size_t j = 0; j < section->n_items; j++) {
            struct build_item *item = &section->items[j];
            if (item_is_kept(item) || item->fate == ITEM_NO_ROOM || item->fate == ITEM_OVER_SECTION_MAX)
                item->fate = ITEM_OPEN;
        }
    }
}

/* Decides every open item's fate for `total` tokens by bounds. */
static void choose(struct fitter *fitter, int64_t total)
{
    struct build *build = fitter->build;
    int64_t needs[RECIPE_MAX_STEPS] = {0}, reserved = 0;
    size_t n = build->recipe->n_sections;
    reopen(fitter);
    for (size_t i = 0; i < n; i++) {
        struct build_section *section = &build->sections[i];
        int64_t left = total - fitter->used - reserved;
        int64_t floor = section->plan->min_tokens < left ? section->plan->min_tokens : left;
        needs[i] = floor > 0 ? floor_need(fitter, section, floor) : 0;
        reserved += needs[i];
    }
    for (size_t i = 0; i < n; i++) {
        reserved -= needs[i];
        take(fitter, &build->sections[i], total - fitter->used - reserved);
    }
}

static bool has_no_room(const struct build *build)
{
    for (size_t i = 0; i < build->recipe->n_sections; i++)
        for (size_t j = 0; j < build->sections[i].n_items; j++)
            if (build->sections[i].items[j].fate == ITEM_NO_ROOM ||
                build->sections[i].items[j].fate == ITEM_SHORTENED)
                return true;
    return false;
}

/* The kept item that matters least: false when none is left. */
static bool drop_last(struct build *build)
{
    for (size_t i = build->recipe->n_sections; i-- > 0;)
        for (size_t j = build->sections[i].n_items; j-- > 0;)
            if (item_is_kept(&build->sections[i].items[j])) {
                build->sections[i].items[j].fate = ITEM_NO_ROOM;
                return true;
            }
    return false;
}

/* Writes the context and counts it. */
static void write_context(struct fitter *fitter)
{
    struct build *build = fitter->build;
    buf_clear(&build->stable);
    buf_clear(&build->volatile_);
    buf_clear(&build->context);
    build->format->on_part(build, true, &build->stable);
    build->format->on_part(build, false, &build->volatile_);
    build->format->on_join(buf_str(&build->stable), buf_str(&build->volatile_), &build->context);
    latch(fitter, &build->stable);
    latch(fitter, &build->volatile_);
    latch(fitter, &build->context);
    build->answer_tokens = build->tokenizer->count(buf_str(&build->context));
}

/* A section that had something to say and no room for any of it. */
static void settle_sections(struct fitter *fitter)
{
    struct build *build = fitter->build;
    for (size_t i = 0; i < build->recipe->n_sections; i++) {
        struct build_section *section = &build->sections[i];
        bool is_shown = section_is_shown(section);
        if (!is_shown && (section->status == SECTION_OK || section->status == SECTION_STALE))
            section->status = SECTION_DROPPED;
        buf_clear(&fitter->scratch);
        if (is_shown && build->format->has_markdown)
            format_markdown_section(section, &fitter->scratch);
        else if (is_shown)
            format_each_kept(section, &fitter->scratch, build->format->on_item);
        latch(fitter, &fitter->scratch);
        section->tokens = build->tokenizer->count(buf_str(&fitter->scratch));
    }
}

/* Chooses by bounds, counts what came of it, and chooses anew with what the bounds held back, as long as that
 * keeps more. */
static void choose_and_write(struct fitter *fitter)
{
    struct build *build = fitter->build;
    int64_t total = build->max_tokens;
    choose(fitter, total);
    write_context(fitter);
    for (int round = 0; round < MAX_ROUNDS && build->answer_tokens < build->max_tokens && has_no_room(build);
         round++) {
        int64_t used = fitter->used;
        bool is_empty = used == fitter->empty_tokens;
        int64_t more = build->max_tokens + (is_empty ? EDGE_TOKENS : used - build->answer_tokens);
        choose(fitter, more);
        if (fitter->used == used)
            break;
        write_context(fitter);
        if (build->answer_tokens > build->max_tokens) {
            choose(fitter, total);
            write_context(fitter);
            break;
        }
        total = more;
    }
    while (build->answer_tokens > build->max_tokens && drop_last(build))
        write_context(fitter);
}

int build_fit(struct build *build, struct err_info *reterr)
{
    struct fitter fitter = {.build = build};
    buf_init(&fitter.scratch, MAX_TEXT_BYTES);
    buf_append_text(&fitter.scratch, build->format->part_frame);
    fitter.frame_tokens = fitter.scratch.len ? scratch_tokens(&fitter) : 0;
    write_context(&fitter);
    fitter.empty_tokens = build->answer_tokens; /* "{}" has tokens, too */
    choose_and_write(&fitter);
    settle_sections(&fitter);

    buf_done(&fitter.scratch);
    int err = fitter.err ? fitter.err : arena_error(&build->arena);
    return err ? err_set(reterr, err, "the context is too large to be written") : 0;
}
