/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading of libcurl.
 */
#include "net/http_curl_priv.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libcurl.so.4" /* its interface since 2006 */

static const struct {
    const char *name;
    size_t offset;
} functions[] = {
#define ROW(name) {"curl_" #name, offsetof(struct http_curl, name)},
    HTTP_CURL_FUNCTIONS(ROW)
#undef ROW
};

int http_curl_load(struct http_curl *ret_curl, struct err_info *reterr)
{
    struct http_curl curl;
    /* Never closed: libraries that it brings along do not all survive that. */
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return err_set(reterr, ERR_UNSUPPORTED, "libcurl cannot be loaded: %s", dlerror());
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *function = dlsym(library, functions[i].name);
        if (!function)
            return err_set(reterr, ERR_UNSUPPORTED, LIBRARY " has no %s", functions[i].name);
        memcpy((char *)&curl + functions[i].offset, &function, sizeof function); /* as POSIX has it */
    }
    *ret_curl = curl;
    return 0;
}
