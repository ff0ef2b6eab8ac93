/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as an encoder's config.json: what is accepted keeps every limit that the program relies on.
 */
#include "text/encoder.h"

#include "core/json.h"
#include "text/embed.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_shape(const struct encoder_shape *shape)
{
    assert(shape->n_layers >= 1 && shape->n_layers <= ENCODER_MAX_LAYERS);
    assert(shape->n_dims >= ENCODER_STEP && shape->n_dims <= EMBED_MAX_DIMS);
    assert(shape->n_heads >= 1 && shape->n_dims % (shape->n_heads * ENCODER_STEP) == 0);
    assert(shape->n_inner >= ENCODER_STEP && shape->n_inner <= ENCODER_MAX_INNER);
    assert(shape->n_inner % ENCODER_STEP == 0);
    assert(shape->n_positions >= 3);
    assert(shape->epsilon >= 0 && shape->epsilon < 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json *config;
    struct encoder_shape shape;
    struct err_info err = {0};
    if (json_parse(str_make((const char *)data, size), 8, &config, NULL) < 0)
        return 0;
    int r = encoder_read_shape(config, &shape, &err);
    if (r == 0)
        check_shape(&shape);
    else
        assert(r < 0 && err.code == r && err.field[0] && err.message[0]);
    json_free(config);
    return 0;
}
