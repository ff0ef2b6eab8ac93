/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the JSON of an HTTP server, any as a pointer into it and as a path: rows within the limit, or
 * a sentence. The pointer is what stands before the first line end.
 */
#include "source/http_priv.h"

#include "core/reach.h"
#include "net/http_url.h"
#include "source/ask_priv.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_ROWS 20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_make((const char *)data, size), pointer;
    struct err_info err = {0};
    struct json *root = NULL;
    if (!str_next_part(&rest, '\n', &pointer))
        return 0;
    int res = http_url_check_path(pointer, &err);
    assert(res == 0 || (res == err.code && err.message[0]));
    if (!json_pointer_is_valid(pointer) || json_parse(rest, ASK_MAX_DEPTH, &root, NULL) < 0)
        return 0;
    struct source_result *result = source_result_new();
    res = http_read_rows(root, pointer, MAX_ROWS, result, &err);
    assert(res >= 0 || (res == err.code && err.message[0]));
    assert(result->n_rows <= MAX_ROWS);
    for (size_t i = 0; i < result->n_rows; i++)
        assert(result->rows[i].values);
    source_result_free(result);
    json_free(root);
    return 0;
}
