/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the reply of a Redis server: they are one whole reply, the beginning of one, or an error with
 * a sentence; a whole one becomes rows or an error. The first byte says what was asked.
 */
#include "source/redis_priv.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_ROWS 20

static void read_rows(uint8_t how, const struct resp *reply)
{
    static struct str fields[] = {STR_LIT("a"), STR_LIT("b")};
    const struct redis_question question = {
        .type = (enum redis_type)(how % 6),
        .entries = (enum redis_entries)(how / 6 % 3),
        .is_newest_first = how & 0x40,
        .us_per_score = how & 0x80 ? 1000000 : 0,
        .max_rows = MAX_ROWS,
        .fields = fields,
        .n_fields = how % 6 == REDIS_HASH && how & 0x40 ? 2 : 0,
    };
    struct err_info err = {0};
    struct source_result *result = source_result_new();
    assert(result);
    int res = redis_read_reply(&question, reply, result, &err);
    assert(res == 0 || (err.code == res && err.message[0]));
    if (res == 0) {
        assert(result->n_rows <= MAX_ROWS && result->n_columns <= REDIS_MAX_FIELDS);
        for (size_t i = 0; i < result->n_rows * result->n_columns; i++)
            assert(result->rows[0].values[i].type <= VALUE_JSON);
    }
    source_result_free(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct resp_scan scan = {0}, whole = {0};
    struct err_info err = {0};
    struct arena arena;
    struct resp reply;
    size_t len = 0, len_whole = 0;
    int res = 1;

    if (size == 0)
        return 0;
    struct str bytes = str_make((const char *)data + 1, size - 1);
    for (size_t n = 0; res == 1 && n <= bytes.len;
         n += n < 64 ? 1 : bytes.len / 4 + 1) /* as they trickle in */
        res = resp_scan(&scan, str_slice(bytes, 0, n), &len, NULL);
    int res_whole = resp_scan(&whole, bytes, &len_whole, &err);
    assert(res_whole >= 0 || (err.code == res_whole && err.message[0]));
    assert(res == 1 || (res == res_whole && len == len_whole));
    if (res_whole != 0)
        return 0;
    arena_init(&arena, 2 * RESP_MAX_ITEMS * sizeof reply);
    res = resp_parse(str_slice(bytes, 0, len_whole), &arena, &reply, &err);
    assert(res == 0 || (err.code == res && err.message[0]));
    if (res == 0)
        read_rows(data[0], &reply);
    arena_done(&arena);
    return 0;
}
