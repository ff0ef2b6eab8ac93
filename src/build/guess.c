/* SPDX-License-Identifier: Apache-2.0
 *
 * See guess.h. An answer is a guess once it came as often as needed, without another in between: once at
 * first, and four times as often after each time that it had changed, so that what changes all the time is
 * soon asked in two rounds again. Keys are made with a secret and begin with the tenant, so that one tenant's
 * requests tell nothing of another's.
 */
#include "build/guess.h"

#include "core/mem.h"

#include <sodium.h>

/* A number, a site and a time zone are a kilobyte: room for some thousand devices. */
#define MAX_BYTES       ((size_t)4 * 1024 * 1024)
#define MAX_GUESSES     4096
#define MAX_KEY_BYTES   ((size_t)1024 * 1024)
#define MAX_GUESS_BYTES ((size_t)16 * 1024) /* of one answer */
#define N_AT_FIRST      1
#define N_AT_MOST       256

struct guesses {
    struct shelf *shelf;
    unsigned char secret[crypto_generichash_KEYBYTES];
};

/* Never changed: one that has learned is another. */
struct guess {
    int n_refs; /* atomic */
    struct material *material;
    unsigned n_seen, n_needed; /* so often in a row it came, and has to */
};

static void guess_hold(void *object)
{
    struct guess *guess = object;
    __atomic_fetch_add(&guess->n_refs, 1, __ATOMIC_RELAXED);
}

static void guess_unref(void *object)
{
    struct guess *guess = object;
    if (!guess || __atomic_sub_fetch(&guess->n_refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    material_unref(guess->material);
    mem_free(guess);
}

static const struct shelf_ops ops = {guess_hold, guess_unref};

int guesses_new(struct guesses **ret_guesses)
{
    struct guesses *guesses = mem_calloc(1, sizeof *guesses);
    if (!guesses)
        return ERR_NOMEM;
    if (shelf_new(&ops, MAX_BYTES, MAX_GUESSES, &guesses->shelf) < 0) {
        mem_free(guesses);
        return ERR_NOMEM;
    }
    randombytes_buf(guesses->secret, sizeof guesses->secret);
    *ret_guesses = guesses;
    return 0;
}

struct guesses *guesses_free(struct guesses *guesses)
{
    if (!guesses)
        return NULL;
    shelf_free(guesses->shelf);
    sodium_memzero(guesses->secret, sizeof guesses->secret);
    return mem_free(guesses);
}

void guesses_clear(struct guesses *guesses, struct str tenant)
{
    (void)shelf_clear(guesses->shelf, tenant, 0, true);
}

int guess_key(struct build *build, struct build_step *step, const struct source_request *request)
{
    const struct guesses *guesses = build->engine->guesses;
    const struct source_ops *kind = step->plan->ops;
    struct buf key;
    buf_init(&key, MAX_KEY_BYTES);
    value_print_key(value_text(request->scope.tenant), &key);
    value_print_key(value_text(str_of(kind->kind)), &key);
    value_print_key(value_text(step->plan->from), &key);
    if (kind->wants_query_vector)
        value_print_key(value_text(request->query), &key);
    for (size_t i = 0; kind->settings && kind->settings[i].name; i++)
        value_print_key(request->settings[i], &key);
    for (size_t i = 0; i < request->n_binds; i++)
        value_print_key(request->binds[i], &key);
    int rc = buf_error(&key);
    if (rc == 0)
        (void)crypto_generichash(step->guess.bytes, sizeof step->guess.bytes, (const unsigned char *)key.data,
                                 key.len, guesses->secret, sizeof guesses->secret);
    step->has_guess_key = rc == 0;
    buf_done(&key);
    return rc == ERR_LIMIT ? 0 : rc;
}

static struct guess *find(const struct build *build, const struct build_step *step)
{
    struct shelf_fresh fresh = {0, 0};
    return step->has_guess_key ? shelf_get(build->engine->guesses->shelf, &step->guess, fresh) : NULL;
}

struct material *guess_find(const struct build *build, const struct build_step *step)
{
    struct guess *guess = find(build, step);
    struct material *material = NULL;
    if (guess && guess->n_seen >= guess->n_needed) {
        material = guess->material;
        material_hold(material);
    }
    guess_unref(guess);
    return material;
}

static void keep(const struct build *build, const struct build_step *step, unsigned n_seen, unsigned n_needed)
{
    const struct source_result *result = step->material->result;
    struct guess *guess = mem_alloc(sizeof *guess);
    if (!guess)
        return; /* it is learned the next time */
    *guess = (struct guess){.n_refs = 1, .material = step->material, .n_seen = n_seen, .n_needed = n_needed};
    material_hold(step->material);
    shelf_put(build->engine->guesses->shelf, &step->guess, guess,
              sizeof *guess + sizeof *step->material + sizeof *result + result->arena.used_bytes,
              build->scope.tenant, 0, INT64_MAX);
    guess_unref(guess);
}

void guess_note(const struct build *build, const struct build_step *step)
{
    const struct source_result *result = step->material->result;
    if (!step->has_guess_key || result->arena.used_bytes > MAX_GUESS_BYTES)
        return;
    struct guess *old = find(build, step);
    if (!old) {
        keep(build, step, 1, N_AT_FIRST);
    } else if (!guess_is_right(old->material, step->material)) {
        unsigned n_needed = 4 * old->n_needed;
        keep(build, step, 1, n_needed < N_AT_MOST ? n_needed : N_AT_MOST);
    } else if (old->n_seen < old->n_needed) {
        keep(build, step, old->n_seen + 1, old->n_needed);
    }
    guess_unref(old);
}

static bool is_same_value(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case VALUE_NULL:
        return true;
    case VALUE_BOOL:
        return a->boolean == b->boolean;
    case VALUE_INT:
        return a->integer == b->integer;
    case VALUE_REAL:
        return memcmp(&a->real, &b->real, sizeof a->real) == 0;
    case VALUE_TIME:
        return a->time_us == b->time_us;
    case VALUE_DECIMAL:
    case VALUE_TEXT:
    case VALUE_JSON:
        return str_eq(a->text, b->text);
    }
    return false;
}

bool guess_is_right(const struct material *guess, const struct material *answer)
{
    const struct source_result *a = guess->result, *b = answer->result;
    if (a->n_columns != b->n_columns || a->n_rows != b->n_rows || a->is_truncated != b->is_truncated)
        return false;
    for (size_t i = 0; i < a->n_columns; i++)
        if (!str_eq(a->columns[i], b->columns[i]))
            return false;
    for (size_t row = 0; row < a->n_rows; row++)
        for (size_t i = 0; i < a->n_columns; i++)
            if (!is_same_value(&a->rows[row].values[i], &b->rows[row].values[i]))
                return false;
    return true;
}
