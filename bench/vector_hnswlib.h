/* SPDX-License-Identifier: Apache-2.0
 *
 * hnswlib as the benchmark sees it: inner product, M 16, efConstruction 200, as its documentation starts.
 */
#ifndef PRECIS_BENCH_VECTOR_HNSWLIB_H
#define PRECIS_BENCH_VECTOR_HNSWLIB_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
void *hnswlib_build(uint32_t dim, size_t n, const float *vectors); /* on one thread */
void hnswlib_set_ef(void *hnsw, unsigned ef);
size_t hnswlib_search(void *hnsw, const float *query, size_t k, uint32_t *ret_found);
double hnswlib_size_bytes(void *hnsw);
void hnswlib_free(void *hnsw);
#ifdef __cplusplus
}
#endif

#endif
