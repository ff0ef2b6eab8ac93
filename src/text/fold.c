/* SPDX-License-Identifier: Apache-2.0
 *
 * NFKC case folding by utf8proc, piece by piece: putting a letter's marks into order takes it the square of
 * their number, and a hostile text may be nothing but marks.
 */
#include "text/fold.h"

#include "core/utf8.h"
#include "text/text_priv.h"

#include <utf8proc.h>

#define FOLDING         (UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD)
#define MAX_PIECE_BYTES 512
/* Three bytes may become 18 characters (U+FDFA); one more for the NUL behind the bytes written over them. */
#define MAX_PIECE_CODES (MAX_PIECE_BYTES * 6 + 1)

static void append_lower_ascii(struct buf *buf, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        buf_append_byte(buf, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    }
}

static size_t ascii_length(struct str text)
{
    size_t len = 0;
    while (len < text.len && (unsigned char)text.ptr[len] < 0x80)
        len++;
    return len;
}

/* Up to the last character that composes with none before it; in the middle of marks only when there are
 * hundreds of them. */
static size_t piece_length(struct str text)
{
    size_t pos = 0, end = 0;
    if (text.len <= MAX_PIECE_BYTES)
        return text.len;
    while (pos <= MAX_PIECE_BYTES) {
        size_t start = pos;
        uint32_t c = utf8_next(text, &pos);
        if (start <= MAX_PIECE_BYTES && (c < 0x80 || char_is_stable(c)))
            end = start;
    }
    return end > 0 ? end : utf8_prefix(text, MAX_PIECE_BYTES).len;
}

static void append_folded_piece(struct buf *buf, struct str piece)
{
    utf8proc_int32_t codes[MAX_PIECE_CODES];
    utf8proc_ssize_t n = utf8proc_decompose((const utf8proc_uint8_t *)piece.ptr, (utf8proc_ssize_t)piece.len,
                                            codes, MAX_PIECE_CODES - 1, FOLDING);
    if (n >= 0 && n < MAX_PIECE_CODES)
        n = utf8proc_reencode(codes, n, FOLDING);
    else
        n = -1; /* no UTF-8 */
    if (n < 0)
        buf_append_str(buf, piece);
    else
        buf_append(buf, codes, (size_t)n);
}

void text_append_folded(struct buf *buf, struct str text)
{
    while (text.len && !buf_error(buf)) {
        size_t len = ascii_length(text);
        if (len > 0 && len < text.len)
            len--; /* a mark may follow it */
        if (len > 0) {
            append_lower_ascii(buf, str_slice(text, 0, len));
        } else {
            len = piece_length(text);
            append_folded_piece(buf, str_slice(text, 0, len));
        }
        text = str_slice(text, len, text.len);
    }
}
