/* SPDX-License-Identifier: Apache-2.0
 *
 * The vector index beside hnswlib and sqlite-vec: the same vectors and queries, one query at a time, one
 * thread, exact results as truth. bench/vector.sh builds and runs it.
 *
 * usage: vector DIM N [VEC0.SO]     (VEC0.SO: sqlite-vec as a loadable extension)
 */
#include "vector_hnswlib.h"

#include "../tests/unit/search/vector_data.h"
#include "search/vector_priv.h"

#include <sqlite3.h>
#include <stdio.h>
#include <time.h>

#define N_QUERIES 200
#define TOP       10

static uint32_t dim;
static size_t n_vectors;
static float *vectors, *queries;
static uint32_t truth[N_QUERIES][TOP];

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

static float dot(const float *restrict left, const float *restrict right)
{
    float sums[16] = {0}, sum = 0;
    for (uint32_t i = 0; i < dim; i += 16)
        for (unsigned j = 0; j < 16; j++)
            sums[j] += left[i + j] * right[i + j];
    for (unsigned j = 0; j < 16; j++)
        sum += sums[j];
    return sum;
}

/* Among every step-th vector. */
static void find_truth(size_t step)
{
    for (size_t q = 0; q < N_QUERIES; q++) {
        float best[TOP];
        size_t n = 0;
        for (uint32_t doc = 0; doc < n_vectors; doc += (uint32_t)step) {
            float score = dot(queries + q * dim, vectors + (size_t)doc * dim);
            if (n == TOP && score <= best[TOP - 1])
                continue;
            size_t at = n < TOP ? n++ : TOP - 1;
            for (; at && best[at - 1] < score; at--) {
                best[at] = best[at - 1];
                truth[q][at] = truth[q][at - 1];
            }
            best[at] = score;
            truth[q][at] = doc;
        }
    }
}

static size_t count_true(size_t q, const uint32_t *found, size_t n)
{
    size_t n_true = 0;
    for (size_t i = 0; i < TOP; i++)
        for (size_t j = 0; j < n; j++)
            n_true += truth[q][i] == found[j];
    return n_true;
}

typedef size_t (*find_fn)(void *engine, const float *query, uint32_t *ret_found);

static void measure(const char *name, find_fn find, void *engine, size_t n_queries, double build_ms,
                    double bytes)
{
    static double times[3 * N_QUERIES];
    size_t n_true = 0, n = 0;
    for (size_t round = 0; round < 4; round++) /* the first warms up */
        for (size_t q = 0; q < n_queries; q++) {
            uint32_t found[TOP];
            double start = now_us();
            size_t n_found = find(engine, queries + q * dim, found);
            if (round == 0)
                n_true += count_true(q, found, n_found);
            else
                times[n++] = now_us() - start;
        }
    qsort(times, n, sizeof(*times), compare_doubles);
    printf("%-22s %7zu %4u  recall %.4f  p50 %9.1f us  p99 %9.1f us  build %9.1f ms  %6.0f B/vector\n", name,
           n_vectors, dim, (double)n_true / (double)(n_queries * TOP), times[n / 2], times[n * 99 / 100],
           build_ms, bytes / (double)n_vectors);
    (void)fflush(stdout);
}

/* ---- ours ---------------------------------------------------------------------------------------------- */

struct ours {
    struct vector_index index;
    struct docs docs;
    struct docs_filter filter;
    struct arena arena;
};

static size_t find_ours(void *engine, const float *query, uint32_t *ret_found)
{
    struct ours *ours = engine;
    struct vector_query asked;
    struct vector_hit *hits = NULL;
    size_t n = 0;
    arena_reset(&ours->arena);
    if (!vector_make_query(&ours->index, query, &ours->arena, &asked))
        (void)vector_search(&ours->index, &ours->docs, &ours->filter, &asked, TOP, &ours->arena, &hits, &n);
    for (size_t i = 0; i < n; i++)
        ret_found[i] = hits[i].doc;
    return n;
}

static void add_docs(struct docs *docs)
{
    struct str tag = STR_LIT("rare");
    docs_init(docs);
    for (size_t i = 0; i < n_vectors; i++) {
        struct search_doc doc = {.row = (int64_t)i + 1, .created_us = (int64_t)i, .source = STR_LIT("chat")};
        uint32_t number;
        doc.tags = &tag;
        doc.n_tags = i % 100 == 0;
        if (docs_add(docs, &doc, &number))
            exit(1);
        docs_publish(docs, number, 1);
    }
}

static void measure_ours(void)
{
    const struct vector_kernel *kernels[VECTOR_MAX_KERNELS];
    size_t n_kernels = vector_list_kernels(kernels);
    struct ours ours;
    char name[32];
    add_docs(&ours.docs);
    arena_init(&ours.arena, 64 << 20);
    double start = now_us();
    if (vector_init(&ours.index, dim))
        exit(1);
    for (uint32_t i = 0; i < n_vectors; i++)
        if (vector_add(&ours.index, i, vectors + (size_t)i * dim))
            exit(1);
    double build_ms = (now_us() - start) / 1e3;
    struct str tag = STR_LIT("rare");
    struct search_query all = {.since_us = INT64_MIN, .until_us = INT64_MAX}, rare = all;
    struct arena names;
    rare.tags = &tag;
    rare.n_tags = 1;
    arena_init(&names, 1 << 16);
    if (docs_make_filter(&ours.docs, &rare, &names, &ours.filter))
        exit(1);
    find_truth(100);
    double bytes = (double)vector_size_bytes(&ours.index);
    measure("precis, filter 1 %", find_ours, &ours, N_QUERIES, build_ms, bytes);
    if (docs_make_filter(&ours.docs, &all, &names, &ours.filter))
        exit(1);
    find_truth(1);
    for (size_t i = 0; i < n_kernels; i++) {
        ours.index.kernel = kernels[i];
        (void)snprintf(name, sizeof(name), "precis %s", kernels[i]->name);
        measure(name, find_ours, &ours, N_QUERIES, build_ms, bytes);
    }
    arena_done(&names);
    arena_done(&ours.arena);
    vector_done(&ours.index);
    docs_done(&ours.docs);
}

/* ---- peers --------------------------------------------------------------------------------------------- */

static size_t find_hnswlib(void *engine, const float *query, uint32_t *ret_found)
{
    return hnswlib_search(engine, query, TOP, ret_found);
}

static void measure_hnswlib(void)
{
    const unsigned widths[] = {64, 128, 256, 512};
    char name[32];
    double start = now_us();
    void *hnsw = hnswlib_build(dim, n_vectors, vectors);
    double build_ms = (now_us() - start) / 1e3;
    for (size_t i = 0; i < 4; i++) {
        hnswlib_set_ef(hnsw, widths[i]);
        (void)snprintf(name, sizeof(name), "hnswlib ef %u", widths[i]);
        measure(name, find_hnswlib, hnsw, N_QUERIES, build_ms, hnswlib_size_bytes(hnsw));
    }
    hnswlib_free(hnsw);
}

static size_t find_sqlite(void *engine, const float *query, uint32_t *ret_found)
{
    sqlite3_stmt *statement = engine;
    size_t n = 0;
    (void)sqlite3_bind_blob(statement, 1, query, (int)(dim * sizeof(*query)), SQLITE_STATIC);
    while (sqlite3_step(statement) == SQLITE_ROW)
        ret_found[n++] = (uint32_t)sqlite3_column_int64(statement, 0) - 1;
    (void)sqlite3_reset(statement);
    return n;
}

static void must(int err, sqlite3 *db)
{
    if (err != SQLITE_OK && err != SQLITE_DONE) {
        (void)fprintf(stderr, "vector: sqlite-vec: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
}

static void measure_sqlite(const char *extension)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    char sql[128];
    must(sqlite3_open(":memory:", &db), db);
    must(sqlite3_enable_load_extension(db, 1), db);
    must(sqlite3_load_extension(db, extension, "sqlite3_vec_init", NULL), db);
    (void)snprintf(sql, sizeof(sql), "create virtual table v using vec0(e float[%u])", dim);
    double start = now_us();
    must(sqlite3_exec(db, sql, NULL, NULL, NULL), db);
    must(sqlite3_exec(db, "begin", NULL, NULL, NULL), db);
    must(sqlite3_prepare_v2(db, "insert into v(rowid, e) values (?, ?)", -1, &statement, NULL), db);
    for (size_t i = 0; i < n_vectors; i++) {
        (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)i + 1);
        (void)sqlite3_bind_blob(statement, 2, vectors + i * dim, (int)(dim * sizeof(float)), SQLITE_STATIC);
        must(sqlite3_step(statement), db);
        must(sqlite3_reset(statement), db);
    }
    (void)sqlite3_finalize(statement);
    must(sqlite3_exec(db, "commit", NULL, NULL, NULL), db);
    double build_ms = (now_us() - start) / 1e3;
    must(sqlite3_prepare_v2(db, "select rowid from v where e match ? and k = 10 order by distance", -1,
                            &statement, NULL),
         db);
    measure("sqlite-vec", find_sqlite, statement, n_vectors > 20000 ? 20 : 100, build_ms,
            (double)sqlite3_memory_used());
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
}

int main(int argc, char **argv)
{
    struct vector_data data;
    if (argc < 3) {
        (void)fprintf(stderr, "usage: vector DIM N [VEC0.SO]\n");
        return 2;
    }
    dim = (uint32_t)strtoul(argv[1], NULL, 10);
    n_vectors = strtoul(argv[2], NULL, 10);
    vectors = malloc(n_vectors * dim * sizeof(*vectors));
    queries = malloc((size_t)N_QUERIES * dim * sizeof(*queries));
    data_init(&data, dim, 200 + n_vectors / 100, 7);
    for (size_t i = 0; i < n_vectors; i++)
        data_next(&data, vectors + i * dim);
    for (size_t q = 0; q < N_QUERIES; q++)
        data_next(&data, queries + q * dim);
    measure_ours();
    if (!getenv("ONLY_OURS")) {
        measure_hnswlib();
        if (argc > 3)
            measure_sqlite(argv[3]);
    }
    data_done(&data);
    free(vectors);
    free(queries);
    return 0;
}
