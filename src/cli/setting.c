/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of a setting becomes its value. Variables are put in after YAML has been read, so that no variable
 * can change the file's structure.
 */
#include "cli/setting.h"

#include "core/buf.h"

#define MAX_EXPANDED_BYTES (64 * 1024)

static int expand_variable(struct str reference, const char *const *environment, struct buf *out,
                           struct err_info *reterr)
{
    ptrdiff_t dash = str_find(reference, STR_LIT(":-"));
    struct str name = dash < 0 ? reference : str_slice(reference, 0, (size_t)dash);
    const char *value = config_getenv(environment, name);
    if (value && *value)
        buf_append_text(out, value);
    else if (dash >= 0)
        buf_append_str(out, str_slice(reference, (size_t)dash + 2, reference.len));
    else
        return err_set(reterr, ERR_INVALID, "the variable %.*s is not set; ${%.*s:-value} gives it a default",
                       STR_ARG(name), STR_ARG(name));
    return 0;
}

int setting_expand(struct str text, const char *const *environment, struct arena *arena,
                   const char **ret_text, struct err_info *reterr)
{
    struct buf out;
    int r = 0;
    buf_init(&out, MAX_EXPANDED_BYTES);
    for (size_t i = 0; i < text.len && r == 0;) {
        struct str rest = str_slice(text, i, text.len);
        if (str_starts_with(rest, STR_LIT("$$"))) {
            buf_append_byte(&out, '$');
            i += 2;
        } else if (str_starts_with(rest, STR_LIT("${"))) {
            ptrdiff_t end = str_find(rest, STR_LIT("}"));
            if (end < 0)
                r = err_set(reterr, ERR_INVALID, "'${' has no closing brace");
            else
                r = expand_variable(str_slice(rest, 2, (size_t)end - 2), environment, &out, reterr);
            i += end < 0 ? 0 : (size_t)end + 1;
        } else {
            buf_append_byte(&out, text.ptr[i++]);
        }
    }
    if (r == 0 && buf_error(&out) < 0)
        r = err_set(reterr, buf_error(&out), "the value is longer than %d bytes", MAX_EXPANDED_BYTES);
    const char *copy = r == 0 ? arena_strdup(arena, buf_str(&out)) : NULL;
    if (r == 0 && !copy)
        r = err_set(reterr, ERR_NOMEM, "out of memory");
    buf_done(&out);
    if (r == 0)
        *ret_text = copy;
    return r;
}

static int parse_size(struct str text, int64_t *ret_bytes)
{
    static const struct {
        const char *suffix;
        int shift;
    } units[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
    int shift = 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        struct str suffix = str_of(units[i].suffix);
        if (text.len > suffix.len && str_eq(str_slice(text, text.len - suffix.len, suffix.len), suffix)) {
            text = str_trim(str_slice(text, 0, text.len - suffix.len));
            shift = units[i].shift;
        }
    }
    int64_t number;
    if (str_to_int(text, &number) < 0 || number < 0 || number > INT64_MAX >> shift)
        return ERR_INVALID;
    *ret_bytes = number << shift;
    return 0;
}

static int parse_duration(struct str text, bool is_variable, int64_t *ret_us)
{
    int64_t seconds;
    if (str_to_duration_us(text, ret_us) == 0)
        return 0;
    if (!is_variable || str_to_int(text, &seconds) < 0 || seconds < 0 || seconds > INT64_MAX / 1000000)
        return ERR_INVALID;
    *ret_us = seconds * 1000000;
    return 0;
}

static int set_number(const struct setting *setting, int64_t *target, const char *text, bool is_variable,
                      const char *place, struct err_info *reterr)
{
    int64_t number = 0;
    switch (setting->kind) {
    case CONFIG_SIZE:
        if (parse_size(str_of(text), &number) < 0)
            return err_set_field(reterr, ERR_INVALID, place,
                                 "'%s' must be a size such as 65536, 64KiB or 16MiB, not '%s'", setting->name,
                                 text);
        break;
    case CONFIG_DURATION:
        if (parse_duration(str_of(text), is_variable, &number) < 0)
            return err_set_field(reterr, ERR_INVALID, place,
                                 "'%s' must be a duration such as 250ms, 30s or 5m, not '%s'", setting->name,
                                 text);
        break;
    default:
        if (str_to_int(str_of(text), &number) < 0)
            return err_set_field(reterr, ERR_INVALID, place, "'%s' must be a whole number, not '%s'",
                                 setting->name, text);
        break;
    }
    if (number < setting->min || number > setting->max)
        return err_set_field(reterr, ERR_INVALID, place, "'%s' must lie between %lld and %lld%s, not %lld",
                             setting->name, (long long)setting->min, (long long)setting->max,
                             setting->kind == CONFIG_DURATION ? " microseconds" : "", (long long)number);
    *target = number;
    return 0;
}

static int set_choice(const struct setting *setting, const char **target, const char *text, const char *place,
                      struct err_info *reterr)
{
    struct buf known;
    for (const char *const *choice = setting->choices; *choice; choice++) {
        if (strcmp(*choice, text) == 0) {
            *target = *choice;
            return 0;
        }
    }
    buf_init(&known, ERR_MESSAGE_SIZE);
    for (const char *const *choice = setting->choices; *choice; choice++)
        buf_printf(&known, "%s%s", choice == setting->choices ? "" : ", ", *choice);
    int r = err_set_field(reterr, ERR_INVALID, place, "'%s' must be one of %s, not '%s'", setting->name,
                          known.data ? known.data : "the known ones", text);
    buf_done(&known);
    return r;
}

int setting_list_add(struct config *config, struct config_list *list, const char *item)
{
    const char **items = arena_calloc(&config->arena, list->n + 1, sizeof *items);
    if (!items)
        return ERR_NOMEM;
    for (size_t i = 0; i < list->n; i++)
        items[i] = list->items[i];
    items[list->n] = item;
    *list = (struct config_list){items, list->n + 1};
    return 0;
}

static int set_list(struct config *config, struct config_list *target, const char *text,
                    struct err_info *reterr)
{
    struct config_list list = {NULL, 0};
    struct str rest = str_of(text), part;
    while (str_next_part(&rest, ':', &part)) {
        const char *item = arena_strdup(&config->arena, part);
        if (!item || setting_list_add(config, &list, item) < 0)
            return err_set(reterr, ERR_NOMEM, "out of memory");
    }
    *target = list;
    return 0;
}

int setting_set(const struct setting *setting, struct config *config, const char *text, bool is_variable,
                const char *place, struct err_info *reterr)
{
    void *target = (char *)config + setting->offset;
    switch (setting->kind) {
    case CONFIG_TEXT:
        if (!*text)
            return err_set_field(reterr, ERR_INVALID, place, "'%s' must not be empty", setting->name);
        *(const char **)target = text;
        return 0;
    case CONFIG_CHOICE:
        return set_choice(setting, target, text, place, reterr);
    case CONFIG_LIST:
        return set_list(config, target, text, reterr);
    case CONFIG_COUNT:
    case CONFIG_SIZE:
    case CONFIG_DURATION:
        break;
    }
    return set_number(setting, target, text, is_variable, place, reterr);
}
