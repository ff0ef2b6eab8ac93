/* SPDX-License-Identifier: Apache-2.0
 *
 * Forgetting by rule. What the rule fits is read on a snapshot, so that a long look at every row does not
 * hold up the writer; then those rows are erased in one transaction, each only if it is still as it was when
 * it was looked at.
 */
#include "memory/memory_priv.h"
#include "text/fold.h"

struct match {
    struct str id;
    int64_t change;
};

struct matching {
    struct scope scope;
    const struct knowledge_rule *rule;
    struct buf needle; /* rule->contains, folded */
    struct buf folded; /* of one row's content */
    struct arena *arena;
    struct match *matches;
    size_t n, cap;
    /* of the erasing */
    int64_t now_us;
    struct str *ids;
    size_t n_erased;
};

#define CANDIDATE_COLUMNS "id, change, tags, content"

static bool has_tag(const struct str *tags, size_t n_tags, struct str tag)
{
    for (size_t i = 0; i < n_tags; i++)
        if (str_eq(tags[i], tag))
            return true;
    return false;
}

/* 1 when the row has all of the rule's tags, 0 when not, or an error. */
static int fits_tags(const struct knowledge_rule *rule, struct str json, struct err_info *reterr)
{
    struct arena arena;
    struct str *tags;
    size_t n_tags;
    if (!rule->n_tags)
        return 1;
    arena_init(&arena, MEMORY_MAX_METADATA_BYTES);
    int fits = memory_parse_tags(json, &arena, &tags, &n_tags, reterr);
    if (!fits && arena_error(&arena))
        fits = err_set(reterr, arena_error(&arena), "out of memory while looking for what to forget");
    if (!fits) {
        fits = 1;
        for (size_t i = 0; i < rule->n_tags && fits; i++)
            fits = has_tag(tags, n_tags, rule->tags[i]);
    }
    arena_done(&arena);
    return fits;
}

/* 1 when the row contains the rule's text, 0 when not, or an error. */
static int fits_text(struct matching *matching, struct str content, struct err_info *reterr)
{
    if (!matching->needle.len)
        return 1;
    buf_clear(&matching->folded);
    text_append_folded(&matching->folded, content);
    if (buf_error(&matching->folded))
        return err_set(reterr, buf_error(&matching->folded),
                       "out of memory while looking for what to forget");
    return str_find(buf_str(&matching->folded), buf_str(&matching->needle)) >= 0;
}

static int look_at_row(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    struct matching *matching = arg;
    (void)n_columns;
    int fits = fits_tags(matching->rule, columns[2].text, reterr);
    if (fits > 0)
        fits = fits_text(matching, columns[3].text, reterr);
    if (fits <= 0)
        return fits;
    matching->matches = arena_grow(matching->arena, matching->matches, matching->n, &matching->cap,
                                   sizeof(*matching->matches));
    if (!matching->matches)
        return err_set(reterr, arena_error(matching->arena),
                       "the rule fits more rows than a request may hold");
    matching->matches[matching->n++] =
        (struct match){memory_copy_text(matching->arena, columns[0]), memory_int_of(columns[1])};
    return 0;
}

static bool stands_before(const struct str *ids, size_t idx)
{
    for (size_t i = 0; i < idx; i++)
        if (str_eq(ids[i], ids[idx]))
            return true;
    return false;
}

static int look_at_ids(struct store_txn *txn, struct matching *matching, struct err_info *reterr)
{
    const struct knowledge_rule *rule = matching->rule;
    int err = 0;
    for (size_t i = 0; i < rule->n_ids && !err; i++) {
        struct value params[] = {value_text(matching->scope.tenant), value_text(matching->scope.user),
                                 value_int(rule->before_us), value_text(rule->source),
                                 value_text(rule->ids[i])};
        if (stands_before(rule->ids, i))
            continue;
        err = store_query(txn,
                          "SELECT " CANDIDATE_COLUMNS " FROM knowledge WHERE tenant = ?1 AND user_id = ?2 "
                          "AND is_deleted = 0 AND created_at < ?3 AND (?4 = '' OR source = ?4) AND id = ?5",
                          params, 5, look_at_row, matching, reterr);
    }
    return err;
}

static int look_at_all(struct store_txn *txn, struct matching *matching, struct err_info *reterr)
{
    const struct knowledge_rule *rule = matching->rule;
    struct value params[] = {value_text(matching->scope.tenant), value_text(matching->scope.user),
                             value_int(rule->before_us), value_text(rule->source)};
    return store_query(txn,
                       "SELECT " CANDIDATE_COLUMNS " FROM knowledge WHERE tenant = ?1 AND user_id = ?2 "
                       "AND is_deleted = 0 AND created_at < ?3 AND (?4 = '' OR source = ?4) ORDER BY row",
                       params, 4, look_at_row, matching, reterr);
}

static int find_matches(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    struct matching *matching = arg;
    return matching->rule->n_ids ? look_at_ids(txn, matching, reterr) : look_at_all(txn, matching, reterr);
}

static int erase_matches(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    struct matching *matching = arg;
    int64_t change;
    int err = memory_next_change(txn, &change, reterr);
    for (size_t i = 0; i < matching->n && !err; i++) {
        const struct match *match = &matching->matches[i];
        bool is_done = false;
        err = knowledge_erase(txn, matching->scope.tenant, match->id, match->change, change, matching->now_us,
                              &is_done, reterr);
        if (is_done)
            matching->ids[matching->n_erased++] = match->id;
    }
    return err;
}

static int check_rule(const struct knowledge_rule *rule, struct err_info *reterr)
{
    if (!rule->n_ids && !rule->n_tags && !rule->source.len && !rule->contains.len &&
        rule->before_us == INT64_MIN)
        return err_set(reterr, ERR_INVALID,
                       "nothing says what to forget: give ids, tags, source, before or contains");
    if (rule->n_ids > MEMORY_MAX_BATCH)
        return err_set_field(reterr, ERR_INVALID, "ids", "%zu ids are given, the most is %d", rule->n_ids,
                             MEMORY_MAX_BATCH);
    int err = knowledge_check_tags(rule->tags, rule->n_tags, reterr);
    if (!err)
        err = memory_check_text(rule->source, "source", MEMORY_MAX_NAME_BYTES, true, reterr);
    if (!err)
        err = memory_check_text(rule->contains, "contains", MEMORY_MAX_CONTENT_BYTES, true, reterr);
    return err;
}

/* All that fit when it is a dry run, else those that were erased. */
static int find_and_erase(struct memory *memory, struct matching *matching, bool is_dry_run,
                          struct err_info *reterr)
{
    int err = store_read(memory->store, find_matches, matching, reterr);
    if (err)
        return err;
    matching->ids = arena_calloc(matching->arena, matching->n, sizeof(*matching->ids));
    if (arena_error(matching->arena))
        return err_set(reterr, arena_error(matching->arena),
                       "the rule fits more rows than a request may hold");
    if (is_dry_run)
        for (size_t i = 0; i < matching->n; i++)
            matching->ids[matching->n_erased++] = matching->matches[i].id;
    else if (matching->n)
        err = store_write(memory->store, erase_matches, matching, reterr);
    return err;
}

int knowledge_forget(struct memory *memory, const struct scope *scope, const struct knowledge_rule *rule,
                     bool is_dry_run, struct arena *arena, struct str **ret_ids, size_t *ret_n,
                     struct err_info *reterr)
{
    /* A missing bound is one that every row passes. */
    struct knowledge_rule bounded = *rule;
    if (rule->before_us == INT64_MIN)
        bounded.before_us = INT64_MAX;
    struct matching matching = {.rule = &bounded, .arena = arena, .now_us = clock_wall_us(memory->clock)};
    int err = memory_check_scope(scope, &matching.scope, reterr);
    if (!err)
        err = check_rule(rule, reterr);
    if (err)
        return err;
    buf_init(&matching.needle, SIZE_MAX / 2); /* folding may lengthen what is bounded already */
    buf_init(&matching.folded, SIZE_MAX / 2);
    text_append_folded(&matching.needle, rule->contains);
    err = buf_error(&matching.needle);
    if (err)
        (void)err_set(reterr, err, "out of memory while looking for what to forget");
    else
        err = find_and_erase(memory, &matching, is_dry_run, reterr);
    buf_done(&matching.needle);
    buf_done(&matching.folded);
    if (err)
        return err;
    *ret_ids = matching.ids;
    *ret_n = matching.n_erased;
    return 0;
}
