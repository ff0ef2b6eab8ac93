/* SPDX-License-Identifier: Apache-2.0
 *
 * One pool of entries in order of documents, an end for each. Terms of a document stand in order of number,
 * so that new numbers, which rise with the old ones, keep them in order.
 */
#include "search/forward.h"

#include "core/mem.h"

#include <stdlib.h>

#define NO_NUMBER UINT32_MAX
#define MAX_FEW   40

void forward_init(struct forward *forward)
{
    *forward = (struct forward){0};
}

void forward_done(struct forward *forward)
{
    forward->entries = mem_free(forward->entries);
    forward->ends = mem_free(forward->ends);
}

static int reserve(struct forward *forward, uint32_t n_docs, size_t n_entries)
{
    if (n_docs > forward->cap_docs) {
        uint32_t cap = n_docs + n_docs / 2 + 16;
        uint64_t *ends = mem_realloc(forward->ends, cap * sizeof(*ends));
        if (!ends)
            return ERR_NOMEM;
        forward->ends = ends;
        forward->cap_docs = cap;
    }
    if (forward->n + n_entries > forward->cap) {
        size_t cap = forward->cap + forward->cap / 2 + n_entries + 64;
        forward_entry *entries = mem_realloc(forward->entries, cap * sizeof(*entries));
        if (!entries)
            return ERR_NOMEM;
        forward->entries = entries;
        forward->cap = cap;
    }
    return 0;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/* A text has a few dozen terms, which are sorted faster than the library's function is set up. */
static void sort_numbers(uint32_t *numbers, size_t n)
{
    if (n > MAX_FEW) {
        qsort(numbers, n, sizeof(*numbers), compare_numbers);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        uint32_t number = numbers[i];
        size_t at = i;
        for (; at && numbers[at - 1] > number; at--)
            numbers[at] = numbers[at - 1];
        numbers[at] = number;
    }
}

int forward_add(struct forward *forward, uint32_t doc, uint32_t *terms, size_t n_terms)
{
    int err = reserve(forward, doc + 1, n_terms);
    if (err)
        return err;
    sort_numbers(terms, n_terms);
    if (n_terms && terms[n_terms - 1] > FORWARD_MAX_TERM)
        return ERR_LIMIT;
    while (forward->n_docs < doc)
        forward->ends[forward->n_docs++] = forward->n;
    size_t start = forward->n;
    for (size_t i = 0; i < n_terms; i++) {
        forward_entry *last = forward->n > start ? &forward->entries[forward->n - 1] : NULL;
        if (!last || forward_term(*last) != terms[i])
            forward->entries[forward->n++] = terms[i] << 8 | 1;
        else if (forward_frequency(*last) < FORWARD_MAX_FREQUENCY)
            ++*last;
    }
    forward->ends[forward->n_docs++] = forward->n;
    return 0;
}

const forward_entry *forward_get(const struct forward *forward, uint32_t doc, size_t *ret_n)
{
    if (doc >= forward->n_docs) {
        *ret_n = 0;
        return NULL;
    }
    size_t start = doc ? forward->ends[doc - 1] : 0;
    *ret_n = forward->ends[doc] - start;
    return forward->entries + start;
}

void forward_compact(struct forward *forward, const uint32_t *doc_map, const uint32_t *term_map)
{
    size_t n = 0, start = 0;
    uint32_t n_docs = 0;
    for (uint32_t doc = 0; doc < forward->n_docs; doc++) {
        size_t end = forward->ends[doc];
        if (doc_map[doc] != NO_NUMBER) {
            for (size_t i = start; i < end; i++) {
                uint32_t term = term_map[forward_term(forward->entries[i])];
                if (term != NO_NUMBER)
                    forward->entries[n++] = term << 8 | forward_frequency(forward->entries[i]);
            }
            forward->ends[n_docs++] = n;
        }
        start = end;
    }
    forward->n = n;
    forward->n_docs = n_docs;
}

size_t forward_size_bytes(const struct forward *forward)
{
    return forward->cap * sizeof(*forward->entries) + forward->cap_docs * sizeof(*forward->ends);
}
