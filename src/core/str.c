/* SPDX-License-Identifier: Apache-2.0
 *
 * Byte strings: slicing, comparing, numbers and durations. Nothing here knows a locale.
 */
#include "core/str.h"

#include "core/clock.h"
#include "core/err.h"

#include <math.h>
#include <stdlib.h>

struct str str_slice(struct str s, size_t from, size_t len)
{
    if (from >= s.len)
        return (struct str){NULL, 0};
    return str_make(s.ptr + from, len < s.len - from ? len : s.len - from);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

struct str str_trim(struct str s)
{
    while (s.len && is_space(s.ptr[0]))
        s = str_make(s.ptr + 1, s.len - 1);
    while (s.len && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

int str_compare(struct str a, struct str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.ptr, b.ptr, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

ptrdiff_t str_find(struct str s, struct str needle)
{
    if (!needle.len)
        return 0;
    const char *at = s.len ? memmem(s.ptr, s.len, needle.ptr, needle.len) : NULL;
    return at ? at - s.ptr : -1;
}

bool str_next_part(struct str *rest, char separator, struct str *ret_part)
{
    if (!rest->ptr)
        return false;
    const char *at = rest->len ? memchr(rest->ptr, separator, rest->len) : NULL;
    if (at) {
        size_t len = (size_t)(at - rest->ptr);
        *ret_part = str_make(rest->ptr, len);
        *rest = str_make(at + 1, rest->len - len - 1);
    } else {
        *ret_part = *rest;
        *rest = (struct str){NULL, 0};
    }
    return true;
}

int str_to_int(struct str s, int64_t *ret_value)
{
    bool is_negative = s.len && s.ptr[0] == '-';
    size_t at = is_negative || (s.len && s.ptr[0] == '+');
    if (at == s.len)
        return ERR_INVALID;
    int64_t value = 0;
    for (; at < s.len; at++) {
        if (s.ptr[at] < '0' || s.ptr[at] > '9')
            return ERR_INVALID;
        int digit = s.ptr[at] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, is_negative ? -digit : digit, &value))
            return ERR_LIMIT;
    }
    *ret_value = value;
    return 0;
}

/* [sign] digits [. digits] [e [sign] digits], with a digit on at least one side of the point: what strtod
 * would also take, less hexadecimal, infinity and NaN. */
static bool is_decimal_number(struct str s)
{
    size_t at = s.len && (s.ptr[0] == '-' || s.ptr[0] == '+'), n_digits = 0;
    for (; at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9'; at++)
        n_digits++;
    if (at < s.len && s.ptr[at] == '.')
        for (at++; at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9'; at++)
            n_digits++;
    if (!n_digits)
        return false;
    if (at < s.len && (s.ptr[at] == 'e' || s.ptr[at] == 'E')) {
        at++;
        at += at < s.len && (s.ptr[at] == '-' || s.ptr[at] == '+');
        size_t first = at;
        while (at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9')
            at++;
        if (at == first)
            return false;
    }
    return at == s.len;
}

int str_to_real(struct str s, double *ret_value)
{
    char text[64];
    if (!is_decimal_number(s) || s.len >= sizeof(text))
        return ERR_INVALID;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    /* The program never calls setlocale, so the point is a point. */
    double value = strtod(text, NULL);
    if (!isfinite(value))
        return ERR_LIMIT;
    *ret_value = value;
    return 0;
}

int str_to_duration_us(struct str s, int64_t *ret_us)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {
        {"us", 1},
        {"ms", US_PER_MS},
        {"s", US_PER_SEC},
        {"m", 60 * US_PER_SEC},
        {"h", 3600 * US_PER_SEC},
        {"d", 86400 * US_PER_SEC},
        {"w", 7 * 86400 * US_PER_SEC},
    };
    size_t n_digits = 0;
    while (n_digits < s.len && s.ptr[n_digits] >= '0' && s.ptr[n_digits] <= '9')
        n_digits++;
    int64_t number;
    int err = str_to_int(str_slice(s, 0, n_digits), &number);
    if (err)
        return err;
    struct str unit = str_slice(s, n_digits, s.len);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (str_is(unit, units[i].name))
            return __builtin_mul_overflow(number, units[i].us, ret_us) ? ERR_LIMIT : 0;
    return ERR_INVALID;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Multiply-and-fold over 8-byte words, as in the wyhash family. */
uint64_t str_hash(struct str s, uint64_t seed)
{
    const uint64_t k0 = UINT64_C(0xa0761d6478bd642f), k1 = UINT64_C(0xe7037ed1a0b428db);
    uint64_t hash = seed ^ k0;
    size_t at = 0;
    for (; s.len - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, s.ptr + at, 8);
        hash = mix(hash ^ word, k1);
    }
    uint64_t tail = 0;
    if (s.len > at)
        memcpy(&tail, s.ptr + at, s.len - at);
    return mix(mix(hash ^ tail, k1) ^ s.len, k0);
}

int str_distance(struct str a, struct str b, int limit)
{
    enum { MAX_LEN = 63 };
    if (a.len > MAX_LEN || b.len > MAX_LEN)
        return limit + 1;
    int row[MAX_LEN + 1];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= a.len; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= b.len; j++) {
            int change = diagonal + (lower(a.ptr[i - 1]) != lower(b.ptr[j - 1]));
            diagonal = row[j];
            int best = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            row[j] = change < best ? change : best;
        }
    }
    return row[b.len] > limit ? limit + 1 : row[b.len];
}

const char *str_nearest(struct str s, const char *const *names, size_t n)
{
    const char *nearest = NULL;
    int best = (int)(s.len / 3) + 1; /* "pririty" finds priority, "x" finds nothing far */
    for (size_t i = 0; i < n; i++) {
        int distance = str_distance(s, str_of(names[i]), best);
        if (distance < best || (distance == best && !nearest)) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}
