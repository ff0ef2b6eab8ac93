/* SPDX-License-Identifier: Apache-2.0
 *
 * Letter case by utf8proc's simple mappings: one character in, one out.
 */
#include "text/letters.h"

#include "core/utf8.h"

#include <utf8proc.h>

static bool is_word_part(uint32_t codepoint)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)codepoint);

    /* An apostrophe does not begin a word: "don't". */
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO) || codepoint == '\'' ||
           codepoint == 0x2019;
}

static uint32_t change(uint32_t codepoint, enum text_letters how, bool is_first)
{
    switch (how) {
    case LETTERS_UPPER:
        return (uint32_t)utf8proc_toupper((utf8proc_int32_t)codepoint);
    case LETTERS_LOWER:
        return (uint32_t)utf8proc_tolower((utf8proc_int32_t)codepoint);
    case LETTERS_CAPITAL:
    case LETTERS_TITLE:
        break;
    }
    return is_first ? (uint32_t)utf8proc_totitle((utf8proc_int32_t)codepoint) : codepoint;
}

void text_append_letters(struct buf *buf, struct str text, enum text_letters how)
{
    bool is_inside = false; /* a word, or for LETTERS_CAPITAL the text after its first word character */
    size_t pos = 0;

    while (pos < text.len) {
        uint32_t codepoint = utf8_next(text, &pos);
        bool is_part = is_word_part(codepoint);

        utf8_append(buf, change(codepoint, how, is_part && !is_inside));
        is_inside = is_part || (how == LETTERS_CAPITAL && is_inside);
    }
}
