/* SPDX-License-Identifier: Apache-2.0 */
#include "vector_peers.h"

#include <hnswlib/hnswlib.h>

namespace
{

struct hnsw {
    hnswlib::InnerProductSpace space;
    hnswlib::HierarchicalNSW<float> graph;
    hnsw(size_t dim, size_t n) : space(dim), graph(&space, n, PEER_LINKS, PEER_BUILD_EF)
    {
    }
};

void *make(uint32_t dim, size_t n, size_t)
{
    return new hnsw(dim, n);
}

void add(void *made, size_t i, const float *vector)
{
    static_cast<hnsw *>(made)->graph.addPoint(vector, i);
}

void set_ef(void *made, unsigned ef)
{
    static_cast<hnsw *>(made)->graph.setEf(ef);
}

size_t search(void *made, const float *query, size_t k, uint32_t *ret_found)
{
    auto found = static_cast<hnsw *>(made)->graph.searchKnn(query, k);
    size_t n = found.size();
    for (size_t i = n; i-- > 0; found.pop())
        ret_found[i] = static_cast<uint32_t>(found.top().second);
    return n;
}

/* Level 0 in one array, and the lists of the levels above. */
double size_bytes(void *made)
{
    auto &graph = static_cast<hnsw *>(made)->graph;
    double bytes = static_cast<double>(graph.max_elements_) * (graph.size_data_per_element_ + sizeof(void *));
    for (size_t i = 0; i < graph.cur_element_count; i++)
        bytes += static_cast<double>(graph.element_levels_[i]) * graph.size_links_per_element_;
    return bytes;
}

void destroy(void *made)
{
    delete static_cast<hnsw *>(made);
}

} // namespace

const vector_peer peer_hnswlib = {"hnswlib", make, add, set_ef, search, size_bytes, destroy};
