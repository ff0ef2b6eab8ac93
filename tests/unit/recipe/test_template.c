/* SPDX-License-Identifier: Apache-2.0
 *
 * Templates and their filters: what is shown, what is left out, and what each mistake is told as.
 */
#include "recipe_fixture.h"

#include "core/mem.h"

#define NOW_US (INT64_C(1795239420) * US_PER_SEC) /* Sat 21 Nov 2026 05:37 UTC */

struct world {
    struct little_recipe little;
    struct arena arena;
    struct buf buf;
    const struct field *fields;
    size_t n_fields;
    struct template_scope scope;
};

/* Fields of the row; "user.timezone" and ":topic" come from a table of their own. */
static const struct value *lookup(void *owner, const struct recipe_ref *ref, struct arena *scratch)
{
    const struct world *world = owner;
    struct value *value = arena_alloc(scratch, sizeof *value);

    if (ref->kind == REF_FIELD) {
        const char *dot = memchr(ref->column.ptr, '.', ref->column.len);
        struct str head = dot ? str_make(ref->column.ptr, (size_t)(dot - ref->column.ptr)) : ref->column;
        const struct value *column = field_find(world->fields, world->n_fields, head);
        struct json *root = dot ? value_parse_json(column, scratch) : NULL;

        if (!dot)
            return column;
        *value = value_of_json(json_reach(root, str_slice(ref->column, head.len + 1, SIZE_MAX)),
                               FILTER_MAX_TEXT_BYTES, scratch);
        json_free(root);
        return value;
    }
    assert_non_null(value);
    if (ref->kind == REF_STEP)
        *value = value_text(STR_LIT("Europe/Warsaw"));
    else if (ref->kind == REF_PARAM)
        *value = value_text(ref->idx == 0 ? STR_LIT("u1") : STR_LIT(""));
    else if (ref->kind == REF_NOW)
        *value = value_time(NOW_US + ref->offset_us);
    else
        *value = value_text(STR_LIT("the query"));
    return value;
}

static int setup(void **state)
{
    struct world *world = mem_calloc(1, sizeof *world);

    little_recipe_init(&world->little);
    arena_init(&world->arena, 1 << 20);
    buf_init(&world->buf, 100000);
    world->scope = (struct template_scope){.lookup = lookup, .owner = world, .now_us = NOW_US};
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    arena_done(&world->arena);
    buf_done(&world->buf);
    mem_free(world);
    return 0;
}

static const char *render_as(struct world *world, const char *text, enum names_mode mode)
{
    struct names names = {.recipe = &world->little.recipe, .self = 1, .mode = mode};
    const struct template *template = NULL;
    struct collected collected;

    collected_init(&collected);
    buf_clear(&world->buf);
    if (template_compile(str_of(text), &names, &world->arena, &collected.complaints, &template) == 0)
        template_render(template, &world->scope, &world->arena, &world->buf);
    else
        buf_append_str(&world->buf, buf_str(&collected.buf));
    buf_done(&collected.buf);
    assert_int_equal(buf_error(&world->buf), 0);
    assert_int_equal(arena_error(&world->arena), 0);
    return world->buf.data ? world->buf.data : "";
}

static const char *render(struct world *world, const char *text)
{
    return render_as(world, text, NAMES_ROW);
}

/* Renders with one field `x`. */
static const char *render_x(struct world *world, struct value x, const char *text)
{
    const struct field field = {STR_LIT("x"), x};
    const char *result;

    world->fields = &field;
    world->n_fields = 1;
    result = render(world, text);
    world->n_fields = 0;
    return result;
}

static struct value text(const char *s)
{
    return value_text(str_of(s));
}

static void values_stand_where_their_names_stood(void **state)
{
    const struct field fields[] = {{STR_LIT("priority"), text("high")},
                                   {STR_LIT("title"), text("Pay {rent}")}};
    struct world *world = *state;

    world->fields = fields;
    world->n_fields = 2;
    assert_string_equal(render(world, "- [{priority}] { title }"), "- [high] Pay {rent}");
    assert_string_equal(render(world, "{{{priority}}}"), "{high}");
    assert_string_equal(render(world, "{missing}x"), "x");
    assert_string_equal(render(world, ""), "");
    assert_string_equal(render(world, "plain\n\nlines\n\n"), "plain\n\nlines");
}

static void zero_and_false_are_values_but_null_and_empty_text_are_not(void **state)
{
    struct world *world = *state;

    assert_string_equal(render_x(world, value_int(0), "a{x? is {x}}{x! none}"), "a is 0");
    assert_string_equal(render_x(world, value_real(0), "a{x? is {x}}"), "a is 0");
    assert_string_equal(render_x(world, value_bool(false), "a{x? is {x}}"), "a is false");
    assert_string_equal(render_x(world, value_null(), "a{x? is {x}}{x! none}"), "a none");
    assert_string_equal(render_x(world, text(""), "a{x? is {x}}{x! none}"), "a none");
    assert_string_equal(render_x(world, value_json(STR_LIT("[]")), "a{x? is {x}}{x! none}"), "a none");
    assert_string_equal(render(world, "a{y! none}"), "a none");
}

static void conditions_nest(void **state)
{
    const struct field fields[] = {{STR_LIT("a"), text("A")}, {STR_LIT("b"), text("B")}};
    struct world *world = *state;

    world->fields = fields;
    world->n_fields = 2;
    assert_string_equal(render(world, "{a?<{b?{a}{b}}{c! no c{a? still}}>}"), "<AB no c still>");
    assert_string_equal(render(world, "{a?{{x}"), "{x");
}

static void a_line_whose_placeholders_give_nothing_is_left_out(void **state)
{
    const struct field fields[] = {{STR_LIT("name"), text("Maya")}, {STR_LIT("zero"), value_int(0)}};
    struct world *world = *state;

    world->fields = fields;
    world->n_fields = 2;
    assert_string_equal(render(world, "{gone? G: {gone}}\nName: {name}\n  {gone}  \n{zero}\n{gone}"),
                        "Name: Maya\n0");
    assert_string_equal(render(world, "a\n\nb {gone}"), "a\n\nb ");
    assert_string_equal(render(world, "{gone}\n{gone}"), "");
    assert_string_equal(render(world, " {gone} "), "");
    assert_string_equal(render(world, "{name?\n  x\n  {gone}\n  y}"), "\n  x\n  y");
}

static void a_repetition_joins_its_elements_with_semicolons(void **state)
{
    struct world *world = *state;
    struct value days =
        value_json(STR_LIT("[{\"day\":\"Mon\",\"high\":0},{\"day\":\"Tue\",\"tags\":[\"a\",\"b\"]}]"));

    assert_string_equal(render_x(world, days, "{x*{day}: {high}}"), "Mon: 0; Tue: ");
    assert_string_equal(render_x(world, days, "{x*{day}{tags? ({tags*{it}})}}"), "Mon; Tue (a; b)");
    assert_string_equal(render_x(world, value_json(STR_LIT("[1,\"two\",3.5,null]")), "{x*<{it}>}"),
                        "<1>; <two>; <3.5>; <>");
    assert_string_equal(render_x(world, text("[1,2]"), "{x*{it}}"), "1; 2");
    assert_string_equal(render_x(world, text("no list"), "[{x*{it}}]"), "[]");
    assert_string_equal(render_x(world, value_json(STR_LIT("{\"day\":\"Wed\"}")), "{x*{day}}"), "Wed");
}

static void inside_a_repetition_outer_names_can_be_reached(void **state)
{
    const struct field fields[] = {{STR_LIT("list"), text("[{\"a\":1},{\"a\":2,\"unit\":\"K\"}]")},
                                   {STR_LIT("unit"), text("C")}};
    struct world *world = *state;

    world->fields = fields;
    world->n_fields = 2;
    assert_string_equal(render(world, "{list*{a}{unit} {user.timezone}}"),
                        "1C Europe/Warsaw; 2K Europe/Warsaw");
}

static void dotted_names_reach_into_json(void **state)
{
    struct world *world = *state;
    struct value x = value_json(STR_LIT("{\"a\":{\"b\":[10,{\"c\":\"deep\"}]}}"));

    assert_string_equal(render_x(world, x, "{x.a.b.0} {x.a.b.1.c} {x.a.nothing}"), "10 deep ");
    assert_string_equal(render_x(world, x, "{x.a.b.1}"), "{\"c\":\"deep\"}");
}

static void row_names_are_columns_and_colons_reach_the_request(void **state)
{
    const struct field fields[] = {{STR_LIT("user_id"), text("column")}, {STR_LIT("query"), text("own")}};
    struct world *world = *state;

    world->fields = fields;
    world->n_fields = 2;
    assert_string_equal(render(world, "{user_id} {:user_id} {query} {:query} {user.timezone}"),
                        "column u1 own the query Europe/Warsaw");
    assert_string_equal(render_as(world, "{user_id}:{query}:{topic}", NAMES_REQUEST), "u1:the query:");
}

static void times_are_printed_in_the_zone_but_dates_are_not_shifted(void **state)
{
    struct world *world = *state;
    struct zone *zone = NULL;
    static const struct {
        const char *in, *template, *out;
    } rows[] = {
        {"2026-11-20 23:30:00", "{x|date}", "Sat 21 Nov 2026"},
        {"2026-11-20 23:30:00", "{x|time}", "00:30"},
        {"2026-11-20T23:30:00Z", "{x|datetime}", "Sat 21 Nov 2026 00:30"},
        {"2026-11-20T23:30:00Z", "{x|weekday}", "Saturday"},
        {"2026-11-20", "{x|date}", "Fri 20 Nov 2026"},
        {"2026-11-20", "{x|datetime}", "Fri 20 Nov 2026"},
        {"2026-11-20", "[{x|time}]", "[]"},
        {"2026-07-01T00:00:00Z", "{x|datetime}", "Wed 1 Jul 2026 02:00"},
        {"next week", "{x|date}", "next week"},
        {"", "[{x|date}]", "[]"},
    };

    assert_int_equal(zone_new(STR_LIT("Europe/Warsaw"), &zone, NULL), 0);
    world->scope.zone = zone;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(render_x(world, text(rows[i].in), rows[i].template), rows[i].out);
    assert_string_equal(render_x(world, value_time(NOW_US), "{x|datetime}"), "Sat 21 Nov 2026 06:37");
    assert_string_equal(render_x(world, value_int(NOW_US / US_PER_SEC), "{x|time}"), "06:37");
    assert_string_equal(render_x(world, value_int(NOW_US / US_PER_MS), "{x|time}"), "06:37");
    assert_string_equal(render_x(world, value_int(INT64_MAX), "{x|date}"), "9223372036854775807");
    assert_string_equal(render_x(world, value_real(1e300), "{x|date}"), "1e+300");
    zone_free(zone);
}

static void ages_are_told_in_words(void **state)
{
    static const struct {
        int64_t seconds;
        const char *out;
    } rows[] = {{0, "just now"},
                {59, "just now"},
                {-59, "just now"},
                {60, "1 minute ago"},
                {5 * 60, "5 minutes ago"},
                {-2 * 3600 - 30, "in 2 hours"},
                {3600, "1 hour ago"},
                {23 * 3600, "23 hours ago"},
                {24 * 3600, "1 day ago"},
                {13 * 86400, "13 days ago"},
                {14 * 86400, "2 weeks ago"},
                {-60 * 86400, "in 2 months"},
                {731 * 86400, "2 years ago"}};
    struct world *world = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(render_x(world, value_time(NOW_US - rows[i].seconds * US_PER_SEC), "{x|ago}"),
                            rows[i].out);
    assert_string_equal(render_x(world, text("2026-11-21"), "{x|ago}"), "today");
    assert_string_equal(render_x(world, text("2026-11-20"), "{x|ago}"), "yesterday");
    assert_string_equal(render_x(world, text("2026-11-22"), "{x|ago}"), "tomorrow");
    assert_string_equal(render_x(world, text("2026-11-24"), "{x|ago}"), "in 3 days");
}

static void short_times_say_what_tells_them_from_others_near_now(void **state)
{
    static const char *const rows[][2] = {
        {"2026-11-21T00:00:00Z", "00:00"},
        {"2026-11-21 23:59:59", "23:59"},
        {"2026-11-20T23:41:00Z", "Fri 23:41"},
        {"2026-11-15T00:00:00Z", "Sun 00:00"},
        {"2026-11-14T23:59:00Z", "14 Nov 23:59"},
        {"2026-11-27T08:00:00Z", "Fri 08:00"},
        {"2026-11-28T08:00:00Z", "28 Nov 08:00"},
        {"2025-11-21T08:00:00Z", "21 Nov 2025"},
        {"2026-11-21", "today"},
        {"2026-11-22", "Sun"},
        {"2026-12-21", "21 Dec"},
        {"2027-01-02", "2 Jan 2027"},
        {"whenever", "whenever"},
    };
    struct world *world = *state;
    struct zone *zone = NULL;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(render_x(world, text(rows[i][0]), "{x|short}"), rows[i][1]);
    /* In Honolulu now is 19:37 on the 20th. */
    assert_int_equal(zone_new(STR_LIT("Pacific/Honolulu"), &zone, NULL), 0);
    world->scope.zone = zone;
    assert_string_equal(render_x(world, text("2026-11-21T05:00:00Z"), "{x|short}"), "19:00");
    assert_string_equal(render_x(world, text("2026-11-20T05:00:00Z"), "{x|short}"), "Thu 19:00");
    zone_free(zone);
}

static void today_for_a_date_is_the_day_in_the_zone(void **state)
{
    struct world *world = *state;
    struct zone *zone = NULL;

    /* At 05:37 UTC it is still the 20th in Honolulu. */
    assert_int_equal(zone_new(STR_LIT("Pacific/Honolulu"), &zone, NULL), 0);
    world->scope.zone = zone;
    assert_string_equal(render_x(world, text("2026-11-20"), "{x|ago}"), "today");
    zone_free(zone);
}

static void rounding_is_decimal_and_keeps_every_digit_it_should(void **state)
{
    static const struct {
        const char *in, *template, *out;
    } rows[] = {
        {"0.125", "{x|round:2}", "0.13"},
        {"-0.125", "{x|round:2}", "-0.13"},
        {"91842.50128755", "{x|round:2}", "91842.50"},
        {"9.995", "{x|round:2}", "10.00"},
        {"99999999999999999999999.95", "{x|round:1}", "100000000000000000000000.0"},
        {"12345678901234567890.123456789", "{x|round:8}", "12345678901234567890.12345679"},
        {"7", "{x|round}", "7"},
        {"7.5", "{x|round}", "8"},
        {"-0.4", "{x|round}", "0"},
        {".5", "{x|round:1}", "0.5"},
        {"007", "{x|round:0}", "7"},
        {"1.25", "{x|signed}", "+1.25"},
        {"-1.255", "{x|signed:2}", "-1.26"},
        {"0", "{x|signed:1}", "+0.0"},
        {"n/a", "{x|round:2}", "n/a"},
        {"1e5", "{x|round:2}", "1e5"},
        {"", "[{x|round:2}]", "[]"},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(render_x(world, text(rows[i].in), rows[i].template), rows[i].out);
        assert_string_equal(render_x(world, value_decimal(str_of(rows[i].in)), rows[i].template),
                            rows[i].out);
    }
    assert_string_equal(render_x(world, value_real(2.675), "{x|round:2}"), "2.68");
    assert_string_equal(render_x(world, value_int(-3), "{x|signed:1}"), "-3.0");
    assert_string_equal(render_x(world, value_bool(true), "{x|round:2}"), "true");
}

static void lengths_of_time_have_two_units_at_most(void **state)
{
    static const struct {
        const char *in, *template, *out;
    } rows[] = {
        {"850", "{x|duration:ms}", "850 ms"},
        {"0", "{x|duration:ms}", "0 ms"},
        {"4200", "{x|duration:ms}", "4.2 s"},
        {"30002", "{x|duration:ms}", "30 s"},
        {"187000", "{x|duration:ms}", "3 min 7 s"},
        {"23.6", "{x|duration:ms}", "24 ms"},
        {"0.25", "{x|duration}", "250 ms"},
        {"60", "{x|duration}", "1 min 0 s"},
        {"4320", "{x|duration:s}", "1 h 12 min"},
        {"180000", "{x|duration:s}", "2 d 2 h"},
        {"-5", "{x|duration}", "-5 s"},
        {"soon", "{x|duration}", "soon"},
        {"1e300", "{x|duration}", "1e300"},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(render_x(world, text(rows[i].in), rows[i].template), rows[i].out);
    assert_string_equal(render_x(world, value_int(412600), "{x|duration:ms}"), "6 min 52 s");
    assert_string_equal(render_x(world, value_real(23.5), "{x|duration:ms}"), "24 ms");
    assert_string_equal(render_x(world, value_bool(true), "{x|duration}"), "true");
}

static void text_filters_change_text(void **state)
{
    static const struct {
        const char *in, *template, *out;
    } rows[] = {
        {"łódź Ünï", "{x|upper}", "ŁÓDŹ ÜNÏ"},
        {"ŁÓDŹ", "{x|lower}", "łódź"},
        {"\"łuk and bow\"", "{x|capitalize}", "\"Łuk and bow\""},
        {"don't stop jürgen", "{x|title}", "Don't Stop Jürgen"},
        {"", "{x|default:none}", "none"},
        {"v", "{x|default:none}", "v"},
        {"", "{x|default:\"a | b}\"}", "a | b}"},
        {"short", "{x|truncate:5}", "short"},
        {"abcdefgh", "{x|truncate:5}", "abcd…"},
        {"One. Two.", "{x|first_sentence}", "One."},
        {" a\n\n b\tc ", "{x|one_line}", "a b c"},
        {"[\"a\",\"b\",3]", "{x|join:, }", "a, b, 3"},
        {"[\"a\",\"b\"]", "{x|join:' | '}", "a | b"},
        {"alone", "{x|join:, }", "alone"},
        {"{\"a\": 1, \"b\": [true, {\"c\": null}]}", "{x|list}", "a: 1, b: (true, (c: ))"},
        {"{\"long\": 1, \"z\": 2, \"a\": {\"cc\": 3, \"b\": 4}}", "{x|list}",
         "a: (b: 4, cc: 3), z: 2, long: 1"},
        {"{\"long\": [1.50, null], \"z\": {\"bb\": \"\", \"a\": true}}", "{x|json}",
         "{\"z\":{\"a\":true,\"bb\":\"\"},\"long\":[1.50,null]}"},
        {"[1, 2]", "{x|list}", "1, 2"},
        {"{ \"a\" : 1 }", "{x|json}", "{\"a\":1}"},
        {"say \"hi\"", "{x|json}", "\"say \\\"hi\\\"\""},
        {"0", "{x|yesno}", "no"},
        {"False", "{x|yesno}", "no"},
        {"t", "{x|yesno}", "yes"},
        {"ab", "{x|upper|lower|capitalize}", "Ab"},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(render_x(world, text(rows[i].in), rows[i].template), rows[i].out);
    assert_string_equal(render_x(world, value_bool(false), "{x|yesno}"), "no");
    assert_string_equal(render_x(world, value_int(0), "{x|default:none}"), "0");
}

static void every_filter_lets_nothing_through_as_nothing(void **state)
{
    struct world *world = *state;
    char template[64];

    for (const struct filter *filter = filter_table; filter->name; filter++) {
        if (strcmp(filter->name, "default") == 0)
            continue;
        (void)snprintf(template, sizeof template, "[{x|%s%s}]", filter->name,
                       filter->is_arg_required ? ":2" : "");
        assert_string_equal(render_x(world, value_null(), template), "[]");
    }
}

static void guard_in_brackets(struct buf *buf, struct str text_in, bool is_line_start)
{
    buf_printf(buf, "%c%.*s)", is_line_start ? '^' : '(', STR_ARG(text_in));
}

static void only_values_pass_the_guard_and_it_knows_the_line_start(void **state)
{
    struct world *world = *state;

    world->scope.guard = guard_in_brackets;
    assert_string_equal(render_x(world, value_int(5), "{x}# {x}\n  {x}\ny{x? # {x}}"),
                        "^5)# (5)\n  ^5)\ny # (5)");
    assert_string_equal(render_x(world, value_null(), "{x}-"), "-");
}

static void each_mistake_is_told_with_its_place(void **state)
{
    static const struct {
        const char *template, *out;
    } rows[] = {
        {"a {x", "2: this '{' is not closed; a brace that is meant as such is written '{{'\n"},
        {"a {x? {y}", "2: this '{' is not closed; a brace that is meant as such is written '{{'\n"},
        {"a } b", "2: this '}' closes nothing; a brace that is meant as such is written '}}'\n"},
        {"{}", "0: a name is missing\n"},
        {"{x|datum}", "3: unknown filter 'datum'; did you mean 'date'?\n"},
        {"{x|zzzzzz}", "3: unknown filter 'zzzzzz'\n"},
        {"{x|upper:3}", "3: filter 'upper' takes no argument\n"},
        {"{x|join}", "3: filter 'join' needs an argument: {tags|join:, }\n"},
        {"{x|duration:min}", "3: filter 'duration' takes one of s, ms, not 'min'\n"},
        {"{x|round:99}", "3: filter 'round' takes a whole number from 0 to 12, not '99'\n"},
        {"{x|truncate:1}", "3: filter 'truncate' takes a whole number from 2 to 100000, not '1'\n"},
        {"{x|default:\"a}", "11: the quote of this filter's argument is not closed\n"},
        {"{:tpoic}", "0: unknown name 'tpoic'; did you mean 'topic'?\n"},
        {"{:user}", "0: 'user' is a step: name one of its columns, such as user.id\n"},
        {"{:topic.x}", "0: 'topic' is a parameter and has no columns\n"},
        {"{:now - 1}", "0: '1' is no duration: write a number with ms, s, m, h, d or w, such as 1h\n"},
        {"{:now x}", "0: after now and today only + or - and a duration may follow\n"},
        {"{x|dat}{y|tim}",
         "3: unknown filter 'dat'; did you mean 'date'?\n10: unknown filter 'tim'; did you mean 'time'?\n"},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(render(world, rows[i].template), rows[i].out);
}

static void nesting_has_a_limit(void **state)
{
    struct world *world = *state;
    char template[3 * (TEMPLATE_MAX_DEPTH + 2)] = "";

    for (size_t i = 0; i < TEMPLATE_MAX_DEPTH + 1; i++)
        memcpy(template + 3 * i, "{x?", 4);
    assert_non_null(strstr(render(world, template), "stand too deep inside each other"));
}

static void names_note_which_steps_they_need(void **state)
{
    struct world *world = *state;
    const struct template *template;
    uint64_t needs = 0;
    struct names names = {.recipe = &world->little.recipe, .self = 1, .mode = NAMES_ROW, .needs = &needs};
    struct collected collected;

    collected_init(&collected);
    assert_int_equal(template_compile(STR_LIT("{notes.x} {x|date}"), &names, &world->arena,
                                      &collected.complaints, &template),
                     0);
    assert_int_equal(needs, 0); /* its own name is a column */
    assert_int_equal(
        template_compile(STR_LIT("{weather.x}"), &names, &world->arena, &collected.complaints, &template), 0);
    assert_int_equal(needs, 4);
    names.mode = NAMES_REQUEST;
    needs = 0;
    assert_int_equal(
        template_compile(STR_LIT("{now|date}"), &names, &world->arena, &collected.complaints, &template), 0);
    assert_int_equal(needs, 1); /* printing a date takes the zone */
    buf_done(&collected.buf);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(values_stand_where_their_names_stood),
        T(zero_and_false_are_values_but_null_and_empty_text_are_not),
        T(conditions_nest),
        T(a_line_whose_placeholders_give_nothing_is_left_out),
        T(a_repetition_joins_its_elements_with_semicolons),
        T(inside_a_repetition_outer_names_can_be_reached),
        T(dotted_names_reach_into_json),
        T(row_names_are_columns_and_colons_reach_the_request),
        T(times_are_printed_in_the_zone_but_dates_are_not_shifted),
        T(ages_are_told_in_words),
        T(today_for_a_date_is_the_day_in_the_zone),
        T(rounding_is_decimal_and_keeps_every_digit_it_should),
        T(lengths_of_time_have_two_units_at_most),
        T(short_times_say_what_tells_them_from_others_near_now),
        T(text_filters_change_text),
        T(every_filter_lets_nothing_through_as_nothing),
        T(only_values_pass_the_guard_and_it_knows_the_line_start),
        T(each_mistake_is_told_with_its_place),
        T(nesting_has_a_limit),
        T(names_note_which_steps_they_need),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
