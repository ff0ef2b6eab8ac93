/* SPDX-License-Identifier: Apache-2.0
 *
 * Which names this server may be called by. A web page can make a browser reach a server on loopback under a
 * name of the page's choosing (DNS rebinding), and can post to it from anywhere; both show in Host and
 * Origin.
 */
#ifndef PRECIS_SERVE_HOST_H
#define PRECIS_SERVE_HOST_H

#include "core/str.h"

/* Borrows all of it. */
struct host_set {
    struct str listened; /* the host of the listen address, without its port: "127.0.0.1", "[::1]" */
    bool is_any;         /* it listens on all addresses: then any numeric address is its own */
    const char *const *names;
    size_t n_names;
};

/* "HOST" or "HOST:PORT", with any port. Loopback names, the listened host and the configured names only. */
bool host_is_allowed(const struct host_set *set, struct str host);
/* "http://HOST[:PORT]" or https; "null" never is. */
bool host_origin_is_allowed(const struct host_set *set, struct str origin);
/* Splits "HOST:PORT" and "[V6]:PORT"; false when malformed. ret_port is "" when there is none. */
bool host_split(struct str text, struct str *ret_host, struct str *ret_port);

#endif
