/* SPDX-License-Identifier: Apache-2.0
 *
 * See ledger.h. A stretch is what stands between two items that have breaks: the end of one, glue, any items
 * without a break, glue, the beginning of the other. It is counted as one text.
 */
#include "build/ledger.h"

#define MAX_GAP_BYTES      ((size_t)64 * 1024 * 1024)
#define MAX_UNBROKEN_BYTES ((size_t)32 * 1024 * 1024) /* about a second's counting */
#define BITS               64

static const struct tokenizer *tokenizer_of(const struct ledger *ledger)
{
    return ledger->build->tokenizer;
}

static struct str head_of(const struct build_piece *piece)
{
    return str_slice(piece->text, 0, piece->first);
}

static struct str tail_of(const struct build_piece *piece)
{
    return str_slice(piece->text, piece->last, piece->text.len);
}

static bool has_break(const struct build_piece *piece)
{
    return piece->first != TOKENS_NO_BREAK;
}

/* ---- items ---- */

static void add_places(struct ledger *ledger, struct build_section *section)
{
    section->first_place = ledger->n_places;
    for (size_t i = 0; i < section->n_items; i++) {
        struct build_item *item = &section->items[section->printed[i]];
        item->place = ledger->n_places;
        ledger->places[ledger->n_places++] = (struct build_place){section, item};
    }
}

void ledger_init(struct ledger *ledger, struct build *build)
{
    size_t n = 0, n_sections = build->recipe->n_sections;
    *ledger = (struct ledger){.build = build};
    buf_init(&ledger->gap, MAX_GAP_BYTES);
    for (size_t i = 0; i < n_sections; i++)
        n += build->sections[i].n_items;
    ledger->places = arena_calloc(&build->arena, n + 1, sizeof *ledger->places);
    ledger->kept = arena_calloc(&build->arena, n / BITS + 1, sizeof *ledger->kept);
    if (!ledger->places || !ledger->kept)
        return;
    for (int is_stable = 1; is_stable >= 0; is_stable--)
        for (size_t i = 0; i < n_sections; i++)
            if (build->sections[i].plan->is_stable == is_stable)
                add_places(ledger, &build->sections[i]);
    ledger_clear(ledger);
}

void ledger_done(struct ledger *ledger)
{
    buf_done(&ledger->gap);
}

void ledger_measure(struct ledger *ledger, struct build_item *item, struct str text)
{
    const struct tokenizer *tokenizer = tokenizer_of(ledger);
    struct build_piece *piece = &item->piece;
    piece->text = ledger->build->format->on_item(item, text, &ledger->build->arena);
    piece->first = tokenizer->next_break(piece->text, 0);
    piece->last = has_break(piece) ? tokenizer->last_break(piece->text, piece->text.len) : TOKENS_NO_BREAK;
    piece->inner_units = 0;
    if (has_break(piece))
        piece->inner_units =
            tokenizer->units(str_slice(piece->text, piece->first, piece->last - piece->first));
    piece->is_measured = true;
}

/* Of what was gathered since the last time. */
static int64_t gap_units(struct ledger *ledger)
{
    int64_t units = tokenizer_of(ledger)->units(buf_str(&ledger->gap));
    if (!ledger->err)
        ledger->err = buf_error(&ledger->gap);
    buf_clear(&ledger->gap);
    return units;
}

int64_t ledger_item_tokens(struct ledger *ledger, const struct build_item *item)
{
    const struct build_piece *piece = &item->piece;
    int64_t units = piece->inner_units;
    if (has_break(piece))
        units += tokenizer_of(ledger)->units(head_of(piece));
    buf_append_str(&ledger->gap, has_break(piece) ? tail_of(piece) : piece->text);
    buf_append_text(&ledger->gap, ledger->build->format->separator);
    return tokens_of_units(tokenizer_of(ledger), units + gap_units(ledger));
}

/* ---- which are kept ---- */

static void flip(struct ledger *ledger, size_t place)
{
    ledger->kept[place / BITS] ^= UINT64_C(1) << place % BITS;
}

/* The first kept place from `place` on and before `end`, or end. */
static size_t next_kept(const struct ledger *ledger, size_t place, size_t end)
{
    while (place < end) {
        uint64_t bits = ledger->kept[place / BITS] >> place % BITS;
        if (bits != 0) {
            place += (size_t)__builtin_ctzll(bits);
            return place < end ? place : end;
        }
        place = (place / BITS + 1) * BITS;
    }
    return end;
}

/* The last kept place before `place` and from `first` on, or `place`. */
static size_t last_kept(const struct ledger *ledger, size_t first, size_t place)
{
    size_t at = place;
    while (at > first) {
        size_t start = (at - 1) / BITS * BITS, n = at - start;
        uint64_t bits = ledger->kept[start / BITS] << (BITS - n);
        if (bits != 0) {
            at -= (size_t)__builtin_clzll(bits) + 1;
            return at >= first ? at : place;
        }
        at = start;
    }
    return place;
}

/* The places of a stretch or of several: kept ones from `first` on and before `end`. Those at the ends may be
 * items with a break, of which the end or the beginning alone belongs to it. */
struct range {
    size_t first, end;
    bool has_left, has_right; /* the first and the last are such items */
    bool has_frame;           /* the whole context, not a section alone */
};

static struct build_place place_at(const struct ledger *ledger, size_t place)
{
    return ledger->places[place];
}

/* Units of all that stands in the range, without what its outer items keep to themselves. */
static int64_t range_units(struct ledger *ledger, const struct range *range)
{
    const struct build_format_ops *format = ledger->build->format;
    struct build_place last = {0}, end = {0};
    int64_t units = 0;
    size_t place = next_kept(ledger, range->first, range->end);
    if (range->has_left) {
        last = place_at(ledger, place);
        buf_append_str(&ledger->gap, tail_of(&last.item->piece));
        place = next_kept(ledger, place + 1, range->end);
    }
    for (; place < range->end; place = next_kept(ledger, place + 1, range->end)) {
        struct build_place here = place_at(ledger, place);
        const struct build_piece *piece = &here.item->piece;
        format_append_glue(format, last, here, range->has_frame, &ledger->gap);
        last = here;
        if (!has_break(piece)) {
            ledger->n_unbroken_bytes += ledger->gap.len + piece->text.len;
            buf_append_str(&ledger->gap, piece->text);
            continue;
        }
        buf_append_str(&ledger->gap, head_of(piece));
        units += gap_units(ledger);
        if (range->has_right && next_kept(ledger, place + 1, range->end) == range->end)
            return units;
        units += piece->inner_units;
        buf_append_str(&ledger->gap, tail_of(piece));
    }
    format_append_glue(format, last, end, range->has_frame, &ledger->gap);
    return units + gap_units(ledger);
}

/* The stretch around a place within first..end, over neighbours without breaks. */
static struct range range_around(const struct ledger *ledger, size_t place, size_t first, size_t end)
{
    struct range range = {.first = first, .end = end};
    size_t here = place;
    for (size_t left; !range.has_left && (left = last_kept(ledger, first, here)) != here; here = left)
        if (has_break(&place_at(ledger, left).item->piece)) {
            range.first = left;
            range.has_left = true;
        }
    for (size_t right = next_kept(ledger, place + 1, end); right < end && !range.has_right;
         right = next_kept(ledger, right + 1, end))
        if (has_break(&place_at(ledger, right).item->piece)) {
            range.end = right + 1;
            range.has_right = true;
        }
    return range;
}

/* What keeping the item at that place adds. */
static int64_t added_units(struct ledger *ledger, size_t place, struct range *range)
{
    int64_t before = range_units(ledger, range);
    flip(ledger, place);
    int64_t after = range_units(ledger, range);
    flip(ledger, place);
    return after - before;
}

int64_t ledger_units_with(struct ledger *ledger, const struct build_section *section,
                          const struct build_item *item, int64_t *ret_section_units)
{
    size_t end = section->first_place + section->n_items;
    if (ledger->n_unbroken_bytes > MAX_UNBROKEN_BYTES)
        return INT64_MAX;
    struct range range = range_around(ledger, item->place, 0, ledger->n_places);
    range.has_frame = true;
    int64_t units = ledger->units + added_units(ledger, item->place, &range);
    *ret_section_units = 0;
    if (section->plan->max_tokens < INT64_MAX) {
        range = range_around(ledger, item->place, section->first_place, end);
        *ret_section_units = section->used_units + added_units(ledger, item->place, &range);
    }
    return units;
}

void ledger_put(struct ledger *ledger, const struct build_item *item, int64_t units)
{
    flip(ledger, item->place);
    ledger->units = units;
}

void ledger_take_out(struct ledger *ledger, const struct build_item *item)
{
    flip(ledger, item->place);
    struct range range = range_around(ledger, item->place, 0, ledger->n_places);
    range.has_frame = true;
    ledger->units -= added_units(ledger, item->place, &range);
}

void ledger_clear(struct ledger *ledger)
{
    struct range whole = {.end = ledger->n_places, .has_frame = true};
    memset(ledger->kept, 0, (ledger->n_places / BITS + 1) * sizeof *ledger->kept);
    ledger->n_unbroken_bytes = 0;
    ledger->units = range_units(ledger, &whole);
}

int64_t ledger_section_tokens(struct ledger *ledger, const struct build_section *section)
{
    struct range range = {.first = section->first_place, .end = section->first_place + section->n_items};
    return tokens_of_units(tokenizer_of(ledger), range_units(ledger, &range));
}
