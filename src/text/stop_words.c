/* SPDX-License-Identifier: Apache-2.0
 *
 * English words that say nothing about what a text is about. Kept in byte order for the search by halves.
 */
#include "text/text_priv.h"

#include <stdlib.h>

#define MAX_STOP_WORD_BYTES 10

/* clang-format off */
static const char *const english[] = {
    "a", "about", "above", "after", "again", "against", "all", "also", "am", "an", "and", "any", "are",
    "aren", "as", "at", "be", "because", "been", "before", "being", "below", "between", "both", "but",
    "by", "can", "could", "couldn", "did", "didn", "do", "does", "doesn", "doing", "don", "down",
    "during", "each", "few", "for", "from", "further", "had", "hadn", "has", "hasn", "have", "haven",
    "having", "he", "her", "here", "hers", "herself", "him", "himself", "his", "how", "i", "if", "in",
    "into", "is", "isn", "it", "its", "itself", "just", "let", "me", "more", "most", "mustn", "my",
    "myself", "no", "nor", "not", "now", "of", "off", "on", "once", "only", "or", "other", "ought",
    "our", "ours", "ourselves", "out", "over", "own", "same", "shan", "she", "should", "shouldn", "so",
    "some", "such", "than", "that", "the", "their", "theirs", "them", "themselves", "then", "there",
    "these", "they", "this", "those", "through", "to", "too", "under", "until", "up", "us", "very",
    "was", "wasn", "we", "were", "weren", "what", "when", "where", "which", "while", "who", "whom",
    "why", "will", "with", "would", "wouldn", "you", "your", "yours", "yourself", "yourselves",
};
/* clang-format on */

static int compare_with_name(const void *key, const void *element)
{
    return words_compare(*(const struct str *)key, *(const char *const *)element);
}

bool stop_words_has_english(struct str word)
{
    return word.len <= MAX_STOP_WORD_BYTES && bsearch(&word, english, sizeof(english) / sizeof(english[0]),
                                                      sizeof(english[0]), compare_with_name);
}
