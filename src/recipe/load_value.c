/* SPDX-License-Identifier: Apache-2.0
 *
 * Readers of single values, each of which says what it wants when it gets something else.
 */
#include "recipe/recipe_priv.h"

#define MAX_KEYS 48

bool load_expect(struct load *load, const struct yaml_node *node, const char *key, enum yaml_kind kind)
{
    static const char *const names[] = {
        [YAML_SCALAR] = "a text or number", [YAML_LIST] = "a list", [YAML_MAP] = "a map"};

    if (node->kind == kind && !(kind == YAML_SCALAR && yaml_is_null(node)))
        return true;
    if (yaml_is_null(node))
        load_complain(load, node->line, node->column, "'%s' must be %s, but nothing stands here", key,
                      names[kind]);
    else
        load_complain(load, node->line, node->column, "'%s' must be %s, not a %s", key, names[kind],
                      yaml_kind_name(node));
    return false;
}

bool load_text(struct load *load, const struct yaml_node *node, const char *key, struct str *ret)
{
    if (!load_expect(load, node, key, YAML_SCALAR))
        return false;
    *ret = node->text;
    return true;
}

/* What was written, short enough for a sentence. */
static struct str shown(const struct yaml_node *node)
{
    return str_slice(node->text, 0, 60);
}

bool load_bool(struct load *load, const struct yaml_node *node, const char *key, bool *ret)
{
    if (!load_expect(load, node, key, YAML_SCALAR))
        return false;
    if (yaml_to_bool(node, ret) == 0)
        return true;
    load_complain(load, node->line, node->column, "'%s' must be true or false, not '%.*s'", key,
                  STR_ARG(shown(node)));
    return false;
}

bool load_int(struct load *load, const struct yaml_node *node, const char *key, int64_t min, int64_t max,
              int64_t *ret)
{
    int64_t value;

    if (!load_expect(load, node, key, YAML_SCALAR))
        return false;
    if (yaml_to_int(node, &value) == 0 && value >= min && value <= max) {
        *ret = value;
        return true;
    }
    if (min == INT64_MIN && max == INT64_MAX)
        load_complain(load, node->line, node->column, "'%s' must be a whole number, not '%.*s'", key,
                      STR_ARG(shown(node)));
    else
        load_complain(load, node->line, node->column,
                      "'%s' must be a whole number from %lld to %lld, not '%.*s'", key, (long long)min,
                      (long long)max, STR_ARG(shown(node)));
    return false;
}

bool load_real(struct load *load, const struct yaml_node *node, const char *key, double min, double max,
               double *ret)
{
    double value;

    if (!load_expect(load, node, key, YAML_SCALAR))
        return false;
    if (yaml_to_real(node, &value) == 0 && value >= min && value <= max) {
        *ret = value;
        return true;
    }
    if (max > 1e300)
        load_complain(load, node->line, node->column, "'%s' must be a number, not '%.*s'", key,
                      STR_ARG(shown(node)));
    else
        load_complain(load, node->line, node->column, "'%s' must be a number from %g to %g, not '%.*s'", key,
                      min, max, STR_ARG(shown(node)));
    return false;
}

/* Appends "200ms", "5m", "2d": the largest unit that says it without a fraction. */
static void append_duration(struct buf *buf, int64_t us)
{
    static const struct {
        const char *unit;
        int64_t us;
    } units[] = {{"d", 86400 * US_PER_SEC},
                 {"h", 3600 * US_PER_SEC},
                 {"m", 60 * US_PER_SEC},
                 {"s", US_PER_SEC},
                 {"ms", US_PER_MS}};

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (us != 0 && us % units[i].us == 0) {
            buf_printf(buf, "%lld%s", (long long)(us / units[i].us), units[i].unit);
            return;
        }
    }
    buf_printf(buf, "%lldms", (long long)(us / US_PER_MS));
}

bool load_duration(struct load *load, const struct yaml_node *node, const char *key, int64_t min, int64_t max,
                   int64_t *ret)
{
    int64_t value = 0;
    struct buf range;

    if (!load_expect(load, node, key, YAML_SCALAR))
        return false;
    if ((str_is(node->text, "0") || str_to_duration_us(node->text, &value) == 0) && value >= min &&
        value <= max) {
        *ret = value;
        return true;
    }
    buf_init(&range, 64);
    append_duration(&range, min);
    buf_append_text(&range, " to ");
    append_duration(&range, max);
    load_complain(load, node->line, node->column,
                  "'%s' must be a duration from %.*s, such as 200ms, 5s or 10m, not '%.*s'", key,
                  STR_ARG(buf_str(&range)), STR_ARG(shown(node)));
    buf_done(&range);
    return false;
}

/* A list of texts as a JSON array; a single text is a list of one. */
static bool load_list(struct load *load, const struct yaml_node *node, const char *key, struct value *ret)
{
    const struct yaml_node *const *items =
        node->kind == YAML_LIST ? (const struct yaml_node *const *)node->items : &node;
    size_t n = node->kind == YAML_LIST ? node->n : 1;
    struct json_writer writer;
    struct buf buf;
    struct str text;
    bool is_good = true;

    if (node->kind == YAML_MAP)
        return load_expect(load, node, key, YAML_LIST);
    buf_init(&buf, YAML_MAX_BYTES);
    json_writer_init(&writer, &buf);
    json_open_array(&writer);
    for (size_t i = 0; i < n; i++) {
        if (load_text(load, items[i], key, &text))
            json_put_text(&writer, text);
        else
            is_good = false;
    }
    json_close_array(&writer);
    text = buf_into_arena(&buf, &load->recipe->arena);
    if (is_good)
        *ret = value_json(text);
    return is_good;
}

static bool load_time(struct load *load, const struct yaml_node *node, const char *key, struct value *ret)
{
    int64_t time_us;
    struct str text;

    if (!load_text(load, node, key, &text))
        return false;
    if (civil_parse(text, &time_us, NULL) < 0) {
        load_complain(load, node->line, node->column,
                      "'%s' must be a time such as 2026-11-21T05:37:00Z, not '%.*s'", key,
                      STR_ARG(shown(node)));
        return false;
    }
    *ret = value_time(time_us);
    return true;
}

bool load_value(struct load *load, const struct yaml_node *node, const char *key, enum value_type type,
                struct value *ret)
{
    struct value value = {.type = type};
    bool is_good = false;

    switch (type) {
    case VALUE_TEXT:
        is_good = load_text(load, node, key, &value.text);
        break;
    case VALUE_INT:
        is_good = load_int(load, node, key, INT64_MIN, INT64_MAX, &value.integer);
        break;
    case VALUE_REAL:
        is_good = load_real(load, node, key, -1e308, 1e308, &value.real);
        break;
    case VALUE_BOOL:
        is_good = load_bool(load, node, key, &value.boolean);
        break;
    case VALUE_TIME:
        return load_time(load, node, key, ret);
    case VALUE_JSON:
        return load_list(load, node, key, ret);
    case VALUE_NULL:
    case VALUE_DECIMAL:
        break;
    }
    if (is_good)
        *ret = value;
    return is_good;
}

void load_map(struct load *load, const struct yaml_node *map, const struct load_key *keys, void *target)
{
    const char *known[MAX_KEYS];
    size_t n = 0;

    while (keys[n].name && n < MAX_KEYS) {
        known[n] = keys[n].name;
        n++;
    }
    for (size_t i = 0; i < map->n; i++) {
        size_t k = 0;

        while (k < n && !str_is(map->keys[i].name, known[k]))
            k++;
        if (k < n)
            keys[k].read(load, map->items[i], target);
        else
            load_complain_unknown(load, map->keys[i].line, map->keys[i].column, "key", map->keys[i].name,
                                  known, n);
    }
}
