/* SPDX-License-Identifier: Apache-2.0
 *
 * Retrieved text is data. What a source says must not open a section, close a fence, pretend to be a turn of
 * the conversation or hold a token that a chat template acts on. Characters that would do so get a backslash,
 * which Markdown shows as the character alone; further lines are indented so that they stay inside their list
 * item.
 *
 * Invariant: no line of the output begins (after white space and list or quote marks) with a heading, a
 * fence, a thematic break, a setext underline, an HTML block, a link definition or a role, unless the
 * template wrote it.
 */
#include "build/build_priv.h"

#include "core/utf8.h"

/* ---- tokens of chat templates, anywhere ---- */

/* Each is broken by a backslash before its `at`-th byte: behind it the token is none, and Markdown shows the
 * same text. Any
 * "<|" opens a special token in the ChatML and Llama 3 families; U+FF5C stands for the bar in DeepSeek's. */
static const struct {
    struct str text;
    size_t at;
} tokens[] = {
    {{"<|", 2}, 1},
    {{"<\xEF\xBD\x9C", 4}, 1},
    {{"<<SYS", 5}, 1},
    {{"<</SYS", 6}, 1},
    {{"<s>", 3}, 2},
    {{"</s>", 4}, 1},
    {{"<bos>", 5}, 4},
    {{"<eos>", 5}, 4},
    {{"<start_of_turn>", 15}, 14},
    {{"<end_of_turn>", 13}, 12},
    {{"[INST]", 6}, 5},
    {{"[/INST]", 7}, 6},
};

/* The token that begins here, as an index, or -1. */
static int token_at(struct str text)
{
    if (text.ptr[0] != '<' && text.ptr[0] != '[')
        return -1;
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++)
        if (text.len >= tokens[i].text.len &&
            str_eq_nocase(str_slice(text, 0, tokens[i].text.len), tokens[i].text))
            return (int)i;
    return -1;
}

/* Where the next '<' and the next '[' stand: all else can begin no token. Each is looked for once. */
struct openings {
    const char *angle, *bracket;
};

static const char *find_byte(struct str text, const char *from, char byte)
{
    size_t n_left = (size_t)(text.ptr + text.len - from);
    return n_left ? memchr(from, byte, n_left) : NULL;
}

/* Both stand before `from`, or nowhere. */
static void openings_pass(struct openings *openings, struct str text, const char *from)
{
    if (openings->angle && openings->angle < from)
        openings->angle = find_byte(text, from, '<');
    if (openings->bracket && openings->bracket < from)
        openings->bracket = find_byte(text, from, '[');
}

static const char *openings_first(const struct openings *openings)
{
    if (openings->angle && (!openings->bracket || openings->angle < openings->bracket))
        return openings->angle;
    return openings->bracket;
}

static void append_without_tokens(struct buf *buf, struct str text)
{
    struct openings openings = {find_byte(text, text.ptr, '<'), find_byte(text, text.ptr, '[')};
    size_t done = 0;
    for (const char *at; (at = openings_first(&openings)); openings_pass(&openings, text, at + 1)) {
        size_t i = (size_t)(at - text.ptr);
        int token = token_at(str_slice(text, i, text.len - i));
        if (token < 0)
            continue;
        buf_append(buf, text.ptr + done, i + tokens[token].at - done);
        buf_append_byte(buf, '\\');
        done = i + tokens[token].at;
    }
    buf_append(buf, text.ptr + done, text.len - done);
}

/* ---- what a line may not begin with ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static size_t skip_blanks(struct str line, size_t at)
{
    while (at < line.len && is_blank(line.ptr[at]))
        at++;
    return at;
}

static size_t run_length(struct str line, size_t at, char c)
{
    size_t n = 0;
    while (at + n < line.len && line.ptr[at + n] == c)
        n++;
    return n;
}

/* "---", "* * *": nothing but three or more of the mark; or a setext underline: any number of = or -. */
static bool is_rule(struct str line, size_t at)
{
    char mark = line.ptr[at];
    if (mark != '-' && mark != '*' && mark != '_' && mark != '=')
        return false;
    size_t n = 0;
    for (size_t i = at; i < line.len; i++) {
        if (line.ptr[i] == mark)
            n++;
        else if (!is_blank(line.ptr[i]))
            return false;
    }
    return n >= 3 || mark == '-' || mark == '=';
}

/* Past one list or quote mark and its blanks, or `at` when there is none. */
static size_t skip_mark(struct str line, size_t at)
{
    size_t end = at;
    char c = line.ptr[at];
    if (c == '>')
        return skip_blanks(line, at + 1);
    if (c == '-' || c == '*' || c == '+') {
        end = at + 1;
    } else {
        while (end < line.len && line.ptr[end] >= '0' && line.ptr[end] <= '9')
            end++;
        if (end == at || end == line.len || (line.ptr[end] != '.' && line.ptr[end] != ')'))
            return at;
        end++;
    }
    if (end < line.len && !is_blank(line.ptr[end]))
        return at;
    return skip_blanks(line, end);
}

/* Position of the colon when the line begins with a speaker ("Assistant:"), else 0. */
static size_t role_colon(struct str line, size_t at)
{
    static const char *const roles[] = {"human", "assistant", "system", "user",
                                        "tool",  "developer", "model",  "ai"};
    while (at < line.len && line.ptr[at] == '*') /* **User:** */
        at++;
    if (at == line.len || !strchr("hasutdmHASUTDM", line.ptr[at]) || !memchr(line.ptr, ':', line.len))
        return 0;
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        struct str role = str_of(roles[i]);
        if (!str_eq_nocase(str_slice(line, at, role.len), role))
            continue;
        size_t end = at + role.len;
        end += run_length(line, end, '*');
        end = skip_blanks(line, end);
        if (end < line.len && line.ptr[end] == ':')
            return end;
    }
    return 0;
}

static bool is_link_definition(struct str line, size_t at)
{
    return line.ptr[at] == '[' && str_find(str_slice(line, at, line.len - at), STR_LIT("]:")) > 0;
}

static bool is_html_start(struct str line, size_t at)
{
    if (line.ptr[at] != '<' || at + 1 >= line.len)
        return false;
    char next = line.ptr[at + 1];
    return (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z') || next == '/' || next == '!' ||
           next == '?';
}

/* A line whose beginning could be taken for structure. */
static void append_line_start(struct buf *buf, struct str line)
{
    size_t at = skip_blanks(line, 0);
    while (at < line.len && !is_rule(line, at)) {
        size_t next = skip_mark(line, at);
        if (next == at)
            break;
        at = next;
    }
    buf_append(buf, line.ptr, at);
    if (at == line.len)
        return;
    char c = line.ptr[at];
    size_t n_fence = c == '`' || c == '~' ? run_length(line, at, c) : 0;
    size_t colon = role_colon(line, at);
    if (n_fence >= 3) {
        for (size_t i = 0; i < n_fence; i++) {
            buf_append_byte(buf, '\\');
            buf_append_byte(buf, c);
        }
        at += n_fence;
    } else if (colon > 0) {
        buf_append(buf, line.ptr + at, colon - at);
        buf_append_byte(buf, '\\');
        at = colon;
    } else if (c == '#' || is_rule(line, at) || is_html_start(line, at) || is_link_definition(line, at)) {
        buf_append_byte(buf, '\\');
    }
    append_without_tokens(buf, str_slice(line, at, line.len - at));
}

/* True when nothing but blanks and list or quote marks stands on the line so far, as after "- ". */
static bool is_block_start(const struct buf *buf)
{
    size_t start = buf->len;
    while (start > 0 && buf->data[start - 1] != '\n')
        start--;
    struct str line = {buf->data ? buf->data + start : "", buf->len - start};
    size_t at = skip_blanks(line, 0);
    while (at < line.len) {
        size_t next = skip_mark(line, at);
        if (next == at)
            return false;
        at = next;
    }
    return true;
}

/* What stands in a text. All of it is looked at, many bytes at a time and without a branch for each. */
struct survey {
    bool is_plain;    /* printable ASCII */
    bool has_opening; /* a '<' or a '[' */
};

static struct survey survey(struct str text)
{
    unsigned char odd = 0, openings = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        odd |= (unsigned char)(c - 0x20) > 0x7E - 0x20;
        openings |= (c == '<') | (c == '[');
    }
    return (struct survey){.is_plain = !odd, .has_opening = openings};
}

/* What is plain, begins with a letter, and with no role, stays what it is wherever it is put. */
static bool is_harmless(struct str text, struct survey seen)
{
    unsigned char first = text.len ? (unsigned char)text.ptr[0] | 0x20 : 0;
    return first >= 'a' && first <= 'z' && seen.is_plain && !seen.has_opening && role_colon(text, 0) == 0;
}

static void append_lines(struct buf *buf, struct str text, bool is_line_start)
{
    struct str line;
    bool is_first = true, was_blank = false;
    while (str_next_part(&text, '\n', &line)) {
        bool is_empty = skip_blanks(line, 0) == line.len;
        if (is_first) {
            if (is_line_start || is_block_start(buf))
                append_line_start(buf, line);
            else
                append_without_tokens(buf, line);
        } else if (is_empty) {
            /* Runs of blank lines are one, and none stands at the end. */
            was_blank = true;
        } else {
            buf_append_text(buf, was_blank ? "\n\n" : "\n");
            if (!is_line_start)
                buf_append_text(buf, "  ");
            append_line_start(buf, line);
            was_blank = false;
        }
        is_first = false;
    }
}

void guard_append(struct buf *buf, struct str text, bool is_line_start)
{
    /* Two values side by side must not make a token together. */
    if (buf->len > 0 && buf->data[buf->len - 1] == '<' && text.len > 0 && !is_blank(text.ptr[0]))
        buf_append_byte(buf, '\\');
    struct survey seen = survey(text);
    if (is_harmless(text, seen)) {
        buf_append_str(buf, text);
        return;
    }
    if (seen.is_plain) {
        append_lines(buf, text, is_line_start);
        return;
    }
    struct buf clean;
    buf_init(&clean, SOURCE_MAX_RESULT_BYTES * 3); /* a malformed byte becomes three */
    utf8_append_clean(&clean, text);
    append_lines(buf, buf_str(&clean), is_line_start);
    if (buf_error(&clean) && !buf->err)
        buf->err = buf_error(&clean);
    buf_done(&clean);
}

void guard_append_json(struct buf *buf, struct str json)
{
    size_t done = 0;
    for (size_t i = 0; i < json.len; i++) {
        if (token_at(str_slice(json, i, json.len - i)) < 0)
            continue;
        /* '<' can stand in strings only, and so can "[INST]": an escape says the same to
         * every JSON reader. */
        buf_append(buf, json.ptr + done, i - done);
        buf_append_text(buf, json.ptr[i] == '<' ? "\\u003c" : "\\u005b");
        done = i + 1;
    }
    buf_append(buf, json.ptr + done, json.len - done);
}
