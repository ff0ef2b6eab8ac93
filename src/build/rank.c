/* SPDX-License-Identifier: Apache-2.0
 *
 * rank: rows become items. The source's own order (best or newest first) stands; what is noise, said already
 * or beyond the section's limit is marked, with its reason, and does not go on to fit.
 */
#include "build/build_priv.h"

#include "core/civil.h"
#include "core/reach.h"
#include "core/utf8.h"
#include "text/redact.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#define SCRATCH_KEPT_BYTES                                                                                   \
    ((size_t)256 * 1024) /* emptying it for every small item would cost an allocation each */

/* Where an item is being made. */
struct maker {
    struct build *build;
    struct build_section *section;
    const struct source_result *result;
    struct dedup *dedup;
    struct arena scratch; /* for one item at a time */
    struct buf buf;
    int err; /* the first that a buffer met: clearing one forgets it */
    size_t n_taken;
    struct str raw_group, group; /* the last line of a group, as it was and without its secrets */
};

static void latch(struct maker *maker, const struct buf *buf)
{
    if (!maker->err)
        maker->err = buf_error(buf);
}

static struct str keep_text(struct maker *maker, struct str text)
{
    latch(maker, &maker->buf);
    return arena_copy(&maker->build->arena, text);
}

/* ---- what a row says of itself ---- */

/* Numbers are read as Unix time in the unit that makes them a date of our days: seconds, milliseconds or
 * microseconds. */
static int64_t time_of_number(int64_t number)
{
    if (number < INT64_C(100000000000) && number > -INT64_C(100000000000))
        return number * US_PER_SEC;
    if (number < INT64_C(100000000000000) && number > -INT64_C(100000000000000))
        return number * US_PER_MS;
    return number;
}

static int64_t row_time(const struct maker *maker, const struct source_row *row, struct arena *arena)
{
    struct str column = maker->section->plan->time_column;
    int64_t time_us;
    if (str_is_empty(column))
        return row->time_us;
    struct value value = build_column_value(maker->result, row, column, arena);
    switch (value.type) {
    case VALUE_TIME:
        return value.time_us;
    case VALUE_INT:
        return time_of_number(value.integer);
    case VALUE_REAL:
        if (fabs(value.real) > 9e12)
            return INT64_MIN;
        return time_of_number((int64_t)value.real);
    case VALUE_TEXT:
        return civil_parse(value.text, &time_us, NULL) == 0 ? time_us : INT64_MIN;
    default:
        return row->time_us;
    }
}

/* The recipe's column, else the source's own name for the row, else a column "id", else its place. */
static struct str row_id(struct maker *maker, const struct source_row *row, size_t place)
{
    struct arena *arena = &maker->build->arena;
    struct str column = maker->section->plan->id_column;
    if (str_is_empty(column) && !str_is_empty(row->id))
        return arena_copy(arena, row->id);
    if (str_is_empty(column))
        column = STR_LIT("id");
    buf_clear(&maker->buf);
    value_print(build_column_value(maker->result, row, column, &maker->scratch), &maker->buf);
    if (maker->buf.len > 0 || buf_error(&maker->buf))
        return keep_text(maker, buf_str(&maker->buf));
    return arena_printf(arena, "%zu", place + 1);
}

/* The recipe's column, held between 0 and 1; what is no number is not known. Else the source's own. */
static double row_score(const struct maker *maker, const struct source_row *row, struct arena *arena)
{
    struct str column = maker->section->plan->score_column;
    double score = NAN;
    if (str_is_empty(column))
        return row->score;
    struct value value = build_column_value(maker->result, row, column, arena);
    if (value.type == VALUE_REAL)
        score = value.real;
    else if (value.type == VALUE_INT)
        score = (double)value.integer;
    else if (value.type == VALUE_DECIMAL || value.type == VALUE_TEXT)
        (void)str_to_real(value.text, &score); /* else it stays unknown */
    if (isnan(score))
        return NAN;
    return score < 0 ? 0 : score > 1 ? 1 : score;
}

/* ---- a row as text ---- */

/* Without a template: "- value", or "- column: value, column: value" leaving out what is empty. */
static void print_plain(struct maker *maker, const struct source_row *row, struct buf *buf)
{
    bool is_first = true;
    for (size_t i = 0; i < maker->result->n_columns; i++) {
        struct buf text;
        if (value_is_empty(row->values[i]))
            continue;
        buf_append_text(buf, is_first ? "- " : ", ");
        if (maker->result->n_columns > 1) {
            guard_append(buf, maker->result->columns[i], false);
            buf_append_text(buf, ": ");
        }
        buf_init(&text, SOURCE_MAX_RESULT_BYTES);
        value_print(row->values[i], &text);
        guard_append(buf, buf_str(&text), false);
        latch(maker, &text);
        buf_done(&text);
        is_first = false;
    }
}

static struct str trim_lines(struct str text)
{
    while (text.len > 0 && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == ' '))
        text.len--;
    while (text.len > 0 && text.ptr[0] == '\n')
        text = str_slice(text, 1, text.len);
    return text;
}

static struct template_scope scope_of(struct build_names *names)
{
    return (struct template_scope){
        .lookup = build_names_lookup,
        .owner = names,
        .zone = names->build->zone,
        .now_us = names->build->now_us,
        .guard = guard_append,
    };
}

/* What is printed of a row, without its secrets where the recipe wants that. */
static struct str keep_redacted(struct maker *maker, struct str text)
{
    struct build *build = maker->build;
    if (!maker->section->plan->is_redacted)
        return keep_text(maker, text);
    latch(maker, &maker->buf);
    return secrets_take_out(build->engine ? build->engine->secrets : NULL, text, &build->arena);
}

static struct str print_item(struct maker *maker, struct build_names *names)
{
    const struct template *template = maker->section->plan->item;
    buf_clear(&maker->buf);
    if (template) {
        struct template_scope scope = scope_of(names);
        template_render(template, &scope, &maker->scratch, &maker->buf);
    } else {
        print_plain(maker, names->row, &maker->buf);
    }
    return keep_redacted(maker, trim_lines(buf_str(&maker->buf)));
}

/* In JSON a text is only text. */
static void append_clean(struct buf *buf, struct str text, bool is_line_start)
{
    (void)is_line_start;
    utf8_append_clean(buf, text);
}

/* Its lines as one, without the blanks around each. */
static struct str join_lines(struct maker *maker, struct str text)
{
    struct str part;
    struct buf line;
    text = str_trim(text);
    if (str_find(text, STR_LIT("\n")) < 0)
        return text;
    buf_init(&line, text.len);
    while (str_next_part(&text, '\n', &part)) {
        part = str_trim(part);
        if (line.len > 0 && part.len > 0)
            buf_append_byte(&line, ' ');
        buf_append_str(&line, part);
    }
    return buf_into_arena(&line, &maker->scratch);
}

/* On one line, so that it can be neither a heading nor an item: a value that runs over several is joined. */
static struct str print_group(struct maker *maker, struct build_names *names)
{
    const struct template *template = maker->section->plan->group;
    if (!template)
        return STR_LIT("");
    struct template_scope scope = scope_of(names);
    if (maker->build->request->format == FORMAT_JSON)
        scope.guard = append_clean;
    buf_clear(&maker->buf);
    template_render(template, &scope, &maker->scratch, &maker->buf);
    struct str line = join_lines(maker, buf_str(&maker->buf));
    latch(maker, &maker->buf);
    /* Rows of one group follow each other. */
    if (!str_eq(line, maker->raw_group)) {
        maker->raw_group = arena_copy(&maker->build->arena, line);
        maker->group = keep_redacted(maker, line);
    }
    return maker->group;
}

static bool has_column(const struct maker *maker, const char *name)
{
    for (size_t i = 0; i < maker->result->n_columns; i++)
        if (str_is(maker->result->columns[i], name))
            return true;
    return false;
}

/* "2026-11-21 05:37:01", which is how databases without a type for times keep them, in UTC: a time like any
 * other, so that a reader of JSON gets the same from each kind of database. */
static struct value read_sql_time(struct value value)
{
    static const char form[] = "dddd-dd-dd dd:dd:dd";
    int64_t time_us;
    if (value.type != VALUE_TEXT || value.text.len != strlen(form))
        return value;
    for (size_t i = 0; i < strlen(form); i++)
        if (form[i] == 'd' ? !isdigit((unsigned char)value.text.ptr[i]) : value.text.ptr[i] != form[i])
            return value;
    return civil_parse(value.text, &time_us, NULL) == 0 ? value_time(time_us) : value;
}

static void put_column(struct maker *maker, struct json_writer *writer, struct str name, struct value value)
{
    struct buf text;
    buf_init(&text, SOURCE_MAX_RESULT_BYTES);
    json_put_name_str(writer, name);
    value = read_sql_time(value);
    if (value.type == VALUE_TEXT) {
        utf8_append_clean(&text, value.text);
        json_put_text(writer, buf_str(&text));
    } else if (value.type == VALUE_JSON) {
        utf8_append_clean(&text, value.text);
        json_put_raw(writer, buf_str(&text));
    } else {
        value_print_json(value, &text);
        json_put_raw(writer, buf_str(&text));
    }
    latch(maker, &text);
    buf_done(&text);
}

static void redact_row(struct maker *maker, struct buf *whole)
{
    struct buf clean;
    buf_init(&clean, SOURCE_MAX_RESULT_BYTES * 4);
    (void)text_redact_json(&clean, buf_str(whole));
    latch(maker, whole);
    latch(maker, &clean);
    buf_done(whole);
    *whole = clean;
}

/* The row as an object: its id, its columns, the line of its group, and that it is old. */
static struct str print_json(struct maker *maker, const struct build_names *names, struct str group)
{
    struct buf whole;
    struct json_writer writer;
    buf_init(&whole, SOURCE_MAX_RESULT_BYTES);
    json_writer_init(&writer, &whole);
    json_open_object(&writer);
    json_put_member_text(&writer, "id", names->id);
    for (size_t i = 0; i < maker->result->n_columns; i++)
        if (!str_is(maker->result->columns[i], "id"))
            put_column(maker, &writer, maker->result->columns[i], names->row->values[i]);
    if (group.len > 0 && !has_column(maker, "group"))
        json_put_member_text(&writer, "group", group);
    if (names->is_old)
        json_put_member_bool(&writer, "is_old", true);
    json_close_object(&writer);
    if (maker->section->plan->is_redacted)
        redact_row(maker, &whole);
    buf_clear(&maker->buf);
    guard_append_json(&maker->buf, buf_str(&whole));
    latch(maker, &whole);
    buf_done(&whole);
    return keep_text(maker, buf_str(&maker->buf));
}

/* ---- which of them go on ---- */

/* By what is known without its text; ITEM_OPEN: it may go on. */
static enum item_fate judge_unread(const struct maker *maker, const struct build_item *item, bool is_noise)
{
    const struct recipe_section *plan = maker->section->plan;
    if (is_noise)
        return ITEM_BELOW_MIN_SCORE;
    if (!isnan(item->score) && item->score < plan->min_score)
        return ITEM_BELOW_MIN_SCORE;
    return maker->n_taken == plan->limit ? ITEM_OVER_LIMIT : ITEM_OPEN;
}

static enum item_fate judge(struct maker *maker, const struct build_item *item)
{
    if (maker->section->plan->is_deduplicated && dedup_is_known(maker->dedup, item->text))
        return ITEM_DUPLICATE;
    maker->n_taken++;
    return ITEM_OPEN;
}

/* What a template may ask of the row besides its columns. */
static struct build_names row_names(struct maker *maker, size_t place)
{
    const struct recipe_section *plan = maker->section->plan;
    const struct source_row *row = &maker->result->rows[place];
    struct build_names names = {.build = maker->build, .result = maker->result, .row = row};

    names.id = row_id(maker, row, place);
    names.time_us = row_time(maker, row, &maker->scratch);
    names.is_old = plan->fresh_us > 0 && names.time_us != INT64_MIN &&
                   maker->build->now_us - names.time_us > plan->fresh_us;
    return names;
}

/* The same of one that was matched, once it is known. */
static struct build_names matched_names(const struct maker *maker, const struct build_match *match)
{
    return (struct build_names){.build = maker->build,
                                .result = maker->result,
                                .row = &maker->result->rows[match->place],
                                .id = match->id,
                                .time_us = match->time_us,
                                .is_old = match->is_old};
}

/* The row's text, which may be there already. */
static struct str text_of(struct maker *maker, size_t place, struct build_names *names)
{
    struct str *texts = maker->section->texts;
    if (!texts || !texts[place].ptr)
        return print_item(maker, names);
    return texts[place];
}

/* match: what was found out about the row already; may be NULL. */
static void make_item(struct maker *maker, size_t place, const struct build_match *match)
{
    struct build_item *item = &maker->section->items[maker->section->n_items];
    struct build_names names = match ? matched_names(maker, match) : row_names(maker, place);

    item->id = names.id;
    item->time_us = names.time_us;
    item->score = match ? match->score : row_score(maker, names.row, &maker->scratch);
    item->score_parts = match ? match->parts : names.row->score_parts;
    item->tokens = -1;
    item->fate = judge_unread(maker, item, match && match->is_noise);
    /* What is left out is printed only for who wants to know what it would have cost. */
    if (match || item->fate == ITEM_OPEN || maker->build->request->wants_explain) {
        item->text = match ? match->text : text_of(maker, place, &names);
        /* A row that renders to nothing says nothing. */
        if (str_is_empty(item->text))
            return;
    }
    if (item->fate == ITEM_OPEN)
        item->fate = judge(maker, item);
    if (item->fate == ITEM_OPEN)
        item->group = print_group(maker, &names);
    if (item->fate == ITEM_OPEN && maker->build->request->format == FORMAT_JSON)
        item->json = print_json(maker, &names, item->group);
    maker->section->n_items++;
}

static int maker_error(const struct maker *maker)
{
    if (arena_error(&maker->build->arena))
        return arena_error(&maker->build->arena);
    return arena_error(&maker->scratch) ? arena_error(&maker->scratch) : maker->err;
}

/* Renders the rows and puts them in the order of what they have to do with the query. Without a query, and
 * where no row has to do with it, they stay as they are. Failures latch. */
static int match_rows(struct maker *maker, struct err_info *reterr)
{
    struct build *build = maker->build;
    size_t n = maker->result->n_rows;
    struct build_match *matches = arena_calloc(&build->arena, n, sizeof *matches);
    for (size_t i = 0; matches && i < n; i++) {
        struct build_names names = row_names(maker, i);
        matches[i] = (struct build_match){.place = i,
                                          .text = print_item(maker, &names),
                                          .id = names.id,
                                          .time_us = names.time_us,
                                          .is_old = names.is_old};
        if (maker->scratch.used_bytes > SCRATCH_KEPT_BYTES && !arena_error(&maker->scratch))
            arena_reset(&maker->scratch);
    }
    if (maker_error(maker))
        return 0;
    int rc = build_match_query(build, matches, n, maker->section->plan->n_matched, reterr);
    if (rc == 0)
        maker->section->matches = matches;
    return rc < 0 ? rc : 0;
}

/* The texts of those rows that most likely go on; the rest is printed when it is wanted. */
static void print_rows(struct maker *maker)
{
    const struct recipe_section *plan = maker->section->plan;
    size_t n = maker->result->n_rows < plan->limit ? maker->result->n_rows : plan->limit;
    struct str *texts = arena_calloc(&maker->build->arena, maker->result->n_rows + 1, sizeof *texts);
    for (size_t i = 0; texts && i < n; i++) {
        struct build_names names = row_names(maker, i);
        texts[i] = print_item(maker, &names);
        if (maker->scratch.used_bytes > SCRATCH_KEPT_BYTES && !arena_error(&maker->scratch))
            arena_reset(&maker->scratch);
    }
    maker->section->texts = texts;
}

/* Whether the query chooses among its rows. */
static bool is_matched(const struct maker *maker)
{
    return maker->section->plan->n_fetched > 0 && build_has_query(maker->build) && maker->result->n_rows > 0;
}

static int render_section(struct maker *maker, struct err_info *reterr)
{
    if (maker->section->is_rendered)
        return 0;
    maker->section->is_rendered = true;
    if (is_matched(maker))
        return match_rows(maker, reterr);
    print_rows(maker);
    return 0;
}

/* What the recipe says when there is nothing stands where an item would. */
static void make_notice(struct maker *maker)
{
    struct build_section *section = maker->section;
    struct build_names names = {.build = maker->build};
    if (!section->plan->empty || !maker->build->format->has_markdown || maker->n_taken > 0)
        return;
    struct template_scope scope = scope_of(&names);
    buf_clear(&maker->buf);
    template_render(section->plan->empty, &scope, &maker->scratch, &maker->buf);
    struct str text = keep_text(maker, trim_lines(buf_str(&maker->buf)));
    if (str_is_empty(text))
        return;
    section->items[section->n_items++] = (struct build_item){
        .text = text, .score = NAN, .time_us = INT64_MIN, .tokens = -1, .is_notice = true};
}

static void add_trouble(struct maker *maker, struct str trouble)
{
    struct str *degraded = &maker->section->degraded;
    if (trouble.len > 0)
        *degraded = arena_printf(&maker->build->arena, "%.*s%s%.*s", STR_ARG(*degraded),
                                 degraded->len ? "; " : "", STR_ARG(trouble));
}

static void note_degraded(struct maker *maker)
{
    const struct source_result *result = maker->result;
    if (result->n_malformed > 0)
        add_trouble(maker, arena_printf(&maker->build->arena, "%zu %s could not be read", result->n_malformed,
                                        result->n_malformed == 1 ? "entry" : "entries"));
    add_trouble(maker, result->degraded);
    if (result->n_rows > 0)
        add_trouble(maker, maker->build->zone_trouble);
}

static int compare_times(const void *a, const void *b, void *owner)
{
    const struct build_section *section = owner;
    size_t left = *(const size_t *)a, right = *(const size_t *)b;
    int64_t left_us = section->items[left].time_us, right_us = section->items[right].time_us;
    if (left_us != right_us)
        return left_us < right_us ? -1 : 1;
    return left < right ? -1 : left > right;
}

/* Rank decides which items are kept; this, where they stand. */
static void order_items(struct maker *maker)
{
    struct build_section *section = maker->section;
    bool is_reversed = section->plan->order == ORDER_REVERSED ||
                       (section->plan->order == ORDER_RANKED && maker->result->is_oldest_last);
    section->printed = arena_calloc(&maker->build->arena, section->n_items + 1, sizeof *section->printed);
    for (size_t i = 0; section->printed && i < section->n_items; i++)
        section->printed[i] = is_reversed ? section->n_items - 1 - i : i;
    if (section->printed && section->plan->order == ORDER_TIME)
        qsort_r(section->printed, section->n_items, sizeof *section->printed, compare_times, section);
}

static int rank_section(struct maker *maker, struct err_info *reterr)
{
    struct build_section *section = maker->section;
    struct arena *arena = &maker->build->arena;
    maker->result = section->step->material->result;
    maker->n_taken = 0;
    maker->raw_group = maker->group = (struct str){NULL, 0};
    section->n_items = 0;
    section->degraded = (struct str){NULL, 0};
    /* Where nobody rendered it, an item is printed when it is made. */
    int rc = is_matched(maker) ? render_section(maker, reterr) : 0;
    if (rc < 0)
        return rc;
    section->items = arena_calloc(arena, maker->result->n_rows + 1, sizeof *section->items);
    for (size_t i = 0; section->items && i < maker->result->n_rows; i++) {
        if (section->matches)
            make_item(maker, section->matches[i].place, &section->matches[i]);
        else
            make_item(maker, i, NULL);
        int err = arena_error(arena) ? arena_error(arena) : arena_error(&maker->scratch);
        if (err || buf_error(&maker->buf))
            return err_set(reterr, err ? err : buf_error(&maker->buf),
                           "section '%.*s' is too large to render", STR_ARG(section->plan->step.name));
        if (maker->scratch.used_bytes > SCRATCH_KEPT_BYTES)
            arena_reset(&maker->scratch);
    }
    if (section->status != SECTION_STALE)
        section->status = maker->n_taken > 0 ? SECTION_OK : SECTION_EMPTY;
    note_degraded(maker);
    if (section->items)
        make_notice(maker);
    order_items(maker);
    return maker_error(maker) ? err_set(reterr, maker_error(maker), "out of memory") : 0;
}

static void maker_init(struct maker *maker, struct build *build)
{
    *maker = (struct maker){.build = build};
    arena_init(&maker->scratch, SOURCE_MAX_RESULT_BYTES * 2);
    buf_init(&maker->buf, SOURCE_MAX_RESULT_BYTES * 2);
}

static void maker_done(struct maker *maker)
{
    buf_done(&maker->buf);
    arena_done(&maker->scratch);
}

int build_render(struct build *build, struct build_section *section, struct err_info *reterr)
{
    struct maker maker;
    maker_init(&maker, build);
    maker.section = section;
    maker.result = section->step->material->result;
    int rc = render_section(&maker, reterr);
    if (rc == 0 && maker_error(&maker))
        rc = err_set(reterr, maker_error(&maker), "section '%.*s' is too large to render",
                     STR_ARG(section->plan->step.name));
    maker_done(&maker);
    return rc;
}

static int rank_all(struct maker *maker, struct err_info *reterr)
{
    struct build *build = maker->build;
    int rc = dedup_new(&build->arena, build->engine->seed, build->engine->outlines, &maker->dedup);
    if (rc < 0)
        return err_set(reterr, rc, "out of memory");
    /* In order of priority, so that of two that say the same the more important section keeps it. */
    for (size_t i = 0; rc == 0 && i < build->recipe->n_sections; i++) {
        maker->section = &build->sections[i];
        if (maker->section->status == SECTION_OK || maker->section->status == SECTION_STALE)
            rc = rank_section(maker, reterr);
    }
    return rc;
}

int build_rank(struct build *build, struct err_info *reterr)
{
    struct maker maker;
    maker_init(&maker, build);
    int rc = rank_all(&maker, reterr);
    if (rc == 0)
        rc = build_gather_more(build, reterr);
    if (rc == 1)
        rc = rank_all(&maker, reterr);
    maker_done(&maker);
    return rc;
}
