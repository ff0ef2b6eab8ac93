/* SPDX-License-Identifier: Apache-2.0
 *
 * Near-duplicates: two texts are alike when their words are the same, or when both are long enough to judge
 * and nine tenths of their three-word runs agree while every number in them agrees, too ("at 10:00" is not
 * "at 11:00"). Case and punctuation do not count. Chinese and Japanese characters are a word each.
 */
#include "build/build_priv.h"

#include "core/utf8.h"

#include <stdlib.h>

#define RUN_WORDS       3
#define MIN_WORDS       8   /* below that one changed word is a changed meaning */
#define MIN_LIKENESS    0.9 /* most_alone goes by it */
#define SKETCH_WORDS    4
#define FIRST_RUNS      32
#define MAX_REMEMBERED  1024 /* bounds the comparisons; a context holds far fewer items */
#define WORD_SEED       UINT64_C(0x9E3779B97F4A7C15)
#define FIRST_IDEOGRAPH 0x2E80

struct fingerprint {
    uint64_t whole;   /* of all words in order */
    uint64_t numbers; /* of the words with digits, in any order */
    size_t n_words;
    uint64_t *runs; /* hashes of three-word runs; once sorted, each once */
    size_t n_runs;
    bool is_sorted;
    uint64_t sketch[SKETCH_WORDS]; /* a bit for each run: runs of one text alone show without the runs */
    size_t n_bits;                 /* that are set in it */
};

struct dedup {
    struct arena *arena;
    struct fingerprint *known;
    size_t n_known, cap_known;
};

int dedup_new(struct arena *arena, struct dedup **ret_dedup)
{
    struct dedup *dedup = arena_calloc(arena, 1, sizeof *dedup);
    if (!dedup)
        return arena_error(arena);
    dedup->arena = arena;
    *ret_dedup = dedup;
    return 0;
}

enum byte_kind { NO_WORD, LETTER, DIGIT, WIDE }; /* WIDE: of a character beyond ASCII */
static const unsigned char byte_kinds[256] = {
    ['0' ... '9'] = DIGIT, ['A' ... 'Z'] = LETTER, ['a' ... 'z'] = LETTER, [0x80 ... 0xFF] = WIDE};

static enum byte_kind kind_at(struct str text, size_t at)
{
    return (enum byte_kind)byte_kinds[(unsigned char)text.ptr[at]];
}

/* A character beyond ASCII; false when it belongs to the next word. */
static bool add_wide(struct str text, size_t *pos, bool is_first, uint64_t *hash)
{
    size_t at = *pos;
    uint32_t c = utf8_next(text, pos);
    if (c >= FIRST_IDEOGRAPH && !is_first) {
        *pos = at;
        return false;
    }
    *hash = (*hash ^ c) * UINT64_C(0x100000001B3);
    return c < FIRST_IDEOGRAPH;
}

/* Moves past the next word from *pos on and gives its hash; false at the end. */
static bool next_word(struct str text, size_t *pos, uint64_t *ret_hash, bool *ret_has_digit)
{
    uint64_t hash = WORD_SEED;
    size_t at = *pos, start;
    enum byte_kind kind;
    bool has_digit = false;
    while (at < text.len && kind_at(text, at) == NO_WORD)
        at++;
    start = at;
    while (at < text.len && (kind = kind_at(text, at)) != NO_WORD) {
        if (kind == WIDE) {
            if (!add_wide(text, &at, at == start, &hash))
                break;
            continue;
        }
        has_digit |= kind == DIGIT;
        /* Makes large letters small, and nothing of digits. */
        hash = (hash ^ ((unsigned char)text.ptr[at] | 0x20U)) * UINT64_C(0x100000001B3);
        at++;
    }
    *pos = at;
    *ret_has_digit = has_digit;
    /* FNV alone is weak in the upper bits. */
    *ret_hash = (hash ^ (hash >> 29)) * UINT64_C(0xBF58476D1CE4E5B9);
    return at > start;
}

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

/* No processor that we build for is sure to have an instruction for it. */
static size_t count_bits(uint64_t bits)
{
    bits -= bits >> 1 & UINT64_C(0x5555555555555555);
    bits = (bits & UINT64_C(0x3333333333333333)) + (bits >> 2 & UINT64_C(0x3333333333333333));
    bits = (bits + (bits >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    return bits * UINT64_C(0x0101010101010101) >> 56;
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

static bool fingerprint_make(struct arena *arena, struct str text, struct fingerprint *print)
{
    uint64_t last[RUN_WORDS] = {0}, hash;
    bool has_digit;
    size_t pos = 0, cap = 0;
    *print = (struct fingerprint){.whole = WORD_SEED};
    while (next_word(text, &pos, &hash, &has_digit)) {
        print->whole = (print->whole ^ hash) * UINT64_C(0x94D049BB133111EB);
        if (has_digit)
            print->numbers += hash;
        for (size_t i = 0; i + 1 < RUN_WORDS; i++)
            last[i] = last[i + 1];
        last[RUN_WORDS - 1] = hash;
        if (++print->n_words < RUN_WORDS)
            continue;
        if (print->n_runs == cap && !runs_grow(arena, print, &cap))
            return false;
        uint64_t run = WORD_SEED;
        for (size_t i = 0; i < RUN_WORDS; i++)
            run = (run ^ last[i]) * UINT64_C(0x94D049BB133111EB);
        print->runs[print->n_runs++] = run;
        print->sketch[run >> 62] |= UINT64_C(1) << ((run >> 56) & 63);
    }
    for (size_t i = 0; i < SKETCH_WORDS; i++)
        print->n_bits += count_bits(print->sketch[i]);
    return true;
}

/* Of all runs of two texts that are alike no more may be in one of them alone: with MIN_LIKENESS a
 * nineteenth, (1 - 0.9) / (1 + 0.9). */
static size_t most_alone(size_t n_runs)
{
    return n_runs / 19 + 1;
}

/* False for nearly all that runs_agree would refuse, and for nothing else. Mostly one comparison is enough:
 * as many bits as one of them has more are in it alone. */
static bool sketches_agree(const struct fingerprint *a, const struct fingerprint *b)
{
    size_t most = most_alone(a->n_runs + b->n_runs), n_alone = 0;
    if (a->n_bits > b->n_bits + most || b->n_bits > a->n_bits + most)
        return false;
    for (size_t i = 0; i < SKETCH_WORDS; i++)
        n_alone += count_bits(a->sketch[i] ^ b->sketch[i]);
    return n_alone <= most;
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
    }
    return (double)n_both >= MIN_LIKENESS * (double)(a->n_runs + b->n_runs - n_both);
}

static bool is_alike(struct fingerprint *a, struct fingerprint *b)
{
    if (a->numbers != b->numbers)
        return false;
    if (a->n_words == b->n_words && a->whole == b->whole)
        return true;
    if (a->n_words < MIN_WORDS || b->n_words < MIN_WORDS || !sketches_agree(a, b))
        return false;
    sort_runs(a);
    sort_runs(b);
    return runs_agree(a, b);
}

bool dedup_is_known(struct dedup *dedup, struct str text)
{
    struct fingerprint print;
    /* Without words ("---", an emoji) there is nothing to compare. */
    if (!fingerprint_make(dedup->arena, text, &print) || print.n_words == 0)
        return false;
    for (size_t i = 0; i < dedup->n_known; i++)
        if (is_alike(&dedup->known[i], &print))
            return true;
    if (dedup->n_known == MAX_REMEMBERED)
        return false;
    dedup->known =
        arena_grow(dedup->arena, dedup->known, dedup->n_known, &dedup->cap_known, sizeof *dedup->known);
    if (dedup->known)
        dedup->known[dedup->n_known++] = print;
    else
        dedup->n_known = 0;
    return false;
}
