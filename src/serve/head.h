/* SPDX-License-Identifier: Apache-2.0
 *
 * The request headers that matter here, collected in one pass over what the library parsed, and the checks on
 * how the message is framed: whatever two parsers could read in two ways is refused.
 */
#ifndef PRECIS_SERVE_HEAD_H
#define PRECIS_SERVE_HEAD_H

#include "core/err.h"
#include "core/str.h"

/* Texts are borrowed from the connection and last as long as the request. */
struct head {
    struct str host, origin, authorization, accept, request_id, content_type;
    struct str content_length, transfer_encoding;
    int n_host, n_origin, n_authorization, n_content_length, n_transfer_encoding;
    bool has_bad_name; /* a header's name is no token: "Content-Length :" */
    bool is_http_1_1;
    /* after head_check: */
    bool has_body;
    bool is_chunked;
    uint64_t body_bytes; /* as announced; 0 when chunked */
};

/* Takes one header into account. */
void head_add(struct head *head, struct str name, struct str value);
/* ERR_INVALID (400) for an ambiguous or broken message. */
int head_check(struct head *head, struct err_info *reterr);
/* The client's request id if it is 1 to 64 of [A-Za-z0-9._-]. */
bool head_id_is_good(struct str id);

enum head_reply_form { REPLY_JSON, REPLY_PLAIN, REPLY_MARKDOWN };
/* What Accept asks for: the first form in it that we have; JSON if there is none. */
enum head_reply_form head_reply_form(const struct head *head);

#endif
