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

/* What an item's words count in a key, by its place in the window. */
typedef const float key_weights[ORDER_WINDOW];
static key_weights own_key = {0, 0, 0, 0, 1, 0, 0, 0, 0};
static key_weights pair_key = {0, 0, 0, 1, 1, 0, 0, 0, 0};
static key_weights near_key = {0, 0, 0, 2, 3, 1, 0, 0, 0};
static key_weights around_key = {1, 1, 1, 1, 1, 1, 1, 1, 1};

struct reading {
    const struct sheet *sheet;
    const struct docs *docs;
    const struct question *question;
    const uint32_t *window; /* rows */
    float b, mean_length;   /* of the partition's BM25 */
};

static float score_key(const struct reading *reading, key_weights key)
{
    const struct sheet *sheet = reading->sheet;
    float counts[SHEET_MAX_TERMS] = {0}, length = 0, total = 0, score = 0;
    for (int i = 0; i < ORDER_WINDOW; i++) {
        uint32_t row = reading->window[i];
        total += key[i];
        if (row == SHEET_NONE || key[i] == 0)
            continue;
        const uint8_t *counted = sheet->counts + row * sheet->n_terms;
        for (size_t j = 0; j < sheet->n_terms; j++)
            counts[j] += key[i] * counted[j];
        length += key[i] * (float)reading->docs->items[sheet->docs[row]].n_terms;
    }
    float held_back =
        (float)KEYWORD_K1 * (1 - reading->b + reading->b * length / (total * reading->mean_length));
    for (size_t j = 0; j < sheet->n_terms; j++) {
        const struct keyword_term *term = &reading->question->keywords.terms[j];
        if (counts[j] > 0)
            score += (float)term->n_asked * term->idf * counts[j] / (counts[j] + held_back);
    }
    return reading->question->best > 0 ? score / reading->question->best : 0;
}

static float cosine_at(const struct reading *reading, int place)
{
    uint32_t row = reading->window[place];
    return row == SHEET_NONE ? 0 : reading->sheet->cosines[row];
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

void relevance_read(const struct sheet *sheet, const struct partition *partition,
                    const struct question *question, size_t candidate, float ret_features[static N_FEATURES])
{
    const struct docs *docs = &partition->docs;
    const struct doc *doc = &docs->items[sheet->docs[candidate]];
    const struct wants *wants = &question->wants;
    struct reading reading = {sheet, docs, question, sheet->windows[candidate], keyword_b(docs), 1};
    if (docs->n_live_terms)
        reading.mean_length = (float)((double)docs->n_live_terms / docs->n_live);
    float *f = ret_features;
    f[FEATURE_OWN] = score_key(&reading, own_key);
    f[FEATURE_PAIR] = score_key(&reading, pair_key);
    f[FEATURE_NEAR] = score_key(&reading, near_key);
    f[FEATURE_AROUND] = score_key(&reading, around_key);
    f[FEATURE_VECTOR] = cosine_at(&reading, ORDER_RADIUS);
    f[FEATURE_VECTORS] = f[FEATURE_VECTOR] + 0.5F * (cosine_at(&reading, ORDER_RADIUS - 1) +
                                                     cosine_at(&reading, ORDER_RADIUS + 1));
    f[FEATURE_WORDS] = 0;
    f[FEATURE_SPEAKER] = question->speaker != INTERN_NONE && doc->speaker == question->speaker;
    f[FEATURE_ASKS] = doc->cues.asks;
    f[FEATURE_LENGTH] = log1pf((float)doc->n_terms);
    f[FEATURE_TELLS_TIME] = wants->time ? doc->cues.n_times : 0;
    f[FEATURE_TELLS_NUMBER] = wants->number && doc->cues.has_number;
    f[FEATURE_TELLS_NAME] = wants->name ? doc->cues.n_names : 0;
    f[FEATURE_DATE] = nearness_in_time(question, doc->created_us);
}

float relevance_read_words(const struct sheet *sheet, const struct question *question, size_t candidate)
{
    const uint32_t *window = sheet->windows[candidate];
    float sum = 0, total = 0;
    for (size_t i = 0; i < sheet->n_terms; i++) {
        float near = 0;
        for (int j = ORDER_RADIUS - 1; j <= ORDER_RADIUS + 1; j++) {
            if (window[j] == SHEET_NONE)
                continue;
            float at = sheet->nearest[window[j] * sheet->n_terms + i];
            at *= j == ORDER_RADIUS ? 1 : NEIGHBOUR_WORD;
            near = at > near ? at : near;
        }
        float idf = question->keywords.terms[i].idf;
        sum += idf * near;
        total += idf;
    }
    return total > 0 ? sum / total : 0;
}
