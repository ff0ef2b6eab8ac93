/* SPDX-License-Identifier: Apache-2.0
 *
 * Vectors such as texts have, made from a seed: topics, scattered in a space of fewer dimensions than the
 * vectors have, its axes of falling weight as a factorisation of words gives them, and a little of
 * everything else. Also what the tests and the benchmark of the vector index both need around them.
 */
#ifndef PRECIS_TESTS_VECTOR_DATA_H
#define PRECIS_TESTS_VECTOR_DATA_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#define DATA_RANK 160

struct vector_data {
    uint32_t dim;
    size_t n_topics;
    float *axes;   /* DATA_RANK x dim */
    float *topics; /* n_topics x DATA_RANK */
    uint64_t state;
};

static inline uint64_t data_random(struct vector_data *data)
{
    uint64_t x = data->state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* About normal: four uniform numbers, variance 1. */
static inline float data_normal(struct vector_data *data)
{
    uint64_t bits = data_random(data);
    float sum = 0;
    for (int i = 0; i < 4; i++, bits >>= 16)
        sum += (float)(bits & 0xffff) / 65536 - 0.5F;
    return sum * 1.7320508F;
}

static inline void data_init(struct vector_data *data, uint32_t dim, size_t n_topics, uint64_t seed)
{
    *data = (struct vector_data){.dim = dim, .n_topics = n_topics, .state = seed};
    data->axes = malloc(sizeof(float) * DATA_RANK * dim);
    data->topics = malloc(sizeof(float) * n_topics * DATA_RANK);
    for (size_t i = 0; i < (size_t)DATA_RANK * dim; i++)
        data->axes[i] = data_normal(data) / sqrtf((float)(1 + i / dim));
    for (size_t i = 0; i < n_topics * DATA_RANK; i++)
        data->topics[i] = data_normal(data);
}

static inline void data_done(struct vector_data *data)
{
    free(data->axes);
    free(data->topics);
}

/* The next vector, of unit length: of any topic, or of none in particular. */
static inline void data_next(struct vector_data *data, float *ret_vector)
{
    const float *topic = data->topics + data_random(data) % data->n_topics * DATA_RANK;
    double squares = 0;
    for (uint32_t i = 0; i < data->dim; i++)
        ret_vector[i] = 0.15F * data_normal(data);
    for (uint32_t j = 0; j < DATA_RANK; j++) {
        const float *axis = data->axes + (size_t)j * data->dim;
        float weight = topic[j] + 1.3F * data_normal(data);
        for (uint32_t i = 0; i < data->dim; i++)
            ret_vector[i] += weight * axis[i];
    }
    for (uint32_t i = 0; i < data->dim; i++)
        squares += (double)ret_vector[i] * ret_vector[i];
    for (uint32_t i = 0; i < data->dim; i++)
        ret_vector[i] = (float)(ret_vector[i] / sqrt(squares));
}

#endif
