/* SPDX-License-Identifier: Apache-2.0
 *
 * What a JSON node is, between its reader (json_parse.c) and its tree (json.c).
 */
#ifndef PRECIS_CORE_JSON_PRIV_H
#define PRECIS_CORE_JSON_PRIV_H

#include "core/arena.h"
#include "core/json.h"

struct json {
    enum json_kind kind;
    union {
        bool boolean;
        int64_t integer;
        struct {
            double value;
            struct str digits; /* as they stood, so that printing loses nothing */
        } real;
        struct str text;
        struct {
            struct json *items;
            struct str *names; /* objects only, beside items */
            size_t n;
        } list;
    };
};

/* The root and the memory of all below it; `root` stays first. */
struct json_document {
    struct json root;
    struct arena arena;
};

#endif
