/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as an answer of the shared cache: they are none, or one that writes itself as the same bytes.
 */
#include "build/build_priv.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = str_make((const char *)data, size);
    struct build_answer *answer = NULL;
    struct err_info err = {0};
    struct buf again;

    int rc = far_value_read(bytes, &answer, &err);
    if (rc < 0) {
        assert(!answer && err.code == rc && err.message[0]);
        return 0;
    }
    buf_init(&again, size);
    far_value_write(answer, &again);
    assert(buf_error(&again) == 0 && str_eq(buf_str(&again), bytes));
    assert(answer->is_complete && !answer->has_explain);
    buf_done(&again);
    build_answer_unref(answer);
    return 0;
}
