/* SPDX-License-Identifier: Apache-2.0
 *
 * What every test of a kind needs: a loop, workers, a temporary folder, and one call that asks a source and
 * waits.
 */
#ifndef PRECIS_TESTS_SOURCE_WORLD_H
#define PRECIS_TESTS_SOURCE_WORLD_H

#include "source/source.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct net_loop *loop;
    struct source_env env;
    char folder[64];
};

static int world_open(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_int_equal(net_loop_new(&clock_system, &world->loop, NULL), 0);
    assert_int_equal(workers_new("test", 4, 16, &world->env.workers, NULL), 0);
    world->env.clock = &clock_system;
    strncpy(world->folder, "/tmp/precis-source-XXXXXX", sizeof world->folder - 1);
    assert_non_null(mkdtemp(world->folder));
    *state = world;
    return 0;
}

static int world_remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int world_close(void **state)
{
    struct world *world = *state;
    net_loop_free(world->loop);
    workers_free(world->env.workers);
    nftw(world->folder, world_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(world);
    return 0;
}

/* The path of a name in the world's folder; of the last call only. */
static inline const char *world_path(struct world *world, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", world->folder, name);
    return path;
}

static inline int64_t world_deadline(int64_t after_ms)
{
    return clock_mono_us(&clock_system) + after_ms * US_PER_MS;
}

/* Asks and waits for the answer; what it returns is op.result, or the error of the start. */
static inline int world_fetch(struct world *world, struct source *source,
                              const struct source_request *request, struct source_result **ret_result,
                              struct err_info *reterr)
{
    struct source_fetch fetch = {0};
    struct net_op *op = NULL;

    *ret_result = NULL;
    int res = source_fetch_start(source, request, world->loop, &fetch, reterr);
    if (res < 0)
        return res;
    net_loop_flush(world->loop, true);
    do /* the wait itself may lack memory; the operation still waits then */
        res = net_loop_wait(world->loop, INT64_MAX, &op, NULL);
    while (res == ERR_NOMEM);
    assert_int_equal(res, 0);
    assert_ptr_equal(op, &fetch.op);
    if (reterr)
        *reterr = op->err;
    *ret_result = source_fetch_take(&fetch);
    assert_true((op->result == 0) == (*ret_result != NULL));
    return op->result;
}

/* A value of a result as text; "" for NULL. */
static inline void assert_cell(const struct source_result *result, size_t row, const char *column,
                               enum value_type type, const char *text)
{
    assert_true(row < result->n_rows);
    for (size_t i = 0; i < result->n_columns; i++) {
        if (!str_is(result->columns[i], column))
            continue;
        struct buf buf;
        buf_init(&buf, 1024 * 1024);
        value_print(result->rows[row].values[i], &buf);
        buf_append_byte(&buf, '\0');
        assert_string_equal(value_type_name(result->rows[row].values[i].type), value_type_name(type));
        assert_string_equal(buf.data, text);
        buf_done(&buf);
        return;
    }
    fail_msg("no column '%s'", column);
}

#endif
