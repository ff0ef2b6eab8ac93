/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is calling. The tenant comes from the key and from nowhere else.
 */
#ifndef PRECIS_SERVE_AUTH_H
#define PRECIS_SERVE_AUTH_H

#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "memory/memory.h"
#include "serve/serve.h"

#include <stdatomic.h>

struct caller {
    struct str tenant; /* in the request's arena, or static */
    int scopes;        /* KEY_... bits */
};

struct auth {
    struct memory *memory;
    const struct clock *clock;
    enum serve_keyless keyless;
    bool is_loopback;
    /* api_key_version shifted left by one, with bit 0: some key exists; UINT64_MAX: not asked yet */
    _Atomic uint64_t known;
};

void auth_init(struct auth *auth, struct memory *memory, const struct clock *clock,
               enum serve_keyless keyless, bool is_loopback);

/* "Bearer SECRET" gives the secret; false for anything else. */
bool auth_bearer(struct str authorization, struct str *ret_secret);

/* Never waits: 0 with the caller, 1 when only the store can tell (auth_ask), ERR_DENIED. authorization is ""
 * when the header is missing. */
int auth_peek(struct auth *auth, struct str authorization, struct arena *arena, struct caller *ret_caller,
              struct err_info *reterr);
/* The same, asking the store. */
int auth_ask(struct auth *auth, struct str authorization, struct arena *arena, struct caller *ret_caller,
             struct err_info *reterr);
/* Whether any key exists that is valid now; asks the store. */
int auth_has_keys(struct memory *memory, const struct clock *clock, bool *ret_has_keys,
                  struct err_info *reterr);

#endif
