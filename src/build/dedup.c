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

#include "core/utf8.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>

#define RUN_WORDS       3
#define MIN_WORDS       8 /* below that one changed word is a changed meaning */
#define MIN_LIKENESS    0.9
#define FIRST_RUNS      32
#define FEW_MARKS       8 /* of a text below eighty words, that is of most */
#define FIRST_HEADS     512
#define MAX_REMEMBERED  1024 /* a context holds far fewer items */
#define FIRST_IDEOGRAPH 0x2E80
#define FACTOR          UINT64_C(0x94D049BB133111EB)

static_assert(DEDUP_MEMO_WORDS == 1 + FEW_MARKS / 2, "an outline is its whole and its marks");

struct fingerprint {
    uint64_t whole;   /* of all words in order */
    uint64_t numbers; /* of the words with digits, in any order */
    size_t n_words;
    uint64_t *runs; /* hashes of three-word runs; once sorted, each once */
    size_t n_runs;
    bool is_sorted;
};

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

/* ---- words ---- */

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The high bit of each byte from first to last; all are below 0x80. */
static uint64_t bytes_between(uint64_t bytes, unsigned first, unsigned last)
{
    return (bytes + EACH_BYTE(0x80 - first)) & ~(bytes + EACH_BYTE(0x7F - last)) & EACH_BYTE(0x80);
}

/* The next eight bytes, the first one lowest; zeros behind the end. */
static inline uint64_t eight_bytes(const char *at, const char *end)
{
    uint64_t bytes = 0;
    if (end - at >= (ptrdiff_t)sizeof bytes)
        memcpy(&bytes, at, sizeof bytes);
    else
        memcpy(&bytes, at, (size_t)(end - at));
    return le64toh(bytes);
}

struct word {
    uint64_t hash;
    bool has_digit;
};

/* Adds the letters and digits of ASCII that stand at `at` and returns where they end. Each row of eight is
 * taken at once, most words in one. */
static inline const char *add_letters(const char *at, const char *end, struct word *word)
{
    for (;;) {
        uint64_t bytes = eight_bytes(at, end), low = bytes & EACH_BYTE(0x7F);
        /* Makes large letters small, and nothing of digits. */
        uint64_t small = low | EACH_BYTE(0x20), digits = bytes_between(low, '0', '9');
        uint64_t others = (~(bytes_between(small, 'a', 'z') | digits) | bytes) & EACH_BYTE(0x80);
        if (others & 0x80)
            return at;
        uint64_t inside = others ? ((others & -others) >> 7) - 1 : UINT64_MAX;
        word->has_digit |= (digits & inside) != 0;
        word->hash = (word->hash ^ (small & inside)) * FACTOR;
        word->hash ^= word->hash >> 32;
        if (others)
            return at + __builtin_ctzll(others) / 8;
        at += sizeof bytes;
    }
}

/* A character beyond ASCII; *ret_is_end when the word ends before it or with it. */
static const char *add_wide(const char *at, const char *end, bool is_first, struct word *word,
                            bool *ret_is_end)
{
    size_t len = 0;
    uint32_t c = utf8_next(str_make(at, (size_t)(end - at)), &len);
    *ret_is_end = c >= FIRST_IDEOGRAPH;
    if (*ret_is_end && !is_first)
        return at;
    word->hash = (word->hash ^ c) * FACTOR;
    return at + len;
}

static const bool is_word_byte[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, [0x80 ... 0xFF] = true};

/* Behind the next word; NULL when there is none. */
static inline const char *next_word(const char *at, const char *end, uint64_t seed, struct word *ret_word)
{
    bool is_end = false;
    while (at < end && !is_word_byte[(unsigned char)*at])
        at++;
    if (at == end)
        return NULL;
    *ret_word = (struct word){.hash = seed};
    const char *start = at;
    at = add_letters(at, end, ret_word);
    while (at < end && (unsigned char)*at >= 0x80 && !is_end) {
        at = add_wide(at, end, at == start, ret_word, &is_end);
        if (!is_end)
            at = add_letters(at, end, ret_word);
    }
    ret_word->hash = (ret_word->hash ^ (ret_word->hash >> 29)) * UINT64_C(0xBF58476D1CE4E5B9);
    return at;
}

/* ---- fingerprints ---- */

static int compare_hashes(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void sort_runs(struct fingerprint *print)
{
    size_t n = 0;
    if (print->is_sorted)
        return;
    print->is_sorted = true;
    if (print->n_runs > 1)
        qsort(print->runs, print->n_runs, sizeof *print->runs, compare_hashes);
    for (size_t i = 0; i < print->n_runs; i++)
        if (n == 0 || print->runs[i] != print->runs[n - 1])
            print->runs[n++] = print->runs[i];
    print->n_runs = n;
}

/* For a few sentences at once, which is what most texts are. */
static bool runs_grow(struct arena *arena, struct fingerprint *print, size_t *cap)
{
    if (*cap > 0)
        print->runs = arena_grow(arena, print->runs, print->n_runs, cap, sizeof *print->runs);
    else if ((print->runs = arena_alloc(arena, FIRST_RUNS * sizeof *print->runs)))
        *cap = FIRST_RUNS;
    return print->runs != NULL;
}

static uint64_t turn(uint64_t hash, int n_bits)
{
    return hash << n_bits | hash >> (64 - n_bits);
}

static struct fingerprint *fingerprint_new(const struct dedup *dedup, struct str text)
{
    struct fingerprint *print = arena_alloc(dedup->arena, sizeof *print);
    if (!print)
        return NULL;
    const char *at = text.ptr, *end = text.ptr + text.len;
    uint64_t last = 0, before_last = 0;
    struct word word;
    size_t cap = 0;
    *print = (struct fingerprint){.whole = dedup->seed};
    while ((at = next_word(at, end, dedup->seed, &word))) {
        print->whole = (print->whole ^ word.hash) * FACTOR;
        if (word.has_digit)
            print->numbers += word.hash;
        if (++print->n_words >= RUN_WORDS) {
            if (print->n_runs == cap && !runs_grow(dedup->arena, print, &cap))
                return NULL;
            print->runs[print->n_runs++] = (turn(before_last, 42) ^ turn(last, 21) ^ word.hash) * FACTOR;
        }
        before_last = last;
        last = word.hash;
    }
    return print;
}

static bool runs_agree(const struct fingerprint *a, const struct fingerprint *b)
{
    size_t n_both = 0;
    size_t least = a->n_runs < b->n_runs ? a->n_runs : b->n_runs;
    size_t most = a->n_runs + b->n_runs - least;
    if ((double)least < MIN_LIKENESS * (double)most)
        return false;
    for (size_t i = 0, j = 0; i < a->n_runs && j < b->n_runs;) {
        if (a->runs[i] == b->runs[j]) {
            n_both++;
            i++;
            j++;
        } else if (a->runs[i] < b->runs[j]) {
            i++;
        } else {
            j++;
        }
        /* Of all runs of two that are alike a nineteenth is in one alone: (1 - 0.9) / (1 + 0.9). */
        if (i + j - 2 * n_both > (a->n_runs + b->n_runs) / 19 + 1)
            return false;
    }
    return (double)n_both >= MIN_LIKENESS * (double)(a->n_runs + b->n_runs - n_both);
}

static bool is_alike(struct fingerprint *a, struct fingerprint *b)
{
    if (a->numbers != b->numbers || a->n_words < MIN_WORDS || b->n_words < MIN_WORDS)
        return false;
    sort_runs(a);
    sort_runs(b);
    return runs_agree(a, b);
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
    if (print->n_words < MIN_WORDS)
        return true;
    if (n <= FEW_MARKS) {
        n = least_runs(print, n, few);
    } else {
        sort_runs(print);
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
        text->print = fingerprint_new(dedup, text->text);
    return text->print;
}

static bool are_alike(const struct dedup *dedup, struct known *a, struct known *b)
{
    if (a->whole == b->whole)
        return true;
    struct fingerprint *left = print_of(dedup, a), *right = print_of(dedup, b);
    return left && right && is_alike(left, right);
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
