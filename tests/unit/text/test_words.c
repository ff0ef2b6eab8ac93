/* SPDX-License-Identifier: Apache-2.0
 *
 * How near words are: the kernels against the portable one, and cosines against the vectors of the model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "text/words_priv.h"

#include <math.h>

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1103515245 + 12345;
    return *seed >> 8;
}

#define N_PROBES 7 /* more than a kernel takes at once, and no multiple of it */

static void kernels_give_the_same_numbers(void **state)
{
    static struct word_probe probes[N_PROBES];
    static int8_t row[WORD_MAX_DIMS + 1];
    const struct word_kernel *portable = word_kernels();
    unsigned seed = 3;
    (void)state;
    while (portable[1].name)
        portable++;
    assert_string_equal(portable->name, "portable");
    for (size_t round = 0; round < 400; round++) {
        size_t n_dims = 64 * (1 + next_random(&seed) % (WORD_MAX_DIMS / 64));
        size_t n = 1 + round % N_PROBES;
        int64_t expected[N_PROBES] = {0};
        int32_t dots[N_PROBES], rest[N_PROBES];
        for (size_t d = 0; d < n_dims; d++) { /* the first rounds at the ends of what there can be */
            row[d + 1] =
                (int8_t)(round < 4 ? (round & 2 ? 127 : -128) : (int)(next_random(&seed) % 256) - 128);
            for (size_t i = 0; i < n; i++) {
                probes[i].row[d] = (int16_t)(round < 4 ? (round & 1 ? 16000 : -16000)
                                                       : (int)(next_random(&seed) % 32001) - 16000);
                expected[i] += (int64_t)probes[i].row[d] * row[d + 1];
            }
        }
        for (const struct word_kernel *kernel = word_kernels(); kernel->name; kernel++) {
            size_t first = 64 * (next_random(&seed) % (n_dims / 64)); /* in two parts */
            kernel->dots(probes, n, row + 1, 0, first, dots);
            kernel->dots(probes, n, row + 1, first, n_dims - first, rest);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(dots[i] + rest[i], expected[i]);
        }
    }
}

static float nearness(const struct embedder *embedder, const char *left, const char *right)
{
    struct word_probe probe;
    float cosine;
    word_probe_init(&probe, embedder, word_sense_of(embedder, str_of(left)));
    word_cosines(embedder, &probe, 1, word_sense_of(embedder, str_of(right)), &cosine);
    return cosine;
}

static double by_vectors(const struct embedder *embedder, const char *left, const char *right)
{
    float a[EMBED_MAX_DIMS], b[EMBED_MAX_DIMS];
    double sum = 0;
    assert_int_equal(embed_text(embedder, str_of(left), a, NULL), 0);
    assert_int_equal(embed_text(embedder, str_of(right), b, NULL), 0);
    for (size_t d = 0; d < embedder_dims(embedder); d++)
        sum += (double)a[d] * b[d];
    return sum;
}

static void words_are_as_near_as_their_vectors(void **state)
{
    static const char *const words[] = {"cat",    "kitten", "doctor",      "nurse",
                                        "guitar", "walrus", "unbelievable"};
    const size_t n = sizeof(words) / sizeof(words[0]);
    struct embedder *embedder;
    (void)state;
    assert_int_equal(embedder_builtin(&embedder, NULL), 0);
    assert_true(words_can_use(embedder));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            float near = nearness(embedder, words[i], words[j]);
            assert_true(fabs(near - by_vectors(embedder, words[i], words[j])) < 0.002);
            assert_true(fabsf(near - nearness(embedder, words[j], words[i])) < 0.002F);
            if (i == j)
                assert_true(fabsf(near - 1) < 0.002F);
        }
    assert_true(nearness(embedder, "doctor", "nurse") > nearness(embedder, "doctor", "guitar"));
    embedder_close(embedder);
}

static void expect_near(const struct embedder *embedder, const char *left, const char *right)
{
    const float floor = 0.3F;
    struct word_sense sense = word_sense_of(embedder, str_of(right));
    struct word_probe probes[3];
    float cosines[3], near[3] = {0};
    for (size_t i = 0; i < 3; i++) /* a word among others that it is near to or far from */
        word_probe_init(&probes[i], embedder, word_sense_of(embedder, str_of(i == 1 ? left : "sailor")));
    word_cosines(embedder, probes, 3, sense, cosines);
    bool is_near = word_near_cosines(embedder, probes, 3, sense, floor, near);
    assert_int_equal(is_near, near[0] > 0 || near[1] > 0 || near[2] > 0);
    for (size_t i = 0; i < 3; i++) {
        assert_true(near[i] == 0 || (near[i] >= floor && fabsf(near[i] - cosines[i]) < 1e-6F));
        assert_true(near[i] > 0 || cosines[i] < 0.35F); /* the narrow ones may be missed */
    }
}

static void near_words_have_their_cosines_and_far_ones_none(void **state)
{
    static const char *const words[] = {"cat",         "kitten",   "doctor",   "nurse",        "guitar",
                                        "walrus",      "sea",      "ship",     "unbelievable", "harbour",
                                        "walrusesque", "",         "🦭",     "violin",       "song",
                                        "music",       "hospital", "medicine", "boat",         "dog"};
    const size_t n = sizeof(words) / sizeof(words[0]);
    struct embedder *embedder;
    (void)state;
    assert_int_equal(embedder_builtin(&embedder, NULL), 0);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            expect_near(embedder, words[i], words[j]);
    embedder_close(embedder);
}

static void unknown_words_are_near_to_nothing(void **state)
{
    static const char *const words[] = {"", " ", "🦭", "\xff\xfe", "\x01"};
    struct embedder *embedder;
    (void)state;
    assert_int_equal(embedder_builtin(&embedder, NULL), 0);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_true(nearness(embedder, words[i], "cat") == 0);
        assert_true(nearness(embedder, "cat", words[i]) == 0);
        assert_true(nearness(embedder, words[i], words[i]) == 0);
    }
    embedder_close(embedder);
}

static void beginning_of_an_endless_word_decides(void **state)
{
    static char word[5000];
    struct embedder *embedder;
    (void)state;
    memset(word, 'q', sizeof(word) - 1);
    assert_int_equal(embedder_builtin(&embedder, NULL), 0);
    float near = nearness(embedder, word, "cat");
    assert_true(near >= -1 && near <= 1);
    embedder_close(embedder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_give_the_same_numbers),
        cmocka_unit_test(words_are_as_near_as_their_vectors),
        cmocka_unit_test(near_words_have_their_cosines_and_far_ones_none),
        cmocka_unit_test(unknown_words_are_near_to_nothing),
        cmocka_unit_test(beginning_of_an_endless_word_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
