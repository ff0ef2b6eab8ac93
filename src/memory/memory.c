/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory object: the store, the resident index, and the feed by which the index follows the store. A
 * write is durable in the store first; the index learns of it at the next search, from the store, so that the
 * two cannot disagree.
 */
#include "core/json.h"
#include "core/mem.h"
#include "memory/key_cache.h"
#include "memory/memory_priv.h"
#include "text/embed.h"

#include <sodium.h>

struct feeding {
    struct search_load *load;
    bool is_stopped;
};
/* Under which names people keep who spoke, and in which conversation. */
static const char *const speaker_members[] = {"speaker", "role", "author", NULL};
static const char *const thread_members[] = {"session_id", "conversation_id", "thread_id", NULL};

/* Metadata is the user's: what is not as we expect it says nothing, and is no error. */
static struct json *parse_metadata(struct str text)
{
    struct json *root = NULL;
    if (text.len)
        (void)json_parse(text, MEMORY_MAX_JSON_DEPTH, &root, NULL);
    return root;
}

static struct str first_text(const struct json *object, const char *const *names)
{
    for (; object && *names; names++) {
        struct str text = json_text_of(json_member(object, *names));
        if (text.len && text.len <= MEMORY_MAX_NAME_BYTES)
            return text;
    }
    return (struct str){NULL, 0};
}

static int feed_row(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    struct feeding *feeding = arg;
    struct arena arena; /* of the row's tags */
    struct str *tags = NULL;
    struct json *metadata = NULL;
    struct search_doc doc = {.row = memory_int_of(columns[0]), .is_deleted = memory_int_of(columns[1]) != 0};
    (void)n_columns;
    arena_init(&arena, 2 * MEMORY_MAX_METADATA_BYTES);
    int err = memory_parse_tags(columns[4].text, &arena, &tags, &doc.n_tags, reterr);
    if (!err && arena_error(&arena))
        err = err_set(reterr, arena_error(&arena), "out of memory while loading the index");
    if (err)
        goto done;
    doc.tags = tags;
    doc.text = columns[2].text;
    doc.source = columns[3].text;
    doc.created_us = memory_int_of(columns[5]);
    doc.importance = memory_real_of(columns[6]);
    metadata = parse_metadata(columns[8].text);
    doc.id = columns[9].text;
    doc.metadata = columns[8].text;
    doc.updated_us = memory_int_of(columns[10]);
    doc.speaker = first_text(metadata, speaker_members);
    doc.thread = first_text(metadata, thread_members);
    err = feeding->load->put(feeding->load->partition, &doc);
    if (err < 0)
        (void)err_set(reterr, err, "the index could not take a row in");
    else
        feeding->load->place = (struct search_place){memory_int_of(columns[7]), doc.row};
    feeding->is_stopped = err > 0;
done:
    json_free(metadata);
    arena_done(&arena);
    return err;
}

struct counting {
    struct str tenant, user;
    int64_t n;
};

static int read_count(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    (void)n_columns;
    (void)reterr;
    *(int64_t *)arg = memory_int_of(columns[0]);
    return 0;
}

static int count_rows(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    struct counting *counting = arg;
    struct value params[] = {value_text(counting->tenant), value_text(counting->user)};
    return store_query(txn,
                       "SELECT count(*) FROM knowledge WHERE tenant = ?1 AND user_id = ?2 AND is_deleted = 0",
                       params, 2, read_count, &counting->n, reterr);
}

#define FEED_SQL                                                                                             \
    "SELECT row, is_deleted, content, source, tags, created_at, importance, change, metadata, id, "          \
    "updated_at "                                                                                            \
    "FROM knowledge WHERE tenant = ?1 AND user_id = ?2 AND "

/* Two statements: with `(change, row) > (?3, ?4)` SQLite passes over the whole change up to the row, each
 * time. */
static int load_rows(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    struct feeding *feeding = arg;
    struct search_load *load = feeding->load;
    struct value params[] = {value_text(load->tenant), value_text(load->user), value_int(load->place.change),
                             value_int(load->place.row)};
    int err = store_query(txn, FEED_SQL "change = ?3 AND row > ?4 ORDER BY row", params, 4, feed_row, feeding,
                          reterr);
    if (!err && !feeding->is_stopped)
        err = store_query(txn, FEED_SQL "change > ?3 ORDER BY change, row", params, 3, feed_row, feeding,
                          reterr);
    if (err || feeding->is_stopped || !load->wants_count)
        return err;
    struct counting counting = {.tenant = load->tenant, .user = load->user};
    err = count_rows(txn, &counting, reterr);
    if (!err)
        load->n_living = counting.n;
    return err;
}

static int feed_load(void *owner, struct search_load *load, struct err_info *reterr)
{
    struct memory *memory = owner;
    struct feeding feeding = {.load = load};
    int err = store_read(memory->store, load_rows, &feeding, reterr);
    return err ? err : feeding.is_stopped;
}

static int feed_count(void *owner, struct str tenant, struct str user, int64_t *ret_n,
                      struct err_info *reterr)
{
    struct memory *memory = owner;
    struct counting counting = {.tenant = tenant, .user = user};
    int err = store_read(memory->store, count_rows, &counting, reterr);
    if (!err)
        *ret_n = counting.n;
    return err;
}

static uint64_t feed_version(void *owner, struct str tenant, struct str user)
{
    struct memory *memory = owner;
    return store_version(memory->store, tenant, user);
}

int memory_new(struct store *store, const struct clock *clock, const struct memory_options *options,
               struct memory **ret_memory, struct err_info *reterr)
{
    if (sodium_init() < 0) /* may be called again and by several threads */
        return err_set(reterr, ERR_INTERNAL, "no source of random numbers");
    struct memory *memory = mem_calloc(1, sizeof(*memory));
    if (!memory)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    memory->store = store;
    memory->clock = clock;
    memory->rerank = options ? options->rerank : NULL;
    int err = embedder_builtin(&memory->words, reterr);
    struct search_options search = {
        .max_bytes = options ? options->max_index_bytes : 0,
        .language = "auto",
        .feed = {.load = feed_load, .count = feed_count, .version = feed_version, .owner = memory},
        .max_inline_us = options ? options->max_index_wait_us : 0,
        .clock = clock,
        .words = memory->words,
        .embedder = options && options->embedder ? options->embedder : memory->words,
    };
    memory->has_slow_vectors = search.embedder && embedder_layers(search.embedder) > 0;
    if (!err)
        err = search_new(&search, &memory->search, reterr);
    if (!err)
        err = key_cache_new(&memory->keys, reterr);
    if (err) {
        memory_free(memory);
        return err;
    }
    *ret_memory = memory;
    return 0;
}

struct memory *memory_free(struct memory *memory)
{
    if (!memory)
        return NULL;
    key_cache_free(memory->keys);
    search_free(memory->search);
    embedder_close(memory->words);
    return mem_free(memory);
}

void memory_describe(struct memory *memory, struct search_stats *ret_stats)
{
    search_describe(memory->search, ret_stats);
}

void memory_describe_rerank(struct memory *memory, struct rerank_stats *ret_stats)
{
    rerank_describe(memory->rerank, ret_stats);
}

void memory_identity(const struct memory *memory, unsigned char ret_identity[STORE_IDENTITY_BYTES])
{
    store_identity(memory->store, ret_identity);
}

uint64_t memory_version(const struct memory *memory, const struct scope *scope)
{
    struct scope full = memory_scope(scope);
    return store_version(memory->store, full.tenant, full.user);
}
