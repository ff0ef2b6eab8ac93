/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as JSON: what is read, printed and read again prints the same; what is refused has a place. Any
 * bytes as a text to write: they come out as JSON that can be read.
 */
#include "core/json.h"

#include "core/utf8.h"

#include <assert.h>

#define MAX_DEPTH 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_and_print(struct str text, struct buf *out)
{
    struct json *root;
    struct err_info err = {0};
    int result = json_parse(text, MAX_DEPTH, &root, &err);
    if (result) {
        assert(err.code == result && err.message[0] && err.field[0] && utf8_is_valid(str_of(err.message)));
        return;
    }
    json_print(root, out);
    assert(!buf_error(out) && utf8_is_valid(buf_str(out)));
    json_free(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct buf once, twice;
    struct json_writer writer;
    buf_init(&once, SIZE_MAX / 2);
    buf_init(&twice, SIZE_MAX / 2);
    read_and_print(text, &once);
    if (once.len) {
        read_and_print(buf_str(&once), &twice);
        assert(str_eq(buf_str(&once), buf_str(&twice)));
    }
    buf_clear(&once);
    buf_clear(&twice);
    json_writer_init(&writer, &once);
    json_open_array(&writer);
    json_put_text(&writer, text);
    json_close_array(&writer);
    if (!size || !memchr(data, 0, size)) {
        read_and_print(buf_str(&once), &twice);
        assert(str_eq(buf_str(&once), buf_str(&twice)));
    }
    buf_done(&once);
    buf_done(&twice);
    return 0;
}
