/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions in this process: a map under one lock. When it is full what has run out goes, or else the session
 * whose time is over first.
 */
#include "memory/session_priv.h"

#include "core/mem.h"

struct kept_session {
    struct arena arena; /* owns the fields */
    struct session_field *fields;
    size_t n_fields;
    int64_t until_us; /* monotonic */
};

static void kept_free(struct kept_session *kept)
{
    if (kept)
        arena_done(&kept->arena);
    mem_free(kept);
}

void session_local_done(struct sessions *sessions)
{
    const struct map_entry *entry;
    for (size_t pos = 0; (entry = map_next(&sessions->kept, &pos));)
        kept_free(entry->value);
    map_done(&sessions->kept);
}

/* Takes one out of the map. */
static struct kept_session *take_out(struct sessions *sessions, struct str key)
{
    struct kept_session *kept = map_remove(&sessions->kept, key);
    if (kept)
        sessions->n_kept_bytes -= kept->arena.used_bytes;
    return kept;
}

/* The session if its time is not over; under the lock, as all below. */
static struct kept_session *find(struct sessions *sessions, struct str key)
{
    struct kept_session *kept = map_get(&sessions->kept, key);
    if (kept && kept->until_us <= clock_mono_us(sessions->clock)) {
        kept_free(take_out(sessions, key));
        return NULL;
    }
    return kept;
}

/* All but one. Looks at each, which a full map of these sizes takes a fraction of a millisecond for. */
static void drop_first(struct sessions *sessions, const struct kept_session *spared)
{
    const struct map_entry *entry, *first = NULL;
    for (size_t pos = 0; (entry = map_next(&sessions->kept, &pos));)
        if (entry->value != spared && (!first || ((struct kept_session *)entry->value)->until_us <
                                                     ((struct kept_session *)first->value)->until_us))
            first = entry;
    kept_free(take_out(sessions, first->key));
}

/* For one of n_bytes, which takes the place of `before`, if there is one. */
static void make_room(struct sessions *sessions, const struct kept_session *before, size_t n_bytes)
{
    size_t n_least = before ? 1 : 0;

    if (before)
        n_bytes -= before->arena.used_bytes < n_bytes ? before->arena.used_bytes : n_bytes;
    while (sessions->kept.n > n_least && (sessions->kept.n - n_least >= SESSION_MAX_KEPT ||
                                          sessions->n_kept_bytes + n_bytes > SESSION_MAX_KEPT_BYTES))
        drop_first(sessions, before);
}

static int copy_fields(const struct session_field *fields, size_t n_fields, struct arena *arena,
                       struct session_field **ret_fields)
{
    struct session_field *copies = arena_calloc(arena, n_fields + 1, sizeof *copies);
    for (size_t i = 0; copies && i < n_fields; i++)
        copies[i] =
            (struct session_field){arena_copy(arena, fields[i].name), arena_copy(arena, fields[i].value)};
    *ret_fields = copies;
    return arena_error(arena);
}

int session_local_get(struct sessions *sessions, struct str key, struct arena *arena,
                      struct session *ret_session, struct err_info *reterr)
{
    int res = 1;

    pthread_mutex_lock(&sessions->lock);
    const struct kept_session *kept = find(sessions, key);
    if (kept) {
        struct session session = {.n_fields = kept->n_fields,
                                  .left_us = kept->until_us - clock_mono_us(sessions->clock)};
        res = copy_fields(kept->fields, kept->n_fields, arena, &session.fields);
        if (res == 0)
            *ret_session = session;
        else
            (void)err_set(reterr, res, "out of memory");
    }
    pthread_mutex_unlock(&sessions->lock);
    return res;
}

/* Before, with what comes over it; empty values remove. At most twice SESSION_MAX_FIELDS. */
static size_t merge(const struct kept_session *before, const struct session_field *fields, size_t n_fields,
                    struct session_field *merged)
{
    size_t n = 0;
    for (size_t i = 0; before && i < before->n_fields; i++) {
        size_t k = 0;
        while (k < n_fields && !str_eq(fields[k].name, before->fields[i].name))
            k++;
        if (k == n_fields)
            merged[n++] = before->fields[i];
    }
    for (size_t i = 0; i < n_fields; i++)
        if (fields[i].value.len > 0)
            merged[n++] = fields[i];
    return n;
}

static int check_size(const struct session_field *fields, size_t n_fields, struct err_info *reterr)
{
    size_t n_bytes = 0;
    for (size_t i = 0; i < n_fields; i++)
        n_bytes += fields[i].name.len + fields[i].value.len;
    return n_fields > SESSION_MAX_FIELDS || n_bytes > SESSION_MAX_BYTES ? session_too_large(reterr) : 0;
}

int session_local_set(struct sessions *sessions, struct str key, const struct session_field *fields,
                      size_t n_fields, int64_t ttl_us, bool is_merge, struct err_info *reterr)
{
    struct session_field merged[2 * SESSION_MAX_FIELDS];
    struct kept_session *kept = mem_calloc(1, sizeof *kept);
    void *old = NULL;
    int res = 0;

    if (!kept)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    arena_init(&kept->arena, 2 * SESSION_MAX_BYTES);
    pthread_mutex_lock(&sessions->lock);
    struct kept_session *before = find(sessions, key);
    if (is_merge && !before)
        res = 1;
    kept->n_fields = merge(is_merge ? before : NULL, fields, n_fields, merged);
    if (res == 0)
        res = check_size(merged, kept->n_fields, reterr);
    if (res == 0 && copy_fields(merged, kept->n_fields, &kept->arena, &kept->fields) < 0)
        res = err_set(reterr, arena_error(&kept->arena), "out of memory");
    kept->until_us = clock_mono_us(sessions->clock) + ttl_us;
    if (res == 0)
        make_room(sessions, before, kept->arena.used_bytes);
    if (res == 0 && map_put(&sessions->kept, key, kept, &old) < 0)
        res = err_set(reterr, ERR_NOMEM, "out of memory");
    if (res == 0) {
        sessions->n_kept_bytes += kept->arena.used_bytes;
        sessions->n_kept_bytes -= before ? before->arena.used_bytes : 0;
    }
    pthread_mutex_unlock(&sessions->lock);
    kept_free(res == 0 ? old : kept);
    return res;
}

int session_local_delete(struct sessions *sessions, struct str key)
{
    pthread_mutex_lock(&sessions->lock);
    struct kept_session *kept = find(sessions, key) ? take_out(sessions, key) : NULL;
    pthread_mutex_unlock(&sessions->lock);
    kept_free(kept);
    return kept ? 0 : 1;
}
