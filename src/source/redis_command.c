/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings of a section on Redis, and the command they become. Every command here reads, is bounded by the
 * section's limit or by bytes, and has its values as arguments of their own.
 */
#include "source/redis_priv.h"

#include "core/civil.h"
#include "core/clock.h"

#include <stdio.h>

enum {
    SET_KEY,
    SET_TYPE,
    SET_ENTRIES,
    SET_NEWEST_FIRST,
    SET_FIELDS,
    SET_SCORES,
    SET_MIN,
    SET_MAX,
    SET_LAST,
};

const struct source_setting redis_settings[] = {
    [SET_KEY] = {"key", SETTING_TEXT, true, NULL, 0, 0, "the key: user:{user_id}:recent"},
    [SET_TYPE] = {"type", SETTING_TEXT, true, NULL, 0, 0,
                  "list, hash, string, sorted_set, stream, or json: a string with JSON in it"},
    [SET_ENTRIES] = {"entries", SETTING_TEXT, false, "auto", 0, 0,
                     "of a list or sorted set: auto (what begins like JSON is), json (objects only), text"},
    [SET_NEWEST_FIRST] = {"newest_first", SETTING_BOOL, false, "true", 0, 0,
                          "of a list: filled with LPUSH; false: with RPUSH"},
    [SET_FIELDS] = {"fields", SETTING_LIST, false, NULL, 0, 0, "of a hash: only these"},
    [SET_SCORES] = {"scores", SETTING_TEXT, false, "number", 0, 0,
                    "of a sorted set: number (best first), or seconds, milliseconds since 1970"},
    [SET_MIN] = {"min", SETTING_TEXT, false, NULL, 0, 0,
                 "the least score or stream id; a time where scores are times"},
    [SET_MAX] = {"max", SETTING_TEXT, false, NULL, 0, 0, "the greatest; as min"},
    [SET_LAST] = {"last", SETTING_DURATION, false, NULL, 0, 0,
                  "of a stream, or scores that are times: no older than this"},
    {NULL},
};

static const char *const types[] = {"list", "hash", "string", "sorted_set", "stream", "json", NULL};
static const char *const entries[] = {"auto", "json", "text", NULL};
static const char *const scores[] = {"number", "seconds", "milliseconds", NULL};
static const int64_t score_units[] = {0, US_PER_SEC, US_PER_MS};

const char *redis_type_name(enum redis_type type)
{
    return types[type];
}

static int choose(struct str word, const char *const *names, const char *setting, int *ret_choice,
                  struct err_info *reterr)
{
    int n = 0;
    for (; names[n]; n++)
        if (str_is(word, names[n])) {
            *ret_choice = n;
            return 0;
        }
    const char *nearest = str_nearest(word, names, (size_t)n);
    return err_set_field(reterr, ERR_INVALID, setting, "%s: there is no '%.*s'%s%s%s", setting, STR_ARG(word),
                         nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

/* A bound as written, or a time in the unit that its place counts in. unit_us 0: no time there. */
static int read_bound(const struct value *setting, int64_t unit_us, struct str fallback, struct arena *arena,
                      struct str *ret_bound, struct err_info *reterr)
{
    struct str text = str_trim(setting_text(setting));
    int64_t time_us;

    *ret_bound = text.len > 0 ? text : fallback;
    if (unit_us > 0 && text.len > 0 && civil_parse(text, &time_us, NULL) == 0)
        *ret_bound = arena_printf(arena, "%lld", (long long)(time_us / unit_us));
    if (ret_bound->len > 64)
        return err_set(reterr, ERR_INVALID, "a bound of more than 64 characters is no score, id or time");
    return arena_error(arena) ? err_set(reterr, arena_error(arena), "out of memory") : 0;
}

/* Both bounds, `last` included. */
static int read_bounds(const struct source_request *request, int64_t unit_us, const char *const ends[2],
                       struct arena *arena, struct str ret_bounds[2], struct err_info *reterr)
{
    const struct value *settings = request->settings;
    int res = read_bound(&settings[SET_MIN], unit_us, str_of(ends[0]), arena, &ret_bounds[0], reterr);
    if (res == 0)
        res = read_bound(&settings[SET_MAX], unit_us, str_of(ends[1]), arena, &ret_bounds[1], reterr);
    if (res < 0 || settings[SET_LAST].type != VALUE_INT)
        return res;
    if (unit_us == 0)
        return err_set(reterr, ERR_INVALID,
                       "last: needs scores that are times; say `scores: seconds` or `milliseconds`");
    if (settings[SET_MIN].type != VALUE_NULL)
        return err_set(reterr, ERR_INVALID, "last and min say the same: give one of them");
    ret_bounds[0] =
        arena_printf(arena, "%lld", (long long)((request->now_us - settings[SET_LAST].integer) / unit_us));
    return arena_error(arena) ? err_set(reterr, arena_error(arena), "out of memory") : 0;
}

static void write_list(const struct redis_question *question, struct str key, struct buf *command)
{
    char first[32] = "0", last[32] = "-1";
    /* One more than is wanted tells whether there are more. */
    if (question->is_newest_first)
        (void)snprintf(last, sizeof last, "%zu", question->max_rows);
    else
        (void)snprintf(first, sizeof first, "-%zu", question->max_rows + 1);
    resp_append_command(command, (struct str[]){STR_LIT("LRANGE"), key, str_of(first), str_of(last)}, 4);
}

static int write_hash(const struct source_request *request, struct redis_question *question, struct str key,
                      struct arena *arena, struct buf *command, struct err_info *reterr)
{
    char count[32];
    int res =
        setting_list(&request->settings[SET_FIELDS], arena, &question->fields, &question->n_fields, reterr);
    if (res < 0)
        return res;
    if (question->n_fields > REDIS_MAX_FIELDS)
        return err_set(reterr, ERR_LIMIT, "fields: at most %d", REDIS_MAX_FIELDS);
    if (question->n_fields == 0) { /* unlike HGETALL it does not bring a million fields along */
        (void)snprintf(count, sizeof count, "%d", REDIS_MAX_FIELDS);
        resp_append_command(
            command, (struct str[]){STR_LIT("HSCAN"), key, STR_LIT("0"), STR_LIT("COUNT"), str_of(count)}, 5);
        return 0;
    }
    struct str *args = arena_calloc(arena, question->n_fields + 2, sizeof *args);
    if (!args)
        return err_set(reterr, arena_error(arena), "out of memory");
    args[0] = STR_LIT("HMGET");
    args[1] = key;
    memcpy(args + 2, question->fields, question->n_fields * sizeof *args);
    resp_append_command(command, args, question->n_fields + 2);
    return 0;
}

static void write_string(struct str key, struct buf *command)
{
    char last[32];
    (void)snprintf(last, sizeof last, "%d", REDIS_MAX_STRING); /* one byte more than is wanted */
    resp_append_command(command, (struct str[]){STR_LIT("GETRANGE"), key, STR_LIT("0"), str_of(last)}, 4);
}

static int write_sorted_set(const struct source_request *request, struct redis_question *question,
                            struct str key, struct arena *arena, struct buf *command, struct err_info *reterr)
{
    static const char *const ends[2] = {"-inf", "+inf"};
    struct str bounds[2];
    char count[32];
    int unit = 0;

    int res = choose(setting_text(&request->settings[SET_SCORES]), scores, "scores", &unit, reterr);
    question->us_per_score = score_units[unit];
    if (res == 0)
        res = read_bounds(request, question->us_per_score, ends, arena, bounds, reterr);
    if (res < 0)
        return res;
    (void)snprintf(count, sizeof count, "%zu", question->max_rows + 1);
    resp_append_command(command,
                        (struct str[]){STR_LIT("ZREVRANGEBYSCORE"), key, bounds[1], bounds[0],
                                       STR_LIT("WITHSCORES"), STR_LIT("LIMIT"), STR_LIT("0"), str_of(count)},
                        8);
    return 0;
}

static int write_stream(const struct source_request *request, const struct redis_question *question,
                        struct str key, struct arena *arena, struct buf *command, struct err_info *reterr)
{
    static const char *const ends[2] = {"-", "+"};
    struct str bounds[2];
    char count[32];

    int res = read_bounds(request, US_PER_MS, ends, arena, bounds, reterr);
    if (res < 0)
        return res;
    (void)snprintf(count, sizeof count, "%zu", question->max_rows + 1);
    resp_append_command(
        command,
        (struct str[]){STR_LIT("XREVRANGE"), key, bounds[1], bounds[0], STR_LIT("COUNT"), str_of(count)}, 6);
    return 0;
}

int redis_write_command(const struct source_request *request, struct arena *arena,
                        struct redis_question *ret_question, struct buf *command, struct err_info *reterr)
{
    const struct value *settings = request->settings;
    struct str key = setting_text(&settings[SET_KEY]);
    struct redis_question question = {.max_rows = request->max_rows};
    int type = 0, kind = 0;

    int res = choose(setting_text(&settings[SET_TYPE]), types, "type", &type, reterr);
    if (res == 0)
        res = choose(setting_text(&settings[SET_ENTRIES]), entries, "entries", &kind, reterr);
    if (res < 0)
        return res;
    if (key.len == 0)
        return err_set_field(reterr, ERR_INVALID, "key", "key: is empty");
    question.type = (enum redis_type)type;
    question.entries = (enum redis_entries)kind;
    question.is_newest_first =
        settings[SET_NEWEST_FIRST].type != VALUE_BOOL || settings[SET_NEWEST_FIRST].boolean;
    switch (question.type) {
    case REDIS_LIST:
        write_list(&question, key, command);
        break;
    case REDIS_HASH:
        res = write_hash(request, &question, key, arena, command, reterr);
        break;
    case REDIS_STRING:
    case REDIS_JSON:
        write_string(key, command);
        break;
    case REDIS_SORTED_SET:
        res = write_sorted_set(request, &question, key, arena, command, reterr);
        break;
    case REDIS_STREAM:
        res = write_stream(request, &question, key, arena, command, reterr);
        break;
    }
    if (res == 0 && buf_error(command))
        res = err_set(reterr, buf_error(command), "the question is too long");
    *ret_question = question;
    return res;
}
