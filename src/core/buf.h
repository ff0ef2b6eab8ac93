/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing run of bytes with a maximum. The first failure (ERR_LIMIT, ERR_NOMEM) latches: later
 * appends do nothing, and the writer asks buf_error() once at its end. `data` is NUL-terminated
 * whenever it is not NULL. Not thread-safe.
 */
#ifndef PRECIS_CORE_BUF_H
#define PRECIS_CORE_BUF_H

#include "core/str.h"

#include <stdarg.h>

struct buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max; /* len never exceeds it, nor cap one more */
    int err;
};

void buf_init(struct buf *buf, size_t max);
/* Over size bytes of the caller's, which hold size - 1 and are never left: needs no buf_done. */
void buf_init_fixed(struct buf *buf, char *memory, size_t size);
void buf_done(struct buf *buf);  /* accepts a zeroed buf and a second call */
void buf_clear(struct buf *buf); /* length 0, error forgotten, memory kept */

void buf_append(struct buf *buf, const void *data, size_t len);
static inline void buf_append_str(struct buf *buf, struct str s);
static inline void buf_append_text(struct buf *buf, const char *text);
static inline void buf_append_byte(struct buf *buf, char byte);
void buf_append_int(struct buf *buf, int64_t value);
/* Rounded to at most n_decimals (0 to 9), without zeros at the end: much faster than printf, for many numbers
 * that are not large. What is beyond 9e15 / 10^n_decimals, or no number, is written as printf does. */
void buf_append_fixed(struct buf *buf, double value, int n_decimals);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list args);
/* Makes room for `more` bytes beyond len without changing len. 0 or the latched error. */
int buf_reserve(struct buf *buf, size_t more);
/* Cuts back to `len` bytes. */
void buf_truncate(struct buf *buf, size_t len);
/* Hands the bytes over: the caller takes data (free with mem_free) and the buf is empty.
 * NULL when nothing was written or an error is latched. */
char *buf_steal(struct buf *buf, size_t *ret_len);

static inline struct str buf_str(const struct buf *buf)
{
    return (struct str){buf->data, buf->len};
}

/* Whether `more` bytes go in without any ado. */
static inline bool buf_has_room(const struct buf *buf, size_t more)
{
    return more < buf->cap - buf->len && !buf->err;
}

static inline void buf_append_str(struct buf *buf, struct str s)
{
    buf_append(buf, s.ptr, s.len);
}

static inline void buf_append_text(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

static inline void buf_append_byte(struct buf *buf, char byte)
{
    if (!buf_has_room(buf, 1)) {
        buf_append(buf, &byte, 1);
        return;
    }
    buf->data[buf->len++] = byte;
    buf->data[buf->len] = '\0';
}

static inline int buf_error(const struct buf *buf)
{
    return buf->err;
}

#endif
