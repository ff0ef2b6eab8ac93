/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading of libpq.
 */
#include "net/pg_priv.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libpq.so.5" /* its interface since 2006; pipelines came with PostgreSQL 14 */

static const struct {
    const char *name;
    size_t offset;
} functions[] = {
#define ROW(name) {"PQ" #name, offsetof(struct pg_lib, name)},
    PG_FUNCTIONS(ROW)
#undef ROW
};

int pg_lib_load(struct pg_lib *ret_lib, struct err_info *reterr)
{
    struct pg_lib lib;
    /* Never closed: libraries that it brings along do not all survive that. */
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return err_set(reterr, ERR_UNSUPPORTED, "libpq cannot be loaded (Debian's package is libpq5): %s",
                       dlerror());
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *function = dlsym(library, functions[i].name);
        if (!function)
            return err_set(reterr, ERR_UNSUPPORTED, LIBRARY " has no %s: libpq 14 or later is wanted",
                           functions[i].name);
        memcpy((char *)&lib + functions[i].offset, &function, sizeof function); /* as POSIX has it */
    }
    *ret_lib = lib;
    return 0;
}
