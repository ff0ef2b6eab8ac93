/* SPDX-License-Identifier: Apache-2.0
 *
 * The body of POST /v1/context as a request. Only shapes are checked here; what a recipe knows (parameters,
 * sections, budgets) is resolve's. Nothing unknown is let through: a typo must not silently mean the default.
 */
#include "build/build.h"

#include "core/reach.h"
#include "core/utf8.h"

#include <stdio.h>

struct reader {
    struct arena *arena;
    struct build_request *request;
};

static int wrong_kind(const char *field, const struct json *value, const char *wanted,
                      struct err_info *reterr)
{
    return err_set_field(reterr, ERR_INVALID, field, "%s must be %s, not %s", field, wanted,
                         json_kind_name(json_kind_of(value)));
}

static int read_text(const char *field, const struct json *value, size_t max_bytes, struct str *ret_text,
                     struct err_info *reterr)
{
    if (json_kind_of(value) != JSON_KIND_TEXT)
        return wrong_kind(field, value, "text", reterr);
    struct str text = json_text_of(value);
    if (text.len > max_bytes)
        return err_set_field(reterr, ERR_LIMIT, field, "%s may have %zu bytes at most, not %zu", field,
                             max_bytes, text.len);
    *ret_text = text;
    return 0;
}

static int read_int(const char *field, const struct json *value, int64_t *ret_value, struct err_info *reterr)
{
    if (json_kind_of(value) != JSON_KIND_INT)
        return wrong_kind(field, value, "a whole number", reterr);
    /* 0 is the request's "not given": a caller who writes it gets the same answer as for any other bad
     * number. */
    if (json_int_of(value) <= 0)
        return err_set_field(reterr, ERR_INVALID, field, "%s must be positive", field);
    *ret_value = json_int_of(value);
    return 0;
}

/* Index of the text among the names. */
static int read_choice(const char *field, const struct json *value, const char *const *names, size_t n,
                       int *ret_idx, struct err_info *reterr)
{
    struct str text;
    int rc = read_text(field, value, 64, &text, reterr);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++)
        if (str_is(text, names[i])) {
            *ret_idx = (int)i;
            return 0;
        }
    return err_set_field(reterr, ERR_INVALID, field, "%s must be %s, %s or %s, not '%.*s'", field, names[0],
                         names[1], names[2], STR_ARG(utf8_prefix(text, 40)));
}

/* ---- one member each ---- */

static int on_recipe(struct reader *reader, const struct json *value, struct err_info *reterr)
{
    return read_text("recipe", value, 256, &reader->request->recipe, reterr);
}

static int on_params(struct reader *reader, const struct json *value, struct err_info *reterr)
{
    if (json_kind_of(value) != JSON_KIND_OBJECT)
        return wrong_kind("params", value, "an object", reterr);
    struct field *fields = arena_calloc(reader->arena, json_count(value) + 1, sizeof *fields);
    if (!fields)
        return err_set(reterr, arena_error(reader->arena), "out of memory");
    size_t n = 0, pos = 0;
    struct str name;
    const struct json *param;
    while (json_next_member(value, &pos, &name, &param)) {
        fields[n].name = name;
        fields[n].value = value_of_json(param, BUILD_MAX_PARAM_BYTES, reader->arena);
        if (arena_error(reader->arena)) {
            char field[ERR_FIELD_SIZE];
            (void)snprintf(field, sizeof field, "params.%.*s", STR_ARG(utf8_prefix(name, 64)));
            return err_set_field(reterr, arena_error(reader->arena), field, "%s is too large", field);
        }
        n++;
    }
    reader->request->params = fields;
    reader->request->n_params = n;
    return 0;
}

static int on_query(struct reader *reader, const struct json *value, struct err_info *reterr)
{
    return read_text("query", value, BUILD_MAX_QUERY_BYTES, &reader->request->query, reterr);
}

static int on_sections(struct reader *reader, const struct json *value, struct err_info *reterr)
{
    if (json_kind_of(value) != JSON_KIND_ARRAY)
        return wrong_kind("sections", value, "a list of names", reterr);
    size_t n = json_count(value);
    if (n > 4 * RECIPE_MAX_STEPS)
        return err_set_field(reterr, ERR_INVALID, "sections", "sections names more than any recipe has");
    struct str *names = arena_calloc(reader->arena, n + 1, sizeof *names);
    if (!names)
        return err_set(reterr, arena_error(reader->arena), "out of memory");
    for (size_t i = 0; i < n; i++) {
        char field[32];
        (void)snprintf(field, sizeof field, "sections[%zu]", i);
        int rc = read_text(field, json_at(value, i), 256, &names[i], reterr);
        if (rc < 0)
            return rc;
    }
    reader->request->sections = names;
    reader->request->n_sections = n;
    reader->request->has_sections = true;
    return 0;
}

static int on_max_tokens(struct reader *reader, const struct json *value, struct err_info *reterr)
{
    return read_int("max_tokens", value, &reader->request->max_tokens, reterr);
}

static int on_tokenizer(struct reader *reader, const struct json *value, struct err_info *reterr)
{
    return read_text("tokenizer", value, 64, &reader->request->tokenizer, reterr);
}

static int on_format(struct reader *reader, const struct json *value, struct err_info *reterr)
{
    static const char *const names[] = {"markdown", "json", "messages"};
    int idx = 0;
    int rc = read_choice("format", value, names, 3, &idx, reterr);
    reader->request->format = (enum build_format)idx;
    return rc;
}

static int on_deadline(struct reader *reader, const struct json *value, struct err_info *reterr)
{
    return read_int("deadline_ms", value, &reader->request->deadline_ms, reterr);
}

static int on_cache(struct reader *reader, const struct json *value, struct err_info *reterr)
{
    static const char *const names[] = {"use", "refresh", "off"};
    int idx = 0;
    int rc = read_choice("cache", value, names, 3, &idx, reterr);
    reader->request->cache = (enum build_cache_use)idx;
    return rc;
}

static int on_explain(struct reader *reader, const struct json *value, struct err_info *reterr)
{
    if (json_kind_of(value) != JSON_KIND_BOOL)
        return wrong_kind("explain", value, "true or false", reterr);
    reader->request->wants_explain = json_bool_of(value);
    return 0;
}

static const struct member {
    const char *name;
    int (*read)(struct reader *reader, const struct json *value, struct err_info *reterr);
} members[] = {
    {"recipe", on_recipe},     {"params", on_params},         {"query", on_query},
    {"sections", on_sections}, {"max_tokens", on_max_tokens}, {"tokenizer", on_tokenizer},
    {"format", on_format},     {"deadline_ms", on_deadline},  {"cache", on_cache},
    {"explain", on_explain},
};
#define N_MEMBERS (sizeof members / sizeof members[0])

static int unknown_member(struct str name, struct err_info *reterr)
{
    const char *known[N_MEMBERS];
    for (size_t i = 0; i < N_MEMBERS; i++)
        known[i] = members[i].name;
    const char *nearest = str_nearest(name, known, N_MEMBERS);
    char field[ERR_FIELD_SIZE];
    (void)snprintf(field, sizeof field, "%.*s", STR_ARG(utf8_prefix(name, 64)));
    if (nearest)
        return err_set_field(reterr, ERR_INVALID, field, "unknown member '%s'; did you mean '%s'?", field,
                             nearest);
    return err_set_field(
        reterr, ERR_INVALID, field,
        "unknown member '%s'; known are recipe, params, query, sections, max_tokens, tokenizer, "
        "format, deadline_ms, cache and explain",
        field);
}

static int read_member(struct reader *reader, struct str name, const struct json *value,
                       struct err_info *reterr)
{
    for (size_t i = 0; i < N_MEMBERS; i++)
        if (str_is(name, members[i].name)) {
            /* null says what leaving it out says. */
            if (json_kind_of(value) == JSON_KIND_NULL)
                return 0;
            return members[i].read(reader, value, reterr);
        }
    return unknown_member(name, reterr);
}

int build_request_from_json(const struct json *body, struct arena *arena, struct build_request *ret_request,
                            struct err_info *reterr)
{
    struct build_request request = {0};
    struct reader reader = {arena, &request};
    if (json_kind_of(body) != JSON_KIND_OBJECT)
        return err_set(reterr, ERR_INVALID, "the body must be a JSON object, not %s",
                       json_kind_name(json_kind_of(body)));
    size_t pos = 0;
    struct str name;
    const struct json *value;
    while (json_next_member(body, &pos, &name, &value)) {
        int rc = read_member(&reader, name, value, reterr);
        if (rc < 0)
            return rc;
    }
    if (str_is_empty(request.recipe))
        return err_set_field(reterr, ERR_INVALID, "recipe", "recipe is required");
    *ret_request = request;
    return 0;
}
