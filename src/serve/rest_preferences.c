/* SPDX-License-Identifier: Apache-2.0
 *
 * /preferences: small facts by key, any JSON value. Handlers run on workers.
 */
#include "serve/args.h"

static void write_preference(struct json_writer *writer, const struct preference *preference)
{
    json_open_object(writer);
    json_put_member_text(writer, "key", preference->key);
    json_put_member_raw(writer, "value", preference->value, "null");
    json_put_member_text_or_null(writer, "category", preference->category);
    json_put_member_time(writer, "created_at", preference->created_us);
    json_put_member_time(writer, "updated_at", preference->updated_us);
    json_close_object(writer);
}

static int no_preference(struct err_info *reterr)
{
    return err_set_field(reterr, ERR_NOT_FOUND, "key", "there is no preference with this key");
}

static int reply_preference(struct request *req, const struct scope *scope, struct str key,
                            struct err_info *reterr)
{
    struct preference preference;
    struct json_writer writer;

    int rc = preference_get(req->server->options.memory, scope, key, &req->arena, &preference, reterr);
    if (rc != 0)
        return rc < 0 ? rc : no_preference(reterr);
    reply_start_json(req, 200, &writer);
    write_preference(&writer, &preference);
    return 0;
}

int preference_post(struct request *req, struct err_info *reterr)
{
    struct preference preference = {0};
    struct args args;
    struct scope scope;

    int rc = args_with_scope(req, &args, &scope, reterr);
    if (rc == 0)
        rc = args_required_text(&args, "key", &preference.key, reterr);
    if (rc == 0)
        rc = args_json(&args, "value", &preference.value, reterr);
    if (rc == 0)
        rc = args_text(&args, "category", &preference.category, reterr);
    if (rc == 0)
        rc = preference_set(req->server->options.memory, &scope, &preference, reterr);
    if (rc != 0)
        return rc;
    return reply_preference(req, &scope, preference.key, reterr);
}

int preference_one_get(struct request *req, struct err_info *reterr)
{
    struct scope scope;
    struct str key;

    int rc = query_scope(req, &scope, reterr);
    if (rc == 0)
        rc = query_required_text(req, "key", &key, reterr);
    return rc < 0 ? rc : reply_preference(req, &scope, key, reterr);
}

int preference_all_get(struct request *req, struct err_info *reterr)
{
    struct preference *preferences;
    struct scope scope;
    size_t n;
    struct json_writer writer;

    int rc = query_scope(req, &scope, reterr);
    if (rc == 0)
        rc = preference_list(req->server->options.memory, &scope, query_text(req, "category"), &req->arena,
                             &preferences, &n, reterr);
    if (rc < 0)
        return rc;
    reply_start_list(req, "preferences", &writer);
    for (size_t i = 0; i < n; i++)
        write_preference(&writer, &preferences[i]);
    json_close_array(&writer);
    json_close_object(&writer);
    return 0;
}

static int delete_preference(struct request *req, struct str key, struct err_info *reterr)
{
    struct scope scope;

    int rc = query_scope(req, &scope, reterr);
    if (rc == 0)
        rc = preference_delete(req->server->options.memory, &scope, key, reterr);
    if (rc != 0)
        return rc < 0 ? rc : no_preference(reterr);
    reply_deleted(req, "key", key);
    return 0;
}

int preference_named_delete(struct request *req, struct err_info *reterr)
{
    struct str key;
    int rc = query_required_text(req, "key", &key, reterr);
    return rc < 0 ? rc : delete_preference(req, key, reterr);
}

int preference_path_delete(struct request *req, struct err_info *reterr)
{
    return delete_preference(req, req->args[0], reterr);
}
