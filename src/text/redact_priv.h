/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of redact share.
 */
#ifndef PRECIS_TEXT_REDACT_PRIV_H
#define PRECIS_TEXT_REDACT_PRIV_H

#include "text/redact.h"

/* A secret found in a text: bytes [from, end) of it. kind NULL: there is none. */
struct redact_find {
    size_t from, end;
    const char *kind;
};

static inline bool redact_is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static inline bool redact_is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static inline bool redact_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool redact_is_alnum(char c)
{
    return redact_is_upper(c) || redact_is_lower(c) || redact_is_digit(c);
}

/* What names are made of, but for '-' and '.'. */
static inline bool redact_is_word(char c)
{
    return redact_is_alnum(c) || c == '_';
}

/* Where the letters, digits and _ from pos on end. */
static inline size_t redact_word_end(struct str text, size_t pos)
{
    while (pos < text.len && redact_is_word(text.ptr[pos]))
        pos++;
    return pos;
}

static inline bool redact_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static inline char redact_at(struct str text, size_t pos)
{
    return pos < text.len ? text.ptr[pos] : '\0';
}

/* ---- redact_name.c ---- */

/* As redact_kind_of_name for a name that the word `before` may belong to: "api" before "key". */
const char *redact_kind_of_words(struct str before, struct str name);
/* "name", "parameter_name", "key": what stands there is the name of what "value" says next. */
bool redact_names_another(struct str name);
/* "value", "new_value", "old". */
bool redact_is_value_name(struct str name);
/* What stands where a secret would and is none: true, expired, ****, ${VAR}, [redacted:...]. */
bool redact_is_no_secret(struct str value, const char *kind);

/* What a template or a shell would put something for: "${VAR}", "<your token>"; told by its beginning. */
bool redact_is_placeholder(struct str value);

/* ---- redact_shape.c ---- */

/* A secret that shows by its form alone and begins at pos, the first character of a word. word_end and
 * run_end: where the letters, digits and _ that begin there end, and those with - besides. */
struct redact_find redact_shape_at(struct str text, size_t pos, size_t word_end, size_t run_end);

#endif
