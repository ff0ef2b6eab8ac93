/* SPDX-License-Identifier: Apache-2.0
 *
 * Parsing the listen address and opening its socket, before the library gets it: so that a taken port and a
 * bad address are told apart, and port 0 tells which one it became.
 */
#include "serve/listen.h"

#include "serve/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define BACKLOG 1024

static int bad_address(const char *text, struct err_info *reterr)
{
    return err_set_field(reterr, ERR_INVALID, "listen",
                         "'%s' is no address to listen on; write 127.0.0.1:8080 or [::1]:8080", text);
}

static bool set_v4(struct listen_address *address, const char *host, uint16_t port)
{
    struct sockaddr_in *v4 = &address->socket.v4;

    if (inet_pton(AF_INET, host, &v4->sin_addr) != 1)
        return false;
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address->len = sizeof *v4;
    address->is_loopback = (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
    address->is_any = v4->sin_addr.s_addr == htonl(INADDR_ANY);
    return true;
}

static bool set_v6(struct listen_address *address, const char *host, uint16_t port)
{
    struct sockaddr_in6 *v6 = &address->socket.v6;

    if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
        return false;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address->len = sizeof *v6;
    address->is_loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    address->is_any = IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
    return true;
}

int listen_parse(const char *text, struct listen_address *ret_address, struct err_info *reterr)
{
    struct listen_address address = {0};
    char bare[INET6_ADDRSTRLEN + 1];
    struct str host, port;
    int64_t number;

    if (!host_split(str_of(text), &host, &port) || str_to_int(port, &number) < 0)
        return bad_address(text, reterr);
    bool is_v6 = host.ptr[0] == '[';
    if (is_v6)
        host = str_slice(host, 1, host.len - 2);
    if (str_eq_nocase(host, STR_LIT("localhost")))
        host = STR_LIT("127.0.0.1");
    if (host.len >= sizeof bare)
        return bad_address(text, reterr);
    memcpy(bare, host.ptr, host.len);
    bare[host.len] = '\0';
    bool is_good =
        is_v6 ? set_v6(&address, bare, (uint16_t)number) : set_v4(&address, bare, (uint16_t)number);
    if (!is_good)
        return bad_address(text, reterr);
    *ret_address = address;
    return 0;
}

static int print_address(int fd, char *ret_text, size_t room, struct err_info *reterr)
{
    struct listen_address bound = {.len = sizeof bound.socket};
    char host[INET6_ADDRSTRLEN];

    if (getsockname(fd, &bound.socket.any, &bound.len) < 0)
        return err_set(reterr, ERR_IO, "the listening socket has no address: %s", strerror(errno));
    if (bound.socket.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &bound.socket.v6.sin6_addr, host, sizeof host);
        (void)snprintf(ret_text, room, "[%s]:%d", host, ntohs(bound.socket.v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &bound.socket.v4.sin_addr, host, sizeof host);
        (void)snprintf(ret_text, room, "%s:%d", host, ntohs(bound.socket.v4.sin_port));
    }
    return 0;
}

int listen_open(const struct listen_address *address, int *ret_fd, char *ret_text, size_t room,
                struct err_info *reterr)
{
    int on = 1;
    int rc = 0;
    int fd = socket(address->socket.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return err_set(reterr, ERR_IO, "no socket to listen on: %s", strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, &address->socket.any, address->len) < 0 || listen(fd, BACKLOG) < 0) {
        bool is_taken = errno == EADDRINUSE;
        rc = err_set_field(reterr, is_taken ? ERR_UNAVAILABLE : ERR_IO, "listen", "cannot listen: %s%s",
                           strerror(errno), is_taken ? "; is another server running on this port?" : "");
    }
    if (rc == 0)
        rc = print_address(fd, ret_text, room, reterr);
    if (rc == 0)
        *ret_fd = fd;
    else
        close(fd);
    return rc;
}
