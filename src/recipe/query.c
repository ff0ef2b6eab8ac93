/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements: every :name becomes ?1, ?2 ..., and what must not be in a recipe is refused: a second
 * statement, and anything that does not read. Knows as much SQL as it takes to tell a name from a quote, a
 * comment or a cast; the rest is the database's business, which opens recipes' connections read-only besides.
 */
#include "recipe/recipe_priv.h"

struct scanner {
    struct str sql;
    size_t pos;
    struct arena *arena;
    const struct names *names;
    const struct complaints *complaints;
    struct buf *out;
    struct recipe_ref *binds;
    size_t n_binds, binds_cap;
    bool has_complained;
    bool is_ended;    /* a semicolon has passed */
    bool is_with;     /* begins with WITH: a writing statement may hide behind it */
    bool has_begun;   /* the first word has passed */
    bool after_paren; /* the last thing seen was a parenthesis: a statement may begin here */
};

static void refuse(struct scanner *scanner, size_t offset, const char *sentence)
{
    complain(scanner->complaints, offset, "%s", sentence);
    scanner->has_complained = true;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char peek(const struct scanner *scanner, size_t ahead)
{
    size_t pos = scanner->pos + ahead;

    return pos < scanner->sql.len ? scanner->sql.ptr[pos] : '\0';
}

static void copy(struct scanner *scanner, size_t n)
{
    buf_append_str(scanner->out, str_slice(scanner->sql, scanner->pos, n));
    scanner->pos += n;
}

/* From an opening quote to its end; a doubled quote stands for itself, a backslash only in E'...'. */
static void pass_quoted(struct scanner *scanner, bool has_backslash)
{
    char quote = peek(scanner, 0);
    size_t start = scanner->pos;
    size_t n = 1;

    for (; start + n < scanner->sql.len; n++) {
        if (has_backslash && peek(scanner, n) == '\\' && start + n + 1 < scanner->sql.len)
            n++;
        else if (peek(scanner, n) == quote && peek(scanner, n + 1) == quote)
            n++;
        else if (peek(scanner, n) == quote)
            break;
    }
    if (start + n >= scanner->sql.len)
        refuse(scanner, start, "this quote is not closed");
    copy(scanner, n + 1);
}

static void pass_line_comment(struct scanner *scanner)
{
    size_t n = 2;

    while (scanner->pos + n < scanner->sql.len && peek(scanner, n) != '\n')
        n++;
    copy(scanner, n);
}

static void pass_block_comment(struct scanner *scanner)
{
    ptrdiff_t end = str_find(str_slice(scanner->sql, scanner->pos + 2, SIZE_MAX), STR_LIT("*/"));

    if (end < 0)
        refuse(scanner, scanner->pos, "this comment is not closed");
    copy(scanner, end < 0 ? SIZE_MAX - scanner->pos : (size_t)end + 4);
}

/* $tag$ ... $tag$; false when what stands here is no such quote. */
static bool pass_dollar_quoted(struct scanner *scanner)
{
    size_t n_tag = 1;
    struct str tag;
    ptrdiff_t end;

    while (is_letter(peek(scanner, n_tag)) || (n_tag > 1 && is_digit(peek(scanner, n_tag))))
        n_tag++;
    if (peek(scanner, n_tag) != '$')
        return false;
    tag = str_slice(scanner->sql, scanner->pos, n_tag + 1);
    end = str_find(str_slice(scanner->sql, scanner->pos + tag.len, SIZE_MAX), tag);
    if (end < 0)
        refuse(scanner, scanner->pos, "this quote is not closed");
    copy(scanner, end < 0 ? SIZE_MAX - scanner->pos : (size_t)end + 2 * tag.len);
    return true;
}

/* Length of "- 1h" after :now, :today and their like with the blanks before it; 0 when no number follows a
 * sign there. */
static size_t offset_length(const struct scanner *scanner, size_t from)
{
    size_t n = from;

    while (peek(scanner, n) == ' ')
        n++;
    if (peek(scanner, n) != '-' && peek(scanner, n) != '+')
        return 0;
    n++;
    while (peek(scanner, n) == ' ')
        n++;
    if (!is_digit(peek(scanner, n)))
        return 0;
    while (is_digit(peek(scanner, n)) || is_letter(peek(scanner, n)))
        n++;
    return n - from;
}

/* A dot that goes on with the name: what follows is a column. */
static bool is_dot(const struct scanner *scanner, size_t at)
{
    return peek(scanner, at) == '.' && (is_letter(peek(scanner, at + 1)) || is_digit(peek(scanner, at + 1)));
}

/* Length of the placeholder's name behind its colon: "user.location", "watchlist[].symbol", "now - 1h". */
static size_t name_length(const struct scanner *scanner)
{
    struct str name;
    size_t n = 1;

    while (is_letter(peek(scanner, n)) || is_digit(peek(scanner, n)) || is_dot(scanner, n))
        n += str_starts_with(str_slice(scanner->sql, scanner->pos + n + 1, 3), STR_LIT("[].")) ? 3 : 1;
    name = str_slice(scanner->sql, scanner->pos + 1, n - 1);
    if (ref_is_time_word(name))
        n += offset_length(scanner, n);
    return n - 1;
}

static bool is_same_ref(const struct recipe_ref *a, const struct recipe_ref *b)
{
    return a->kind == b->kind && a->idx == b->idx && a->is_list == b->is_list &&
           a->offset_us == b->offset_us && a->days == b->days && a->part == b->part &&
           str_eq(a->column, b->column);
}

/* The number of the placeholder's bind, from 1; one that was used before keeps its number. 0 on failure. */
static size_t add_bind(struct scanner *scanner, const struct recipe_ref *ref)
{
    struct recipe_ref *binds;

    for (size_t i = 0; i < scanner->n_binds; i++) {
        if (is_same_ref(&scanner->binds[i], ref))
            return i + 1;
    }
    if (scanner->n_binds == RECIPE_MAX_BINDS) {
        refuse(scanner, scanner->pos, "this statement has too many different placeholders");
        return 0;
    }
    binds = arena_grow(scanner->arena, scanner->binds, scanner->n_binds, &scanner->binds_cap, sizeof *binds);
    if (!binds)
        return 0;
    binds[scanner->n_binds++] = *ref;
    scanner->binds = binds;
    return scanner->n_binds;
}

static void pass_placeholder(struct scanner *scanner)
{
    size_t n = name_length(scanner);
    struct recipe_ref ref;
    struct err_info err = {0};

    if (ref_resolve(scanner->names, str_slice(scanner->sql, scanner->pos + 1, n), &ref, &err) < 0)
        refuse(scanner, scanner->pos, err.message);
    else
        buf_printf(scanner->out, "?%zu", add_bind(scanner, &ref));
    scanner->pos += n + 1;
}

static bool is_one_of(struct str word, const char *const *words)
{
    for (; *words; words++) {
        if (str_eq_nocase(word, str_of(*words)))
            return true;
    }
    return false;
}

static void pass_word(struct scanner *scanner)
{
    static const char *const readers[] = {"select", "with", "values", NULL};
    static const char *const writers[] = {"insert", "update", "delete", "merge", "replace", NULL};
    size_t n = 1;
    struct str word;

    while (is_letter(peek(scanner, n)) || is_digit(peek(scanner, n)) || peek(scanner, n) == '$')
        n++;
    word = str_slice(scanner->sql, scanner->pos, n);
    if (!scanner->has_begun && !is_one_of(word, readers))
        refuse(scanner, scanner->pos,
               "a query must begin with SELECT, WITH or VALUES: sources are read only");
    else if (scanner->is_with && scanner->after_paren && is_one_of(word, writers))
        refuse(scanner, scanner->pos, "this query would write: sources are read only");
    if (!scanner->has_begun)
        scanner->is_with = str_eq_nocase(word, STR_LIT("with"));
    scanner->has_begun = true;
    scanner->after_paren = false;
    copy(scanner, n);
    if (str_eq_nocase(word, STR_LIT("e")) && peek(scanner, 0) == '\'')
        pass_quoted(scanner, true);
}

/* Something other than a word or an opening parenthesis: no statement that reads begins so. */
static void begin_otherwise(struct scanner *scanner)
{
    if (!scanner->has_begun)
        refuse(scanner, scanner->pos,
               "a query must begin with SELECT, WITH or VALUES: sources are read only");
    scanner->has_begun = true;
    scanner->after_paren = false;
}

/* What means nothing to us; other parameter styles would be bound to nothing, so they are refused. */
static void pass_mark(struct scanner *scanner, char c)
{
    bool is_parameter = (c == '$' || c == '?') && is_digit(peek(scanner, 1));

    if (is_parameter)
        refuse(scanner, scanner->pos, "placeholders are written by name, such as :user_id");
    if (c != '(')
        begin_otherwise(scanner);
    scanner->after_paren = c == '(' || c == ')';
    copy(scanner, 1);
}

/* White space and comments; false when something else stands here. */
static bool pass_blank(struct scanner *scanner)
{
    char c = peek(scanner, 0);

    if (c == '-' && peek(scanner, 1) == '-')
        pass_line_comment(scanner);
    else if (c == '/' && peek(scanner, 1) == '*')
        pass_block_comment(scanner);
    else if (c == ' ' || (c >= '\t' && c <= '\r'))
        copy(scanner, 1);
    else
        return false;
    return true;
}

static void pass_digits(struct scanner *scanner)
{
    size_t n = 1;

    while (is_digit(peek(scanner, n)) || is_letter(peek(scanner, n)) || peek(scanner, n) == '.')
        n++;
    copy(scanner, n);
}

static void pass_token(struct scanner *scanner)
{
    char c = peek(scanner, 0);

    if (c == ';') {
        scanner->is_ended = true;
        scanner->pos++;
        return;
    }
    if (scanner->is_ended) {
        refuse(scanner, scanner->pos, "only one statement can stand here; nothing may follow the semicolon");
        scanner->pos = scanner->sql.len;
        return;
    }
    if (is_letter(c)) {
        pass_word(scanner);
        return;
    }
    if (!memchr(":'\"`$", c, 5) && !is_digit(c)) {
        pass_mark(scanner, c);
        return;
    }
    begin_otherwise(scanner);
    if (c == ':' && is_letter(peek(scanner, 1)))
        pass_placeholder(scanner);
    else if (c == ':')
        copy(scanner, peek(scanner, 1) == ':' || peek(scanner, 1) == '=' ? 2 : 1);
    else if (c == '\'' || c == '"' || c == '`')
        pass_quoted(scanner, false);
    else if (is_digit(c))
        pass_digits(scanner);
    else if (!pass_dollar_quoted(scanner))
        pass_mark(scanner, c);
}

int query_compile(struct str sql, const struct names *names, struct arena *arena,
                  const struct complaints *complaints, struct str *ret_sql, struct recipe_ref **ret_binds,
                  size_t *ret_n_binds)
{
    struct buf out;
    struct scanner scanner = {
        .sql = str_trim(sql), .arena = arena, .names = names, .complaints = complaints, .out = &out};
    struct str text;

    /* The caller's offsets count from the untrimmed text. */
    scanner.pos = sql.len ? (size_t)(scanner.sql.ptr - sql.ptr) : 0;
    scanner.sql = str_make(sql.ptr, scanner.pos + scanner.sql.len);
    buf_init(&out, YAML_MAX_BYTES + 16 * RECIPE_MAX_BINDS);
    while (scanner.pos < scanner.sql.len) {
        if (!pass_blank(&scanner))
            pass_token(&scanner);
    }
    if (!scanner.has_begun && !scanner.has_complained)
        refuse(&scanner, 0, "the query is empty");
    text = buf_into_arena(&out, arena);
    if (arena_error(arena))
        return arena_error(arena);
    if (scanner.has_complained)
        return ERR_INVALID;
    *ret_sql = text;
    *ret_binds = scanner.binds;
    *ret_n_binds = scanner.n_binds;
    return 0;
}
