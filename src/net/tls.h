/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS on a socket that does not block, by GnuTLS, which the HTTP server's library brings along anyway. The
 * server's certificate is always checked: its authority and its name.
 */
#ifndef PRECIS_NET_TLS_H
#define PRECIS_NET_TLS_H

#include "core/err.h"

#include <stdbool.h>
#include <sys/types.h>

/* Whom to believe; shared by sessions, which it outlives. */
struct tls_trust;
/* authority: a PEM file; NULL: those of the system. */
int tls_trust_new(const char *authority, struct tls_trust **ret_trust, struct err_info *reterr);
struct tls_trust *tls_trust_free(struct tls_trust *trust); /* accepts NULL; returns NULL */

/* The SHA-1 of text, in hexadecimal: what Redis knows a script by. False where it is forbidden (FIPS). */
bool tls_sha1(const char *text, char ret_hex[41]);

struct tls;
/* fd is borrowed. host: the name or address the certificate must have. */
int tls_new(const struct tls_trust *trust, int fd, const char *host, struct tls **ret_tls,
            struct err_info *reterr);
/* Tells the peer if that can be done at once. Accepts NULL; returns NULL. */
struct tls *tls_free(struct tls *tls);
/* 0 done; POLLIN or POLLOUT: call again when the socket is ready for it; negative: failed. */
int tls_handshake(struct tls *tls, struct err_info *reterr);
/* As recv(2) and send(2) on a socket that does not block, errno included. */
ssize_t tls_read(struct tls *tls, void *data, size_t size);
ssize_t tls_write(struct tls *tls, const void *data, size_t size);

#endif
