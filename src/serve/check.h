/* SPDX-License-Identifier: Apache-2.0
 *
 * Refusals. Each check says true, or false with the reply standing.
 */
#ifndef PRECIS_SERVE_CHECK_H
#define PRECIS_SERVE_CHECK_H

#include "serve/serve_priv.h"

/* What the headers alone tell: framing, target, Host and Origin, route. Fills req->uri, route and args. */
bool check_head(struct request *req);
/* What the route says about query and body; after the caller is known. */
bool check_shape(struct request *req);

#endif
