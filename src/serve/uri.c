/* SPDX-License-Identifier: Apache-2.0
 *
 * The target of a request. The library's own decoding is lenient (a bad escape passes as it stands) and
 * decodes before it splits, so the raw target is taken apart here instead. Runs on front threads; allocates
 * only for escapes.
 */
#include "serve/uri.h"

#include "core/utf8.h"

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

static bool needs_decoding(struct str raw, bool is_query)
{
    for (size_t i = 0; i < raw.len; i++)
        if (raw.ptr[i] == '%' || (is_query && raw.ptr[i] == '+'))
            return true;
    return false;
}

/* One character of raw at *pos, or -1 for a malformed escape. */
static int decode_byte(struct str raw, bool is_query, size_t *pos)
{
    char byte = raw.ptr[(*pos)++];
    if (is_query && byte == '+')
        return ' ';
    if (byte != '%')
        return (unsigned char)byte;
    if (raw.len - *pos < 2)
        return -1;
    int high = hex_value(raw.ptr[*pos]);
    int low = hex_value(raw.ptr[*pos + 1]);
    if (high < 0 || low < 0)
        return -1;
    *pos += 2;
    return high * 16 + low;
}

int uri_decode(struct str raw, bool is_query, struct arena *arena, struct str *ret_text,
               struct err_info *reterr)
{
    struct str text = raw;

    if (needs_decoding(raw, is_query)) {
        char *room = arena_alloc(arena, raw.len);
        if (!room)
            return err_set(reterr, arena_error(arena), "the request's memory is used up");
        size_t len = 0;
        for (size_t pos = 0; pos < raw.len;) {
            int byte = decode_byte(raw, is_query, &pos);
            if (byte < 0)
                return err_set(reterr, ERR_INVALID, "the URL holds a malformed percent escape");
            room[len++] = (char)byte;
        }
        text = str_make(room, len);
    }
    if (text.len && memchr(text.ptr, '\0', text.len))
        return err_set(reterr, ERR_INVALID, "the URL holds U+0000");
    if (!utf8_is_valid(text))
        return err_set(reterr, ERR_INVALID, "the URL is not UTF-8");
    *ret_text = text;
    return 0;
}

static int parse_path(struct str path, struct arena *arena, struct uri *uri, struct err_info *reterr)
{
    struct str rest = str_slice(path, 1, SIZE_MAX);
    struct str part;

    uri->n_segments = 0;
    while (str_next_part(&rest, '/', &part)) {
        if (uri->n_segments == URI_MAX_SEGMENTS)
            return 0;
        int rc = uri_decode(part, false, arena, &uri->segments[uri->n_segments], reterr);
        if (rc < 0)
            return rc;
        uri->n_segments++;
    }
    return 0;
}

static int parse_query(struct str query, struct arena *arena, struct uri *uri, struct err_info *reterr)
{
    struct str pair;

    while (str_next_part(&query, '&', &pair)) {
        if (pair.len == 0)
            continue;
        if (uri->n_params == URI_MAX_PARAMS)
            return err_set(reterr, ERR_LIMIT, "the URL has more than %d parameters", URI_MAX_PARAMS);
        ptrdiff_t equals = str_find(pair, STR_LIT("="));
        size_t name_len = equals < 0 ? pair.len : (size_t)equals;
        struct uri_param *param = &uri->params[uri->n_params];
        int rc = uri_decode(str_slice(pair, 0, name_len), true, arena, &param->name, reterr);
        if (rc < 0)
            return rc;
        rc = uri_decode(str_slice(pair, name_len + 1, SIZE_MAX), true, arena, &param->value, reterr);
        if (rc < 0)
            return rc;
        uri->n_params++;
    }
    return 0;
}

/* "http://host:port/path" becomes "/path" (RFC 9112, 3.2.2: servers take the absolute form too). */
static struct str split_authority(struct str target, struct str *ret_authority)
{
    struct str scheme = STR_LIT("http://");

    *ret_authority = str_make(NULL, 0);
    if (target.len <= scheme.len || !str_eq_nocase(str_slice(target, 0, scheme.len), scheme))
        return target;
    struct str rest = str_slice(target, scheme.len, SIZE_MAX);
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?')
        len++;
    *ret_authority = str_slice(rest, 0, len);
    rest = str_slice(rest, len, SIZE_MAX);
    return rest.len ? rest : STR_LIT("/");
}

static bool has_space_or_control(struct str target)
{
    for (size_t i = 0; i < target.len; i++)
        if ((unsigned char)target.ptr[i] <= ' ' || target.ptr[i] == 0x7f)
            return true;
    return false;
}

int uri_parse(struct str target, struct arena *arena, struct uri *ret_uri, struct err_info *reterr)
{
    ret_uri->n_segments = 0;
    ret_uri->n_params = 0;
    target = split_authority(target, &ret_uri->authority);
    if (has_space_or_control(target))
        return err_set(reterr, ERR_INVALID, "the URL holds a space or a control character");
    if (target.len == 0 || target.ptr[0] != '/')
        return err_set(reterr, ERR_INVALID, "the request's target is not a path");
    ptrdiff_t question = str_find(target, STR_LIT("?"));
    size_t path_len = question < 0 ? target.len : (size_t)question;
    int rc = parse_path(str_slice(target, 0, path_len), arena, ret_uri, reterr);
    if (rc < 0)
        return rc;
    return parse_query(str_slice(target, path_len + 1, SIZE_MAX), arena, ret_uri, reterr);
}
