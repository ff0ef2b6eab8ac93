/* SPDX-License-Identifier: Apache-2.0
 *
 * The filters of templates: one table, and those that work on text. A filter takes a value and
 * gives a value; nothing in gives nothing out, but for `default`. A value that a filter cannot read goes
 * through unchanged.
 */
#include "recipe/recipe_priv.h"
#include "text/cut.h"
#include "text/letters.h"

/* The value as a person would read it. */
static struct str text_of(const struct filter_call *call)
{
    struct buf buf;

    if (call->in.type == VALUE_TEXT || call->in.type == VALUE_JSON || call->in.type == VALUE_DECIMAL)
        return call->in.text;
    buf_init(&buf, FILTER_MAX_TEXT_BYTES);
    value_print(call->in, &buf);
    return buf_into_arena(&buf, call->arena);
}

static struct value text_from(const struct filter_call *call, struct buf *buf)
{
    return value_text(buf_into_arena(buf, call->arena));
}

static struct value change_letters(const struct filter_call *call, enum text_letters how)
{
    struct buf buf;

    if (value_is_empty(call->in))
        return call->in;
    buf_init(&buf, FILTER_MAX_TEXT_BYTES);
    text_append_letters(&buf, text_of(call), how);
    return text_from(call, &buf);
}

static struct value filter_upper(const struct filter_call *call)
{
    return change_letters(call, LETTERS_UPPER);
}

static struct value filter_lower(const struct filter_call *call)
{
    return change_letters(call, LETTERS_LOWER);
}

static struct value filter_capitalize(const struct filter_call *call)
{
    return change_letters(call, LETTERS_CAPITAL);
}

static struct value filter_title(const struct filter_call *call)
{
    return change_letters(call, LETTERS_TITLE);
}

static struct value filter_default(const struct filter_call *call)
{
    return value_is_absent(&call->in) ? value_text(call->text) : call->in;
}

static struct value filter_truncate(const struct filter_call *call)
{
    struct str text = text_of(call);
    struct str head;
    struct buf buf;

    if (value_is_empty(call->in))
        return call->in;
    head = text_cut_graphemes(text, (size_t)call->count);
    if (head.len >= text.len)
        return call->in;
    /* One grapheme less, for the ellipsis. */
    head = text_cut_graphemes(text, (size_t)call->count - 1);
    buf_init(&buf, FILTER_MAX_TEXT_BYTES);
    buf_append_str(&buf, str_trim(head));
    buf_append_text(&buf, "…");
    return text_from(call, &buf);
}

static struct value filter_first_sentence(const struct filter_call *call)
{
    struct str text = str_trim(text_of(call));

    if (value_is_empty(call->in))
        return call->in;
    return value_text(str_slice(text, 0, text_sentence_end(text, 0)));
}

static struct value filter_one_line(const struct filter_call *call)
{
    struct str text = str_trim(text_of(call));
    bool is_gap = false;
    struct buf buf;

    if (value_is_empty(call->in))
        return call->in;
    buf_init(&buf, FILTER_MAX_TEXT_BYTES);
    for (size_t i = 0; i < text.len; i++) {
        if (memchr(" \t\r\n\v\f", text.ptr[i], 6)) {
            is_gap = true;
            continue;
        }
        if (is_gap)
            buf_append_byte(&buf, ' ');
        is_gap = false;
        buf_append_byte(&buf, text.ptr[i]);
    }
    return text_from(call, &buf);
}

static struct value filter_yesno(const struct filter_call *call)
{
    static const char *const no[] = {"0", "0.0", "false", "f", "no", "n", "off", ""};
    struct str text = text_of(call);

    if (call->in.type == VALUE_NULL)
        return call->in;
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        if (str_eq_nocase(text, str_of(no[i])))
            return value_text(STR_LIT("no"));
    }
    return value_text(STR_LIT("yes"));
}

const struct filter filter_table[] = {
    {"date", filter_date, .is_zoned = true, .example = "{due|date}", .about = "Sat 21 Nov 2026"},
    {"time", filter_time, .is_zoned = true, .example = "{start|time}",
     .about = "05:37; nothing for a date without a time"},
    {"datetime", filter_datetime, .is_zoned = true, .example = "{start|datetime}",
     .about = "Sat 21 Nov 2026 05:37; the date alone where there is no time"},
    {"weekday", filter_weekday, .is_zoned = true, .example = "{start|weekday}", .about = "Saturday"},
    {"short", filter_short, .is_zoned = true, .example = "{time|short}",
     .about =
         "05:37 for today, Fri 23:41 within six days, otherwise 14 Nov 23:41, in other years 14 Nov 2025"},
    {"ago", filter_ago, .is_zoned = true, .example = "{time|ago}",
     .about = "age in words: 5 minutes ago, in 2 hours, yesterday"},
    {"round", filter_round, FILTER_ARG_COUNT, .min = 0, .max = 12, .example = "{price|round:2}",
     .about = "that many decimals, exactly (half away from zero); 0 if none are named"},
    {"signed", filter_signed, FILTER_ARG_COUNT, .min = 0, .max = 12, .fallback = 2,
     .example = "{change|signed:2}", .about = "as round, with its sign: +1.25; 2 if none are named"},
    {"duration", filter_duration, FILTER_ARG_TEXT, .choices = "s, ms", .example = "{took_ms|duration:ms}",
     .about = "a length of time in seconds (s, the default) or milliseconds (ms): 850 ms, 4.2 s, 3 min 7 s"},
    {"upper", filter_upper, .example = "{symbol|upper}", .about = "ALL CAPITALS"},
    {"lower", filter_lower, .example = "{symbol|lower}", .about = "no capitals"},
    {"capitalize", filter_capitalize, .example = "{role|capitalize}", .about = "the first letter a capital"},
    {"title", filter_title, .example = "{name|title}", .about = "The First Letter Of Every Word"},
    {"default", filter_default, FILTER_ARG_TEXT, .is_arg_required = true, .example = "{name|default:unknown}",
     .about = "that text where there is nothing"},
    {"truncate", filter_truncate, FILTER_ARG_COUNT, .is_arg_required = true, .min = 2, .max = 100000,
     .example = "{body|truncate:80}",
     .about = "at most that many characters as a reader counts them, with an ellipsis"},
    {"first_sentence", filter_first_sentence, .example = "{body|first_sentence}",
     .about = "up to the first full stop"},
    {"one_line", filter_one_line, .example = "{body|one_line}",
     .about = "line ends and runs of blanks become one blank"},
    {"join", filter_join, FILTER_ARG_TEXT, .is_arg_required = true, .example = "{tags|join:, }",
     .about = "the elements of a JSON list with that between them"},
    {"json", filter_json, .example = "{state|json}", .about = "compact JSON, shorter names first"},
    {"list", filter_list, .example = "{state|list}",
     .about = "a JSON object as a: 1, b: 2, shorter names first; a list as x, y"},
    {"yesno", filter_yesno, .example = "{done|yesno}",
     .about = "no for 0, false, no, off and empty text; otherwise yes"},
    {.name = NULL},
};

const struct filter *filter_find(struct str name)
{
    for (const struct filter *filter = filter_table; filter->name; filter++) {
        if (str_is(name, filter->name))
            return filter;
    }
    return NULL;
}
