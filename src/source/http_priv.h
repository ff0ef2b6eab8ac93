/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of an HTTP answer; apart from the asking, so that a fuzzer can reach it.
 */
#ifndef PRECIS_SOURCE_HTTP_PRIV_H
#define PRECIS_SOURCE_HTTP_PRIV_H

#include "core/json.h"
#include "source/source_priv.h"

/* What the pointer names, as rows: an array's objects, or its other elements in the column `value`; an object
 * as one row. 1 when there is nothing at the pointer, ERR_REMOTE where there should be. */
int http_read_rows(const struct json *root, struct str pointer, size_t max_rows, struct source_result *result,
                   struct err_info *reterr);

#endif
