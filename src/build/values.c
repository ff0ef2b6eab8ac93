/* SPDX-License-Identifier: Apache-2.0
 *
 * What :name and {name} mean in a build: parameters, columns of steps that are done, the row at hand, the
 * request's query and its one "now". Absent is VALUE_NULL; nothing here fails but for memory, which the arena
 * latches.
 */
#include "build/build_priv.h"

#include <math.h>
#include <stdio.h>

#define PATH_MAX_DEPTH 32

static void latch(struct arena *arena, int err)
{
    if (err && !arena->err)
        arena->err = err;
}

static struct value value_of_node(const struct json *node, struct arena *arena)
{
    switch (json_kind_of(node)) {
    case JSON_KIND_BOOL:
        return value_bool(json_bool_of(node));
    case JSON_KIND_INT:
        return value_int(json_int_of(node));
    case JSON_KIND_REAL:
        return value_real(json_real_of(node));
    case JSON_KIND_TEXT:
        return value_text(arena_copy(arena, json_text_of(node)));
    case JSON_KIND_ARRAY:
    case JSON_KIND_OBJECT: {
        struct buf buf;
        buf_init(&buf, SOURCE_MAX_RESULT_BYTES);
        json_print(node, &buf);
        struct value value = value_json(arena_copy(arena, buf_str(&buf)));
        latch(arena, buf_error(&buf));
        buf_done(&buf);
        return value;
    }
    case JSON_KIND_NULL:
        break;
    }
    return value_null();
}

/* "summary", "hours.0.open": members by name, elements by number. */
static struct value value_in_json(struct str text, struct str path, struct arena *arena)
{
    struct json *root;
    int rc = json_parse(text, PATH_MAX_DEPTH, &root, NULL);
    if (rc < 0) {
        latch(arena, rc == ERR_NOMEM ? rc : 0); /* other text is no JSON, and has no members */
        return value_null();
    }
    const struct json *node = root;
    struct str part;
    while (node && str_next_part(&path, '.', &part)) {
        char name[128];
        int64_t idx;
        if (json_kind_of(node) == JSON_KIND_ARRAY) {
            bool is_in = str_to_int(part, &idx) == 0 && idx >= 0 && (uint64_t)idx < json_count(node);
            node = is_in ? json_at(node, (size_t)idx) : NULL;
            continue;
        }
        (void)snprintf(name, sizeof name, "%.*s", STR_ARG(part));
        node = part.len < sizeof name ? json_member(node, name) : NULL;
    }
    struct value value = node ? value_of_node(node, arena) : value_null();
    json_free(root);
    return value;
}

static const struct value *column_find(const struct source_result *result, const struct source_row *row,
                                       struct str name)
{
    for (size_t i = 0; i < result->n_columns; i++)
        if (str_eq(result->columns[i], name))
            return &row->values[i];
    return NULL;
}

struct value build_column_value(const struct source_result *result, const struct source_row *row,
                                struct str name, struct arena *arena)
{
    const struct value *whole = column_find(result, row, name);
    if (whole)
        return *whole;
    for (size_t dot = 0; dot < name.len; dot++) {
        if (name.ptr[dot] != '.')
            continue;
        const struct value *column = column_find(result, row, str_slice(name, 0, dot));
        if (column && (column->type == VALUE_JSON || column->type == VALUE_TEXT))
            return value_in_json(column->text, str_slice(name, dot + 1, name.len), arena);
    }
    return value_null();
}

/* The column's values of all rows, as a JSON array. */
static struct value column_list(const struct source_result *result, struct str column, struct arena *arena)
{
    struct buf buf;
    buf_init(&buf, SOURCE_MAX_RESULT_BYTES);
    buf_append_byte(&buf, '[');
    for (size_t i = 0; i < result->n_rows; i++) {
        if (i > 0)
            buf_append_byte(&buf, ',');
        value_print_json(build_column_value(result, &result->rows[i], column, arena), &buf);
    }
    buf_append_byte(&buf, ']');
    struct value value = value_json(arena_copy(arena, buf_str(&buf)));
    if (buf_error(&buf) && !arena->err)
        arena->err = buf_error(&buf);
    buf_done(&buf);
    return value;
}

static struct value step_value(const struct build *build, const struct recipe_ref *ref, struct arena *arena)
{
    const struct build_step *step = &build->steps[ref->idx];
    if (!step->material || step->material->result->n_rows == 0)
        return value_null();
    const struct source_result *result = step->material->result;
    if (ref->is_list)
        return column_list(result, ref->column, arena);
    return build_column_value(result, &result->rows[0], ref->column, arena);
}

/* Names an item has beside its columns, which come first. */
static struct value field_value(const struct build_names *names, struct str column, struct arena *arena)
{
    if (!names->row)
        return value_null();
    struct value value = build_column_value(names->result, names->row, column, arena);
    if (value.type != VALUE_NULL)
        return value;
    if (str_is(column, "is_old"))
        return names->is_old ? value_bool(true) : value_null();
    if (str_is(column, "id"))
        return value_text(names->id);
    if (str_is(column, "time") && names->time_us != INT64_MIN)
        return value_time(names->time_us);
    if (str_is(column, "score") && !isnan(names->row->score))
        return value_real(names->row->score);
    return value_null();
}

static int64_t midnight_us(const struct build *build)
{
    struct civil civil;
    civil_from_us(build->now_us, build->zone, &civil);
    civil.hour = civil.minute = civil.second = civil.us = 0;
    return civil_to_us(&civil, build->zone);
}

struct value build_value_at(const struct build_names *names, const struct recipe_ref *ref,
                            struct arena *arena)
{
    const struct build *build = names->build;
    switch (ref->kind) {
    case REF_PARAM:
        return build->params[ref->idx];
    case REF_STEP:
        return step_value(build, ref, arena);
    case REF_QUERY:
        return value_text(build->request->query);
    case REF_USER:
        return value_text(build->scope.user);
    case REF_NOW:
        return names->is_timeless ? value_null() : value_time(build->now_us + ref->offset_us);
    case REF_TODAY:
        return names->is_timeless ? value_null() : value_time(midnight_us(build) + ref->offset_us);
    case REF_FIELD:
        return field_value(names, ref->column, arena);
    }
    return value_null();
}

const struct value *build_names_lookup(void *owner, const struct recipe_ref *ref, struct arena *scratch)
{
    struct value value = build_value_at(owner, ref, scratch);
    if (value.type == VALUE_NULL)
        return NULL;
    struct value *copy = arena_alloc(scratch, sizeof *copy);
    if (copy)
        *copy = value;
    return copy;
}

/* Zero and false are values: only nothing and empty text do not hold. */
bool build_condition_holds(const struct build_names *names, const struct recipe_condition *when,
                           size_t n_when, struct arena *arena)
{
    for (size_t i = 0; i < n_when; i++)
        if (value_is_empty(build_value_at(names, &when[i].ref, arena)) != when[i].is_negated)
            return false;
    return true;
}

static struct value render_setting(const struct build_names *names, const struct template *template,
                                   struct arena *arena)
{
    struct build_names owner = *names;
    struct template_scope scope = {
        .lookup = build_names_lookup,
        .owner = &owner,
        .zone = names->build->zone,
        .now_us = names->is_timeless ? 0 : names->build->now_us,
    };
    struct buf buf;
    buf_init(&buf, SOURCE_MAX_RESULT_BYTES);
    template_render(template, &scope, arena, &buf);
    struct value value = value_text(arena_copy(arena, buf_str(&buf)));
    latch(arena, buf_error(&buf));
    buf_done(&buf);
    return value;
}

int build_settings_fill(const struct build_names *names, const struct recipe_step *step, struct arena *arena,
                        struct source_request *request)
{
    size_t n = 0;
    while (step->ops->settings && step->ops->settings[n].name)
        n++;
    struct value *settings = arena_calloc(arena, n + 1, sizeof *settings);
    for (size_t i = 0; settings && i < n; i++) {
        const struct recipe_setting *setting = &step->settings[i];
        settings[i] = setting->template ? render_setting(names, setting->template, arena) : setting->constant;
        if (setting->n_binds == 0)
            continue;
        struct value *binds = arena_calloc(arena, setting->n_binds, sizeof *binds);
        for (size_t j = 0; binds && j < setting->n_binds; j++)
            binds[j] = build_value_at(names, &setting->binds[j], arena);
        request->binds = binds;
        request->n_binds = setting->n_binds;
    }
    request->settings = settings;
    return arena_error(arena);
}

void build_zone_load(struct build *build)
{
    const struct recipe_ref *ref = &build->recipe->zone;
    if (build->zone || (ref->kind == REF_PARAM && ref->idx == SIZE_MAX))
        return;
    struct build_names names = {.build = build};
    struct value value = build_value_at(&names, ref, &build->arena);
    /* A zone that nobody knows leaves UTC, which the printed offsets say. */
    if (value.type == VALUE_TEXT && value.text.len > 0 &&
        zone_new(value.text, &build->zone, NULL) == ERR_NOMEM)
        latch(&build->arena, ERR_NOMEM);
}
