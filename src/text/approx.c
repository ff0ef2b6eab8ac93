/* SPDX-License-Identifier: Apache-2.0
 *
 * The tokenizer `approx`, as tokens.h defines it. It counts quarters of a token and rounds up once, so a sum
 * of parts is never below the whole, wherever the cut falls: a character torn in two costs more, not less.
 */
#include "text/text_priv.h"

#include "core/utf8.h"

/* ASCII in quarters. */
enum { WORD = 1, MARK = 2 };

#define WORDS_4 WORD, WORD, WORD, WORD
#define MARKS_4 MARK, MARK, MARK, MARK
#define MARKS_8 MARKS_4, MARKS_4

static const unsigned char quarters_of_byte[128] = {
    MARKS_8, MARKS_8, MARKS_8, MARKS_8,                            /* controls */
    WORD,    MARK,    MARK,    MARK,    MARKS_4, MARKS_8,          /* space ! .. / */
    WORDS_4, WORDS_4, WORD,    WORD,    MARK,    MARK,    MARKS_4, /* 0-9 : .. ? */
    MARK,    WORD,    WORD,    WORD,    WORDS_4, WORDS_4, WORDS_4, /* @ A-O */
    WORDS_4, WORDS_4, WORD,    WORD,    WORD,    MARK,    MARKS_4, /* P-Z [ .. _ */
    MARK,    WORD,    WORD,    WORD,    WORDS_4, WORDS_4, WORDS_4, /* ` a-o */
    WORDS_4, WORDS_4, WORD,    WORD,    WORD,    MARK,    MARKS_4, /* p-z { .. DEL */
};

static int64_t quarters_of_codepoint(uint32_t codepoint)
{
    if (codepoint < 0x2000)
        return 2;
    if (codepoint <= 0xFFFF) /* a malformed byte arrives here, as U+FFFD */
        return 4;
    return codepoint >= 0x20000 && codepoint <= 0x3FFFF ? 4 : 8;
}

static bool is_ascii_word(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

/* In quarters of a token. */
static int64_t on_units(struct str text)
{
    const unsigned char *bytes = (const unsigned char *)text.ptr;
    int64_t quarters = 0;
    size_t pos = 0;
    while (pos < text.len) {
        while (text.len - pos >= 8 && is_ascii_word(text.ptr + pos)) {
            for (size_t i = 0; i < 8; i++)
                quarters += quarters_of_byte[bytes[pos + i]];
            pos += 8;
        }
        /* Up to eight characters one by one, then the fast way is tried again. */
        for (size_t i = 0; i < 8 && pos < text.len; i++) {
            if (bytes[pos] < 0x80)
                quarters += quarters_of_byte[bytes[pos++]];
            else
                quarters += quarters_of_codepoint(utf8_next(text, &pos));
        }
    }
    return quarters;
}

static int64_t on_count(struct str text)
{
    return (on_units(text) + 3) / 4;
}

/* Between two characters; a byte that begins one can never belong to the one before. */
static bool is_break(struct str text, size_t pos)
{
    return pos > 0 && pos < text.len && ((unsigned char)text.ptr[pos] & 0xC0) != 0x80;
}

static size_t on_next_break(struct str text, size_t from)
{
    for (; from < text.len; from++)
        if (is_break(text, from))
            return from;
    return TOKENS_NO_BREAK;
}

static size_t on_last_break(struct str text, size_t to)
{
    for (to = to < text.len ? to : text.len; to > 0; to--)
        if (is_break(text, to))
            return to;
    return TOKENS_NO_BREAK;
}

const struct tokenizer tokenizer_approx = {
    .name = "approx",
    .count = on_count,
    .units = on_units,
    .units_per_token = 4,
    .next_break = on_next_break,
    .last_break = on_last_break,
};
