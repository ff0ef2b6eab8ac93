/* SPDX-License-Identifier: Apache-2.0
 *
 * The vectors of many tenants and the part of bench/tenants.py that is Precis: an index a tenant.
 *
 * usage: tenants N_TENANTS N_VECTORS N_QUERIES FILE
 *
 * Writes the vectors (tenant by tenant), the queries (in turn for tenant 0, 1, ...) and the true first ten of
 * each within its tenant as numbers in native order to FILE; prints a line of JSON.
 */
#include "../tests/unit/search/vector_data.h"
#include "search/vector.h"

#include <stdio.h>
#include <time.h>

#define DIM 256
#define TOP 10

struct tenant {
    struct vector_index index;
    struct docs docs;
};

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void must(int err)
{
    if (err) {
        (void)fprintf(stderr, "tenants: error %d\n", err);
        exit(1);
    }
}

static void fill(struct tenant *tenant, const float *vectors, size_t n)
{
    docs_init(&tenant->docs);
    must(vector_init(&tenant->index, DIM));
    for (size_t i = 0; i < n; i++) {
        struct search_doc doc = {.row = (int64_t)i + 1, .created_us = (int64_t)i, .source = STR_LIT("chat")};
        uint32_t number;
        must(docs_add(&tenant->docs, &doc, &number));
        must(vector_add(&tenant->index, number, vectors + i * DIM));
        docs_publish(&tenant->docs, number, 1);
    }
}

static void find_truth(const float *vectors, size_t n, const float *query, uint32_t *ret_truth)
{
    double best[TOP];
    size_t n_found = 0;
    for (uint32_t doc = 0; doc < n; doc++) {
        double score = 0;
        for (size_t d = 0; d < DIM; d++)
            score += (double)query[d] * vectors[doc * DIM + d];
        if (n_found == TOP && score <= best[TOP - 1])
            continue;
        size_t at = n_found < TOP ? n_found++ : TOP - 1;
        for (; at && best[at - 1] < score; at--) {
            best[at] = best[at - 1];
            ret_truth[at] = ret_truth[at - 1];
        }
        best[at] = score;
        ret_truth[at] = doc;
    }
}

static size_t search(struct tenant *tenant, struct arena *arena, const float *vector,
                     struct vector_hit **ret_hits)
{
    struct docs_filter all = {.source = INTERN_NONE, .since_us = INT64_MIN, .until_us = INT64_MAX};
    struct vector_query query;
    size_t n;
    arena_reset(arena);
    must(vector_make_query(&tenant->index, vector, arena, &query));
    must(vector_search(&tenant->index, &tenant->docs, &all, &query, TOP, arena, ret_hits, &n));
    return n;
}

static void put(FILE *file, const void *bytes, size_t size, size_t n)
{
    if (fwrite(bytes, size, n, file) != n) {
        perror("tenants");
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        (void)fprintf(stderr, "usage: tenants N_TENANTS N_VECTORS N_QUERIES FILE\n");
        return 2;
    }
    size_t n_tenants = strtoul(argv[1], NULL, 10), n = strtoul(argv[2], NULL, 10),
           n_queries = strtoul(argv[3], NULL, 10), n_true = 0;
    float *vectors = malloc(n_tenants * n * DIM * sizeof(*vectors));
    float *queries = malloc(n_queries * DIM * sizeof(*queries));
    uint32_t *truth = malloc(n_queries * TOP * sizeof(*truth));
    double *times = malloc(n_queries * sizeof(*times));
    struct tenant *tenants = malloc(n_tenants * sizeof(*tenants));
    struct vector_data data;
    struct arena arena;
    data_init(&data, DIM, 2000, 7);
    for (size_t i = 0; i < n_tenants * n; i++)
        data_next(&data, vectors + i * DIM);
    for (size_t q = 0; q < n_queries; q++) {
        data_next(&data, queries + q * DIM);
        find_truth(vectors + q % n_tenants * n * DIM, n, queries + q * DIM, truth + q * TOP);
    }
    data_done(&data);
    double start = now_us();
    for (size_t t = 0; t < n_tenants; t++)
        fill(&tenants[t], vectors + t * n * DIM, n);
    double build_ms = (now_us() - start) / 1e3;
    arena_init(&arena, 1 << 24);
    for (size_t round = 0; round < 2; round++) /* the first warms up */
        for (size_t q = 0; q < n_queries; q++) {
            struct vector_hit *hits;
            start = now_us();
            size_t n_found = search(&tenants[q % n_tenants], &arena, queries + q * DIM, &hits);
            times[q] = now_us() - start;
            for (size_t i = 0; i < n_found && round; i++)
                for (size_t j = 0; j < TOP; j++)
                    n_true += hits[i].doc == truth[q * TOP + j];
        }
    qsort(times, n_queries, sizeof(*times), compare_doubles);
    printf("{\"recall\": %.4f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"build_ms\": %.1f}\n",
           (double)n_true / (double)(n_queries * TOP), times[n_queries / 2], times[n_queries * 99 / 100],
           build_ms);
    FILE *file = fopen(argv[4], "wb");
    if (!file) {
        perror(argv[4]);
        return 1;
    }
    put(file, vectors, sizeof(*vectors), n_tenants * n * DIM);
    put(file, queries, sizeof(*queries), n_queries * DIM);
    put(file, truth, sizeof(*truth), n_queries * TOP);
    return fclose(file) != 0;
}
