/* SPDX-License-Identifier: Apache-2.0
 *
 * Evidence is added up: a common word that one language alone has counts double, a letter or an ending that
 * is a language's own as well. English is what a text is until another language has more.
 */
#include "text/language_priv.h"

#include "core/mem.h"
#include "core/utf8.h"
#include "text/text_priv.h"

#define MAX_READ_BYTES 2048
#define MAX_READ_WORDS 64
#define MEMO_PAIRS     1024 /* a power of two; 72 KB */
#define MEMO_BYTES     19
#define WORDS_A_CHECK  8
#define SURE_EVIDENCE  3
#define MIN_EVIDENCE   2
#define MIN_COMPOUND   12
#define MIN_SUFFIXED   7 /* bytes; in short words endings mean nothing */
#define BIT(language)  (1u << LANGUAGE_##language)

struct letter {
    uint16_t code;
    uint16_t weight;
    uint32_t languages;
};

/* Ascending; lower case. What several languages share counts less. */
static const struct letter letters[] = {
    {0xBF, 2, BIT(SPANISH)},                                                  /* inverted question mark */
    {0xDF, 3, BIT(GERMAN)},                                                   /* sharp s */
    {0xE0, 1, BIT(FRENCH) | BIT(ITALIAN) | BIT(PORTUGUESE)},                  /* a grave */
    {0xE1, 1, BIT(SPANISH) | BIT(PORTUGUESE) | BIT(HUNGARIAN)},               /* a acute */
    {0xE2, 1, BIT(FRENCH) | BIT(PORTUGUESE) | BIT(ROMANIAN)},                 /* a circumflex */
    {0xE3, 3, BIT(PORTUGUESE)},                                               /* a tilde */
    {0xE4, 2, BIT(GERMAN) | BIT(FINNISH) | BIT(SWEDISH)},                     /* a umlaut */
    {0xE5, 2, BIT(SWEDISH) | BIT(DANISH) | BIT(NORWEGIAN)},                   /* a ring */
    {0xE6, 2, BIT(DANISH) | BIT(NORWEGIAN)},                                  /* ae */
    {0xE7, 2, BIT(FRENCH) | BIT(PORTUGUESE) | BIT(TURKISH)},                  /* c cedilla */
    {0xE8, 2, BIT(FRENCH) | BIT(ITALIAN)},                                    /* e grave */
    {0xE9, 1, BIT(FRENCH) | BIT(SPANISH) | BIT(HUNGARIAN) | BIT(PORTUGUESE)}, /* e acute */
    {0xEA, 1, BIT(FRENCH) | BIT(PORTUGUESE)},                                 /* e circumflex */
    {0xED, 1, BIT(SPANISH) | BIT(PORTUGUESE) | BIT(HUNGARIAN)},               /* i acute */
    {0xEE, 1, BIT(FRENCH) | BIT(ROMANIAN)},                                   /* i circumflex */
    {0xF1, 3, BIT(SPANISH)},                                                  /* n tilde */
    {0xF2, 2, BIT(ITALIAN)},                                                  /* o grave */
    {0xF3, 1, BIT(SPANISH) | BIT(PORTUGUESE) | BIT(POLISH) | BIT(HUNGARIAN)}, /* o acute */
    {0xF4, 1, BIT(FRENCH) | BIT(PORTUGUESE)},                                 /* o circumflex */
    {0xF5, 3, BIT(PORTUGUESE)},                                               /* o tilde */
    {0xF6, 2, BIT(GERMAN) | BIT(FINNISH) | BIT(SWEDISH) | BIT(TURKISH) | BIT(HUNGARIAN)}, /* o umlaut */
    {0xF8, 2, BIT(DANISH) | BIT(NORWEGIAN)},                                              /* o slash */
    {0xF9, 1, BIT(FRENCH) | BIT(ITALIAN)},                                                /* u grave */
    {0xFA, 1, BIT(SPANISH) | BIT(PORTUGUESE) | BIT(HUNGARIAN)},                           /* u acute */
    {0xFB, 2, BIT(FRENCH)},                                                               /* u circumflex */
    {0xFC, 2, BIT(GERMAN) | BIT(TURKISH) | BIT(HUNGARIAN)},                               /* u umlaut */
    {0x103, 3, BIT(ROMANIAN)},                                                            /* a breve */
    {0x105, 3, BIT(POLISH)},                                                              /* a ogonek */
    {0x107, 3, BIT(POLISH)},                                                              /* c acute */
    {0x119, 3, BIT(POLISH)},                                                              /* e ogonek */
    {0x11F, 3, BIT(TURKISH)},                                                             /* g breve */
    {0x131, 3, BIT(TURKISH)},                 /* i without a dot */
    {0x142, 3, BIT(POLISH)},                  /* l stroke */
    {0x144, 3, BIT(POLISH)},                  /* n acute */
    {0x151, 3, BIT(HUNGARIAN)},               /* o double acute */
    {0x153, 2, BIT(FRENCH)},                  /* oe */
    {0x15B, 3, BIT(POLISH)},                  /* s acute */
    {0x15F, 2, BIT(TURKISH) | BIT(ROMANIAN)}, /* s cedilla */
    {0x171, 3, BIT(HUNGARIAN)},               /* u double acute */
    {0x17A, 3, BIT(POLISH)},                  /* z acute */
    {0x17C, 3, BIT(POLISH)},                  /* z dot */
    {0x219, 3, BIT(ROMANIAN)},                /* s comma */
    {0x21B, 3, BIT(ROMANIAN)},                /* t comma */
    {0x44B, 2, BIT(RUSSIAN)},                 /* yeru */
    {0x44D, 2, BIT(RUSSIAN)},                 /* e */
    {0x451, 2, BIT(RUSSIAN)},                 /* yo */
    {0x454, 3, BIT(UKRAINIAN)},               /* ye */
    {0x456, 3, BIT(UKRAINIAN)},               /* i */
    {0x457, 3, BIT(UKRAINIAN)},               /* yi */
    {0x491, 3, BIT(UKRAINIAN)},               /* ge */
};

struct suffix {
    const char *text; /* of a word without diacritics */
    uint32_t languages;
};

/* Endings that English words of that length do not have. */
static const struct suffix suffixes[] = {
    {"ungen", BIT(GERMAN)},   {"ung", BIT(GERMAN)},    {"keit", BIT(GERMAN)},      {"heit", BIT(GERMAN)},
    {"schaft", BIT(GERMAN)},  {"lich", BIT(GERMAN)},   {"heid", BIT(DUTCH)},       {"lijk", BIT(DUTCH)},
    {"zione", BIT(ITALIAN)},  {"zioni", BIT(ITALIAN)}, {"cion", BIT(SPANISH)},     {"ciones", BIT(SPANISH)},
    {"miento", BIT(SPANISH)}, {"idad", BIT(SPANISH)},  {"idade", BIT(PORTUGUESE)}, {"coes", BIT(PORTUGUESE)},
    {"ment", BIT(FRENCH)},    {"aux", BIT(FRENCH)},    {"owego", BIT(POLISH)},     {"owych", BIT(POLISH)},
    {"owanie", BIT(POLISH)},  {"czenie", BIT(POLISH)}, {"iami", BIT(POLISH)},      {"ssa", BIT(FINNISH)},
    {"sta", BIT(FINNISH)},    {"inen", BIT(FINNISH)},  {"lta", BIT(FINNISH)},      {"nna", BIT(FINNISH)},
    {"mme", BIT(FINNISH)},    {"ksen", BIT(FINNISH)},  {"lari", BIT(TURKISH)},     {"leri", BIT(TURKISH)},
    {"larin", BIT(TURKISH)},  {"lerin", BIT(TURKISH)},
};

struct evidence {
    unsigned by_language[LANGUAGE_N];
};

static void add(struct evidence *evidence, uint32_t languages, unsigned weight)
{
    for (unsigned language = LANGUAGE_ENGLISH; languages >> language; language++)
        if (languages >> language & 1)
            evidence->by_language[language] += weight;
}

static bool ends_with(struct str word, const char *ending)
{
    size_t len = strlen(ending);
    return word.len > len && memcmp(word.ptr + word.len - len, ending, len) == 0;
}

/* Versicherungsfrist: an ending of nouns, and the s that joins another to it. */
static bool has_german_joint(struct str plain)
{
    static const char *const joints[] = {"ungs", "heits", "keits", "schafts"};
    for (size_t i = 0; plain.len >= MIN_COMPOUND && i < sizeof(joints) / sizeof(joints[0]); i++)
        if (str_find(plain, str_of(joints[i])) > 0)
            return true;
    return false;
}

/* What a word proves. */
struct proof {
    uint32_t languages, suffixed;
    unsigned char weight;
    bool is_english;
};

static struct proof prove(struct str plain)
{
    uint32_t found = plain.len > 1 ? language_words_find(plain) : 0;
    struct proof proof = {.languages = found & ~(1u | BIT(ENGLISH)), .is_english = found & BIT(ENGLISH)};
    bool is_alone = proof.languages && !(proof.languages & (proof.languages - 1));
    proof.weight = is_alone && !proof.is_english && !(found & 1) ? 2 : 1;
    for (size_t i = 0; plain.len >= MIN_SUFFIXED && i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        if (ends_with(plain, suffixes[i].text))
            proof.suffixed |= suffixes[i].languages;
    if (has_german_joint(plain))
        proof.suffixed |= BIT(GERMAN);
    return proof;
}

struct proven {
    struct proof proof;
    unsigned char len; /* 0: empty */
    char word[MEMO_BYTES];
};

/* Words as they stand in texts, with what they prove. A new one takes the first slot of a pair; the one there
 * moves to the second. */
struct language_memo {
    struct proven pairs[MEMO_PAIRS][2];
};

struct language_memo *language_memo_new(void)
{
    return mem_calloc(1, sizeof(struct language_memo));
}

static struct proof proof_of(struct language_memo *memo, struct str word)
{
    char plain[FOLD_MAX_BYTES];
    if (word.len > MEMO_BYTES)
        return prove(str_make(plain, chars_fold_plain(word, plain)));
    struct proven *pair = memo->pairs[str_hash(word, 0) & (MEMO_PAIRS - 1)];
    for (unsigned i = 0; i < 2; i++)
        if (str_eq(str_make(pair[i].word, pair[i].len), word))
            return pair[i].proof;
    pair[1] = pair[0];
    pair[0].proof = prove(str_make(plain, chars_fold_plain(word, plain)));
    pair[0].len = (unsigned char)word.len;
    memcpy(pair[0].word, word.ptr, word.len);
    return pair[0].proof;
}

static void weigh_word(struct evidence *evidence, struct proof proof)
{
    evidence->by_language[LANGUAGE_ENGLISH] += proof.is_english;
    if (proof.languages)
        add(evidence, proof.languages, proof.weight);
    if (proof.suffixed)
        add(evidence, proof.suffixed, 2);
}

/* Letters of the upper case are met as well: what matters is whether a text is full of them. */
static void weigh_letter(struct evidence *evidence, uint32_t codepoint)
{
    char bytes[4], folded[FOLD_MAX_BYTES];
    size_t low = 0, high = sizeof(letters) / sizeof(letters[0]), pos = 0;
    size_t len = char_encode((int32_t)codepoint, bytes);
    struct str lower = {folded, chars_fold_text(str_make(bytes, len), folded)};
    if (!lower.len)
        return;
    if (codepoint != 0xDF) /* folds into two others */
        codepoint = utf8_next(lower, &pos);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (letters[middle].code < codepoint)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < sizeof(letters) / sizeof(letters[0]) && letters[low].code == codepoint)
        add(evidence, letters[low].languages, letters[low].weight);
}

static enum language decide(const struct evidence *evidence)
{
    enum language best = LANGUAGE_UNKNOWN;
    unsigned most = MIN_EVIDENCE - 1, english = evidence->by_language[LANGUAGE_ENGLISH];
    for (unsigned language = LANGUAGE_GERMAN; language < LANGUAGE_N; language++) {
        if (evidence->by_language[language] > most && evidence->by_language[language] > english) {
            most = evidence->by_language[language];
            best = (enum language)language;
        }
    }
    return best == LANGUAGE_UNKNOWN && english ? LANGUAGE_ENGLISH : best;
}

/* Most texts are; the rest of such a one would not change that. */
static bool is_surely_english(const struct evidence *evidence)
{
    unsigned english = evidence->by_language[LANGUAGE_ENGLISH];
    for (unsigned language = LANGUAGE_GERMAN; language < LANGUAGE_N; language++)
        if (2 * evidence->by_language[language] >= english)
            return false;
    return english >= SURE_EVIDENCE;
}

enum language language_guess(struct language_memo *memo, struct str text)
{
    struct evidence evidence = {{0}};
    size_t pos = 0, n_words = 0, start = 0, end = 0;
    text = utf8_prefix(text, MAX_READ_BYTES);
    while (pos < text.len && n_words < MAX_READ_WORDS) {
        size_t before = pos;
        unsigned char byte = (unsigned char)text.ptr[pos];
        bool is_letter = byte < 0x80 && (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
        pos++;
        if (byte >= 0x80) {
            pos = before;
            uint32_t codepoint = utf8_next(text, &pos);
            enum char_class class = char_class_of(codepoint);
            is_letter = class == CHAR_LOWER || class == CHAR_UPPER || class == CHAR_MARK;
            weigh_letter(&evidence, codepoint);
        }
        if (is_letter) {
            start = end == before ? start : before;
            end = pos;
        }
        if (end > start && (!is_letter || pos == text.len)) {
            if (end - start <= FOLD_MAX_BYTES)
                weigh_word(&evidence, proof_of(memo, str_slice(text, start, end - start)));
            start = end;
            if (++n_words % WORDS_A_CHECK == 0 && is_surely_english(&evidence))
                return LANGUAGE_ENGLISH;
        }
    }
    return decide(&evidence);
}

enum language language_of_script(struct str word)
{
    static const struct {
        uint16_t first, last;
        enum language language;
    } scripts[] = {
        {0x00, 0x24F, LANGUAGE_ENGLISH},    {0x370, 0x3FF, LANGUAGE_GREEK},
        {0x400, 0x52F, LANGUAGE_RUSSIAN},   {0x590, 0x5FF, LANGUAGE_HEBREW},
        {0x600, 0x77F, LANGUAGE_ARABIC},    {0x900, 0x97F, LANGUAGE_HINDI},
        {0x1E00, 0x1EFF, LANGUAGE_ENGLISH}, {0x1F00, 0x1FFF, LANGUAGE_GREEK},
    };
    size_t pos = 0;
    uint32_t codepoint = word.len ? utf8_next(word, &pos) : 0xFFFD;
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
        if (codepoint >= scripts[i].first && codepoint <= scripts[i].last)
            return scripts[i].language;
    return LANGUAGE_UNKNOWN;
}
