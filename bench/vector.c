/* SPDX-License-Identifier: Apache-2.0
 *
 * The vector index beside hnswlib, faiss, usearch and sqlite-vec: the same vectors and queries, one query at
 * a time, one thread, exact results as truth. bench/vector.sh builds and runs it.
 *
 * usage: vector DIM N PEERS [TEXTS MODEL [VEC0.SO]]
 *
 * PEERS: letters of those to run: h, f, u, s; 2 for builds on two threads; - for none. TEXTS: a file of a
 * text a line, of which the built-in embedder (its data in the file MODEL) makes the vectors, or - for
 * vectors made from a seed. VEC0.SO: sqlite-vec as a loadable extension.
 */
#include "vector_peers.h"

#include "../tests/unit/search/vector_data.h"
#include "search/vector_priv.h"
#include "text/embed.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>

#define N_QUERIES 200
#define TOP       10

static uint32_t dim;
static size_t n_vectors;
static float *vectors, *queries;
static double *add_times;
static uint32_t truth[N_QUERIES][TOP];
static float worst_true[N_QUERIES];

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
        worst_true[q] = best[n - 1];
    }
}

/* Of the ten found, those among the true ten; one as near as the tenth of these is as good, for texts that
 * say the same have the same vector. */
static size_t count_true(size_t q, const uint32_t *found, size_t n)
{
    size_t n_true = 0;
    for (size_t i = 0; i < n; i++)
        n_true += dot(queries + q * dim, vectors + (size_t)found[i] * dim) >= worst_true[q] - 1e-6F;
    return n_true;
}

typedef size_t (*find_fn)(void *engine, const float *query, uint32_t *ret_found);

struct build {
    double took_ms;
    double add_p50_us, add_max_us; /* 0: not known */
    double bytes;
};

static double measure(const char *name, find_fn find, void *engine, size_t n_queries, struct build build)
{
    static double times[5 * N_QUERIES];
    size_t n_true = 0, n = 0;
    for (size_t round = 0; round < 6; round++) /* the first warms up */
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
    double recall = (double)n_true / (double)(n_queries * TOP);
    printf("%-28s %7zu %4u  recall %.4f  p50 %9.1f us  p99 %9.1f us  build %10.1f ms  add p50 %7.1f max "
           "%9.1f us "
           " %5.0f B/vector\n",
           name, n_vectors, dim, recall, times[n / 2], times[n * 99 / 100], build.took_ms, build.add_p50_us,
           build.add_max_us, build.bytes / (double)n_vectors);
    (void)fflush(stdout);
    return recall;
}

static void sum_up_adds(struct build *build)
{
    qsort(add_times, n_vectors, sizeof(*add_times), compare_doubles);
    build->add_p50_us = add_times[n_vectors / 2];
    build->add_max_us = add_times[n_vectors - 1];
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
    struct build build;
    char name[32];
    add_docs(&ours.docs);
    arena_init(&ours.arena, 64 << 20);
    double start = now_us(), last = start;
    if (vector_init(&ours.index, dim))
        exit(1);
    for (uint32_t i = 0; i < n_vectors; i++) {
        if (vector_add(&ours.index, i, vectors + (size_t)i * dim))
            exit(1);
        double now = now_us();
        add_times[i] = now - last;
        last = now;
    }
    build.took_ms = (last - start) / 1e3;
    build.bytes = (double)vector_size_bytes(&ours.index);
    sum_up_adds(&build);
    struct str tag = STR_LIT("rare");
    struct search_query all = {.since_us = INT64_MIN, .until_us = INT64_MAX}, rare = all;
    struct arena names;
    rare.tags = &tag;
    rare.n_tags = 1;
    arena_init(&names, 1 << 16);
    if (docs_make_filter(&ours.docs, &rare, &names, &ours.filter))
        exit(1);
    find_truth(100);
    (void)measure("precis, filter 1 %", find_ours, &ours, N_QUERIES, build);
    if (docs_make_filter(&ours.docs, &all, &names, &ours.filter))
        exit(1);
    find_truth(1);
    for (size_t i = 0; i < n_kernels; i++) {
        ours.index.kernel = kernels[i];
        (void)snprintf(name, sizeof(name), "precis %s", kernels[i]->name);
        (void)measure(name, find_ours, &ours, N_QUERIES, build);
    }
    arena_done(&names);
    arena_done(&ours.arena);
    vector_done(&ours.index);
    docs_done(&ours.docs);
}

/* ---- graphs -------------------------------------------------------------------------------------------- */

struct adding {
    const struct vector_peer *peer;
    void *graph;
    size_t first, step;
};

static void *add_some(void *arg)
{
    struct adding *adding = arg;
    double last = now_us();
    for (size_t i = adding->first; i < n_vectors; i += adding->step) {
        adding->peer->add(adding->graph, i, vectors + i * dim);
        double now = now_us();
        add_times[i] = now - last;
        last = now;
    }
    return NULL;
}

struct searching {
    const struct vector_peer *peer;
    void *graph;
};

static size_t find_in_graph(void *engine, const float *query, uint32_t *ret_found)
{
    struct searching *searching = engine;
    return searching->peer->search(searching->graph, query, TOP, ret_found);
}

static void measure_graph(const struct vector_peer *peer, size_t n_threads)
{
    struct searching searching = {peer, peer->make(dim, n_vectors, n_threads)};
    struct adding adding[2];
    pthread_t threads[2];
    struct build build;
    char name[48];
    double start = now_us(), recall = 0;
    for (size_t t = 0; t < n_threads; t++) {
        adding[t] = (struct adding){peer, searching.graph, t, n_threads};
        if (pthread_create(&threads[t], NULL, add_some, &adding[t]))
            exit(1);
    }
    for (size_t t = 0; t < n_threads; t++)
        (void)pthread_join(threads[t], NULL);
    build.took_ms = (now_us() - start) / 1e3;
    build.bytes = peer->size_bytes(searching.graph);
    sum_up_adds(&build);
    for (unsigned ef = 64; ef <= 2048 && recall < 0.995; ef *= 2) {
        peer->set_ef(searching.graph, ef);
        (void)snprintf(name, sizeof(name), "%s ef %u", peer->name, ef);
        recall = measure(name, find_in_graph, &searching, N_QUERIES, build);
    }
    peer->destroy(searching.graph);
}

/* ---- sqlite-vec ---------------------------------------------------------------------------------------- */

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
    struct build build = {0};
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
    build.took_ms = (now_us() - start) / 1e3;
    build.bytes = (double)sqlite3_memory_used();
    must(sqlite3_prepare_v2(db, "select rowid from v where e match ? and k = 10 order by distance", -1,
                            &statement, NULL),
         db);
    (void)measure("sqlite-vec", find_sqlite, statement, n_vectors > 20000 ? 20 : 100, build);
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
}

/* ---- vectors ------------------------------------------------------------------------------------------- */

static void make_vectors(void)
{
    struct vector_data data;
    data_init(&data, dim, 200 + n_vectors / 100, 7);
    for (size_t i = 0; i < n_vectors; i++)
        data_next(&data, vectors + i * dim);
    for (size_t q = 0; q < N_QUERIES; q++)
        data_next(&data, queries + q * dim);
    data_done(&data);
}

static struct str read_whole(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) {
        perror(path);
        exit(1);
    }
    size_t size = (size_t)ftell(file);
    char *bytes = malloc(size);
    rewind(file);
    size = fread(bytes, 1, size, file);
    (void)fclose(file);
    return (struct str){bytes, size};
}

/* The first lines are the queries. */
static void embed_texts(const char *texts, const char *model)
{
    struct embedder *embedder;
    struct err_info err;
    struct str whole = read_whole(texts), rest = whole, data = read_whole(model), line;
    if (embedder_from_bytes(data, &embedder, &err) || embedder_dims(embedder) != dim) {
        (void)fprintf(stderr, "vector: %s is no model of %u dimensions\n", model, dim);
        exit(1);
    }
    for (size_t i = 0; i < N_QUERIES + n_vectors; i++) {
        if (!str_next_part(&rest, '\n', &line)) {
            (void)fprintf(stderr, "vector: %s has only %zu lines\n", texts, i);
            exit(1);
        }
        if (embed_text(embedder, line, i < N_QUERIES ? queries + i * dim : vectors + (i - N_QUERIES) * dim,
                       &err))
            exit(1);
    }
    embedder_close(embedder);
    free((char *)data.ptr);
    free((char *)whole.ptr);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        (void)fprintf(stderr, "usage: vector DIM N PEERS [TEXTS MODEL [VEC0.SO]]\n");
        return 2;
    }
    dim = (uint32_t)strtoul(argv[1], NULL, 10);
    n_vectors = strtoul(argv[2], NULL, 10);
    const char *peers = argv[3];
    size_t n_threads = strchr(peers, '2') ? 2 : 1;
    vectors = malloc(n_vectors * dim * sizeof(*vectors));
    queries = malloc((size_t)N_QUERIES * dim * sizeof(*queries));
    add_times = malloc(n_vectors * sizeof(*add_times));
    if (argc > 5 && strcmp(argv[4], "-") != 0)
        embed_texts(argv[4], argv[5]);
    else
        make_vectors();
    measure_ours();
    if (strchr(peers, 'h'))
        measure_graph(&peer_hnswlib, n_threads);
#ifdef HAVE_FAISS
    if (strchr(peers, 'f'))
        measure_graph(&peer_faiss, 1); /* it adds one at a time */
#endif
#ifdef HAVE_USEARCH
    if (strchr(peers, 'u'))
        measure_graph(&peer_usearch, n_threads);
#endif
    if (strchr(peers, 's') && argc > 6)
        measure_sqlite(argv[6]);
    free(add_times);
    free(vectors);
    free(queries);
    return 0;
}
