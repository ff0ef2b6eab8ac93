/* SPDX-License-Identifier: Apache-2.0
 *
 * The listening socket. "127.0.0.1:8080", "[::1]:8080", "localhost:8080", "0.0.0.0:8080"; numeric addresses
 * and localhost only, because a name may resolve to more than was meant.
 */
#ifndef PRECIS_SERVE_LISTEN_H
#define PRECIS_SERVE_LISTEN_H

#include "core/err.h"
#include "core/str.h"

#include <netinet/in.h>

struct listen_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } socket;
    socklen_t len;
    bool is_loopback;
    bool is_any;
};

int listen_parse(const char *text, struct listen_address *ret_address, struct err_info *reterr);
/* Binds and listens; ret_text ("127.0.0.1:8080", room for 96) tells the port really bound. ERR_UNAVAILABLE
 * when it is taken. */
int listen_open(const struct listen_address *address, int *ret_fd, char *ret_text, size_t room,
                struct err_info *reterr);

#endif
