/* SPDX-License-Identifier: Apache-2.0
 *
 * What a load found wrong: sentences with their places, kept in file order. A run notes everything it can
 * find before it fails.
 */
#include "recipe/recipe_priv.h"

#include <stdio.h>

void recipe_report_done(struct recipe_report *report)
{
    arena_done(&report->arena);
    *report = (struct recipe_report){0};
}

/* A key that several alternatives share is read once for each of them. */
static bool is_known(const struct load *load, int line, int column, struct str message)
{
    for (size_t i = load->first; i < load->report->n; i++) {
        const struct recipe_finding *finding = &load->report->findings[i];

        if (finding->line == line && finding->column == column && str_eq(finding->message, message))
            return true;
    }
    return false;
}

static void add_finding(struct load *load, int line, int column, struct str message)
{
    struct recipe_report *report = load->report;
    struct recipe_finding *findings;

    if (report->n - load->first >= RECIPE_MAX_FINDINGS || is_known(load, line, column, message))
        return;
    /* A sentence is never empty but for want of memory. */
    if (message.len == 0 && !report->arena.err)
        report->arena.err = ERR_NOMEM;
    findings = arena_grow(&report->arena, report->findings, report->n, &load->findings_cap, sizeof *findings);
    if (!findings)
        return;
    report->findings = findings;
    findings[report->n++] = (struct recipe_finding){.file = arena_copy(&report->arena, str_of(load->file)),
                                                    .line = line,
                                                    .column = column,
                                                    .message = arena_copy(&report->arena, message)};
}

static void complain_args(struct load *load, int line, int column, const char *format, va_list args)
{
    struct buf buf;

    buf_init(&buf, ERR_MESSAGE_SIZE);
    buf_vprintf(&buf, format, args);
    add_finding(load, line, column, buf_str(&buf));
    buf_done(&buf);
}

bool load_has_complained_at(const struct load *load, const struct yaml_node *node)
{
    for (size_t i = load->first; i < load->report->n; i++) {
        if (load->report->findings[i].line == node->line && load->report->findings[i].column == node->column)
            return true;
    }
    return false;
}

void load_complain(struct load *load, int line, int column, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    complain_args(load, line, column, format, args);
    va_end(args);
}

void load_complain_unknown(struct load *load, int line, int column, const char *what, struct str name,
                           const char *const *known, size_t n_known)
{
    struct buf nearest;

    buf_init(&nearest, ERR_MESSAGE_SIZE);
    append_nearest(&nearest, name, known, n_known);
    load_complain(load, line, column, "unknown %s '%.*s'%.*s", what, STR_ARG(str_slice(name, 0, 80)),
                  STR_ARG(buf_str(&nearest)));
    buf_done(&nearest);
}

/* The file's line of that number, from 1. */
static struct str file_line(struct str text, int line)
{
    struct str part = {NULL, 0};

    while (line-- > 0) {
        if (!str_next_part(&text, '\n', &part))
            return (struct str){NULL, 0};
    }
    return part;
}

/* The place of a byte of a scalar. Block text begins on the line after its mark, indented; quotes shift by
 * one. Where escapes or folding moved things, the place of the scalar itself must do. */
static void locate(const struct load_spot *spot, size_t offset, int *ret_line, int *ret_column)
{
    const struct yaml_node *node = spot->node;
    struct str first = file_line(spot->load->text, node->line);
    char mark = (size_t)node->column <= first.len ? first.ptr[node->column - 1] : '\0';
    bool is_block = !node->is_plain && (mark == '|' || mark == '>');
    struct str before = str_slice(node->text, 0, offset);
    struct str line_text;
    int line = node->line + (is_block ? 1 : 0);
    size_t column_offset = 0;
    size_t indent;

    for (size_t i = 0; i < before.len; i++) {
        column_offset = before.ptr[i] == '\n' ? 0 : column_offset + 1;
        line += before.ptr[i] == '\n';
    }
    line_text = file_line(spot->load->text, line);
    indent = is_block ? 0 : (size_t)node->column - (node->is_plain ? 1 : 0);
    while (is_block && indent < line_text.len && line_text.ptr[indent] == ' ' &&
           !str_starts_with(str_slice(line_text, indent, SIZE_MAX),
                            str_slice(node->text, offset - column_offset, 1)))
        indent++;
    *ret_line = node->line;
    *ret_column = node->column;
    if (!str_eq(str_slice(line_text, indent + column_offset, 1), str_slice(node->text, offset, 1)))
        return;
    *ret_line = line;
    *ret_column = (int)(indent + column_offset) + 1;
}

static void on_complaint(void *owner, size_t offset, struct str message)
{
    const struct load_spot *spot = owner;
    int line = spot->node->line;
    int column = spot->node->column;

    if (offset < spot->node->text.len)
        locate(spot, offset, &line, &column);
    add_finding(spot->load, line, column, message);
}

struct complaints load_spot_complaints(struct load_spot *spot)
{
    return (struct complaints){on_complaint, spot};
}

static bool is_before(const struct recipe_finding *a, const struct recipe_finding *b)
{
    return a->line < b->line || (a->line == b->line && a->column < b->column);
}

int load_conclude(struct load *load, struct err_info *reterr)
{
    struct recipe_finding *findings = load->report->findings;
    char place[ERR_FIELD_SIZE];

    if (arena_error(&load->report->arena))
        return err_set(reterr, arena_error(&load->report->arena), "out of memory while reading %s",
                       load->file);
    if (load->report->n == load->first)
        return 0;
    for (size_t i = load->first + 1; i < load->report->n; i++) {
        struct recipe_finding finding = findings[i];
        size_t j = i;

        for (; j > load->first && is_before(&finding, &findings[j - 1]); j--)
            findings[j] = findings[j - 1];
        findings[j] = finding;
    }
    (void)snprintf(place, sizeof place, "%s:%d:%d", load->file, findings[load->first].line,
                   findings[load->first].column);
    return err_set_field(reterr, ERR_INVALID, place, "%.*s", STR_ARG(findings[load->first].message));
}
