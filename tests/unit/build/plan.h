/* SPDX-License-Identifier: Apache-2.0
 *
 * Plans made by hand for the tests of fit and the ledger: sections and items without a recipe, a source or a
 * rank; tokenizers whose counts can be done in the head; random numbers.
 */
#ifndef PRECIS_TESTS_BUILD_PLAN_H
#define PRECIS_TESTS_BUILD_PLAN_H

#include "build/build_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#define MAX_SECTIONS 8
#define MAX_ITEMS    24

static inline size_t next_byte(struct str text, size_t from)
{
    size_t at = from > 0 ? from : 1;
    return at < text.len ? at : TOKENS_NO_BREAK;
}

static inline size_t last_byte(struct str text, size_t to)
{
    size_t at = to < text.len ? to : text.len - (text.len > 0);
    return at > 0 ? at : TOKENS_NO_BREAK;
}

/* One byte, one token: costs add up exactly. */
static inline int64_t count_bytes(struct str text)
{
    return (int64_t)text.len;
}
static const struct tokenizer by_byte = {"bytes", count_bytes, count_bytes, 1, next_byte, last_byte};

/* Four bytes a token, rounded up. */
static inline int64_t count_quads(struct str text)
{
    return (int64_t)(text.len + 3) / 4;
}
static const struct tokenizer by_quad = {"quads", count_quads, count_bytes, 4, next_byte, last_byte};

struct plan {
    struct recipe recipe;
    struct recipe_section sections[MAX_SECTIONS];
    struct build_section states[MAX_SECTIONS];
    struct build_item items[MAX_SECTIONS][MAX_ITEMS];
    size_t printed[MAX_SECTIONS][MAX_ITEMS];
    char names[MAX_SECTIONS][16];
    struct build build;
    struct build_request request;
    char pool[MAX_SECTIONS * MAX_ITEMS * 128];
    size_t pool_used;
};

static inline void plan_init(struct plan *plan, const struct tokenizer *tokenizer, enum build_format format,
                             int64_t max_tokens)
{
    memset(plan, 0, sizeof *plan);
    plan->recipe.sections = plan->sections;
    plan->build = (struct build){.recipe = &plan->recipe,
                                 .request = &plan->request,
                                 .tokenizer = tokenizer,
                                 .format = build_format_find(format),
                                 .max_tokens = max_tokens,
                                 .sections = plan->states};
    plan->request.format = format;
    arena_init(&plan->build.arena, 1 << 24);
    buf_init(&plan->build.stable, 1 << 24);
    buf_init(&plan->build.volatile_, 1 << 24);
    buf_init(&plan->build.context, 1 << 24);
}

static inline void plan_done(struct plan *plan)
{
    buf_done(&plan->build.stable);
    buf_done(&plan->build.volatile_);
    buf_done(&plan->build.context);
    arena_done(&plan->build.arena);
}

static inline size_t plan_add_section(struct plan *plan, int64_t min_tokens, int64_t max_tokens)
{
    size_t idx = plan->recipe.n_sections++;
    (void)snprintf(plan->names[idx], sizeof plan->names[idx], "s%zu", idx);
    plan->sections[idx] = (struct recipe_section){.step.name = str_of(plan->names[idx]),
                                                  .title = str_of(plan->names[idx]),
                                                  .limit = MAX_ITEMS,
                                                  .min_tokens = min_tokens,
                                                  .max_tokens = max_tokens};
    plan->states[idx] = (struct build_section){.plan = &plan->sections[idx],
                                               .status = SECTION_OK,
                                               .items = plan->items[idx],
                                               .printed = plan->printed[idx]};
    return idx;
}

/* An item of `len` letters. */
static inline struct build_item *plan_add_item(struct plan *plan, size_t section, size_t len)
{
    struct build_section *state = &plan->states[section];
    size_t idx = state->n_items++;
    char *text = plan->pool + plan->pool_used;
    plan->pool_used += len;
    assert_true(plan->pool_used <= sizeof plan->pool && idx < MAX_ITEMS);
    memset(text, 'a' + (int)idx, len);
    state->printed[idx] = idx;
    state->items[idx] =
        (struct build_item){.text = str_make(text, len), .score = NAN, .time_us = INT64_MIN, .tokens = -1};
    if (plan->request.format == FORMAT_JSON)
        state->items[idx].json = arena_printf(&plan->build.arena, "{\"t\":\"%.*s\"}", (int)len, text);
    return &state->items[idx];
}

static inline uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static inline size_t random_below(uint64_t *seed, size_t n)
{
    return (size_t)(random_next(seed) % n);
}

#endif
