/* SPDX-License-Identifier: Apache-2.0
 *
 * One event, one write, one line; nothing a field holds can fake another line or leave its string.
 */
#include "core/log.h"

#include "core/json.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A pair of sockets that keep the borders between writes. */
struct sink {
    int ours, theirs;
    char line[70000];
};

static int set_up(void **state)
{
    static struct sink sink;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) < 0)
        return -1;
    sink.ours = pair[0];
    sink.theirs = pair[1];
    *state = &sink;
    return 0;
}

static int tear_down(void **state)
{
    struct sink *sink = *state;
    log_setup(LOG_INFO, LOG_TEXT, 2);
    close(sink->ours);
    close(sink->theirs);
    return 0;
}

/* What one write brought; 0 when there was none. */
static size_t take_line(struct sink *sink)
{
    ssize_t n = read(sink->ours, sink->line, sizeof(sink->line) - 1);
    sink->line[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

static void event_is_one_write_and_one_line(void **state)
{
    struct sink *sink = *state;
    enum log_format formats[] = {LOG_TEXT, LOG_JSON};
    for (size_t i = 0; i < 2; i++) {
        log_setup(LOG_INFO, formats[i], sink->theirs);
        log_event(LOG_WARN, "section failed", LOG_CSTR("section", "a\nb\r\"c"), LOG_INT("took_us", -5),
                  LOG_REAL("share", 0.5), LOG_END);
        size_t len = take_line(sink);
        assert_true(len > 0);
        assert_int_equal(sink->line[len - 1], '\n');
        assert_null(memchr(sink->line, '\n', len - 1));
        assert_null(memchr(sink->line, '\r', len));
        assert_int_equal(take_line(sink), 0);
    }
}

static void json_line_can_be_read_back(void **state)
{
    struct sink *sink = *state;
    struct json *root;
    log_setup(LOG_DEBUG, LOG_JSON, sink->theirs);
    log_event(LOG_ERROR, "it \"broke\"", LOG_STR("text", STR_LIT("\x01\xff\\\"\n")), LOG_INT("n", 7),
              LOG_END);
    size_t len = take_line(sink);
    assert_int_equal(json_parse(str_make(sink->line, len), 4, &root, NULL), 0);
    assert_true(str_is(json_text_of(json_member(root, "level")), "error"));
    assert_true(str_is(json_text_of(json_member(root, "event")), "it \"broke\""));
    assert_true(str_is(json_text_of(json_member(root, "text")), "\x01\xef\xbf\xbd\\\"\n"));
    assert_int_equal(json_int_of(json_member(root, "n")), 7);
    assert_int_equal(json_count(root), 5);
    json_free(root);
}

static void text_line_quotes_what_needs_it(void **state)
{
    struct sink *sink = *state;
    log_setup(LOG_INFO, LOG_TEXT, sink->theirs);
    log_event(LOG_INFO, "event", LOG_CSTR("plain", "abc"), LOG_CSTR("spaced", "a b"), LOG_CSTR("empty", ""),
              LOG_END);
    take_line(sink);
    assert_non_null(strstr(sink->line, " info  event plain=abc spaced=\"a b\" empty=\"\"\n"));
}

static void below_the_least_level_nothing_is_written(void **state)
{
    struct sink *sink = *state;
    log_setup(LOG_WARN, LOG_TEXT, sink->theirs);
    assert_false(log_is_on(LOG_INFO));
    assert_true(log_is_on(LOG_WARN));
    log_event(LOG_INFO, "quiet", LOG_END);
    assert_int_equal(take_line(sink), 0);
}

static void long_field_is_cut(void **state)
{
    struct sink *sink = *state;
    char text[5000];
    memset(text, 'x', sizeof(text));
    log_setup(LOG_INFO, LOG_TEXT, sink->theirs);
    log_event(LOG_INFO, "event", LOG_STR("long", str_make(text, sizeof(text))), LOG_END);
    assert_in_range(take_line(sink), 1000, 1200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(event_is_one_write_and_one_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_line_can_be_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(text_line_quotes_what_needs_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(below_the_least_level_nothing_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_field_is_cut, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
