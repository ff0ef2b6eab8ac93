/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the text of a PostgreSQL array, which becomes a JSON array or is refused; and as a statement
 * whose placeholders are renamed.
 */
#include "source/postgres_priv.h"

#include "core/json.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_text(void *owner, struct str text, struct buf *buf)
{
    struct json_writer writer;
    (void)owner;
    json_writer_init(&writer, buf);
    json_put_text(&writer, text);
}

static void check_array(struct str text, char delimiter)
{
    struct json *root = NULL;
    struct err_info err;
    struct buf buf;
    buf_init(&buf, 1 << 20);
    if (postgres_array_print(text, delimiter, put_text, NULL, &buf) == 0) {
        int res = json_parse(buf_str(&buf), 16, &root, &err);
        /* What JSON itself cannot hold is a NUL character, which no PostgreSQL text has. */
        assert(res == 0 || memchr(text.ptr, '\0', text.len));
        assert(res < 0 || json_kind_of(root) == JSON_KIND_ARRAY);
    }
    json_free(root);
    buf_done(&buf);
}

static void check_statement(struct str sql)
{
    struct arena arena;
    struct str text;
    size_t n;
    arena_init(&arena, 1 << 20);
    if (postgres_translate(sql, 9, &arena, &text, &n, NULL) == 0) {
        assert(n <= 9);
        assert(text.len <= 2 * sql.len + 16);
    }
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = {size ? (const char *)data : "", size};
    check_array(bytes, ',');
    check_array(bytes, ';');
    check_statement(bytes);
    return 0;
}
