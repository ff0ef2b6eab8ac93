/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections from the environment alone, and variables that nobody knows.
 */
#include "cli/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int load(const char *text, const char *const *environment, struct config *ret_config,
                struct err_info *reterr)
{
    const struct config_request request = {.environment = environment};
    return config_load_text(&request, str_of(text), text ? "precis.yaml" : NULL, ret_config, reterr);
}

static const char *url_of(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->n_connections; i++) {
        if (strcmp(config->connections[i].name, name) == 0)
            return config->connections[i].url;
    }
    return NULL;
}

static void a_host_makes_the_connection(void **state)
{
    (void)state;
    static const char *const environment[] = {
        "POSTGRES_HOST=db.example", "POSTGRES_PORT=5433", "POSTGRES_USER=precis", "POSTGRES_PASSWORD=secret",
        "POSTGRES_DB=facts",        "TIMESCALE_HOST=ts",  "TIMESCALE_PASSWORD=",  NULL};
    struct config config;
    assert_int_equal(load(NULL, environment, &config, NULL), 0);
    assert_int_equal(config.n_connections, 2);
    assert_string_equal(url_of(&config, "main"), "postgres://precis:secret@db.example:5433/facts");
    assert_string_equal(url_of(&config, "series"), "postgres://ts:5432");
    assert_string_equal(config.connections[0].place, "POSTGRES_HOST");
    config_done(&config);
}

static void without_a_host_there_is_none(void **state)
{
    (void)state;
    static const char *const environment[] = {"POSTGRES_PASSWORD=secret", "POSTGRES_HOST=", NULL};
    struct config config;
    assert_int_equal(load(NULL, environment, &config, NULL), 0);
    assert_int_equal(config.n_connections, 0);
    config_done(&config);
}

static void a_password_may_be_any_text(void **state)
{
    (void)state;
    static const char *const environment[] = {"POSTGRES_HOST=h", "POSTGRES_USER=me@work",
                                              "POSTGRES_PASSWORD=a/b:c@d?e#f%25 g&\xc3\xa9\"'",
                                              "POSTGRES_DB=a/b", NULL};
    struct config config;
    assert_int_equal(load(NULL, environment, &config, NULL), 0);
    assert_string_equal(url_of(&config, "main"),
                        "postgres://me%40work:a%2Fb%3Ac%40d%3Fe%23f%2525%20g%26%C3%A9%22%27@h:5432/a%2Fb");
    config_done(&config);
}

static void a_host_may_be_an_address_or_a_folder(void **state)
{
    (void)state;
    static const char *const environment[] = {"POSTGRES_HOST=::1", "TIMESCALE_HOST=/var/run/postgresql",
                                              NULL};
    struct config config;
    assert_int_equal(load(NULL, environment, &config, NULL), 0);
    assert_string_equal(url_of(&config, "main"), "postgres://[::1]:5432");
    assert_string_equal(url_of(&config, "series"), "postgres://%2Fvar%2Frun%2Fpostgresql:5432");
    config_done(&config);
}

static void a_bad_port_is_named(void **state)
{
    (void)state;
    static const char *const environment[] = {"POSTGRES_HOST=h", "POSTGRES_PORT=tcp://10.0.0.1:5432", NULL};
    struct config config;
    struct err_info err;
    assert_int_equal(load(NULL, environment, &config, &err), ERR_INVALID);
    assert_string_equal(err.field, "POSTGRES_PORT");
    assert_string_equal(err.message, "must be a port from 1 to 65535, not 'tcp://10.0.0.1:5432'");
}

static void environment_goes_over_the_file_and_a_url_over_its_parts(void **state)
{
    (void)state;
    static const char *const parts[] = {"POSTGRES_HOST=h", NULL};
    static const char *const both[] = {"PRECIS_CONNECTION_MAIN=sqlite:/b.db", "POSTGRES_HOST=h", NULL};
    static const char text[] = "connections: { main: sqlite:/a.db, shop: sqlite:/s.db }\n";
    struct config config;
    assert_int_equal(load(text, parts, &config, NULL), 0);
    assert_int_equal(config.n_connections, 2);
    assert_string_equal(url_of(&config, "main"), "postgres://h:5432");
    config_done(&config);
    assert_int_equal(load(text, both, &config, NULL), 0);
    assert_string_equal(url_of(&config, "main"), "sqlite:/b.db");
    config_done(&config);
}

static void a_variable_that_nobody_knows_is_told(void **state)
{
    (void)state;
    static const char *const environment[] = {"PRECIS_LISTN=127.0.0.1:1", "PRECIS_WEATHER=fine",
                                              "PRECIS_LISTEN=127.0.0.1:2", "PRECIS_CACHE_TTL_SECONDS=1",
                                              NULL};
    struct config config;
    assert_int_equal(load(NULL, environment, &config, NULL), 0);
    assert_int_equal(config.warnings.n, 3);
    assert_string_equal(config.warnings.items[0],
                        "PRECIS_LISTN is no variable of Precis; did you mean PRECIS_LISTEN?");
    assert_string_equal(config.warnings.items[1], "PRECIS_WEATHER is no variable of Precis");
    assert_string_equal(config.warnings.items[2],
                        "PRECIS_CACHE_TTL_SECONDS is no variable of Precis; did you mean CACHE_TTL_SECONDS?");
    config_done(&config);
}

static void a_variable_that_the_file_puts_in_is_not_told(void **state)
{
    (void)state;
    static const char *const environment[] = {"PRECIS_SHOP_DB=/s.db", "PRECIS_CUPBOARD=1",
                                              "PRECIS_SERVICE_HOST=10.0.0.1",
                                              "PRECIS_PORT_8080_TCP=tcp://10.0.0.1:8080", NULL};
    struct config config;
    assert_int_equal(
        load("connections:\n  shop: sqlite:${PRECIS_SHOP_DB:-/t.db}\n", environment, &config, NULL), 0);
    assert_int_equal(config.warnings.n, 1);
    assert_string_equal(config.warnings.items[0], "PRECIS_CUPBOARD is no variable of Precis");
    config_done(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_makes_the_connection),
        cmocka_unit_test(without_a_host_there_is_none),
        cmocka_unit_test(a_password_may_be_any_text),
        cmocka_unit_test(a_host_may_be_an_address_or_a_folder),
        cmocka_unit_test(a_bad_port_is_named),
        cmocka_unit_test(environment_goes_over_the_file_and_a_url_over_its_parts),
        cmocka_unit_test(a_variable_that_nobody_knows_is_told),
        cmocka_unit_test(a_variable_that_the_file_puts_in_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
