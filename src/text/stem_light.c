/* SPDX-License-Identifier: Apache-2.0
 *
 * Light stemmers for Polish and Ukrainian: the endings of declension and conjugation are taken off, the
 * longest that leaves a stem, and the vowel that comes and goes before a last consonant is left out.
 * Irregular words (pies, psa) stay apart; a word that merely looks inflected loses its end alike wherever it
 * stands, so it is still found by itself.
 */
#include "text/language_priv.h"

/* The longest first. Of the one-letter endings any leaves a stem of two letters, of the longer three. */
static const char *const polish[] = {
    "owaniami", "owaniach", "owalismy", "owalysmy", "owaniom", "owaniem", "owania", "owaniu", "owanie",
    "owalem",   "owalam",   "ilismy",   "alismy",   "elismy",  "ujecie",  "iajac",  "owali",  "owaly",
    "owala",    "owalo",    "ujemy",    "ujesz",    "owane",   "owany",   "owana",  "owac",   "owal",
    "iego",     "iemu",     "iami",     "iach",     "ujac",    "acie",    "ecie",   "icie",   "alem",
    "alam",     "ilem",     "ilam",     "ylem",     "ylam",    "elam",    "eniu",   "iej",    "iem",
    "iom",      "ich",      "imi",      "ymi",      "ego",     "emu",     "ami",    "ach",    "ych",
    "uje",      "uja",      "ala",      "ali",      "aly",     "alo",     "ila",    "ili",    "ily",
    "yla",      "yli",      "yly",      "amy",      "emy",     "imy",     "ymy",    "asz",    "esz",
    "isz",      "ysz",      "owi",      "ia",       "ie",      "iu",      "io",     "om",     "em",
    "im",       "ym",       "ej",       "ow",       "ac",      "ec",      "ic",     "yc",     "al",
    "il",       "yl",       "am",       "mi",       "a",       "e",       "i",      "o",      "u",
    "y",
};

/* Two bytes a letter. */
static const char *const ukrainian[] = {
    "істю", "ості", "ість", "його", "ьому", "ями", "ами", "ові", "еві", "єві", "ого", "ому", "ими",
    "іми",  "ему",  "ах",   "ях",   "ів",   "їв",  "ей",  "ом",  "ем",  "єм",  "ою",  "ею",  "єю",
    "ий",   "ій",   "ої",   "ії",   "ія",   "ію",  "їй",  "ть",  "ти",  "ла",  "ло",  "ли",  "ся",
    "в",    "а",    "я",    "о",    "е",    "є",   "и",   "і",   "ї",   "у",   "ю",   "ь",   "й",
};

static bool take_ending(size_t *len, const char *word, const char *ending, size_t min_stem)
{
    size_t n = strlen(ending);
    if (*len < n + min_stem || memcmp(word + *len - n, ending, n) != 0)
        return false;
    *len -= n;
    return true;
}

static bool is_vowel(char c)
{
    return c && strchr("aeiouy", c);
}

size_t stem_polish(char *word, size_t len)
{
    for (size_t i = 0; i < sizeof(polish) / sizeof(polish[0]); i++)
        if (take_ending(&len, word, polish[i], polish[i][1] ? 3 : 2))
            break;
    /* ksiazek, ksiazk-a; ojciec, ojc-a */
    if (len >= 4 && word[len - 2] == 'e' && word[len - 1] == 'k' && !is_vowel(word[len - 3])) {
        word[len - 2] = 'k';
        len--;
    } else if (len >= 5 && word[len - 3] == 'i' && word[len - 2] == 'e' && word[len - 1] == 'c') {
        word[len - 3] = 'c';
        len -= 2;
    } else if (len >= 4 && word[len - 2] == 'r' && word[len - 1] == 'z') { /* faktura, fakturze */
        len--;
    }
    return len;
}

size_t stem_ukrainian(char *word, size_t len)
{
    for (size_t i = 0; i < sizeof(ukrainian) / sizeof(ukrainian[0]); i++)
        if (take_ending(&len, word, ukrainian[i], 6))
            break;
    /* будинок, будинк-и */
    if (len >= 10 && (memcmp(word + len - 4, "ок", 4) == 0 || memcmp(word + len - 4, "ек", 4) == 0)) {
        memcpy(word + len - 4, "к", 2);
        len -= 2;
    }
    return len;
}
