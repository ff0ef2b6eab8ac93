/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoders that the test makes (tiny_encoder.h), by every kernel of this machine, beside a plain reference.
 */
#include "text/embed.h"

#include "text/embed_priv.h"
#include "text/encoder.h"
#include "text/model_folder.h"
#include "unit/fail_mem.h"
#include "unit/temp_folder.h"
#include "unit/text/tiny_encoder.h"

#include <float.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct tiny_encoder usual = {
    .n_layers = 2, .n_heads = 2, .n_dims = 32, .n_inner = 64, .prefix = "", .type = "F32"};

static struct embedder *open_with(const char *folder, const struct encoder_kernel *kernel)
{
    struct json *config;
    struct err_info err;
    struct embedder *embedder = mem_calloc(1, sizeof *embedder);
    assert_non_null(embedder);
    assert_int_equal(model_read_json(folder, "config.json", &config, NULL), 0);
    if (encoder_open(folder, config, kernel, embedder, &err) < 0)
        fail_msg("%s", err.message);
    json_free(config);
    return embedder;
}

static struct embedder *open_folder(const char *folder)
{
    struct embedder *embedder;
    struct err_info err;
    if (embedder_open(folder, &embedder, &err) < 0)
        fail_msg("%s", err.message);
    return embedder;
}

static void assert_embeds(const struct tiny_encoder *tiny, const struct embedder *embedder, struct str text,
                          const double *wanted)
{
    float vector[TINY_MAX_DIMS];
    assert_int_equal(embedder_dims(embedder), tiny->n_dims);
    assert_int_equal(embed_text(embedder, text, vector, NULL), 0);
    for (int d = 0; d < tiny->n_dims; d++) {
        if (!(fabs((double)vector[d] - wanted[d]) < 2e-5))
            fail_msg("%d dimensions, %s: %zu bytes, dimension %d: %.7f, not %.7f", tiny->n_dims,
                     embedder->encoder->kernel->name, text.len, d, (double)vector[d], wanted[d]);
    }
}

static void assert_embeds_ids(const struct tiny_encoder *tiny, const struct embedder *embedder,
                              struct str text, const int *ids, int n_ids)
{
    double wanted[TINY_MAX_DIMS];
    tiny_embed(tiny, ids, n_ids, wanted);
    assert_embeds(tiny, embedder, text, wanted);
}

/* Texts of few tokens, of many, and of more than the model takes, by embedders of the same model. */
static void assert_all_embed(const struct tiny_encoder *tiny, struct embedder *const *embedders,
                             size_t n_embedders)
{
    static const int words[] = {TINY_RED, TINY_SKY, TINY_A, TINY_BLUE, TINY_DOT};
    int ids[TINY_POSITIONS + 8];
    struct buf text;
    buf_init(&text, 4096);
    for (int n = 1; n < TINY_POSITIONS + 8; n++) {
        ids[n - 1] = words[(n * n + n / 3) % 5];
        buf_printf(&text, "%s ", tiny_tokens[ids[n - 1]]);
        if (n > 20 && n % 7 > 1)
            continue;
        int n_taken = n < TINY_POSITIONS - 2 ? n : TINY_POSITIONS - 2;
        double wanted[TINY_MAX_DIMS];
        tiny_embed(tiny, ids, n_taken, wanted);
        for (size_t i = 0; i < n_embedders; i++)
            assert_embeds(tiny, embedders[i], buf_str(&text), wanted);
    }
    buf_done(&text);
}

static void vectors_of_every_shape_and_kernel_are_those_of_the_reference(void **state)
{
    (void)state;
    static const struct tiny_encoder shapes[] = {
        {.n_layers = 2, .n_heads = 2, .n_dims = 32, .n_inner = 64, .prefix = "", .type = "F32"},
        {.n_layers = 1, .n_heads = 3, .n_dims = 48, .n_inner = 80, .prefix = "bert.", .type = "F16"},
        {.n_layers = 3,
         .n_heads = 1,
         .n_dims = 64,
         .n_inner = 16,
         .prefix = "",
         .type = "F32",
         .is_first_alone = true},
        {.n_layers = 1, .n_heads = 1, .n_dims = 16, .n_inner = 128, .prefix = "", .type = "F32"},
    };
    const struct encoder_kernel *kernels[ENCODER_MAX_KERNELS];
    struct embedder *embedders[ENCODER_MAX_KERNELS];
    size_t n_kernels = encoder_list_kernels(kernels);
    assert_string_equal(kernels[n_kernels - 1]->name, "portable");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char folder[TEMP_FOLDER_SIZE];
        assert_true(temp_folder_make("/tmp", folder));
        tiny_write_folder(&shapes[i], folder);
        for (size_t k = 0; k < n_kernels; k++)
            embedders[k] = open_with(folder, kernels[k]);
        assert_all_embed(&shapes[i], embedders, n_kernels);
        for (size_t k = 0; k < n_kernels; k++)
            embedder_close(embedders[k]);
        assert_true(tiny_remove_folder(folder));
    }
}

static void words_are_cut_into_pieces_and_unknown_ones_count(void **state)
{
    (void)state;
    char folder[TEMP_FOLDER_SIZE];
    assert_true(temp_folder_make("/tmp", folder));
    tiny_write_folder(&usual, folder);
    struct embedder *embedder = open_folder(folder);
    assert_embeds_ids(&usual, embedder,
                      STR_LIT("Reddish? R\xc3\xa9"
                              "dish blue."),
                      (const int[]){TINY_UNKNOWN, TINY_UNKNOWN, TINY_RED, TINY_ISH, TINY_BLUE, TINY_DOT}, 6);
    assert_embeds_ids(&usual, embedder, STR_LIT("[SEP]"),
                      (const int[]){TINY_UNKNOWN, TINY_UNKNOWN, TINY_UNKNOWN}, 3);
    float vector[TINY_MAX_DIMS];
    assert_int_equal(embed_text(embedder, STR_LIT(" \n\t\xff"), vector, NULL), 0);
    for (int d = 0; d < usual.n_dims; d++)
        assert_true(vector[d] == 0);
    embedder_close(embedder);
    assert_true(tiny_remove_folder(folder));
}

#define MODULE(name) "{\"type\":\"sentence_transformers.models." name "\"}"
#define TOKENIZER                                                                                            \
    "{\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":true},\"pre_tokenizer\":"                    \
    "{\"type\":\"BertPreTokenizer\"},\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[PAD]\":0,\"red\":1,"    \
    "\"[UNK]\":2,\"[SEP]\":3,\"sky\":4,\"[CLS]\":5,\"##ish\":6,\"a\":7,\"blue\":8,\"[MASK]\":9,\".\":10}}}"

static void files_of_sentence_transformers_are_heeded(void **state)
{
    (void)state;
    char folder[TEMP_FOLDER_SIZE];
    assert_true(temp_folder_make("/tmp", folder));
    tiny_write_folder(&usual, folder);
    tiny_write(folder, "vocab.txt", STR_LIT("not this one, since there is a tokenizer.json"));
    tiny_write(folder, "tokenizer.json", STR_LIT(TOKENIZER));
    tiny_write(folder, "sentence_bert_config.json", STR_LIT("{\"max_seq_length\":5}"));
    tiny_write(folder, "modules.json",
               STR_LIT("[" MODULE("Transformer") "," MODULE("Pooling") "," MODULE("Normalize") "]"));
    struct embedder *embedder = open_folder(folder);
    assert_embeds_ids(&usual, embedder, STR_LIT("sky blue red a a"),
                      (const int[]){TINY_SKY, TINY_BLUE, TINY_RED}, 3);
    assert_true(embedder_heap_bytes(embedder) > 32 * 1024);
    embedder_close(embedder);
    assert_true(tiny_remove_folder(folder));
}

/* What is wrong with one file, and what must be said of it. */
struct fault {
    const char *name, *text, *wanted;
    int code;
};

static void assert_fault(const char *folder, const struct fault *fault)
{
    struct embedder *embedder;
    struct err_info err = {0};
    tiny_write(folder, fault->name, str_of(fault->text));
    assert_int_equal(embedder_open(folder, &embedder, &err), fault->code);
    if (!strstr(err.message, fault->wanted))
        fail_msg("'%s' does not say '%s'", err.message, fault->wanted);
    if (!strstr(err.message, fault->name) && !strstr(err.field, fault->name))
        fail_msg("'%s' (%s) does not name %s", err.message, err.field, fault->name);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, fault->name);
    (void)unlink(path);
}

#define CONFIG(fields) "{\"hidden_size\":32,\"num_hidden_layers\":2," fields "}"
#define REST           "\"intermediate_size\":64,\"max_position_embeddings\":48"

static void fault_of_the_small_files_is_told_with_file_and_field(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {"config.json", "{\"hidden_size\":32", "config.json", ERR_INVALID},
        {"config.json", "{\"hidden_size\":\"32\"}", "'hidden_size' must be a whole number", ERR_INVALID},
        {"config.json", "{\"hidden_size\":4112}", "from 16 to 4096", ERR_INVALID},
        {"config.json", "{\"hidden_size\":32,\"num_hidden_layers\":0}", "'num_hidden_layers'", ERR_INVALID},
        {"config.json", CONFIG("\"num_attention_heads\":0"), "'num_attention_heads'", ERR_INVALID},
        {"config.json", CONFIG("\"num_attention_heads\":4," REST), "each of 4 heads", ERR_UNSUPPORTED},
        {"config.json", CONFIG("\"num_attention_heads\":2"), "'intermediate_size'", ERR_INVALID},
        {"config.json",
         CONFIG("\"num_attention_heads\":2,\"intermediate_size\":24,\"max_position_embeddings\":48"),
         "'intermediate_size' is 24", ERR_UNSUPPORTED},
        {"config.json", CONFIG("\"model_type\":\"mpnet\""), "'model_type' is 'mpnet'", ERR_UNSUPPORTED},
        {"config.json", CONFIG("\"hidden_act\":\"relu\""), "'hidden_act' is 'relu'", ERR_UNSUPPORTED},
        {"config.json", CONFIG("\"position_embedding_type\":\"relative_key\""), "relative_key",
         ERR_UNSUPPORTED},
        {"config.json", CONFIG("\"num_attention_heads\":2,\"layer_norm_eps\":-1," REST), "'layer_norm_eps'",
         ERR_INVALID},
        {"modules.json", "[" MODULE("Transformer") "," MODULE("Pooling") "," MODULE("Dense") "]",
         "step 3 is 'sentence_transformers.models.Dense'", ERR_UNSUPPORTED},
        {"sentence_bert_config.json", "{\"max_seq_length\":2}", "'max_seq_length'", ERR_INVALID},
        {"1_Pooling/config.json", "{\"pooling_mode_max_tokens\":true}", "'pooling_mode_max_tokens' is on",
         ERR_UNSUPPORTED},
        {"1_Pooling/config.json", "{}", "must be on", ERR_UNSUPPORTED},
        {"tokenizer_config.json", "{\"do_lower_case\":false}", "case of letters", ERR_UNSUPPORTED},
        {"tokenizer.json", "{}", "only WordPiece", ERR_UNSUPPORTED},
        {"vocab.txt", "", "vocabulary is not of 1 to", ERR_INVALID},
    };
    static const struct tiny_encoder with_pooling = {.n_layers = 2,
                                                     .n_heads = 2,
                                                     .n_dims = 32,
                                                     .n_inner = 64,
                                                     .prefix = "",
                                                     .type = "F32",
                                                     .is_first_alone = true};
    char folder[TEMP_FOLDER_SIZE];
    assert_true(temp_folder_make("/tmp", folder));
    tiny_write_folder(&with_pooling, folder);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        assert_fault(folder, &faults[i]);
        if (strcmp(faults[i].name, "config.json") == 0)
            tiny_write_config(&with_pooling, folder);
    }
    struct embedder *embedder;
    struct err_info err;
    assert_int_equal(embedder_open(folder, &embedder, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "neither tokenizer.json nor vocab.txt"));
    tiny_write(folder, "vocab.txt", STR_LIT("[CLS]\n[SEP]\nred\n"));
    assert_int_equal(embedder_open(folder, &embedder, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "no token '[UNK]'"));
    assert_true(tiny_remove_folder(folder));
}

static size_t read_tensors(const char *folder, char *bytes, size_t size)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/model.safetensors", folder);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(bytes, 1, size, file);
    assert_true(n > 0 && n < size);
    (void)fclose(file);
    return n;
}

static void assert_tensor_fault(const char *folder, struct str bytes, const char *wanted)
{
    struct embedder *embedder;
    struct err_info err;
    tiny_write(folder, "model.safetensors", bytes);
    assert_int_equal(embedder_open(folder, &embedder, &err), ERR_INVALID);
    if (!strstr(err.message, wanted) || !strstr(err.message, "model.safetensors: "))
        fail_msg("'%s' does not say '%s' of its file", err.message, wanted);
}

static void fault_of_the_tensors_is_told_with_the_tensor(void **state)
{
    (void)state;
    static char bytes[1 << 20];
    static const struct {
        const char *in_file, *instead, *wanted;
    } changes[] = {
        {"encoder.layer.1.output.dense.bias", "encoder.layer.1.output.dense.bia5",
         "no tensor 'encoder.layer.1.output.dense.bias'"},
        {"embeddings.LayerNorm.bias", "embeddings.LayerNorm.bia5", "no tensor 'embeddings.LayerNorm.bias'"},
        {"\"shape\":[64,32]", "\"shape\":[32,64]",
         "'encoder.layer.0.intermediate.dense.weight' has 32 x 64 numbers"},
        {"\"shape\":[48,32]", "\"shape\":[32,48]", "'embeddings.position_embeddings.weight' has 32 x 48"},
        {"\"dtype\":\"F32\",\"shape\":[12,32]", "\"dtype\":\"F32\",\"shape\":[12,31]",
         "'embeddings.word_embeddings.weight' does not lie"},
    };
    char folder[TEMP_FOLDER_SIZE];
    assert_true(temp_folder_make("/tmp", folder));
    tiny_write_folder(&usual, folder);
    size_t n = read_tensors(folder, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        ptrdiff_t at = str_find(str_make(bytes, n), str_of(changes[i].in_file));
        assert_true(at > 0);
        memcpy(bytes + at, changes[i].instead, strlen(changes[i].instead));
        assert_tensor_fault(folder, str_make(bytes, n), changes[i].wanted);
        memcpy(bytes + at, changes[i].in_file, strlen(changes[i].in_file));
    }
    assert_tensor_fault(folder, str_make(bytes, n - 1), "does not lie in the file");
    assert_tensor_fault(folder, str_make(bytes, 5), "too short");
    static const float unusable[] = {NAN, INFINITY, -70000};
    for (size_t i = 0; i < 3; i++) { /* the last tensor is a bias, the one at 2000 before it a weight */
        memcpy(bytes + n - sizeof *unusable, &unusable[i < 2 ? i : 0], sizeof *unusable);
        assert_tensor_fault(folder, str_make(bytes, n), "output.LayerNorm.bias', row 31");
        memset(bytes + n - sizeof *unusable, 0, sizeof *unusable);
        size_t at = n - 2000 * sizeof *unusable;
        float kept;
        memcpy(&kept, bytes + at, sizeof kept);
        memcpy(bytes + at, &unusable[i], sizeof kept);
        assert_tensor_fault(folder, str_make(bytes, n), "encoder.layer.1.output.dense.weight', row ");
        memcpy(bytes + at, &kept, sizeof kept);
    }
    assert_true(tiny_remove_folder(folder));
}

static void numbers_without_end_are_an_error(void **state)
{
    (void)state;
    static char bytes[1 << 20];
    char folder[TEMP_FOLDER_SIZE];
    assert_true(temp_folder_make("/tmp", folder));
    tiny_write_folder(&usual, folder);
    size_t n = read_tensors(folder, bytes, sizeof bytes);
    const float largest = FLT_MAX; /* as the last norm's last shift */
    memcpy(bytes + n - sizeof largest, &largest, sizeof largest);
    tiny_write(folder, "model.safetensors", str_make(bytes, n));
    struct embedder *embedder = open_folder(folder);
    float vector[TINY_MAX_DIMS];
    struct err_info err;
    assert_int_equal(embed_text(embedder, STR_LIT("red sky"), vector, &err), ERR_CORRUPT);
    assert_int_equal(err.code, ERR_CORRUPT);
    embedder_close(embedder);
    assert_true(tiny_remove_folder(folder));
}

static void each_failed_allocation_is_an_error(void **state)
{
    (void)state;
    char folder[TEMP_FOLDER_SIZE];
    struct embedder *embedder = NULL;
    struct err_info err;
    assert_true(temp_folder_make("/tmp", folder));
    tiny_write_folder(&usual, folder);
    for (long n = 1;; n++) {
        fail_mem_at(n);
        int r = embedder_open(folder, &embedder, &err);
        if (fail_mem_is_pending()) {
            assert_int_equal(r, 0);
            break;
        }
        assert_int_equal(r, ERR_NOMEM);
    }
    float vector[TINY_MAX_DIMS];
    fail_mem_at(1);
    assert_int_equal(embed_text(embedder, STR_LIT("red"), vector, &err), ERR_NOMEM);
    assert_int_equal(err.code, ERR_NOMEM);
    assert_int_equal(embed_text(embedder, STR_LIT("red"), vector, &err), 0);
    embedder_close(embedder);
    assert_true(tiny_remove_folder(folder));
}

struct sharing {
    const struct embedder *embedder;
    float wanted[TINY_MAX_DIMS];
};

static void *embed_often(void *argument)
{
    struct sharing *sharing = argument;
    for (int i = 0; i < 100; i++) {
        float vector[TINY_MAX_DIMS];
        if (embed_text(sharing->embedder, STR_LIT("blue sky"), vector, NULL) < 0 ||
            memcmp(vector, sharing->wanted, (size_t)usual.n_dims * sizeof *vector) != 0)
            return argument;
    }
    return NULL;
}

static void threads_share_an_embedder(void **state)
{
    (void)state;
    char folder[TEMP_FOLDER_SIZE];
    pthread_t threads[4];
    assert_true(temp_folder_make("/tmp", folder));
    tiny_write_folder(&usual, folder);
    struct embedder *embedder = open_folder(folder);
    struct sharing sharing = {.embedder = embedder};
    assert_int_equal(embed_text(embedder, STR_LIT("blue sky"), sharing.wanted, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, embed_often, &sharing), 0);
    for (size_t i = 0; i < 4; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    embedder_close(embedder);
    assert_true(tiny_remove_folder(folder));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_every_shape_and_kernel_are_those_of_the_reference),
        cmocka_unit_test(words_are_cut_into_pieces_and_unknown_ones_count),
        cmocka_unit_test(files_of_sentence_transformers_are_heeded),
        cmocka_unit_test(fault_of_the_small_files_is_told_with_file_and_field),
        cmocka_unit_test(fault_of_the_tensors_is_told_with_the_tensor),
        cmocka_unit_test(numbers_without_end_are_an_error),
        cmocka_unit_test(each_failed_allocation_is_an_error),
        cmocka_unit_test(threads_share_an_embedder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
