/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing error sentences. A sentence too long for its room is cut between characters.
 */
#include "core/err.h"

#include "core/utf8.h"

#include <stdio.h>
#include <string.h>

/* snprintf wanted more than it had: takes away the piece of a character it may have left at the end. */
static void cut_at_character(char *text, size_t size, int wanted)
{
    if (wanted < 0) {
        text[0] = '\0';
        return;
    }
    if ((size_t)wanted < size)
        return;
    size_t len = size - 1, lead = len;
    do
        lead--;
    while (lead > 0 && len - lead < 4 && ((unsigned char)text[lead] & 0xC0) == 0x80);
    if (!utf8_is_valid(str_make(text + lead, len - lead)))
        text[lead] = '\0';
}

static void write_sentence(struct err_info *reterr, int code, const char *field, const char *format,
                           va_list args)
{
    struct err_info info = {.code = code}; /* arguments may point into *reterr */
    cut_at_character(info.field, sizeof(info.field), snprintf(info.field, sizeof(info.field), "%s", field));
    cut_at_character(info.message, sizeof(info.message),
                     vsnprintf(info.message, sizeof(info.message), format, args));
    *reterr = info;
}

int err_set(struct err_info *reterr, int code, const char *format, ...)
{
    if (reterr) {
        va_list args;
        va_start(args, format);
        write_sentence(reterr, code, "", format, args);
        va_end(args);
    }
    return code;
}

int err_set_field(struct err_info *reterr, int code, const char *field, const char *format, ...)
{
    if (reterr) {
        va_list args;
        va_start(args, format);
        write_sentence(reterr, code, field, format, args);
        va_end(args);
    }
    return code;
}

void err_prefix(struct err_info *reterr, const char *format, ...)
{
    if (!reterr)
        return;
    char prefix[ERR_MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    cut_at_character(prefix, sizeof(prefix), vsnprintf(prefix, sizeof(prefix), format, args));
    va_end(args);
    char sentence[2 * ERR_MESSAGE_SIZE];
    int wanted = snprintf(sentence, sizeof(sentence), "%s%s", prefix, reterr->message);
    snprintf(reterr->message, sizeof(reterr->message), "%.*s", (int)sizeof(reterr->message) - 1, sentence);
    cut_at_character(reterr->message, sizeof(reterr->message), wanted);
}

const char *err_name(int code)
{
    static const char *const names[] = {
        [-ERR_NOMEM] = "out_of_memory",     [-ERR_LIMIT] = "limit_exceeded",
        [-ERR_INVALID] = "invalid",         [-ERR_NOT_FOUND] = "not_found",
        [-ERR_CONFLICT] = "conflict",       [-ERR_TIMEOUT] = "timeout",
        [-ERR_CANCELLED] = "cancelled",     [-ERR_UNAVAILABLE] = "unavailable",
        [-ERR_REMOTE] = "source_error",     [-ERR_IO] = "io_error",
        [-ERR_CORRUPT] = "corrupt",         [-ERR_DENIED] = "unauthorized",
        [-ERR_FORBIDDEN] = "forbidden",     [-ERR_UNSUPPORTED] = "unsupported",
        [-ERR_INTERNAL] = "internal_error",
    };
    if (code < 0 && -(long)code < (long)(sizeof(names) / sizeof(names[0])))
        return names[-code];
    return "internal_error";
}
