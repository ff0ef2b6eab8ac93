/* SPDX-License-Identifier: Apache-2.0
 *
 * How fast the built-in embedder is: each line of the input is a text.
 *
 * usage: embed SECONDS [FOLDER] < TEXTS     (FOLDER: a Model2Vec model instead)
 *
 * Prints "RATE texts/s, NANOSECONDS ns": all texts over and over, and the median of the calls for the first
 * alone, each after other texts have pushed it out of the nearest caches.
 */
#include "text/embed.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_TEXTS 65536
#define MAX_BYTES (64 * 1024 * 1024)
#define N_QUERIES 1001
#define N_BETWEEN 50

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
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

static double rate(const struct embedder *embedder, const struct str *texts, size_t n, double seconds,
                   float *vector)
{
    int64_t start = now_ns(), end;
    size_t n_done = 0;
    do {
        for (size_t i = 0; i < n; i++)
            (void)embed_text(embedder, texts[i], vector, NULL);
        n_done += n;
        end = now_ns();
    } while ((double)(end - start) < seconds * 1e9);
    return (double)n_done / ((double)(end - start) * 1e-9);
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

static int64_t query_ns(const struct embedder *embedder, const struct str *texts, size_t n, float *vector)
{
    static int64_t took[N_QUERIES];
    size_t other = 0;
    for (size_t i = 0; i < N_QUERIES; i++) {
        for (size_t j = 0; j < N_BETWEEN; j++)
            (void)embed_text(embedder, texts[other++ % n], vector, NULL);
        int64_t start = now_ns();
        (void)embed_text(embedder, texts[0], vector, NULL);
        took[i] = now_ns() - start;
    }
    qsort(took, N_QUERIES, sizeof *took, compare);
    return took[N_QUERIES / 2];
}

int main(int argc, char **argv)
{
    static struct str texts[MAX_TEXTS];
    static float vector[EMBED_MAX_DIMS];
    struct embedder *embedder;
    struct err_info err;
    char *bytes = malloc(MAX_BYTES);
    size_t n = bytes && argc >= 2 ? read_texts(bytes, texts) : 0;
    if (n == 0) {
        fprintf(stderr, "usage: embed SECONDS [FOLDER] < TEXTS\n");
        return 2;
    }
    if ((argc > 2 ? embedder_open(argv[2], &embedder, &err) : embedder_builtin(&embedder, &err)) < 0) {
        fprintf(stderr, "embed: %s %s\n", err.field, err.message);
        return 1;
    }
    double texts_per_s = rate(embedder, texts, n, strtod(argv[1], NULL), vector);
    printf("%.0f texts/s, %lld ns\n", texts_per_s, (long long)query_ns(embedder, texts, n, vector));
    embedder_close(embedder);
    free(bytes);
    return 0;
}
