/* SPDX-License-Identifier: Apache-2.0
 *
 * What a context costs while items are put into it and taken out, exactly and without writing it. Of each
 * item the ledger knows what lies between its first and its last break (see struct tokenizer); what lies
 * outside, a word or two, is counted together with its neighbours and what the format writes between them. So
 * the cost of one more item is that of the item and of two seams, wherever it is printed. Most seams need no
 * counting: where nothing but the separator stands between two items, and a break behind it, the seam is the
 * end of the one and the beginning of the other, which are known.
 */
#ifndef PRECIS_BUILD_LEDGER_H
#define PRECIS_BUILD_LEDGER_H

#include "build/build_priv.h"

/* A stretch of places, or several: kept ones from `first` on and before `end`. Those at the ends may be items
 * with a break, of which the end or the beginning alone belongs to it. */
struct ledger_range {
    size_t first, end;
    bool has_left, has_right; /* the first and the last are such items */
    bool has_frame;           /* the whole context, not a section alone */
};

struct ledger {
    struct build *build;
    struct build_place *places; /* all items in the order of print */
    size_t n_places;
    uint64_t *kept; /* a bit a place */
    /* Units of the stretch that begins with the end of each place's item, behind that which begins the text;
     * negative: not counted since something changed in it. Every item that is offered room there asks. */
    int64_t *stretches;
    int64_t units; /* of the context as it stands */
    struct buf gap;
    size_t n_unbroken_bytes; /* counted again and again, because items without a break stand side by side */
    int err;                 /* the first that a buffer met */
};

/* Nothing is kept. Items that are open have been given their pieces. Errors latch in err and the arena. */
void ledger_init(struct ledger *ledger, struct build *build);
void ledger_done(struct ledger *ledger);
void ledger_clear(struct ledger *ledger);
/* The item's piece for its text; measures it once. */
void ledger_measure(struct ledger *ledger, struct build_item *item, struct str text);
/* Tokens of the item alone, with the end of its line; measured. */
int64_t ledger_item_tokens(struct ledger *ledger, const struct build_item *item);

/* What the context would cost with one more item, measured and not kept yet: exactly, if that is at most
 * max_units, and otherwise at least what is returned. When the section has a ceiling and the item fits,
 * *ret_section_units is what the section's text alone would cost. INT64_MAX when telling would take too long:
 * many items side by side without a letter or a digit. */
int64_t ledger_units_with(struct ledger *ledger, const struct build_section *section,
                          const struct build_item *item, int64_t max_units, int64_t *ret_section_units);
/* Keeps it; units are what ledger_units_with said. */
void ledger_put(struct ledger *ledger, const struct build_item *item, int64_t units);
void ledger_take_out(struct ledger *ledger, const struct build_item *item);
/* Tokens of the section's text alone, with its title and all that stands between its items. */
int64_t ledger_section_tokens(struct ledger *ledger, const struct build_section *section);

#endif
