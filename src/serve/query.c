/* SPDX-License-Identifier: Apache-2.0
 *
 * Parameters of the URL's query, each read with its type and its name in the message when it is wrong.
 */
#include "core/civil.h"
#include "serve/args.h"

static int complain(struct str name, const char *what, const char *nearest, struct err_info *reterr)
{
    char field[ERR_FIELD_SIZE];
    struct str shown = str_slice(name, 0, sizeof field - 1);

    memcpy(field, shown.len ? shown.ptr : "", shown.len);
    field[shown.len] = '\0';
    return err_set_field(reterr, ERR_INVALID, field, "the parameter %s %s%s%s%s", field, what,
                         nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static int check_known(const struct request *req, struct str name, struct err_info *reterr)
{
    const char *const *known = req->route->params;
    size_t n = 0;

    for (; known[n]; n++)
        if (str_is(name, known[n]))
            return 0;
    return complain(name, "is not known here", str_nearest(name, known, n), reterr);
}

int query_check(const struct request *req, struct err_info *reterr)
{
    for (size_t i = 0; i < req->uri.n_params; i++) {
        struct str name = req->uri.params[i].name;
        int rc = check_known(req, name, reterr);
        if (rc < 0)
            return rc;
        for (size_t k = 0; k < i; k++)
            if (str_eq(req->uri.params[k].name, name) && !str_is(name, "tags"))
                return complain(name, "is given twice", NULL, reterr);
    }
    return 0;
}

struct str query_text(const struct request *req, const char *name)
{
    for (size_t i = 0; i < req->uri.n_params; i++)
        if (str_is(req->uri.params[i].name, name)) {
            struct str value = req->uri.params[i].value;
            return value.ptr ? value : STR_LIT("");
        }
    return str_make(NULL, 0);
}

int query_required_text(const struct request *req, const char *name, struct str *ret_text,
                        struct err_info *reterr)
{
    struct str text = query_text(req, name);
    if (text.len == 0)
        return err_set_field(reterr, ERR_INVALID, name, "the parameter %s is required", name);
    *ret_text = text;
    return 0;
}

int query_int(const struct request *req, const char *name, int64_t min, int64_t max, int64_t fallback,
              int64_t *ret_value, struct err_info *reterr)
{
    struct str text = query_text(req, name);
    int64_t value = fallback;

    if (text.ptr && (str_to_int(text, &value) < 0 || value < min || value > max))
        return err_set_field(reterr, ERR_INVALID, name, "%s must be a whole number from %lld to %lld", name,
                             (long long)min, (long long)max);
    *ret_value = value;
    return 0;
}

int query_real(const struct request *req, const char *name, double fallback, double *ret_value,
               struct err_info *reterr)
{
    struct str text = query_text(req, name);
    double value = fallback;

    if (text.ptr && str_to_real(text, &value) < 0)
        return err_set_field(reterr, ERR_INVALID, name, "%s must be a number", name);
    *ret_value = value;
    return 0;
}

int query_bool(const struct request *req, const char *name, bool *ret_value, struct err_info *reterr)
{
    struct str text = query_text(req, name);

    if (text.ptr && !str_is(text, "true") && !str_is(text, "false"))
        return err_set_field(reterr, ERR_INVALID, name, "%s must be true or false", name);
    *ret_value = str_is(text, "true");
    return 0;
}

int query_time(const struct request *req, const char *name, int64_t fallback_us, int64_t *ret_us,
               struct err_info *reterr)
{
    struct str text = query_text(req, name);

    if (!text.ptr)
        *ret_us = fallback_us;
    else if (civil_parse(text, ret_us, NULL) < 0)
        return err_set_field(reterr, ERR_INVALID, name, "%s must be a time such as 2026-11-21T09:30:00Z",
                             name);
    return 0;
}

int query_scope(struct request *req, struct scope *ret_scope, struct err_info *reterr)
{
    return request_scope(req, query_text(req, "user_id"), ret_scope, reterr);
}

int query_texts(struct request *req, const char *name, const struct str **ret_texts, size_t *ret_n,
                struct err_info *reterr)
{
    struct str *texts = NULL;
    size_t n = 0, cap = 0;

    for (size_t i = 0; i < req->uri.n_params; i++) {
        if (!str_is(req->uri.params[i].name, name))
            continue;
        struct str rest = req->uri.params[i].value;
        struct str part;
        while (str_next_part(&rest, ',', &part)) {
            if (part.len == 0)
                continue;
            texts = arena_grow(&req->arena, texts, n, &cap, sizeof *texts);
            if (!texts)
                return err_set(reterr, arena_error(&req->arena), "the request's memory is used up");
            texts[n++] = part;
        }
    }
    *ret_texts = texts;
    *ret_n = n;
    return 0;
}

int request_scope(struct request *req, struct str user, struct scope *ret_scope, struct err_info *reterr)
{
    if (user.len > MEMORY_MAX_USER_BYTES)
        return err_set_field(reterr, ERR_INVALID, "user_id", "user_id is longer than %d bytes",
                             MEMORY_MAX_USER_BYTES);
    if (user.len && memchr(user.ptr, '\0', user.len))
        return err_set_field(reterr, ERR_INVALID, "user_id", "user_id holds U+0000");
    ret_scope->tenant = req->caller.tenant;
    ret_scope->user = user.len ? user : STR_LIT("default");
    return 0;
}
