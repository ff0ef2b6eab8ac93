/* SPDX-License-Identifier: Apache-2.0
 *
 * Replies and the one shape of errors. Whoever owns the request calls these; nothing here is shared. When
 * there is no memory even for the error, the body stays empty and http.c sends a static one.
 */
#include "serve/reply.h"

#include "core/log.h"
#include "serve/serve_priv.h"

#include <assert.h>
#include <stdio.h>

#define KEEP_BYTES ((size_t)16 * 1024)

void reply_init(struct reply *reply)
{
    memset(reply, 0, sizeof *reply);
    buf_init(&reply->body, REPLY_MAX_BYTES);
}

void reply_reset(struct reply *reply)
{
    if (reply->body.cap > KEEP_BYTES) {
        buf_done(&reply->body);
        buf_init(&reply->body, REPLY_MAX_BYTES);
    } else {
        buf_clear(&reply->body);
    }
    if (reply->release)
        reply->release(reply->owner);
    reply->release = NULL;
    reply->borrowed = str_make(NULL, 0);
    reply->n_headers = 0;
}

void reply_done(struct reply *reply)
{
    reply_reset(reply);
    buf_done(&reply->body);
}

void reply_start_json(struct request *req, unsigned status, struct json_writer *ret_writer)
{
    req->reply.status = status;
    req->reply.content_type = TYPE_JSON;
    json_writer_init(ret_writer, &req->reply.body);
}

void reply_start_list(struct request *req, const char *name, struct json_writer *ret_writer)
{
    reply_start_json(req, 200, ret_writer);
    json_open_object(ret_writer);
    json_put_name(ret_writer, name);
    json_open_array(ret_writer);
}

void reply_deleted(struct request *req, const char *name, struct str id)
{
    struct json_writer writer;

    reply_start_json(req, 200, &writer);
    json_open_object(&writer);
    json_put_member_text(&writer, name, id);
    json_put_member_bool(&writer, "deleted", true);
    json_close_object(&writer);
}

void reply_borrow(struct request *req, unsigned status, const char *content_type, struct str text,
                  void (*release)(void *owner), void *owner)
{
    req->reply.status = status;
    req->reply.content_type = content_type;
    req->reply.borrowed = text.ptr ? text : STR_LIT("");
    req->reply.release = release;
    req->reply.owner = owner;
}

void reply_add_header(struct reply *reply, const char *name, const char *format, ...)
{
    va_list args;

    assert(reply->n_headers < REPLY_MAX_HEADERS);
    struct reply_header *header = &reply->headers[reply->n_headers++];
    header->name = name;
    va_start(args, format);
    (void)vsnprintf(header->value, sizeof header->value, format, args);
    va_end(args);
}

static void write_error(struct request *req, unsigned status, const char *code, const char *field,
                        const char *message)
{
    struct json_writer writer;

    reply_reset(&req->reply);
    reply_start_json(req, status, &writer);
    json_open_object(&writer);
    json_put_name(&writer, "error");
    json_open_object(&writer);
    json_put_member_text(&writer, "code", str_of(code));
    json_put_member_text(&writer, "message", str_of(message));
    json_put_name(&writer, "field");
    if (field && *field)
        json_put_text(&writer, str_of(field));
    else
        json_put_null(&writer);
    json_put_member_text(&writer, "request_id", str_of(req->id));
    json_close_object(&writer);
    json_close_object(&writer);
    buf_append_byte(&req->reply.body, '\n');
}

void reply_error(struct request *req, unsigned status, const char *code, const char *field,
                 const char *format, ...)
{
    char message[ERR_MESSAGE_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    write_error(req, status, code, field, message);
}

static unsigned status_of(int rc)
{
    static const unsigned statuses[] = {
        [-ERR_NOMEM] = 503,     [-ERR_LIMIT] = 422,       [-ERR_INVALID] = 422,   [-ERR_NOT_FOUND] = 404,
        [-ERR_CONFLICT] = 409,  [-ERR_TIMEOUT] = 504,     [-ERR_CANCELLED] = 503, [-ERR_UNAVAILABLE] = 503,
        [-ERR_REMOTE] = 502,    [-ERR_IO] = 507,          [-ERR_CORRUPT] = 500,   [-ERR_DENIED] = 401,
        [-ERR_FORBIDDEN] = 403, [-ERR_UNSUPPORTED] = 422, [-ERR_INTERNAL] = 500,
    };
    size_t idx = (size_t)-rc;
    return idx < sizeof statuses / sizeof *statuses && statuses[idx] ? statuses[idx] : 500;
}

static void log_failure(const struct request *req, unsigned status, int rc, const struct err_info *err)
{
    const char *path = req->route ? req->route->path : "";
    uint64_t n = 1;

    /* A source that a recipe cannot do without may fail every request. A defect is told each time: its reply
     * refers to the log. */
    if (status != 500 &&
        !metrics_is_news(req->server->metrics, str_of(path), ERR_INTERNAL, str_of(err->message), &n))
        return;
    log_event(LOG_ERROR, "request failed", LOG_CSTR("request_id", req->id), LOG_CSTR("route", path),
              LOG_INT("status", status), LOG_CSTR("code", err_name(rc)), LOG_CSTR("message", err->message),
              LOG_INT("times", (int64_t)n), LOG_END);
}

void reply_failure(struct request *req, int rc, const struct err_info *err)
{
    unsigned status = status_of(rc);
    const char *message = err->message[0] ? err->message : "the request failed";

    if (status >= 500)
        log_failure(req, status, rc, err);
    if (status == 500)
        message = "something went wrong in the server; its log says what, under this request id";
    write_error(req, status, err_name(rc), err->field, message);
    if (status == 503)
        reply_add_header(&req->reply, "Retry-After", "1");
    if (status == 401)
        reply_add_header(&req->reply, "WWW-Authenticate", "Bearer realm=\"precis\"");
}
