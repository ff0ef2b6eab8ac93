/* SPDX-License-Identifier: Apache-2.0
 *
 * The only C++ here: hnswlib knows no other language.
 */
#include "vector_hnswlib.h"

#include <hnswlib/hnswlib.h>

struct hnsw {
    hnswlib::InnerProductSpace space;
    hnswlib::HierarchicalNSW<float> graph;
    hnsw(size_t dim, size_t n) : space(dim), graph(&space, n, 16, 200) {}
};

void *hnswlib_build(uint32_t dim, size_t n, const float *vectors)
{
    hnsw *made = new hnsw(dim, n);
    for (size_t i = 0; i < n; i++)
        made->graph.addPoint(vectors + i * dim, i);
    return made;
}

void hnswlib_set_ef(void *made, unsigned ef)
{
    static_cast<hnsw *>(made)->graph.setEf(ef);
}

size_t hnswlib_search(void *made, const float *query, size_t k, uint32_t *ret_found)
{
    auto found = static_cast<hnsw *>(made)->graph.searchKnn(query, k);
    size_t n = found.size();
    for (size_t i = n; i-- > 0; found.pop())
        ret_found[i] = static_cast<uint32_t>(found.top().second);
    return n;
}

/* Level 0 in one array, and the lists of the levels above. */
double hnswlib_size_bytes(void *made)
{
    auto &graph = static_cast<hnsw *>(made)->graph;
    double bytes = static_cast<double>(graph.max_elements_) * (graph.size_data_per_element_ + sizeof(void *));
    for (size_t i = 0; i < graph.cur_element_count; i++)
        bytes += static_cast<double>(graph.element_levels_[i]) * graph.size_links_per_element_;
    return bytes;
}

void hnswlib_free(void *made)
{
    delete static_cast<hnsw *>(made);
}
