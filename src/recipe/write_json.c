/* SPDX-License-Identifier: Apache-2.0
 *
 * A recipe as JSON, for those who list recipes and those who want to see what one does.
 */
#include "recipe/recipe_priv.h"

static const char *param_type_name(enum value_type type)
{
    switch (type) {
    case VALUE_INT:
        return "int";
    case VALUE_REAL:
        return "number";
    case VALUE_BOOL:
        return "bool";
    case VALUE_TIME:
        return "time";
    case VALUE_JSON:
        return "list";
    case VALUE_TEXT:
    case VALUE_NULL:
    case VALUE_DECIMAL:
        break;
    }
    return "text";
}

static void put_value(struct json_writer *writer, struct value value)
{
    struct buf buf;

    buf_init(&buf, YAML_MAX_BYTES);
    value_print_json(value, &buf);
    if (buf_error(&buf) && !writer->buf->err)
        writer->buf->err = buf_error(&buf);
    json_put_raw(writer, buf_str(&buf));
    buf_done(&buf);
}

static void put_param(struct json_writer *writer, const struct recipe_param *param)
{
    json_open_object(writer);
    json_put_member_text(writer, "name", param->name);
    json_put_member_text(writer, "type", str_of(param_type_name(param->type)));
    json_put_member_bool(writer, "required", param->is_required);
    if (param->has_fallback) {
        json_put_name(writer, "default");
        put_value(writer, param->fallback);
    }
    if (param->about.len > 0)
        json_put_member_text(writer, "about", param->about);
    if (param->n_choices > 0) {
        json_put_name(writer, "choices");
        json_open_array(writer);
        for (size_t i = 0; i < param->n_choices; i++)
            json_put_text(writer, param->choices[i]);
        json_close_array(writer);
    }
    json_close_object(writer);
}

/* The statement or text a step asks with, as its source will get it. */
static void put_settings(struct json_writer *writer, const struct recipe_step *step)
{
    const struct source_setting *rows = step->ops->settings;

    json_put_name(writer, "settings");
    json_open_object(writer);
    for (size_t i = 0; rows && rows[i].name; i++) {
        if (step->settings[i].constant.type == VALUE_NULL)
            continue;
        json_put_name(writer, rows[i].name);
        put_value(writer, step->settings[i].constant);
    }
    json_close_object(writer);
}

static void put_step(struct json_writer *writer, const struct recipe *recipe, const struct recipe_step *step)
{
    json_put_member_text(writer, "from", step->from);
    json_put_member_text(writer, "kind", str_of(step->ops->kind));
    if (step->n_any > 0) {
        json_put_name(writer, "any");
        json_open_array(writer);
        for (size_t i = 0; i < step->n_any; i++)
            json_put_text(writer, step->any[i]);
        json_close_array(writer);
    }
    if (step->timeout_us != INT64_MAX)
        json_put_member_int(writer, "timeout_ms", step->timeout_us / US_PER_MS);
    json_put_name(writer, "needs");
    json_open_array(writer);
    for (size_t i = 0; i < recipe_n_steps(recipe); i++) {
        if (step->needs >> i & 1)
            json_put_text(writer, recipe_step_at(recipe, i)->name);
    }
    json_close_array(writer);
    put_settings(writer, step);
}

static void put_section_details(struct json_writer *writer, const struct recipe_section *section)
{
    static const char *const orders[] = {
        [ORDER_RANKED] = "ranked", [ORDER_REVERSED] = "reversed", [ORDER_TIME] = "time"};

    json_put_member_bool(writer, "required", section->step.is_required);
    json_put_member_bool(writer, "conditional", section->step.n_when > 0);
    json_put_member_int(writer, "limit", (int64_t)section->limit);
    json_put_member_int(writer, "min_tokens", section->min_tokens);
    if (section->max_tokens != INT64_MAX)
        json_put_member_int(writer, "max_tokens", section->max_tokens);
    json_put_member_text(writer, "choose",
                         section->choice == CHOOSE_GAIN ? STR_LIT("gain") : STR_LIT("rank"));
    json_put_member_text(writer, "order", str_of(orders[section->order]));
    json_put_member_bool(writer, "grouped", section->group != NULL);
    json_put_member_bool(writer, "dedupe", section->is_deduplicated);
    json_put_member_bool(writer, "redact", section->is_redacted);
    if (section->n_fetched > 0) {
        json_put_member_text(writer, "match", STR_LIT("query"));
        json_put_member_int(writer, "fetch", (int64_t)section->n_fetched);
        json_put_member_int(writer, "at_least", (int64_t)section->n_matched);
    }
    json_put_name(writer, "shorten");
    json_open_array(writer);
    if (section->shorten & SHORTEN_CORE)
        json_put_text(writer, STR_LIT("core"));
    if (section->shorten & SHORTEN_LINE)
        json_put_text(writer, STR_LIT("line"));
    json_close_array(writer);
    if (section->fresh_us > 0)
        json_put_member_int(writer, "fresh_ms", section->fresh_us / US_PER_MS);
}

static void put_sections(struct json_writer *writer, const struct recipe *recipe, bool is_full)
{
    json_put_name(writer, "sections");
    json_open_array(writer);
    for (size_t i = 0; i < recipe->n_sections; i++) {
        const struct recipe_section *section = &recipe->sections[i];

        json_open_object(writer);
        json_put_member_text(writer, "name", section->step.name);
        json_put_member_text(writer, "title", section->title);
        json_put_member_bool(writer, "stable", section->is_stable);
        if (is_full) {
            put_step(writer, recipe, &section->step);
            put_section_details(writer, section);
        }
        json_close_object(writer);
    }
    json_close_array(writer);
}

static void put_details(struct json_writer *writer, const struct recipe *recipe)
{
    json_put_member_text(writer, "file", recipe->file);
    json_put_member_text(writer, "version", str_of(recipe->version));
    json_put_member_int(writer, "deadline_ms", recipe->deadline_us / US_PER_MS);
    json_put_name(writer, "cache");
    json_open_object(writer);
    json_put_member_int(writer, "ttl_ms", recipe->cache_ttl_us / US_PER_MS);
    json_put_member_int(writer, "stale_ms", recipe->cache_stale_us / US_PER_MS);
    json_close_object(writer);
    json_put_name(writer, "resolve");
    json_open_array(writer);
    for (size_t i = 0; i < recipe->n_resolves; i++) {
        json_open_object(writer);
        json_put_member_text(writer, "name", recipe->resolves[i].name);
        json_put_member_bool(writer, "required", recipe->resolves[i].is_required);
        put_step(writer, recipe, &recipe->resolves[i]);
        json_close_object(writer);
    }
    json_close_array(writer);
}

void recipe_write_json(const struct recipe *recipe, bool is_full, struct buf *buf)
{
    struct json_writer writer;

    json_writer_init(&writer, buf);
    json_open_object(&writer);
    json_put_member_text(&writer, "name", recipe->name);
    json_put_member_text(&writer, "about", recipe->about);
    json_put_name(&writer, "params");
    json_open_array(&writer);
    for (size_t i = 0; i < recipe->n_params; i++)
        put_param(&writer, &recipe->params[i]);
    json_close_array(&writer);
    json_put_name(&writer, "budget");
    json_open_object(&writer);
    json_put_member_int(&writer, "tokens", recipe->budget_tokens);
    json_put_member_int(&writer, "max", recipe->max_budget_tokens);
    json_put_member_text(&writer, "tokenizer", recipe->tokenizer);
    json_close_object(&writer);
    if (is_full)
        put_details(&writer, recipe);
    put_sections(&writer, recipe, is_full);
    json_close_object(&writer);
}
