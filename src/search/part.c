/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a score on their way to whoever asks why.
 */
#include "search/search.h"

#include <math.h>

/* No one reads a digit behind this one, and no two processors agree on all of them. */
#define STEPS 1000.0

static const char *const names[SEARCH_N_PARTS] = {
    [SEARCH_PART_KEYWORD] = "keyword", [SEARCH_PART_CONTEXT] = "context", [SEARCH_PART_VECTOR] = "vector",
    [SEARCH_PART_WORDS] = "words",     [SEARCH_PART_SPEAKER] = "speaker", [SEARCH_PART_TIME] = "time",
    [SEARCH_PART_FORM] = "form",       [SEARCH_PART_PRIOR] = "prior",     [SEARCH_PART_RERANK] = "rerank",
};

const float *search_copy_parts(const float *parts, struct arena *arena)
{
    float *copy = parts ? arena_alloc(arena, SEARCH_N_PARTS * sizeof *copy) : NULL;
    if (copy)
        memcpy(copy, parts, SEARCH_N_PARTS * sizeof *copy);
    return copy;
}

void search_write_parts(const float *parts, struct json_writer *writer)
{
    json_open_object(writer);
    for (int i = 0; i < SEARCH_N_PARTS; i++) {
        double part = round((double)parts[i] * STEPS) / STEPS;
        if (part != 0)
            json_put_member_real(writer, names[i], part);
    }
    json_close_object(writer);
}
