/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets are found and nothing else is. redact_corpus.txt holds lines with what must not be seen of them;
 * besides, every known name is tried in every notation. The bounds are those that docs/redaction.md states.
 */
#include "text/redact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/json.h"

#include <stdlib.h>

#define MAX_BYTES (16 * 1024 * 1024)

static struct str redact(struct buf *buf, struct str text)
{
    buf_clear(buf);
    text_redact(buf, text);
    assert_int_equal(buf_error(buf), 0);
    return buf_str(buf);
}

static void expect(const char *text, const char *expected)
{
    struct buf buf;

    buf_init(&buf, MAX_BYTES);
    struct str got = redact(&buf, str_of(text));
    if (!str_is(got, expected))
        fail_msg("%s\n  wanted: %s\n  got:    %.*s", text, expected, STR_ARG(got));
    buf_done(&buf);
}

static void names_in_every_notation_are_found(void **state)
{
    (void)state;
    expect("password=hunter2", "password=[redacted:password]");
    expect("retry with password: hunter2, user: ann", "retry with password: [redacted:password], user: ann");
    expect("{\"user\":\"ann\",\"password\":\"hu\\\"nter2\",\"n\":1}",
           "{\"user\":\"ann\",\"password\":\"[redacted:password]\",\"n\":1}");
    expect("body={\\\"api_key\\\":\\\"k-1\\\",\\\"n\\\":1}",
           "body={\\\"api_key\\\":\\\"[redacted:api_key]\\\",\\\"n\\\":1}");
    expect("{\"pin_code\": 1234}", "{\"pin_code\": \"[redacted:code]\"}");
    expect("{'token': 'abc def'}", "{'token': '[redacted:token]'}");
    expect(":secret => \"x1\", :name => \"y\"", ":secret => \"[redacted:secret]\", :name => \"y\"");
    expect("GET /login?user=ann&access_token=a.b-c&x=1",
           "GET /login?user=ann&access_token=[redacted:token]&x=1");
    expect("DB_PASSWORD=x1&y=z;w", "DB_PASSWORD=[redacted:password]&y=z;w");
    expect("<password>abc</password>", "<password>[redacted:password]</password>");
    expect("mysql --user root --password s3cr3t --host db",
           "mysql --user root --password [redacted:password] --host db");
    expect("ALTER USER app WITH PASSWORD 'x y'", "ALTER USER app WITH PASSWORD '[redacted:password]'");
    expect("IDENTIFIED BY 'x1'", "IDENTIFIED BY '[redacted:password]'");
    expect("the api key: abcdef", "the api key: [redacted:api_key]");
    expect("mqtt.password: old1 -> new1 by ann",
           "mqtt.password: [redacted:password] -> [redacted:password] by ann");
    expect("{\"name\":\"API_KEY\",\"value\":\"abc\"}",
           "{\"name\":\"API_KEY\",\"value\":\"[redacted:api_key]\"}");
    expect("- parameter: wifi_password, value: abc",
           "- parameter: wifi_password, value: [redacted:password]");
    expect("\"passwords\": [\"a1\", \"b2\"], \"n\": 2",
           "\"passwords\": [\"[redacted:password]\", \"[redacted:password]\"], \"n\": 2");
    expect("password=\"never closed\nnext line", "password=\"[redacted:password]\nnext line");
}

static void headers_go_to_the_end_of_their_line(void **state)
{
    (void)state;
    expect("Authorization: Bearer abc.def\nHost: x",
           "Authorization: Bearer [redacted:authorization]\nHost: x");
    expect("Cookie: sid=1; theme=dark\r\nHost: x", "Cookie: [redacted:cookie]\r\nHost: x");
    expect("curl -H 'Cookie: a=b; c=d' url", "curl -H 'Cookie: [redacted:cookie]' url");
    expect("\"Authorization\": \"Basic YTpi\"", "\"Authorization\": \"[redacted:authorization]\"");
    expect("sent Bearer abcdef0123456789 to x", "sent Bearer [redacted:token] to x");
    expect("tried Basic dXNlcjpwYXNz", "tried Basic [redacted:password]");
}

static void forms_are_found_without_a_name(void **state)
{
    (void)state;
    expect("postgres://ann:p@ss:w@db:5432/x", "postgres://ann:[redacted:password]@db:5432/x");
    expect("see https://example.org/a@b and x", "see https://example.org/a@b and x");
    expect("key AKIAIOSFODNN7EXAMPLE used", "key [redacted:aws_key] used");
    expect("card 4111 1111 1111 1111 declined", "card [redacted:card] declined");
    expect("card 4111 1111 1111 1112 declined", "card 4111 1111 1111 1112 declined");
    expect("to DE89 3704 0044 0532 0130 00 today", "to [redacted:iban] today");
    expect("to DE88 3704 0044 0532 0130 00 today", "to DE88 3704 0044 0532 0130 00 today");
    expect("t eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0aa.c2ln x", "t [redacted:jwt] x");
    expect("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----\nnext",
           "[redacted:private_key]\nnext");
    expect("-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\" and",
           "[redacted:private_key]\" and");
    expect("-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
           "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----");
}

static void what_only_looks_like_one_stays(void **state)
{
    static const char *const lines[] = {
        "max_tokens=4096 total_tokens: 812",
        "token: expired",
        "invalid password: the account is locked",
        "password_policy: min 12 characters",
        "password=****",
        "password=${DB_PASSWORD}",
        "password = os.environ['DB_PASSWORD']",
        "token = getToken(user)",
        "if (password == other) return",
        "Basic authentication failed, Bearer authentication is off",
        "Token::new of class Secret::Store",
        "{\"has_password\": true, \"token\": null}",
        "order 4111111111111112 and 1700000000000 of 12:30",
        "GPIO pin: 17, key: value, primary key: id",
        "sk-learn-estimators-and-more-of-them",
        "skipped",
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        expect(lines[i], lines[i]);
}

static void names_are_read_as_words(void **state)
{
    static const char *const secret[] = {"password",        "DB_PASSWORD", "dbPassword",  "db-password",
                                         "Password2",       "apiKey",      "APIKey",      "X-Api-Key",
                                         "x_api_key",       "token_2",     "accessToken", "sessionId",
                                         "SECRET_KEY_BASE", "clientSecret"};
    static const char *const other[] = {"max_tokens",   "tokenizer", "token_type",    "password_policy",
                                        "passwordless", "secretary", "key",           "primary_key",
                                        "id",           "is_token",  "cookie_domain", "session",
                                        "public_key",   "passport",  "compass"};

    (void)state;
    for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++)
        if (!redact_kind_of_name(str_of(secret[i])))
            fail_msg("%s is no secret", secret[i]);
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        if (redact_kind_of_name(str_of(other[i])))
            fail_msg("%s is a secret", other[i]);
}

static void documents_stay_documents(void **state)
{
    static const char in[] =
        "{\"password\":[\"a1\",1,null,true],\"cvv\":123,\"a\":{\"name\":\"token\",\"value\":77777777},"
        "\"s\":\"password=x1 card\",\"n\":4111111111111111}";
    static const char out[] =
        "{\"password\":[\"[redacted:password]\",\"[redacted:password]\",null,true],"
        "\"cvv\":\"[redacted:code]\",\"a\":{\"name\":\"token\",\"value\":\"[redacted:token]\"},"
        "\"s\":\"password=[redacted:password] card\",\"n\":4111111111111111}";
    struct buf buf;

    (void)state;
    buf_init(&buf, MAX_BYTES);
    assert_int_equal(text_redact_json(&buf, STR_LIT(in)), 5);
    assert_true(str_is(buf_str(&buf), out));
    buf_clear(&buf);
    assert_int_equal(text_redact_json(&buf, STR_LIT("{\"password\": ")), 0);
    assert_true(str_is(buf_str(&buf), "{\"password\": "));
    buf_done(&buf);
}

/* ---- measured ---- */

static void read_corpus(struct buf *buf)
{
    char part[4096];
    size_t n;

    FILE *file = fopen(TEST_FOLDER "/redact_corpus.txt", "r");
    assert_non_null(file);
    while ((n = fread(part, 1, sizeof part, file)) > 0)
        buf_append(buf, part, n);
    assert_int_equal(fclose(file), 0);
}

/* A line "SECRET<tab>TEXT", or "-<tab>TEXT" where nothing is secret; \n in a text is a line end. */
struct tally {
    size_t n_secret, n_found, n_plain, n_spoilt;
};

static void unescape(struct buf *buf, struct str text)
{
    buf_clear(buf);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '~' && i + 1 < text.len && text.ptr[i + 1] == 'n') {
            buf_append_byte(buf, '\n');
            i++;
        } else {
            buf_append_byte(buf, text.ptr[i]);
        }
    }
}

static void judge(struct tally *tally, struct str secret, struct str text)
{
    struct buf buf;

    buf_init(&buf, MAX_BYTES);
    struct str got = redact(&buf, text);
    if (secret.len == 0) {
        tally->n_plain++;
        tally->n_spoilt += !str_eq(got, text);
        if (!str_eq(got, text))
            print_message("spoilt: %.*s\n    -> %.*s\n", STR_ARG(text), STR_ARG(got));
    } else {
        bool is_found = str_find(got, secret) < 0 && str_find(got, STR_LIT("[redacted:")) >= 0;
        tally->n_secret++;
        tally->n_found += is_found;
        if (!is_found)
            print_message("missed: %.*s\n    -> %.*s\n", STR_ARG(text), STR_ARG(got));
    }
    buf_done(&buf);
}

static void tell(const char *what, const struct tally *tally)
{
    print_message("%s: recall %zu of %zu (%.2f %%), false positives %zu of %zu (%.2f %%)\n", what,
                  tally->n_found, tally->n_secret, 100.0 * (double)tally->n_found / (double)tally->n_secret,
                  tally->n_spoilt, tally->n_plain,
                  tally->n_plain ? 100.0 * (double)tally->n_spoilt / (double)tally->n_plain : 0);
}

static void lines_of_the_corpus_are_told_apart(void **state)
{
    struct tally tally = {0};
    struct buf corpus, text;
    struct str rest, line, secret;

    (void)state;
    buf_init(&corpus, MAX_BYTES);
    buf_init(&text, MAX_BYTES);
    read_corpus(&corpus);
    rest = buf_str(&corpus);
    while (str_next_part(&rest, '\n', &line)) {
        if (line.len == 0 || line.ptr[0] == '#' || !str_next_part(&line, '\t', &secret))
            continue;
        unescape(&text, line);
        judge(&tally, str_is(secret, "-") ? STR_LIT("") : secret, buf_str(&text));
    }
    tell("corpus", &tally);
    assert_true(tally.n_secret >= 150 && tally.n_plain >= 400);
    assert_true(tally.n_found * 1000 >= tally.n_secret * 990);
    assert_true(tally.n_spoilt * 1000 <= tally.n_plain * 5);
    buf_done(&corpus);
    buf_done(&text);
}

static const char *const notations[] = {"%s=%s",
                                        "%s: %s",
                                        "\"%s\":\"%s\"",
                                        "{\"a\":1,\"%s\":\"%s\",\"b\":2}",
                                        "'%s': '%s'",
                                        "{\\\"%s\\\":\\\"%s\\\"}",
                                        "level=warn %s=%s user=ann",
                                        "%s = \"%s\"",
                                        "export %s='%s'",
                                        "x: 1, %s: %s, y: 2",
                                        "?%s=%s&page=2",
                                        ":%s => \"%s\"",
                                        "<%s>%s</x>",
                                        "--%s=%s",
                                        "--%s %s --verbose",
                                        "[conf] %s=%s;other=1",
                                        "  %s:   %s  ",
                                        "%s := %s",
                                        "(%s=%s)",
                                        "set %s=%s\nnext"};

static const char *const secret_names[] = {"password",
                                           "Password",
                                           "PASSWORD",
                                           "passwd",
                                           "db_password",
                                           "DB_PASSWORD",
                                           "dbPassword",
                                           "user-password",
                                           "smtp_pass",
                                           "pwd",
                                           "passphrase",
                                           "secret",
                                           "client_secret",
                                           "clientSecret",
                                           "CLIENT_SECRET",
                                           "token",
                                           "access_token",
                                           "accessToken",
                                           "refresh_token",
                                           "id_token",
                                           "auth_token",
                                           "api_key",
                                           "apiKey",
                                           "API_KEY",
                                           "apikey",
                                           "X-Api-Key",
                                           "x-auth-token",
                                           "aws_secret_access_key",
                                           "secret_key",
                                           "private_key",
                                           "session_id",
                                           "sessionid",
                                           "csrf_token",
                                           "encryption_key",
                                           "otp",
                                           "jwt",
                                           "credentials",
                                           "mqtt.password",
                                           "spring.datasource.password",
                                           "wpa_psk",
                                           "reset_code"};

static const char *const secrets[] = {
    "hunter2",      "Tr0ub4dor&3x",    "correct-horse-battery", "9f86d081884c7d659a2feaa0c55ad015",
    "kJ8/s+Qz0b==", "p@ssw0rd!",       "pa.ss_wo-rd",           "0123456789",
    "zażółć",       "A1b2C3d4E5f6G7h8"};

/* Without a secret: names that only sound alike, with values of all kinds. */
static const char *const plain_names[] = {"max_tokens",
                                          "total_tokens",
                                          "token_count",
                                          "token_type",
                                          "tokens_used",
                                          "tokenizer",
                                          "password_policy",
                                          "password_length",
                                          "password_changed_at",
                                          "has_password",
                                          "secret_count",
                                          "key",
                                          "primary_key",
                                          "public_key",
                                          "foreign_key",
                                          "key_id",
                                          "sort_key",
                                          "session",
                                          "session_count",
                                          "cookie_domain",
                                          "authorized",
                                          "author",
                                          "authority",
                                          "author_id",
                                          "secretary",
                                          "passenger",
                                          "compass",
                                          "bypass",
                                          "passed",
                                          "pin",
                                          "code",
                                          "error_code",
                                          "status_code",
                                          "zip_code",
                                          "user_id",
                                          "device_id",
                                          "request_id",
                                          "trace_id",
                                          "name",
                                          "email",
                                          "path",
                                          "host",
                                          "latency_ms",
                                          "firmware",
                                          "api_keys_total",
                                          "is_token",
                                          "min_password"};

static const char *const plain_values[] = {
    "1",         "812",    "true", "basic",        "2026-11-21T05:37:01Z",
    "eu-west-1", "v1.2.3", "ok",   "/var/lib/app", "3fa85f64-5717-4562-b3fc-2c963f66afa6"};

static void fill(struct buf *buf, const char *notation, const char *name, const char *value)
{
    const char *first = strstr(notation, "%s");
    const char *second = strstr(first + 2, "%s");

    buf_clear(buf);
    buf_append(buf, notation, (size_t)(first - notation));
    buf_append_text(buf, name);
    buf_append(buf, first + 2, (size_t)(second - first - 2));
    buf_append_text(buf, value);
    buf_append_text(buf, second + 2);
}

#define N_OF(list) (sizeof(list) / sizeof((list)[0]))

static void structured_names_are_told_apart(void **state)
{
    struct tally tally = {0};
    struct buf buf;

    (void)state;
    buf_init(&buf, MAX_BYTES);
    for (size_t i = 0; i < N_OF(notations); i++) {
        for (size_t j = 0; j < N_OF(secret_names); j++) {
            for (size_t k = 0; k < N_OF(secrets); k++) {
                fill(&buf, notations[i], secret_names[j], secrets[k]);
                judge(&tally, str_of(secrets[k]), buf_str(&buf));
            }
        }
        for (size_t j = 0; j < N_OF(plain_names); j++) {
            for (size_t k = 0; k < N_OF(plain_values); k++) {
                fill(&buf, notations[i], plain_names[j], plain_values[k]);
                judge(&tally, STR_LIT(""), buf_str(&buf));
            }
        }
    }
    tell("names", &tally);
    assert_true(tally.n_found * 1000 >= tally.n_secret * 990);
    assert_true(tally.n_spoilt * 1000 <= tally.n_plain * 5);
    buf_done(&buf);
}

/* The look at one place must not read on and on what the next place reads again. The steps are counted by the
 * clock, with a margin that only a square could exceed. */
static void hostile_texts_take_no_square_of_their_length(void **state)
{
    static const char *const hostile[] = {"eyJ-",
                                          "sk-",
                                          "password='",
                                          "token=${",
                                          "://a:",
                                          "a.",
                                          "-----BEGIN PRIVATE KEY-----",
                                          "Bearer ",
                                          "token=f(",
                                          "4111 ",
                                          "AA00 ",
                                          "name=",
                                          "password: [",
                                          "hvs.",
                                          "\\\"password\\\":",
                                          "password -> ",
                                          "eyJaaaaaaaaaa.",
                                          "cookie: ",
                                          "x=,",
                                          "token=\\"};

    (void)state;
    for (size_t i = 0; i < N_OF(hostile); i++) {
        struct buf text, out;

        buf_init(&text, MAX_BYTES);
        buf_init(&out, (size_t)64 * 1024 * 1024);
        while (text.len < 1024 * 1024)
            buf_append_text(&text, hostile[i]);
        text_redact(&out,
                    buf_str(&text)); /* a square of a million takes minutes: the run's limit is the judge */
        assert_int_equal(buf_error(&out), 0);
        buf_done(&text);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_in_every_notation_are_found),
        cmocka_unit_test(headers_go_to_the_end_of_their_line),
        cmocka_unit_test(forms_are_found_without_a_name),
        cmocka_unit_test(what_only_looks_like_one_stays),
        cmocka_unit_test(names_are_read_as_words),
        cmocka_unit_test(documents_stay_documents),
        cmocka_unit_test(structured_names_are_told_apart),
        cmocka_unit_test(lines_of_the_corpus_are_told_apart),
        cmocka_unit_test(hostile_texts_take_no_square_of_their_length),
    };

    return cmocka_run_group_tests_name("redact", tests, NULL, NULL);
}
