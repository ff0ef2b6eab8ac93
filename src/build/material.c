/* SPDX-License-Identifier: Apache-2.0
 *
 * What a step of the recipe brought, shared between the build that asked for it and the shelf that keeps it
 * for the day when its source fails.
 */
#include "build/build_priv.h"

#include "core/mem.h"

struct material *material_new(struct source_result *result, int64_t fetched_us)
{
    struct material *material = mem_alloc(sizeof *material);
    if (!material) {
        source_result_free(result);
        return NULL;
    }
    *material = (struct material){.n_refs = 1, .result = result, .fetched_us = fetched_us};
    return material;
}

void material_hold(void *object)
{
    struct material *material = object;
    __atomic_fetch_add(&material->n_refs, 1, __ATOMIC_RELAXED);
}

void material_unref(void *object)
{
    struct material *material = object;
    if (!material || __atomic_sub_fetch(&material->n_refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    source_result_free(material->result);
    mem_free(material);
}

int build_material_key(struct build *build, struct build_step *step)
{
    struct build_names names = {.build = build, .is_timeless = true};
    struct source_request request = {0};
    struct buf key;
    bool is_kept =
        build->engine->cache && build->request->cache != CACHE_OFF && build->recipe->cache_stale_us > 0;
    if (!is_kept)
        return 0;
    int rc = build_settings_fill(&names, step->plan, &build->arena, &request);
    if (rc < 0)
        return rc;
    buf_init(&key, BUILD_MAX_ARENA_BYTES);
    value_print_key(value_text(build->scope.tenant), &key);
    value_print_key(value_text(build->scope.user), &key);
    value_print_key(value_text(str_of(build->recipe->version)), &key);
    value_print_key(value_text(build->recipe->name), &key);
    value_print_key(value_text(step->plan->name), &key);
    value_print_key(value_text(build->request->query), &key);
    for (size_t i = 0; step->plan->ops->settings && step->plan->ops->settings[i].name; i++)
        value_print_key(request.settings[i], &key);
    for (size_t i = 0; i < request.n_binds; i++)
        value_print_key(request.binds[i], &key);
    rc = buf_error(&key);
    build_shelf_key(build->engine->cache, buf_str(&key), &step->key);
    step->has_key = rc == 0;
    buf_done(&key);
    return rc;
}
