/* SPDX-License-Identifier: Apache-2.0
 *
 * resolve: the request against the recipe. Parameters become typed values, names become places, limits become
 * numbers; from here on nothing of the request can be wrong. Turning public ids into internal ones (the
 * recipe's resolves) happens in gather, since it asks sources.
 */
#include "build/build_priv.h"

#include "core/civil.h"
#include "core/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* "a, b and c", cut to what a sentence can hold. */
static void list_names(struct buf *buf, struct str (*name_at)(const struct recipe *recipe, size_t idx),
                       const struct recipe *recipe, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_append_text(buf, i + 1 == n ? " and " : ", ");
        buf_append_str(buf, name_at(recipe, i));
    }
    if (n == 0)
        buf_append_text(buf, "none");
}

static struct str param_name(const struct recipe *recipe, size_t idx)
{
    return recipe->params[idx].name;
}

static struct str section_name(const struct recipe *recipe, size_t idx)
{
    return recipe->sections[idx].step.name;
}

/* ERR_INVALID: what is unknown, and what is known. */
static int unknown_name(const struct build *build, const char *field, const char *what, struct str name,
                        struct str (*name_at)(const struct recipe *recipe, size_t idx), size_t n,
                        struct err_info *reterr)
{
    struct buf known;
    buf_init(&known, ERR_MESSAGE_SIZE);
    list_names(&known, name_at, build->recipe, n);
    int rc = err_set_field(reterr, ERR_INVALID, field, "recipe '%.*s' has no %s '%.*s'; known: %.*s",
                           STR_ARG(build->recipe->name), what, STR_ARG(utf8_prefix(name, 80)),
                           STR_ARG(buf_str(&known)));
    buf_done(&known);
    return rc;
}

/* ---- the recipe ---- */

/* Why a built-in recipe is not in the book: "assistant.yaml: unknown connection 'main'"; NULL if none was
 * left out under that name. */
static const struct str *left_out_find(const struct recipe_book *book, struct str name)
{
    for (size_t i = 0; i < book->n_left_out; i++) {
        struct str rest = book->left_out[i];
        if (name.len > 0 && str_starts_with(rest, name) &&
            str_starts_with(str_slice(rest, name.len, SIZE_MAX), STR_LIT(".yaml:")))
            return &book->left_out[i];
    }
    return NULL;
}

static int unknown_recipe(const struct recipe_book *book, struct str name, struct err_info *reterr)
{
    const struct str *left_out = left_out_find(book, name);
    if (left_out)
        return err_set_field(reterr, ERR_NOT_FOUND, "recipe", "the recipe was left out: %.*s",
                             STR_ARG(*left_out));
    const struct recipe *nearest = NULL;
    int best = name.len < 6 ? 3 : (int)(name.len < 90 ? name.len : 90) / 3 + 1;
    for (size_t i = 0; i < book->n; i++) {
        int distance = str_distance(name, book->recipes[i]->name, best);
        if (distance < best) {
            best = distance;
            nearest = book->recipes[i];
        }
    }
    name = utf8_prefix(name, 80);
    if (nearest)
        return err_set_field(reterr, ERR_NOT_FOUND, "recipe",
                             "there is no recipe '%.*s'; did you mean '%.*s'?", STR_ARG(name),
                             STR_ARG(nearest->name));
    return err_set_field(reterr, ERR_NOT_FOUND, "recipe", "there is no recipe '%.*s'", STR_ARG(name));
}

/* ---- parameters ---- */

static bool json_is_list(struct str text, struct arena *arena)
{
    struct json *root;
    int rc = json_parse(text, 32, &root, NULL);
    if (rc == ERR_NOMEM && !arena->err)
        arena->err = rc;
    if (rc < 0)
        return false;
    bool is_list = json_kind_of(root) == JSON_KIND_ARRAY;
    json_free(root);
    return is_list;
}

static bool real_is_integer(double real)
{
    return isfinite(real) && real == floor(real) && fabs(real) < 9007199254740992.0;
}

/* Text stands for any type that it spells, since a command line knows nothing else, and a whole number for
 * its digits as text, since many an id is one; otherwise types must agree. */
static bool convert(struct value given, enum value_type type, struct arena *arena, struct value *ret_value)
{
    bool is_text = given.type == VALUE_TEXT;
    *ret_value = given;
    ret_value->type = type;
    switch (type) {
    case VALUE_TEXT:
        if (given.type == VALUE_INT)
            ret_value->text = arena_printf(arena, "%" PRId64, given.integer);
        return given.type == VALUE_INT || (is_text && utf8_is_valid(given.text));
    case VALUE_BOOL:
        if (is_text)
            ret_value->boolean = str_is(given.text, "true");
        return given.type == VALUE_BOOL || (is_text && (ret_value->boolean || str_is(given.text, "false")));
    case VALUE_INT:
        if (given.type == VALUE_REAL && real_is_integer(given.real)) {
            ret_value->integer = (int64_t)given.real;
            return true;
        }
        return given.type == VALUE_INT || (is_text && str_to_int(given.text, &ret_value->integer) == 0);
    case VALUE_REAL:
        if (given.type == VALUE_INT) {
            ret_value->real = (double)given.integer;
            return true;
        }
        return (given.type == VALUE_REAL && isfinite(given.real)) ||
               (is_text && str_to_real(given.text, &ret_value->real) == 0);
    case VALUE_TIME:
        return given.type == VALUE_TIME ||
               (is_text && civil_parse(given.text, &ret_value->time_us, NULL) == 0);
    case VALUE_JSON:
        return (given.type == VALUE_JSON || is_text) && json_is_list(given.text, arena);
    case VALUE_NULL:
    case VALUE_DECIMAL:
        break;
    }
    return given.type == type;
}

static const char *type_phrase(enum value_type type)
{
    switch (type) {
    case VALUE_BOOL:
        return "true or false";
    case VALUE_INT:
        return "a whole number";
    case VALUE_REAL:
        return "a number";
    case VALUE_TIME:
        return "a time as in 2026-11-21T05:37:00Z";
    case VALUE_JSON:
        return "a list";
    default:
        return "text";
    }
}

static bool choice_is_known(const struct recipe_param *param, struct str text)
{
    for (size_t i = 0; i < param->n_choices; i++)
        if (str_eq(param->choices[i], text))
            return true;
    return param->n_choices == 0;
}

static int bad_choice(const struct recipe_param *param, const char *field, struct err_info *reterr)
{
    struct buf buf;
    buf_init(&buf, ERR_MESSAGE_SIZE);
    for (size_t i = 0; i < param->n_choices; i++) {
        buf_append_text(&buf, i == 0 ? "" : ", ");
        buf_append_str(&buf, param->choices[i]);
    }
    int rc =
        err_set_field(reterr, ERR_INVALID, field, "%s must be one of: %.*s", field, STR_ARG(buf_str(&buf)));
    buf_done(&buf);
    return rc;
}

static int check_param(const struct recipe_param *param, struct value given, struct arena *arena,
                       struct value *ret_value, struct err_info *reterr)
{
    char field[ERR_FIELD_SIZE];
    (void)snprintf(field, sizeof field, "params.%.*s", STR_ARG(utf8_prefix(param->name, 80)));
    bool is_worded = given.type == VALUE_TEXT || given.type == VALUE_JSON;
    if (is_worded && given.text.len > BUILD_MAX_PARAM_BYTES)
        return err_set_field(reterr, ERR_LIMIT, field, "%s may have %d bytes at most", field,
                             BUILD_MAX_PARAM_BYTES);
    /* Nothing given. Empty text for a required parameter is nothing, too: no row is found by it. */
    if (given.type == VALUE_NULL || (param->is_required && value_is_empty(given))) {
        if (param->is_required)
            return err_set_field(reterr, ERR_INVALID, field, "%s is required", field);
        *ret_value = param->has_fallback ? param->fallback : value_null();
        return 0;
    }
    struct value value;
    bool is_good = convert(given, param->type, arena, &value);
    if (arena_error(arena))
        return err_set(reterr, arena_error(arena), "out of memory");
    if (!is_good)
        return err_set_field(reterr, ERR_INVALID, field, "%s must be %s, not %s", field,
                             type_phrase(param->type),
                             given.type == param->type ? "malformed" : value_type_name(given.type));
    if (value.type == VALUE_TEXT && !choice_is_known(param, value.text))
        return bad_choice(param, field, reterr);
    *ret_value = value;
    return 0;
}

static int refuse_unknown_params(const struct build *build, struct err_info *reterr)
{
    const struct build_request *request = build->request;
    for (size_t i = 0; i < request->n_params; i++) {
        size_t at = 0;
        while (at < build->recipe->n_params &&
               !str_eq(build->recipe->params[at].name, request->params[i].name))
            at++;
        if (at < build->recipe->n_params)
            continue;
        char field[ERR_FIELD_SIZE];
        (void)snprintf(field, sizeof field, "params.%.*s", STR_ARG(utf8_prefix(request->params[i].name, 80)));
        return unknown_name(build, field, "parameter", request->params[i].name, param_name,
                            build->recipe->n_params, reterr);
    }
    return 0;
}

static int resolve_params(struct build *build, struct err_info *reterr)
{
    const struct recipe *recipe = build->recipe;
    int rc = refuse_unknown_params(build, reterr);
    if (rc < 0)
        return rc;
    build->params = arena_calloc(&build->arena, recipe->n_params + 1, sizeof *build->params);
    if (!build->params)
        return err_set(reterr, arena_error(&build->arena), "out of memory");
    for (size_t i = 0; i < recipe->n_params; i++) {
        const struct value *given =
            field_find(build->request->params, build->request->n_params, recipe->params[i].name);
        rc = check_param(&recipe->params[i], given ? *given : value_null(), &build->arena, &build->params[i],
                         reterr);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Whose data: the parameter user_id, which may have any type in a recipe, as text. */
static int resolve_scope(struct build *build, struct err_info *reterr)
{
    build->scope = (struct scope){build->request->tenant, STR_LIT("default")};
    for (size_t i = 0; i < build->recipe->n_params; i++) {
        if (!str_is(build->recipe->params[i].name, "user_id") || value_is_empty(build->params[i]))
            continue;
        struct buf buf;
        buf_init(&buf, MEMORY_MAX_USER_BYTES);
        value_print(build->params[i], &buf);
        int rc = buf_error(&buf);
        build->scope.user = arena_copy(&build->arena, buf_str(&buf));
        buf_done(&buf);
        if (rc == ERR_LIMIT)
            return err_set_field(reterr, ERR_INVALID, "params.user_id",
                                 "params.user_id may have %d bytes at most", MEMORY_MAX_USER_BYTES);
        if (rc < 0 || arena_error(&build->arena))
            return err_set(reterr, ERR_NOMEM, "out of memory");
    }
    return 0;
}

/* ---- sections and limits ---- */

static int resolve_sections(struct build *build, struct err_info *reterr)
{
    const struct build_request *request = build->request;
    const struct recipe *recipe = build->recipe;
    if (!request->has_sections) {
        build->asked = recipe->n_sections < 64 ? (UINT64_C(1) << recipe->n_sections) - 1 : UINT64_MAX;
        return 0;
    }
    for (size_t i = 0; i < request->n_sections; i++) {
        const struct recipe_section *section = recipe_section_find(recipe, request->sections[i]);
        if (!section) {
            char field[32];
            (void)snprintf(field, sizeof field, "sections[%zu]", i);
            return unknown_name(build, field, "section", request->sections[i], section_name,
                                recipe->n_sections, reterr);
        }
        build->asked |= UINT64_C(1) << (section - recipe->sections);
    }
    return 0;
}

static int resolve_tokenizer(struct build *build, struct err_info *reterr)
{
    struct str name = build->request->tokenizer.len ? build->request->tokenizer : build->recipe->tokenizer;
    build->tokenizer = tokenizer_find(name);
    if (build->tokenizer)
        return 0;
    struct buf known;
    buf_init(&known, ERR_MESSAGE_SIZE);
    for (const struct tokenizer *const *at = tokenizer_all(); *at; at++)
        buf_printf(&known, "%s%s", known.len ? ", " : "", (*at)->name);
    int rc = err_set_field(reterr, ERR_INVALID, "tokenizer", "there is no tokenizer '%.*s'; known: %.*s",
                           STR_ARG(utf8_prefix(name, 64)), STR_ARG(buf_str(&known)));
    buf_done(&known);
    return rc;
}

static int resolve_limits(struct build *build, struct err_info *reterr)
{
    const struct build_request *request = build->request;
    const struct recipe *recipe = build->recipe;
    build->max_tokens = request->max_tokens ? request->max_tokens : recipe->budget_tokens;
    if (build->max_tokens < BUILD_MIN_TOKENS || build->max_tokens > recipe->max_budget_tokens)
        return err_set_field(reterr, ERR_INVALID, "max_tokens",
                             "max_tokens must be between %d and %lld, not %lld", BUILD_MIN_TOKENS,
                             (long long)recipe->max_budget_tokens, (long long)build->max_tokens);
    if (request->deadline_ms < 0 || request->deadline_ms > BUILD_MAX_DEADLINE_MS)
        return err_set_field(reterr, ERR_INVALID, "deadline_ms",
                             "deadline_ms must be between 1 and %d, not %lld", BUILD_MAX_DEADLINE_MS,
                             (long long)request->deadline_ms);
    build->deadline_len_us = request->deadline_ms ? request->deadline_ms * US_PER_MS : recipe->deadline_us;
    build->deadline_us = build->started_us + build->deadline_len_us;
    if (request->query.len > BUILD_MAX_QUERY_BYTES)
        return err_set_field(reterr, ERR_LIMIT, "query", "query may have %d bytes at most",
                             BUILD_MAX_QUERY_BYTES);
    build->format = build_format_find(request->format);
    return 0;
}

int build_resolve(struct build *build, struct err_info *reterr)
{
    static int (*const checks[])(struct build * build, struct err_info * reterr) = {
        resolve_params, resolve_scope, resolve_sections, resolve_limits, resolve_tokenizer,
    };
    build->recipe = recipe_book_find(build->engine->options.recipes, build->request->recipe);
    if (!build->recipe)
        return unknown_recipe(build->engine->options.recipes, build->request->recipe, reterr);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        int rc = checks[i](build, reterr);
        if (rc < 0)
            return rc;
    }
    return 0;
}
