/* SPDX-License-Identifier: Apache-2.0
 *
 * libcurl, loaded when the first client is made and not before: it brings some thirty libraries along, which
 * cost every start of the program 3 ms and 3 MB, and most programs never call another server.
 */
#ifndef PRECIS_NET_HTTP_CURL_PRIV_H
#define PRECIS_NET_HTTP_CURL_PRIV_H

#include "core/err.h"

#include <curl/curl.h>
#include <stdbool.h>

/* Each name is the function curl_NAME. */
#define HTTP_CURL_FUNCTIONS(X)                                                                               \
    X(easy_cleanup)                                                                                          \
    X(easy_getinfo)                                                                                          \
    X(easy_init)                                                                                             \
    X(easy_setopt)                                                                                           \
    X(easy_strerror)                                                                                         \
    X(free)                                                                                                  \
    X(global_cleanup)                                                                                        \
    X(global_init)                                                                                           \
    X(multi_add_handle)                                                                                      \
    X(multi_cleanup)                                                                                         \
    X(multi_info_read)                                                                                       \
    X(multi_init)                                                                                            \
    X(multi_perform)                                                                                         \
    X(multi_poll)                                                                                            \
    X(multi_remove_handle)                                                                                   \
    X(multi_setopt)                                                                                          \
    X(multi_socket_action)                                                                                   \
    X(multi_strerror)                                                                                        \
    X(slist_append)                                                                                          \
    X(slist_free_all)                                                                                        \
    X(url)                                                                                                   \
    X(url_cleanup)                                                                                           \
    X(url_get)                                                                                               \
    X(url_set)

struct http_curl {
#define MEMBER(name) __typeof__(&curl_##name) name;
    HTTP_CURL_FUNCTIONS(MEMBER)
#undef MEMBER
};

/* ERR_UNSUPPORTED when the library is not there. It stays loaded; a second call finds it so. */
int http_curl_load(struct http_curl *ret_curl, struct err_info *reterr);

/* ---- http_common.c: what all who call a server do alike ---- */

/* Sets what every transfer holds to: verified certificates, HTTP/1.1, no redirect, no proxy of the
 * environment, nothing from a .netrc, no other protocol. False when the library refuses. */
bool http_set_common(const struct http_curl *curl, CURL *easy);
/* "host:port" of a URL that can be used; the caller frees it. ERR_INVALID otherwise, with the field `url`. */
int http_read_place(const struct http_curl *curl, const char *url, char **ret_place, struct err_info *reterr);
/* Adds a line to a list of headers. */
int http_add_header(const struct http_curl *curl, struct curl_slist **headers, const char *header,
                    struct err_info *reterr);
/* Adds "NAME: PREFIX KEY". A key that could be more than one line is refused with the field `key`, unnamed.
 */
int http_add_key(const struct http_curl *curl, struct curl_slist **headers, const char *prefix,
                 const char *key, struct err_info *reterr);
/* The sentence for a transfer that failed, but for CURLE_WRITE_ERROR, whose cause only its writer knows. */
int http_explain(const struct http_curl *curl, const char *place, CURL *easy, CURLcode result,
                 struct err_info *reterr);
int http_out_of_memory(struct err_info *reterr);

#endif
