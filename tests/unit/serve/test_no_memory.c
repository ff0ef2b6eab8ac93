/* SPDX-License-Identifier: Apache-2.0
 *
 * Every allocation of a request is made to fail in turn: the client gets the right answer, a clean 503, or a
 * closed connection, and the next request is served as if nothing had been.
 */
#include "../fail_mem.h"
#include "serve_fixture.h"

#include "core/log.h"

#include <fcntl.h>

#define MOST_ALLOCATIONS 3000

struct sample {
    const char *method, *target, *headers, *body;
    int status; /* when nothing fails */
};

static const struct sample samples[] = {
    {"GET", "/healthz", "", NULL, 200},
    {"GET", "/nowhere", "", NULL, 404},
    {"GET", "/memory/search?query=a%20b&tags=x,y&user_id=%41", "", NULL, 200},
    {"POST", "/memory/add", "",
     "{\"items\":[{\"content\":\"one\",\"tags\":[\"a\"],\"metadata\":{\"k\":1}},{\"content\":\"two\"}]}",
     201},
    {"POST", "/preferences/set", "", "{\"key\":\"k\",\"value\":[1,2]}", 200},
    {"GET", "/conversations/s/messages", "", NULL, 200},
    {"POST", "/v1/context", "", "{\"recipe\":\"greeting\",\"params\":{\"user_id\":\"a\"},\"cache\":\"off\"}",
     200},
    {"POST", "/v1/context", "Accept: text/plain\r\n",
     "{\"recipe\":\"greeting\",\"params\":{\"user_id\":\"a\"}}", 200},
    {"GET", "/metrics", "", NULL, 200},
    {"GET", "/memory", "Authorization: Bearer wrong\r\n", NULL, 401},
};

static void expect_survived(struct fixture *fixture, const struct sample *sample)
{
    long n_failed = 0;

    for (long n = 1;; n++) {
        if (n > MOST_ALLOCATIONS)
            fail_msg("%s never came to its end", sample->target);
        int fd = client_connect(fixture);
        struct buf buf;
        buf_init(&buf, 8192);
        buf_printf(&buf, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", sample->method, sample->target,
                   sample->headers);
        if (sample->body)
            buf_printf(&buf, "Content-Length: %zu\r\n", strlen(sample->body));
        buf_printf(&buf, "\r\n%s", sample->body ? sample->body : "");
        fail_mem_at(n);
        (void)client_send(fd, buf.data, buf.len);
        struct answer answer = {0};
        if (recv(fd, answer.head, 12, MSG_WAITALL) == 12)
            answer.status = (int)strtol(answer.head + 9, NULL, 10);
        bool is_over = fail_mem_is_pending();
        fail_mem_at(0);
        close(fd);
        buf_done(&buf);
        if (answer.status != 0 && answer.status != 503 && answer.status != sample->status)
            fail_msg("%s: status %d when allocation %ld failed", sample->target, answer.status, n);
        n_failed += answer.status != sample->status;
        if (is_over && answer.status == sample->status)
            break;
    }
    assert_true(n_failed > 0 || !sample->body); /* a greeting takes nothing from the heap */
}

static void any_failed_allocation_of_a_request_is_survived(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        expect_survived(fixture, &samples[i]);
        struct answer answer = ask(fixture, "GET", "/healthz", NULL);
        expect_status(&answer, 200);
    }
}

static void any_failed_allocation_of_the_start_is_survived(void **state)
{
    struct fixture *fixture = *state;
    struct serve_options options = fixture->options;
    for (long n = 1; n < MOST_ALLOCATIONS; n++) {
        struct server *server = NULL;
        struct err_info err = {0};
        fail_mem_at(n);
        int rc = server_start(&options, &server, &err);
        bool is_over = fail_mem_is_pending();
        fail_mem_at(0);
        if (rc == 0)
            server_stop(server, 0);
        else
            assert_int_equal(err.code, rc);
        if (is_over) {
            assert_int_equal(rc, 0);
            return;
        }
    }
    fail_msg("the start never came to its end");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(any_failed_allocation_of_a_request_is_survived),
        SERVER_TEST(any_failed_allocation_of_the_start_is_survived),
    };
    log_setup(LOG_ERROR, LOG_TEXT,
              open("/dev/null", O_WRONLY | O_CLOEXEC)); /* hundreds of failures on purpose */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
