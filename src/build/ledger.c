/* SPDX-License-Identifier: Apache-2.0
 *
 * See ledger.h. A stretch is what stands between two items that have breaks: the end of one, glue, any items
 * without a break, glue, the beginning of the other. It is counted as one text.
 */
#include "build/ledger.h"

#define MAX_GAP_BYTES      ((size_t)64 * 1024 * 1024)
#define MAX_UNBROKEN_BYTES ((size_t)8 * 1024 * 1024) /* some tenths of a second */
#define BITS               64
#define NOT_COUNTED        (-1)

static const struct tokenizer *tokenizer_of(const struct ledger *ledger)
{
    return ledger->build->tokenizer;
}

static struct str head_of(const struct build_piece *piece)
{
    return str_slice(piece->text, 0, piece->cost.first);
}

static struct str tail_of(const struct build_piece *piece)
{
    return str_slice(piece->text, piece->cost.last, piece->text.len);
}

static bool has_break(const struct build_piece *piece)
{
    return piece->cost.first != TOKENS_NO_BREAK;
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
    ledger->stretches = arena_calloc(&build->arena, n + 1, sizeof *ledger->stretches);
    if (!ledger->places || !ledger->kept || !ledger->stretches)
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

/* Texts below this are counted as fast as they are found. */
#define MIN_KEPT_BYTES 24

static struct counts *counts_of(const struct ledger *ledger)
{
    return ledger->build->engine ? ledger->build->engine->counts : NULL;
}

/* Of a text that is no item, so that it has no format. */
static int64_t units_of(const struct ledger *ledger, struct str text)
{
    const struct tokenizer *tokenizer = tokenizer_of(ledger);
    struct counts *counts = counts_of(ledger);
    struct count_entry entry = {.last = text.len};
    if (!counts || text.len < MIN_KEPT_BYTES)
        return tokenizer->units(text);
    uint64_t key = counts_key(counts, tokenizer, NULL, text);
    if (!counts_find(counts, key, text, &entry)) {
        entry.inner_units = tokenizer->units(text);
        counts_keep(counts, key, text, &entry);
    }
    return entry.inner_units;
}

/* Of what was gathered since the last time. */
static int64_t gap_units(struct ledger *ledger)
{
    int64_t units = units_of(ledger, buf_str(&ledger->gap));
    if (!ledger->err)
        ledger->err = buf_error(&ledger->gap);
    buf_clear(&ledger->gap);
    return units;
}

static struct str separator_of(const struct ledger *ledger)
{
    return str_of(ledger->build->format->separator);
}

/* Whether what stands before a separator is counted apart from the text behind it, whatever it is. */
static bool is_apart(struct ledger *ledger, struct str text)
{
    struct str separator = separator_of(ledger);
    buf_append_str(&ledger->gap, separator);
    buf_append_str(&ledger->gap, text);
    bool is_break = tokenizer_of(ledger)->next_break(buf_str(&ledger->gap), separator.len) == separator.len;
    buf_clear(&ledger->gap);
    return is_break;
}

static void measure(struct ledger *ledger, struct build_piece *piece)
{
    const struct tokenizer *tokenizer = tokenizer_of(ledger);
    piece->cost = (struct count_entry){.first = tokenizer->next_break(piece->text, 0)};
    if (!has_break(piece))
        return;
    piece->cost.last = tokenizer->last_break(piece->text, piece->text.len);
    piece->cost.inner_units =
        tokenizer->units(str_slice(piece->text, piece->cost.first, piece->cost.last - piece->cost.first));
    piece->cost.head_units = tokenizer->units(head_of(piece));
    buf_append_str(&ledger->gap, tail_of(piece));
    buf_append_str(&ledger->gap, separator_of(ledger));
    piece->cost.tail_units = gap_units(ledger);
    piece->cost.is_apart = is_apart(ledger, head_of(piece));
}

void ledger_measure(struct ledger *ledger, struct build_item *item, struct str text)
{
    struct counts *counts = counts_of(ledger);
    const struct build_format_ops *format = ledger->build->format;
    struct build_piece *piece = &item->piece;
    piece->text = format->on_item(item, text, &ledger->build->arena);
    piece->is_measured = true;
    if (!counts || piece->text.len < MIN_KEPT_BYTES) {
        measure(ledger, piece);
        return;
    }
    uint64_t key = counts_key(counts, tokenizer_of(ledger), format, piece->text);
    if (counts_find(counts, key, piece->text, &piece->cost))
        return;
    measure(ledger, piece);
    if (has_break(piece))
        counts_keep(counts, key, piece->text, &piece->cost);
}

int64_t ledger_item_tokens(struct ledger *ledger, const struct build_item *item)
{
    const struct build_piece *piece = &item->piece;
    int64_t units = piece->cost.inner_units + piece->cost.head_units + piece->cost.tail_units;
    if (!has_break(piece)) {
        buf_append_str(&ledger->gap, piece->text);
        buf_append_str(&ledger->gap, separator_of(ledger));
        units = gap_units(ledger);
    }
    return tokens_of_units(tokenizer_of(ledger), units);
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

static struct build_place place_at(const struct ledger *ledger, size_t place)
{
    return ledger->places[place];
}

/* Whether the format writes its separator and nothing else between them. */
static bool is_separated(struct ledger *ledger, struct build_place before, struct build_place after)
{
    if (before.section != after.section)
        return false;
    format_append_glue(ledger->build->format, before, after, false, &ledger->gap);
    bool is_alone = str_eq(buf_str(&ledger->gap), separator_of(ledger));
    buf_clear(&ledger->gap);
    return is_alone;
}

/* Units of all that stands in the range, without what its outer items keep to themselves. */
static int64_t range_units(struct ledger *ledger, const struct ledger_range *range)
{
    const struct build_format_ops *format = ledger->build->format;
    struct build_place last = {0}, end = {0};
    const struct build_piece *tail = NULL; /* of that piece waits to be counted; the gap is empty then */
    int64_t units = 0;
    size_t place = next_kept(ledger, range->first, range->end);
    if (range->has_left) {
        last = place_at(ledger, place);
        tail = &last.item->piece;
        place = next_kept(ledger, place + 1, range->end);
    }
    for (; place < range->end; place = next_kept(ledger, place + 1, range->end)) {
        struct build_place here = place_at(ledger, place);
        const struct build_piece *piece = &here.item->piece;
        if (tail && piece->cost.is_apart && is_separated(ledger, last, here)) {
            units += tail->cost.tail_units + piece->cost.head_units;
        } else {
            if (tail)
                buf_append_str(&ledger->gap, tail_of(tail));
            tail = NULL;
            format_append_glue(format, last, here, range->has_frame, &ledger->gap);
            buf_append_str(&ledger->gap, has_break(piece) ? head_of(piece) : piece->text);
            if (has_break(piece))
                units += gap_units(ledger);
            else
                ledger->n_unbroken_bytes += ledger->gap.len;
        }
        last = here;
        if (!has_break(piece))
            continue;
        if (range->has_right && next_kept(ledger, place + 1, range->end) == range->end)
            return units;
        units += piece->cost.inner_units;
        tail = piece;
    }
    if (tail)
        buf_append_str(&ledger->gap, tail_of(tail));
    format_append_glue(format, last, end, range->has_frame, &ledger->gap);
    return units + gap_units(ledger);
}

/* The stretch around a place within first..end, over neighbours without breaks. */
static struct ledger_range range_around(const struct ledger *ledger, size_t place, size_t first, size_t end)
{
    struct ledger_range range = {.first = first, .end = end};
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

/* Of the whole context's stretches each begins at a place of its own. */
static int64_t *stretch_at(struct ledger *ledger, const struct ledger_range *range)
{
    return &ledger->stretches[range->has_left ? range->first + 1 : 0];
}

/* range_units of a stretch of the whole context, as it stands. */
static int64_t stretch_units(struct ledger *ledger, const struct ledger_range *range)
{
    int64_t *units = stretch_at(ledger, range);
    if (*units < 0)
        *units = range_units(ledger, range);
    return *units;
}

/* Something at that place is not what it was. */
static void forget_stretch(struct ledger *ledger, size_t place)
{
    struct ledger_range range = range_around(ledger, place, 0, ledger->n_places);
    *stretch_at(ledger, &range) = NOT_COUNTED;
    ledger->stretches[place + 1] = NOT_COUNTED;
}

/* The same with the item at that place, which is not kept. */
static int64_t stretch_units_with(struct ledger *ledger, const struct ledger_range *range, size_t place)
{
    flip(ledger, place);
    int64_t units = range_units(ledger, range);
    flip(ledger, place);
    return units;
}

int64_t ledger_units_with(struct ledger *ledger, const struct build_section *section,
                          const struct build_item *item, int64_t max_units, int64_t *ret_section_units)
{
    size_t end = section->first_place + section->n_items;
    *ret_section_units = 0;
    if (ledger->n_unbroken_bytes > MAX_UNBROKEN_BYTES)
        return INT64_MAX;
    struct ledger_range range = range_around(ledger, item->place, 0, ledger->n_places);
    range.has_frame = true;
    int64_t others = ledger->units - stretch_units(ledger, &range);
    if (others + item->piece.cost.inner_units > max_units)
        return others + item->piece.cost.inner_units;
    int64_t units = others + stretch_units_with(ledger, &range, item->place);
    if (section->plan->max_tokens < INT64_MAX) {
        range = range_around(ledger, item->place, section->first_place, end);
        *ret_section_units = section->used_units - range_units(ledger, &range) +
                             stretch_units_with(ledger, &range, item->place);
    }
    return units;
}

void ledger_put(struct ledger *ledger, const struct build_item *item, int64_t units)
{
    forget_stretch(ledger, item->place);
    flip(ledger, item->place);
    ledger->units = units;
}

void ledger_clear(struct ledger *ledger)
{
    struct ledger_range whole = {.end = ledger->n_places, .has_frame = true};
    memset(ledger->kept, 0, (ledger->n_places / BITS + 1) * sizeof *ledger->kept);
    ledger->n_unbroken_bytes = 0;
    for (size_t i = 0; i <= ledger->n_places; i++)
        ledger->stretches[i] = NOT_COUNTED;
    ledger->units = range_units(ledger, &whole);
}

void ledger_take_out(struct ledger *ledger, const struct build_item *item)
{
    struct ledger_range range;
    flip(ledger, item->place);
    forget_stretch(ledger, item->place);
    range = range_around(ledger, item->place, 0, ledger->n_places);
    range.has_frame = true;
    ledger->units += range_units(ledger, &range) - stretch_units_with(ledger, &range, item->place);
}

int64_t ledger_section_tokens(struct ledger *ledger, const struct build_section *section)
{
    struct ledger_range range = {.first = section->first_place,
                                 .end = section->first_place + section->n_items};
    return tokens_of_units(tokenizer_of(ledger), range_units(ledger, &range));
}
