/* SPDX-License-Identifier: Apache-2.0
 *
 * The log: one line an event, to stderr, as text or as JSON. The only process-wide state there is.
 * Below serve/ and cli/ nothing logs above debug. Never log a key, a prompt or a memory.
 */
#ifndef PRECIS_CORE_LOG_H
#define PRECIS_CORE_LOG_H

#include "core/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_field {
    const char *name; /* NULL ends the list */
    enum { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_REAL } type;
    struct str text;
    int64_t integer;
    double real;
};

#define LOG_STR(name, value)  ((struct log_field){(name), LOG_FIELD_STR, (value), 0, 0})
#define LOG_CSTR(name, value) ((struct log_field){(name), LOG_FIELD_STR, str_of(value), 0, 0})
#define LOG_INT(name, value)  ((struct log_field){(name), LOG_FIELD_INT, {NULL, 0}, (value), 0})
#define LOG_REAL(name, value) ((struct log_field){(name), LOG_FIELD_REAL, {NULL, 0}, 0, (value)})
#define LOG_END               ((struct log_field){NULL, LOG_FIELD_STR, {NULL, 0}, 0, 0})

/* Once at start, before threads; the default is LOG_INFO, LOG_TEXT, descriptor 2. */
void log_setup(enum log_level least, enum log_format format, int fd);
bool log_is_on(enum log_level level);
/* Thread-safe; a line is written with one write(2). Fields end with LOG_END:
 *     log_event(LOG_WARN, "section failed", LOG_STR("section", name), LOG_INT("took_us", n), LOG_END); */
void log_event(enum log_level level, const char *event, ...);

#endif
