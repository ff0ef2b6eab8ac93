/* SPDX-License-Identifier: Apache-2.0
 *
 * libcurl, loaded when the first client is made and not before: it brings some thirty libraries along, which
 * cost every start of the program 3 ms and 3 MB, and most programs never call another server.
 */
#ifndef PRECIS_NET_HTTP_CURL_PRIV_H
#define PRECIS_NET_HTTP_CURL_PRIV_H

#include "core/err.h"

#include <curl/curl.h>

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

#endif
