/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading of a command's words and options. One left-to-right pass; the tables say what may stand there.
 */
#include "cli/args.h"

#include "core/str.h"

#define MAX_NAMES 64

static const struct option *option_find(const struct option *const *tables, size_t n_tables, struct str name)
{
    for (size_t i = 0; i < n_tables; i++) {
        for (const struct option *option = tables[i]; option->name; option++) {
            if (str_is(name, option->name))
                return option;
        }
    }
    return NULL;
}

static int unknown_option(const struct option *const *tables, size_t n_tables, struct str name,
                          struct err_info *reterr)
{
    const char *names[MAX_NAMES];
    size_t n = 0;
    for (size_t i = 0; i < n_tables; i++) {
        for (const struct option *option = tables[i]; option->name && n < MAX_NAMES; option++)
            names[n++] = option->name;
    }
    const char *nearest = str_nearest(name, names, n);
    if (nearest)
        return err_set(reterr, ERR_INVALID, "unknown option --%.*s; did you mean --%s?", STR_ARG(name),
                       nearest);
    return err_set(reterr, ERR_INVALID, "unknown option --%.*s", STR_ARG(name));
}

static int list_add(struct args_list *list, const char *item, const char *what, struct err_info *reterr)
{
    if (list->n == ARGS_MAX_LIST)
        return err_set(reterr, ERR_INVALID, "more than %d %s", ARGS_MAX_LIST, what);
    list->items[list->n++] = item;
    return 0;
}

static int option_set(const struct option *option, const char *value, struct err_info *reterr)
{
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)option->target = true;
        return 0;
    case OPTION_TEXT:
        *(const char **)option->target = value;
        return 0;
    case OPTION_LIST:
        return list_add(option->target, value, option->name, reterr);
    case OPTION_INT:
        break;
    }
    int64_t number;
    if (str_to_int(str_of(value), &number) < 0 || number < 0)
        return err_set(reterr, ERR_INVALID, "--%s must be a number that is not negative, not '%s'",
                       option->name, value);
    *(int64_t *)option->target = number;
    return 0;
}

int args_parse(int argc, char **argv, const struct option *const *tables, size_t n_tables,
               struct args_list *ret_words, struct err_info *reterr)
{
    struct args_list words = {.n = 0};
    bool is_over = false; /* after `--` */
    for (int i = 0; i < argc; i++) {
        struct str rest = str_of(argv[i]);
        int r;
        if (!is_over && str_is(rest, "--")) {
            is_over = true;
            continue;
        }
        if (is_over || !str_starts_with(rest, STR_LIT("--"))) {
            r = list_add(&words, argv[i], "words", reterr);
            if (r < 0)
                return r;
            continue;
        }
        rest = str_slice(rest, 2, rest.len);
        ptrdiff_t equals = str_find(rest, STR_LIT("="));
        struct str name = equals < 0 ? rest : str_slice(rest, 0, (size_t)equals);
        const struct option *option = option_find(tables, n_tables, name);
        if (!option)
            return unknown_option(tables, n_tables, name, reterr);
        const char *value = equals < 0 ? NULL : rest.ptr + equals + 1;
        if (option->kind == OPTION_FLAG && value)
            return err_set(reterr, ERR_INVALID, "--%s takes no value", option->name);
        if (option->kind != OPTION_FLAG && !value) {
            if (i + 1 == argc)
                return err_set(reterr, ERR_INVALID, "--%s needs a value: %s", option->name, option->value);
            value = argv[++i];
        }
        r = option_set(option, value, reterr);
        if (r < 0)
            return r;
    }
    *ret_words = words;
    return 0;
}
