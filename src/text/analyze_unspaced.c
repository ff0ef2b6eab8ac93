/* SPDX-License-Identifier: Apache-2.0
 *
 * Chinese, Japanese, Korean, Thai and their like: overlapping pairs of characters, which meet whatever words
 * they are a part of. Beside them a word of katakana as a whole, and single characters that are words by
 * their neighbours: one that stands between particles (我的猫很, 犬を, 책을), as it is asked for alone.
 */
#include "text/analyze_priv.h"

#include "core/utf8.h"

/* A run is folded window by window; from here on a window ends where it may. */
#define WINDOW_BYTES 64
#define MAX_KATAKANA 24 /* characters of one word */

struct pairs {
    struct run *run;
    int32_t before, last; /* 0: none */
    size_t n;
    int32_t katakana[MAX_KATAKANA];
    size_t n_katakana;
};

static bool is_unspaced_class(enum char_class class)
{
    return class == CHAR_UNSPACED || class == CHAR_MARK;
}

/* End of what is folded at once of an unspaced run: a character never parts from the marks behind it, if the
 * room allows. */
static size_t end_of_window(struct str text, size_t start)
{
    size_t pos = start;
    for (;;) {
        size_t next = pos;
        enum char_class class = analyze_next_class(text, &next);
        if (!is_unspaced_class(class) || next - start > FOLD_MAX_BYTES)
            return pos;
        size_t peek = pos;
        if (pos - start >= WINDOW_BYTES && char_is_stable(utf8_next(text, &peek)))
            return pos;
        pos = next;
    }
}

static bool is_katakana(int32_t code)
{
    return code >= 0x30A1 && code <= 0x30FC && code != 0x30FB;
}

static bool is_hiragana(int32_t code)
{
    return code >= 0x3041 && code <= 0x309F;
}

static bool is_ideograph(int32_t code)
{
    return (code >= 0x3400 && code <= 0x9FFF) || code >= 0x20000;
}

static bool is_hangul(int32_t code)
{
    return code >= 0xAC00 && code <= 0xD7A3;
}

static bool is_one_of(int32_t code, const char *characters)
{
    struct str list = str_of(characters);
    for (size_t pos = 0; pos < list.len;)
        if ((int32_t)utf8_next(list, &pos) == code)
            return true;
    return false;
}

/* Chinese characters that hold a sentence together. */
static bool is_chinese_particle(int32_t code)
{
    return is_one_of(
        code,
        "的了是在我你他她它们們这這那很和与與不也都就有没沒吗嗎呢吧把被给給对對从從到个個只隻去来來想要会會");
}

static bool is_korean_particle(int32_t code)
{
    return is_one_of(code, "은는이가을를에의도로와과만");
}

static bool parts_words(int32_t code)
{
    return code == 0 || is_hiragana(code) || (is_ideograph(code) && is_chinese_particle(code));
}

static int emit_codes(struct run *run, const int32_t *codes, size_t n)
{
    char bytes[MAX_KATAKANA * 4];
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += char_encode(codes[i], bytes + len);
    return analyze_emit(run, str_make(bytes, len));
}

/* The character before the one that comes now (0: the end). */
static int emit_single(struct pairs *pairs, int32_t coming)
{
    int32_t code = pairs->last;
    bool is_alone =
        is_ideograph(code) && !is_chinese_particle(code) && parts_words(pairs->before) && parts_words(coming);
    if (pairs->n == 1 && !coming)
        is_alone = true;
    if (pairs->n == 2 && !coming && is_hangul(pairs->before) && is_korean_particle(code)) {
        code = pairs->before;
        is_alone = true;
    }
    return is_alone ? emit_codes(pairs->run, &code, 1) : 0;
}

/* A word of three characters or more; the long vowel at its end is written or left out. */
static int end_katakana(struct pairs *pairs)
{
    size_t n = pairs->n_katakana;
    pairs->n_katakana = 0;
    if (n > 3 && n < MAX_KATAKANA && pairs->katakana[n - 1] == 0x30FC)
        n--;
    return n >= 3 && n < MAX_KATAKANA ? emit_codes(pairs->run, pairs->katakana, n) : 0;
}

/* The next character, or 0 at the end of the run. */
static int push(struct pairs *pairs, int32_t code)
{
    int32_t pair[2] = {pairs->last, code};
    bool says_nothing = is_chinese_particle(pair[0]) && is_chinese_particle(pair[1]);
    int err = pairs->n ? emit_single(pairs, code) : 0;
    if (!err && pairs->n && code && !says_nothing)
        err = emit_codes(pairs->run, pair, 2);
    if (!err && !is_katakana(code))
        err = end_katakana(pairs);
    else if (pairs->n_katakana < MAX_KATAKANA)
        pairs->katakana[pairs->n_katakana++] = code;
    if (pairs->n)
        pairs->run->position++;
    pairs->before = pairs->last;
    pairs->last = code;
    pairs->n++;
    return err;
}

int analyze_unspaced(struct run *run)
{
    struct pairs pairs = {.run = run};
    size_t end = end_of_window(run->text, run->pos);
    int err = 0;
    while (!err && end > run->pos) {
        int32_t codes[FOLD_MAX_CODES];
        size_t n = chars_fold(str_slice(run->text, run->pos, end - run->pos), codes);
        for (size_t i = 0; i < n && !err; i++)
            err = codes[i] ? push(&pairs, codes[i]) : 0;
        run->pos = end;
        end = end_of_window(run->text, end);
    }
    return err || !pairs.n ? err : push(&pairs, 0);
}
