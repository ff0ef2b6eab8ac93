/* SPDX-License-Identifier: Apache-2.0
 *
 * The seam to libmicrohttpd: the only file that includes it is http.c.
 */
#ifndef PRECIS_SERVE_HTTP_H
#define PRECIS_SERVE_HTTP_H

#include "core/err.h"

struct server;

/* Starts the front threads on server->listen_fd; everything else of the server is ready. */
int http_start(struct server *server, struct err_info *reterr);
/* No new connections from now on; what is under way goes on. */
void http_quiesce(struct server *server);
/* Ends the front threads and closes the connections. No request may be with a worker. */
void http_stop(struct server *server);

#endif
