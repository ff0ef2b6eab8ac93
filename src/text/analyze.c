/* SPDX-License-Identifier: Apache-2.0
 *
 * From text to terms, one pass, nothing allocated on the way: words are slices of the text, folded into fixed
 * room.
 *
 *     run of letters and digits                    -> its term, and its forms (analyze_forms.c)
 *     several joined by a connector (a chunk)      -> the chunk as it stands, and each of its words
 *     a word of several pieces (camelCase, E1234)  -> the word, and each piece
 *     run of an unspaced script                    -> bigrams
 */
#include "text/analyze_priv.h"

#include "core/mem.h"
#include "core/utf8.h"

static enum language language_of_code(const char *code)
{
    static const struct {
        const char *code;
        enum language language;
    } codes[] = {
        {"en", LANGUAGE_ENGLISH}, {"de", LANGUAGE_GERMAN},     {"nl", LANGUAGE_DUTCH},
        {"sv", LANGUAGE_SWEDISH}, {"da", LANGUAGE_DANISH},     {"no", LANGUAGE_NORWEGIAN},
        {"fi", LANGUAGE_FINNISH}, {"fr", LANGUAGE_FRENCH},     {"es", LANGUAGE_SPANISH},
        {"it", LANGUAGE_ITALIAN}, {"pt", LANGUAGE_PORTUGUESE}, {"ro", LANGUAGE_ROMANIAN},
        {"pl", LANGUAGE_POLISH},  {"tr", LANGUAGE_TURKISH},    {"hu", LANGUAGE_HUNGARIAN},
        {"ru", LANGUAGE_RUSSIAN}, {"uk", LANGUAGE_UKRAINIAN},  {"el", LANGUAGE_GREEK},
        {"ar", LANGUAGE_ARABIC},  {"hi", LANGUAGE_HINDI},
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (strcmp(codes[i].code, code) == 0)
            return codes[i].language;
    return LANGUAGE_UNKNOWN;
}

int analyzer_new(const char *language, struct analyzer **ret_analyzer, struct err_info *reterr)
{
    struct analyzer *analyzer = mem_calloc(1, sizeof(*analyzer));
    struct stem ignored;
    if (!analyzer)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    analyzer->is_auto = strcmp(language, "auto") == 0;
    analyzer->language = language_of_code(language);
    analyzer->stems = stems_new();
    analyzer->guessed = language_memo_new();
    /* The stemmer that every text needs is made now: a run does not allocate unless it meets others. */
    enum language first = analyzer->is_auto ? LANGUAGE_ENGLISH : analyzer->language;
    if (!analyzer->stems || !analyzer->guessed ||
        stems_find(analyzer->stems, first, STR_LIT("x"), &ignored)) {
        analyzer_free(analyzer);
        return err_set(reterr, ERR_NOMEM, "out of memory");
    }
    *ret_analyzer = analyzer;
    return 0;
}

struct analyzer *analyzer_free(struct analyzer *analyzer)
{
    if (analyzer) {
        stems_free(analyzer->stems);
        mem_free(analyzer->guessed);
        mem_free(analyzer);
    }
    return NULL;
}

struct str analyzer_word(const struct analyzer *analyzer)
{
    return analyzer->word;
}

bool analyzer_is_extra(const struct analyzer *analyzer)
{
    return analyzer->is_extra;
}

/* clang-format off */
const unsigned char analyze_class_of_byte[128] = {
    ['0' ... '9'] = CHAR_DIGIT, ['a' ... 'z'] = CHAR_LOWER, ['A' ... 'Z'] = CHAR_UPPER,
    ['_'] = CHAR_CONNECTOR, ['-'] = CHAR_CONNECTOR, ['.'] = CHAR_CONNECTOR, ['/'] = CHAR_CONNECTOR,
    [':'] = CHAR_CONNECTOR, ['@'] = CHAR_CONNECTOR, ['\\'] = CHAR_CONNECTOR, ['\''] = CHAR_APOSTROPHE,
};
/* clang-format on */

enum char_class analyze_next_wide_class(struct str text, size_t *pos)
{
    return char_class_of(utf8_next(text, pos));
}

int analyze_emit_form(struct run *run, struct str term, struct str word, bool is_extra)
{
    run->analyzer->word = word;
    run->analyzer->is_extra = is_extra;
    return term.len ? run->on_term(term, run->position, run->arg) : 0;
}

int analyze_emit(struct run *run, struct str term)
{
    return analyze_emit_form(run, term, term, false);
}

static int run_text(struct run *run)
{
    struct analyzer *analyzer = run->analyzer;
    struct str text = run->text;
    int err = 0;
    run->language = analyzer->is_auto ? language_guess(analyzer->guessed, text) : analyzer->language;
    while (!err && run->pos < text.len) {
        size_t next = run->pos;
        enum char_class class = analyze_next_class(text, &next);
        if (class == CHAR_UNSPACED)
            err = analyze_unspaced(run);
        else if (analyze_is_word_class(class))
            err = analyze_chunk(run);
        else
            run->pos = next;
    }
    return err;
}

int analyzer_run(struct analyzer *analyzer, struct str text, analyzer_term_fn on_term, void *arg)
{
    struct run run = {.analyzer = analyzer, .text = text, .on_term = on_term, .arg = arg};
    return run_text(&run);
}

int analyzer_run_query(struct analyzer *analyzer, struct str query, analyzer_term_fn on_term, void *arg)
{
    struct run run = {.analyzer = analyzer, .text = query, .is_query = true, .on_term = on_term, .arg = arg};
    return run_text(&run);
}
