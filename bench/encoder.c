/* SPDX-License-Identifier: Apache-2.0
 *
 * How fast a sentence encoder is, one thread: each line of the input is a text.
 *
 * usage: encoder FOLDER SECONDS < TEXTS
 *
 * Goes over all texts until the time is up and prints "RATE MICROSECONDS": texts in a second, and the median
 * of the calls. Time is the processor's for this thread, so that other work on the machine counts less.
 */
#include "text/embed.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_TEXTS 4096
#define MAX_BYTES (16 * 1024 * 1024)
#define MAX_CALLS (1024 * 1024)

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static size_t read_texts(char *bytes, struct str *texts)
{
    size_t n = 0;
    struct str rest = {bytes, fread(bytes, 1, MAX_BYTES, stdin)}, line;
    while (n < MAX_TEXTS && str_next_part(&rest, '\n', &line)) {
        if (line.len > 0)
            texts[n++] = line;
    }
    return n;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

int main(int argc, char **argv)
{
    static struct str texts[MAX_TEXTS];
    static float vector[EMBED_MAX_DIMS];
    static int64_t took[MAX_CALLS];
    struct embedder *embedder;
    struct err_info err;
    char *bytes = malloc(MAX_BYTES);
    size_t n = bytes && argc == 3 ? read_texts(bytes, texts) : 0, n_calls = 0;
    if (n == 0) {
        fprintf(stderr, "usage: encoder FOLDER SECONDS < TEXTS\n");
        return 2;
    }
    if (embedder_open(argv[1], &embedder, &err) < 0) {
        fprintf(stderr, "encoder: %s %s\n", err.field, err.message);
        return 1;
    }
    for (size_t i = 0; i < n && i < 8; i++)
        (void)embed_text(embedder, texts[i], vector, NULL);
    int64_t start = now_ns(), before = start, end = start;
    while (n_calls < MAX_CALLS && (double)(end - start) < strtod(argv[2], NULL) * 1e9) {
        if (embed_text(embedder, texts[n_calls % n], vector, &err) < 0) {
            fprintf(stderr, "encoder: %s\n", err.message);
            return 1;
        }
        end = now_ns();
        took[n_calls++] = end - before;
        before = end;
    }
    qsort(took, n_calls, sizeof *took, compare);
    printf("%.2f %.2f\n", (double)n_calls / ((double)(end - start) * 1e-9), (double)took[n_calls / 2] * 1e-3);
    embedder_close(embedder);
    free(bytes);
    return 0;
}
