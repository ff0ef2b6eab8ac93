/* SPDX-License-Identifier: Apache-2.0
 *
 * See ruler.h. A mark counts for an interval when the characters on both sides of its break lie inside.
 */
#include "text/ruler.h"

#define FIRST_STRIDE_BYTES 128
#define MAX_CHAR_BYTES     4

/* Every other mark goes; the first stays. */
static void thin_out(struct token_ruler *ruler)
{
    size_t n = 0;
    for (size_t i = 0; i < ruler->n; i += 2, n++) {
        ruler->marks[n] = ruler->marks[i];
        ruler->units[n] = ruler->units[i];
    }
    ruler->n = n;
    ruler->stride_bytes *= 2;
}

void token_ruler_init(struct token_ruler *ruler, const struct tokenizer *tokenizer, struct str text,
                      int64_t max_units)
{
    ruler->tokenizer = tokenizer;
    ruler->text = text;
    ruler->stride_bytes = FIRST_STRIDE_BYTES;
    ruler->n = 1;
    ruler->marks[0] = 0;
    ruler->units[0] = 0;
    while (ruler->marks[ruler->n - 1] < text.len && ruler->units[ruler->n - 1] <= max_units) {
        size_t mark = ruler->marks[ruler->n - 1];
        int64_t units = ruler->units[ruler->n - 1];
        size_t next = tokenizer->next_break(text, mark + ruler->stride_bytes);
        if (next == TOKENS_NO_BREAK)
            next = text.len;
        units += tokenizer->units(str_slice(text, mark, next - mark));
        if (ruler->n == RULER_MAX_MARKS)
            thin_out(ruler);
        ruler->marks[ruler->n] = next;
        ruler->units[ruler->n++] = units;
    }
}

bool token_ruler_is_whole(const struct token_ruler *ruler)
{
    return ruler->marks[ruler->n - 1] == ruler->text.len;
}

/* How many marks stand before `pos`. */
static size_t n_before(const struct token_ruler *ruler, size_t pos)
{
    size_t low = 0, high = ruler->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ruler->marks[middle] < pos)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t token_ruler_mark_before(const struct token_ruler *ruler, size_t pos)
{
    size_t n = n_before(ruler, pos);
    return n > 0 ? n - 1 : 0;
}

int64_t token_ruler_units(const struct token_ruler *ruler, size_t from, size_t to)
{
    const struct tokenizer *tokenizer = ruler->tokenizer;
    size_t first = from == 0 ? 0 : n_before(ruler, from + MAX_CHAR_BYTES);
    size_t n_inside = to == ruler->text.len ? ruler->n : n_before(ruler, to);
    if (first + 1 >= n_inside)
        return tokenizer->units(str_slice(ruler->text, from, to - from));
    size_t last = n_inside - 1, mark = ruler->marks[first], last_mark = ruler->marks[last];
    return tokenizer->units(str_slice(ruler->text, from, mark - from)) + ruler->units[last] -
           ruler->units[first] + tokenizer->units(str_slice(ruler->text, last_mark, to - last_mark));
}
