/* SPDX-License-Identifier: Apache-2.0
 *
 * URLs of Redis servers. They hold passwords: no sentence repeats any part but the names of options.
 */
#include "core/mem.h"
#include "net/redis_priv.h"

#define MAX_PART 1024 /* of a password, a path: longer ones are mistakes */

static int bad(struct err_info *reterr, const char *why)
{
    return err_set_field(reterr, ERR_INVALID, "url", "the URL %s", why);
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoded, as a C string. */
static int decode(struct str part, char **ret_text, struct err_info *reterr)
{
    char room[MAX_PART + 1];
    size_t len = 0;

    for (size_t i = 0; i < part.len; i++) {
        char c = part.ptr[i];
        if (len == MAX_PART)
            return bad(reterr, "has a part that is too long");
        if (c == '%') {
            int high = i + 2 < part.len ? hex_of(part.ptr[i + 1]) : -1;
            int low = i + 2 < part.len ? hex_of(part.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return bad(reterr, "has a % that two hexadecimal digits do not follow");
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0')
            return bad(reterr, "has a NUL in it");
        room[len++] = c;
    }
    room[len] = '\0';
    mem_free(*ret_text);
    *ret_text = mem_strdup(room);
    return *ret_text ? 0 : err_set(reterr, ERR_NOMEM, "out of memory");
}

static int read_db(struct str digits, struct redis_server *server, struct err_info *reterr)
{
    if (digits.len == 0)
        return 0;
    if (str_to_int(digits, &server->db) < 0 || server->db < 0 || server->db > INT32_MAX)
        return bad(reterr, "has a database that is no number: redis://host:6379/0");
    return 0;
}

static int read_option(struct str option, struct redis_server *server, struct err_info *reterr)
{
    struct str rest = option, name;

    if (!str_next_part(&rest, '=', &name) || rest.len == 0)
        return bad(reterr, "has an option without a value");
    if (str_is(name, "db"))
        return read_db(rest, server, reterr);
    if (str_is(name, "socket"))
        return decode(rest, &server->socket, reterr);
    if (str_is(name, "ca"))
        return decode(rest, &server->authority, reterr);
    return bad(reterr, "has an option that is not known; there are db, socket and ca");
}

static int read_options(struct str options, struct redis_server *server, struct err_info *reterr)
{
    struct str option;
    int res = 0;

    while (res == 0 && str_next_part(&options, '&', &option))
        res = read_option(option, server, reterr);
    return res;
}

static int read_login(struct str login, struct redis_server *server, struct err_info *reterr)
{
    struct str password = login, user;
    bool has_password = str_find(login, STR_LIT(":")) >= 0;
    int res = 0;

    (void)str_next_part(&password, ':', &user);
    if (user.len > 0)
        res = decode(user, &server->user, reterr);
    if (res == 0 && has_password && password.len > 0)
        res = decode(password, &server->password, reterr);
    if (res == 0 && server->user && !server->password)
        return bad(reterr, "has a user without a password");
    return res;
}

static int read_host(struct str place, struct redis_server *server, struct err_info *reterr)
{
    struct str host = place, port = STR_LIT("6379");
    size_t n = place.len;
    int64_t number;

    if (place.len > 0 && place.ptr[0] == '[') { /* [::1]:6379 */
        ptrdiff_t end = str_find(place, STR_LIT("]"));
        if (end < 0)
            return bad(reterr, "has a [ without a ]");
        host = str_slice(place, 1, (size_t)end - 1);
        n = (size_t)end + 1;
    } else {
        ptrdiff_t colon = str_find(place, STR_LIT(":"));
        n = colon >= 0 ? (size_t)colon : place.len;
        host = str_slice(place, 0, n);
    }
    if (n < place.len) {
        port = str_slice(place, n + 1, SIZE_MAX);
        if (place.ptr[n] != ':' || str_to_int(port, &number) < 0 || number < 1 || number > 65535)
            return bad(reterr, "has a port that is none");
    }
    if (host.len == 0)
        host = STR_LIT("127.0.0.1");
    int res = decode(host, &server->host, reterr);
    return res == 0 ? decode(port, &server->port, reterr) : res;
}

static int name_place(struct redis_server *server, struct err_info *reterr)
{
    struct buf place;
    size_t len;

    buf_init(&place, 2 * MAX_PART);
    if (server->socket)
        buf_append_text(&place, server->socket);
    else
        buf_printf(&place, strchr(server->host, ':') ? "[%s]:%s" : "%s:%s", server->host, server->port);
    server->place = buf_steal(&place, &len);
    buf_done(&place);
    return server->place ? 0 : err_set(reterr, ERR_NOMEM, "out of memory");
}

/* From the end, as a password may hold what is not encoded. */
static ptrdiff_t last_of(struct str s, char c)
{
    for (size_t i = s.len; i > 0; i--)
        if (s.ptr[i - 1] == c)
            return (ptrdiff_t)i - 1;
    return -1;
}

static int read_rest(struct str rest, bool is_unix, struct redis_server *server, struct err_info *reterr)
{
    struct str before = rest, path, login;
    ptrdiff_t at = last_of(rest, '@');
    int res = 0;

    if (at >= 0) {
        login = str_slice(rest, 0, (size_t)at);
        before = str_slice(rest, (size_t)at + 1, SIZE_MAX);
        res = read_login(login, server, reterr);
    }
    ptrdiff_t slash = str_find(before, STR_LIT("/"));
    path = slash >= 0 ? str_slice(before, (size_t)slash, SIZE_MAX) : (struct str){NULL, 0};
    before = slash >= 0 ? str_slice(before, 0, (size_t)slash) : before;
    if (res == 0 && is_unix && (path.len < 2 || before.len > 0))
        return bad(reterr, "must be like redis+unix:///run/redis.sock");
    if (res == 0 && is_unix)
        return decode(path, &server->socket, reterr);
    if (res == 0)
        res = read_host(before, server, reterr);
    return res == 0 ? read_db(str_slice(path, 1, SIZE_MAX), server, reterr) : res;
}

int redis_url_parse(struct str url, struct redis_server *server, struct err_info *reterr)
{
    struct str rest, options = {NULL, 0};
    ptrdiff_t colon = str_find(url, STR_LIT("://"));
    if (colon < 0)
        return bad(reterr, "must be like redis://user:password@host:6379/0");

    struct str scheme = str_slice(url, 0, (size_t)colon);
    bool is_unix = str_eq_nocase(scheme, STR_LIT("redis+unix"));
    server->is_tls = str_eq_nocase(scheme, STR_LIT("rediss"));
    if (!is_unix && !server->is_tls && !str_eq_nocase(scheme, STR_LIT("redis")))
        return bad(reterr, "must begin with redis://, rediss:// or redis+unix://");
    rest = str_slice(url, (size_t)colon + 3, SIZE_MAX);
    ptrdiff_t question = last_of(rest, '?');
    if (question >= 0 && question > last_of(rest, '@')) {
        options = str_slice(rest, (size_t)question + 1, SIZE_MAX);
        rest = str_slice(rest, 0, (size_t)question);
    }
    int res = read_rest(rest, is_unix, server, reterr);
    if (res == 0)
        res = read_options(options, server, reterr);
    if (res == 0 && server->socket && server->is_tls)
        return bad(reterr, "asks for TLS on a socket of this machine");
    if (res == 0 && server->authority && !server->is_tls)
        return bad(reterr, "names an authority but no TLS: rediss://");
    return res == 0 ? name_place(server, reterr) : res;
}
