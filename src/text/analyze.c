/* SPDX-License-Identifier: Apache-2.0
 *
 * From text to terms, one pass, nothing allocated on the way: words are slices of the text, folded into fixed
 * room. Stemming costs more than all the rest, and words repeat, so an analyzer remembers the stems it met
 * last (a direct-mapped table: a slot is simply overwritten).
 *
 *     run of letters and digits                    -> its term
 *     several joined by a connector (a chunk)      -> the chunk as it stands, and each of its words
 *     a word of several pieces (camelCase, E1234)  -> the word, and each piece
 *     run of an unspaced script                    -> bigrams
 */
#include "text/analyze.h"

#include "core/mem.h"
#include "core/utf8.h"
#include "text/text_priv.h"

#include <errno.h>
#include <libstemmer.h>

#define MEMO_SLOTS 2048 /* a power of two; 100 KB */
#define MEMO_BYTES 23   /* few words are longer */
/* Bigram runs are folded window by window; from here on a window ends where it may. */
#define WINDOW_BYTES 64

/* word_len 0: empty; stem_len 0: a stop word. */
struct memo {
    unsigned char word_len, stem_len;
    char word[MEMO_BYTES], stem[MEMO_BYTES];
};

struct analyzer {
    struct sb_stemmer *stemmer; /* NULL: this language has none */
    bool has_stop_words;
    struct str word; /* that the term now given was made from */
    struct memo memo[MEMO_SLOTS];
};

/* One call of analyzer_run. */
struct run {
    struct analyzer *analyzer;
    struct str text;
    size_t pos;
    uint32_t position;
    analyzer_term_fn on_term;
    void *arg;
};

int analyzer_new(const char *language, struct analyzer **ret_analyzer, struct err_info *reterr)
{
    struct analyzer *analyzer = mem_calloc(1, sizeof(*analyzer));
    if (!analyzer)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    errno = 0; /* the stemmer's maker says only by malloc's errno that it knows the language */
    analyzer->stemmer = sb_stemmer_new(language, "UTF_8");
    if (!analyzer->stemmer && errno == ENOMEM) {
        mem_free(analyzer);
        return err_set(reterr, ERR_NOMEM, "out of memory");
    }
    analyzer->has_stop_words = strcmp(language, "en") == 0;
    *ret_analyzer = analyzer;
    return 0;
}

struct analyzer *analyzer_free(struct analyzer *analyzer)
{
    if (analyzer) {
        sb_stemmer_delete(analyzer->stemmer);
        mem_free(analyzer);
    }
    return NULL;
}

/* clang-format off */
static const unsigned char class_of_byte[128] = {
    ['0' ... '9'] = CHAR_DIGIT, ['a' ... 'z'] = CHAR_LOWER, ['A' ... 'Z'] = CHAR_UPPER,
    ['_'] = CHAR_CONNECTOR, ['-'] = CHAR_CONNECTOR, ['.'] = CHAR_CONNECTOR, ['/'] = CHAR_CONNECTOR,
    [':'] = CHAR_CONNECTOR, ['@'] = CHAR_CONNECTOR, ['\\'] = CHAR_CONNECTOR, ['\''] = CHAR_APOSTROPHE,
};
/* clang-format on */

/* The class of the character at *pos, moving past it; CHAR_OTHER at the end. */
static enum char_class next_class(struct str text, size_t *pos)
{
    if (*pos >= text.len)
        return CHAR_OTHER;
    unsigned char byte = (unsigned char)text.ptr[*pos];
    if (byte < 0x80) {
        *pos += 1;
        return class_of_byte[byte];
    }
    return char_class_of(utf8_next(text, pos));
}

static bool is_word_class(enum char_class class)
{
    return class == CHAR_LOWER || class == CHAR_UPPER || class == CHAR_DIGIT;
}

static size_t end_of_word(struct str text, size_t pos)
{
    size_t next = pos;
    enum char_class class;
    do {
        pos = next;
        class = next_class(text, &next);
    } while (is_word_class(class) || class == CHAR_MARK);
    return pos;
}

/* Does a word go on behind a single character of `class` at pos? *ret_next: where. */
static bool is_joined(struct str text, size_t pos, enum char_class class, size_t *ret_next)
{
    size_t next = pos;
    if (next_class(text, &next) != class)
        return false;
    size_t behind = next;
    *ret_next = next;
    return is_word_class(next_class(text, &behind));
}

static bool has_digit(struct str term)
{
    for (size_t i = 0; i < term.len; i++)
        if (term.ptr[i] >= '0' && term.ptr[i] <= '9')
            return true;
    return false;
}

/* The stem, or nothing for a stop word; borrowed until the next call. */
static int stem_of(struct analyzer *analyzer, struct str word, struct str *ret_stem)
{
    if (analyzer->has_stop_words && stop_words_has_english(word)) {
        *ret_stem = (struct str){NULL, 0};
        return 0;
    }
    *ret_stem = word;
    if (!analyzer->stemmer)
        return 0;
    const sb_symbol *stem = sb_stemmer_stem(analyzer->stemmer, (const sb_symbol *)word.ptr, (int)word.len);
    if (!stem)
        return ERR_NOMEM;
    *ret_stem = str_make((const char *)stem, (size_t)sb_stemmer_length(analyzer->stemmer));
    return 0;
}

/* stem_of, remembered. */
static int look_up_stem(struct analyzer *analyzer, struct str word, struct str *ret_stem)
{
    if (word.len > MEMO_BYTES)
        return stem_of(analyzer, word, ret_stem);
    struct memo *memo = &analyzer->memo[str_hash(word, 0) & (MEMO_SLOTS - 1)];
    if (!str_eq(str_make(memo->word, memo->word_len), word)) {
        struct str stem;
        int err = stem_of(analyzer, word, &stem);
        if (err)
            return err;
        if (stem.len > MEMO_BYTES) { /* some stemmers add a letter */
            *ret_stem = stem;
            return 0;
        }
        memo->word_len = (unsigned char)word.len;
        memo->stem_len = (unsigned char)stem.len;
        memcpy(memo->word, word.ptr, word.len);
        if (stem.len)
            memcpy(memo->stem, stem.ptr, stem.len);
    }
    *ret_stem = str_make(memo->stem, memo->stem_len);
    return 0;
}

struct str analyzer_word(const struct analyzer *analyzer)
{
    return analyzer->word;
}

static int emit_made(struct run *run, struct str term, struct str word)
{
    run->analyzer->word = word;
    return term.len ? run->on_term(term, run->position, run->arg) : 0;
}

static int emit(struct run *run, struct str term)
{
    return emit_made(run, term, term);
}

/* A word or a piece of one: folded, cut at FOLD_MAX_BYTES, stemmed unless it has a digit. */
static int emit_word(struct run *run, struct str word)
{
    char folded[FOLD_MAX_BYTES];
    struct str whole = {folded, chars_fold_text(utf8_prefix(word, FOLD_MAX_BYTES), folded)}, term = whole;
    if (term.len && !has_digit(term)) {
        int err = look_up_stem(run->analyzer, term, &term);
        if (err)
            return err;
    }
    return emit_made(run, term, whole);
}

/* Moves past letters of one case, or digits, and the marks on them. */
static size_t end_of_class(struct str word, size_t pos, enum char_class wanted)
{
    size_t next = pos;
    enum char_class class;
    do {
        pos = next;
        class = next_class(word, &next);
    } while (next > pos && (class == wanted || class == CHAR_MARK));
    return pos;
}

static size_t last_character(struct str word, size_t end)
{
    do
        end--;
    while (end > 0 && ((unsigned char)word.ptr[end] & 0xC0) == 0x80);
    return end;
}

/* End of the piece that starts at pos: digits, "lower", "Capital", "HTTP" before "Server", "PDFs". */
static size_t end_of_piece(struct str word, size_t pos)
{
    size_t next = pos;
    enum char_class class = next_class(word, &next);
    if (class != CHAR_UPPER)
        return end_of_class(word, next, class == CHAR_DIGIT ? CHAR_DIGIT : CHAR_LOWER);
    size_t end_of_capitals = end_of_class(word, next, CHAR_UPPER);
    size_t end = end_of_class(word, end_of_capitals, CHAR_LOWER);
    bool is_plural = end == end_of_capitals + 1 && word.ptr[end_of_capitals] == 's';
    size_t last_capital = last_character(word, end_of_capitals);
    if (end == end_of_capitals || is_plural || last_capital <= pos)
        return end;
    return last_capital;
}

static int emit_pieces(struct run *run, struct str word)
{
    size_t pos = 0, end;
    if (word.len > FOLD_MAX_BYTES)
        return 0; /* no identifier of a person's */
    while (pos < word.len) {
        end = end_of_piece(word, pos);
        if (end - pos == word.len)
            return 0;        /* all of it is one piece */
        if (end - pos > 1) { /* a single letter says nothing */
            int err = emit_word(run, str_slice(word, pos, end - pos));
            if (err)
                return err;
        }
        pos = end;
    }
    return 0;
}

/* Behind John's, they're, isn't: moves past the ending. True when the word before it is a negation. */
static bool skip_contraction(struct run *run, struct str word)
{
    static const char *const endings[] = {"s", "re", "ve", "ll", "d", "m", "t"};
    size_t start;
    if (!is_joined(run->text, run->pos, CHAR_APOSTROPHE, &start))
        return false;
    size_t end = end_of_word(run->text, start);
    struct str ending = str_slice(run->text, start, end - start);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        bool is_negation = endings[i][0] == 't';
        if (!str_eq_nocase(ending, str_of(endings[i])) ||
            (is_negation && (word.ptr[word.len - 1] | 0x20) != 'n'))
            continue;
        run->pos = end;
        return is_negation;
    }
    return false;
}

/* From run->pos, where a word begins, to the end of its chunk. */
static int run_chunk(struct run *run)
{
    size_t start = run->pos, end = end_of_word(run->text, start), next;
    struct str first = str_slice(run->text, start, end - start);
    bool is_single = true;
    int err = 0;
    while (is_joined(run->text, end, CHAR_CONNECTOR, &next)) {
        end = end_of_word(run->text, next);
        is_single = false;
    }
    run->pos = end;
    if (skip_contraction(run, str_slice(run->text, start, end - start)) && is_single &&
        run->analyzer->has_stop_words) {
        run->position++;
        return 0;
    }
    if (!is_single && end - start <= FOLD_MAX_BYTES) {
        char folded[FOLD_MAX_BYTES];
        err = emit(run, str_make(folded, chars_fold_text(str_slice(run->text, start, end - start), folded)));
    }
    for (struct str word = first; !err;) {
        err = emit_word(run, word);
        if (!err)
            err = emit_pieces(run, word);
        size_t end_of_this = (size_t)(word.ptr - run->text.ptr) + word.len;
        if (end_of_this >= end)
            break;
        next = end_of_this + 1; /* connectors are one byte */
        word = str_slice(run->text, next, end_of_word(run->text, next) - next);
    }
    run->position++;
    return err;
}

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
        enum char_class class = next_class(text, &next);
        if (!is_unspaced_class(class) || next - start > FOLD_MAX_BYTES)
            return pos;
        size_t peek = pos;
        if (pos - start >= WINDOW_BYTES && char_is_stable(utf8_next(text, &peek)))
            return pos;
        pos = next;
    }
}

/* One or two characters as a term with a position of its own. */
static int emit_codes(struct run *run, const int32_t *codes, size_t n)
{
    char bytes[2 * 4];
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += char_encode(codes[i], bytes + len);
    int err = emit(run, str_make(bytes, len));
    run->position++;
    return err;
}

static int run_unspaced(struct run *run)
{
    int32_t codes[1 + FOLD_MAX_CODES]; /* the first is the last of the window before */
    size_t n_seen = 0, end = end_of_window(run->text, run->pos);
    int err = 0;
    while (!err && end > run->pos) {
        size_t n = chars_fold(str_slice(run->text, run->pos, end - run->pos), codes + 1);
        for (size_t i = n_seen > 0 ? 0 : 1; i < n && !err; i++)
            err = emit_codes(run, codes + i, 2);
        if (n > 0)
            codes[0] = codes[n];
        n_seen += n;
        run->pos = end;
        end = end_of_window(run->text, end);
    }
    if (!err && n_seen == 1)
        err = emit_codes(run, codes, 1);
    return err;
}

int analyzer_run(struct analyzer *analyzer, struct str text, analyzer_term_fn on_term, void *arg)
{
    struct run run = {.analyzer = analyzer, .text = text, .on_term = on_term, .arg = arg};
    int err = 0;
    while (!err && run.pos < text.len) {
        size_t next = run.pos;
        enum char_class class = next_class(text, &next);
        if (class == CHAR_UNSPACED)
            err = run_unspaced(&run);
        else if (is_word_class(class))
            err = run_chunk(&run);
        else
            run.pos = next;
    }
    return err;
}
