/* SPDX-License-Identifier: Apache-2.0
 *
 * /memory: what an assistant knows. Handlers run on workers; every one takes the tenant from the caller
 * alone.
 */
#include "serve/args.h"

#include <math.h>
#include <stdio.h>

#define DEFAULT_LIMIT 50
#define SEARCH_LIMIT  10
#define MAX_LIMIT     1000
/* Scores come of floats, which have no more to say. */
#define SCORE_DECIMALS 9

/* ---- adding ---- */

static int read_item(const struct args *args, struct knowledge *ret_item, struct err_info *reterr)
{
    struct knowledge item = {0};
    int rc = args_required_text(args, "content", &item.content, reterr);

    if (rc == 0)
        rc = args_texts(args, "tags", &item.tags, &item.n_tags, reterr);
    if (rc == 0)
        rc = args_text(args, "source", &item.source, reterr);
    if (rc == 0)
        rc = args_user(args, &item.user, reterr);
    if (rc == 0)
        rc = args_object(args, "metadata", &item.metadata, reterr);
    if (rc == 0)
        rc = args_time(args, "created_at", 0, &item.created_us, reterr);
    if (rc == 0)
        rc = args_real(args, "importance", NAN, &item.importance, reterr);
    if (rc == 0)
        *ret_item = item;
    return rc;
}

static const char *const item_members[] = {"content",  "tags",       "source",     "user_id",
                                           "metadata", "created_at", "importance", NULL};

static int read_items(const struct args *args, struct knowledge **ret_items, size_t *ret_n,
                      struct err_info *reterr)
{
    const struct json *list = json_member(args->object, "items");
    size_t n = json_count(list);

    if (json_kind_of(list) != JSON_KIND_ARRAY || n == 0)
        return err_set_field(reterr, ERR_INVALID, "items", "items must be a list of one or more memories");
    if (n > MEMORY_MAX_BATCH)
        return err_set_field(reterr, ERR_INVALID, "items", "items holds %zu memories, more than %d", n,
                             MEMORY_MAX_BATCH);
    struct knowledge *items = arena_calloc(args->arena, n, sizeof *items);
    if (!items)
        return err_set(reterr, arena_error(args->arena), "the request's memory is used up");
    for (size_t i = 0; i < n; i++) {
        struct args one = {.object = json_at(list, i), .arena = args->arena};
        (void)snprintf(one.prefix, sizeof one.prefix, "items[%zu].", i);
        if (json_kind_of(one.object) != JSON_KIND_OBJECT) {
            char field[32];
            (void)snprintf(field, sizeof field, "items[%zu]", i);
            return err_set_field(reterr, ERR_INVALID, field, "%s must be an object", field);
        }
        int rc = args_check_names(&one, item_members, reterr);
        if (rc == 0)
            rc = read_item(&one, &items[i], reterr);
        if (rc < 0)
            return rc;
    }
    *ret_items = items;
    *ret_n = n;
    return 0;
}

/* "items" or the members of one memory, not both: only user_id may stand beside the list, for all of it. */
static int read_body(const struct args *args, struct knowledge **ret_items, size_t *ret_n, bool *ret_is_list,
                     struct err_info *reterr)
{
    *ret_is_list = args_has(args, "items");
    if (*ret_is_list) {
        for (const char *const *name = item_members; *name; name++)
            if (strcmp(*name, "user_id") != 0 && args_has(args, *name))
                return err_set_field(reterr, ERR_INVALID, *name, "give items or %s, not both", *name);
        return read_items(args, ret_items, ret_n, reterr);
    }
    struct knowledge *item = arena_calloc(args->arena, 1, sizeof *item);
    if (!item)
        return err_set(reterr, arena_error(args->arena), "the request's memory is used up");
    *ret_items = item;
    *ret_n = 1;
    return read_item(args, item, reterr);
}

static void reply_ids(struct request *req, const struct str *ids, size_t n, bool is_list)
{
    struct json_writer writer;

    reply_start_json(req, 201, &writer);
    json_open_object(&writer);
    if (is_list) {
        json_put_name(&writer, "ids");
        json_open_array(&writer);
        for (size_t i = 0; i < n; i++)
            json_put_text(&writer, ids[i]);
        json_close_array(&writer);
    } else {
        json_put_member_text(&writer, "id", ids[0]);
    }
    json_close_object(&writer);
}

int memory_add_post(struct request *req, struct err_info *reterr)
{
    struct args args;
    struct knowledge *items = NULL;
    struct scope scope;
    size_t n = 0;
    bool is_list = false;

    int rc = args_with_scope(req, &args, &scope, reterr);
    if (rc == 0)
        rc = read_body(&args, &items, &n, &is_list, reterr);
    if (rc != 0)
        return rc;
    if (!is_list)
        items[0].user = scope.user;
    struct str *ids = arena_calloc(&req->arena, n, sizeof *ids);
    if (!ids)
        return err_set(reterr, arena_error(&req->arena), "the request's memory is used up");
    rc = knowledge_add(req->server->options.memory, &scope, items, n, &req->arena, ids, reterr);
    if (rc < 0)
        return rc;
    reply_ids(req, ids, n, is_list);
    return 0;
}

/* ---- reading ---- */

static void write_common(struct json_writer *writer, const struct knowledge *item)
{
    json_put_name(writer, "tags");
    json_open_array(writer);
    for (size_t i = 0; i < item->n_tags; i++)
        json_put_text(writer, item->tags[i]);
    json_close_array(writer);
    json_put_member_text(writer, "source", item->source);
    json_put_member_raw(writer, "metadata", item->metadata, "{}");
    json_put_member_time(writer, "created_at", item->created_us);
}

static void write_item(struct json_writer *writer, const struct knowledge *item)
{
    json_open_object(writer);
    json_put_member_text(writer, "id", item->id);
    json_put_member_text(writer, "content", item->content);
    write_common(writer, item);
    json_put_member_time(writer, "updated_at", item->updated_us);
    json_put_member_real(writer, "importance", item->importance);
    json_put_member_text(writer, "user_id", item->user);
    json_close_object(writer);
}

static void write_hit(struct json_writer *writer, const struct knowledge *item, bool wants_parts)
{
    json_open_object(writer);
    json_put_member_text(writer, "id", item->id);
    json_put_member_text(writer, "content", item->content);
    json_put_member_fixed(writer, "score", item->score, SCORE_DECIMALS);
    write_common(writer, item);
    if (wants_parts) {
        json_put_name(writer, "parts");
        search_write_parts(item->score_parts, writer);
    }
    json_close_object(writer);
}

static int read_mode(const struct request *req, struct knowledge_query *query, struct err_info *reterr)
{
    struct str mode = query_text(req, "mode");

    if (!mode.ptr || str_is(mode, "hybrid"))
        query->mode = SEARCH_HYBRID;
    else if (str_is(mode, "keyword"))
        query->mode = SEARCH_KEYWORD;
    else if (str_is(mode, "vector"))
        query->mode = SEARCH_VECTOR;
    else
        return err_set_field(reterr, ERR_INVALID, "mode", "mode must be hybrid, keyword or vector");
    return 0;
}

static int read_search(struct request *req, struct knowledge_query *ret_query, struct err_info *reterr)
{
    struct knowledge_query query = {0};
    int64_t limit = SEARCH_LIMIT;
    int rc = query_required_text(req, "query", &query.query, reterr);

    if (rc == 0)
        rc = query_int(req, "limit", 1, MAX_LIMIT, SEARCH_LIMIT, &limit, reterr);
    if (rc == 0)
        rc = query_texts(req, "tags", &query.tags, &query.n_tags, reterr);
    if (rc == 0)
        rc = read_mode(req, &query, reterr);
    if (rc == 0)
        rc = query_real(req, "min_score", 0, &query.min_score, reterr);
    if (rc == 0)
        rc = query_time(req, "since", INT64_MIN, &query.since_us, reterr);
    if (rc == 0)
        rc = query_time(req, "until", INT64_MAX, &query.until_us, reterr);
    query.limit = (size_t)limit;
    query.source = query_text(req, "source");
    if (rc == 0)
        *ret_query = query;
    return rc;
}

/* More take longer to compute than a context. */
#define COMPUTE_MAX_HITS 100

/* 1: with is_now, and it would have to wait, or take long. */
static int search(struct request *req, bool is_now, struct err_info *reterr)
{
    struct knowledge_query query;
    struct knowledge *items = NULL;
    struct scope scope;
    size_t n;
    const char *degraded = NULL;
    bool wants_parts = false;
    struct json_writer writer;

    int rc = query_scope(req, &scope, reterr);
    if (rc == 0)
        rc = query_bool(req, "explain", &wants_parts, reterr);
    if (rc == 0)
        rc = read_search(req, &query, reterr);
    if (rc == 0 && is_now && query.limit > COMPUTE_MAX_HITS)
        return 1;
    query.is_now = is_now;
    if (rc == 0)
        rc = knowledge_search(req->server->options.memory, &scope, &query, &req->arena, &items, &n, &degraded,
                              reterr);
    if (rc != 0)
        return rc;
    reply_start_list(req, "results", &writer);
    for (size_t i = 0; i < n; i++)
        write_hit(&writer, &items[i], wants_parts);
    json_close_array(&writer);
    if (degraded)
        json_put_member_text(&writer, "degraded", str_of(degraded));
    json_close_object(&writer);
    return 0;
}

int memory_search_compute(struct request *req, struct err_info *reterr)
{
    return search(req, true, reterr);
}

int memory_search_get(struct request *req, struct err_info *reterr)
{
    return search(req, false, reterr);
}

int memory_list_get(struct request *req, struct err_info *reterr)
{
    struct knowledge *items = NULL;
    struct scope scope;
    struct str cursor;
    int64_t limit = DEFAULT_LIMIT;
    size_t n;
    struct json_writer writer;

    int rc = query_scope(req, &scope, reterr);
    if (rc == 0)
        rc = query_int(req, "limit", 1, MAX_LIMIT, DEFAULT_LIMIT, &limit, reterr);
    if (rc == 0)
        rc = knowledge_list(req->server->options.memory, &scope, (size_t)limit, query_text(req, "cursor"),
                            &req->arena, &items, &n, &cursor, reterr);
    if (rc < 0)
        return rc;
    reply_start_list(req, "items", &writer);
    for (size_t i = 0; i < n; i++)
        write_item(&writer, &items[i]);
    json_close_array(&writer);
    json_put_member_text_or_null(&writer, "next_cursor", cursor);
    json_close_object(&writer);
    return 0;
}

/* ---- one memory ---- */

/* A foreign id and one that never was get the same words. */
static int no_memory(struct err_info *reterr)
{
    return err_set_field(reterr, ERR_NOT_FOUND, "id", "there is no memory with this id");
}

static int reply_item(struct request *req, const struct scope *scope, struct err_info *reterr)
{
    struct knowledge item;
    struct json_writer writer;

    int rc = knowledge_get(req->server->options.memory, scope, req->args[0], &req->arena, &item, reterr);
    if (rc != 0)
        return rc < 0 ? rc : no_memory(reterr);
    reply_start_json(req, 200, &writer);
    write_item(&writer, &item);
    return 0;
}

int memory_item_get(struct request *req, struct err_info *reterr)
{
    struct scope scope;
    int rc = request_scope(req, STR_LIT(""), &scope, reterr);
    return rc < 0 ? rc : reply_item(req, &scope, reterr);
}

static int read_patch(const struct args *args, struct knowledge_patch *ret_patch, struct err_info *reterr)
{
    struct knowledge_patch patch = {0};
    int rc = args_text(args, "content", &patch.item.content, reterr);

    if (rc == 0)
        rc = args_text(args, "source", &patch.item.source, reterr);
    if (rc == 0)
        rc = args_texts(args, "tags", &patch.item.tags, &patch.item.n_tags, reterr);
    if (rc == 0)
        rc = args_object(args, "metadata", &patch.item.metadata, reterr);
    if (rc == 0)
        rc = args_real(args, "importance", NAN, &patch.item.importance, reterr);
    patch.has_content = args_has(args, "content");
    patch.has_source = args_has(args, "source");
    patch.has_tags = args_has(args, "tags");
    patch.has_metadata = args_has(args, "metadata");
    patch.has_importance = args_has(args, "importance");
    if (rc == 0 && !patch.has_content && !patch.has_source && !patch.has_tags && !patch.has_metadata &&
        !patch.has_importance)
        return err_set(reterr, ERR_INVALID, "the body names nothing to change");
    if (rc == 0)
        *ret_patch = patch;
    return rc;
}

int memory_item_patch(struct request *req, struct err_info *reterr)
{
    struct knowledge_patch patch;
    struct args args;
    struct scope scope;

    int rc = args_from_body(req, &args, reterr);
    if (rc != 0)
        return rc;
    rc = request_scope(req, STR_LIT(""), &scope, reterr);
    if (rc == 0)
        rc = read_patch(&args, &patch, reterr);
    if (rc == 0)
        rc = knowledge_update(req->server->options.memory, &scope, req->args[0], &patch, reterr);
    if (rc != 0)
        return rc < 0 ? rc : no_memory(reterr);
    return reply_item(req, &scope, reterr);
}

int memory_item_delete(struct request *req, struct err_info *reterr)
{
    struct scope scope;

    int rc = request_scope(req, STR_LIT(""), &scope, reterr);
    if (rc == 0)
        rc = knowledge_delete(req->server->options.memory, &scope, req->args[0], reterr);
    if (rc != 0)
        return rc < 0 ? rc : no_memory(reterr);
    reply_deleted(req, "id", req->args[0]);
    return 0;
}

/* ---- forgetting ---- */

static int read_rule(const struct args *args, struct knowledge_rule *ret_rule, bool *ret_is_dry_run,
                     struct err_info *reterr)
{
    struct knowledge_rule rule = {0};
    struct str *ids, *tags;
    int rc = args_texts(args, "ids", &ids, &rule.n_ids, reterr);

    if (rc == 0)
        rc = args_texts(args, "tags", &tags, &rule.n_tags, reterr);
    if (rc == 0)
        rc = args_text(args, "source", &rule.source, reterr);
    if (rc == 0)
        rc = args_text(args, "contains", &rule.contains, reterr);
    if (rc == 0)
        rc = args_time(args, "before", INT64_MIN, &rule.before_us, reterr);
    if (rc == 0)
        rc = args_bool(args, "dry_run", ret_is_dry_run, reterr);
    if (rc < 0)
        return rc;
    /* An empty list is a rule that nothing fulfils, not the absence of a rule. */
    if ((args_has(args, "ids") && rule.n_ids == 0) || (args_has(args, "tags") && rule.n_tags == 0))
        return err_set_field(reterr, ERR_INVALID, rule.n_ids || !args_has(args, "ids") ? "tags" : "ids",
                             "an empty list names nothing to forget");
    rule.ids = ids;
    rule.tags = tags;
    *ret_rule = rule;
    return 0;
}

int memory_forget_post(struct request *req, struct err_info *reterr)
{
    struct knowledge_rule rule;
    struct args args;
    struct scope scope;
    struct str *ids;
    size_t n;
    bool is_dry_run;
    struct json_writer writer;

    int rc = args_with_scope(req, &args, &scope, reterr);
    if (rc == 0)
        rc = read_rule(&args, &rule, &is_dry_run, reterr);
    if (rc == 0)
        rc = knowledge_forget(req->server->options.memory, &scope, &rule, is_dry_run, &req->arena, &ids, &n,
                              reterr);
    if (rc != 0)
        return rc;
    reply_start_json(req, 200, &writer);
    json_open_object(&writer);
    json_put_member_int(&writer, "forgotten", is_dry_run ? 0 : (int64_t)n);
    json_put_member_bool(&writer, "dry_run", is_dry_run);
    json_put_name(&writer, "ids");
    json_open_array(&writer);
    for (size_t i = 0; i < n; i++)
        json_put_text(&writer, ids[i]);
    json_close_array(&writer);
    json_close_object(&writer);
    return 0;
}
