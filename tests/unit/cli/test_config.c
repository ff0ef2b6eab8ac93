/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration: what is laid over what, and errors that name their place.
 */
#include "cli/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *const no_environment[] = {NULL};

static int load(const char *text, const char *const *environment, struct config *ret_config,
                struct err_info *reterr)
{
    const struct config_request request = {.environment = environment};
    return config_load_text(&request, str_of(text), text ? "etc/precis.yaml" : NULL, ret_config, reterr);
}

static void assert_refused(const char *text, const char *place, const char *sentence)
{
    struct config config;
    struct err_info err;
    assert_int_equal(load(text, no_environment, &config, &err), ERR_INVALID);
    assert_string_equal(err.field, place);
    assert_string_equal(err.message, sentence);
}

static void nothing_said_gives_the_defaults(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(load(NULL, no_environment, &config, NULL), 0);
    assert_string_equal(config.listen, "127.0.0.1:8080");
    assert_string_equal(config.store_url, "sqlite:precis-data/precis.db");
    assert_int_equal(config.n_connections, 0);
    assert_int_equal(config.cache_ttl_us, -1);
    assert_string_equal(config.keyless, "auto");
    assert_string_equal(config.embedding_model, "builtin");
    assert_null(config.rerank_url);
    assert_int_equal(config.rerank_candidates, 40);
    assert_int_equal(config.rerank_timeout_us, 150000);
    config_done(&config);
}

static void file_sets_every_kind_of_value(void **state)
{
    (void)state;
    struct config config;
    struct err_info err;
    assert_int_equal(load("listen: 0.0.0.0:9000\n"
                          "store: sqlite:/srv/p.db\n"
                          "connections:\n  shop: sqlite:/srv/shop.db\n"
                          "cache: { max_bytes: 32MiB, max_entries: 7, ttl: 5m }\n"
                          "auth: { keyless: never, hosts: [a.example, b.example] }\n"
                          "recipes: [/srv/recipes]\n"
                          "embedding: { model: minilm }\n"
                          "rerank: { url: \"http://r/\", key: k, format: texts, timeout: 1s }\n"
                          "log: { level: debug, format: json }\n",
                          no_environment, &config, &err),
                     0);
    assert_string_equal(config.listen, "0.0.0.0:9000");
    assert_string_equal(config.store_url, "sqlite:/srv/p.db");
    assert_int_equal(config.n_connections, 1);
    assert_string_equal(config.connections[0].name, "shop");
    assert_string_equal(config.connections[0].place, "etc/precis.yaml:4:9");
    assert_int_equal(config.cache_max_bytes, 32 << 20);
    assert_int_equal(config.cache_max_entries, 7);
    assert_int_equal(config.cache_ttl_us, INT64_C(300000000));
    assert_string_equal(config.keyless, "never");
    assert_int_equal(config.hosts.n, 2);
    assert_string_equal(config.hosts.items[1], "b.example");
    assert_string_equal(config.recipe_folders.items[0], "/srv/recipes");
    assert_string_equal(config.embedding_model, "minilm");
    assert_string_equal(config.rerank_url, "http://r/");
    assert_string_equal(config.rerank_key, "k");
    assert_null(config.rerank_model);
    assert_string_equal(config.rerank_format, "texts");
    assert_int_equal(config.rerank_timeout_us, 1000000);
    assert_string_equal(config.log_format, "json");
    config_done(&config);
}

static void relative_paths_of_a_file_lie_beside_it(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(load("store: sqlite:p.db\nconnections: { shop: sqlite:shop.db }\nrecipes: [mine]\n",
                          no_environment, &config, NULL),
                     0);
    assert_string_equal(config.store_url, "sqlite:etc/p.db");
    assert_string_equal(config.connections[0].url, "sqlite:etc/shop.db");
    assert_string_equal(config.recipe_folders.items[0], "etc/mine");
    config_done(&config);
}

static void unknown_key_names_its_place_and_the_nearest(void **state)
{
    (void)state;
    assert_refused("# first\nlisten: 127.0.0.1:1\nconections: {}\n", "etc/precis.yaml:3:1",
                   "unknown key 'conections'; did you mean 'connections'?");
    assert_refused("cache:\n  max_entrys: 5\n", "etc/precis.yaml:2:3",
                   "unknown key 'max_entrys'; did you mean 'max_entries'?");
    assert_refused("weather: { kind: x }\n", "etc/precis.yaml:1:1", "unknown key 'weather'");
    assert_refused("embedding: { kind: x }\n", "etc/precis.yaml:1:14", "unknown key 'kind'");
}

static void value_that_does_not_fit_names_its_place(void **state)
{
    (void)state;
    assert_refused("cache: { ttl: fast }\n", "etc/precis.yaml:1:15",
                   "'ttl' must be a duration such as 250ms, 30s or 5m, not 'fast'");
    assert_refused("cache:\n  max_bytes: 5MB\n", "etc/precis.yaml:2:14",
                   "'max_bytes' must be a size such as 65536, 64KiB or 16MiB, not '5MB'");
    assert_refused("limits: { workers: 5000 }\n", "etc/precis.yaml:1:20",
                   "'workers' must lie between 0 and 1024, not 5000");
    assert_refused("log: { level: loud }\n", "etc/precis.yaml:1:15",
                   "'level' must be one of debug, info, warn, error, not 'loud'");
    assert_refused("listen: [1]\n", "etc/precis.yaml:1:9", "'listen' must be a text, not a list");
    assert_refused("auth: yes\n", "etc/precis.yaml:1:7", "'auth' must be a map, not a text");
    assert_refused("connections:\n  shop: { pool: 4 }\n", "etc/precis.yaml:2:9", "a connection needs a URL");
    assert_refused("connections:\n  shop: { url: sqlite:x, pool: 0 }\n", "etc/precis.yaml:2:32",
                   "'pool' must be a number from 1 to 256");
    assert_refused("connections:\n  shop: { url: sqlite:x, pol: 1 }\n", "etc/precis.yaml:2:26",
                   "unknown key 'pol'; did you mean 'pool'?");
    assert_refused("connections:\n  shop: { url: sqlite:x, headers: { X-A: \"a\\nb\" } }\n",
                   "etc/precis.yaml:2:37", "is no header of one line");
    assert_refused("connections:\n  Shop: sqlite:x\n", "etc/precis.yaml:2:3",
                   "a connection's name is made of a-z, 0-9, '_' and '-', at most 64 of them");
}

static void variables_are_put_in(void **state)
{
    (void)state;
    static const char *const environment[] = {"PORT=81", "NAME=shop: {evil", NULL};
    struct config config;
    assert_int_equal(load("listen: 127.0.0.1:${PORT}\n"
                          "connections:\n  shop: sqlite:/srv/${NAME}/${NONE:-d}$$x.db\n",
                          environment, &config, NULL),
                     0);
    assert_string_equal(config.listen, "127.0.0.1:81");
    assert_int_equal(config.n_connections, 1);
    assert_string_equal(config.connections[0].url, "sqlite:/srv/shop: {evil/d$x.db");
    config_done(&config);
}

static void variable_that_is_not_set_is_an_error(void **state)
{
    (void)state;
    assert_refused("listen: 127.0.0.1:${PORT}\n", "etc/precis.yaml:1:9",
                   "the variable PORT is not set; ${PORT:-value} gives it a default");
    assert_refused("listen: \"127.0.0.1:${PORT\"\n", "etc/precis.yaml:1:9", "'${' has no closing brace");
}

static void environment_alone_configures(void **state)
{
    (void)state;
    static const char *const environment[] = {
        "PRECIS_LISTEN=127.0.0.1:7000",
        "PRECIS_DATA=/srv/data",
        "CACHE_TTL_SECONDS=3600",
        "CACHE_MAX_ENTRIES=5",
        "PRECIS_LOG=warn",
        "PRECIS_RECIPES=/a:/b",
        "PRECIS_CONNECTION_SHOP=sqlite:/srv/shop.db",
        NULL,
    };
    struct config config;
    assert_int_equal(load(NULL, environment, &config, NULL), 0);
    assert_string_equal(config.listen, "127.0.0.1:7000");
    assert_string_equal(config.store_url, "sqlite:/srv/data/precis.db");
    assert_int_equal(config.cache_ttl_us, INT64_C(3600000000));
    assert_int_equal(config.cache_max_entries, 5);
    assert_string_equal(config.log_level, "warn");
    assert_int_equal(config.recipe_folders.n, 2);
    assert_string_equal(config.recipe_folders.items[1], "/b");
    assert_int_equal(config.n_connections, 1);
    assert_string_equal(config.connections[0].name, "shop");
    config_done(&config);
}

static void environment_goes_over_the_file_and_command_line_over_both(void **state)
{
    (void)state;
    static const char *const environment[] = {"PRECIS_LISTEN=127.0.0.1:7000", "PRECIS_DATA=/srv/data", NULL};
    const struct config_request request = {.data_dir = "/tmp/mine", .environment = environment};
    struct config config;
    assert_int_equal(config_load_text(&request, STR_LIT("listen: 127.0.0.1:1\nstore: sqlite:/srv/p.db\n"),
                                      "precis.yaml", &config, NULL),
                     0);
    assert_string_equal(config.listen, "127.0.0.1:7000");
    assert_string_equal(config.data_dir, "/tmp/mine");
    assert_string_equal(config.store_url, "sqlite:/tmp/mine/precis.db");
    config_done(&config);
}

static void bad_variable_is_named(void **state)
{
    (void)state;
    static const char *const environment[] = {"CACHE_TTL_SECONDS=soon", NULL};
    struct config config;
    struct err_info err;
    assert_int_equal(load(NULL, environment, &config, &err), ERR_INVALID);
    assert_string_equal(err.field, "CACHE_TTL_SECONDS");
}

static void named_file_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    const struct config_request request = {.file = "/nonexistent/precis.yaml", .environment = no_environment};
    struct config config;
    struct err_info err;
    assert_int_equal(config_load(&request, &config, &err), ERR_NOT_FOUND);
    assert_string_equal(err.field, "/nonexistent/precis.yaml");
}

static void a_connection_may_say_more_than_its_url(void **state)
{
    (void)state;
    static const char *const environment[] = {"NAME=shop: {evil", NULL};
    struct config config;
    struct err_info err = {0};

    assert_int_equal(load("connections:\n  shop:\n    url: sqlite:shop.db\n    pool: 4\n    key: ${NAME}\n"
                          "    headers: { X-Team: search }\n",
                          environment, &config, &err),
                     0);
    assert_string_equal(config.connections[0].name, "shop");
    assert_string_equal(config.connections[0].url, "sqlite:etc/shop.db");
    assert_string_equal(config.connections[0].place, "etc/precis.yaml:3:10");
    assert_int_equal(config.connections[0].max_conns, 4);
    assert_string_equal(config.connections[0].key, "shop: {evil");
    assert_int_equal(config.connections[0].n_headers, 1);
    assert_string_equal(config.connections[0].headers[0].name, "X-Team");
    assert_string_equal(config.connections[0].headers[0].value, "search");
    config_done(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_may_say_more_than_its_url),
        cmocka_unit_test(nothing_said_gives_the_defaults),
        cmocka_unit_test(file_sets_every_kind_of_value),
        cmocka_unit_test(relative_paths_of_a_file_lie_beside_it),
        cmocka_unit_test(unknown_key_names_its_place_and_the_nearest),
        cmocka_unit_test(value_that_does_not_fit_names_its_place),
        cmocka_unit_test(variables_are_put_in),
        cmocka_unit_test(variable_that_is_not_set_is_an_error),
        cmocka_unit_test(environment_alone_configures),
        cmocka_unit_test(environment_goes_over_the_file_and_command_line_over_both),
        cmocka_unit_test(bad_variable_is_named),
        cmocka_unit_test(named_file_that_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
