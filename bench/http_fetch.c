/* SPDX-License-Identifier: Apache-2.0
 *
 * What the poll loop costs a question over HTTP: one search of a Qdrant collection through net/http_fetch.h,
 * in a loop of its own as each build has, beside the same request by libcurl's easy interface on a kept
 * connection; in turn, in one run. bench_http_fetch URL KEY [ROUNDS]
 */
#include "net/http_fetch.h"

#include "core/json.h"
#include "core/mem.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define N_DIMS     256
#define N_POINTS   1000
#define COLLECTION "bench_http_fetch"
#define WITHIN_US  (60 * US_PER_SEC)

static int64_t now_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void put_vector(struct json_writer *json, unsigned *seed)
{
    json_open_array(json);
    for (int i = 0; i < N_DIMS; i++)
        json_put_real(json, (double)((*seed = *seed * 1103515245u + 12345u) >> 16 & 0x7fff) / 32768 - 0.5);
    json_close_array(json);
}

static int ask(struct http_server *server, const char *method, const char *target, struct str body,
               struct err_info *err)
{
    struct http_fetch http = {0};
    const struct http_request request = {
        .method = method, .target = str_of(target), .body = body, .max_answer_bytes = 1 << 20};
    int res = http_fetch_wait(server, &request, clock_mono_us(&clock_system) + WITHIN_US, &http, err);
    http_fetch_end(&http);
    return res;
}

static int fill(struct http_server *server, struct err_info *err)
{
    struct json_writer json;
    struct buf body;
    unsigned seed = 1;
    buf_init(&body, 64 << 20);
    json_writer_init(&json, &body);
    json_open_object(&json);
    json_put_name(&json, "points");
    json_open_array(&json);
    for (int i = 0; i < N_POINTS; i++) {
        json_open_object(&json);
        json_put_member_int(&json, "id", i);
        json_put_name(&json, "vector");
        put_vector(&json, &seed);
        json_put_name(&json, "payload");
        json_put_raw(&json,
                     STR_LIT("{\"content\":\"a note about a garden and its gate\",\"user_id\":\"u\"}"));
        json_close_object(&json);
    }
    json_close_array(&json);
    json_close_object(&json);
    int res = ask(server, "PUT", "/collections/" COLLECTION,
                  STR_LIT("{\"vectors\":{\"size\":256,\"distance\":\"Cosine\"}}"), err);
    if (res == 0)
        res = ask(server, "PUT", "/collections/" COLLECTION "/points?wait=true", buf_str(&body), err);
    buf_done(&body);
    return res;
}

static size_t on_bytes(char *data, size_t size, size_t n, void *arg)
{
    buf_append(arg, data, size * n);
    return size * n;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void tell(const char *name, int64_t *ns, size_t n, int64_t cpu_ns)
{
    qsort(ns, n, sizeof *ns, compare);
    printf("%-28s p50 %7.1f us   p90 %7.1f us   own processor %6.1f us\n", name, (double)ns[n / 2] / 1e3,
           (double)ns[n * 9 / 10] / 1e3, (double)cpu_ns / 1e3 / (double)n);
}

int main(int argc, char **argv)
{
    size_t n_rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 2000;
    struct workers *workers = NULL;
    struct http_server *server = NULL;
    struct err_info err = {0};
    struct json_writer json;
    struct buf body, answer;
    char url[512], key[256];
    unsigned seed = 7;
    if (argc < 3 || n_rounds < 1) {
        fprintf(stderr, "usage: bench_http_fetch URL KEY [ROUNDS]\n");
        return 2;
    }
    const struct http_server_options options = {.name = "bench",
                                                .url = argv[1],
                                                .key = argv[2],
                                                .key_prefix = "api-key:",
                                                .max_conns = 4,
                                                .connect_timeout_us = 3 * US_PER_SEC,
                                                .idle_timeout_us = WITHIN_US,
                                                .clock = &clock_system};
    struct http_server_options opened = options;
    if (workers_new("bench", 2, 16, &workers, &err) < 0)
        goto failed;
    opened.connectors = workers;
    if (http_server_new(&opened, &server, &err) < 0 || fill(server, &err) < 0)
        goto failed;
    buf_init(&body, 1 << 20);
    buf_init(&answer, 1 << 20);
    json_writer_init(&json, &body);
    json_open_object(&json);
    json_put_name(&json, "query");
    put_vector(&json, &seed);
    json_put_member_int(&json, "limit", 10);
    json_put_member_bool(&json, "with_payload", true);
    json_close_object(&json);

    CURL *easy = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    (void)snprintf(key, sizeof key, "api-key: %s", argv[2]);
    (void)snprintf(url, sizeof url, "%s/collections/" COLLECTION "/points/query", argv[1]);
    headers = curl_slist_append(headers, key);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)body.len);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer);
    int64_t *easy_ns = mem_calloc(n_rounds, sizeof *easy_ns),
            *loop_ns = mem_calloc(n_rounds, sizeof *loop_ns);
    int64_t easy_cpu = 0, loop_cpu = 0;
    for (size_t i = 0; i < n_rounds + 100; i++) { /* the first hundred warm up */
        int64_t start = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
        buf_clear(&answer);
        if (curl_easy_perform(easy))
            return 1;
        int64_t middle = now_ns(CLOCK_MONOTONIC), middle_cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
        if (ask(server, NULL, "/collections/" COLLECTION "/points/query", buf_str(&body), &err) < 0)
            goto failed;
        int64_t end = now_ns(CLOCK_MONOTONIC), end_cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
        if (i < 100)
            continue;
        easy_ns[i - 100] = middle - start;
        loop_ns[i - 100] = end - middle;
        easy_cpu += middle_cpu - cpu;
        loop_cpu += end_cpu - middle_cpu;
    }
    tell("libcurl easy, kept", easy_ns, n_rounds, easy_cpu);
    tell("net/http_fetch in a loop", loop_ns, n_rounds, loop_cpu);
    printf("ratio of p50: %.2f\n", (double)loop_ns[n_rounds / 2] / (double)easy_ns[n_rounds / 2]);
    (void)ask(server, "DELETE", "/collections/" COLLECTION, str_make(NULL, 0), &err);
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
    mem_free(easy_ns);
    mem_free(loop_ns);
    buf_done(&answer);
    buf_done(&body);
    http_server_free(server);
    workers_free(workers);
    return 0;
failed:
    fprintf(stderr, "bench_http_fetch: %s\n", err.message);
    http_server_free(server);
    workers_free(workers);
    return 1;
}
