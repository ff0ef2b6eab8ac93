/* SPDX-License-Identifier: Apache-2.0
 *
 * Words are runs of letters, compared in lower case (ASCII letters alone change) against short tables.
 * Scripts that put no spaces between words have no words here: a name in them is found wherever it stands. A
 * text is read no further than MAX_BYTES: what it is about it says early.
 */
#include "search/cues.h"

#define MAX_BYTES         4096
#define MAX_SPEAKER_BYTES 40
#define MAX_NAME_WORDS    3
#define MAX_COUNT         3

#define N_OF(table) (sizeof(table) / sizeof((table)[0]))

#define WORD(literal)                                                                                        \
    {                                                                                                        \
        literal, sizeof(literal) - 1                                                                         \
    }
/* What tells a time or a number, by the first letter: one entry in twenty is looked at. */
struct telling {
    struct str word;
    bool is_number; /* else a time */
};
#define TIME(literal)                                                                                        \
    {                                                                                                        \
        WORD(literal), false                                                                                 \
    }
#define NUMBER(literal)                                                                                      \
    {                                                                                                        \
        WORD(literal), true                                                                                  \
    }
#define MAX_OF_A_LETTER 10
/* clang-format off */
static const struct telling tellings[26][MAX_OF_A_LETTER] = {
    ['a' - 'a'] = {TIME("ago"), TIME("april"), TIME("august"), TIME("avril"), TIME("ayer")},
    ['c' - 'a'] = {NUMBER("couple")},
    ['d' - 'a'] = {TIME("day"), TIME("december"), TIME("demain"), TIME("dezember"), TIME("diciembre"),
        TIME("dienstag"), TIME("dimanche"), TIME("domingo"), TIME("donnerstag"), NUMBER("drei")},
    ['e' - 'a'] = {NUMBER("eight"), NUMBER("ein"), NUMBER("eins"), TIME("enero")},
    ['f' - 'a'] = {TIME("february"), NUMBER("few"), NUMBER("five"), NUMBER("four"), TIME("freitag"),
        TIME("friday"), NUMBER("fünf")},
    ['g' - 'a'] = {TIME("gestern")},
    ['h' - 'a'] = {TIME("heute"), TIME("hier"), TIME("hoy")},
    ['j' - 'a'] = {TIME("januar"), TIME("january"), TIME("jeudi"), TIME("jueves"), TIME("july"),
        TIME("june")},
    ['l' - 'a'] = {TIME("last"), TIME("lundi"), TIME("lunes")},
    ['m' - 'a'] = {TIME("mai"), TIME("march"), TIME("may"), TIME("mayo"), TIME("mittwoch"), TIME("monat"),
        TIME("monday"), TIME("montag"), TIME("month"), TIME("morgen")},
    ['n' - 'a'] = {TIME("next"), NUMBER("nine"), TIME("november")},
    ['o' - 'a'] = {TIME("october"), TIME("oktober"), NUMBER("once"), NUMBER("one")},
    ['r' - 'a'] = {TIME("recently")},
    ['s' - 'a'] = {TIME("samstag"), TIME("saturday"), TIME("september"), NUMBER("seven"), NUMBER("six"),
        TIME("sonntag"), TIME("sunday")},
    ['t' - 'a'] = {NUMBER("ten"), NUMBER("three"), TIME("thursday"), TIME("today"), TIME("tomorrow"),
        TIME("tonight"), TIME("tuesday"), NUMBER("twice"), NUMBER("two")},
    ['v' - 'a'] = {NUMBER("vier")},
    ['w' - 'a'] = {TIME("wczoraj"), TIME("wednesday"), TIME("week"), TIME("weekend"), TIME("woche")},
    ['y' - 'a'] = {TIME("year"), TIME("yesterday")},
    ['z' - 'a'] = {NUMBER("zwei")},
};
/* clang-format on */

static const struct str first_person[] = {
    WORD("i"),  WORD("ich"), WORD("je"),  WORD("m"),  WORD("me"),  WORD("mein"), WORD("meine"),
    WORD("mi"), WORD("mis"), WORD("mon"), WORD("my"), WORD("our"), WORD("us"),   WORD("we"),
};

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_at(struct str text, size_t pos, struct str what)
{
    return str_eq(str_slice(text, pos, what.len), what);
}

/* How many bytes the letter beyond ASCII at pos has; 0: there is none. Letters are all that two
 * bytes or a first byte of 0xe0 and 0xe1 write, but the signs of Latin-1 (first byte 0xc2) and the Arabic
 * marks: the scripts with spaces between words. Behind them come punctuation, signs, Chinese, Japanese,
 * Korean, emoji. */
static size_t wide_letter_at(struct str text, size_t pos)
{
    unsigned char c = (unsigned char)text.ptr[pos];
    if (c < 0xc3 || c > 0xe1 || is_at(text, pos, STR_LIT("؟")) || is_at(text, pos, STR_LIT("،")))
        return 0;
    size_t len = c < 0xe0 ? 2 : 3;
    return pos + len <= text.len ? len : 0;
}

/* Short enough to stand where it is called, once for each byte of a text. */
static inline size_t letter_at(struct str text, size_t pos)
{
    unsigned char c = pos < text.len ? (unsigned char)text.ptr[pos] : 0;
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
        return 1;
    return c < 0x80 ? 0 : wide_letter_at(text, pos);
}

/* A word has begun before pos. */
static bool is_in_word(struct str text, size_t pos)
{
    size_t start = pos;
    while (start && pos - start < 3 && ((unsigned char)text.ptr[start - 1] & 0xc0) == 0x80)
        start--; /* what continues a character */
    if (!start)
        return false;
    start--;
    return is_digit(text.ptr[start]) || start + letter_at(text, start) == pos;
}

/* The word and those of the table as lower case. */
static bool is_among(struct str word, const struct str *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (word.len == table[i].len && str_eq_nocase(word, table[i]))
            return true;
    return false;
}

static const struct telling *find_telling(struct str word)
{
    unsigned char initial = (unsigned char)(word.ptr[0] | 0x20);
    if (initial < 'a' || initial > 'z')
        return NULL;
    const struct telling *of_letter = tellings[initial - 'a'];
    for (size_t i = 0; i < MAX_OF_A_LETTER && of_letter[i].word.len; i++)
        if (word.len == of_letter[i].word.len && str_eq_nocase(word, of_letter[i].word))
            return &of_letter[i];
    return NULL;
}

static bool is_name_byte(char c)
{
    return (unsigned char)c >= 0x80 || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || is_digit(c) || c == ' ' ||
           c == '.' || c == '-' || c == '\'' || c == '_';
}

static bool is_capital(char c)
{
    return is_upper(c) || (unsigned char)c >= 0x80;
}

/* One word of any case ("user"), or several of which the first and the last are written as names are ("Anna
 * von Berg", "Speaker 2"): "Remember this: " and "The plan: " introduce no one. */
static bool is_name(struct str text)
{
    size_t n_words = 1, last = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_name_byte(text.ptr[i]))
            return false;
        if (text.ptr[i] == ' ') {
            n_words++;
            last = i + 1;
        }
    }
    if (n_words == 1)
        return letter_at(text, 0) || (unsigned char)text.ptr[0] >= 0x80;
    return n_words <= MAX_NAME_WORDS && last < text.len && is_capital(text.ptr[0]) &&
           (is_capital(text.ptr[last]) || is_digit(text.ptr[last]));
}

struct str cues_split_speaker(struct str text, struct str *speaker)
{
    size_t len = 0;
    while (len < text.len && len <= MAX_SPEAKER_BYTES && text.ptr[len] != ':' && text.ptr[len] != '\n')
        len++;
    if (len == 0 || len + 1 >= text.len || len > MAX_SPEAKER_BYTES || text.ptr[len] != ':' ||
        text.ptr[len + 1] != ' ')
        return text;
    if (!is_name(str_slice(text, 0, len)))
        return text;
    if (!speaker->len)
        *speaker = str_slice(text, 0, len);
    return str_slice(text, len + 2, text.len - len - 2);
}

static struct str next_word(struct str text, size_t *pos)
{
    size_t start = *pos, end = start;
    for (size_t len; (len = letter_at(text, end)) > 0;)
        end += len;
    *pos = end;
    return str_slice(text, start, end - start);
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
        if (letter_at(text, pos)) {
            struct str word = next_word(text, &pos);
            const struct telling *telling = find_telling(word);
            if (telling && telling->is_number)
                cues.has_number = true;
            else if (telling)
                count(&cues.n_times);
            if (!is_start && is_upper(c) && word.len > 1)
                count(&cues.n_names);
            is_start = false;
            continue;
        }
        cues.asks |= c == '?' || ((unsigned char)c >= 0x80 &&
                                  (is_at(text, pos, STR_LIT("？")) || is_at(text, pos, STR_LIT("؟"))));
        cues.has_number |= is_digit(c);
        is_start |= c == '.' || c == '!' || c == '?' || c == '\n';
        pos++;
    }
    return cues;
}

/* ---- questions ---- */

struct asking {
    struct str words; /* in small letters, as they stand in a question */
    bool time, number, name;
};

static const struct asking askings[] = {
    {WORD("when"), .time = true},         {WORD("how long"), .time = true, .number = true},
    {WORD("what date"), .time = true},    {WORD("what day"), .time = true},
    {WORD("what month"), .time = true},   {WORD("what year"), .time = true},
    {WORD("what time"), .time = true},    {WORD("which year"), .time = true},
    {WORD("which month"), .time = true},  {WORD("how many"), .number = true},
    {WORD("how much"), .number = true},   {WORD("how old"), .number = true},
    {WORD("how often"), .number = true},  {WORD("who"), .name = true},
    {WORD("where"), .name = true},        {WORD("which"), .name = true},
    {WORD("what country"), .name = true}, {WORD("what city"), .name = true},
    {WORD("what book"), .name = true},    {WORD("what movie"), .name = true},
    {WORD("what song"), .name = true},    {WORD("what game"), .name = true},
    {WORD("what state"), .name = true},   {WORD("what name"), .name = true},
    {WORD("wann"), .time = true},         {WORD("wie lange"), .time = true, .number = true},
    {WORD("wie viele"), .number = true},  {WORD("wie viel"), .number = true},
    {WORD("wer"), .name = true},          {WORD("wo"), .name = true},
    {WORD("quand"), .time = true},        {WORD("combien"), .number = true},
    {WORD("qui"), .name = true},          {WORD("où"), .name = true},
    {WORD("cuándo"), .time = true},       {WORD("cuántos"), .number = true},
    {WORD("cuántas"), .number = true},    {WORD("quién"), .name = true},
    {WORD("dónde"), .name = true},        {WORD("kiedy"), .time = true},
    {WORD("ile"), .number = true},        {WORD("kto"), .name = true},
    {WORD("gdzie"), .name = true},
};

static char lower(char c)
{
    return is_upper(c) ? (char)(c | 0x20) : c;
}

static bool goes_on(struct str text, size_t pos)
{
    return letter_at(text, pos) || (pos < text.len && is_digit(text.ptr[pos]));
}

ptrdiff_t cues_find_word(struct str text, struct str words, size_t pos)
{
    char first = words.len ? lower(words.ptr[0]) : '\0';
    for (; pos + words.len <= text.len && words.len; pos++) {
        if (lower(text.ptr[pos]) != first) /* nearly always: the rest is not looked at */
            continue;
        if (!str_eq_nocase(str_slice(text, pos, words.len), words))
            continue;
        if (!goes_on(text, pos + words.len) && !is_in_word(text, pos))
            return (ptrdiff_t)pos;
    }
    return -1;
}

/* What is asked for by words that begin with the one at pos. */
static void note_askings(struct str question, size_t pos, struct wants *wants)
{
    char first = lower(question.ptr[pos]);
    for (size_t i = 0; i < N_OF(askings); i++) {
        const struct asking *asking = &askings[i];
        if (asking->words.ptr[0] != first || goes_on(question, pos + asking->words.len) ||
            !str_eq_nocase(str_slice(question, pos, asking->words.len), asking->words))
            continue;
        wants->time |= asking->time;
        wants->number |= asking->number;
        wants->name |= asking->name;
    }
}

struct wants wants_of(struct str question)
{
    struct wants wants = {0};
    question = str_slice(question, 0, question.len < MAX_BYTES ? question.len : MAX_BYTES);
    for (size_t pos = 0; pos < question.len;) {
        if (!letter_at(question, pos)) {
            pos++;
            continue;
        }
        if (!pos || !is_digit(question.ptr[pos - 1]))
            note_askings(question, pos, &wants);
        struct str word = next_word(question, &pos);
        bool is_country = str_is(word, "US");
        wants.is_first_person |= !is_country && is_among(word, first_person, N_OF(first_person));
    }
    return wants;
}
