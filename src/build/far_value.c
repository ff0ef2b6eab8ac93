/* SPDX-License-Identifier: Apache-2.0
 *
 * An answer as bytes: numbers in little endian, texts with their length. Read as if anybody had written it,
 * although far.c lets nothing come here that we did not.
 */
#include "build/build_priv.h"

#include "core/utf8.h"
#include "text/tokens.h"

#define FORMAT_VERSION 1
#define MAX_SECTIONS   RECIPE_MAX_STEPS

static void put_int(struct buf *buf, int64_t value)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)((uint64_t)value >> (8 * i));
    buf_append(buf, bytes, sizeof bytes);
}

static void put_str(struct buf *buf, struct str text)
{
    put_int(buf, (int64_t)text.len);
    buf_append_str(buf, text);
}

static void put_section(struct buf *buf, const struct section_report *report)
{
    put_str(buf, report->name);
    put_str(buf, report->title);
    put_int(buf, report->status);
    put_int(buf, (int64_t)report->n_kept);
    put_int(buf, (int64_t)report->n_dropped);
    put_int(buf, report->tokens);
    put_int(buf, report->took_us);
    put_str(buf, report->degraded);
}

void far_value_write(const struct build_answer *answer, struct buf *buf)
{
    put_int(buf, FORMAT_VERSION);
    put_int(buf, answer->format);
    put_int(buf, answer->tokens);
    put_int(buf, answer->max_tokens);
    put_str(buf, str_of(answer->tokenizer));
    put_str(buf, str_of(answer->stable_sha256));
    put_str(buf, answer->context);
    put_str(buf, answer->stable);
    put_str(buf, answer->volatile_);
    put_str(buf, answer->json_head);
    put_int(buf, (int64_t)answer->n_sections);
    for (size_t i = 0; i < answer->n_sections; i++)
        put_section(buf, &answer->sections[i]);
}

/* ---- reading ---- */

struct reader {
    struct str rest;
    struct arena *arena;
    bool is_bad;
};

/* 0 and is_bad when it is not between the two. */
static int64_t take_int(struct reader *reader, int64_t min, int64_t max)
{
    uint64_t value = 0;
    if (reader->rest.len < 8) {
        reader->is_bad = true;
        return 0;
    }
    for (size_t i = 0; i < 8; i++)
        value |= (uint64_t)(unsigned char)reader->rest.ptr[i] << (8 * i);
    reader->rest = str_slice(reader->rest, 8, SIZE_MAX);
    bool is_good = (int64_t)value >= min && (int64_t)value <= max;
    reader->is_bad |= !is_good;
    return is_good ? (int64_t)value : 0;
}

static struct str take_str(struct reader *reader)
{
    int64_t len = take_int(reader, 0, (int64_t)reader->rest.len);
    struct str text = str_slice(reader->rest, 0, (size_t)len);

    if ((size_t)len > reader->rest.len || !utf8_is_valid(text))
        reader->is_bad = true;
    if (reader->is_bad)
        return (struct str){NULL, 0};
    reader->rest = str_slice(reader->rest, (size_t)len, SIZE_MAX);
    return arena_copy(reader->arena, text);
}

static void take_section(struct reader *reader, struct section_report *report)
{
    report->name = take_str(reader);
    report->title = take_str(reader);
    report->status = (enum section_status)take_int(reader, SECTION_OK, SECTION_DROPPED);
    report->n_kept = (size_t)take_int(reader, 0, INT32_MAX);
    report->n_dropped = (size_t)take_int(reader, 0, INT32_MAX);
    report->tokens = take_int(reader, 0, INT32_MAX);
    report->took_us = take_int(reader, 0, INT64_MAX);
    report->degraded = take_str(reader);
    /* Only whole answers are kept. */
    reader->is_bad |= report->status == SECTION_FAILED || report->status == SECTION_TIMEOUT ||
                      report->status == SECTION_STALE;
}

static void take_answer(struct reader *reader, struct build_answer *answer)
{
    reader->is_bad |= take_int(reader, FORMAT_VERSION, FORMAT_VERSION) != FORMAT_VERSION;
    answer->format = (enum build_format)take_int(reader, FORMAT_MARKDOWN, FORMAT_MESSAGES);
    answer->tokens = take_int(reader, 0, INT32_MAX);
    answer->max_tokens = take_int(reader, 0, INT32_MAX);
    const struct tokenizer *tokenizer = tokenizer_find(take_str(reader));
    struct str sha256 = take_str(reader);
    answer->context = take_str(reader);
    answer->stable = take_str(reader);
    answer->volatile_ = take_str(reader);
    answer->json_head = take_str(reader);
    answer->n_sections = (size_t)take_int(reader, 0, MAX_SECTIONS);
    if (!tokenizer || sha256.len != sizeof answer->stable_sha256 - 1) {
        reader->is_bad = true;
        return;
    }
    answer->tokenizer = tokenizer->name;
    memcpy(answer->stable_sha256, sha256.ptr, sha256.len);
    answer->sections = arena_calloc(reader->arena, answer->n_sections + 1, sizeof *answer->sections);
    for (size_t i = 0; answer->sections && !reader->is_bad && i < answer->n_sections; i++)
        take_section(reader, &answer->sections[i]);
    reader->is_bad |= reader->rest.len > 0;
}

int far_value_read(struct str bytes, struct build_answer **ret_answer, struct err_info *reterr)
{
    struct build_answer *answer = build_answer_new();
    if (!answer)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    struct reader reader = {.rest = bytes, .arena = &answer->arena};
    take_answer(&reader, answer);
    answer->is_complete = true;
    int rc = arena_error(&answer->arena);
    if (rc < 0)
        (void)err_set(reterr, rc, "out of memory");
    else if (reader.is_bad)
        rc = err_set(reterr, ERR_CORRUPT, "this is no answer");
    if (rc < 0) {
        build_answer_unref(answer);
        return rc;
    }
    *ret_answer = answer;
    return 0;
}
