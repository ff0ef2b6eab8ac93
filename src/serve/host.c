/* SPDX-License-Identifier: Apache-2.0
 *
 * Host and Origin against the names of this server: exact comparison after splitting off the port, so that
 * neither "127.0.0.1.evil.com" nor "localhost." passes. Allocates nothing; any thread.
 */
#include "serve/host.h"

#include <arpa/inet.h>

static bool is_port(struct str port)
{
    int64_t number;

    if (port.len == 0 || port.len > 5 || port.ptr[0] < '0' || port.ptr[0] > '9')
        return false;
    return str_to_int(port, &number) == 0 && number <= 65535;
}

bool host_split(struct str text, struct str *ret_host, struct str *ret_port)
{
    size_t host_len = 0;

    if (text.len == 0)
        return false;
    if (text.ptr[0] == '[') {
        ptrdiff_t bracket = str_find(text, STR_LIT("]"));
        if (bracket < 0)
            return false;
        host_len = (size_t)bracket + 1;
    } else {
        ptrdiff_t colon = str_find(text, STR_LIT(":"));
        host_len = colon < 0 ? text.len : (size_t)colon;
    }
    struct str rest = str_slice(text, host_len, SIZE_MAX);
    if (host_len == 0 || (rest.len && (rest.ptr[0] != ':' || !is_port(str_slice(rest, 1, SIZE_MAX)))))
        return false;
    *ret_host = str_slice(text, 0, host_len);
    *ret_port = str_slice(rest, 1, SIZE_MAX);
    return true;
}

static bool is_numeric_address(struct str host)
{
    char text[INET6_ADDRSTRLEN + 1];
    unsigned char address[sizeof(struct in6_addr)];
    bool is_v6 = host.len > 2 && host.ptr[0] == '[';
    struct str bare = is_v6 ? str_slice(host, 1, host.len - 2) : host;

    if (bare.len >= sizeof text || (bare.len && memchr(bare.ptr, '\0', bare.len)))
        return false;
    memcpy(text, bare.ptr, bare.len);
    text[bare.len] = '\0';
    return inet_pton(is_v6 ? AF_INET6 : AF_INET, text, address) == 1;
}

bool host_is_allowed(const struct host_set *set, struct str host)
{
    struct str name, port;

    if (!host_split(host, &name, &port))
        return false;
    if (str_is(name, "127.0.0.1") || str_is(name, "[::1]") || str_eq_nocase(name, STR_LIT("localhost")))
        return true;
    if (set->is_any ? is_numeric_address(name) : str_eq_nocase(name, set->listened))
        return true;
    for (size_t i = 0; i < set->n_names; i++)
        if (str_eq_nocase(name, str_of(set->names[i])))
            return true;
    return false;
}

bool host_origin_is_allowed(const struct host_set *set, struct str origin)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        struct str scheme = str_of(schemes[i]);
        if (str_eq_nocase(str_slice(origin, 0, scheme.len), scheme))
            return host_is_allowed(set, str_slice(origin, scheme.len, SIZE_MAX));
    }
    return false;
}
