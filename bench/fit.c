/* SPDX-License-Identifier: Apache-2.0
 *
 * How long it takes to choose what stands in a context: N items, best first, into BUDGET tokens of
 * o200k_base.
 *
 * usage: fit [N [BUDGET]]     (500 items, 4,000 tokens)
 *
 * In one run, in turn, the median of many: `fit` as a build has it; `again`, when the engine has counted the
 * items before; `count`, every item's text counted once, which no exact choice among unknown texts can do
 * without; `recount`, what is left to a program whose tokenizer counts whole texts alone: append an item,
 * count the text, take it back if it is too long; and `add up`, counts of single items plus a reserve of two
 * tokens for each seam, which is fast and fills less.
 */
#include "build/build_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_ITEMS    20000
#define N_ROUNDS     101
#define SEAM_RESERVE 2

static const char *const words[] = {
    "the",      "meeting",   "about",    "Ann",   "Jordan",   "yesterday", "moved",    "to",     "Thursday",
    "because",  "of",        "a",        "train", "strike",   "deadline",  "internet", "router", "fails",
    "invoice",  "1,250.00",  "paid",     "and",   "maybe",    "Łódź",      "東京",     "I",      "don't",
    "remember", "what",      "she",      "said",  "exactly",  "in",        "March",    "2026",   "project",
    "database", "migration", "finished", "left",  "painting", "adoption",  "agency",   "hiking"};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Turns of a conversation: mostly a sentence or two, now and then a long one. */
static struct str make_text(struct arena *arena, uint64_t *seed)
{
    struct buf buf;
    size_t n = 8 + next(seed) % 24 + (next(seed) % 12 == 0 ? next(seed) % 200 : 0);
    buf_init(&buf, 1 << 16);
    buf_append_text(&buf, "-");
    for (size_t i = 0; i < n; i++) {
        buf_append_byte(&buf, ' ');
        buf_append_text(&buf, words[next(seed) % (sizeof words / sizeof *words)]);
        if (next(seed) % 9 == 0)
            buf_append_byte(&buf, i % 2 ? ',' : '.');
    }
    struct str text = arena_copy(arena, buf_str(&buf));
    buf_done(&buf);
    return text;
}

struct bench {
    struct arena arena;
    const struct tokenizer *tokenizer;
    struct counts *counts;
    struct str *texts;
    size_t n, n_bytes;
    int64_t budget;
    int64_t filled; /* by the latest run */
    size_t n_kept;
};

static void fit_with(struct bench *bench, struct build_engine *engine)
{
    struct recipe_section plan = {
        .step.name = STR_LIT("notes"), .title = STR_LIT("Notes"), .limit = bench->n, .max_tokens = INT64_MAX};
    struct recipe recipe = {.sections = &plan, .n_sections = 1};
    struct build_section section = {.plan = &plan, .status = SECTION_OK, .n_items = bench->n};
    struct build_request request = {.format = FORMAT_MARKDOWN};
    struct build build = {.engine = engine,
                          .recipe = &recipe,
                          .request = &request,
                          .tokenizer = bench->tokenizer,
                          .format = build_format_find(FORMAT_MARKDOWN),
                          .max_tokens = bench->budget,
                          .sections = &section};
    arena_init(&build.arena, 1 << 28);
    buf_init(&build.stable, 1 << 26);
    buf_init(&build.volatile_, 1 << 26);
    buf_init(&build.context, 1 << 26);
    section.items = arena_calloc(&build.arena, bench->n, sizeof *section.items);
    section.printed = arena_calloc(&build.arena, bench->n, sizeof *section.printed);
    for (size_t i = 0; i < bench->n; i++) {
        section.items[i] =
            (struct build_item){.text = bench->texts[i], .score = NAN, .time_us = INT64_MIN, .tokens = -1};
        section.printed[i] = i;
    }
    if (build_fit(&build, NULL) < 0)
        abort();
    bench->filled = build.answer_tokens;
    bench->n_kept = 0;
    for (size_t i = 0; i < bench->n; i++)
        bench->n_kept += item_is_kept(&section.items[i]);
    buf_done(&build.stable);
    buf_done(&build.volatile_);
    buf_done(&build.context);
    arena_done(&build.arena);
}

static void run_fit(struct bench *bench)
{
    fit_with(bench, NULL);
}

static void run_again(struct bench *bench)
{
    struct build_engine engine = {.counts = bench->counts};
    fit_with(bench, &engine);
}

static void run_count(struct bench *bench)
{
    int64_t tokens = 0;
    for (size_t i = 0; i < bench->n; i++)
        tokens += bench->tokenizer->count(bench->texts[i]);
    bench->filled = tokens;
    bench->n_kept = bench->n;
}

static void run_recount(struct bench *bench)
{
    struct buf buf;
    buf_init(&buf, 1 << 26);
    buf_append_text(&buf, "## Notes");
    bench->n_kept = 0;
    for (size_t i = 0; i < bench->n; i++) {
        size_t len = buf.len;
        buf_append_byte(&buf, '\n');
        buf_append_str(&buf, bench->texts[i]);
        if (bench->tokenizer->count(buf_str(&buf)) > bench->budget)
            buf_truncate(&buf, len);
        else
            bench->n_kept++;
    }
    bench->filled = bench->tokenizer->count(buf_str(&buf));
    buf_done(&buf);
}

static void run_add_up(struct bench *bench)
{
    struct buf buf;
    int64_t used = bench->tokenizer->count(STR_LIT("## Notes"));
    buf_init(&buf, 1 << 26);
    buf_append_text(&buf, "## Notes");
    bench->n_kept = 0;
    for (size_t i = 0; i < bench->n; i++) {
        int64_t cost = bench->tokenizer->count(bench->texts[i]) + SEAM_RESERVE;
        if (used + cost > bench->budget)
            continue;
        used += cost;
        buf_append_byte(&buf, '\n');
        buf_append_str(&buf, bench->texts[i]);
        bench->n_kept++;
    }
    bench->filled = bench->tokenizer->count(buf_str(&buf));
    buf_done(&buf);
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct bench *bench);
    } ways[] = {{"fit", run_fit},
                {"again", run_again},
                {"count", run_count},
                {"recount", run_recount},
                {"add up", run_add_up}};
    enum { N_WAYS = sizeof ways / sizeof *ways };
    static int64_t took[N_WAYS][N_ROUNDS];
    struct bench bench = {.tokenizer = tokenizer_find(STR_LIT("o200k_base")), .n = 500, .budget = 4000};
    uint64_t seed = 20261121;
    if (argc > 1)
        bench.n = strtoul(argv[1], NULL, 10) % (MAX_ITEMS + 1);
    if (argc > 2)
        bench.budget = strtol(argv[2], NULL, 10);
    if (counts_new(seed, &bench.counts) < 0)
        abort();
    arena_init(&bench.arena, 1 << 28);
    bench.texts = arena_calloc(&bench.arena, bench.n + 1, sizeof *bench.texts);
    for (size_t i = 0; i < bench.n; i++) {
        bench.texts[i] = make_text(&bench.arena, &seed);
        bench.n_bytes += bench.texts[i].len;
    }
    for (int round = 0; round < N_ROUNDS; round++)
        for (int way = 0; way < N_WAYS; way++) {
            int64_t start = now_ns();
            ways[way].run(&bench);
            took[way][round] = now_ns() - start;
        }
    printf("%zu items of %zu bytes in all into %lld tokens\n", bench.n, bench.n_bytes,
           (long long)bench.budget);
    for (int way = 0; way < N_WAYS; way++) {
        ways[way].run(&bench);
        qsort(took[way], N_ROUNDS, sizeof took[way][0], compare);
        printf("%-8s %9.1f us   %5zu items %6lld tokens, %5.1f %% of the budget\n", ways[way].name,
               (double)took[way][N_ROUNDS / 2] * 1e-3, bench.n_kept, (long long)bench.filled,
               100.0 * (double)bench.filled / (double)bench.budget);
    }
    arena_done(&bench.arena);
    counts_free(bench.counts);
    return 0;
}
