/* SPDX-License-Identifier: Apache-2.0
 *
 * Headers: framing that two parsers could read differently is refused; the rest is read as meant.
 */
#include "serve/auth.h"
#include "serve/head.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct line {
    const char *name, *value;
};

static struct head make_head(const struct line *lines)
{
    struct head head = {.is_http_1_1 = true};
    for (; lines->name; lines++)
        head_add(&head, str_of(lines->name), str_of(lines->value));
    return head;
}

#define HEAD(...) make_head((const struct line[]){__VA_ARGS__, {NULL, NULL}})

static void expect_refused(struct head head)
{
    struct err_info err = {0};
    assert_int_equal(head_check(&head, &err), ERR_INVALID);
    assert_true(err.message[0]);
}

static void ambiguous_framing_is_refused(void **state)
{
    (void)state;
    expect_refused(HEAD({"Host", "x"}, {"Content-Length", "3"}, {"Transfer-Encoding", "chunked"}));
    expect_refused(HEAD({"Host", "x"}, {"Content-Length", "3"}, {"content-length", "3"}));
    expect_refused(HEAD({"Host", "x"}, {"Content-Length", "3"}, {"Content-Length", "4"}));
    expect_refused(HEAD({"Host", "x"}, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}));
    expect_refused(HEAD({"Host", "x"}, {"Transfer-Encoding", "gzip, chunked"}));
    expect_refused(HEAD({"Host", "x"}, {"Transfer-Encoding", "xchunked"}));
    expect_refused(HEAD({"Host", "x"}, {"Transfer-Encoding", ""}));
    expect_refused(HEAD({"Host", "x"}, {"Content-Length", "+3"}));
    expect_refused(HEAD({"Host", "x"}, {"Content-Length", "0x3"}));
    expect_refused(HEAD({"Host", "x"}, {"Content-Length", "3, 3"}));
    expect_refused(HEAD({"Host", "x"}, {"Content-Length", ""}));
    expect_refused(HEAD({"Host", "x"}, {"Content-Length", "99999999999999999999999"}));
}

static void names_that_are_no_tokens_are_refused(void **state)
{
    (void)state;
    expect_refused(HEAD({"Host", "x"}, {"Content-Length ", "3"}));
    expect_refused(HEAD({"Host", "x"}, {"Transfer-Encoding\t", "chunked"}));
    expect_refused(HEAD({"Host", "x"}, {"", "3"}));
    expect_refused(HEAD({"Host", "x"}, {"a(b", "3"}));
    expect_refused(HEAD({"Host", "x"}, {"\xc3\xa4", "3"}));
}

static void host_must_be_there_once(void **state)
{
    (void)state;
    expect_refused(HEAD({"Accept", "*/*"}));
    expect_refused(HEAD({"Host", "x"}, {"Host", "x"}));
    expect_refused(HEAD({"Host", "x"}, {"HOST", "y"}));
    struct head old = {0};
    assert_int_equal(head_check(&old, NULL), 0);
}

static void repeated_credentials_are_refused(void **state)
{
    (void)state;
    expect_refused(HEAD({"Host", "x"}, {"Authorization", "Bearer a"}, {"Authorization", "Bearer b"}));
    expect_refused(HEAD({"Host", "x"}, {"Origin", "http://localhost"}, {"Origin", "null"}));
}

static void body_is_announced_by_length_or_chunks(void **state)
{
    (void)state;
    struct head head = HEAD({"Host", "x"}, {"Content-Length", "120"});
    assert_int_equal(head_check(&head, NULL), 0);
    assert_true(head.has_body);
    assert_int_equal(head.body_bytes, 120);
    head = HEAD({"Host", "x"}, {"Transfer-Encoding", "Chunked"});
    assert_int_equal(head_check(&head, NULL), 0);
    assert_true(head.has_body && head.is_chunked);
    head = HEAD({"Host", "x"}, {"Content-Length", "0"});
    assert_int_equal(head_check(&head, NULL), 0);
    assert_false(head.has_body);
    head = (struct head){.n_host = 1};
    head_add(&head, STR_LIT("Transfer-Encoding"), STR_LIT("chunked"));
    expect_refused(head); /* HTTP/1.0 */
}

static void accept_takes_the_first_form_known(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        enum head_reply_form form;
    } rows[] = {
        {"*/*", REPLY_JSON},
        {"text/plain", REPLY_PLAIN},
        {"text/markdown", REPLY_MARKDOWN},
        {"TEXT/Plain; charset=utf-8", REPLY_PLAIN},
        {"text/html, text/plain;q=0.5", REPLY_PLAIN},
        {"application/json, text/plain", REPLY_JSON},
        {"image/png", REPLY_JSON},
        {"", REPLY_JSON},
        {",,;", REPLY_JSON},
        {"text/plainx", REPLY_JSON},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct head head = {.accept = str_of(rows[i].accept)};
        assert_int_equal(head_reply_form(&head), rows[i].form);
    }
    struct head none = {0};
    assert_int_equal(head_reply_form(&none), REPLY_JSON);
}

static void request_ids_are_short_and_plain(void **state)
{
    (void)state;
    char long_id[66];
    memset(long_id, 'a', sizeof long_id);
    assert_true(head_id_is_good(STR_LIT("Az09._-")));
    assert_true(head_id_is_good(str_make(long_id, 64)));
    assert_false(head_id_is_good(str_make(long_id, 65)));
    assert_false(head_id_is_good(STR_LIT("")));
    assert_false(head_id_is_good(STR_LIT("a b")));
    assert_false(head_id_is_good(STR_LIT("a\"b")));
    assert_false(head_id_is_good(STR_LIT("\xc3\xa4")));
}

static void bearer_takes_the_secret_and_nothing_else(void **state)
{
    (void)state;
    struct str secret;
    assert_true(auth_bearer(STR_LIT("Bearer abc"), &secret));
    assert_true(str_is(secret, "abc"));
    assert_true(auth_bearer(STR_LIT("bearer  abc "), &secret));
    assert_true(str_is(secret, "abc"));
    static const char *const bad[] = {"",          "Bearer", "Bearer ",   "Bearer    ",
                                      "Basic abc", "abc",    "Bearerabc", "BearerX abc"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(auth_bearer(str_of(bad[i]), &secret));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ambiguous_framing_is_refused),
        cmocka_unit_test(names_that_are_no_tokens_are_refused),
        cmocka_unit_test(host_must_be_there_once),
        cmocka_unit_test(repeated_credentials_are_refused),
        cmocka_unit_test(body_is_announced_by_length_or_chunks),
        cmocka_unit_test(accept_takes_the_first_form_known),
        cmocka_unit_test(request_ids_are_short_and_plain),
        cmocka_unit_test(bearer_takes_the_secret_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
