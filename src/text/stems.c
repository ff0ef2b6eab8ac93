/* SPDX-License-Identifier: Apache-2.0
 *
 * Stems by libstemmer and by ours. Stemming costs more than all the rest of analysis, and words repeat, so
 * the stems met last are remembered: a table of pairs of slots, of which the newer word takes the first and
 * the one there moves to the second.
 */
#include "text/language_priv.h"

#include "core/mem.h"
#include "core/utf8.h"
#include "text/text_priv.h"

#include <libstemmer.h>

#define MEMO_PAIRS 2048 /* a power of two; 210 KB */
#define MEMO_BYTES 22   /* few words are longer */

struct memo {
    uint32_t common;                            /* see struct stem */
    unsigned char language, word_len, stem_len; /* word_len 0: empty */
    char word[MEMO_BYTES], stem[MEMO_BYTES];
};

struct stems {
    struct sb_stemmer *by_language[LANGUAGE_N];
    char buffer[FOLD_MAX_BYTES];
    struct memo memo[MEMO_PAIRS][2];
};

/* NULL: libstemmer has none. */
static const char *const names[LANGUAGE_N] = {
    [LANGUAGE_ENGLISH] = "english",       [LANGUAGE_GERMAN] = "german",
    [LANGUAGE_DUTCH] = "dutch",           [LANGUAGE_SWEDISH] = "swedish",
    [LANGUAGE_DANISH] = "danish",         [LANGUAGE_NORWEGIAN] = "norwegian",
    [LANGUAGE_FINNISH] = "finnish",       [LANGUAGE_FRENCH] = "french",
    [LANGUAGE_SPANISH] = "spanish",       [LANGUAGE_ITALIAN] = "italian",
    [LANGUAGE_ROMANIAN] = "romanian",     [LANGUAGE_TURKISH] = "turkish",
    [LANGUAGE_PORTUGUESE] = "portuguese", [LANGUAGE_RUSSIAN] = "russian",
    [LANGUAGE_HUNGARIAN] = "hungarian",   [LANGUAGE_GREEK] = "greek",
    [LANGUAGE_ARABIC] = "arabic",         [LANGUAGE_HINDI] = "hindi",
};

struct stems *stems_new(void)
{
    return mem_calloc(1, sizeof(struct stems));
}

struct stems *stems_free(struct stems *stems)
{
    for (size_t i = 0; stems && i < LANGUAGE_N; i++)
        sb_stemmer_delete(stems->by_language[i]);
    return mem_free(stems);
}

/* Portuguese plurals that the stemmer leaves apart from their singular: reunioes, reuniao. */
static struct str singular_of(struct str word, char out[FOLD_MAX_BYTES])
{
    static const char *const plurals[] = {"\xc3\xb5"
                                          "es",
                                          "\xc3\xa3"
                                          "es"};
    for (size_t i = 0; i < sizeof(plurals) / sizeof(plurals[0]); i++) {
        size_t len = strlen(plurals[i]);
        if (word.len <= len || memcmp(word.ptr + word.len - len, plurals[i], len) != 0)
            continue;
        memcpy(out, word.ptr, word.len - len);
        memcpy(out + word.len - len,
               "\xc3\xa3"
               "o",
               3);
        return str_make(out, word.len - 1);
    }
    return word;
}

/* Into stems->buffer, without diacritics. */
static int make_stem(struct stems *stems, enum language language, struct str word, struct str *ret_stem)
{
    char *out = stems->buffer;
    struct sb_stemmer **stemmer = &stems->by_language[language];
    if (language == LANGUAGE_POLISH) {
        *ret_stem = str_make(out, stem_polish(out, chars_strip(word, out)));
        return 0;
    }
    if (language == LANGUAGE_UKRAINIAN) {
        memcpy(out, word.ptr, word.len);
        *ret_stem = str_make(out, stem_ukrainian(out, word.len));
        return 0;
    }
    if (language == LANGUAGE_PORTUGUESE)
        word = singular_of(word, out);
    if (!*stemmer && names[language]) {
        *stemmer = sb_stemmer_new(names[language], "UTF_8");
        if (!*stemmer)
            return ERR_NOMEM;
    }
    if (*stemmer) {
        const sb_symbol *stem = sb_stemmer_stem(*stemmer, (const sb_symbol *)word.ptr, (int)word.len);
        if (!stem)
            return ERR_NOMEM;
        word = utf8_prefix(str_make((const char *)stem, (size_t)sb_stemmer_length(*stemmer)), FOLD_MAX_BYTES);
    }
    *ret_stem = str_make(out, chars_strip(word, out));
    return 0;
}

static uint32_t languages_of(struct str word)
{
    char plain[FOLD_MAX_BYTES];
    struct str bare = {plain, chars_strip(word, plain)};
    return language_words_find(bare) & ~1u;
}

static bool is_of(const struct memo *memo, enum language language, struct str word)
{
    return memo->language == language && str_eq(str_make(memo->word, memo->word_len), word);
}

int stems_find(struct stems *stems, enum language language, struct str word, struct stem *ret_stem)
{
    word = utf8_prefix(word, FOLD_MAX_BYTES);
    *ret_stem = (struct stem){{NULL, 0}, 0};
    if (word.len > MEMO_BYTES || !word.len)
        return make_stem(stems, language, word, &ret_stem->text);
    struct memo *memo = stems->memo[str_hash(word, (uint64_t)language) & (MEMO_PAIRS - 1)];
    if (!is_of(memo, language, word) && is_of(memo + 1, language, word)) {
        memo++;
    } else if (!is_of(memo, language, word)) {
        struct str stem;
        int err = make_stem(stems, language, word, &stem);
        if (err)
            return err;
        if (stem.len > MEMO_BYTES) { /* some stemmers add a letter */
            *ret_stem = (struct stem){stem, languages_of(word)};
            return 0;
        }
        memo[1] = memo[0];
        memo->common = languages_of(word);
        memo->language = (unsigned char)language;
        memo->word_len = (unsigned char)word.len;
        memo->stem_len = (unsigned char)stem.len;
        memcpy(memo->word, word.ptr, word.len);
        memcpy(memo->stem, stem.ptr, stem.len);
    }
    *ret_stem = (struct stem){str_make(memo->stem, memo->stem_len), memo->common};
    return 0;
}
