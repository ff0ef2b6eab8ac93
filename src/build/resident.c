/* SPDX-License-Identifier: Apache-2.0
 *
 * See resident.h. Keys are made with a secret and begin with tenant and user, so that one tenant's requests
 * tell nothing of another's.
 */
#include "build/resident.h"

#include "core/mem.h"

#include <sodium.h>

/* A dozen preferences and twenty turns are a few kilobytes: room for thousands of users. */
#define MAX_BYTES     ((size_t)8 * 1024 * 1024)
#define MAX_RESIDENTS 8192
#define MAX_KEY_BYTES ((size_t)1024 * 1024)

struct residents {
    struct shelf *shelf;
    unsigned char secret[crypto_generichash_KEYBYTES];
};

static const struct shelf_ops ops = {material_hold, material_unref};

int residents_new(struct residents **ret_residents)
{
    struct residents *residents = mem_calloc(1, sizeof *residents);
    if (!residents)
        return ERR_NOMEM;
    if (shelf_new(&ops, MAX_BYTES, MAX_RESIDENTS, &residents->shelf) < 0) {
        mem_free(residents);
        return ERR_NOMEM;
    }
    randombytes_buf(residents->secret, sizeof residents->secret);
    *ret_residents = residents;
    return 0;
}

struct residents *residents_free(struct residents *residents)
{
    if (!residents)
        return NULL;
    shelf_free(residents->shelf);
    sodium_memzero(residents->secret, sizeof residents->secret);
    return mem_free(residents);
}

void residents_clear(struct residents *residents, struct str tenant)
{
    (void)shelf_clear(residents->shelf, tenant, 0, true);
}

int resident_key(struct build *build, struct build_step *step, const struct source_request *request)
{
    const struct residents *residents = build->engine->residents;
    const struct source_ops *kind = step->plan->ops;
    struct buf key;
    if (!kind->follows_store)
        return 0;
    buf_init(&key, MAX_KEY_BYTES);
    value_print_key(value_text(request->scope.tenant), &key);
    value_print_key(value_text(request->scope.user), &key);
    value_print_key(value_text(str_of(kind->kind)), &key);
    value_print_key(value_int((int64_t)request->max_rows), &key);
    for (size_t i = 0; kind->settings && kind->settings[i].name; i++)
        value_print_key(request->settings[i], &key);
    int rc = buf_error(&key);
    if (rc == 0)
        (void)crypto_generichash(step->resident.bytes, sizeof step->resident.bytes,
                                 (const unsigned char *)key.data, key.len, residents->secret,
                                 sizeof residents->secret);
    step->is_resident = rc == 0;
    buf_done(&key);
    return rc == ERR_LIMIT ? 0 : rc;
}

struct material *resident_find(const struct build *build, const struct build_step *step)
{
    struct shelf_fresh fresh = {0, build->data_version};
    return step->is_resident ? shelf_get(build->engine->residents->shelf, &step->resident, fresh) : NULL;
}

void resident_keep(const struct build *build, const struct build_step *step)
{
    const struct source_result *result = step->material->result;
    if (step->is_resident && result->degraded.len == 0)
        shelf_put(build->engine->residents->shelf, &step->resident, step->material,
                  sizeof *step->material + sizeof *result + result->arena.used_bytes, build->scope.tenant,
                  build->data_version, INT64_MAX);
}
