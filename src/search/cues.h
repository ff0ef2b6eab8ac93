/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be seen of a text without understanding it: who speaks, whether it asks, whether it tells a time,
 * a number or a name; and which of these a question is after. Rules over words and signs of several
 * languages; a text of a language that they do not know has fewer cues, which costs it nothing but the help.
 */
#ifndef PRECIS_SEARCH_CUES_H
#define PRECIS_SEARCH_CUES_H

#include "core/str.h"

struct cues {
    uint8_t n_times; /* words such as "yesterday", "May", "week"; 3 at most */
    uint8_t n_names; /* capitals within sentences; 3 at most */
    bool asks;       /* it has a question mark */
    bool has_number; /* in digits or words */
};

/* The text behind a beginning "Ann: " or "Ann Lee: ", and who that is when *speaker is empty; else the text
 * itself. A name is one word, or two or three that begin with capitals. Both are slices of the text. */
struct str cues_split_speaker(struct str text, struct str *speaker);
struct cues cues_of(struct str text);
/* Where words stand in the text from pos on, in any case of ASCII letters, not as part of a longer word or
 * number; negative: nowhere. */
ptrdiff_t cues_find_word(struct str text, struct str words, size_t pos);

/* What a question wants to be told. */
struct wants {
    bool time, number, name;
    bool is_first_person; /* it is about the one who asks: "my", "I" */
};
struct wants wants_of(struct str question);

#endif
