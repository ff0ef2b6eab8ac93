/* SPDX-License-Identifier: Apache-2.0
 *
 * Other vector indexes as the benchmark sees them: graphs over inner products with M 16 and efConstruction
 * 200, as hnswlib's documentation starts. C++ stands behind this only because they know no other language.
 */
#ifndef PRECIS_BENCH_VECTOR_PEERS_H
#define PRECIS_BENCH_VECTOR_PEERS_H

#include <stddef.h>
#include <stdint.h>

#define PEER_LINKS    16
#define PEER_BUILD_EF 200

struct vector_peer {
    const char *name;
    void *(*make)(uint32_t dim, size_t n, size_t n_threads);
    void (*add)(void *graph, size_t i, const float *vector); /* from any thread */
    void (*set_ef)(void *graph, unsigned ef);                /* how widely searches look */
    size_t (*search)(void *graph, const float *query, size_t k, uint32_t *ret_found);
    double (*size_bytes)(void *graph);
    void (*destroy)(void *graph);
};

#ifdef __cplusplus
extern "C" {
#endif
extern const struct vector_peer peer_hnswlib;
#ifdef HAVE_FAISS
extern const struct vector_peer peer_faiss;
#endif
#ifdef HAVE_USEARCH
extern const struct vector_peer peer_usearch;
#endif
#ifdef __cplusplus
}
#endif

#endif
