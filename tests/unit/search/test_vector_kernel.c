/* SPDX-License-Identifier: Apache-2.0
 *
 * Every kernel this processor has gives the same bits as the portable one; and what lies under them, the
 * rotation and the codes, is what it is said to be.
 */
#include "vector_fixture.h"

static void assert_same_scan(const struct vector_kernel *kernel, struct vector_data *data, uint32_t width)
{
    enum { N_BLOCKS = 3 };
    int16_t keys[N_BLOCKS * BLOCK_DOCS], same_keys[N_BLOCKS * BLOCK_DOCS];
    uint64_t masks[N_BLOCKS], same_masks[N_BLOCKS];
    enum { TOP = 30 }; /* the most that a lookup is worth */
    uint8_t *blocks = malloc(N_BLOCKS * block_size_bytes(width)), *table = malloc(width * 8);
    uint16_t lines[VECTOR_MAX_DIM / 4];
    float query[VECTOR_MAX_DIM];
    struct vector_scan scan;
    for (size_t i = 0; i < N_BLOCKS * block_size_bytes(width); i++)
        blocks[i] = (uint8_t)data_random(data);
    for (size_t b = 0; b < N_BLOCKS; b++)
        for (size_t i = 0; i < BLOCK_DOCS; i++)
            block_factors(blocks + b * block_size_bytes(width), width)[i] =
                (int16_t)(data_random(data) & INT16_MAX);
    for (uint32_t i = 0; i < width; i++)
        query[i] = data_normal(data);
    assert_int_equal(vector_normalize(query, width, width, query), 0);
    vector_make_scan(query, width, table, lines, &scan);
    assert_in_range(scan.n_lines, 1, width / 4);
    for (size_t i = 0; i < width * 8; i++)
        table[i] = (uint8_t)(i % 97 == 0 ? TOP : data_random(data) % (TOP + 1));
    scan.at_least = (int16_t)(data_random(data) % 2001 - 1000);
    vector_kernel_portable.scan(blocks, N_BLOCKS, &scan, keys, masks);
    kernel->scan(blocks, N_BLOCKS, &scan, same_keys, same_masks);
    assert_memory_equal(keys, same_keys, sizeof(keys));
    assert_memory_equal(masks, same_masks, sizeof(masks));
    memset(blocks, 0xff, code_size_bytes(width) * BLOCK_DOCS);
    memset(table, TOP, width * 8); /* the highest sums, of all lines */
    memset(query, 0, sizeof(query));
    for (uint32_t i = 0; i < width; i++)
        query[i] = 1 / sqrtf((float)width);
    uint8_t *unused = malloc(width * 8);
    vector_make_scan(query, width, unused, lines, &scan);
    assert_int_equal(scan.n_lines, width / 4);
    scan.table = table;
    vector_kernel_portable.scan(blocks, N_BLOCKS, &scan, keys, masks);
    kernel->scan(blocks, N_BLOCKS, &scan, same_keys, same_masks);
    assert_memory_equal(keys, same_keys, sizeof(keys));
    free(blocks);
    free(table);
    free(unused);
}

static void assert_same_dot(const struct vector_kernel *kernel, struct vector_data *data, uint32_t width)
{
    float *vector = malloc(width * sizeof(*vector));
    int16_t *side = malloc(width * sizeof(*side));
    struct vector_row *row = malloc(row_size_bytes(width));
    for (uint32_t i = 0; i < width; i++)
        vector[i] = data_normal(data);
    assert_int_equal(vector_normalize(vector, width, width, vector), 0);
    vector_to_side(vector, width, side);
    vector_to_row(vector, width, row);
    assert_int_equal(kernel->dot(side, row, width), vector_kernel_portable.dot(side, row, width));
    assert_float_equal((float)kernel->dot(side, row, width) * row->scale, 1, 1e-4);
    memset(side, 0, width * sizeof(*side));
    for (uint32_t i = 0; i < width; i++) { /* every step is where it belongs */
        side[i] = SIDE_ONE;
        int step = (int)((double)vector[i] / ((double)row->scale * SIDE_ONE));
        assert_in_range(kernel->dot(side, row, width) / SIDE_ONE - step + 2, 0, 4);
        side[i] = 0;
    }
    for (uint32_t i = 0; i < width; i++)
        vector[i] = i == width - 1 ? -1 : 0; /* the largest sum */
    vector_to_row(vector, width, row);
    side[width - 1] = -SIDE_ONE;
    assert_int_equal(kernel->dot(side, row, width), SIDE_ONE * MAX_STEP);
    free(vector);
    free(side);
    free(row);
}

/* Any number of rows, and the largest sums there are. */
static void assert_same_dots(const struct vector_kernel *kernel, struct vector_data *data, uint32_t width)
{
    enum { N_ROWS = 9 };
    int32_t sums[N_ROWS], same_sums[N_ROWS];
    size_t stride = width + 8;
    int8_t *rows = malloc(N_ROWS * stride);
    int16_t *side = malloc(width * sizeof(*side));
    for (size_t i = 0; i < N_ROWS * stride; i++)
        rows[i] = (int8_t)data_random(data);
    for (uint32_t i = 0; i < width; i++)
        side[i] = (int16_t)(data_random(data) % 4001 - 2000);
    memset(rows + 2 * stride, -128, width);
    for (size_t n = 1; n <= N_ROWS; n++) {
        memset(same_sums, 0x55, sizeof(same_sums));
        vector_kernel_portable.dots(side, rows, stride, n, width, sums);
        kernel->dots(side, rows, stride, n, width, same_sums);
        assert_memory_equal(sums, same_sums, n * sizeof(*sums));
        if (n < N_ROWS)
            assert_int_equal(same_sums[n], 0x55555555);
    }
    free(rows);
    free(side);
}

/* What a vector is kept as says it again to sixteen bits, and the bound holds. */
static void assert_fine_is_fine(struct vector_data *data, uint32_t width)
{
    float vector[VECTOR_MAX_DIM], again[VECTOR_MAX_DIM];
    struct vector_fine *fine = malloc(fine_size_bytes(width));
    int8_t *low = malloc(width);
    double low_squares = 0;
    for (uint32_t i = 0; i < width; i++)
        vector[i] = data_normal(data);
    assert_int_equal(vector_normalize(vector, width, width, vector), 0);
    vector_to_fine(vector, width, fine, low);
    vector_from_fine(fine, low, width, again);
    for (uint32_t i = 0; i < width; i++) {
        double lost = (double)vector[i] - (double)fine->high[i] * 256 * fine->scale * SIDE_ONE;
        assert_float_equal(vector[i], again[i], 1e-5);
        low_squares += lost * lost;
    }
    assert_true(sqrt(low_squares) <= fine->slack);
    free(fine);
    free(low);
}

static void kernels_give_the_portable_ones_bits(void **state)
{
    (void)state;
    const struct vector_kernel *kernels[VECTOR_MAX_KERNELS];
    size_t n = vector_list_kernels(kernels);
    struct vector_data data;
    data_init(&data, 64, 1, 3);
    assert_ptr_equal(kernels[n - 1], &vector_kernel_portable);
    for (size_t i = 0; i < n; i++)
        for (uint32_t width = 64; width <= VECTOR_MAX_DIM; width = width < 448 ? width + 64 : width * 2) {
            assert_same_scan(kernels[i], &data, width);
            assert_same_dot(kernels[i], &data, width);
            assert_same_dots(kernels[i], &data, width);
            assert_fine_is_fine(&data, width);
        }
    assert_same_scan(kernels[0], &data, VECTOR_MAX_DIM);
    data_done(&data);
}

static void kernels_find_the_same_hits_as(bool is_fine)
{
    const struct vector_kernel *kernels[VECTOR_MAX_KERNELS];
    size_t n = vector_list_kernels(kernels);
    struct many many;
    struct docs_filter filter = filter_all();
    many_init_as(&many, is_fine, 384, 3000);
    many_fill(&many, 3000);
    for (size_t q = 0; q < 20; q++) {
        float query[384];
        data_next(&many.data, query);
        many.index.kernel = &vector_kernel_portable;
        struct found expected = many_find(&many, &filter, query, 50);
        for (size_t i = 0; i < n; i++) {
            many.index.kernel = kernels[i];
            assert_same_hits(many_find(&many, &filter, query, 50), expected);
        }
    }
    many_done(&many);
}

static void kernels_find_the_same_hits_in_the_same_order(void **state)
{
    (void)state;
    kernels_find_the_same_hits_as(true);
    kernels_find_the_same_hits_as(false);
}

static void rotation_keeps_lengths_and_angles_and_spreads_them(void **state)
{
    (void)state;
    for (uint32_t width = 64; width <= 1536; width += 64) {
        float left[1536] = {0}, right[1536], largest = 0;
        double dot = 0, squares = 0;
        left[width - 1] = 1; /* all in one component: the hardest to spread */
        for (uint32_t i = 0; i < width; i++)
            right[i] = 1 / sqrtf((float)width);
        vector_rotate(left, width);
        vector_rotate(right, width);
        for (uint32_t i = 0; i < width; i++) {
            squares += (double)left[i] * left[i];
            dot += (double)left[i] * right[i];
            largest = fmaxf(largest, fabsf(left[i]));
        }
        assert_float_equal(squares, 1, 1e-5);
        assert_float_equal(dot, 1 / sqrt(width), 1e-5);
        assert_true(largest < 6 / sqrtf((float)width));
    }
}

/* A document's key for a query, against the cosine that it estimates, and how far off that is said to be. */
static void keys_estimate_cosines(void **state)
{
    (void)state;
    struct many many;
    struct docs_filter filter = filter_all();
    float query[256];
    double error = 0, said = 0, self = 0;
    many_init_as(&many, false, 256, 64);
    many_fill(&many, 64);
    for (uint32_t doc = 0; doc < 64; doc++) {
        int16_t keys[BLOCK_DOCS];
        uint64_t mask;
        struct vector_query asked;
        memcpy(query, many.vectors + doc * 256, sizeof(query));
        assert_int_equal(vector_make_query(&many.index, query, &many.arena, &asked), 0);
        many.index.kernel->scan(many.index.blocks, 1, asked.scan, keys, &mask);
        self += keys[doc] / vector_key_of(asked.scan, 1) / 64;
        for (uint32_t other = 0; other < 64; other++)
            if (other != doc)
                error += fabs((double)keys[other] / asked.scan->key_per_cosine -
                              cosine_slowly(&many, other, query));
        said += 63 * asked.scan->error;
    }
    assert_float_equal(self, 1, 0.01);
    assert_float_equal(error / said, 0.8, 0.1); /* a normal number's mean, of its standard deviation */
    assert_int_equal(many_find(&many, &filter, query, 1).hits[0].doc, 63);
    many_done(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_give_the_portable_ones_bits),
        cmocka_unit_test(kernels_find_the_same_hits_in_the_same_order),
        cmocka_unit_test(rotation_keeps_lengths_and_angles_and_spreads_them),
        cmocka_unit_test(keys_estimate_cosines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
