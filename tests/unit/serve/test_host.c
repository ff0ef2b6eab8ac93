/* SPDX-License-Identifier: Apache-2.0
 *
 * Which Host and Origin pass, as a matrix: what a rebinding page or a foreign site could send must not.
 */
#include "serve/host.h"
#include "serve/listen.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *const names[] = {"precis.internal"};
static const struct host_set loopback = {.listened = {"127.0.0.1", 9}};
static const struct host_set named = {.listened = {"192.0.2.7", 9}, .names = names, .n_names = 1};
static const struct host_set any = {.listened = {"0.0.0.0", 7}, .is_any = true};

static void expect_host(const struct host_set *set, const char *host, bool should)
{
    if (host_is_allowed(set, str_of(host)) != should)
        fail_msg("Host '%s' should %spass", host ? host : "(none)", should ? "" : "not ");
}

static void loopback_names_pass_with_any_port(void **state)
{
    (void)state;
    static const char *const good[] = {"127.0.0.1",       "127.0.0.1:8080", "127.0.0.1:1", "localhost",
                                       "LocalHost:65535", "[::1]",          "[::1]:8080"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        expect_host(&loopback, good[i], true);
        expect_host(&named, good[i], true);
        expect_host(&any, good[i], true);
    }
}

static void foreign_and_malformed_names_do_not_pass(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "evil.com",
        "127.0.0.1.evil.com",
        "127.0.0.1.",
        "localhost.",
        "localhost.evil.com",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:99999",
        "127.0.0.1:80:80",
        "::1",
        "[::1",
        "[::1]x",
        "[::1]:",
        "a@127.0.0.1",
        "127.0.0.1@evil",
        "127.0.0.1 ",
        " localhost",
        "0",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "127.0.0.1/",
        "localhost:-1",
        "localhost:+80",
        "evil.com:127.0.0.1",
        "[::ffff:127.0.0.1]",
        "precis.internal.",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_host(&loopback, bad[i], false);
}

static void configured_and_listened_names_pass(void **state)
{
    (void)state;
    expect_host(&named, "precis.internal", true);
    expect_host(&named, "PRECIS.internal:443", true);
    expect_host(&named, "192.0.2.7:8080", true);
    expect_host(&named, "192.0.2.8", false);
    expect_host(&named, "xprecis.internal", false);
    expect_host(&loopback, "precis.internal", false);
}

/* A page can rebind a name, not a numeric address. */
static void listening_everywhere_takes_numeric_addresses_only(void **state)
{
    (void)state;
    expect_host(&any, "192.0.2.9:8080", true);
    expect_host(&any, "[2001:db8::1]:8080", true);
    expect_host(&any, "evil.com", false);
    expect_host(&any, "127.1", false);
    expect_host(&any, "[zz]", false);
}

static void origin_follows_host(void **state)
{
    (void)state;
    static const char *const good[] = {"http://127.0.0.1", "http://localhost:3000", "https://[::1]:8443",
                                       "HTTP://LOCALHOST"};
    static const char *const bad[] = {"null",
                                      "",
                                      "http://",
                                      "http://evil.com",
                                      "http://127.0.0.1.evil.com",
                                      "http://localhost.",
                                      "file://localhost",
                                      "localhost",
                                      "http://localhost/",
                                      "http://a@localhost",
                                      "https:localhost",
                                      "http://evil.com#localhost"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(host_origin_is_allowed(&loopback, str_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(host_origin_is_allowed(&loopback, str_of(bad[i])));
}

static void listen_addresses_are_told_apart(void **state)
{
    (void)state;
    struct listen_address address;
    assert_int_equal(listen_parse("127.0.0.1:8080", &address, NULL), 0);
    assert_true(address.is_loopback);
    assert_int_equal(listen_parse("localhost:0", &address, NULL), 0);
    assert_true(address.is_loopback);
    assert_int_equal(listen_parse("[::1]:8080", &address, NULL), 0);
    assert_true(address.is_loopback);
    assert_int_equal(listen_parse("0.0.0.0:8080", &address, NULL), 0);
    assert_true(address.is_any && !address.is_loopback);
    assert_int_equal(listen_parse("[::]:8080", &address, NULL), 0);
    assert_true(address.is_any && !address.is_loopback);
    static const char *const bad[] = {
        "",      "8080",  "127.0.0.1", ":8080",         "127.0.0.1:",    "127.0.0.1:70000", "example.com:80",
        "[::1]", "[]:80", "[::1:80",   "127.0.0.1:80x", "[127.0.0.1]:80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err_info err = {0};
        assert_int_equal(listen_parse(bad[i], &address, &err), ERR_INVALID);
        assert_string_equal(err.field, "listen");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_names_pass_with_any_port),
        cmocka_unit_test(foreign_and_malformed_names_do_not_pass),
        cmocka_unit_test(configured_and_listened_names_pass),
        cmocka_unit_test(listening_everywhere_takes_numeric_addresses_only),
        cmocka_unit_test(origin_follows_host),
        cmocka_unit_test(listen_addresses_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
