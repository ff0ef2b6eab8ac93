/* SPDX-License-Identifier: Apache-2.0
 *
 * What :name and {name} mean in a build: parameters, columns of steps that are done, the row at hand, the
 * request's query and its one "now". Absent is VALUE_NULL; nothing here fails but for memory, which the arena
 * latches.
 */
#include "build/build_priv.h"
#include "build/zones.h"
#include "core/reach.h"
#include "net/http_url.h"
#include "text/embed.h"

#include <math.h>

/* "summary", "hours.0.open" inside a column. */
static struct value value_in_json(const struct value *column, struct str path, struct arena *arena)
{
    struct json *root = value_parse_json(column, arena);
    struct value value = value_of_json(json_reach(root, path), SOURCE_MAX_RESULT_BYTES, arena);
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
            return value_in_json(column, str_slice(name, dot + 1, name.len), arena);
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
    return value_json(buf_into_arena(&buf, arena));
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

/* The calendar counts the days, not hours: a day may have 23 or 25. */
static int64_t midnight_us(const struct build *build, int days)
{
    struct civil civil;
    civil_from_us(build->now_us, build->zone, &civil);
    civil.day += days;
    civil.hour = civil.minute = civil.second = civil.us = 0;
    return civil_to_us(&civil, build->zone);
}

static struct value time_value(const struct build *build, const struct recipe_ref *ref, struct arena *arena)
{
    struct civil civil;
    int64_t time_us = ref->offset_us + (ref->kind == REF_NOW ? build->now_us : midnight_us(build, ref->days));
    civil_from_us(time_us, build->zone, &civil);
    switch (ref->part) {
    case TIME_DATE:
        return value_text(arena_printf(arena, "%04d-%02d-%02d", civil.year, civil.month, civil.day));
    case TIME_CLOCK:
        return value_text(arena_printf(arena, "%02d:%02d:%02d", civil.hour, civil.minute, civil.second));
    case TIME_WEEKDAY:
        return value_int(civil.weekday == 0 ? 7 : civil.weekday);
    case TIME_INSTANT:
        break;
    }
    return value_time(time_us);
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
    case REF_TENANT:
        return value_text(build->scope.tenant);
    case REF_QUERY_VECTOR:
        /* A key tells one query from another; its text is enough for that. */
        return names->is_timeless ? value_text(build->request->query) : build->query_vector;
    case REF_NOW:
    case REF_DAY:
        return names->is_timeless ? value_null() : time_value(build, ref, arena);
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

/* The vector has length 1: nine decimals are as exact as its floats. A query that means nothing to the model
 * has none. */
static struct value vector_value(const float *vector, size_t n, struct arena *arena)
{
    bool is_zero = true;
    struct buf buf;
    buf_init(&buf, 32 * EMBED_MAX_DIMS);
    for (size_t i = 0; i < n; i++) {
        is_zero &= vector[i] == 0;
        buf_append_byte(&buf, i == 0 ? '[' : ',');
        buf_append_fixed(&buf, (double)vector[i], 9);
    }
    buf_append_byte(&buf, ']');
    struct str text = buf_into_arena(&buf, arena);
    return is_zero ? value_null() : value_text(text);
}

static void encode_value(struct buf *buf, struct str text, bool is_line_start)
{
    (void)is_line_start;
    http_url_append(buf, text);
}

static struct value render_setting(const struct build_names *names, const struct template *template,
                                   bool is_path, bool *ret_has_gap, struct arena *arena)
{
    struct build_names owner = *names;
    struct template_scope scope = {
        .lookup = build_names_lookup,
        .owner = &owner,
        .zone = names->build->zone,
        .now_us = names->is_timeless ? 0 : names->build->now_us,
        .guard = is_path ? encode_value : NULL,
        .has_gap = ret_has_gap,
    };
    struct buf buf;
    *ret_has_gap = false;
    buf_init(&buf, SOURCE_MAX_RESULT_BYTES);
    template_render(template, &scope, arena, &buf);
    return value_text(buf_into_arena(&buf, arena));
}

/* An object of texts; null where a value is missing, which must not pass for an empty text. */
static struct value render_entries(const struct build_names *names, const struct recipe_setting *setting,
                                   struct arena *arena)
{
    struct json_writer json;
    struct buf buf;
    buf_init(&buf, SOURCE_MAX_RESULT_BYTES);
    json_writer_init(&json, &buf);
    json_open_object(&json);
    for (size_t i = 0; i < setting->n_entries; i++) {
        const struct recipe_entry *entry = &setting->entries[i];
        bool has_gap = false;
        struct value value = entry->template ? render_setting(names, entry->template, false, &has_gap, arena)
                                             : value_text(entry->text);
        json_put_name_str(&json, entry->name);
        if (has_gap)
            json_put_null(&json);
        else
            json_put_text(&json, value.text);
    }
    json_close_object(&json);
    return value_json(buf_into_arena(&buf, arena));
}

static struct value setting_value(const struct build_names *names, const struct recipe_setting *setting,
                                  enum source_setting_type type, struct arena *arena)
{
    bool has_gap;
    if (setting->entries)
        return render_entries(names, setting, arena);
    if (!setting->template)
        return setting->constant;
    struct value value = render_setting(names, setting->template, type == SETTING_PATH, &has_gap, arena);
    return type == SETTING_PATH && has_gap ? value_null() : value;
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
        settings[i] = setting_value(names, setting, step->ops->settings[i].type, arena);
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

int build_query_embed(struct build *build, struct err_info *reterr)
{
    const struct embedder *embedder = build->engine->options.env->embedder;
    struct str query = str_trim(build->request->query);
    if (!build->recipe->has_query_vector || !embedder || str_is_empty(query))
        return 0;
    size_t n = embedder_dims(embedder);
    float *vector = arena_calloc(&build->arena, n, sizeof *vector);
    if (!vector)
        return err_set(reterr, arena_error(&build->arena), "out of memory");
    int rc = embed_text(embedder, query, vector, reterr);
    if (rc < 0)
        return rc;
    build->query_floats = vector;
    build->query_vector = vector_value(vector, n, &build->arena);
    return arena_error(&build->arena) ? err_set(reterr, arena_error(&build->arena), "out of memory") : 0;
}

void build_zone_load(struct build *build)
{
    const struct recipe_ref *ref = &build->recipe->zone;
    if (build->zone_use || (ref->kind == REF_PARAM && ref->idx == SIZE_MAX))
        return;
    struct build_names names = {.build = build};
    struct value value = build_value_at(&names, ref, &build->arena);
    struct err_info err = {0};
    if (value.type != VALUE_TEXT || value.text.len == 0 || build->zone_trouble.len > 0)
        return;
    int rc = zones_get(build->engine->zones, build->engine->clock, value.text, &build->zone_use, &err);
    if (rc == 0)
        build->zone = build->zone_use->zone;
    if (rc == ERR_NOMEM)
        build->arena.err = build->arena.err ? build->arena.err : ERR_NOMEM;
    else if (rc < 0)
        build->zone_trouble = arena_printf(&build->arena, "times are in UTC: %s", err.message);
}
