/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind `memory`: what the user told us to keep, found by meaning or, when nothing is asked, the newest first.
 * The index answers on the spot where it is up to date; all else runs on a worker and may read the store.
 */
#include "source/source_priv.h"

#include "core/json.h"

#include <math.h>

#define PAGE_ITEMS  100 /* read at once when the newest are wanted */
#define MAX_PAGES   20  /* a filter that matches almost nothing must not read a whole store */
#define MAX_SCRATCH (4 * SOURCE_MAX_RESULT_BYTES)

enum { SET_QUERY, SET_SOURCE, SET_TAGS, SET_MIN_SCORE, SET_SINCE, SET_UNTIL };

static const struct source_setting settings[] = {
    [SET_QUERY] = {"query", SETTING_TEXT, false, "{query}", 0, 0,
                   "what to look for; when it is empty the newest items come"},
    [SET_SOURCE] = {"source", SETTING_TEXT, false, NULL, 0, 0, "only items of this source"},
    [SET_TAGS] = {"tags", SETTING_LIST, false, NULL, 0, 0, "only items with all of these tags"},
    [SET_MIN_SCORE] = {"min_score", SETTING_REAL, false, NULL, 0, 0, "leave out what scores below, 0 to 1"},
    [SET_SINCE] = {"since", SETTING_DURATION, false, NULL, 0, 0, "not older than this: 30d"},
    [SET_UNTIL] = {"until", SETTING_DURATION, false, NULL, 0, 0, "older than this"},
    {NULL},
};

static const char *const columns[] = {"id",   "content",    "score",    "source",
                                      "tags", "created_at", "metadata", "importance"};
#define N_COLUMNS (sizeof columns / sizeof columns[0])

/* ---- one item ---- */

static struct value text_or_null(struct arena *arena, struct str text)
{
    return str_is_empty(text) ? value_null() : value_text(arena_copy(arena, text));
}

static struct value tags_json(struct arena *arena, const struct knowledge *item)
{
    struct value value = value_null();
    struct json_writer writer;
    struct buf buf;

    if (item->n_tags == 0)
        return value_json(STR_LIT("[]"));
    buf_init(&buf, SOURCE_MAX_RESULT_BYTES);
    json_writer_init(&writer, &buf);
    json_open_array(&writer);
    for (size_t i = 0; i < item->n_tags; i++)
        json_put_text(&writer, item->tags[i]);
    json_close_array(&writer);
    if (!buf_error(&buf))
        value = value_json(arena_copy(arena, buf_str(&buf)));
    else if (!arena->err)
        arena->err = buf_error(&buf);
    buf_done(&buf);
    return value;
}

/* Copies the item into the result's next row: the item lives in scratch memory. */
static int add_item(struct source_result *result, struct value *values, const struct knowledge *item)
{
    struct arena *arena = &result->arena;
    struct source_row *row = &result->rows[result->n_rows];

    row->id = arena_copy(arena, item->id);
    row->score = item->score;
    row->time_us = item->created_us;
    if (!isnan(item->score))
        row->score_parts = search_copy_parts(item->score_parts, arena);
    values[0] = value_text(row->id);
    values[1] = value_text(arena_copy(arena, item->content));
    values[2] = isnan(item->score) ? value_null() : value_real(item->score);
    values[3] = text_or_null(arena, item->source);
    values[4] = tags_json(arena, item);
    values[5] = value_time(item->created_us);
    values[6] = str_is_empty(item->metadata) ? value_null() : value_json(arena_copy(arena, item->metadata));
    values[7] = value_real(item->importance);
    if (!arena_error(arena))
        result->n_rows++;
    return arena_error(arena);
}

/* ---- asking ---- */

struct asking {
    struct memory *memory;
    const struct source_request *request;
    struct net_job *job;
    struct knowledge_query query;
    struct source_result *result;
    struct value *values; /* of the result's rows */
};

static int add_items(struct asking *asking, const struct knowledge *items, size_t n, struct err_info *reterr)
{
    struct source_result *result = asking->result;

    for (size_t i = 0; i < n; i++) {
        int res = add_item(result, &asking->values[result->n_rows * N_COLUMNS], &items[i]);
        if (res == ERR_LIMIT) { /* what has been read stands */
            result->arena.err = 0;
            result->is_truncated = true;
            return 1;
        }
        if (res < 0)
            return result_error(result, reterr);
    }
    return 0;
}

/* 1: that would have to wait, and must not; nothing was added. */
static int search(struct asking *asking, struct arena *scratch, struct err_info *reterr)
{
    struct knowledge *items = NULL;
    const char *degraded = NULL;
    size_t n = 0;

    int res = knowledge_search(asking->memory, &asking->request->scope, &asking->query, scratch, &items, &n,
                               &degraded, reterr);
    if (res != 0)
        return res;
    res = add_items(asking, items, n, reterr);
    if (res < 0)
        return res;
    if (!degraded)
        return 0;
    asking->result->degraded = arena_copy(&asking->result->arena, str_of(degraded));
    return asking->result->degraded.ptr ? 0 : result_error(asking->result, reterr);
}

static bool has_tag(const struct knowledge *item, struct str tag)
{
    for (size_t i = 0; i < item->n_tags; i++) {
        if (str_eq(item->tags[i], tag))
            return true;
    }
    return false;
}

static bool matches(const struct knowledge_query *query, const struct knowledge *item)
{
    if (!str_is_empty(query->source) && !str_eq(query->source, item->source))
        return false;
    for (size_t i = 0; i < query->n_tags; i++) {
        if (!has_tag(item, query->tags[i]))
            return false;
    }
    return item->created_us >= query->since_us && item->created_us < query->until_us;
}

/* Page by page, as the list itself knows no filter. */
static int list_newest(struct asking *asking, struct arena *scratch, struct err_info *reterr)
{
    char cursor[256] = ""; /* outlives the scratch memory of its page */
    size_t cursor_len = 0;
    bool is_end = false;

    for (int page = 0; page < MAX_PAGES && !is_end && !net_job_is_cancelled(asking->job); page++) {
        struct knowledge *items = NULL;
        struct str next = {NULL, 0};
        size_t n = 0;

        int res = knowledge_list(asking->memory, &asking->request->scope, PAGE_ITEMS,
                                 str_make(cursor, cursor_len), scratch, &items, &n, &next, reterr);
        for (size_t i = 0; res == 0 && i < n && asking->result->n_rows < asking->query.limit; i++) {
            items[i].score = NAN;
            if (matches(&asking->query, &items[i]))
                res = add_items(asking, &items[i], 1, reterr);
            if (items[i].created_us < asking->query.since_us)
                is_end = true; /* newest first: all that follow are older still */
        }
        if (res != 0)
            return res;
        if (str_is_empty(next) || next.len > sizeof cursor || asking->result->n_rows == asking->query.limit)
            break;
        memcpy(cursor, next.ptr, next.len);
        cursor_len = next.len;
        arena_reset(scratch);
    }
    return 0;
}

static int read_query(struct asking *asking, struct arena *arena, struct err_info *reterr)
{
    const struct source_request *request = asking->request;
    const struct value *values = request->settings;
    struct knowledge_query *query = &asking->query;
    struct str *tags = NULL;

    *query = (struct knowledge_query){
        .query = str_trim(setting_text(&values[SET_QUERY])),
        .limit = request->max_rows,
        .room_bytes = request->room_bytes,
        .is_distinct = request->is_distinct,
        .source = setting_text(&values[SET_SOURCE]),
        .since_us = INT64_MIN,
        .until_us = INT64_MAX,
        .mode = SEARCH_HYBRID,
        .deadline_us = request->deadline_us,
        .job = asking->job,
    };
    if (values[SET_MIN_SCORE].type == VALUE_REAL)
        query->min_score = values[SET_MIN_SCORE].real;
    else if (values[SET_MIN_SCORE].type == VALUE_INT)
        query->min_score = (double)values[SET_MIN_SCORE].integer;
    if (values[SET_SINCE].type == VALUE_INT)
        query->since_us = request->now_us - values[SET_SINCE].integer;
    if (values[SET_UNTIL].type == VALUE_INT)
        query->until_us = request->now_us - values[SET_UNTIL].integer;
    int res = setting_list(&values[SET_TAGS], arena, &tags, &query->n_tags, reterr);
    query->tags = tags;
    return res;
}

static int ask(struct asking *asking, bool is_now, struct err_info *reterr)
{
    const struct source_request *request = asking->request;
    struct source_result *result = asking->result;
    struct arena scratch;

    arena_init(&scratch, MAX_SCRATCH);
    int res = read_query(asking, &result->arena, reterr);
    asking->query.is_now = is_now;
    if (res == 0)
        res = result_set_columns(result, columns, N_COLUMNS, reterr);
    if (res == 0)
        res = result_make_rows(result, request->max_rows, &asking->values, reterr);
    if (res < 0 || request->max_rows == 0)
        goto done;
    if (!str_is_empty(asking->query.query))
        res = search(asking, &scratch, reterr);
    else
        res = is_now ? 1 : list_newest(asking, &scratch, reterr);
done:
    arena_done(&scratch);
    return res;
}

static int on_now(const struct source_env *env, void *state, const struct source_request *request,
                  struct source_result *result, struct err_info *reterr)
{
    struct asking asking = {.memory = env->memory, .request = request, .result = result};

    (void)state;
    return ask(&asking, true, reterr);
}

static int on_run(const struct source_env *env, void *state, const struct source_request *request,
                  struct net_job *job, struct source_result *result, struct err_info *reterr)
{
    struct asking asking = {.memory = env->memory, .request = request, .job = job, .result = result};

    (void)state;
    int res = ask(&asking, false, reterr);
    return res < 0 ? res : 0;
}

const struct source_ops source_memory = {
    .kind = "memory",
    .settings = settings,
    .item = "- {content}",
    .stops_when_full = true,
    .on_now = on_now,
    .on_run = on_run,
};
