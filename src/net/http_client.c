/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP by libcurl. A call takes an idle handle or makes one, drives it until it is done,
 * late or cancelled, and gives it back with its connection open. A handle is a multi with one easy in it:
 * unlike curl_easy_perform it lets us look at the job and the clock as often as we like.
 */
#include "net/http_client.h"

#include "core/mem.h"
#include "net/http_curl_priv.h"

#include <errno.h>
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

static int out_of_memory(struct err_info *reterr)
{
    return err_set(reterr, ERR_NOMEM, "out of memory");
}

static int invalid_url(struct err_info *reterr, const char *why)
{
    return err_set_field(reterr, ERR_INVALID, "url", "the URL %s", why);
}

/* "host:port" of a URL that can be used. */
static int read_place(const struct http_curl *curl, CURLU *parts, const char *url, char **ret_place,
                      struct err_info *reterr)
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    struct buf place;
    int err = 0;
    buf_init(&place, 512);
    CURLUcode bad = curl->url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER);
    if (bad == CURLUE_USER_NOT_ALLOWED)
        err = invalid_url(reterr, "must not hold a name or password");
    else if (bad == CURLUE_OUT_OF_MEMORY)
        err = out_of_memory(reterr);
    else if (bad || curl->url_get(parts, CURLUPART_SCHEME, &scheme, 0) ||
             (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) ||
             curl->url_get(parts, CURLUPART_HOST, &host, 0) ||
             curl->url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT))
        err = invalid_url(reterr, "must be like http://host:port/path or https://host/path");
    if (err)
        goto done;
    buf_printf(&place, "%s:%s", host, port);
    if (buf_error(&place))
        err = invalid_url(reterr, "has a host that is too long");
    else if (!(*ret_place = mem_strdup(place.data)))
        err = out_of_memory(reterr);
done:
    buf_done(&place);
    curl->free(scheme);
    curl->free(host);
    curl->free(port);
    return err;
}

static int add_header(struct http_client *client, const char *header, struct err_info *reterr)
{
    struct curl_slist *longer = client->curl.slist_append(client->headers, header);
    if (!longer)
        return out_of_memory(reterr);
    client->headers = longer;
    return 0;
}

/* A line break in a key would be a header of its own. */
static int add_key(struct http_client *client, const char *key, struct err_info *reterr)
{
    struct buf header;
    for (const char *c = key; *c; c++)
        if (*c <= ' ' || *c > '~')
            return err_set_field(reterr, ERR_INVALID, "key",
                                 "a key is made of visible ASCII characters without spaces");
    buf_init(&header, 64 * 1024);
    buf_printf(&header, "Authorization: Bearer %s", key);
    int err = buf_error(&header) ? err_set_field(reterr, ERR_INVALID, "key", "the key is too long")
                                 : add_header(client, header.data, reterr);
    buf_done(&header);
    return err;
}

static int add_headers(struct http_client *client, const char *key, struct err_info *reterr)
{
    /* Without the empty one libcurl would ask before it sends a large body, which costs a round trip. */
    static const char *const headers[] = {"Content-Type: application/json", "Accept: application/json",
                                          "Expect:"};
    int err = 0;
    for (size_t i = 0; i < sizeof headers / sizeof *headers && !err; i++)
        err = add_header(client, headers[i], reterr);
    return err || !key || !*key ? err : add_key(client, key, reterr);
}

static int fill(struct http_client *client, const struct http_client_options *options,
                struct err_info *reterr)
{
    const struct http_curl *curl = &client->curl;
    CURLU *parts = curl->url();
    client->max_answer_bytes = options->max_answer_bytes;
    client->max_calls = options->max_calls;
    client->url = mem_strdup(options->url);
    int err = client->url && parts ? read_place(curl, parts, options->url, &client->place, reterr)
                                   : out_of_memory(reterr);
    if (!err)
        err = add_headers(client, options->key, reterr);
    curl->url_cleanup(parts);
    return err;
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
        return out_of_memory(reterr);
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
    const struct {
        CURLoption option;
        long value;
    } numbers[] = {
        {CURLOPT_POST, 1},
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_SSL_VERIFYPEER, 1},
        {CURLOPT_SSL_VERIFYHOST, 2},
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
        /* A slow name server must not hold a call beyond its deadline: the look-up is left behind. */
        {CURLOPT_QUICK_EXIT, 1},
    };
    bool is_good = true;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        is_good = is_good && !curl->easy_setopt(easy, numbers[i].option, numbers[i].value);
    return is_good && !curl->easy_setopt(easy, CURLOPT_URL, client->url) &&
           !curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
           !curl->easy_setopt(easy, CURLOPT_PROXY, "") && /* nor one of the environment */
           !curl->easy_setopt(easy, CURLOPT_USERAGENT, "precis/" PRECIS_VERSION) &&
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
        return out_of_memory(reterr);
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

static int could_not_connect(const struct http_client *client, CURL *easy, struct err_info *reterr)
{
    long os_error = 0;
    (void)client->curl.easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error); /* 0 then */
    if (os_error == ECONNREFUSED)
        return err_set(reterr, ERR_UNAVAILABLE, "connection refused by %s", client->place);
    return err_set(reterr, ERR_UNAVAILABLE, "no connection to %s%s%s", client->place, os_error ? ": " : "",
                   os_error ? strerror((int)os_error) : "");
}

static int explain(const struct http_client *client, const struct handle *handle, CURLcode result,
                   struct err_info *reterr)
{
    switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return err_set(reterr, ERR_UNAVAILABLE, "the host of %s is not known", client->place);
    case CURLE_COULDNT_CONNECT:
        return could_not_connect(client, handle->easy, reterr);
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
        return err_set(reterr, ERR_UNAVAILABLE, "%s closed the connection before its answer was whole",
                       client->place);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
        return err_set(reterr, ERR_UNAVAILABLE, "no secure connection to %s: %s", client->place,
                       client->curl.easy_strerror(result));
    case CURLE_WRITE_ERROR:
        if (!handle->is_too_large)
            return err_set(reterr, buf_error(handle->answer), "no memory for the answer of %s",
                           client->place);
        return err_set(reterr, ERR_REMOTE, "the answer of %s is larger than %zu bytes", client->place,
                       client->max_answer_bytes);
    case CURLE_OUT_OF_MEMORY:
        return out_of_memory(reterr);
    default:
        return err_set(reterr, ERR_REMOTE, "%s: %s", client->place, client->curl.easy_strerror(result));
    }
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
        err = out_of_memory(reterr);
    } else {
        err = drive(client, handle, call, reterr);
        /* Also what ends a call that is late: its connection is closed, others' are not touched. */
        (void)curl->multi_remove_handle(handle->multi, handle->easy);
    }
    give_handle(client, handle);
    return err;
}
