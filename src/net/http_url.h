/* SPDX-License-Identifier: Apache-2.0
 *
 * Values inside URLs: written so that none can become a path, a query or a host of its own.
 */
#ifndef PRECIS_NET_HTTP_URL_H
#define PRECIS_NET_HTTP_URL_H

#include "core/buf.h"
#include "core/err.h"

/* Appends the text percent-encoded: all but letters, digits and -._~ (RFC 3986's unreserved). */
void http_url_append(struct buf *buf, struct str text);
/* Whether a path is one that stays where it was meant to: it begins with a slash, no segment is "." or ".."
 * however often it is decoded, none but the last is empty, and it has no query, fragment, backslash or
 * control. ERR_INVALID says what it has. */
int http_url_check_path(struct str path, struct err_info *reterr);
/* Percent-decodes in place, once; the new length. */
size_t http_url_decode(char *text, size_t len);

#endif
