/* SPDX-License-Identifier: Apache-2.0
 *
 * Capitals and small letters of every script that has them, character by character (no locale, no special
 * cases such as ß).
 */
#ifndef PRECIS_TEXT_LETTERS_H
#define PRECIS_TEXT_LETTERS_H

#include "core/buf.h"

enum text_letters {
    LETTERS_UPPER,
    LETTERS_LOWER,
    LETTERS_CAPITAL, /* the first letter of the text a capital, the rest as it is */
    LETTERS_TITLE,   /* the first letter of every word */
};

/* Appends text so changed; malformed bytes become U+FFFD. */
void text_append_letters(struct buf *buf, struct str text, enum text_letters how);

#endif
