/* SPDX-License-Identifier: Apache-2.0
 *
 * Real servers for unit tests. A test program that needs some is named in `unit_servers` of
 * tests/meson.build; tests/backends/backends.sh then starts them for it and says where they are. All programs
 * of one run share them at the same time: a case uses tables, keys and collections of names of its own.
 */
#ifndef PRECIS_TESTS_UNIT_BACKEND_H
#define PRECIS_TESTS_UNIT_BACKEND_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* What is said of a server: backend_fact("POSTGRES", "URL"), ("POSTGRES", "TLS_URL"), ("REDIS", "URL"). Where
 * the server cannot be had the case ends as skipped, and says why. */
static inline const char *backend_fact(const char *server, const char *fact)
{
    char name[64];
    (void)snprintf(name, sizeof name, "TEST_%s_%s", server, fact);
    const char *value = getenv(name);
    if (value)
        return value;
    (void)snprintf(name, sizeof name, "TEST_%s_LACKING", server);
    const char *reason = getenv(name);
    print_message("lacking: %s: %s\n", server,
                  reason ? reason : "the test was not run by tests/backends/backends.sh");
    skip();
    return NULL;
}

/* The file with the authority that vouches for the servers' certificates, and another one, which does not.
 * Ask after backend_fact. */
static inline const char *backend_authority(bool is_right)
{
    const char *path = getenv(is_right ? "TEST_TLS_CA" : "TEST_TLS_OTHER_CA");
    assert_non_null(path);
    return path;
}

#endif
