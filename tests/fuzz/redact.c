/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a text, and as a document: where nothing is found nothing changes, the answer is no longer
 * than what stands for a secret allows, and a document stays one.
 */
#include "text/redact.h"
#include "core/json.h"

#include <assert.h>

#define MAX_BYTES ((size_t)64 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_document(struct str text)
{
    struct json *before = NULL, *after = NULL;
    struct buf out;

    if (json_parse(text, 64, &before, NULL) < 0)
        return;
    buf_init(&out, MAX_BYTES);
    text_redact_json(&out, text);
    assert(buf_error(&out) == 0);
    assert(json_parse(buf_str(&out), 64, &after, NULL) == 0);
    assert(json_kind_of(before) == json_kind_of(after) || json_count(before) == 0);
    assert(json_count(before) == json_count(after));
    json_free(before);
    json_free(after);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct buf out;

    buf_init(&out, MAX_BYTES);
    size_t n = text_redact(&out, text);
    assert(buf_error(&out) == 0);
    assert(n > 0 || str_eq(buf_str(&out), text));
    assert(out.len <= size + n * sizeof "\\\"[redacted:authorization]\\\"");
    assert(n <= size / 3); /* a name, a mark and a value */
    buf_done(&out);
    check_document(text);
    return 0;
}
