/* SPDX-License-Identifier: Apache-2.0
 *
 * A record is a head, then id, metadata and text without anything between them. Source and tags stand with
 * the document: many share them.
 */
#include "search/texts.h"

#include "core/mem.h"

#define MAX_BYTES (((size_t)1 << 40) - 1)

struct head {
    double importance;
    int64_t updated_us;
    uint32_t id_len, metadata_len;
};

void texts_init(struct texts *texts, size_t max_bytes)
{
    *texts = (struct texts){.max = max_bytes < MAX_BYTES ? max_bytes : MAX_BYTES};
}

void texts_done(struct texts *texts)
{
    texts->bytes = mem_free(texts->bytes);
    texts->places = mem_free(texts->places);
}

static int reserve(struct texts *texts, uint32_t n_docs, size_t n_bytes)
{
    if (n_docs > texts->cap_docs) {
        uint32_t cap = n_docs + n_docs / 2 + 16;
        struct texts_place *places = mem_realloc(texts->places, cap * sizeof(*places));
        if (!places)
            return ERR_NOMEM;
        texts->places = places;
        texts->cap_docs = cap;
    }
    if (texts->n + n_bytes > texts->cap) {
        size_t cap = texts->cap + texts->cap / 4 + n_bytes + 256;
        char *bytes = mem_realloc(texts->bytes, cap);
        if (!bytes)
            return ERR_NOMEM;
        texts->bytes = bytes;
        texts->cap = cap;
    }
    return 0;
}

/* 0: it is not kept. A row without an id cannot be told to anybody. */
static size_t record_size(const struct texts *texts, const struct search_doc *row)
{
    size_t size = sizeof(struct head) + row->id.len + row->metadata.len + row->text.len;
    return row->id.len && size <= TEXTS_MAX_ROW_BYTES && texts->n + size <= texts->max ? size : 0;
}

static void append(struct texts *texts, const void *bytes, size_t len)
{
    if (len)
        memcpy(texts->bytes + texts->n, bytes, len);
    texts->n += len;
}

int texts_add(struct texts *texts, uint32_t doc, const struct search_doc *row)
{
    size_t size = record_size(texts, row);
    int err = reserve(texts, doc + 1, size);
    if (err)
        return err;
    while (texts->n_docs < doc)
        texts->places[texts->n_docs++] = (struct texts_place){.end = texts->n};
    struct texts_place place = {.end = texts->n + size};
    if (size) {
        struct head head = {.importance = row->importance,
                            .updated_us = row->updated_us,
                            .id_len = (uint32_t)row->id.len,
                            .metadata_len = (uint32_t)row->metadata.len};
        append(texts, &head, sizeof(head));
        append(texts, row->id.ptr, row->id.len);
        append(texts, row->metadata.ptr, row->metadata.len);
        append(texts, row->text.ptr, row->text.len);
        place.hash = str_hash(row->text, 0) & ((1 << 24) - 1);
    }
    texts->places[texts->n_docs++] = place;
    return 0;
}

static struct str record_of(const struct texts *texts, uint32_t doc)
{
    if (doc >= texts->n_docs)
        return (struct str){NULL, 0};
    size_t start = doc ? texts->places[doc - 1].end : 0;
    return str_make(texts->bytes + start, texts->places[doc].end - start);
}

struct parts {
    struct head head;
    struct str id, metadata, text;
};

/* Of a record that is not empty. */
static struct parts take_apart(struct str record)
{
    struct parts parts;
    memcpy(&parts.head, record.ptr, sizeof(parts.head));
    size_t metadata_at = sizeof(parts.head) + parts.head.id_len,
           text_at = metadata_at + parts.head.metadata_len;
    parts.id = str_slice(record, sizeof(parts.head), parts.head.id_len);
    parts.metadata = str_slice(record, metadata_at, parts.head.metadata_len);
    parts.text = str_slice(record, text_at, record.len - text_at);
    return parts;
}

void texts_wipe(struct texts *texts, uint32_t doc)
{
    struct str record = record_of(texts, doc);
    if (record.len) {
        memset((char *)record.ptr, 0, record.len);
        texts->places[doc].hash = 0;
    }
}

const struct search_item *texts_get(const struct texts *texts, const struct docs *docs, uint32_t doc,
                                    struct arena *arena)
{
    const struct doc *known = &docs->items[doc];
    struct str record = record_of(texts, doc);
    if (!record.len)
        return NULL;
    struct search_item *item = arena_alloc(arena, sizeof(*item));
    struct str copy = arena_copy(arena, record);
    struct str *tags = known->n_tags ? arena_alloc(arena, known->n_tags * sizeof(*tags)) : NULL;
    struct str source = arena_copy(arena, intern_get(&docs->names, known->source));
    for (uint32_t i = 0; i < known->n_tags && tags; i++)
        tags[i] = arena_copy(arena, intern_get(&docs->names, docs->tags[known->first_tag + i]));
    if (arena_error(arena))
        return NULL;
    struct parts parts = take_apart(copy);
    *item = (struct search_item){.id = parts.id,
                                 .text = parts.text,
                                 .source = source,
                                 .metadata = parts.metadata,
                                 .tags = tags,
                                 .n_tags = known->n_tags,
                                 .created_us = known->created_us,
                                 .updated_us = parts.head.updated_us,
                                 .importance = parts.head.importance};
    return item;
}

struct str texts_peek(const struct texts *texts, uint32_t doc)
{
    struct str record = record_of(texts, doc);
    return record.len ? take_apart(record).text : record;
}

void texts_compact(struct texts *texts, const uint32_t *map)
{
    size_t n = 0, start = 0;
    uint32_t n_docs = 0;
    for (uint32_t doc = 0; doc < texts->n_docs; doc++) {
        struct texts_place place = texts->places[doc];
        size_t end = place.end;
        if (map[doc] != DOC_NONE) {
            if (end > start)
                memmove(texts->bytes + n, texts->bytes + start, end - start);
            n += end - start;
            place.end = n;
            texts->places[n_docs++] = place;
        }
        start = end;
    }
    texts->n = n;
    texts->n_docs = n_docs;
}

size_t texts_size_bytes(const struct texts *texts)
{
    return texts->cap + texts->cap_docs * sizeof(*texts->places);
}
