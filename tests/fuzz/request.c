/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the body of POST /v1/context: what is taken is within its limits, what is refused names the
 * field.
 */
#include "build/build.h"

#include "core/utf8.h"

#include <assert.h>

#define MAX_DEPTH 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(const struct build_request *request)
{
    assert(request->recipe.len > 0 && request->query.len <= BUILD_MAX_QUERY_BYTES);
    assert(request->max_tokens >= 0 && request->deadline_ms >= 0);
    assert(request->has_sections || request->n_sections == 0);
    assert((int)request->format <= FORMAT_MESSAGES && (int)request->cache <= CACHE_OFF);
    for (size_t i = 0; i < request->n_params; i++)
        assert(request->params[i].value.type != VALUE_TIME);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json *root;
    struct arena arena;
    struct build_request request;
    struct err_info err = {0};
    if (json_parse(str_make((const char *)data, size), MAX_DEPTH, &root, NULL) < 0)
        return 0;
    arena_init(&arena, 1 << 20);
    int rc = build_request_from_json(root, &arena, &request, &err);
    if (rc == 0)
        check_request(&request);
    else
        assert(rc < 0 && err.code == rc && err.message[0] && utf8_is_valid(str_of(err.message)) &&
               utf8_is_valid(str_of(err.field)));
    arena_done(&arena);
    json_free(root);
    return 0;
}
