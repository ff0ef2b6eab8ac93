/* SPDX-License-Identifier: Apache-2.0
 *
 * One array of fixed records in order of arrival, a pool of tag numbers in the same order, and a table from
 * row to record. Compaction moves all three down in place, so it needs no memory and cannot fail. The slot of
 * a dead document stays until then; its row is found and is known to be dead.
 */
#include "search/docs.h"

#include "core/mem.h"

#include <math.h>

#define FIRST_SLOTS 16

void docs_init(struct docs *docs)
{
    *docs = (struct docs){0};
    intern_init(&docs->names);
}

void docs_done(struct docs *docs)
{
    docs->items = mem_free(docs->items);
    docs->slots = mem_free(docs->slots);
    docs->tags = mem_free(docs->tags);
    docs->n_said = mem_free(docs->n_said);
    intern_done(&docs->names);
}

/* The slot of the row, or the free one where it would go. Rows count up, so a multiplication spreads them. */
static uint32_t *find_slot(const struct docs *docs, int64_t row)
{
    size_t idx = ((uint64_t)row * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (docs->n_slots - 1);
    while (docs->slots[idx] && docs->items[docs->slots[idx] - 1].row != row)
        idx = (idx + 1) & (docs->n_slots - 1);
    return &docs->slots[idx];
}

uint32_t docs_find(const struct docs *docs, int64_t row)
{
    if (!docs->n_slots)
        return DOC_NONE;
    uint32_t slot = *find_slot(docs, row);
    return slot && docs->items[slot - 1].is_live ? slot - 1 : DOC_NONE;
}

/* Live documents into an empty table. */
static void fill_slots(struct docs *docs)
{
    for (uint32_t i = 0; i < docs->n; i++)
        if (docs->items[i].is_live)
            *find_slot(docs, docs->items[i].row) = i + 1;
}

/* Room for one more document and its tags, and for its slot when it is published. */
static int reserve(struct docs *docs, size_t n_tags)
{
    if (docs->n >= DOC_NONE - 1 || n_tags > UINT16_MAX || n_tags > UINT32_MAX / 2 - docs->n_tags)
        return ERR_LIMIT;
    if (docs->n == docs->cap) {
        uint32_t cap = docs->cap + docs->cap / 2 + 16;
        struct doc *items = mem_realloc(docs->items, cap * sizeof(*items));
        if (!items)
            return ERR_NOMEM;
        docs->items = items;
        docs->cap = cap;
    }
    if (docs->n_tags + n_tags > docs->cap_tags) {
        uint32_t cap = docs->cap_tags + docs->cap_tags / 2 + (uint32_t)n_tags + 16;
        uint32_t *tags = mem_realloc(docs->tags, cap * sizeof(*tags));
        if (!tags)
            return ERR_NOMEM;
        docs->tags = tags;
        docs->cap_tags = cap;
    }
    if ((size_t)(docs->n + 1) * 4 > docs->n_slots * 3) { /* three quarters full at most */
        size_t n_slots = docs->n_slots ? docs->n_slots * 2 : FIRST_SLOTS;
        uint32_t *slots = mem_calloc(n_slots, sizeof(*slots));
        if (!slots)
            return ERR_NOMEM;
        mem_free(docs->slots);
        docs->slots = slots;
        docs->n_slots = n_slots;
        fill_slots(docs);
    }
    return 0;
}

static int put_speaker(struct docs *docs, struct str name, uint32_t *ret_number)
{
    uint32_t number;
    int err = intern_put(&docs->names, name, &number);
    if (err)
        return err;
    if (number >= docs->cap_said) {
        uint32_t cap = number + number / 2 + 16;
        uint32_t *n_said = mem_realloc(docs->n_said, cap * sizeof(*n_said));
        if (!n_said)
            return ERR_NOMEM;
        memset(n_said + docs->cap_said, 0, (cap - docs->cap_said) * sizeof(*n_said));
        docs->n_said = n_said;
        docs->cap_said = cap;
    }
    *ret_number = number;
    return 0;
}

int docs_add(struct docs *docs, const struct search_doc *doc, uint32_t *ret_doc)
{
    int err = reserve(docs, doc->n_tags);
    if (err)
        return err;
    struct doc item = {.row = doc->row,
                       .created_us = doc->created_us,
                       .first_tag = docs->n_tags,
                       .speaker = INTERN_NONE,
                       .n_tags = (uint16_t)doc->n_tags,
                       .importance = (uint8_t)(fmin(fmax(doc->importance, 0), 1) * UINT8_MAX + 0.5)};
    struct str speaker = doc->speaker;
    struct str told = cues_split_speaker(doc->text, &speaker);
    item.cues = cues_of(told);
    err = intern_put(&docs->names, doc->source, &item.source);
    if (!err)
        err = intern_put(&docs->names, doc->thread, &item.thread);
    if (!err && speaker.len)
        err = put_speaker(docs, speaker, &item.speaker);
    for (size_t i = 0; i < doc->n_tags && !err; i++)
        err = intern_put(&docs->names, doc->tags[i], &docs->tags[docs->n_tags + i]);
    if (err)
        return err;
    docs->n_tags += (uint32_t)doc->n_tags;
    docs->n_bytes += doc->text.len;
    docs->items[docs->n] = item;
    *ret_doc = docs->n++;
    return 0;
}

void docs_kill(struct docs *docs, uint32_t doc)
{
    struct doc *item = &docs->items[doc];
    if (!item->is_live)
        return;
    item->is_live = false;
    docs->n_live--;
    docs->n_live_terms -= item->n_terms;
    if (item->speaker != INTERN_NONE)
        docs->n_said[item->speaker]--;
}

void docs_publish(struct docs *docs, uint32_t doc, uint32_t n_terms)
{
    struct doc *item = &docs->items[doc];
    uint32_t *slot = find_slot(docs, item->row);
    if (*slot)
        docs_kill(docs, *slot - 1);
    *slot = doc + 1;
    item->n_terms = n_terms;
    item->log_length = log1pf((float)n_terms);
    item->is_live = true;
    docs->n_live++;
    docs->n_live_terms += n_terms;
    if (item->speaker != INTERN_NONE)
        docs->n_said[item->speaker]++;
}

void docs_plan_compaction(const struct docs *docs, uint32_t *map)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < docs->n; i++)
        map[i] = docs->items[i].is_live ? n++ : DOC_NONE;
}

void docs_compact(struct docs *docs)
{
    uint32_t n = 0, n_tags = 0;
    for (uint32_t i = 0; i < docs->n; i++) {
        struct doc item = docs->items[i];
        if (!item.is_live)
            continue;
        if (item.n_tags)
            memmove(docs->tags + n_tags, docs->tags + item.first_tag, item.n_tags * sizeof(*docs->tags));
        item.first_tag = n_tags;
        n_tags += item.n_tags;
        docs->items[n++] = item;
    }
    docs->n_bytes = docs->n ? docs->n_bytes / docs->n * n : 0;
    docs->n = n;
    docs->n_tags = n_tags;
    if (docs->n_slots)
        memset(docs->slots, 0, docs->n_slots * sizeof(*docs->slots));
    fill_slots(docs);
}

size_t docs_size_bytes(const struct docs *docs)
{
    return docs->cap * sizeof(*docs->items) + docs->n_slots * sizeof(*docs->slots) +
           docs->cap_tags * sizeof(*docs->tags) + docs->cap_said * sizeof(*docs->n_said) +
           intern_size_bytes(&docs->names);
}

int docs_make_filter(const struct docs *docs, const struct search_query *query, struct arena *arena,
                     struct docs_filter *ret_filter)
{
    struct docs_filter filter = {
        .source = INTERN_NONE, .since_us = query->since_us, .until_us = query->until_us};
    if (query->source.len) {
        filter.source = intern_find(&docs->names, query->source);
        filter.matches_none = filter.source == INTERN_NONE;
    }
    if (query->n_tags) {
        filter.tags = arena_calloc(arena, query->n_tags, sizeof(*filter.tags));
        if (!filter.tags)
            return arena_error(arena);
    }
    for (size_t i = 0; i < query->n_tags; i++) {
        filter.tags[filter.n_tags++] = intern_find(&docs->names, query->tags[i]);
        filter.matches_none |= filter.tags[i] == INTERN_NONE;
    }
    *ret_filter = filter;
    return 0;
}

static bool has_tag(const struct docs *docs, const struct doc *doc, uint32_t tag)
{
    for (uint32_t i = 0; i < doc->n_tags; i++)
        if (docs->tags[doc->first_tag + i] == tag)
            return true;
    return false;
}

bool docs_match(const struct docs *docs, const struct docs_filter *filter, uint32_t doc)
{
    const struct doc *item = &docs->items[doc];
    if (!item->is_live || filter->matches_none)
        return false;
    if (filter->source != INTERN_NONE && item->source != filter->source)
        return false;
    if (item->created_us < filter->since_us ||
        (item->created_us >= filter->until_us && filter->until_us != INT64_MAX))
        return false;
    for (size_t i = 0; i < filter->n_tags; i++)
        if (!has_tag(docs, item, filter->tags[i]))
            return false;
    return true;
}

bool docs_filter_is_open(const struct docs_filter *filter)
{
    return !filter->matches_none && filter->source == INTERN_NONE && !filter->n_tags &&
           filter->since_us == INT64_MIN && filter->until_us == INT64_MAX;
}
