/* SPDX-License-Identifier: Apache-2.0
 *
 * See fingerprint.h. Words are letters and digits, whose case does not count; a Chinese or Japanese character
 * is a word by itself. Letters of ASCII are hashed eight at a time, as they are nearly all there is.
 */
#include "build/fingerprint.h"

#include "core/utf8.h"

#include <endian.h>
#include <stdlib.h>

#define RUN_WORDS       3
#define MIN_LIKENESS    0.9
#define FIRST_RUNS      32
#define FIRST_IDEOGRAPH 0x2E80
#define FACTOR          UINT64_C(0x94D049BB133111EB)

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

void fingerprint_sort(struct fingerprint *print)
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

struct fingerprint *fingerprint_new(struct arena *arena, uint64_t seed, struct str text)
{
    struct fingerprint *print = arena_alloc(arena, sizeof *print);
    if (!print)
        return NULL;
    const char *at = text.ptr, *end = text.ptr + text.len;
    uint64_t last = 0, before_last = 0;
    struct word word;
    size_t cap = 0;
    *print = (struct fingerprint){.whole = seed};
    while ((at = next_word(at, end, seed, &word))) {
        print->whole = (print->whole ^ word.hash) * FACTOR;
        if (word.has_digit)
            print->numbers += word.hash;
        if (++print->n_words >= RUN_WORDS) {
            if (print->n_runs == cap && !runs_grow(arena, print, &cap))
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

bool fingerprint_is_alike(struct fingerprint *a, struct fingerprint *b)
{
    if (a->numbers != b->numbers || a->n_words < FINGERPRINT_MIN_WORDS || b->n_words < FINGERPRINT_MIN_WORDS)
        return false;
    fingerprint_sort(a);
    fingerprint_sort(b);
    return runs_agree(a, b);
}
