/* SPDX-License-Identifier: Apache-2.0
 *
 * Keyword search beside SQLite FTS5: the same documents, the same questions, the first 50 of each, one question at a
 * time, in one process. Ours is a whole search through search/search.h. bench/keyword.sh builds and runs it.
 *
 * usage: keyword N [DOCUMENTS [QUESTIONS]]     (files with one a line; without them both are made up from a seed)
 */
#include "core/buf.h"
#include "search/search.h"
#include "text/text_priv.h"

#include <ctype.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_QUESTIONS 300
#define TOP           50
#define AGREED_TOP    10
#define ROUNDS        4 /* the first warms up */
#define N_WORDS       50000

struct lines {
    struct str *items;
    size_t n;
};

static struct lines docs, questions;

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "keyword: %s: %s\n", what, why);
    exit(1);
}

/* ---- documents and questions --------------------------------------------------------------------------- */

static void add_line(struct lines *lines, const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    memcpy(copy, text, len);
    lines->items[lines->n++] = (struct str){.ptr = copy, .len = len};
}

static void read_lines(struct lines *lines, const char *path, size_t max)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    if (!file)
        fail(path, "cannot be opened");
    while (lines->n < max && (len = getline(&line, &cap, file)) > 0)
        if (len > 1)
            add_line(lines, line, (size_t)len - 1);
    free(line);
    (void)fclose(file);
}

static uint64_t seed = 20261121;

static double next_share(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) / (double)(1ull << 53);
}

/* A word of a rank between N_WORDS^least and N_WORDS, every order of magnitude as often as any other, as Zipf found. */
static void append_word(struct buf *buf, double least)
{
    static const char *const parts[] = {"ba", "do", "fe", "gi", "ku", "la", "mo", "ne", "pi", "ru", "sa", "to", "ve", "zi"};
    const size_t n_parts = sizeof(parts) / sizeof(*parts);
    size_t rank = (size_t)pow(N_WORDS, least + (1 - least) * next_share());
    for (; rank; rank /= n_parts)
        buf_printf(buf, "%s", parts[rank % n_parts]);
    buf_printf(buf, "x "); /* no ending that stemming would cut */
}

static void make_lines(struct lines *lines, size_t n, size_t n_least, size_t n_most, double least)
{
    struct buf buf;
    buf_init(&buf, 1 << 16);
    for (size_t i = 0; i < n; i++) {
        buf_clear(&buf);
        for (size_t left = n_least + (size_t)(next_share() * (double)(n_most - n_least)); left; left--)
            append_word(&buf, least);
        add_line(lines, buf.data, buf.len - 1);
    }
    buf_done(&buf);
}

/* ---- ours ---------------------------------------------------------------------------------------------- */

static int load_docs(void *owner, struct search_load *load, struct err_info *reterr)
{
    (void)owner;
    (void)reterr;
    for (size_t i = (size_t)load->place.row; i < docs.n; i++) {
        struct search_doc doc = {.row = (int64_t)i + 1, .text = docs.items[i], .importance = 0.5};
        int r = load->put(load->partition, &doc);
        if (r < 0)
            return r;
        load->place = (struct search_place){(int64_t)i + 1, (int64_t)i + 1};
        if (r)
            return r;
    }
    load->n_living = (int64_t)docs.n;
    return 0;
}

static int count_docs(void *owner, struct str tenant, struct str user, int64_t *ret_n, struct err_info *reterr)
{
    (void)owner;
    (void)tenant;
    (void)user;
    (void)reterr;
    *ret_n = (int64_t)docs.n;
    return 0;
}

static uint64_t docs_version(void *owner, struct str tenant, struct str user)
{
    (void)owner;
    (void)tenant;
    (void)user;
    return docs.n;
}

static struct search *ours;
static struct arena arena;

static size_t find_ours(size_t question, int64_t *ret_rows)
{
    struct search_query query = {.tenant = str_of("t"), .user = str_of("u"), .mode = SEARCH_KEYWORD, .text = questions.items[question], .limit = TOP,
                                 .since_us = INT64_MIN, .until_us = INT64_MAX};
    struct search_hit *hits = NULL;
    struct err_info err;
    bool is_degraded;
    size_t n = 0;
    arena_reset(&arena);
    if (search_run(ours, &query, &arena, &hits, &n, &is_degraded, &err) || is_degraded)
        fail("search", err.message);
    for (size_t i = 0; i < n; i++)
        ret_rows[i] = hits[i].row;
    return n;
}

static double build_ours(void)
{
    struct search_options options = {.max_bytes = (size_t)8 << 30, .language = "en",
                                     .max_inline_us = INT64_MAX,
                                     .feed = {.load = load_docs, .count = count_docs, .version = docs_version}};
    struct err_info err;
    int64_t rows[TOP];
    arena_init(&arena, 64 << 20);
    if (search_new(&options, &ours, &err))
        fail("search", err.message);
    double start = now_us();
    (void)find_ours(0, rows);
    return (now_us() - start) / 1e3;
}

/* ---- SQLite -------------------------------------------------------------------------------------------- */

static sqlite3 *db;
static sqlite3_stmt *statement;
static struct buf matches[MAX_QUESTIONS];

static void must(int err)
{
    if (err != SQLITE_OK && err != SQLITE_DONE)
        fail("sqlite", sqlite3_errmsg(db));
}

/* Any of the question's words but stop words. */
static void make_match(struct buf *match, struct str question)
{
    buf_init(match, 1 << 16);
    for (size_t at = 0; at < question.len;) {
        char word[64];
        size_t len = 0;
        while (at < question.len && !isalnum((unsigned char)question.ptr[at]))
            at++;
        for (; at < question.len && isalnum((unsigned char)question.ptr[at]); at++)
            if (len < sizeof(word) - 1)
                word[len++] = (char)tolower((unsigned char)question.ptr[at]);
        word[len] = 0;
        if (len && !stop_words_has_english(str_of(word)))
            buf_printf(match, "%s\"%s\"", match->len ? " OR " : "", word);
    }
}

static double build_theirs(void)
{
    must(sqlite3_open(":memory:", &db));
    must(sqlite3_exec(db, "create virtual table docs using fts5(text, tokenize='porter unicode61'); begin", NULL, NULL, NULL));
    must(sqlite3_prepare_v2(db, "insert into docs(rowid, text) values (?, ?)", -1, &statement, NULL));
    double start = now_us();
    for (size_t i = 0; i < docs.n; i++) {
        (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)i + 1);
        (void)sqlite3_bind_text(statement, 2, docs.items[i].ptr, (int)docs.items[i].len, SQLITE_STATIC);
        must(sqlite3_step(statement));
        must(sqlite3_reset(statement));
    }
    (void)sqlite3_finalize(statement);
    must(sqlite3_exec(db, "commit", NULL, NULL, NULL));
    must(sqlite3_prepare_v2(db, "select rowid from docs where docs match ? order by rank limit ?", -1, &statement, NULL));
    (void)sqlite3_bind_int(statement, 2, TOP);
    return (now_us() - start) / 1e3;
}

static size_t find_theirs(size_t question, int64_t *ret_rows)
{
    size_t n = 0;
    (void)sqlite3_bind_text(statement, 1, matches[question].data, (int)matches[question].len, SQLITE_STATIC);
    while (sqlite3_step(statement) == SQLITE_ROW)
        ret_rows[n++] = sqlite3_column_int64(statement, 0);
    must(sqlite3_reset(statement));
    return n;
}

/* ---- both ---------------------------------------------------------------------------------------------- */

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

typedef size_t (*find_fn)(size_t question, int64_t *ret_rows);

struct side {
    const char *name;
    find_fn find;
    double build_ms;
    double took[ROUNDS * MAX_QUESTIONS];
    size_t n;
    int64_t rows[MAX_QUESTIONS][TOP];
    size_t n_rows[MAX_QUESTIONS];
};

static void ask_all(struct side *side, bool is_counted)
{
    for (size_t i = 0; i < questions.n; i++) {
        double start = now_us();
        side->n_rows[i] = side->find(i, side->rows[i]);
        if (is_counted)
            side->took[side->n++] = now_us() - start;
    }
}

static double percentile(const struct side *side, double share)
{
    return side->took[(size_t)((double)(side->n - 1) * share)];
}

/* How much of the peer's first ten is among ours: that both answer the same question. */
static double agreement(const struct side *a, const struct side *b)
{
    size_t n_same = 0, n_all = 0;
    for (size_t q = 0; q < questions.n; q++)
        for (size_t i = 0; i < b->n_rows[q] && i < AGREED_TOP; i++, n_all++)
            for (size_t j = 0; j < a->n_rows[q]; j++)
                n_same += a->rows[q][j] == b->rows[q][i];
    return n_all ? (double)n_same / (double)n_all : 0;
}

int main(int argc, char **argv)
{
    static struct side sides[2] = {{.name = "Precis", .find = find_ours}, {.name = "SQLite FTS5", .find = find_theirs}};
    if (argc < 2)
        fail("usage", "keyword N [DOCUMENTS [QUESTIONS]]");
    size_t n = strtoul(argv[1], NULL, 10);
    docs.items = calloc(n, sizeof(*docs.items));
    questions.items = calloc(MAX_QUESTIONS, sizeof(*questions.items));
    if (argc > 2)
        read_lines(&docs, argv[2], n);
    else
        make_lines(&docs, n, 8, 40, 0);
    if (argc > 3)
        read_lines(&questions, argv[3], MAX_QUESTIONS);
    else
        make_lines(&questions, MAX_QUESTIONS, 3, 7, 0.4);
    if (!docs.n || !questions.n)
        fail("input", "no documents, or no questions");
    for (size_t i = 0; i < questions.n; i++)
        make_match(&matches[i], questions.items[i]);
    sides[0].build_ms = build_ours();
    sides[1].build_ms = build_theirs();
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t side = 0; side < 2; side++)
            ask_all(&sides[side], round > 0);
    for (size_t side = 0; side < 2; side++)
        qsort(sides[side].took, sides[side].n, sizeof(double), compare_doubles);
    for (size_t side = 0; side < 2; side++)
        printf("| %s | %s | %.1f | %.1f | %.1f | %.0f | %.0f | %.2f |\n", side ? "" : argv[1], sides[side].name,
               percentile(&sides[side], .5), percentile(&sides[side], .95), percentile(&sides[side], .99), sides[side].build_ms,
               percentile(&sides[1], .5) / percentile(&sides[side], .5), agreement(&sides[side], &sides[1]));
    (void)search_free(ours);
    return 0;
}
