/* SPDX-License-Identifier: Apache-2.0
 *
 * What the environment says of connections: a database server in the variables that container images use for
 * it, and any connection by its URL. Also finds variables that look like ours and are none of them.
 */
#include "cli/setting.h"

#include "core/buf.h"

#include <stdio.h>

#define MAX_URL_BYTES     8192
#define MAX_WARNINGS      16
#define MAX_KNOWN         128
#define PREFIX            "PRECIS_"
#define CONNECTION_PREFIX PREFIX "CONNECTION_"

/* PREFIX_HOST makes the connection; _PORT, _USER, _PASSWORD and _DB say more of it. */
static const struct {
    const char *connection, *prefix;
} servers[] = {{"main", "POSTGRES"}, {"series", "TIMESCALE"}};

/* Known beside those of the table of settings. */
static const char *const other_variables[] = {"PRECIS_CONFIG", "PRECIS_DATA"};

/* What Kubernetes sets in every pod for a service that is named precis. */
static const char *const foreign_prefixes[] = {"PRECIS_SERVICE_", "PRECIS_PORT"};

static void append_escaped(struct buf *buf, const char *text)
{
    for (const char *c = text; *c; c++) {
        bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                        strchr("-._~", *c);
        if (is_plain)
            buf_append_byte(buf, *c);
        else
            buf_printf(buf, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

/* The value of PREFIX_PART; NULL when it is not set or empty. */
static const char *part_of(const char *const *environment, const char *prefix, const char *part)
{
    char name[64];
    int len = snprintf(name, sizeof name, "%s_%s", prefix, part);
    const char *value = config_getenv(environment, (struct str){name, (size_t)len});
    return value && *value ? value : NULL;
}

static int check_port(const char *prefix, const char *port, struct err_info *reterr)
{
    char name[64];
    int64_t number;
    if (!port || (str_to_int(str_of(port), &number) == 0 && number >= 1 && number <= 65535))
        return 0;
    (void)snprintf(name, sizeof name, "%s_PORT", prefix);
    return err_set_field(reterr, ERR_INVALID, name, "must be a port from 1 to 65535, not '%s'", port);
}

/* Every part is escaped, so that no password can end where it must not. An IPv6 address stands in brackets; a
 * folder, which means a socket in it, is escaped like any text. */
static void append_url(struct buf *url, const char *const *environment, const char *prefix, const char *host)
{
    const char *user = part_of(environment, prefix, "USER");
    const char *password = part_of(environment, prefix, "PASSWORD");
    const char *port = part_of(environment, prefix, "PORT");
    const char *database = part_of(environment, prefix, "DB");
    buf_append_text(url, "postgres://");
    append_escaped(url, user ? user : "");
    buf_append_text(url, password ? ":" : "");
    append_escaped(url, password ? password : "");
    buf_append_text(url, user || password ? "@" : "");
    if (strchr(host, ':'))
        buf_printf(url, "[%s]", host);
    else
        append_escaped(url, host);
    buf_printf(url, ":%s", port ? port : "5432");
    buf_append_text(url, database ? "/" : "");
    append_escaped(url, database ? database : "");
}

static int add_server(struct config *config, const char *const *environment, const char *connection,
                      const char *prefix, struct err_info *reterr)
{
    const char *host = part_of(environment, prefix, "HOST");
    struct buf url;
    int r = host ? check_port(prefix, part_of(environment, prefix, "PORT"), reterr) : 0;
    if (!host || r < 0)
        return r;
    buf_init(&url, MAX_URL_BYTES);
    append_url(&url, environment, prefix, host);
    const char *place = arena_printf(&config->arena, "%s_HOST", prefix).ptr;
    const char *copy = buf_error(&url) == 0 ? arena_strdup(&config->arena, buf_str(&url)) : NULL;
    if (buf_error(&url) == ERR_LIMIT)
        r = err_set_field(reterr, ERR_INVALID, place, "the connection's URL would be longer than %d bytes",
                          MAX_URL_BYTES);
    else if (!place || !copy)
        r = config_out_of_memory(reterr);
    else
        r = config_add_connection(config, str_of(connection),
                                  &(struct config_connection){.url = copy, .place = place}, reterr);
    buf_done(&url);
    return r;
}

/* PRECIS_CONNECTION_MAIN=sqlite:/srv/main.db is the connection `main`. */
static int read_connection_variable(struct config *config, struct str entry, struct err_info *reterr)
{
    struct str prefix = STR_LIT(CONNECTION_PREFIX);
    ptrdiff_t equals = str_find(entry, STR_LIT("="));
    if (!str_starts_with(entry, prefix) || equals <= (ptrdiff_t)prefix.len || (size_t)equals + 1 == entry.len)
        return 0;
    char *place = arena_strdup(&config->arena, str_slice(entry, 0, (size_t)equals));
    char *name = arena_strdup(&config->arena, str_slice(entry, prefix.len, (size_t)equals - prefix.len));
    char *url = arena_strdup(&config->arena, str_slice(entry, (size_t)equals + 1, entry.len));
    if (!place || !name || !url)
        return config_out_of_memory(reterr);
    for (char *c = name; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    if (!config_is_connection_name(str_of(name)))
        return err_set_field(reterr, ERR_INVALID, place,
                             "a connection's name is made of letters, digits and '_'");
    return config_add_connection(config, str_of(name),
                                 &(struct config_connection){.url = url, .place = place}, reterr);
}

int config_read_connections(struct config *config, const char *const *environment, struct err_info *reterr)
{
    int r = 0;
    for (size_t i = 0; i < sizeof servers / sizeof *servers && r == 0; i++)
        r = add_server(config, environment, servers[i].connection, servers[i].prefix, reterr);
    for (const char *const *entry = environment; entry && *entry && r == 0; entry++)
        r = read_connection_variable(config, str_of(*entry), reterr);
    return r;
}

int config_add_redis(struct config *config, const char *const *environment, struct err_info *reterr)
{
    static const char variable[] = "REDIS_URL";
    const char *value = config_getenv(environment, str_of(variable));
    if (!value || !*value)
        return 0;
    for (size_t i = 0; i < config->n_connections; i++)
        if (strcmp(config->connections[i].name, "redis") == 0)
            return 0;
    const char *copy = arena_strdup(&config->arena, str_of(value));
    return copy ? config_add_connection(config, STR_LIT("redis"),
                                        &(struct config_connection){.url = copy, .place = variable}, reterr)
                : config_out_of_memory(reterr);
}

/* ---- variables that nobody knows ---- */

static bool is_foreign(struct str name)
{
    for (size_t i = 0; i < sizeof foreign_prefixes / sizeof *foreign_prefixes; i++) {
        if (str_starts_with(name, str_of(foreign_prefixes[i])))
            return true;
    }
    return str_starts_with(name, STR_LIT(CONNECTION_PREFIX));
}

/* True for one that the file puts in somewhere: ${NAME} or ${NAME:-text}. */
static bool is_put_in(struct str name, struct str file_text)
{
    for (struct str rest = file_text;;) {
        ptrdiff_t at = str_find(rest, STR_LIT("${"));
        if (at < 0)
            return false;
        rest = str_slice(rest, (size_t)at + 2, rest.len);
        if (str_starts_with(rest, name) && rest.len > name.len && strchr("}:", rest.ptr[name.len]))
            return true;
    }
}

/* The names known, and each without PRECIS_: what all begin with makes nothing alike, and CACHE_... may have
 * been taken for PRECIS_CACHE_... */
struct known {
    const char *names[MAX_KNOWN], *tails[MAX_KNOWN];
    size_t n;
};

static void known_add(struct known *known, const char *name)
{
    struct str prefix = STR_LIT(PREFIX);
    if (known->n == MAX_KNOWN)
        return;
    known->names[known->n] = name;
    known->tails[known->n++] = str_starts_with(str_of(name), prefix) ? name + prefix.len : name;
}

static void known_init(struct known *known)
{
    known->n = 0;
    for (size_t i = 0; i < sizeof other_variables / sizeof *other_variables; i++)
        known_add(known, other_variables[i]);
    for (size_t i = 0; i < settings_count; i++) {
        if (settings_table[i].variable)
            known_add(known, settings_table[i].variable);
    }
}

static bool known_has(const struct known *known, struct str name)
{
    size_t i = 0;
    while (i < known->n && !str_is(name, known->names[i]))
        i++;
    return i < known->n;
}

/* NULL if none is near. */
static const char *known_nearest(const struct known *known, struct str name)
{
    const char *tail = str_nearest(str_slice(name, strlen(PREFIX), name.len), known->tails, known->n);
    size_t i = 0;
    while (tail && known->tails[i] != tail)
        i++;
    return tail ? known->names[i] : NULL;
}

static int warn_unknown(struct config *config, struct str name, const char *nearest, struct err_info *reterr)
{
    const char *sentence =
        arena_printf(&config->arena, "%.*s is no variable of Precis%s%s%s", STR_ARG(name),
                     nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "")
            .ptr;
    return sentence && setting_list_add(config, &config->warnings, sentence) == 0
               ? 0
               : config_out_of_memory(reterr);
}

int config_check_variables(struct config *config, const char *const *environment, struct str file_text,
                           struct err_info *reterr)
{
    struct known known;
    int r = 0;
    known_init(&known);
    for (const char *const *entry = environment; entry && *entry && r == 0; entry++) {
        struct str rest = str_of(*entry), name;
        if (!str_starts_with(rest, STR_LIT(PREFIX)) || !str_next_part(&rest, '=', &name))
            continue;
        if (!known_has(&known, name) && !is_foreign(name) && !is_put_in(name, file_text) &&
            config->warnings.n < MAX_WARNINGS)
            r = warn_unknown(config, name, known_nearest(&known, name), reterr);
    }
    return r;
}
