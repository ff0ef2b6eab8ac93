/* SPDX-License-Identifier: Apache-2.0
 *
 * Debian's faiss: a generic build, without AVX2 or AVX-512, and so slower than one made for the processor.
 */
#include "vector_peers.h"

#include <faiss/IndexHNSW.h>
#include <omp.h>

namespace
{

void *make(uint32_t dim, size_t, size_t n_threads)
{
    omp_set_num_threads(static_cast<int>(n_threads));
    auto *graph = new faiss::IndexHNSWFlat(static_cast<int>(dim), PEER_LINKS, faiss::METRIC_INNER_PRODUCT);
    graph->hnsw.efConstruction = PEER_BUILD_EF;
    return graph;
}

void add(void *made, size_t, const float *vector)
{
    static_cast<faiss::IndexHNSWFlat *>(made)->add(1, vector);
}

void set_ef(void *made, unsigned ef)
{
    static_cast<faiss::IndexHNSWFlat *>(made)->hnsw.efSearch = static_cast<int>(ef);
}

size_t search(void *made, const float *query, size_t k, uint32_t *ret_found)
{
    float scores[64];
    faiss::Index::idx_t found[64];
    static_cast<faiss::IndexHNSWFlat *>(made)->search(1, query, static_cast<faiss::Index::idx_t>(k), scores,
                                                      found);
    size_t n = 0;
    for (size_t i = 0; i < k; i++)
        if (found[i] >= 0)
            ret_found[n++] = static_cast<uint32_t>(found[i]);
    return n;
}

double size_bytes(void *made)
{
    auto *graph = static_cast<faiss::IndexHNSWFlat *>(made);
    return static_cast<double>(graph->ntotal) * graph->d * sizeof(float) +
           static_cast<double>(graph->hnsw.neighbors.size()) * sizeof(graph->hnsw.neighbors[0]) +
           static_cast<double>(graph->hnsw.offsets.size()) * sizeof(graph->hnsw.offsets[0]);
}

void destroy(void *made)
{
    delete static_cast<faiss::IndexHNSWFlat *>(made);
}

} // namespace

const vector_peer peer_faiss = {"faiss HNSW (generic)", make, add, set_ef, search, size_bytes, destroy};
