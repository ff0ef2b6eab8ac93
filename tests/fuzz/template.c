/* SPDX-License-Identifier: Apache-2.0
 *
 * A template and a value for all of its names, with a zero byte between them: it is refused, or it renders
 * within the limit of its buffer; so does the same text as a statement.
 */
#include "recipe/recipe_priv.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_OUT_BYTES (256 * 1024)

static const struct value *lookup(void *owner, const struct recipe_ref *ref, struct arena *scratch)
{
    (void)ref;
    (void)scratch;
    return owner;
}

static void guard(struct buf *buf, struct str text, bool is_line_start)
{
    buf_append_text(buf, is_line_start ? "> " : "");
    buf_append_str(buf, text);
}

static void on_complaint(void *owner, size_t offset, struct str message)
{
    assert(message.len > 0);
    (void)offset;
    ++*(size_t *)owner;
}

static void try_template(const struct names *names, struct str text, struct value value)
{
    struct template_scope scope = {.lookup = lookup, .owner = &value, .guard = guard};
    const struct template *template;
    struct arena arena;
    struct buf buf;
    size_t n_complaints = 0;
    struct complaints complaints = {on_complaint, &n_complaints};
    int r;

    arena_init(&arena, 8 * 1024 * 1024);
    buf_init(&buf, MAX_OUT_BYTES);
    r = template_compile(text, names, &arena, &complaints, &template);
    if (r == 0)
        template_render(template, &scope, &arena, &buf);
    assert((r == 0 && n_complaints == 0) || (r == ERR_INVALID && n_complaints > 0) || r == ERR_LIMIT);
    assert(buf.len <= MAX_OUT_BYTES);
    buf_done(&buf);
    arena_done(&arena);
}

static void try_query(const struct names *names, struct str text)
{
    struct recipe_ref *binds;
    struct arena arena;
    struct str sql;
    size_t n_binds;
    size_t n_complaints = 0;
    struct complaints complaints = {on_complaint, &n_complaints};
    int r;

    arena_init(&arena, 8 * 1024 * 1024);
    r = query_compile(text, names, &arena, &complaints, &sql, &binds, &n_binds);
    assert((r == 0 && n_complaints == 0 && n_binds <= RECIPE_MAX_BINDS) ||
           (r == ERR_INVALID && n_complaints > 0) || r == ERR_LIMIT);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct recipe_param param = {.name = STR_LIT("p")};
    struct recipe_step user = {.name = STR_LIT("user")};
    struct recipe recipe = {.params = &param, .n_params = 1, .resolves = &user, .n_resolves = 1};
    struct names names = {.recipe = &recipe, .self = SIZE_MAX, .mode = NAMES_ROW};
    struct str rest = str_make((const char *)data, size);
    struct str text = {NULL, 0};

    if (size > 4096)
        return 0;
    (void)str_next_part(&rest, '\0', &text);
    try_template(&names, text, value_text(rest));
    names.mode = NAMES_REQUEST;
    try_template(&names, text, value_json(rest));
    try_query(&names, text);
    return 0;
}
