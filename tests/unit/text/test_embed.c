/* SPDX-License-Identifier: Apache-2.0
 *
 * Vectors of the built-in model and of a small Model2Vec folder that the test writes.
 */
#include "text/embed.h"

#include "core/buf.h"
#include "text/embed_priv.h"
#include "unit/fail_mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_DIMS 256

static double cosine(const struct embedder *embedder, const char *a, const char *b)
{
    float left[MAX_DIMS], right[MAX_DIMS];
    double dot = 0;
    assert_int_equal(embed_text(embedder, str_of(a), left, NULL), 0);
    assert_int_equal(embed_text(embedder, str_of(b), right, NULL), 0);
    for (size_t d = 0; d < embedder_dims(embedder); d++)
        dot += (double)left[d] * (double)right[d];
    return dot;
}

static void builtin_model_knows_what_is_alike(void **state)
{
    (void)state;
    struct embedder *embedder;
    assert_int_equal(embedder_builtin(&embedder, NULL), 0);
    assert_int_equal(embedder_dims(embedder), 256);
    assert_true(embedder_heap_bytes(embedder) < 4096);
    const char *query = "where does my dog sleep?";
    assert_true(cosine(embedder, query, "The puppy's bed is in the kitchen") >
                cosine(embedder, query, "The invoice is due on Friday") + 0.2);
    assert_true(fabs(cosine(embedder, query, query) - 1) < 1e-5);
    assert_true(fabs(cosine(embedder, "Caf\xc3\xa9", "cafe") - 1) < 1e-5);
    embedder_close(embedder);
}

static void text_without_a_known_word_is_zero(void **state)
{
    (void)state;
    const struct str texts[] = {STR_LIT(""), STR_LIT(" \n\t"), STR_LIT("\xff\xfe"), {NULL, 0}};
    struct embedder *embedder;
    assert_int_equal(embedder_builtin(&embedder, NULL), 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        float vector[MAX_DIMS];
        assert_int_equal(embed_text(embedder, texts[i], vector, NULL), 0);
        for (size_t d = 0; d < MAX_DIMS; d++)
            assert_true(vector[d] == 0);
    }
    embedder_close(embedder);
}

static void embedding_allocates_nothing(void **state)
{
    (void)state;
    struct embedder *embedder;
    assert_int_equal(embedder_builtin(&embedder, NULL), 0);
    fail_mem_at(1);
    (void)cosine(embedder, "na\xc3\xafve questions", "\xe5\x8c\x97\xe4\xba\xac");
    assert_true(fail_mem_is_pending());
    fail_mem_at(0);
    embedder_close(embedder);
}

static void kernels_give_the_same_sums(void **state)
{
    (void)state;
    static const size_t all_dims[] = {64, 192, 256};
    static int8_t rows[1024 * MAX_DIMS];
    static uint16_t factors[1024];
    uint32_t tokens[EMBED_MAX_TOKENS];
    unsigned seed = 7;
    for (size_t i = 0; i < sizeof rows; i++)
        rows[i] = (int8_t)((seed = seed * 1103515245 + 12345) >> 16) == -128 ? -127 : (int8_t)(seed >> 16);
    for (size_t i = 0; i < 1024; i++)
        factors[i] = i % 7 == 0 ? EMBED_MAX_FACTOR : (uint16_t)((seed = seed * 1103515245 + 12345) >> 17);
    for (size_t i = 0; i < EMBED_MAX_TOKENS; i++)
        tokens[i] = (seed = seed * 1103515245 + 12345) >> 22;
    const struct embed_kernel *portable = embed_kernels();
    while (portable[1].name)
        portable++;
    assert_string_equal(portable->name, "portable");
    for (size_t i = 0; i < 3; i++) {
        struct embed_rows model = {rows, factors, all_dims[i]};
        for (size_t n = 0; n <= EMBED_MAX_TOKENS; n = n * 2 + 1) {
            int32_t wanted[MAX_DIMS], sum[MAX_DIMS];
            portable->add(&model, tokens, n, wanted);
            for (const struct embed_kernel *kernel = embed_kernels(); kernel->name; kernel++) {
                kernel->add(&model, tokens, n, sum);
                assert_memory_equal(sum, wanted, all_dims[i] * sizeof *sum);
            }
        }
    }
}

static void largest_sums_do_not_overflow(void **state)
{
    (void)state;
    int8_t rows[EMBED_BLOCK_DIMS];
    uint16_t factor = EMBED_MAX_FACTOR;
    uint32_t tokens[EMBED_MAX_TOKENS] = {0};
    memset(rows, -127, sizeof rows);
    struct embed_rows model = {rows, &factor, EMBED_BLOCK_DIMS};
    for (const struct embed_kernel *kernel = embed_kernels(); kernel->name; kernel++) {
        int32_t sum[EMBED_BLOCK_DIMS];
        kernel->add(&model, tokens, EMBED_MAX_TOKENS, sum);
        assert_int_equal(sum[EMBED_BLOCK_DIMS - 1], -127 * EMBED_MAX_FACTOR * EMBED_MAX_TOKENS);
    }
}

extern const unsigned char embed_data[], embed_data_end[];

static void damaged_data_file_is_refused(void **state)
{
    (void)state;
    size_t len = (size_t)(embed_data_end - embed_data);
    struct embedder *embedder;
    struct err_info err;
    char *copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, embed_data, len);
    const size_t lengths[] = {0, 7, 127, 128, 4096, len - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        assert_int_equal(embedder_from_bytes(str_make(copy, lengths[i]), &embedder, &err), ERR_CORRUPT);
    for (size_t i = 0; i < 32; i++) {
        copy[i] ^= 1;
        int r = embedder_from_bytes(str_make(copy, len), &embedder, &err);
        copy[i] ^= 1;
        if (i == 20) /* one slot more: the table is only worse for it */
            assert_true(r == 0 || r == ERR_CORRUPT);
        else if (i >= 8 && i < 12)
            assert_int_equal(r, ERR_UNSUPPORTED);
        else
            assert_int_equal(r, ERR_CORRUPT);
        if (r == 0)
            embedder_close(embedder);
    }
    assert_int_equal(embedder_from_bytes(str_make(copy, len), &embedder, &err), 0);
    embedder_close(embedder);
    free(copy);
}

/* The small model: five tokens of four dimensions. */

#define TOKENIZER_START "{\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":true},"
#define PRE_TOKENIZER   "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
#define VOCAB           "{\"[UNK]\":0,\"red\":1,\"blue\":2,\"##ish\":3,\"sky\":4}"
#define TOKENIZER                                                                                            \
    TOKENIZER_START PRE_TOKENIZER                                                                            \
        "\"model\":{\"type\":\"WordPiece\",\"continuing_subword_prefix\":\"##\",\"vocab\":" VOCAB "}}"

static const float rows[5][4] = {{9, 9, 9, 9}, {1, 0, 0, 0}, {0, 2, 0, 0}, {0, 0, 3, 0}, {0, 0, 0, 4}};
/* 1, 2, 3 and 4 in half precision */
static const uint16_t half_rows[5][4] = {
    {0, 0, 0, 0}, {0x3c00, 0, 0, 0}, {0, 0x4000, 0, 0}, {0, 0, 0x4200, 0}, {0, 0, 0, 0x4400}};

struct folder {
    char path[64], tokenizer[96], tensors[96];
};

static void write_file(const char *path, const void *data, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void write_tensors(const char *path, const char *header, const void *data, size_t len)
{
    struct buf buf;
    uint64_t header_len = strlen(header);
    buf_init(&buf, 4096);
    buf_append(&buf, &header_len, sizeof header_len);
    buf_append_text(&buf, header);
    buf_append(&buf, data, len);
    write_file(path, buf.data, buf.len);
    buf_done(&buf);
}

#define F32_HEADER "{\"embeddings\":{\"dtype\":\"F32\",\"shape\":[5,4],\"data_offsets\":[0,80]}}"

static void make_folder(struct folder *folder)
{
    (void)snprintf(folder->path, sizeof folder->path, "/tmp/precis-embed-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    (void)snprintf(folder->tokenizer, sizeof folder->tokenizer, "%s/tokenizer.json", folder->path);
    (void)snprintf(folder->tensors, sizeof folder->tensors, "%s/model.safetensors", folder->path);
    write_file(folder->tokenizer, TOKENIZER, strlen(TOKENIZER));
    write_tensors(folder->tensors, F32_HEADER, rows, sizeof rows);
}

static void remove_folder(const struct folder *folder)
{
    (void)unlink(folder->tokenizer);
    (void)unlink(folder->tensors);
    assert_int_equal(rmdir(folder->path), 0);
}

static void assert_vector(const struct embedder *embedder, const char *text, const float *wanted)
{
    float vector[4];
    assert_int_equal(embed_text(embedder, str_of(text), vector, NULL), 0);
    for (int d = 0; d < 4; d++)
        assert_true(fabsf(vector[d] - wanted[d]) < 1e-6F);
}

static void assert_small_model(const struct folder *folder)
{
    struct embedder *embedder;
    struct err_info err;
    if (embedder_open(folder->path, &embedder, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(embedder_dims(embedder), 4);
    assert_vector(embedder, "Red!", (float[]){1, 0, 0, 0});
    assert_vector(embedder, "green nothing", (float[]){0, 0, 0, 0});
    assert_vector(embedder, "reddish", (float[]){0, 0, 0, 0});
    assert_vector(embedder, "blueish", (float[]){0, 2 / sqrtf(13), 3 / sqrtf(13), 0});
    assert_vector(embedder, "sky, sky red", (float[]){1 / sqrtf(65), 0, 0, 8 / sqrtf(65)});
    embedder_close(embedder);
}

static void folder_of_each_number_type_gives_its_rows(void **state)
{
    (void)state;
    struct folder folder;
    make_folder(&folder);
    assert_small_model(&folder);
    write_tensors(folder.tensors,
                  "{\"embeddings\":{\"dtype\":\"F16\",\"shape\":[5,4],\"data_offsets\":[0,40]}}", half_rows,
                  sizeof half_rows);
    assert_small_model(&folder);
    int8_t bytes[5][4];
    for (int i = 0; i < 20; i++)
        bytes[i / 4][i % 4] = (int8_t)rows[i / 4][i % 4];
    write_tensors(folder.tensors,
                  "{\"embeddings\":{\"dtype\":\"I8\",\"shape\":[5,4],\"data_offsets\":[0,20]}}", bytes,
                  sizeof bytes);
    assert_small_model(&folder);
    remove_folder(&folder);
}

static void mapping_and_weights_are_applied(void **state)
{
    (void)state;
    struct folder folder;
    struct {
        float rows[2][4];
        int64_t mapping[5];
        double weights[5];
    } tensors = {{{1, 1, 0, 0}, {0, 0, 1, 1}}, {0, 0, 1, 1, 1}, {1, 2, 3, 4, 5}};
    struct embedder *embedder;
    make_folder(&folder);
    write_tensors(
        folder.tensors,
        "{\"__metadata__\":{},\"embeddings\":{\"dtype\":\"F32\",\"shape\":[2,4],\"data_offsets\":[0,32]},"
        "\"mapping\":{\"dtype\":\"I64\",\"shape\":[5],\"data_offsets\":[32,72]},"
        "\"weights\":{\"dtype\":\"F64\",\"shape\":[5],\"data_offsets\":[72,112]}}",
        &tensors, sizeof tensors);
    assert_int_equal(embedder_open(folder.path, &embedder, NULL), 0);
    assert_vector(embedder, "red sky", (float[]){2 / sqrtf(58), 2 / sqrtf(58), 5 / sqrtf(58), 5 / sqrtf(58)});
    embedder_close(embedder);
    remove_folder(&folder);
}

static void bad_folder_is_refused_with_the_file_at_fault(void **state)
{
    (void)state;
    static const struct {
        const char *header, *wanted;
        int code;
    } cases[] = {
        {"{}", "no tensor 'embeddings'", ERR_INVALID},
        {"{", "model.safetensors", ERR_INVALID},
        {"[]", "no tensor 'embeddings'", ERR_INVALID},
        {"{\"embeddings\":{\"dtype\":\"BF16\",\"shape\":[5,4],\"data_offsets\":[0,40]}}", "'BF16'",
         ERR_UNSUPPORTED},
        {"{\"embeddings\":{\"dtype\":\"F32\",\"shape\":[5,4,1],\"data_offsets\":[0,80]}}", "axes",
         ERR_INVALID},
        {"{\"embeddings\":{\"dtype\":\"F32\",\"shape\":[5,4],\"data_offsets\":[0,84]}}", "does not lie",
         ERR_INVALID},
        {"{\"embeddings\":{\"dtype\":\"F32\",\"shape\":[5,4],\"data_offsets\":[-8,72]}}", "does not lie",
         ERR_INVALID},
        {"{\"embeddings\":{\"dtype\":\"F32\",\"shape\":[2147483647,2147483647],\"data_offsets\":[0,80]}}",
         "does not lie", ERR_INVALID},
        {"{\"embeddings\":{\"dtype\":\"F32\",\"shape\":[4,5],\"data_offsets\":[0,80]}}", "4 rows for 5",
         ERR_INVALID},
        {"{\"embeddings\":{\"dtype\":\"F32\",\"shape\":[20],\"data_offsets\":[0,80]}}", "dimensions",
         ERR_INVALID},
        {"{\"embeddings\":{\"dtype\":\"F32\",\"shape\":[5,4],\"data_offsets\":[0,80]},"
         "\"mapping\":{\"dtype\":\"I32\",\"shape\":[5],\"data_offsets\":[40,60]}}",
         "'mapping' sends", ERR_INVALID},
    };
    struct folder folder;
    struct embedder *embedder;
    struct err_info err;
    make_folder(&folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_tensors(folder.tensors, cases[i].header, rows, sizeof rows);
        assert_int_equal(embedder_open(folder.path, &embedder, &err), cases[i].code);
        if (!strstr(err.message, cases[i].wanted))
            fail_msg("'%s' does not say '%s'", err.message, cases[i].wanted);
    }
    write_file(folder.tensors, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    assert_int_equal(embedder_open(folder.path, &embedder, &err), ERR_INVALID);
    (void)unlink(folder.tensors);
    assert_int_equal(embedder_open(folder.path, &embedder, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.field, "model.safetensors"));
    remove_folder(&folder);
}

static void tokenizer_of_another_kind_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"{}", ERR_UNSUPPORTED},
        {"no json", ERR_INVALID},
        {"{\"model\":{\"type\":\"Unigram\"}}", ERR_UNSUPPORTED},
        {"{\"normalizer\":null,\"model\":{\"type\":\"WordPiece\",\"vocab\":" VOCAB "}}", ERR_UNSUPPORTED},
        {TOKENIZER_START "\"model\":{\"type\":\"WordPiece\",\"vocab\":" VOCAB "}}", ERR_UNSUPPORTED},
        {TOKENIZER_START PRE_TOKENIZER "\"model\":{\"type\":\"WordPiece\",\"vocab\":{}}}", ERR_INVALID},
        {TOKENIZER_START PRE_TOKENIZER "\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":1}}}",
         ERR_INVALID},
        {TOKENIZER_START PRE_TOKENIZER "\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":\"0\"}}}",
         ERR_INVALID},
    };
    struct folder folder;
    struct embedder *embedder;
    struct err_info err;
    make_folder(&folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file(folder.tokenizer, cases[i].text, strlen(cases[i].text));
        assert_int_equal(embedder_open(folder.path, &embedder, &err), cases[i].code);
        assert_non_null(strstr(err.message, "tokenizer"));
    }
    remove_folder(&folder);
}

static void each_failed_allocation_is_an_error(void **state)
{
    (void)state;
    struct folder folder;
    struct embedder *embedder;
    struct err_info err;
    make_folder(&folder);
    for (long n = 1;; n++) {
        fail_mem_at(n);
        int r = embedder_open(folder.path, &embedder, &err);
        if (fail_mem_is_pending()) {
            assert_int_equal(r, 0);
            embedder_close(embedder);
            break;
        }
        assert_int_equal(r, ERR_NOMEM);
    }
    fail_mem_at(1);
    assert_int_equal(embedder_builtin(&embedder, &err), ERR_NOMEM);
    remove_folder(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builtin_model_knows_what_is_alike),
        cmocka_unit_test(text_without_a_known_word_is_zero),
        cmocka_unit_test(embedding_allocates_nothing),
        cmocka_unit_test(kernels_give_the_same_sums),
        cmocka_unit_test(largest_sums_do_not_overflow),
        cmocka_unit_test(damaged_data_file_is_refused),
        cmocka_unit_test(folder_of_each_number_type_gives_its_rows),
        cmocka_unit_test(mapping_and_weights_are_applied),
        cmocka_unit_test(bad_folder_is_refused_with_the_file_at_fault),
        cmocka_unit_test(tokenizer_of_another_kind_is_refused),
        cmocka_unit_test(each_failed_allocation_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
