/* SPDX-License-Identifier: Apache-2.0
 *
 * Conversations: turns in the order in which they were written down, which is the order of their rows; the
 * time they carry may be the caller's and decides nothing.
 */
#include "memory/memory_priv.h"

static int check_role(struct str role, struct err_info *reterr)
{
    static const char *const known[] = {"user", "assistant", "system", "tool"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_is(role, known[i]))
            return 0;
    return err_set_field(reterr, ERR_INVALID, "role", "role must be user, assistant, system or tool");
}

static int check_turn(const struct turn *turn, struct err_info *reterr)
{
    int err = memory_check_text(turn->session, "session_id", MEMORY_MAX_NAME_BYTES, false, reterr);
    if (!err)
        err = check_role(turn->role, reterr);
    if (!err)
        err = memory_check_text(turn->content, "content", MEMORY_MAX_CONTENT_BYTES, false, reterr);
    if (!err)
        err = memory_check_text(turn->language, "language", MEMORY_MAX_NAME_BYTES, true, reterr);
    if (!err)
        err = memory_check_text(turn->intent, "intent", MEMORY_MAX_NAME_BYTES, true, reterr);
    if (!err)
        err = memory_check_metadata(turn->metadata, "metadata", reterr);
    if (!err)
        err = memory_check_time(turn->created_us, "created_at", reterr);
    return err;
}

struct adding {
    struct scope scope;
    const struct turn *turn;
    struct str id;
    int64_t created_us;
};

static int add_turn(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    const struct adding *adding = arg;
    const struct turn *turn = adding->turn;
    struct value params[] = {value_text(adding->id),         value_text(adding->scope.tenant),
                             value_text(adding->scope.user), value_text(turn->session),
                             value_text(turn->role),         value_text(turn->content),
                             value_text(turn->language),     value_text(turn->intent),
                             value_text(turn->metadata),     value_int(adding->created_us)};
    int err = store_exec(
        txn,
        "INSERT INTO conversations (id, tenant, user_id, session_id, role, content, language, intent, "
        "metadata, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params, 10, reterr);
    if (!err)
        err = store_touch(txn, adding->scope.tenant, adding->scope.user);
    return err;
}

int conversation_add(struct memory *memory, const struct scope *scope, const struct turn *turn,
                     struct arena *arena, struct str *ret_id, struct err_info *reterr)
{
    struct adding adding = {.turn = turn};
    char id[MEMORY_ID_SIZE];
    int err = memory_check_scope(scope, &adding.scope, reterr);
    if (!err)
        err = check_turn(turn, reterr);
    if (err)
        return err;
    memory_make_id("turn_", id);
    adding.created_us = turn->created_us ? turn->created_us : clock_wall_us(memory->clock);
    adding.id = arena_copy(arena, str_of(id));
    if (arena_error(arena))
        return err_set(reterr, arena_error(arena), "no memory left for a turn");
    err = store_write(memory->store, add_turn, &adding, reterr);
    if (!err)
        *ret_id = adding.id;
    return err;
}

/* ---- listing ---- */

struct listing {
    struct scope scope;
    struct str session, before;
    size_t limit;
    struct arena *arena;
    int64_t before_row; /* only turns of lower rows */
    struct turn *turns; /* newest first while they come */
    size_t n, cap;
};

static int read_row_number(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    struct listing *listing = arg;
    (void)n_columns;
    (void)reterr;
    listing->before_row = memory_int_of(columns[0]);
    return 0;
}

static int find_before(struct store_txn *txn, struct listing *listing, struct err_info *reterr)
{
    struct value params[] = {value_text(listing->scope.tenant), value_text(listing->scope.user),
                             value_text(listing->before)};
    listing->before_row = -1;
    int err = store_query(txn, "SELECT row FROM conversations WHERE tenant = ?1 AND user_id = ?2 AND id = ?3",
                          params, 3, read_row_number, listing, reterr);
    if (!err && listing->before_row < 0)
        err = err_set_field(reterr, ERR_INVALID, "before", "there is no such turn");
    return err;
}

static int read_turn(const struct value *columns, size_t n_columns, void *arg, struct err_info *reterr)
{
    struct listing *listing = arg;
    struct arena *arena = listing->arena;
    (void)n_columns;
    listing->turns = arena_grow(arena, listing->turns, listing->n, &listing->cap, sizeof(*listing->turns));
    if (listing->turns)
        listing->turns[listing->n++] = (struct turn){.id = memory_copy_text(arena, columns[0]),
                                                     .session = memory_copy_text(arena, columns[1]),
                                                     .role = memory_copy_text(arena, columns[2]),
                                                     .content = memory_copy_text(arena, columns[3]),
                                                     .language = memory_copy_text(arena, columns[4]),
                                                     .intent = memory_copy_text(arena, columns[5]),
                                                     .metadata = memory_copy_text(arena, columns[6]),
                                                     .created_us = memory_int_of(columns[7])};
    if (arena_error(arena))
        return err_set(reterr, arena_error(arena), "the answer is larger than a request may hold");
    return 0;
}

#define TURN_COLUMNS "id, session_id, role, content, language, intent, metadata, created_at"

static int list_turns(struct store_txn *txn, void *arg, struct err_info *reterr)
{
    struct listing *listing = arg;
    if (listing->before.len) {
        int err = find_before(txn, listing, reterr);
        if (err)
            return err;
    }
    struct value params[] = {value_text(listing->scope.tenant), value_text(listing->scope.user),
                             value_int(listing->before_row), value_int((int64_t)listing->limit),
                             value_text(listing->session)};
    if (!listing->session.len)
        return store_query(txn,
                           "SELECT " TURN_COLUMNS " FROM conversations WHERE tenant = ?1 AND user_id = ?2 "
                           "AND row < ?3 ORDER BY row DESC LIMIT ?4",
                           params, 4, read_turn, listing, reterr);
    return store_query(txn,
                       "SELECT " TURN_COLUMNS " FROM conversations WHERE tenant = ?1 AND user_id = ?2 "
                       "AND session_id = ?5 AND row < ?3 ORDER BY row DESC LIMIT ?4",
                       params, 5, read_turn, listing, reterr);
}

static void reverse(struct turn *turns, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        struct turn turn = turns[i];
        turns[i] = turns[n - 1 - i];
        turns[n - 1 - i] = turn;
    }
}

int conversation_list(struct memory *memory, const struct scope *scope, struct str session, size_t limit,
                      struct str before, struct arena *arena, struct turn **ret_turns, size_t *ret_n,
                      struct err_info *reterr)
{
    struct listing listing = {
        .session = session, .before = before, .limit = limit, .arena = arena, .before_row = INT64_MAX};
    int err = memory_check_scope(scope, &listing.scope, reterr);
    if (!err)
        err = memory_check_limit(limit, reterr);
    if (!err)
        err = store_read(memory->store, list_turns, &listing, reterr);
    if (err)
        return err;
    reverse(listing.turns, listing.n);
    *ret_turns = listing.turns;
    *ret_n = listing.n;
    return 0;
}
