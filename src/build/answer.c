/* SPDX-License-Identifier: Apache-2.0
 *
 * The answer: the finished text with its counts, what became of every section, on request of every item
 * (explain), and all of it as JSON but for the three members that differ from reply to reply. Immutable once
 * made.
 */
#include "build/build_priv.h"

#include "core/mem.h"

#include <math.h>
#include <sodium.h>

#define ANSWER_MAX_BYTES                                                                                     \
    ((size_t)512 * 1024 * 1024) /* the text is bounded by fit; its JSON is at most six times that */

struct build_answer *build_answer_new(void)
{
    struct build_answer *answer = mem_calloc(1, sizeof *answer);
    if (!answer)
        return NULL;
    arena_init(&answer->arena, ANSWER_MAX_BYTES);
    answer->n_refs = 1;
    return answer;
}

struct build_answer *build_answer_hold(struct build_answer *answer)
{
    __atomic_fetch_add(&answer->n_refs, 1, __ATOMIC_RELAXED);
    return answer;
}

struct build_answer *build_answer_unref(struct build_answer *answer)
{
    if (!answer || __atomic_sub_fetch(&answer->n_refs, 1, __ATOMIC_ACQ_REL) > 0)
        return NULL;
    arena_done(&answer->arena);
    return mem_free(answer);
}

const char *section_status_name(enum section_status status)
{
    static const char *const names[] = {
        [SECTION_OK] = "ok",           [SECTION_EMPTY] = "empty",     [SECTION_SKIPPED] = "skipped",
        [SECTION_FAILED] = "failed",   [SECTION_TIMEOUT] = "timeout", [SECTION_STALE] = "stale",
        [SECTION_DROPPED] = "dropped",
    };
    return names[status];
}

static const char *fate_name(enum item_fate fate)
{
    static const char *const names[] = {
        [ITEM_OPEN] = "no_room",
        [ITEM_FITS] = "fits",
        [ITEM_SHORTENED] = "shortened",
        [ITEM_NO_ROOM] = "no_room",
        [ITEM_OVER_SECTION_MAX] = "over_section_max",
        [ITEM_DUPLICATE] = "duplicate",
        [ITEM_BELOW_MIN_SCORE] = "below_min_score",
        [ITEM_OVER_LIMIT] = "over_limit",
    };
    return names[fate];
}

const char *build_cache_name(const struct build_outcome *outcome)
{
    static const char *const names[] = {
        [OUTCOME_MISS] = "miss",     [OUTCOME_HIT] = "hit", [OUTCOME_STALE] = "stale",
        [OUTCOME_SHARED] = "shared", [OUTCOME_OFF] = "off",
    };
    return names[outcome->cache];
}

/* ---- reports ---- */

static void report_section(const struct build_section *section, struct arena *arena,
                           struct section_report *report)
{
    *report = (struct section_report){
        .name = arena_copy(arena, section->plan->step.name),
        .title = arena_copy(arena, section->plan->title),
        .status = section->status,
        .tokens = section->tokens,
        .took_us = section->step->took_us,
        .error = arena_copy(arena, section->step->error),
        .error_code = section->step->error_code,
        .from = arena_copy(arena, section->plan->step.from),
        .degraded = arena_copy(arena, section->degraded),
    };
    for (size_t i = 0; i < section->n_items; i++) {
        const struct build_item *item = &section->items[i];
        report->n_kept += item_is_kept(item) && !item->is_notice;
        report->n_dropped += !item_is_kept(item) && !item->is_notice;
    }
}

static void report_sections(const struct build *build, struct build_answer *answer)
{
    size_t n = build->recipe->n_sections;
    struct section_report *reports = arena_calloc(&answer->arena, n + 1, sizeof *reports);
    answer->is_complete = true;
    for (size_t i = 0; reports && i < n; i++) {
        enum section_status status = build->sections[i].status;
        report_section(&build->sections[i], &answer->arena, &reports[i]);
        if (status == SECTION_FAILED || status == SECTION_TIMEOUT || status == SECTION_STALE)
            answer->is_complete = false;
    }
    answer->sections = reports;
    answer->n_sections = n;
}

/* What the item cost, or would have. */
static int64_t tokens_of(const struct build *build, const struct build_item *item)
{
    if (item->tokens >= 0)
        return item->tokens;
    return build->tokenizer->count(item->json.len ? item->json : item->text);
}

static void report_items(const struct build *build, struct build_answer *answer)
{
    struct arena *arena = &answer->arena;
    size_t cap = 0;
    for (size_t i = 0; i < build->recipe->n_sections; i++) {
        const struct build_section *section = &build->sections[i];
        for (size_t j = 0; j < section->n_items; j++) {
            const struct build_item *item = &section->items[j];
            if (item->is_notice)
                continue;
            answer->items = arena_grow(arena, answer->items, answer->n_items, &cap, sizeof *answer->items);
            if (!answer->items)
                return;
            answer->items[answer->n_items++] = (struct item_report){
                .section = answer->sections[i].name,
                .id = arena_copy(arena, item->id),
                .tokens = tokens_of(build, item),
                .score = item->score,
                .score_parts = search_copy_parts(item->score_parts, arena),
                .is_kept = item_is_kept(item),
                .step = item->fate == ITEM_SHORTENED ? item->step : NULL,
                .reason = fate_name(item->fate),
            };
        }
    }
}

/* ---- as JSON ---- */

static void put_part(struct json_writer *writer, const char *name, struct str text, const char *sha256)
{
    json_put_name(writer, name);
    json_open_object(writer);
    json_put_member_text(writer, "text", text);
    if (sha256)
        json_put_member_text(writer, "sha256", str_of(sha256));
    json_close_object(writer);
}

static void put_section(struct json_writer *writer, const struct section_report *report)
{
    json_open_object(writer);
    json_put_member_text(writer, "name", report->name);
    json_put_member_text(writer, "title", report->title);
    json_put_member_text(writer, "status", str_of(section_status_name(report->status)));
    json_put_member_int(writer, "items", (int64_t)report->n_kept);
    json_put_member_int(writer, "dropped", (int64_t)report->n_dropped);
    json_put_member_int(writer, "tokens", report->tokens);
    json_put_member_ms(writer, "took_ms", report->took_us);
    json_put_name(writer, "error");
    if (report->error.len)
        json_put_text(writer, report->error);
    else
        json_put_null(writer);
    if (report->degraded.len)
        json_put_member_text(writer, "degraded", report->degraded);
    json_close_object(writer);
}

static void put_item(struct json_writer *writer, const struct item_report *report)
{
    json_open_object(writer);
    json_put_member_text(writer, "section", report->section);
    json_put_member_text(writer, "id", report->id);
    json_put_member_int(writer, "tokens", report->tokens);
    json_put_member_real(writer, "score", report->score);
    if (report->score_parts) {
        json_put_name(writer, "parts");
        search_write_parts(report->score_parts, writer);
    }
    json_put_member_bool(writer, "kept", report->is_kept);
    json_put_member_text(writer, "reason", str_of(report->reason));
    if (report->step)
        json_put_member_text(writer, "step", str_of(report->step));
    json_close_object(writer);
}

static void write_head(const struct build_answer *answer, struct buf *buf)
{
    struct json_writer writer;
    json_writer_init(&writer, buf);
    json_open_object(&writer);
    json_put_name(&writer, "context");
    if (answer->format == FORMAT_MARKDOWN)
        json_put_text(&writer, answer->context);
    else
        json_put_raw(&writer, answer->context);
    put_part(&writer, "stable", answer->stable, answer->stable_sha256);
    put_part(&writer, "volatile", answer->volatile_, NULL);
    json_put_member_int(&writer, "tokens", answer->tokens);
    json_put_member_int(&writer, "max_tokens", answer->max_tokens);
    json_put_member_text(&writer, "tokenizer", str_of(answer->tokenizer));
    json_put_member_bool(&writer, "complete", answer->is_complete);
    json_put_name(&writer, "sections");
    json_open_array(&writer);
    for (size_t i = 0; i < answer->n_sections; i++)
        put_section(&writer, &answer->sections[i]);
    json_close_array(&writer);
    if (!answer->has_explain)
        return;
    json_put_name(&writer, "explain");
    json_open_object(&writer);
    json_put_name(&writer, "items");
    json_open_array(&writer);
    for (size_t i = 0; i < answer->n_items; i++)
        put_item(&writer, &answer->items[i]);
    json_close_array(&writer);
    json_close_object(&writer);
}

void build_outcome_write_json(const struct build_outcome *outcome, struct str request_id, struct buf *buf)
{
    struct json_writer tail;
    json_writer_init(&tail, buf);
    buf_append_str(buf, outcome->answer->json_head);
    tail.has_item = true;
    json_put_member_text(&tail, "cache", str_of(build_cache_name(outcome)));
    json_put_member_ms(&tail, "took_ms", outcome->took_us);
    json_put_member_text(&tail, "request_id", request_id);
    json_close_object(&tail);
}

/* ---- the step ---- */

static void take_text(const struct build *build, struct build_answer *answer)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    answer->context = arena_copy(&answer->arena, buf_str(&build->context));
    if (build->request->format == FORMAT_MARKDOWN) {
        /* The parts stand in the whole as they are. */
        size_t volatile_at = answer->context.len - build->volatile_.len;
        answer->stable = str_slice(answer->context, 0, build->stable.len);
        answer->volatile_ = str_slice(answer->context, volatile_at, build->volatile_.len);
    } else {
        answer->stable = arena_copy(&answer->arena, buf_str(&build->stable));
        answer->volatile_ = arena_copy(&answer->arena, buf_str(&build->volatile_));
    }
    (void)crypto_hash_sha256(digest, (const unsigned char *)answer->stable.ptr, answer->stable.len);
    (void)sodium_bin2hex(answer->stable_sha256, sizeof answer->stable_sha256, digest, sizeof digest);
}

int build_finish(struct build *build, struct err_info *reterr)
{
    struct buf head;
    struct build_answer *answer = build_answer_new();
    if (!answer)
        return err_set(reterr, ERR_NOMEM, "out of memory");
    answer->format = build->request->format;
    answer->tokens = build->answer_tokens;
    answer->max_tokens = build->max_tokens;
    answer->tokenizer = build->tokenizer->name;
    answer->has_explain = build->request->wants_explain;
    take_text(build, answer);
    report_sections(build, answer);
    if (answer->has_explain && answer->sections)
        report_items(build, answer);

    buf_init(&head, ANSWER_MAX_BYTES);
    if (!arena_error(&answer->arena))
        write_head(answer, &head);
    answer->json_head = arena_copy(&answer->arena, buf_str(&head));
    int err = arena_error(&answer->arena) ? arena_error(&answer->arena) : buf_error(&head);
    buf_done(&head);
    if (err) {
        build_answer_unref(answer);
        return err_set(reterr, err, "the answer is too large");
    }
    answer->built_us = clock_mono_us(build->engine->clock);
    build->answer = answer;
    for (size_t i = 0; build->engine->observe && i < answer->n_sections; i++)
        build->engine->observe(build->engine->observe_owner, build->request, build->recipe,
                               &answer->sections[i]);
    return 0;
}
