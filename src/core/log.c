/* SPDX-License-Identifier: Apache-2.0
 *
 * The log sink. A line is put together first and written with one write(2), so lines of
 * several threads never mix; a field longer than MAX_FIELD_BYTES is cut.
 */
#include "core/log.h"

#include "core/buf.h"
#include "core/civil.h"
#include "core/clock.h"
#include "core/json.h"

#include <stdarg.h>
#include <unistd.h>

#define MAX_FIELD_BYTES 1024 /* a log is for events, not for payloads */

static struct {
    enum log_level least;
    enum log_format format;
    int fd;
} sink = {LOG_INFO, LOG_TEXT, 2};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_setup(enum log_level least, enum log_format format, int fd)
{
    sink.least = least;
    sink.format = format;
    sink.fd = fd;
}

bool log_is_on(enum log_level level)
{
    return level >= sink.least;
}

static bool needs_quotes(struct str text)
{
    if (!text.len)
        return true;
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == '"' || text.ptr[i] == '=' ||
            text.ptr[i] == 0x7f)
            return true;
    return false;
}

static void put_value(struct buf *line, struct json_writer *writer, const struct log_field *field)
{
    struct str text = str_slice(field->text, 0, MAX_FIELD_BYTES);
    if (field->type == LOG_FIELD_INT)
        json_put_int(writer, field->integer);
    else if (field->type == LOG_FIELD_REAL)
        json_put_real(writer, field->real);
    else if (sink.format == LOG_JSON || needs_quotes(text))
        json_put_text(writer, text);
    else
        buf_append_str(line, text);
}

/* One value through a writer of its own, so that in text no comma is put before it. */
static void put_member(struct buf *line, const char *name, const struct log_field *field)
{
    struct json_writer writer;
    json_writer_init(&writer, line);
    if (sink.format == LOG_JSON) {
        buf_append_text(line, ",\"");
        buf_append_text(line, name);
        buf_append_text(line, "\":");
    } else {
        buf_append_byte(line, ' ');
        buf_append_text(line, name);
        buf_append_byte(line, '=');
    }
    put_value(line, &writer, field);
}

static void put_head(struct buf *line, enum log_level level, const char *event)
{
    int64_t now_us = clock_wall_us(&clock_system);
    if (sink.format == LOG_JSON) {
        buf_append_text(line, "{\"time\":\"");
        civil_print_iso(now_us, line);
        buf_printf(line, "\",\"level\":\"%s\"", level_names[level]);
        put_member(line, "event", &LOG_CSTR("event", event));
    } else {
        civil_print_iso(now_us, line);
        buf_printf(line, " %-5s %s", level_names[level], event);
    }
}

void log_event(enum log_level level, const char *event, ...)
{
    if (!log_is_on(level))
        return;
    struct buf line;
    buf_init(&line, 64 * 1024);
    put_head(&line, level, event);
    va_list fields;
    va_start(fields, event);
    for (;;) {
        struct log_field field = va_arg(fields, struct log_field);
        if (!field.name)
            break;
        put_member(&line, field.name, &field);
    }
    va_end(fields);
    buf_append_text(&line, sink.format == LOG_JSON ? "}\n" : "\n");
    /* A log that cannot be written has nobody to tell. */
    if (!buf_error(&line))
        (void)!write(sink.fd, line.data, line.len);
    buf_done(&line);
}
