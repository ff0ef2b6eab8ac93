/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions in Redis: a hash each, whose fields hold JSON, with the key's own expiry as the lifetime. A change
 * is one script, so that nobody sees half of it.
 */
#include "memory/session_priv.h"

#include <stdio.h>

/* One field that always is there, as an empty hash does not exist. No field of a session has an empty name.
 */

/* ARGV: milliseconds, then names and values in turn. */
static const char put_text[] =
    "redis.call('DEL', KEYS[1])\n"
    "redis.call('HSET', KEYS[1], '', '1')\n"
    "for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end\n"
    "redis.call('PEXPIRE', KEYS[1], ARGV[1])\n"
    "return 1\n";

/* ARGV: milliseconds, most fields, most bytes, then names and values, empty to remove. 0: there is none; -1:
 * it would be too large, and is as it was. */
static const char merge_text[] =
    "if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end\n"
    "local n, bytes, fields = 0, 0, {}\n"
    "local all = redis.call('HGETALL', KEYS[1])\n"
    "for i = 1, #all, 2 do if all[i] ~= '' then fields[all[i]] = all[i + 1] end end\n"
    "for i = 4, #ARGV, 2 do fields[ARGV[i]] = ARGV[i + 1] ~= '' and ARGV[i + 1] or nil end\n"
    "for name, value in pairs(fields) do n = n + 1; bytes = bytes + #name + #value end\n"
    "if n > tonumber(ARGV[2]) or bytes > tonumber(ARGV[3]) then return -1 end\n"
    "for i = 4, #ARGV, 2 do\n"
    "  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[1], ARGV[i])\n"
    "  else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end\n"
    "end\n"
    "redis.call('PEXPIRE', KEYS[1], ARGV[1])\n"
    "return 1\n";

static const char get_text[] = "return {redis.call('HGETALL', KEYS[1]), redis.call('PTTL', KEYS[1])}\n";

#define MAX_REPLY_BYTES (4 * 1024 * 1024)

void session_shared_init(struct sessions *sessions)
{
    redis_script_init(&sessions->put, put_text);
    redis_script_init(&sessions->merge, merge_text);
    redis_script_init(&sessions->get, get_text);
}

/* To who wants a session, a tier that is slow is one that cannot be asked. */
static int told(int res, struct err_info *reterr)
{
    if (res != ERR_TIMEOUT)
        return res;
    if (reterr)
        reterr->code = ERR_UNAVAILABLE;
    return ERR_UNAVAILABLE;
}

int session_shared_get(struct sessions *sessions, struct str key, int64_t deadline_us, struct arena *arena,
                       struct session *ret_session, struct err_info *reterr)
{
    struct resp reply;
    int res =
        redis_client_run(sessions->client, &sessions->get, key, NULL, 0, deadline_us, arena, &reply, reterr);
    if (res < 0)
        return told(res, reterr);
    if (reply.kind != RESP_ARRAY || reply.n != 2 || reply.items[0].kind != RESP_ARRAY)
        return err_set(reterr, ERR_REMOTE, "the shared tier's answer is not what was asked for");
    const struct resp *pairs = &reply.items[0];
    if (pairs->n == 0)
        return 1;
    struct session session = {.left_us = reply.items[1].integer > 0 ? reply.items[1].integer * US_PER_MS : 0};
    session.fields = arena_calloc(arena, pairs->n / 2, sizeof *session.fields);
    if (!session.fields)
        return err_set(reterr, arena_error(arena), "out of memory");
    for (size_t i = 0; i + 1 < pairs->n; i += 2)
        if (pairs->items[i].text.len > 0)
            session.fields[session.n_fields++] =
                (struct session_field){pairs->items[i].text, pairs->items[i + 1].text};
    *ret_session = session;
    return 0;
}

int session_shared_set(struct sessions *sessions, struct str key, const struct session_field *fields,
                       size_t n_fields, int64_t ttl_us, bool is_merge, int64_t deadline_us,
                       struct err_info *reterr)
{
    struct str args[3 + 2 * SESSION_MAX_FIELDS];
    char ms[24], max_fields[24], max_bytes[24];
    struct arena arena;
    struct resp reply;
    size_t n = 0;

    (void)snprintf(ms, sizeof ms, "%lld", (long long)(ttl_us / US_PER_MS));
    (void)snprintf(max_fields, sizeof max_fields, "%d", SESSION_MAX_FIELDS);
    (void)snprintf(max_bytes, sizeof max_bytes, "%d", SESSION_MAX_BYTES);
    args[n++] = str_of(ms);
    if (is_merge) {
        args[n++] = str_of(max_fields);
        args[n++] = str_of(max_bytes);
    }
    for (size_t i = 0; i < n_fields; i++) {
        args[n++] = fields[i].name;
        args[n++] = fields[i].value;
    }
    arena_init(&arena, MAX_REPLY_BYTES);
    int res = redis_client_run(sessions->client, is_merge ? &sessions->merge : &sessions->put, key, args, n,
                               deadline_us, &arena, &reply, reterr);
    arena_done(&arena);
    if (res < 0)
        return told(res, reterr);
    return reply.integer == -1 ? session_too_large(reterr) : reply.integer == 1 ? 0 : 1;
}

int session_shared_delete(struct sessions *sessions, struct str key, int64_t deadline_us,
                          struct err_info *reterr)
{
    struct arena arena;
    struct resp reply;

    arena_init(&arena, 4096);
    int res = redis_client_call(sessions->client, (struct str[]){STR_LIT("DEL"), key}, 2, deadline_us, &arena,
                                &reply, reterr);
    if (res == 0 && reply.kind == RESP_ERROR)
        res = redis_error(reply.text, reterr);
    arena_done(&arena);
    return res < 0 ? told(res, reterr) : reply.integer == 1 ? 0 : 1;
}
