/* SPDX-License-Identifier: Apache-2.0
 *
 * recall: a request that comes again in the same bytes needs no reading. What the cache answered is noted
 * under a digest of tenant and bytes; the note only says which answer that was and whose data it depends on,
 * so that the answer's own freshness decides as ever.
 */
#include "build/build_priv.h"

#include "core/mem.h"

#include <sodium.h>

struct recall {
    int n_refs;           /* atomic */
    struct shelf_key key; /* of the answer */
    size_t user_len;
    char user[];
};

void recall_hold(void *object)
{
    struct recall *recall = object;
    __atomic_fetch_add(&recall->n_refs, 1, __ATOMIC_RELAXED);
}

void recall_unref(void *object)
{
    struct recall *recall = object;
    if (recall && __atomic_sub_fetch(&recall->n_refs, 1, __ATOMIC_ACQ_REL) == 0)
        mem_free(recall);
}

void build_recall_note(const struct build *build)
{
    struct build_cache *cache = build->engine->cache;
    struct str user = build->scope.user;
    struct recall *recall = mem_alloc(sizeof *recall + user.len);
    struct shelf_key key;
    if (!recall) /* the next one is read again */
        return;
    recall->n_refs = 1;
    recall->key = build->key;
    recall->user_len = user.len;
    memcpy(recall->user, user.ptr, user.len);
    build_recall_key(cache, build->scope.tenant, build->request->bytes, &key);
    shelf_put(build_cache_recalls(cache), &key, recall, sizeof *recall + user.len, build->scope.tenant, 0,
              INT64_MAX);
    recall_unref(recall);
}

int build_recall(struct build_engine *engine, struct str tenant, struct str bytes,
                 struct build_outcome *ret_outcome)
{
    int64_t started_us = clock_mono_us(engine->clock);
    struct shelf_key key;
    if (!engine->cache)
        return 1;
    build_recall_key(engine->cache, tenant, bytes, &key);
    struct recall *recall = shelf_get(build_cache_recalls(engine->cache), &key, (struct shelf_fresh){0, 0});
    if (!recall)
        return 1;
    struct scope scope = {tenant, str_make(recall->user, recall->user_len)};
    struct build_answer *answer = build_cache_get(engine, &recall->key, &scope);
    recall_unref(recall);
    if (!answer)
        return 1;
    *ret_outcome = (struct build_outcome){
        .answer = answer, .cache = OUTCOME_HIT, .took_us = clock_mono_us(engine->clock) - started_us};
    return 0;
}
