/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as an answer of Qdrant or Chroma: rows whose scores are from 0 to 1, or a sentence. The first
 * byte chooses the answer, the second the distance.
 */
#include "source/vector_priv.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_ROWS 20

static void check_rows(const struct source_result *result)
{
    assert(result->n_rows <= MAX_ROWS && result->n_columns >= 3);
    for (size_t i = 0; i < result->n_rows; i++)
        assert(result->rows[i].score >= 0 && result->rows[i].score <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vector_known known;
    struct err_info err = {0};
    struct json *root = NULL;
    if (size < 2 || json_parse(str_make((const char *)data + 2, size - 2), ASK_MAX_DEPTH, &root, NULL) < 0)
        return 0;
    enum vector_distance distance = data[1] % 4;
    struct source_result *result = source_result_new();
    int res = 0;
    switch (data[0] % 4) {
    case 0:
        res = qdrant_read_collection(root, data[1] & 4 ? STR_LIT("a") : STR_LIT(""), &known, &err);
        break;
    case 1:
        res = chroma_read_collection(root, STR_LIT(""), &known, &err);
        break;
    case 2:
        res = qdrant_read_points(root, distance, STR_LIT("content"), NULL, MAX_ROWS, result, &err);
        break;
    case 3:
        res = chroma_read_answer(root, distance, STR_LIT("content"), NULL, MAX_ROWS, result, &err);
        break;
    }
    assert(res == 0 || (res == err.code && err.message[0]));
    if (res == 0 && data[0] % 4 >= 2)
        check_rows(result);
    source_result_free(result);
    json_free(root);
    return 0;
}
