/* SPDX-License-Identifier: Apache-2.0
 *
 * usearch from the headers that its npm package carries, compiled for this processor: no binding in between.
 */
#include "vector_peers.h"

#include <usearch/index_dense.hpp>

namespace
{

using dense = unum::usearch::index_dense_gt<uint64_t, uint32_t>;

void *make(uint32_t dim, size_t n, size_t n_threads)
{
    using namespace unum::usearch;
    index_dense_config_t config(PEER_LINKS, PEER_BUILD_EF, 64);
    auto made = dense::make(metric_punned_t(dim, metric_kind_t::ip_k, scalar_kind_t::f32_k), config);
    auto *graph = new dense(std::move(made.index));
    graph->try_reserve(index_limits_t(n, n_threads));
    return graph;
}

void add(void *made, size_t i, const float *vector)
{
    static_cast<dense *>(made)->add(i, vector);
}

void set_ef(void *made, unsigned ef)
{
    static_cast<dense *>(made)->change_expansion_search(ef);
}

size_t search(void *made, const float *query, size_t k, uint32_t *ret_found)
{
    auto found = static_cast<dense *>(made)->search(query, k);
    for (size_t i = 0; i < found.size(); i++)
        ret_found[i] = static_cast<uint32_t>(found[i].member.key);
    return found.size();
}

double size_bytes(void *made)
{
    return static_cast<double>(static_cast<dense *>(made)->memory_usage());
}

void destroy(void *made)
{
    delete static_cast<dense *>(made);
}

} // namespace

const vector_peer peer_usearch = {"usearch", make, add, set_ef, search, size_bytes, destroy};
