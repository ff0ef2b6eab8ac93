/* SPDX-License-Identifier: Apache-2.0
 *
 * What a name means: a parameter, a column of another step, the query, a time, or a column of the row at
 * hand. One place decides, for statements, templates and conditions alike.
 */
#include "recipe/recipe_priv.h"

#include <stdio.h>

static const char *const reserved_names[] = {"query",    "tenant", "now", "today", "yesterday",
                                             "tomorrow", "it",     "not", "and"};

bool ref_name_is_reserved(struct str name)
{
    for (size_t i = 0; i < sizeof reserved_names / sizeof reserved_names[0]; i++) {
        if (str_is(name, reserved_names[i]))
            return true;
    }
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool ref_name_is_plain(struct str name)
{
    if (name.len == 0 || name.len > 64 || !is_letter(name.ptr[0]))
        return false;
    for (size_t i = 1; i < name.len; i++) {
        if (!is_letter(name.ptr[i]) && !(name.ptr[i] >= '0' && name.ptr[i] <= '9'))
            return false;
    }
    return true;
}

size_t ref_step_find(const struct recipe *recipe, struct str name)
{
    for (size_t i = 0; i < recipe_n_steps(recipe); i++) {
        if (str_eq(recipe_step_at(recipe, i)->name, name))
            return i;
    }
    return SIZE_MAX;
}

static size_t param_find(const struct recipe *recipe, struct str name)
{
    for (size_t i = 0; i < recipe->n_params; i++) {
        if (str_eq(recipe->params[i].name, name))
            return i;
    }
    return SIZE_MAX;
}

void append_nearest(struct buf *buf, struct str name, const char *const *names, size_t n)
{
    const char *nearest = str_nearest(name, names, n);

    if (nearest)
        buf_printf(buf, "; did you mean '%s'?", nearest);
}

static void need_step(const struct names *names, size_t idx)
{
    if (names->needs && idx < RECIPE_MAX_STEPS)
        *names->needs |= UINT64_C(1) << idx;
}

void ref_need_zone(const struct names *names)
{
    const struct recipe_ref *zone = &names->recipe->zone;

    if (zone->kind == REF_STEP)
        need_step(names, zone->idx);
}

/* "- 1h" after a time. */
static int parse_offset(struct str text, int64_t *ret_offset_us, struct err_info *reterr)
{
    struct str rest = str_trim(text);
    int64_t offset_us;
    bool is_minus;

    if (rest.len == 0) {
        *ret_offset_us = 0;
        return 0;
    }
    is_minus = rest.ptr[0] == '-';
    if (!is_minus && rest.ptr[0] != '+')
        return err_set(reterr, ERR_INVALID, "after now and today only + or - and a duration may follow");
    rest = str_trim(str_slice(rest, 1, SIZE_MAX));
    if (str_to_duration_us(rest, &offset_us) < 0)
        return err_set(reterr, ERR_INVALID,
                       "'%.*s' is no duration: write a number with ms, s, m, h, d or w, such as 1h",
                       STR_ARG(rest));
    *ret_offset_us = is_minus ? -offset_us : offset_us;
    return 0;
}

/* "weekday" after "now.". */
static int parse_part(struct str word, struct str text, struct recipe_ref *ref, struct err_info *reterr)
{
    static const char *const names[] = {
        [TIME_DATE] = "date", [TIME_CLOCK] = "time", [TIME_WEEKDAY] = "weekday"};

    for (size_t i = TIME_DATE; i <= TIME_WEEKDAY; i++) {
        if (!str_is(text, names[i]))
            continue;
        if (i == TIME_CLOCK && ref->kind == REF_DAY)
            return err_set(reterr, ERR_INVALID, "%.*s begins at midnight: only now has a time",
                           STR_ARG(word));
        ref->part = (enum recipe_time_part)i;
        return 0;
    }
    return err_set(reterr, ERR_INVALID, "%.*s has no '%.*s': it has %sdate and weekday", STR_ARG(word),
                   STR_ARG(text), ref->kind == REF_NOW ? "time, " : "");
}

struct time_word {
    struct str word;
    enum recipe_ref_kind kind;
    int days;
};
static const struct time_word time_words[] = {{STR_LIT("now"), REF_NOW, 0},
                                              {STR_LIT("today"), REF_DAY, 0},
                                              {STR_LIT("yesterday"), REF_DAY, -1},
                                              {STR_LIT("tomorrow"), REF_DAY, 1}};
#define N_TIME_WORDS (sizeof time_words / sizeof time_words[0])

bool ref_is_time_word(struct str text)
{
    for (size_t i = 0; i < N_TIME_WORDS; i++) {
        if (str_eq(text, time_words[i].word))
            return true;
    }
    return false;
}

/* "now", "today", "yesterday" and "tomorrow" with what follows them; 1 when the text starts with none. */
static int resolve_time(const struct names *names, struct str text, struct recipe_ref *ret_ref,
                        struct err_info *reterr)
{
    for (size_t i = 0; i < N_TIME_WORDS; i++) {
        const struct time_word *word = &time_words[i];
        struct str rest = str_slice(text, word->word.len, SIZE_MAX);
        struct recipe_ref ref = {.kind = word->kind, .days = word->days};
        int r;

        if (!str_starts_with(text, word->word) || (rest.len > 0 && !memchr(" +-.", rest.ptr[0], 4)))
            continue;
        r = rest.len > 0 && rest.ptr[0] == '.'
                ? parse_part(word->word, str_slice(rest, 1, SIZE_MAX), &ref, reterr)
                : parse_offset(rest, &ref.offset_us, reterr);
        if (r < 0)
            return r;
        if (ref.kind == REF_DAY || ref.part != TIME_INSTANT)
            ref_need_zone(names);
        *ret_ref = ref;
        return 0;
    }
    return 1;
}

/* "query" and what is made of it; 1 when the text is something else. */
static int resolve_query(const struct names *names, struct str text, struct recipe_ref *ret_ref,
                         struct err_info *reterr)
{
    if (str_is(text, "query")) {
        *ret_ref = (struct recipe_ref){.kind = REF_QUERY};
        return 0;
    }
    if (!str_starts_with(text, STR_LIT("query.")))
        return 1;
    if (!str_is(text, "query.embedding"))
        return err_set(reterr, ERR_INVALID, "the query has no '%.*s': it has embedding",
                       STR_ARG(str_slice(text, strlen("query."), SIZE_MAX)));
    if (names->has_query_vector)
        *names->has_query_vector = true;
    *ret_ref = (struct recipe_ref){.kind = REF_QUERY_VECTOR};
    return 0;
}

static int complain_unknown(const struct names *names, struct str name, struct err_info *reterr)
{
    const char *known[RECIPE_MAX_PARAMS + RECIPE_MAX_STEPS + 7] = {
        "query", "now", "today", "yesterday", "tomorrow", "user_id", "tenant"};
    char texts[RECIPE_MAX_PARAMS + RECIPE_MAX_STEPS][72];
    size_t n = 7;
    size_t n_texts = 0;
    const char *nearest;

    for (size_t i = 0; i < names->recipe->n_params && n_texts < RECIPE_MAX_PARAMS; i++, n_texts++)
        (void)snprintf(texts[n_texts], sizeof texts[0], "%.*s", STR_ARG(names->recipe->params[i].name));
    for (size_t i = 0; i < recipe_n_steps(names->recipe) && i < RECIPE_MAX_STEPS; i++, n_texts++)
        (void)snprintf(texts[n_texts], sizeof texts[0], "%.*s",
                       STR_ARG(recipe_step_at(names->recipe, i)->name));
    for (size_t i = 0; i < n_texts; i++)
        known[n++] = texts[i];
    nearest = str_nearest(name, known, n);
    return err_set(reterr, ERR_INVALID, "unknown name '%.*s'%s%s%s", STR_ARG(name),
                   nearest ? "; did you mean '" : ": it is no parameter, resolve or section",
                   nearest ? nearest : "", nearest ? "'?" : "");
}

/* A name of the request: parameter, step.column, query, now, today, user_id, tenant. */
static int resolve_request(const struct names *names, struct str text, struct recipe_ref *ret_ref,
                           struct err_info *reterr)
{
    const char *dot = text.len ? memchr(text.ptr, '.', text.len) : NULL;
    struct str head = dot ? str_make(text.ptr, (size_t)(dot - text.ptr)) : text;
    bool is_list = head.len > 2 && str_is(str_slice(head, head.len - 2, 2), "[]");
    struct str column = dot ? str_slice(text, head.len + 1, SIZE_MAX) : str_make(NULL, 0);
    int r = resolve_time(names, text, ret_ref, reterr);
    size_t idx;

    if (r <= 0)
        return r;
    r = resolve_query(names, text, ret_ref, reterr);
    if (r <= 0)
        return r;
    if (is_list)
        head.len -= 2;
    idx = param_find(names->recipe, head);
    if (idx != SIZE_MAX) {
        if (dot)
            return err_set(reterr, ERR_INVALID, "'%.*s' is a parameter and has no columns", STR_ARG(head));
        *ret_ref = (struct recipe_ref){.kind = REF_PARAM, .idx = idx};
        return 0;
    }
    idx = ref_step_find(names->recipe, head);
    if (idx != SIZE_MAX) {
        if (column.len == 0)
            return err_set(reterr, ERR_INVALID, "'%.*s' is a step: name one of its columns, such as %.*s.id",
                           STR_ARG(head), STR_ARG(head));
        need_step(names, idx);
        *ret_ref = (struct recipe_ref){.kind = REF_STEP, .idx = idx, .column = column, .is_list = is_list};
        return 0;
    }
    if (str_is(text, "user_id")) {
        *ret_ref = (struct recipe_ref){.kind = REF_USER};
        return 0;
    }
    if (str_is(text, "tenant")) {
        *ret_ref = (struct recipe_ref){.kind = REF_TENANT};
        return 0;
    }
    return complain_unknown(names, head, reterr);
}

/* In a row a name is a column, unless what stands before its dot is another step. */
static bool is_column(const struct names *names, struct str text)
{
    const char *dot = memchr(text.ptr, '.', text.len);
    size_t n_head;
    size_t idx;

    if (names->mode != NAMES_ROW)
        return false;
    if (!dot)
        return true;
    n_head = (size_t)(dot - text.ptr);
    if (n_head > 2 && memcmp(dot - 2, "[]", 2) == 0)
        n_head -= 2;
    idx = ref_step_find(names->recipe, str_make(text.ptr, n_head));
    return idx == SIZE_MAX || idx == names->self;
}

int ref_resolve(const struct names *names, struct str text, struct recipe_ref *ret_ref,
                struct err_info *reterr)
{
    struct str name = str_trim(text);
    bool is_explicit = name.len > 0 && name.ptr[0] == ':';
    int r;

    if (is_explicit)
        name = str_slice(name, 1, SIZE_MAX);
    if (name.len == 0)
        return err_set(reterr, ERR_INVALID, "a name is missing");
    if (!is_explicit && is_column(names, name)) {
        *ret_ref = (struct recipe_ref){.kind = REF_FIELD, .column = name};
        return 0;
    }
    r = resolve_request(names, name, ret_ref, reterr);
    if (r < 0 && names->is_loop && !is_explicit && names->mode == NAMES_REQUEST) {
        *ret_ref = (struct recipe_ref){.kind = REF_FIELD, .column = name};
        return 0;
    }
    return r;
}
