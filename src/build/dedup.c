/* SPDX-License-Identifier: Apache-2.0
 *
 * Near-duplicates: two texts are alike when their words are the same, or when both are long enough to judge
 * and nine tenths of their three-word runs agree while every number in them agrees, too ("at 10:00" is not
 * "at 11:00"). Case and punctuation do not count. Chinese and Japanese characters are a word each.
 *
 * Who is like whom is found without comparing each with each. Of two that are alike, the least run that both
 * have (by its hash) stands among the first tenth of either's runs in order: what stands before it is in one
 * of them alone, and that is a tenth at most. So a text leaves its first tenth of runs as marks, and is
 * compared only with those that left one of its own.
 */
#include "build/build_priv.h"
#include "build/fingerprint.h"

#include <assert.h>

#define FEW_MARKS      8 /* of a text below eighty words, that is of most */
#define FIRST_HEADS    512
#define MAX_REMEMBERED 1024 /* a context holds far fewer items */

static_assert(DEDUP_MEMO_WORDS == 1 + FEW_MARKS / 2, "an outline is its whole and its marks");

/* What tells whom a text may be like: of these marks two that are alike have one in common. */
struct outline {
    uint64_t whole; /* of its fingerprint; 0: it has no words */
    const uint32_t *marks;
    size_t n_marks;
};

struct known {
    struct str text;
    uint64_t whole;
    struct fingerprint *print; /* NULL: nobody had to know */
};

struct mark {
    uint32_t value;
    uint32_t owner; /* its place in known */
    uint32_t next;  /* in the same chain, plus one; 0: none */
};

struct dedup {
    struct arena *arena;
    uint64_t seed;
    struct memo *outlines;
    struct known *known;
    size_t n_known, cap_known;
    struct mark *marks;
    size_t n_marks, cap_marks;
    uint32_t *heads; /* of the marks' chains, as `next` has them */
    size_t n_heads;  /* a power of two */
};

int dedup_new(struct arena *arena, uint64_t seed, struct memo *outlines, struct dedup **ret_dedup)
{
    struct dedup *dedup = arena_calloc(arena, 1, sizeof *dedup);
    if (!dedup)
        return arena_error(arena);
    dedup->arena = arena;
    dedup->seed = seed;
    dedup->outlines = outlines;
    *ret_dedup = dedup;
    return 0;
}

/* ---- outlines ---- */

/* Its n least runs, each once and in order; returns how many there are. */
static size_t least_runs(const struct fingerprint *print, size_t n, uint64_t *ret_runs)
{
    size_t n_found = 0;
    for (size_t i = 0; i < print->n_runs; i++) {
        uint64_t run = print->runs[i];
        size_t at = n_found;
        while (at > 0 && run < ret_runs[at - 1])
            at--;
        if (at == n || (at > 0 && run == ret_runs[at - 1]))
            continue;
        if (n_found < n)
            n_found++;
        for (size_t j = n_found - 1; j > at; j--)
            ret_runs[j] = ret_runs[j - 1];
        ret_runs[at] = run;
    }
    return n_found;
}

/* A tenth of its runs and one more: the least of them. */
static bool outline_make(const struct dedup *dedup, struct fingerprint *print, struct outline *outline)
{
    uint64_t few[FEW_MARKS];
    const uint64_t *runs = few;
    size_t n = print->n_runs / 10 + 1;
    *outline = (struct outline){.whole = print->n_words ? print->whole | 1 : 0};
    if (print->n_words < FINGERPRINT_MIN_WORDS)
        return true;
    if (n <= FEW_MARKS) {
        n = least_runs(print, n, few);
    } else {
        fingerprint_sort(print);
        runs = print->runs;
        n = print->n_runs / 10 + 1;
    }
    uint32_t *marks = arena_alloc(dedup->arena, n * sizeof *marks);
    for (size_t i = 0; marks && i < n; i++)
        marks[i] = (uint32_t)(runs[i] >> 32) | 1;
    outline->marks = marks;
    outline->n_marks = n;
    return marks != NULL;
}

/* Of a text that some build asked for before; zeros stand for no mark. */
static bool outline_find(const struct dedup *dedup, uint64_t key, uint32_t few[FEW_MARKS],
                         struct outline *outline)
{
    uint64_t words[MEMO_MAX_WORDS];
    if (!dedup->outlines || !memo_find(dedup->outlines, key, words))
        return false;
    *outline = (struct outline){.whole = words[0], .marks = few};
    memcpy(few, words + 1, FEW_MARKS * sizeof *few);
    while (outline->n_marks < FEW_MARKS && few[outline->n_marks] != 0)
        outline->n_marks++;
    return true;
}

static void outline_keep(const struct dedup *dedup, uint64_t key, const struct outline *outline)
{
    uint64_t words[MEMO_MAX_WORDS] = {outline->whole};
    if (!dedup->outlines || outline->n_marks > FEW_MARKS)
        return;
    if (outline->n_marks > 0)
        memcpy(words + 1, outline->marks, outline->n_marks * sizeof *outline->marks);
    memo_keep(dedup->outlines, key, words);
}

/* ---- who is like whom ---- */

static struct fingerprint *print_of(const struct dedup *dedup, struct known *text)
{
    if (!text->print)
        text->print = fingerprint_new(dedup->arena, dedup->seed, text->text);
    return text->print;
}

static bool are_alike(const struct dedup *dedup, struct known *a, struct known *b)
{
    if (a->whole == b->whole)
        return true;
    struct fingerprint *left = print_of(dedup, a), *right = print_of(dedup, b);
    return left && right && fingerprint_is_alike(left, right);
}

static uint32_t *head_of(const struct dedup *dedup, uint32_t value)
{
    return &dedup->heads[(value >> 1) & (dedup->n_heads - 1)];
}

static bool has_alike(struct dedup *dedup, uint32_t value, struct known *asked)
{
    for (uint32_t at = dedup->n_heads ? *head_of(dedup, value) : 0; at != 0; at = dedup->marks[at - 1].next) {
        const struct mark *mark = &dedup->marks[at - 1];
        if (mark->value == value && are_alike(dedup, &dedup->known[mark->owner], asked))
            return true;
    }
    return false;
}

static void link_mark(struct dedup *dedup, size_t i)
{
    uint32_t *head = head_of(dedup, dedup->marks[i].value);
    dedup->marks[i].next = *head;
    *head = (uint32_t)i + 1;
}

static int add_mark(struct dedup *dedup, uint32_t value, size_t owner)
{
    struct arena *arena = dedup->arena;
    struct mark *marks = arena_grow(arena, dedup->marks, dedup->n_marks, &dedup->cap_marks, sizeof *marks);
    if (!marks)
        return arena_error(arena);
    dedup->marks = marks;
    if (dedup->n_marks == dedup->n_heads) {
        size_t n_heads = dedup->n_heads ? dedup->n_heads * 2 : FIRST_HEADS;
        uint32_t *heads = arena_calloc(arena, n_heads, sizeof *heads);
        if (!heads)
            return arena_error(arena);
        dedup->heads = heads;
        dedup->n_heads = n_heads;
        for (size_t i = 0; i < dedup->n_marks; i++)
            link_mark(dedup, i);
    }
    marks[dedup->n_marks] = (struct mark){.value = value, .owner = (uint32_t)owner};
    link_mark(dedup, dedup->n_marks++);
    return 0;
}

/* The mark of those whose words are the same. */
static uint32_t whole_mark(uint64_t whole)
{
    return (uint32_t)(whole >> 32) | 1;
}

static void remember(struct dedup *dedup, const struct known *text, const struct outline *outline)
{
    struct known *known =
        arena_grow(dedup->arena, dedup->known, dedup->n_known, &dedup->cap_known, sizeof *known);
    if (!known)
        return;
    dedup->known = known;
    known[dedup->n_known++] = *text;
    int rc = add_mark(dedup, whole_mark(outline->whole), dedup->n_known - 1);
    for (size_t i = 0; rc == 0 && i < outline->n_marks; i++)
        rc = add_mark(dedup, outline->marks[i], dedup->n_known - 1);
}

bool dedup_is_known(struct dedup *dedup, struct str text)
{
    struct known asked = {.text = text};
    struct outline outline;
    uint32_t few[FEW_MARKS];
    uint64_t key = str_hash(text, dedup->seed);
    if (!outline_find(dedup, key, few, &outline)) {
        if (!print_of(dedup, &asked) || !outline_make(dedup, asked.print, &outline))
            return false;
        outline_keep(dedup, key, &outline);
    }
    /* Without words ("---", an emoji) there is nothing to compare. */
    if (outline.whole == 0)
        return false;
    asked.whole = outline.whole;
    bool is_known = has_alike(dedup, whole_mark(outline.whole), &asked);
    for (size_t i = 0; !is_known && i < outline.n_marks; i++)
        is_known = has_alike(dedup, outline.marks[i], &asked);
    if (!is_known && dedup->n_known < MAX_REMEMBERED)
        remember(dedup, &asked, &outline);
    return is_known;
}
