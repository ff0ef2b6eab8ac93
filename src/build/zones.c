/* SPDX-License-Identifier: Apache-2.0
 *
 * See zones.h. A zone is read anew now and then, as the system's files are replaced when a country changes
 * its mind.
 */
#include "build/zones.h"

#include "build/shelf.h"
#include "core/mem.h"

#include <sodium.h>

#define MAX_BYTES  ((size_t)1024 * 1024)
#define MAX_ZONES  512
#define ZONE_BYTES ((size_t)4 * 1024) /* the larger ones have some hundred changes of 9 bytes */
#define KEPT_US    (600 * US_PER_SEC)

struct zones {
    struct shelf *shelf;
};

static void use_hold(void *object)
{
    struct zone_use *use = object;
    __atomic_fetch_add(&use->n_refs, 1, __ATOMIC_RELAXED);
}

void zone_use_unref(void *object)
{
    struct zone_use *use = object;
    if (!use || __atomic_sub_fetch(&use->n_refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    zone_free((struct zone *)use->zone);
    mem_free(use);
}

static const struct shelf_ops ops = {use_hold, zone_use_unref};

int zones_new(struct zones **ret_zones)
{
    struct zones *zones = mem_calloc(1, sizeof *zones);
    if (!zones)
        return ERR_NOMEM;
    if (shelf_new(&ops, MAX_BYTES, MAX_ZONES, &zones->shelf) < 0) {
        mem_free(zones);
        return ERR_NOMEM;
    }
    *ret_zones = zones;
    return 0;
}

struct zones *zones_free(struct zones *zones)
{
    if (!zones)
        return NULL;
    shelf_free(zones->shelf);
    return mem_free(zones);
}

int zones_get(struct zones *zones, const struct clock *clock, struct str name, struct zone_use **ret_use,
              struct err_info *reterr)
{
    int64_t now_us = clock_mono_us(clock);
    struct shelf_key key;
    struct zone *zone = NULL;
    (void)crypto_generichash(key.bytes, sizeof key.bytes, (const unsigned char *)name.ptr, name.len, NULL, 0);
    struct zone_use *use = shelf_get(zones->shelf, &key, (struct shelf_fresh){now_us, 0});
    if (use) {
        *ret_use = use;
        return 0;
    }
    int rc = zone_new(name, &zone, reterr);
    if (rc < 0)
        return rc;
    use = mem_alloc(sizeof *use);
    if (!use) {
        zone_free(zone);
        return err_set(reterr, ERR_NOMEM, "out of memory");
    }
    *use = (struct zone_use){.zone = zone, .n_refs = 1};
    shelf_put(zones->shelf, &key, use, ZONE_BYTES, (struct str){NULL, 0}, 0, now_us + KEPT_US);
    *ret_use = use;
    return 0;
}
