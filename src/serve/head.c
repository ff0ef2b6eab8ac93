/* SPDX-License-Identifier: Apache-2.0
 *
 * Headers of a request. Framing follows RFC 9112, 6: a message with both lengths, two lengths or an encoding
 * other than chunked is refused, because a proxy in front may have read it differently. Runs on front
 * threads; allocates nothing.
 */
#include "serve/head.h"

#include <ctype.h>

struct known_header {
    const char *name;
    size_t value_at; /* offsets in struct head */
    size_t count_at; /* 0: repeats do not matter, the first stands */
};

#define KNOWN(name, field)                                                                                   \
    {                                                                                                        \
        name, offsetof(struct head, field), 0                                                                \
    }
#define COUNTED(name, field)                                                                                 \
    {                                                                                                        \
        name, offsetof(struct head, field), offsetof(struct head, n_##field)                                 \
    }

static const struct known_header known_headers[] = {
    COUNTED("Host", host),
    COUNTED("Origin", origin),
    COUNTED("Authorization", authorization),
    COUNTED("Content-Length", content_length),
    COUNTED("Transfer-Encoding", transfer_encoding),
    KNOWN("Accept", accept),
    KNOWN("X-Request-Id", request_id),
    KNOWN("Content-Type", content_type),
};

/* RFC 9110, 5.6.2. */
static bool is_token(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char byte = (unsigned char)name.ptr[i];
        if (byte <= ' ' || byte >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", byte))
            return false;
    }
    return name.len > 0;
}

void head_add(struct head *head, struct str name, struct str value)
{
    head->has_bad_name = head->has_bad_name || !is_token(name);
    for (size_t i = 0; i < sizeof known_headers / sizeof *known_headers; i++) {
        const struct known_header *known = &known_headers[i];
        if (!str_eq_nocase(name, str_of(known->name)))
            continue;
        struct str *slot = (struct str *)((char *)head + known->value_at);
        if (!slot->ptr)
            *slot = value.ptr ? value : STR_LIT("");
        if (known->count_at)
            ++*(int *)((char *)head + known->count_at);
        return;
    }
}

static int check_length(struct head *head, struct err_info *reterr)
{
    uint64_t length = 0;

    if (head->content_length.len == 0)
        return err_set(reterr, ERR_INVALID, "Content-Length is empty");
    for (size_t i = 0; i < head->content_length.len; i++) {
        char digit = head->content_length.ptr[i];
        if (digit < '0' || digit > '9')
            return err_set(reterr, ERR_INVALID, "Content-Length is not a number");
        if (__builtin_mul_overflow(length, (uint64_t)10, &length) ||
            __builtin_add_overflow(length, (uint64_t)(digit - '0'), &length))
            return err_set(reterr, ERR_INVALID, "Content-Length is too large");
    }
    head->body_bytes = length;
    head->has_body = length > 0;
    return 0;
}

static int check_coding(struct head *head, struct err_info *reterr)
{
    if (!head->is_http_1_1)
        return err_set(reterr, ERR_INVALID, "Transfer-Encoding needs HTTP/1.1");
    if (head->n_content_length)
        return err_set(reterr, ERR_INVALID, "a request has Content-Length or Transfer-Encoding, not both");
    if (head->n_transfer_encoding > 1 || !str_eq_nocase(head->transfer_encoding, STR_LIT("chunked")))
        return err_set(reterr, ERR_INVALID, "the only Transfer-Encoding known here is chunked");
    head->has_body = true;
    head->is_chunked = true;
    return 0;
}

int head_check(struct head *head, struct err_info *reterr)
{
    if (head->has_bad_name)
        return err_set(reterr, ERR_INVALID, "a header's name is malformed");
    if (head->n_host > 1)
        return err_set(reterr, ERR_INVALID, "the request has more than one Host");
    if (head->n_host == 0 && head->is_http_1_1)
        return err_set(reterr, ERR_INVALID, "the request has no Host");
    if (head->n_origin > 1)
        return err_set(reterr, ERR_INVALID, "the request has more than one Origin");
    if (head->n_authorization > 1)
        return err_set(reterr, ERR_INVALID, "the request has more than one Authorization");
    if (head->n_content_length > 1)
        return err_set(reterr, ERR_INVALID, "the request has more than one Content-Length");
    if (head->n_transfer_encoding)
        return check_coding(head, reterr);
    if (head->n_content_length)
        return check_length(head, reterr);
    return 0;
}

bool head_id_is_good(struct str id)
{
    if (id.len == 0 || id.len > 64)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        unsigned char byte = (unsigned char)id.ptr[i];
        if (byte >= 0x80 || (!isalnum(byte) && byte != '.' && byte != '_' && byte != '-'))
            return false;
    }
    return true;
}

enum head_reply_form head_reply_form(const struct head *head)
{
    struct str rest = head->accept;
    struct str range;

    while (str_next_part(&rest, ',', &range)) {
        ptrdiff_t semicolon = str_find(range, STR_LIT(";"));
        struct str type = str_trim(str_slice(range, 0, semicolon < 0 ? range.len : (size_t)semicolon));
        if (str_eq_nocase(type, STR_LIT("text/markdown")))
            return REPLY_MARKDOWN;
        if (str_eq_nocase(type, STR_LIT("text/plain")))
            return REPLY_PLAIN;
        if (str_eq_nocase(type, STR_LIT("application/json")) || str_eq_nocase(type, STR_LIT("*/*")))
            return REPLY_JSON;
    }
    return REPLY_JSON;
}
