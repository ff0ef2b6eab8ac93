/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading and writing JSON: what is accepted, what is refused and where, and what survives a full heap.
 */
#include "core/json.h"

#include "core/utf8.h"

#include <math.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../fail_mem.h"

#define MAX_DEPTH 8

static struct json *parse(const char *text)
{
    struct json *root = NULL;
    struct err_info info = {0};
    if (json_parse(str_of(text), MAX_DEPTH, &root, &info))
        fail_msg("%s: %s", info.field, info.message);
    return root;
}

static void assert_refused(struct str text, int code, const char *place)
{
    struct json *root = NULL;
    struct err_info info = {0};
    assert_int_equal(json_parse(text, MAX_DEPTH, &root, &info), code);
    assert_null(root);
    assert_int_equal(info.code, code);
    assert_string_equal(info.field, place);
    assert_true(info.message[0] != '\0');
}

static void assert_reprints(const char *text, const char *wanted)
{
    struct buf buf;
    struct json *root = parse(text);
    buf_init(&buf, 10000);
    json_print(root, &buf);
    assert_string_equal(buf.data, wanted);
    buf_done(&buf);
    json_free(root);
}

static void every_kind_is_read(void **state)
{
    (void)state;
    struct json *root =
        parse(" {\"n\":null,\"t\":true,\"i\":-42,\"r\":1.5e1,\"s\":\"x\",\"a\":[1,2],\"o\":{}} ");
    assert_int_equal(json_count(root), 7);
    assert_int_equal(json_kind_of(json_member(root, "n")), JSON_KIND_NULL);
    assert_true(json_bool_of(json_member(root, "t")));
    assert_true(json_int_of(json_member(root, "i")) == -42);
    assert_true(json_real_of(json_member(root, "i")) == -42.0);
    assert_true(json_real_of(json_member(root, "r")) == 15.0);
    assert_true(str_is(json_text_of(json_member(root, "s")), "x"));
    assert_true(json_int_of(json_at(json_member(root, "a"), 1)) == 2);
    assert_null(json_at(json_member(root, "a"), 2));
    assert_int_equal(json_count(json_member(root, "o")), 0);
    json_free(root);
}

static void askers_of_the_wrong_kind_get_nothing(void **state)
{
    (void)state;
    struct json *root = parse("[\"5\"]");
    assert_null(json_member(root, "0"));
    assert_null(json_member(NULL, "x"));
    assert_int_equal(json_kind_of(NULL), JSON_KIND_NULL);
    assert_true(json_int_of(json_at(root, 0)) == 0);
    assert_false(json_bool_of(json_at(root, 0)));
    assert_null(json_text_of(root).ptr);
    assert_int_equal(json_count(json_at(root, 0)), 0);
    json_free(root);
}

static void members_come_in_document_order(void **state)
{
    (void)state;
    static const char *const wanted[] = {"z", "a", "m"};
    struct json *root = parse("{\"z\":0,\"a\":1,\"m\":2}");
    struct str name;
    const struct json *value;
    size_t pos = 0, n = 0;
    while (json_next_member(root, &pos, &name, &value)) {
        assert_true(str_is(name, wanted[n]));
        assert_true(json_int_of(value) == (int64_t)n);
        n++;
    }
    assert_int_equal(n, 3);
    assert_false(json_next_member(root, &pos, &name, &value));
    json_free(root);
}

static void printing_loses_nothing(void **state)
{
    (void)state;
    assert_reprints("{\"b\" : [ 1 , {} , [] ] , \"a\" : \"\\u00e9\\ud83d\\ude00\\n\\/\"}",
                    "{\"b\":[1,{},[]],\"a\":\"\xc3\xa9\xf0\x9f\x98\x80\\n/\"}");
    assert_reprints("[1.10,1e2,0.1000000000000000055511151231257827,12345678901234567890]",
                    "[1.10,1e2,0.1000000000000000055511151231257827,12345678901234567890]");
    assert_reprints("[9223372036854775807,-9223372036854775808]",
                    "[9223372036854775807,-9223372036854775808]");
    assert_reprints("\"\\\\\\\"\\b\\f\\n\\r\\t\\u0001\"", "\"\\\\\\\"\\b\\f\\n\\r\\t\\u0001\"");
}

static void bad_documents_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place;
    } bad[] = {
        {"", "1:1"},
        {"{\"a\":1,\n \"a\":2}", "2:2"},
        {"[1,]", "1:4"},
        {"[1 2]", "1:4"},
        {"{\"a\" 1}", "1:6"},
        {"{a:1}", "1:2"},
        {"{\"a\":1,}", "1:8"},
        {"01", "1:1"},
        {"1.", "1:3"},
        {"-", "1:2"},
        {"1e", "1:3"},
        {"1e999", "1:1"},
        {"tru", "1:1"},
        {"1 2", "1:3"},
        {"\"a\nb\"", "1:3"},
        {"\"abc", "1:1"},
        {"\"\xc3\xa9\\x\"", "1:3"}, /* columns count characters */
        {"\"\\u12g4\"", "1:2"},
        {"\"\\u12", "1:2"},
        {"\"\\u0000\"", "1:2"},
        {"\"\\ud800x\"", "1:2"},
        {"\"\\ud800\\u0041\"", "1:2"},
        {"\"\\udc00\"", "1:2"},
        {"\"\xff\"", "1:2"},
        {"\"\xed\xa0\x80\"", "1:2"},
        {"\xef\xbb\xbf{}", "1:1"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused(str_of(bad[i].text), ERR_INVALID, bad[i].place);
    assert_refused(STR_LIT("\"a\0b\""), ERR_INVALID, "1:3");
}

static void duplicate_among_many_members_is_found(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100000);
    for (int is_bad = 0; is_bad < 2; is_bad++) {
        buf_clear(&buf);
        buf_append_byte(&buf, '{');
        for (int i = 0; i < 1000; i++)
            buf_printf(&buf, "\"name-%d\":%d,\n", i, i);
        buf_printf(&buf, "\"name-%d\":0}", is_bad ? 77 : 1000);
        if (is_bad) {
            assert_refused(buf_str(&buf), ERR_INVALID, "1001:1");
        } else {
            struct json *root = parse(buf.data);
            assert_int_equal(json_count(root), 1001);
            json_free(root);
        }
    }
    buf_done(&buf);
}

static void depth_is_limited(void **state)
{
    (void)state;
    json_free(parse("[[[[[[[[1]]]]]]]]"));
    assert_refused(STR_LIT("[[[[[[[[[1]]]]]]]]]"), ERR_LIMIT, "1:9");
    json_free(parse("[[],[],[],[],[],[],[],[],[],[]]")); /* wide is not deep */
}

static void any_failing_allocation_is_a_clean_error(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 100000);
    buf_append_text(&text, "{\"first\":\"a text with an \\u00e9scape\",\"rest\":[");
    for (int i = 0; i < 300; i++)
        buf_printf(&text, "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":%d},", i);
    buf_append_text(&text, "0]}");
    int n = 0;
    for (bool is_done = false; !is_done; n++) {
        struct json *root = NULL;
        struct err_info info = {0};
        fail_mem_at(n + 1);
        int err = json_parse(buf_str(&text), MAX_DEPTH, &root, &info);
        is_done = fail_mem_is_pending();
        fail_mem_at(0);
        assert_int_equal(err, is_done ? 0 : ERR_NOMEM);
        if (!err)
            assert_int_equal(json_count(json_member(root, "rest")), 301);
        json_free(root);
    }
    assert_true(n > 300);
    buf_done(&text);
}

static void writer_puts_commas_and_escapes(void **state)
{
    (void)state;
    struct buf buf;
    struct json_writer writer;
    buf_init(&buf, 10000);
    json_writer_init(&writer, &buf);
    json_open_object(&writer);
    json_put_member_text(&writer, "text", STR_LIT("a\"\\\x1f\n\xe2\x82\xac"));
    json_put_member_int(&writer, "int", INT64_MIN);
    json_put_member_real(&writer, "real", 0.1);
    json_put_member_bool(&writer, "bool", false);
    json_put_name(&writer, "list");
    json_open_array(&writer);
    json_open_array(&writer);
    json_close_array(&writer);
    json_put_null(&writer);
    json_put_raw(&writer, STR_LIT("{\"a\":1}"));
    json_open_object(&writer);
    json_close_object(&writer);
    json_close_array(&writer);
    json_put_name_str(&writer, STR_LIT("qu\"ote"));
    json_put_real(&writer, NAN);
    json_close_object(&writer);
    assert_string_equal(buf.data,
                        "{\"text\":\"a\\\"\\\\\\u001f\\n\xe2\x82\xac\",\"int\":-9223372036854775808,"
                        "\"real\":0.1,\"bool\":false,\"list\":[[],null,{\"a\":1},{}],"
                        "\"qu\\\"ote\":null}");
    buf_done(&buf);
}

static void malformed_text_is_written_as_replacement(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    json_escape(&buf, STR_LIT("a\xff\xc3"));
    assert_string_equal(buf.data, "a\xef\xbf\xbd\xef\xbf\xbd");
    buf_done(&buf);
}

static void times_are_written_as_milliseconds(void **state)
{
    static const struct {
        int64_t us;
        const char *json;
    } cases[] = {{0, "{\"ms\":0}"},        {1, "{\"ms\":0.001}"},
                 {20, "{\"ms\":0.02}"},    {300, "{\"ms\":0.3}"},
                 {4000, "{\"ms\":4}"},     {5060, "{\"ms\":5.06}"},
                 {7008, "{\"ms\":7.008}"}, {12345, "{\"ms\":12.345}"},
                 {90100, "{\"ms\":90.1}"}, {INT64_MAX, "{\"ms\":9223372036854775.807}"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf buf;
        struct json_writer writer;
        buf_init(&buf, 100);
        json_writer_init(&writer, &buf);
        json_open_object(&writer);
        json_put_member_ms(&writer, "ms", cases[i].us);
        json_close_object(&writer);
        assert_string_equal(buf.data, cases[i].json);
        buf_done(&buf);
    }
}

static void writer_errors_latch_in_the_buf(void **state)
{
    (void)state;
    struct buf buf;
    struct json_writer writer;
    buf_init(&buf, 5);
    json_writer_init(&writer, &buf);
    json_put_text(&writer, STR_LIT("too long for it"));
    assert_int_equal(buf_error(&buf), ERR_LIMIT);
    buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_read),
        cmocka_unit_test(askers_of_the_wrong_kind_get_nothing),
        cmocka_unit_test(members_come_in_document_order),
        cmocka_unit_test(printing_loses_nothing),
        cmocka_unit_test(bad_documents_are_refused_with_their_place),
        cmocka_unit_test(duplicate_among_many_members_is_found),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(any_failing_allocation_is_a_clean_error),
        cmocka_unit_test(writer_puts_commas_and_escapes),
        cmocka_unit_test(malformed_text_is_written_as_replacement),
        cmocka_unit_test(times_are_written_as_milliseconds),
        cmocka_unit_test(writer_errors_latch_in_the_buf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
