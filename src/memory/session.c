/* SPDX-License-Identifier: Apache-2.0
 *
 * What holds for sessions wherever they are kept: their keys, and what may be put into them.
 */
#include "memory/session_priv.h"

#include "core/json.h"
#include "core/mem.h"
#include "core/utf8.h"

#define MAX_JSON_DEPTH 32

int sessions_new(struct redis_client *client, const struct clock *clock, struct sessions **ret_sessions,
                 struct err_info *reterr)
{
    struct sessions *sessions = mem_calloc(1, sizeof *sessions);
    if (!sessions)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    sessions->client = client;
    sessions->clock = clock;
    (void)pthread_mutex_init(&sessions->lock, NULL);
    map_init(&sessions->kept);
    if (client)
        session_shared_init(sessions);
    *ret_sessions = sessions;
    return 0;
}

struct sessions *sessions_free(struct sessions *sessions)
{
    if (!sessions)
        return NULL;
    session_local_done(sessions);
    (void)pthread_mutex_destroy(&sessions->lock);
    return mem_free(sessions);
}

int session_too_large(struct err_info *reterr)
{
    return err_set_field(reterr, ERR_LIMIT, "fields", "a session holds at most %d fields and %d KB together",
                         SESSION_MAX_FIELDS, SESSION_MAX_BYTES / 1024);
}

static bool is_text(struct str text)
{
    return (text.len == 0 || !memchr(text.ptr, '\0', text.len)) && utf8_is_valid(text);
}

/* Tenant, user and id, so that no two of them have a key in common. */
static int make_key(const struct sessions *sessions, const struct scope *scope, struct str id,
                    struct buf *key, struct err_info *reterr)
{
    struct str user = scope->user.len > 0 ? scope->user : STR_LIT("default");

    if (id.len == 0 || id.len > SESSION_MAX_ID_BYTES || !is_text(id))
        return err_set_field(reterr, ERR_INVALID, "id", "a session's id is text of 1 to %d bytes",
                             SESSION_MAX_ID_BYTES);
    buf_init(key, SESSION_MAX_KEY_BYTES);
    if (sessions->client) {
        redis_client_key(sessions->client, "session", scope->tenant, key);
    } else {
        buf_printf(key, "%zu:", scope->tenant.len);
        buf_append_str(key, scope->tenant);
        buf_append_byte(key, ':');
    }
    buf_printf(key, "%zu:", user.len);
    buf_append_str(key, user);
    buf_append_byte(key, ':');
    buf_append_str(key, id);
    return buf_error(key) ? err_set(reterr, buf_error(key), "the session's id is too long") : 0;
}

static int check_fields(const struct session_field *fields, size_t n_fields, struct err_info *reterr)
{
    size_t n_bytes = 0;

    for (size_t i = 0; i < n_fields; i++) {
        const struct session_field *field = &fields[i];
        n_bytes += field->name.len + field->value.len;
        if (field->name.len == 0 || field->name.len > SESSION_MAX_NAME_BYTES || !is_text(field->name))
            return err_set_field(reterr, ERR_INVALID, "fields", "a field's name is text of 1 to %d bytes",
                                 SESSION_MAX_NAME_BYTES);
        if (field->value.len > SESSION_MAX_VALUE_BYTES)
            return err_set_field(reterr, ERR_LIMIT, "fields", "a field has at most %d KB",
                                 SESSION_MAX_VALUE_BYTES / 1024);
    }
    return n_fields > SESSION_MAX_FIELDS || n_bytes > SESSION_MAX_BYTES ? session_too_large(reterr) : 0;
}

/* Leaves out what is no JSON: somebody else wrote it. */
static int drop_malformed(struct session *session, struct err_info *reterr)
{
    size_t n = 0;
    for (size_t i = 0; i < session->n_fields; i++) {
        struct json *root = NULL;
        int res = json_parse(session->fields[i].value, MAX_JSON_DEPTH, &root, NULL);
        json_free(root);
        if (res == ERR_NOMEM) /* which says nothing of the field */
            return err_set(reterr, res, "out of memory");
        if (res == 0 && is_text(session->fields[i].name))
            session->fields[n++] = session->fields[i];
    }
    session->n_malformed = session->n_fields - n;
    session->n_fields = n;
    return 0;
}

int session_get(struct sessions *sessions, const struct scope *scope, struct str id, int64_t deadline_us,
                struct arena *arena, struct session *ret_session, struct err_info *reterr)
{
    struct buf key = {0};
    int res = make_key(sessions, scope, id, &key, reterr);
    if (res == 0)
        res = sessions->client
                  ? session_shared_get(sessions, buf_str(&key), deadline_us, arena, ret_session, reterr)
                  : session_local_get(sessions, buf_str(&key), arena, ret_session, reterr);
    buf_done(&key);
    return res == 0 ? drop_malformed(ret_session, reterr) : res;
}

static int set(struct sessions *sessions, const struct scope *scope, struct str id,
               const struct session_field *fields, size_t n_fields, int64_t ttl_us, bool is_merge,
               int64_t deadline_us, struct err_info *reterr)
{
    struct buf key = {0};
    int res = make_key(sessions, scope, id, &key, reterr);
    if (res == 0)
        res = check_fields(fields, n_fields, reterr);
    if (res == 0 && (ttl_us < US_PER_SEC || ttl_us > SESSION_MAX_TTL_US))
        res = err_set_field(reterr, ERR_INVALID, "ttl", "ttl must lie between 1 second and 30 days");
    if (res == 0)
        res = sessions->client
                  ? session_shared_set(sessions, buf_str(&key), fields, n_fields, ttl_us, is_merge,
                                       deadline_us, reterr)
                  : session_local_set(sessions, buf_str(&key), fields, n_fields, ttl_us, is_merge, reterr);
    buf_done(&key);
    return res;
}

int session_put(struct sessions *sessions, const struct scope *scope, struct str id,
                const struct session_field *fields, size_t n_fields, int64_t ttl_us, int64_t deadline_us,
                struct err_info *reterr)
{
    return set(sessions, scope, id, fields, n_fields, ttl_us, false, deadline_us, reterr);
}

int session_merge(struct sessions *sessions, const struct scope *scope, struct str id,
                  const struct session_field *fields, size_t n_fields, int64_t ttl_us, int64_t deadline_us,
                  struct err_info *reterr)
{
    return set(sessions, scope, id, fields, n_fields, ttl_us, true, deadline_us, reterr);
}

int session_delete(struct sessions *sessions, const struct scope *scope, struct str id, int64_t deadline_us,
                   struct err_info *reterr)
{
    struct buf key = {0};
    int res = make_key(sessions, scope, id, &key, reterr);
    if (res == 0)
        res = sessions->client ? session_shared_delete(sessions, buf_str(&key), deadline_us, reterr)
                               : session_local_delete(sessions, buf_str(&key));
    buf_done(&key);
    return res;
}
