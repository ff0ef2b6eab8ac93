/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets that show by their form: keys of known services by their prefixes, JSON web tokens, credentials
 * behind Bearer and Basic, card numbers by Luhn's check, IBANs by theirs. Each look is bounded.
 */
#include "text/redact_priv.h"

#define LOOK_BYTES    64 /* so much of a long key tells whether it is one */
#define MIN_KEY_BYTES 15 /* the least that a prefix and what must stand behind it have together */

enum shape_rule {
    RULE_ALNUM = 1,  /* letters and digits alone, else also _ and - */
    RULE_EXACT = 2,  /* of that length, no longer */
    RULE_DIGITS = 4, /* two digits and a capital at least: words with hyphens are none */
    RULE_UPPER = 8,  /* capitals and digits alone */
};

static const struct shape {
    struct str prefix;
    size_t min_bytes; /* behind the prefix */
    unsigned rules;
    const char *kind;
} shapes[] = {
    {STR_LIT("AKIA"), 16, RULE_UPPER | RULE_EXACT, "aws_key"},
    {STR_LIT("ASIA"), 16, RULE_UPPER | RULE_EXACT, "aws_key"},
    {STR_LIT("ABIA"), 16, RULE_UPPER | RULE_EXACT, "aws_key"},
    {STR_LIT("ACCA"), 16, RULE_UPPER | RULE_EXACT, "aws_key"},
    {STR_LIT("AIza"), 35, 0, "google_key"},
    {STR_LIT("GOCSPX-"), 20, 0, "google_key"},
    {STR_LIT("ghp_"), 36, RULE_ALNUM, "github_token"},
    {STR_LIT("gho_"), 36, RULE_ALNUM, "github_token"},
    {STR_LIT("ghu_"), 36, RULE_ALNUM, "github_token"},
    {STR_LIT("ghs_"), 36, RULE_ALNUM, "github_token"},
    {STR_LIT("ghr_"), 36, RULE_ALNUM, "github_token"},
    {STR_LIT("github_pat_"), 22, 0, "github_token"},
    {STR_LIT("glpat-"), 20, 0, "gitlab_token"},
    {STR_LIT("xoxb-"), 10, RULE_DIGITS, "slack_token"},
    {STR_LIT("xoxp-"), 10, RULE_DIGITS, "slack_token"},
    {STR_LIT("xoxa-"), 10, RULE_DIGITS, "slack_token"},
    {STR_LIT("xoxr-"), 10, RULE_DIGITS, "slack_token"},
    {STR_LIT("xoxs-"), 10, RULE_DIGITS, "slack_token"},
    {STR_LIT("xapp-"), 10, RULE_DIGITS, "slack_token"},
    {STR_LIT("sk-ant-"), 20, RULE_DIGITS, "anthropic_key"},
    {STR_LIT("sk-"), 20, RULE_DIGITS, "openai_key"},
    {STR_LIT("sk_live_"), 16, RULE_ALNUM, "stripe_key"},
    {STR_LIT("sk_test_"), 16, RULE_ALNUM, "stripe_key"},
    {STR_LIT("rk_live_"), 16, RULE_ALNUM, "stripe_key"},
    {STR_LIT("rk_test_"), 16, RULE_ALNUM, "stripe_key"},
    {STR_LIT("whsec_"), 16, RULE_ALNUM, "stripe_key"},
    {STR_LIT("pk_"), 49, RULE_ALNUM | RULE_EXACT, "precis_key"},
    {STR_LIT("npm_"), 36, RULE_ALNUM, "token"},
    {STR_LIT("pypi-"), 30, RULE_DIGITS, "token"},
    {STR_LIT("hf_"), 30, RULE_ALNUM, "token"},
    {STR_LIT("dop_v1_"), 40, RULE_ALNUM, "token"},
    {STR_LIT("shpat_"), 32, RULE_ALNUM, "token"},
    {STR_LIT("hvs."), 24, RULE_DIGITS, "token"},
    {STR_LIT("ya29."), 20, RULE_DIGITS, "google_key"},
};

/* What the first bytes of a key are made of. */
static bool obeys(struct str body, unsigned rules)
{
    size_t n_digits = 0, n_upper = 0;

    body = str_slice(body, 0, LOOK_BYTES);
    for (size_t i = 0; i < body.len; i++) {
        char c = body.ptr[i];

        if ((rules & RULE_ALNUM) && !redact_is_alnum(c))
            return false;
        if ((rules & RULE_UPPER) && !redact_is_upper(c) && !redact_is_digit(c))
            return false;
        n_digits += redact_is_digit(c);
        n_upper += redact_is_upper(c);
    }
    return !(rules & RULE_DIGITS) || (n_digits >= 2 && n_upper + n_digits >= 4);
}

/* Where the run goes on behind a prefix that ends in a dot. */
static size_t end_behind(struct str text, size_t pos, const struct shape *shape, size_t run_end)
{
    size_t end = pos + shape->prefix.len;

    if (shape->prefix.ptr[shape->prefix.len - 1] != '.')
        return run_end;
    while (end < text.len && end - pos < 4096 && (redact_is_word(text.ptr[end]) || text.ptr[end] == '-'))
        end++;
    return end;
}

static struct redact_find find_key(struct str text, size_t pos, size_t word_end, size_t run_end)
{
    /* Most words are shorter; a dot behind one may be the prefix's own, and the key goes on there. */
    if (run_end - pos < MIN_KEY_BYTES && redact_at(text, run_end) != '.')
        return (struct redact_find){0};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const struct shape *shape = &shapes[i];
        size_t end;
        struct str body;

        if (text.ptr[pos] != shape->prefix.ptr[0] ||
            !str_starts_with(str_slice(text, pos, shape->prefix.len), shape->prefix))
            continue;
        end = shape->rules & (RULE_ALNUM | RULE_UPPER) ? word_end : end_behind(text, pos, shape, run_end);
        if (end < pos + shape->prefix.len + shape->min_bytes)
            continue;
        body = str_slice(text, pos + shape->prefix.len, end - pos - shape->prefix.len);
        if ((shape->rules & RULE_EXACT) && body.len != shape->min_bytes)
            continue;
        if (obeys(body, shape->rules))
            return (struct redact_find){pos, end, shape->kind};
    }
    return (struct redact_find){0};
}

/* Three parts joined by dots, the first of which is JSON that begins with a name. */
static struct redact_find find_jwt(struct str text, size_t pos, size_t run_end)
{
    size_t end = run_end;

    /* Inside a run none begins, so that no run is read again from each of its words. */
    if (text.ptr[pos] != 'e' || run_end - pos < 10 ||
        !str_starts_with(str_slice(text, pos, 3), STR_LIT("eyJ")) || (pos > 0 && text.ptr[pos - 1] == '-'))
        return (struct redact_find){0};
    for (int part = 0; part < 2; part++) {
        size_t from = end + 1;

        if (redact_at(text, end) != '.')
            return (struct redact_find){0};
        for (end = from; redact_is_word(redact_at(text, end)) || redact_at(text, end) == '-';)
            end++;
        if (part == 0 && end - from < 10)
            return (struct redact_find){0};
    }
    return (struct redact_find){pos, end, "jwt"};
}

/* ---- behind a scheme ---- */

static bool is_credential_byte(char c)
{
    return redact_is_word(c) || (c != '\0' && strchr("-.~+/=", c));
}

static int base64_digit(char c)
{
    if (redact_is_upper(c))
        return c - 'A';
    if (redact_is_lower(c))
        return c - 'a' + 26;
    if (redact_is_digit(c))
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Basic's credential is base64 of printable text with a colon in it. */
static bool is_basic(struct str text)
{
    uint32_t bits = 0;
    int n_bits = 0;
    bool has_colon = false;

    text = str_slice(text, 0, 4096);
    while (text.len > 0 && text.ptr[text.len - 1] == '=')
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        int digit = base64_digit(text.ptr[i]);
        unsigned char byte;

        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        n_bits += 6;
        if (n_bits < 8)
            continue;
        n_bits -= 8;
        byte = (unsigned char)(bits >> n_bits);
        if (byte < 0x20 || byte == 0x7F)
            return false;
        has_colon |= byte == ':';
    }
    return has_colon;
}

/* A word of prose is no credential: "Bearer authentication". */
static bool is_bearer(struct str text)
{
    size_t n_digits = 0, n_upper = 0;

    for (size_t i = 0; i < text.len && i < LOOK_BYTES; i++) {
        n_digits += redact_is_digit(text.ptr[i]);
        n_upper += i > 0 && redact_is_upper(text.ptr[i]);
    }
    return text.len >= 24 || (text.len >= 8 && (n_digits > 0 || n_upper > 1));
}

static struct redact_find find_credential(struct str text, size_t pos, size_t word_end)
{
    size_t len = word_end - pos;
    if ((len != 5 && len != 6) || (text.ptr[pos] | 0x20) != 'b')
        return (struct redact_find){0};
    struct str word = str_slice(text, pos, len);
    bool is_basic_word = str_eq_nocase(word, STR_LIT("basic"));
    size_t from = word_end, end;
    struct str credential;

    if ((!is_basic_word && !str_eq_nocase(word, STR_LIT("bearer"))) ||
        !redact_is_blank(redact_at(text, word_end)))
        return (struct redact_find){0};
    while (from < word_end + 8 && redact_is_blank(redact_at(text, from)))
        from++;
    for (end = from; is_credential_byte(redact_at(text, end));)
        end++;
    credential = str_slice(text, from, end - from);
    if (is_basic_word ? is_basic(credential) : is_bearer(credential))
        return (struct redact_find){from, end, is_basic_word ? "password" : "token"};
    return (struct redact_find){0};
}

/* ---- numbers ---- */

#define CARD_MAX_DIGITS 19
#define CARD_MIN_DIGITS 13

static bool passes_luhn(const char *digits, size_t n)
{
    int sum = 0;

    for (size_t i = 0; i < n; i++) {
        int digit = digits[n - 1 - i] - '0';

        if (i % 2 == 1)
            digit = digit > 4 ? 2 * digit - 9 : 2 * digit;
        sum += digit;
    }
    return sum % 10 == 0;
}

static int number_of(const char *digits, size_t n)
{
    int number = 0;

    for (size_t i = 0; i < n; i++)
        number = number * 10 + digits[i] - '0';
    return number;
}

/* Of a range that is given out, at the length it has there. */
static bool is_card(const char *digits, size_t n)
{
    int two = number_of(digits, 2), three = number_of(digits, 3), four = number_of(digits, 4);
    bool is_known;

    if (n < CARD_MIN_DIGITS || !passes_luhn(digits, n))
        return false;
    is_known = (digits[0] == '4' && (n == 13 || n == 16 || n == 19)) ||
               (n == 16 && ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720))) ||
               (n == 15 && (two == 34 || two == 37)) ||
               (n >= 16 && (four == 6011 || two == 65 || (three >= 644 && three <= 649))) ||
               (n == 16 && four >= 3528 && four <= 3589) ||
               (n == 14 && (two == 36 || two == 38 || (three >= 300 && three <= 305))) ||
               (n >= 16 && two == 62);
    return is_known;
}

/* Digits, which single blanks or hyphens may part into groups of four to six. */
static struct redact_find find_card(struct str text, size_t pos)
{
    char digits[CARD_MAX_DIGITS];
    size_t n = 0, end = pos, group = 0;

    for (;; end++) {
        char c = redact_at(text, end);

        if (redact_is_digit(c)) {
            if (n == CARD_MAX_DIGITS)
                return (struct redact_find){0};
            digits[n++] = c;
            group++;
        } else if ((c == ' ' || c == '-') && group >= 4 && group <= 6 && n < CARD_MIN_DIGITS + 4 &&
                   redact_is_digit(redact_at(text, end + 1))) {
            group = 0;
        } else {
            break;
        }
    }
    if (n < CARD_MIN_DIGITS || redact_is_word(redact_at(text, end)) || !is_card(digits, n))
        return (struct redact_find){0};
    if (redact_at(text, end) == '.' && redact_is_digit(redact_at(text, end + 1)))
        return (struct redact_find){0};
    return (struct redact_find){pos, end, "card"};
}

#define IBAN_MIN_CHARS 15
#define IBAN_MAX_CHARS 34

/* ISO 7064: the first four characters go to the end, letters count from 10. */
static bool passes_iban(const char *chars, size_t n)
{
    unsigned rest = 0;

    for (size_t i = 0; i < n; i++) {
        char c = chars[(i + 4) % n];

        rest = redact_is_digit(c) ? rest * 10 + (unsigned)(c - '0') : rest * 100 + (unsigned)(c - 'A') + 10;
        rest %= 97;
    }
    return rest == 1;
}

static bool is_iban_byte(char c)
{
    return redact_is_upper(c) || redact_is_digit(c);
}

static struct redact_find find_iban(struct str text, size_t pos)
{
    char chars[IBAN_MAX_CHARS];
    size_t n = 0, end = pos;

    for (;; end++) {
        char c = redact_at(text, end);

        if (is_iban_byte(c)) {
            bool is_head_good = n < 2 ? redact_is_upper(c) : n > 3 || redact_is_digit(c);

            if (n == IBAN_MAX_CHARS || !is_head_good)
                return (struct redact_find){0};
            chars[n++] = c;
        } else if (c != ' ' || n % 4 != 0 || !is_iban_byte(redact_at(text, end + 1)) ||
                   (n >= IBAN_MIN_CHARS && passes_iban(chars, n))) {
            break;
        }
    }
    if (n < IBAN_MIN_CHARS || redact_is_word(redact_at(text, end)) || !passes_iban(chars, n))
        return (struct redact_find){0};
    return (struct redact_find){pos, end, "iban"};
}

/* 123456789:AA..., as Telegram gives them to bots. */
static struct redact_find find_bot(struct str text, size_t pos, size_t word_end)
{
    size_t end = word_end + 1;

    if (word_end - pos < 8 || word_end - pos > 10 || redact_at(text, word_end) != ':')
        return (struct redact_find){0};
    while (end - word_end <= 36 && (redact_is_word(redact_at(text, end)) || redact_at(text, end) == '-'))
        end++;
    if (end - word_end != 36 || !obeys(str_slice(text, word_end + 1, 35), RULE_DIGITS))
        return (struct redact_find){0};
    return (struct redact_find){pos, end, "token"};
}

struct redact_find redact_shape_at(struct str text, size_t pos, size_t word_end, size_t run_end)
{
    char before = pos > 0 ? text.ptr[pos - 1] : ' ';
    struct redact_find find = find_key(text, pos, word_end, run_end);

    if (!find.kind)
        find = find_jwt(text, pos, run_end);
    if (!find.kind)
        find = find_credential(text, pos, word_end);
    /* A number behind a point or a hyphen is part of something else. */
    if (!find.kind && redact_is_digit(text.ptr[pos]) && before != '.' && before != '-') {
        find = find_card(text, pos);
        if (!find.kind)
            find = find_bot(text, pos, word_end);
    }
    if (!find.kind && redact_is_upper(text.ptr[pos]) && redact_is_upper(redact_at(text, pos + 1)))
        find = find_iban(text, pos);
    return find;
}
