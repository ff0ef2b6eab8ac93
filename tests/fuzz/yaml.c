/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as YAML: a tree whose places lie in the text, or an error that names its place.
 */
#include "core/yaml.h"

#include "core/utf8.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const struct yaml_node *node, int depth)
{
    size_t n = 1;
    int64_t integer;
    double real;
    bool boolean;
    assert(depth <= YAML_MAX_DEPTH && node->line >= 1 && node->column >= 1);
    if (node->kind == YAML_SCALAR) {
        assert(utf8_is_valid(node->text));
        (void)yaml_to_int(node, &integer); /* asked for their memory errors only */
        (void)yaml_to_real(node, &real);
        (void)yaml_to_bool(node, &boolean);
    }
    for (size_t i = 0; i < node->n; i++)
        n += walk(node->items[i], depth + 1);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct err_info err = {0};
    const struct yaml_node *root;
    arena_init(&arena, 64 * 1024 * 1024);
    int result = yaml_parse(str_make((const char *)data, size), "fuzz.yaml", &arena, &root, &err);
    if (result == 0)
        assert(walk(root, 0) <= YAML_MAX_NODES);
    else
        assert(err.code == result && err.message[0] && utf8_is_valid(str_of(err.message)));
    arena_done(&arena);
    return 0;
}
