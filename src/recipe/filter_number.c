/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers as a reader wants them. Rounding works on decimal digits, so that a price of 0.125 becomes 0.13 and
 * a decimal of forty digits loses none; a binary detour would lie about both.
 */
#include "recipe/recipe_priv.h"

/* Splits plain decimal digits ("-12.50"); false for anything else, also for exponents. */
static bool split_digits(struct str text, bool *ret_is_negative, struct str *ret_whole, struct str *ret_part)
{
    const char *dot;

    text = str_trim(text);
    *ret_is_negative = text.len > 0 && text.ptr[0] == '-';
    if (text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+'))
        text = str_slice(text, 1, SIZE_MAX);
    dot = text.len ? memchr(text.ptr, '.', text.len) : NULL;
    *ret_whole = dot ? str_make(text.ptr, (size_t)(dot - text.ptr)) : text;
    *ret_part = dot ? str_slice(text, ret_whole->len + 1, SIZE_MAX) : str_make(NULL, 0);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr + i != dot && (text.ptr[i] < '0' || text.ptr[i] > '9'))
            return false;
    }
    return ret_whole->len + ret_part->len > 0;
}

/* Adds one to the last of n decimal digits, in place; true when a digit is carried out at the front. */
static bool increment_digits(char *digits, size_t n)
{
    while (n > 0) {
        if (digits[--n] != '9') {
            digits[n]++;
            return false;
        }
        digits[n] = '0';
    }
    return true;
}

/* The digits of whole and part with exactly n_places places, without sign; NULL data on failure. */
static struct str round_digits(struct str whole, struct str part, size_t n_places, struct arena *arena,
                               bool *ret_is_zero)
{
    size_t n_whole = whole.len ? whole.len : 1;
    size_t n = n_whole + n_places;
    char *digits = arena_alloc(arena, n + 2); /* one for the dot, one for a carry */
    size_t start = 1;
    size_t n_leading = 0;

    if (!digits)
        return (struct str){NULL, 0};
    digits[0] = '1';
    for (size_t i = 0; i < n_whole; i++)
        digits[start + i] = whole.len ? whole.ptr[i] : '0';
    for (size_t i = 0; i < n_places; i++)
        digits[start + n_whole + i] = i < part.len ? part.ptr[i] : '0';
    if (part.len > n_places && part.ptr[n_places] >= '5' && increment_digits(digits + 1, n))
        start = 0;
    n = n + 1 - start;
    *ret_is_zero = true;
    for (size_t i = 0; i < n; i++)
        *ret_is_zero = *ret_is_zero && digits[start + i] == '0';
    while (n_leading + 1 < n - n_places && digits[start + n_leading] == '0')
        n_leading++;
    start += n_leading;
    n -= n_leading;
    if (n_places > 0) {
        memmove(digits + start + n - n_places + 1, digits + start + n - n_places, n_places);
        digits[start + n - n_places] = '.';
        n++;
    }
    return str_make(digits + start, n);
}

static struct value print_rounded(const struct filter_call *call, bool has_plus)
{
    bool is_negative = false;
    bool is_zero = false;
    struct str whole, part, digits;
    struct str text = call->in.text;
    struct buf buf;

    if (call->in.type == VALUE_INT || call->in.type == VALUE_REAL) {
        buf_init(&buf, 64);
        value_print(call->in, &buf);
        text = buf_into_arena(&buf, call->arena);
    } else if (call->in.type != VALUE_DECIMAL && call->in.type != VALUE_TEXT) {
        return call->in;
    }
    if (!split_digits(text, &is_negative, &whole, &part))
        return call->in;
    digits = round_digits(whole, part, (size_t)call->count, call->arena, &is_zero);
    buf_init(&buf, FILTER_MAX_TEXT_BYTES);
    if (is_negative && !is_zero)
        buf_append_byte(&buf, '-');
    else if (has_plus)
        buf_append_byte(&buf, '+');
    buf_append_str(&buf, digits);
    return value_text(buf_into_arena(&buf, call->arena));
}

struct value filter_round(const struct filter_call *call)
{
    return print_rounded(call, false);
}

struct value filter_signed(const struct filter_call *call)
{
    return print_rounded(call, true);
}
