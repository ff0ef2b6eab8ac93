/* SPDX-License-Identifier: Apache-2.0
 *
 * See gist.h. A sentence's worth is the number of different terms of the question that it holds, words
 * compared as search compares them.
 */
#include "text/gist.h"

#include "core/mem.h"
#include "core/utf8.h"
#include "text/analyze.h"
#include "text/cut.h"
#include "text/ruler.h"

#define MAX_SENTENCES 256         /* of a text; what follows is left out */
#define MAX_BYTES     (32 * 1024) /* the same; words are compared in all of it */
#define MARK_TOKENS   2           /* what " …" costs at most, mostly */
#define ELLIPSIS      "\xE2\x80\xA6"

struct text_gist {
    struct analyzer *analyzer;
    size_t n_terms;
    uint64_t terms[GIST_MAX_TERMS];      /* hashes */
    unsigned char words[GIST_MAX_TERMS]; /* whose forms they are */
    uint32_t position;                   /* of the latest word */
};

/* A word gives several terms, and those of one word count once. */
static int add_term(struct str term, uint32_t position, void *arg)
{
    struct text_gist *gist = arg;
    unsigned word = gist->n_terms > 0 ? gist->words[gist->n_terms - 1] : 0;
    if (gist->n_terms > 0 && position != gist->position)
        word++;
    if (gist->n_terms == GIST_MAX_TERMS || word == GIST_MAX_WORDS)
        return 1;
    gist->terms[gist->n_terms] = str_hash(term, 0);
    gist->words[gist->n_terms++] = (unsigned char)word;
    gist->position = position;
    return 0;
}

int text_gist_new(struct str question, struct text_gist **ret_gist, struct err_info *reterr)
{
    struct text_gist *gist = mem_calloc(1, sizeof *gist);
    if (!gist)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    int rc = analyzer_new("auto", &gist->analyzer, reterr);
    if (rc == 0 && analyzer_run(gist->analyzer, question, add_term, gist) < 0)
        rc = err_set(reterr, ERR_NOMEM, "out of memory");
    if (rc < 0) {
        text_gist_free(gist);
        return rc;
    }
    *ret_gist = gist;
    return 0;
}

struct text_gist *text_gist_free(struct text_gist *gist)
{
    if (!gist)
        return NULL;
    analyzer_free(gist->analyzer);
    return mem_free(gist);
}

/* ---- sentences ---- */

struct sentence {
    size_t from, end; /* without the white space around it */
    int worth;
    bool is_taken;
};

struct sentences {
    struct str text;
    bool is_whole; /* nothing follows the last */
    size_t n_mark; /* bytes of a list mark before the first */
    size_t n;
    struct sentence list[MAX_SENTENCES];
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_spaces(struct str text, size_t pos)
{
    while (pos < text.len && is_space(text.ptr[pos]))
        pos++;
    return pos;
}

struct finding {
    const struct text_gist *gist;
    uint64_t found; /* a bit a word */
};

static int find_term(struct str term, uint32_t position, void *arg)
{
    struct finding *finding = arg;
    uint64_t hash = str_hash(term, 0);
    (void)position;
    for (size_t i = 0; i < finding->gist->n_terms; i++)
        if (finding->gist->terms[i] == hash)
            finding->found |= UINT64_C(1) << finding->gist->words[i];
    return 0;
}

/* What each is worth. One alone need not be better than another. */
static int weigh_sentences(struct sentences *sentences, struct text_gist *gist)
{
    for (size_t i = 0; sentences->n > 1 && gist->n_terms > 0 && i < sentences->n; i++) {
        struct sentence *sentence = &sentences->list[i];
        struct finding finding = {gist, 0};
        struct str text = str_slice(sentences->text, sentence->from, sentence->end - sentence->from);
        if (analyzer_run(gist->analyzer, text, find_term, &finding) < 0)
            return ERR_NOMEM;
        sentence->worth = __builtin_popcountll(finding.found);
    }
    return 0;
}

static int find_sentences(struct sentences *sentences, struct str whole, struct text_gist *gist)
{
    struct str text = utf8_prefix(whole, MAX_BYTES);
    size_t pos = skip_spaces(text, 0);
    sentences->text = text;
    sentences->n_mark = sentences->n = 0;
    if (text.len > pos + 1 && (text.ptr[pos] == '-' || text.ptr[pos] == '*') && text.ptr[pos + 1] == ' ')
        sentences->n_mark = pos = pos + 2;
    while ((pos = skip_spaces(text, pos)) < text.len && sentences->n < MAX_SENTENCES) {
        size_t end = text_sentence_end(text, pos);
        if (end == text.len && text.len < whole.len && sentences->n > 0)
            break; /* cut inside */
        sentences->list[sentences->n++] = (struct sentence){pos, end, 0, false};
        pos = end;
    }
    sentences->is_whole = skip_spaces(whole, pos) == whole.len;
    return weigh_sentences(sentences, gist);
}

/* The one to take next: the worthiest that is not taken and not refused, of those the first; or n. */
static size_t next_best(const struct sentences *sentences, const bool *is_refused)
{
    size_t best = sentences->n;
    for (size_t i = 0; i < sentences->n; i++) {
        const struct sentence *sentence = &sentences->list[i];
        if (!sentence->is_taken && !is_refused[i] &&
            (best == sentences->n || sentence->worth > sentences->list[best].worth))
            best = i;
    }
    return best;
}

/* Whether the text is one sentence and nothing else, of which nothing can be left out. */
static bool is_one_sentence(const struct sentences *sentences, struct str text)
{
    return sentences->n == 1 && sentences->list[0].from == sentences->n_mark &&
           sentences->list[0].end == text.len;
}

/* ---- the core ---- */

static void write_core(const struct sentences *sentences, struct buf *buf)
{
    size_t end = 0; /* of what was written */
    bool has_gap = false;
    for (size_t i = 0; i < sentences->n; i++) {
        const struct sentence *sentence = &sentences->list[i];
        if (!sentence->is_taken) {
            has_gap = true;
            continue;
        }
        if (end == 0)
            buf_append(buf, sentences->text.ptr, sentences->n_mark);
        if (has_gap)
            buf_append_text(buf, end == 0 ? ELLIPSIS " " : " " ELLIPSIS " ");
        else if (end > 0)
            buf_append(buf, sentences->text.ptr + end, sentence->from - end);
        buf_append(buf, sentences->text.ptr + sentence->from, sentence->end - sentence->from);
        end = sentence->end;
        has_gap = false;
    }
    if ((has_gap || !sentences->is_whole) && end > 0)
        buf_append_text(buf, " " ELLIPSIS);
}

/* Takes sentences as long as their costs add up to no more than there is room for; false when it took none.
 */
static bool take_sentences(struct sentences *sentences, const struct text_gist *gist,
                           const struct token_ruler *ruler, int64_t max_units)
{
    bool is_refused[MAX_SENTENCES] = {false};
    int64_t mark_units = (int64_t)MARK_TOKENS * ruler->tokenizer->units_per_token, room = max_units;
    bool is_first_short = token_ruler_units(ruler, 0, sentences->list[0].end) <= max_units / 2;
    for (size_t i = 0; i < sentences->n; i++)
        sentences->list[i].is_taken = false;
    for (size_t n = 0; n < sentences->n; n++) {
        size_t next = n == 0 && is_first_short ? 0 : next_best(sentences, is_refused);
        struct sentence *sentence = &sentences->list[next];
        int64_t cost = token_ruler_units(ruler, sentence->from, sentence->end) + mark_units;
        sentence->is_taken = cost <= room;
        is_refused[next] = !sentence->is_taken;
        if (sentence->is_taken)
            room -= cost;
        else if (gist->n_terms == 0)
            break; /* nothing to prefer: the beginning */
    }
    return room < max_units;
}

int text_append_core(struct buf *buf, struct str text, struct text_gist *gist,
                     const struct tokenizer *tokenizer, int64_t max_tokens)
{
    struct sentences sentences;
    struct token_ruler ruler;
    size_t start = buf->len;
    int rc = find_sentences(&sentences, text, gist);
    if (rc < 0 || sentences.n == 0 || is_one_sentence(&sentences, text) || max_tokens <= 0 ||
        max_tokens > INT32_MAX)
        return rc;
    token_ruler_init(&ruler, tokenizer, sentences.text, INT64_MAX);
    int64_t max_units = max_tokens * tokenizer->units_per_token, room = max_units;
    while (room > 0 && take_sentences(&sentences, gist, &ruler, room)) {
        write_core(&sentences, buf);
        int64_t units = tokenizer->units(str_slice(buf_str(buf), start, buf->len));
        if (buf_error(buf) || units <= max_units)
            break;
        buf_truncate(buf, start); /* joined, they cost more than alone */
        room -= units - max_units;
    }
    return 0;
}

/* ---- the line ---- */

int text_append_line(struct buf *buf, struct str text, struct text_gist *gist,
                     const struct tokenizer *tokenizer, int64_t max_tokens)
{
    static const bool is_refused[MAX_SENTENCES];
    struct sentences sentences;
    size_t start = buf->len, n_lead;
    int rc = find_sentences(&sentences, text, gist);
    if (rc < 0 || sentences.n == 0)
        return rc;
    size_t best = next_best(&sentences, is_refused);
    struct sentence sentence = sentences.list[best];
    struct str line = str_slice(text, sentence.from, sentence.end - sentence.from);
    ptrdiff_t newline = str_find(line, STR_LIT("\n"));
    if (newline > 0)
        line.len = (size_t)newline;
    buf_append(buf, text.ptr, sentences.n_mark);
    if (best > 0)
        buf_append_text(buf, ELLIPSIS " ");
    n_lead = buf->len - start;
    int64_t lead_tokens = tokenizer->count(str_slice(buf_str(buf), start, n_lead));
    bool is_cut = text_append_cut(buf, line, tokenizer, max_tokens - lead_tokens - MARK_TOKENS);
    if (buf->len == start + n_lead)
        buf_truncate(buf, start);
    else if (!is_cut && sentence.from + line.len < text.len)
        buf_append_text(buf, " " ELLIPSIS);
    if (tokenizer->count(str_slice(buf_str(buf), start, buf->len)) > max_tokens)
        buf_truncate(buf, start);
    return 0;
}
