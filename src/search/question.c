/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of speakers are taken out before the rest is read: in a conversation a name stands at every line of
 * its bearer, so as a term it says little, and as a prior on who speaks it says more than anything else.
 */
#include "search/question.h"

#include "search/search_priv.h"
#include "text/embed.h"

/* Of a query: a longer one is a document. Each speaker costs a walk through it. */
#define MAX_NAMED_BYTES 4096

void speakers_put(struct speakers *speakers, uint32_t id)
{
    for (size_t i = 0; i < speakers->n; i++)
        if (speakers->ids[i] == id)
            return;
    if (speakers->n < SPEAKERS_MAX)
        speakers->ids[speakers->n++] = id;
}

/* A question's copy, in which names are blanked. */
struct naming {
    char *text;
    size_t len;
    bool is_loose; /* in any case: "ann"; else as it is spoken under, or with a capital */
};

/* In small letters the shortest names are words: "a", "al". */
#define MIN_LOOSE_BYTES 3

static size_t possessive_len(struct str rest)
{
    size_t len = str_starts_with(rest, STR_LIT("'")) ? 1 : str_starts_with(rest, STR_LIT("’")) ? 3 : 0;
    return len && len < rest.len && (rest.ptr[len] | 0x20) == 's' ? len + 1 : 0;
}

/* Blanks the name where it stands, with its 's; whether it did. */
static bool blank_name(struct naming *naming, struct str name)
{
    struct str text = str_make(naming->text, naming->len);
    bool did = false;
    ptrdiff_t found;
    if (naming->is_loose && name.len < MIN_LOOSE_BYTES)
        return false;
    for (size_t pos = 0; (found = cues_find_word(text, name, pos)) >= 0;) {
        size_t start = (size_t)found;
        pos = start + name.len;
        bool is_capital = text.ptr[start] >= 'A' && text.ptr[start] <= 'Z';
        if (!naming->is_loose && !is_capital && !str_eq(str_slice(text, start, name.len), name))
            continue;
        pos += possessive_len(str_slice(text, pos, text.len - pos));
        memset(naming->text + start, ' ', pos - start);
        did = true;
    }
    return did;
}

/* A speaker is named by the whole name or by the first word of it. */
static bool blank_speaker(struct naming *naming, struct str name)
{
    ptrdiff_t space = str_find(name, STR_LIT(" "));
    bool did = blank_name(naming, name);
    if (space > 1)
        did |= blank_name(naming, str_slice(name, 0, (size_t)space));
    return did;
}

static bool is_user(struct str name)
{
    return str_eq_nocase(name, STR_LIT("user")) || str_eq_nocase(name, STR_LIT("human"));
}

/* How many speakers are named, and one of them. */
static size_t take_named(const struct partition *partition, struct naming *naming, uint32_t *ret_named)
{
    const struct docs *docs = &partition->docs;
    size_t n = 0;
    for (size_t i = 0; i < partition->speakers.n; i++) {
        uint32_t id = partition->speakers.ids[i];
        struct str name = intern_get(&docs->names, id);
        if (docs->n_said[id] && !is_user(name) && blank_speaker(naming, name)) {
            *ret_named = id;
            n++;
        }
    }
    return n;
}

static uint32_t find_user(const struct partition *partition)
{
    const struct docs *docs = &partition->docs;
    for (size_t i = 0; i < partition->speakers.n; i++) {
        uint32_t id = partition->speakers.ids[i];
        if (docs->n_said[id] && is_user(intern_get(&docs->names, id)))
            return id;
    }
    return INTERN_NONE;
}

/* Who is asked about, taken out of the text; INTERN_NONE for nobody or for several. Only where no name is
 * written as one, other cases count: "will Ann come" does not name Will. */
static uint32_t take_speaker(const struct partition *partition, const struct wants *wants, struct str text)
{
    struct naming naming = {.text = (char *)text.ptr, .len = text.len};
    uint32_t named = INTERN_NONE;
    if (naming.len > MAX_NAMED_BYTES)
        naming.len = MAX_NAMED_BYTES;
    size_t n = take_named(partition, &naming, &named);
    if (!n) {
        naming.is_loose = true;
        n = take_named(partition, &naming, &named);
    }
    if (n == 1)
        return named;
    return n == 0 && wants->is_first_person ? find_user(partition) : INTERN_NONE;
}

static int read_vector(struct partition *partition, struct str text, struct arena *arena,
                       struct vector_query *ret_vector)
{
    const struct embedder *embedder = partition->models->embedder;
    *ret_vector = (struct vector_query){NULL, NULL, NULL};
    if (!embedder)
        return 0;
    float *vector = arena_alloc(arena, embedder_dims(embedder) * sizeof(*vector));
    if (!vector)
        return arena_error(arena);
    int err = embed_text(embedder, text, vector, NULL);
    return err ? err : vector_make_query(&partition->vector, vector, arena, ret_vector);
}

int question_read(struct partition *partition, struct analyzer *analyzer, const struct search_query *query,
                  struct arena *arena, struct question *ret_question)
{
    struct question question = {.wants = wants_of(query->text)};
    struct str rest = arena_copy(arena, query->text);
    if (!rest.ptr)
        return arena_error(arena);
    question.speaker = take_speaker(partition, &question.wants, rest);
    question.n_ranges = when_find(query->text, query->now_us, NULL, question.ranges, QUESTION_MAX_RANGES);
    int err = keyword_read(&partition->keyword, &partition->docs, analyzer, rest, arena, &question.keywords);
    if (!err && !question.keywords.n) {
        rest = query->text;
        err = keyword_read(&partition->keyword, &partition->docs, analyzer, rest, arena, &question.keywords);
    }
    if (!err)
        err = read_vector(partition, rest, arena, &question.vector);
    question.best = keyword_best(&question.keywords);
    *ret_question = question;
    return err;
}
