/* SPDX-License-Identifier: Apache-2.0
 *
 * UUIDs made of names (RFC 9562, version 5): the same name has the same one always.
 */
#ifndef PRECIS_CORE_UUID_H
#define PRECIS_CORE_UUID_H

#include "core/str.h"

#define UUID_TEXT_SIZE 37 /* with the NUL */

/* The namespace of items' ids: 5e5e0f0c-8a2d-5b6e-9c41-7d2f0a6b3c18, also in docs/recipes.md. It never
 * changes. */
extern const unsigned char uuid_items[16];

/* Writes the UUID of a name in a namespace. */
void uuid_v5(const unsigned char namespace[16], struct str name, char ret_text[UUID_TEXT_SIZE]);

#endif
