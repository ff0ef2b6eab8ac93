/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP calls to a server that takes connections and says nothing: they end at their deadline and when nobody
 * waits. tests/scenario/rerank.py has servers that do answer.
 */
#include "net/http_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FAR_US (600 * US_PER_SEC) /* longer than a test may take: whoever waits for it fails */

struct silent {
    int socket;
    char place[64];
    struct http_client *client;
};

static int setup(void **state)
{
    struct silent *silent = calloc(1, sizeof *silent);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    char url[96];
    silent->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(silent->socket, (struct sockaddr *)&address, len) < 0 || listen(silent->socket, 8) < 0 ||
        getsockname(silent->socket, (struct sockaddr *)&address, &len) < 0)
        return -1;
    (void)snprintf(silent->place, sizeof silent->place, "127.0.0.1:%d", ntohs(address.sin_port));
    (void)snprintf(url, sizeof url, "http://%s/", silent->place);
    const struct http_client_options options = {.url = url, .max_answer_bytes = 100, .max_calls = 1};
    *state = silent;
    return http_client_new(&options, &silent->client, NULL);
}

static int teardown(void **state)
{
    struct silent *silent = *state;
    http_client_free(silent->client);
    close(silent->socket);
    free(silent);
    return 0;
}

static int post(struct silent *silent, int64_t deadline_us, const struct net_job *job,
                struct err_info *reterr)
{
    const struct http_call call = {.body = STR_LIT("{}"), .deadline_us = deadline_us, .job = job};
    struct buf answer;
    buf_init(&answer, 1000);
    int err = http_client_post(silent->client, &call, &answer, reterr);
    buf_done(&answer);
    return err;
}

static void call_ends_at_its_deadline(void **state)
{
    struct silent *silent = *state;
    struct err_info err;
    for (int i = 0; i < 3; i++) {
        int64_t deadline_us = clock_mono_us(&clock_system) + i * 10 * US_PER_MS;
        assert_int_equal(post(silent, deadline_us, NULL, &err), ERR_TIMEOUT);
        assert_true(clock_mono_us(&clock_system) >= deadline_us);
        assert_non_null(strstr(err.message, silent->place));
    }
}

struct calling {
    struct net_job job;
    struct silent *silent;
    int result;
    bool is_released;
};

static int run_call(struct net_job *job, struct err_info *reterr)
{
    struct calling *calling = (struct calling *)job;
    calling->result = post(calling->silent, clock_mono_us(&clock_system) + FAR_US, job, reterr);
    return calling->result;
}

static void release_call(struct net_job *job)
{
    ((struct calling *)job)->is_released = true;
}

static void call_that_nobody_waits_for_ends_and_counts_until_then(void **state)
{
    struct silent *silent = *state;
    struct calling calling = {.job = {.run = run_call, .release = release_call}, .silent = silent};
    struct net_op op = {.deadline_us = INT64_MAX};
    struct workers *workers = NULL;
    struct net_loop *loop = NULL;
    struct err_info err;
    assert_int_equal(workers_new("test", 1, 1, &workers, NULL), 0);
    assert_int_equal(net_loop_new(&clock_system, &loop, NULL), 0);
    assert_int_equal(net_loop_add_job(loop, workers, &op, &calling.job, NULL), 0);
    int connection = accept(silent->socket, NULL, NULL); /* so it is under way */
    assert_true(connection >= 0);
    assert_int_equal(post(silent, clock_mono_us(&clock_system) + FAR_US, NULL, &err), ERR_LIMIT);
    net_loop_free(loop);
    workers_free(workers); /* waits for it */
    close(connection);
    assert_int_equal(calling.result, ERR_CANCELLED);
    assert_true(calling.is_released);
    assert_int_equal(post(silent, clock_mono_us(&clock_system), NULL, &err), ERR_TIMEOUT);
}

static void place_has_the_port_of_the_scheme(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"https://h.example/v1/rerank", "h.example:443"},
        {"http://h.example", "h.example:80"},
        {"http://[::1]:7997/", "[::1]:7997"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct http_client_options options = {.url = cases[i][0], .max_calls = 1};
        struct http_client *client = NULL;
        assert_int_equal(http_client_new(&options, &client, NULL), 0);
        assert_string_equal(http_client_place(client), cases[i][1]);
        assert_null(http_client_free(client));
    }
    assert_null(http_client_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(call_ends_at_its_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(call_that_nobody_waits_for_ends_and_counts_until_then, setup,
                                        teardown),
        cmocka_unit_test(place_has_the_port_of_the_scheme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
