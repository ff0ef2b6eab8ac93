/* SPDX-License-Identifier: Apache-2.0
 *
 * What the ranking sees of every candidate: the input of tools/learn_ranking.py, which runs it.
 *
 * Reads lines of fields between tabs ("\n" in a text is a line feed): `I created_us speaker text` puts an
 * item into the collection, the first is row 1; `Q now_us  text` (the field between is empty) asks. Writes `Q
 * N` for a question with N candidates, then N lines of a row and its features in the order of
 * search/relevance.h.
 */
#include "search/relevance.h"
#include "search/search_priv.h"
#include "text/embed.h"

#include "core/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_LINE ((size_t)1 << 22)

static void must(int err, const struct err_info *info)
{
    if (err >= 0)
        return;
    fprintf(stderr, "rank_features: error %d: %s\n", err, info ? info->message : "");
    exit(1);
}

struct item {
    int64_t created_us;
    char *speaker, *text;
};

struct collection {
    struct item *items;
    size_t n;
};

static int load(void *owner, struct search_load *load, struct err_info *reterr)
{
    const struct collection *collection = owner;
    (void)reterr;
    for (size_t i = (size_t)load->place.row; i < collection->n; i++) {
        struct search_doc doc = {.row = (int64_t)i + 1,
                                 .text = str_of(collection->items[i].text),
                                 .speaker = str_of(collection->items[i].speaker),
                                 .created_us = collection->items[i].created_us,
                                 .importance = 0.5};
        int err = load->put(load->partition, &doc);
        if (err < 0)
            return err;
        load->place.row = doc.row;
    }
    load->n_living = (int64_t)collection->n;
    return 0;
}

static int count(void *owner, struct str tenant, struct str user, int64_t *ret_n, struct err_info *reterr)
{
    (void)tenant, (void)user, (void)reterr;
    *ret_n = (int64_t)((const struct collection *)owner)->n;
    return 0;
}

static uint64_t version(void *owner, struct str tenant, struct str user)
{
    (void)tenant, (void)user;
    return ((const struct collection *)owner)->n;
}

/* Takes in the items that came since the last time. */
static void refresh(struct partition *partition, struct analyzer *analyzer, struct collection *collection)
{
    struct err_info err = {0};
    struct search_feed feed = {load, count, version, collection};
    struct slice slice = {.analyzer = analyzer,
                          .feed = &feed,
                          .clock = &clock_system,
                          .min_rows = SIZE_MAX,
                          .max_counted = UINT32_MAX};
    must(partition_load(partition, &slice, &err), &err);
}

static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        bool is_escape = from[0] == '\\' && (from[1] == 'n' || from[1] == '\\');
        *to++ = is_escape ? (from[1] == 'n' ? '\n' : '\\') : *from;
        from += is_escape;
    }
    *to = '\0';
}

static void ask(struct partition *partition, struct searcher *searcher, int64_t now_us, char *text)
{
    struct search_query query = {
        .text = str_of(text), .now_us = now_us, .since_us = INT64_MIN, .until_us = INT64_MAX, .limit = 100};
    struct arena *arena = &searcher->scratch;
    struct docs_filter filter;
    struct question question;
    struct sheet sheet;
    must(docs_make_filter(&partition->docs, &query, arena, &filter), NULL);
    must(question_read(partition, searcher->analyzer, &query, arena, &question), NULL);
    must(scores_reserve(&searcher->scores, partition->docs.n), NULL);
    keyword_score(&partition->keyword, &partition->docs, &question.keywords, &searcher->scores);
    must(sheet_make(&sheet, partition, &filter, &question, &searcher->scores, query.limit, false, arena), NULL);
    scores_clear(&searcher->scores);
    uint32_t *rows = arena_calloc(arena, sheet.n_candidates + 1, sizeof(*rows));
    for (uint32_t i = 0; i < sheet.n_candidates; i++)
        rows[i] = i;
    must(sheet_read_words(&sheet, partition, &question, rows, sheet.n_candidates, arena), NULL);
    struct relevance relevance;
    relevance_init(&relevance, &sheet, partition, &question);
    printf("Q %zu\n", sheet.n_candidates);
    for (uint32_t i = 0; i < sheet.n_candidates; i++) {
        float features[N_FEATURES];
        relevance_read(&relevance, i, features);
        features[FEATURE_WORDS] = relevance_read_words(&relevance, i);
        printf("%" PRId64, partition->docs.items[sheet.docs[sheet.candidates[i]]].row);
        for (int k = 0; k < N_FEATURES; k++)
            printf(" %g", (double)features[k]);
        putchar('\n');
    }
    arena_reset(arena);
}

int main(void)
{
    struct err_info err = {0};
    struct embedder *embedder;
    struct searcher searcher = {0};
    struct collection collection = {0};
    static char line[MAX_LINE];
    must(embedder_builtin(&embedder, &err), &err);
    struct models models = {embedder, embedder};
    struct partition *partition = partition_new(&models, SIZE_MAX);
    partition->key_len = sizeof(uint64_t); /* the length of a tenant's name, 0, and no name */
    partition->key = mem_calloc(1, partition->key_len);
    must(analyzer_new("auto", &searcher.analyzer, &err), &err);
    arena_init(&searcher.scratch, (size_t)1 << 30);
    while (fgets(line, sizeof(line), stdin)) {
        char *end;
        line[strcspn(line, "\n")] = '\0';
        int64_t time_us = strtoll(line + 2, &end, 10);
        char *speaker = end + 1, *text = strchr(speaker, '\t');
        if (*end != '\t' || !text) {
            fprintf(stderr, "rank_features: not four fields: %.60s\n", line);
            return 1;
        }
        *text++ = '\0';
        unescape(text);
        if (line[0] == 'I') {
            collection.items = realloc(collection.items, (collection.n + 1) * sizeof(*collection.items));
            collection.items[collection.n++] = (struct item){time_us, strdup(speaker), strdup(text)};
            continue;
        }
        refresh(partition, searcher.analyzer, &collection);
        ask(partition, &searcher, time_us, text);
    }
    partition_free(partition);
    analyzer_free(searcher.analyzer);
    arena_done(&searcher.scratch);
    scores_done(&searcher.scores);
    embedder_close(embedder);
    for (size_t i = 0; i < collection.n; i++) {
        free(collection.items[i].text);
        free(collection.items[i].speaker);
    }
    free(collection.items);
    return 0;
}
