/* SPDX-License-Identifier: Apache-2.0
 *
 * Which names promise a secret. A name is read as words ("dbPassword", "DB_PASSWORD", "db-password"), and its
 * last ones decide: "password_reset_token" is a token, "password_policy" and "max_tokens" are none.
 */
#include "text/redact_priv.h"

#define MAX_WORDS      6
#define MAX_WORD_BYTES 20

/* The last words of a name, folded. */
struct name_words {
    char words[MAX_WORDS][MAX_WORD_BYTES];
    size_t n;
};

struct known_name {
    const char *before; /* the word before the last; NULL: any or none */
    const char *last;
    const char *kind;
};

static const struct known_name known_names[] = {
    {NULL, "password", "password"},
    {NULL, "passwords", "password"},
    {NULL, "passwd", "password"},
    {NULL, "passwort", "password"},
    {NULL, "passphrase", "password"},
    {NULL, "passcode", "password"},
    {NULL, "pwd", "password"},
    {NULL, "psk", "password"},
    {"db", "pass", "password"},
    {"user", "pass", "password"},
    {"smtp", "pass", "password"},
    {"mysql", "pass", "password"},
    {"mqtt", "pass", "password"},
    {"ftp", "pass", "password"},
    {"admin", "pass", "password"},
    {"root", "pass", "password"},
    {"login", "pass", "password"},
    {"redis", "pass", "password"},
    {"wifi", "pass", "password"},
    {"pass", "phrase", "password"},
    {"seed", "phrase", "secret"},
    {"password", "hash", "password"},
    {"password", "confirmation", "password"},
    {"wifi", "key", "password"},
    {"wpa", "key", "password"},
    {NULL, "secret", "secret"},
    {NULL, "secrets", "secret"},
    {NULL, "credential", "secret"},
    {NULL, "credentials", "secret"},
    {NULL, "mnemonic", "secret"},
    {"key", "base", "secret"},
    {"connection", "string", "secret"},
    {NULL, "token", "token"},
    {NULL, "jwt", "token"},
    {NULL, "authtoken", "token"},
    {NULL, "accesstoken", "token"},
    {NULL, "csrf", "token"},
    {NULL, "xsrf", "token"},
    {"amz", "signature", "token"},
    {"goog", "signature", "token"},
    {NULL, "apikey", "api_key"},
    {NULL, "apikeys", "api_key"},
    {NULL, "accesskey", "api_key"},
    {NULL, "secretkey", "api_key"},
    {"api", "key", "api_key"},
    {"api", "keys", "api_key"},
    {"auth", "key", "api_key"},
    {"access", "key", "api_key"},
    {"secret", "key", "api_key"},
    {"account", "key", "api_key"},
    {"shared", "key", "api_key"},
    {"storage", "key", "api_key"},
    {"service", "key", "api_key"},
    {"subscription", "key", "api_key"},
    {"app", "key", "api_key"},
    {"license", "key", "api_key"},
    {"webhook", "key", "api_key"},
    {NULL, "privatekey", "private_key"},
    {"private", "key", "private_key"},
    {"encryption", "key", "private_key"},
    {"signing", "key", "private_key"},
    {"session", "key", "private_key"},
    {"master", "key", "private_key"},
    {"preshared", "key", "private_key"},
    {NULL, "cookie", "cookie"},
    {NULL, "cookies", "cookie"},
    {NULL, "sessionid", "session"},
    {NULL, "sessid", "session"},
    {NULL, "phpsessid", "session"},
    {NULL, "jsessionid", "session"},
    {"session", "id", "session"},
    {NULL, "authorization", "authorization"},
    {NULL, "otp", "code"},
    {NULL, "totp", "code"},
    {NULL, "cvv", "code"},
    {NULL, "cvc", "code"},
    {NULL, "pincode", "code"},
    {"pin", "code", "code"},
    {"sim", "pin", "code"},
    {"card", "pin", "code"},
    {"user", "pin", "code"},
    {"unlock", "pin", "code"},
    {"security", "code", "code"},
    {"verification", "code", "code"},
    {"reset", "code", "code"},
    {"access", "code", "code"},
    {"recovery", "code", "code"},
    {"recovery", "codes", "code"},
    {"backup", "codes", "code"},
    {"identified", "by", "password"},
    {NULL, "ssn", "code"},
};

/* Before a secret's word these say that a number or a yes is meant. */
static const char *const counts[] = {"max", "min", "num", "n",   "total", "avg",
                                     "has", "is",  "no",  "per", NULL};

/* Most words differ in their first letter: a call for each of them was a tenth of a context's time. */
static bool is_same(const char *a, const char *b)
{
    return *a == *b && strcmp(a, b) == 0;
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++) {
        if (is_same(word, *words))
            return true;
    }
    return false;
}

static char fold(char c)
{
    return redact_is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

static void add_word(struct name_words *words, struct str word)
{
    char *room;

    while (word.len > 1 && redact_is_digit(word.ptr[word.len - 1]))
        word.len--; /* password2 */
    if (words->n == MAX_WORDS) {
        memmove(words->words[0], words->words[1], sizeof words->words[0] * (MAX_WORDS - 1));
        words->n--;
    }
    room = words->words[words->n++];
    if (word.len >= MAX_WORD_BYTES)
        word.len = MAX_WORD_BYTES - 1; /* longer than any that is known */
    for (size_t i = 0; i < word.len; i++)
        room[i] = fold(word.ptr[i]);
    room[word.len] = '\0';
}

/* A word ends before a capital behind a small letter (apiKey), before the last capital of several (APIKey),
 * and where something other than a letter or digit stands. */
static bool is_border(struct str name, size_t i)
{
    char before = name.ptr[i - 1];
    char c = name.ptr[i];

    if (!redact_is_alnum(before) || !redact_is_alnum(c))
        return true;
    return redact_is_upper(c) && (!redact_is_upper(before) || redact_is_lower(redact_at(name, i + 1)));
}

static void add_words(struct name_words *words, struct str name)
{
    size_t from = 0;

    for (size_t i = 1; i <= name.len; i++) {
        if (i < name.len && !is_border(name, i))
            continue;
        if (redact_is_alnum(name.ptr[from]))
            add_word(words, str_slice(name, from, i - from));
        from = i;
    }
}

/* A number behind an underscore is one of several: "token_2". */
static void drop_number(struct name_words *words)
{
    if (words->n > 1 && redact_is_digit(words->words[words->n - 1][0]))
        words->n--;
}

const char *redact_kind_of_words(struct str before, struct str name)
{
    struct name_words words = {.n = 0};
    const char *last, *previous;

    if (before.len > 0)
        add_words(&words, before);
    add_words(&words, name);
    drop_number(&words);
    if (words.n == 0)
        return NULL;
    last = words.words[words.n - 1];
    previous = words.n > 1 ? words.words[words.n - 2] : "";
    if (is_one_of(previous, counts))
        return NULL;
    for (size_t i = 0; i < sizeof known_names / sizeof known_names[0]; i++) {
        const struct known_name *known = &known_names[i];

        if (is_same(last, known->last) && (!known->before || is_same(previous, known->before)))
            return known->kind;
    }
    return NULL;
}

const char *redact_kind_of_name(struct str name)
{
    return redact_kind_of_words((struct str){NULL, 0}, name);
}

static bool last_word_is(struct str name, const char *const *known)
{
    struct name_words words = {.n = 0};

    add_words(&words, name);
    return words.n > 0 && is_one_of(words.words[words.n - 1], known);
}

bool redact_names_another(struct str name)
{
    static const char *const known[] = {"name",   "key",      "parameter", "param",  "field",
                                        "header", "variable", "setting",   "option", NULL};

    return last_word_is(name, known);
}

bool redact_is_value_name(struct str name)
{
    static const char *const known[] = {"value", "val", "old", "new", "from", "to", "before", "after", NULL};

    return last_word_is(name, known);
}

/* ---- values that are none ---- */

/* What is said of a secret instead of saying it. */
static const char *const statements[] = {
    "all",       "true",      "false",    "null",     "none",     "nil",        "undefined",  "yes",
    "no",        "ok",        "on",       "off",      "expired",  "invalid",    "missing",    "required",
    "revoked",   "unknown",   "rejected", "accepted", "empty",    "valid",      "not",        "is",
    "was",       "has",       "must",     "cannot",   "failed",   "failure",    "the",        "a",
    "an",        "mismatch",  "changed",  "updated",  "reset",    "rotated",    "renewed",    "created",
    "deleted",   "incorrect", "wrong",    "too",      "redacted", "hidden",     "masked",     "refused",
    "denied",    "disabled",  "enabled",  "present",  "absent",   "unset",      "set",        "string",
    "str",       "text",      "optional", "default",  "verified", "successful", "success",    "error",
    "timeout",   "refreshed", "refresh",  "expires",  "stale",    "malformed",  "unexpected", "unauthorized",
    "forbidden", "ending",    NULL};

static bool is_statement(struct str value)
{
    char word[MAX_WORD_BYTES];

    while (value.len > 0 && strchr(".!:?", value.ptr[value.len - 1]))
        value.len--;
    if (value.len == 0 || value.len >= sizeof word)
        return value.len == 0;
    for (size_t i = 0; i < value.len; i++)
        word[i] = fold(value.ptr[i]);
    word[value.len] = '\0';
    return is_one_of(word, statements);
}

/* "is too short": a sentence about a secret. */
static bool is_sentence(struct str value)
{
    static const char *const verbs[] = {"is", "was", "has", "must", "cannot", "should", "too", "not", NULL};
    char word[8];
    size_t n = 0;

    while (n < value.len && n + 1 < sizeof word && redact_is_alnum(value.ptr[n])) {
        word[n] = fold(value.ptr[n]);
        n++;
    }
    word[n] = '\0';
    return n < value.len && value.ptr[n] == ' ' && is_one_of(word, verbs);
}

static bool is_mask(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (!strchr("*.-_#?xX", value.ptr[i]) || value.ptr[i] == '\0')
            return false;
    }
    return true;
}

bool redact_is_placeholder(struct str value)
{
    static const struct str heads[] = {STR_LIT("${"),        STR_LIT("$("),       STR_LIT("{{"),
                                       STR_LIT("%("),        STR_LIT("%s"),       STR_LIT("<"),
                                       STR_LIT("[redacted"), STR_LIT("[REDACTED")};

    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        if (str_starts_with(value, heads[i]))
            return true;
    }
    return false;
}

/* $PASSWORD, and ?2 of a statement. */
static bool is_variable(struct str value)
{
    bool is_good = value.len > 1 && (value.ptr[0] == '$' || value.ptr[0] == '?');

    for (size_t i = 1; is_good && i < value.len; i++)
        is_good = redact_is_upper(value.ptr[i]) || redact_is_digit(value.ptr[i]) || value.ptr[i] == '_';
    return is_good;
}

/* A count of tokens, or of cookies. */
static bool is_count(struct str value, const char *kind)
{
    for (size_t i = 0; i < value.len; i++) {
        if (!redact_is_digit(value.ptr[i]))
            return false;
    }
    return value.len < 6 && (strcmp(kind, "token") == 0 || strcmp(kind, "cookie") == 0);
}

bool redact_is_no_secret(struct str value, const char *kind)
{
    return is_statement(value) || is_sentence(value) || is_mask(value) || redact_is_placeholder(value) ||
           is_variable(value) || is_count(value, kind);
}
