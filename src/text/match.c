/* SPDX-License-Identifier: Apache-2.0
 *
 * See match.h. Every text is remembered as a bit for each word of the question, and as the cosine of its
 * vector with the question's. Words with digits (times, ids, addresses) have no meaning for a model of
 * language and would only drown those that do: they count as words alone.
 */
#include "text/match.h"

#include "core/buf.h"
#include "core/mem.h"
#include "text/text_priv.h"

#include <math.h>

#define MAX_TEXT_BYTES 4096 /* of a text that is looked at: a log line, or the beginning of more */

/* Cosines of unrelated texts spread around the first; by the second two texts speak of the same. Measured
 * over log lines and questions about them: tests/unit/text/test_match.c. */
#define COSINE_NOTHING 0.15f
#define COSINE_SAME    0.65f

/* Below both of these a text has nothing to do with the question. */
#define MIN_WORDS   0.20f
#define MIN_MEANING 0.30f

struct question_term {
    uint64_t hash;
    unsigned char word;
};

struct text_match {
    struct analyzer *analyzer;
    const struct embedder *embedder; /* NULL: none, or the question means nothing to it */
    size_t n_terms, n_words;
    struct question_term terms[TEXT_MATCH_MAX_TERMS];
    bool is_silent[TEXT_MATCH_MAX_WORDS]; /* a stop word */
    uint32_t position;                    /* of the latest term */
    uint64_t filter; /* a bit for each term, by its hash: most words of a text stop here */
    size_t n_having[TEXT_MATCH_MAX_WORDS];
    float *question, *vector; /* embedder_dims each */
    size_t n_texts, max_texts;
    uint64_t *found; /* bits of words, one a text */
    float *cosines;
};

/* ---- the question ---- */

static int add_term(struct str term, uint32_t position, void *arg)
{
    struct text_match *match = arg;
    uint64_t hash = str_hash(term, 0);

    if (match->n_words == 0 || position != match->position) {
        if (match->n_words == TEXT_MATCH_MAX_WORDS)
            return 1;
        match->is_silent[match->n_words++] = stop_words_has_english(analyzer_word(match->analyzer));
        match->position = position;
    }
    if (match->n_terms == TEXT_MATCH_MAX_TERMS)
        return 1;
    match->terms[match->n_terms++] = (struct question_term){hash, (unsigned char)(match->n_words - 1)};
    match->filter |= UINT64_C(1) << (hash & 63);
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The text without its words that have digits. */
static void append_wordy(struct buf *buf, struct str text)
{
    size_t pos = 0;

    while (pos < text.len) {
        size_t end = pos;
        bool has_digit = false;

        while (end < text.len && !is_blank(text.ptr[end])) {
            has_digit |= text.ptr[end] >= '0' && text.ptr[end] <= '9';
            end++;
        }
        if (!has_digit && end > pos) {
            buf_append(buf, text.ptr + pos, end - pos);
            buf_append_byte(buf, ' ');
        }
        pos = end + 1;
    }
}

static int embed(struct text_match *match, struct str text, float *ret_vector, struct err_info *reterr)
{
    struct buf wordy;
    int r;

    buf_init(&wordy, MAX_TEXT_BYTES + 16);
    append_wordy(&wordy, text);
    r = buf_error(&wordy) ? err_set(reterr, buf_error(&wordy), "out of memory")
                          : embed_text(match->embedder, buf_str(&wordy), ret_vector, reterr);
    buf_done(&wordy);
    return r;
}

static float dot(const float *a, const float *b, size_t n)
{
    float sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Not a vector of zeros: one who asks nothing that the model knows. */
static int read_meaning(struct text_match *match, struct str question, struct arena *arena,
                        struct err_info *reterr)
{
    size_t n_dims = match->embedder ? embedder_dims(match->embedder) : 0;
    int r;

    if (n_dims == 0)
        return 0;
    match->question = arena_calloc(arena, n_dims, sizeof *match->question);
    match->vector = arena_calloc(arena, n_dims, sizeof *match->vector);
    if (!match->question || !match->vector)
        return err_set(reterr, arena_error(arena), "out of memory");
    r = embed(match, question, match->question, reterr);
    if (r == 0 && dot(match->question, match->question, n_dims) == 0)
        match->embedder = NULL;
    return r;
}

int text_match_new(struct str question, const struct embedder *embedder, struct analyzer *analyzer,
                   size_t max_texts, struct arena *arena, struct text_match **ret_match,
                   struct err_info *reterr)
{
    struct text_match *match = mem_calloc(1, sizeof *match);
    int r = 0;

    if (!match)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    question = str_slice(question, 0, MAX_TEXT_BYTES);
    match->embedder = embedder;
    match->analyzer = analyzer;
    match->max_texts = max_texts;
    match->found = arena_calloc(arena, max_texts, sizeof *match->found);
    match->cosines = arena_calloc(arena, max_texts, sizeof *match->cosines);
    if (!match->found || !match->cosines)
        r = err_set(reterr, arena_error(arena), "out of memory");
    if (r == 0 && analyzer_run_query(match->analyzer, question, add_term, match) < 0)
        r = err_set(reterr, ERR_NOMEM, "out of memory");
    if (r == 0)
        r = read_meaning(match, question, arena, reterr);
    if (r < 0) {
        text_match_free(match);
        return r;
    }
    *ret_match = match;
    return 0;
}

struct text_match *text_match_free(struct text_match *match)
{
    return mem_free(match);
}

/* ---- the texts ---- */

struct finding {
    const struct text_match *match;
    uint64_t found;
};

static int find_term(struct str term, uint32_t position, void *arg)
{
    struct finding *finding = arg;
    const struct text_match *match = finding->match;
    uint64_t hash = str_hash(term, 0);

    (void)position;
    if (!(match->filter >> (hash & 63) & 1))
        return 0;
    for (size_t i = 0; i < match->n_terms; i++) {
        if (match->terms[i].hash == hash)
            finding->found |= UINT64_C(1) << match->terms[i].word;
    }
    return 0;
}

int text_match_add(struct text_match *match, struct str text, struct err_info *reterr)
{
    struct finding finding = {match, 0};
    size_t idx = match->n_texts;
    int r = 0;

    if (idx == match->max_texts)
        return err_set(reterr, ERR_LIMIT, "more than %zu texts to match", match->max_texts);
    text = str_slice(text, 0, MAX_TEXT_BYTES);
    if (analyzer_run(match->analyzer, text, find_term, &finding) < 0)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    if (match->embedder)
        r = embed(match, text, match->vector, reterr);
    if (r < 0)
        return r;
    match->found[idx] = finding.found;
    match->cosines[idx] =
        match->embedder ? dot(match->question, match->vector, embedder_dims(match->embedder)) : 0;
    for (size_t i = 0; i < match->n_words; i++)
        match->n_having[i] += finding.found >> i & 1;
    match->n_texts++;
    return 0;
}

/* A word that no text has still was asked for: it counts as the rarest. */
static float word_weight(const struct text_match *match, size_t word)
{
    float n = (float)match->n_texts, n_having = (float)match->n_having[word];

    if (match->is_silent[word])
        return 0;
    return logf(1 + (n - n_having + 0.5f) / (n_having + 0.5f));
}

static float clamp(float x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

struct text_match_score text_match_score(const struct text_match *match, size_t idx)
{
    float found = 0, all = 0;

    for (size_t i = 0; i < match->n_words; i++) {
        float weight = word_weight(match, i);

        all += weight;
        found += match->found[idx] >> i & 1 ? weight : 0;
    }
    return (struct text_match_score){
        .words = all > 0 ? found / all : 0,
        .meaning = clamp((match->cosines[idx] - COSINE_NOTHING) / (COSINE_SAME - COSINE_NOTHING)),
    };
}

bool text_match_matters(struct text_match_score score)
{
    return score.words >= MIN_WORDS || score.meaning >= MIN_MEANING;
}
