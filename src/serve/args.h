/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading what a request brings, from its query and from its body, with the field named in every complaint.
 * An absent value and JSON null are the same: not given.
 */
#ifndef PRECIS_SERVE_ARGS_H
#define PRECIS_SERVE_ARGS_H

#include "core/json.h"
#include "serve/serve_priv.h"

/* ---- query parameters ---- */

/* Every parameter is known to the route and, but for tags, given once. */
int query_check(const struct request *req, struct err_info *reterr);
/* {NULL, 0} when not given. */
struct str query_text(const struct request *req, const char *name);
int query_required_text(const struct request *req, const char *name, struct str *ret_text,
                        struct err_info *reterr);
int query_int(const struct request *req, const char *name, int64_t min, int64_t max, int64_t fallback,
              int64_t *ret_value, struct err_info *reterr);
int query_real(const struct request *req, const char *name, double fallback, double *ret_value,
               struct err_info *reterr);
int query_bool(const struct request *req, const char *name, bool *ret_value, struct err_info *reterr);
int query_time(const struct request *req, const char *name, int64_t fallback_us, int64_t *ret_us,
               struct err_info *reterr);
/* The scope of parameter user_id. */
int query_scope(struct request *req, struct scope *ret_scope, struct err_info *reterr);
/* All values of a repeated parameter, each split at commas. */
int query_texts(struct request *req, const char *name, const struct str **ret_texts, size_t *ret_n,
                struct err_info *reterr);

/* ---- JSON bodies ---- */

/* Parses the body into req->json, once. A body that is no JSON is answered with 400 at once: then 1 is
 * returned and the reply stands. */
int body_parse(struct request *req, struct err_info *reterr);

/* An object of the body, and what stands before its members' names in messages: "" or "items[3].". */
struct args {
    const struct json *object;
    char prefix[32];
    struct arena *arena;
};

/* The whole body as an object with the route's members; as body_parse. */
int args_from_body(struct request *req, struct args *ret_args, struct err_info *reterr);
/* The same, and whose data its member user_id names; as body_parse. */
int args_with_scope(struct request *req, struct args *ret_args, struct scope *ret_scope,
                    struct err_info *reterr);
int args_check_names(const struct args *args, const char *const *known, struct err_info *reterr);
bool args_has(const struct args *args, const char *name);
int args_text(const struct args *args, const char *name, struct str *ret_text, struct err_info *reterr);
int args_required_text(const struct args *args, const char *name, struct str *ret_text,
                       struct err_info *reterr);
/* Text, or a whole number as its digits: user ids are numbers in some people's tables. */
int args_user(const struct args *args, struct str *ret_user, struct err_info *reterr);
int args_real(const struct args *args, const char *name, double fallback, double *ret_value,
              struct err_info *reterr);
int args_bool(const struct args *args, const char *name, bool *ret_value, struct err_info *reterr);
int args_time(const struct args *args, const char *name, int64_t fallback_us, int64_t *ret_us,
              struct err_info *reterr);
int args_texts(const struct args *args, const char *name, struct str **ret_texts, size_t *ret_n,
               struct err_info *reterr);
/* An object, printed; "" when not given. */
int args_object(const struct args *args, const char *name, struct str *ret_json, struct err_info *reterr);
/* Any value, printed; ERR_INVALID when absent. null is a value here. */
int args_json(const struct args *args, const char *name, struct str *ret_json, struct err_info *reterr);

/* ---- writing ---- */

/* null for "". */
void json_put_member_text_or_null(struct json_writer *writer, const char *name, struct str text);
/* ISO 8601 with Z; null for 0. */
void json_put_member_time(struct json_writer *writer, const char *name, int64_t time_us);
/* JSON text as it stands; `fallback` for "". */
void json_put_member_raw(struct json_writer *writer, const char *name, struct str json, const char *fallback);

#endif
