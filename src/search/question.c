/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of speakers are taken out before the rest is read: in a conversation a name stands at every line of
 * its bearer, so as a term it says little, and as a prior on who speaks it says more than anything else.
 */
#include "search/question.h"

#include "search/search_priv.h"
#include "text/embed.h"

void speakers_put(struct speakers *speakers, uint32_t id)
{
    for (size_t i = 0; i < speakers->n; i++)
        if (speakers->ids[i] == id)
            return;
    if (speakers->n < SPEAKERS_MAX)
        speakers->ids[speakers->n++] = id;
}

/* Blanks the name where it stands in text, with its 's; whether it did. */
static bool blank_name(char *text, size_t len, struct str name)
{
    bool did = false;
    size_t pos = 0;
    ptrdiff_t found;
    while ((found = cues_find_word(str_make(text, len), name, pos)) >= 0) {
        size_t end = (size_t)found + name.len;
        if (end + 1 < len && text[end] == '\'' && (text[end + 1] | 0x20) == 's')
            end += 2;
        memset(text + found, ' ', end - (size_t)found);
        pos = end;
        did = true;
    }
    return did;
}

/* A speaker is named by the whole name or by the first word of it. */
static bool blank_speaker(char *text, size_t len, struct str name)
{
    ptrdiff_t space = str_find(name, STR_LIT(" "));
    bool did = blank_name(text, len, name);
    if (space > 1)
        did |= blank_name(text, len, str_slice(name, 0, (size_t)space));
    return did;
}

/* Who is asked about, taken out of the text; INTERN_NONE for nobody or for several. */
static uint32_t take_speaker(const struct partition *partition, const struct wants *wants, char *text,
                             size_t len)
{
    const struct speakers *speakers = &partition->speakers;
    uint32_t named = INTERN_NONE, user = INTERN_NONE;
    size_t n_named = 0;
    for (size_t i = 0; i < speakers->n; i++) {
        struct str name = intern_get(&partition->docs.names, speakers->ids[i]);
        if (str_eq_nocase(name, STR_LIT("user")) || str_eq_nocase(name, STR_LIT("human"))) {
            user = speakers->ids[i];
        } else if (blank_speaker(text, len, name)) {
            named = speakers->ids[i];
            n_named++;
        }
    }
    if (n_named == 1)
        return named;
    return n_named == 0 && wants->is_first_person ? user : INTERN_NONE;
}

static int read_vector(struct partition *partition, struct str text, struct arena *arena,
                       struct vector_query *ret_vector)
{
    const struct embedder *embedder = partition->models->embedder;
    *ret_vector = (struct vector_query){NULL, NULL};
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
    question.speaker = take_speaker(partition, &question.wants, (char *)rest.ptr, rest.len);
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
