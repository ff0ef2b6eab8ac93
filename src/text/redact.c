/* SPDX-License-Identifier: Apache-2.0
 *
 * The pass over a text. It stops at the beginning of each word, at "://" and at the head of a private key. A
 * word is first compared with the known forms; then it is read as the name in front of a value:
 *
 *     name  [quote]  = : => >  [quote]  value
 *
 * What a look has read is either replaced, and passed, or was bounded: so the pass takes linear time.
 */
#include "text/redact_priv.h"

#include "core/json.h"

#define MAX_NAME_BYTES   128
#define PENDING_BYTES    256 /* a value may stand so far behind its name: {"name": ..., "value": ...} */
#define MAX_LIST         64
#define MAX_EXEMPT_BYTES 64 /* more than that is never a statement or a placeholder */
#define MAX_JSON_DEPTH   64
#define MAX_NODE_BYTES   ((size_t)64 * 1024 * 1024) /* more than any source gives */

struct pass {
    struct str text;
    struct buf *out;
    size_t pos;
    size_t written; /* the text is in `out` up to here */
    size_t n_found;
    size_t run_end;      /* of the letters, digits, _ and - around pos */
    size_t name_end;     /* names up to here have been looked at */
    struct str before;   /* the word before pos, if only a blank parts them */
    size_t next_quote;   /* the next '"' from pos on, once looked for; SIZE_MAX: not yet */
    size_t next_ending;  /* the same of "-----END" */
    const char *pending; /* what the next value holds; NULL: nothing */
    size_t pending_until;
};

static char peek(const struct pass *pass, size_t pos)
{
    return redact_at(pass->text, pos);
}

static bool stands_at(const struct pass *pass, size_t pos, struct str what)
{
    return str_starts_with(str_slice(pass->text, pos, what.len), what);
}

static size_t skip_blanks(const struct pass *pass, size_t pos)
{
    while (redact_is_blank(peek(pass, pos)))
        pos++;
    return pos;
}

/* Writes what stands before the secret and what stands for it. */
static void replace(struct pass *pass, struct redact_find find, const char *quote)
{
    buf_append_str(pass->out, str_slice(pass->text, pass->written, find.from - pass->written));
    buf_printf(pass->out, "%s[redacted:%s]%s", quote, find.kind, quote);
    pass->written = pass->pos = find.end;
    pass->n_found++;
    pass->before = (struct str){NULL, 0};
}

/* ---- values ---- */

/* A quote, with the backslashes of the text it is quoted in. */
struct quote {
    size_t n_slashes;
    char mark; /* '\0': there is none */
};

static struct quote read_quote(const struct pass *pass, size_t pos)
{
    struct quote quote = {.n_slashes = 0};

    while (quote.n_slashes < 8 && peek(pass, pos + quote.n_slashes) == '\\')
        quote.n_slashes++;
    quote.mark = peek(pass, pos + quote.n_slashes);
    if (quote.mark != '"' && quote.mark != '\'')
        quote = (struct quote){0};
    return quote;
}

/* The end of a quoted text: where its closing quote begins, or the end of the line. */
static size_t quoted_end(const struct pass *pass, size_t pos, struct quote quote)
{
    size_t n_slashes = 0;

    for (; pos < pass->text.len && peek(pass, pos) != '\n'; pos++) {
        char c = peek(pass, pos);

        if (c == quote.mark && n_slashes == quote.n_slashes)
            return pos - n_slashes;
        if (c == quote.mark && n_slashes < quote.n_slashes)
            return pos - n_slashes; /* the text around ends here */
        if (quote.n_slashes == 0 && c == '\\' && pos + 1 < pass->text.len) {
            pos++;
            continue;
        }
        n_slashes = c == '\\' ? n_slashes + 1 : 0;
    }
    return pos;
}

/* Whether a separator parts this value from another name: "a=b,c=d", "a=b; c". */
static bool parts_values(const struct pass *pass, size_t pos)
{
    size_t at = pos + 1;

    if (at >= pass->text.len || redact_is_blank(peek(pass, at)) || strchr("\r\n\"'{}\\", peek(pass, at)))
        return true;
    while (at - pos < 64 &&
           (redact_is_word(peek(pass, at)) || peek(pass, at) == '-' || peek(pass, at) == '.'))
        at++;
    return at > pos + 1 && (peek(pass, at) == '=' || peek(pass, at) == ':');
}

/* What has no quotes ends at white space, at what closes something around it, or at a separator. */
static size_t bare_end(const struct pass *pass, size_t pos)
{
    for (; pos < pass->text.len; pos++) {
        char c = peek(pass, pos);

        if ((c >= 0 && c <= ' ') || strchr("\"'<>`)]}|", c))
            break;
        if (c == '\\' && (strchr("\"'nrt", peek(pass, pos + 1)) || peek(pass, pos + 1) == '\0'))
            break;
        if (strchr(",;&", c) && parts_values(pass, pos))
            break;
    }
    return pos;
}

/* "getPassword(": a program that asks for it. */
static bool is_call(const struct pass *pass, size_t pos)
{
    size_t at = pos;

    while (at - pos < MAX_EXEMPT_BYTES && (redact_is_word(peek(pass, at)) || peek(pass, at) == '.'))
        at++;
    return at > pos && (peek(pass, at) == '(' || peek(pass, at) == '[');
}

static bool is_exempt(const struct pass *pass, size_t from, size_t end, const char *kind)
{
    struct str value = str_slice(pass->text, from, end - from);

    return redact_is_no_secret(str_slice(value, 0, MAX_EXEMPT_BYTES), kind);
}

/* Before the value is read to its end, so that one inside another is not read again and again. */
static bool is_placeholder(const struct pass *pass, size_t pos)
{
    return redact_is_placeholder(str_slice(pass->text, pos, MAX_EXEMPT_BYTES));
}

/* How far a header's value goes: to the end of the line, or of the quotes around the header. */
static size_t line_end(const struct pass *pass, size_t pos)
{
    while (pos < pass->text.len && !strchr("\r\n\"'", peek(pass, pos)) &&
           !(peek(pass, pos) == '\\' && strchr("rn\"'", peek(pass, pos + 1))))
        pos++;
    return pos;
}

/* "Bearer x": what behind the scheme is the credential, and how far it goes. */
static bool find_behind_scheme(const struct pass *pass, size_t pos, struct redact_find *ret_find)
{
    static const char *const schemes[] = {"basic",     "bearer", "token", "digest",
                                          "negotiate", "ntlm",   "key",   "aws4-hmac-sha256",
                                          "apikey",    "hawk",   NULL};
    size_t end = pos;

    while (end - pos < 20 && (redact_is_word(peek(pass, end)) || peek(pass, end) == '-'))
        end++;
    if (!redact_is_blank(peek(pass, end)))
        return false;
    for (size_t i = 0; schemes[i]; i++) {
        if (!str_eq_nocase(str_slice(pass->text, pos, end - pos), str_of(schemes[i])))
            continue;
        bool has_fields = i == 3 || i == 7 || i == 9;

        ret_find->from = skip_blanks(pass, end);
        ret_find->end = has_fields ? line_end(pass, ret_find->from) : bare_end(pass, ret_find->from);
        return true;
    }
    return false;
}

/* Replaces a value that begins at pos. was_quoted: its name stood in double quotes, so that it is JSON's.
 * False when nothing was replaced. */
static bool take_value(struct pass *pass, size_t pos, const char *kind, struct quote name_quote)
{
    struct redact_find find = {.kind = kind};
    struct quote quote = read_quote(pass, pos);
    bool is_header = name_quote.mark == '\0' && quote.mark == '\0' && peek(pass, pos - 1) != '=';

    if (quote.mark) {
        find.from = pos + quote.n_slashes + 1;
        if (is_placeholder(pass, find.from))
            return false;
        find.end = quoted_end(pass, find.from, quote);
        if (find.end == find.from || is_exempt(pass, find.from, find.end, kind))
            return false;
        replace(pass, find, "");
        if (peek(pass, pass->pos + quote.n_slashes) == quote.mark)
            pass->pos += quote.n_slashes + 1;
        return true;
    }
    if (is_call(pass, pos) || is_placeholder(pass, pos))
        return false;
    if (strcmp(kind, "authorization") != 0 || !find_behind_scheme(pass, pos, &find)) {
        find.from = pos;
        find.end = is_header && strcmp(kind, "cookie") == 0 ? line_end(pass, pos) : bare_end(pass, pos);
    }
    if (find.end == find.from || is_placeholder(pass, find.from) ||
        is_exempt(pass, find.from, find.end, kind))
        return false;
    if (name_quote.mark != '"')
        replace(pass, find, "");
    else
        replace(pass, find, name_quote.n_slashes == 0 ? "\"" : name_quote.n_slashes == 1 ? "\\\"" : "");
    return true;
}

/* "[", then texts: each of them. */
static bool take_list(struct pass *pass, size_t pos, const char *kind)
{
    bool is_any = false;

    for (int i = 0; i < MAX_LIST; i++) {
        pos = skip_blanks(pass, pos + 1);
        if (!read_quote(pass, pos).mark || !take_value(pass, pos, kind, (struct quote){0}))
            break;
        is_any = true;
        pos = skip_blanks(pass, pass->pos);
        if (peek(pass, pos) != ',')
            break;
    }
    return is_any;
}

/* "old -> new": the new one, too. */
static void take_arrows(struct pass *pass, const char *kind)
{
    for (int i = 0; i < 4; i++) {
        size_t pos = skip_blanks(pass, pass->pos);
        size_t n_arrow = stands_at(pass, pos, STR_LIT("->"))             ? 2
                         : stands_at(pass, pos, STR_LIT("\xE2\x86\x92")) ? 3
                                                                         : 0;
        if (n_arrow == 0 || !take_value(pass, skip_blanks(pass, pos + n_arrow), kind, (struct quote){0}))
            return;
    }
}

/* ---- names ---- */

/* What parts a name from its value: where the value begins, or 0. */
static size_t separator_end(const struct pass *pass, size_t from, size_t end, const char *kind)
{
    size_t pos = skip_blanks(pass, end);
    char c = peek(pass, pos), next = peek(pass, pos + 1);
    char before = from > 0 ? peek(pass, from - 1) : '\0';

    if ((c == '=' && next == '>') || (c == ':' && next == '='))
        return skip_blanks(pass, pos + 2);
    if (c == ':' && before == '=' && !redact_is_blank(next))
        return 0; /* scope=token:read */
    if ((c == '=' && next != '=') || (c == ':' && next != ':'))
        return skip_blanks(pass, pos + 1);
    if (c == '>' && before == '<' && pos == end)
        return pos + 1;
    if (pos == end || !kind)
        return 0;
    /* --password x, and PASSWORD 'x' of SQL. */
    if (before == '-' && c != '-')
        return pos;
    return c == '\'' && strcmp(kind, "password") == 0 ? pos : 0;
}

/* {"name": "api_key", "value": ...}: notes what the value will be. */
static void note_pending(struct pass *pass, size_t pos)
{
    struct quote quote = read_quote(pass, pos);
    size_t from = pos + (quote.mark ? quote.n_slashes + 1 : 0), end = from;
    const char *kind;

    while (end - from < MAX_NAME_BYTES &&
           (redact_is_word(peek(pass, end)) ||
            (peek(pass, end) && strchr("-./ ", peek(pass, end)) && quote.mark) || peek(pass, end) == '.' ||
            peek(pass, end) == '-'))
        end++;
    kind = redact_kind_of_name(str_slice(pass->text, from, end - from));
    pass->pending = kind;
    pass->pending_until = end + PENDING_BYTES;
}

/* Reads the word at pos as a name. True when a secret behind it was replaced. */
static bool take_named(struct pass *pass)
{
    size_t from = pass->pos, end = from, value;
    struct str name;
    struct quote quote;
    const char *kind;

    if (from < pass->name_end)
        return false;
    while (end - from < MAX_NAME_BYTES &&
           (redact_is_word(peek(pass, end)) ||
            ((peek(pass, end) == '-' || peek(pass, end) == '.') && redact_is_word(peek(pass, end + 1)))))
        end++;
    pass->name_end = end;
    name = str_slice(pass->text, from, end - from);
    quote = read_quote(pass, end);
    if (quote.mark)
        end += quote.n_slashes + 1;
    /* Most words stand before no value, whatever they name: those need not be looked up. */
    if (separator_end(pass, from, end, quote.mark ? NULL : "password") == 0)
        return false;
    kind = redact_kind_of_words(pass->before, name);
    value = separator_end(pass, from, end, quote.mark ? NULL : kind);
    if (value == 0)
        return false;
    if (!kind && pass->pending && from < pass->pending_until && redact_is_value_name(name))
        kind = pass->pending;
    if (!kind) {
        if (redact_names_another(name))
            note_pending(pass, value);
        return false;
    }
    if (peek(pass, value) == '[')
        return take_list(pass, value, kind);
    if (!take_value(pass, value, kind, quote))
        return false;
    take_arrows(pass, kind);
    return true;
}

/* ---- what begins with a mark ---- */

/* scheme://user:password@host */
static bool take_authority(struct pass *pass)
{
    size_t from = pass->pos + 3, end = from, colon = 0, at = 0;

    for (; end < pass->text.len; end++) {
        char c = peek(pass, end);

        if ((c >= 0 && c <= ' ') || strchr("/?#\"'<>\\`", c))
            break;
        if (c == '@')
            at = end;
        else if (c == ':' && colon == 0 && at == 0)
            colon = end;
    }
    if (at == 0)
        return false;
    struct redact_find find = {colon ? colon + 1 : from, at, "password"};
    if (find.from >= find.end || is_exempt(pass, find.from, find.end, find.kind))
        return false;
    if (!colon && at - from < 20)
        return false; /* a user alone */
    replace(pass, find, "");
    return true;
}

/* From here on the next place of `what`; `known` is where it was last seen. */
static size_t find_next(const struct pass *pass, struct str what, size_t *known)
{
    if (*known == SIZE_MAX || *known < pass->pos) {
        ptrdiff_t at = str_find(str_slice(pass->text, pass->pos, SIZE_MAX), what);
        *known = at < 0 ? pass->text.len : pass->pos + (size_t)at;
    }
    return *known;
}

static bool is_key_byte(char c)
{
    return redact_is_alnum(c) || (c != '\0' && strchr("+/=", c));
}

/* The lines of a key whose end is not there. */
static size_t key_lines_end(const struct pass *pass, size_t pos)
{
    for (size_t end = pos;;) {
        size_t n = 0;

        while (end < pass->text.len && (strchr(" \r\n\t", peek(pass, end)) ||
                                        (peek(pass, end) == '\\' && strchr("rn", peek(pass, end + 1)))))
            end += peek(pass, end) == '\\' ? 2 : 1;
        while (is_key_byte(peek(pass, end + n)))
            n++;
        if (n < 16)
            return pos;
        pos = end += n;
    }
}

/* -----BEGIN ... PRIVATE KEY----- up to its end. */
static bool take_private_key(struct pass *pass)
{
    size_t head_end = pass->pos + strlen("-----BEGIN "), quote, end;
    struct redact_find find = {.from = pass->pos, .kind = "private_key"};

    while (head_end - pass->pos < 60 &&
           (redact_is_upper(peek(pass, head_end)) || peek(pass, head_end) == ' '))
        head_end++;
    if (!stands_at(pass, head_end, STR_LIT("-----")) ||
        str_find(str_slice(pass->text, pass->pos, head_end - pass->pos), STR_LIT("PRIVATE KEY")) < 0)
        return false;
    head_end += 5;
    quote = find_next(pass, STR_LIT("\""), &pass->next_quote);
    end = find_next(pass, STR_LIT("-----END"), &pass->next_ending);
    if (end < quote) {
        end += strlen("-----END");
        while (redact_is_upper(peek(pass, end)) || peek(pass, end) == ' ')
            end++;
        while (peek(pass, end) == '-')
            end++;
    } else {
        end = key_lines_end(pass, head_end);
    }
    find.end = end;
    replace(pass, find, "");
    return true;
}

/* ---- the pass ---- */

/* The word at pos; passes it when there is nothing in it. */
static void take_word(struct pass *pass)
{
    size_t end = pass->pos;
    struct redact_find find;

    end = redact_word_end(pass->text, end);
    if (pass->run_end < end) {
        pass->run_end = end;
        while (peek(pass, pass->run_end) == '-')
            pass->run_end = redact_word_end(pass->text, pass->run_end + 1);
    }
    find = redact_shape_at(pass->text, pass->pos, end, pass->run_end);
    if (find.kind) {
        replace(pass, find, "");
        return;
    }
    if (take_named(pass))
        return;
    pass->before = peek(pass, end) == ' ' && end - pass->pos < MAX_NAME_BYTES
                       ? str_slice(pass->text, pass->pos, end - pass->pos)
                       : (struct str){NULL, 0};
    pass->pos = end + (peek(pass, end) == ' ');
}

static void take_mark(struct pass *pass, char c)
{
    pass->before = (struct str){NULL, 0};
    if (c == '{' || c == '}')
        pass->pending = NULL;
    if (c == ':' && stands_at(pass, pass->pos, STR_LIT("://")) && take_authority(pass))
        return;
    if (c == '-' && stands_at(pass, pass->pos, STR_LIT("-----BEGIN ")) && take_private_key(pass))
        return;
    pass->pos++;
}

size_t text_redact(struct buf *buf, struct str text)
{
    struct pass pass = {.text = text, .out = buf, .next_quote = SIZE_MAX, .next_ending = SIZE_MAX};

    while (pass.pos < text.len) {
        char c = text.ptr[pass.pos];

        if (redact_is_word(c))
            take_word(&pass);
        else
            take_mark(&pass, c);
    }
    buf_append_str(buf, str_slice(text, pass.written, SIZE_MAX));
    return pass.n_found;
}

/* ---- documents ---- */

static size_t write_node(struct json_writer *writer, const struct json *node, const char *kind)
{
    struct buf text;
    size_t n = 0, pos = 0;
    struct str name;
    const struct json *member;

    buf_init(&text, MAX_NODE_BYTES);
    switch (json_kind_of(node)) {
    case JSON_KIND_OBJECT: {
        const char *pending = redact_kind_of_name(json_text_of(json_member(node, "name")));

        json_open_object(writer);
        while (json_next_member(node, &pos, &name, &member)) {
            const char *own = redact_kind_of_name(name);

            json_put_name_str(writer, name);
            if (!own && pending && redact_is_value_name(name))
                own = pending;
            n += write_node(writer, member, own);
        }
        json_close_object(writer);
        break;
    }
    case JSON_KIND_ARRAY:
        json_open_array(writer);
        for (size_t i = 0; i < json_count(node); i++)
            n += write_node(writer, json_at(node, i), kind);
        json_close_array(writer);
        break;
    case JSON_KIND_TEXT:
        if (kind && json_text_of(node).len > 0 && !redact_is_no_secret(json_text_of(node), kind)) {
            buf_printf(&text, "[redacted:%s]", kind);
            n = 1;
        } else {
            n = text_redact(&text, json_text_of(node));
        }
        json_put_text(writer, buf_str(&text));
        break;
    case JSON_KIND_INT:
    case JSON_KIND_REAL:
        json_print(node, &text);
        if (kind && !redact_is_no_secret(buf_str(&text), kind)) {
            buf_clear(&text);
            buf_printf(&text, "\"[redacted:%s]\"", kind);
            n = 1;
        }
        json_put_raw(writer, buf_str(&text));
        break;
    case JSON_KIND_BOOL:
    case JSON_KIND_NULL:
        json_print(node, &text);
        json_put_raw(writer, buf_str(&text));
        break;
    }
    if (buf_error(&text) && !writer->buf->err)
        writer->buf->err = buf_error(&text);
    buf_done(&text);
    return n;
}

size_t text_redact_json(struct buf *buf, struct str json)
{
    struct json_writer writer;
    struct json *root = NULL;
    size_t n;
    int r = json_parse(json, MAX_JSON_DEPTH, &root, NULL);

    if (r == ERR_NOMEM && !buf->err)
        buf->err = r;
    if (r < 0)
        return text_redact(buf, json);
    json_writer_init(&writer, buf);
    n = write_node(&writer, root, NULL);
    json_free(root);
    return n;
}
