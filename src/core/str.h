/* SPDX-License-Identifier: Apache-2.0
 *
 * A borrowed run of bytes: pointer and length, not NUL-terminated, usually UTF-8.
 * Passed by value. {NULL, 0} is the empty string.
 */
#ifndef PRECIS_CORE_STR_H
#define PRECIS_CORE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *ptr;
    size_t len;
};

#define STR_LIT(literal) ((struct str){(literal), sizeof(literal) - 1})
/* For "%.*s" in a printf format. */
#define STR_ARG(s) (int)(s).len, (s).len ? (s).ptr : ""

static inline struct str str_of(const char *text)
{
    return (struct str){text, text ? strlen(text) : 0};
}

static inline struct str str_make(const char *ptr, size_t len)
{
    return (struct str){ptr, len};
}

static inline bool str_is_empty(struct str s)
{
    return s.len == 0;
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_is(struct str a, const char *text)
{
    return str_eq(a, str_of(text));
}

static inline bool str_starts_with(struct str s, struct str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

/* From byte `from` on, at most `len` bytes; clamped to what is there. */
struct str str_slice(struct str s, size_t from, size_t len);
/* Without ASCII white space at both ends. */
struct str str_trim(struct str s);
/* ASCII case folded comparison. */
bool str_eq_nocase(struct str a, struct str b);
/* Byte order, shorter first on a tie: <0, 0, >0. */
int str_compare(struct str a, struct str b);
/* Position of `needle` in `s`, or -1. */
ptrdiff_t str_find(struct str s, struct str needle);
/* Splits off what stands before the first `separator`; false when `rest` is used up. */
bool str_next_part(struct str *rest, char separator, struct str *ret_part);
/* Whole string as a decimal integer; ERR_INVALID or ERR_LIMIT otherwise. */
int str_to_int(struct str s, int64_t *ret_value);
/* Whole string as a finite decimal number, independent of the locale. */
int str_to_real(struct str s, double *ret_value);
/* "250ms", "5s", "10m", "1h", "7d", "2w" as microseconds; a bare number is refused. */
int str_to_duration_us(struct str s, int64_t *ret_us);
/* 64-bit hash; seed it per table where the keys come from outside. */
uint64_t str_hash(struct str s, uint64_t seed);
/* Edit distance capped at `limit` (for "did you mean"); ASCII. */
int str_distance(struct str a, struct str b, int limit);
/* The nearest of `n` names to `s` within a third of its length, or NULL. */
const char *str_nearest(struct str s, const char *const *names, size_t n);

#endif
