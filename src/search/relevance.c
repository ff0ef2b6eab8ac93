/* SPDX-License-Identifier: Apache-2.0
 *
 * Features and weights. Sums run in a fixed order, so that equal items score equal.
 */
#include "search/relevance.h"

#include "core/clock.h"
#include "search/search_priv.h"

#include <float.h>
#include <math.h>

#define DAY_US (24 * (int64_t)60 * 60 * US_PER_SEC)
/* A date counts less the further away, nothing from here on. */
#define MAX_AWAY_US (30 * DAY_US)
/* A neighbour's word is as good as so much of an item's own. */
#define NEIGHBOUR_WORD 0.6F

struct weight {
    enum search_part part;
    float of_turns, of_messages;
};

static const struct weight weights[N_FEATURES] = {
    [FEATURE_OWN] = {SEARCH_PART_KEYWORD, -2.47F, 3.78F},
    [FEATURE_PAIR] = {SEARCH_PART_KEYWORD, 4.73F, -1.06F},
    [FEATURE_NEAR] = {SEARCH_PART_KEYWORD, -2.78F, 0.54F},
    [FEATURE_AROUND] = {SEARCH_PART_CONTEXT, 4.03F, 0.84F},
    [FEATURE_VECTOR] = {SEARCH_PART_VECTOR, 2.78F, 1.35F},
    [FEATURE_VECTORS] = {SEARCH_PART_CONTEXT, -0.41F, 0.78F},
    [FEATURE_WORDS] = {SEARCH_PART_WORDS, 3.52F, 0.82F},
    [FEATURE_SPEAKER] = {SEARCH_PART_SPEAKER, 1.48F, 0.61F},
    [FEATURE_ASKS] = {SEARCH_PART_FORM, -0.38F, -0.08F},
    [FEATURE_LENGTH] = {SEARCH_PART_FORM, -0.07F, -0.24F},
    [FEATURE_TELLS_TIME] = {SEARCH_PART_TIME, 0.44F, 0.21F},
    [FEATURE_TELLS_NUMBER] = {SEARCH_PART_FORM, 1.32F, 0.38F},
    [FEATURE_TELLS_NAME] = {SEARCH_PART_FORM, 0.62F, 0.09F},
    [FEATURE_DATE] = {SEARCH_PART_TIME, 2.21F, 0.04F},
};
#define BIAS_OF_TURNS    (-8.63F)
#define BIAS_OF_MESSAGES (-6.16F)

void relevance_weigh(const struct partition *partition, float ret_weights[static N_FEATURES], float *ret_bias)
{
    float share = keyword_share_of_messages(&partition->docs);
    for (int i = 0; i < N_FEATURES; i++)
        ret_weights[i] = weights[i].of_turns + share * (weights[i].of_messages - weights[i].of_turns);
    *ret_bias = BIAS_OF_TURNS + share * (BIAS_OF_MESSAGES - BIAS_OF_TURNS);
}

enum search_part relevance_part(enum feature feature)
{
    return weights[feature].part;
}

void relevance_add_parts(const float features[static N_FEATURES],
                         const float feature_weights[static N_FEATURES], float parts[static SEARCH_N_PARTS])
{
    for (int i = 0; i < N_FEATURES; i++)
        parts[weights[i].part] += feature_weights[i] * features[i];
}

/* ---- keys: several items' words as one ---- */

/* As their features stand. Each counts words of an item and its neighbours so many times:
 *
 *     own      the item's once
 *     pair     and those of the one before
 *     near     the item's three times, those of the one before twice, of the one behind once
 *     around   those of the whole window once
 */
enum key { KEY_OWN, KEY_PAIR, KEY_NEAR, KEY_AROUND, N_KEYS };
_Static_assert(FEATURE_AROUND - FEATURE_OWN == KEY_AROUND, "features of keys stand in the order of keys");

/* A number for each key, side by side in a register. */
typedef float keys __attribute__((vector_size(N_KEYS * sizeof(float))));

/* What the numbers of the rows add up to: the item's, that before, that behind, and all. */
static inline keys weigh_keys(uint32_t own, uint32_t before, uint32_t behind, uint32_t around)
{
    return (keys){(float)own, (float)(own + before), (float)(3 * own + 2 * before + behind), (float)around};
}

/* How often all of the items' words count. */
static const keys key_totals = {1, 2, 6, SHEET_WINDOW};

void relevance_init(struct relevance *relevance, const struct sheet *sheet, const struct partition *partition,
                    const struct question *question)
{
    const struct docs *docs = &partition->docs;
    *relevance = (struct relevance){sheet, docs, question, keyword_b(docs), 1, {0}};
    if (docs->n_live_terms)
        relevance->mean_length = (float)((double)docs->n_live_terms / docs->n_live);
    for (size_t i = 0; i < sheet->n_terms; i++)
        relevance->term_weights[i] =
            (float)question->keywords.terms[i].n_asked * question->keywords.terms[i].idf;
}

/* The places of a question's terms that the rows of a window have: a byte each, not 0. */
struct said {
    uint64_t eights[SHEET_MAX_TERMS / 8];
};

static struct said read_window(const struct sheet *sheet, struct sheet_window window, uint32_t *ret_length)
{
    struct said said = {{0}};
    uint32_t length = 0;
    for (uint32_t row = window.first; row < window.end; row++) {
        struct said of_row;
        memcpy(&of_row, sheet->counts[row], sizeof(of_row));
        for (size_t i = 0; i < sheet->n_eights; i++)
            said.eights[i] |= of_row.eights[i];
        length += sheet->lengths[row];
    }
    *ret_length = length;
    return said;
}

/* Terms that no row of the window has add nothing to any key, and are passed over. */
static keys score_keys(const struct relevance *relevance, uint32_t row)
{
    const struct sheet *sheet = relevance->sheet;
    struct sheet_window window = sheet_window(sheet, row, SHEET_RADIUS);
    size_t before = row > window.first ? row - 1 : sheet->n,
           behind = row + 1 < window.end ? row + 1 : sheet->n;
    uint32_t length;
    struct said said = read_window(sheet, window, &length);
    keys score = {0};
    if (relevance->question->best <= 0)
        return score; /* nothing is asked */
    const float b = relevance->b;
    keys lengths = weigh_keys(sheet->lengths[row], sheet->lengths[before], sheet->lengths[behind], length);
    keys held_back = (float)KEYWORD_K1 * (1 - b + b * lengths / (key_totals * relevance->mean_length));
    held_back += FLT_MIN; /* where nothing is said, 0 is not divided by 0 */
    for (size_t eight = 0; eight < sheet->n_eights; eight++)
        for (uint64_t left = said.eights[eight]; left;) {
            size_t byte = (size_t)__builtin_ctzll(left) / 8, term = 8 * eight + byte;
            uint32_t around = 0;
            for (uint32_t i = window.first; i < window.end; i++)
                around += sheet->counts[i][term];
            keys counts = weigh_keys(sheet->counts[row][term], sheet->counts[before][term],
                                     sheet->counts[behind][term], around);
            score += relevance->term_weights[term] * counts / (counts + held_back);
            left &= ~(UINT64_C(0xff) << 8 * byte);
        }
    return score / relevance->question->best;
}

static float cosine_beside(const struct sheet *sheet, uint32_t row)
{
    struct sheet_window window = sheet_window(sheet, row, 1);
    float before = row > window.first ? sheet->cosines[row - 1] : 0;
    float behind = row + 1 < window.end ? sheet->cosines[row + 1] : 0;
    return before + behind;
}

static float nearness_in_time(const struct question *question, int64_t time_us)
{
    float best = 0;
    for (size_t i = 0; i < question->n_ranges; i++) {
        int64_t away_us = when_distance_us(&question->ranges[i], NULL, time_us);
        float near = away_us >= MAX_AWAY_US ? 0 : 1 - (float)away_us / (float)MAX_AWAY_US;
        best = near > best ? near : best;
    }
    return best;
}

void relevance_read(const struct relevance *relevance, size_t candidate,
                    float ret_features[static N_FEATURES])
{
    const struct question *question = relevance->question;
    const struct sheet *sheet = relevance->sheet;
    uint32_t row = sheet->candidates[candidate];
    const struct doc *doc = &relevance->docs->items[sheet->docs[row]];
    const struct wants *wants = &question->wants;
    float *f = ret_features;
    keys scores = score_keys(relevance, row);
    memcpy(f + FEATURE_OWN, &scores, sizeof(scores));
    f[FEATURE_VECTOR] = sheet->cosines[row];
    f[FEATURE_VECTORS] = f[FEATURE_VECTOR] + 0.5F * cosine_beside(sheet, row);
    f[FEATURE_WORDS] = 0;
    f[FEATURE_SPEAKER] = question->speaker != INTERN_NONE && doc->speaker == question->speaker;
    f[FEATURE_ASKS] = doc->cues.asks;
    f[FEATURE_LENGTH] = doc->log_length;
    f[FEATURE_TELLS_TIME] = wants->time ? doc->cues.n_times : 0;
    f[FEATURE_TELLS_NUMBER] = wants->number && doc->cues.has_number;
    f[FEATURE_TELLS_NAME] = wants->name ? doc->cues.n_names : 0;
    f[FEATURE_DATE] = nearness_in_time(question, doc->created_us);
}

float relevance_read_words(const struct relevance *relevance, size_t candidate)
{
    const struct sheet *sheet = relevance->sheet;
    uint32_t row = sheet->candidates[candidate];
    struct sheet_window window = sheet_window(sheet, row, 1);
    float sum = 0, total = 0;
    for (size_t i = 0; i < sheet->n_terms; i++) {
        float near = 0;
        for (uint32_t j = window.first; j < window.end; j++) {
            float at = sheet->nearest[j][i];
            at *= j == row ? 1 : NEIGHBOUR_WORD;
            near = at > near ? at : near;
        }
        float idf = relevance->question->keywords.terms[i].idf;
        sum += idf * near;
        total += idf;
    }
    return total > 0 ? sum / total : 0;
}
