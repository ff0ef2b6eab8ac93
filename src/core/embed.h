/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that are part of the program (recipes, sample data, the OpenAPI document), made into tables by
 * tools/embed.py at build time.
 */
#ifndef PRECIS_CORE_EMBED_H
#define PRECIS_CORE_EMBED_H

#include "core/str.h"

struct embedded_file {
    const char *name;          /* base name; NULL ends a table */
    const unsigned char *data; /* followed by a NUL that is not counted */
    size_t len;
};

static inline struct str embedded_text(const struct embedded_file *file)
{
    return (struct str){(const char *)file->data, file->len};
}

#endif
