/* SPDX-License-Identifier: Apache-2.0
 *
 * Members of a JSON body, each read with its type and its place in the message when it is wrong.
 */
#include "serve/args.h"

#include "core/civil.h"

#include <stdio.h>

int body_parse(struct request *req, struct err_info *reterr)
{
    struct err_info err = {0};

    if (req->json)
        return 0;
    if (req->body.len == 0) {
        reply_error(req, 400, "invalid_json", NULL, "the request needs a JSON object as its body");
        return 1;
    }
    int rc = json_parse(buf_str(&req->body), SERVE_MAX_JSON_DEPTH, &req->json, &err);
    if (rc == ERR_INVALID) {
        reply_error(req, 400, "invalid_json", err.field, "the body is not JSON: %s", err.message);
        return 1;
    }
    if (rc < 0) {
        if (reterr)
            *reterr = err;
        return rc;
    }
    if (json_kind_of(req->json) != JSON_KIND_OBJECT)
        return err_set(reterr, ERR_INVALID, "the body must be a JSON object, not %s",
                       json_kind_name(json_kind_of(req->json)));
    return 0;
}

int args_from_body(struct request *req, struct args *ret_args, struct err_info *reterr)
{
    int rc = body_parse(req, reterr);
    if (rc != 0)
        return rc;
    *ret_args = (struct args){.object = req->json, .arena = &req->arena};
    return args_check_names(ret_args, req->route->members, reterr);
}

int args_with_scope(struct request *req, struct args *ret_args, struct scope *ret_scope,
                    struct err_info *reterr)
{
    struct args args;
    struct str user;

    int rc = args_from_body(req, &args, reterr);
    if (rc != 0)
        return rc;
    rc = args_user(&args, &user, reterr);
    if (rc == 0)
        rc = request_scope(req, user, ret_scope, reterr);
    if (rc == 0)
        *ret_args = args;
    return rc;
}

static size_t count_names(const char *const *names)
{
    size_t n = 0;
    while (names[n])
        n++;
    return n;
}

static int fail(const struct args *args, const char *name, const char *wanted, struct err_info *reterr)
{
    char field[ERR_FIELD_SIZE];
    (void)snprintf(field, sizeof field, "%s%.64s", args->prefix, name);
    return err_set_field(reterr, ERR_INVALID, field, "%s must be %s", field, wanted);
}

int args_check_names(const struct args *args, const char *const *known, struct err_info *reterr)
{
    struct str name;
    const struct json *value;

    for (size_t pos = 0; json_next_member(args->object, &pos, &name, &value);) {
        size_t n = count_names(known);
        size_t i = 0;
        while (i < n && !str_is(name, known[i]))
            i++;
        if (i < n)
            continue;
        char field[ERR_FIELD_SIZE];
        (void)snprintf(field, sizeof field, "%s%.*s", args->prefix, STR_ARG(name));
        const char *nearest = str_nearest(name, known, n);
        if (nearest)
            return err_set_field(reterr, ERR_INVALID, field, "%s is not known here; did you mean %s?", field,
                                 nearest);
        return err_set_field(reterr, ERR_INVALID, field, "%s is not known here", field);
    }
    return 0;
}

bool args_has(const struct args *args, const char *name)
{
    return json_kind_of(json_member(args->object, name)) != JSON_KIND_NULL;
}

int args_text(const struct args *args, const char *name, struct str *ret_text, struct err_info *reterr)
{
    const struct json *node = json_member(args->object, name);

    if (json_kind_of(node) != JSON_KIND_NULL && json_kind_of(node) != JSON_KIND_TEXT)
        return fail(args, name, "a text", reterr);
    *ret_text = json_text_of(node);
    return 0;
}

int args_required_text(const struct args *args, const char *name, struct str *ret_text,
                       struct err_info *reterr)
{
    if (!args_has(args, name)) {
        char field[ERR_FIELD_SIZE];
        (void)snprintf(field, sizeof field, "%s%s", args->prefix, name);
        return err_set_field(reterr, ERR_INVALID, field, "%s is required", field);
    }
    return args_text(args, name, ret_text, reterr);
}

int args_user(const struct args *args, struct str *ret_user, struct err_info *reterr)
{
    const struct json *node = json_member(args->object, "user_id");

    if (json_kind_of(node) != JSON_KIND_INT)
        return args_text(args, "user_id", ret_user, reterr);
    *ret_user = arena_printf(args->arena, "%lld", (long long)json_int_of(node));
    return arena_error(args->arena);
}

int args_real(const struct args *args, const char *name, double fallback, double *ret_value,
              struct err_info *reterr)
{
    const struct json *node = json_member(args->object, name);
    enum json_kind kind = json_kind_of(node);

    if (kind != JSON_KIND_NULL && kind != JSON_KIND_INT && kind != JSON_KIND_REAL)
        return fail(args, name, "a number", reterr);
    *ret_value = kind == JSON_KIND_NULL ? fallback : json_real_of(node);
    return 0;
}

int args_bool(const struct args *args, const char *name, bool *ret_value, struct err_info *reterr)
{
    const struct json *node = json_member(args->object, name);
    enum json_kind kind = json_kind_of(node);

    if (kind != JSON_KIND_NULL && kind != JSON_KIND_BOOL)
        return fail(args, name, "true or false", reterr);
    *ret_value = json_bool_of(node);
    return 0;
}

int args_time(const struct args *args, const char *name, int64_t fallback_us, int64_t *ret_us,
              struct err_info *reterr)
{
    struct str text;
    int rc = args_text(args, name, &text, reterr);

    if (rc < 0)
        return rc;
    if (!text.ptr)
        *ret_us = fallback_us;
    else if (civil_parse(text, ret_us, NULL) < 0)
        return fail(args, name, "a time such as 2026-11-21T09:30:00Z", reterr);
    else if (*ret_us == fallback_us)
        *ret_us += 1; /* given after all: midnight of 1970 is not "now" */
    return 0;
}

int args_texts(const struct args *args, const char *name, struct str **ret_texts, size_t *ret_n,
               struct err_info *reterr)
{
    const struct json *node = json_member(args->object, name);
    size_t n = json_count(node);

    if (json_kind_of(node) != JSON_KIND_NULL && json_kind_of(node) != JSON_KIND_ARRAY)
        return fail(args, name, "a list of texts", reterr);
    struct str *texts = arena_calloc(args->arena, n ? n : 1, sizeof *texts);
    if (!texts)
        return err_set(reterr, arena_error(args->arena), "the request's memory is used up");
    for (size_t i = 0; i < n; i++) {
        const struct json *element = json_at(node, i);
        if (json_kind_of(element) != JSON_KIND_TEXT) {
            char place[ERR_FIELD_SIZE];
            (void)snprintf(place, sizeof place, "%s[%zu]", name, i);
            return fail(args, place, "a text", reterr);
        }
        texts[i] = json_text_of(element);
    }
    *ret_texts = texts;
    *ret_n = n;
    return 0;
}

static int print_json(const struct args *args, const char *name, const struct json *node,
                      struct str *ret_json, struct err_info *reterr)
{
    struct buf buf;

    buf_init(&buf, MEMORY_MAX_CONTENT_BYTES);
    json_print(node, &buf);
    int rc = buf_error(&buf);
    if (rc == 0) {
        *ret_json = arena_copy(args->arena, buf_str(&buf));
        rc = arena_error(args->arena);
    }
    buf_done(&buf);
    if (rc == ERR_LIMIT)
        return err_set_field(reterr, rc, name, "%s is too large", name);
    return rc < 0 ? err_set(reterr, rc, "out of memory") : 0;
}

int args_object(const struct args *args, const char *name, struct str *ret_json, struct err_info *reterr)
{
    const struct json *node = json_member(args->object, name);

    if (json_kind_of(node) == JSON_KIND_NULL) {
        *ret_json = str_make(NULL, 0);
        return 0;
    }
    if (json_kind_of(node) != JSON_KIND_OBJECT)
        return fail(args, name, "an object", reterr);
    return print_json(args, name, node, ret_json, reterr);
}

int args_json(const struct args *args, const char *name, struct str *ret_json, struct err_info *reterr)
{
    const struct json *node = json_member(args->object, name);

    if (!node)
        return err_set_field(reterr, ERR_INVALID, name, "%s is required", name);
    return print_json(args, name, node, ret_json, reterr);
}

void json_put_member_text_or_null(struct json_writer *writer, const char *name, struct str text)
{
    json_put_name(writer, name);
    if (text.len)
        json_put_text(writer, text);
    else
        json_put_null(writer);
}

void json_put_member_time(struct json_writer *writer, const char *name, int64_t time_us)
{
    json_put_name(writer, name);
    if (time_us == 0) {
        json_put_null(writer);
        return;
    }
    json_put_raw(writer, STR_LIT("\""));
    civil_print_iso(time_us, writer->buf);
    buf_append_byte(writer->buf, '"');
}

void json_put_member_raw(struct json_writer *writer, const char *name, struct str json, const char *fallback)
{
    json_put_name(writer, name);
    json_put_raw(writer, json.len ? json : str_of(fallback));
}
