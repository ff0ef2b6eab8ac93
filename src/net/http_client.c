/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP by libcurl. A call takes an idle handle or makes one, drives it until it is done,
 * late or cancelled, and gives it back with its connection open. A handle is a multi with one easy in it:
 * unlike curl_easy_perform it lets us look at the job and the clock as often as we like.
 */
#include "net/http_client.h"

#include "core/mem.h"
#include "net/http_curl_priv.h"

#include <pthread.h>

#define MAX_IDLE      8  /* open connections kept: more calls at once than this are rare */
#define LOOK_EVERY_MS 20 /* how late a cancelled job may be noticed */

struct handle {
    const struct http_curl *curl;
    CURLM *multi;
    CURL *easy;
    struct handle *next;
    struct buf *answer; /* of the call */
    size_t n_received, max_received;
    bool is_too_large;
};

struct http_client {
    struct http_curl curl;
    char *url, *place;
    struct curl_slist *headers;
    size_t max_answer_bytes, max_calls;
    pthread_mutex_t lock; /* guards what follows */
    struct handle *idle;
    size_t n_idle, n_calls;
};

/* ---- making a client ---- */

static int add_headers(struct http_client *client, const char *key, struct err_info *reterr)
{
    /* Without the empty one libcurl would ask before it sends a large body, which costs a round trip. */
    static const char *const headers[] = {"Content-Type: application/json", "Accept: application/json",
                                          "Expect:"};
    int err = 0;
    for (size_t i = 0; i < sizeof headers / sizeof *headers && !err; i++)
        err = http_add_header(&client->curl, &client->headers, headers[i], reterr);
    return err || !key || !*key
               ? err
               : http_add_key(&client->curl, &client->headers, "Authorization: Bearer", key, reterr);
}

static int fill(struct http_client *client, const struct http_client_options *options,
                struct err_info *reterr)
{
    const struct http_curl *curl = &client->curl;
    client->max_answer_bytes = options->max_answer_bytes;
    client->max_calls = options->max_calls;
    client->url = mem_strdup(options->url);
    int err = client->url ? http_read_place(curl, options->url, &client->place, reterr)
                          : http_out_of_memory(reterr);
    return err ? err : add_headers(client, options->key, reterr);
}

int http_client_new(const struct http_client_options *options, struct http_client **ret_client,
                    struct err_info *reterr)
{
    struct http_curl curl;
    int err = http_curl_load(&curl, reterr);
    if (err)
        return err;
    struct http_client *client = mem_calloc(1, sizeof(*client));
    if (!client)
        return http_out_of_memory(reterr);
    if (curl.global_init(CURL_GLOBAL_DEFAULT)) { /* counted: may be called again */
        mem_free(client);
        return err_set(reterr, ERR_INTERNAL, "libcurl cannot be used");
    }
    client->curl = curl;
    pthread_mutex_init(&client->lock, NULL);
    err = fill(client, options, reterr);
    if (err)
        http_client_free(client);
    else
        *ret_client = client;
    return err;
}

static void handle_free(struct handle *handle)
{
    const struct http_curl *curl = handle->curl;
    curl->easy_cleanup(handle->easy);
    curl->multi_cleanup(handle->multi);
    mem_free(handle);
}

struct http_client *http_client_free(struct http_client *client)
{
    if (!client)
        return NULL;
    const struct http_curl curl = client->curl;
    while (client->idle) {
        struct handle *handle = client->idle;
        client->idle = handle->next;
        handle_free(handle);
    }
    curl.slist_free_all(client->headers);
    pthread_mutex_destroy(&client->lock);
    mem_free(client->place);
    mem_free(client->url);
    mem_free(client);
    curl.global_cleanup();
    return NULL;
}

const char *http_client_place(const struct http_client *client)
{
    return client->place;
}

/* ---- handles ---- */

static size_t on_bytes(char *data, size_t size, size_t n, void *arg)
{
    struct handle *handle = arg;
    size_t len = size * n;
    handle->is_too_large = len > handle->max_received - handle->n_received;
    if (handle->is_too_large)
        return 0; /* ends the transfer */
    handle->n_received += len;
    buf_append(handle->answer, data, len);
    return buf_error(handle->answer) ? 0 : len;
}

static bool set_up(const struct http_client *client, struct handle *handle)
{
    const struct http_curl *curl = handle->curl;
    CURL *easy = handle->easy;
    return http_set_common(curl, easy) && !curl->easy_setopt(easy, CURLOPT_POST, 1L) &&
           !curl->easy_setopt(easy, CURLOPT_URL, client->url) &&
           !curl->easy_setopt(easy, CURLOPT_HTTPHEADER, client->headers) &&
           !curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes) &&
           !curl->easy_setopt(easy, CURLOPT_WRITEDATA, handle);
}

static struct handle *handle_new(const struct http_client *client)
{
    struct handle *handle = mem_calloc(1, sizeof(*handle));
    if (!handle)
        return NULL;
    handle->curl = &client->curl;
    handle->multi = client->curl.multi_init();
    handle->easy = client->curl.easy_init();
    if (handle->multi && handle->easy && set_up(client, handle))
        return handle;
    handle_free(handle);
    return NULL;
}

static int take_handle(struct http_client *client, struct handle **ret_handle, struct err_info *reterr)
{
    pthread_mutex_lock(&client->lock);
    bool is_full = client->n_calls == client->max_calls;
    struct handle *handle = is_full ? NULL : client->idle;
    if (!is_full)
        client->n_calls++;
    if (handle) {
        client->idle = handle->next;
        client->n_idle--;
    }
    pthread_mutex_unlock(&client->lock);
    if (is_full)
        return err_set(reterr, ERR_LIMIT, "%zu calls to %s are under way already", client->max_calls,
                       client->place);
    if (!handle)
        handle = handle_new(client);
    if (!handle) {
        pthread_mutex_lock(&client->lock);
        client->n_calls--;
        pthread_mutex_unlock(&client->lock);
        return http_out_of_memory(reterr);
    }
    *ret_handle = handle;
    return 0;
}

static void give_handle(struct http_client *client, struct handle *handle)
{
    pthread_mutex_lock(&client->lock);
    client->n_calls--;
    bool is_kept = client->n_idle < MAX_IDLE;
    if (is_kept) {
        handle->next = client->idle;
        client->idle = handle;
        client->n_idle++;
    }
    pthread_mutex_unlock(&client->lock);
    if (!is_kept)
        handle_free(handle);
}

/* ---- a call ---- */

static int no_answer(const struct http_client *client, int64_t started_us, struct err_info *reterr)
{
    int64_t waited_us = clock_mono_us(&clock_system) - started_us;
    return err_set(reterr, ERR_TIMEOUT, "no answer from %s within %lld ms", client->place,
                   (long long)((waited_us + US_PER_MS / 2) / US_PER_MS));
}

static int explain(const struct http_client *client, const struct handle *handle, CURLcode result,
                   struct err_info *reterr)
{
    if (result != CURLE_WRITE_ERROR)
        return http_explain(&client->curl, client->place, handle->easy, result, reterr);
    if (!handle->is_too_large)
        return err_set(reterr, buf_error(handle->answer), "no memory for the answer of %s", client->place);
    return err_set(reterr, ERR_REMOTE, "the answer of %s is larger than %zu bytes", client->place,
                   client->max_answer_bytes);
}

static int judge(const struct http_client *client, const struct handle *handle, struct err_info *reterr)
{
    int n_left;
    long status = 0;
    const CURLMsg *message = client->curl.multi_info_read(handle->multi, &n_left);
    if (!message || message->msg != CURLMSG_DONE)
        return err_set(reterr, ERR_INTERNAL, "%s: the call ended without a result", client->place);
    if (message->data.result)
        return explain(client, handle, message->data.result, reterr);
    (void)client->curl.easy_getinfo(handle->easy, CURLINFO_RESPONSE_CODE, &status); /* 0 then */
    if (status < 200 || status > 299)
        return err_set(reterr, ERR_REMOTE, "%s answered with status %ld", client->place, status);
    return 0;
}

static int drive(const struct http_client *client, const struct handle *handle, const struct http_call *call,
                 struct err_info *reterr)
{
    int64_t started_us = clock_mono_us(&clock_system);
    int n_running = 1;
    while (true) {
        CURLMcode bad = client->curl.multi_perform(handle->multi, &n_running);
        if (bad)
            return err_set(reterr, ERR_INTERNAL, "%s: %s", client->place, client->curl.multi_strerror(bad));
        if (n_running == 0)
            return judge(client, handle, reterr);
        int64_t left_us = call->deadline_us - clock_mono_us(&clock_system);
        if (left_us <= 0)
            return no_answer(client, started_us, reterr);
        if (call->job && net_job_is_cancelled(call->job))
            return err_set(reterr, ERR_CANCELLED, "nobody waits for %s any more", client->place);
        int64_t wait_ms = (left_us + US_PER_MS - 1) / US_PER_MS;
        (void)client->curl.multi_poll(handle->multi, NULL, 0,
                                      (int)(wait_ms < LOOK_EVERY_MS ? wait_ms : LOOK_EVERY_MS),
                                      NULL); /* what it could say, perform says */
    }
}

int http_client_post(struct http_client *client, const struct http_call *call, struct buf *answer,
                     struct err_info *reterr)
{
    const struct http_curl *curl = &client->curl;
    struct handle *handle = NULL;
    int err = take_handle(client, &handle, reterr);
    if (err)
        return err;
    handle->answer = answer;
    handle->n_received = 0;
    handle->max_received = client->max_answer_bytes;
    handle->is_too_large = false;
    if (curl->easy_setopt(handle->easy, CURLOPT_POSTFIELDS, call->body.ptr) ||
        curl->easy_setopt(handle->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len) ||
        curl->multi_add_handle(handle->multi, handle->easy)) {
        err = http_out_of_memory(reterr);
    } else {
        err = drive(client, handle, call, reterr);
        /* Also what ends a call that is late: its connection is closed, others' are not touched. */
        (void)curl->multi_remove_handle(handle->multi, handle->easy);
    }
    give_handle(client, handle);
    return err;
}
