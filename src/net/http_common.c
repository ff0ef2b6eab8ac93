/* SPDX-License-Identifier: Apache-2.0
 *
 * What blocking and polled calls of HTTP servers hold to alike: the options that keep a transfer safe, the
 * form of URLs and keys, and the sentences for what goes wrong. No sentence holds a key or a path.
 */
#include "net/http_curl_priv.h"

#include "core/buf.h"
#include "core/mem.h"

#include <errno.h>

#define MAX_PLACE_BYTES 512
#define MAX_KEY_BYTES   (64 * 1024)

int http_out_of_memory(struct err_info *reterr)
{
    return err_set(reterr, ERR_NOMEM, "out of memory");
}

static int invalid_url(struct err_info *reterr, const char *why)
{
    return err_set_field(reterr, ERR_INVALID, "url", "the URL %s", why);
}

int http_read_place(const struct http_curl *curl, const char *url, char **ret_place, struct err_info *reterr)
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    CURLU *parts = curl->url();
    struct buf place;
    int err = 0;
    if (!parts)
        return http_out_of_memory(reterr);
    buf_init(&place, MAX_PLACE_BYTES);
    CURLUcode bad = curl->url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER);
    if (bad == CURLUE_USER_NOT_ALLOWED)
        err = invalid_url(reterr, "must not hold a name or password");
    else if (bad == CURLUE_OUT_OF_MEMORY)
        err = http_out_of_memory(reterr);
    else if (bad || curl->url_get(parts, CURLUPART_SCHEME, &scheme, 0) ||
             (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) ||
             curl->url_get(parts, CURLUPART_HOST, &host, 0) ||
             curl->url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT))
        err = invalid_url(reterr, "must be like http://host:port/path or https://host/path");
    if (err)
        goto done;
    buf_printf(&place, "%s:%s", host, port);
    if (buf_error(&place))
        err = invalid_url(reterr, "has a host that is too long");
    else if (!(*ret_place = mem_strdup(place.data)))
        err = http_out_of_memory(reterr);
done:
    buf_done(&place);
    curl->free(scheme);
    curl->free(host);
    curl->free(port);
    curl->url_cleanup(parts);
    return err;
}

int http_add_header(const struct http_curl *curl, struct curl_slist **headers, const char *header,
                    struct err_info *reterr)
{
    struct curl_slist *longer = curl->slist_append(*headers, header);
    if (!longer)
        return http_out_of_memory(reterr);
    *headers = longer;
    return 0;
}

/* A line break in a key would be a header of its own. */
int http_add_key(const struct http_curl *curl, struct curl_slist **headers, const char *prefix,
                 const char *key, struct err_info *reterr)
{
    struct buf header;
    for (const char *c = key; *c; c++)
        if (*c <= ' ' || *c > '~')
            return err_set_field(reterr, ERR_INVALID, "key",
                                 "a key is made of visible ASCII characters without spaces");
    buf_init(&header, MAX_KEY_BYTES);
    buf_printf(&header, "%s %s", prefix, key);
    int err = buf_error(&header) ? err_set_field(reterr, ERR_INVALID, "key", "the key is too long")
                                 : http_add_header(curl, headers, header.data, reterr);
    buf_done(&header);
    return err;
}

bool http_set_common(const struct http_curl *curl, CURL *easy)
{
    static const struct {
        CURLoption option;
        long value;
    } numbers[] = {
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_NETRC, CURL_NETRC_IGNORED},
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_SSL_VERIFYPEER, 1},
        {CURLOPT_SSL_VERIFYHOST, 2},
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
        /* A slow name server must not hold a call beyond its deadline: the look-up is left behind. */
        {CURLOPT_QUICK_EXIT, 1},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (curl->easy_setopt(easy, numbers[i].option, numbers[i].value))
            return false;
    return !curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
           !curl->easy_setopt(easy, CURLOPT_PROXY, "") && /* nor one of the environment */
           !curl->easy_setopt(easy, CURLOPT_USERAGENT, "precis/" PRECIS_VERSION);
}

static int could_not_connect(const struct http_curl *curl, const char *place, CURL *easy,
                             struct err_info *reterr)
{
    long os_error = 0;
    (void)curl->easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error); /* 0 then */
    if (os_error == ECONNREFUSED)
        return err_set(reterr, ERR_UNAVAILABLE, "connection refused by %s", place);
    return err_set(reterr, ERR_UNAVAILABLE, "no connection to %s%s%s", place, os_error ? ": " : "",
                   os_error ? strerror((int)os_error) : "");
}

int http_explain(const struct http_curl *curl, const char *place, CURL *easy, CURLcode result,
                 struct err_info *reterr)
{
    switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return err_set(reterr, ERR_UNAVAILABLE, "the host of %s is not known", place);
    case CURLE_COULDNT_CONNECT:
        return could_not_connect(curl, place, easy, reterr);
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(reterr, ERR_UNAVAILABLE, "no connection to %s in time", place);
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
        return err_set(reterr, ERR_UNAVAILABLE, "%s closed the connection before its answer was whole",
                       place);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
        return err_set(reterr, ERR_UNAVAILABLE, "no secure connection to %s: %s", place,
                       curl->easy_strerror(result));
    case CURLE_SSL_CACERT_BADFILE:
        return err_set(reterr, ERR_UNAVAILABLE, "no secure connection to %s: the file of `ca` cannot be used",
                       place);
    case CURLE_BAD_CONTENT_ENCODING:
        return err_set(reterr, ERR_REMOTE, "%s sent an answer that cannot be unpacked", place);
    case CURLE_OUT_OF_MEMORY:
        return http_out_of_memory(reterr);
    default:
        return err_set(reterr, ERR_REMOTE, "%s: %s", place, curl->easy_strerror(result));
    }
}
