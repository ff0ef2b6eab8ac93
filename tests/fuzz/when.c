/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a question, at any time (the first eight bytes): every range lies in the text, begins before
 * it ends and holds its own beginning; asking again gives the same.
 */
#include "text/when.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_range(const struct when_range *range, struct str question)
{
    assert((size_t)range->at + range->len <= question.len && range->len > 0);
    assert(range->from_us <= range->until_us); /* equal only where time itself ends */
    assert(range->unit <= WHEN_DECADE && range->year <= WHEN_YEAR_ANY);
    if (range->from_us < range->until_us)
        assert(when_distance_us(range, NULL, range->from_us) == 0);
    assert(when_distance_us(range, NULL, INT64_MAX) >= 0 && when_distance_us(range, NULL, INT64_MIN) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct when_range ranges[WHEN_MAX], again[WHEN_MAX];
    int64_t now_us = INT64_C(1795251600000000); /* 21 November 2026 */
    if (size >= 8 && data[0] == 0xFF) {         /* no text begins so */
        memcpy(&now_us, data, 8);
        data += 8;
        size -= 8;
    }
    struct str question = {(const char *)data, size};
    size_t n = when_find(question, now_us, NULL, ranges, WHEN_MAX);
    assert(n <= WHEN_MAX && when_find(question, now_us, NULL, again, WHEN_MAX) == n);
    for (size_t i = 0; i < n; i++) {
        check_range(&ranges[i], question);
        assert(ranges[i].from_us == again[i].from_us && ranges[i].until_us == again[i].until_us);
    }
    return 0;
}
