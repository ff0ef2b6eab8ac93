/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON writer: straight into a buf, with the comma that is due before each item. What comes out is valid
 * JSON in valid UTF-8 whatever goes in, except through json_put_raw.
 */
#include "core/json.h"

#include "core/utf8.h"
#include "core/value.h"

#include <math.h>

void json_writer_init(struct json_writer *writer, struct buf *buf)
{
    *writer = (struct json_writer){.buf = buf};
}

/* Before any item: the comma, if another stood before. */
static void begin_item(struct json_writer *writer)
{
    if (writer->has_item)
        buf_append_byte(writer->buf, ',');
    writer->has_item = true;
}

static void open_list(struct json_writer *writer, char bracket)
{
    begin_item(writer);
    buf_append_byte(writer->buf, bracket);
    writer->has_item = false;
}

static void close_list(struct json_writer *writer, char bracket)
{
    buf_append_byte(writer->buf, bracket);
    writer->has_item = true;
}

void json_open_object(struct json_writer *writer)
{
    open_list(writer, '{');
}

void json_close_object(struct json_writer *writer)
{
    close_list(writer, '}');
}

void json_open_array(struct json_writer *writer)
{
    open_list(writer, '[');
}

void json_close_array(struct json_writer *writer)
{
    close_list(writer, ']');
}

void json_put_name(struct json_writer *writer, const char *name)
{
    begin_item(writer);
    buf_append_byte(writer->buf, '"');
    buf_append_text(writer->buf, name);
    buf_append(writer->buf, "\":", 2);
    writer->has_item = false; /* the value follows without a comma */
}

void json_put_name_str(struct json_writer *writer, struct str name)
{
    json_put_text(writer, name);
    buf_append_byte(writer->buf, ':');
    writer->has_item = false; /* the value follows without a comma */
}

void json_put_text(struct json_writer *writer, struct str text)
{
    begin_item(writer);
    buf_append_byte(writer->buf, '"');
    json_escape(writer->buf, text);
    buf_append_byte(writer->buf, '"');
}

void json_put_int(struct json_writer *writer, int64_t value)
{
    begin_item(writer);
    buf_append_int(writer->buf, value);
}

void json_put_real(struct json_writer *writer, double value)
{
    begin_item(writer);
    if (isfinite(value))
        value_print(value_real(value), writer->buf);
    else
        buf_append_text(writer->buf, "null");
}

void json_put_fixed(struct json_writer *writer, double value, int n_decimals)
{
    begin_item(writer);
    if (isfinite(value))
        buf_append_fixed(writer->buf, value, n_decimals);
    else
        buf_append_text(writer->buf, "null");
}

void json_put_bool(struct json_writer *writer, bool value)
{
    json_put_raw(writer, value ? STR_LIT("true") : STR_LIT("false"));
}

void json_put_null(struct json_writer *writer)
{
    json_put_raw(writer, STR_LIT("null"));
}

void json_put_raw(struct json_writer *writer, struct str json)
{
    begin_item(writer);
    buf_append_str(writer->buf, json);
}

void json_put_member_text(struct json_writer *writer, const char *name, struct str text)
{
    json_put_name(writer, name);
    json_put_text(writer, text);
}

void json_put_member_int(struct json_writer *writer, const char *name, int64_t value)
{
    json_put_name(writer, name);
    json_put_int(writer, value);
}

void json_put_member_real(struct json_writer *writer, const char *name, double value)
{
    json_put_name(writer, name);
    json_put_real(writer, value);
}

void json_put_member_fixed(struct json_writer *writer, const char *name, double value, int n_decimals)
{
    json_put_name(writer, name);
    json_put_fixed(writer, value, n_decimals);
}

void json_put_member_ms(struct json_writer *writer, const char *name, int64_t us)
{
    int rest = (int)(us % 1000);
    char decimals[4] = {'.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10), (char)('0' + rest % 10)};
    size_t n = rest == 0 ? 0 : rest % 100 == 0 ? 2 : rest % 10 == 0 ? 3 : 4;
    json_put_name(writer, name);
    json_put_int(writer, us / 1000);
    buf_append(writer->buf, decimals, n);
}

void json_put_member_bool(struct json_writer *writer, const char *name, bool value)
{
    json_put_name(writer, name);
    json_put_bool(writer, value);
}

static void escape_byte(struct buf *buf, unsigned char byte)
{
    static const char short_names[0x20] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    char short_name = byte < 0x20 ? short_names[byte] : (char)byte;
    if (short_name) {
        buf_append_byte(buf, '\\');
        buf_append_byte(buf, short_name);
    } else {
        buf_printf(buf, "\\u%04x", byte);
    }
}

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Whether one of the eight bytes is below 0x20, a quote or a backslash. */
static bool has_special(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    uint64_t quotes = word ^ EACH_BYTE('"'), slashes = word ^ EACH_BYTE('\\');
    /* A byte below n sets its high bit in word - n unless it had one; bytes above it only by a borrow. */
    uint64_t low = (word - EACH_BYTE(0x20)) & ~word;
    uint64_t same = ((quotes - EACH_BYTE(1)) & ~quotes) | ((slashes - EACH_BYTE(1)) & ~slashes);
    return ((low | same) & EACH_BYTE(0x80)) != 0;
}

/* Well-formed text, run by run. */
static void escape_valid(struct buf *buf, struct str text)
{
    size_t start = 0;
    for (size_t pos = 0; pos < text.len; pos++) {
        while (text.len - pos > 8 && !has_special(text.ptr + pos))
            pos += 8;
        unsigned char byte = (unsigned char)text.ptr[pos];
        if (byte >= 0x20 && byte != '"' && byte != '\\')
            continue;
        buf_append(buf, text.ptr + start, pos - start);
        escape_byte(buf, byte);
        start = pos + 1;
    }
    if (start < text.len)
        buf_append(buf, text.ptr + start, text.len - start);
}

void json_escape(struct buf *buf, struct str text)
{
    while (text.len) {
        size_t valid = utf8_valid_prefix(text);
        escape_valid(buf, str_slice(text, 0, valid));
        if (valid == text.len)
            break;
        utf8_append(buf, 0xFFFD); /* one for each malformed byte */
        text = str_slice(text, valid + 1, text.len);
    }
}
