/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTTP server that says what it was asked: GET /echo/CANARY/DELAY_US/N_ROWS is answered, after the delay,
 * with N_ROWS objects that name the canary; N_ROWS 0 with status 500. A thread a connection.
 */
#ifndef PRECIS_TESTS_TORTURE_CANCEL_PEER_H
#define PRECIS_TESTS_TORTURE_CANCEL_PEER_H

struct cancel_peer;

/* Exits when it cannot listen. */
struct cancel_peer *cancel_peer_start(void);
const char *cancel_peer_url(const struct cancel_peer *peer);
/* Waits for its clients to leave. Returns NULL. */
struct cancel_peer *cancel_peer_stop(struct cancel_peer *peer);

#endif
