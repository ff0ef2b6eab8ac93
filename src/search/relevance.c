/* SPDX-License-Identifier: Apache-2.0
 *
 * Features and weights. Sums run in a fixed order, so that equal items score equal.
 */
#include "search/relevance.h"

#include "core/clock.h"
#include "search/search_priv.h"

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

/* As their features stand. */
enum key { KEY_OWN, KEY_PAIR, KEY_NEAR, KEY_AROUND, N_KEYS };
_Static_assert(FEATURE_AROUND - FEATURE_OWN == KEY_AROUND, "features of keys stand in the order of keys");

/* What an item's words count in a key, by its place in the window; and the sum of that. */
static const uint8_t key_weights[N_KEYS][ORDER_WINDOW] = {
    [KEY_OWN] = {0, 0, 0, 0, 1, 0, 0, 0, 0},
    [KEY_PAIR] = {0, 0, 0, 1, 1, 0, 0, 0, 0},
    [KEY_NEAR] = {0, 0, 0, 2, 3, 1, 0, 0, 0},
    [KEY_AROUND] = {1, 1, 1, 1, 1, 1, 1, 1, 1},
};
static const uint8_t key_totals[N_KEYS] = {1, 2, 6, 9};

struct key_counts {
    uint16_t counts[SHEET_MAX_TERMS]; /* 9 * 255 at most */
    uint32_t length;
};

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

static void add_counts(uint16_t *restrict sums, unsigned weight, const uint8_t *restrict counts,
                       size_t n_eights)
{
    for (size_t j = 0; j < 8 * n_eights; j++)
        sums[j] = (uint16_t)(sums[j] + weight * counts[j]);
}

static void count_keys(const struct relevance *relevance, size_t candidate,
                       struct key_counts keys[static N_KEYS])
{
    const struct sheet *sheet = relevance->sheet;
    const uint32_t *window = sheet->windows[candidate];
    memset(keys, 0, N_KEYS * sizeof(*keys));
    for (int place = 0; place < ORDER_WINDOW; place++) {
        uint32_t row = window[place];
        if (row == SHEET_NONE)
            continue;
        uint32_t length = relevance->docs->items[sheet->docs[row]].n_terms;
        for (int key = 0; key < N_KEYS; key++)
            if (key_weights[key][place]) {
                add_counts(keys[key].counts, key_weights[key][place], sheet->counts[row], sheet->n_eights);
                keys[key].length += key_weights[key][place] * length;
            }
    }
}

static void score_terms(float *restrict parts, const float *restrict term_weights,
                        const uint16_t *restrict counts, float held_back, size_t n_eights)
{
    for (size_t j = 0; j < 8 * n_eights; j++)
        parts[j] = term_weights[j] * (float)counts[j] / ((float)counts[j] + held_back);
}

static float score_key(const struct relevance *relevance, const struct key_counts *key, float total)
{
    float parts[SHEET_MAX_TERMS], score = 0, b = relevance->b;
    float held_back = (float)KEYWORD_K1 * (1 - b + b * (float)key->length / (total * relevance->mean_length));
    if (!(held_back > 0) || relevance->question->best <= 0)
        return 0; /* nothing is said, or nothing asked */
    score_terms(parts, relevance->term_weights, key->counts, held_back, relevance->sheet->n_eights);
    for (size_t j = 0; j < relevance->sheet->n_terms; j++)
        score += parts[j];
    return score / relevance->question->best;
}

static float cosine_at(const struct relevance *relevance, size_t candidate, int place)
{
    uint32_t row = relevance->sheet->windows[candidate][place];
    return row == SHEET_NONE ? 0 : relevance->sheet->cosines[row];
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
    const struct doc *doc = &relevance->docs->items[relevance->sheet->docs[candidate]];
    const struct wants *wants = &question->wants;
    struct key_counts keys[N_KEYS];
    float *f = ret_features;
    count_keys(relevance, candidate, keys);
    for (int key = 0; key < N_KEYS; key++)
        f[FEATURE_OWN + key] = score_key(relevance, &keys[key], key_totals[key]);
    f[FEATURE_VECTOR] = cosine_at(relevance, candidate, ORDER_RADIUS);
    f[FEATURE_VECTORS] = f[FEATURE_VECTOR] + 0.5F * (cosine_at(relevance, candidate, ORDER_RADIUS - 1) +
                                                     cosine_at(relevance, candidate, ORDER_RADIUS + 1));
    f[FEATURE_WORDS] = 0;
    f[FEATURE_SPEAKER] = question->speaker != INTERN_NONE && doc->speaker == question->speaker;
    f[FEATURE_ASKS] = doc->cues.asks;
    f[FEATURE_LENGTH] = log1pf((float)doc->n_terms);
    f[FEATURE_TELLS_TIME] = wants->time ? doc->cues.n_times : 0;
    f[FEATURE_TELLS_NUMBER] = wants->number && doc->cues.has_number;
    f[FEATURE_TELLS_NAME] = wants->name ? doc->cues.n_names : 0;
    f[FEATURE_DATE] = nearness_in_time(question, doc->created_us);
}

float relevance_read_words(const struct relevance *relevance, size_t candidate)
{
    const struct sheet *sheet = relevance->sheet;
    const uint32_t *window = sheet->windows[candidate];
    float sum = 0, total = 0;
    for (size_t i = 0; i < sheet->n_terms; i++) {
        float near = 0;
        for (int j = ORDER_RADIUS - 1; j <= ORDER_RADIUS + 1; j++) {
            if (window[j] == SHEET_NONE)
                continue;
            float at = sheet->nearest[window[j]][i];
            at *= j == ORDER_RADIUS ? 1 : NEIGHBOUR_WORD;
            near = at > near ? at : near;
        }
        float idf = relevance->question->keywords.terms[i].idf;
        sum += idf * near;
        total += idf;
    }
    return total > 0 ? sum / total : 0;
}
