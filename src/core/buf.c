/* SPDX-License-Identifier: Apache-2.0
 *
 * Growing bytes. Capacity doubles; one byte more than len is always there for the NUL.
 */
#include "core/buf.h"

#include "core/err.h"
#include "core/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

/* With all the room that max allows nothing is ever allocated. */
void buf_init_fixed(struct buf *buf, char *memory, size_t size)
{
    assert(size > 0);
    *buf = (struct buf){.data = memory, .cap = size, .max = size - 1};
    memory[0] = '\0';
}

void buf_done(struct buf *buf)
{
    buf->data = mem_free(buf->data);
    buf->len = buf->cap = 0;
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->err = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

int buf_reserve(struct buf *buf, size_t more)
{
    if (buf->err)
        return buf->err;
    if (more > buf->max || buf->len > buf->max - more)
        return buf->err = ERR_LIMIT;
    size_t wanted = buf->len + more + 1;
    if (wanted <= buf->cap)
        return 0;
    size_t cap = buf->cap ? buf->cap : 64;
    while (cap < wanted)
        cap *= 2;
    if (cap - 1 > buf->max)
        cap = buf->max + 1;
    char *data = mem_realloc(buf->data, cap);
    if (!data)
        return buf->err = ERR_NOMEM;
    buf->data = data;
    buf->cap = cap;
    buf->data[buf->len] = '\0';
    return 0;
}

void buf_append(struct buf *buf, const void *data, size_t len)
{
    if (!buf_has_room(buf, len) && buf_reserve(buf, len))
        return;
    if (len)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void buf_append_int(struct buf *buf, int64_t value)
{
    char digits[24];
    char *at = digits + sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--at = '-';
    buf_append(buf, at, (size_t)(digits + sizeof(digits) - at));
}

void buf_append_fixed(struct buf *buf, double value, int n_decimals)
{
    static const int64_t powers[] = {1,      10,      100,      1000,      10000,
                                     100000, 1000000, 10000000, 100000000, 1000000000};
    assert(n_decimals >= 0 && n_decimals < (int)(sizeof powers / sizeof *powers));

    double scaled = value * (double)powers[n_decimals];
    if (!(fabs(scaled) < 9e15)) { /* no whole number that a double has exactly */
        buf_printf(buf, "%.17g", value);
        return;
    }
    char digits[32];
    char *at = digits + sizeof digits;
    uint64_t rest = (uint64_t)(fabs(scaled) + 0.5);
    bool is_negative = value < 0 && rest > 0, has_digit = false;
    for (int i = 0; i < n_decimals; i++, rest /= 10) { /* zeros at the end are left out */
        has_digit |= rest % 10 > 0;
        if (has_digit)
            *--at = (char)('0' + rest % 10);
    }
    if (has_digit)
        *--at = '.';
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (is_negative)
        *--at = '-';
    buf_append(buf, at, (size_t)(digits + sizeof digits - at));
}

void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
    if (buf_reserve(buf, 0))
        return;
    va_list again;
    va_copy(again, args);
    size_t room = buf->cap - buf->len; /* mostly it is enough */
    int len = vsnprintf(buf->data + buf->len, room, format, args);
    if (len >= 0 && (size_t)len >= room && !buf_reserve(buf, (size_t)len))
        len = vsnprintf(buf->data + buf->len, (size_t)len + 1, format, again);
    if (len < 0)
        buf->err = buf->err ? buf->err : ERR_INTERNAL;
    else if ((size_t)len > buf->max - buf->len)
        buf->err = buf->err ? buf->err : ERR_LIMIT;
    if (!buf->err)
        buf->len += (size_t)len;
    buf->data[buf->len] = '\0';
    va_end(again);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(buf, format, args);
    va_end(args);
}

void buf_truncate(struct buf *buf, size_t len)
{
    if (len >= buf->len)
        return;
    buf->len = len;
    buf->data[len] = '\0';
}

char *buf_steal(struct buf *buf, size_t *ret_len)
{
    if (buf->err || !buf->data)
        return NULL;
    char *data = buf->data;
    *ret_len = buf->len;
    *buf = (struct buf){.max = buf->max};
    return data;
}
