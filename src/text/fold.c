/* SPDX-License-Identifier: Apache-2.0
 *
 * NFKC case folding by utf8proc, in memory of our own: characters in one pass, composed and written back in a
 * second.
 */
#include "text/fold.h"

#include "core/err.h"
#include "core/mem.h"

#include <utf8proc.h>

#define FOLDING (UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD)

static bool is_ascii(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] >= 0x80)
            return false;
    return true;
}

static void append_lower_ascii(struct buf *buf, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        buf_append_byte(buf, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    }
}

void text_append_folded(struct buf *buf, struct str text)
{
    if (is_ascii(text)) {
        append_lower_ascii(buf, text);
        return;
    }
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text.ptr;
    utf8proc_ssize_t len = (utf8proc_ssize_t)text.len;
    utf8proc_ssize_t n = utf8proc_decompose(bytes, len, NULL, 0, FOLDING); /* how many it will be */
    if (n < 0) {
        buf_append_str(buf, text);
        return;
    }
    /* One more: the bytes are written over the characters and end in a NUL. */
    utf8proc_int32_t *characters = mem_alloc(((size_t)n + 1) * sizeof(*characters));
    if (!characters) {
        buf->err = buf->err ? buf->err : ERR_NOMEM;
        return;
    }
    n = utf8proc_decompose(bytes, len, characters, n, FOLDING);
    n = utf8proc_reencode(characters, n, FOLDING);
    buf_append(buf, characters, n < 0 ? 0 : (size_t)n);
    mem_free(characters);
}
