/* SPDX-License-Identifier: Apache-2.0
 *
 * Text as it compares when case and compatibility forms do not matter.
 */
#ifndef PRECIS_TEXT_FOLD_H
#define PRECIS_TEXT_FOLD_H

#include "core/buf.h"

/* Appends text under NFKC case folding: two texts that differ only in case, width or composition give the
 * same bytes. Malformed UTF-8 is appended as it is. */
void text_append_folded(struct buf *buf, struct str text);

#endif
