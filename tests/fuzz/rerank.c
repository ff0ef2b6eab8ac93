/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a re-ranker's answer: all scores are set and finite, or none is touched and a sentence says
 * why. The first byte is the number of texts that were sent.
 */
#include "memory/rerank_wire.h"

#include <assert.h>
#include <math.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define UNTOUCHED (-12345.5)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    double scores[RERANK_MAX_CANDIDATES];
    struct err_info err = {0};
    if (size == 0)
        return 0;
    size_t n = 1 + data[0] % RERANK_MAX_CANDIDATES;
    for (size_t i = 0; i < RERANK_MAX_CANDIDATES; i++)
        scores[i] = UNTOUCHED;
    int result = rerank_read_answer(str_make((const char *)data + 1, size - 1), n, scores, &err);
    assert(result == 0 || (err.code == result && err.message[0]));
    for (size_t i = 0; i < RERANK_MAX_CANDIDATES; i++)
        assert(result == 0 && i < n ? isfinite(scores[i]) : scores[i] == UNTOUCHED);
    return 0;
}
