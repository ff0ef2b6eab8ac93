/* SPDX-License-Identifier: Apache-2.0
 *
 * fit: which items stand in the context, so that the finished text never has more tokens than the budget.
 *
 * Sections choose in order of priority, each the best item first, or the one that gives most for its tokens.
 * While one chooses, the floors of those after it are out of reach: for each the tokens that it would take of
 * its floor, no more. An item that does not fit is passed over (or shortened, where the section allows it)
 * and smaller ones behind it get their chance. So, by rank, no kept item could give way to a dropped one of
 * higher priority unless its section fell below its floor.
 *
 * The ledger knows at each moment what the text would cost, so that each item is counted once and the
 * finished text not at all.
 */
#include "build/ledger.h"

#include "text/gist.h"

#include <math.h>
#include <stdlib.h>

#define MIN_SHORTENED_TOKENS 12 /* less says nothing */
#define MAX_CUTS             3  /* attempts at a length: what is escaped costs more than its text */
#define MAX_IN_VAIN          8  /* items that could not be shortened enough, after which none is tried */
#define MAX_TEXT_BYTES       ((size_t)64 * 1024 * 1024)

struct fitter {
    struct build *build;
    struct ledger ledger;
    bool is_open[2];        /* the parts: something stands in it */
    struct text_gist *gist; /* made when the first item is shortened */
    struct buf scratch;
    /* Of each section when it had chosen: how much the context might have, and what it had. */
    int64_t limits[RECIPE_MAX_STEPS], units[RECIPE_MAX_STEPS];
    int err; /* the first that a buffer met: clearing one forgets it */
};

static void latch(struct fitter *fitter, const struct buf *buf)
{
    if (!fitter->err)
        fitter->err = buf_error(buf);
}

/* ---- what things cost ---- */

static int64_t used_tokens(const struct fitter *fitter)
{
    return tokens_of_units(fitter->build->tokenizer, fitter->ledger.units);
}

static int64_t item_tokens(struct fitter *fitter, struct build_item *item)
{
    if (item->tokens < 0)
        item->tokens = ledger_item_tokens(&fitter->ledger, item);
    return item->tokens;
}

/* What the section's first item would cost besides itself, behind another section. */
static int64_t opening_tokens(struct fitter *fitter, const struct build_section *section,
                              const struct build_item *first)
{
    const struct build_format_ops *format = fitter->build->format;
    const struct tokenizer *tokenizer = fitter->build->tokenizer;
    buf_clear(&fitter->scratch);
    format->on_close(&fitter->scratch);
    format->on_frame(true, true, !fitter->is_open[section->plan->is_stable], &fitter->scratch);
    format->on_open(section, first, &fitter->scratch);
    latch(fitter, &fitter->scratch);
    return tokenizer->count(buf_str(&fitter->scratch)) - tokenizer->count(str_of(format->separator));
}

/* ---- one item ---- */

/* What keeping an item as it is would come to. */
struct offer {
    int64_t units, section_units;
    int64_t over_budget, over_ceiling; /* tokens too many; 0 and less: it fits */
};

/* How far an item that does not fit is over the budget, is_exact or only that it is. */
static struct offer weigh(struct fitter *fitter, const struct build_section *section,
                          const struct build_item *item, int64_t limit, bool is_exact)
{
    const struct tokenizer *tokenizer = fitter->build->tokenizer;
    int64_t max_units = is_exact ? INT64_MAX : limit * tokenizer->units_per_token;
    struct offer offer = {0};
    offer.units = ledger_units_with(&fitter->ledger, section, item, max_units, &offer.section_units);
    offer.over_budget =
        offer.units == INT64_MAX ? INT64_MAX : tokens_of_units(tokenizer, offer.units) - limit;
    offer.over_ceiling = tokens_of_units(tokenizer, offer.section_units) - section->plan->max_tokens;
    return offer;
}

static int64_t over(const struct offer *offer)
{
    return offer->over_budget > offer->over_ceiling ? offer->over_budget : offer->over_ceiling;
}

static void keep(struct fitter *fitter, struct build_section *section, struct build_item *item,
                 enum item_fate fate, const struct offer *offer)
{
    item->fate = fate;
    fitter->is_open[section->plan->is_stable] = true;
    section->used_units = offer->section_units;
    ledger_put(&fitter->ledger, item, offer->units);
}

/* A fence that the template opened must be closed: such an item is whole or not at all. */
static bool may_shorten(const struct fitter *fitter, const struct build_section *section,
                        const struct build_item *item)
{
    return section->plan->shorten && fitter->build->format->has_markdown && !item->is_notice &&
           !str_starts_with(item->text, STR_LIT("```")) && str_find(item->text, STR_LIT("\n```")) < 0;
}

/* The text in at most so many tokens, by that step; "" when it cannot be. */
static struct str cut_text(struct fitter *fitter, struct str text, enum recipe_shorten step,
                           int64_t max_tokens)
{
    struct build *build = fitter->build;
    struct buf buf;
    int rc = 0;
    if (!fitter->gist)
        rc = text_gist_new(build->request->query, &fitter->gist, NULL);
    buf_init(&buf, MAX_TEXT_BYTES);
    if (rc == 0 && step == SHORTEN_CORE)
        rc = text_append_core(&buf, text, fitter->gist, build->tokenizer, max_tokens);
    else if (rc == 0)
        rc = text_append_line(&buf, text, fitter->gist, build->tokenizer, max_tokens);
    struct str cut = arena_copy(&build->arena, buf_str(&buf));
    latch(fitter, &buf);
    buf_done(&buf);
    if (rc < 0 && !fitter->err)
        fitter->err = rc;
    return cut;
}

/* Keeps as much of the item as this step makes of it and there is room for; false when that is too little. */
static bool step_down(struct fitter *fitter, struct build_section *section, struct build_item *item,
                      enum recipe_shorten step, int64_t room, int64_t limit)
{
    for (int i = 0; i < MAX_CUTS && room >= MIN_SHORTENED_TOKENS; i++) {
        struct str cut = cut_text(fitter, item->text, step, room);
        ledger_measure(&fitter->ledger, item, cut);
        int64_t tokens = ledger_item_tokens(&fitter->ledger, item);
        if (str_is_empty(cut) || tokens < MIN_SHORTENED_TOKENS)
            return false;
        struct offer offer = weigh(fitter, section, item, limit, true);
        if (over(&offer) <= 0) {
            item->cut = cut;
            item->step = step == SHORTEN_CORE ? "core" : "line";
            item->tokens = tokens;
            keep(fitter, section, item, ITEM_SHORTENED, &offer);
            return true;
        }
        room -= over(&offer);
    }
    return false;
}

static bool has_room_for_some(const struct fitter *fitter, int64_t limit)
{
    return limit - used_tokens(fitter) >= MIN_SHORTENED_TOKENS;
}

/* Keeps something of an item that may be shortened, if there is room for enough of it. */
static bool shorten(struct fitter *fitter, struct build_section *section, struct build_item *item,
                    int64_t limit)
{
    static const enum recipe_shorten steps[] = {SHORTEN_CORE, SHORTEN_LINE};
    struct build_piece whole = item->piece;
    ledger_measure(&fitter->ledger, item, STR_LIT("")); /* what stands around it, by itself */
    struct offer offer = weigh(fitter, section, item, limit, true);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (section->plan->shorten & steps[i] &&
            step_down(fitter, section, item, steps[i], -over(&offer), limit))
            return true;
    item->piece = whole;
    return false;
}

/* ---- one section ---- */

#define RANK_SHIFT   10.0 /* the eleventh item is worth half of the first */
#define TOKENS_SHIFT 64.0 /* to be short is no merit by itself */

/* What the i-th best item is worth for each token that it takes, for CHOOSE_GAIN. */
static double gain_of(const struct fitter *fitter, const struct build_section *section, size_t i)
{
    int64_t tokens = tokens_of_units(fitter->build->tokenizer, section->items[i].piece.cost.inner_units);
    return 1.0 / ((RANK_SHIFT + (double)i) * (TOKENS_SHIFT + (double)tokens));
}

struct gain {
    double gain;
    size_t i;
};

static int compare_gains(const void *a, const void *b)
{
    const struct gain *left = a, *right = b;
    if (left->gain != right->gain)
        return left->gain > right->gain ? -1 : 1;
    return left->i < right->i ? -1 : left->i > right->i;
}

/* Open items are measured, and put into the order in which they are offered room. Items without scores have
 * no worth but their order. */
static void prepare(struct fitter *fitter, struct build_section *section)
{
    struct arena *arena = &fitter->build->arena;
    bool has_gain = section->plan->choice == CHOOSE_GAIN && section->n_items > 0;
    struct gain *gains = arena_calloc(arena, section->n_items + 1, sizeof *gains);
    section->chosen = arena_calloc(arena, section->n_items + 1, sizeof *section->chosen);
    for (size_t i = 0; gains && section->chosen && i < section->n_items; i++) {
        struct build_item *item = &section->items[i];
        if (item->fate == ITEM_OPEN)
            ledger_measure(&fitter->ledger, item, item->text);
        has_gain = has_gain && !isnan(item->score);
        gains[i] = (struct gain){gain_of(fitter, section, i), i};
    }
    if (gains && has_gain)
        qsort(gains, section->n_items, sizeof *gains, compare_gains);
    for (size_t i = 0; gains && section->chosen && i < section->n_items; i++)
        section->chosen[i] = gains[i].i;
}

static bool offer_whole(struct fitter *fitter, struct build_section *section, struct build_item *item,
                        int64_t limit)
{
    struct offer offer = weigh(fitter, section, item, limit, false);
    if (over(&offer) <= 0)
        keep(fitter, section, item, ITEM_FITS, &offer);
    else
        item->fate = offer.over_budget > 0 ? ITEM_NO_ROOM : ITEM_OVER_SECTION_MAX;
    return item->fate == ITEM_FITS;
}

static bool is_left_out(const struct build_item *item)
{
    return item->fate == ITEM_NO_ROOM || item->fate == ITEM_OVER_SECTION_MAX;
}

/* The section takes what it can, first things first, while the context has at most `limit` tokens. By rank,
 * an item may be shortened before those behind it are asked; by gain, all are first offered room as they are.
 */
static void take(struct fitter *fitter, struct build_section *section, int64_t limit)
{
    bool is_by_gain = section->plan->choice == CHOOSE_GAIN;
    for (size_t i = 0; i < section->n_items; i++) {
        struct build_item *item = &section->items[section->chosen[i]];
        if (item->fate == ITEM_OPEN && !offer_whole(fitter, section, item, limit) && !is_by_gain &&
            has_room_for_some(fitter, limit) && may_shorten(fitter, section, item))
            (void)shorten(fitter, section, item, limit); /* or it stays left out */
    }
    int n_in_vain = 0;
    for (size_t i = 0; is_by_gain && i < section->n_items && n_in_vain < MAX_IN_VAIN; i++) {
        struct build_item *item = &section->items[section->chosen[i]];
        if (!has_room_for_some(fitter, limit))
            break;
        if (is_left_out(item) && may_shorten(fitter, section, item))
            n_in_vain += !shorten(fitter, section, item, limit);
    }
}

/* What the section would take of its floor, were it alone: this much is kept for it. */
static int64_t floor_need(struct fitter *fitter, struct build_section *section, int64_t floor)
{
    int64_t used = 0;
    if (floor > section->plan->max_tokens)
        floor = section->plan->max_tokens;
    for (size_t i = 0; i < section->n_items && used < floor; i++) {
        struct build_item *item = &section->items[section->chosen[i]];
        if (item->fate != ITEM_OPEN)
            continue;
        int64_t opening = used == 0 ? opening_tokens(fitter, section, item) : 0;
        int64_t cost = opening + item_tokens(fitter, item);
        if (used + cost <= floor)
            used += cost;
        else if (may_shorten(fitter, section, item) && floor - used - opening > MIN_SHORTENED_TOKENS)
            used = floor;
    }
    return used;
}

/* ---- all sections ---- */

/* Decides every open item's fate. */
static void choose(struct fitter *fitter)
{
    struct build *build = fitter->build;
    int64_t needs[RECIPE_MAX_STEPS] = {0}, reserved = 0;
    size_t n = build->recipe->n_sections;
    for (size_t i = 0; i < n; i++)
        prepare(fitter, &build->sections[i]);
    if (arena_error(&build->arena))
        return;
    for (size_t i = 0; i < n; i++) {
        struct build_section *section = &build->sections[i];
        int64_t left = build->max_tokens - used_tokens(fitter) - reserved;
        int64_t floor = section->plan->min_tokens < left ? section->plan->min_tokens : left;
        needs[i] = floor > 0 ? floor_need(fitter, section, floor) : 0;
        reserved += needs[i];
    }
    for (size_t i = 0; i < n; i++) {
        reserved -= needs[i];
        fitter->limits[i] = build->max_tokens - reserved;
        take(fitter, &build->sections[i], fitter->limits[i]);
        fitter->units[i] = fitter->ledger.units;
    }
}

/* What was kept back for floors and not used goes to those that had no room, in the same order. A section
 * from which nothing was kept back, and behind which nothing was put, would only hear the same again. */
static void fill(struct fitter *fitter)
{
    struct build *build = fitter->build;
    for (size_t i = 0; i < build->recipe->n_sections; i++) {
        struct build_section *section = &build->sections[i];
        if (fitter->limits[i] == build->max_tokens && fitter->units[i] == fitter->ledger.units)
            continue;
        for (size_t j = 0; j < section->n_items; j++)
            if (section->items[j].fate == ITEM_NO_ROOM)
                section->items[j].fate = ITEM_OPEN;
        take(fitter, section, build->max_tokens);
    }
}

/* The text and its parts. */
static void write_context(struct fitter *fitter)
{
    struct build *build = fitter->build;
    format_write_context(build, &build->context);
    build->format->on_part(build, true, &build->stable);
    build->format->on_part(build, false, &build->volatile_);
    latch(fitter, &build->context);
    latch(fitter, &build->stable);
    latch(fitter, &build->volatile_);
    build->answer_tokens = used_tokens(fitter);
}

/* What each item cost or would have, for those who want to know. */
static void explain_items(struct fitter *fitter)
{
    struct build *build = fitter->build;
    for (size_t i = 0; i < build->recipe->n_sections; i++)
        for (size_t j = 0; j < build->sections[i].n_items; j++)
            if (build->sections[i].items[j].piece.is_measured)
                (void)item_tokens(fitter, &build->sections[i].items[j]);
}

/* A section that had something to say and no room for any of it. */
static void settle_sections(struct fitter *fitter)
{
    struct build *build = fitter->build;
    for (size_t i = 0; i < build->recipe->n_sections; i++) {
        struct build_section *section = &build->sections[i];
        if (section_is_shown(section))
            section->tokens = ledger_section_tokens(&fitter->ledger, section);
        else if (section->status == SECTION_OK || section->status == SECTION_STALE)
            section->status = SECTION_DROPPED;
    }
}

int build_fit(struct build *build, struct err_info *reterr)
{
    struct fitter fitter = {.build = build};
    buf_init(&fitter.scratch, MAX_TEXT_BYTES);
    ledger_init(&fitter.ledger, build);
    if (!arena_error(&build->arena)) {
        choose(&fitter);
        if (!arena_error(&build->arena))
            fill(&fitter);
        write_context(&fitter);
        settle_sections(&fitter);
        if (build->request->wants_explain)
            explain_items(&fitter);
    }
    int err = fitter.err ? fitter.err : fitter.ledger.err;
    ledger_done(&fitter.ledger);
    text_gist_free(fitter.gist);
    buf_done(&fitter.scratch);
    err = err ? err : arena_error(&build->arena);
    return err ? err_set(reterr, err, "the context is too large to be written") : 0;
}
