/* SPDX-License-Identifier: Apache-2.0
 *
 * /cache: the numbers of the context cache, and emptying it. Everybody's entries go only for a key with the
 * admin scope.
 */
#include "serve/args.h"

int cache_stats_get(struct request *req, struct err_info *reterr)
{
    struct build_cache_stats stats;
    struct json_writer writer;

    (void)reterr;
    build_cache_describe(req->server->options.engine, &stats);
    uint64_t n_asked = stats.n_hits + stats.n_misses;
    reply_start_json(req, 200, &writer);
    json_open_object(&writer);
    json_put_member_int(&writer, "entries", (int64_t)stats.n_entries);
    json_put_member_int(&writer, "max_entries", (int64_t)stats.max_entries);
    json_put_member_int(&writer, "bytes", (int64_t)stats.bytes);
    json_put_member_int(&writer, "max_bytes", (int64_t)stats.max_bytes);
    json_put_member_int(&writer, "hits", (int64_t)stats.n_hits);
    json_put_member_int(&writer, "misses", (int64_t)stats.n_misses);
    json_put_member_real(&writer, "hit_rate", n_asked ? (double)stats.n_hits / (double)n_asked : 0);
    json_put_member_int(&writer, "stale", (int64_t)stats.n_stale);
    json_put_member_int(&writer, "shared", (int64_t)stats.n_shared);
    json_put_member_int(&writer, "evicted", (int64_t)stats.n_evicted);
    json_put_member_int(&writer, "expired", (int64_t)stats.n_expired);
    if (stats.has_far) {
        json_put_name(&writer, "far");
        json_open_object(&writer);
        json_put_member_int(&writer, "hits", (int64_t)stats.n_far_hits);
        json_put_member_int(&writer, "misses", (int64_t)stats.n_far_misses);
        json_put_member_int(&writer, "failed", (int64_t)stats.n_far_failed);
        json_put_member_int(&writer, "refused", (int64_t)stats.n_far_refused);
        json_put_member_int(&writer, "written", (int64_t)stats.n_far_written);
        json_put_member_int(&writer, "dropped", (int64_t)stats.n_far_dropped);
        json_close_object(&writer);
    }
    json_close_object(&writer);
    return 0;
}

int cache_clear_delete(struct request *req, struct err_info *reterr)
{
    bool is_all;
    struct json_writer writer;

    int rc = query_bool(req, "all", &is_all, reterr);
    if (rc < 0)
        return rc;
    if (is_all && !(req->caller.scopes & KEY_ADMIN))
        return err_set_field(reterr, ERR_FORBIDDEN, "all",
                             "clearing everything needs a key with the admin scope");
    rc = is_all ? build_cache_clear_far(req->server->options.engine, req->caller.tenant, reterr) : 0;
    if (rc < 0)
        return rc;
    size_t n = build_cache_clear(req->server->options.engine, req->caller.tenant, is_all);
    reply_start_json(req, 200, &writer);
    json_open_object(&writer);
    json_put_member_int(&writer, "cleared", (int64_t)n);
    json_close_object(&writer);
    return 0;
}
