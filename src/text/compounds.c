/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a long word is likely to be put together. No list of words: a joint is known by the letters around
 * it, by the endings that take an s before another word (Versicherungs-, Gesellschafts-), and by clusters of
 * consonants that no single word has inside. The likeliest joints are taken; a wrong one adds a term that
 * nobody asks for.
 */
#include "text/language_priv.h"

#include "text/text_priv.h"

#define MIN_WORD   10 /* bytes */
#define MIN_PART   4
#define MAX_JOINTS (COMPOUND_MAX_PARTS / 2)

static bool is_vowel(char c)
{
    return c && strchr("aeiouy", c);
}

static bool has_vowel(struct str part)
{
    for (size_t i = 0; i < part.len; i++)
        if (is_vowel(part.ptr[i]))
            return true;
    return false;
}

static bool ends_in_one_of(struct str part, const char *const *endings)
{
    for (; *endings; endings++) {
        size_t len = strlen(*endings);
        if (part.len >= len && memcmp(part.ptr + part.len - len, *endings, len) == 0)
            return true;
    }
    return false;
}

static bool begins_with_one_of(struct str part, const char *const *beginnings)
{
    for (; *beginnings; beginnings++)
        if (str_starts_with(part, str_of(*beginnings)))
            return true;
    return false;
}

/* Consonants that a word can begin with. */
static bool is_onset(struct str part)
{
    static const char *const clusters[] = {"schl", "schm", "schn", "schr", "schw", "spr", "str", "sch",
                                           "bl",   "br",   "ch",   "dr",   "fl",   "fr",  "gl",  "gn",
                                           "gr",   "kl",   "kn",   "kr",   "pf",   "ph",  "pl",  "pr",
                                           "qu",   "sk",   "sp",   "st",   "th",   "tr",  "zw",  NULL};
    size_t n = 0;
    while (n < part.len && !is_vowel(part.ptr[n]))
        n++;
    if (n <= 1)
        return true;
    for (const char *const *cluster = clusters; *cluster; cluster++)
        if (strlen(*cluster) == n && str_starts_with(part, str_of(*cluster)))
            return true;
    return part.ptr[0] == 'q' && n == 1;
}

/* Consonants that a word can end with: its last two tell. */
static bool is_coda(struct str part)
{
    static const char pairs[] =
        "st rt ft ht lt nt kt pt xt ts tz ks hs ns ls rs ms gs nk ng nd ld rd rg lg rk lk rm lm rn "
        "ln rf lf nf pf mp lp rp ff ss ll mm nn rr tt pp ck ch ps bs ds fs hn hl hr hm rb lb rz nz "
        "lz sk sp mb gd dt bt zt mt";
    char last = part.ptr[part.len - 1], before = part.ptr[part.len - 2];
    if (last == 'v' || last == 'j' || last == 'q')
        return false;
    if (is_vowel(last) || is_vowel(before))
        return true;
    if (last == 'h' && before == 'c' && part.ptr[part.len - 3] == 's')
        return is_vowel(part.ptr[part.len - 4]) || strchr("nrl", part.ptr[part.len - 4]);
    for (size_t i = 0; i + 1 < sizeof(pairs); i += 3)
        if (pairs[i] == before && pairs[i + 1] == last)
            return true;
    return false;
}

/* "rung", "herung": an ending and the rest of the word that it belongs to. */
static bool is_remnant(struct str right)
{
    return right.len <= 6 && memcmp(right.ptr + right.len - 3, "ung", 3) == 0;
}

/* How likely is a joint between left and right; below 1 not at all. */
static int weigh_joint(struct str left, struct str right)
{
    static const char *const linked[] = {"ungs", "heits", "keits", "schafts", "tats",
                                         "ions", "lings", "tums",  "enz",     NULL};
    static const char *const prefixes[] = {"ver", "ent", "zer", "unter", "uber", "vor", "nach", "aus", "auf",
                                           "ein", "mit", "be",  "ge",    "an",   "ab",  "un",   NULL};
    static const char *const suffixes[] = {
        "ung", "keit", "heit", "schaft", "lich", "isch", "ling",  "lein", "chen", "sam", "bar", "haft", "ten",
        "ter", "tern", "ste",  "ern",    "ier",  "ien",  "enden", "ende", "en",   "er",  "es",  "eri",  NULL};
    int weight = 0;
    if (left.len < MIN_PART || right.len < MIN_PART || !has_vowel(left) || !has_vowel(right) ||
        !is_onset(right) || !is_coda(left) || is_remnant(right))
        return 0;
    char last = left.ptr[left.len - 1], first = right.ptr[0];
    if (ends_in_one_of(left, linked))
        weight += 6;
    else if (last == 's' && !is_vowel(left.ptr[left.len - 2]))
        weight += 2;
    else if (last == 'n' || last == 'r' || last == 't' || last == 'd' || last == 'g' || last == 'k')
        weight += 1;
    else if (is_vowel(last) && last != 'e')
        weight -= 2;
    weight += is_vowel(first) ? -1 : 1;
    weight += !is_vowel(last) && !is_vowel(first);
    /* The longest beginning that the consonants between them allow belongs to the right. */
    struct str earlier = {right.ptr - 1, right.len + 1};
    if (!is_vowel(last) && !is_vowel(first) && !is_onset(earlier))
        weight += 2;
    if (begins_with_one_of(right, suffixes))
        weight -= 3;
    if (ends_in_one_of(left, prefixes))
        weight -= 3;
    if (right.len >= 6 && begins_with_one_of(right, prefixes))
        weight += 2;
    weight += right.len >= 6;
    return weight;
}

struct joint {
    size_t at;
    int weight;
};

static void keep_joint(struct joint *joints, size_t *n, struct joint joint)
{
    size_t i = *n < MAX_JOINTS ? (*n)++ : MAX_JOINTS;
    for (; i > 0 && joints[i - 1].weight < joint.weight; i--)
        if (i < MAX_JOINTS)
            joints[i] = joints[i - 1];
    if (i < MAX_JOINTS)
        joints[i] = joint;
}

size_t compound_split(struct str word, struct str parts[COMPOUND_MAX_PARTS])
{
    struct joint joints[MAX_JOINTS];
    size_t n_joints = 0, n = 0;
    for (size_t at = MIN_PART; word.len >= MIN_WORD && at + MIN_PART <= word.len; at++) {
        struct joint joint = {at, weigh_joint(str_slice(word, 0, at), str_slice(word, at, word.len))};
        if (joint.weight > 0)
            keep_joint(joints, &n_joints, joint);
    }
    for (size_t i = 0; i < n_joints; i++) {
        size_t left = joints[i].at;
        parts[n++] = str_slice(word, left, word.len);
        if (word.ptr[left - 1] == 's' && !is_vowel(word.ptr[left - 2]))
            left--; /* it joins, and belongs to neither */
        parts[n++] = str_slice(word, 0, left);
    }
    return n;
}
