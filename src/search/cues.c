/* SPDX-License-Identifier: Apache-2.0
 *
 * Words are compared in lower case (ASCII letters alone change) against short sorted tables. A text is read
 * once, and no further than MAX_BYTES: what it is about it says early.
 */
#include "search/cues.h"

#define MAX_BYTES         4096
#define MAX_SPEAKER_BYTES 40
#define MAX_COUNT         3

#define N_OF(table) (sizeof(table) / sizeof((table)[0]))

/* Short tables: most words differ in length from all but a few. */
static const char *const time_words[] = {
    "ago",       "april",     "august",   "avril",    "ayer",    "day",        "december",  "demain",
    "dezember",  "diciembre", "dimanche", "dienstag", "domingo", "donnerstag", "enero",     "february",
    "freitag",   "friday",    "gestern",  "heute",    "hier",    "hoy",        "january",   "januar",
    "jeudi",     "jueves",    "july",     "june",     "last",    "lundi",      "lunes",     "mai",
    "march",     "may",       "mayo",     "mittwoch", "monat",   "monday",     "montag",    "month",
    "morgen",    "next",      "november", "october",  "oktober", "recently",   "samstag",   "saturday",
    "september", "sonntag",   "sunday",   "thursday", "today",   "tomorrow",   "tonight",   "tuesday",
    "wednesday", "week",      "weekend",  "woche",    "wczoraj", "year",       "yesterday",
};
static const char *const number_words[] = {
    "couple", "drei", "eight", "ein", "eins", "few",   "five",  "four", "fünf", "nine",
    "once",   "one",  "seven", "six", "ten",  "three", "twice", "two",  "vier", "zwei",
};
static const char *const first_person[] = {"i",  "ich", "je",  "m",  "me",  "mein", "meine",
                                           "mi", "mis", "mon", "my", "our", "us",   "we"};

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The word and those of the tables as lower case. */
static bool is_among(struct str word, const char *const *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(word, str_of(table[i])))
            return true;
    return false;
}

struct str cues_split_speaker(struct str text, struct str *speaker)
{
    size_t len = 0;
    while (len < text.len && len <= MAX_SPEAKER_BYTES && text.ptr[len] != ':' && text.ptr[len] != '\n')
        len++;
    if (len == 0 || len + 1 >= text.len || len > MAX_SPEAKER_BYTES || text.ptr[len] != ':' ||
        text.ptr[len + 1] != ' ')
        return text;
    size_t n_spaces = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text.ptr[i];
        n_spaces += c == ' ';
        if (!is_word_byte(c) && !is_digit(c) && c != ' ' && c != '.' && c != '-' && c != '\'' && c != '_')
            return text;
    }
    /* A name is a word or two, or three; "Remember this: " is one, too, and does no harm. */
    if (n_spaces > 2 || !is_word_byte(text.ptr[0]))
        return text;
    if (!speaker->len)
        *speaker = str_slice(text, 0, len);
    return str_slice(text, len + 2, text.len - len - 2);
}

static struct str next_word(struct str text, size_t *pos)
{
    size_t start = *pos;
    while (*pos < text.len && is_word_byte(text.ptr[*pos]))
        ++*pos;
    return str_slice(text, start, *pos - start);
}

static void count(uint8_t *n)
{
    *n += *n < MAX_COUNT;
}

struct cues cues_of(struct str text)
{
    struct cues cues = {0};
    bool is_start = true; /* of a sentence: a capital there is no name */
    text = str_slice(text, 0, text.len < MAX_BYTES ? text.len : MAX_BYTES);
    for (size_t pos = 0; pos < text.len;) {
        char c = text.ptr[pos];
        if (is_word_byte(c)) {
            struct str word = next_word(text, &pos);
            if (is_among(word, time_words, N_OF(time_words)))
                count(&cues.n_times);
            cues.has_number |= is_among(word, number_words, N_OF(number_words));
            if (!is_start && is_upper(c) && word.len > 1)
                count(&cues.n_names);
            /* full-width and Arabic question marks are word bytes by themselves */
            cues.asks |= str_find(word, STR_LIT("？")) >= 0 || str_find(word, STR_LIT("؟")) >= 0;
            is_start = false;
            continue;
        }
        cues.asks |= c == '?';
        cues.has_number |= is_digit(c);
        is_start |= c == '.' || c == '!' || c == '?' || c == '\n';
        pos++;
    }
    return cues;
}

/* ---- questions ---- */

struct asking {
    const char *words; /* as they stand in a question, spaces around them */
    bool time, number, name;
};

static const struct asking askings[] = {
    {"when", .time = true},         {"how long", .time = true, .number = true},
    {"what date", .time = true},    {"what day", .time = true},
    {"what month", .time = true},   {"what year", .time = true},
    {"what time", .time = true},    {"which year", .time = true},
    {"which month", .time = true},  {"how many", .number = true},
    {"how much", .number = true},   {"how old", .number = true},
    {"how often", .number = true},  {"who", .name = true},
    {"where", .name = true},        {"which", .name = true},
    {"what country", .name = true}, {"what city", .name = true},
    {"what book", .name = true},    {"what movie", .name = true},
    {"what song", .name = true},    {"what game", .name = true},
    {"what state", .name = true},   {"what name", .name = true},
    {"wann", .time = true},         {"wie lange", .time = true, .number = true},
    {"wie viele", .number = true},  {"wie viel", .number = true},
    {"wer", .name = true},          {"wo", .name = true},
    {"quand", .time = true},        {"combien", .number = true},
    {"qui", .name = true},          {"où", .name = true},
    {"cuándo", .time = true},       {"cuántos", .number = true},
    {"cuántas", .number = true},    {"quién", .name = true},
    {"dónde", .name = true},        {"kiedy", .time = true},
    {"ile", .number = true},        {"kto", .name = true},
    {"gdzie", .name = true},
};

static char lower(char c)
{
    return is_upper(c) ? (char)(c | 0x20) : c;
}

ptrdiff_t cues_find_word(struct str text, struct str words, size_t pos)
{
    char first = words.len ? lower(words.ptr[0]) : '\0';
    for (; pos + words.len <= text.len && words.len; pos++) {
        if (lower(text.ptr[pos]) != first) /* nearly always: the rest is not looked at */
            continue;
        if (!str_eq_nocase(str_slice(text, pos, words.len), words))
            continue;
        bool begins = pos == 0 || !is_word_byte(text.ptr[pos - 1]);
        bool ends = pos + words.len == text.len || !is_word_byte(text.ptr[pos + words.len]);
        if (begins && ends)
            return (ptrdiff_t)pos;
    }
    return -1;
}

struct wants wants_of(struct str question)
{
    struct wants wants = {0};
    question = str_slice(question, 0, question.len < MAX_BYTES ? question.len : MAX_BYTES);
    for (size_t i = 0; i < N_OF(askings); i++) {
        const struct asking *asking = &askings[i];
        if (cues_find_word(question, str_of(asking->words), 0) < 0)
            continue;
        wants.time |= asking->time;
        wants.number |= asking->number;
        wants.name |= asking->name;
    }
    for (size_t pos = 0; pos < question.len;) {
        if (!is_word_byte(question.ptr[pos])) {
            pos++;
            continue;
        }
        struct str word = next_word(question, &pos);
        wants.is_first_person |= is_among(word, first_person, N_OF(first_person));
    }
    return wants;
}
