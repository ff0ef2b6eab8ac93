/* SPDX-License-Identifier: Apache-2.0
 *
 * The terms of a word. The first depends on nothing but the word: its stem by the language that stands for
 * its script (English for Latin letters), without diacritics. A text in another language adds the stem of
 * that language, so that its inflections meet; a query that does not give its language away adds all of them.
 * English texts cost what they cost before.
 */
#include "text/analyze_priv.h"

#include "core/utf8.h"

#define MAX_FORMS 24

/* Forms given already for the word at hand; each at most once. */
struct forms {
    struct run *run;
    struct str word;
    size_t n, used;
    unsigned char lens[MAX_FORMS];
    char bytes[512]; /* what has no room may be given twice */
};

static int add_form(struct forms *forms, struct str form, bool is_extra)
{
    size_t at = 0;
    for (size_t i = 0; i < forms->n; at += forms->lens[i++])
        if (str_eq(str_make(forms->bytes + at, forms->lens[i]), form))
            return 0;
    if (form.len <= UINT8_MAX && forms->n < MAX_FORMS && forms->used + form.len <= sizeof(forms->bytes)) {
        memcpy(forms->bytes + forms->used, form.ptr, form.len);
        forms->used += form.len;
        forms->lens[forms->n++] = (unsigned char)form.len;
    }
    return analyze_emit_form(forms->run, form, forms->word, is_extra);
}

static int add_stem(struct forms *forms, enum language language, struct str word)
{
    struct stem stem;
    int err = stems_find(forms->run->analyzer->stems, language, word, &stem);
    return err ? err : add_form(forms, stem.text, true);
}

/* "müller" as "mueller", as it is written where there is no such key. */
static int add_spelled_out(struct forms *forms, struct str word)
{
    static const struct {
        const char *letter, *spelled;
    } letters[] = {{"\xc3\xa4", "ae"}, {"\xc3\xb6", "oe"}, {"\xc3\xbc", "ue"}, {"\xc3\xb8", "oe"}};
    char out[FOLD_MAX_BYTES];
    bool did = false;
    memcpy(out, word.ptr, word.len);
    for (size_t i = 0; i + 1 < word.len; i++) {
        for (size_t k = 0; k < sizeof(letters) / sizeof(letters[0]); k++) {
            if (memcmp(word.ptr + i, letters[k].letter, 2) != 0)
                continue;
            memcpy(out + i, letters[k].spelled, 2); /* both take two bytes */
            did = true;
        }
    }
    return did ? add_stem(forms, LANGUAGE_ENGLISH, str_make(out, word.len)) : 0;
}

static bool is_ascii(struct str word)
{
    for (size_t i = 0; i < word.len; i++)
        if ((unsigned char)word.ptr[i] >= 0x80)
            return false;
    return true;
}

/* The parts of a compound as the same words would be given alone. */
static int add_parts(struct forms *forms, enum language language, struct str word)
{
    struct str parts[COMPOUND_MAX_PARTS];
    size_t n = is_ascii(word) ? compound_split(word, parts) : 0;
    int err = 0;
    for (size_t i = 0; i < n && !err; i++)
        err = add_stem(forms, language, parts[i]);
    return err;
}

static bool has_compounds(enum language language)
{
    return language == LANGUAGE_GERMAN || language == LANGUAGE_DUTCH || language == LANGUAGE_SWEDISH ||
           language == LANGUAGE_DANISH || language == LANGUAGE_NORWEGIAN;
}

/* A word in Latin script beyond its first term. */
static int add_latin(struct forms *forms, struct str word, struct str bare)
{
    const struct run *run = forms->run;
    enum language language = run->language;
    bool is_foreign = language > LANGUAGE_ENGLISH && language <= LANGUAGE_HUNGARIAN;
    bool has_marks = !is_ascii(word);
    int err = 0;
    if (is_foreign)
        err = add_stem(forms, language, word);
    bool is_open = run->is_query && !is_foreign && (language != LANGUAGE_ENGLISH || has_marks);
    for (int other = LANGUAGE_GERMAN; is_open && other <= LANGUAGE_HUNGARIAN && !err; other++)
        err = add_stem(forms, (enum language)other, word);
    if (!err && (is_open || has_compounds(language)))
        err = add_parts(forms, is_open ? LANGUAGE_GERMAN : language, bare);
    if (!err && has_marks)
        err = add_spelled_out(forms, word);
    return err;
}

/* In Hebrew "the", "and", "in" and the like are the first letter of the word, the plural its last two. */
static int add_hebrew(struct forms *forms, struct str word)
{
    static const char prefixes[] =
        "\x95\x94\x91\x9c\x9b\x9e\xa9"; /* second bytes of vav he bet lamed kaf mem shin */
    struct str rest = word;
    int err = 0;
    if (word.len >= 8 && word.ptr[0] == '\xd7' && strchr(prefixes, word.ptr[1])) {
        rest = str_slice(word, 2, word.len);
        err = add_form(forms, rest, true);
    }
    struct str ending = rest.len >= 10 ? str_slice(rest, rest.len - 4, 4) : (struct str){NULL, 0};
    if (!err &&
        (str_is(ending, "\xd7\x99\xd7\x9d") || str_is(ending, "\xd7\x95\xd7\xaa"))) /* yod mem, vav tav */
        err = add_form(forms, str_slice(rest, 0, rest.len - 4), true);
    return err;
}

static int add_others(struct forms *forms, enum language home, struct str word, struct str bare)
{
    const struct run *run = forms->run;
    switch (home) {
    case LANGUAGE_ENGLISH:
        return add_latin(forms, word, bare);
    case LANGUAGE_RUSSIAN:
        if (run->language == LANGUAGE_UKRAINIAN || (run->is_query && run->language != LANGUAGE_RUSSIAN))
            return add_stem(forms, LANGUAGE_UKRAINIAN, word);
        return 0;
    case LANGUAGE_HEBREW:
        return add_hebrew(forms, word);
    default:
        return 0;
    }
}

static bool is_stop_word(const struct run *run, enum language home, uint32_t common)
{
    enum language language = run->language;
    if (home == LANGUAGE_RUSSIAN)
        return common & (1u << LANGUAGE_RUSSIAN | 1u << LANGUAGE_UKRAINIAN);
    if (language == LANGUAGE_UNKNOWN || language > LANGUAGE_HUNGARIAN)
        language = LANGUAGE_ENGLISH;
    return home == LANGUAGE_ENGLISH && common >> language & 1;
}

/* bare: the word without diacritics. */
static int emit_forms(struct run *run, struct str word, struct str bare)
{
    struct forms forms;
    enum language home = language_of_script(word);
    struct stem stem;
    int err = stems_find(run->analyzer->stems, home, bare, &stem);
    if (err || is_stop_word(run, home, stem.common))
        return err;
    if (run->language == LANGUAGE_ENGLISH && bare.len == word.len) /* most words have no other form */
        return analyze_emit_form(run, stem.text, word, false);
    forms.run = run;
    forms.word = word;
    forms.n = forms.used = 0;
    err = add_form(&forms, stem.text, false);
    return err ? err : add_others(&forms, home, word, bare);
}

static bool has_digit(struct str term)
{
    for (size_t i = 0; i < term.len; i++)
        if (term.ptr[i] >= '0' && term.ptr[i] <= '9')
            return true;
    return false;
}

/* Most words: letters a to z alone, of which only the case is folded. */
static bool fold_letters(struct str word, char out[FOLD_MAX_BYTES])
{
    if (word.len > FOLD_MAX_BYTES)
        return false;
    for (size_t i = 0; i < word.len; i++) {
        char lower = (char)(word.ptr[i] | 0x20);
        if (lower < 'a' || lower > 'z')
            return false;
        out[i] = lower;
    }
    return true;
}

int analyze_emit_word(struct run *run, struct str word)
{
    char folded[FOLD_MAX_BYTES], plain[FOLD_MAX_BYTES];
    struct str whole = {folded, word.len};
    struct stem stem;
    bool is_plain = fold_letters(word, folded);
    if (!is_plain)
        whole.len = chars_fold_text(utf8_prefix(word, FOLD_MAX_BYTES), folded);
    if (!whole.len)
        return 0;
    if (!is_plain && has_digit(whole))
        return analyze_emit(run, whole);
    if (run->analyzer->is_auto)
        return emit_forms(run, whole, is_plain ? whole : str_make(plain, chars_strip(whole, plain)));
    int err = stems_find(run->analyzer->stems, run->language, whole, &stem);
    if (err || (run->language == LANGUAGE_ENGLISH && stem.common >> LANGUAGE_ENGLISH & 1))
        return err;
    return analyze_emit_form(run, stem.text, whole, false);
}
